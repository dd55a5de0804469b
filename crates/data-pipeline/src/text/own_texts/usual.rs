//! Usual names of columns, by which they are found where none is given.

use crate::error::{DataError, may_lack_names, shown};
use std::path::Path;

/// Usual names of the column of texts, in lower case.
const TEXTS: [&str; 10] = [
    "text",
    "content",
    "sentence",
    "review",
    "body",
    "comment",
    "message",
    "tweet",
    "document",
    "sentence1",
];

/// Usual names of the two columns of pairs, in lower case: those of GLUE's tasks.
const PAIRS: [[&str; 2]; 4] = [
    ["sentence1", "sentence2"],
    ["premise", "hypothesis"],
    ["question1", "question2"],
    ["question", "sentence"],
];

/// Usual names of the column of labels, in lower case.
const LABELS: [&str; 9] =
    ["label", "labels", "class", "category", "target", "sentiment", "rating", "score", "y"];

/// The first column of one of these names, in whatever case.
fn first(columns: &[String], names: &[&str]) -> Option<String> {
    let find = |name: &&str| columns.iter().find(|column| column.to_lowercase() == **name);
    names.iter().find_map(find).cloned()
}

/// The column of texts.
pub(super) fn texts(columns: &[String]) -> Option<String> {
    first(columns, &TEXTS)
}

/// The column of labels.
pub(super) fn labels(columns: &[String]) -> Option<String> {
    first(columns, &LABELS)
}

/// The columns of pairs, whatever other columns of texts there are: those of `asked` in another
/// case, or of usual names.
pub(super) fn pair(columns: &[String], asked: [&str; 2]) -> Option<[String; 2]> {
    let asked = asked.map(str::to_lowercase);
    let both = |names: [&str; 2]| {
        let [a, b] = names.map(|name| first(columns, &[name]));
        Some([a?, b?])
    };
    both(asked.each_ref().map(String::as_str)).or_else(|| PAIRS.into_iter().find_map(both))
}

/// The columns of pairs; none in a table with a column of texts of another usual name.
pub(super) fn pair_alone(columns: &[String]) -> Option<[String; 2]> {
    let single = texts(columns).map(|column| column.to_lowercase());
    let both = |names: [&str; 2]| {
        let is_other = single.as_ref().is_some_and(|name| !names.contains(&name.as_str()));
        let [a, b] = names.map(|name| first(columns, &[name]));
        a.zip(b).filter(|_| !is_other).map(|(a, b)| [a, b])
    };
    PAIRS.into_iter().find_map(both)
}

/// The column of texts of the table at `path`.
pub(super) fn needed_texts(path: &Path, columns: &[String]) -> Result<String, DataError> {
    texts(columns).ok_or_else(|| no_texts(path, columns))
}

/// The column of labels of the table at `path`.
pub(super) fn needed_labels(path: &Path, columns: &[String]) -> Result<String, DataError> {
    labels(columns).ok_or_else(|| {
        let fault = format!("no column of labels among {}", shown(columns));
        of_names(path, fault, "name it with --label-column")
    })
}

fn no_texts(path: &Path, columns: &[String]) -> DataError {
    let way_out = match may_lack_names(path, columns) {
        true => {
            "name it with --text-column, or write names such as text,label above the first line if \
             it holds none"
        }
        false => "name it with --text-column",
    };
    of_names(path, format!("no column of texts among {}", shown(columns)), way_out)
}

/// A fault in the line of names of a table.
fn of_names(path: &Path, fault: String, way_out: &'static str) -> DataError {
    DataError::Line { path: path.to_path_buf(), line: 1, fault, way_out }
}
