//! The recipe's own keys.

use anyhow::Result;
use eval_ssa::Required;
use eval_ssa::simulate::SimulatedSystem;
use serde::{Deserialize, Serialize};

use crate::recipe::faults::Faults;

/// What is simulated, and where the published conversations lie.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// The folder with the published conversations, below that of the data sets.
    pub(super) transcripts: String,
    /// A file of lines of JSON, or a folder of such files, with a model of a sweep a line; empty
    /// for none.
    #[serde(default)]
    pub(super) sweep: String,
    pub(super) raters: RatersConfig,
    pub(super) coverage: CoverageConfig,
}

/// A study by raters of known quality.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RatersConfig {
    pub(super) systems: Vec<SystemConfig>,
    /// Conversations with each system.
    pub(super) conversations: u32,
    /// Rated responses of each.
    pub(super) turns: u32,
    /// The correlation of two responses of a conversation.
    pub(super) likeness: f64,
    /// The chance of each rater to see the truth of a question.
    pub(super) quality: Vec<f64>,
    /// Votes for each response.
    pub(super) votes: u32,
    /// The chance that a rater skips a response.
    pub(super) skips: f64,
    /// Resamples of the study's intervals.
    pub(super) resamples: u32,
}

/// A simulated system.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SystemConfig {
    pub(super) name: String,
    /// The chance that a response makes sense.
    pub(super) sensible: f64,
    /// The chance that one that makes sense is specific.
    pub(super) specific: f64,
}

impl SystemConfig {
    pub(super) fn simulated(&self) -> SimulatedSystem {
        SimulatedSystem::new(&self.name, self.sensible, self.specific)
    }
}

/// Studies whose intervals are held against the truth.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CoverageConfig {
    /// Numbers of conversations of a study.
    pub(super) conversations: Vec<u32>,
    /// The least and the most rated responses of a conversation.
    pub(super) turns: [u32; 2],
    pub(super) likeness: f64,
    /// Studies for each number of conversations.
    pub(super) studies: u32,
    /// Resamples of each study.
    pub(super) resamples: u32,
    pub(super) system: SystemConfig,
}

impl Recipe {
    /// Names all faults at once.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let mut faults = Faults::default();
        let mut chance = |key: &str, value: f64| {
            if !(0.0..=1.0).contains(&value) {
                faults.add(key, format!("{value} is no chance: give 0 to 1"));
            }
        };
        let (raters, coverage) = (&self.raters, &self.coverage);
        for system in raters.systems.iter().chain([&coverage.system]) {
            chance(&format!("{}: sensible", system.name), system.sensible);
            chance(&format!("{}: specific", system.name), system.specific);
        }
        raters.quality.iter().for_each(|quality| chance("raters.quality", *quality));
        chance("raters.likeness", raters.likeness);
        chance("raters.skips", raters.skips);
        chance("coverage.likeness", coverage.likeness);
        for (key, value) in [
            ("raters.conversations", raters.conversations),
            ("raters.turns", raters.turns),
            ("coverage.studies", coverage.studies),
            ("coverage.turns", coverage.turns[0]),
        ] {
            faults.positive(key, value.into());
        }
        for &conversations in &coverage.conversations {
            faults.positive("coverage.conversations", conversations.into());
        }
        // A standard deviation over resamples takes two.
        let few =
            [("raters.resamples", raters.resamples), ("coverage.resamples", coverage.resamples)];
        for (key, _) in few.into_iter().filter(|(_, resamples)| *resamples < 2) {
            faults.add(key, "must be at least 2");
        }
        if coverage.turns[0] > coverage.turns[1] {
            faults.add("coverage.turns", "the least number of turns is above the largest");
        }
        if raters.systems.is_empty() {
            faults.add("raters.systems", "there is none");
        }
        faults.of("raters.votes", Required::new(raters.votes).map(drop));
        if raters.quality.len() < raters.votes as usize {
            faults.add("raters.quality", format!("{} votes need as many raters", raters.votes));
        }
        faults.done(name)
    }

    /// The names of all rows of a result, each with the row that it is compared with.
    pub(super) fn row_names(&self) -> Vec<(String, Option<String>)> {
        let systems = self.raters.systems.iter().map(|system| &system.name);
        let systems = systems.flat_map(|name| [(true_name(name), None), (found_name(name), None)]);
        let sizes = self.coverage.conversations.iter().flat_map(|&size| {
            let percentile = percentile_name(size as usize);
            [(small_name(size as usize), Some(percentile.clone())), (percentile, None)]
        });
        systems.chain(sizes).collect()
    }
}

/// The row of a system's true SSA.
pub(super) fn true_name(system: &str) -> String {
    format!("{system}, true labels")
}

/// The row of what raters find.
pub(super) fn found_name(system: &str) -> String {
    format!("{system}, by raters")
}

/// The row of how often percentile intervals hold the truth.
pub(super) fn percentile_name(conversations: usize) -> String {
    format!("{conversations} conversations, percentile")
}

/// The row of how often the intervals for small samples do.
pub(super) fn small_name(conversations: usize) -> String {
    format!("{conversations} conversations, small samples")
}
