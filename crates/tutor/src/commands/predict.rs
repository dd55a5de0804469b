//! `tutor predict`: labels new samples.

mod part;
pub(super) mod shard;
mod table;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use metrics::words::counted;

use super::inputs::{keep_inputs, keep_pictures};
use super::precision::Precision;
use super::ranges;
use super::skipped::skipped_by;
use super::tally::Tally;
use super::text_tables::TextTables;
use super::which::Which;
use crate::images::trained_model::TrainedModel;
use crate::run::experiment::{Answer, Reading, Shown};
use crate::run::interrupt;
use crate::run::note::note;
use crate::run::sections::one_of;
use part::{Key, Part};
use shard::{Shard, Whole};
use table::{Format, Row, Table, heads};

/// Which network labels what.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The folder of samples; sub-folders are searched too. Tables of files and Parquet files of
    /// images are read as well. For a classifier of texts: a table with a column of texts, or a
    /// file with a text a line; for one of pairs, a table with the two columns that it learned
    /// from.
    samples: PathBuf,
    /// Where the labels go: `.csv`, `.parquet` or `.jsonl`. A file that is there is replaced if it
    /// is named here, unless it is one that is read; without this option it is `labels.csv`, which
    /// must not be there. Beside it lies `FILE.part` until all is done, from which a command that
    /// was stopped goes on.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Labels the I-th of N equal parts of the samples alone, `1/N` to `N/N`: one process after
    /// another, or as many at once on as many machines. `--out` is then a folder (`labels`) with a
    /// Parquet file a part; a part that is done is not done again. Processes of a launcher take a
    /// part each without it.
    #[arg(long, value_name = "I/N", value_parser = shard::parse)]
    shard: Option<Shard>,
    /// Leaves the label empty where the network is less sure than this, a probability from 0 to 1.
    #[arg(long, value_name = "P", value_parser = ranges::share)]
    threshold: Option<f64>,
    /// Writes the texts beside their labels, under the name of their column.
    #[arg(long)]
    with_text: bool,
    #[command(flatten)]
    tables: TextTables,
    #[command(flatten)]
    precision: Precision,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    predict(args).map_err(|error| skipped_by("--skip-bad", error))
}

impl Args {
    /// Finds what would end every process of several, before any of them starts, as far as it is
    /// seen without the network.
    pub(super) fn check(&self) -> Result<()> {
        if self.shard.is_some() {
            bail!("--shard is one part; the processes of a launcher take a part each without it");
        }
        let folder = shard::folder(self.out.as_deref())?;
        keep_pictures(&Shard { number: 1, of: 1 }.file(&folder), &self.samples)
    }

    /// The columns of texts that are written beside the labels, whose columns are `heads`.
    fn texts<'a>(&self, shown: &'a dyn Shown, heads: &[String]) -> Result<&'a [String]> {
        if !self.with_text {
            return Ok(&[]);
        }
        let columns = shown.columns();
        ensure!(!columns.is_empty(), "--with-text: {} have no texts: leave it out", shown.unit());
        if let Some(name) = columns.iter().find(|&name| heads.contains(name)) {
            bail!(
                "--with-text: a column of the labels is named `{name}` too: give the texts another"
            );
        }
        Ok(columns)
    }
}

/// Where labels go, and of which part of the samples.
enum Out {
    File(PathBuf, Format),
    Parts(PathBuf, Shard),
}

impl Out {
    fn of(args: &Args, launched: Option<Shard>) -> Result<Self> {
        if let Some(shard) = args.shard.or(launched) {
            return Ok(Self::Parts(shard::folder(args.out.as_deref())?, shard));
        }
        let out = super::out_file(args.out.as_deref(), "labels.csv")?;
        let Some(format) = Format::of(&out) else {
            bail!("{}: the name must end in .csv, .parquet or .jsonl", out.display());
        };
        Ok(Self::File(out, format))
    }
}

