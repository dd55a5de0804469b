//! What a network has said so far, in a file beside the one that is asked for: a command that was
//! stopped goes on from it.
//!
//! The first line says by which network which samples are labelled; then each sample has a line, in
//! order. A last line that is not whole is dropped.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use data_pipeline::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::run::experiment::Answer;

/// What the lines of a file are about.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Key {
    format: u32,
    network: String,
    samples: PathBuf,
    count: usize,
    /// Of the names of the samples, and of what tells them from others of these names.
    names: Digest,
}

impl Key {
    pub(super) fn new(
        network: String,
        samples: PathBuf,
        ids: impl Iterator<Item = String>,
    ) -> Self {
        let mut count = 0;
        let names = Digest::of_lines(ids.inspect(|_| count += 1));
        Self { format: 2, network, samples, count, names }
    }
}

/// How the name of the file ends.
const END: &str = ".part";

/// Bytes that the name of a file may have on Linux.
const MOST_BYTES: usize = 255;

/// How a first line begins.
const BEGINNING: &[u8] = br#"{"format":"#;

/// Bytes of a first line that are read at most: more than a key has.
const FIRST_LINE: u64 = 1 << 20;

/// Whether a file's first line is one of this command's: a key, or the beginning of one, where the
/// command was stopped in it. After a loss of power, zeros may stand in its place.
fn is_ours(line: &[u8]) -> bool {
    match line.last() {
        Some(b'\n') => serde_json::from_slice::<Key>(line).is_ok(),
        _ if line.iter().all(|&byte| byte == 0) => true,
        _ => line.starts_with(BEGINNING) || BEGINNING.starts_with(line),
    }
}

fn cannot_write(path: &Path) -> String {
    format!(
        "cannot write {} (make room or name another --out; the same command goes on)",
        path.display()
    )
}

/// The file of what was said so far.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    len: usize,
    /// Whether it was about other work, which is gone.
    replaced: bool,
}

