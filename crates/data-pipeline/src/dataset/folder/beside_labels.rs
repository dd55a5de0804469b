//! Columns of a table beside that of the labels: those that may be meant in its place, and those
//! that are not read although they say what a row is good for.

use super::set::FolderOptions;
use super::{layout, listing};
use crate::error::DataError;
use std::collections::BTreeMap;
use std::path::Path;

/// Columns that say of which part of the data a row is, in lower case.
const PARTS: [&str; 6] = ["split", "is_valid", "fold", "set", "subset", "partition"];

/// Columns that say whose picture it is, in lower case.
const GROUPS: [&str; 6] = ["patient", "patient_id", "subject", "subject_id", "group", "group_id"];

/// Whether a column is called as one that says of which part of the data a row is.
pub(crate) fn is_of_parts(column: &str) -> bool {
    PARTS.contains(&&*column.trim().to_lowercase())
}

/// Refuses a table whose labelled rows are of several parts by a column that is not read, if they
/// are `learned` from: test rows would be among them. A note where they are measured on, and where
/// the values, as those of folds, do not say so much. `values`: each one that labelled rows have.
pub(crate) fn refuse_parts<'a>(
    path: &Path,
    column: &str,
    values: impl IntoIterator<Item = &'a str>,
    learned: bool,
) -> Result<Option<String>, DataError> {
    let values: Vec<&str> = values.into_iter().filter(|value| !value.is_empty()).collect();
    if values.len() < 2 {
        return Ok(None);
    }
    let shown = layout::ticked(values.iter().copied());
    if !learned {
        return Ok(Some(format!(
            "the column `{column}` of {} is not read: labelled rows of all its values are measured \
             on, {shown}; if they are parts of the data, name a table of the part that is meant",
            path.display()
        )));
    }
    let is_flag = column.trim().eq_ignore_ascii_case("is_valid");
    // Rows of these two are both learned from.
    let is = |value: &str, names: [&str; 2]| names.contains(&&*value.to_lowercase());
    let is_labelled = |value: &str| is(value, ["labeled", "labelled"]);
    let is_unlabelled = |value: &str| is(value, ["unlabeled", "unlabelled"]);
    let mut parts = values.iter().filter(|value| !is_unlabelled(value));
    let is_part = |value: &&str| listing::is_part(value) && !is_labelled(value);
    if is_flag || parts.clone().count() > 1 && parts.any(is_part) {
        return Err(DataError::Missing {
            path: path.to_path_buf(),
            fault: format!(
                "the column `{column}` is not read, and by it the labelled rows are of several \
                 parts: {shown}"
            ),
            way_out: "make a table of each part, for --labeled or --text, --validation and --test, \
                      and of rows without labels for --unlabeled; rename the column if it says \
                      something else",
        });
    }
    Ok(Some(format!(
        "the column `{column}` of {} is not read: labelled rows of all its values count, {shown}; \
         if they are parts of the data, make a table of each, for --labeled or --text, --validation \
         and --test",
        path.display()
    )))
}

/// What a table has beside files and labels.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// The name of the column of labels; none where there is none, or where no line names it.
    pub(super) label: Option<String>,
    /// Other columns that may be the labels.
    pub(super) others: Vec<String>,
    /// The columns of the first line, where it names them.
    pub(super) columns: Vec<String>,
    /// The columns of parts and groups: how many rows have which value and label, if they have one.
    pub(super) values: BTreeMap<String, BTreeMap<[String; 2], u64>>,
}

impl Beside {
    /// Whether the values of a column are to be counted.
    pub(super) fn is_watched(column: &str) -> bool {
        is_of_parts(column) || GROUPS.contains(&&*column.trim().to_lowercase())
    }

    /// Counts a value of a column in a row with this label.
    pub(super) fn count(&mut self, column: &str, value: &str, label: &str) {
        let values = self.values.entry(column.to_owned()).or_default();
        *values.entry([value.trim(), label].map(str::to_owned)).or_default() += 1;
    }

    /// What should be known of the columns that are not read: of the rows that have a label, and of
    /// groups only where labels may be held out, as no classes are given. Fails if by one of them
    /// rows that are learned from are of several parts.
    pub(super) fn notes(
        &self,
        table: &Path,
        options: &FolderOptions,
    ) -> Result<Vec<String>, DataError> {
        // Classes are given for what is measured on.
        let learned = options.classes.is_none();
        let mut notes = Vec::new();
        if let (Some(label), false) = (&self.label, self.others.is_empty()) {
            notes.push(other_labels(label, &self.others));
        }
        for (column, counted) in &self.values {
            let mut values: BTreeMap<&str, u64> = BTreeMap::new();
            for ([value, label], rows) in counted {
                if options.is_label(label) {
                    *values.entry(value).or_default() += rows;
                }
            }
            let is_repeated = |(value, rows): (&&str, &u64)| *rows > 1 && !value.is_empty();
            if is_of_parts(column) {
                notes.extend(refuse_parts(table, column, values.into_keys(), learned)?);
            } else if learned && values.iter().any(is_repeated) {
                notes.push(format!(
                    "the column `{column}` of {} is not read, and some of its values have several \
                     pictures: labels are held out and intervals taken by picture; give \
                     --validation and --test with others than are learned from",
                    table.display()
                ));
            }
        }
        Ok(notes)
    }
}

/// A note on other columns that may hold the labels.
pub(super) fn other_labels(column: &str, others: &[String]) -> String {
    let others = layout::ticked(others.iter().map(String::as_str));
    format!(
        "labels are read from the column `{column}`; {others} may be meant too: if so, rename the \
         columns so that the one that is meant is `label`"
    )
}
