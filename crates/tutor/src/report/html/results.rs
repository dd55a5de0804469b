//! The page's figures: rows with their seeds, paired differences, and ablations beside the paper's.

use std::ops::Range;

use maud::{Markup, html};

use super::super::plots;
use super::super::result::{Group, Row, RunResult};
use super::super::tables;
use super::super::words;

/// Rows of each group with a strip of their seeds.
pub(super) fn rows(result: &RunResult) -> Option<Markup> {
    let groups: Vec<_> = [
        (Group::Generation, "Generations"),
        (Group::Ablation, "Ablations"),
        (Group::Baseline, "Baselines"),
        (Group::Method, "Methods"),
    ]
    .into_iter()
    .filter_map(|(group, title)| Some((group, title, tables::results(result, group)?)))
    .collect();
    let all = || groups.iter().flat_map(|(_, _, (_, rows))| rows).flatten();
    let span = plots::padded(span(all().map(|r| (r.per_seed.as_slice(), band(r))))?);
    let unit = all().next()?.unit.clone();
    let axis = axis(&span, &unit);
    Some(html! {
        @for (group, title, (table, rows)) in &groups {
            @if groups.len() > 1 { h3 { (title) } }
            @let strips: Vec<Markup> = rows.iter().enumerate()
                .map(|(i, row)| html! {
                    @if let Some(row) = row { (strip(row, &span, shade(*group, i, rows.len()))) }
                })
                .collect();
            (super::table(table, Some((&axis, &strips)), false))
        }
        p.caption {
            @if result.seeds.len() > 1 {
                "A dot is a seed, the upright mark the mean, the band the 95 % Student-t interval of the "
                "mean over seeds."
            } @else if all().any(|r| band(r).is_some()) {
                @let part = words::counted_on(all().map(|r| r.metric.as_str()));
                "The band is what the size of the " (part) " alone leaves open about one trained net "
                "(Wilson, 95 %). It says nothing about other seeds."
            }
        }
    })
}

fn shade(group: Group, index: usize, rows: usize) -> &'static str {
    match group {
        Group::Generation => plots::colour(index, rows),
        Group::Ablation => plots::SERIES[3].0,
        Group::Method => plots::SERIES[1].0,
        Group::Baseline => plots::INK.0,
    }
}

fn strip(row: &Row, span: &Range<f64>, colour: &str) -> Markup {
    plots::strip(&row.per_seed, row.mean, band(row), span, colour, false)
}

/// The interval over seeds or, for one seed, what the number of examples leaves open.
fn band(row: &Row) -> Option<[f64; 2]> {
    row.ci95.or_else(|| words::row_wilson(row.mean, &row.unit, row.examples))
}

/// The two ends of a strip as its heading.
fn axis(span: &Range<f64>, unit: &str) -> Markup {
    let end = |v: f64| format!("{} {unit}", words::number(v, unit));
    html! { div { span { (end(span.start)) } span { (end(span.end)) } } }
}

/// From the least to the largest of all values and interval ends.
fn span<'a>(rows: impl Iterator<Item = (&'a [f64], Option<[f64; 2]>)>) -> Option<Range<f64>> {
    plots::range(rows.flat_map(|(values, ci95)| {
        values.iter().copied().chain(ci95.into_iter().flatten()).collect::<Vec<_>>()
    }))
}

/// Paired differences with a strip of their seeds around 0.
pub(super) fn differences(result: &RunResult) -> Option<Markup> {
    let table = tables::comparisons(result)?;
    let comparisons = &result.comparisons;
    let values = span(comparisons.iter().map(|c| (c.per_seed.as_slice(), c.ci95)))?;
    let span = plots::padded(values.start.min(0.0)..values.end.max(0.0));
    let axis = axis(&span, &comparisons[0].unit);
    let strips: Vec<Markup> = comparisons
        .iter()
        .map(|c| {
            let colour = if c.mean < 0.0 { plots::SERIES[0].0 } else { plots::SERIES[1].0 };
            plots::strip(&c.per_seed, c.mean, c.ci95, &span, colour, true)
        })
        .collect();
    Some(html! {
        p { "Taken seed by seed, so that what both sides share cancels. "
            "A difference is shown only where its interval lies wholly on one side of 0 (the dashed line)." }
        (super::table(&table, Some((&axis, &strips)), false))
    })
}

/// Ablations beside the paper's numbers.
pub(super) fn beside_paper(result: &RunResult) -> Option<Markup> {
    let first = result.paper_reference.first()?;
    let table = tables::ablations(result)?;
    let mut sources: Vec<&str> = vec![&first.source];
    for p in &result.paper_reference {
        if !sources.contains(&p.source.as_str()) {
            sources.push(&p.source);
        }
    }
    Some(html! {
        p { b { "Other data, other models. " } (super::PAPER_CAVEAT) }
        (super::table(&table, None, false))
        p.caption { "Source: " (sources.join("; ")) "." }
    })
}
