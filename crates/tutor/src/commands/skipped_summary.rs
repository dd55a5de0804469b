//! The summary that commands print after a network has been shown samples: how many were left out
//! and why, and what decoders noticed.

use data_pipeline::dataset::folder::{LeftOut, Skipped};
use data_pipeline::picture::Notices;

use crate::run::experiment::Answer;
use crate::run::note::note;

/// Counts answers and what was left out.
pub(super) struct SkippedSummary {
    /// Samples that the network answered.
    pub(super) answered: u64,
    skipped: Vec<Skipped>,
    notices: Notices,
}

impl SkippedSummary {
    /// Begins with the samples that were left out before any was shown.
    pub(super) fn new(skipped: &[Skipped]) -> Self {
        Self { answered: 0, skipped: skipped.to_vec(), notices: Notices::default() }
    }

    pub(super) fn add(&mut self, answer: &Answer) {
        match answer {
            Answer::Said { noticed, .. } => {
                self.answered += 1;
                self.notices.add(noticed);
            }
            Answer::LeftOut(skipped) => self.skipped.push(skipped.clone()),
        }
    }

    /// Prints the summary to standard error. `unit` is what the samples are, as `images`.
    pub(super) fn print(&self, unit: &str) {
        LeftOut::by_reason(&self.skipped).iter().for_each(|left_out| note(&left_out.to_string()));
        self.notices.lines().for_each(|line| note(&line));
        if self.answered == 0 {
            note(&format!("warning: none of the {unit} could be read"));
        }
    }
}
