//! Points with names and a line through them, drawn by hand.

use std::ops::Range;

use maud::{Markup, html};

use super::colours::{GRID, INK, colour};
use super::frame::{padded, range, short};
use super::names::{shortened, width};
use crate::section::{Point, ScatterPlot};

/// Size of the drawing in pixels, and what is left of it at each side for words.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 46.0;

/// Height that a name is given, in pixels, and the width of the longest.
const LETTERS: f64 = 14.0;
const LONGEST: f64 = 168.0;

/// The drawing; `None` without a point.
pub(crate) fn plot(plot: &ScatterPlot) -> Option<Markup> {
    let points = || plot.points.iter().map(|(_, point)| point);
    let x_span = padded(range(points().map(|p| p.x))?);
    let ends = |p: &Point| [p.y].into_iter().chain(p.interval.into_iter().flatten());
    let mut y_span = padded(range(points().flat_map(ends))?);
    if plot.y_label.ends_with('%') {
        y_span = y_span.start.max(0.0)..y_span.end.min(100.0);
    }
    let x = |value: f64| LEFT + share(&x_span, value) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - share(&y_span, value) * (HEIGHT - BOTTOM - TOP);
    let px = |value: f64| format!("{value:.1}");
    let centres: Vec<[f64; 2]> = points().map(|p| [x(p.x), y(p.y)]).collect();
    let names: Vec<&str> = plot.points.iter().map(|(name, _)| name.as_str()).collect();
    let names = shortened(&names, LONGEST);
    let places = labels(&names, &centres);
    let ink = colour(0, 2);
    let alt = format!(
        "{}: {} over {}, {} points",
        plot.title,
        plot.y_label,
        plot.x_label,
        plot.points.len()
    );
    Some(html! {
        svg.plot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(alt) {
            @let (y_ticks, x_ticks) = (ticks(&y_span), ticks(&x_span));
            @for tick in y_ticks.iter().copied() {
                line x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(y(tick))) y2=(px(y(tick))) stroke=(GRID.0) {}
                text x=(px(LEFT - 8.0)) y=(px(y(tick) + 4.5)) text-anchor="end" font-size="13" fill=(INK.0) {
                    (words(tick, &y_ticks))
                }
            }
            @for tick in x_ticks.iter().copied() {
                text x=(px(x(tick))) y=(px(HEIGHT - BOTTOM + 18.0)) text-anchor="middle" font-size="13"
                    fill=(INK.0) { (words(tick, &x_ticks)) }
            }
            text x=(px(WIDTH - RIGHT)) y=(px(HEIGHT - 8.0)) text-anchor="end" font-size="13" fill=(INK.0) {
                (plot.x_label)
            }
            @if let Some([from, to]) = drawn(plot, &y_span) {
                line x1=(px(x(from[0]))) y1=(px(y(from[1]))) x2=(px(x(to[0]))) y2=(px(y(to[1])))
                    stroke=(INK.0) stroke-dasharray="6 5" {}
            }
            @for ((name, point), centre) in plot.points.iter().zip(&centres) {
                @if let Some([low, high]) = point.interval {
                    line x1=(px(centre[0])) x2=(px(centre[0])) y1=(px(y(low))) y2=(px(y(high)))
                        stroke=(ink) stroke-width="2" stroke-opacity="0.5" {}
                }
                circle cx=(px(centre[0])) cy=(px(centre[1])) r="4.2" fill=(ink) {
                    title { (name) ": " (short(point.x)) ", " (short(point.y)) }
                }
            }
            @for (name, place) in names.iter().zip(&places) {
                @if let Some([left, base]) = place {
                    text x=(px(*left)) y=(px(*base)) font-size="13" fill=(INK.0) { (name) }
                }
            }
        }
    })
}

/// Where between the ends of a span a value lies.
fn share(span: &Range<f64>, value: f64) -> f64 {
    ((value - span.start) / (span.end - span.start)).clamp(0.0, 1.0)
}

