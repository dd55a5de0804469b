//! Lines with points and intervals over numbers or categories, large or as one of many panels.

use std::ops::Range;

use anyhow::{Result, anyhow};
use maud::Markup;
use plotters::prelude::*;

use super::colours::{colour, rgb};
use super::frame::{Axes, draw, padded, range, short};
use crate::section::{Line, LinePlot, Point, XAxis};

/// One plot on a scale of its own; `None` without a point.
///
/// # Errors
/// When plotters cannot draw.
pub(crate) fn plot(plot: &LinePlot) -> Result<Option<Markup>> {
    let Some(y) = span(std::slice::from_ref(plot)) else { return Ok(None) };
    draw_lines(plot, &names(std::slice::from_ref(plot)), y, (540, 290)).map(Some)
}

/// Small plots on one vertical scale, a colour for each name of a line; none without a point.
///
/// # Errors
/// When plotters cannot draw.
pub(crate) fn panels(plots: &[LinePlot]) -> Result<Vec<Markup>> {
    let Some(y) = span(plots) else { return Ok(Vec::new()) };
    let names = names(plots);
    plots.iter().map(|plot| draw_lines(plot, &names, y.clone(), (216, 150))).collect()
}

/// Distinct names of lines in order of appearance.
pub(crate) fn names(plots: &[LinePlot]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for line in plots.iter().flat_map(|p| &p.lines) {
        if !names.contains(&line.name.as_str()) {
            names.push(&line.name);
        }
    }
    names
}

fn draw_lines(plot: &LinePlot, names: &[&str], y: Range<f64>, size: (u32, u32)) -> Result<Markup> {
    let points = || plot.lines.iter().flat_map(|l| &l.points);
    let small = size.0 < 300;
    let (x, labels) = match &plot.ticks {
        XAxis::Categories(names) => (-0.2..names.len() as f64 - 0.8, names.len()),
        XAxis::Numbers => {
            let x = range(points().map(|p| p.x)).unwrap_or(0.0..1.0);
            (padded(x), if small { 5 } else { 7 })
        }
    };
    let words = |v: f64| match &plot.ticks {
        XAxis::Numbers => short(v),
        XAxis::Categories(names) => {
            let whole = (v - v.round()).abs() < 0.01 && v > -0.5;
            names.get(v.round() as usize).filter(|_| whole).cloned().unwrap_or_default()
        }
    };
    let alt = format!("{}: {} over {}", plot.title, plot.y_label, plot.x_label);
    let axes = Axes {
        size,
        x: (x, labels, &plot.x_label),
        x_words: &words,
        y: (y, if small { 4 } else { 6 }),
        alt: &alt,
    };
    draw(axes, |chart| {
        for Line { name, points } in &plot.lines {
            let series = names.iter().position(|n| n == name).unwrap_or(0);
            let ink = rgb(colour(series, names.len()));
            let places = || points.iter().map(|p| (p.x, p.y));
            let line = LineSeries::new(places(), ink.stroke_width(2));
            chart.draw_series(line).map_err(|e| anyhow!("{e}"))?;
            let bars = points.iter().filter_map(|p| {
                let [low, high] = p.interval?;
                Some(PathElement::new(vec![(p.x, low), (p.x, high)], ink))
            });
            chart.draw_series(bars).map_err(|e| anyhow!("{e}"))?;
            let dots = places().map(|p| Circle::new(p, 3, ink.filled()));
            chart.draw_series(dots).map_err(|e| anyhow!("{e}"))?;
        }
        Ok(())
    })
}

/// The vertical span that holds all points and intervals; percentages keep within 0 and 100.
fn span(plots: &[LinePlot]) -> Option<Range<f64>> {
    let points = plots.iter().flat_map(|p| &p.lines).flat_map(|l| &l.points);
    let ends = |p: &Point| [p.y].into_iter().chain(p.interval.into_iter().flatten());
    let all = padded(range(points.flat_map(ends))?);
    let percent = plots.iter().all(|p| p.y_label.ends_with('%'));
    Some(if percent { all.start.max(0.0)..all.end.min(100.5) } else { all })
}
