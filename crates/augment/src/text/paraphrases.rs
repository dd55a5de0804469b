//! A file of paraphrases that grows as they are made. A process that is killed loses only the batch
//! in progress, and the next one continues from there.
//!
//! The file is JSON, a line each: what it was made with, then the batches of texts in order, each
//! with all copies. A last line that was not finished is cut off on opening, so that
//! a file resumed any number of times has the same bytes as one made without interruption (given
//! translators that depend on their generator alone).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::back_translation::{BackTranslation, Translator, paraphrase_file};
use super::{TextError, aug_ops, io, write};
use crate::fault::Fault;
use crate::rng::Key;

/// The name of the file in the folder of what is made of it.
pub const STORE: &str = "paraphrases.jsonl";

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
        Ok(Self {
            version: 2,
            translators: [pipeline.forward.name(), pipeline.backward.name()],
            splitter: pipeline.splitter.name.to_owned(),
            temperature: pipeline.temperature,
            amount,
            texts: texts.len(),
            hash: hash(texts),
        })
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("settings are JSON");
        line.push(b'\n');
        line
    }

    /// The first thing in which another differs, in words.
    pub(super) fn difference(&self, asked: &Self) -> Option<String> {
        let [there, here] = [self, asked].map(|made| &made.translators);
        let other = match [there[0] == here[0], there[1] == here[1]] {
            [true, true] => None,
            _ if (&there[0], &there[1]) == (&here[1], &here[0]) => {
                Some("with both translators, the one for the other: exchange them")
            }
            [false, true] => Some("with another translator into the other language"),
            [true, false] => Some("with another translator back"),
            [false, false] => Some("with other translators"),
        };
        if let (Some(other), true) = (other, self.version == asked.version) {
            return Some(format!("made {other}"));
        }
        let fields = |made: &Self| {
            let amount = made.amount;
            [
                ("version", made.version.to_string()),
                ("splitter", made.splitter.clone()),
                ("temperature", made.temperature.to_string()),
                ("paraphrases", amount.copies.to_string()),
                ("batch", amount.batch.to_string()),
                ("seed", amount.seed.to_string()),
            ]
        };
        let mut pairs = fields(self).into_iter().zip(fields(asked));
        if let Some(((key, there), (_, here))) = pairs.find(|(there, here)| there != here) {
            return Some(format!("made with {key} `{there}`, asked for `{here}`"));
        }
        let (there, here) = (self.texts, asked.texts);
        match there == here {
            true => (self.hash != asked.hash).then(|| format!("made of {there} other texts")),
            false => Some(format!("made of {there} texts, these are {here}")),
        }
    }

    /// The texts of a batch.
    fn batch(&self, number: usize) -> Range<usize> {
        let first = number.saturating_mul(self.amount.batch).min(self.texts);
        first..first.saturating_add(self.amount.batch).min(self.texts)
    }

    /// How many batches there are.
    pub fn batches(&self) -> usize {
        self.texts.div_ceil(self.amount.batch)
    }

    /// Makes a batch, and gives the line that the file has for it. Its sampling is keyed by seed
    /// and first text, so that it is the same whoever makes it.
    pub(super) fn make<F: Translator, B: Translator>(
        &self,
        number: usize,
        pipeline: &mut BackTranslation<F, B>,
        texts: &[String],
    ) -> Result<Vec<u8>, TextError> {
        let range = self.batch(number);
        let Amount { copies, seed, .. } = self.amount;
        let mut rng = Key { seed, epoch: 0, index: range.start as u64, view: 3000 }.rng();
        let first = range.start;
        let hashes = texts[range.clone()].iter().map(|text| hash(&[text])).collect();
        let mut record = Record { first, hashes, paraphrases: vec![], refused: vec![], cut: 0 };
        let cut =
            |pipeline: &BackTranslation<F, B>| pipeline.forward.cut() + pipeline.backward.cut();
        let before = cut(pipeline);
        let made = pipeline.paraphrases(&texts[range], copies, &mut rng)?;
        record.cut = cut(pipeline) - before;
        for (text, copies) in made.into_iter().enumerate() {
            let refused = copies.iter().enumerate().filter(|(_, one)| one.refused);
            record.refused.extend(refused.map(|(copy, _)| [text, copy]));
            record.paraphrases.push(copies.into_iter().map(|one| one.text).collect());
        }
        let mut line = serde_json::to_vec(&record).expect("a batch is JSON");
        line.push(b'\n');
        Ok(line)
    }
}

/// A text as a line of a file: what any program may take for the end of a line becomes a space, as
/// Python's `splitlines` does beside LF (U+0085, U+2028 and other separators).
pub fn one_line(text: &str) -> String {
    let ends = [
        '\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}',
        '\u{2029}',
    ];
    text.replace(ends, " ")
}

