//! A file of paraphrases that grows as they are made. A process that is killed loses only the batch
//! in progress, and the next one continues from there.
//!
//! The file is JSON, a line each: what it was made with, then the batches in order, the first copy
//! of all texts before the second. A last line that was not finished is cut off on opening, so that
//! a file resumed any number of times has the same bytes as one made without interruption (given
//! translators that depend on their generator alone).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::back_translation::{BackTranslation, Translator, paraphrase_file};
use super::{TextError, aug_ops, io, write};
use crate::fault::Fault;
use crate::rng::Key;

/// How much is made, and from which seed.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `copies` | 1 | paraphrases of each text | |
/// | `batch` | 256 | texts per batch, the most that a killed process loses | 1 or more |
/// | `seed` | 0 | of the sampling | |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Amount {
    /// Paraphrases of each text.
    pub copies: usize,
    /// Texts a batch.
    pub batch: usize,
    /// Seed of the sampling.
    pub seed: u64,
}

impl Default for Amount {
    fn default() -> Self {
        Self { copies: 1, batch: 256, seed: 0 }
    }
}

/// What paraphrases depend on. A file made with other settings is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The format's number.
    pub version: u32,
    /// Names of both translators.
    pub translators: [String; 2],
    /// Name of the splitter.
    pub splitter: String,
    /// Sampling temperature.
    pub temperature: f64,
    /// How much is made.
    pub amount: Amount,
    /// Number of texts.
    pub texts: usize,
    /// A hash of all texts.
    pub hash: String,
}

impl Made {
    /// For these texts and this pipeline.
    pub fn new<F: Translator, B: Translator>(
        pipeline: &BackTranslation<F, B>,
        amount: Amount,
        texts: &[String],
    ) -> Result<Self, TextError> {
        let batch = Fault::unless(amount.batch > 0, "batch", amount.batch, "1 or more");
        if let Some(fault) = pipeline.faults().into_iter().chain(batch).next() {
            return Err(fault.into());
        }
        // FNV-1a. No text has the byte 255, so it tells where one ends.
        let bytes = texts.iter().flat_map(|text| text.bytes().chain([0xff]));
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Ok(Self {
            version: 1,
            translators: [pipeline.forward.name(), pipeline.backward.name()],
            splitter: pipeline.splitter.name.to_owned(),
            temperature: pipeline.temperature,
            amount,
            texts: texts.len(),
            hash: format!("{hash:016x}"),
        })
    }

    fn header(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("settings are JSON");
        line.push(b'\n');
        line
    }

    /// The first thing in which another differs, as both have it.
    fn difference(&self, asked: &Self) -> Option<String> {
        let fields = |made: &Self| {
            let amount = made.amount;
            [
                ("version", made.version.to_string()),
                ("translators", made.translators.join(" / ")),
                ("splitter", made.splitter.clone()),
                ("temperature", made.temperature.to_string()),
                ("copies", amount.copies.to_string()),
                ("batch", amount.batch.to_string()),
                ("seed", amount.seed.to_string()),
                ("texts", format!("{} of hash {}", made.texts, made.hash)),
            ]
        };
        let mut pairs = fields(self).into_iter().zip(fields(asked));
        let ((key, there), (_, here)) = pairs.find(|(there, here)| there != here)?;
        Some(format!("made with {key} `{there}`, asked for `{here}`"))
    }

    /// Copy and texts of a batch.
    fn batch(&self, number: usize) -> (usize, Range<usize>) {
        let batches = self.texts.div_ceil(self.amount.batch).max(1);
        let first = number % batches * self.amount.batch;
        let end = first.saturating_add(self.amount.batch).min(self.texts);
        (number / batches, first..end)
    }

    fn batches(&self) -> usize {
        self.texts.div_ceil(self.amount.batch).saturating_mul(self.amount.copies)
    }
}

/// One batch.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    copy: usize,
    first: usize,
    paraphrases: Vec<String>,
}

/// A file that is unlocked when dropped. Closing it is not enough: a child process that another
/// thread is starting at the same time inherits the file, and with it the lock.
#[derive(Debug)]
struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// The file and what it holds.
#[derive(Debug)]
pub struct Paraphrases {
    path: PathBuf,
    file: Locked,
    made: Made,
    /// Bytes of whole lines.
    length: u64,
    /// Batches there.
    batches: usize,
    /// By copy, then by text.
    found: Vec<Vec<String>>,
}

