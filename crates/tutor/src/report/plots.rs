//! The plots of a report as inline SVG: learning curves and accuracy over severities by plotters,
//! strips of seeds and bars of classes drawn by hand. Colours are plain attributes that the page's
//! style turns into their dark twins.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Result, anyhow};
use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::robustness::Corruption;
use super::visuals::{ClassCount, Curve, CurvePoint};

/// Colours of the models, `(on light, on dark)`: the teacher's first, the last student's second,
/// then those in between.
pub(crate) const SERIES: [(&str, &str); 11] = [
    ("#C2571A", "#F0955B"),
    ("#2563B8", "#7FB2F5"),
    ("#1B8A7A", "#5CC9B8"),
    ("#7A4FB5", "#B797E6"),
    ("#7C7F2B", "#C4C76A"),
    ("#B0327A", "#E88BBE"),
    ("#0F86A8", "#6CC6E6"),
    ("#A67C00", "#E3C35B"),
    ("#8A4B2F", "#D9A184"),
    ("#3B3FA0", "#9CA0F0"),
    ("#5B8C2A", "#A5D66F"),
];
/// Colour of writing in plots, likewise.
pub(crate) const INK: (&str, &str) = ("#5A6270", "#A3ACBA");
/// Colour of grid lines, likewise.
pub(crate) const GRID: (&str, &str) = ("#E3E6EB", "#343B46");

/// The colour of the model at `index` among `models` generations, as on light ground.
pub(crate) fn colour(index: usize, models: usize) -> &'static str {
    match index {
        0 => SERIES[0].0,
        i if i + 1 == models => SERIES[1].0,
        i => SERIES[2 + (i - 1) % (SERIES.len() - 2)].0,
    }
}

/// Distinct model names in order of appearance.
pub(crate) fn models(curves: &[Curve]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for c in curves {
        if !names.contains(&c.model.as_str()) {
            names.push(&c.model);
        }
    }
    names
}

/// Above this many models only the means over seeds are drawn.
pub(crate) const MANY: usize = 8;

/// One series of points over steps: thin for a seed, thick for the mean over seeds.
struct Line {
    model: usize,
    thick: bool,
    points: Vec<(f64, f64)>,
}

/// Learning curves of one quantity: a thin line for each seed, a thick one for their mean over the
/// steps that all seeds share. `None` when no curve has the quantity. With `cut_start` the climb from
/// chance is left out, so that differences near the end can be seen.
///
/// # Errors
/// When plotters cannot draw.
pub(crate) fn curves(
    curves: &[Curve],
    label: &str,
    cut_start: bool,
    value: impl Fn(&CurvePoint) -> Option<f64>,
) -> Result<Option<Markup>> {
    let names = models(curves);
    let mut lines = Vec::new();
    for (model, name) in names.iter().enumerate() {
        let seeds: Vec<Vec<(f64, f64)>> = curves
            .iter()
            .filter(|c| c.model == *name)
            .map(|c| c.points.iter().filter_map(|p| Some((p.step as f64, value(p)?))).collect())
            .filter(|points: &Vec<_>| !points.is_empty())
            .collect();
        let mean = mean_line(&seeds);
        let single = seeds.len() == 1;
        // Of many models the seeds would hide the means.
        if single || names.len() <= MANY {
            lines.extend(seeds.into_iter().map(|points| Line { model, thick: single, points }));
        }
        lines.extend(mean.map(|points| Line { model, thick: true, points }));
    }
    if cut_start {
        cut_climb(&mut lines);
    }
    let points = || lines.iter().flat_map(|l| &l.points).filter(|p| p.1.is_finite());
    let (Some(x), Some(y)) = (range(points().map(|p| p.0)), range(points().map(|p| p.1))) else {
        return Ok(None);
    };
    let mut svg = String::new();
    draw(&mut svg, (540, 290), x, padded(y), |chart| {
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(7)
            .y_labels(6)
            .light_line_style(TRANSPARENT)
            .bold_line_style(rgb(GRID.0))
            .axis_style(rgb(GRID.0))
            .label_style(text(15.0))
            .x_label_formatter(&|v| format!("{v:.0}"))
            .y_label_formatter(&|v| short(*v))
            .x_desc("step")
            .draw()
            .map_err(|e| anyhow!("{e}"))?;
        for line in &lines {
            let ink = rgb(colour(line.model, names.len()));
            let style = match line.thick {
                true => ink.stroke_width(2),
                false => ink.mix(0.3).stroke_width(1),
            };
            let points = line.points.iter().copied().filter(|p| p.1.is_finite());
            chart.draw_series(LineSeries::new(points, style)).map_err(|e| anyhow!("{e}"))?;
        }
        Ok(())
    })?;
    Ok(Some(inline(&svg, label)))
}

