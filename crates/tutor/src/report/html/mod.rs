//! `report.html`: one page that carries its style, plots and pictures within itself. It needs no
//! script and no network, follows the reader's choice of light or dark, and prints.

pub(super) mod pictures;
mod results;

use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::plots;
use super::result::RunResult;
use super::tables::{self, Table};
use super::visuals::Visuals;
use super::words::{self, Verdict};

/// What is said wherever the paper's numbers stand beside ours.
pub(crate) const PAPER_CAVEAT: &str = "The paper's columns come from other data and other models: \
    the direction of a difference can be compared with ours, its level cannot.";

const STYLE: &str = include_str!("style.css");

/// A part of the page that has something to show.
struct Section {
    id: &'static str,
    title: &'static str,
    body: Markup,
}

/// The whole page.
///
/// # Errors
/// When a plot cannot be drawn or a picture has the wrong number of bytes.
pub(crate) fn page(result: &RunResult, visuals: &Visuals, recipe_toml: &str) -> Result<String> {
    let bodies = [
        ("results", "Results", results::rows(result)),
        ("differences", "Paired differences", results::differences(result)),
        ("paper", "Beside the paper", results::beside_paper(result)),
        ("spread", "How the boundary spreads", super::spread::section(visuals)),
        ("labels", "As labels grow", super::growth::section(visuals)?),
        ("curves", "Learning curves", pictures::curves(visuals)?),
        ("confusion", "Confusion", pictures::confusions(visuals)),
        ("disagreement", "Where teacher and student differ", pictures::disagreements(visuals)?),
        ("pseudo-labels", "Pseudo-labels", pictures::pseudo_labels(visuals)),
        ("robustness", "Robustness", pictures::robustness(result)?),
        ("provenance", "Cost and provenance", Some(provenance(result, recipe_toml))),
    ];
    let sections: Vec<Section> = bodies
        .into_iter()
        .filter_map(|(id, title, body)| Some(Section { id, title, body: body? }))
        .collect();
    let title = format!("{}/{}", result.paper, result.row);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · tutor" }
                style { (PreEscaped(STYLE)) (PreEscaped(dark_plots())) }
            }
            body { main {
                (headline(result, &title))
                nav { @for s in &sections { a href={ "#" (s.id) } { (s.title) } } }
                @for s in &sections {
                    section id=(s.id) { h2 { (s.title) } (s.body) }
                }
            } }
        }
    };
    Ok(page.into_string())
}

/// Rules that turn the plots' colours into their dark twins on dark ground.
fn dark_plots() -> String {
    let colours = plots::SERIES.into_iter().chain([plots::INK, plots::GRID]);
    let rules = colours.map(|(light, dark)| {
        format!(
            "svg [stroke=\"{light}\"]{{stroke:{dark}}}svg [fill=\"{light}\"]{{fill:{dark}}}\
             [style=\"--c:{light}\"]{{--c:{dark}!important}}"
        )
    });
    let rules: String = rules.collect();
    format!("@media screen and (prefers-color-scheme: dark) {{{rules}}}")
}

/// What was run and what may be claimed from it.
fn headline(result: &RunResult, title: &str) -> Markup {
    let outcome = words::outcome(result);
    let tone = match outcome.verdict {
        Verdict::Better => "good",
        Verdict::Worse => "bad",
        Verdict::NotShown | Verdict::OneSeed | Verdict::Quick | Verdict::Nothing => "open",
    };
    let commit = result.commit.as_deref().map(short_commit);
    html! {
        h1 { (title) }
        @if !result.about.is_empty() { p.soft { (result.about) } }
        div class={ "verdict " (tone) } {
            strong { (words::capitalised(&outcome.title)) }
            p { (outcome.sentence) }
        }
        @for note in &result.notes { p.note { (note) } }
        ul.chips {
            li { b { (words::seeds(result.seeds.len())) } }
            li { b { (words::duration(result.cost.wall_s)) } " on " (result.device) }
            li { (result.started) }
            @if let Some(commit) = commit { li { "commit " b { (commit) } } }
            @if result.quick { li { b { "quick" } } }
        }
        @if !result.data.is_empty() { p.soft { (result.data) } }
    }
}

/// The first ten digits of a commit, keeping a `-dirty` behind them.
fn short_commit(commit: &str) -> String {
    let (hash, rest) = commit.split_once('-').map_or((commit, ""), |(h, _)| (h, "-dirty"));
    format!("{}{rest}", hash.chars().take(10).collect::<String>())
}

/// Cost, versions and the resolved recipe.
fn provenance(result: &RunResult, recipe_toml: &str) -> Markup {
    let table = tables::provenance(result);
    html! {
        div.scroll { table.words { tbody {
            @for row in &table.rows {
                tr { td { (row[0]) } td {
                    @if row[0] == "command" || row[0] == "commit" { code { (row[1]) } }
                    @else { (row[1]) }
                } }
            }
        } } }
        @if !recipe_toml.trim().is_empty() {
            details {
                summary { "The resolved recipe: running this file again is the same run" }
                pre { (recipe_toml.trim()) }
            }
        }
    }
}

/// A table of figures; `extra` is a further column of drawings with its heading. Cells that hold a
/// list of seeds are set small; `last_is_summary` sets the last row in bold.
fn table(table: &Table, extra: Option<(&Markup, &[Markup])>, last_is_summary: bool) -> Markup {
    let list = table.header.iter().position(|h| h == "per seed");
    let edges = edges(table);
    let figures = table.figures();
    let words = |c: usize| c > 0 && !figures[c];
    let last = table.rows.len().saturating_sub(1);
    html! {
        div.scroll { table.beside[!table.spans.is_empty()].drawn[extra.is_some()] {
            thead {
                @if !table.spans.is_empty() {
                    tr.span { @for (words, n) in &table.spans { th colspan=(n) { (words) } } }
                }
                tr {
                    @for (c, head) in table.header.iter().enumerate() {
                        th.edge[edges.contains(&c)].word[words(c)] { (head) }
                        @if c == 0 { @if let Some((head, _)) = extra { th.axis { (head) } } }
                    }
                }
            }
            tbody { @for (r, row) in table.rows.iter().enumerate() {
                tr.summary[last_is_summary && r == last] {
                    @for (c, cell) in row.iter().enumerate() {
                        td.list[list == Some(c)].edge[edges.contains(&c)].word[words(c)] { (cell) }
                        @if c == 0 { @if let Some((_, drawn)) = extra { td { (drawn[r]) } } }
                    }
                }
            } }
        } }
    }
}

/// The columns at which a new span begins.
fn edges(table: &Table) -> Vec<usize> {
    let mut at = 0;
    let starts = table.spans.iter().map(|(_, n)| {
        at += n;
        at - n
    });
    starts.filter(|c| *c > 0).collect()
}

/// Swatches with names.
pub(crate) fn key<'a>(names: impl IntoIterator<Item = (&'a str, &'a str)>) -> Markup {
    html! {
        div.key { @for (name, colour) in names { span style={ "--c:" (colour) } { (name) } } }
    }
}
