//! `result.json`: what a run found, in one documented and versioned shape (`tutor-result/2`, see
//! docs/report.md). The page, the Markdown file and the table on the terminal are drawn from it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::expectation::Checked;
use crate::row::{Comparison, Row, check_values};

/// The name and version of the schema. A field may be added without a new version; a change of
/// meaning, a new unit or a removed field needs one.
pub const SCHEMA: &str = "tutor-result/2";

/// The file that [`RunResult::save`] writes in a run's folder; its presence marks the run as
/// finished.
pub const FILE: &str = "result.json";

/// Everything a run reports in numbers. The default is an empty run of this [`SCHEMA`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The paper's short name: the recipe is `<paper>/<row>`.
    pub paper: String,
    /// The recipe's name within the paper.
    pub row: String,
    /// The recipe's own sentence about itself.
    #[serde(default)]
    pub about: String,
    /// Which data, how many labelled, unlabelled, validation and test examples, in words.
    #[serde(default)]
    pub data: String,
    /// The data in full, a part each, where `data` leaves something out; else empty.
    #[serde(default)]
    pub data_in_full: Vec<String>,
    /// The command line as given, program first.
    pub command: Vec<String>,
    /// Commit of the source tree that the program was built from, with `-dirty` appended when the
    /// tree had changes; `None` when unknown.
    pub commit: Option<String>,
    /// Start of the run, RFC 3339.
    pub started: String,
    /// Versions of what computed the numbers.
    pub versions: Versions,
    /// `cpu`, `cuda:0` and so on.
    pub device: String,
    /// The processor or accelerator by its maker's name, when known.
    #[serde(default)]
    pub machine: Option<String>,
    /// Threads that libtorch computed with.
    pub threads: usize,
    /// Whether the recipe's `[quick]` overrides were on: then the numbers only show that the path
    /// works.
    pub quick: bool,
    /// The seeds, in the order of every `per_seed` below.
    pub seeds: Vec<u64>,
    /// One entry for each model and metric, in the order to be shown.
    pub rows: Vec<Row>,
    /// Paired differences between rows.
    pub comparisons: Vec<Comparison>,
    /// Name of the comparison that the headline speaks of; `None`: the first.
    #[serde(default)]
    pub headline: Option<String>,
    /// What the run took.
    pub cost: Cost,
    /// The paper's own numbers, kept apart from ours: other data, other models.
    #[serde(default)]
    pub paper_reference: Vec<PaperRow>,
    /// What the recipe expects, beside what was found.
    #[serde(default)]
    pub expected: Vec<Checked>,
    /// Further numbers by name, in shapes of the paper's own.
    #[serde(default)]
    pub details: BTreeMap<String, serde_json::Value>,
    /// Remarks that a reader of the numbers has to know.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Default for RunResult {
    fn default() -> Self {
        Self {
            schema: SCHEMA.into(),
            paper: String::new(),
            row: String::new(),
            about: String::new(),
            data: String::new(),
            data_in_full: Vec::new(),
            command: Vec::new(),
            commit: None,
            started: String::new(),
            versions: Versions::default(),
            device: String::new(),
            machine: None,
            threads: 0,
            quick: false,
            seeds: Vec::new(),
            rows: Vec::new(),
            comparisons: Vec::new(),
            headline: None,
            cost: Cost::default(),
            paper_reference: Vec::new(),
            expected: Vec::new(),
            details: BTreeMap::new(),
            notes: Vec::new(),
        }
    }
}

/// Versions of what computed the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// This program.
    pub tutor: String,
    /// The libtorch that was loaded.
    pub libtorch: String,
    /// The compiler that built this program.
    pub rustc: String,
}

/// What a run took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Wall clock in seconds of all processes of the run, all seeds and rows together, as far as
    /// they noted it: after every stage, so that a killed process loses at most the stage it was
    /// in.
    pub wall_s: f64,
    /// Largest resident set of any of these processes, bytes.
    pub peak_rss_bytes: u64,
    /// The most bytes that tensors of any of these processes had at once on a GPU; `None` on the
    /// CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_gpu_bytes: Option<u64>,
    /// Units per second of the trainings' wall clock, their evaluations and checkpoints included;
    /// 0 when nothing was trained.
    pub throughput: f64,
    /// What the throughput counts, such as `training images` or `tokens`.
    pub unit: String,
    /// Floating-point operations of the trainings, all seeds and rows together, where they are
    /// counted: those of convolutions and linear layers.
    #[serde(rename = "operations", default, skip_serializing_if = "Option::is_none")]
    pub flops: Option<u64>,
}

