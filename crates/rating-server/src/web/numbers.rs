//! The numbers of the moment, all of them `eval-ssa`'s.

use crate::error::Result;
use crate::project::Project;
use crate::records::Names;
use eval_ssa::Summary;
use eval_ssa::bootstrap::Bootstrap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long numbers are shown again before they are computed anew. By a clock that nobody sets.
const FRESH: Duration = Duration::from_secs(10);

/// The numbers of a moment.
pub(super) struct Numbers {
    at: Instant,
    pub(super) names: Names,
    pub(super) summary: Summary,
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
        if let Some(numbers) = kept.as_ref().filter(|numbers| numbers.at.elapsed() < FRESH) {
            return Ok(Arc::clone(numbers));
        }
        let names = project.names()?;
        let bootstrap =
            Bootstrap { resamples: 1000, seed: project.settings().seed, ..Bootstrap::default() };
        let summary = Summary::of(&project.study(names)?, &bootstrap);
        let numbers = Arc::new(Numbers { at: Instant::now(), names, summary });
        *kept = Some(Arc::clone(&numbers));
        Ok(numbers)
    }
}
