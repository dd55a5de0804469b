//! Curves over training steps and lines over anything else, as data.

use anyhow::{Result, ensure};
use metrics::Better;
use serde::{Deserialize, Serialize};

use metrics::stats;

/// Learning curves of several trainings: one plot of a metric, one of the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// By model, the seeds of a model under one name. Colours follow the order of the names.
    pub curves: Vec<Curve>,
    /// What the points' `value` is, such as `Validation accuracy`.
    pub metric: String,
    /// Its unit; empty for plain numbers.
    pub unit: String,
    /// Which way it improves.
    pub better: Better,
    /// A remark below the plots.
    pub note: Option<String>,
}

impl Curves {
    /// Curves of a metric of which more is better, without a remark.
    pub fn new(metric: impl Into<String>, unit: impl Into<String>, curves: Vec<Curve>) -> Self {
        let (metric, unit) = (metric.into(), unit.into());
        Self { curves, metric, unit, better: Better::default(), note: None }
    }
}

/// The course of one training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Name of the row that the training belongs to.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// Points by rising step.
    pub points: Vec<CurvePoint>,
}

/// One moment of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Optimiser steps done.
    pub step: u64,
    /// Training loss, when measured here.
    pub loss: Option<f64>,
    /// The metric, when measured here.
    pub value: Option<f64>,
}

/// Lines with points, over numbers or over categories.
#[derive(Clone, Debug, PartialEq)]
pub struct LinePlot {
    /// What the plot shows.
    pub title: String,
    /// What lies along the horizontal axis.
    pub x_label: String,
    /// What lies along the vertical axis, with its unit. Where it ends with `%`, the axis keeps
    /// within 0 and 100.
    pub y_label: String,
    /// The horizontal axis.
    pub ticks: XAxis,
    /// In the order of their colours.
    pub lines: Vec<Line>,
}

/// The horizontal axis of a [`LinePlot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XAxis {
    /// Numbers to scale.
    Numbers,
    /// Words at equal distances; `x` is the index of one.
    Categories(Vec<String>),
}

/// One line of a [`LinePlot`].
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name in the key.
    pub name: String,
    /// By rising `x`.
    pub points: Vec<Point>,
}

/// One point of a [`Line`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Where along the horizontal axis.
    pub x: f64,
    /// The value.
    pub y: f64,
    /// An interval of the value, `[lo, hi]`, drawn as an upright bar.
    pub interval: Option<[f64; 2]>,
}

impl LinePlot {
    /// Values of several seeds over a few numbers that stand at equal distances, such as numbers of
    /// labels: each point is `(line, number, value of each seed)`. Drawn are the mean and its 95 %
    /// Student-t interval over seeds. Lines keep the order in which they first come; `None` where
    /// there are fewer than two different numbers.
    ///
    /// ```
    /// let points = [("plain", 100, &[80.0, 82.0][..]), ("plain", 10, &[50.0, 60.0])];
    /// let plot = report::LinePlot::over_categories("Accuracy", "labels", "accuracy, %", points);
    /// let line = &plot.expect("two numbers of labels").lines[0];
    /// assert_eq!((line.points[0].y, line.points[1].y), (55.0, 81.0));
    /// ```
    pub fn over_categories<'a>(
        title: impl Into<String>,
        x_label: impl Into<String>,
        y_label: impl Into<String>,
        points: impl IntoIterator<Item = (&'a str, u64, &'a [f64])>,
    ) -> Option<Self> {
        let points: Vec<_> = points.into_iter().collect();
        let mut categories: Vec<u64> = points.iter().map(|p| p.1).collect();
        categories.sort_unstable();
        categories.dedup();
        if categories.len() < 2 {
            return None;
        }
        let mut lines: Vec<Line> = Vec::new();
        for (name, category, values) in points {
            let x = categories.partition_point(|c| *c < category) as f64;
            let Some(y) = stats::mean(values) else { continue };
            let interval = stats::t_interval(values);
            let point = Point { x, y, interval };
            match lines.iter_mut().find(|l| l.name == name) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { name: name.into(), points: vec![point] }),
            }
        }
        for line in &mut lines {
            line.points.sort_by(|a, b| a.x.total_cmp(&b.x));
        }
        Some(Self {
            title: title.into(),
            x_label: x_label.into(),
            y_label: y_label.into(),
            ticks: XAxis::Categories(categories.iter().map(u64::to_string).collect()),
            lines,
        })
    }

    /// Checks that every number is finite and that points over categories stand at one of them.
    pub(crate) fn check(&self) -> Result<()> {
        for line in &self.lines {
            for p in &line.points {
                let numbers = [p.x, p.y].into_iter().chain(p.interval.into_iter().flatten());
                ensure!(
                    numbers.into_iter().all(f64::is_finite),
                    "plot `{}`: a point of `{}` is not finite",
                    self.title,
                    line.name
                );
                if let XAxis::Categories(names) = &self.ticks {
                    ensure!(
                        p.x >= 0.0 && p.x.fract() == 0.0 && (p.x as usize) < names.len(),
                        "plot `{}`: `{}` has a point at {}, which is none of its {} categories",
                        self.title,
                        line.name,
                        p.x,
                        names.len()
                    );
                }
            }
        }
        Ok(())
    }
}
