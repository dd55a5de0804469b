//! `report.md`: the tables and texts of a report in Markdown, for terminals, reviews and issue
//! threads.

use anyhow::Result;

use crate::beside_paper;
use crate::document::{Document, Report};
use crate::outcome::outcome;
use crate::section::{Block, Section, Table, Tile, TileLine};
use crate::tables;
use crate::words;

/// The whole document.
///
/// # Errors
/// When the result or a section does not hold together.
pub fn markdown(report: &Report<'_>) -> Result<String> {
    report.check()?;
    let result = report.result;
    let outcome = outcome(result);
    let mut out = format!("# {}/{}\n\n", result.paper, result.row);
    if !result.about.is_empty() {
        out += &format!("{}\n\n", text(&result.about));
    }
    out += &format!("**{}**", text(&outcome.sentence));
    if !outcome.detail.is_empty() {
        out += &format!(" {}", text(&outcome.detail));
    }
    out.push('\n');
    for checked in &result.expected {
        out += &format!("\n{}.\n", text(&words::capitalised(&checked.sentence())));
    }
    for note in result.notes() {
        out += &format!("\n> {}\n", text(note));
    }
    for group in result.groups() {
        let title = if group.is_empty() { "Results" } else { group };
        let table = tables::results(result, group).map(|results| results.table);
        numbers(&mut out, title, &[], table);
    }
    let paired = "Taken seed by seed. A difference counts as shown only where its interval lies wholly on \
                  one side of 0.";
    let caveats = tables::caveats(result);
    let paired: Vec<&str> =
        std::iter::once(paired).chain(caveats.iter().map(String::as_str)).collect();
    numbers(&mut out, "Paired differences", &paired, tables::comparisons(result));
    let source = format!("Source: {}.", beside_paper::sources(result));
    let about = [beside_paper::CAVEAT, &source];
    numbers(&mut out, "Beside the paper", &about, beside_paper::table(result));
    report.sections.iter().for_each(|s| section(&mut out, s));
    numbers(&mut out, "Expected", &[], tables::expected(result));
    numbers(&mut out, "Cost and provenance", &[], Some(tables::provenance(result)));
    Ok(out)
}

/// A document's title, notes, tables and texts.
///
/// # Errors
/// When a section does not hold together.
pub fn document_markdown(document: &Document<'_>) -> Result<String> {
    document.check()?;
    let mut out = format!("# {}\n", text(document.title));
    if !document.about.is_empty() {
        out += &format!("\n{}\n", text(document.about));
    }
    for note in document.notes {
        out += &format!("\n> {}\n", text(note));
    }
    document.sections.iter().for_each(|s| section(&mut out, s));
    Ok(out)
}

fn numbers(out: &mut String, title: &str, about: &[&str], table: Option<Table>) {
    let Some(table) = table else { return };
    *out += &format!("\n## {}\n\n", text(title));
    for words in about {
        *out += &format!("{}\n\n", text(words));
    }
    *out += &pipes(&table);
}

/// The headings, texts and tables of a section. A heading under which nothing but pictures stands
/// is left out.
fn section(out: &mut String, section: &Section) {
    let mut title = Some(&section.title);
    let mut heading: Option<&String> = None;
    for block in &section.blocks {
        let words = match block {
            Block::Heading(words) => {
                heading = Some(words);
                continue;
            }
            Block::Text(words) => format!("{}\n", text(words)),
            Block::Table(table) => pipes(table),
            Block::Caption(_)
            | Block::Key(_)
            | Block::Curves(_)
            | Block::Plot(_)
            | Block::Scatter(_)
            | Block::Panels(_)
            | Block::Intervals(_)
            | Block::Bars(_)
            | Block::Matrices(_)
            | Block::Figures(_) => continue,
            // Which picture, and what stands below it but its name again.
            Block::Tiles(tiles) => {
                let told = |tile: &Tile| {
                    let lines = tile.lines.iter().filter(|line| !tile.alt.ends_with(&line.text));
                    let line = |line: &TileLine| format!("{} {}", line.text, line.value);
                    let lines: Vec<String> = lines.map(|l| line(l).trim().to_owned()).collect();
                    format!("- {}: {}\n", text(&tile.alt), text(&lines.join(", ")))
                };
                tiles.iter().map(told).collect()
            }
        };
        if let Some(title) = title.take() {
            *out += &format!("\n## {}\n", text(title));
        }
        if let Some(heading) = heading.take() {
            *out += &format!("\n### {}\n", text(heading));
        }
        *out += &format!("\n{words}");
    }
}

fn pipes(table: &Table) -> String {
    // Markdown has no headings over several columns: the first of them carries the words.
    let mut header = table.header.clone();
    let mut at = 0;
    for (words, columns) in table.spans.iter() {
        if !words.is_empty() {
            header[at] = format!("{} ({words})", header[at]);
        }
        at += columns;
    }
    let mut out = line(header.into_iter());
    let rule = table.figures().into_iter().map(|figure| if figure { "---:" } else { "---" });
    out += &format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    table.rows.iter().for_each(|row| out += &line(row.iter().cloned()));
    out
}

fn line(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |\n", cells.map(|c| text(&c)).collect::<Vec<_>>().join(" | "))
}

/// Keeps a cell or a paragraph on its line, and Markdown from reading into it.
fn text(words: &str) -> String {
    let mut out = String::new();
    for c in words.chars() {
        match c {
            '|' | '<' | '*' | '`' | '\\' => out.extend(['\\', c]),
            '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
