//! Text files to files of tokens.

use super::builder::{Builder, Segments};
use super::shard::{Body, Header};
use super::shards::TokenShards;
use crate::digest::Digest;
use crate::error::DataError;
use crate::parallel;
use crate::text::corpus::{Corpus, Document, Documents};
use crate::text::read::Tally;
use crate::text::sequence::Sequence;
use crate::text::tokenizer::{Encoder, Tokenizer};
use augment::rng::Key;
use serde::Serialize;
use serde_json::json;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Which documents become sequences, by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// All.
    #[default]
    All,
    /// All but the last of each so many, at least one: to learn from.
    AllButEvery(u64),
    /// The last of each so many, at least one: to measure on.
    Every(u64),
}

impl Chosen {
    /// Whether the document of this number is one of them.
    pub fn has(self, number: u64) -> bool {
        match self {
            Self::All => true,
            Self::AllButEvery(many) => number % many != many - 1,
            Self::Every(many) => number % many == many - 1,
        }
    }
}

/// How files of tokens are built.
#[derive(Clone, Copy, Debug)]
pub struct BuildOptions {
    /// Which documents they are built of.
    pub documents: Chosen,
    /// How sequences are made.
    pub segments: Segments,
    /// The seed of lengths and coins; each document has its own random numbers.
    pub seed: u64,
    /// A file ends after the document with which it has so many tokens.
    pub shard_tokens: u64,
    /// Threads that tokenize; 0 for all processors. The files are the same for any number.
    pub workers: usize,
}

impl Default for BuildOptions {
    /// Upstream's sequences of 128 tokens of all documents, 16 million tokens a file.
    fn default() -> Self {
        let (documents, segments) = (Chosen::All, Segments::default());
        Self { documents, segments, seed: 0, shard_tokens: 1 << 24, workers: 0 }
    }
}

/// What was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// Sequences in all files.
    pub sequences: u64,
    /// Tokens in all files.
    pub tokens: u64,
    /// Tokens that were cut off, since their sequence was full.
    pub dropped: u64,
    /// Files.
    pub shards: u32,
    /// What was read, in this call.
    pub read: Tally,
}

/// Documents of so many bytes are worked on by a thread at a time.
const BLOCK: usize = 1 << 18;
/// The view of a key that a document's random numbers come from.
const VIEW: u64 = 2001;

/// Makes sequences of all documents and writes them into `folder` (see
/// [`Shard`](super::Shard)). Files that are there already, from a call that was stopped,
/// are kept and the rest is made; a finished folder is left as it is. `progress` is called after
/// each file and now and then between.
///
/// # Errors
/// Those of reading and writing, and when the folder was begun with other texts, another
/// vocabulary or other settings, or another process builds in it.
pub fn build(
    corpus: &Corpus,
    tokenizer: &Tokenizer,
    folder: &Path,
    options: &BuildOptions,
    mut progress: impl FnMut(&Built),
) -> Result<Built, DataError> {
    let longest = options.segments.longest;
    if !(5..=usize::from(u16::MAX)).contains(&longest) {
        let fault = format!("sequences of {longest} tokens: possible are 5 to {}", u16::MAX);
        return Err(DataError::Request(fault));
    }
    let _lock = DataError::lock(folder)?;
    let settings = begin(corpus, tokenizer, folder, options)?;
    let mut writer = Writer::resume(
        folder,
        tokenizer.size(),
        tokenizer.digest(),
        settings,
        options.shard_tokens,
    )?;
    if writer.finished {
        return Ok(writer.built);
    }
    let workers = match options.workers {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        workers => workers,
    };
    let encoders: Mutex<Vec<Encoder<'_>>> = Mutex::default();
    let mut documents = corpus.documents();
    let mut blocks = read_blocks(&mut documents, workers * 4, writer.next)?;
    while !blocks.is_empty() {
        // The next blocks are read while these are worked on.
        let (made, next) = std::thread::scope(|scope| {
            let work = scope.spawn(|| {
                parallel::map_on(workers, blocks.len(), |i| {
                    let lock = || encoders.lock().unwrap_or_else(PoisonError::into_inner);
                    let mut encoder = lock().pop().unwrap_or_else(|| Encoder::new(tokenizer));
                    let made = make(&blocks[i], &mut encoder, options);
                    lock().push(encoder);
                    made
                })
            });
            let next = read_blocks(&mut documents, workers * 4, 0);
            match work.join() {
                Ok(made) => (made, next),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        });
        for block in made {
            for document in block? {
                writer.add(document)?;
            }
        }
        writer.built.read = documents.tally().clone();
        progress(&writer.built);
        blocks = next?;
    }
    writer.finish()?;
    writer.built.read = documents.tally().clone();
    progress(&writer.built);
    Ok(writer.built)
}

/// Notes what is built, or compares it with the note of the call that began. Gives the digest of
/// the settings.
fn begin(
    corpus: &Corpus,
    tokenizer: &Tokenizer,
    folder: &Path,
    options: &BuildOptions,
) -> Result<Digest, DataError> {
    let mut settings = json!({
        "segments": options.segments, "seed": options.seed, "shard-tokens": options.shard_tokens,
    });
    if options.documents != Chosen::All {
        settings["documents"] = json!(options.documents);
    }
    let note = json!({
        "format": 1, "texts": corpus.fingerprint()?, "vocabulary": tokenizer.digest(),
        "settings": settings,
    });
    let path = folder.join("build.json");
    if path.is_file() {
        let bytes = std::fs::read(&path).map_err(DataError::io(&path, "check the file"))?;
        let before: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|error| DataError::format(&path, 0, error.to_string()))?;
        let other: Vec<&str> = ["format", "texts", "vocabulary", "settings"]
            .into_iter()
            .filter(|key| before[*key] != note[*key])
            .collect();
        if !other.is_empty() {
            return Err(DataError::Missing {
                path: folder.to_path_buf(),
                fault: format!("begun with other {}", other.join(", ")),
                way_out: "name another folder, or remove this one to build anew",
            });
        }
    } else {
        atomic_file::write(&path, format!("{note:#}\n").as_bytes())?;
    }
    Ok(Digest::of(settings.to_string().as_bytes()))
}

