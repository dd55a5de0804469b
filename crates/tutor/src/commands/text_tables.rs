//! How tables of texts are read that a trained network is shown.

use anyhow::Result;

use crate::run::experiment::{Predictor, Reading};

/// How tables of texts are read.
#[derive(Clone, clap::Args)]
pub(super) struct TextTables {
    /// The column of texts, for classifiers of texts; given twice, the two columns of pairs. Those
    /// of the run by default; looked for by the usual names where there is no run.
    #[arg(long, value_name = "NAME")]
    text_column: Vec<String>,
    /// Leave out rows of texts that cannot be read, and count them.
    #[arg(long)]
    skip_bad: bool,
}

impl TextTables {
    /// Brings a network to it, and to how `labels` are read.
    pub(super) fn bring(&self, network: &mut dyn Predictor, labels: Reading) -> Result<()> {
        let how = Reading { text: self.text_column.clone(), skip_bad: self.skip_bad, ..labels };
        if how == Reading::default() { Ok(()) } else { network.read_tables(&how) }
    }
}
