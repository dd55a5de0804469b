//! Tables of cells: TSV, CSV, lines of JSON, Parquet. Cells are found by the names of columns.
//!
//! | file, the first three also with `.gz` or `.zst` behind | is read |
//! |---|---|
//! | `.tsv` | a row a line, cells between tabs, quotes are characters |
//! | `.csv` | quoted cells may hold line ends; comma, semicolon, tab or `\|`, whichever is most frequent in the first line, or what Excel's line `sep=;` above it says |
//! | `.jsonl`, `.ndjson` | an object a line |
//! | `.parquet` | rows; numbers are written out, those of Hugging Face's classes as their names, -1 is none |

mod heading;
mod records;

use super::read::{
    Columns, Lines, NO_UTF8, OnBadInput, Tally, columns, if_quoted, json_fault, open, refuse_json,
    refuse_pipe,
};
use crate::endings::ends_with;
use crate::error::DataError;
use heading::AboveNames;
use serde_json::Value;
use std::io::{Cursor, Read};
use std::path::Path;

pub(crate) use records::CsvRecords;

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line, or the row in Parquet, counted from 1.
    pub(super) line: u64,
    /// The cells of the columns asked for; none where it is null or absent.
    pub(super) cells: Vec<Option<String>>,
}

/// Lines may have so many bytes.
const LONGEST: usize = 256 << 20;

const WAY_OUT: &str = "mend it, or let bad input be skipped";

/// What to do about a table without names; that it is skipped is no help.
const FIRST_LINE: &str = "mend its first line, or fetch the file again";

/// The names of the columns of a table, whose rows are then read from its beginning; in lines of
/// JSON those of all objects.
pub(super) fn names(path: &Path, on_bad: OnBadInput) -> Result<Vec<String>, DataError> {
    refuse_pipe(path)?;
    refuse_json(path)?;
    if ends_with(path, &["parquet"]) {
        return columns(path);
    }
    if ends_with(path, &["jsonl", "ndjson"]) {
        return keys(Lines::open(path, on_bad, LONGEST)?);
    }
    let mut lines = Lines::open(path, OnBadInput::Error, LONGEST)?;
    let (mut tally, mut above) = (Tally::default(), AboveNames::default());
    while let Some(line) = lines.next(&mut tally).map_err(of_first_line)? {
        if ends_with(path, &["csv"]) {
            // Where lines end by CR alone, this is the whole file.
            for line in line.split('\r') {
                let Some(delimiter) = above.pass(line) else { continue };
                let mut reader = csv_reader(delimiter).from_reader(line.as_bytes());
                let record = reader.records().next().transpose();
                let record = record.map_err(|error| lines.fault(error.to_string(), FIRST_LINE))?;
                let names = record.iter().flat_map(|record| record.iter());
                return Ok(names.map(|name| name.trim().to_owned()).collect());
            }
        } else if !line.trim().is_empty() {
            return Ok(line.split('\t').map(|cell| cell.trim().to_owned()).collect());
        }
    }
    Err(empty(path, "name one with rows below a first line of names"))
}

fn empty(path: &Path, way_out: &'static str) -> DataError {
    DataError::Missing { path: path.to_path_buf(), fault: "the table is empty".into(), way_out }
}

/// An error about the first line of a table, without which no other line has a meaning.
fn of_first_line(error: DataError) -> DataError {
    match error {
        DataError::Line { path, line, fault, .. } => {
            DataError::Line { path, line, fault, way_out: FIRST_LINE }
        }
        other => other,
    }
}

