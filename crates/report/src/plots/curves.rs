//! Learning curves: a thin line for each seed, a thick one for their mean.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use maud::Markup;
use metrics::{Better, stats};
use plotters::prelude::*;

use super::colours::{colour, rgb};
use super::frame::{Axes, draw, padded, range, short};
use crate::section::{Curve, CurvePoint, Curves};

/// Distinct names in order of appearance.
pub(crate) fn names(curves: &[Curve]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for c in curves {
        if !names.contains(&c.name.as_str()) {
            names.push(&c.name);
        }
    }
    names
}

/// Above this many names only the means over seeds are drawn.
pub(crate) const MANY: usize = 8;

/// One series of points over steps: thin for a seed, thick for the mean over seeds.
struct Line {
    name: usize,
    thick: bool,
    points: Vec<(f64, f64)>,
}

/// The metric over steps, without the first climb (or descent) from chance, so that differences
/// near the end can be seen. `None` when no curve has it.
///
/// # Errors
/// When plotters cannot draw.
pub(crate) fn metric(curves: &Curves) -> Result<Option<Markup>> {
    let mut lines = lines(&curves.curves, |p| p.value);
    cut_start(&mut lines, curves.better, &curves.unit);
    plot(&lines, &curves.curves, &format!("{} over steps", curves.metric))
}

/// The training loss over steps. `None` when no curve has it.
///
/// # Errors
/// When plotters cannot draw.
pub(crate) fn loss(curves: &Curves) -> Result<Option<Markup>> {
    plot(&lines(&curves.curves, |p| p.loss), &curves.curves, "training loss over steps")
}

/// The lines of one quantity, means over the steps that all seeds of a name share.
fn lines(curves: &[Curve], value: impl Fn(&CurvePoint) -> Option<f64>) -> Vec<Line> {
    let names = names(curves);
    let mut lines = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let seeds: Vec<Vec<(f64, f64)>> = curves
            .iter()
            .filter(|c| c.name == *name)
            .map(|c| c.points.iter().filter_map(|p| Some((p.step as f64, value(p)?))).collect())
            .filter(|points: &Vec<_>| !points.is_empty())
            .collect();
        let mean = mean_line(&seeds);
        let single = seeds.len() == 1;
        // Of many names the seeds would hide the means.
        if single || names.len() <= MANY {
            let seed = |points| Line { name: at, thick: single, points };
            lines.extend(seeds.into_iter().map(seed));
        }
        lines.extend(mean.map(|points| Line { name: at, thick: true, points }));
    }
    lines
}

fn plot(lines: &[Line], curves: &[Curve], alt: &str) -> Result<Option<Markup>> {
    let series = names(curves).len();
    let points = || lines.iter().flat_map(|l| &l.points).filter(|p| p.1.is_finite());
    let (Some(x), Some(y)) = (range(points().map(|p| p.0)), range(points().map(|p| p.1))) else {
        return Ok(None);
    };
    let axes =
        Axes { size: (540, 290), x: (x, 7, "step"), x_words: &short, y: (padded(y), 6), alt };
    let svg = draw(axes, |chart| {
        for line in lines {
            let ink = rgb(colour(line.name, series));
            let style = match line.thick {
                true => ink.stroke_width(2),
                false => ink.mix(0.3).stroke_width(1),
            };
            let points = line.points.iter().copied().filter(|p| p.1.is_finite());
            chart.draw_series(LineSeries::new(points, style)).map_err(|e| anyhow!("{e}"))?;
        }
        Ok(())
    })?;
    Ok(Some(svg))
}

/// Drops from each line the points before it first comes near the region where lines end. What
/// falls back later stays: a collapse must be seen.
fn cut_start(lines: &mut [Line], better: Better, unit: &str) {
    // Upside down, less is more.
    let up = |value: f64| match better {
        Better::Higher => value,
        Better::Lower => -value,
    };
    let ends = range(lines.iter().filter_map(|l| l.points.last()).map(|p| up(p.1)));
    let all = range(lines.iter().flat_map(|l| &l.points).map(|p| up(p.1)));
    let (Some(ends), Some(all)) = (ends, all) else { return };
    // Where all lines end at their best, that region has no width: a point of a percentage, or a
    // hundredth of all that was seen.
    let least = if unit == "%" { 1.0 } else { 0.01 * (all.end - all.start) };
    let floor = ends.start - 3.0 * (all.end - ends.start).max(least);
    for line in lines {
        let first = line.points.iter().position(|p| up(p.1) >= floor).unwrap_or(0);
        line.points.drain(..first);
    }
}

/// The mean over seeds at the steps that all of them have; `None` for a single seed.
fn mean_line(seeds: &[Vec<(f64, f64)>]) -> Option<Vec<(f64, f64)>> {
    if seeds.len() < 2 {
        return None;
    }
    let mut at: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (step, value) in seeds.iter().flatten() {
        at.entry(*step as u64).or_default().push(*value);
    }
    let shared = at.into_iter().filter(|(_, v)| v.len() == seeds.len());
    shared.map(|(step, v)| Some((step as f64, stats::mean(&v)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(values: &[f64], better: Better, unit: &str) -> Vec<f64> {
        let points = values.iter().enumerate().map(|(i, v)| (i as f64, *v)).collect();
        let mut lines = [Line { name: 0, thick: true, points }];
        cut_start(&mut lines, better, unit);
        lines[0].points.iter().map(|p| p.1).collect()
    }

    #[test]
    fn the_climb_is_cut_and_a_collapse_is_not() {
        let cut = |values: &[f64]| cut(values, Better::Higher, "%");
        assert_eq!(cut(&[10.0, 50.0, 89.0, 91.0, 92.0]), [89.0, 91.0, 92.0]);
        assert_eq!(cut(&[10.0, 90.0, 12.0, 91.0, 92.0]), [90.0, 12.0, 91.0, 92.0]);
        assert_eq!(cut(&[90.0, 50.0, 10.0]), [90.0, 50.0, 10.0]);
    }

    #[test]
    fn where_less_is_better_the_descent_is_cut() {
        let cut = |values: &[f64]| cut(values, Better::Lower, "");
        assert_eq!(cut(&[900.0, 300.0, 30.0, 12.0, 10.0]), [30.0, 12.0, 10.0]);
        assert_eq!(cut(&[900.0, 12.0, 400.0, 10.0]), [12.0, 400.0, 10.0]);
        assert_eq!(cut(&[10.0, 300.0, 900.0]), [10.0, 300.0, 900.0]);
    }

    #[test]
    fn a_run_without_the_quantity_has_no_plot() {
        let point = CurvePoint { step: 1, loss: Some(f64::NAN), value: None };
        let curve = Curve { name: "plain".into(), seed: 1, points: vec![point] };
        let curves = Curves::new("accuracy", "%", vec![curve]);
        assert!(metric(&curves).expect("drawn").is_none());
        assert!(loss(&curves).expect("drawn").is_none());
    }
}
