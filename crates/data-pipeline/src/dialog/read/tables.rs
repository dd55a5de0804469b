//! Tables of messages.

use super::reading::Reading;
use crate::dialog::message::Message;
use crate::endings::ends_with;
use crate::error::DataError;
use crate::text::read::open;
use crate::text::table::separator;
use serde_json::Value;
use std::io::BufRead;
use std::path::Path;

/// A table with a header: a `.tsv` is separated by tabs, others as those of one's own texts.
/// `text` must be there. Without `id`, the rows of a conversation that stand together follow each
/// other, and its name begins with the file's: rows of other files have the same numbers.
pub(super) fn read(file: &Path, reading: &mut Reading<'_>) -> Result<(), DataError> {
    let (delimiter, above) = match ends_with(file, &["tsv"]) {
        true => (b'\t', 0),
        false => separator(file)?,
    };
    let mut source = open(file)?;
    for _ in 0..above {
        source.skip_until(b'\n').map_err(DataError::io(file, "fetch it again"))?;
    }
    let mut table =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(source);
    let fault = |line: u64, fault: String| DataError::Line {
        path: file.to_path_buf(),
        line,
        fault,
        way_out: "mend it, or let bad input be skipped",
    };
    let header = table.headers().map_err(|error| fault(1, error.to_string()))?.clone();
    let column = |name: &str| {
        header.iter().position(|own| own.trim_start_matches('\u{feff}').trim() == name)
    };
    let [id, parent, conversation, author, text, part] =
        ["id", "parent", "conversation", "author", "text", "part"].map(column);
    let Some(text) = text else {
        return Err(DataError::Column {
            path: file.to_path_buf(),
            column: "`text`".into(),
            found: header.iter().map(str::to_owned).collect(),
        });
    };
    // Conversation and number of the row before.
    let mut before: Option<(String, String)> = None;
    let mut row = csv::StringRecord::new();
    loop {
        let line = table.position().line() + above;
        match table.read_record(&mut row) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) => {
                let stop = matches!(error.kind(), csv::ErrorKind::Io(_));
                reading.bad("a row that cannot be read", fault(line, error.to_string()))?;
                if stop {
                    return Ok(());
                }
                continue;
            }
        }
        reading.tally.lines += 1;
        let cell = |column: Option<usize>| column.and_then(|at| row.get(at)).unwrap_or_default();
        let Some(said) = row.get(text) else {
            let error = fault(line, format!("{} columns, no text", row.len()));
            reading.bad("a row without text", error)?;
            continue;
        };
        let named = cell(part).trim();
        let its = match serde_json::from_value(Value::from(named)) {
            Ok(its) => Some(its),
            Err(_) if named.is_empty() => None,
            Err(error) => {
                reading.bad("a row of an unknown part", fault(line, error.to_string()))?;
                continue;
            }
        };
        let mut conversation = cell(conversation).to_owned();
        let (id, parent) = match id {
            Some(_) if cell(id).is_empty() => {
                reading.bad("a row without id", fault(line, "the cell `id` is empty".into()))?;
                continue;
            }
            Some(_) => {
                let parent = Some(cell(parent).to_owned()).filter(|parent| !parent.is_empty());
                (cell(id).to_owned(), parent)
            }
            None => {
                conversation = match conversation.as_str() {
                    "" => reading.prefix.clone(),
                    own => format!("{}/{own}", reading.prefix),
                };
                let last = before.take().filter(|(name, _)| *name == conversation);
                // Of equal width, so that they sort as they stand there.
                let id = format!("{:012}", reading.tally.lines);
                before = Some((conversation.clone(), id.clone()));
                (id, last.map(|(_, last)| last))
            }
        };
        reading.message(Message {
            conversation,
            id,
            parent,
            author: cell(author).to_owned(),
            text: said.to_owned(),
            part: its,
        })?;
    }
}
