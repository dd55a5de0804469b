//! What is told when a network was shown samples: how many were left out and why, what decoders
//! noticed.

use data_pipeline::dataset::folder::{LeftOut, Skipped};
use data_pipeline::picture::Notices;

use crate::run::experiment::Answer;
use crate::run::note::note;

/// Counts answers.
pub(super) struct Tally {
    /// Of how many samples something was said.
    pub(super) said: u64,
    skipped: Vec<Skipped>,
    notices: Notices,
}

impl Tally {
    /// With what was left out before.
    pub(super) fn new(skipped: &[Skipped]) -> Self {
        Self { said: 0, skipped: skipped.to_vec(), notices: Notices::default() }
    }

    pub(super) fn add(&mut self, answer: &Answer) {
        match answer {
            Answer::Said { noticed, .. } => {
                self.said += 1;
                self.notices.add(noticed);
            }
            Answer::LeftOut(skipped) => self.skipped.push(skipped.clone()),
        }
    }

    /// Tells it beside the command's own output. `unit`: `images`.
    pub(super) fn tell(&self, unit: &str) {
        LeftOut::by_reason(&self.skipped).iter().for_each(|left_out| note(&left_out.to_string()));
        self.notices.lines().for_each(|line| note(&line));
        if self.said == 0 {
            note(&format!("warning: none of the {unit} could be read"));
        }
    }
}
