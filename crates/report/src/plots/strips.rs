//! Strips of seeds beside a table, and bars, drawn by hand.

use std::ops::Range;

use maud::{Markup, html};

use super::colours::{GRID, INK, SERIES};
use crate::section::BarChart;

/// Width of a strip in pixels.
const WIDTH: f64 = 190.0;

/// One row's seeds on a line: a dot for each, a bar for the interval, a mark at the mean, and,
/// where 0 is within `span`, a mark there (for differences).
pub(crate) fn strip(
    per_seed: &[f64],
    mean: f64,
    ci95: Option<[f64; 2]>,
    span: &Range<f64>,
    colour: &str,
    zero: bool,
) -> Markup {
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

/// Above this many bars their names show on pointing at them.
const NAMED: usize = 12;

/// Bars, the solid part below the faint rest.
pub(crate) fn bars(chart: &BarChart) -> Markup {
    const HEIGHT: f64 = 84.0;
    let bars = &chart.bars;
    let most = bars.iter().map(|b| b.whole.max(b.solid)).max().unwrap_or(0).max(1) as f64;
    // Room beyond the outer bars for names wider than a bar.
    const MARGIN: f64 = 10.0;
    let step = (360.0 / bars.len().max(1) as f64).clamp(2.0, 36.0);
    let width = step * bars.len() as f64 + 2.0 * MARGIN;
    let tall = |n: u64| format!("{:.1}", n as f64 / most * HEIGHT);
    let top = |n: u64| format!("{:.1}", 2.0 + HEIGHT - n as f64 / most * HEIGHT);
    let left = |i: usize| format!("{:.1}", MARGIN + (i as f64 + 0.1) * step);
    let thick = format!("{:.1}", 0.8 * step);
    let [solid, whole] = &chart.parts;
    html! {
        svg.bars viewBox={ "0 0 " (width) " 106" } width=(width) height="106" role="img"
            aria-label=(chart.title) {
            @for (i, b) in bars.iter().enumerate() {
                rect x=(left(i)) y=(top(b.whole)) width=(thick) height=(tall(b.whole))
                    fill=(SERIES[1].0) fill-opacity="0.3" {}
                rect x=(left(i)) y=(top(b.solid.min(b.whole))) width=(thick)
                    height=(tall(b.solid.min(b.whole))) fill=(SERIES[1].0) {
                    title { (b.name) ": " (b.solid) " " (solid) ", " (b.whole) " " (whole) }
                }
                @if bars.len() <= NAMED {
                    text x=(format!("{:.1}", MARGIN + (i as f64 + 0.5) * step)) y="101" text-anchor="middle"
                        font-size="11" fill=(INK.0) { (b.name) }
                }
            }
        }
    }
}
