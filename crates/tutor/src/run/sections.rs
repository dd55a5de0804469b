//! Parts of a report about classifiers of one's own samples: the choice, thresholds, classes,
//! confusion. `unit` is what a sample is, in the plural: `images`.

use report::{Block, Matrices, Matrix, Section, Table};

use super::measured::{Measured, Seen};

/// What one of a unit is called: `image` of `images`.
pub(crate) fn one_of(unit: &str) -> &str {
    unit.strip_suffix('s').unwrap_or(unit)
}

/// What was tried, what was chosen and why.
pub(crate) fn choice(seen: &Seen<'_>, unit: &str) -> Section {
    let trial = seen.trial;
    let mut table = Table::new(["row", "held-out accuracy, %", unit]);
    for (name, scores) in &trial.scores {
        let accuracy = scores.accuracy().map_or(String::new(), |percent| format!("{percent:.1}"));
        table.rows.push(vec![name.clone(), accuracy, scores.len().to_string()]);
    }
    let words = format!("{}: {}.", seen.choice.row, seen.choice.why);
    let section = Section::new("choice", "What was tried and chosen").with(Block::Text(words));
    match trial.scores.is_empty() {
        true => section,
        false => section.with(Block::Table(table)).with(Block::Caption(format!(
            "All learned from some of the labels, networks for {:.0} s, and were measured on the others, \
             in {} splits. Long trainings with all labels differ.",
            trial.seconds, trial.folds
        ))),
    }
}

/// Which share of the samples can be labelled at which precision.
pub(crate) fn thresholds(kept: &Measured, unit: &str) -> Section {
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
            "If {} labels only the {unit} of which it is sure, and leaves the others to people:",
            kept.name
        )))
        .with(Block::Table(table))
        .with(Block::Caption(format!(
            "Counted on {} {unit}; with few of them, a high precision rests on few mistakes.",
            kept.scores.len()
        )))
}

/// How many of each class were recognised by each network.
pub(crate) fn per_class(seen: &Seen<'_>) -> Section {
    let names = seen.rows.iter().map(|row| format!("{}, %", row.name));
    let heads = ["class", "labels", "measured on"].map(str::to_owned).into_iter().chain(names);
    let mut table = Table::new(heads);
    let confusions: Vec<_> =
        seen.rows.iter().map(|row| row.scores.confusion(seen.classes.len())).collect();
    for (class, name) in seen.classes.iter().enumerate() {
        let counts = |c: usize| &confusions[c].counts()[class];
        let all: u64 = counts(0).iter().sum();
        let mut row = vec![name.clone(), seen.labels[class].to_string(), all.to_string()];
        for c in 0..confusions.len() {
            row.push(match all {
                0 => "not measured".to_owned(),
                all => format!("{:.1}", 100.0 * counts(c)[class] as f64 / all as f64),
            });
        }
        table.rows.push(row);
    }
    Section::new("classes", "Class by class").with(Block::Table(table))
}

/// Which class was taken for which by each network.
pub(crate) fn confusion(seen: &Seen<'_>, unit: &str) -> Section {
    let matrices = seen.rows.iter().map(|row| Matrix {
        title: row.name.clone(),
        about: format!("{} {unit}", row.scores.len()),
        confusion: row.scores.confusion(seen.classes.len()),
    });
    let matrices = Matrices { classes: seen.classes.to_vec(), matrices: matrices.collect() };
    Section::new("confusion", "Confusion").with(Block::Matrices(matrices))
}
