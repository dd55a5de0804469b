//! Intervals of a mean over responses that come in conversations: the percentile bootstrap, which
//! draws whole conversations, and beside it an interval that small studies can rely on.
//!
//! Turns of one conversation are alike, so a bootstrap that draws single labels makes intervals
//! that are far too narrow:
//!
//! ```
//! use eval_ssa::bootstrap::{Bootstrap, Unit};
//! // Ten conversations of ten turns: five are all right, five all wrong.
//! let unit = |i| Unit { sum: f64::from(i % 2) * 10.0, count: 10.0 };
//! let half: Vec<Unit> = (0..10).map(unit).collect();
//! let estimate = Bootstrap::default().mean(&half).unwrap();
//! let [low, high] = estimate.percentile;
//! assert!((low - 0.2).abs() < 0.02 && (high - 0.8).abs() < 0.02);
//! ```

use augment::rng::Key;
use metrics::stats::{sample_sd, score_interval, t_quantile};
use serde::{Deserialize, Serialize};

/// What a key's view is for the draws of this module.
const VIEW: u64 = 1200;

/// What is drawn as a whole: a conversation, or a context of a static set. Its responses have
/// values from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Sum of the values.
    pub sum: f64,
    /// Number of responses.
    pub count: f64,
}

impl Unit {
    /// Panics if no responses have such a sum; `number` is that of the unit.
    fn check(&self, number: usize) {
        let Self { sum, count } = *self;
        let counted = count >= 0.0 && count.is_finite();
        // What adding up values may round.
        let slack = 1e-9 * count;
        assert!(
            counted && sum >= -slack && sum <= count + slack,
            "unit {number} has the sum {sum} of {count} values, and values are from 0 to 1"
        );
    }
}

/// The units that have responses. Panics if one is none.
fn with_responses(units: &[Unit]) -> Vec<Unit> {
    units.iter().enumerate().for_each(|(number, unit)| unit.check(number));
    units.iter().copied().filter(|unit| unit.count > 0.0).collect()
}

/// How to resample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// How often to draw.
    pub resamples: u32,
    /// The seed. Resample `i` is keyed by the seed and `i`, so that two systems with the same
    /// number of units are drawn alike.
    pub seed: u64,
    /// The level of confidence, between 0 and 1.
    pub level: f64,
}

impl Default for Bootstrap {
    /// 10,000 resamples, seed 1, 95 %.
    fn default() -> Self {
        Self { resamples: 10_000, seed: 1, level: 0.95 }
    }
}

/// A mean over responses with its uncertainty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean over all responses.
    pub value: f64,
    /// Standard deviation of the resampled means (divisor n - 1).
    pub standard_error: f64,
    /// Standard error from the variance between units, to first order (cluster-robust); `None` for
    /// a single unit.
    pub linear_error: Option<f64>,
    /// The percentile interval.
    pub percentile: [f64; 2],
    /// The interval for small studies; `None` for a single unit.
    pub small_sample: Option<[f64; 2]>,
    /// Whether all resamples have the same mean: the percentile interval has no width then, which
    /// says nothing about certainty.
    pub degenerate: bool,
    /// How many units were drawn from.
    pub units: usize,
    /// How many responses are in them.
    pub responses: u64,
}

/// With fewer conversations or contexts than this, percentile intervals are too narrow.
pub const FEW_UNITS: usize = 50;

impl Estimate {
    /// The interval to quote: the one for small samples below [`FEW_UNITS`] units and where the
    /// percentile interval has no width, else the percentile interval.
    pub fn to_quote(&self) -> [f64; 2] {
        let small = self.small_sample.filter(|_| self.units < FEW_UNITS || self.degenerate);
        small.unwrap_or(self.percentile)
    }
}

/// A difference of two means with its uncertainty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// First minus second.
    pub value: f64,
    /// Standard deviation of the resampled differences (divisor n - 1).
    pub standard_error: f64,
    /// The percentile interval.
    pub percentile: [f64; 2],
    /// Student's t interval: of the pairs' differences, or Welch's for unpaired units. `None` below
    /// two units.
    pub t_interval: Option<[f64; 2]>,
    /// Whether all resamples have the same difference.
    pub degenerate: bool,
    /// Whether both systems answered the same units.
    pub paired: bool,
    /// Units of the first and of the second system.
    pub units: [usize; 2],
}

impl Difference {
    /// Whether the percentile interval and the t interval leave out 0. One unit on a side says
    /// nothing of others: then there is no t interval, and nothing is left out.
    pub fn excludes_zero(&self) -> bool {
        let outside = |[low, high]: [f64; 2]| low > 0.0 || high < 0.0;
        outside(self.percentile) && self.t_interval.is_some_and(outside)
    }
}