/// Round numbers within a span, at least two and at most eight.
fn ticks(span: &Range<f64>) -> Vec<f64> {
    let length = span.end - span.start;
    let ten = 10_f64.powf((length / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|part| part * ten);
    let step = step.into_iter().find(|step| length / step <= 7.0).unwrap_or(10.0 * ten);
    let first = (span.start / step).ceil();
    let count = ((span.end / step).floor() - first) as u32;
    // Added up, tenths would not be tenths.
    (0..=count).map(|index| (first + f64::from(index)) * step).collect()
}

/// A tick with as many decimals as tell it from the next one.
fn words(tick: f64, all: &[f64]) -> String {
    let step = all.windows(2).map(|pair| pair[1] - pair[0]).next().unwrap_or(1.0);
    let decimals = (-(step * 1.001).log10().floor()).max(0.0) as usize;
    format!("{tick:.decimals$}").replace('-', "−")
}

/// The ends of the line, from the first point to the last, as far as the axis goes.
fn drawn(plot: &ScatterPlot, span: &Range<f64>) -> Option<[[f64; 2]; 2]> {
    let [intercept, slope] = plot.line?;
    let x = range(plot.points.iter().map(|(_, point)| point.x))?;
    let (mut from, mut to) = (x.start, x.end);
    if slope != 0.0 {
        let mut at = [span.start, span.end].map(|y| (y - intercept) / slope);
        at.sort_by(f64::total_cmp);
        (from, to) = (from.max(at[0]), to.min(at[1]));
    }
    let flat_is_seen = slope != 0.0 || span.contains(&intercept);
    (from < to && flat_is_seen).then(|| [from, to].map(|x| [x, intercept + slope * x]))
}

/// Left end and base line of each name: beside, above or below its point, where it covers no other
/// name and no point; `None` where there is no such place.
fn labels(names: &[String], centres: &[[f64; 2]]) -> Vec<Option<[f64; 2]>> {
    // Left, top, right and bottom of what is taken.
    let mut taken: Vec<[f64; 4]> =
        centres.iter().map(|[x, y]| [x - 4.0, y - 4.0, x + 4.0, y + 4.0]).collect();
    let mut places = Vec::with_capacity(names.len());
    for (name, [x, y]) in names.iter().zip(centres) {
        let [width, height] = [width(name), LETTERS];
        let candidates = [
            [x + 8.0, y - height / 2.0],
            [x - 8.0 - width, y - height / 2.0],
            [x - width / 2.0, y - 8.0 - height],
            [x - width / 2.0, y + 8.0],
        ];
        let boxes = candidates.map(|[left, top]| [left, top, left + width, top + height]);
        let fits = |b: &[f64; 4]| {
            let inside =
                b[0] > LEFT && b[2] < WIDTH - RIGHT && b[1] > 0.0 && b[3] < HEIGHT - BOTTOM;
            let apart = |t: &[f64; 4]| b[2] <= t[0] || t[2] <= b[0] || b[3] <= t[1] || t[3] <= b[1];
            inside && taken.iter().all(apart)
        };
        let free = boxes.into_iter().find(fits);
        taken.extend(free);
        places.push(free.map(|b| [b[0], b[3] - 3.0]));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(&(9.5..41.5)), [10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0]);
        assert_eq!(ticks(&(0.0..0.5)), [0.0, 0.1, 0.2, 0.30000000000000004, 0.4, 0.5]);
        for span in [0.99..1.01, -3.0..7.0, 1e-6..3e-6, 0.0..1e9, 99.0..100.0] {
            let found = ticks(&span);
            assert!((2..=8).contains(&found.len()), "{span:?}: {found:?}");
            assert!(found.iter().all(|tick| (span.start..=span.end).contains(tick)));
        }
    }

    #[test]
    fn ticks_are_told_apart() {
        for (span, wanted) in [
            (9.5..41.5, "10 15 20 25 30 35 40"),
            (0.99..1.01, "0.990 0.995 1.000 1.005 1.010"),
            (-3.0..7.0, "−2 0 2 4 6"),
            (99.0..100.0, "99.0 99.2 99.4 99.6 99.8 100.0"),
        ] {
            let found = ticks(&span);
            let all: Vec<String> = found.iter().map(|tick| words(*tick, &found)).collect();
            assert_eq!(all.join(" "), wanted);
        }
    }

    #[test]
    fn names_cover_neither_names_nor_points() {
        let names = ["one", "two", "three", "four", "five"].map(str::to_owned);
        let same = labels(&names, &[[300.0, 200.0]; 5]);
        assert_eq!(same.iter().flatten().count(), 4, "one at each side");
        let edge = labels(&names[..1], &[[WIDTH - RIGHT - 5.0, 100.0]]);
        assert!(edge[0].expect("room at the left")[0] < WIDTH - RIGHT - 5.0 - 21.0);
    }

    #[test]
    fn the_line_ends_with_the_points_or_at_the_axis() {
        let point = |x, y| (String::new(), Point { x, y, interval: None });
        let mut plot = ScatterPlot {
            title: String::new(),
            x_label: String::new(),
            y_label: "%".into(),
            points: vec![point(10.0, 90.0), point(30.0, 10.0)],
            line: Some([130.0, -4.0]),
        };
        assert_eq!(drawn(&plot, &(0.0..100.0)), Some([[10.0, 90.0], [30.0, 10.0]]));
        assert_eq!(drawn(&plot, &(0.0..50.0)), Some([[20.0, 50.0], [30.0, 10.0]]));
        plot.line = Some([120.0, 0.0]);
        assert_eq!(drawn(&plot, &(0.0..100.0)), None);
        plot.line = None;
        assert_eq!(drawn(&plot, &(0.0..100.0)), None);
        plot.points.clear();
        assert!(super::plot(&plot).is_none());
    }
}
