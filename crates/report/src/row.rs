//! One value of one model over seeds, and the paired difference of two.

use anyhow::{Context, Result, bail, ensure};
use metrics::words::counted;
use metrics::{Better, stats};
use serde::{Deserialize, Serialize};

use crate::words;

/// One model's value of one metric, over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which model; several rows may share a name and differ in metric.
    pub name: String,
    /// Which metric on which part of the data, such as `test accuracy`.
    pub metric: String,
    /// Unit of all values; accuracies are in `%`, from 0 to 100; empty for plain numbers.
    pub unit: String,
    /// Heading of the table that the row stands in; empty for none. Groups are shown in the order
    /// in which they first come.
    #[serde(default)]
    pub group: String,
    /// Which way the metric improves.
    #[serde(default)]
    pub better: Better,
    /// How many examples each value was counted on, when it is a share of examples.
    #[serde(default)]
    pub examples: Option<u64>,
    /// Whether it is what one reaches without learning; it is drawn without a colour of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub baseline: bool,
    /// The value of each seed, in the order of [`RunResult::seeds`](crate::RunResult::seeds).
    pub per_seed: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// 95 % Student-t interval of the mean over seeds, `[lo, hi]`; `null` for one seed.
    pub ci95: Option<[f64; 2]>,
}

impl Row {
    /// A row in percent (values from 0 to 100), higher being better, without a group.
    ///
    /// # Errors
    /// When there is no value, or one is not finite.
    pub fn new(
        name: impl Into<String>,
        metric: impl Into<String>,
        per_seed: Vec<f64>,
    ) -> Result<Self> {
        let (name, metric) = (name.into(), metric.into());
        check_values(&format!("row `{name}` ({metric})"), &per_seed)?;
        Ok(Self {
            name,
            metric,
            unit: "%".into(),
            group: String::new(),
            better: Better::default(),
            examples: None,
            baseline: false,
            mean: stats::mean(&per_seed).context("a row without a value")?,
            ci95: stats::t_interval(&per_seed),
            per_seed,
        })
    }

    /// Sets the unit.
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// Sets the way in which the metric improves.
    pub fn better(mut self, better: Better) -> Self {
        self.better = better;
        self
    }

    /// Puts the row under this heading.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// Marks the row as one that is reached without learning.
    pub fn baseline(mut self) -> Self {
        self.baseline = true;
        self
    }

    /// Says of how many examples the values are shares.
    pub fn examples(mut self, examples: u64) -> Self {
        self.examples = Some(examples);
        self
    }
}

/// A difference between two rows, taken seed by seed, so that what both sides share (the split, the
/// order, the initialisation) cancels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Which difference; [`RunResult::headline`](crate::RunResult::headline) may name it.
    pub name: String,
    /// Name of the row that is subtracted from.
    pub left: String,
    /// Name of the row that is subtracted.
    pub right: String,
    /// The metric of both rows.
    pub metric: String,
    /// Unit of all values; differences of percentages are in `points`.
    pub unit: String,
    /// Which way the metric improves.
    #[serde(default)]
    pub better: Better,
    /// Left minus right for each seed, in the order of
    /// [`RunResult::seeds`](crate::RunResult::seeds).
    pub per_seed: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// 95 % interval of the mean difference, `[lo, hi]`: Student's t over seeds, `null` for one
    /// seed, unless `examples` says that it is over examples.
    pub ci95: Option<[f64; 2]>,
    /// Over how many examples the interval is, where it is not over seeds: it then says what other
    /// examples would give, not what another training would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examples: Option<u64>,
    /// What one of these examples is, as `text` or `conversation`; `None` in results of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Why it shows nothing of the two sides even where its interval lies on one side of 0, as when
    /// one was trained for a shorter time; `None` where nothing speaks against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
}

