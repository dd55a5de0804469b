//! From files of messages that do not fit in memory to files of tokens.
//!
//! 1. Messages are distributed on disk by a hash of their conversation, digests of their texts by
//!    themselves.
//! 2. Digests of one file are sorted in memory: texts that occur too often are known.
//! 3. A vocabulary is made of a part of the training conversations, unless one is given.
//! 4. Conversations that fit in memory together go through the filters, on several threads; their
//!    pairs are written in token ids.
//! 5. What near-duplicates have in common is sorted in memory, in several passes if need be.
//! 6. The pairs that are left become files of tokens, a folder for each part.
//!
//! A stopped call is taken up: after the last source file in 1, after the last unit in 4. The bytes
//! depend on the sources and options alone, not on the number of workers or on the order of lines.

mod begun;
mod conversations;
mod options;
mod partition;
mod units;

pub(super) use self::begun::options_of;
pub(super) use self::conversations::conversations_of;
pub use self::options::DialogBuildOptions;

use self::begun::{WORK, begin, discard, refuse_own, remove_folder};
use self::partition::Partitions;
use super::bpe::BpeTrainer;
use super::filters::Checks;
use super::funnel::{Funnel, Reason};
use super::part::{DialogPart, unit as draw};
use super::read::{DialogSource, files_of};
use super::safety::Safety;
use super::select::Dialogs;
use super::subwords::Subwords;
use super::tokenizer::DialogTokenizer;
use crate::digest::Digest;
use crate::error::DataError;
use crate::parallel;
use crate::text::pretrain::{Made, Writer};
use crate::text::read::Tally;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// What was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DialogBuilt {
    /// What was read.
    pub tally: Tally,
    /// What became of the messages.
    pub funnel: Funnel,
    /// Pairs of each part, by its name.
    pub pairs: BTreeMap<String, u64>,
    /// How often messages were brought into memory together.
    pub units: u64,
    /// Bytes that the messages of the largest of these units took.
    pub largest_unit: u64,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct DialogProgress {
    /// What is being done.
    pub stage: &'static str,
    /// How much of it.
    pub done: u64,
    /// How much there is to do.
    pub total: u64,
}

/// The share of the memory that the messages of one unit may take: four units at once, and the
/// pairs of each.
const SHARE: u64 = 8;

