//! Running text: the documents of [files](super::read), one after the other.
//!
//! | file, all but Parquet also with `.gz` or `.zst` behind | holds |
//! |---|---|
//! | `.jsonl`, `.ndjson` | an object a line; its text stands in [`ReadOptions::field`] |
//! | `.parquet` (by its content) | rows; their text stands in the column of that name |
//! | `.csv`, `.tsv` | the same |
//! | any other, but `.json` | text |
//!
//! Reading streams: memory holds a document, not a file. Of a `.tsv` it holds the column, and while
//! a `.csv` is opened the whole of it.

use super::read::{Columns, Lines, OnBadInput, Tally, files, json_fault, refuse_json};
use super::table::{self, Row};
use crate::digest::Digest;
use crate::endings::ends_with;
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Where a document ends. Documents are never joined in one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// At a line without text, and at the end of a file or record.
    BlankLine,
    /// At the end of a file or record; lines without text are passed over (ELECTRA on
    /// OpenWebText).
    File,
    /// At the end of each line: a review a line.
    Line,
}

/// How text is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReadOptions {
    /// Where a document ends.
    pub boundary: Boundary,
    /// The field or column of text in JSON lines, Parquet and tables.
    pub field: String,
    /// What becomes of bad input.
    pub on_bad: OnBadInput,
    /// A line (of a text file) or record may have so many bytes.
    pub longest: usize,
}

impl Default for ReadOptions {
    /// Blank lines end documents, the field is `text`, bad input is an error, 64 MiB a line.
    fn default() -> Self {
        Self {
            boundary: Boundary::BlankLine,
            field: "text".into(),
            on_bad: OnBadInput::Error,
            longest: 64 << 20,
        }
    }
}

/// Texts that belong together, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Counted from 0 over all files; the same whoever reads.
    pub number: u64,
    /// Its lines, none of them blank.
    pub lines: Vec<String>,
}

/// Files of running text.
///
/// ```
/// use data_pipeline::text::corpus::{Corpus, ReadOptions};
/// let folder = tempfile::tempdir().unwrap();
/// std::fs::write(folder.path().join("a.txt"), "One.\nTwo.\n\nThree.\n").unwrap();
/// let corpus = Corpus::open(&[folder.path().into()], ReadOptions::default())?;
/// let lines: Vec<_> = corpus.documents().map(|document| document.unwrap().lines).collect();
/// assert_eq!(lines, [vec!["One.", "Two."], vec!["Three."]]);
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Corpus {
    files: Vec<PathBuf>,
    options: ReadOptions,
}

/// A document that grows beyond so many bytes ends, so that a file of any size can be one.
const LARGEST: usize = 4 << 20;

impl Corpus {
    /// Finds the files; nothing is read yet.
    ///
    /// # Errors
    /// When a path stands for nothing, or for a `.json`.
    pub fn open(paths: &[PathBuf], options: ReadOptions) -> Result<Self, DataError> {
        let files = files(paths)?;
        files.iter().try_for_each(|path| refuse_json(path))?;
        Ok(Self { files, options })
    }

    /// The files in the order in which they are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The documents of all files. A document of more than 4 MiB is handed out in parts.
    pub fn documents(&self) -> Documents {
        Documents {
            files: self.files.clone().into(),
            options: self.options.clone(),
            open: None,
            lines: vec![],
            bytes: 0,
            ready: VecDeque::new(),
            tally: Tally::default(),
            over: false,
        }
    }

    /// Tells whether the files are the same as another time: a digest of their names, sizes and
    /// times of change, and of the options.
    ///
    /// # Errors
    /// When a file is no longer there.
    pub fn fingerprint(&self) -> Result<Digest, DataError> {
        let mut text = format!("{:?}\n", self.options);
        for file in &self.files {
            let meta = std::fs::metadata(file).map_err(DataError::io(file, "put it back"))?;
            let changed =
                meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            text.push_str(&format!("{} {} {changed:?}\n", file.display(), meta.len()));
        }
        Ok(Digest::of(text.as_bytes()))
    }
}

enum Open {
    Text(Lines),
    Json(Lines),
    Parquet(Columns),
    Table(PathBuf, std::vec::IntoIter<Row>),
}

/// The documents of a [`Corpus`]. It ends after the first error.
pub struct Documents {
    files: VecDeque<PathBuf>,
    options: ReadOptions,
    open: Option<Open>,
    /// The lines of the document that is being read.
    lines: Vec<String>,
    bytes: usize,
    ready: VecDeque<Document>,
    tally: Tally,
    over: bool,
}

