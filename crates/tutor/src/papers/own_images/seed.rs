//! One seed: start, pace, trial, the two trainings, measurements.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use report::{Curve, Picture};
use serde::{Deserialize, Serialize};
use torch::store;
use weights::StateDict;

use super::probe::Labels;
use super::recipe::{FROZEN, Recipe, SPREAD};
use super::start::Start;
use super::training::Training;
use super::{choice, pictures, trial, views};
use crate::images::setting::Setting;
use crate::images::source::Data;
use crate::run::clock::Clock;
use crate::run::cost::StageCost;
use crate::run::files;
use crate::run::lists::{self, Unlabeled};
use crate::run::measured::{Measured, MeasuredOn, Overlap, Seen};
use crate::run::pace::cut_short;
use crate::run::seeds::SeedRun;
use crate::run::trial::{Choice, LABELS_ALONE, Trial};

/// What a seed found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Which data, in words.
    pub(super) data: String,
    /// The same in full, a part each.
    #[serde(default)]
    pub(super) data_in_full: Vec<String>,
    pub(super) classes: Vec<String>,
    /// How many labels each class has.
    pub(super) labels: Vec<u64>,
    /// What was loaded to start from, in words.
    pub(super) applied: Vec<String>,
    /// The penalty of the linear classifier on frozen features.
    pub(super) penalty: Option<f64>,
    pub(super) trial: Trial,
    pub(super) choice: Choice,
    /// The rows in the order of the table.
    pub(super) rows: Vec<Measured>,
    /// What was measured on.
    pub(super) part: MeasuredOn,
    /// What of it was learned from.
    #[serde(default)]
    pub(super) overlap: Overlap,
    /// What the chosen network says of the unlabelled images.
    pub(super) unlabeled: Vec<Unlabeled>,
    /// Small copies of the pictures that the report shows, by id.
    pub(super) pictures: BTreeMap<String, Picture>,
    pub(super) curves: Vec<Curve>,
    pub(super) cost: StageCost,
    /// What went otherwise than planned.
    #[serde(default)]
    pub(super) notes: Vec<String>,
}

impl Outcome {
    /// As a report speaks of it.
    pub(super) fn seen(&self) -> Seen<'_> {
        let Self { classes, labels, rows, part, overlap, trial, choice, .. } = self;
        Seen { classes, labels, rows, part: *part, overlap, trial, choice }
    }
}

const FILE: &str = "outcome.json";

/// The share of the time that measuring the pace may take.
const PACE_SHARE: f64 = 0.1;

/// A training of so many steps tells what a step takes better than the few that were measured for
/// it.
const TELLING_STEPS: u64 = 50;

/// How many single pictures of a kind the report shows.
pub(super) const SHOWN: usize = 18;

/// Trains and measures, or reads what an earlier process found. `began` is the moment from which
/// the minutes count.
pub(super) fn run(
    recipe: &Recipe,
    data: &Data,
    (given, began): (Option<&StateDict>, Instant),
    run: &mut SeedRun<'_, '_>,
) -> Result<Outcome> {
    let dir = run.dir.clone();
    files::make_folder(&dir)?;
    let outcome = files::once(&dir.join(FILE), || find(recipe, data, (given, began), run))?;
    views::remove(&dir)?;
    Ok(outcome)
}

