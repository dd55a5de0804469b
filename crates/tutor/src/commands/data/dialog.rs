//! `tutor data dialog`: from one's own dumps of conversations to filtered pairs in token ids.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use data_pipeline::dialog::{
    BpeSize, DialogBuildOptions, DialogBuilt, DialogFormat, DialogPart, DialogReadOptions,
    DialogSource, DialogSplit, DialogTokenizer, Filters, PairLengths, build_dialogs,
};
use data_pipeline::text::read::times;
use indicatif::{ProgressBar, ProgressStyle};
use metrics::words::counted;
use report::words;

use super::say;
use crate::commands::inputs::{keep_inputs, refuse_pipes};
use crate::commands::plain_text::shown;
use crate::commands::ranges;
use crate::commands::refusal::RefusalArgs;
use crate::commands::skip_bad::{SkipBad, suggest_skip_bad};
use crate::run::cost::peak_rss_bytes;

/// Which dumps, what is dropped of them, and where the pairs go.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Files, folders or patterns, all of one format; name others by --source.
    #[arg(required_unless_present = "source", value_name = "IN")]
    files: Vec<PathBuf>,
    /// Format of the files (see docs/dialog-data.md).
    #[arg(long, value_enum, default_value_t = Format::JsonLines)]
    format: Format,
    /// Read more files, with their format and optionally their part: FORMAT:PATH or
    /// FORMAT,PART:PATH, such as `daily-dialog,test:test.tsv`. May be given several times.
    #[arg(long, value_name = "FORMAT[,PART]:PATH", value_parser = source)]
    source: Vec<DialogSource>,
    /// Folder for the pairs, the vocabulary and the counts of dropped messages. After a stop, the
    /// same command continues where it was.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Memory for messages, digests and pairs, as 512M or 2G. The program, the vocabulary and the
    /// window of a compressed dump need more on top.
    #[arg(long, value_name = "SIZE", default_value = "2G", value_parser = bytes)]
    memory: u64,
    /// Threads, at most four; 0 for one per processor. The result does not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    workers: usize,
    #[command(flatten)]
    skip_bad: SkipBad,
    #[command(flatten)]
    filters: FilterArgs,
    #[command(flatten)]
    made: MadeArgs,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Filters")]
struct FilterArgs {
    /// Drop messages with fewer subwords than N
    #[arg(long, value_name = "N", default_value_t = Filters::default().min_subwords)]
    min_subwords: usize,
    /// Drop messages with more subwords than N
    #[arg(long, value_name = "N", default_value_t = Filters::default().max_subwords, value_parser = ranges::count::<usize>)]
    max_subwords: usize,
    /// Drop messages with a smaller share of letters among all characters (spaces included)
    #[arg(long, value_name = "SHARE", default_value_t = Filters::default().min_alphabetic, value_parser = ranges::share)]
    min_alphabetic: f64,
    /// Drop messages whose author's name contains NAME, in any case; empty disables the rule
    #[arg(long, value_name = "NAME", default_value_t = Filters::default().bot_name)]
    bot_name: String,
    /// Drop messages whose exact text occurs more than N times in the corpus
    #[arg(long, value_name = "N", default_value_t = Filters::default().max_occurrences, value_parser = ranges::count::<u32>)]
    max_occurrences: u32,
    /// Drop messages that share at least this fraction of their subword trigrams with their parent;
    /// above 1 disables the rule
    #[arg(long, value_name = "SHARE", default_value_t = Filters::default().max_parent_overlap, value_parser = ranges::above_0)]
    max_parent_overlap: f64,
    /// Keep messages that contain URLs
    #[arg(long)]
    keep_urls: bool,
    /// Keep copies of the parent's text in messages
    #[arg(long)]
    keep_quotes: bool,
    /// Keep offensive messages
    #[arg(long)]
    #[arg(conflicts_with_all = ["offensive_words", "classifier", "refuse", "refuse_threshold"])]
    keep_offensive: bool,
    #[command(flatten)]
    offensive: RefusalArgs,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
struct MadeArgs {
    /// Maximum turns of a context
    #[arg(long, value_name = "N", default_value_t = Filters::default().max_turns, value_parser = ranges::count::<usize>)]
    max_turns: usize,
    /// Maximum tokens of a context; the oldest turns of a longer one are dropped
    #[arg(long, value_name = "N", default_value_t = PairLengths::default().context, value_parser = ranges::at_least(2_usize))]
    context: usize,
    /// Maximum tokens of a response; a longer one is truncated
    #[arg(long, value_name = "N", default_value_t = PairLengths::default().response, value_parser = ranges::at_least(2_usize))]
    response: usize,
    /// Folder of a vocabulary to use (`tokenizer.json`, or `vocab.json` with `merges.txt`); without
    /// it, one is made from the training conversations
    #[arg(long, value_name = "DIR", conflicts_with_all = ["vocab_size", "characters", "min_count"])]
    vocab: Option<PathBuf>,
    /// Maximum tokens of a vocabulary that is made
    #[arg(long, value_name = "N", default_value_t = BpeSize::default().tokens, value_parser = ranges::at_least(259_usize))]
    vocab_size: usize,
    /// Maximum characters with a token of their own in a vocabulary that is made; others are
    /// encoded as bytes
    #[arg(long, value_name = "N", default_value_t = BpeSize::default().most_characters)]
    characters: usize,
    /// Make only pieces that occur at least N times, in a vocabulary that is made
    #[arg(long, value_name = "N", default_value_t = BpeSize::default().least_count, value_parser = ranges::count::<u64>)]
    min_count: u64,
    /// Seed of the split into training, validation and test, of conversations whose file states no
    /// part
    #[arg(long, value_name = "NUMBER", default_value_t = DialogSplit::default().seed)]
    split_seed: u64,
    /// Share of such conversations for validation
    #[arg(long, value_name = "SHARE", default_value_t = DialogSplit::default().validation, value_parser = ranges::part)]
    validation: f64,
    /// Share of such conversations for test
    #[arg(long, value_name = "SHARE", default_value_t = DialogSplit::default().test, value_parser = ranges::part)]
    test: f64,
    /// Maximum tokens of a file of pairs, itself at most one per 32 bytes of --memory
    #[arg(long, value_name = "N", default_value_t = DialogBuildOptions::default().shard_tokens, value_parser = ranges::count::<u64>)]
    shard_tokens: u64,
}

/// The formats by the names that recipes have for them.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    JsonLines,
    DailyDialog,
    TopicalChat,
    Irc,
    Transcripts,
    Convokit,
    Reddit,
    Blocks,
    Csv,
}