/// The keys of all objects. A line that cannot be read is told of when the rows are read, but a
/// file without any that can is none of objects.
fn keys(mut lines: Lines) -> Result<Vec<String>, DataError> {
    let (mut tally, mut keys, mut fault) = (Tally::default(), Vec::<String>::new(), None);
    let whole = "mend it, or name a table with an object a line";
    while let Some(line) = lines.next(&mut tally)? {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<serde_json::Map<String, Value>>(line) {
            Ok(object) => {
                let new = object.into_iter().map(|(key, _)| key).filter(|key| !keys.contains(key));
                keys.extend(new.collect::<Vec<_>>());
            }
            Err(error) => fault = fault.or_else(|| Some(lines.fault(json_fault(&error), whole))),
        }
    }
    match fault {
        Some(fault) if keys.is_empty() => Err(fault),
        None if !tally.skipped.is_empty() && keys.is_empty() => {
            Err(lines.fault("no line of it can be read", "fetch the file again"))
        }
        None if keys.is_empty() => Err(empty(&lines.path, "name one with an object a line")),
        _ => Ok(keys),
    }
}

/// All rows of a table, of each the cells of these columns.
pub(super) fn read(
    path: &Path,
    wanted: &[&str],
    on_bad: OnBadInput,
    tally: &mut Tally,
) -> Result<Vec<Row>, DataError> {
    tally.files += 1;
    if ends_with(path, &["parquet"]) {
        return parquet(path, wanted, tally);
    }
    if ends_with(path, &["jsonl", "ndjson"]) {
        return json(path, wanted, on_bad, tally);
    }
    if ends_with(path, &["csv"]) {
        return csv(path, Some(wanted), on_bad, tally);
    }
    let names = names(path, on_bad)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let places = places(path, &names, wanted)?;
    let mut lines = Lines::open(path, on_bad, LONGEST)?;
    // To the names, which are read already.
    while lines.next(tally)?.is_some_and(|line| line.trim().is_empty()) {}
    let rows = tsv(lines, Some(names.len()), &places, on_bad, tally);
    Ok(rows.map_err(|error| if_quoted(error, LONGEST))?.0)
}

/// Rows of lines between tabs, and the numbers of the blank lines among them. `width` is the number
/// of cells in a row, where it is known; fewer are bad input, and so are more.
pub(super) fn tsv(
    mut lines: Lines,
    width: Option<usize>,
    places: &[usize],
    on_bad: OnBadInput,
    tally: &mut Tally,
) -> Result<(Vec<Row>, Vec<u64>), DataError> {
    let needed = places.iter().map(|place| place + 1).max().unwrap_or(0);
    let (mut rows, mut blank) = (Vec::new(), Vec::new());
    while let Some(line) = lines.next(tally)? {
        if line.is_empty() {
            blank.push(lines.number);
            continue;
        }
        let cells: Vec<&str> = line.split('\t').collect();
        if cells.len() < needed || width.is_some_and(|width| width != cells.len()) {
            let fault = format!("{} columns, {} are needed", cells.len(), width.unwrap_or(needed));
            bad(lines.fault(fault, WAY_OUT), on_bad, tally, "a row with other columns")?;
            continue;
        }
        let cells = places.iter().map(|&place| Some(cells[place].to_owned())).collect();
        rows.push(Row { line: lines.number, cells });
    }
    Ok((rows, blank))
}

