//! What one seed of a run found.

use std::path::Path;

use anyhow::{Context, Result};
use metrics::Confusion;
use report::{Curve, Picture};
use serde::{Deserialize, Serialize};

use super::recipe::Recipe;
use super::robustness::{self, Measured};
use super::section::{Disagreements, Opinion, PseudoLabels, Tile};
use super::trained::Trained;
use crate::images::setting::Setting;
use crate::images::subset::Subset;
use crate::images::task::VALIDATION;
use crate::recipe::evaluate::Part;
use crate::run::cost::StageCost;
use crate::run::curve;

/// Everything that a report needs to know of one seed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SeedOutcome {
    pub(super) seed: u64,
    /// In words, which data.
    pub(super) data: String,
    /// How many labels it had.
    pub(super) labels: u64,
    pub(super) classes: Vec<String>,
    /// Which part of the data the accuracies were counted on.
    pub(super) part: Part,
    /// How many images that is.
    pub(super) examples: u64,
    /// Teacher, students, further rows, in this order.
    pub(super) scores: Vec<Score>,
    pub(super) pseudo_labels: Vec<PseudoLabels>,
    pub(super) disagreements: Option<Disagreements>,
    pub(super) robustness: Option<Measured>,
    /// Which published weights the teacher started from, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<String>,
    pub(super) cost: StageCost,
}

/// One network's numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Score {
    pub(super) name: String,
    /// Percent.
    pub(super) accuracy: f64,
    pub(super) confusion: Confusion,
    pub(super) curve: Curve,
}

/// The file that keeps it below a seed's folder.
pub(super) const FILE: &str = "outcome.json";

/// Images on which teacher and student differ that are shown.
const TILES: usize = 48;

/// Measures the networks of a seed: teacher and students (so many), then further rows.
pub(super) fn measure(
    setting: &Setting<'_>,
    recipe: &Recipe,
    trained: &[Trained],
    students: usize,
    pseudo_labels: Vec<PseudoLabels>,
) -> Result<SeedOutcome> {
    let (teacher, student) = (&trained[0], &trained[students - 1]);
    let (part, subset) = setting.data.part(recipe.evaluate.on);
    let measured = recipe
        .robustness
        .as_ref()
        .map(|config| robustness::measure(setting, config, subset, teacher, student));
    Ok(SeedOutcome {
        seed: setting.seed,
        data: setting.data.describe(),
        labels: setting.data.labeled.len() as u64,
        classes: setting.data.input.classes.clone(),
        part,
        examples: subset.len() as u64,
        scores: trained.iter().map(|t| score(setting, subset, t)).collect::<Result<_>>()?,
        pseudo_labels,
        start: teacher.start.clone(),
        disagreements: Some(disagreements(setting, teacher, student)?),
        robustness: measured.transpose()?,
        cost: StageCost::sum(trained.iter().map(|t| t.cost)),
    })
}

fn score(setting: &Setting<'_>, subset: &Subset, trained: &Trained) -> Result<Score> {
    let confusion = trained.predict(setting, subset)?.confusion(&subset.labels());
    Ok(Score {
        name: trained.name.clone(),
        accuracy: confusion.accuracy().context("no image of the evaluated part has a label")?,
        confusion,
        curve: curve_of(&trained.dir, &trained.name, setting.seed)?,
    })
}

fn curve_of(dir: &Path, name: &str, seed: u64) -> Result<Curve> {
    curve::read(dir, name, seed, VALIDATION)
}

/// The unlabelled images on which teacher and student differ, the most confident differences first.
pub(super) fn disagreements(
    setting: &Setting<'_>,
    teacher: &Trained,
    student: &Trained,
) -> Result<Disagreements> {
    let subset = setting.data.unlabeled.spread(5_000);
    let (theirs, ours) = (teacher.predict(setting, &subset)?, student.predict(setting, &subset)?);
    let opinion = |(class, confidence): (u32, f32)| Opinion { class: class as usize, confidence };
    let opinions = theirs.top().map(opinion).zip(ours.top().map(opinion));
    let mut differing: Vec<(u32, Opinion, Opinion)> = subset
        .indices
        .iter()
        .zip(opinions)
        .filter(|(_, (teacher, student))| teacher.class != student.class)
        .map(|(&index, (teacher, student))| (index, teacher, student))
        .collect();
    let truth = |index: u32| subset.set.label(index as usize).map(|label| label as usize);
    let known = differing.iter().filter(|(index, ..)| truth(*index).is_some()).count();
    let right = |class: fn(&Opinion, &Opinion) -> usize| {
        let is = |(index, t, s): &&(u32, Opinion, Opinion)| truth(*index) == Some(class(t, s));
        (known > 0).then(|| differing.iter().filter(is).count() as u64)
    };
    let (teacher_right, student_right) = (right(|t, _| t.class), right(|_, s| s.class));
    let count = differing.len() as u64;
    differing.sort_by(|a, b| {
        (b.1.confidence * b.2.confidence).total_cmp(&(a.1.confidence * a.2.confidence))
    });
    differing.truncate(TILES);
    let tile = |&(index, teacher, student): &(u32, Opinion, Opinion)| -> Result<Tile> {
        let image = subset.set.item(index as usize)?;
        let (height, width, channels) = (image.height(), image.width(), image.channels());
        let picture = Picture { pixels: image.into_pixels(), height, width, channels };
        Ok(Tile { picture, teacher, student, truth: truth(index) })
    };
    Ok(Disagreements {
        teacher: teacher.name.clone(),
        student: student.name.clone(),
        seed: setting.seed,
        compared: subset.len() as u64,
        differing: count,
        student_right,
        teacher_right,
        tiles: differing.iter().map(tile).collect::<Result<_>>()?,
    })
}
