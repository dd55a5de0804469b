//! A sweep of models: perplexity on x, automatic measures on y under their own names, and SSA where
//! people rated. Read from lines of JSON, so that whatever trains models can write them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use eval_ssa::bootstrap::Bootstrap;
use eval_ssa::regression::fit;
use eval_ssa::score::{Measure, Score, scores};
use eval_ssa::{Mode, Study};
use rating_server::{Names, Project};
use report::words::capitalised;
use report::{Block, Measured, Point, ScatterPlot, Section, Table};
use serde::Deserialize;

use super::numbers::{estimate, line_cells, measured, to_draw};

/// One model. A line of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    /// Its name, unique in the sweep.
    name: String,
    /// Perplexity for each token of a held-out set that all models of the sweep share.
    perplexity: f64,
    /// Automatic measures by their names, such as `distinct-2`. None of them is SSA.
    #[serde(default)]
    measures: BTreeMap<String, f64>,
    /// The rating study in which people rated it: a file of `tutor rate`, or a folder with its
    /// export; relative to this file.
    project: Option<PathBuf>,
    /// Its name there, if it is another one.
    system: Option<String>,
}

/// A model with what people say of it.
struct Rated {
    model: Model,
    scores: Vec<Score>,
}

/// One y over perplexity, with a point for each model that has it.
struct Course {
    name: String,
    /// Whether it is a share in percent.
    is_share: bool,
    points: Vec<(String, Point)>,
}

/// The models of a sweep; none if no sweep was named.
#[derive(Default)]
pub(super) struct Sweep(Vec<Rated>);

/// Resamples of the intervals of SSA.
const RESAMPLES: u32 = 10_000;

/// Names that belong to what people say.
const TAKEN: [&str; 4] = ["ssa", "sensibleness", "specificity", "human-likeness"];

impl Sweep {
    /// Reads a file of lines of JSON, or all `.jsonl` files of a folder.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            let entries =
                path.read_dir().with_context(|| format!("cannot read {}", path.display()))?;
            files = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
            files.retain(|file| file.extension().is_some_and(|end| end == "jsonl"));
            files.sort();
            ensure!(!files.is_empty(), "{} has no .jsonl file", path.display());
        }
        let (mut points, mut names) = (Vec::new(), BTreeSet::new());
        let mut rated: BTreeMap<PathBuf, Vec<Score>> = BTreeMap::new();
        for file in files {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let lines = (1..).zip(text.split('\n')).filter(|(_, line)| !line.trim().is_empty());
            for (number, line) in lines {
                let about = || format!("{}, line {number}", file.display());
                let model: Model = serde_json::from_str(line).with_context(about)?;
                model.check().with_context(about)?;
                if !names.insert(model.name.clone()) {
                    bail!("{}: the model {:?} comes twice", about(), model.name);
                }
                let scores = model.scores(&file, &mut rated).with_context(about)?;
                points.push(Rated { model, scores });
            }
        }
        ensure!(!points.is_empty(), "{} has no models", path.display());
        points.sort_by(|a, b| a.model.perplexity.total_cmp(&b.model.perplexity));
        Ok(Self(points))
    }

    /// The section, which says so when there is no sweep.
    pub(super) fn section(&self) -> Section {
        let section = Section::new("sweep", "A sweep of models");
        if self.0.is_empty() {
            let words = "None is shown: no models of ours have been trained for it yet. Where the recipe's \
                         `sweep` names a file with a line for each model (name, perplexity, automatic measures \
                         and, if people rated it, the study), they are drawn here.";
            return section.with(Block::Text(words.to_owned()));
        }
        let words = "Perplexity on a held-out set that all models share, against automatic measures under their \
                     own names, and against SSA where people rated the models. No automatic measure is SSA.";
        let mut section = section.with(Block::Text(words.to_owned()));
        let mut lines =
            Table::new(["y over perplexity", "models", "R²", "slope", "intercept", "remarks"]);
        for Course { name, is_share, points } in self.courses() {
            let line = fit(&points.iter().map(|(_, point)| (point.x, point.y)).collect::<Vec<_>>());
            let y_label = if is_share { format!("{name}, %") } else { name.clone() };
            lines.rows.push([y_label.clone()].into_iter().chain(line_cells(&line)).collect());
            section = section.with(Block::Scatter(ScatterPlot {
                title: format!("{} over perplexity", capitalised(&name)),
                x_label: "perplexity".to_owned(),
                y_label,
                points,
                line: to_draw(&line),
            }));
        }
        section.with(Block::Table(lines)).with(Block::Table(self.table()))
    }

    /// What people say comes first, in percent.
    fn courses(&self) -> Vec<Course> {
        let mut courses = Vec::new();
        for mode in [Mode::Static, Mode::Interactive] {
            for measure in [Measure::Ssa, Measure::Sensibleness, Measure::Specificity] {
                let point = |point: &Rated| {
                    let Measured { value: y, interval } =
                        measured(point.score(mode)?.estimate(measure)?);
                    let Model { name, perplexity, .. } = &point.model;
                    Some((name.clone(), Point { x: *perplexity, y, interval }))
                };
                let points: Vec<_> = self.0.iter().filter_map(point).collect();
                if !points.is_empty() {
                    let name = format!("{} ({})", measure.name(), mode.name());
                    courses.push(Course { name, is_share: true, points });
                }
            }
        }
        for name in self.measures() {
            let point = |point: &Rated| {
                let Model { name: model, perplexity, measures, .. } = &point.model;
                let (x, y) = (*perplexity, *measures.get(name)?);
                Some((model.clone(), Point { x, y, interval: None }))
            };
            let points = self.0.iter().filter_map(point).collect();
            courses.push(Course { name: name.to_owned(), is_share: false, points });
        }
        courses
    }

    fn measures(&self) -> BTreeSet<&str> {
        let all = self.0.iter().flat_map(|point| point.model.measures.keys());
        all.map(String::as_str).collect()
    }

    fn table(&self) -> Table {
        let measures = self.measures();
        let mut header = vec!["model".to_owned(), "perplexity".to_owned()];
        header.extend(measures.iter().map(|name| (*name).to_owned()));
        header.extend(["static SSA, %".to_owned(), "interactive SSA, %".to_owned()]);
        let mut table = Table::new(header);
        for point in &self.0 {
            let Model { name, perplexity, measures: own, .. } = &point.model;
            let mut row = vec![name.clone(), format!("{perplexity:.2}")];
            let cell = |name: &&str| own.get(*name).map_or("–".to_owned(), |y| format!("{y:.3}"));
            row.extend(measures.iter().map(cell));
            row.extend(
                [Mode::Static, Mode::Interactive]
                    .map(|mode| estimate(point.score(mode).and_then(|score| score.ssa.as_ref()))),
            );
            table.rows.push(row);
        }
        table
    }
}

