//! Values with their intervals, a row for each thing that was measured, as data.

use anyhow::{Result, ensure};

/// Values with intervals on one horizontal axis: a row for each name, a dot for each series.
#[derive(Clone, Debug, PartialEq)]
pub struct IntervalPlot {
    /// What the plot shows.
    pub title: String,
    /// What the values are, with their unit.
    pub label: String,
    /// Both ends of the axis; values beyond are drawn at the end.
    pub span: [f64; 2],
    /// The series in the order of their colours.
    pub series: Vec<String>,
    /// The rows from top to bottom.
    pub rows: Vec<IntervalRow>,
}

/// One row of an [`IntervalPlot`].
#[derive(Clone, Debug, PartialEq)]
pub struct IntervalRow {
    /// Its name, at the left.
    pub name: String,
    /// A value for each series; `None` where there is none.
    pub values: Vec<Option<Measured>>,
}

/// A value with its interval, where it has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The value.
    pub value: f64,
    /// Its interval, `[lo, hi]`.
    pub interval: Option<[f64; 2]>,
}

impl IntervalPlot {
    /// Checks that every number is finite and that each row has a place for each series.
    pub(crate) fn check(&self) -> Result<()> {
        let [low, high] = self.span;
        ensure!(low < high, "plot `{}`: its axis goes from {low} to {high}", self.title);
        for row in &self.rows {
            let (title, name, many) = (&self.title, &row.name, self.series.len());
            ensure!(
                row.values.len() == many,
                "plot `{title}`: `{name}` has {} values, not {many}",
                row.values.len()
            );
            for measured in row.values.iter().flatten() {
                let ends = measured.interval.into_iter().flatten();
                ensure!(
                    ends.chain([measured.value]).all(f64::is_finite),
                    "plot `{title}`: a value of `{name}` is not finite"
                );
            }
        }
        Ok(())
    }
}
