//! What all plots share: ranges, axes, and SVG within a page.

use std::ops::Range;

use anyhow::{Result, anyhow};
use maud::{Markup, PreEscaped, html};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::colours::{GRID, INK, rgb};

/// A chart that is being filled.
pub(super) type Chart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// The axes of a plot.
pub(super) struct Axes<'a> {
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
    /// The span and the number of labels of the horizontal axis, and what lies along it.
    pub(super) x: (Range<f64>, usize, &'a str),
    /// The words at a place of the horizontal axis.
    pub(super) x_words: &'a dyn Fn(f64) -> String,
    /// The span and the number of labels of the vertical axis.
    pub(super) y: (Range<f64>, usize),
    /// What those who cannot see the plot are told.
    pub(super) alt: &'a str,
}

/// Draws axes with a grid and what `fill` adds.
///
/// # Errors
/// When plotters cannot draw.
pub(super) fn draw(
    axes: Axes<'_>,
    fill: impl FnOnce(&mut Chart<'_, '_>) -> Result<()>,
) -> Result<Markup> {
    let mut svg = String::new();
    let small = axes.size.0 < 300;
    {
        let area = SVGBackend::with_string(&mut svg, axes.size).into_drawing_area();
        let (x, x_labels, x_name) = axes.x;
        let mut chart = ChartBuilder::on(&area)
            .margin(6)
            .margin_right(14)
            .x_label_area_size(if small { 22 } else { 40 })
            .y_label_area_size(if small { 34 } else { 48 })
            .build_cartesian_2d(x, axes.y.0)
            .map_err(|e| anyhow!("{e}"))?;
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh()
            .x_labels(x_labels)
            .y_labels(axes.y.1)
            .light_line_style(TRANSPARENT)
            .bold_line_style(rgb(GRID.0))
            .axis_style(rgb(GRID.0))
            .label_style(text(if small { 14.0 } else { 15.0 }));
        let (x_words, y_words) = (|v: &f64| (axes.x_words)(*v), |v: &f64| short(*v));
        mesh.x_label_formatter(&x_words).y_label_formatter(&y_words);
        if !small {
            mesh.x_desc(x_name);
        }
        mesh.draw().map_err(|e| anyhow!("{e}"))?;
        fill(&mut chart)?;
        area.present().map_err(|e| anyhow!("{e}"))?;
    }
    Ok(inline(&svg, axes.alt))
}

/// The SVG as part of a page: no fixed size, no namespace, a name for those who cannot see it.
fn inline(svg: &str, label: &str) -> Markup {
    let view = svg.find("viewBox=").unwrap_or(0);
    let body = svg[view..].replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    let label = html! { (label) }.into_string();
    PreEscaped(format!("<svg class=\"plot\" role=\"img\" aria-label=\"{label}\" {body}"))
}

fn text(size: f64) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&rgb(INK.0)).pos(Pos::new(HPos::Left, VPos::Top))
}

/// A label for an axis, without decimals that say nothing.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').replace('-', "−")
}

/// The span of finite values, widened a little when they are all equal; `None` without any.
pub(crate) fn range(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let (lo, hi) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi {
        return None;
    }
    let flat = if hi > lo { 0.0 } else { lo.abs().max(1.0) * 0.01 };
    Some(lo - flat..hi + flat)
}

/// A range with a twentieth of its length added at both ends.
pub(crate) fn padded(range: Range<f64>) -> Range<f64> {
    let pad = (range.end - range.start) * 0.05;
    range.start - pad..range.end + pad
}
