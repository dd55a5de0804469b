//! What is printed at the end of a run: the rows as one aligned table a group, one sentence, notes.

use crate::outcome::outcome;
use crate::result::RunResult;
use crate::section::Table;
use crate::tables::{self, PER_SEED};
use crate::words::{heading, interval, signed};

/// Columns of text that a line may take.
const WIDTH: usize = 100;
/// Columns of text that the words over a column may take where its cells do not need more.
const HEADING: usize = 16;
/// Space between columns.
const GAP: &str = "  ";

/// The rows of each group with their paired differences, one sentence on what may be claimed, the
/// notes, and whether the run gave what its recipe expects; ends with a line break. Tables wider
/// than 100 columns leave out the values of the single seeds, then further metrics.
pub fn terminal(result: &RunResult) -> String {
    let mut out = String::new();
    for group in result.groups() {
        let Some(results) = tables::results(result, group) else { continue };
        if !group.is_empty() {
            out += &format!("{group}\n");
        }
        let mut table = results.table;
        let per_seed = table.header.iter().position(|h| h == PER_SEED);
        let at = per_seed.unwrap_or(results.lead_columns);
        let mut figures = table.figures();
        let compared = add_differences(result, &mut table, at);
        if compared {
            figures.insert(at, false);
        }
        let kept = at + usize::from(compared);
        let left_out = fit(&mut table, &mut figures, kept);
        out += &aligned(&table, &figures);
        if left_out {
            out += "(further metrics are in report.md)\n";
        }
        out.push('\n');
    }
    let sentence = outcome(result).sentence;
    let notes = result.notes().into_iter().map(|note| format!("note: {note}"));
    for words in [sentence].into_iter().chain(notes) {
        out += &format!("{}\n", wrapped(&words, WIDTH).join("\n"));
    }
    result.expected.iter().for_each(|checked| out += &format!("{}\n", checked.sentence()));
    out
}

/// Inserts a column at `at` with one paired difference a row, the headline's where it is one of the
/// row; whether there is any.
fn add_differences(result: &RunResult, table: &mut Table, at: usize) -> bool {
    let Some(headline) = result.headline() else { return false };
    let alike = |name: &str| {
        let all = std::iter::once(headline).chain(&result.comparisons);
        all.into_iter()
            .find(|c| c.left == name && c.metric == headline.metric && c.unit == headline.unit)
    };
    let cells: Vec<String> = table
        .rows
        .iter()
        .map(|row| {
            alike(&row[0]).map_or(String::new(), |c| {
                let over = c.ci95.map(|_| format!(" {}", interval(c.ci95, &c.unit)));
                let mean = signed(c.mean, &c.unit);
                format!("{mean}{} to {}", over.unwrap_or_default(), c.right)
            })
        })
        .collect();
    if cells.iter().all(String::is_empty) {
        return false;
    }
    let level = headline.ci95.map_or("", |_| " [95\u{a0}%\u{a0}interval]");
    table.header.insert(at, format!("{}{level}", heading("paired difference", &headline.unit)));
    table.rows.iter_mut().zip(cells).for_each(|(row, cell)| row.insert(at, cell));
    true
}

/// Takes columns away, the single seeds first and then the last ones, down to `kept`, until the
/// table is no wider than a line. Returns whether further metrics went.
fn fit(table: &mut Table, figures: &mut Vec<bool>, kept: usize) -> bool {
    let mut left_out = false;
    while width(table) > WIDTH && table.header.len() > kept {
        let per_seed = table.header.iter().position(|h| h == PER_SEED);
        let at = per_seed.unwrap_or(table.header.len() - 1);
        table.header.remove(at);
        figures.remove(at);
        table.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        left_out |= per_seed.is_none();
    }
    left_out
}

fn width(table: &Table) -> usize {
    let columns = columns(table);
    let gaps = GAP.len() * columns.len().saturating_sub(1);
    columns.iter().map(|(width, _)| width).sum::<usize>() + gaps
}

/// The width of each column, and its heading in lines.
fn columns(table: &Table) -> Vec<(usize, Vec<String>)> {
    let column = |(c, head): (usize, &String)| {
        let cells = table.rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
        let lines = wrapped(head, cells.max(HEADING));
        let heading = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        (cells.max(heading), lines)
    };
    table.header.iter().enumerate().map(column).collect()
}

/// Words in lines no wider than `width` unless a word is. A number stays with its `%`, and spaces
/// that must not break become plain ones.
fn wrapped(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.replace(" %", "\u{a0}%").split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

/// Columns padded to their widest cell; figures to the right, words to the left; headings stand on
/// the line above the rows.
fn aligned(table: &Table, figures: &[bool]) -> String {
    let columns = columns(table);
    let height = columns.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
    let heading = |at: usize| -> Vec<&str> {
        let line = |lines: &'_ [String]| (at + lines.len()).checked_sub(height);
        let words = columns.iter().map(|(_, lines)| line(lines).map_or("", |i| lines[i].as_str()));
        words.collect()
    };
    let rows = table.rows.iter().map(|row| row.iter().map(String::as_str).collect());
    let mut out = String::new();
    for line in (0..height).map(heading).chain(rows) {
        let mut text = String::new();
        for (c, cell) in line.iter().enumerate() {
            let pad = " ".repeat(columns[c].0 - cell.chars().count());
            let gap = if c == 0 { "" } else { GAP };
            let (before, after) = if figures[c] { (pad.as_str(), "") } else { ("", pad.as_str()) };
            text += &format!("{gap}{before}{cell}{after}");
        }
        out += text.trim_end();
        out.push('\n');
    }
    out
}