/// Rows of a CSV file: the columns of these names, or all cells of each row where the file has no
/// names.
pub(super) fn csv(
    path: &Path,
    wanted: Option<&[&str]>,
    on_bad: OnBadInput,
    tally: &mut Tally,
) -> Result<Vec<Row>, DataError> {
    let mut text = Vec::new();
    let read = open(path)?.read_to_end(&mut text);
    let is_damaged = read.is_err();
    if let Err(error) = read {
        let ends = text.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let way_out = match ends {
            0 => FIRST_LINE,
            _ => "fetch it again, or let bad input be skipped",
        };
        let fault = format!("the file cannot be read on: {error}");
        let error = DataError::Line { path: path.to_path_buf(), line: ends + 1, fault, way_out };
        if ends == 0 {
            return Err(error);
        }
        bad(error, on_bad, tally, "the rest of a damaged file")?;
    }
    end_lines_by_lf(&mut text);
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let (mut delimiter, mut above, mut names_at) = (b',', AboveNames::default(), 0);
    if wanted.is_some() {
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            if let Some(found) = above.pass(&String::from_utf8_lossy(line)) {
                delimiter = found;
                break;
            }
            names_at += line.len();
        }
    }
    let mut reader = csv_reader(delimiter).from_reader(Cursor::new(text));
    let mut places: Option<Vec<usize>> = None;
    let (mut rows, mut width, mut record) = (Vec::new(), None, csv::ByteRecord::new());
    let at = |line: u64, fault: String| DataError::Line {
        path: path.to_path_buf(),
        line,
        fault,
        way_out: WAY_OUT,
    };
    if above.lines > 0 {
        let mut names = csv::Position::new();
        names.set_byte(names_at as u64).set_line(above.lines + 1);
        reader.seek(names).map_err(|error| at(1, error.to_string()))?;
    }
    loop {
        let start = reader.position().line();
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            // The reader only fails where it cannot go on.
            Err(error) => return Err(at(start, error.to_string())),
        }
        let line = record.position().map_or(start, |position| first_line(text, position));
        // Of a damaged file the last record may be a part of one.
        if is_damaged && reader.position().byte() as usize >= text.len() {
            break;
        }
        tally.lines += 1;
        let from = record.position().map_or(0, |position| position.byte() as usize);
        // Empty lines before it are part of a record.
        let from = from + text[from..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let until = (reader.position().byte() as usize).max(from);
        if let Some(first) = swallows_lines(&text[from..until], delimiter) {
            let error = at(line, STRAY_QUOTE.to_owned());
            if wanted.is_some() && places.is_none() {
                return Err(of_first_line(error));
            }
            bad(error, on_bad, tally, "a row with a quote that is not closed")?;
            let mut next = csv::Position::new();
            next.set_byte((from + first) as u64).set_line(line + 1);
            reader.seek(next).map_err(|error| at(line, error.to_string()))?;
            continue;
        }
        let cells: Option<Vec<&str>> =
            record.iter().map(|cell| std::str::from_utf8(cell).ok()).collect();
        let Some(cells) = cells else {
            let (path, fault) = (path.to_path_buf(), "no UTF-8".to_owned());
            let error = DataError::Line { path, line, fault, way_out: NO_UTF8 };
            if wanted.is_some() && places.is_none() {
                return Err(of_first_line(error));
            }
            bad(error, on_bad, tally, "a row that is no UTF-8")?;
            continue;
        };
        if let (Some(wanted), None) = (wanted, &places) {
            let names: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
            places = Some(self::places(path, &names, wanted)?);
            width = Some(names.len());
            continue;
        }
        let expected = *width.get_or_insert(cells.len());
        if cells.len() != expected {
            let fault = format!("{} columns, the first line has {expected}", cells.len());
            bad(at(line, fault), on_bad, tally, "a row with other columns")?;
            continue;
        }
        let owned = |cell: &str| Some(cell.to_owned());
        let cells = match &places {
            Some(places) => places.iter().map(|&place| owned(cells[place])).collect(),
            None => cells.into_iter().map(owned).collect(),
        };
        rows.push(Row { line, cells });
    }
    match (wanted, places) {
        (Some(_), None) => Err(empty(path, "name one with rows below a first line of names")),
        _ => Ok(rows),
    }
}

fn csv_reader(delimiter: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    // UDA's sets and own files double quotes inside of quotes, as RFC 4180.
    builder.delimiter(delimiter).has_headers(false).flexible(true);
    builder
}

const STRAY_QUOTE: &str = "a cell begins with a quote that no other one closes before the next cell \
                           or row, so that the rows behind it would become part of it";