/// Drops from each line the points before it first comes near the region where lines end. What falls
/// back later stays: a collapse must be seen.
fn cut_climb(lines: &mut [Line]) {
    let ends = range(lines.iter().filter_map(|l| l.points.last()).map(|p| p.1));
    let best = range(lines.iter().flat_map(|l| &l.points).map(|p| p.1));
    let (Some(ends), Some(best)) = (ends, best) else { return };
    let floor = ends.start - 3.0 * (best.end - ends.start).max(1.0);
    for line in lines {
        let climb = line.points.iter().position(|p| p.1 >= floor).unwrap_or(0);
        line.points.drain(..climb);
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
    Some(shared.map(|(step, v)| (step as f64, super::stats::mean(&v))).collect())
}

/// Accuracy (percent) of teacher and student over the severities of one corruption; `y` is the range
/// shared by all corruptions.
///
/// # Errors
/// When plotters cannot draw.
pub(crate) fn severities(corruption: &Corruption, y: Range<f64>) -> Result<Markup> {
    let n = corruption.teacher.len();
    let mut svg = String::new();
    draw(&mut svg, (216, 150), 0.8..n as f64 + 0.2, y, |chart| {
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(n)
            .y_labels(4)
            .light_line_style(TRANSPARENT)
            .bold_line_style(rgb(GRID.0))
            .axis_style(rgb(GRID.0))
            .label_style(text(14.0))
            .x_label_formatter(&|v| format!("{v:.0}"))
            .y_label_formatter(&|v| format!("{v:.0}"))
            .draw()
            .map_err(|e| anyhow!("{e}"))?;
        for (series, values) in [&corruption.teacher, &corruption.student].into_iter().enumerate() {
            let ink = rgb(SERIES[series].0);
            let points = || values.iter().enumerate().map(|(i, v)| ((i + 1) as f64, *v));
            let line = LineSeries::new(points(), ink.stroke_width(2));
            chart.draw_series(line).map_err(|e| anyhow!("{e}"))?;
            let dots = points().map(|p| Circle::new(p, 3, ink.filled()));
            chart.draw_series(dots).map_err(|e| anyhow!("{e}"))?;
        }
        Ok(())
    })?;
    Ok(inline(&svg, &format!("{}: accuracy over severity", corruption.name)))
}

pub(super) type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

pub(super) fn draw(
    svg: &mut String,
    size: (u32, u32),
    x: Range<f64>,
    y: Range<f64>,
    fill: impl FnOnce(&mut Chart<'_, '_>) -> Result<()>,
) -> Result<()> {
    let area = SVGBackend::with_string(svg, size).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin(6)
        .margin_right(14)
        .x_label_area_size(if size.0 > 300 { 40 } else { 22 })
        .y_label_area_size(if size.0 > 300 { 44 } else { 30 })
        .build_cartesian_2d(x, y)
        .map_err(|e| anyhow!("{e}"))?;
    fill(&mut chart)?;
    area.present().map_err(|e| anyhow!("{e}"))
}

/// The SVG as part of a page: no fixed size, no namespace, a name for those who cannot see it.
pub(super) fn inline(svg: &str, label: &str) -> Markup {
    let view = svg.find("viewBox=").unwrap_or(0);
    let body = svg[view..].replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    let label = html! { (label) }.into_string();
    PreEscaped(format!("<svg class=\"plot\" role=\"img\" aria-label=\"{label}\" {body}"))
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

/// One row's seeds on a line: a dot for each, a bar for the interval, a mark at the mean, and, where
/// 0 is within `span`, a mark there (for differences).
pub(crate) fn strip(
    per_seed: &[f64],
    mean: f64,
    ci95: Option<[f64; 2]>,
    span: &Range<f64>,
    colour: &str,
    zero: bool,
) -> Markup {
    const WIDTH: f64 = 190.0;
    let x = |v: f64| {
        let share = (v - span.start) / (span.end - span.start);
        format!("{:.1}", 6.0 + share.clamp(0.0, 1.0) * (WIDTH - 12.0))
    };
    html! {
        svg.strip viewBox={ "0 0 " (WIDTH) " 22" } width=(WIDTH) height="22" aria-hidden="true" {
            line x1="6" x2=(WIDTH - 6.0) y1="11" y2="11" stroke=(GRID.0) {}
            @if zero && span.contains(&0.0) {
                line x1=(x(0.0)) x2=(x(0.0)) y1="1" y2="21" stroke=(INK.0) stroke-dasharray="2 2" {}
            }
            @if let Some([lo, hi]) = ci95 {
                line x1=(x(lo)) x2=(x(hi)) y1="11" y2="11" stroke=(colour)
                    stroke-width="9" stroke-opacity="0.25" {}
            }
            @for v in per_seed {
                circle cx=(x(*v)) cy="11" r="3.2" fill=(colour) fill-opacity="0.65" {}
            }
            line x1=(x(mean)) x2=(x(mean)) y1="4" y2="18" stroke=(colour) stroke-width="2" {}
        }
    }
}

/// Pseudo-labels of each class as bars: different images solid, duplicates on top of them faint.
pub(crate) fn class_bars(per_class: &[ClassCount], name: impl Fn(usize) -> String) -> Markup {
    const HEIGHT: f64 = 84.0;
    let most = per_class.iter().map(|c| c.used.max(c.kept)).max().unwrap_or(0).max(1) as f64;
    let step = (360.0 / per_class.len().max(1) as f64).clamp(2.0, 36.0);
    let width = step * per_class.len() as f64;
    let tall = |n: u64| format!("{:.1}", n as f64 / most * HEIGHT);
    let top = |n: u64| format!("{:.1}", 2.0 + HEIGHT - n as f64 / most * HEIGHT);
    let left = |i: usize| format!("{:.1}", i as f64 * step + 0.1 * step);
    let bar = format!("{:.1}", 0.8 * step);
    html! {
        svg.bars viewBox={ "0 0 " (width) " 106" } width=(width) height="106" role="img"
            aria-label="pseudo-labels of each class" {
            @for (i, c) in per_class.iter().enumerate() {
                rect x=(left(i)) y=(top(c.used)) width=(bar) height=(tall(c.used))
                    fill=(SERIES[1].0) fill-opacity="0.3" {}
                rect x=(left(i)) y=(top(c.kept.min(c.used))) width=(bar)
                    height=(tall(c.kept.min(c.used))) fill=(SERIES[1].0) {
                    title { (name(i)) ": " (c.kept) " kept, " (c.used) " used" }
                }
                @if per_class.len() <= 12 {
                    text x=(format!("{:.1}", (i as f64 + 0.5) * step)) y="101" text-anchor="middle"
                        font-size="11" fill=(INK.0) { (name(i)) }
                }
            }
        }
    }
}

pub(super) fn text(size: f64) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&rgb(INK.0)).pos(Pos::new(HPos::Left, VPos::Top))
}

