//! `tutor predict`: labels new samples.

mod part;
mod table;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use super::precision::Precision;
use super::ranges;
use super::skipped::skipped_by;
use super::tally::Tally;
use super::text_tables::TextTables;
use super::which::Which;
use crate::run::experiment::Answer;
use crate::run::note::note;
use crate::run::sections::one_of;
use part::{Key, Part};
use table::{Format, Table};

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
    /// is named here; without this option it is `labels.csv`, which must not be there. Beside it
    /// lies `FILE.part` until all is done, from which a command that was stopped goes on.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Leaves the label empty where the network is less sure than this, a probability from 0 to 1.
    #[arg(long, value_name = "P", value_parser = ranges::share)]
    threshold: Option<f64>,
    #[command(flatten)]
    tables: TextTables,
    #[command(flatten)]
    precision: Precision,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    predict(args).map_err(|error| skipped_by("--skip-bad", error))
}

fn predict(args: &Args) -> Result<()> {
    let threshold = args.threshold.map(|least| least as f32);
    let out = super::out_file(args.out.as_deref(), "labels.csv")?;
    let Some(format) = Format::of(&out) else {
        bail!("{}: the name must end in .csv, .parquet or .jsonl", out.display());
    };
    let (mut predictor, mut about) = args.which.load()?;
    args.precision.bring(&mut *predictor)?;
    args.tables.bring(&mut *predictor, None)?;
    about += args.precision.told();
    let shown = predictor.open(&args.samples, false)?;
    shown.notes().iter().for_each(|text| note(text));

    let samples =
        args.samples.canonicalize().with_context(|| args.samples.display().to_string())?;
    let ids = (0..shown.len()).map(|i| format!("{}\t{}", shown.id(i), shown.stamp(i)));
    let key = Key::new(predictor.identity()?, samples, ids);
    let mut part = Part::open(&out, &key)?;
    let from = part.len();
    if from > 0 {
        note(&format!(
            "{from} of {} {} were done before; going on from {}",
            shown.len(),
            shown.unit(),
            part.path().display()
        ));
    }
    let bar = ProgressBar::new(shown.len() as u64).with_position(from as u64);
    bar.set_style(ProgressStyle::with_template("{bar:32} {pos}/{len} {per_sec} {eta}")?);
    bar.reset_eta();
    shown.show(from, &mut |answers| {
        bar.inc(answers.len() as u64);
        part.append(&answers)
    })?;
    bar.finish_and_clear();

    let mut tally = Tally::new(shown.left_out());
    let mut unsure = 0u64;
    for answer in part.answers()? {
        let answer = answer?;
        tally.add(&answer);
        if let (Answer::Said { probabilities, .. }, Some(least)) = (&answer, threshold) {
            unsure += u64::from(table::is_unsure(probabilities, least));
        }
    }
    let table = Table {
        unit: one_of(shown.unit()),
        classes: predictor.classes(),
        threshold,
        rows: &|| {
            let answers = part.answers()?.enumerate();
            let row = |(i, answer): (usize, Result<Answer>)| match answer {
                Ok(Answer::Said { probabilities, .. }) => Some(Ok((shown.id(i), probabilities))),
                Ok(Answer::LeftOut(_)) => None,
                Err(error) => Some(Err(error)),
            };
            Ok(Box::new(answers.filter_map(row)))
        },
    };
    table.write(&out, format)?;
    part.remove()?;
    tally.tell(shown.unit());
    let labelled = tally.said - unsure;
    let mut text = format!("{}: {labelled} {} labelled by {about}", out.display(), shown.unit());
    if let Some(least) = threshold {
        text += &format!(", {unsure} below {least} left without a label");
    }
    super::say(&text)
}
