//! A table as text, whatever draws it.

use anyhow::{Result, ensure};

/// Rows of text under a header. The first column names the row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Headings over several columns each: `(words, columns)`; empty when there are none.
    pub spans: Vec<(String, usize)>,
    /// One heading for each column.
    pub header: Vec<String>,
    /// As many cells in each as there are columns.
    pub rows: Vec<Vec<String>>,
    /// Whether the last row sums up the others; it is set in bold.
    pub summary: bool,
}

impl Table {
    /// A table with these headings and no rows yet.
    pub fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// For each column, whether it holds figures, to be set to the right, rather than words.
    pub(crate) fn figures(&self) -> Vec<bool> {
        let figure = |c: char| c.is_ascii_digit() || matches!(c, '+' | '±' | '−' | '–' | '[');
        let column = |c: usize| self.rows.iter().all(|r| r[c].chars().next().is_none_or(figure));
        (0..self.header.len()).map(|c| c > 0 && column(c)).collect()
    }

    /// Checks that all rows and the spans have as many columns as the header.
    pub(crate) fn check(&self) -> Result<()> {
        let columns = self.header.len();
        for (i, row) in self.rows.iter().enumerate() {
            let cells = row.len();
            ensure!(cells == columns, "row {} of a table: {cells} cells, {columns} columns", i + 1);
        }
        let spanned: usize = self.spans.iter().map(|(_, n)| n).sum();
        ensure!(
            self.spans.is_empty() || spanned == columns,
            "the spans of a table cover {spanned} of {columns} columns"
        );
        Ok(())
    }
}
