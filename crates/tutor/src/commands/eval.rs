//! `tutor eval`: scores a network on samples whose classes are known.

mod robust;
mod seen;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use metrics::stats;
use metrics::words::counted;

use super::inputs::refuse_pipes;
use super::precision::Precision;
use super::ranges;
use super::run_network::NetworkChoice;
use super::skip_bad::suggest_skip_bad;
use super::skipped_summary::SkippedSummary;
use super::text_tables::TextTables;
use crate::images::checkpoint;
use crate::run::experiment::{Answer, Predictor, Reading};
use crate::run::note::note;
use crate::run::predictions::Predictions;
use crate::run::result::{listed, one_of};
use crate::text::published::{self, Names};
use robust::Scored;

/// The network that is scored, and on what.
#[derive(clap::Args)]
#[command(override_usage = "tutor eval [OPTIONS] <RUN> <SAMPLES>\n       \
                            tutor eval [OPTIONS] --weights <FILE|NAME> <SAMPLES>")]
pub(crate) struct Args {
    /// Folder of a run, as `runs/noisy-student/latest` (not with --weights), and the labelled
    /// samples to score on. Images: a folder with `labels.csv`, or with a sub-folder per class,
    /// named as in training; a table of files and labels; Parquet files. Texts: a table with one
    /// column of texts, or two of pairs, and one of labels.
    #[arg(num_args = 1..=2, value_names = ["RUN", "SAMPLES"])]
    paths: Vec<PathBuf>,
    /// Score published weights, or a file of `tutor export`, instead of a run: a file, a repository
    /// in the Hugging Face cache, or a name of `tutor weights list`. Images are preprocessed as the
    /// weights require. May be given several times.
    #[arg(long, value_name = "FILE|NAME", conflicts_with_all = ["model", "run_seed"])]
    weights: Vec<String>,
    /// Architecture of the weights by its name in timm, if they do not state it; for several
    /// weights once each, in their order, or once for all.
    #[arg(long, value_name = "NAME", requires = "weights")]
    #[arg(conflicts_with_all = ["model", "run_seed"])]
    net: Vec<String>,
    /// Classes of published classifiers of texts in the order of their outputs, as `neg,pos`, if
    /// they do not name them themselves.
    #[arg(long, value_name = "NAME,NAME,...", value_delimiter = ',', requires = "weights")]
    #[arg(conflicts_with_all = ["model", "run_seed"])]
    label_map: Vec<String>,
    /// Classes of published weights for images: a file with the name of a class in each line, as
    /// its folder is called, in the order of the outputs. A folder of samples of some will do.
    #[arg(long, value_name = "FILE", requires = "weights")]
    #[arg(conflicts_with_all = ["model", "run_seed", "label_map"])]
    classes: Option<PathBuf>,
    /// Take the most probable of those classes alone that the samples have, as ImageNet-A and
    /// ImageNet-R are scored; probabilities are those among these classes.
    #[arg(long, conflicts_with_all = ["robustness", "images", "sequences"])]
    present_only: bool,
    #[command(flatten)]
    choice: NetworkChoice,
    #[command(flatten)]
    tables: TextTables,
    /// Column of labels, for classifiers of texts; by default that of the run, or without a run the
    /// one with a usual name.
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// Treat this label as none, beside those of the run: samples that have it are not scored. May
    /// be given several times.
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    no_label: Vec<String>,
    #[command(flatten)]
    precision: Precision,
    /// Also measure robustness: accuracy under ImageNet-C's corruptions, and how often the answer
    /// flips along ImageNet-P's sequences, made from the images at the size that the network sees.
    #[arg(long)]
    robustness: bool,
    /// Make corruptions of N images, spread evenly over all.
    #[arg(long, default_value_t = 200, value_name = "N", requires = "robustness", value_parser = ranges::count::<usize>)]
    images: usize,
    /// Make sequences of N images.
    #[arg(long, default_value_t = 20, value_name = "N", requires = "robustness", value_parser = ranges::count::<usize>)]
    sequences: usize,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    evaluate(args).map_err(suggest_skip_bad)
}

