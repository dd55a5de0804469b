//! Which conversations train, validate and test.

use crate::digest::Digest;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// What a conversation is for. In this order near-duplicates are kept: the test part's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialogPart {
    /// Evaluated once, at the end.
    Test,
    /// Evaluated along the training.
    Validation,
    /// Trained on.
    Train,
}

impl DialogPart {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Test, Self::Validation, Self::Train];

    /// As it stands in files and names of folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Validation => "validation",
            Self::Train => "train",
        }
    }
}

/// How conversations are split where their files do not say it: by a keyed hash of their names, so
/// that a conversation is in one part as a whole, and stays there when others are added.
///
/// ```
/// use data_pipeline::dialog::{DialogPart, DialogSplit};
/// let split = DialogSplit { seed: 1, validation: 0.1, test: 0.1 };
/// let parts: Vec<DialogPart> = (0..1000).map(|i| split.part(&i.to_string())).collect();
/// let tests = parts.iter().filter(|&&part| part == DialogPart::Test).count();
/// assert!((70..130).contains(&tests));
/// assert_eq!(split.part("7"), parts[7]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DialogSplit {
    /// The key of the hash.
    pub seed: u64,
    /// The share of the conversations that validate.
    pub validation: f64,
    /// The share of the conversations that test.
    pub test: f64,
}

impl Default for DialogSplit {
    /// 5 % validate and 5 % test.
    fn default() -> Self {
        Self { seed: 1, validation: 0.05, test: 0.05 }
    }
}

impl DialogSplit {
    /// Checks the shares.
    ///
    /// # Errors
    /// When they are none, or leave nothing to train on.
    pub fn check(&self) -> Result<(), DataError> {
        let shares = [self.validation, self.test];
        if shares.iter().all(|share| (0.0..1.0).contains(share))
            && self.validation + self.test < 1.0
        {
            return Ok(());
        }
        let fault = format!(
            "shares of {} (validation) and {} (test) of the conversations: each must be from 0 on, \
             both together below 1",
            self.validation, self.test
        );
        Err(DataError::Request(fault))
    }

    /// The part of a conversation.
    pub fn part(&self, conversation: &str) -> DialogPart {
        let at = unit(self.seed, conversation);
        if at < self.test {
            DialogPart::Test
        } else if at < self.test + self.validation {
            DialogPart::Validation
        } else {
            DialogPart::Train
        }
    }
}

/// A number from 0 to 1 that depends on nothing but the seed and the name.
pub(super) fn unit(seed: u64, name: &str) -> f64 {
    let bytes = [&seed.to_le_bytes()[..], name.as_bytes()].concat();
    let [a, b, c, d, e, f, g, h, ..] = Digest::of(&bytes).to_bytes();
    let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    (number >> 11) as f64 / (1u64 << 53) as f64
}
