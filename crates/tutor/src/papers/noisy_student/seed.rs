//! All trainings and measurements of one seed.

use std::path::Path;

use anyhow::{Result, ensure};

use super::generations::{self, Place};
use super::outcome::{self, FILE, SeedOutcome};
use super::recipe::{LabelSource, Recipe};
use crate::images::setting::Setting;
use crate::images::source::{Data, ImageSource};
use crate::run::files;
use crate::run::seeds::SeedRun;

/// Runs one seed in `dir`, or reads what an earlier process found there. `rows` are the further
/// rows that are run.
pub(super) fn run(
    recipe: &Recipe,
    rows: &[&str],
    source: &ImageSource,
    dir: &Path,
    run: &mut SeedRun<'_, '_>,
) -> Result<SeedOutcome> {
    files::once(&dir.join(FILE), || {
        let data = source.draw(run.seed)?;
        train_and_measure(recipe, rows, &data, dir, run)
    })
}

fn train_and_measure(
    recipe: &Recipe,
    rows: &[&str],
    data: &Data,
    dir: &Path,
    run: &mut SeedRun<'_, '_>,
) -> Result<SeedOutcome> {
    let setting = Setting::begin(data, recipe.shared(), run, dir)?;
    let rows: Vec<(&str, Recipe)> =
        rows.iter().map(|&name| Ok((name, recipe.row(name)?))).collect::<Result<_>>()?;
    let recipes = || rows.iter().map(|(_, row)| row).chain([recipe]);
    ensure!(
        data.unlabeled.len() > 0 || recipes().all(|r| r.labeling.source != LabelSource::Unlabeled),
        "there are no unlabelled images: see [data] of the recipe"
    );
    let mut trained = vec![generations::teacher(&setting, recipe, dir, run.stage("teacher"))?];
    let mut labels = Vec::new();
    for generation in 0..recipe.generations.len() {
        let name = format!("student {}", generation + 1);
        let folder = dir.join(format!("student-{}", generation + 1));
        let teacher = trained.last().expect("a teacher");
        let place = Place { name: &name, dir: &folder, generation };
        let taught = generations::student(&setting, recipe, &place, teacher, run.stage(&name))?;
        labels.extend(taught.labels);
        trained.push(taught.student);
    }
    let students = trained.len();
    for (name, row) in &rows {
        let folder = dir.join("rows").join(name);
        let place = Place { name, dir: &folder, generation: 0 };
        let taught = generations::student(&setting, row, &place, &trained[0], run.stage(name))?;
        labels.extend(taught.labels);
        trained.push(taught.student);
    }
    outcome::measure(&setting, recipe, &trained, students, labels)
}