fn predict(args: &Args) -> Result<()> {
    torch::group::end_with_launcher()?;
    let launched = shard::of_launcher()?;
    let threshold = args.threshold.map(|least| least as f32);
    let out = Out::of(args, launched.map(|(shard, _)| shard))?;
    let (mut predictor, mut about) = args.which.load(launched.map(|(_, place)| place))?;
    let target = match &out {
        Out::File(file, _) => file.clone(),
        Out::Parts(folder, shard) => shard.file(folder),
    };
    match predictor.as_any().is::<TrainedModel>() {
        true => keep_pictures(&target, &args.samples)?,
        false => keep_inputs(&target, std::slice::from_ref(&args.samples))?,
    }
    args.precision.bring(&mut *predictor)?;
    args.tables.bring(&mut *predictor, Reading::default())?;
    about += args.precision.told();
    let shown = predictor.open(&args.samples, false)?;
    let format = match &out {
        Out::File(_, format) => *format,
        Out::Parts(..) => Format::Parquet,
    };
    let texts = args.texts(&*shown, &heads(shown.id_column(), predictor.classes(), format))?;
    let (file, range, whole) = match out {
        Out::File(file, _) => (file, 0..shown.len(), None),
        Out::Parts(folder, shard) => {
            let range = shard.range(shown.len());
            let identity = (predictor.identity()?, threshold, args.with_text, shown.id_column());
            let names = (0..shown.len()).map(|i| shown.id(i));
            let stamps = range.clone().map(|i| shown.stamp(i));
            let whole = Whole::new(identity, shard, names, stamps);
            let file = shard.file(&folder);
            shard::make(&folder)?;
            if shard.is_done(&folder, &whole)? {
                return super::say(&format!("{}: done before", file.display()));
            }
            (file, range, Some((whole, shard)))
        }
    };
    // What all of several processes would tell, one of them does.
    let is_first = whole.as_ref().is_none_or(|(_, shard)| shard.number == 1);
    if is_first {
        shown.notes().iter().for_each(|text| note(text));
    }

    let samples =
        args.samples.canonicalize().with_context(|| args.samples.display().to_string())?;
    let ids = range.clone().map(|i| format!("{}\t{}", shown.id(i), shown.stamp(i)));
    let key = Key::new(predictor.identity()?, samples, ids);
    let mut part = Part::open(&file, &key)?;
    let (from, path) = (part.len(), part.path().display().to_string());
    if from > 0 {
        let all = counted(range.len(), one_of(shown.unit()));
        let were = if from == 1 { "was" } else { "were" };
        note(&format!("{from} of {all} {were} done before; going on from {path}"));
    }
    if part.replaced() {
        note(&format!(
            "{path}: what a stopped command left is by another network or another version of this \
             program, or of other samples, and is begun anew"
        ));
    }
    // From now on a stop loses nothing.
    train::signals::install().context("watching for SIGINT and SIGTERM")?;
    let bar = match launched.is_none() || is_first {
        true => ProgressBar::new(range.len() as u64),
        false => ProgressBar::hidden(),
    };
    let bar = bar.with_position(from as u64);
    bar.set_style(ProgressStyle::with_template("{bar:32} {pos}/{len} {per_sec} {eta}")?);
    bar.reset_eta();
    shown.show(range.start + from..range.end, &mut |answers| {
        bar.inc(answers.len() as u64);
        part.append(&answers)?;
        interrupt::check()
    })?;
    bar.finish_and_clear();

    let mut tally = Tally::new(if is_first { shown.left_out() } else { &[] });
    let mut unsure = 0u64;
    for answer in part.answers()? {
        let answer = answer?;
        tally.add(&answer);
        if let (Answer::Said { probabilities, .. }, Some(least)) = (&answer, threshold) {
            unsure += u64::from(table::is_unsure(probabilities, least));
        }
    }
    let table = Table {
        id: shown.id_column(),
        texts,
        classes: predictor.classes(),
        threshold,
        about: whole.map(|(whole, _)| whole.entry()),
        rows: &|| {
            let answers = range.clone().zip(part.answers()?);
            let row = |(i, answer): (usize, Result<Answer>)| match answer {
                Ok(Answer::Said { probabilities, .. }) => {
                    let texts = if texts.is_empty() { Vec::new() } else { shown.texts(i) };
                    Some(Ok(Row { id: shown.id(i), probabilities, texts }))
                }
                Ok(Answer::LeftOut(_)) => None,
                Err(error) => Some(Err(error)),
            };
            Ok(Box::new(answers.filter_map(row)))
        },
    };
    table.write(&file, format)?;
    part.remove()?;
    if !range.is_empty() {
        tally.tell(shown.unit());
    }
    let labelled = tally.said - unsure;
    let labelled = counted(labelled, one_of(shown.unit()));
    let mut text = format!("{}: {labelled} labelled by {about}", file.display());
    if let Some(least) = threshold {
        text += &format!(", {unsure} below {least} left without a label");
    }
    super::say(&text)
}
