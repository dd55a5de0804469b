//! One seed: pace, pre-training, trial, the trainings with all labels, measurements.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{Example, TextSet};
use electra::pretrain::Pretrainer;
use report::Curve;
use serde::{Deserialize, Serialize};
use torch::Params;
use train::TrainConfig;

use super::linear::Linears;
use super::parts::Parts;
use super::recipe::{LATENT, PRE_TRAINED, Recipe, UDA, is_alone, nets_of};
use super::start::Source;
use super::trial::Setting;
use crate::run::clock::Clock;
use crate::run::cost::StageCost;
use crate::run::lists::{self, Unlabeled};
use crate::run::measured::{Measured, MeasuredOn, Overlap, Seen};
use crate::run::pace::Span;
use crate::run::seeds::SeedRun;
use crate::run::stage::Trained as _;
use crate::run::trial::{Choice, LABELS_ALONE, Trial};
use crate::run::{files, pace};
use crate::text::augmentation::Changes;
use crate::text::pretraining::{self, Pretraining};

/// What a seed found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Which texts, in words.
    pub(super) data: String,
    pub(super) classes: Vec<String>,
    /// How many labels each class has.
    pub(super) labels: Vec<u64>,
    /// What was loaded to start from, in words; none for a net that starts at random.
    pub(super) applied: Option<String>,
    /// What each linear row is, in words.
    pub(super) about: Vec<String>,
    pub(super) pretraining: Option<Pretraining>,
    pub(super) trial: Trial,
    pub(super) choice: Choice,
    /// The rows in the order of the table.
    pub(super) rows: Vec<Measured>,
    /// What was measured on.
    pub(super) part: MeasuredOn,
    /// What of it was learned from.
    #[serde(default)]
    pub(super) overlap: Overlap,
    /// What the chosen network says of the unlabelled texts.
    pub(super) unlabeled: Vec<Unlabeled>,
    /// The texts that the report shows, or the first ones of its pairs, by id.
    pub(super) texts: BTreeMap<String, String>,
    /// The second texts of these pairs.
    #[serde(default)]
    pub(super) second_texts: BTreeMap<String, String>,
    /// The columns of the two texts, where pairs are told apart.
    #[serde(default)]
    pub(super) pair: Option<[String; 2]>,
    /// Loss of the classifiers.
    pub(super) curves: Vec<Curve>,
    pub(super) cost: StageCost,
}

impl Outcome {
    /// As a report speaks of it.
    pub(super) fn seen(&self) -> Seen<'_> {
        let Self { classes, labels, rows, part, overlap, trial, choice, .. } = self;
        Seen { classes, labels, rows, part: *part, overlap, trial, choice }
    }

    /// What a sample is, in the plural.
    pub(super) fn unit(&self) -> &'static str {
        if self.pair.is_some() { "pairs" } else { "texts" }
    }
}

const FILE: &str = "outcome.json";

/// How many single texts of a kind the report shows.
pub(super) const SHOWN: usize = 12;

/// The share of the time that the list of unlabelled texts may take.
const LISTED_SHARE: f64 = 0.15;

/// Trains and measures, or reads what an earlier process found. `began` is the moment from which
/// the minutes count.
pub(super) fn run(
    recipe: &Recipe,
    parts: &Parts,
    (source, began): (Option<&Source>, Instant),
    run: &mut SeedRun<'_, '_>,
) -> Result<Outcome> {
    let dir = run.dir.clone();
    files::make_folder(&dir)?;
    files::once(&dir.join(FILE), || find(recipe, parts, (source, began), run))
}