/// A label for an axis, without decimals that say nothing.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `#RRGGBB` as plotters' colour; the constants above are all of that form.
pub(super) fn rgb(hex: &str) -> RGBColor {
    let part = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap_or(0);
    RGBColor(part(1), part(3), part(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(accuracies: &[f64]) -> Vec<f64> {
        let points = accuracies.iter().enumerate().map(|(i, a)| (i as f64, *a)).collect();
        let mut lines = [Line { model: 0, thick: true, points }];
        cut_climb(&mut lines);
        lines[0].points.iter().map(|p| p.1).collect()
    }

    #[test]
    fn the_climb_is_cut_and_a_collapse_is_not() {
        assert_eq!(cut(&[10.0, 50.0, 89.0, 91.0, 92.0]), [89.0, 91.0, 92.0]);
        assert_eq!(cut(&[10.0, 90.0, 12.0, 91.0, 92.0]), [90.0, 12.0, 91.0, 92.0]);
        assert_eq!(cut(&[90.0, 50.0, 10.0]), [90.0, 50.0, 10.0]);
    }

    #[test]
    fn a_run_without_the_quantity_has_no_plot() {
        let point = CurvePoint { step: 1, train_loss: Some(f64::NAN), validation: None };
        let curve = Curve { model: "teacher".into(), seed: 1, points: vec![point] };
        let all = [curve];
        assert!(curves(&all, "loss", false, |p| p.train_loss).unwrap().is_none());
        assert!(curves(&all, "accuracy", true, |p| p.validation).unwrap().is_none());
    }

    #[test]
    fn colours_of_teacher_and_last_student_do_not_depend_on_the_generations_between() {
        for models in 2..9 {
            assert_eq!(colour(0, models), SERIES[0].0);
            assert_eq!(colour(models - 1, models), SERIES[1].0);
        }
    }
}
