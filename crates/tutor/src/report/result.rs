//! `result.json`: what a run found, in one documented and versioned shape (`tutor-result/1`, see
//! docs/report.md). Every `reproduce` command writes this shape, and the page, the Markdown file
//! and the table on the terminal are drawn from it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::robustness::Robustness;
use super::stats;

/// The name and version of the schema. A field may be added without a new version; a change of
/// meaning, a new unit or a removed field needs one.
pub(crate) const SCHEMA: &str = "tutor-result/1";

/// The file that [`RunResult::save`] writes in a run's folder; its presence marks the run as finished.
pub(crate) const FILE: &str = "result.json";

/// The name of the comparison that the headline of a report speaks of.
pub(crate) const STUDENT_TEACHER: &str = "student-teacher";

/// Everything a run reports in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunResult {
    /// Always [`SCHEMA`].
    pub(crate) schema: String,
    /// The paper's short name, such as `noisy-student`.
    pub(crate) paper: String,
    /// The recipe's name within the paper, such as `digits`.
    pub(crate) row: String,
    /// The recipe's own sentence about itself.
    #[serde(default)]
    pub(crate) about: String,
    /// Which data, how many labelled, unlabelled, validation and test examples, in words.
    #[serde(default)]
    pub(crate) data: String,
    /// The command line as given, program first.
    pub(crate) command: Vec<String>,
    /// Commit of the source tree that the program was built from, with `-dirty` appended when the
    /// tree had changes; `None` when unknown.
    pub(crate) commit: Option<String>,
    /// Start of the run, RFC 3339.
    pub(crate) started: String,
    /// Versions of what computed the numbers.
    pub(crate) versions: Versions,
    /// `cpu`, `cuda:0` and so on.
    pub(crate) device: String,
    /// The processor or accelerator by its maker's name, when known.
    #[serde(default)]
    pub(crate) machine: Option<String>,
    /// Threads that libtorch computed with.
    pub(crate) threads: usize,
    /// Whether the recipe's `[quick]` overrides were on: then the numbers only show that the path works.
    pub(crate) quick: bool,
    /// The seeds, in the order of every `per_seed` below.
    pub(crate) seeds: Vec<u64>,
    /// One entry for each model and metric, in the order to be shown.
    pub(crate) rows: Vec<Row>,
    /// Paired differences between rows; one is named [`STUDENT_TEACHER`] where there is a teacher.
    pub(crate) comparisons: Vec<Comparison>,
    /// Accuracy under corruptions and flip rates, where they were measured.
    pub(crate) robustness: Option<Robustness>,
    /// What the run took.
    pub(crate) cost: Cost,
    /// The paper's own numbers, kept apart from ours: other data, other models.
    pub(crate) paper_reference: Vec<PaperRow>,
    /// Remarks that a reader of the numbers has to know.
    pub(crate) notes: Vec<String>,
}

/// Versions of what computed the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versions {
    /// This program.
    pub(crate) tutor: String,
    /// The libtorch that was loaded.
    pub(crate) libtorch: String,
    /// The compiler that built this program.
    pub(crate) rustc: String,
}

/// What a row is within its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Group {
    /// The teacher or one of the students after it, in order.
    #[default]
    Generation,
    /// The method with a part taken away.
    Ablation,
    /// Another method, or plain supervised training.
    Baseline,
    /// One of several methods side by side.
    Method,
}

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Better {
    /// Accuracy and its kin.
    #[default]
    Higher,
    /// Error, loss, perplexity.
    Lower,
}