/// FNV-1a, as hexadecimal digits. No text has the byte 255, so it tells where one ends.
pub(super) fn hash(texts: &[impl AsRef<str>]) -> String {
    let bytes = texts.iter().flat_map(|text| text.as_ref().bytes().chain([0xff]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// One batch.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    first: usize,
    /// A hash of each text; none in files of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) hashes: Vec<String>,
    /// By text, then by copy.
    paraphrases: Vec<Vec<String>>,
    /// Texts, from that first one, and copies that are the text itself since what was made of it
    /// was refused.
    refused: Vec<[usize; 2]>,
    /// Sentences that were longer than a translator reads.
    #[serde(default, skip_serializing_if = "is_none")]
    cut: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(count: &usize) -> bool {
    *count == 0
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
    /// By text, then by copy.
    found: Vec<Vec<String>>,
    /// Texts and copies that were refused.
    refused: Vec<[usize; 2]>,
    sentences_cut: usize,
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
                return Err(TextError::InUse { path: path.to_path_buf() });
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
            return Err(wrong(format!("{difference}; name another place, or remove this file")));
        }
        let (path, length) = (path.to_path_buf(), first.len() as u64);
        let mut cache = Self {
            path,
            file,
            made,
            length,
            batches: 0,
            found: vec![],
            refused: vec![],
            sentences_cut: 0,
        };
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
        let (texts, copies) = (self.made.batch(self.batches), self.made.amount.copies);
        let fits = (record.first, record.paraphrases.len()) == (texts.start, texts.len())
            && (record.hashes.is_empty() || record.hashes.len() == texts.len())
            && record.paraphrases.iter().all(|of_text| of_text.len() == copies)
            && record.refused.iter().all(|&[text, copy]| text < texts.len() && copy < copies);
        if !fits || self.batches >= self.made.batches() {
            return Err(self.wrong("not the batch that belongs there"));
        }
        self.refused.extend(record.refused.iter().map(|&[text, copy]| [texts.start + text, copy]));
        self.found.extend(record.paraphrases);
        self.sentences_cut += record.cut;
        self.batches += 1;
        self.length += length as u64;
        Ok(())
    }

    /// The paraphrase of a text in a copy, if it has been made.
    pub fn get(&self, copy: usize, text: usize) -> Option<&str> {
        self.found.get(text)?.get(copy).map(String::as_str)
    }

    /// Texts and copies whose paraphrase is the text itself, since what was made of it was not
    /// [accepted](super::back_translation::accepts).
    pub fn refused(&self) -> &[[usize; 2]] {
        &self.refused
    }

    /// How many sentences, in both directions, were longer than a translator reads, and were
    /// translated in parts; whichever process did so.
    pub fn sentences_cut(&self) -> usize {
        self.sentences_cut
    }

    /// What it was made with.
    pub fn made(&self) -> &Made {
        &self.made
    }

    /// Batches made and batches in all.
    pub fn progress(&self) -> (usize, usize) {
        (self.batches, self.made.batches())
    }

    /// Makes what is missing; each batch is on disk before the next begins. Pipeline and texts must
    /// be those that the file was opened for. `each` is called after every batch.
    pub fn fill<F: Translator, B: Translator>(
        &mut self,
        pipeline: &mut BackTranslation<F, B>,
        texts: &[String],
        mut each: impl FnMut(&Self),
    ) -> Result<(), TextError> {
        let asked = Made::new(pipeline, self.made.amount, texts)?;
        if let Some(fault) = self.made.difference(&asked) {
            return Err(TextError::Format { path: self.path.clone(), fault });
        }
        while self.batches < self.made.batches() {
            let line = self.made.make(self.batches, pipeline, texts)?;
            self.append(&line)?;
            each(self);
        }
        Ok(())
    }

    /// Appends the line of the next batch.
    pub(super) fn append(&mut self, line: &[u8]) -> Result<(), TextError> {
        let record = serde_json::from_slice(line).map_err(|e| self.wrong(e.to_string()))?;
        if let Err(error) = self.file.0.write_all(line).and_then(|()| self.file.0.sync_data()) {
            // The part already written is removed, so that another attempt begins on a new line.
            let _ = self.cut();
            return Err(io(&self.path)(error));
        }
        self.take(record, line.len())
    }

    /// Writes the files that training reads ([`paraphrase_file`]), one for each whole copy, line
    /// `i` for text `i`, and says how many. All batches must be there.
    pub fn export(&self, folder: &Path, sub_set: &str) -> Result<usize, TextError> {
        let temperature = self.made.temperature;
        self.write_copies(|copy| paraphrase_file(folder, sub_set, temperature, copy))
    }

    /// Writes each whole copy to a folder, as `para_0.txt`, `para_1.txt`, …, line `i` for text `i`,
    /// and says how many. All batches must be there.
    pub fn export_copies(&self, folder: &Path) -> Result<usize, TextError> {
        self.write_copies(|copy| folder.join(format!("para_{copy}.txt")))
    }

    fn write_copies(&self, path: impl Fn(usize) -> PathBuf) -> Result<usize, TextError> {
        let copies = self.made.amount.copies;
        let whole = if self.found.len() == self.made.texts { copies } else { 0 };
        aug_ops::enough(whole, copies)?;
        for copy in 0..copies {
            let line = |of_text: &Vec<String>| one_line(&of_text[copy]) + "\n";
            let lines: String = self.found.iter().map(line).collect();
            write(&path(copy), lines.as_bytes())?;
        }
        // Those of an earlier store with more copies are not of this one.
        for surplus in (copies..).map(path) {
            match fs::remove_file(&surplus) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                Err(error) => return Err(io(&surplus)(error)),
            }
        }
        Ok(whole)
    }
}
