//! What the commands know of a paper.

use std::any::Any;
use std::ops::Range;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use data_pipeline::dataset::folder::Skipped;
use data_pipeline::digest::Digest;
use data_pipeline::picture::Notice;
use report::{RunResult, Section};
use serde::{Deserialize, Serialize};
use toml::Table;
use torch::Device;
use torch::precision::Precision;

use super::annotator::Annotator;
use super::note::note;
use super::result::one_of;
use super::seeds::Run;
use crate::recipe::head::Head;

/// A kind of recipe, and who reads it.
pub(crate) struct Paper {
    /// What recipes say as `kind`.
    pub(crate) kind: &'static str,
    /// Reads and checks a recipe of this kind; the table holds the keys beside the head's.
    pub(crate) read: fn(Head, &Table) -> Result<Box<dyn Experiment>>,
}

/// A recipe that was read and checked by its paper, and can be run.
pub(crate) trait Experiment {
    /// Kind, name, what it is and what it expects.
    fn head(&self) -> &Head;

    /// Whether a recipe can state what a run of it finds: one of somebody's own data cannot.
    fn states_numbers(&self) -> bool {
        true
    }

    /// Name and meaning of each row beside what the recipe runs anyway.
    fn rows(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The resolved recipe: running this text again is the same run.
    fn to_toml(&self) -> Result<String>;

    /// What is not there of that which a run needs, a sentence each, as far as it is cheap to see.
    /// Fails where the recipe asks for what its data cannot give. `dir` is as for
    /// [`open`](Experiment::open).
    fn missing(&self, _dir: Option<&Path>) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Opens the data; `dir` is where data sets lie (`--data`). Called once, before
    /// [`run`](Experiment::run).
    fn open(&mut self, _dir: Option<&Path>) -> Result<()> {
        Ok(())
    }

    /// Whether so many processes can run this together; the error says why not.
    fn shares(&self, _processes: usize) -> Result<()> {
        bail!(
            "{}: recipes of the kind {} run in one process; several can run those of the \
             kinds ssl-table, noisy-student, electra, finetune, uda-text, translation and meena \
             together",
            self.head().name,
            self.head().kind
        )
    }

    /// Trains and measures all seeds, or goes on where an earlier process was stopped.
    fn run(&self, run: &mut Run<'_>) -> Result<Findings>;

    /// Loads a network of a run for use on other samples. `seed` is the folder of the seed; without
    /// a `model` it is the recipe's main one.
    fn predictor(
        &self,
        _seed: &Path,
        _model: Option<&str>,
        _device: Device,
    ) -> Result<Box<dyn Predictor>> {
        bail!("{}: its networks cannot be shown new samples", self.head().name)
    }

    /// The same of a run whose networks answer files in the form of their task, and tell no classes
    /// apart; none for other runs.
    fn annotator(&self, _seed: &Path, _model: Option<&str>) -> Result<Option<Box<dyn Annotator>>> {
        Ok(None)
    }
}

/// What a run found.
pub(crate) struct Findings {
    /// Its numbers.
    pub(crate) result: RunResult,
    /// The paper's own parts of the report.
    pub(crate) sections: Vec<Section>,
}

/// How tables of texts are read, and labels of images, where it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The column of texts, or the two of pairs.
    pub(crate) text: Vec<String>,
    pub(crate) label: Option<String>,
    /// Labels that stand for none, beside those of the run.
    pub(crate) no_label: Vec<String>,
    /// Whether rows that cannot be read are left out and counted.
    pub(crate) skip_bad: bool,
}

/// A trained network with all that is needed to show it something new.
pub(crate) trait Predictor {
    /// Which network of which row it is, in words.
    fn about(&self) -> String;

    /// The names of the classes that it tells apart, by index.
    fn classes(&self) -> &[String];

    /// Whether a sample has exactly one of the classes, so that their probabilities add up to 1.
    fn is_exclusive(&self) -> bool {
        true
    }

