//! `tutor eval`: scores a network on samples whose classes are known.

mod robust;
mod seen;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use metrics::stats;

use super::precision::Precision;
use super::ranges;
use super::skipped::skipped_by;
use super::tally::Tally;
use super::text_tables::TextTables;
use super::which::Choice;
use crate::images::checkpoint;
use crate::run::experiment::{Answer, Predictor, Reading};
use crate::run::note::note;
use crate::run::predictions::Predictions;
use crate::run::result::listed;
use crate::text::published::{self, Names};

/// Which network is scored on what.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of a run, as `runs/noisy-student/latest` (not with --weights), and what the
    /// network is scored on: a folder with a sub-folder for each class, named as in training, or
    /// with `labels.csv`; a table of files and labels; Parquet files of images. For texts, a table
    /// with a column of texts, or the two of pairs, and one of labels.
    #[arg(required = true, num_args = 1..=2, value_names = ["RUN", "SAMPLES"])]
    paths: Vec<PathBuf>,
    /// Scores published weights, or what `tutor export` wrote, instead of a run: a file, a
    /// repository in the Hugging Face cache, or a name of `tutor weights list`. May be given many
    /// times. Images are shown as these weights want it.
    #[arg(long, value_name = "FILE|NAME")]
    weights: Vec<String>,
    /// The net of the weights by its name in timm, where they do not say it; for many weights once
    /// each, in their order, or once for all.
    #[arg(long, value_name = "NAME", requires = "weights")]
    net: Vec<String>,
    /// The classes of published classifiers of texts in the order of their outputs, as `neg,pos`,
    /// where they do not name them themselves.
    #[arg(long, value_name = "NAME,NAME,...", value_delimiter = ',', requires = "weights")]
    label_map: Vec<String>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    tables: TextTables,
    /// The column of labels, for classifiers of texts; that of the run by default, looked for by
    /// the usual names where there is no run.
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// A label that stands for none, beside those of the run: what has it is not scored.
    /// May be given several times.
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    no_label: Vec<String>,
    #[command(flatten)]
    precision: Precision,
    /// Measures robustness too: accuracy under ImageNet-C's corruptions, and how often the answer
    /// flips along ImageNet-P's sequences, made of the images at the size that the network sees.
    #[arg(long)]
    robustness: bool,
    /// Of how many images corruptions are made, spread over all.
    #[arg(long, default_value_t = 200, value_name = "N", requires = "robustness", value_parser = ranges::count::<usize>)]
    images: usize,
    /// Of how many images sequences are made.
    #[arg(long, default_value_t = 20, value_name = "N", requires = "robustness", value_parser = ranges::count::<usize>)]
    sequences: usize,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    evaluate(args).map_err(|error| skipped_by("--skip-bad", error))
}

fn evaluate(args: &Args) -> Result<()> {
    let (samples, mut networks) = args.load()?;
    for (network, _) in &mut networks {
        let (label, no_label) = (args.label_column.clone(), args.no_label.clone());
        args.tables.bring(&mut **network, Reading { label, no_label, ..Reading::default() })?;
    }
    let mut scored = Vec::new();
    for (network, about) in &networks {
        scored.push(score(&**network, about, (args.run(), samples))?);
    }
    if args.robustness {
        let networks: Vec<(&dyn Predictor, &str)> =
            networks.iter().map(|(network, about)| (&**network, about.as_str())).collect();
        let shares: Vec<f64> = scored.iter().map(|scored| scored.accuracy).collect();
        let text = robust::measure(
            &networks,
            &shares,
            samples,
            &scored[0].readable,
            [args.images, args.sequences],
        )?;
        super::say(&text)?;
    }
    Ok(())
}

/// A network, and what it is in words.
type Named = (Box<dyn Predictor>, String);

impl Args {
    /// The run whose network is scored.
    fn run(&self) -> Option<&Path> {
        self.paths.first().filter(|_| self.weights.is_empty()).map(PathBuf::as_path)
    }