/// Builds `tokenizer/tokenizer.json` and the folders `train`, `validation` and `test` of token
/// files in `folder`; [`MadeDialogs`](super::MadeDialogs) opens them. Files are written whole.
/// `tokenizer` is taken if it is given, else one is made.
///
/// # Errors
/// Those of reading, of writing and of `safety`; when a conversation does not fit in the memory;
/// when no pair is left; when a source is among what is made; when the folder was begun with files
/// of other content or other options, or another process builds in it.
pub fn build_dialogs(
    sources: &[DialogSource],
    tokenizer: Option<&DialogTokenizer>,
    safety: &dyn Safety,
    folder: &Path,
    options: &DialogBuildOptions,
    progress: &mut dyn FnMut(DialogProgress),
) -> Result<DialogBuilt, DataError> {
    options.filters.check()?;
    options.split.check()?;
    options.lengths.check()?;
    let files = files_of(sources)?;
    refuse_own(folder, &files)?;
    let _lock = DataError::lock(folder)?;
    let total = files.len() as u64;
    // Their number has no influence on the result.
    let noted = json!(DialogBuildOptions { workers: 0, ..options.clone() });
    let mut known = |done| progress(DialogProgress { stage: "checking", done, total });
    let settings = begin(folder, &files, tokenizer, noted, &mut known)?;
    let finished = folder.join("built.json");
    let work = folder.join(WORK);
    if let Ok(bytes) = std::fs::read(&finished) {
        // A call that was killed at its very end has left it.
        remove_folder(&work)?;
        return serde_json::from_slice(&bytes)
            .map_err(|error| DataError::format(&finished, 0, error.to_string()));
    }
    let mut read = |done| progress(DialogProgress { stage: "reading", done, total });
    let bytes: u64 = files.iter().filter_map(|f| Some(f.path.metadata().ok()?.len())).sum();
    // Packed text is five times as long, and messages take more room in memory.
    let wanted = (bytes * 16).div_ceil((options.memory / SHARE).max(1));
    let count = wanted.clamp(16, 256) as usize;
    let partitions =
        Partitions::make(&work, &files, &options.read, count, options.memory, &mut read)?;
    if partitions.messages == 0 {
        discard(folder)?;
        let fault = "no message in the sources (name files of conversations, and their format)";
        return Err(DataError::Request(fault.into()));
    }
    let units = partitions.units(options.memory / SHARE)?;
    let own = folder.join("tokenizer");
    let there_before = (own.exists(), own.join("tokenizer.json").exists());
    let tokenizer = vocabulary((&partitions, &units), tokenizer, folder, options)?;
    let frequent: HashMap<Digest, u32> = partitions
        .frequent(options.filters.max_occurrences, options.memory / SHARE)?
        .into_iter()
        .collect();

    let workers = match options.workers {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        workers => workers,
    };
    let workers = workers.min(4);
    let select = |at: usize| -> Result<units::Done, DataError> {
        if let Some(done) = units::done(&work, at)? {
            return Ok(done);
        }
        let dialogs = Dialogs::new(partitions.messages(&units[at])?, &options.split)?;
        let often = |line: &str| match frequent.is_empty() {
            true => 1,
            false => frequent.get(&Digest::of(line.as_bytes())).copied().unwrap_or(1),
        };
        let subwords = Subwords::new(&tokenizer);
        let ids = |text: &str| subwords.ids(text).map(|ids| ids.to_vec()).unwrap_or_default();
        let checks = Checks { subwords: &ids, safety };
        let selected = dialogs.select_of_many(&options.filters, &checks, often, 1)?;
        drop(dialogs);
        units::write(&work, at, &selected, &subwords, &options.lengths)
    };
    let mut built = DialogBuilt {
        tally: partitions.tally.clone(),
        units: units.len() as u64,
        largest_unit: units.iter().map(|unit| unit.bytes).max().unwrap_or(0),
        ..DialogBuilt::default()
    };
    let mut pairs: Vec<u64> = Vec::with_capacity(units.len());
    while pairs.len() < units.len() {
        let (at, some) = (pairs.len(), (units.len() - pairs.len()).min(workers * 4));
        for done in parallel::map_on(workers, some, |i| select(at + i)) {
            let done = done?;
            built.funnel.add(&done.funnel);
            pairs.push(done.pairs);
        }
        let (done, total) = (pairs.len() as u64, units.len() as u64);
        progress(DialogProgress { stage: "filtering", done, total });
    }
    if built.funnel.pairs == 0 {
        discard(folder)?;
        match there_before {
            (false, _) => remove_folder(&own)?,
            (true, false) => {
                let made = own.join("tokenizer.json");
                std::fs::remove_file(&made).map_err(DataError::io(&made, "remove it"))?;
            }
            (true, true) => {}
        }
        return Err(DataError::Request(no_pair(&built.funnel)));
    }
    let gone = units::near_duplicates(&work, &pairs, options.memory / SHARE)?;
    built.funnel.near_duplicates = gone.count();
    for part in DialogPart::ALL {
        let into = folder.join(part.name());
        let written = write_part(part, &into, &work, &pairs, &gone, &tokenizer, settings, options)?;
        conversations::write(part, &into, &work, &pairs, &gone)?;
        built.pairs.insert(part.name().to_owned(), written);
    }
    // Of a call that was killed while it wrote one of the files.
    for made in [folder, &folder.join("tokenizer")] {
        atomic_file::remove_left_overs(made)?;
    }
    let note = serde_json::to_string_pretty(&built).unwrap_or_default();
    atomic_file::write(&finished, (note + "\n").as_bytes())?;
    remove_folder(&work)?;
    Ok(built)
}

