//! Label splits: which samples of a training set are labelled, unlabelled, held out for validation
//! or for the test.
//!
//! Every published recipe draws its split in its own way, and that matters as much as the seed;
//! [`SplitRule`] names them. A [`Split`] is a small JSON file of indices, so that a run can be
//! repeated and compared.

use crate::dataset::{Samples, digits};
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::path::Path;

mod candidates;
mod draw;
mod rule;

pub use rule::{SplitRequest, SplitRule};

impl SplitRequest {
    /// Draws the split of a set from its labels, each below `classes`. The same request gives the
    /// same split everywhere. Fails if the rule cannot be followed: too few samples, `labels` not
    /// divisible by the number of classes, and so on.
    ///
    /// With `train` below the number of samples, the samples after it may have any label, which is
    /// ignored; `fixmatch`, `kekmodel` and `usb` draw from all samples and refuse `train`.
    pub fn split(&self, labels: &[u32], classes: usize) -> Result<Split, DataError> {
        let draw::Parts { labeled, unlabeled, validation, test } =
            draw::draw(self, labels, classes)?;
        let split = Split {
            format: 1,
            rule: self.rule,
            seed: self.seed,
            samples: labels.len(),
            labeled,
            unlabeled,
            validation,
            test,
            labeled_ids: vec![],
        };
        split.check("the drawn split")?;
        Ok(split)
    }

    /// As [`SplitRequest::split`], for a whole set, and notes the ids of the labelled samples.
    pub fn split_set<S: Samples + ?Sized>(&self, set: &S) -> Result<Split, DataError> {
        let mut split = self.split(&set.labels()?, set.classes().len())?;
        split.labeled_ids = split.labeled.iter().map(|&i| set.id(i as usize)).collect();
        Ok(split)
    }
}

/// A drawn split: indices into one set, in the order drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The version of this file format, 1.
    pub format: u32,
    /// How it was drawn.
    pub rule: SplitRule,
    /// The seed it was drawn with.
    pub seed: u64,
    /// How many samples the set has.
    pub samples: usize,
    /// Samples whose label may be seen in training.
    pub labeled: Vec<u32>,
    /// Samples for training without their label.
    pub unlabeled: Vec<u32>,
    /// Samples for choosing among models.
    pub validation: Vec<u32>,
    /// Samples for the final result, where the set has no official test part.
    pub test: Vec<u32>,
    /// The ids of the labelled samples, in the same order; empty if not noted.
    #[serde(default)]
    pub labeled_ids: Vec<String>,
}

impl Split {
    /// Writes the file, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), DataError> {
        let mut bytes =
            serde_json::to_vec(self).expect("a split has no key or number that JSON lacks");
        bytes.push(b'\n');
        Ok(atomic_file::write(path, &bytes)?)
    }

    /// Reads a file and checks it: indices in range, none twice in a part, no overlap that the rule
    /// does not have.
    pub fn load(path: &Path) -> Result<Self, DataError> {
        let bytes =
            std::fs::read(path).map_err(DataError::io(path, "check the path of the split file"))?;
        let split: Self = serde_json::from_slice(&bytes).map_err(|e| DataError::Line {
            path: path.to_path_buf(),
            line: e.line() as u64,
            fault: e.to_string(),
            way_out: "draw the split again",
        })?;
        split.check(&path.display().to_string())?;
        Ok(split)
    }

    /// Checks that this is a split of `set`: same number of samples, same ids of the labelled ones.
    pub fn check_against<S: Samples + ?Sized>(&self, set: &S) -> Result<(), DataError> {
        let fault = |what| {
            Err(DataError::Request(format!(
                "the split is of another data set: {what} (draw it again)"
            )))
        };
        if self.samples != set.len() {
            return fault(format!("it has {} samples, the set {}", self.samples, set.len()));
        }
        for (&index, id) in self.labeled.iter().zip(&self.labeled_ids) {
            let found = set.id(index as usize);
            if found != *id {
                return fault(format!("sample {index} is `{found}`, not `{id}`"));
            }
        }
        Ok(())
    }

    fn check(&self, name: &str) -> Result<(), DataError> {
        let fault =
            |what| Err(DataError::Request(format!("{name}: {what} (draw the split again)")));
        if self.format != 1 {
            return fault(format!("format {} is unknown, 1 expected", self.format));
        }
        if !self.labeled_ids.is_empty() && self.labeled_ids.len() != self.labeled.len() {
            return fault(format!(
                "{} ids for {} labelled samples",
                self.labeled_ids.len(),
                self.labeled.len()
            ));
        }
        let parts = [&self.labeled, &self.unlabeled, &self.validation, &self.test];
        let names = ["labeled", "unlabeled", "validation", "test"];
        let largest = parts.iter().flat_map(|part| part.iter()).max();
        if let Some(index) = largest.filter(|&&index| index as usize >= self.samples) {
            return fault(format!("sample {index} of a set of {}", self.samples));
        }
        // Which parts a sample is in, as bits. No larger than the largest index, whatever the file
        // claims to be a split of.
        let mut seen = vec![0u8; largest.map_or(0, |&index| index as usize + 1)];
        for (number, part) in parts.into_iter().enumerate() {
            for &index in part {
                let bits = &mut seen[index as usize];
                let allowed = match number {
                    1 if self.rule.labeled_in_unlabeled() => 0b0001,
                    2 if self.rule.labeled_in_validation() => 0b0001,
                    _ => 0,
                };
                if *bits & !allowed != 0 {
                    let other = names[(*bits & !allowed).trailing_zeros() as usize];
                    let what = if other == names[number] {
                        "twice".into()
                    } else {
                        format!("and in `{other}`")
                    };
                    return fault(format!("sample {index} is in `{}` {what}", names[number]));
                }
                *bits |= 1 << number;
            }
        }
        Ok(())
    }
}

/// The default split of [`digits`]: the same 447 test and 250 validation images for every seed,
/// both stratified; of the other 1,100 the seed chooses `labels_per_class` of each class, and the
/// rest is unlabelled. Fails if a class has too few.
///
/// ```
/// let split = data_pipeline::split::digits_split(10, 1).unwrap();
/// assert_eq!((split.labeled.len(), split.unlabeled.len()), (100, 1000));
/// assert_eq!((split.validation.len(), split.test.len()), (250, 447));
/// ```
pub fn digits_split(labels_per_class: usize, seed: u64) -> Result<Split, DataError> {
    let request = SplitRequest {
        rule: SplitRule::Balanced,
        labels: Some(10 * labels_per_class),
        validation: 250,
        test: 447,
        seed,
        train: None,
    };
    request.split_set(&digits::load())
}
