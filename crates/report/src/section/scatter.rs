//! Points with names, and perhaps the straight line through them, as data.

use anyhow::{Result, ensure};

use super::lines::Point;

/// One point for each of several things, such as models.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterPlot {
    /// What the plot shows.
    pub title: String,
    /// What lies along the horizontal axis.
    pub x_label: String,
    /// What lies along the vertical axis, with its unit. Where it ends with `%`, the axis keeps
    /// within 0 and 100.
    pub y_label: String,
    /// The points with their names, which stand beside them as far as there is room.
    pub points: Vec<(String, Point)>,
    /// Intercept and slope of a line, drawn as far as there are points.
    pub line: Option<[f64; 2]>,
}

impl ScatterPlot {
    /// Checks that every number is finite.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, p) in &self.points {
            let numbers = [p.x, p.y].into_iter().chain(p.interval.into_iter().flatten());
            ensure!(
                numbers.into_iter().all(f64::is_finite),
                "plot `{}`: the point `{name}` is not finite",
                self.title
            );
        }
        let line = self.line.into_iter().flatten();
        ensure!(line.into_iter().all(f64::is_finite), "plot `{}`: no finite line", self.title);
        Ok(())
    }
}
