//! `tutor eval`: scores a network on samples whose classes are known.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use report::stats;

use super::which::Which;
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
    let found = predictor.predict(&args.samples, true)?;
    let confusion = found.predictions.confusion(&found.truth);
    let accuracy = confusion.accuracy().context("no sample has a label")?;
    let (count, unit) = (confusion.examples(), found.unit);
    let mut text = format!("{about}\naccuracy {accuracy:.2} % of {count} {unit}");
    if let Some([low, high]) = stats::wilson(accuracy / 100.0, count) {
        let (low, high) = (100.0 * low, 100.0 * high);
        write!(text, " (95 % Wilson interval {low:.2} to {high:.2} %)")?;
    }
    let balanced = confusion.balanced_accuracy().context("no sample has a label")?;
    write!(text, "\nbalanced accuracy {balanced:.2} %")?;
    let missing: Vec<&str> =
        confusion.unmeasured().map(|class| predictor.classes()[class].as_str()).collect();
    if !missing.is_empty() {
        let all = predictor.classes().len();
        let measured = all - missing.len();
        write!(text, " over {measured} of {all} classes; none of {}", listed(&missing))?;
    }
    for (class, recall, all) in confusion.recalls() {
        write!(text, "\n  {:24} {recall:6.2} % of {all}", predictor.classes()[class])?;
    }
    super::say(&text)
}
