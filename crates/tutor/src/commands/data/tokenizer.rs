//! `tutor data tokenizer train`: a WordPiece vocabulary from texts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use data_pipeline::text::corpus::{Boundary, Corpus, ReadOptions};
use data_pipeline::text::{Casing, Tokenizer, VocabularySize, VocabularyTrainer};
use metrics::words::counted;

use super::say;
use crate::commands::inputs::keep_inputs;
use crate::commands::ranges;
use crate::commands::skip_bad::{SkipBad, suggest_skip_bad};

#[derive(clap::Subcommand)]
pub(super) enum Action {
    /// Make a WordPiece vocabulary from texts; the order of the texts does not matter.
    Train {
        /// Files, folders or patterns: text, `.jsonl`, `.csv`, `.tsv` or `.parquet`, which may be
        /// compressed by gzip or zstd.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Maximum tokens, including the five special ones.
        #[arg(long, value_name = "N", default_value_t = 30_522, value_parser = ranges::at_least(6_usize))]
        vocab_size: usize,
        /// Where to write it: a `.txt` file for the vocabulary alone, else a folder with
        /// `tokenizer.json` too, as published networks have. Existing files are replaced.
        #[arg(long, default_value = "vocab.txt")]
        out: PathBuf,
        /// Keep upper case and accents.
        #[arg(long)]
        cased: bool,
        /// Field or column of text in files that have several.
        #[arg(long, default_value = "text")]
        field: String,
        /// Make only pieces that occur at least N times.
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = ranges::count::<u64>)]
        min_count: u64,
        /// Keep the N most frequent characters; words with others become unknown.
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = ranges::count::<usize>)]
        characters: usize,
        #[command(flatten)]
        skip_bad: SkipBad,
    },
}

pub(super) fn run(action: &Action) -> Result<()> {
    let Action::Train { files, vocab_size, out, cased, field, min_count, characters, skip_bad } =
        action;
    let alone = out.extension().is_some_and(|ending| ending == "txt");
    ensure!(
        !(alone && *cased),
        "{}: a vocab.txt by itself does not say that it is cased: name a folder with --out",
        out.display()
    );
    match alone {
        true => keep_inputs(out, files)?,
        false => {
            Tokenizer::FILES.iter().try_for_each(|name| keep_inputs(&out.join(name), files))?
        }
    }
    let options = ReadOptions {
        boundary: Boundary::Line,
        field: field.clone(),
        on_bad: skip_bad.on_bad_input(),
        ..ReadOptions::default()
    };
    let casing = match cased {
        true => Casing { lower_case: false, ..Casing::default() },
        false => Casing::default(),
    };
    let mut trainer = VocabularyTrainer::new(casing);
    let corpus = Corpus::open(files, options)?;
    let mut documents = corpus.documents();
    for document in documents.by_ref() {
        let document = document.map_err(|error| suggest_skip_bad(error.into()))?;
        document.lines.iter().for_each(|line| trainer.count(line));
    }
    let size = VocabularySize {
        tokens: *vocab_size,
        least_count: *min_count,
        most_characters: *characters,
    };
    let tokenizer = trainer.tokenizer(size)?;
    match alone {
        true => write_alone(&tokenizer, out)?,
        false => tokenizer.save(out)?,
    }
    let tally = documents.tally();
    say(&format!(
        "{}: {} from {} lines and records of {}",
        out.display(),
        counted(tokenizer.size(), "token"),
        tally.lines,
        counted(tally.files, "file")
    ))?;
    if tokenizer.size() < *vocab_size {
        let more = "; there are no more pieces that occur so often";
        say(&format!("fewer than {vocab_size}{more} (--min-count {min_count})"))?;
    }
    tally.left_out().try_for_each(|reason| say(&format!("left out: {reason}")))
}

/// A token a line, the first has id 0.
fn write_alone(tokenizer: &Tokenizer, out: &Path) -> Result<()> {
    let mut text = String::new();
    for id in 0..tokenizer.size() as u32 {
        text += &tokenizer.token(id).context("a token for each id")?;
        text.push('\n');
    }
    Ok(atomic_file::write(out, text.as_bytes())?)
}
