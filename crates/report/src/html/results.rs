//! The page's figures: rows with their seeds, paired differences, and rows beside the paper's.

use std::ops::Range;

use maud::{Markup, html};

use super::parts::table;
use crate::beside_paper;
use crate::plots::colours::{INK, SERIES, colour};
use crate::plots::{padded, range, strips};
use crate::result::RunResult;
use crate::row::{Comparison, Row};
use crate::tables::{self, Results};
use crate::words;

/// Rows of each group with a strip of their seeds. Groups of one unit share one scale.
pub(super) fn rows(result: &RunResult) -> Option<Markup> {
    let groups: Vec<(&str, Results<'_>)> = result
        .groups()
        .into_iter()
        .filter_map(|group| Some((group, tables::results(result, group)?)))
        .collect();
    let all = || groups.iter().flat_map(|(_, results)| &results.rows).flatten();
    all().next()?;
    let scale = |unit: &str| {
        let of_unit = all().filter(|r| r.unit == unit);
        span(of_unit.map(|r| (r.per_seed.as_slice(), band(r)))).map(padded)
    };
    Some(html! {
        @for (at, (group, results)) in groups.iter().enumerate() {
            @if groups.len() > 1 && !group.is_empty() { h3 { (group) } }
            @let unit = results.rows.iter().flatten().next().map_or("", |r| r.unit.as_str());
            @if let Some(span) = scale(unit) {
                @let strips = strips_of(results, at, &span);
                (table(&results.table, Some((&axis(&span, unit), &strips))))
            }
        }
        p.caption {
            @if result.seeds.len() > 1 {
                "A dot is a seed, the upright mark the mean, the band and the brackets the 95 % Student-t "
                "interval of the mean over " (words::seeds(result.seeds.len())) "."
            } @else if all().any(|r| band(r).is_some()) {
                @let part = words::counted_on(all().map(|r| r.metric.as_str()));
                "The band is what the size of the " (part) " alone leaves open about one trained net "
                "(Wilson's 95 % interval). It says nothing about other seeds."
            }
        }
    })
}

fn strips_of(results: &Results<'_>, group: usize, span: &Range<f64>) -> Vec<Markup> {
    let is_baseline = |row: &Option<&Row>| row.is_some_and(|r| r.baseline);
    let rows = results.rows.iter().filter(|row| !is_baseline(row)).count();
    // The first group's rows have the colours of their curves; those of a later group share one.
    let shade = |i: usize| match group {
        0 => colour(i, rows),
        later => SERIES[3 + (later - 1) % (SERIES.len() - 3)].0,
    };
    let strip = |(i, row): (usize, &Option<&Row>)| match row {
        Some(r) => {
            let shade = if r.baseline { INK.0 } else { shade(i) };
            strips::strip(&r.per_seed, r.mean, band(r), span, shade, false)
        }
        None => html! {},
    };
    results.rows.iter().enumerate().map(strip).collect()
}

/// The interval over seeds or, for one seed, what the number of examples leaves open.
fn band(row: &Row) -> Option<[f64; 2]> {
    row.ci95.or_else(|| words::row_wilson(row.mean, &row.unit, row.examples))
}

/// The two ends of a strip as its heading.
fn axis(span: &Range<f64>, unit: &str) -> Markup {
    let end = |v: f64| words::with_unit(v, unit);
    html! { div { span { (end(span.start)) } span { (end(span.end)) } } }
}

/// From the least to the largest of all values and interval ends.
fn span<'a>(rows: impl Iterator<Item = (&'a [f64], Option<[f64; 2]>)>) -> Option<Range<f64>> {
    range(rows.flat_map(|(values, ci95)| {
        values.iter().copied().chain(ci95.into_iter().flatten()).collect::<Vec<_>>()
    }))
}

/// Paired differences with a strip of their seeds around 0, where all are of one unit.
pub(super) fn differences(result: &RunResult) -> Option<Markup> {
    let drawn = tables::comparisons(result)?;
    let comparisons = &result.comparisons;
    let values = span(comparisons.iter().map(|c| (c.per_seed.as_slice(), c.ci95)))?;
    let span = padded(values.start.min(0.0)..values.end.max(0.0));
    let axis = axis(&span, &comparisons[0].unit);
    let strip = |c: &Comparison| {
        let colour = if c.is_gain() || c.mean == 0.0 { SERIES[1].0 } else { SERIES[0].0 };
        strips::strip(&c.per_seed, c.mean, c.ci95, &span, colour, true)
    };
    let strips: Vec<Markup> = comparisons.iter().map(strip).collect();
    let extra = tables::alike(comparisons).then_some((&axis, strips.as_slice()));
    Some(html! {
        p { "Taken seed by seed, so that what both sides share cancels. "
            "A difference counts as shown only where its interval lies wholly on one side of 0 (the dashed line)." }
        (table(&drawn, extra))
        p.caption { "Blue: an improvement. Orange: a change for the worse." }
        @for caveat in tables::caveats(result) { p { (caveat) } }
    })
}

/// Rows beside the paper's numbers.
pub(super) fn beside_paper(result: &RunResult) -> Option<Markup> {
    let drawn = beside_paper::table(result)?;
    Some(html! {
        p { b { "Other data, other models. " } (beside_paper::CAVEAT) }
        (table(&drawn, None))
        p.caption { "Source: " (beside_paper::sources(result)) "." }
    })
}
