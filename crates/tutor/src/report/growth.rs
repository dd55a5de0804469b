//! Accuracy as the number of labels grows: the plot of the talk's second table.

use anyhow::{Result, anyhow};
use maud::{Markup, html};
use plotters::prelude::*;

use super::html::key;
use super::plots::{GRID, colour, draw, inline, padded, range, rgb, text};
use super::stats;
use super::visuals::{Growth, Visuals};

/// A line a method, a point a number of labels, with the interval over seeds.
pub(crate) fn section(visuals: &Visuals) -> Result<Option<Markup>> {
    let points = &visuals.growth;
    let mut lines: Vec<&str> = points.iter().map(|p| p.line.as_str()).collect();
    lines.dedup();
    let mut unique: Vec<&str> = Vec::new();
    for line in lines {
        if !unique.contains(&line) {
            unique.push(line);
        }
    }
    let Some(svg) = plot(points, &unique)? else { return Ok(None) };
    let colours = (0..unique.len()).map(|i| colour(i, unique.len()));
    Ok(Some(html! {
        (key(unique.iter().copied().zip(colours)))
        div.plots { figure { b { "Accuracy over labels, %" } (svg) } }
        p.caption { "A point is the mean over seeds, the bar its 95 % Student-t interval; numbers of labels stand at equal distances." }
    }))
}

fn plot(points: &[Growth], lines: &[&str]) -> Result<Option<Markup>> {
    let mut labels: Vec<u64> = points.iter().map(|p| p.labels).collect();
    labels.sort_unstable();
    labels.dedup();
    let ends = |p: &Growth| {
        let mean = stats::mean(&p.accuracies);
        stats::t_interval(&p.accuracies).unwrap_or([mean, mean])
    };
    let Some(y) = range(points.iter().flat_map(&ends)).filter(|_| labels.len() > 1) else {
        return Ok(None);
    };
    let place = |count: u64| labels.iter().position(|l| *l == count).unwrap_or(0) as f64;
    let mut svg = String::new();
    let x = -0.2..labels.len() as f64 - 0.8;
    draw(&mut svg, (540, 290), x, padded(y), |chart| {
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(labels.len())
            .y_labels(6)
            .light_line_style(TRANSPARENT)
            .bold_line_style(rgb(GRID.0))
            .axis_style(rgb(GRID.0))
            .label_style(text(15.0))
            .x_label_formatter(&|v| {
                let whole = (v - v.round()).abs() < 0.01 && *v > -0.5;
                let count = labels.get(v.round() as usize).filter(|_| whole);
                count.map_or(String::new(), u64::to_string)
            })
            .y_label_formatter(&|v| format!("{v:.0}"))
            .x_desc("labels")
            .draw()
            .map_err(|e| anyhow!("{e}"))?;
        for (i, line) in lines.iter().enumerate() {
            let ink = rgb(colour(i, lines.len()));
            let of = || points.iter().filter(|p| p.line == *line);
            let means = || of().map(|p| (place(p.labels), stats::mean(&p.accuracies)));
            chart
                .draw_series(LineSeries::new(means(), ink.stroke_width(2)))
                .map_err(|e| anyhow!("{e}"))?;
            let bars = of().map(|p| {
                let [low, high] = ends(p);
                PathElement::new(vec![(place(p.labels), low), (place(p.labels), high)], ink)
            });
            chart.draw_series(bars).map_err(|e| anyhow!("{e}"))?;
            let dots = means().map(|p| Circle::new(p, 3, ink.filled()));
            chart.draw_series(dots).map_err(|e| anyhow!("{e}"))?;
        }
        Ok(())
    })?;
    Ok(Some(inline(&svg, "accuracy over the number of labels")))
}
