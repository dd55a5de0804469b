//! The report's own parts: what unlabelled texts gave, classes, thresholds, mistakes, texts to
//! label next.

use std::collections::BTreeMap;

use report::{Block, Curves, Section, Table};

use super::seed::{Outcome, SHOWN};
use crate::run::lists;
use crate::run::measured::Measured;
use crate::run::result::{of_first_seed, one_of};
use crate::run::sections as parts;
use crate::text::pretraining::{AREA, MASKED_LOSS, Pretraining};

/// The parts of the page, of the first seed but for the curves.
pub(super) fn sections(outcomes: &[Outcome]) -> Vec<Section> {
    let Some(first) = outcomes.first() else { return Vec::new() };
    let seen = first.seen();
    let unit = first.unit();
    let mut sections = vec![parts::choice(&seen, unit)];
    if let Some(kept) = seen.kept() {
        sections.push(parts::thresholds(&seen, kept, unit));
        sections.push(parts::per_class(&seen));
        sections.push(parts::confusion(&seen, unit));
        sections.push(mistakes(first, kept));
    }
    if !first.unlabeled.is_empty() {
        sections.push(label_next(first));
    }
    sections.extend(first.pretraining.as_ref().map(pretraining));
    let of_first = |section| of_first_seed(section, outcomes.len());
    let mut sections: Vec<Section> = sections.into_iter().map(of_first).collect();
    let curves = outcomes.iter().flat_map(|outcome| outcome.curves.clone()).collect();
    let curves = Curves {
        note: Some("Nothing is measured along the training: every label is trained on.".to_owned()),
        ..Curves::new("Validation accuracy", "%", curves)
    };
    sections.push(Section::new("curves", "Learning curves").with(Block::Curves(curves)));
    sections
}

/// How many characters of a text are shown, or of both texts of a pair together.
const EXCERPT: usize = 240;

/// Beginning and end of a text in a line.
fn excerpt(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: Vec<char> = words.join(" ").chars().collect();
    if line.len() <= most {
        return line.into_iter().collect();
    }
    let half = most / 2;
    let (start, end) = (&line[..half], &line[line.len() - half..]);
    format!("{} … {}", start.iter().collect::<String>(), end.iter().collect::<String>())
}

/// A table of single texts, with these columns between their names and what they say.
fn table(outcome: &Outcome, columns: &[&str]) -> Table {
    let says = match &outcome.pair {
        None => vec!["begins and ends".to_owned()],
        Some(columns) => columns.to_vec(),
    };
    let what = one_of(outcome.unit());
    let columns = [&[what], columns].concat().into_iter().map(str::to_owned);
    Table::new(columns.chain(says))
}

/// What a text says, or both of a pair, as cells of a [`table`].
fn says(outcome: &Outcome, id: &str) -> Vec<String> {
    let text =
        |of: &BTreeMap<String, String>, most| excerpt(of.get(id).map_or("", String::as_str), most);
    match &outcome.pair {
        None => vec![text(&outcome.texts, EXCERPT)],
        Some(_) => [&outcome.texts, &outcome.second_texts].map(|of| text(of, EXCERPT / 2)).into(),
    }
}

fn percent(p: f32) -> String {
    format!("{:.0} %", 100.0 * p)
}

/// The mistakes that the kept network is surest of.
fn mistakes(outcome: &Outcome, kept: &Measured) -> Section {
    let section = Section::new("mistakes", "The surest mistakes");
    let mistakes = kept.scores.surest_mistakes();
    if mistakes.is_empty() {
        return section.with(Block::Text("There are none.".to_owned()));
    }
    let class = |class: u32| outcome.classes[class as usize].clone();
    let mut table = table(outcome, &["label", "taken for", "probability"]);
    for mistake in mistakes.iter().take(SHOWN) {
        let mut row = vec![
            mistake.id.to_owned(),
            class(mistake.truth),
            class(mistake.class),
            percent(mistake.probability),
        ];
        row.extend(says(outcome, mistake.id));
        table.rows.push(row);
    }
    let words = format!(
        "Look at these first: some are hard, and some are labelled wrongly. A {} is named by its file \
         and line.",
        one_of(outcome.unit())
    );
    section.with(Block::Text(words)).with(Block::Table(table))
}

/// Which texts to label next.
fn label_next(outcome: &Outcome) -> Section {
    let class = |class: u32| outcome.classes[class as usize].clone();
    let mut table = table(outcome, &["predicted", "or"]);
    for found in lists::shown(&outcome.unlabeled).into_iter().take(SHOWN) {
        let mut row = vec![
            found.id.clone(),
            format!("{} {}", class(found.class), percent(found.probability)),
            format!("{} {}", class(found.second), percent(found.probability - found.margin)),
        ];
        row.extend(says(outcome, &found.id));
        table.rows.push(row);
    }
    let unit = outcome.unit();
    let title = match outcome.pair {
        None => "Texts to label next",
        Some(_) => "Pairs to label next",
    };
    let about = lists::about(&outcome.unlabeled, &outcome.choice.row, unit);
    Section::new("label-next", title).with(Block::Text(about)).with(Block::Table(table))
}

/// What was pre-trained.
fn pretraining(found: &Pretraining) -> Section {
    let mut table = Table::new(["what", "value"]);
    let mut row = |what: &str, value: String| table.rows.push(vec![what.to_owned(), value]);
    row("steps", found.steps.to_string());
    row("time", format!("{:.0} s", found.cost.seconds));
    row("operations", format!("{:.2e}", found.flops));
    row("parameters of all networks", found.parameters[0].to_string());
    row("parameters of the encoder that is kept", found.parameters[1].to_string());
    if let Some(loss) = found.metric(MASKED_LOSS) {
        row("generator's loss at masked tokens of held-out texts", format!("{loss:.3}"));
    }
    if let Some(area) = found.metric(AREA) {
        row("replaced tokens told from original ones, area under the curve", format!("{area:.3}"));
    }
    let words = "A small network learned which tokens of the texts were replaced (ELECTRA), without \
                 any label. An area of 0.5 is chance.";
    Section::new("pre-training", "Pre-training on the texts")
        .with(Block::Text(words.to_owned()))
        .with(Block::Table(table))
}