fn find(
    recipe: &Recipe,
    parts: &Parts,
    (source, began): (Option<&Source>, Instant),
    run: &mut SeedRun<'_, '_>,
) -> Result<Outcome> {
    let dir = run.dir.clone();
    let spent = dir.join("spent.json");
    let clock = Clock::start(recipe.minutes, began, &spent)?;
    let classes = parts.labeled.classes();
    let linears = Linears::new(recipe, parts, run)?;
    let everyone: Vec<usize> = (0..parts.labeled.len()).collect();
    let published = match source {
        Some(source) => source.load(classes.len(), run.seed, run.device)?,
        None => None,
    };
    let given: Option<&Params> = published.as_ref().map(|(net, _)| net.params());
    let mut setting = Setting {
        recipe,
        parts,
        source,
        linears: &linears,
        rows: Vec::new(),
        pace: 0.0,
        changes: None,
        uda_pace: 0.0,
    };
    let count = recipe.net_rows().count();
    if count > 0 {
        let of_pace = dir.join("pace").join("classifier");
        setting.pace = setting.training(("pace", given), &parts.labeled, &of_pace)?.pace(run)?;
    }
    if let Some(uda) = &recipe.uda {
        ensure!(
            !parts.unlabeled.is_empty(),
            "there are no unlabelled {} for the row {UDA}: name some with --unlabeled \
             (data.unlabeled), or take [uda] out of the recipe",
            parts.unit()
        );
        let paraphrased = parts.paraphrased.clone();
        setting.changes = Some(Changes::with(&parts.unlabeled, &uda.strong, paraphrased));
        let of_pace = dir.join("pace").join("uda");
        setting.uda_pace = setting.training((UDA, given), &parts.labeled, &of_pace)?.pace(run)?;
    }
    clock.note()?;

    let (part, measured_on) = match (&parts.test, &parts.validation) {
        (Some(test), _) => (MeasuredOn::Test, Some(test)),
        (None, Some(validation)) => (MeasuredOn::Validation, Some(validation)),
        (None, None) => (MeasuredOn::HeldOut, None),
    };
    // What the last measurements will take: all nets on the measured part, the chosen one on
    // unlabelled texts; no more than as many texts of a training take.
    let seen = measured_on.map_or(0, |set| set.len());
    let batch = recipe.train.batch.min(parts.labeled.len());
    let a_text = setting.pace / batch as f64;
    let listed = LISTED_SHARE * 60.0 * recipe.minutes / a_text.max(f64::MIN_POSITIVE);
    let listed = parts.unlabeled.len().min(listed as usize);
    let reserve = a_text * (count * seen + listed) as f64 + 2.0;

    let full = setting.wanted();
    let mut pretrained: Option<(Pretrainer, Pretraining)> = None;
    if let (Some(config), Some(source)) = (&recipe.pretraining, source) {
        let all = setting.trainings(run.seed).max(count) + count;
        let left = (clock.left() - reserve).max(0.0);
        // Classifiers need no more than this; what is left is pre-trained in.
        let classifiers = (all as f64 * full).min((1.0 - config.share) * left);
        pretrained = Some(pretrain(recipe, source, left - classifiers, run)?);
        clock.note()?;
    }
    let from_texts = pretrained.as_ref().map(|(net, _)| net.tensors());
    let start =
        |row: &'static str| (row, if row == LABELS_ALONE { given } else { from_texts.or(given) });
    setting.rows = recipe.net_rows().map(start).collect();

    let trainings = setting.trainings(run.seed) as f64;
    let left = (clock.left() - reserve).max(0.0);
    let spare = (recipe.trial.share * left).max(left - count as f64 * full);
    let span = Span { planned: (trainings * full).min(spare), most: spare };
    let trial = files::once(&dir.join("trial.json"), || setting.trial(span, run))?;
    clock.note()?;
    // A row that was not tried is not chosen, if others were.
    let tried = |row: &&str| trial.scores.is_empty() || trial.scores.contains_key(*row);
    let there: Vec<&str> = linears.names().chain(recipe.net_rows()).filter(tried).collect();
    let (alone, candidates): (Vec<&str>, Vec<&str>) = there.iter().partition(|row| is_alone(row));
    let mut choice = trial.choose(&alone, &candidates, parts.unit())?;
    if let Some(why) = linears.left_out() {
        choice.why += &format!("; {why}");
    }
    run.say(&format!("{}: {}", choice.row, choice.why));

    let mut cost = trial.cost;
    let mut outcome_rows = Vec::new();
    let (mut curves, mut unlabeled) = (Vec::new(), Vec::new());
    let mut about = Vec::new();
    let mut teacher = None;
    for name in linears.names() {
        let fitted = linears.fit(name, &everyone)?;
        linears.keep(name, &fitted, &dir.join(name))?;
        about.push(match trial.chosen.get(name) {
            None => linears.describe(name, &fitted)?,
            Some(each) => format!(
                "{} with all labels ({} in the splits of the trial)",
                linears.describe(name, &fitted)?,
                each.join("; ")
            ),
        });
        if let Some(set) = measured_on {
            let scores = linears.scores(name, &fitted, set)?;
            outcome_rows.push(Measured { name: name.to_owned(), scores, trained: None });
        }
        if name == choice.row {
            let said = linears.unlabeled(name, &fitted)?;
            unlabeled = lists::of((0..parts.unlabeled.len()).map(|i| parts.unlabeled.id(i)), &said);
        }
        teacher = (name == LATENT).then_some(fitted).or(teacher);
    }
    clock.note()?;
    // Measured after all trainings, so that these have the same time.
    let mut all = Vec::new();
    for (i, (name, start)) in setting.rows.iter().enumerate() {
        let labeled = setting.learned(name, &everyone, teacher.as_ref())?;
        let dir = dir.join(name);
        let training = setting.training((name, *start), &labeled, &dir)?;
        let pace = setting.pace_of(name);
        let full = pace::needed(training.most, pace);
        let most = ((clock.left() - reserve) / (count - i) as f64).max(0.0);
        let trained = training.train(Span { planned: most.min(full), most }, pace, run)?;
        cost = StageCost::sum([cost, trained.cost]);
        pace::remove(&dir.join("checkpoints"))?;
        clock.note()?;
        all.push((*name, trained));
    }
    if count > 0 {
        let measured = measured_on.map(|set| setting.encode(set)).transpose()?;
        for (name, trained) in all {
            if let Some(set) = &measured {
                let scores = setting.scores(&trained.net, set, run)?;
                let taken = Some(setting.taken(name, &trained));
                outcome_rows.push(Measured { name: name.to_owned(), scores, trained: taken });
            }
            if name == choice.row && listed > 0 {
                // Evenly among all, where there is no time for all.
                let every = parts.unlabeled.len().div_ceil(listed);
                let at: Vec<u32> = (0..parts.unlabeled.len() as u32).step_by(every).collect();
                let set = setting.encode(&Arc::new(parts.unlabeled.select(&at)))?;
                let said = trained.net.predict(&set, 64, run.device)?;
                unlabeled = lists::of((0..set.len()).map(|i| set.id(i)), &said);
            }
            curves.push(trained.curve);
        }
    }
    let part = match part {
        MeasuredOn::HeldOut if trial.scores.is_empty() => MeasuredOn::Nothing,
        part => part,
    };
    if part == MeasuredOn::HeldOut {
        let row = |(name, scores): (&&str, _)| (name.to_string(), scores);
        let of_trial = there.iter().filter_map(|n| Some((n, trial.scores.get(*n)?)));
        outcome_rows.extend(of_trial.map(row).map(|(name, scores)| Measured {
            trained: trial.training(&name),
            name,
            scores: scores.clone(),
        }));
    }
    let next = lists::to_label(&unlabeled);
    let [next, second] = texts(&parts.unlabeled, next.iter().map(|found| found.id.as_str()));
    let pair = recipe.data.pair();
    let columns = match &pair {
        None => vec![("text", &next)],
        Some([a, b]) => vec![(a.as_str(), &next), (b.as_str(), &second)],
    };
    lists::write_to_label(&dir, "id", classes, &unlabeled, &columns)
        .context("the list of texts to label")?;
    let labeled = measured_on.map(|set| parts.labeled_of(set)).unwrap_or_default();
    let mut outcome = Outcome {
        data: parts.describe(),
        labels: parts.labels(),
        classes: classes.to_vec(),
        applied: published.map(|(_, words)| words),
        about,
        pretraining: pretrained.map(|(_, found)| found),
        trial,
        choice,
        rows: outcome_rows,
        part,
        overlap: Overlap { labeled, unlabeled: Vec::new() },
        unlabeled,
        texts: next,
        second_texts: second,
        pair,
        curves,
        cost,
    };
    if let Some(kept) = outcome.seen().kept() {
        let wrong = kept.scores.surest_mistakes();
        let wrong = wrong.iter().take(SHOWN).map(|mistake| mistake.id);
        let [first, second] = texts(measured_on.unwrap_or(&parts.labeled), wrong);
        outcome.texts.extend(first);
        outcome.second_texts.extend(second);
    }
    Ok(outcome)
}

