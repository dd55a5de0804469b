//! Tables of messages.

use super::reading::{Reading, parent_of};
use crate::dialog::message::Message;
use crate::endings::ends_with;
use crate::error::DataError;
use crate::text::read::{Lines, Tally};
use crate::text::table::CsvRecords;
use serde_json::Value;
use std::path::Path;

/// The rows of a table, each with its line. The first one has the names.
enum Rows {
    /// Cells between tabs, where quotes are characters; the width once it is known.
    Tsv(Lines, Option<usize>),
    Csv(CsvRecords),
}

const WAY_OUT: &str = "mend it, or let bad input be skipped";

impl Rows {
    fn open(file: &Path, reading: &Reading<'_>) -> Result<Self, DataError> {
        let (on_bad, longest) = (reading.options.on_bad, reading.options.longest);
        Ok(match ends_with(file, &["tsv"]) {
            true => Self::Tsv(Lines::open(file, on_bad, longest)?, None),
            false => Self::Csv(CsvRecords::open(file, on_bad, longest)?),
        })
    }

    /// The next row with as many cells as the first.
    fn next(&mut self, reading: &mut Reading<'_>) -> Result<Option<(u64, Vec<String>)>, DataError> {
        let (lines, width) = match self {
            Self::Csv(records) => {
                let row = records.next(reading.tally)?;
                return Ok(
                    row.map(|(line, cells)| (line, cells.iter().map(str::to_owned).collect()))
                );
            }
            Self::Tsv(lines, width) => (lines, width),
        };
        loop {
            let mut tally = Tally::default();
            let found = lines.next(&mut tally)?;
            let cells: Option<Vec<String>> = found.map(|line| match *width {
                None if line.trim().is_empty() => Vec::new(),
                Some(_) if line.is_empty() => Vec::new(),
                _ => line.split('\t').map(str::to_owned).collect(),
            });
            // The line of the names is none of the rows.
            tally.lines -= u64::from(cells.is_some() && width.is_none());
            reading.tally.add_lines(&tally);
            let Some(cells) = cells else { return Ok(None) };
            if cells.is_empty() {
                continue;
            }
            let expected = *width.get_or_insert(cells.len());
            if cells.len() == expected {
                return Ok(Some((lines.number, cells)));
            }
            let fault = format!("{} columns, the first line has {expected}", cells.len());
            reading.bad("a row with other columns", lines.fault(fault, WAY_OUT))?;
        }
    }
}

/// A table with a header: a `.tsv` is separated by tabs, others as those of one's own texts, by the
/// same rules. `text` must be there. Without `id`, the rows of a conversation that stand together
/// follow each other, and its name begins with the file's: rows of other files have the same
/// numbers.
pub(super) fn read(file: &Path, reading: &mut Reading<'_>) -> Result<(), DataError> {
    let mut rows = Rows::open(file, reading)?;
    let header = rows.next(reading)?.map(|(_, names)| names).unwrap_or_default();
    let bare = |name: &String| name.trim_start_matches('\u{feff}').trim().to_owned();
    let header: Vec<String> = header.iter().map(bare).collect();
    let fault = |line: u64, fault: String| DataError::Line {
        path: file.to_path_buf(),
        line,
        fault,
        way_out: WAY_OUT,
    };
    let column = |name: &str| {
        let mut found = (0..header.len()).filter(|&at| header[at] == name);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(DataError::Line {
                path: file.to_path_buf(),
                line: 1,
                fault: format!("several columns are named `{name}`"),
                way_out: "give the others another name",
            }),
            (first, None) => Ok(first),
        }
    };
    let (id, parent, conversation) = (column("id")?, column("parent")?, column("conversation")?);
    let (author, text, part) = (column("author")?, column("text")?, column("part")?);
    let Some(text) = text else {
        return Err(DataError::Column {
            path: file.to_path_buf(),
            column: "`text`".into(),
            found: header,
        });
    };
    // Conversation and number of the row before.
    let mut before: Option<(String, String)> = None;
    let mut number = 0;
    while let Some((line, mut row)) = rows.next(reading)? {
        number += 1;
        let mut cell = |column: Option<usize>| {
            column.map(|at| std::mem::take(&mut row[at])).unwrap_or_default()
        };
        let named = cell(part);
        let its = match serde_json::from_value(Value::from(named.trim())) {
            Ok(its) => Some(its),
            Err(_) if named.trim().is_empty() => None,
            Err(error) => {
                reading.bad("a row of an unknown part", fault(line, error.to_string()))?;
                continue;
            }
        };
        let mut conversation = cell(conversation);
        let (own, above) = match id {
            Some(_) => {
                let (own, above) = (cell(id), cell(parent));
                if own.is_empty() {
                    reading
                        .bad("a row without id", fault(line, "the cell `id` is empty".into()))?;
                    continue;
                }
                (own, parent_of(above))
            }
            None => {
                conversation = match conversation.as_str() {
                    "" => reading.prefix.clone(),
                    own => format!("{}/{own}", reading.prefix),
                };
                let last = before.take().filter(|(name, _)| *name == conversation);
                // Of equal width, so that they sort as they stand there.
                let own = format!("{number:012}");
                before = Some((conversation.clone(), own.clone()));
                (own, last.map(|(_, last)| last))
            }
        };
        reading.message(Message {
            conversation,
            id: own,
            parent: above,
            author: cell(author),
            text: cell(Some(text)),
            part: its,
        })?;
    }
    Ok(())
}