    /// Brings samples to this width and height before they are shown to it.
    fn resize(&mut self, _size: (u32, u32)) -> Result<()> {
        bail!("--image-size: {} is not shown images", self.about())
    }

    /// Reads tables of texts, and labels of images, as it is asked from now on.
    fn read_tables(&mut self, _how: &Reading) -> Result<()> {
        bail!(
            "--text-column, --label-column, --no-label and --skip-bad are for tables of texts, and \
             {} is shown images: leave them out",
            self.about()
        )
    }

    /// Computes in bfloat16 from now on.
    fn use_bfloat16(&mut self) -> Result<()> {
        bail!(
            "--precision: {} is a linear classifier, which has no weights to halve: leave it out, or \
             name a network by --model",
            self.about()
        )
    }

    /// What tells it, and how samples are shown to it, from any other: what was said by one may not
    /// be mixed with what another says.
    fn identity(&self) -> Result<String>;

    /// Opens the samples at `path`. With `labeled`, the true classes are read too.
    fn open(&self, path: &Path, labeled: bool) -> Result<Box<dyn Shown + '_>>;

    /// The network itself, for commands that know its kind.
    fn as_any(&self) -> &dyn Any;

    /// The same, for commands that keep it.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// Fails where this device has no instructions for bfloat16; says where they may gain nothing.
pub(crate) fn gains_by_bfloat16(device: Device) -> Result<()> {
    ensure!(
        Precision::Bfloat16.has_instructions(device),
        "--precision bfloat16: this processor has no instructions for it (AVX512-BF16), so that it \
         would not be faster: leave it out"
    );
    if Precision::fastest(device) != Precision::Bfloat16 {
        note("note: --precision bfloat16 may gain no time on this processor, which has no AMX");
    }
    Ok(())
}

/// What an identity says of the numbers that a network computes in.
pub(crate) fn numbers_of(precision: Precision) -> &'static str {
    match precision {
        Precision::Float32 => "",
        Precision::Bfloat16 => " bfloat16",
    }
}

/// Samples that are open to be shown to a network, in a fixed order.
pub(crate) trait Shown {
    /// What the samples are: `images`, `texts`, `pairs`.
    fn unit(&self) -> &'static str;

    fn len(&self) -> usize;

    /// A name of the sample, such as its path.
    fn id(&self, index: usize) -> String;

    /// What tells the sample of today from another one of its name: of its file size and time, or
    /// the text itself.
    fn stamp(&self, index: usize) -> String;

    /// What the column of their names is called in tables: `image`, `id` of texts.
    fn id_column(&self) -> &str {
        one_of(self.unit())
    }

    /// The columns of texts, where they are some.
    fn columns(&self) -> &[String] {
        &[]
    }

    /// The texts of a sample, one for each of the columns.
    fn texts(&self, _index: usize) -> Vec<String> {
        Vec::new()
    }

    /// What each sample is as it is stored, to be compared with those that a run kept; none where
    /// runs keep no such thing.
    fn digests(&self) -> Option<Vec<Digest>> {
        None
    }

    /// The true class of the sample, where it is known.
    fn truth(&self, index: usize) -> Option<u32>;

    /// What should be known of them, a sentence each.
    fn notes(&self) -> &[String];

    /// What was found to be no sample when they were opened; not among those that are counted.
    fn left_out(&self) -> &[Skipped];

    /// Shows those of a range; hands the answers to `take`, some at a time, in order.
    fn show(
        &self,
        range: Range<usize>,
        take: &mut dyn FnMut(Vec<Answer>) -> Result<()>,
    ) -> Result<()>;
}

/// What a network says of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// The probability of each class.
    Said {
        probabilities: Vec<f32>,
        /// What should be known of this sample.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        noticed: Vec<Notice>,
    },
    /// Nothing: it cannot be read.
    LeftOut(Skipped),
}
