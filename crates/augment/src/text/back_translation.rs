//! Back-translation: a paragraph split into sentences, translated, translated back, joined, and
//! accepted where its length is similar to the original's (UDA's `back_translate` and
//! `sent_level_augment.py`).
//!
//! Any [`Translator`] will do: a program
//! ([`CommandTranslator`](super::command::CommandTranslator)), or your own model.
//!
//! ```
//! use augment::text::back_translation::{BackTranslation, Translator};
//! use augment::{rng::Rng, text::TextError};
//!
//! struct Shout;
//! impl Translator for Shout {
//!     fn name(&self) -> String {
//!         "shout".into()
//!     }
//!     fn translate(
//!         &mut self,
//!         lines: &[String],
//!         _: f64,
//!         _: &mut Rng,
//!     ) -> Result<Vec<String>, TextError> {
//!         Ok(lines.iter().map(|line| line.replace('.', "!")).collect())
//!     }
//! }
//! let mut pipeline = BackTranslation::new(Shout, Shout, 0.9);
//! let made = pipeline.paraphrase(&["A good film. See it.".into()], &mut Rng::new(1)).unwrap();
//! assert_eq!(made, ["A good film! See it!"]);
//! ```

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::sentences::{Splitter, UNICODE};
use super::{TextError, io, write};
use crate::fault::Fault;
use crate::rng::Rng;

/// Turns lines into lines of another language. Made with the same generator, the same lines should
/// become the same lines.
pub trait Translator {
    /// What it is, for messages and caches: paraphrases of different translators must not be mixed.
    fn name(&self) -> String;

    /// How many of the lines that it has translated so far were longer than it reads, and were
    /// translated in parts.
    fn cut(&self) -> usize {
        0
    }

    /// As many lines as came in. UDA samples at this `temperature` (0.9 for IMDb; 0.7 to 0.9 for
    /// others) rather than searching for the best.
    fn translate(
        &mut self,
        lines: &[String],
        temperature: f64,
        rng: &mut Rng,
    ) -> Result<Vec<String>, TextError>;

    /// As many lines as came in, `copies` translations of each. What reads a line once for all
    /// copies has its own.
    fn translate_each(
        &mut self,
        lines: &[String],
        copies: usize,
        temperature: f64,
        rng: &mut Rng,
    ) -> Result<Vec<Vec<String>>, TextError> {
        let mut all = vec![Vec::new(); lines.len()];
        for _ in 0..copies {
            let one = checked(self, lines, temperature, rng)?;
            all.iter_mut().zip(one).for_each(|(all, one)| all.push(one));
        }
        Ok(all)
    }
}

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paraphrase {
    /// The paraphrase, or the text itself if that was refused.
    pub text: String,
    /// Whether what came back was not [accepted](accepts).
    pub refused: bool,
}

/// Translation into another language and back.
pub struct BackTranslation<F, B> {
    /// From the texts' language.
    pub forward: F,
    /// Into it again.
    pub backward: B,
    /// In both directions.
    pub temperature: f64,
    /// How paragraphs are split; [`UNICODE`] by default.
    pub splitter: Splitter,
}

impl<F: Translator, B: Translator> BackTranslation<F, B> {
    /// With sentences split by [`UNICODE`].
    pub fn new(forward: F, backward: B, temperature: f64) -> Self {
        Self { forward, backward, temperature, splitter: UNICODE }
    }

    /// What is wrong with the temperature.
    pub fn faults(&self) -> Vec<Fault> {
        let fine = self.temperature >= 0.0 && self.temperature.is_finite();
        let value = self.temperature;
        Fault::unless(fine, "temperature", value, "0 or more, and finite").into_iter().collect()
    }

    /// A paraphrase of each paragraph, or the paragraph itself where [`accepted`] says so.
    pub fn paraphrase(
        &mut self,
        paragraphs: &[String],
        rng: &mut Rng,
    ) -> Result<Vec<String>, TextError> {
        let all = self.paraphrases(paragraphs, 1, rng)?;
        Ok(all.into_iter().flatten().map(|paraphrase| paraphrase.text).collect())
    }

    /// `copies` paraphrases of each paragraph. A sentence is translated `copies` times, and each of
    /// these translations once back.
    pub fn paraphrases(
        &mut self,
        paragraphs: &[String],
        copies: usize,
        rng: &mut Rng,
    ) -> Result<Vec<Vec<Paraphrase>>, TextError> {
        if let Some(fault) = self.faults().pop() {
            return Err(fault.into());
        }
        let (lines, counts) = split(paragraphs, &self.splitter);
        let there = match lines.is_empty() {
            true => Vec::new(),
            false => self.forward.translate_each(&lines, copies, self.temperature, rng)?,
        };
        if there.len() != lines.len() || there.iter().any(|line| line.len() != copies) {
            let fault = format!("{} lines, not {copies} copies of each came back", there.len());
            return Err(TextError::Translator { translator: self.forward.name(), fault });
        }
        let there: Vec<String> = there.into_iter().flatten().collect();
        let back = checked(&mut self.backward, &there, self.temperature, rng)?;
        let mut all = vec![Vec::with_capacity(copies); paragraphs.len()];
        for copy in 0..copies {
            let own: Vec<String> = back.iter().skip(copy).step_by(copies).cloned().collect();
            for ((new, old), all) in join(&own, &counts).into_iter().zip(paragraphs).zip(&mut all) {
                let refused = !accepts(old, &new);
                all.push(Paraphrase { text: if refused { old.clone() } else { new }, refused });
            }
        }
        Ok(all)
    }
}

