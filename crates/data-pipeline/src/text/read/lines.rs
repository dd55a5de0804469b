//! Lines of text files.

use super::OnBadInput;
use super::source::open;
use crate::error::DataError;
use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// Files that were opened.
    pub files: u64,
    /// Documents that were handed out.
    pub documents: u64,
    /// Lines or records, the skipped ones included.
    pub lines: u64,
    /// Bytes of text in what was handed out.
    pub bytes: u64,
    /// What was left out, by reason.
    pub skipped: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts something that is left out.
    pub(crate) fn skip(&mut self, reason: &str) {
        *self.skipped.entry(reason.to_owned()).or_default() += 1;
    }

    /// What was left out and how often, a reason each: `a row without text (2 times)`.
    pub fn left_out(&self) -> impl Iterator<Item = String> + '_ {
        self.skipped.iter().map(|(reason, &count)| format!("{reason} ({})", times(count)))
    }

    /// Adds what was read and left out of a file that is counted already.
    pub(crate) fn add_lines(&mut self, of_file: &Tally) {
        self.lines += of_file.lines;
        for (reason, count) in &of_file.skipped {
            *self.skipped.entry(reason.clone()).or_default() += count;
        }
    }
}

/// What to do about bytes that are no UTF-8.
pub(crate) const NO_UTF8: &str = "save the file as UTF-8, or let bad input be skipped";

/// How often something happened: `once`, `2 times`.
pub fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}

/// What is wrong with a text in JSON, with its column alone: the line is that of the file.
pub(crate) fn json_fault(error: &serde_json::Error) -> String {
    let (told, column) = (error.to_string(), error.column());
    match told.strip_suffix(&format!(" at line {} column {column}", error.line())) {
        Some(what) => format!("{what} at column {column}"),
        None => told,
    }
}

/// Bytes of the longest line of a file that is read whole.
const LONGEST: usize = 1 << 26;

/// All lines of a file of text, packed or not, the empty ones included: line `i` belongs to line
/// `i` of another file.
///
/// # Errors
/// When it cannot be read, or a line is no UTF-8.
pub fn all_lines(path: &Path) -> Result<Vec<String>, DataError> {
    let mut lines = Lines::open(path, OnBadInput::Error, LONGEST)?;
    let (mut tally, mut all) = (Tally::default(), Vec::new());
    while let Some(line) = lines.next(&mut tally)? {
        all.push(line.to_owned());
    }
    Ok(all)
}

/// An error about a row of a TSV file, with another way out if the row seems to be part of a quoted
/// cell of several lines: a quote is open before it, or behind it.
pub(crate) fn if_quoted(error: DataError, longest: usize) -> DataError {
    const WAY_OUT: &str = "quotes are characters in a .tsv: if they hold cells with line ends, \
                           name it .csv; else mend it, or let bad input be skipped";
    let DataError::Line { path, line, fault, way_out } = error else { return error };
    let is_quoted = Lines::open(&path, OnBadInput::Skip, longest).is_ok_and(|mut lines| {
        let (mut tally, mut is_open) = (Tally::default(), false);
        while let Ok(Some(text)) = lines.next(&mut tally) {
            let turns = text.matches('"').count() % 2 == 1;
            if lines.number >= line {
                return is_open || turns;
            }
            is_open ^= turns;
        }
        false
    });
    let way_out = if is_quoted { WAY_OUT } else { way_out };
    DataError::Line { path, line, fault, way_out }
}

/// The lines of a file, each without its end.
pub(crate) struct Lines {
    pub(crate) path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    /// The line that was read last, counted from 1.
    pub(crate) number: u64,
    on_bad: OnBadInput,
    longest: usize,
    over: bool,
}

impl Lines {
    pub(crate) fn open(path: &Path, on_bad: OnBadInput, longest: usize) -> Result<Self, DataError> {
        let (path, reader) = (path.to_path_buf(), open(path)?);
        Ok(Self { path, reader, line: vec![], number: 0, on_bad, longest, over: false })
    }

    /// An error at the line that was read last.
    pub(crate) fn fault(&self, fault: impl Into<String>, way_out: &'static str) -> DataError {
        DataError::Line { path: self.path.clone(), line: self.number, fault: fault.into(), way_out }
    }

    /// The next line that can be read.
    pub(crate) fn next<'a>(&'a mut self, tally: &mut Tally) -> Result<Option<&'a str>, DataError> {
        loop {
            if self.over {
                return Ok(None);
            }
            self.line.clear();
            let room = self.longest as u64 + 2;
            let read = self.reader.by_ref().take(room).read_until(b'\n', &mut self.line);
            let read = match (read, self.on_bad) {
                (Ok(read), _) => read,
                (Err(error), OnBadInput::Error) => {
                    self.number += 1;
                    let fault = format!("the file cannot be read on: {error}");
                    return Err(self.fault(fault, "fetch it again, or let bad input be skipped"));
                }
                (Err(_), OnBadInput::Skip) => {
                    tally.skip("the rest of a damaged file");
                    self.over = true;
                    return Ok(None);
                }
            };
            if read == 0 {
                self.over = true;
                return Ok(None);
            }
            self.number += 1;
            tally.lines += 1;
            let ended = self.line.last() == Some(&b'\n');
            if ended {
                self.line.pop();
            }
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            if self.line.len() > self.longest {
                if self.on_bad == OnBadInput::Error {
                    let fault = format!("more than {} bytes in a line", self.longest);
                    return Err(self.fault(fault, "allow longer lines, or let them be skipped"));
                }
                tally.skip("a line that is too long");
                if !ended && self.pass_over().is_err() {
                    tally.skip("the rest of a damaged file");
                    self.over = true;
                }
                continue;
            }
            if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            match std::str::from_utf8(&self.line) {
                // Borrowed anew, since the loop may go on.
                Ok(_) => break,
                Err(error) if self.on_bad == OnBadInput::Error => {
                    let fault = format!("no UTF-8 from byte {} on", error.valid_up_to() + 1);
                    return Err(self.fault(fault, NO_UTF8));
                }
                Err(_) => tally.skip("a line that is no UTF-8"),
            }
        }
        Ok(Some(std::str::from_utf8(&self.line).unwrap_or_default()))
    }

    /// Reads to the end of a line without keeping it.
    fn pass_over(&mut self) -> std::io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let (used, done) = match end {
                Some(end) => (end + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.reader.consume(used);
            if done {
                return Ok(());
            }
        }
    }
}
