//! `tutor predict`: labels new samples, or answers a file in the form of the run's task.

mod part;
pub(super) mod shard;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use metrics::words::counted;

use super::inputs::{keep_inputs, keep_pictures, whole as whole_path};
use super::precision::Precision;
use super::ranges;
use super::run_network::RunNetwork;
use super::skip_bad::suggest_skip_bad;
use super::skipped_summary::SkippedSummary;
use super::text_tables::TextTables;
use crate::images::trained_model::TrainedModel;
use crate::run::annotator::{Annotation, Annotator};
use crate::run::experiment::{Answer, Reading, Shown};
use crate::run::interrupt;
use crate::run::note::note;
use crate::run::result::one_of;
use part::{Key, Part};
use shard::{Shard, Whole};
use table::{Format, Row, Table, heads};

/// The network that labels, and what it labels.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    network: RunNetwork,
    /// Samples to label. Images: a folder, searched with its sub-folders, a table of files, or
    /// Parquet files. Texts: a table with a column of texts, or a file with one text per line.
    /// Pairs: a table with the two columns that the network learned from. Of a run of `finetune
    /// tag`: a file with one word per line; of `finetune squad`: a file in the format of SQuAD.
    samples: PathBuf,
    /// File for the labels: `.csv`, `.parquet` or `.jsonl`. An existing one is replaced, unless it
    /// is an input. By default `labels.csv`, which must not exist. After a stop, the same command
    /// continues from `FILE.part` beside it. Tags of words are written to a `.txt` file (by default
    /// `tags.txt`), answers of questions to a `.json` file (`answers.json`), both only when all are
    /// found.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Label only the I-th of N equal parts of the samples, `1/N` to `N/N`, one after another or at
    /// the same time on several machines. `--out` is then a folder (by default `labels`) with one
    /// Parquet file per part; finished parts are skipped. Processes of a launcher take one part
    /// each without this option.
    #[arg(long, value_name = "I/N", value_parser = shard::parse)]
    shard: Option<Shard>,
    /// Leave the label empty where the confidence is below P, a probability from 0 to 1.
    #[arg(long, value_name = "P", value_parser = ranges::share)]
    threshold: Option<f64>,
    /// Write the texts beside their labels, under the name of their column.
    #[arg(long)]
    with_text: bool,
    #[command(flatten)]
    tables: TextTables,
    #[command(flatten)]
    precision: Precision,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    predict(args).map_err(suggest_skip_bad)
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

/// What the bar shows of work under way.
const BAR: &str = "{bar:32} {pos}/{len} {per_sec} {eta}";

impl Args {
    /// Fails for an option that has no meaning where a file of so named things is answered.
    fn check_annotation(&self, unit: &str) -> Result<()> {
        for (option, is_given) in [
            ("--shard", self.shard.is_some()),
            ("--threshold", self.threshold.is_some()),
            ("--with-text", self.with_text),
            ("--text-column", !self.tables.columns().is_empty()),
            ("--image-size", self.network.choice().image_size().is_some()),
        ] {
            ensure!(
                !is_given,
                "{option}: it is for tables of labels, and this run's network answers a file of \
                 {unit} as a whole: leave it out"
            );
        }
        Ok(())
    }

    /// Answers a file in the form of a run's task; `of` is the network in words.
    fn annotate(&self, annotator: &dyn Annotator, of: &str) -> Result<()> {
        let unit = annotator.unit();
        self.check_annotation(unit)?;
        let default = annotator.default_out();
        let out = super::out_file(self.out.as_deref(), default)?;
        let wanted = Path::new(default).extension().unwrap_or_default();
        ensure!(
            out.extension().is_some_and(|end| end.eq_ignore_ascii_case(wanted)),
            "{}: the name must end in .{}, as what is said of {unit} is no table",
            out.display(),
            wanted.display()
        );
        let beside = annotator.beside(&out);
        if let (None, Some(beside)) = (&self.out, &beside) {
            ensure!(
                !beside.exists(),
                "{} is there already: name a file by --out, and it is written beside that",
                beside.display()
            );
        }
        for file in std::iter::once(&out).chain(&beside) {
            keep_inputs(file, std::slice::from_ref(&self.samples))?;
        }
        let device = self.network.choice().device()?;
        let asked = Annotation {
            file: &self.samples,
            out: &out,
            on_bad: self.tables.skip_bad().on_bad_input(),
            device,
            precision: self.precision.on(device)?,
        };
        let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(BAR)?);
        let found = annotator.annotate(&asked, &mut |shown, all| {
            bar.set_length(all as u64);
            bar.set_position(shown as u64);
        });
        bar.finish_and_clear();
        let found = found?;
        found.notes.iter().for_each(|text| note(text));
        let files = match beside {
            Some(beside) => format!("{} and {}", out.display(), beside.display()),
            None => out.display().to_string(),
        };
        let (count, told) = (counted(found.count, one_of(unit)), self.precision.told());
        super::say(&format!("{files}: predictions for {count} by {of}{told}"))
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
    if let Some((annotator, of)) = args.network.annotator()? {
        ensure!(
            launched.is_none_or(|(shard, _)| shard.of == 1),
            "one process answers a file of {} as a whole: call tutor predict without a launcher",
            annotator.unit()
        );
        return args.annotate(&*annotator, &of);
    }
    let threshold = args.threshold.map(|least| least as f32);
    let out = Out::of(args, launched.map(|(shard, _)| shard))?;
    let (mut predictor, mut about) = args.network.load(launched.map(|(_, place)| place))?;
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

    let samples = whole_path(&args.samples);
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
        let changed = match shown.unit() {
            "images" => " (also where the size or the time of change of a file is another)",
            _ => "",
        };
        note(&format!(
            "{path}: what a stopped command left is by another network or another version of this \
             program, or of other samples{changed}, and is begun anew"
        ));
    }
    // From now on a stop loses nothing.
    train::signals::install().context("watching for SIGINT and SIGTERM")?;
    let bar = match launched.is_none() || is_first {
        true => ProgressBar::new(range.len() as u64),
        false => ProgressBar::hidden(),
    };
    let bar = bar.with_position(from as u64);
    bar.set_style(ProgressStyle::with_template(BAR)?);
    bar.reset_eta();
    shown.show(range.start + from..range.end, &mut |answers| {
        bar.inc(answers.len() as u64);
        part.append(&answers)?;
        interrupt::check()
    })?;
    bar.finish_and_clear();

    let mut summary = SkippedSummary::new(if is_first { shown.left_out() } else { &[] });
    let mut unsure = 0u64;
    for answer in part.answers()? {
        let answer = answer?;
        summary.add(&answer);
        if let (Answer::Said { probabilities, .. }, Some(least)) = (&answer, threshold) {
            unsure += u64::from(table::is_unsure(probabilities, least));
        }
    }
    let table = Table {
        id: shown.id_column(),
        texts,
        classes: predictor.classes(),
        threshold,
        about: whole.map(|(whole, _)| whole.entries()).transpose()?.unwrap_or_default(),
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
        summary.print(shown.unit());
    }
    let labelled = summary.answered - unsure;
    let labelled = counted(labelled, one_of(shown.unit()));
    let mut text = format!("{}: {labelled} labelled by {about}", file.display());
    if let Some(least) = threshold {
        text += &format!(", {unsure} below {least} left without a label");
    }
    super::say(&text)
}
