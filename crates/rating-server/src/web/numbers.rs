//! Scores and agreement of the moment. All numbers are `eval-ssa`'s.

use crate::error::Result;
use crate::project::Project;
use crate::records::Names;
use crate::secret::now;
use eval_ssa::agreement::Agreement;
use eval_ssa::bootstrap::Bootstrap;
use eval_ssa::quality::{self, RaterQuality};
use eval_ssa::score::{self, Score};
use eval_ssa::{Choice, Rating, Study};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long numbers are shown again before they are computed anew, in milliseconds.
const FRESH: i64 = 10_000;

/// The numbers of a moment.
pub(super) struct Numbers {
    at: i64,
    pub(super) names: Names,
    pub(super) scores: Vec<Score>,
    pub(super) sensible: Agreement,
    pub(super) specific: Agreement,
    pub(super) quality: Vec<RaterQuality>,
    /// Choices between two systems: for the first, for the second, tie, both bad.
    pub(super) preferences: BTreeMap<[String; 2], [usize; 4]>,
}

/// The numbers of the last moment, for whoever reloads the page.
#[derive(Default)]
pub(crate) struct Statistics(Mutex<Option<Arc<Numbers>>>);

impl Statistics {
    /// Computes anew the next time.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The numbers, computed anew when they are old.
    pub(super) fn get(&self, project: &Project) -> Result<Arc<Numbers>> {
        // Held while computing: two pages do not compute the same twice.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(numbers) = kept.as_ref().filter(|numbers| now() - numbers.at < FRESH) {
            return Ok(Arc::clone(numbers));
        }
        let names = project.names()?;
        let numbers = Arc::new(numbers(&project.study(names)?, names, project.settings().seed));
        *kept = Some(Arc::clone(&numbers));
        Ok(numbers)
    }
}

fn numbers(study: &Study, names: Names, seed: u64) -> Numbers {
    let outcomes = study.outcomes();
    let bootstrap = Bootstrap { resamples: 1000, seed, ..Bootstrap::default() };
    let agreement = |question: fn(&Rating) -> Option<bool>| {
        Agreement::measure(&study.votes(|_| true, question), study.required.get())
    };
    let pairs: BTreeMap<&str, &[String; 2]> =
        study.pairs.iter().map(|pair| (pair.id.as_str(), &pair.systems)).collect();
    let mut preferences: BTreeMap<[String; 2], [usize; 4]> = BTreeMap::new();
    for preference in &study.preferences {
        let Some([first, second]) = pairs.get(preference.pair.as_str()) else { continue };
        let turned = first > second;
        let key = if turned { [second, first] } else { [first, second] };
        let counts = preferences.entry(key.map(String::clone)).or_default();
        match (preference.choice, turned) {
            (Choice::First, false) | (Choice::Second, true) => counts[0] += 1,
            (Choice::First | Choice::Second, _) => counts[1] += 1,
            (Choice::Tie, _) => counts[2] += 1,
            (Choice::BothBad, _) => counts[3] += 1,
        }
    }
    Numbers {
        at: now(),
        names,
        scores: score::scores(&outcomes, &bootstrap),
        sensible: agreement(|rating| rating.answer.sensible()),
        specific: agreement(|rating| rating.answer.specific()),
        quality: quality::raters(study),
        preferences,
    }
}