fn checked<T: Translator + ?Sized>(
    translator: &mut T,
    lines: &[String],
    temperature: f64,
    rng: &mut Rng,
) -> Result<Vec<String>, TextError> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let out = translator.translate(lines, temperature, rng)?;
    if out.len() != lines.len() {
        let fault = format!("{} lines came back for {}", out.len(), lines.len());
        return Err(TextError::Translator { translator: translator.name(), fault });
    }
    Ok(out)
}

/// The sentences of all paragraphs, one a line, and how many each paragraph has.
pub fn split(paragraphs: &[String], splitter: &Splitter) -> (Vec<String>, Vec<usize>) {
    let (mut lines, mut counts) = (Vec::new(), Vec::new());
    for paragraph in paragraphs {
        let sentences = splitter.lines(paragraph);
        counts.push(sentences.len());
        lines.extend(sentences);
    }
    (lines, counts)
}

/// Joins sentences to paragraphs again. Panics unless the counts sum up to the lines.
pub fn join(lines: &[String], counts: &[usize]) -> Vec<String> {
    assert_eq!(counts.iter().sum::<usize>(), lines.len(), "lines of all paragraphs");
    let mut lines = lines.iter();
    let mut paragraph = |&count: &usize| {
        let sentences: Vec<&str> = lines.by_ref().take(count).map(|line| line.trim()).collect();
        sentences.join(" ").trim().to_owned()
    };
    counts.iter().map(&mut paragraph).collect()
}

/// Whether a paraphrase is like its original: both have at least 10 characters, and their lengths
/// differ by no more than half of the original's. Lengths are in characters, not bytes.
pub fn accepts(original: &str, paraphrase: &str) -> bool {
    let (old, new) = (original.chars().count(), paraphrase.chars().count());
    old >= 10 && new >= 10 && old.abs_diff(new) * 2 <= old
}

/// The paraphrase, or the original where that is [not accepted](accepts).
pub fn accepted<'a>(original: &'a str, paraphrase: &'a str) -> &'a str {
    if accepts(original, paraphrase) { paraphrase } else { original }
}

/// The lines of worker `worker` of `workers`: consecutive ones; if they do not divide evenly, the
/// first workers take one more.
pub fn shard(lines: usize, worker: usize, workers: usize) -> Result<Range<usize>, Fault> {
    if worker >= workers {
        let allowed = format!("0 to one less than the number of workers ({workers})");
        return Err(Fault::new("worker", worker, allowed));
    }
    let (each, more) = (lines / workers, lines % workers);
    let start = worker * each + worker.min(more);
    Ok(start..start + each + usize::from(worker < more))
}

/// A worker's files in a folder, in the layout by which UDA's scripts exchange them with a separate
/// translator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardFiles {
    /// One sentence a line, to be translated: `forward_src/file_W_of_R.txt`.
    pub source: PathBuf,
    /// Sentences of each paragraph as a JSON list: `doc_len/doc_len_W_of_R.json`.
    pub counts: PathBuf,
}

impl ShardFiles {
    /// The names for a worker.
    pub fn new(folder: &Path, worker: usize, workers: usize) -> Self {
        Self {
            source: folder.join(format!("forward_src/file_{worker}_of_{workers}.txt")),
            counts: folder.join(format!("doc_len/doc_len_{worker}_of_{workers}.json")),
        }
    }

    /// Splits a worker's paragraphs and writes both files.
    pub fn write(&self, paragraphs: &[String], splitter: &Splitter) -> Result<(), TextError> {
        let (lines, counts) = split(paragraphs, splitter);
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        write(&self.source, text.as_bytes())?;
        write(&self.counts, &serde_json::to_vec(&counts).expect("numbers are JSON"))
    }

    /// Joins translated lines, read from a file, by this worker's counts.
    pub fn join(&self, translated: &Path) -> Result<Vec<String>, TextError> {
        let text = std::fs::read_to_string(&self.counts).map_err(io(&self.counts))?;
        let counts: Vec<usize> =
            serde_json::from_str(&text).map_err(|error| TextError::Format {
                path: self.counts.clone(),
                fault: format!("not a JSON list of counts: {error}"),
            })?;
        let text = std::fs::read_to_string(translated).map_err(io(translated))?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let wanted = counts.iter().fold(0usize, |sum, &count| sum.saturating_add(count));
        if lines.len() != wanted {
            let fault = format!(
                "{} lines, but {} counts {wanted} sentences; translate line by line",
                lines.len(),
                self.counts.display()
            );
            return Err(TextError::Format { path: translated.to_path_buf(), fault });
        }
        Ok(join(&lines, &counts))
    }
}

/// Where training looks for paraphrases: line `i` belongs to unlabelled text `i`.
pub fn paraphrase_file(folder: &Path, sub_set: &str, temperature: f64, copy: usize) -> PathBuf {
    folder.join(sub_set).join(format!("sample_{temperature:.1}/para/para_{copy}.txt"))
}
