//! Columns that say of which part of the data a row is.

use super::{OfTable, OwnTexts};
use crate::dataset::folder::beside_labels::{is_of_parts, refuse_parts};
use crate::error::DataError;
use crate::text::read::Tally;
use crate::text::table;
use std::collections::BTreeSet;
use std::path::Path;

impl OwnTexts {
    /// Notes on columns that say of which part of the data a labelled row is and are not read.
    /// Fails if by one of them rows that are learned from are of several parts.
    pub(super) fn parts(&self, path: &Path, read: &OfTable) -> Result<Vec<String>, DataError> {
        let mut notes = Vec::new();
        let Some(label) = read.label.as_deref() else { return Ok(notes) };
        let names = [Some(read.text.as_str()), read.pair.as_deref(), Some(label)];
        // The table was read before: what is wrong with it was told or passed over.
        let columns = table::names(path, self.on_bad).unwrap_or_default();
        let is_unread =
            |column: &&String| is_of_parts(column) && !names.contains(&Some(column.as_str()));
        let is_label = |label: &str| {
            !label.is_empty() && self.no_label.iter().all(|none| none.trim() != label)
        };
        for column in columns.iter().filter(is_unread) {
            // Apart from the texts: such a column may have cells that cannot be read.
            let rows = table::read(path, &[column, label], self.on_bad, &mut Tally::default());
            let mut values = BTreeSet::new();
            for row in rows.unwrap_or_default() {
                if let [Some(value), Some(label)] = &row.cells[..]
                    && is_label(label.trim())
                {
                    values.insert(value.trim().to_owned());
                }
            }
            // Classes are given for what is measured on.
            let (values, learned) = (values.iter().map(String::as_str), self.classes.is_none());
            notes.extend(refuse_parts(path, column, values, learned)?);
        }
        Ok(notes)
    }
}
