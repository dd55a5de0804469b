//! Class probabilities of some samples, and what follows from them.

use anyhow::{Result, bail};
use metrics::{Confusion, calibration_error};

/// Class probabilities of some samples, row by row; of no sample too. All of them are numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Predictions {
    classes: usize,
    probabilities: Vec<f32>,
}

impl Predictions {
    /// Takes `classes` probabilities a sample. An error if one is not a number.
    pub(crate) fn new(classes: usize, probabilities: Vec<f32>) -> Result<Self> {
        all_numbers(&probabilities)?;
        Ok(Self { classes, probabilities })
    }

    /// One row of probabilities a sample.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes)
    }

    /// The most probable class of each sample (the first of equals) and its probability.
    pub(crate) fn top(&self) -> impl Iterator<Item = (u32, f32)> {
        self.rows().map(top)
    }

    /// How often each class was taken for which, over the samples whose class is known.
    pub(crate) fn confusion(&self, truth: &[Option<u32>]) -> Confusion {
        let mut confusion = Confusion::new(self.classes);
        for ((class, _), truth) in self.top().zip(truth) {
            if let Some(truth) = truth {
                confusion.add(*truth as usize, class as usize);
            }
        }
        confusion
    }

    /// Expected calibration error in percent, over the samples whose class is known; 0 of none.
    pub(crate) fn calibration_error(&self, truth: &[Option<u32>]) -> f64 {
        let known = self.top().zip(truth);
        let known = known.filter_map(|((class, p), truth)| Some((p, class == (*truth)?)));
        calibration_error(known).unwrap_or(0.0)
    }
}

/// An error if a network's probabilities are not numbers: nothing may be scored or labelled by
/// them.
pub(crate) fn all_numbers(probabilities: &[f32]) -> Result<()> {
    match probabilities.iter().find(|p| !p.is_finite()) {
        None => Ok(()),
        Some(bad) => bail!(
            "the network gives {bad} for a probability: its weights or running statistics are not \
             numbers, or became too large; train it again, at a lower learning rate or with larger \
             batches"
        ),
    }
}

/// The most probable class (the first of equals) and its probability.
pub(crate) fn top(row: &[f32]) -> (u32, f32) {
    let first = (0, f32::NEG_INFINITY);
    row.iter().zip(0..).fold(first, |best, (&p, class)| if p > best.1 { (class, p) } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_samples_of_a_known_class_are_counted() {
        let p = Predictions::new(2, vec![0.9, 0.1, 0.5, 0.5, 0.2, 0.8]).expect("numbers");
        assert_eq!(p.top().collect::<Vec<_>>(), [(0, 0.9), (0, 0.5), (1, 0.8)]);
        let confusion = p.confusion(&[Some(0), Some(1), None]);
        assert_eq!(confusion.counts(), [[1, 0], [1, 0]]);
        assert_eq!(p.confusion(&[None, None, None]).accuracy(), None);
    }

    #[test]
    fn calibration_is_the_gap_between_probability_and_share_that_is_right() {
        let p = vec![0.9, 0.1, 0.2, 0.8, 0.3, 0.7, 0.6, 0.4, 0.5, 0.5];
        let p = Predictions::new(2, p).expect("numbers");
        // Each sample has a bin of its own: |.9-1| + |.8-1| + |.7-0| + |.6-1| over 4.
        let error = p.calibration_error(&[Some(0), Some(1), Some(0), Some(0), None]);
        assert!((error - 35.0).abs() < 1e-4, "{error}");
    }

    #[test]
    fn what_is_no_number_is_never_scored() {
        for bad in [f32::NAN, f32::INFINITY] {
            let error = Predictions::new(2, vec![0.5, 0.5, bad, 0.5]).expect_err("no number");
            assert!(error.to_string().contains(&bad.to_string()), "{error}");
        }
    }
}
