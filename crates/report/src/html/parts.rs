//! What the parts of the page share: tables and keys.

use maud::{Markup, html};

use crate::section::Table;
use crate::tables::PER_SEED;

/// A table of figures; `extra` is a further column of drawings with its heading. Cells that hold a
/// list of seeds are set small.
pub(super) fn table(table: &Table, extra: Option<(&Markup, &[Markup])>) -> Markup {
    let list = table.header.iter().position(|h| h == PER_SEED);
    let edges = edges(table);
    let figures = table.figures();
    let words = |c: usize| c > 0 && !figures[c];
    let last = table.rows.len().saturating_sub(1);
    html! {
        div.scroll tabindex="0" { table.beside[!table.spans.is_empty()].drawn[extra.is_some()] {
            thead {
                @if !table.spans.is_empty() {
                    tr.span { @for (words, n) in &table.spans {
                        @if words.is_empty() { td colspan=(n) {} } @else { th colspan=(n) { (words) } }
                    } }
                }
                tr {
                    @for (c, head) in table.header.iter().enumerate() {
                        th.edge[edges.contains(&c)].word[words(c)] { (head) }
                        @if c == 0 { @if let Some((head, _)) = extra { th.axis { (head) } } }
                    }
                }
            }
            tbody { @for (r, row) in table.rows.iter().enumerate() {
                tr.summary[table.summary && r == last] {
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
pub(super) fn key(names: &[(&str, &str)]) -> Markup {
    html! {
        div.key { @for (name, colour) in names { span style={ "--c:" (colour) } { (name) } } }
    }
}