/// One model's value of one metric, over seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Which model, such as `teacher` or `student 2`.
    pub(crate) name: String,
    /// Which metric on which part of the data, such as `test accuracy`.
    pub(crate) metric: String,
    /// Unit of all values; accuracies are in `%`, from 0 to 100.
    pub(crate) unit: String,
    /// What this row is within its run.
    pub(crate) group: Group,
    /// Which way the metric improves.
    #[serde(default)]
    pub(crate) better: Better,
    /// How many examples each value was counted on, when it is a share of examples.
    #[serde(default)]
    pub(crate) examples: Option<u64>,
    /// The value of each seed, in the order of [`RunResult::seeds`].
    pub(crate) per_seed: Vec<f64>,
    /// Their mean.
    pub(crate) mean: f64,
    /// 95 % Student-t interval of the mean over seeds, `[lo, hi]`; `null` for one seed.
    pub(crate) ci95: Option<[f64; 2]>,
}

impl Row {
    /// A row of group [`Group::Generation`] in percent (values from 0 to 100), higher being better.
    ///
    /// # Errors
    /// When there is no value, or one is not finite.
    pub(crate) fn new(
        name: impl Into<String>,
        metric: impl Into<String>,
        per_seed: Vec<f64>,
    ) -> Result<Self> {
        let (name, metric) = (name.into(), metric.into());
        check_values(&format!("row `{name}` ({metric})"), &per_seed)?;
        Ok(Self {
            name,
            metric,
            unit: "%".into(),
            group: Group::default(),
            better: Better::default(),
            examples: None,
            mean: stats::mean(&per_seed),
            ci95: stats::t_interval(&per_seed),
            per_seed,
        })
    }

    /// The same row in another group.
    pub(crate) fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    /// The same row, its values being shares of this many examples.
    pub(crate) fn examples(mut self, examples: u64) -> Self {
        self.examples = Some(examples);
        self
    }
}

/// A difference between two rows, taken seed by seed, so that what both sides share (the split, the
/// order, the initialisation) cancels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// Which difference; [`STUDENT_TEACHER`] for the one in the headline.
    pub(crate) name: String,
    /// Name of the row that is subtracted from.
    pub(crate) left: String,
    /// Name of the row that is subtracted.
    pub(crate) right: String,
    /// The metric of both rows.
    pub(crate) metric: String,
    /// Unit of all values; differences of percentages are in `points`.
    pub(crate) unit: String,
    /// Which way the metric improves.
    #[serde(default)]
    pub(crate) better: Better,
    /// Left minus right for each seed, in the order of [`RunResult::seeds`].
    pub(crate) per_seed: Vec<f64>,
    /// Their mean.
    pub(crate) mean: f64,
    /// 95 % Student-t interval of the mean difference over seeds, `[lo, hi]`; `null` for one seed.
    pub(crate) ci95: Option<[f64; 2]>,
}

impl Comparison {
    /// The paired difference `left - right`.
    ///
    /// # Errors
    /// When the rows differ in metric, unit or number of seeds.
    pub(crate) fn between(name: impl Into<String>, left: &Row, right: &Row) -> Result<Self> {
        let name = name.into();
        ensure!(
            left.metric == right.metric && left.unit == right.unit,
            "comparison `{name}`: `{}` is {} in {}, `{}` is {} in {}",
            left.name,
            left.metric,
            left.unit,
            right.name,
            right.metric,
            right.unit
        );
        let per_seed = stats::paired(&left.per_seed, &right.per_seed)
            .with_context(|| format!("comparison `{name}`"))?;
        Ok(Self {
            name,
            left: left.name.clone(),
            right: right.name.clone(),
            metric: left.metric.clone(),
            unit: if left.unit == "%" { "points".into() } else { left.unit.clone() },
            better: left.better,
            mean: stats::mean(&per_seed),
            ci95: stats::t_interval(&per_seed),
            per_seed,
        })
    }
}

/// What a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Wall clock in seconds of all processes of the run, all seeds and rows together, as far as
    /// they noted it: after every stage, so that a killed process loses at most the stage it was in.
    pub(crate) wall_s: f64,
    /// Largest resident set of any of these processes, bytes.
    pub(crate) peak_rss_bytes: u64,
    /// Training images (labelled and unlabelled) per second of the trainings' wall clock, their
    /// evaluations and checkpoints included; 0 when nothing was trained.
    pub(crate) images_per_s: f64,
}