/// That no pair is left, with what dropped the messages.
fn no_pair(funnel: &Funnel) -> String {
    let count = |(name, count): (&str, u64)| format!("{name} {count}");
    let dropped = funnel.dropped.iter().map(|(reason, dropped)| (reason.name(), dropped.count));
    let messages = std::iter::once(("messages", funnel.messages));
    let counts: Vec<String> =
        messages.chain(dropped).chain([("kept", funnel.kept)]).map(count).collect();
    let missing = funnel.dropped.get(&Reason::MissingParent).filter(|missing| missing.count > 0);
    let example = missing.and_then(|missing| missing.examples.first());
    // Ids and parents that are written differently leave only the first messages of trees.
    match example.filter(|_| 4 * funnel.count(Reason::MissingParent) > funnel.messages) {
        Some(example) => format!(
            "no pair is left: {}; parents are not there, as {example:?} (write `id` and \
             `parent` alike)",
            counts.join(", ")
        ),
        None => format!(
            "no pair is left: {}; none that is kept replies to another (name their format, or drop \
             less)",
            counts.join(", ")
        ),
    }
}

/// The tokenizer that is given, was made before, or is made of training texts now.
fn vocabulary(
    (partitions, units): (&Partitions, &[partition::Unit]),
    given: Option<&DialogTokenizer>,
    folder: &Path,
    options: &DialogBuildOptions,
) -> Result<DialogTokenizer, DataError> {
    let own = folder.join("tokenizer");
    if !own.join("tokenizer.json").is_file() {
        match given {
            Some(given) => given.save(&own)?,
            None => {
                let room = options.vocabulary_bytes.min(options.memory / 16).max(1 << 16);
                let share = room as f64 / partitions.bytes.max(1) as f64;
                let (mut trainer, mut trains, mut any) = (BpeTrainer::default(), false, false);
                let mut count = |name: &str, part: DialogPart, text: &str| {
                    let drawn = draw(options.split.seed ^ 1 << 63, name) < share;
                    trains |= part == DialogPart::Train;
                    if part == DialogPart::Train && drawn {
                        trainer.count(&super::clean::one_line(text));
                        any = true;
                    }
                };
                partitions.each(&mut |message| {
                    let name = &message.conversation;
                    if !name.is_empty() {
                        let part = message.part.unwrap_or_else(|| options.split.part(name));
                        count(name, part, &message.text);
                    }
                })?;
                // Those without a conversation are of trees, which have names.
                let trees = Dialogs::new(partitions.unnamed(units)?, &options.split)?;
                trees.each(count);
                if !trains {
                    let fault = "no conversation is in the training part, which a vocabulary is \
                                 made of (give a vocabulary, or sources of that part)";
                    return Err(DataError::Request(fault.into()));
                }
                if !any {
                    let bytes = partitions.bytes;
                    return Err(DataError::Request(format!(
                        "no training conversation was drawn for the vocabulary, which is made of \
                         some {room} of {bytes} bytes of text (give a vocabulary, more memory, or \
                         another seed of the split)"
                    )));
                }
                trainer.tokenizer(options.vocabulary)?.save(&own)?;
            }
        }
    }
    DialogTokenizer::open(&own)
}

/// The files of tokens of one part; gives the number of pairs.
#[expect(clippy::too_many_arguments, reason = "one step of the build, with what came before")]
fn write_part(
    part: DialogPart,
    into: &Path,
    work: &Path,
    pairs: &[u64],
    gone: &units::Marks,
    tokenizer: &DialogTokenizer,
    settings: Digest,
    options: &DialogBuildOptions,
) -> Result<u64, DataError> {
    std::fs::create_dir_all(into)
        .map_err(DataError::io(into, "name a folder that may be written to"))?;
    let (size, vocabulary) = (tokenizer.size(), tokenizer.digest());
    // Up to four bytes a token, twice while it is written.
    let shard_tokens = options.shard_tokens.min(options.memory / (4 * SHARE)).max(1);
    let mut writer = Writer::resume(into, size, vocabulary, settings, shard_tokens)?;
    if writer.is_finished() {
        return Ok(writer.built().sequences);
    }
    for (at, &all) in pairs.iter().enumerate().skip(writer.next() as usize) {
        let mut sequences = Vec::new();
        let mut pair = 0;
        units::read(work, at, all, &mut |written| {
            if written.part == part && !gone.has(at, pair) {
                sequences.push(written.sequence);
            }
            pair += 1;
            Ok(())
        })?;
        writer.add(Made { number: at as u64, sequences, dropped: 0 })?;
    }
    writer.finish()?;
    Ok(writer.built().sequences)
}
