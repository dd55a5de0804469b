//! How tables of texts are read that a trained network is shown.

use anyhow::Result;

use super::skip_bad::SkipBad;
use crate::run::experiment::{Predictor, Reading};

const SKIP_BAD: &str = "Skip rows of texts that cannot be read, and report how many; images that \
                        cannot be read are always skipped";

/// How tables of texts are read.
#[derive(Clone, clap::Args)]
#[command(mut_arg("skip_bad", |arg| arg.help(SKIP_BAD)))]
pub(super) struct TextTables {
    /// Column of texts, for classifiers of texts; given twice, the two columns of pairs. By default
    /// those of the run, or without a run those with a usual name.
    #[arg(long, value_name = "NAME")]
    text_column: Vec<String>,
    #[command(flatten)]
    skip_bad: SkipBad,
}

impl TextTables {
    /// The columns of texts that are asked for.
    pub(super) fn columns(&self) -> &[String] {
        &self.text_column
    }

    /// Whether what cannot be read is skipped.
    pub(super) fn skip_bad(&self) -> SkipBad {
        self.skip_bad
    }

    /// Brings a network to it, and to how `labels` are read.
    pub(super) fn bring(&self, network: &mut dyn Predictor, labels: Reading) -> Result<()> {
        let how =
            Reading { text: self.text_column.clone(), skip_bad: self.skip_bad.is_on(), ..labels };
        if how == Reading::default() { Ok(()) } else { network.read_tables(&how) }
    }
}