/// What a row of the paper's table is, so that differences can be taken within one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Training without the method.
    Baseline,
    /// The whole method: the other rows are read against it.
    Method,
    /// The method with a part taken away or changed.
    Ablation,
}

/// One number that a paper prints. Its data and its models are not ours: the direction of a
/// difference can be set beside ours, its level cannot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PaperRow {
    /// The paper's words for the row.
    pub(crate) name: String,
    /// The name of our [`Row`] that stands beside it, when there is one.
    pub(crate) ours: Option<String>,
    /// What the row is.
    pub(crate) role: Role,
    /// Data and model, such as `ImageNet, EfficientNet-B5, 130M unlabelled`; one column of the table.
    pub(crate) setting: String,
    /// The paper's metric, such as `top-1 accuracy`.
    pub(crate) metric: String,
    /// The number as printed.
    pub(crate) value: f64,
    /// Its unit.
    pub(crate) unit: String,
    /// Where it is printed.
    pub(crate) source: String,
}

impl RunResult {
    /// The row of this name and metric.
    pub(crate) fn find(&self, name: &str, metric: &str) -> Option<&Row> {
        self.rows.iter().find(|r| r.name == name && r.metric == metric)
    }

    /// The metric that tables lead with: that of the headline's comparison, else of the first row.
    pub(crate) fn lead_metric(&self) -> Option<&str> {
        let headline = self.headline().map(|c| c.metric.as_str());
        headline.or_else(|| self.rows.first().map(|r| r.metric.as_str()))
    }

    /// The comparison that the headline speaks of: [`STUDENT_TEACHER`], else the first.
    pub(crate) fn headline(&self) -> Option<&Comparison> {
        let named = self.comparisons.iter().find(|c| c.name == STUDENT_TEACHER);
        named.or_else(|| self.comparisons.first())
    }

    /// Checks that every `per_seed` is finite and as long as `seeds`.
    ///
    /// # Errors
    /// Names the row or comparison that does not fit.
    pub(crate) fn check(&self) -> Result<()> {
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
        Ok(())
    }

    /// Writes [`FILE`] into `dir`, at once or not at all, and returns its path.
    ///
    /// # Errors
    /// When [`RunResult::check`] fails or the file cannot be written.
    pub(crate) fn save(&self, dir: &Path) -> Result<PathBuf> {
        self.check()?;
        let mut text = serde_json::to_string_pretty(self).context("result.json")?;
        text.push('\n');
        write_atomically(&dir.join(FILE), text.as_bytes())
    }

    /// Reads what [`RunResult::save`] wrote into `dir`.
    ///
    /// # Errors
    /// When the file is missing, is not of this schema or does not hold together.
    pub(crate) fn load(dir: &Path) -> Result<Self> {
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

/// Writes `bytes` to `path` through a neighbour that is synced and renamed, so that a reader finds
/// the old file or the new one, never half of one; then syncs the folder, so that the rename outlives
/// a crash of the machine. Returns `path`.
///
/// # Errors
/// When the folder cannot be written to.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let mut name = path.file_name().context("a path without a file name")?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = fs::File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path));
    if let Err(error) = written {
        // The half-written neighbour is of no use to anybody; the first error is the one to tell.
        let _ = fs::remove_file(&part);
        return Err(error).with_context(|| format!("writing {}", path.display()));
    }
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    // Some file systems cannot sync a folder; the file is whole either way.
    let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    Ok(path.to_owned())
}

fn check_values(what: &str, per_seed: &[f64]) -> Result<()> {
    ensure!(!per_seed.is_empty(), "{what} holds no value");
    match per_seed.iter().position(|v| !v.is_finite()) {
        Some(i) => bail!("{what}: seed number {} gave {}", i + 1, per_seed[i]),
        None => Ok(()),
    }
}