fn find(
    recipe: &Recipe,
    data: &Data,
    (given, began): (Option<&StateDict>, Instant),
    run: &mut SeedRun<'_, '_>,
) -> Result<Outcome> {
    let dir = run.dir.clone();
    let spent = dir.join("spent.json");
    let clock = Clock::start(recipe.minutes, began, &spent)?;
    let setting = Setting::unmeasured(data, recipe.shared(), run, &dir)?;
    let start = Start::new(recipe, &setting, given, &dir)?;
    for (row, labels) in start.frozen() {
        // It is used as any other network of the run.
        let dir = dir.join(row);
        Setting::unmeasured(data, recipe.shared(), run, &dir)?;
        let tensors = start.on_all(labels)?.params.tensors();
        store::save(&dir.join("final.safetensors"), &tensors, &BTreeMap::new())?;
    }
    let (stored, told) = views::store(recipe, &setting, start.on_all(Labels::Given)?, &dir, run)?;
    let stored = stored.as_ref();
    clock.note()?;
    let mut pace = BTreeMap::new();
    for (name, _) in recipe.methods() {
        let (model, dir) = (start.on_all(Labels::Given)?, dir.join("pace").join(name));
        let training = Training { recipe, data, name, start: model, stored, dir: &dir };
        let seconds = PACE_SHARE * 60.0 * recipe.minutes / recipe.methods().count() as f64;
        pace.insert(name.to_owned(), training.pace(seconds, run)?);
    }
    clock.note()?;

    let evaluator = setting.evaluator(&recipe.evaluate.augment).interruptible();
    let (part, measured_on) = match &data.test {
        Some(test) => (MeasuredOn::Test, Some(test)),
        None if data.validation.len() > 0 => (MeasuredOn::Validation, Some(&data.validation)),
        None => (MeasuredOn::HeldOut, None),
    };
    let looking = Instant::now();
    let mut frozen = Vec::new();
    for (row, labels) in start.frozen() {
        if let Some(subset) = measured_on {
            let fast = setting.fast(&recipe.net, start.on_all(labels)?);
            let scores = subset.scores(&evaluator.predict(&fast, subset)?);
            frozen.push(Measured { name: row.to_owned(), scores, trained: None });
        }
    }
    // What the last measurements will take: both networks on the measured part, the chosen one on
    // the unlabelled images.
    let seen = measured_on.map_or(0, |subset| subset.len());
    let an_image = match frozen.len() {
        0 => pace[LABELS_ALONE] / recipe.train.batch as f64,
        count => looking.elapsed().as_secs_f64() / (count * seen) as f64,
    };
    // That of labels that spread, which another seed may lack, stands at the end.
    let spread = frozen.split_off(frozen.len().min(1));
    let mut rows = frozen;
    let reserve = an_image * (2 * seen + data.unlabeled.len()) as f64 + 2.0;
    clock.note()?;

    let before = clock.spent();
    let share = recipe.trial.share * (clock.left() - reserve).max(0.0);
    let trial = files::once(&dir.join("trial.json"), || {
        trial::run(recipe, &setting, (&start, stored), (share, &pace), run)
    })?;
    clock.note()?;
    let candidates: Vec<&str> = recipe.candidates.iter().map(|c| c.name.as_str()).collect();
    // A process that goes on has less time left than the one that chose.
    let (choice, mut notes) = files::once(&dir.join("choice.json"), || {
        let left = (clock.left() - reserve).max(0.0);
        let frozen = start.frozen().last().map(|(row, _)| *row);
        let frozen = (frozen, start.is_untried());
        choice::choose(recipe, &trial, frozen, &pace, (left, before + reserve))
    })?;
    run.say(&format!("{}: {}", choice.row, choice.why));
    notes.iter().for_each(|note| run.say(note));
    notes.extend(told);

    let best_candidate =
        candidates.iter().copied().find(|name| *name == choice.row).or(candidates.first().copied());
    let names: Vec<&str> = std::iter::once(LABELS_ALONE).chain(best_candidate).collect();
    let mut cost = trial.cost;
    let (mut curves, mut unlabeled) = (Vec::new(), Vec::new());
    // How much slower the machine is than when its pace was measured.
    let mut slower = 1.0;
    // Measured after all trainings, so that these have the same time.
    let mut all = Vec::new();
    for (i, name) in names.iter().copied().enumerate() {
        let left = names.len() - i;
        let seconds = ((clock.left() - reserve) / left as f64).max(0.0);
        let (model, dir) = (start.on_all(Labels::of(name))?, dir.join(name));
        let training = Training { recipe, data, name, start: model, stored, dir: &dir };
        let trained = training.train(seconds, slower * pace[name], run)?;
        if trained.steps >= TELLING_STEPS {
            let took = trained.cost.seconds / trained.steps as f64;
            slower = (took / pace[name]).clamp(1.0, 2.0);
        }
        let steps = (trained.steps, trained.planned);
        if let Some(note) = cut_short(name, steps, trained.cost.seconds) {
            run.say(&note);
            notes.push(note);
        }
        cost = StageCost::sum([cost, trained.cost]);
        Training::remove_checkpoints(&dir)?;
        clock.note()?;
        all.push((name, trained));
    }
    for (name, trained) in all {
        let fast = setting.fast(&recipe.net, &trained.model);
        if let Some(subset) = measured_on {
            let scores = subset.scores(&evaluator.predict(&fast, subset)?);
            let taken = Some(trained.taken(recipe));
            rows.push(Measured { name: name.to_owned(), scores, trained: taken });
        }
        if name == choice.row {
            let said = evaluator.predict(&fast, &data.unlabeled)?;
            unlabeled = lists::of(data.unlabeled.ids(), &said);
        }
        curves.push(trained.curve);
        clock.note()?;
    }
    rows.extend(spread);
    if let Some((_, labels)) = start.frozen().into_iter().find(|(row, _)| *row == choice.row) {
        let fast = setting.fast(&recipe.net, start.on_all(labels)?);
        unlabeled = lists::of(data.unlabeled.ids(), &evaluator.predict(&fast, &data.unlabeled)?);
    }
    let part = match part {
        MeasuredOn::HeldOut if trial.scores.is_empty() => MeasuredOn::Nothing,
        part => part,
    };
    if part == MeasuredOn::HeldOut {
        let order = std::iter::once(FROZEN).chain(names).chain([SPREAD]);
        let row = |name: &str| {
            let scores = trial.scores.get(name)?.clone();
            Some(Measured { name: name.to_owned(), scores, trained: trial.training(name) })
        };
        rows.extend(order.filter_map(row));
    }
    let kept = rows.iter().find(|row| row.name == choice.row);
    let wrong = kept.map(|row| row.scores.surest_mistakes()).unwrap_or_default();
    let wrong = wrong.iter().take(SHOWN).map(|mistake| mistake.id);
    let mut pictures = pictures::copies(measured_on.unwrap_or(&data.labeled), wrong)?;
    let next = lists::shown(&unlabeled);
    let next = next.iter().take(SHOWN).map(|found| found.id.as_str());
    pictures.extend(pictures::copies(&data.unlabeled, next)?);
    lists::write_to_label(&dir, "file", &data.input.classes, &unlabeled, &[])
        .context("the list of pictures to label")?;
    let labels = data.labeled.labels();
    let count =
        |class: usize| labels.iter().filter(|label| **label == Some(class as u32)).count() as u64;
    Ok(Outcome {
        data: data.brief(),
        data_in_full: data.in_full(),
        labels: (0..data.input.classes.len()).map(count).collect(),
        classes: data.input.classes.clone(),
        applied: start.applied.clone(),
        penalty: start.penalty(),
        trial,
        choice,
        rows,
        overlap: data.overlap.get(part.part()).cloned().unwrap_or_default(),
        part,
        unlabeled,
        pictures,
        curves,
        cost,
        notes,
    })
}

/// The row whose network is kept, of a seed that is finished.
pub(super) fn chosen(dir: &Path) -> Result<String> {
    let outcome: Option<Outcome> = files::found_before(&dir.join(FILE))?;
    let outcome = outcome.with_context(|| {
        let dir = dir.display();
        format!("{dir}: the run is not finished; run the same command again")
    })?;
    Ok(outcome.choice.row)
}