impl Rated {
    fn score(&self, mode: Mode) -> Option<&Score> {
        self.scores.iter().find(|score| score.mode == mode)
    }
}

impl Model {
    fn check(&self) -> Result<()> {
        ensure!(!self.name.trim().is_empty(), "the model has no name");
        ensure!(
            self.perplexity.is_finite() && self.perplexity >= 1.0,
            "{}: a perplexity of {} cannot be: it is 1 or more",
            self.name,
            self.perplexity
        );
        for (name, value) in &self.measures {
            let plain = name.trim().to_lowercase().replace([' ', '_'], "-");
            ensure!(
                !TAKEN.contains(&plain.as_str()) && !plain.split('-').any(|word| word == "ssa"),
                "{}: an automatic measure cannot be called {name:?}: that is what people say",
                self.name
            );
            ensure!(value.is_finite(), "{}: {name} is {value}", self.name);
        }
        ensure!(
            self.project.is_some() || self.system.is_none(),
            "{}: `system` is its name in `project`, which is not given",
            self.name
        );
        Ok(())
    }

    /// What people say of it.
    fn scores(&self, file: &Path, rated: &mut BTreeMap<PathBuf, Vec<Score>>) -> Result<Vec<Score>> {
        let Some(project) = &self.project else { return Ok(Vec::new()) };
        let path = file.parent().unwrap_or(Path::new("")).join(project);
        if !rated.contains_key(&path) {
            let study = match path.is_dir() {
                true => Study::read(&path)?,
                false => Project::open(&path)?.study(Names::Own)?,
            };
            let bootstrap = Bootstrap { resamples: RESAMPLES, ..Bootstrap::default() };
            rated.insert(path.clone(), scores(&study, &bootstrap));
        }
        let all = &rated[&path];
        let name = self.system.as_ref().unwrap_or(&self.name);
        let own: Vec<Score> = all.iter().filter(|score| score.system == *name).cloned().collect();
        if own.is_empty() {
            let there: BTreeSet<&str> = all.iter().map(|score| score.system.as_str()).collect();
            let there = there.into_iter().collect::<Vec<_>>().join(", ");
            bail!("{} has no system {name:?} but {there}: say it by `system`", path.display());
        }
        Ok(own)
    }
}
