//! What one seed of a run found, kept as a file so that it is measured once.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use train::metrics;

use crate::assemble::{Data, Pool};
use crate::evaluate::{Look, Predictions};
use crate::generations::Trained;
use crate::phase::{PhaseCost, Setting, VALIDATION};
use crate::recipe::{Part, Recipe};
use crate::report::result::write_atomically;
use crate::report::visuals::{Curve, CurvePoint, Disagreements, Guess, PseudoLabels, Tile};
use crate::robustness::Measured;

/// Everything that a report needs to know of one seed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SeedOutcome {
    pub(crate) seed: u64,
    /// In words, which data.
    pub(crate) data: String,
    pub(crate) classes: Vec<String>,
    /// Which part of the data the accuracies were counted on.
    pub(crate) part: Part,
    /// How many images that is.
    pub(crate) examples: u64,
    /// Teacher, students, further rows, in this order.
    pub(crate) scores: Vec<Score>,
    pub(crate) pseudo_labels: Vec<PseudoLabels>,
    pub(crate) disagreements: Option<Disagreements>,
    pub(crate) robustness: Option<Measured>,
    pub(crate) cost: PhaseCost,
}

/// One network's numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Score {
    pub(crate) name: String,
    /// Percent.
    pub(crate) accuracy: f64,
    pub(crate) confusion: Vec<Vec<u64>>,
    pub(crate) curve: Curve,
}

const FILE: &str = "outcome.json";

/// Tiles of the grid of images on which teacher and student differ.
const TILES: usize = 60;

/// What an earlier process found and kept in a file; nothing if the file is not there or not what it should be.
pub(crate) fn found_before<T: DeserializeOwned>(file: &Path) -> Option<T> {
    serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
}

impl SeedOutcome {
    /// What an earlier process found.
    pub(crate) fn load(dir: &Path) -> Option<Self> {
        found_before(&dir.join(FILE))
    }

    /// Keeps it.
    pub(crate) fn save(&self, dir: &Path) -> Result<()> {
        write_atomically(&dir.join(FILE), serde_json::to_string(self)?.as_bytes())?;
        Ok(())
    }
}

/// The part of the data that the recipe's numbers are measured on: the validation part where there is no test part.
pub(crate) fn evaluated_part<'a>(data: &'a Data, recipe: &Recipe) -> (Part, &'a Pool) {
    part_of(data, recipe.evaluate_on)
}

/// The part that is asked for, or the validation part where there is no test part.
pub(crate) fn part_of(data: &Data, asked: Part) -> (Part, &Pool) {
    match (&data.test, asked) {
        (Some(test), Part::Test) => (Part::Test, test),
        _ => (Part::Validation, &data.validation),
    }
}

/// Measures one network.
pub(crate) fn score(setting: &Setting<'_>, recipe: &Recipe, trained: &Trained) -> Result<Score> {
    let (_, pool) = evaluated_part(setting.data, recipe);
    let predictions = predict(setting, trained, pool)?;
    let truth = pool.labels();
    let accuracy =
        predictions.accuracy(&truth).context("no image of the evaluated part has a label")?;
    let confusion = predictions.confusion(&truth);
    Ok(Score {
        name: trained.name.clone(),
        accuracy,
        confusion,
        curve: curve(&trained.dir, &trained.name, setting.seed)?,
    })
}

/// Runs a network over a pool without noise.
pub(crate) fn predict(
    setting: &Setting<'_>,
    trained: &Trained,
    pool: &Pool,
) -> Result<Predictions> {
    let feed = setting.feed(None);
    Look::clean(&feed, &trained.eval_augment, setting.eval_batch, setting.cadence.workers)
        .interruptible()
        .at(&trained.model, pool)
}

/// Reads the course of a training back from its record.
pub(crate) fn curve(dir: &Path, name: &str, seed: u64) -> Result<Curve> {
    let path = dir.join(metrics::FILE);
    if !path.exists() {
        // A network that was given, not trained.
        return Ok(Curve { model: name.to_owned(), seed, points: Vec::new() });
    }
    let mut points: Vec<CurvePoint> = Vec::new();
    for row in metrics::read(&path)? {
        let value = |name: &str| row.values.get(name).copied().flatten();
        let (train_loss, validation) = (value("loss"), value(&format!("eval/{VALIDATION}")));
        match points.last_mut().filter(|last| last.step == row.step) {
            Some(last) => {
                last.train_loss = last.train_loss.or(train_loss);
                last.validation = last.validation.or(validation);
            }
            None => points.push(CurvePoint { step: row.step, train_loss, validation }),
        }
    }
    Ok(Curve { model: name.to_owned(), seed, points })
}

/// The unlabelled images on which teacher and student differ, the surest differences first.
pub(crate) fn disagreements(
    setting: &Setting<'_>,
    teacher: &Trained,
    student: &Trained,
) -> Result<Disagreements> {
    let pool = setting.data.unlabeled.spread(5_000);
    let (theirs, ours) = (predict(setting, teacher, &pool)?, predict(setting, student, &pool)?);
    let guess = |(class, confidence): (u32, f32)| Guess { class: class as usize, confidence };
    let opinions = theirs.top().map(guess).zip(ours.top().map(guess));
    let mut differing: Vec<(u32, Guess, Guess)> = pool
        .indices
        .iter()
        .zip(opinions)
        .filter(|(_, (teacher, student))| teacher.class != student.class)
        .map(|(&index, (teacher, student))| (index, teacher, student))
        .collect();
    let truth = |index: u32| pool.set.label(index as usize).map(|label| label as usize);
    let known = differing.iter().filter(|(index, ..)| truth(*index).is_some()).count();
    let right = |class: fn(&Guess, &Guess) -> usize| {
        let is = |(index, t, s): &&(u32, Guess, Guess)| truth(*index) == Some(class(t, s));
        (known > 0).then(|| differing.iter().filter(is).count() as u64)
    };
    let (teacher_right, student_right) = (right(|t, _| t.class), right(|_, s| s.class));
    let count = differing.len() as u64;
    differing.sort_by(|a, b| {
        (b.1.confidence * b.2.confidence).total_cmp(&(a.1.confidence * a.2.confidence))
    });
    differing.truncate(TILES);
    let tile = |&(index, teacher, student): &(u32, Guess, Guess)| -> Result<Tile> {
        let image = pool.set.image(index as usize)?;
        let (height, width, channels) = (image.height(), image.width(), image.channels());
        let pixels = image.into_pixels();
        Ok(Tile { pixels, height, width, channels, teacher, student, truth: truth(index) })
    };
    Ok(Disagreements {
        teacher: teacher.name.clone(),
        student: student.name.clone(),
        seed: setting.seed,
        compared: pool.len() as u64,
        differing: count,
        student_right,
        teacher_right,
        tiles: differing.iter().map(tile).collect::<Result<_>>()?,
    })
}