    /// What the networks are scored on, and the networks with what they are in words.
    fn load(&self) -> Result<(&Path, Vec<Named>)> {
        if self.weights.is_empty() {
            let [run, samples] = &self.paths[..] else {
                bail!("name what the network is scored on: tutor eval RUN SAMPLES");
            };
            let (mut network, mut about) = self.choice.load(run)?;
            self.precision.bring(&mut *network)?;
            about += self.precision.told();
            return Ok((samples, vec![(network, about)]));
        }
        let [samples] = &self.paths[..] else {
            bail!("--weights are scored without a run: tutor eval --weights FILE SAMPLES");
        };
        ensure!(
            self.net.len() <= 1 || self.net.len() == self.weights.len(),
            "{} nets for {} weights: name one for all, or one each",
            self.net.len(),
            self.weights.len()
        );
        let (device, precision) = (self.choice.device()?, &self.precision);
        let mut networks: Vec<Named> = Vec::new();
        for (i, asked) in self.weights.iter().enumerate() {
            if published::is_text(asked) {
                let names = Names::Given(&self.label_map);
                let mut network = published::classifier(asked, names, device)?;
                precision.bring(&mut network)?;
                networks.push((Box::new(network), format!("{asked}{}", precision.told())));
                continue;
            }
            let net = self.net.get(i).or(self.net.first()).map(String::as_str);
            let mut network = checkpoint::open(net, asked, Some(samples), device)?;
            if let Some(size) = self.choice.size() {
                network.resize(size)?;
            }
            precision.bring(&mut network)?;
            networks.push((Box::new(network), format!("{asked}{}", precision.told())));
        }
        Ok((samples, networks))
    }
}

/// What is kept of a score.
struct Scored {
    /// In percent.
    accuracy: f64,
    /// The numbers of the samples that could be read.
    readable: Vec<u32>,
}

fn score(
    network: &dyn Predictor,
    about: &str,
    (run, samples): (Option<&Path>, &Path),
) -> Result<Scored> {
    let shown = network.open(samples, true)?;
    shown.notes().iter().for_each(|text| note(text));
    let mut tally = Tally::new(shown.left_out());
    let (mut rows, mut truth, mut readable) = (Vec::new(), Vec::new(), Vec::new());
    let mut next = 0;
    shown.show(0..shown.len(), &mut |answers| {
        for answer in answers {
            tally.add(&answer);
            if let Answer::Said { probabilities, .. } = answer {
                rows.extend(probabilities);
                truth.push(shown.truth(next));
                readable.push(next as u32);
            }
            next += 1;
        }
        Ok(())
    })?;
    tally.tell(shown.unit());
    seen::tell(run, &*shown)?;
    if let count @ 1.. = truth.iter().filter(|class| class.is_none()).count() {
        let (unit, all) = (shown.unit(), truth.len());
        note(&format!("{count} of the {all} {unit} have no label, and are not scored"));
    }
    let predictions = Predictions::new(network.classes().len(), rows)?;
    let said = text(&predictions, &truth, network.classes(), shown.unit())?;
    super::say(&format!("{about}\n{said}"))?;
    let accuracy = predictions.confusion(&truth).accuracy().context("no sample has a label")?;
    Ok(Scored { accuracy, readable })
}

/// What is measured, in words.
fn text(
    predictions: &Predictions,
    truth: &[Option<u32>],
    classes: &[String],
    unit: &str,
) -> Result<String> {
    let confusion = predictions.confusion(truth);
    let accuracy = confusion.accuracy().context("no sample has a label")?;
    let count = confusion.examples();
    let mut text = format!("accuracy {accuracy:.2} % of {count} {unit}");
    if let Some([low, high]) = stats::wilson(accuracy / 100.0, count) {
        let (low, high) = (100.0 * low, 100.0 * high);
        write!(text, " (95 % Wilson interval {low:.2} to {high:.2} %)")?;
    }
    let balanced = confusion.balanced_accuracy().context("no sample has a label")?;
    write!(text, "\nbalanced accuracy {balanced:.2} %")?;
    let missing: Vec<&str> = confusion.unmeasured().map(|class| classes[class].as_str()).collect();
    if !missing.is_empty() {
        let all = classes.len();
        let measured = all - missing.len();
        write!(text, " over {measured} of {all} classes; none of {}", listed(&missing))?;
    }
    let ece = predictions.calibration_error(truth);
    write!(text, "\nexpected calibration error {ece:.2} %")?;
    for (class, recall, all) in confusion.recalls() {
        write!(text, "\n  {:24} {recall:6.2} % of {all}", classes[class])?;
    }
    Ok(text)
}
