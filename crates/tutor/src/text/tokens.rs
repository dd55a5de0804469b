//! A vocabulary and files of tokens, made once for a run; batches of tokens on the device.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use data_pipeline::text::corpus::{Corpus, ReadOptions};
use data_pipeline::text::pretrain::{BuildOptions, Built, Chosen, Segments, TokenShards, build};
use data_pipeline::text::read::Tally;
use data_pipeline::text::{self, Casing, Packed, Tokenizer, VocabularySize, VocabularyTrainer};
use torch::{BatchPart, Device};

use super::texts::Document;
use crate::recipe::faults::Faults;
use crate::run::{began, files, pace, processes};

/// Running text in tokens.
pub(crate) struct Tokens {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) running: Arc<TokenShards>,
    pub(crate) held_out: Arc<TokenShards>,
}

/// Where `[MASK]` stands in a vocabulary that is made here: behind the other special tokens.
pub(crate) const MASK: i64 = 4;

/// How files of tokens are made.
#[derive(Clone, Copy)]
pub(crate) struct Making {
    /// Size of the vocabulary that is made of the running text, the special tokens included; it is
    /// smaller where the text does not have as many pieces.
    pub(crate) vocabulary: usize,
    pub(crate) segments: Segments,
    /// Threads; 0 for all processors. The files are the same for any number.
    pub(crate) workers: usize,
}

/// Files of text whose documents are learned from, or held out to measure on.
pub(crate) struct Files<'a> {
    pub(crate) corpus: &'a Corpus,
    /// One document in so many is held out.
    pub(crate) held_out: u64,
    /// The vocabulary; it is made of the documents that are learned from without one.
    pub(crate) given: Option<GivenVocabulary<'a>>,
    /// How a vocabulary that is made cleans text.
    pub(crate) casing: Casing,
}

/// A vocabulary that there is already.
#[derive(Clone, Copy)]
pub(crate) struct GivenVocabulary<'a> {
    /// Its folder or file.
    pub(crate) path: &'a Path,
    /// Whether it is cased even if no file says so.
    pub(crate) cased: bool,
}

impl GivenVocabulary<'_> {
    /// Its tokenizer.
    pub(crate) fn open(self) -> Result<Tokenizer> {
        let open = if self.cased { Tokenizer::open_cased } else { Tokenizer::open };
        Ok(open(self.path)?)
    }
}

