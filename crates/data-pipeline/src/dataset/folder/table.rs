//! Tables of files and labels: CSV, TSV and lines of JSON.

use super::beside_labels::Beside;
use super::places::Places;
use crate::error::DataError;
use crate::picture::kind;
use crate::text::table::first_line;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::string::FromUtf8Error;

/// A line of a table.
#[derive(Debug)]
pub(super) struct Row {
    /// Counted from 1.
    pub(super) line: u64,
    /// As it is written, without spaces at its ends unless a file is called so.
    pub(super) file: String,
    /// None where it is empty.
    pub(super) label: Option<String>,
}

/// Names of the column of files, in lower case.
const FILES: [&str; 14] = [
    "file",
    "file_name",
    "filename",
    "file name",
    "path",
    "file_path",
    "filepath",
    "image",
    "image_path",
    "image_name",
    "img",
    "image_id",
    "id_code",
    "id",
];

/// Names of the column of labels, in lower case; `dx` is that of HAM10000.
const LABELS: [&str; 9] =
    ["label", "labels", "class", "class_name", "category", "target", "diagnosis", "dx", "y"];

/// Columns that say in words what a column of labels says, in lower case.
const WORDS: [&str; 3] = ["label_name", "target_name", "category_name"];

const WAY_OUT: &str = "columns are `file` and `label`";

/// What is said where no column is called as one of labels.
pub(super) const NO_LABELS: &str = "labels are read from `label`, `labels`, `class`, `class_name`, \
                                    `category`, `target`, `diagnosis`, `dx` or `y`: rename the one \
                                    that is meant";

/// Whether a file is a table, by its name.
pub(super) fn is_table(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    ["csv", "tsv", "jsonl", "ndjson"].iter().any(|known| ending == *known)
}

/// Whether a table has the columns `label` and `confidence`, as `tutor predict` writes them: what a
/// network said, not what is known.
pub(super) fn is_of_predictions(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut line = Vec::new();
    // A line of JSON has every probability in it, too.
    if BufReader::new(file).take(1 << 20).read_until(b'\n', &mut line).is_err() {
        return false;
    }
    let line = String::from_utf8_lossy(&line);
    let line = line.trim_start_matches('\u{feff}').trim();
    let names: Vec<String> = match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(row)) => row.into_iter().map(|(name, _)| name).collect(),
        _ => line.split(['\t', ';', ',']).map(|name| name.trim_matches('"').to_owned()).collect(),
    };
    ["label", "confidence"].iter().all(|wanted| names.iter().any(|name| name == wanted))
}

/// Reads a table. Whether a file of a name is in `places` tells a line of data from a header.
pub(super) fn read(path: &Path, places: &Places<'_>) -> Result<(Vec<Row>, Beside), DataError> {
    let bytes = std::fs::read(path).map_err(DataError::io(path, "check the path of the table"))?;
    let text = String::from_utf8(bytes).map_err(|error| no_text(path, &error))?;
    let text = text.trim_start_matches('\u{feff}');
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let (rows, beside) = if ending == "jsonl" || ending == "ndjson" {
        json(path, text, places)?
    } else {
        csv(path, text, places)?
    };
    if rows.is_empty() {
        return Err(fault(path, 1, "no file is listed"));
    }
    Ok((rows, beside))
}

/// What is said of a table that is no text in UTF-8.
fn no_text(path: &Path, error: &FromUtf8Error) -> DataError {
    let path = path.to_path_buf();
    let kind = kind(error.as_bytes());
    if kind.is_other_than_text() {
        let fault = format!("is {kind}, where a CSV file or lines of JSON are expected");
        let way_out = "save files and labels as .csv, .tsv or .jsonl";
        return DataError::Missing { path, fault, way_out };
    }
    let offset = error.utf8_error().valid_up_to() as u64;
    let fault = "no UTF-8 text".to_owned();
    DataError::Format { path, offset, fault, way_out: "save it as UTF-8" }
}

/// The name of a file as it is written, if one is called so, else without spaces at its ends.
fn named(written: &str, places: &Places<'_>) -> String {
    let name = written.trim();
    let as_written = name != written
        && (places.is_there(written) || !places.is_there(name) && places.find(written).is_ok());
    if as_written { written.to_owned() } else { name.to_owned() }
}

fn fault(path: &Path, line: u64, fault: impl Into<String>) -> DataError {
    DataError::Line { path: path.to_path_buf(), line, fault: fault.into(), way_out: WAY_OUT }
}

