//! From the outcomes of all seeds to what a report is drawn from.

use anyhow::{Context, Result};
use torch::Device;

use crate::outcome::SeedOutcome;
use crate::phase::PhaseCost;
use crate::recipe::{Part, Recipe, Source};
use crate::report::paper::noisy_student_noise;
use crate::report::result::{
    Comparison, Cost, Group, Row, RunResult, SCHEMA, STUDENT_TEACHER, Versions,
};
use crate::report::visuals::{Confusion, Visuals};
use crate::robustness;
use crate::run_folder::Started;

/// The numbers of a run.
pub(crate) fn result(
    recipe: &Recipe,
    started: &Started,
    outcomes: &[SeedOutcome],
    device: Device,
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let metric = format!("{} accuracy", first.part.name());
    let students = 1 + recipe.generations.len();
    let rows: Vec<Row> = (0..first.scores.len())
        .map(|i| {
            let name = &first.scores[i].name;
            let per_seed = outcomes.iter().map(|o| o.scores[i].accuracy).collect();
            let group = if i < students { Group::Generation } else { group(recipe, name)? };
            Ok(Row::new(name, &metric, per_seed)?.group(group).examples(first.examples))
        })
        .collect::<Result<_>>()?;
    let mut comparisons =
        vec![Comparison::between(STUDENT_TEACHER, &rows[students - 1], &rows[0])?];
    for pair in rows[..students].windows(2) {
        comparisons.push(Comparison::between(
            format!("{} - {}", pair[1].name, pair[0].name),
            &pair[1],
            &pair[0],
        )?);
    }
    for row in &rows[students..] {
        comparisons.push(Comparison::between(
            format!("{} - {}", row.name, rows[1].name),
            row,
            &rows[1],
        )?);
    }
    let measured: Vec<_> = outcomes.iter().filter_map(|o| o.robustness.as_ref()).collect();
    let mut cost = PhaseCost::default();
    outcomes.iter().for_each(|o| cost += o.cost);
    Ok(RunResult {
        rows,
        comparisons,
        robustness: robustness::mean(&measured, first.part.name())?,
        paper_reference: paper_reference(recipe),
        notes: notes(recipe, started, first.part),
        ..frame(&recipe.name, &recipe.about, &first.data, started, device, cost)
    })
}

/// What every result says of its run. Wall time and memory are noted at the end.
pub(crate) fn frame(
    name: &str,
    about: &str,
    data: &str,
    started: &Started,
    device: Device,
    cost: PhaseCost,
) -> RunResult {
    let (paper, row) = name.split_once('/').unwrap_or((name, ""));
    RunResult {
        schema: SCHEMA.to_owned(),
        paper: paper.to_owned(),
        row: row.to_owned(),
        about: about.to_owned(),
        data: data.to_owned(),
        command: std::env::args().collect(),
        commit: option_env!("TUTOR_COMMIT").map(str::to_owned),
        started: started.at.clone(),
        versions: Versions {
            tutor: env!("CARGO_PKG_VERSION").to_owned(),
            libtorch: torch::device::libtorch_version(),
            rustc: env!("TUTOR_RUSTC").to_owned(),
        },
        device: started.device.clone(),
        machine: Some(torch::device::describe(device)),
        threads: started.threads,
        quick: started.quick,
        seeds: started.seeds.clone(),
        rows: Vec::new(),
        comparisons: Vec::new(),
        robustness: None,
        cost: Cost { images_per_s: cost.images_per_s(), ..Cost::default() },
        paper_reference: Vec::new(),
        notes: Vec::new(),
    }
}

/// A row whose student sees no unlabelled image is a baseline; the others take something from the method.
fn group(recipe: &Recipe, name: &str) -> Result<Group> {
    let source = recipe.row(name)?.labeling.source;
    Ok(if source == Source::Unlabeled { Group::Ablation } else { Group::Baseline })
}

/// The paper's noise ablation, beside those of our rows that take away the same.
fn paper_reference(recipe: &Recipe) -> Vec<crate::report::result::PaperRow> {
    if recipe.paper() != "noisy-student" || recipe.rows.is_empty() {
        return Vec::new();
    }
    let ours = |name| recipe.rows.contains_key(name).then_some(name);
    noisy_student_noise([
        Some("teacher"),
        Some("student 1"),
        ours("no-augmentation"),
        ours("no-noise"),
        ours("noised-teacher"),
    ])
}

fn notes(recipe: &Recipe, started: &Started, part: Part) -> Vec<String> {
    let mut notes = remarks(started, part, recipe.evaluate_on);
    if !recipe.rows.is_empty() {
        notes.push("The further rows train one student of the same teacher each: compare them with student 1.".to_owned());
    }
    notes
}

/// What is said of every quick run.
pub(crate) const QUICK: &str =
    "A quick run: it shows that the path works; its numbers mean nothing.";

/// Remarks that any run's numbers may need.
pub(crate) fn remarks(started: &Started, part: Part, asked: Part) -> Vec<String> {
    let mut notes = Vec::new();
    if started.quick {
        notes.push(QUICK.to_owned());
    }
    if part == Part::Validation {
        let why = match asked {
            Part::Validation => "as asked for",
            Part::Test => "since these data have no test part",
        };
        notes.push(format!(
            "Measured on the validation part, {why}. Choices made on it make it too kind a judge."
        ));
    }
    notes
}

/// The pictures of a run.
pub(crate) fn visuals(recipe: &Recipe, outcomes: &[SeedOutcome]) -> Visuals {
    let Some(first) = outcomes.first() else { return Visuals::default() };
    let students = 1 + recipe.generations.len();
    let curves = (0..students)
        .flat_map(|i| outcomes.iter().map(move |o| o.scores[i].curve.clone()))
        .collect();
    let confusion = |i: usize| {
        let mut counts = first.scores[i].confusion.clone();
        for other in &outcomes[1..] {
            for (row, more) in counts.iter_mut().zip(&other.scores[i].confusion) {
                row.iter_mut().zip(more).for_each(|(count, more)| *count += more);
            }
        }
        let seeds = outcomes.len();
        let over = if seeds == 1 { String::new() } else { format!(", all {seeds} seeds") };
        Confusion {
            model: first.scores[i].name.clone(),
            part: format!("{} part{over}", first.part.name()),
            counts,
        }
    };
    Visuals {
        classes: first.classes.clone(),
        curves,
        confusions: vec![confusion(0), confusion(students - 1)],
        disagreements: first.disagreements.clone(),
        pseudo_labels: outcomes.iter().flat_map(|o| o.pseudo_labels.iter().cloned()).collect(),
        ..Visuals::default()
    }
}
