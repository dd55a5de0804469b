//! `tutor eval`: scores a network on samples whose classes are known.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use report::stats;

use super::tally::Tally;
use super::which::Which;
use crate::run::experiment::Answer;
use crate::run::note::note;
use crate::run::predictions::Predictions;
use crate::run::result::listed;

/// Which network is scored on what.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// A folder with a sub-folder for each class, named as in training.
    samples: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (predictor, about) = args.which.load()?;
    let shown = predictor.open(&args.samples, true)?;
    shown.notes().iter().for_each(|text| note(text));
    let mut tally = Tally::new(shown.left_out());
    let (mut rows, mut truth) = (Vec::new(), Vec::new());
    let mut next = 0;
    shown.show(0, &mut |answers| {
        for answer in answers {
            tally.add(&answer);
            if let Answer::Said { probabilities, .. } = answer {
                rows.extend(probabilities);
                truth.push(shown.truth(next));
            }
            next += 1;
        }
        Ok(())
    })?;
    tally.tell(shown.unit());
    let predictions = Predictions::new(predictor.classes().len(), rows)?;
    super::say(&format!("{about}\n{}", text(&predictions, &truth, predictor.classes(), shown.unit())?))
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
    let missing: Vec<&str> =
        confusion.unmeasured().map(|class| classes[class].as_str()).collect();
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
