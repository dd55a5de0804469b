//! What is said, kept in a file if that is asked for: a line of JSON a reply, as the items of a
//! rating study.

use crate::error::{Error, Result};
use crate::model::{Ask, Candidate, Sampling};
use eval_ssa::{Item, Likelihood, Mode, Turn};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The names of the two sides; whoever is replied to is the first.
const SPEAKERS: [&str; 2] = ["A", "B"];

/// A file to which items are added.
#[derive(Debug)]
pub(crate) struct Kept(Mutex<File>);

impl Kept {
    /// Opens a file, which only its owner may read if it is new.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::Keep { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        end_line(&mut file).map_err(failed)?;
        Ok(Self(Mutex::new(file)))
    }

    /// Adds a reply in one write, so that no line is half there.
    pub(crate) fn add(&self, item: &Item) -> io::Result<()> {
        let mut line = serde_json::to_vec(item)?;
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)
    }
}

/// Ends a last line that a process left unfinished.
fn end_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == [b'\n'] { Ok(()) } else { file.write_all(b"\n") }
}

/// A reply as an item of the model called `system`.
pub(crate) fn item(
    id: &str,
    system: &str,
    conversation: &str,
    ask: &Ask,
    reply: &Candidate,
) -> Item {
    let count = ask.turns.len();
    let context = ask.turns.iter().enumerate().map(|(index, text)| {
        Turn::new(SPEAKERS[usize::from(!(count - 1 - index).is_multiple_of(2))], text)
    });
    let likelihood = reply
        .score
        .map(|score| Likelihood { nll: -score * reply.tokens as f64, tokens: reply.tokens as u64 });
    Item {
        id: id.to_owned(),
        mode: Mode::Interactive,
        system: system.to_owned(),
        conversation: conversation.to_owned(),
        turn: u32::try_from(count).unwrap_or(u32::MAX),
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