/// How far the making of tokens from files has come.
pub(crate) enum Step<'a> {
    /// What was read of the texts for the vocabulary.
    Vocabulary(&'a Tally),
    /// What was made of those that are learned from.
    Tokens(&'a Built),
}

impl Tokens {
    /// Makes what is not yet in `dir`: a vocabulary of the running text alone, and the tokens of
    /// it and of the held-out one.
    pub(crate) fn make(
        (running, held_out): (&[Document], &[Document]),
        dir: &Path,
        making: Making,
    ) -> Result<Self> {
        let tokenizer = vocabulary(running, &dir.join("vocabulary"), making.vocabulary)?;
        let part = |name: &str, documents: &[Document]| -> Result<Arc<TokenShards>> {
            let file = dir.join(format!("{name}.txt"));
            if !file.is_file() {
                atomic_file::write(&file, &in_lines(documents))?;
            }
            let corpus = Corpus::open(&[file], ReadOptions::default())?;
            Ok(made((&corpus, Chosen::All), &tokenizer, &dir.join(name), making, |_| {})?.0)
        };
        let running = part("running", running)?;
        let held_out = part("held-out", held_out)?;
        Ok(Self { tokenizer, running, held_out })
    }

    /// Makes what is not yet in `dir` of files: the vocabulary, unless one is given, of which a
    /// copy is kept; and tokens. `progress` is called now and then. What was read comes with them.
    pub(crate) fn of_files(
        from: &Files<'_>,
        dir: &Path,
        making: Making,
        mut progress: impl FnMut(Step<'_>),
    ) -> Result<(Self, Tally)> {
        same_texts(from.corpus, dir)?;
        let learned = Chosen::AllButEvery(from.held_out);
        let folder = dir.join("vocabulary");
        if !folder.join("tokenizer.json").is_file() {
            let tokenizer = match from.given {
                Some(vocabulary) => vocabulary.open()?,
                None => {
                    let mut trainer = VocabularyTrainer::new(from.casing);
                    let mut documents = from.corpus.documents();
                    while let Some(document) = documents.next().transpose()? {
                        if learned.has(document.number) {
                            document.lines.iter().for_each(|line| trainer.count(line));
                        }
                        progress(Step::Vocabulary(documents.tally()));
                    }
                    let tokens = making.vocabulary;
                    trainer.tokenizer(VocabularySize { tokens, ..Default::default() })?
                }
            };
            tokenizer.save(&folder)?;
        }
        // As it is read back, so that a run that goes on has the same one.
        let tokenizer = Tokenizer::open(&folder)?;
        let part = |name: &str, of| (from.corpus, of, dir.join(name));
        let (corpus, of, folder) = part("running", learned);
        let said = |built: &Built| progress(Step::Tokens(built));
        let (running, built) = made((corpus, of), &tokenizer, &folder, making, said)?;
        let read = files::once(&dir.join(READ), || match built.read.documents {
            // An earlier process made the tokens, and was stopped before it noted this.
            0 => {
                let mut documents = corpus.documents();
                documents.by_ref().try_for_each(|document| document.map(drop))?;
                Ok(documents.tally().clone())
            }
            _ => Ok(built.read.clone()),
        })?;
        let documents = read.documents;
        ensure!(
            documents > 1,
            "the texts are one document, and nothing of it can be held out to measure on: let \
             documents end elsewhere (--boundary line, text.boundary), or name more texts"
        );
        ensure!(
            documents >= from.held_out,
            "there are {documents} documents, of which one in {} is held out to measure on: hold \
             out more, as --held-out {} (text.held_out), or let documents be shorter (--boundary \
             line, text.boundary)",
            from.held_out,
            (documents / 10).max(2)
        );
        let (corpus, of, folder) = part("held-out", Chosen::Every(from.held_out));
        let (held_out, _) = made((corpus, of), &tokenizer, &folder, making, |_| {})?;
        Ok((Self { tokenizer, running, held_out }, read))
    }
}

/// Refuses other texts than those that the tokens in `dir` were made of. Where not all were made
/// yet, nothing was learned from them, and they are made anew.
fn same_texts(corpus: &Corpus, dir: &Path) -> Result<()> {
    let file = dir.join(began::TEXTS);
    let now = corpus.fingerprint()?.to_string();
    let before: Option<String> = files::found_before(&file)?;
    if before.as_ref().is_some_and(|before| *before != now) {
        ensure!(
            !dir.join(READ).is_file(),
            "the texts are no longer those that this run began with (names, sizes and times of change \
             of their files): put them back, or begin anew with --fresh"
        );
        pace::remove(dir)?;
    }
    files::make_folder(dir)?;
    files::keep(&file, &now)
}

/// The file that says what was read; it is there when all tokens that are learned from are made.
const READ: &str = "read.json";

/// The tokens of the chosen documents, made in `folder` unless they are there.
fn made(
    (corpus, documents): (&Corpus, Chosen),
    tokenizer: &Tokenizer,
    folder: &Path,
    making: Making,
    progress: impl FnMut(&Built),
) -> Result<(Arc<TokenShards>, Built)> {
    let (segments, workers) = (making.segments, making.workers);
    let options = BuildOptions { documents, segments, workers, ..BuildOptions::default() };
    let built = build(corpus, tokenizer, folder, &options, progress)
        .with_context(|| format!("the tokens in {}", folder.display()))?;
    Ok((Arc::new(TokenShards::open(folder)?), built))
}

/// Names what cannot work of how sequences are made, whose settings are below `key`.
pub(crate) fn check_sequences(key: &str, segments: &Segments, faults: &mut Faults) {
    let key = |name: &str| format!("{key}.{name}");
    faults
        .values()
        .in_range(&key("longest"), segments.longest as i64, 5..=i64::from(u16::MAX))
        .fraction(&key("one_segment"), segments.one_segment)
        .fraction(&key("short"), segments.short);
}

/// Names what cannot work of the size of a vocabulary that is made, which is that of `key`.
pub(crate) fn check_vocabulary(key: &str, tokens: i64, faults: &mut Faults) {
    faults.values().in_range(key, tokens, 32..=1 << 20);
}

/// The vocabulary in `dir`, made of the running text if it is not there: `most` tokens, fewer where
/// the text does not have as many pieces.
pub(crate) fn vocabulary(running: &[Document], dir: &Path, most: usize) -> Result<Tokenizer> {
    files::make_folder(dir)?;
    processes::share_file(&dir.join("tokenizer.json"))?;
    if !dir.join("tokenizer.json").is_file() {
        let mut trainer = VocabularyTrainer::new(Casing::default());
        running.iter().flatten().for_each(|sentence| trainer.count(sentence));
        let size = VocabularySize { tokens: most, ..Default::default() };
        trainer.tokenizer(size)?.save(dir)?;
    }
    // As it is read back, so that a run that goes on has the same one.
    Ok(Tokenizer::open(dir)?)
}

/// A sentence a line, an empty line behind each document.
fn in_lines(documents: &[Document]) -> Vec<u8> {
    let mut text = String::new();
    for document in documents {
        for sentence in document.iter().map(|s| s.trim()).filter(|s| !s.is_empty()) {
            // Only LF ends a line.
            text.push_str(&sentence.replace('\n', " "));
            text.push('\n');
        }
        text.push('\n');
    }
    text.into_bytes()
}

/// A packed batch on the device.
pub(crate) fn on_device(packed: &Packed, device: Device) -> electra::PackedSequences {
    of_batch(packed, BatchPart::whole(&lengths(packed)), device)
}

/// The same of this process's part of a batch that several processes share equally: all of them
/// call it together.
pub(crate) fn share_on_device(packed: &Packed, device: Device) -> Result<electra::PackedSequences> {
    let own = lengths(packed);
    let all = processes::gather(own.iter().map(|&n| n as i64).collect())?;
    let all: Vec<usize> = all.into_iter().map(|n| n as usize).collect();
    let first = processes::share().rank * own.len();
    Ok(of_batch(packed, BatchPart::new(&all, Some(first..first + own.len())), device))
}

fn lengths(packed: &Packed) -> Vec<usize> {
    packed.lengths.iter().map(|&n| n as usize).collect()
}

fn of_batch(packed: &Packed, part: BatchPart, device: Device) -> electra::PackedSequences {
    let wide = |ids: &[u32]| ids.iter().map(|&id| i64::from(id)).collect::<Vec<_>>();
    let segments: Vec<i64> = packed.segments.iter().map(|&s| i64::from(s)).collect();
    electra::PackedSequences::of_part(&wide(&packed.ids), &segments, part, device)
}

/// Tokens of a batch for evaluation on a CPU, about: what layers pass on then stays in its caches.
const TOKENS: usize = 4096;

/// Sequences in batches for evaluation of at most so many, those of like length together: the
/// positions of a batch and the batch.
pub(crate) fn in_batches(
    sequences: &[text::Sequence],
    batch: usize,
    device: Device,
) -> impl Iterator<Item = (Vec<usize>, electra::PackedSequences)> {
    let lengths: Vec<usize> = sequences.iter().map(text::Sequence::len).collect();
    let tokens = if device == Device::Cpu { TOKENS } else { usize::MAX };
    let chunks = text::batches_by_length(&lengths, batch, tokens);
    chunks.into_iter().map(move |chunk| {
        let packed = Packed::of(chunk.iter().map(|&i| &sequences[i]));
        (chunk, on_device(&packed, device))
    })
}