/// Where the second line of a record begins if a quote at the start of one of its cells is closed
/// nowhere, or in the middle of another cell: by a stray quote the record has taken lines that are
/// rows of their own.
fn swallows_lines(record: &[u8], delimiter: u8) -> Option<usize> {
    let ends = |byte: u8| byte == delimiter || byte == b'\n' || byte == b'\r';
    let is_blank = |byte: &&u8| **byte == b' ' || (**byte == b'\t' && delimiter != b'\t');
    let (mut at, mut is_start) = (0, true);
    while at < record.len() {
        if !(is_start && record[at] == b'"') {
            is_start = ends(record[at]);
            at += 1;
            continue;
        }
        let begin = at;
        at += 1;
        // Up to a quote that is not doubled.
        loop {
            match (record.get(at), record.get(at + 1)) {
                (Some(b'"'), Some(b'"')) => at += 2,
                (Some(b'"'), _) | (None, _) => break,
                _ => at += 1,
            }
        }
        let mut behind = record.iter().skip(at + 1).skip_while(is_blank);
        let is_closed = at < record.len() && behind.next().is_none_or(|&byte| ends(byte));
        if !is_closed && record[begin..at].contains(&b'\n') {
            return record.iter().position(|&byte| byte == b'\n').map(|end| end + 1);
        }
        at += 1;
        is_start = false;
    }
    None
}

/// What stands between the cells of a CSV file, and how many lines above its names. With `by_cr`,
/// CR ends lines, and there is no LF.
fn separator(path: &Path, by_cr: bool) -> Result<(u8, u64), DataError> {
    let mut lines = Lines::open(path, OnBadInput::Error, LONGEST)?;
    let (mut tally, mut above) = (Tally::default(), AboveNames::default());
    while let Some(text) = lines.next(&mut tally).map_err(of_first_line)? {
        for line in text.split(|end| by_cr && end == '\r') {
            if let Some(delimiter) = above.pass(line) {
                return Ok((delimiter, above.lines));
            }
        }
    }
    Ok((b',', above.lines))
}

fn json(
    path: &Path,
    wanted: &[&str],
    on_bad: OnBadInput,
    tally: &mut Tally,
) -> Result<Vec<Row>, DataError> {
    let mut lines = Lines::open(path, on_bad, LONGEST)?;
    let mut rows = Vec::new();
    while let Some(line) = lines.next(tally)? {
        if line.trim().is_empty() {
            continue;
        }
        match object(line, wanted) {
            Ok(cells) => rows.push(Row { line: lines.number, cells }),
            Err(fault) => {
                bad(lines.fault(fault, WAY_OUT), on_bad, tally, "a record that cannot be read")?;
            }
        }
    }
    // A column that no row has a cell of may be one that no object has.
    let is_empty = |place: &usize| rows.iter().all(|row| row.cells[*place].is_none());
    if !rows.is_empty() && (0..wanted.len()).any(|place| is_empty(&place)) {
        let names = keys(Lines::open(path, on_bad, LONGEST)?)?;
        places(path, &names.iter().map(String::as_str).collect::<Vec<_>>(), wanted)?;
    }
    Ok(rows)
}

fn object(line: &str, wanted: &[&str]) -> Result<Vec<Option<String>>, String> {
    let mut object: serde_json::Map<String, Value> =
        serde_json::from_str(line).map_err(|error| json_fault(&error))?;
    let cell = |name: &&str| match object.remove(*name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
        Some(_) => Err(format!("`{name}` is neither text nor a number")),
    };
    wanted.iter().map(cell).collect()
}

fn parquet(path: &Path, wanted: &[&str], tally: &mut Tally) -> Result<Vec<Row>, DataError> {
    let mut columns = Columns::open(path, wanted)?;
    let names: Vec<_> = wanted.iter().map(|name| columns.class_names(name)).collect();
    let mut rows: Vec<Row> = Vec::new();
    while let Some(group) = columns.next_group()? {
        for mut cells in group {
            tally.lines += 1;
            for (cell, names) in cells.iter_mut().zip(&names) {
                if let (Some(number), Some(names)) = (&cell, names) {
                    let number = number.parse::<usize>().ok();
                    *cell = number.and_then(|number| names.get(number).cloned());
                }
            }
            rows.push(Row { line: rows.len() as u64 + 1, cells });
        }
    }
    Ok(rows)
}

