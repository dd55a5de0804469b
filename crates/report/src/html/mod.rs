//! `report.html`: one page that carries its style, plots and pictures within itself. It needs no
//! script and no network, follows the reader's choice of light or dark, and prints.

mod blocks;
mod parts;
mod pictures;
mod results;

use anyhow::{Context, Result};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::document::{Document, Report};
use crate::expectation::Verdict;
use crate::outcome::{Claim, outcome};
use crate::plots::colours::{GRID, INK, SERIES};
use crate::result::RunResult;
use crate::section::Section;
use crate::tables;
use crate::words;

const STYLE: &str = include_str!("style.css");

/// A part of the page that has something to show.
struct Part<'a> {
    id: &'a str,
    title: &'a str,
    body: Markup,
}

/// The whole page.
///
/// # Errors
/// When the result or a section does not hold together, or a plot cannot be drawn.
pub fn page(report: &Report<'_>) -> Result<String> {
    report.check()?;
    let result = report.result;
    let mut parts = Vec::new();
    let mut add = |id, title, body: Option<Markup>| {
        parts.extend(body.map(|body| Part { id, title, body }));
    };
    add("results", "Results", results::rows(result));
    add("differences", "Paired differences", results::differences(result));
    add("paper", "Beside the paper", results::beside_paper(result));
    for section in report.sections {
        add(&section.id, &section.title, body_of(section)?);
    }
    let expected = tables::expected(result);
    add("expected", "Expected", expected.map(|expected| parts::table(&expected, None)));
    add("provenance", "Cost and provenance", Some(provenance(result, report.recipe_toml)));
    let title = format!("{}/{}", result.paper, result.row);
    Ok(whole(&title, &headline(result, &title), &parts))
}

/// A document as a page of the same make.
///
/// # Errors
/// When a section does not hold together, or a plot cannot be drawn.
pub fn document_page(document: &Document<'_>) -> Result<String> {
    document.check()?;
    let mut parts = Vec::new();
    for section in document.sections {
        let (id, title) = (section.id.as_str(), section.title.as_str());
        parts.extend(body_of(section)?.map(|body| Part { id, title, body }));
    }
    let head = html! {
        h1 { (document.title) }
        @if !document.about.is_empty() { p.soft { (document.about) } }
        @for note in document.notes { p.note { (note) } }
    };
    Ok(whole(document.title, &head, &parts))
}

/// What a section shows; `None` without blocks.
fn body_of(section: &Section) -> Result<Option<Markup>> {
    let body = blocks::section(section).with_context(|| format!("section `{}`", section.id))?;
    Ok(Some(body).filter(|_| !section.blocks.is_empty()))
}

/// The page around its head and its parts.
fn whole(title: &str, head: &Markup, parts: &[Part<'_>]) -> String {
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
                (head)
                nav { @for p in parts { a href={ "#" (p.id) } { (p.title) } } }
                @for p in parts {
                    section id=(p.id) { h2 { (p.title) } (p.body) }
                }
            } }
        }
    };
    page.into_string()
}

/// Rules that turn the plots' colours into those for dark ground.
fn dark_plots() -> String {
    let colours = SERIES.into_iter().chain([INK, GRID]);
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
    let outcome = outcome(result);
    let tone = match outcome.claim {
        Claim::Better => "good",
        Claim::Worse => "bad",
        Claim::NotShown
        | Claim::Unequal
        | Claim::NoVariation
        | Claim::OneSeed
        | Claim::Quick
        | Claim::Nothing => "open",
    };
    let commit = result.commit.as_deref().map(short_commit);
    html! {
        h1 { (title) }
        @if !result.about.is_empty() { p.soft { (result.about) } }
        div class={ "verdict " (tone) } {
            strong { (outcome.sentence) }
            @if !outcome.detail.is_empty() { p { (outcome.detail) } }
        }
        @for checked in &result.expected {
            p.note.miss[checked.verdict == Verdict::Outside] {
                (words::capitalised(&checked.sentence())) "."
            }
        }
        @for note in result.notes() { p.note { (note) } }
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
        div.scroll tabindex="0" { table.words { tbody {
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
