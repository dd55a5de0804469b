//! `report.md`: the tables of a report in Markdown, for terminals, reviews and issue threads.

use super::result::{Group, RunResult};
use super::tables::{self, Table};
use super::visuals::Visuals;
use super::words;

/// The whole document.
pub(crate) fn document(result: &RunResult, visuals: &Visuals) -> String {
    let outcome = words::outcome(result);
    let mut out = format!("# {}/{}\n\n", result.paper, result.row);
    if !result.about.is_empty() {
        out += &format!("{}\n\n", text(&result.about));
    }
    out += &format!("**{}.** {}\n", words::capitalised(&outcome.title), outcome.sentence);
    for note in &result.notes {
        out += &format!("\n> {}\n", text(note));
    }
    for (group, title) in [
        (Group::Generation, "Generations"),
        (Group::Ablation, "Ablations"),
        (Group::Baseline, "Baselines"),
        (Group::Method, "Methods"),
    ] {
        section(&mut out, title, "", tables::results(result, group).map(|(table, _)| table));
    }
    section(&mut out, "Paired differences", "", tables::comparisons(result));
    section(&mut out, "Beside the paper", super::html::PAPER_CAVEAT, paper(result));
    section(&mut out, "Pseudo-labels", "", tables::pseudo_labels(visuals));
    if let Some(r) = &result.robustness {
        let left_out = r.left_out().unwrap_or_default();
        let about = format!("{} → {}. {} {left_out}", r.teacher, r.student, r.setting);
        section(&mut out, "Accuracy under corruption", about.trim(), tables::corruptions(r));
        section(&mut out, "Flip rates", about.trim(), tables::flips(r));
    }
    section(&mut out, "Cost and provenance", "", Some(tables::provenance(result)));
    out
}

/// The table beside the paper, when the paper or our ablations have rows for it.
fn paper(result: &RunResult) -> Option<Table> {
    if result.paper_reference.is_empty() { None } else { tables::ablations(result) }
}

fn section(out: &mut String, title: &str, about: &str, table: Option<Table>) {
    let Some(table) = table else { return };
    *out += &format!("\n## {title}\n\n");
    if !about.is_empty() {
        *out += &format!("{}\n\n", text(about));
    }
    *out += &pipes(&table);
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