impl Part {
    /// Takes up the file beside `out` if it is about the same samples and network, else begins
    /// anew. Fails if another process writes it, and if another program wrote it.
    pub(super) fn open(out: &Path, key: &Key) -> Result<Self> {
        let name = out.file_name().context("--out names no file")?.to_string_lossy();
        let path = out.with_file_name(format!("{name}{END}"));
        ensure!(
            name.len() + END.len() <= MOST_BYTES,
            "{}: what is said is kept in FILE{END} beside it until all is, and the name leaves no \
             room for that: name a shorter --out",
            out.display()
        );
        let at = || cannot_write(&path);
        let foreign = || {
            format!(
                "{} was not written by this command: rename it, or name another --out",
                path.display()
            )
        };
        // Whoever reads a pipe may wait for ever.
        ensure!(!path.exists() || path.is_file(), foreign());
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(at)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            // Some network file systems have no locks; a single process works without them.
            bail!("{} is being written by another process", path.display());
        }
        let (mut whole, mut len) = (0, 0);
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        loop {
            let most = if whole == 0 { FIRST_LINE } else { u64::MAX };
            if (&mut reader).take(most).read_until(b'\n', &mut line).with_context(at)? == 0 {
                break;
            }
            ensure!(whole > 0 || is_ours(&line), foreign());
            let good = match whole {
                0 => serde_json::from_slice::<Key>(&line).is_ok_and(|known| known == *key),
                _ => serde_json::from_slice::<Answer>(&line).is_ok(),
            };
            if !good || line.last() != Some(&b'\n') {
                break;
            }
            len += usize::from(whole > 0);
            whole += line.len() as u64;
            line.clear();
        }
        drop(reader);
        let replaced = whole == 0 && file.metadata().with_context(at)?.len() > 0;
        file.set_len(whole).with_context(at)?;
        file.seek(SeekFrom::End(0)).with_context(at)?;
        let mut part = Self { path, file, len, replaced };
        if whole == 0 {
            part.write(&[key])?;
        }
        Ok(part)
    }

    /// Whether what an earlier command left in it was by another network or about other samples,
    /// and is begun anew.
    pub(super) fn replaced(&self) -> bool {
        self.replaced
    }

    /// How many samples it has.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, lines: &[impl Serialize]) -> Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, line)?;
            bytes.push(b'\n');
        }
        self.file.write_all(&bytes).with_context(|| cannot_write(&self.path))
    }

    /// Adds what was said of the next samples.
    pub(super) fn append(&mut self, answers: &[Answer]) -> Result<()> {
        self.write(answers)?;
        self.len += answers.len();
        Ok(())
    }

    /// All that was said, in order.
    pub(super) fn answers(&self) -> Result<impl Iterator<Item = Result<Answer>> + use<>> {
        let path = self.path.clone();
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let lines = BufReader::new(file).lines().skip(1);
        Ok(lines.map(move |line| {
            let read = line.map_err(anyhow::Error::from);
            let read = read.and_then(|line| Ok(serde_json::from_str(&line)?));
            read.with_context(|| format!("{} was changed meanwhile", path.display()))
        }))
    }

    pub(super) fn remove(self) -> Result<()> {
        fs::remove_file(&self.path)
            .with_context(|| format!("cannot remove {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(p: f32) -> Answer {
        Answer::Said { probabilities: vec![p, 1.0 - p], noticed: vec![] }
    }

    fn key(network: &str) -> Key {
        let ids = ["a.png", "b.png", "c.png"].map(str::to_owned);
        Key::new(network.to_owned(), PathBuf::from("folder"), ids.into_iter())
    }

    #[test]
    fn whole_lines_of_the_same_work_are_taken_up_and_no_others() {
        let dir = tempfile::tempdir().expect("a folder");
        let out = dir.path().join("labels.csv");
        let mut part = Part::open(&out, &key("a")).expect("begun");
        part.append(&[said(0.1), said(1.0 / 3.0)]).expect("written");
        assert!(Part::open(&out, &key("a")).is_err(), "a second process");
        part.file.write_all(br#"{"said":{"probabil"#).expect("written");
        drop(part);
        let mut part = Part::open(&out, &key("a")).expect("taken up");
        assert_eq!(part.len(), 2);
        part.append(&[said(0.7)]).expect("written");
        let all: Vec<Answer> = part.answers().expect("open").map(|a| a.expect("whole")).collect();
        assert_eq!(all, [said(0.1), said(1.0 / 3.0), said(0.7)]);
        drop(part);
        let other = Part::open(&out, &key("b")).expect("anew");
        assert_eq!((other.len(), other.replaced()), (0, true));
        drop(other);
        assert!(!Part::open(&out, &key("b")).expect("taken up").replaced());
        assert_eq!(Part::open(&out, &key("a")).expect("anew").len(), 0);
    }

    #[test]
    fn a_file_of_another_program_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let (out, path) = (dir.path().join("z.csv"), dir.path().join("z.csv.part"));
        for text in ["half a download", "a\nb\n", "{}\n", "\n", "{\"format\":2}\n"] {
            fs::write(&path, text).expect("written");
            let error = Part::open(&out, &key("a")).err().expect(text).to_string();
            assert!(error.contains("z.csv.part was not written by this command"), "{error}");
            assert_eq!(fs::read_to_string(&path).expect("it"), text);
        }
        for text in ["", "\0\0\0", "{\"for", "{\"format\":2,\"network\":\"a"] {
            fs::write(&path, text).expect("written");
            assert_eq!(Part::open(&out, &key("a")).expect(text).len(), 0);
        }
        // Of one without an end of a line, the beginning tells enough.
        fs::write(&path, "x".repeat(2 << 20)).expect("written");
        let error = Part::open(&out, &key("a")).err().expect("foreign").to_string();
        assert!(error.contains("was not written by this command"), "{error}");
        fs::remove_file(&path).expect("removed");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo").success());
        let error = Part::open(&out, &key("a")).err().expect("a pipe").to_string();
        assert!(error.contains("was not written by this command"), "{error}");
    }

    #[test]
    fn a_name_that_leaves_no_room_for_the_file_beside_it_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let out = dir.path().join("a".repeat(248) + ".csv");
        let error = Part::open(&out, &key("a")).err().expect("too long").to_string();
        assert!(error.contains("name a shorter --out"), "{error}");
    }
}
