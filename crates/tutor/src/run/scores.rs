//! What a network said of the samples that it is measured on, and differences of two networks.

use anyhow::{Result, ensure};
use metrics::Confusion;
use serde::{Deserialize, Serialize};

use super::predictions::{self, Predictions, top};

/// Predictions of samples whose class is known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Scores {
    pub(crate) ids: Vec<String>,
    pub(crate) truth: Vec<u32>,
    /// A row of class probabilities a sample.
    pub(crate) rows: Vec<Vec<f32>>,
}

impl Scores {
    /// Of samples by their ids, true classes and probabilities; those whose class is not known are
    /// left out.
    pub(crate) fn of(
        ids: impl IntoIterator<Item = String>,
        truth: impl IntoIterator<Item = Option<u32>>,
        predictions: &Predictions,
    ) -> Self {
        let mut scores = Self::default();
        for ((id, truth), row) in ids.into_iter().zip(truth).zip(predictions.rows()) {
            let Some(truth) = truth else { continue };
            scores.ids.push(id);
            scores.truth.push(truth);
            scores.rows.push(row.to_vec());
        }
        scores
    }

    /// Adds those of other samples.
    pub(crate) fn extend(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.truth.extend(other.truth);
        self.rows.extend(other.rows);
    }

    pub(crate) fn len(&self) -> usize {
        self.truth.len()
    }

    /// The most probable class of each sample and its probability.
    pub(crate) fn tops(&self) -> impl Iterator<Item = (u32, f32)> {
        self.rows.iter().map(|row| top(row))
    }

    /// Whether each sample was recognised.
    pub(crate) fn right(&self) -> impl Iterator<Item = bool> {
        self.tops().zip(&self.truth).map(|((class, _), truth)| class == *truth)
    }

    /// The share that was recognised, in percent; none without samples.
    pub(crate) fn accuracy(&self) -> Option<f64> {
        let right = self.right().filter(|right| *right).count();
        (self.len() > 0).then(|| 100.0 * right as f64 / self.len() as f64)
    }

    pub(crate) fn confusion(&self, classes: usize) -> Confusion {
        let mut confusion = Confusion::new(classes);
        for ((class, _), truth) in self.tops().zip(&self.truth) {
            confusion.add(*truth as usize, class as usize);
        }
        confusion
    }

    /// The samples that were not recognised, those first whose wrong class was most probable.
    pub(crate) fn surest_mistakes(&self) -> Vec<Mistake<'_>> {
        let each = self.ids.iter().zip(&self.truth).zip(self.tops());
        let mut mistakes: Vec<Mistake<'_>> = each
            .filter(|((_, truth), (class, _))| class != *truth)
            .map(|((id, &truth), (class, probability))| Mistake { id, truth, class, probability })
            .collect();
        let surest = |a: &Mistake<'_>, b: &Mistake<'_>| b.probability.total_cmp(&a.probability);
        mistakes.sort_by(|a, b| surest(a, b).then_with(|| a.id.cmp(b.id)));
        mistakes
    }

    /// Expected calibration error in points.
    pub(crate) fn calibration_error(&self) -> f64 {
        predictions::calibration_error(self.tops().map(|(_, p)| p).zip(self.right()))
    }

    /// For each precision in percent, the largest share of the samples, the surest first, that is
    /// right at that rate, and the probability from which on a sample belongs to it; `None` where
    /// there is no such share.
    pub(crate) fn thresholds(&self, precisions: &[f64]) -> Vec<Threshold> {
        let mut order: Vec<(f32, bool)> = self.tops().map(|(_, p)| p).zip(self.right()).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut best: Vec<Threshold> = precisions.iter().map(|&at| Threshold::none(at)).collect();
        let mut right = 0;
        for (i, (p, is_right)) in order.iter().enumerate() {
            right += u64::from(*is_right);
            // Samples of one probability belong together.
            if order.get(i + 1).is_some_and(|next| next.0 == *p) {
                continue;
            }
            let kept = i as u64 + 1;
            let precision = 100.0 * right as f64 / kept as f64;
            for threshold in best.iter_mut().filter(|t| precision >= t.asked) {
                let coverage = 100.0 * kept as f64 / order.len() as f64;
                *threshold = Threshold { found: Some((coverage, *p, precision)), ..*threshold };
            }
        }
        best
    }
}

