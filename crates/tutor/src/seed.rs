//! All trainings and measurements of one seed.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use data_pipeline::split::Split;
use torch::Device;
use train::Watch;

use crate::assemble::{Data, Source};
use crate::generations::{self, Trained};
use crate::outcome::{self, SeedOutcome};
use crate::phase::{PhaseCost, Setting};
use crate::progress::Progress;
use crate::recipe::{self, Recipe};
use crate::report::visuals::PseudoLabels;
use crate::robustness;

/// Runs one seed in `dir`, or reads what an earlier process found there.
pub(crate) fn run(
    recipe: &Recipe,
    recipe_text: &str,
    source: &Source,
    device: Device,
    seed: u64,
    dir: &Path,
    progress: &mut Progress<'_>,
) -> Result<SeedOutcome> {
    if let Some(outcome) = SeedOutcome::load(dir) {
        return Ok(outcome);
    }
    let data: Data = source.draw(seed)?;
    can_be_measured(&data, recipe)?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    keep_split(&data, &dir.join("split.json"))?;
    data.input.save(dir)?;
    let setting = Setting {
        data: &data,
        device,
        precision: recipe.precision,
        cadence: &recipe.cadence,
        eval_batch: recipe.eval_batch,
        recipe_text,
        seed,
    };
    let mut trained = vec![generations::teacher(&setting, recipe, dir, progress.phase("teacher"))?];
    let mut labels = Vec::new();
    for number in 0..recipe.generations.len() {
        let name = format!("student {}", number + 1);
        let folder = dir.join(format!("student-{}", number + 1));
        let teacher = trained.last().expect("a teacher");
        let watch: &mut dyn Watch = progress.phase(&name);
        let taught =
            generations::student(&setting, recipe, number, &name, &folder, teacher, watch)?;
        labels.extend(taught.labels);
        trained.push(taught.student);
    }
    let students = trained.len();
    for name in recipe.rows.keys() {
        let row = recipe.row(name)?;
        let folder = dir.join("rows").join(name);
        let watch: &mut dyn Watch = progress.phase(name);
        let taught = generations::student(&setting, &row, 0, name, &folder, &trained[0], watch)?;
        labels.extend(taught.labels);
        trained.push(taught.student);
    }
    progress.say("measuring");
    let outcome = measure(&setting, recipe, &trained, students, labels)?;
    outcome.save(dir)?;
    Ok(outcome)
}

/// Finds before any training what would otherwise be missing after it.
fn can_be_measured(data: &Data, recipe: &Recipe) -> Result<()> {
    let (part, pool) = outcome::evaluated_part(data, recipe);
    ensure!(
        pool.labels().iter().any(Option::is_some),
        "there is no labelled image in the {} part to measure on: the split rule or the sizes in [data] leave none",
        part.name()
    );
    let rows = recipe.rows.keys().map(|name| recipe.row(name)).collect::<Result<Vec<_>>>()?;
    let asked = rows.iter().chain([recipe]).any(|r| r.labeling.source == recipe::Source::Unlabeled);
    ensure!(
        data.unlabeled.len() > 0 || !asked,
        "there are no unlabelled images: see [data] of the recipe"
    );
    Ok(())
}

/// Writes the split, or makes sure that it is the one that an earlier process of this run drew.
pub(crate) fn keep_split(data: &Data, path: &Path) -> Result<()> {
    match Split::load(path) {
        Ok(earlier) => {
            let same = earlier == data.split;
            ensure!(
                same,
                "{} differs from what is drawn now: put the data back as they were, or begin anew with --fresh",
                path.display()
            );
            Ok(())
        }
        Err(error) => {
            if path.exists() {
                tracing::warn!("{error}; it is written anew");
            }
            Ok(data.split.save(path)?)
        }
    }
}

fn measure(
    setting: &Setting<'_>,
    recipe: &Recipe,
    trained: &[Trained],
    students: usize,
    pseudo_labels: Vec<PseudoLabels>,
) -> Result<SeedOutcome> {
    let (teacher, student) = (&trained[0], &trained[students - 1]);
    let (part, pool) = outcome::evaluated_part(setting.data, recipe);
    let measured = recipe
        .robustness
        .as_ref()
        .map(|config| robustness::measure(setting, config, pool, teacher, student));
    let mut cost = PhaseCost::default();
    trained.iter().for_each(|t| cost += t.cost);
    Ok(SeedOutcome {
        seed: setting.seed,
        data: setting.data.describe(),
        classes: setting.data.input.classes.clone(),
        part,
        examples: pool.len() as u64,
        scores: trained
            .iter()
            .map(|t| outcome::score(setting, recipe, t))
            .collect::<Result<_>>()?,
        pseudo_labels,
        disagreements: Some(outcome::disagreements(setting, teacher, student)?),
        robustness: measured.transpose()?,
        cost,
    })
}
