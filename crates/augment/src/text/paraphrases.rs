//! A file of paraphrases that grows as they are made: killed at any moment it loses the batch under way, never more, and goes on where
//! it was.
//!
//! The file is JSON, a line each: what it was made with, then the paraphrases. A last line that was not finished is cut off on opening.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::back_translation::{BackTranslation, Translator, paraphrase_file};
use super::{TextError, aug_ops, io, write};
use crate::rng::Key;

/// What paraphrases depend on. A file made with other settings is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The format's number.
    pub version: u32,
    /// Names of both translators.
    pub translators: [String; 2],
    /// Sampling temperature.
    pub temperature: f64,
    /// Seed of the sampling.
    pub seed: u64,
    /// A hash of all texts.
    pub texts: String,
}

impl Made {
    /// For these texts and this pipeline.
    pub fn new<F: Translator, B: Translator>(
        pipeline: &BackTranslation<F, B>,
        seed: u64,
        texts: &[String],
    ) -> Self {
        let bytes = texts.iter().flat_map(|text| text.bytes().chain([b'\n']));
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self {
            version: 1,
            translators: [pipeline.forward.name(), pipeline.backward.name()],
            temperature: pipeline.temperature,
            seed,
            texts: format!("{} texts, {hash:016x}", texts.len()),
        }
    }
}

/// One paraphrase.
#[derive(Serialize, Deserialize)]
struct Record {
    copy: usize,
    text: usize,
    paraphrase: String,
}

/// The file and what it holds.
#[derive(Debug)]
pub struct Paraphrases {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    found: HashMap<(usize, usize), String>,
}

impl Paraphrases {
    /// Opens or makes the file.
    pub fn open(path: &Path, made: &Made) -> Result<Self, TextError> {
        let wrong = |fault: String| TextError::Format { path: path.to_path_buf(), fault };
        if !path.exists() {
            let mut header = serde_json::to_string(made).expect("settings are JSON");
            header.push('\n');
            write(path, header.as_bytes())?;
        }
        let text = std::fs::read(path).map_err(io(path))?;
        // The header was written whole, so what follows the last line break is a paraphrase under way.
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        let mut lines = text[..whole].split(|&byte| byte == b'\n');
        let header: Made = serde_json::from_slice(lines.next().unwrap_or_default())
            .map_err(|error| wrong(format!("not a file of paraphrases ({error}); name another")))?;
        if header != *made {
            let shown = |made: &Made| serde_json::to_string(made).expect("settings are JSON");
            return Err(wrong(format!(
                "made with {}, asked for {}; name another file, or remove it",
                shown(&header),
                shown(made)
            )));
        }
        let mut found = HashMap::new();
        for (number, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
            let record: Record = serde_json::from_slice(line).map_err(|error| {
                wrong(format!("line {}: {error}; cut the file there", number + 2))
            })?;
            found.insert((record.copy, record.text), record.paraphrase);
        }
        let mut file = OpenOptions::new().write(true).open(path).map_err(io(path))?;
        file.set_len(whole as u64).map_err(io(path))?;
        file.seek(SeekFrom::End(0)).map_err(io(path))?;
        Ok(Self { path: path.to_path_buf(), file, length: whole as u64, found })
    }

    /// The paraphrase of a text in a copy, if it has been made.
    pub fn get(&self, copy: usize, text: usize) -> Option<&str> {
        self.found.get(&(copy, text)).map(String::as_str)
    }

    /// Makes what is missing of `copies` of all texts, `batch` texts at a time; each batch is on disk before the next begins. Each text's
    /// sampling is keyed by seed, copy and the first text of its batch.
    pub fn fill<F: Translator, B: Translator>(
        &mut self,
        pipeline: &mut BackTranslation<F, B>,
        texts: &[String],
        copies: usize,
        batch: usize,
        seed: u64,
    ) -> Result<(), TextError> {
        for copy in 0..copies {
            // Batches lie where they would in a run that was never stopped, so that the same keys give the same paraphrases.
            for start in (0..texts.len()).step_by(batch.max(1)) {
                let range = start..(start + batch.max(1)).min(texts.len());
                if range.clone().all(|text| self.get(copy, text).is_some()) {
                    continue;
                }
                let mut rng =
                    Key { seed, epoch: copy as u64, index: start as u64, view: 3000 }.rng();
                let made = pipeline.paraphrase(&texts[range.clone()], &mut rng)?;
                self.append(copy, range.zip(made))?;
            }
        }
        Ok(())
    }

    fn append(
        &mut self,
        copy: usize,
        made: impl Iterator<Item = (usize, String)>,
    ) -> Result<(), TextError> {
        let mut lines = Vec::new();
        let mut new = Vec::new();
        for (text, paraphrase) in made.filter(|(text, _)| !self.found.contains_key(&(copy, *text)))
        {
            let record = Record { copy, text, paraphrase };
            serde_json::to_writer(&mut lines, &record).expect("a record is JSON");
            lines.push(b'\n');
            new.push(record);
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What was written of it is taken back, so that another attempt begins on a line of its own.
            let _ = self.file.set_len(self.length);
            let _ = self.file.seek(SeekFrom::Start(self.length));
            return Err(io(&self.path)(error));
        }
        self.length += lines.len() as u64;
        self.found.extend(new.into_iter().map(|r| ((r.copy, r.text), r.paraphrase)));
        Ok(())
    }

    /// Writes the files that training reads ([`paraphrase_file`]), one for each whole copy, line `i` for text `i`. At least nine in ten of
    /// the copies asked for must be whole.
    pub fn export(
        &self,
        folder: &Path,
        sub_set: &str,
        temperature: f64,
        texts: usize,
        copies: usize,
    ) -> Result<usize, TextError> {
        let whole: Vec<usize> = (0..copies)
            .filter(|&copy| (0..texts).all(|text| self.get(copy, text).is_some()))
            .collect();
        aug_ops::enough(whole.len(), copies)?;
        for &copy in &whole {
            let lines = (0..texts).filter_map(|text| self.get(copy, text));
            let lines = lines.flat_map(|line| [line.replace(['\n', '\r'], " "), "\n".to_owned()]);
            let lines: String = lines.collect();
            write(&paraphrase_file(folder, sub_set, temperature, copy), lines.as_bytes())?;
        }
        Ok(whole.len())
    }
}