/// What any statistic was on the resamples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resampled {
    /// Standard deviation over the resamples.
    pub standard_error: f64,
    /// The percentile interval.
    pub percentile: [f64; 2],
    /// How many resamples had no value; they are left out.
    pub undefined: u32,
}

impl Bootstrap {
    /// The value of a statistic of `units` units, given by their indices, on each resample.
    fn draw(&self, units: usize, mut statistic: impl FnMut(&[usize]) -> Option<f64>) -> Vec<f64> {
        let mut indices = vec![0; units];
        let draw = |resample| {
            let key = Key { seed: self.seed, epoch: u64::from(resample), index: 0, view: VIEW };
            let mut rng = key.rng();
            indices.fill_with(|| rng.below(units));
            statistic(&indices)
        };
        (0..self.resamples).filter_map(draw).collect()
    }

    /// Panics if the level is none.
    fn check(&self) {
        let level = self.level;
        assert!(
            level > 0.0 && level < 1.0,
            "a bootstrap at the level {level}: it lies between 0 and 1, as 0.95 for 95 %"
        );
    }

    fn interval(&self, values: &mut [f64]) -> [f64; 2] {
        values.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        [percentile(values, tail), percentile(values, 1.0 - tail)]
    }

    /// Any statistic of `units` units; `None` if there are none, or if fewer than two resamples
    /// have a value. Panics if the level is not between 0 and 1.
    pub fn resample(
        &self,
        units: usize,
        statistic: impl FnMut(&[usize]) -> Option<f64>,
    ) -> Option<Resampled> {
        self.check();
        if units == 0 {
            return None;
        }
        let mut values = self.draw(units, statistic);
        let standard_error = sample_sd(&values)?;
        let undefined = self.resamples - values.len() as u32;
        Some(Resampled { standard_error, percentile: self.interval(&mut values), undefined })
    }

    /// The mean over all responses of the units. Units without responses are left out; `None` if
    /// none is left, or without two resamples. Panics if the level is not between 0 and 1, or a
    /// unit is none: its sum is not within 0 and its count, or one of them is no number.
    ///
    /// The interval for small studies is the score interval (Wilson 1927) with Student's t quantile
    /// for the units' number, minus one, of degrees of freedom, and with as many independent
    /// observations as would have the variance that the means of units show. Where they show none,
    /// it takes each unit for one observation if the mean is 0 or 1, and each response otherwise.
    pub fn mean(&self, units: &[Unit]) -> Option<Estimate> {
        self.check();
        let units = with_responses(units);
        if units.is_empty() {
            return None;
        }
        let all = total(units.iter());
        // Rounding of sums must not leave 0 to 1.
        let value = (all.sum / all.count).clamp(0.0, 1.0);
        let mut values = self.draw(units.len(), |indices| {
            let drawn = total(indices.iter().map(|index| &units[*index]));
            Some(drawn.sum / drawn.count)
        });
        let standard_error = sample_sd(&values)?;
        let percentile = self.interval(&mut values);
        Some(Estimate {
            value,
            standard_error,
            degenerate: values[values.len() - 1] - values[0] < 1e-12,
            percentile,
            linear_error: variance_of_mean(&units, value).map(f64::sqrt),
            small_sample: self.small_sample(&units, value, all.count),
            units: units.len(),
            responses: all.count as u64,
        })
    }

    fn small_sample(&self, units: &[Unit], mean: f64, responses: f64) -> Option<[f64; 2]> {
        let freedom = units.len() as f64 - 1.0;
        let quantile = t_quantile(freedom, (1.0 + self.level) / 2.0)?;
        let variance = variance_of_mean(units, mean)?;
        let observations = match (mean <= 0.0 || mean >= 1.0, variance > 1e-24) {
            (true, _) => units.len() as f64,
            (false, true) => mean * (1.0 - mean) / variance,
            (false, false) => responses,
        };
        Some(score_interval(mean, observations, quantile))
    }