impl From<Format> for DialogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::JsonLines => Self::JsonLines,
            Format::DailyDialog => Self::DailyDialog,
            Format::TopicalChat => Self::TopicalChat,
            Format::Irc => Self::Irc,
            Format::Transcripts => Self::Transcripts,
            Format::Convokit => Self::Convokit,
            Format::Reddit => Self::Reddit,
            Format::Blocks => Self::Blocks,
            Format::Csv => Self::Csv,
        }
    }
}

/// `FORMAT:PATH` or `FORMAT,PART:PATH`.
fn source(text: &str) -> Result<DialogSource, String> {
    let (what, path) = text.split_once(':').ok_or("no `:` between format and path")?;
    let (format, part) = match what.split_once(',') {
        Some((format, part)) => (format, Some(part)),
        None => (what, None),
    };
    let format = Format::from_str(format, false).map_err(|_| {
        let known: Vec<&str> = Format::value_variants()
            .iter()
            .map(|known| DialogFormat::from(*known).name())
            .collect();
        format!("there is no format {format:?}; there are {}", known.join(", "))
    })?;
    let part = part.map(|part| {
        let known = DialogPart::ALL.into_iter().find(|known| known.name() == part);
        known.ok_or(format!("there is no part {part:?}; there are train, validation, test"))
    });
    if path.is_empty() {
        return Err("no path behind `:`".to_owned());
    }
    Ok(DialogSource { path: path.into(), format: format.into(), part: part.transpose()? })
}

/// The least memory of which anything is left for messages.
const LEAST: u64 = 4 << 20;

/// `2G`, `512M`, `65536K`, or bytes.
fn bytes(text: &str) -> Result<u64, String> {
    let plain = text.trim().trim_end_matches(['b', 'B']).trim_end_matches("i");
    let (digits, unit) = match plain.chars().last().map(|last| last.to_ascii_uppercase()) {
        Some('K') => (&plain[..plain.len() - 1], 10),
        Some('M') => (&plain[..plain.len() - 1], 20),
        Some('G') => (&plain[..plain.len() - 1], 30),
        _ => (plain, 0),
    };
    let number: f64 = digits.trim().parse().map_err(|_| "give a size such as 2G or 512M")?;
    let size = number * f64::from(1u32 << unit);
    if !(LEAST as f64..1e15).contains(&size) {
        return Err(format!("it must be at least {}M", LEAST >> 20));
    }
    Ok(size as u64)
}