/// Pre-trains for about so many seconds.
fn pretrain(
    recipe: &Recipe,
    source: &Source,
    seconds: f64,
    run: &mut SeedRun<'_, '_>,
) -> Result<(Pretrainer, Pretraining)> {
    let config = recipe.pretraining.as_ref().context("a pre-training")?;
    let tokens = source.tokens.as_ref().context("tokens to pre-train on")?;
    let nets = nets_of(&source.net.encoder, config);
    let setting = pretraining::Setting {
        nets: &nets,
        masking: &config.masking,
        longest: config.sequences.longest,
        train: &config.train,
        cadence: &recipe.cadence,
        precision: recipe.precision,
        workers: recipe.workers,
        seconds: None,
        begin: None,
    };
    let (pace, dir) = (run.dir.join("pace").join("pre-training"), run.dir.join("pre-training"));
    let shortened = |train: &TrainConfig, steps| TrainConfig { steps, ..train.clone() };
    let named = (PRE_TRAINED, &*dir);
    pretraining::within(&setting, (seconds, &pace), named, tokens, run, shortened)
}

/// The texts of these ids, and the second ones of pairs.
fn texts<'a>(set: &TextSet, ids: impl Iterator<Item = &'a str>) -> [BTreeMap<String, String>; 2] {
    let wanted: std::collections::BTreeSet<&str> = ids.collect();
    let mut found = [BTreeMap::new(), BTreeMap::new()];
    for Example { id, texts, .. } in set.examples() {
        if wanted.contains(id.as_str()) {
            for (all, text) in found.iter_mut().zip(texts.iter()) {
                all.insert(id.clone(), text.to_owned());
            }
        }
    }
    found
}

/// The row whose classifier is kept, of a seed that is finished.
pub(super) fn chosen(dir: &Path) -> Result<String> {
    Ok(finished(dir)?.choice.row)
}

/// The names of the classes of a seed that is finished.
pub(super) fn classes(dir: &Path) -> Result<Vec<String>> {
    Ok(finished(dir)?.classes)
}

fn finished(dir: &Path) -> Result<Outcome> {
    let outcome: Option<Outcome> = files::found_before(&dir.join(FILE))?;
    outcome.with_context(|| {
        let dir = dir.display();
        format!("{dir}: the run is not finished; run the same command again")
    })
}