impl Paraphrases {
    /// Opens or makes the file, which no other process may have open.
    pub fn open(path: &Path, made: Made) -> Result<Self, TextError> {
        let wrong = |fault: String| TextError::Format { path: path.to_path_buf(), fault };
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let mut file = Locked(options.open(path).map_err(io(path))?);
        match file.0.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let fault = "in use by another process; wait for it, or name another file";
                return Err(wrong(fault.into()));
            }
            // Some network file systems cannot lock; there the caller must see to it.
            Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => {
                return Err(io(path)(error));
            }
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let mut bytes = Vec::new();
        file.0.read_to_end(&mut bytes).map_err(io(path))?;
        let header = made.header();
        if header.starts_with(&bytes) {
            // New, or stopped while its first line was written.
            file.0.seek(SeekFrom::Start(0)).map_err(io(path))?;
            file.0.write_all(&header).and_then(|()| file.0.sync_all()).map_err(io(path))?;
            bytes = header;
        }
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let there: Made = serde_json::from_slice(first)
            .map_err(|error| wrong(format!("not a file of paraphrases ({error}); name another")))?;
        if let Some(difference) = there.difference(&made) {
            return Err(wrong(format!("{difference}; name another file, or remove this one")));
        }
        let (path, length) = (path.to_path_buf(), first.len() as u64);
        let mut cache = Self { path, file, made, length, batches: 0, found: Vec::new() };
        let mut lines = lines.peekable();
        while let Some(line) = lines.next() {
            match serde_json::from_slice(line) {
                Ok(record) if line.ends_with(b"\n") => cache.take(record, line.len())?,
                Err(error) if lines.peek().is_some() => return Err(cache.wrong(error.to_string())),
                // The batch in progress when the process was stopped.
                Ok(_) | Err(_) => {}
            }
        }
        cache.cut().map_err(io(&cache.path))?;
        Ok(cache)
    }

    fn wrong(&self, fault: impl Into<String>) -> TextError {
        let fault = format!("line {}: {}; cut the file there", self.batches + 2, fault.into());
        TextError::Format { path: self.path.clone(), fault }
    }

    /// Forgets what follows the whole lines.
    fn cut(&mut self) -> std::io::Result<()> {
        self.file.0.set_len(self.length)?;
        self.file.0.seek(SeekFrom::Start(self.length)).map(drop)
    }

    fn take(&mut self, record: Record, length: usize) -> Result<(), TextError> {
        let (copy, texts) = self.made.batch(self.batches);
        let fits = (record.copy, record.first, record.paraphrases.len())
            == (copy, texts.start, texts.len());
        if !fits || self.batches >= self.made.batches() {
            return Err(self.wrong("not the batch that belongs there"));
        }
        if texts.start == 0 {
            self.found.push(Vec::new());
        }
        self.found[copy].extend(record.paraphrases);
        self.batches += 1;
        self.length += length as u64;
        Ok(())
    }

    /// The paraphrase of a text in a copy, if it has been made.
    pub fn get(&self, copy: usize, text: usize) -> Option<&str> {
        self.found.get(copy)?.get(text).map(String::as_str)
    }

    /// Batches made and batches in all.
    pub fn progress(&self) -> (usize, usize) {
        (self.batches, self.made.batches())
    }

    /// Makes what is missing; each batch is on disk before the next begins. Its sampling is keyed
    /// by seed, copy and first text. Pipeline and texts must be those that the file was opened for.
    pub fn fill<F: Translator, B: Translator>(
        &mut self,
        pipeline: &mut BackTranslation<F, B>,
        texts: &[String],
    ) -> Result<(), TextError> {
        let asked = Made::new(pipeline, self.made.amount, texts)?;
        if let Some(fault) = self.made.difference(&asked) {
            return Err(TextError::Format { path: self.path.clone(), fault });
        }
        while self.batches < self.made.batches() {
            let (copy, range) = self.made.batch(self.batches);
            let (seed, first) = (self.made.amount.seed, range.start);
            let mut rng = Key { seed, epoch: copy as u64, index: first as u64, view: 3000 }.rng();
            let paraphrases = pipeline.paraphrase(&texts[range], &mut rng)?;
            self.append(Record { copy, first, paraphrases })?;
        }
        Ok(())
    }

    fn append(&mut self, record: Record) -> Result<(), TextError> {
        let mut line = serde_json::to_vec(&record).expect("a batch is JSON");
        line.push(b'\n');
        if let Err(error) = self.file.0.write_all(&line).and_then(|()| self.file.0.sync_data()) {
            // The part already written is removed, so that another attempt begins on a new line.
            let _ = self.cut();
            return Err(io(&self.path)(error));
        }
        self.take(record, line.len())
    }

    /// Writes the files that training reads ([`paraphrase_file`]), one for each whole copy, line
    /// `i` for text `i`, and says how many. At least nine in ten of the copies must be whole.
    pub fn export(&self, folder: &Path, sub_set: &str) -> Result<usize, TextError> {
        let texts = self.made.texts;
        let whole: Vec<_> = self.found.iter().filter(|copy| copy.len() == texts).collect();
        aug_ops::enough(whole.len(), self.made.amount.copies)?;
        for (copy, paraphrases) in whole.iter().enumerate() {
            let line = |text: &String| text.replace(['\n', '\r'], " ") + "\n";
            let lines: String = paraphrases.iter().map(line).collect();
            let path = paraphrase_file(folder, sub_set, self.made.temperature, copy);
            write(&path, lines.as_bytes())?;
        }
        Ok(whole.len())
    }
}
