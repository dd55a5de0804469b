//! What is refused as offensive: by a list of words, and by a classifier of texts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use data_pipeline::dialog::{Safety, SafetyWords};
use data_pipeline::digest::Digest;

use super::{ranges, run_network};
use crate::text::guard::{Guard, Refused};

/// What is refused as offensive.
#[derive(Clone, clap::Args)]
pub(super) struct RefusalArgs {
    /// File of offensive words or phrases, one per line, in place of the built-in list
    #[arg(long, value_name = "FILE")]
    offensive_words: Option<PathBuf>,
    /// Also refuse what this classifier of texts finds offensive: folder of a run or of the Hugging
    /// Face hub, or a name of `tutor weights list`
    #[arg(long, value_name = "CLASSIFIER", requires = "refuse")]
    classifier: Option<String>,
    /// Class of --classifier that is refused. May be given several times
    #[arg(long, value_name = "CLASS", requires = "classifier")]
    refuse: Vec<String>,
    /// Refuse a text if the summed probability of the --refuse classes is at least P; if the
    /// classes do not exclude each other, if that of one of them is
    #[arg(long, value_name = "P", default_value_t = 0.5, requires = "classifier", value_parser = ranges::share)]
    refuse_threshold: f64,
}

impl RefusalArgs {
    /// What refuses offensive texts, a classifier on this device, and what tells it from any other:
    /// pairs that one list has dropped must not stand beside those of another.
    pub(super) fn guard(&self, device: &str) -> Result<(Guard, String)> {
        let guard = self.guard_by(self.words()?, device)?;
        let mut said = which_words(self.offensive_words.as_deref())?;
        if let Some(by) = guard.identity() {
            said += &format!("; {:?} from {} by {by}", self.refuse, self.refuse_threshold);
        }
        Ok((guard, said))
    }

    /// The words that must not be said, and what judges whole replies, if a classifier is named.
    pub(super) fn of_replies(
        &self,
        device: &str,
    ) -> Result<(SafetyWords, Option<Box<dyn Safety>>)> {
        let words = self.words()?;
        if self.classifier.is_none() {
            return Ok((words, None));
        }
        let guard = self.guard_by(words.clone(), device)?;
        Ok((words, Some(Box::new(guard))))
    }

    /// By these words, and by the classifier if one is named.
    fn guard_by(&self, words: SafetyWords, device: &str) -> Result<Guard> {
        let guard = Guard::new(words);
        let Some(asked) = &self.classifier else { return Ok(guard) };
        let (asked, device) = (asked.clone(), device.to_owned());
        let refused = Refused { classes: self.refuse.clone(), from: self.refuse_threshold };
        guard.with_classifier(move || run_network::classifier(&asked, &device), refused)
    }

    fn words(&self) -> Result<SafetyWords> {
        Ok(match &self.offensive_words {
            Some(file) => SafetyWords::open(file)?,
            None => SafetyWords::shipped(),
        })
    }
}

/// Which words these are.
fn which_words(file: Option<&Path>) -> Result<String> {
    let Some(file) = file else { return Ok("those that come along".to_owned()) };
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    Ok(Digest::of(&bytes).to_string())
}
