//! Parts of a report about classifiers of one's own samples: the choice, thresholds, classes,
//! confusion. `unit` is what a sample is, in the plural: `images`.

use report::words::{interval, number};
use report::{Block, Matrices, Matrix, Section, Table};

use super::measured::{Measured, MeasuredOn, Seen};
use super::scores::{Scores, Surest};

/// What was tried, what was chosen and why.
pub(crate) fn choice(seen: &Seen<'_>, unit: &str) -> Section {
    let trial = seen.trial;
    let mut table = Table::new(["row", "held-out accuracy, %", unit]);
    let has_chosen = !trial.chosen.is_empty();
    table.header.extend(has_chosen.then(|| "chosen in each split".to_owned()));
    for (name, scores) in &trial.scores {
        let accuracy = scores.accuracy().map_or(String::new(), |percent| format!("{percent:.1}"));
        let mut row = vec![name.clone(), accuracy, scores.len().to_string()];
        let chosen = || trial.chosen.get(name).map_or(String::new(), |each| each.join("; "));
        row.extend(has_chosen.then(chosen));
        table.rows.push(row);
    }
    let words = format!("{}: {}.", seen.choice.row, seen.choice.why);
    let section = Section::new("choice", "What was tried and chosen").with(Block::Text(words));
    let networks = trial.seconds().map_or(String::new(), |of| format!(", networks for {of},"));
    match trial.scores.is_empty() {
        true => section,
        false => section.with(Block::Table(table)).with(Block::Text(format!(
            "All learned from some of the labels{networks} and were measured on the others, in {} \
             splits. What learns from all labels differs.",
            trial.folds
        ))),
    }
}

/// Which share of the samples can be labelled at which precision. Where the classifier that is kept
/// was not measured itself, nothing is said of its probabilities.
pub(crate) fn thresholds(seen: &Seen<'_>, kept: &Measured, unit: &str) -> Section {
    let section = Section::new("thresholds", "Labelling only the sure ones");
    let always = seen.baseline().map_or(String::new(), |(_, always, share)| {
        format!(" Of all {unit}, {always} would be right for {} %.", number(share, "%"))
    });
    let (name, all) = (&kept.name, kept.scores.len());
    if seen.part == MeasuredOn::HeldOut {
        return section
            .with(Block::Text(format!(
                "There is no test part, and so no threshold for `predict --threshold`: the \
                 probabilities were those of the trial's classifiers, which learned from fewer \
                 labels than the one that is kept, whose probabilities are on another scale. With \
                 --test this table has thresholds. Of the held-out {unit} of which {name} was \
                 surest in the trial, so many were right:"
            )))
            .with(Block::Table(by_share(&kept.scores, unit)))
            .with(Block::Text(format!(
                "Counted on {all} held-out {unit}, with Wilson's 95 % intervals.{always}"
            )));
    }
    section
        .with(Block::Text(format!(
            "If {name} labels only the {unit} of which it is sure (`predict --threshold`), and \
             leaves the others to people:"
        )))
        .with(Block::Table(by_precision(&kept.scores, unit)))
        .with(Block::Text(format!(
            "Each threshold was chosen on the same {all} {unit} that it is counted on, so that \
             others fare a little worse: go by the lower end of the interval, which is Wilson's for \
             the number of {unit} that are labelled.{always}"
        )))
}

/// How many of some samples were right.
fn cells(found: Surest) -> [String; 3] {
    let precision = number(found.precision(), "%");
    [found.count.to_string(), precision, interval(found.interval(), "%")]
}

/// The heads of [`cells`].
fn heads(unit: &str) -> [String; 3] {
    [unit.to_owned(), "precision, %".to_owned(), "95 % interval, %".to_owned()]
}

/// The largest share of the samples for each of some precisions.
fn by_precision(scores: &Scores, unit: &str) -> Table {
    const PRECISIONS: [f64; 5] = [99.0, 98.0, 95.0, 90.0, 80.0];
    let first = ["precision at least, %", "share labelled, %", "threshold"].map(str::to_owned);
    let mut table = Table::new(first.into_iter().chain(heads(unit)));
    for (asked, found) in PRECISIONS.iter().zip(scores.thresholds(&PRECISIONS)) {
        let mut row = vec![format!("{asked:.0}")];
        match found {
            Some(found) => {
                let share = 100.0 * found.count as f64 / scores.len() as f64;
                row.extend([format!("{share:.1}"), found.threshold()]);
                row.extend(cells(found));
            }
            None => row.extend(["none", "", "", "", ""].map(str::to_owned)),
        }
        table.rows.push(row);
    }
    table
}

/// The precision of some shares of the samples, the surest first.
fn by_share(scores: &Scores, unit: &str) -> Table {
    const SHARES: [f64; 4] = [0.25, 0.5, 0.75, 1.0];
    let groups = scores.surest();
    let mut shown: Vec<Surest> = Vec::new();
    for share in SHARES {
        let least = share * scores.len() as f64;
        let found = groups.iter().find(|group| group.count as f64 >= least);
        shown.extend(found.filter(|found| shown.last() != Some(found)));
    }
    let mut table = Table::new(std::iter::once("surest, %".to_owned()).chain(heads(unit)));
    for found in shown {
        let share = 100.0 * found.count as f64 / scores.len() as f64;
        table.rows.push(std::iter::once(format!("{share:.1}")).chain(cells(found)).collect());
    }
    table
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
