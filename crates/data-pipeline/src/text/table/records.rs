//! Records of a CSV file one after another, for tables that memory does not hold.

use super::{
    STRAY_QUOTE, WAY_OUT, bad, csv_reader, end_lines_by_lf, of_first_line, separator,
    swallows_lines,
};
use crate::error::DataError;
use crate::text::read::{NO_UTF8, OnBadInput, Tally, open};
use csv::{ByteRecord, Reader, StringRecord};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The records of a CSV file with a first line of names, by the rules of [the module](super): all
/// have the width of the first, and a quote that is not closed takes no other rows with it.
pub(crate) struct CsvRecords {
    path: PathBuf,
    reader: Reader<Kept>,
    delimiter: u8,
    on_bad: OnBadInput,
    /// The line at which the bytes behind the last record begin.
    line: u64,
    width: Option<usize>,
    is_over: bool,
}

/// A file that keeps the bytes of the record that is being read.
struct Kept {
    source: Box<dyn BufRead + Send>,
    bytes: Vec<u8>,
    /// How many of `bytes` were handed out.
    handed: usize,
    /// Where the record begins in `bytes`.
    start: usize,
    /// How many bytes stood before `bytes`, since the reader began.
    gone: u64,
    longest: usize,
    is_too_long: bool,
}

impl Kept {
    fn new(source: Box<dyn BufRead + Send>, bytes: Vec<u8>, longest: usize) -> Self {
        Self { source, bytes, handed: 0, start: 0, gone: 0, longest, is_too_long: false }
    }

    /// The record ends at `end` in `bytes`; the next one begins there.
    fn pass(&mut self, end: usize) {
        self.start = end;
        if self.start > 1 << 16 {
            self.bytes.drain(..self.start);
            self.handed -= self.start;
            self.gone += self.start as u64;
            self.start = 0;
        }
    }
}

impl Read for Kept {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.handed == self.bytes.len() {
            if self.bytes.len() - self.start > self.longest {
                self.is_too_long = true;
                return Err(io::Error::other("the row is too long"));
            }
            let found = self.source.fill_buf()?;
            let count = found.len().min(to.len());
            self.bytes.extend_from_slice(&found[..count]);
            self.source.consume(count);
        }
        let left = &self.bytes[self.handed..];
        let count = left.len().min(to.len());
        to[..count].copy_from_slice(&left[..count]);
        self.handed += count;
        Ok(count)
    }
}

/// Whether CR alone ends the lines of a file: it has no LF. False where it cannot be read to its
/// end, which whoever reads it tells.
fn has_lines_by_cr(path: &Path) -> Result<bool, DataError> {
    let (mut source, mut found) = (open(path)?, false);
    loop {
        let Ok(bytes) = source.fill_buf() else { return Ok(false) };
        if bytes.is_empty() || bytes.contains(&b'\n') {
            return Ok(found && bytes.is_empty());
        }
        found |= bytes.contains(&b'\r');
        let count = bytes.len();
        source.consume(count);
    }
}

/// A file without any LF, with LF for each CR.
struct ByLf(Box<dyn BufRead + Send>);

impl Read for ByLf {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(to)?;
        end_lines_by_lf(&mut to[..count]);
        Ok(count)
    }
}

impl CsvRecords {
    /// Opens a file whose records may have `longest` bytes.
    pub(crate) fn open(path: &Path, on_bad: OnBadInput, longest: usize) -> Result<Self, DataError> {
        let by_cr = has_lines_by_cr(path)?;
        let (delimiter, above) = separator(path, by_cr)?;
        let mut source = open(path)?;
        if by_cr {
            source = Box::new(BufReader::new(ByLf(source)));
        }
        for _ in 0..above {
            source.skip_until(b'\n').map_err(DataError::io(path, "fetch it again"))?;
        }
        let reader = csv_reader(delimiter).from_reader(Kept::new(source, Vec::new(), longest));
        let (path, line) = (path.to_path_buf(), above + 1);
        Ok(Self { path, reader, delimiter, on_bad, line, width: None, is_over: false })
    }

    /// An error at a line.
    pub(crate) fn fault(&self, line: u64, fault: String) -> DataError {
        DataError::Line { path: self.path.clone(), line, fault, way_out: WAY_OUT }
    }

