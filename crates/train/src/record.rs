//! The record of a run: one JSON object a line in `metrics.jsonl`, and the same numbers for
//! TensorBoard.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::events;

/// The name of the file.
pub const FILE: &str = "metrics.jsonl";

/// How the names of event files begin: TensorBoard looks for it.
const EVENTS: &str = "events.out.tfevents.";

/// One line of the record:
/// `{"step":400,"seconds":12.5,"lr":0.03,"loss":0.7,"loss/sup":0.5,"note/kept":0.9}`, or, after an
/// evaluation, `{"step":400,"seconds":13.1,"eval/accuracy":0.91}`. Rows are in the order of their
/// steps, and no row appears twice, however often the run was stopped and resumed. Everything but
/// `seconds` is the same in every run of a recipe on one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Steps completed.
    pub step: u64,
    /// Seconds of wall clock spent on the run up to here, over all the times it was started.
    pub seconds: f64,
    /// The numbers by name; one that is not finite is `null`, or `None`.
    #[serde(flatten)]
    pub values: BTreeMap<String, Option<f64>>,
}

impl Entry {
    pub(crate) fn new(step: u64, seconds: f64, values: &[(String, f64)]) -> Self {
        // Milliseconds are enough.
        let seconds = (seconds * 1000.0).round() / 1000.0;
        let values = values.iter().map(|(n, v)| (n.clone(), v.is_finite().then_some(*v)));
        Self { step, seconds, values: values.collect() }
    }
}

/// Reads a record. A last line without an end, which a killed process leaves, is passed over; any
/// other line that cannot be read is an error that names the file and the line.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let text = fs::read_to_string(path)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let row = |(n, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| {
            let message = format!("{}: line {}: {e}", path.display(), n + 1);
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    };
    whole.lines().enumerate().map(row).collect()
}

/// The two files while they are written.
pub(crate) struct Log {
    rows: File,
    events: File,
}

impl Log {
    /// Opens the record of `folder`: a new one, or the old one cut to the lengths (of the rows and
    /// of the events, in bytes) that a checkpoint holds, so that no row is repeated or lost.
    pub(crate) fn open(folder: &Path, lengths: Option<(u64, u64)>) -> io::Result<Self> {
        let rows = folder.join(FILE);
        let known = event_files(folder)?;
        let Some((rows_bytes, events_bytes)) = lengths else {
            for path in &known {
                fs::remove_file(path)?;
            }
            let now = now();
            let name = format!("{EVENTS}{:010}.{}", now as u64, host());
            let events = folder.join(name);
            fs::write(&events, events::file_version(now))?;
            fs::write(&rows, "")?;
            return Ok(Self { rows: append(&rows)?, events: append(&events)? });
        };
        let whole_lines = |b: &[u8]| b.iter().rposition(|&c| c == b'\n').map_or(0, |end| end + 1);
        cut(&rows, rows_bytes, whole_lines)?;
        let events = match known.into_iter().next() {
            Some(path) => path,
            None => folder.join(format!("{EVENTS}{:010}.{}", now() as u64, host())),
        };
        let left = cut(&events, events_bytes, events::whole_records)?;
        let mut log = Self { rows: append(&rows)?, events: append(&events)? };
        if left == 0 {
            log.events.write_all(&events::file_version(now()))?;
        }
        Ok(log)
    }

    /// Adds a row to both files.
    pub(crate) fn write(
        &mut self,
        step: u64,
        seconds: f64,
        values: &[(String, f64)],
    ) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Entry::new(step, seconds, values))?;
        line.push(b'\n');
        self.rows.write_all(&line)?;
        let numbers: Vec<_> = values.iter().filter(|(_, v)| v.is_finite()).cloned().collect();
        self.events.write_all(&events::scalars(now(), step, &numbers))
    }

    /// Makes both files durable and returns their lengths in bytes.
    pub(crate) fn sync(&mut self) -> io::Result<(u64, u64)> {
        self.rows.sync_data()?;
        self.events.sync_data()?;
        Ok((self.rows.stream_position()?, self.events.stream_position()?))
    }
}

/// The event files of a folder, in order.
pub(crate) fn event_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(EVENTS) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn append(path: &Path) -> io::Result<File> {
    let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

/// Cuts a file to `length` bytes. A shorter file has lost entries: its `whole` ones are kept, and
/// there is a warning. Returns the new length.
fn cut(path: &Path, length: u64, whole: impl Fn(&[u8]) -> usize) -> io::Result<u64> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    let found = file.metadata()?.len();
    let left = if found >= length {
        length
    } else {
        tracing::warn!(
            "{}: {found} bytes, and the checkpoint remembers {length}: entries are missing",
            path.display()
        );
        whole(&fs::read(path)?) as u64
    };
    file.set_len(left)?;
    Ok(left)
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}