/// A sample that was not recognised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mistake<'a> {
    pub(crate) id: &'a str,
    pub(crate) truth: u32,
    /// The class that it was taken for.
    pub(crate) class: u32,
    pub(crate) probability: f32,
}

/// A share of the samples that a network labels at a precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Threshold {
    /// The precision in percent that is asked for.
    pub(crate) asked: f64,
    /// The share of the samples in percent, the least probability, and the precision in percent.
    pub(crate) found: Option<(f64, f32, f64)>,
}

impl Threshold {
    fn none(asked: f64) -> Self {
        Self { asked, found: None }
    }
}

/// The difference of two networks on the same images, in points of accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Paired {
    pub(crate) mean: f64,
    /// 95 % interval over samples.
    pub(crate) ci95: [f64; 2],
    /// The standard error.
    pub(crate) error: f64,
}

impl Paired {
    /// `left - right`, both on the same samples in the same order. The interval is that of the mean
    /// of the paired differences (−1, 0 or 1 a sample) by the normal distribution, with one sample
    /// added on either side, so that it does not shrink to nothing where two networks agree
    /// everywhere (Agresti & Min 2005, Statistics in Medicine 24).
    pub(crate) fn between(left: &Scores, right: &Scores) -> Result<Self> {
        ensure!(left.ids == right.ids && left.len() > 0, "two networks on different samples");
        let n = left.len() as f64;
        let (mut better, mut worse) = (0.0, 0.0);
        for pair in left.right().zip(right.right()) {
            match pair {
                (true, false) => better += 1.0,
                (false, true) => worse += 1.0,
                _ => {}
            }
        }
        let mean = (better - worse) / n;
        let (b, w, n) = (better + 0.5, worse + 0.5, n + 2.0);
        let error = ((b + w) - (b - w) * (b - w) / n).max(0.0).sqrt() / n;
        let centre = (b - w) / n;
        Ok(Self {
            mean: 100.0 * mean,
            ci95: [100.0 * (centre - 1.96 * error), 100.0 * (centre + 1.96 * error)],
            error: 100.0 * error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(rows: &[([f32; 2], u32)]) -> Scores {
        Scores {
            ids: (0..rows.len()).map(|i| i.to_string()).collect(),
            truth: rows.iter().map(|row| row.1).collect(),
            rows: rows.iter().map(|row| row.0.to_vec()).collect(),
        }
    }

    #[test]
    fn thresholds_of_a_small_case() {
        let scores = scores(&[([0.9, 0.1], 0), ([0.2, 0.8], 1), ([0.3, 0.7], 0), ([0.6, 0.4], 0)]);
        let found = scores.thresholds(&[100.0, 75.0, 80.0]);
        assert_eq!(found[0].found, Some((50.0, 0.8, 100.0)));
        assert_eq!(found[1].found, Some((100.0, 0.6, 75.0)));
        assert_eq!(found[2].found, Some((50.0, 0.8, 100.0)));
    }

    #[test]
    fn paired_differences_have_a_sign_and_an_interval() {
        let all = |right: usize| {
            let row = |i| if i < right { ([0.9, 0.1], 0) } else { ([0.1, 0.9], 0) };
            scores(&(0..100).map(row).collect::<Vec<_>>())
        };
        let paired = Paired::between(&all(80), &all(60)).expect("the same images");
        assert_eq!(paired.mean, 20.0);
        assert!(paired.ci95[0] > 10.0 && paired.ci95[1] < 30.0, "{paired:?}");
        let none = Paired::between(&all(80), &all(80)).expect("the same images");
        assert!(none.ci95[0] < 0.0 && none.ci95[1] > 0.0);
    }
}