pub(super) fn run(args: &Args) -> Result<()> {
    let FilterArgs { keep_urls, keep_quotes, keep_offensive, .. } = args.filters;
    let (filters, made) = (&args.filters, &args.made);
    let own = args.files.iter().map(|path| DialogSource {
        path: path.clone(),
        format: args.format.into(),
        part: None,
    });
    let sources: Vec<DialogSource> = own.chain(args.source.iter().cloned()).collect();
    let paths: Vec<PathBuf> = sources.iter().map(|source| source.path.clone()).collect();
    refuse_pipes(&paths)?;
    keep_inputs(&args.out, &paths)?;
    let (guard, said) = filters.offensive.guard("auto")?;
    let options = DialogBuildOptions {
        memory: args.memory,
        workers: args.workers,
        read: DialogReadOptions {
            on_bad: args.skip_bad.on_bad_input(),
            ..DialogReadOptions::default()
        },
        filters: Filters {
            min_subwords: filters.min_subwords,
            max_subwords: filters.max_subwords,
            min_alphabetic: filters.min_alphabetic,
            urls: !keep_urls,
            bot_name: filters.bot_name.clone(),
            max_occurrences: filters.max_occurrences,
            max_parent_overlap: filters.max_parent_overlap,
            offensive: !keep_offensive,
            quotes: !keep_quotes,
            max_turns: made.max_turns,
        },
        split: DialogSplit { seed: made.split_seed, validation: made.validation, test: made.test },
        lengths: PairLengths { context: made.context, response: made.response },
        vocabulary: BpeSize {
            tokens: made.vocab_size,
            least_count: made.min_count,
            most_characters: made.characters,
        },
        shard_tokens: made.shard_tokens,
        unsafe_words: said,
        ..DialogBuildOptions::default()
    };
    let tokenizer = made.vocab.as_deref().map(DialogTokenizer::open).transpose()?;
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template("{msg} {bar:32} {pos}/{len} {eta}")?);
    let mut show = |at: data_pipeline::dialog::DialogProgress| {
        bar.set_message(at.stage);
        bar.set_length(at.total);
        bar.set_position(at.done);
    };
    let built = build_dialogs(&sources, tokenizer.as_ref(), &guard, &args.out, &options, &mut show);
    let built = built.map_err(|error| suggest_skip_bad(error.into()))?;
    bar.finish_and_clear();
    tell(&built, &args.out)
}

/// What became of the messages, and where the pairs are.
fn tell(built: &DialogBuilt, out: &Path) -> Result<()> {
    let DialogBuilt { tally, funnel, pairs, units, largest_unit } = built;
    let row = |name: &str, count: u64, examples: &[String]| {
        let quoted: Vec<String> =
            examples.iter().map(|text| format!("“{}”", shown(text))).collect();
        say(format!("{name:<24}{count:>14}  {}", quoted.join(" ")).trim_end())
    };
    row("messages", funnel.messages, &[])?;
    for (reason, dropped) in &funnel.dropped {
        row(&format!("- {}", reason.name()), dropped.count, &dropped.examples)?;
    }
    row("kept", funnel.kept, &[])?;
    row("with a quotation less", funnel.quotes_removed, &[])?;
    row("pairs", funnel.pairs, &[])?;
    row("- near-duplicate", funnel.near_duplicates, &[])?;
    for (part, count) in pairs {
        row(part, *count, &[])?;
    }
    tally.left_out().try_for_each(|reason| say(&format!("left out: {reason}")))?;
    let memory = match peak_rss_bytes() {
        0 => String::new(),
        peak => format!("; {} of memory at the peak, the program with it", words::bytes(peak)),
    };
    say(&format!(
        "{} of text in {}, {} into memory, {} at most{memory}",
        words::bytes(tally.bytes),
        counted(tally.files, "file"),
        times(*units),
        words::bytes(*largest_unit)
    ))?;
    say(&format!("{}: tokenizer, train, validation, test, built.json", out.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        for (text, size) in
            [("2G", 2 << 30), ("512m", 512 << 20), ("1.5 GiB", 3 << 29), ("9000000", 9_000_000)]
        {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "much", "1M", "-3G", "inf", "nanG", "G"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_source_has_a_format_and_perhaps_a_part() {
        let found = source("daily-dialog,test:a/b:c.tsv").expect("a source");
        assert_eq!((found.format, found.part), (DialogFormat::DailyDialog, Some(DialogPart::Test)));
        assert_eq!(found.path, Path::new("a/b:c.tsv"));
        assert_eq!(source("csv:x").expect("a source").part, None);
        for (text, part) in [("x.csv", "`:`"), ("tsv:x", "blocks"), ("csv,dev:x", "validation")] {
            assert!(source(text).expect_err("a fault").contains(part), "{text}");
        }
        for format in Format::value_variants() {
            let name = DialogFormat::from(*format).name();
            assert_eq!(source(&format!("{name}:x")).expect("by name").format, (*format).into());
        }
    }
}
