//! What is said, kept in a file if that is asked for: a line of JSON a reply, as the items of a
//! rating study.

use crate::error::{Error, Result};
use crate::model::{Ask, Candidate, Role, Sampling};
use eval_ssa::{Item, Likelihood, Mode, Turn};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What a side is called in an item.
fn speaker(role: Role) -> &'static str {
    match role {
        Role::User => "A",
        Role::Assistant => "B",
    }
}

/// A file to which items are added.
#[derive(Debug)]
pub(crate) struct Kept(Mutex<File>);

impl Kept {
    /// Opens a file that only its owner may read. Half a line that a process left at its end is
    /// taken away, so that the file can be imported.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::Keep { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        if others_can_read(&file).map_err(failed)? {
            return Err(Error::Readable { path: path.to_owned() });
        }
        if end_line(&mut file).map_err(failed)? {
            tracing::warn!("{} ended within a line: that line is taken away", path.display());
        }
        Ok(Self(Mutex::new(file)))
    }

    /// Adds a reply as a line; nothing of it stays if it cannot be written whole.
    pub(crate) fn add(&self, item: &Item) -> io::Result<()> {
        let mut line = serde_json::to_vec(item)?;
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        whole(&mut file, |file| file.write_all(&line))
    }
}

/// Writes to the end of a file, or leaves it as it was.
fn whole(file: &mut File, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let before = file.metadata()?.len();
    write(file).inspect_err(|_| {
        // The disk is full, most likely; shrinking a file needs no room. The first error is told.
        let _ = file.set_len(before);
    })
}

/// Whether others than its owner may read a file, or write to it.
#[cfg(unix)]
fn others_can_read(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    let about = file.metadata()?;
    Ok(about.is_file() && about.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// Takes away a last line that a process left unfinished, and says whether there was one. A whole
/// one without its end of line gets that.
fn end_line(file: &mut File) -> io::Result<bool> {
    let (start, last) = last_line(file)?;
    if last.is_empty() {
        return Ok(false);
    }
    if serde_json::from_slice::<Item>(&last).is_ok() {
        file.write_all(b"\n")?;
        return Ok(false);
    }
    if last[0] != b'{' {
        let text = "its last line is no reply that was kept";
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    file.set_len(start)?;
    Ok(true)
}

/// Where the last line begins, and what it is: nothing, if the file ends with the end of a line.
fn last_line(file: &mut File) -> io::Result<(u64, Vec<u8>)> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut size = 1 << 16;
    loop {
        let from = end.saturating_sub(size);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if let Some(at) = bytes.iter().rposition(|&byte| byte == b'\n') {
            let last = bytes.split_off(at + 1);
            return Ok((from + at as u64 + 1, last));
        }
        if from == 0 {
            return Ok((0, bytes));
        }
        size *= 8;
    }
}

/// A reply as an item of the model called `system`.
pub(crate) fn item(
    id: &str,
    system: &str,
    conversation: &str,
    ask: &Ask,
    reply: &Candidate,
) -> Item {
    let context = ask.turns.iter().map(|turn| Turn::new(speaker(turn.role), &turn.text));
    let likelihood = reply
        .score
        .map(|score| Likelihood { nll: -score * reply.tokens as f64, tokens: reply.tokens as u64 });
    Item {
        id: id.to_owned(),
        mode: Mode::Interactive,
        system: system.to_owned(),
        conversation: conversation.to_owned(),
        turn: u32::try_from(ask.turns.len()).unwrap_or(u32::MAX),
        context: context.collect(),
        response: reply.text.clone(),
        likelihood,
        decoding: Some(decoding(&ask.sampling)),
        seed: Some(ask.seed),
        ..Item::default()
    }
}

fn decoding(by: &Sampling) -> String {
    let mut text = format!("sample-and-rank, N = {}, T = {}", by.candidates, by.temperature);
    if let Some(k) = by.top_k {
        text.push_str(&format!(", top-k {k}"));
    }
    if let Some(p) = by.top_p {
        text.push_str(&format!(", top-p {p}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_as(text: &str) -> io::Result<(bool, String)> {
        let mut file = tempfile::tempfile()?;
        file.write_all(text.as_bytes())?;
        let cut = end_line(&mut file)?;
        file.rewind()?;
        Ok((cut, io::read_to_string(file)?))
    }

    #[test]
    fn half_a_line_goes_and_a_whole_one_stays() {
        let item = serde_json::to_string(&Item::default()).expect("JSON");
        let ended = |text: &str| ends_as(text).expect("a file");
        assert_eq!(ended(""), (false, String::new()));
        assert_eq!(ended(&format!("{item}\n")), (false, format!("{item}\n")));
        assert_eq!(ended(&item), (false, format!("{item}\n")));
        assert_eq!(ended("{\"id"), (true, String::new()));
        let long = "x".repeat(200_000);
        for half in ["{\"id", &format!("{{\"id\": \"{long}")] {
            assert_eq!(ended(&format!("{item}\n{half}")), (true, format!("{item}\n")));
        }
        let other = ends_as("Dear diary,\nhello").expect_err("another file");
        assert!(other.to_string().contains("no reply"), "{other}");
    }

    #[test]
    fn a_line_that_cannot_be_written_whole_leaves_nothing() {
        let mut file = tempfile::tempfile().expect("a file");
        whole(&mut file, |file| file.write_all(b"one\n")).expect("written");
        let full = whole(&mut file, |file| {
            file.write_all(b"tw")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(full.expect_err("full").kind(), io::ErrorKind::StorageFull);
        file.rewind().expect("a file");
        assert_eq!(io::read_to_string(file).expect("a text"), "one\n");
    }
}
