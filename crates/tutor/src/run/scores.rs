//! What a network said of the samples that it is measured on, and differences of two networks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use metrics::{Confusion, calibration_error, stats};
use serde::{Deserialize, Serialize};

use super::predictions::{Predictions, top};

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
        calibration_error(self.tops().map(|(_, p)| p).zip(self.right())).unwrap_or(0.0)
    }

    /// The class that most samples are of (the first of equals), and the share of them in percent;
    /// none without samples.
    pub(crate) fn most_frequent(&self) -> Option<(u32, f64)> {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        self.truth.iter().for_each(|truth| *counts.entry(*truth).or_default() += 1);
        let (class, _) = counts.into_iter().max_by_key(|(class, n)| (*n, Reverse(*class)))?;
        Some((class, self.share_of(class)))
    }

    /// The share of the samples that are of a class, in percent.
    pub(crate) fn share_of(&self, class: u32) -> f64 {
        let count = self.truth.iter().filter(|truth| **truth == class).count();
        100.0 * count as f64 / self.len().max(1) as f64
    }

    /// The accuracy in percent on the samples that are none of these; none where no other is left.
    pub(crate) fn accuracy_without(&self, ids: &BTreeSet<&str>) -> Option<f64> {
        let others = self.ids.iter().zip(self.right()).filter(|(id, _)| !ids.contains(id.as_str()));
        let (count, right) = others
            .fold((0_u64, 0_u64), |(count, right), one| (count + 1, right + u64::from(one.1)));
        (count > 0).then(|| 100.0 * right as f64 / count as f64)
    }

    /// The surest samples in groups of growing size, those of one probability all or none.
    pub(crate) fn surest(&self) -> Vec<Surest> {
        let mut order: Vec<(f32, bool)> = self.tops().map(|(_, p)| p).zip(self.right()).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut groups = Vec::new();
        let mut right = 0;
        for (i, (p, is_right)) in order.iter().enumerate() {
            right += u64::from(*is_right);
            let next = order.get(i + 1).map(|next| next.0);
            if next != Some(*p) {
                groups.push(Surest { count: i as u64 + 1, right, from: *p, next });
            }
        }
        groups
    }

    /// For each precision in percent, the largest group of the surest samples that is right at that
    /// rate; `None` where there is none.
    pub(crate) fn thresholds(&self, precisions: &[f64]) -> Vec<Option<Surest>> {
        let groups = self.surest();
        let last = |asked: &f64| groups.iter().rfind(|g| g.precision() >= *asked).copied();
        precisions.iter().map(last).collect()
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

/// The samples of which a network is surest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Surest {
    pub(crate) count: u64,
    /// How many of them were recognised.
    pub(crate) right: u64,
    /// The least of their probabilities.
    pub(crate) from: f32,
    /// The largest probability of the others.
    next: Option<f32>,
}

impl Surest {
    /// The share that was recognised, in percent.
    pub(crate) fn precision(self) -> f64 {
        100.0 * self.right as f64 / self.count as f64
    }

    /// Wilson's 95 % interval of the precision, in percent.
    pub(crate) fn interval(self) -> Option<[f64; 2]> {
        Some(stats::wilson(self.precision() / 100.0, self.count)?.map(|end| 100.0 * end))
    }

    /// A threshold in few digits that these samples reach and no other does.
    pub(crate) fn threshold(self) -> String {
        let from = f64::from(self.from);
        let digits = (3..=7).find_map(|digits| {
            let scale = 10_f64.powi(digits);
            let least = (from * scale).floor() / scale;
            let told = format!("{least:.*}", digits as usize);
            // As it is read again.
            let is_reached = told
                .parse::<f32>()
                .is_ok_and(|least| least <= self.from && self.next.is_none_or(|next| next < least));
            is_reached.then_some(told)
        });
        digits.unwrap_or_else(|| self.from.to_string())
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
        let found: Vec<_> = found.iter().flatten().map(|f| (f.count, f.right, f.from)).collect();
        assert_eq!(found, [(2, 2, 0.8), (4, 3, 0.6), (2, 2, 0.8)]);
        let few = Surest { count: 75, right: 75, from: 0.984_49, next: Some(0.97) };
        // scipy: stats.binomtest(75, 75).proportion_ci(.95, method="wilson")
        let [low, high] = few.interval().expect("an interval");
        assert!((low - 95.13).abs() < 0.01 && high == 100.0, "{low} {high}");
        // What is printed selects the same samples.
        assert_eq!(few.threshold(), "0.984");
        assert_eq!(Surest { next: Some(0.984_2), ..few }.threshold(), "0.9844");
        assert_eq!(Surest { from: 1.0, next: Some(0.999_99), ..few }.threshold(), "1.000");
        assert_eq!(Surest { from: 0.999_96, next: Some(0.999_2), ..few }.threshold(), "0.9999");
    }

    #[test]
    fn the_most_frequent_class_is_the_first_of_equals() {
        let of = |truth: &[u32]| {
            let rows: Vec<_> = truth.iter().map(|&truth| ([0.9, 0.1], truth)).collect();
            scores(&rows).most_frequent()
        };
        assert_eq!(of(&[1, 0, 1, 1]), Some((1, 75.0)));
        assert_eq!(of(&[1, 0, 1, 0]), Some((0, 50.0)));
        assert_eq!(of(&[]), None);
        let scores = scores(&[([0.9, 0.1], 0), ([0.2, 0.8], 0), ([0.3, 0.7], 0)]);
        assert_eq!(scores.accuracy_without(&["0"].into()), Some(0.0));
        assert_eq!(scores.accuracy_without(&["1"].into()), Some(50.0));
        assert_eq!(scores.accuracy_without(&["0", "1", "2"].into()), None);
    }

    #[test]
    fn paired_differences_have_a_sign_and_an_interval() {
        let all = |right: usize| {
            let row = |i| if i < right { ([0.9, 0.1], 0) } else { ([0.1, 0.9], 0) };
            scores(&(0..100).map(row).collect::<Vec<_>>())
        };
        let paired = Paired::between(&all(80), &all(60)).expect("the same images");
        assert_eq!(paired.mean, 20.0);
        // By hand: 20.5 better and 0.5 worse of 102, so (20 ± 1.96 √(21 − 20²/102)) / 102.
        let found = [paired.error, paired.ci95[0], paired.ci95[1]];
        for (found, expected) in found.into_iter().zip([4.051_57, 11.666_76, 27.548_93]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
        let none = Paired::between(&all(80), &all(80)).expect("the same images");
        assert!(none.ci95[0] < 0.0 && none.ci95[1] > 0.0);
    }
}
