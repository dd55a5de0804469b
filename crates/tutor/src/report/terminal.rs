//! The table printed at the end of a run, as aligned plain text.

use super::result::{Group, RunResult};
use super::tables::{self, Table};
use super::words::{self, Verdict};

/// Rows, paired differences and the outcome, aligned, ending with a line break.
pub(crate) fn table(result: &RunResult) -> String {
    let mut out = String::new();
    for group in [Group::Generation, Group::Ablation, Group::Baseline, Group::Method] {
        if let Some((table, _)) = tables::results(result, group) {
            out += &aligned(&table);
            out.push('\n');
        }
    }
    if let Some(table) = tables::comparisons(result) {
        out += &aligned(&table);
        out.push('\n');
    }
    let outcome = words::outcome(result);
    if outcome.verdict != Verdict::Nothing {
        out += &format!("{}. ", words::capitalised(&outcome.title));
    }
    out += &outcome.sentence;
    out.push('\n');
    for note in &result.notes {
        out += &format!("note: {note}\n");
    }
    out
}

/// Columns padded to their widest cell, two spaces between; figures to the right, words to the left.
fn aligned(table: &Table) -> String {
    let lines = || std::iter::once(&table.header).chain(&table.rows);
    let width = |s: &str| s.chars().count();
    let columns = table.header.len();
    let widths: Vec<usize> =
        (0..columns).map(|c| lines().map(|l| width(&l[c])).max().unwrap_or(0)).collect();
    let figures = table.figures();
    let mut out = String::new();
    for line in lines() {
        let mut text = String::new();
        for (c, cell) in line.iter().enumerate() {
            let pad = " ".repeat(widths[c] - width(cell));
            let gap = if c == 0 { "" } else { "  " };
            let (before, after) =
                if figures[c] { (pad, String::new()) } else { (String::new(), pad) };
            text += &format!("{gap}{before}{cell}{after}");
        }
        out += text.trim_end();
        out.push('\n');
    }
    out
}