/// The places of columns among the names of the first line.
fn places(path: &Path, names: &[&str], wanted: &[&str]) -> Result<Vec<usize>, DataError> {
    let place = |wanted: &&str| {
        let mut found = (0..names.len()).filter(|&place| names[place] == *wanted);
        match (found.next(), found.next()) {
            (Some(place), None) => Ok(place),
            (Some(_), Some(_)) => Err(DataError::Line {
                path: path.to_path_buf(),
                line: 1,
                fault: format!("several columns are named `{wanted}`"),
                way_out: "give the others another name",
            }),
            (None, _) => Err(DataError::Column {
                path: path.to_path_buf(),
                column: format!("`{wanted}`"),
                found: names.iter().map(|&name| name.to_owned()).collect(),
            }),
        }
    };
    wanted.iter().map(place).collect()
}

/// Makes an LF of each CR where a text has no LF at all, as files of old programs on a Mac have it:
/// lines are counted by LF.
pub(crate) fn end_lines_by_lf(text: &mut [u8]) {
    if !text.contains(&b'\n') {
        text.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
    }
}

/// The line at which a row begins: the reader's position may be before the end of the line above,
/// as between CR and LF, and before blank lines.
pub(crate) fn first_line(text: &[u8], position: &csv::Position) -> u64 {
    let at = (position.byte() as usize).min(text.len());
    let above = text[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + above.filter(|byte| **byte == b'\n').count() as u64
}

/// An error, or counted.
pub(super) fn bad(
    error: DataError,
    on_bad: OnBadInput,
    tally: &mut Tally,
    reason: &str,
) -> Result<(), DataError> {
    match on_bad {
        OnBadInput::Error => Err(error),
        OnBadInput::Skip => {
            tally.skip(reason);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_end_by_cr_alone_are_counted() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.csv");
        let text = "sep=;\rtext;label\ra, b, c;x\r\"in\rtwo\";y\rwide;z;z\rlast;x\r";
        std::fs::write(&path, text).expect("written");
        assert_eq!(names(&path, OnBadInput::Error).expect("columns"), ["text", "label"]);
        let rows = |on_bad| read(&path, &["text"], on_bad, &mut Tally::default());
        let found: Vec<u64> =
            rows(OnBadInput::Skip).expect("rows").iter().map(|row| row.line).collect();
        assert_eq!(found, [3, 4, 7]);
        let error = rows(OnBadInput::Error).expect_err("a wide row").to_string();
        assert!(error.contains("a.csv line 6"), "{error}");
    }

    #[test]
    fn lines_of_json_have_the_columns_of_all_objects() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a.jsonl");
        let write = |text: &str| std::fs::write(&path, text).expect("written");
        write("{\"text\": \"no label\"}\n\n{\"label\": 1, \"text\": \"b\"}\nbroken\n");
        assert_eq!(names(&path, OnBadInput::Error).expect("columns"), ["text", "label"]);
        let mut tally = Tally::default();
        let rows = read(&path, &["label", "text"], OnBadInput::Skip, &mut tally).expect("rows");
        assert_eq!(rows[0].cells, [None, Some("no label".into())]);
        assert_eq!((rows.len(), tally.skipped.values().sum::<u64>()), (2, 1));
        for (text, fault) in [("\n", "empty"), ("broken\n", "expected value"), ("[1]\n", "map")] {
            write(text);
            let error = names(&path, OnBadInput::Error).expect_err(text).to_string();
            assert!(error.contains(fault), "{error}");
        }
    }
}