fn csv(path: &Path, text: &str, places: &Places<'_>) -> Result<(Vec<Row>, Beside), DataError> {
    let first = text.lines().next().unwrap_or_default();
    // The most frequent one; of equals, a comma.
    let delimiter = [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|&delimiter| first.bytes().filter(|&byte| byte == delimiter).count())
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let (mut rows, mut beside) = (Vec::new(), Beside::default());
    // The columns of files and labels.
    let mut columns = None;
    // Those whose values are counted.
    let mut watched: Vec<(usize, String)> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, |at| first_line(text.as_bytes(), at));
            fault(path, line, error.to_string())
        })?;
        let line = record.position().map_or(0, |at| first_line(text.as_bytes(), at));
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let (file, label, width) = match columns {
            Some(columns) => columns,
            None => {
                let (found, is_header) = header(path, line, &record, places)?;
                columns = Some(found);
                if is_header {
                    let names: Vec<String> =
                        record.iter().map(|name| name.trim().to_owned()).collect();
                    let is_watched = |(_, name): &(usize, String)| Beside::is_watched(name);
                    watched = names.iter().cloned().enumerate().filter(is_watched).collect();
                    beside = among(names);
                    continue;
                }
                found
            }
        };
        if record.len() > width {
            let what = format!("{} cells, the first line has {width}", record.len());
            return Err(fault(path, line, format!("{what}: put a name with commas in quotes")));
        }
        let name = named(record.get(file).unwrap_or_default(), places);
        if name.is_empty() {
            return Err(fault(path, line, "the cell of the file is empty"));
        }
        let label = label.and_then(|label| record.get(label)).map(str::trim);
        let label = label.filter(|label| !label.is_empty()).map(str::to_owned);
        if let Some(label) = &label {
            for (place, column) in &watched {
                beside.count(column, record.get(*place).unwrap_or_default(), label);
            }
        }
        rows.push(Row { line, file: name, label });
    }
    Ok((rows, beside))
}

/// What columns of these names say, of which the likeliest holds the labels.
fn among(columns: Vec<String>) -> Beside {
    let find = |name: &&str| columns.iter().find(|column| column.eq_ignore_ascii_case(name));
    let mut found = LABELS.iter().filter_map(find);
    let label = found.next().cloned();
    let others = found.chain(WORDS.iter().filter_map(find)).cloned().collect();
    Beside { label, others, columns, ..Beside::default() }
}

/// The columns of files and labels and the number of columns.
type Columns = (usize, Option<usize>, usize);

/// The columns, and whether the first line names them.
fn header(
    path: &Path,
    line: u64,
    first: &csv::StringRecord,
    places: &Places<'_>,
) -> Result<(Columns, bool), DataError> {
    let cells: Vec<String> = first.iter().map(|cell| cell.trim().to_lowercase()).collect();
    let place =
        |names: &[&str]| names.iter().find_map(|name| cells.iter().position(|cell| cell == name));
    let start = named(first.get(0).unwrap_or_default(), places);
    let column = place(&FILES);
    let is_data = places.is_there(&start)
        || super::content::is_named_as_image(Path::new(&start))
        || column.is_none() && places.find(&start).is_ok();
    if is_data {
        if first.len() > 2 {
            let what = format!("{} columns without names", first.len());
            return Err(fault(path, line, what));
        }
        return Ok(((0, (first.len() == 2).then_some(1), first.len()), false));
    }
    match column {
        Some(file) => {
            let label = place(&LABELS);
            if label.is_none() && first.len() > 1 {
                let what = format!("no column of labels among {}", cells.join(", "));
                return Err(fault(path, line, what));
            }
            Ok(((file, label, first.len()), true))
        }
        None => {
            let what = format!("neither a file nor a header with one: {}", cells.join(", "));
            Err(fault(path, line, what))
        }
    }
}

fn json(path: &Path, text: &str, places: &Places<'_>) -> Result<(Vec<Row>, Beside), DataError> {
    let (mut rows, mut beside) = (Vec::new(), Beside::default());
    for (number, text) in text.lines().enumerate() {
        let line = number as u64 + 1;
        if text.trim().is_empty() {
            continue;
        }
        let value: serde_json::Map<String, Value> =
            serde_json::from_str(text).map_err(|error| fault(path, line, error.to_string()))?;
        let find = |names: &[&str]| names.iter().find_map(|name| value.get(*name));
        let Some(Value::String(file)) = find(&FILES) else {
            return Err(fault(path, line, "no `file_name` that is text"));
        };
        // Keys may be left out of an object: the first one that has a label says what is read.
        if beside.label.is_none() {
            let mut keys = among(value.keys().cloned().collect());
            // Keys are read as they are written.
            keys.label.take_if(|key| !LABELS.contains(&key.as_str()));
            if rows.is_empty() || keys.label.is_some() {
                let Beside { label, others, columns, .. } = keys;
                beside = Beside { label, others, columns, ..beside };
            }
        }
        let label = match find(&LABELS) {
            None | Some(Value::Null) => None,
            Some(Value::String(label)) if label.trim().is_empty() => None,
            Some(Value::String(label)) => Some(label.trim().to_owned()),
            Some(label @ (Value::Number(_) | Value::Bool(_))) => Some(label.to_string()),
            Some(other) => {
                let what = format!("the label is {other}, neither text nor a number");
                return Err(fault(path, line, what));
            }
        };
        if let Some(label) = &label {
            for (key, value) in value.iter().filter(|(key, _)| Beside::is_watched(key)) {
                match value {
                    Value::String(value) => beside.count(key, value, label),
                    Value::Null => {}
                    value => beside.count(key, &value.to_string(), label),
                }
            }
        }
        rows.push(Row { line, file: named(file, places), label });
    }
    Ok((rows, beside))
}