impl Documents {
    /// What was read until now.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn end_document(&mut self) {
        self.bytes = 0;
        if !self.lines.is_empty() {
            let lines = std::mem::take(&mut self.lines);
            let number = self.tally.documents;
            self.tally.documents += 1;
            self.ready.push_back(Document { number, lines });
        }
    }

    fn add_line(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            if self.options.boundary == Boundary::BlankLine {
                self.end_document();
            }
            return;
        }
        self.tally.bytes += line.len() as u64;
        self.bytes += line.len();
        self.lines.push(line.to_owned());
        if self.options.boundary == Boundary::Line || self.bytes >= LARGEST {
            self.end_document();
        }
    }

    /// A record is a text file in itself.
    fn add_record(&mut self, text: &str) {
        text.split('\n').for_each(|line| self.add_line(line));
        self.end_document();
    }

    fn open(&mut self, path: &Path) -> Result<Open, DataError> {
        if ends_with(path, &["csv", "tsv"]) {
            let ReadOptions { field, on_bad, .. } = &self.options;
            let mut of_table = Tally::default();
            let rows = table::read(path, &[field], *on_bad, &mut of_table)?;
            self.tally.add_lines(&of_table);
            return Ok(Open::Table(path.to_path_buf(), rows.into_iter()));
        }
        let lines = || Lines::open(path, self.options.on_bad, self.options.longest);
        if ends_with(path, &["jsonl", "ndjson"]) {
            return Ok(Open::Json(lines()?));
        }
        // What is read from a pipe to look at it is gone for who reads the texts.
        let starts_with = |start: &[u8; 4]| {
            let mut bytes = [0; 4];
            let file = path.is_file().then(|| std::fs::File::open(path).ok()).flatten();
            file.is_some_and(|mut file| std::io::Read::read_exact(&mut file, &mut bytes).is_ok())
                && bytes == *start
        };
        if starts_with(b"PAR1") {
            return Ok(Open::Parquet(Columns::open(path, &[&self.options.field])?));
        }
        Ok(Open::Text(lines()?))
    }

    /// Reads on, at most to the end of a file; false when there is nothing more.
    fn read(&mut self) -> Result<bool, DataError> {
        let Some(open) = self.open.take() else {
            let Some(path) = self.files.pop_front() else { return Ok(false) };
            self.tally.files += 1;
            match self.open(&path) {
                Ok(open) => self.open = Some(open),
                // A column that is not there is no bad input, which there is little of.
                Err(error @ DataError::Column { .. }) => return Err(error),
                Err(error) => self.bad(error, "a file that cannot be opened")?,
            }
            return Ok(true);
        };
        self.open = match open {
            Open::Text(mut lines) => match lines.next(&mut self.tally)? {
                Some(line) => {
                    let line = line.to_owned();
                    self.add_line(&line);
                    Some(Open::Text(lines))
                }
                None => None,
            },
            Open::Json(mut lines) => match lines.next(&mut self.tally)?.map(|l| self.text_of(l)) {
                Some(Ok(text)) => {
                    self.add_record(&text);
                    Some(Open::Json(lines))
                }
                Some(Err(None)) => Some(Open::Json(lines)),
                Some(Err(Some(fault))) => {
                    let error = lines.fault(fault, "mend it, or let bad input be skipped");
                    self.bad(error, "a record without its text")?;
                    Some(Open::Json(lines))
                }
                None => None,
            },
            Open::Table(path, mut rows) => match rows.next() {
                Some(row) => {
                    let text = row.cells.into_iter().next().flatten();
                    let text = text.filter(|text| !text.trim().is_empty());
                    self.add_cell(text, |fault| {
                        let way_out = "allow longer texts, or let them be skipped";
                        DataError::Line { path: path.clone(), line: row.line, fault, way_out }
                    })?;
                    Some(Open::Table(path, rows))
                }
                None => None,
            },
            Open::Parquet(mut columns) => match columns.next_group() {
                Ok(Some(rows)) => {
                    for text in rows.into_iter().map(|mut row| row.pop().flatten()) {
                        self.tally.lines += 1;
                        self.add_cell(text, |fault| DataError::format(columns.path(), 0, fault))?;
                    }
                    Some(Open::Parquet(columns))
                }
                Ok(None) => None,
                Err(error) => {
                    self.bad(error, "a row group that is damaged")?;
                    Some(Open::Parquet(columns))
                }
            },
        };
        if self.open.is_none() {
            self.end_document();
        }
        Ok(true)
    }

    /// The text in a line of JSON, nothing in a blank line, or what is wrong.
    fn text_of(&self, line: &str) -> Result<String, Option<String>> {
        if line.trim().is_empty() {
            return Err(None);
        }
        let field = &self.options.field;
        let mut object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).map_err(|error| Some(json_fault(&error)))?;
        match object.remove(field) {
            Some(serde_json::Value::String(text)) => Ok(text),
            Some(_) => Err(Some(format!("`{field}` is no text"))),
            None => {
                let known: Vec<&String> = object.keys().take(12).collect();
                Err(Some(format!("no `{field}` among {known:?}")))
            }
        }
    }

    /// The cell of a row; `error` is that of one that is too long, with what is wrong.
    fn add_cell(
        &mut self,
        text: Option<String>,
        error: impl FnOnce(String) -> DataError,
    ) -> Result<(), DataError> {
        let longest = self.options.longest;
        match text {
            Some(text) if text.len() <= longest => self.add_record(&text),
            Some(_) => {
                let error = error(format!("a text has more than {longest} bytes"));
                self.bad(error, "a text that is too long")?;
            }
            None => self.tally.skip("a row without text"),
        }
        Ok(())
    }

    fn bad(&mut self, error: DataError, reason: &str) -> Result<(), DataError> {
        match self.options.on_bad {
            OnBadInput::Error => Err(error),
            OnBadInput::Skip => {
                self.tally.skip(reason);
                Ok(())
            }
        }
    }
}

impl Iterator for Documents {
    type Item = Result<Document, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(document) = self.ready.pop_front() {
                return Some(Ok(document));
            }
            if self.over {
                return None;
            }
            match self.read() {
                Ok(true) => {}
                Ok(false) => self.over = true,
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
    }
}