fn evaluate(args: &Args) -> Result<()> {
    refuse_pipes(&args.paths)?;
    let (samples, mut networks) = args.load()?;
    for (network, _) in &mut networks {
        let (label, no_label) = (args.label_column.clone(), args.no_label.clone());
        args.tables.bring(&mut **network, Reading { label, no_label, ..Reading::default() })?;
    }
    let mut scored = Vec::new();
    for (network, about) in &networks {
        scored.push(score(&**network, about, (args.run(), samples), args.present_only)?);
    }
    if args.robustness {
        let networks: Vec<(&dyn Predictor, &str)> =
            networks.iter().map(|(network, about)| (&**network, about.as_str())).collect();
        let counts = [args.images, args.sequences];
        super::say(&robust::measure(&networks, &scored, samples, counts)?)?;
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
        let samples = match &self.paths[..] {
            [samples] => samples,
            [] => bail!("name what they are scored on: tutor eval --weights FILE SAMPLES"),
            _ => bail!("--weights are scored without a run: tutor eval --weights FILE SAMPLES"),
        };
        ensure!(
            self.net.len() <= 1 || self.net.len() == self.weights.len(),
            "{} nets for {} weights: name one for all, or one each",
            self.net.len(),
            self.weights.len()
        );
        let (device, precision) = (self.choice.device()?, &self.precision);
        let classes = self.classes.as_deref().map(read_classes).transpose()?;
        let mut networks: Vec<Named> = Vec::new();
        for (i, asked) in self.weights.iter().enumerate() {
            if published::is_text(asked) {
                ensure!(
                    classes.is_none(),
                    "{asked} classifies texts: name its classes by --label-map, not by --classes"
                );
                let names = Names::Given(&self.label_map);
                let mut network = published::classifier(asked, names, device)?;
                if let Some(size) = self.choice.image_size() {
                    network.resize(size)?;
                }
                precision.bring(&mut network)?;
                networks.push((Box::new(network), format!("{asked}{}", precision.told())));
                continue;
            }
            let net = self.net.get(i).or(self.net.first()).map(String::as_str);
            let mut network =
                checkpoint::open(net, asked, classes.as_deref(), Some(samples), device)?;
            if let Some(size) = self.choice.image_size() {
                network.resize(size)?;
            }
            precision.bring(&mut network)?;
            networks.push((Box::new(network), format!("{asked}{}", precision.told())));
        }
        Ok((samples, networks))
    }
}

fn score(
    network: &dyn Predictor,
    about: &str,
    (run, samples): (Option<&Path>, &Path),
    present_only: bool,
) -> Result<Scored> {
    let shown = network.open(samples, true)?;
    shown.notes().iter().for_each(|text| note(text));
    let mut summary = SkippedSummary::new(shown.left_out());
    let (mut rows, mut truth, mut readable) = (Vec::new(), Vec::new(), Vec::new());
    let mut next = 0;
    shown.show(0..shown.len(), &mut |answers| {
        for answer in answers {
            summary.add(&answer);
            if let Answer::Said { probabilities, .. } = answer {
                rows.extend(probabilities);
                truth.push(shown.truth(next));
                readable.push(next as u32);
            }
            next += 1;
        }
        Ok(())
    })?;
    summary.print(shown.unit());
    seen::tell(run, &*shown)?;
    if let count @ 1.. = truth.iter().filter(|class| class.is_none()).count() {
        let (unit, all) = (shown.unit(), truth.len());
        note(&format!("{count} of the {all} {unit} have no label, and are not scored"));
    }
    let mut predictions = Predictions::new(network.classes().len(), rows)?;
    if present_only {
        predictions = predictions.among_those_of(&truth);
        let count = truth.iter().flatten().collect::<BTreeSet<_>>().len();
        let all = network.classes().len();
        note(&format!("the most probable of the {count} classes that are there, of {all}"));
    }
    let said = text(&predictions, &truth, network.classes(), shown.unit())?;
    super::say(&format!("{about}\n{said}"))?;
    let right = predictions.top().zip(&truth).map(|((class, _), truth)| *truth == Some(class));
    Ok(Scored { readable, right: right.collect() })
}

/// The names of classes in a file, a line each.
fn read_classes(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("--classes: cannot read {} as text", path.display()))?;
    let names = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let names: Vec<String> = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        bail!("{}: `{twice}` is there twice: a class has one line", path.display());
    }
    Ok(names)
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
    let of = counted(count, one_of(unit));
    let mut text = format!("accuracy {accuracy:.2} % of {of}");
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
    write!(text, "\nexpected calibration error {ece:.2} points")?;
    for (class, recall, all) in confusion.recalls() {
        write!(text, "\n  {:24} {recall:6.2} % of {all}", classes[class])?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sample_is_told_as_one_and_calibration_in_points() {
        let classes = ["neg", "pos"].map(str::to_owned);
        let said = |rows: Vec<f32>, truth: &[Option<u32>]| {
            let predictions = Predictions::new(2, rows).expect("numbers");
            text(&predictions, truth, &classes, "texts").expect("words")
        };
        let one = said(vec![0.75, 0.25], &[Some(0)]);
        assert!(one.starts_with("accuracy 100.00 % of 1 text (95 % Wilson"), "{one}");
        assert!(one.contains("\nexpected calibration error 25.00 points\n"), "{one}");
        let two = said(vec![0.75, 0.25, 0.5, 0.5], &[Some(0), Some(1)]);
        assert!(two.starts_with("accuracy 50.00 % of 2 texts (95 % Wilson"), "{two}");
    }
}
