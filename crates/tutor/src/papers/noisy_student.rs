//! Noisy Student (Xie et al. 2020, arXiv 1911.04252): a teacher labels, a noised student learns
//! from labels and pseudo-labels, again and again; with its ablations and robustness.

mod check;
mod generations;
mod labeling;
mod outcome;
mod recipe;
mod robustness;
mod robustness_tables;
mod section;
mod seed;
mod summary;
mod trained;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use toml::Table;
use torch::Device;

use crate::images::source::ImageSource;
use crate::images::trained_model::{Place, TrainedModel};
use crate::recipe::data::DataConfig;
use crate::recipe::edit;
use crate::recipe::evaluate::EvaluateConfig;
use crate::recipe::head::Head;
use crate::recipe::paths::from_anywhere;
use crate::run::experiment::{Experiment, Findings, Paper, Predictor};
use crate::run::seeds::Run;
use recipe::Recipe;

pub(super) const PAPER: Paper = Paper { kind: "noisy-student", read };

struct NoisyStudent {
    head: Head,
    recipe: Recipe,
    /// The images, once they are open.
    source: Option<ImageSource>,
}

fn read(head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let recipe: Recipe = edit::read(own)?;
    check::check(&recipe, &head.name, &head.run_rows)?;
    let mut rows = vec![("teacher".to_owned(), None)];
    for number in 1..=recipe.generations.len() {
        rows.push((format!("student {number}"), Some("teacher".to_owned())));
    }
    rows.extend(recipe.rows.keys().map(|row| (row.clone(), Some("student 1".to_owned()))));
    head.check_expectations(&rows)?;
    Ok(Box::new(NoisyStudent { head, recipe, source: None }))
}

impl NoisyStudent {
    /// The further rows that are run.
    fn chosen_rows(&self) -> Vec<&str> {
        let names = self.recipe.rows.keys().map(String::as_str);
        names.filter(|name| self.head.run_rows.takes(name)).collect()
    }

    /// The data with each number of labels that is run.
    fn data(&self) -> Result<Vec<DataConfig>> {
        let Recipe { data, labels, .. } = &self.recipe;
        match &labels[..] {
            [] => Ok(vec![data.clone()]),
            labels => labels.iter().map(|&count| data.with_labels(count)).collect(),
        }
    }

    /// The runs of one seed: one for each number of labels, with its images and folder.
    fn cells(&self, seed: &Path) -> Result<Vec<(PathBuf, ImageSource)>> {
        let source = self.source.as_ref().context("the data are opened before the run")?;
        if self.recipe.labels.is_empty() {
            return Ok(vec![(seed.to_owned(), source.clone())]);
        }
        let dirs = self.recipe.labels.iter().map(|&count| labels_dir(seed, count));
        Ok(dirs.zip(self.data()?).map(|(dir, data)| (dir, source.of(&data))).collect())
    }
}

/// The folder of one number of labels below a seed's.
fn labels_dir(seed: &Path, count: usize) -> PathBuf {
    seed.join(format!("labels-{count}"))
}

impl Experiment for NoisyStudent {
    fn head(&self) -> &Head {
        &self.head
    }

    fn rows(&self) -> Vec<(String, String)> {
        let rows = self.recipe.rows.iter();
        rows.map(|(name, row)| (name.clone(), row.about.clone())).collect()
    }

    fn to_toml(&self) -> Result<String> {
        self.head.to_toml(&self.recipe)
    }

    fn shares(&self, processes: usize) -> Result<()> {
        self.recipe.shares(processes)?;
        for name in self.chosen_rows() {
            let row = self.recipe.row(name)?.shares(processes);
            row.with_context(|| format!("row {name}"))?;
        }
        Ok(())
    }

    fn missing(&self, dir: Option<&Path>) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for data in self.data()? {
            missing.extend(ImageSource::missing(&data, dir)?);
        }
        // All numbers of labels are of the same images.
        missing.dedup();
        Ok(missing)
    }

    fn open(&mut self, dir: Option<&Path>) -> Result<()> {
        self.recipe.data.anchor(dir)?;
        if let Some(asked) = &mut self.recipe.teacher.weights {
            *asked = from_anywhere(asked)?;
        }
        let source = ImageSource::open(&self.recipe.data, dir)?;
        let suit = |recipe: &Recipe| {
            recipe
                .nets()
                .into_iter()
                .try_for_each(|(key, net, policies)| source.suits((&key, net), &policies))
        };
        suit(&self.recipe)?;
        for name in self.chosen_rows() {
            suit(&self.recipe.row(name)?).with_context(|| format!("row {name}"))?;
        }
        self.source = Some(source);
        Ok(())
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let rows = self.chosen_rows();
        let source = self.source.as_ref().context("the data are opened before the run")?;
        source.keep(run.dir)?;
        let outcomes = run.each_seed(
            |seed| {
                let cells = self.cells(&seed.dir)?;
                let mut found = Vec::with_capacity(cells.len());
                for (i, (dir, source)) in cells.iter().enumerate() {
                    let labels = self.recipe.labels.get(i);
                    seed.part(&labels.map_or(String::new(), |count| format!("{count} labels")));
                    found.push(seed::run(&self.recipe, &rows, source, dir, seed)?);
                }
                Ok(found)
            },
            |cells| {
                cells
                    .iter()
                    .map(|cell| summary::line(cell, &self.recipe))
                    .collect::<Vec<_>>()
                    .join("; ")
            },
        )?;
        Ok(Findings {
            result: summary::result(&self.head, &self.recipe, run, &outcomes)?,
            sections: summary::sections(&self.recipe, &outcomes)?,
        })
    }

    fn predictor(
        &self,
        seed: &Path,
        model: Option<&str>,
        device: Device,
    ) -> Result<Box<dyn Predictor>> {
        let seed = match self.recipe.labels.last() {
            Some(&count) => labels_dir(seed, count),
            None => seed.to_owned(),
        };
        let last = format!("student-{}", self.recipe.generations.len());
        let name = model.unwrap_or(&last);
        let (recipe, net, dir) = match (name, name.strip_prefix("student-")) {
            ("teacher", _) => {
                (self.recipe.clone(), self.recipe.teacher.net.clone(), seed.join(name))
            }
            (_, Some(number)) => {
                let number = number.parse::<usize>().ok();
                let generation =
                    number.and_then(|n| self.recipe.generations.get(n.wrapping_sub(1)));
                let generation = generation.with_context(|| {
                    format!("there is no {name} in this run; its last is {last}")
                })?;
                (self.recipe.clone(), generation.net.clone(), seed.join(name))
            }
            (row, None) => {
                let recipe = self.recipe.row(row)?;
                ensure!(
                    self.head.run_rows.takes(row),
                    "the row {row} was not run: run the recipe with --rows {row}"
                );
                let net = recipe.generations[0].net.clone();
                (recipe, net, seed.join("rows").join(row))
            }
        };
        // Those of the resolution fix where a student had one.
        let (dir, eval_augment) = match &recipe.student.fix_resolution {
            _ if name == "teacher" => (dir, recipe.evaluate.augment.clone()),
            Some(fix) => (dir.join("fix-resolution"), fix.eval_augment.clone()),
            None => (dir, recipe.student_eval().clone()),
        };
        let (name, EvaluateConfig { batch: eval_batch, mirror, .. }) =
            (name.to_owned(), recipe.evaluate);
        let place = Place { name, net, dir, input: seed, eval_augment, eval_batch, mirror };
        Ok(Box::new(TrainedModel::load(place, device)?))
    }
}
