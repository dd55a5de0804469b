//! The report's own parts: classes, calibration, thresholds, mistakes, pictures to label next.

use anyhow::Result;
use report::{Block, Curves, Matrices, Matrix, Section, Table, Tile, TileLine};

use super::lists::{TO_LABEL, to_label};
use super::seed::{Measured, Outcome, SHOWN};

/// The parts of the page. Those about single pictures speak of the first seed.
pub(super) fn sections(outcomes: &[Outcome]) -> Result<Vec<Section>> {
    let Some(first) = outcomes.first() else { return Ok(Vec::new()) };
    let mut sections = vec![choice(first)];
    if let Some(kept) = kept(first) {
        sections.push(thresholds(kept));
        sections.push(per_class(first));
        let matrices = first.rows.iter().map(|row| Matrix {
            title: row.name.clone(),
            about: format!("{} images", row.scores.len()),
            confusion: row.scores.confusion(first.classes.len()),
        });
        let matrices = Matrices { classes: first.classes.clone(), matrices: matrices.collect() };
        sections.push(Section::new("confusion", "Confusion").with(Block::Matrices(matrices)));
        sections.push(mistakes(first, kept));
    }
    if !first.unlabeled.is_empty() {
        sections.push(label_next(first));
    }
    let curves = outcomes.iter().flat_map(|outcome| outcome.curves.clone()).collect();
    let curves = Curves {
        note: Some("Nothing is measured along the training: every label is trained on.".to_owned()),
        ..Curves::new("Validation accuracy", "%", curves)
    };
    sections.push(Section::new("curves", "Learning curves").with(Block::Curves(curves)));
    Ok(sections)
}

/// The row whose network is kept.
fn kept(outcome: &Outcome) -> Option<&Measured> {
    outcome.rows.iter().find(|row| row.name == outcome.choice.row)
}

fn percent(part: f64, whole: f64) -> String {
    format!("{:.1}", 100.0 * part / whole.max(1.0))
}

/// What was tried, what was chosen and why.
fn choice(outcome: &Outcome) -> Section {
    let trial = &outcome.trial;
    let mut table = Table::new(["row", "held-out accuracy, %", "images"]);
    for (name, scores) in &trial.scores {
        let accuracy = scores.accuracy().map_or(String::new(), |percent| format!("{percent:.1}"));
        table.rows.push(vec![name.clone(), accuracy, scores.len().to_string()]);
    }
    let words = format!("{}: {}.", outcome.choice.row, outcome.choice.why);
    let section = Section::new("choice", "What was tried and chosen").with(Block::Text(words));
    match trial.scores.is_empty() {
        true => section,
        false => section.with(Block::Table(table)).with(Block::Caption(format!(
            "Each method learned for {:.0} s from some of the labels and was measured on the others, \
             in {} splits. Long trainings with all labels differ.",
            trial.seconds, trial.folds
        ))),
    }
}

/// Which share of the images can be labelled at which precision.
fn thresholds(kept: &Measured) -> Section {
    const PRECISIONS: [f64; 5] = [99.0, 98.0, 95.0, 90.0, 80.0];
    let mut table = Table::new(["precision at least, %", "share labelled, %", "from probability"]);
    for found in kept.scores.thresholds(&PRECISIONS) {
        let cells = match found.found {
            Some((coverage, p, _)) => [format!("{coverage:.1}"), format!("{p:.3}")],
            None => ["none".to_owned(), String::new()],
        };
        let [coverage, p] = cells;
        table.rows.push(vec![format!("{:.0}", found.asked), coverage, p]);
    }
    Section::new("thresholds", "Labelling only the sure ones")
        .with(Block::Text(format!(
            "If {} labels only the images of which it is sure, and leaves the others to people:",
            kept.name
        )))
        .with(Block::Table(table))
        .with(Block::Caption(format!(
            "Counted on {} images; with few of them, a high precision rests on few mistakes.",
            kept.scores.len()
        )))
}

/// How many of each class were recognised by each network.
fn per_class(outcome: &Outcome) -> Section {
    let names = outcome.rows.iter().map(|row| format!("{}, %", row.name));
    let heads = ["class", "labels", "measured on"].map(str::to_owned).into_iter().chain(names);
    let mut table = Table::new(heads);
    let confusions: Vec<_> =
        outcome.rows.iter().map(|row| row.scores.confusion(outcome.classes.len())).collect();
    for (class, name) in outcome.classes.iter().enumerate() {
        let counts = |c: usize| &confusions[c].counts()[class];
        let seen: u64 = counts(0).iter().sum();
        let mut row = vec![name.clone(), outcome.labels[class].to_string(), seen.to_string()];
        for c in 0..confusions.len() {
            row.push(match seen {
                0 => "not measured".to_owned(),
                seen => percent(counts(c)[class] as f64, seen as f64),
            });
        }
        table.rows.push(row);
    }
    Section::new("classes", "Class by class").with(Block::Table(table))
}

/// The mistakes that the kept network is surest of.
fn mistakes(outcome: &Outcome, kept: &Measured) -> Section {
    let section = Section::new("mistakes", "The surest mistakes");
    let mistakes = kept.scores.surest_mistakes();
    if mistakes.is_empty() {
        return section.with(Block::Text("There are none.".to_owned()));
    }
    let class = |class: u32| outcome.classes[class as usize].clone();
    let tiles = mistakes.iter().take(SHOWN).filter_map(|mistake| {
        let wrong = format!("taken for {}", class(mistake.class));
        let right = format!("label {}", class(mistake.truth));
        let percent = format!("{:.0} %", 100.0 * mistake.probability);
        tile(outcome, mistake.id, [(right, String::new()), (wrong, percent)])
    });
    let words = "Look at these first: some are hard, and some are labelled wrongly.";
    section.with(Block::Text(words.to_owned())).with(Block::Tiles(tiles.collect()))
}

/// Which pictures to label next.
fn label_next(outcome: &Outcome) -> Section {
    let class = |class: u32| outcome.classes[class as usize].clone();
    let tiles = to_label(&outcome.unlabeled).into_iter().take(SHOWN).filter_map(|found| {
        let percent = |p: f32| format!("{:.0} %", 100.0 * p);
        let first = (class(found.class), percent(found.probability));
        let second = (class(found.second), percent(found.probability - found.margin));
        tile(outcome, &found.id, [first, second])
    });
    Section::new("label-next", "Pictures to label next")
        .with(Block::Text(format!(
            "A label of these unlabelled pictures would tell most: the network wavers between two \
             classes, and all pairs of classes take turns. The whole list is in {TO_LABEL} of the \
             seed's folder."
        )))
        .with(Block::Tiles(tiles.collect()))
}

/// A picture with its name and two lines; nothing where there is no copy of it.
fn tile(outcome: &Outcome, id: &str, lines: [(String, String); 2]) -> Option<Tile> {
    let picture = outcome.pictures.get(id)?.clone();
    let name = id.rsplit('/').next().unwrap_or(id).to_owned();
    let named = TileLine { text: name, ..TileLine::default() };
    let line = |(text, value)| TileLine { text, value, ..TileLine::default() };
    let lines = std::iter::once(named).chain(lines.map(line)).collect();
    Some(Tile { picture, alt: id.to_owned(), lines })
}
