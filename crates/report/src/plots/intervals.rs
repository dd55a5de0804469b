//! Rows of values with intervals, drawn by hand.

use maud::{Markup, html};

use super::colours::{GRID, INK, colour};
use super::frame::short;
use super::names::shortened;
use crate::section::IntervalPlot;

/// Width of the drawing, of the names at its left, and of the margin at its right, in pixels.
const WIDTH: f64 = 640.0;
const NAMES: f64 = 190.0;
const MARGIN: f64 = 26.0;

/// Height of one series of a row, and the space between rows.
const SERIES: f64 = 15.0;
const SPACE: f64 = 11.0;

/// Space between a name and the drawing.
const GAP: f64 = 12.0;

/// The drawing.
pub(crate) fn plot(plot: &IntervalPlot) -> Markup {
    let [low, high] = plot.span;
    let x = |value: f64| {
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        format!("{:.1}", NAMES + share * (WIDTH - NAMES - MARGIN))
    };
    let many = plot.series.len();
    let row_height = many as f64 * SERIES + SPACE;
    let bottom = row_height * plot.rows.len() as f64 + 2.0;
    let names: Vec<&str> = plot.rows.iter().map(|row| row.name.as_str()).collect();
    let names = shortened(&names, NAMES - GAP);
    let ticks = (0..=5).map(|i| low + (high - low) * f64::from(i) / 5.0);
    let alt =
        format!("{}: {}, a row for each of {} names", plot.title, plot.label, plot.rows.len());
    html! {
        svg.plot viewBox={ "0 0 " (WIDTH) " " (bottom + 40.0) } role="img" aria-label=(alt) {
            @for tick in ticks {
                line x1=(x(tick)) x2=(x(tick)) y1="0" y2=(bottom) stroke=(GRID.0) {}
                text x=(x(tick)) y=(bottom + 16.0) text-anchor="middle" font-size="13" fill=(INK.0) {
                    (short(tick))
                }
            }
            text x=(WIDTH - MARGIN) y=(bottom + 34.0) text-anchor="end" font-size="13" fill=(INK.0) {
                (plot.label)
            }
            @for ((row, name), line) in plot.rows.iter().zip(&names).zip(0..) {
                @let top = f64::from(line) * row_height;
                text x=(NAMES - GAP) y=(top + row_height / 2.0 + 4.5) text-anchor="end"
                    font-size="13" fill=(INK.0) { (name) }
                @for (index, measured) in row.values.iter().enumerate() {
                    @if let Some(measured) = measured {
                        @let y = top + SPACE / 2.0 + (index as f64 + 0.5) * SERIES;
                        @let ink = colour(index, many);
                        @if let Some([from, to]) = measured.interval {
                            line x1=(x(from)) x2=(x(to)) y1=(y) y2=(y) stroke=(ink)
                                stroke-width="7" stroke-opacity="0.3" {}
                        }
                        circle cx=(x(measured.value)) cy=(y) r="4.2" fill=(ink) {
                            title { (row.name) ": " (format!("{:.1}", measured.value)) }
                        }
                    }
                }
            }
        }
    }
}