impl Comparison {
    /// The paired difference `left - right`.
    ///
    /// # Errors
    /// When the rows differ in metric, unit, direction or number of seeds.
    pub fn between(name: impl Into<String>, left: &Row, right: &Row) -> Result<Self> {
        let name = name.into();
        ensure!(
            left.metric == right.metric && left.unit == right.unit && left.better == right.better,
            "comparison `{name}`: `{}` is {} in `{}`, {:?} being better; `{}` is {} in `{}`, {:?} \
             being better",
            left.name,
            left.metric,
            left.unit,
            left.better,
            right.name,
            right.metric,
            right.unit,
            right.better
        );
        let per_seed = paired(&left.per_seed, &right.per_seed)
            .with_context(|| format!("comparison `{name}`"))?;
        Ok(Self {
            name,
            left: left.name.clone(),
            right: right.name.clone(),
            metric: left.metric.clone(),
            unit: if left.unit == "%" { "points".into() } else { left.unit.clone() },
            better: left.better,
            mean: stats::mean(&per_seed).context("a comparison without a value")?,
            ci95: stats::t_interval(&per_seed),
            per_seed,
            examples: None,
            example: None,
            caveat: None,
        })
    }

    /// Replaces the interval by one over this many examples, for a single seed. `example` is what
    /// one of them is, as `text`.
    ///
    /// ```
    /// use report::{Comparison, Row};
    /// let row = |name, accuracy| Row::new(name, "test accuracy", vec![accuracy]);
    /// let gain = Comparison::between("gain", &row("better", 80.0)?, &row("plain", 60.0)?)?;
    /// let gain = gain.over_examples([11.7, 27.5], 100, "text");
    /// assert_eq!((gain.ci95, gain.examples), (Some([11.7, 27.5]), Some(100)));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn over_examples(self, ci95: [f64; 2], examples: u64, example: &str) -> Self {
        let example = Some(example.to_owned());
        Self { ci95: Some(ci95), examples: Some(examples), example, ..self }
    }

    /// What one of the examples is that the interval is over.
    pub(crate) fn noun(&self) -> &str {
        self.example.as_deref().unwrap_or("example")
    }

    /// What the interval is over, in words: `5 seeds` or `450 texts`.
    pub(crate) fn over(&self) -> String {
        match self.examples {
            Some(examples) => counted(examples, self.noun()),
            None => words::seeds(self.per_seed.len()),
        }
    }

    /// Whether several seeds, or what the interval is over, all have the same difference but for
    /// rounding, so that the interval has no width: that says nothing of how far another one may be
    /// from them.
    pub(crate) fn is_the_same_in_all(&self) -> bool {
        let [lo, hi] = self.ci95.unwrap_or([0.0, 1.0]);
        hi - lo <= 1e-9 * lo.abs().max(hi.abs())
    }

    /// Whether the mean difference is an improvement.
    pub fn is_gain(&self) -> bool {
        self.better.improves(self.mean, 0.0)
    }
}

/// Differences `a[i] - b[i]`, seed by seed.
///
/// # Errors
/// When the two sides do not hold the same number of seeds.
fn paired(a: &[f64], b: &[f64]) -> Result<Vec<f64>> {
    ensure!(
        a.len() == b.len(),
        "a paired difference needs the same seeds on both sides, got {} and {}",
        a.len(),
        b.len()
    );
    Ok(a.iter().zip(b).map(|(x, y)| x - y).collect())
}

/// Refuses an empty list and values that are not finite.
pub(crate) fn check_values(what: &str, per_seed: &[f64]) -> Result<()> {
    ensure!(!per_seed.is_empty(), "{what} holds no value");
    match per_seed.iter().position(|v| !v.is_finite()) {
        Some(i) => bail!("{what}: seed number {} gave {}", i + 1, per_seed[i]),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::paired;

    #[test]
    fn pairs_must_match() {
        assert_eq!(paired(&[3.0, 5.0], &[1.0, 6.0]).unwrap(), [2.0, -1.0]);
        assert!(paired(&[1.0], &[1.0, 2.0]).unwrap_err().to_string().contains("got 1 and 2"));
    }
}
