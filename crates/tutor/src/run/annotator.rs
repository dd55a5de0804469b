//! Networks whose answers are no table of classes: they read a file in the form of their task, and
//! write another, such as a tag for each word.

use std::path::{Path, PathBuf};

use anyhow::Result;
use data_pipeline::text::read::OnBadInput;
use torch::Device;
use torch::precision::Precision;

/// A trained network that answers files in the form of its task. Its tensors are read when it is
/// shown a file.
pub(crate) trait Annotator {
    /// What a file has, in the plural: `sentences`, `questions`.
    fn unit(&self) -> &'static str;

    /// The file that is written where none is named. Others have the same ending.
    fn default_out(&self) -> &'static str;

    /// A second file that is written beside `out`.
    fn beside(&self, _out: &Path) -> Option<PathBuf> {
        None
    }

    /// Answers a file. What is written is written as a whole or not at all. `shown` is told after
    /// each batch how many inputs of how many were shown to the network.
    fn annotate(
        &self,
        asked: &Annotation<'_>,
        shown: &mut dyn FnMut(usize, usize),
    ) -> Result<Annotated>;
}

/// What is asked of an [`Annotator`].
pub(crate) struct Annotation<'a> {
    /// The file to answer.
    pub(crate) file: &'a Path,
    /// The file to write.
    pub(crate) out: &'a Path,
    pub(crate) on_bad: OnBadInput,
    pub(crate) device: Device,
    /// The numbers in which the network computes.
    pub(crate) precision: Precision,
}

/// What an [`Annotator`] has done.
pub(crate) struct Annotated {
    /// How many sentences or questions were answered.
    pub(crate) count: usize,
    /// What should be known of it, a sentence each.
    pub(crate) notes: Vec<String>,
}