    /// The next record that can be read, with its line; the first one has the names.
    pub(crate) fn next(
        &mut self,
        tally: &mut Tally,
    ) -> Result<Option<(u64, StringRecord)>, DataError> {
        let mut record = ByteRecord::new();
        while !self.is_over {
            let read = self.reader.read_byte_record(&mut record);
            let end = self.reader.position().byte();
            let kept = self.reader.get_ref();
            let end = match kept.is_too_long {
                true => kept.bytes.len(),
                false => (end.saturating_sub(kept.gone) as usize).min(kept.bytes.len()),
            };
            let bytes = &kept.bytes[kept.start..end.max(kept.start)];
            // Empty lines before it are part of a record.
            let from = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            let ends = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let line = self.line + ends(&bytes[..from]);
            let swallowed = swallows_lines(&bytes[from..], self.delimiter);
            match read {
                Ok(false) => {
                    self.is_over = true;
                    break;
                }
                Err(_) if kept.is_too_long => {
                    let second = bytes[from..].iter().position(|&byte| byte == b'\n');
                    let fault = format!("a row of more than {} bytes", kept.longest);
                    let fault = match second {
                        Some(_) => format!("{fault}, perhaps for a quote that is not closed"),
                        None => fault,
                    };
                    let error = self.fault(line, fault);
                    self.count(tally);
                    self.bad(error, tally, "a row that is too long")?;
                    self.go_on(second.map(|second| from + second + 1), line)?;
                    continue;
                }
                Err(error) => {
                    self.is_over = true;
                    let fault = format!("the file cannot be read on: {error}");
                    let error = self.fault(line, fault);
                    self.bad(error, tally, "the rest of a damaged file")?;
                    break;
                }
                Ok(true) => self.count(tally),
            }
            if let Some(first) = swallowed {
                let error = self.fault(line, STRAY_QUOTE.to_owned());
                self.bad(error, tally, "a row with a quote that is not closed")?;
                self.go_on(Some(from + first), line)?;
                continue;
            }
            self.line += ends(bytes);
            self.reader.get_mut().pass(end);
            let Ok(found) = StringRecord::from_byte_record(std::mem::take(&mut record)) else {
                let (path, fault) = (self.path.clone(), "no UTF-8".to_owned());
                let error = DataError::Line { path, line, fault, way_out: NO_UTF8 };
                self.bad(error, tally, "a row that is no UTF-8")?;
                continue;
            };
            let expected = *self.width.get_or_insert(found.len());
            if found.len() != expected {
                let fault = format!("{} columns, the first line has {expected}", found.len());
                let error = self.fault(line, fault);
                self.bad(error, tally, "a row with other columns")?;
                continue;
            }
            return Ok(Some((line, found)));
        }
        Ok(None)
    }

    /// Counts a record below the names.
    fn count(&self, tally: &mut Tally) {
        tally.lines += u64::from(self.width.is_some());
    }

    /// An error, or counted; without names no other line has a meaning.
    fn bad(&self, error: DataError, tally: &mut Tally, reason: &str) -> Result<(), DataError> {
        match self.width {
            None => Err(of_first_line(error)),
            Some(_) => bad(error, self.on_bad, tally, reason),
        }
    }

    /// Goes on `second` bytes behind the start of the record that began at `line`, or else behind
    /// the end of its line, which is still to come.
    fn go_on(&mut self, second: Option<usize>, line: u64) -> Result<(), DataError> {
        let nothing = Kept::new(Box::new(io::empty()), Vec::new(), 0);
        let mut kept = std::mem::replace(self.reader.get_mut(), nothing);
        match second {
            Some(second) => drop(kept.bytes.drain(..kept.start + second)),
            None => {
                kept.bytes.clear();
                let skipped = kept.source.skip_until(b'\n');
                skipped.map_err(DataError::io(&self.path, "fetch it again"))?;
            }
        }
        let kept = Kept::new(kept.source, kept.bytes, kept.longest);
        self.reader = csv_reader(self.delimiter).from_reader(kept);
        self.line = line + 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`super::super::read`] has in memory, and with rows that are too long.
    #[test]
    fn records_are_those_of_the_whole_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv");
        let long = "x".repeat(40_000);
        let mut text = "\u{feff}sep=;\n\ntext;n\n".to_owned();
        for i in 0..40 {
            text += &format!("\"a; \"\"b\"\"\r\nc {long}\";{i}\r\n\n\"stray {i};{i}\nplain;{i}\n");
        }
        text += "wide;1;2\n";
        std::fs::write(&path, &text).expect("written");
        let mut whole = Tally::default();
        let wanted = super::super::read(&path, &["text", "n"], OnBadInput::Skip, &mut whole);
        let wanted: Vec<(u64, Vec<Option<String>>)> =
            wanted.expect("rows").into_iter().map(|row| (row.line, row.cells)).collect();
        let mut records = CsvRecords::open(&path, OnBadInput::Skip, 1 << 20).expect("a file");
        let mut tally = Tally::default();
        assert_eq!(records.next(&mut tally).expect("names").expect("names").1.len(), 2);
        let mut found = Vec::new();
        while let Some((line, record)) = records.next(&mut tally).expect("a record") {
            found.push((line, record.iter().map(|cell| Some(cell.to_owned())).collect()));
        }
        assert_eq!(wanted.len(), 80);
        assert_eq!((found, &tally.skipped), (wanted, &whole.skipped));
        // Lines that end by CR alone.
        let text = "sep=;\r\rtext;n\ra, b, c;1\r\"in\rtwo\";2\r\rwide;3;3\rlast;4\r";
        std::fs::write(&path, text).expect("written");
        let mut whole = Tally::default();
        let wanted = super::super::read(&path, &["text", "n"], OnBadInput::Skip, &mut whole);
        let wanted: Vec<u64> = wanted.expect("rows").iter().map(|row| row.line).collect();
        let mut records = CsvRecords::open(&path, OnBadInput::Skip, 1 << 20).expect("a file");
        let (mut tally, mut found) = (Tally::default(), Vec::new());
        while let Some((line, record)) = records.next(&mut tally).expect("a record") {
            assert_eq!(record.len(), 2, "{record:?}");
            found.push(line);
        }
        assert_eq!((&found[..1], &found[1..]), (&[3][..], &wanted[..]));
        assert_eq!((wanted.len(), &tally.skipped), (3, &whole.skipped));
        // A quote that nothing closes, and a line that is too long.
        let text = format!("text\n\"open\n{}\n{long}\nlast\n", "fine\n".repeat(9_000));
        std::fs::write(&path, &text).expect("written");
        let mut records = CsvRecords::open(&path, OnBadInput::Skip, 20_000).expect("a file");
        let (mut tally, mut count) = (Tally::default(), 0);
        while records.next(&mut tally).expect("a record").is_some() {
            count += 1;
        }
        assert_eq!((count, tally.skipped["a row that is too long"]), (1 + 9_000 + 1, 2));
    }
}
