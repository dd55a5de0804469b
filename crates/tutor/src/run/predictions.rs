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

    /// The same among those classes alone that some sample has: the others have 0, and the rest sum
    /// to 1 (where all of them are 0, they are equal).
    pub(crate) fn among_those_of(mut self, truth: &[Option<u32>]) -> Self {
        let mut is_there = vec![false; self.classes];
        truth.iter().flatten().for_each(|&class| is_there[class as usize] = true);
        let equal = 1.0 / is_there.iter().filter(|is_there| **is_there).count().max(1) as f32;
        for row in self.probabilities.chunks_exact_mut(self.classes) {
            let there = || row.iter().zip(&is_there).filter(|(_, is_there)| **is_there);
            let sum: f32 = there().map(|(p, _)| p).sum();
            for (p, is_there) in row.iter_mut().zip(&is_there) {
                *p = match (*is_there, sum > 0.0) {
                    (false, _) => 0.0,
                    // Not times 1 / sum, which overflows for the smallest sums.
                    (true, true) => *p / sum,
                    (true, false) => equal,
                };
            }
        }
        self
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

    /// Expected calibration error in points, over the samples whose class is known; 0 of none.
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
    fn classes_without_a_sample_may_be_kept_out() {
        let p = Predictions::new(3, vec![0.5, 0.375, 0.125, 0.25, 0.25, 0.5]).expect("numbers");
        // Class 0 is not there: 0.375 / 0.5 and 0.5 / 0.75.
        let among = p.clone().among_those_of(&[Some(2), None, Some(1)]);
        let expected = [0.0, 0.75, 0.25, 0.0, 1.0 / 3.0, 2.0 / 3.0];
        let found: Vec<f32> = among.rows().flatten().copied().collect();
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        assert_eq!(p.top().map(|(class, _)| class).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(among.top().map(|(class, _)| class).collect::<Vec<_>>(), [1, 2]);
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
    fn among_the_classes_that_are_there_probabilities_sum_to_one() {
        // The last two rows: a sum whose reciprocal overflows, and none.
        let tiny = f32::from_bits(1);
        let p = vec![0.25, 0.5, 0.25, tiny, 1.0, tiny, 0.0, 1.0, 0.0];
        let p = Predictions::new(3, p).expect("numbers");
        let p = p.among_those_of(&[Some(0), Some(2), None]);
        assert!(p.rows().all(|row| *row == [0.5, 0.0, 0.5]), "{p:?}");
    }

    #[test]
    fn what_is_no_number_is_never_scored() {
        for bad in [f32::NAN, f32::INFINITY] {
            let error = Predictions::new(2, vec![0.5, 0.5, bad, 0.5]).expect_err("no number");
            assert!(error.to_string().contains(&bad.to_string()), "{error}");
        }
    }
}