/// The next blocks of documents, at most `most`; documents before number `from` are passed over.
fn read_blocks(
    documents: &mut Documents,
    most: usize,
    from: u64,
) -> Result<Vec<Vec<Document>>, DataError> {
    let (mut blocks, mut block, mut bytes) = (Vec::new(), Vec::new(), 0);
    for document in documents.by_ref() {
        let document = document?;
        if document.number < from {
            continue;
        }
        bytes += document.lines.iter().map(String::len).sum::<usize>();
        block.push(document);
        if bytes >= BLOCK {
            blocks.push(std::mem::take(&mut block));
            bytes = 0;
            if blocks.len() == most {
                return Ok(blocks);
            }
        }
    }
    if !block.is_empty() {
        blocks.push(block);
    }
    Ok(blocks)
}

/// What one document became.
pub(crate) struct Made {
    pub(crate) number: u64,
    pub(crate) sequences: Vec<Sequence>,
    /// Tokens that were cut off.
    pub(crate) dropped: u64,
}

fn make(
    documents: &[Document],
    encoder: &mut Encoder<'_>,
    options: &BuildOptions,
) -> Result<Vec<Made>, DataError> {
    let specials = encoder.tokenizer().specials();
    let mut builder = Builder::new(options.segments, specials);
    let mut made = Vec::with_capacity(documents.len());
    for document in documents {
        let key = Key { seed: options.seed, epoch: 0, index: document.number, view: VIEW };
        let (mut rng, mut sequences, before) = (key.rng(), Vec::new(), builder.dropped());
        if !options.documents.has(document.number) {
            made.push(Made { number: document.number, sequences, dropped: 0 });
            continue;
        }
        builder.begin(&mut rng);
        for line in &document.lines {
            builder.add_line(line, encoder, &mut rng, |sequence| sequences.push(sequence))?;
        }
        sequences.extend(builder.end(&mut rng));
        let dropped = builder.dropped() - before;
        made.push(Made { number: document.number, sequences, dropped });
    }
    Ok(made)
}

/// Puts documents into files in their order.
pub(crate) struct Writer<'a> {
    folder: &'a Path,
    header: Header,
    body: Body,
    shard_tokens: u64,
    /// The next document to be added.
    next: u64,
    finished: bool,
    built: Built,
}

impl<'a> Writer<'a> {
    /// Behind the files that are there. `size` and `vocabulary` are the number of ids and the
    /// digest of the tokenizer.
    pub(crate) fn resume(
        folder: &'a Path,
        size: usize,
        vocabulary: Digest,
        settings: Digest,
        shard_tokens: u64,
    ) -> Result<Self, DataError> {
        atomic_file::remove_left_overs(folder)?;
        let size = size as u32;
        let mut header = Header {
            wide: size > 1 << 16,
            vocabulary,
            settings,
            sequences: 0,
            tokens: 0,
            documents: (0, 0),
            dropped: 0,
            number: 0,
            last: false,
            size,
            body: Digest::of(&[]),
        };
        let (mut built, mut finished) = (Built::default(), false);
        for shard in TokenShards::found(folder)? {
            let found = shard.header();
            if (found.vocabulary, found.settings) != (vocabulary, settings) {
                return Err(DataError::Missing {
                    path: shard.path().to_path_buf(),
                    fault: "made with another vocabulary or other settings".into(),
                    way_out: "name another folder, or remove this one to build anew",
                });
            }
            header.documents.0 = found.documents.1;
            header.number += 1;
            finished = found.last;
            built.sequences += found.sequences;
            built.tokens += found.tokens;
            built.dropped += found.dropped;
            built.shards += 1;
        }
        let next = header.documents.0;
        Ok(Self { folder, header, body: Body::default(), shard_tokens, next, finished, built })
    }

    /// The next document to be added.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Whether the last file is there.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// What is written and added.
    pub(crate) fn built(&self) -> &Built {
        &self.built
    }

    /// Adds the sequences of a document.
    pub(crate) fn add(&mut self, document: Made) -> Result<(), DataError> {
        for sequence in &document.sequences {
            self.body.push(sequence, self.header.wide);
            self.built.tokens += sequence.len() as u64;
        }
        self.built.sequences += document.sequences.len() as u64;
        self.built.dropped += document.dropped;
        self.header.dropped += document.dropped;
        self.next = document.number + 1;
        // A place in the file is a number of 32 bits.
        if self.body.tokens >= self.shard_tokens.clamp(1, 1 << 31) {
            self.write(false)?;
        }
        Ok(())
    }

    /// Writes the last file.
    pub(crate) fn finish(&mut self) -> Result<(), DataError> {
        self.write(true)
    }

    fn write(&mut self, last: bool) -> Result<(), DataError> {
        let documents = (self.header.documents.0, self.next);
        let header = Header { last, documents, ..self.header };
        std::mem::take(&mut self.body).write(self.folder, header)?;
        self.header.number += 1;
        self.header.documents.0 = self.next;
        self.header.dropped = 0;
        self.built.shards += 1;
        Ok(())
    }
}