    /// First minus second where both systems answered the same units: `units[i]` holds both. Drawn
    /// are units, so what makes a context easy or hard for both cancels out. `None` without units.
    /// Panics as [`mean`](Self::mean) does.
    pub fn paired(&self, units: &[[Unit; 2]]) -> Option<Difference> {
        self.check();
        units.as_flattened().iter().enumerate().for_each(|(i, unit)| unit.check(i / 2));
        let units: Vec<[Unit; 2]> =
            units.iter().copied().filter(|[a, b]| a.count > 0.0 && b.count > 0.0).collect();
        if units.is_empty() {
            return None;
        }
        let difference = |indices: &mut dyn Iterator<Item = usize>| {
            let (mut a, mut b) = (Unit::default(), Unit::default());
            for index in indices {
                add(&mut a, &units[index][0]);
                add(&mut b, &units[index][1]);
            }
            a.sum / a.count - b.sum / b.count
        };
        let value = difference(&mut (0..units.len()));
        let values = self.draw(units.len(), |drawn| Some(difference(&mut drawn.iter().copied())));
        // The influence of each unit on the difference.
        let means = [0, 1].map(|side| total(units.iter().map(|unit| &unit[side])));
        let of = |side: usize, unit: &[Unit; 2]| {
            let mean = means[side].sum / means[side].count;
            (unit[side].sum - mean * unit[side].count) / (means[side].count / units.len() as f64)
        };
        let influence: Vec<f64> = units.iter().map(|unit| of(0, unit) - of(1, unit)).collect();
        let spread = sample_sd(&influence).map(|sd| sd / (units.len() as f64).sqrt());
        let freedom = units.len() as f64 - 1.0;
        self.difference(value, values, spread, freedom, true, [units.len(); 2])
    }

    /// First minus second for units that have nothing to do with each other, such as conversations
    /// with two systems: each side is drawn on its own. `None` if a side has no units. Panics as
    /// [`mean`](Self::mean) does.
    pub fn unpaired(&self, first: &[Unit], second: &[Unit]) -> Option<Difference> {
        self.check();
        let (first, second) = (with_responses(first), with_responses(second));
        if first.is_empty() || second.is_empty() {
            return None;
        }
        let mean = |unit: Unit| unit.sum / unit.count;
        let means = [mean(total(first.iter())), mean(total(second.iter()))];
        let other = Self { seed: self.seed ^ 0x5eed_0f5e_c0dd, ..*self };
        let drawn = |units: &[Unit], by: &Self| {
            by.draw(units.len(), |indices| Some(mean(total(indices.iter().map(|i| &units[*i])))))
        };
        let values =
            drawn(&first, self).iter().zip(drawn(&second, &other)).map(|(a, b)| a - b).collect();
        let variances = variance_of_mean(&first, means[0]).zip(variance_of_mean(&second, means[1]));
        let (spread, freedom) = match variances {
            Some((a, b)) if a + b > 0.0 => {
                let welch =
                    a * a / (first.len() as f64 - 1.0) + b * b / (second.len() as f64 - 1.0);
                (Some((a + b).sqrt()), (a + b) * (a + b) / welch)
            }
            Some(_) => (Some(0.0), (first.len() + second.len()) as f64 - 2.0),
            None => (None, 0.0),
        };
        let units = [first.len(), second.len()];
        self.difference(means[0] - means[1], values, spread, freedom, false, units)
    }

    fn difference(
        &self,
        value: f64,
        mut values: Vec<f64>,
        spread: Option<f64>,
        freedom: f64,
        paired: bool,
        units: [usize; 2],
    ) -> Option<Difference> {
        let standard_error = sample_sd(&values)?;
        let percentile = self.interval(&mut values);
        let t_interval = spread.zip(t_quantile(freedom, (1.0 + self.level) / 2.0));
        Some(Difference {
            value,
            standard_error,
            percentile,
            t_interval: t_interval.map(|(se, t)| [value - t * se, value + t * se]),
            degenerate: values[values.len() - 1] - values[0] < 1e-12,
            paired,
            units,
        })
    }
}

fn add(total: &mut Unit, unit: &Unit) {
    total.sum += unit.sum;
    total.count += unit.count;
}

fn total<'a>(units: impl Iterator<Item = &'a Unit>) -> Unit {
    let mut all = Unit::default();
    for unit in units {
        add(&mut all, unit);
    }
    all
}

/// Variance of a ratio of sums over units, to first order (Cochran 1977, section 6.4); for units of
/// the same size, that of the mean of their means. `None` below two units.
fn variance_of_mean(units: &[Unit], mean: f64) -> Option<f64> {
    let size = total(units.iter()).count / units.len() as f64;
    let influence: Vec<f64> =
        units.iter().map(|unit| (unit.sum - mean * unit.count) / size).collect();
    Some(sample_sd(&influence)?.powi(2) / units.len() as f64)
}

/// The quantile of sorted values at `probability`, linear between neighbours: numpy's default
/// (type 7 of Hyndman and Fan 1996). Panics without values, or if the probability is not within 0
/// and 1.
pub fn percentile(sorted: &[f64], probability: f64) -> f64 {
    assert!(!sorted.is_empty(), "a percentile of no values");
    let within = (0.0..=1.0).contains(&probability);
    assert!(within, "a percentile at the probability {probability}: it lies within 0 and 1");
    let place = probability * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * part
}
