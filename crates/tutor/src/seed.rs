//! All trainings and measurements of one seed.

use std::path::Path;

use anyhow::{Context, Result};
use torch::Device;
use train::Watch;

use crate::assemble::{Data, Source};
use crate::generations::{self, Trained};
use crate::outcome::{self, SeedOutcome};
use crate::phase::{PhaseCost, Setting};
use crate::progress::Progress;
use crate::recipe::Recipe;
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
    progress: &mut Progress,
) -> Result<SeedOutcome> {
    if let Some(outcome) = SeedOutcome::load(dir) {
        return Ok(outcome);
    }
    let data: Data = source.draw(seed)?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    data.split.save(&dir.join("split.json"))?;
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

fn measure(
    setting: &Setting<'_>,
    recipe: &Recipe,
    trained: &[Trained],
    students: usize,
    pseudo_labels: Vec<PseudoLabels>,
) -> Result<SeedOutcome> {
    let (teacher, student) = (&trained[0], &trained[students - 1]);
    let pool = outcome::evaluated_part(setting, recipe);
    let measured = recipe
        .robustness
        .as_ref()
        .map(|config| robustness::measure(setting, config, pool, teacher, student));
    let mut cost = PhaseCost::default();
    trained.iter().for_each(|t| cost += t.cost);
    Ok(SeedOutcome {
        seed: setting.seed,
        data: setting.data.describe(),
        classes: setting.data.classes.clone(),
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