/// What a row of the paper's table is, so that differences can be taken within one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Training without the method.
    Baseline,
    /// The whole method: the other rows of its column are read against it.
    Method,
    /// The method with a part taken away or changed.
    Ablation,
}

/// One number that a paper prints, as a `[[paper]]` table of a recipe has it. Its data and its
/// models are not ours: the direction of a difference can be set beside ours, its level cannot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperRow {
    /// The paper's words for the row.
    pub name: String,
    /// The name of our [`Row`] that stands beside it, when there is one.
    #[serde(default)]
    pub ours: Option<String>,
    /// What the row is.
    pub role: Role,
    /// Data and model, such as `ImageNet, ResNet-50`; one column of the table.
    pub setting: String,
    /// The paper's metric, such as `top-1 accuracy`.
    pub metric: String,
    /// The number as printed.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Where it is printed.
    pub source: String,
}

impl RunResult {
    /// The row of this name and metric.
    pub fn find(&self, name: &str, metric: &str) -> Option<&Row> {
        self.rows.iter().find(|r| r.name == name && r.metric == metric)
    }

    /// The metric that tables lead with: that of the headline's comparison, else of the first row.
    pub fn lead_metric(&self) -> Option<&str> {
        let headline = self.headline().map(|c| c.metric.as_str());
        headline.or_else(|| self.rows.first().map(|r| r.metric.as_str()))
    }

    /// The comparison that the headline speaks of.
    pub fn headline(&self) -> Option<&Comparison> {
        match &self.headline {
            Some(name) => self.comparisons.iter().find(|c| c.name == *name),
            None => self.comparisons.first(),
        }
    }

    /// The groups of the rows in the order in which they first come.
    pub fn groups(&self) -> Vec<&str> {
        distinct(self.rows.iter().map(|r| r.group.as_str()))
    }

    /// The notes, each once.
    pub fn notes(&self) -> Vec<&str> {
        distinct(self.notes.iter().map(String::as_str))
    }

    /// Checks that every `per_seed` is finite and as long as `seeds`, and that the headline's
    /// comparison exists.
    ///
    /// # Errors
    /// Names the row or comparison that does not fit.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.schema == SCHEMA,
            "schema is `{}`, this program knows `{SCHEMA}`",
            self.schema
        );
        let rows =
            self.rows.iter().map(|r| (format!("row `{}` ({})", r.name, r.metric), &r.per_seed));
        let comparisons =
            self.comparisons.iter().map(|c| (format!("comparison `{}`", c.name), &c.per_seed));
        for (what, per_seed) in rows.chain(comparisons) {
            check_values(&what, per_seed)?;
            let (got, want) = (per_seed.len(), self.seeds.len());
            ensure!(got == want, "{what} holds {got} values for {want} seeds");
        }
        if let Some(name) = &self.headline {
            ensure!(
                self.comparisons.iter().any(|c| c.name == *name),
                "the headline speaks of comparison `{name}`, which the run does not have"
            );
        }
        Ok(())
    }

    /// Writes [`FILE`] into `dir`, at once or not at all, and returns its path.
    ///
    /// # Errors
    /// When [`RunResult::check`] fails or the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<PathBuf> {
        self.check()?;
        let mut text = serde_json::to_string_pretty(self).context("result.json")?;
        text.push('\n');
        let path = dir.join(FILE);
        atomic_file::write(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Reads what [`RunResult::save`] wrote into `dir`.
    ///
    /// # Errors
    /// When the file is missing, is not of this schema or does not hold together.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let value: serde_json::Value =
            serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        match value.get("schema").and_then(|s| s.as_str()) {
            Some(SCHEMA) => {}
            found => bail!("{}: schema {found:?}, this program knows `{SCHEMA}`", path.display()),
        }
        let result: Self =
            serde_json::from_value(value).with_context(|| path.display().to_string())?;
        result.check().with_context(|| path.display().to_string())?;
        Ok(result)
    }
}

/// Each word once, in order of first appearance.
fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut out = Vec::new();
    for word in words {
        if !out.contains(&word) {
            out.push(word);
        }
    }
    out
}
