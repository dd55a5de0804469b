//! What a network said of the images that it is measured on.

use anyhow::{Result, ensure};
use metrics::Confusion;
use serde::{Deserialize, Serialize};

use crate::images::subset::Subset;
use crate::run::predictions::{self, Predictions, top};

/// Predictions of images whose class is known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Scores {
    pub(super) ids: Vec<String>,
    pub(super) truth: Vec<u32>,
    /// A row of class probabilities an image.
    pub(super) rows: Vec<Vec<f32>>,
}

impl Scores {
    /// Those of a subset, without the images whose class is not known.
    pub(super) fn of(subset: &Subset, predictions: &Predictions) -> Self {
        let mut scores = Self::default();
        for ((id, truth), row) in
            subset.ids().into_iter().zip(subset.labels()).zip(predictions.rows())
        {
            let Some(truth) = truth else { continue };
            scores.ids.push(id);
            scores.truth.push(truth);
            scores.rows.push(row.to_vec());
        }
        scores
    }

    /// Adds those of other images.
    pub(super) fn extend(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.truth.extend(other.truth);
        self.rows.extend(other.rows);
    }

    pub(super) fn len(&self) -> usize {
        self.truth.len()
    }

    /// The most probable class of each image and its probability.
    pub(super) fn tops(&self) -> impl Iterator<Item = (u32, f32)> {
        self.rows.iter().map(|row| top(row))
    }

    /// Whether each image was recognised.
    pub(super) fn right(&self) -> impl Iterator<Item = bool> {
        self.tops().zip(&self.truth).map(|((class, _), truth)| class == *truth)
    }

    /// The share that was recognised, in percent; none without images.
    pub(super) fn accuracy(&self) -> Option<f64> {
        let right = self.right().filter(|right| *right).count();
        (self.len() > 0).then(|| 100.0 * right as f64 / self.len() as f64)
    }

    pub(super) fn confusion(&self, classes: usize) -> Confusion {
        let mut confusion = Confusion::new(classes);
        for ((class, _), truth) in self.tops().zip(&self.truth) {
            confusion.add(*truth as usize, class as usize);
        }
        confusion
    }

    /// The images that were not recognised, those first whose wrong class was most probable.
    pub(super) fn surest_mistakes(&self) -> Vec<Mistake<'_>> {
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
    pub(super) fn calibration_error(&self) -> f64 {
        predictions::calibration_error(self.tops().map(|(_, p)| p).zip(self.right()))
    }

    /// For each precision in percent, the largest share of the images, the surest first, that is
    /// right at that rate, and the probability from which on an image belongs to it; `None` where
    /// there is no such share.
    pub(super) fn thresholds(&self, precisions: &[f64]) -> Vec<Threshold> {
        let mut order: Vec<(f32, bool)> = self.tops().map(|(_, p)| p).zip(self.right()).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut best: Vec<Threshold> = precisions.iter().map(|&at| Threshold::none(at)).collect();
        let mut right = 0;
        for (i, (p, is_right)) in order.iter().enumerate() {
            right += u64::from(*is_right);
            // Images of one probability belong together.
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

/// An image that was not recognised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mistake<'a> {
    pub(super) id: &'a str,
    pub(super) truth: u32,
    /// The class that it was taken for.
    pub(super) class: u32,
    pub(super) probability: f32,
}

/// A share of the images that a network labels at a precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Threshold {
    /// The precision in percent that is asked for.
    pub(super) asked: f64,
    /// The share of the images in percent, the least probability, and the precision in percent.
    pub(super) found: Option<(f64, f32, f64)>,
}

impl Threshold {
    fn none(asked: f64) -> Self {
        Self { asked, found: None }
    }
}

/// The difference of two networks on the same images, in points of accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Paired {
    pub(super) mean: f64,
    /// 95 % interval over images.
    pub(super) ci95: [f64; 2],
    /// The standard error.
    pub(super) error: f64,
}

impl Paired {
    /// `left - right`, both on the same images in the same order. The interval is that of the mean
    /// of the paired differences (−1, 0 or 1 an image) by the normal distribution, with one image
    /// added on either side, so that it does not shrink to nothing where two networks agree
    /// everywhere (Agresti & Min 2005, Statistics in Medicine 24).
    pub(super) fn between(left: &Scores, right: &Scores) -> Result<Self> {
        ensure!(left.ids == right.ids && left.len() > 0, "two networks on different images");
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
