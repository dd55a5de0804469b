//! The report's own parts: what unlabelled texts gave, classes, thresholds, mistakes, texts to
//! label next.

use report::{Block, Curves, Section, Table};

use super::seed::{Outcome, SHOWN};
use crate::run::lists::{TO_LABEL, to_label};
use crate::run::measured::Measured;
use crate::run::sections as parts;
use crate::text::pretraining::{AREA, MASKED_LOSS, Pretraining};

/// The parts of the page. Those about single texts speak of the first seed.
pub(super) fn sections(outcomes: &[Outcome]) -> Vec<Section> {
    let Some(first) = outcomes.first() else { return Vec::new() };
    let seen = first.seen();
    let mut sections = vec![parts::choice(&seen, "texts")];
    if let Some(kept) = seen.kept() {
        sections.push(parts::thresholds(kept, "texts"));
        sections.push(parts::per_class(&seen));
        sections.push(parts::confusion(&seen, "texts"));
        sections.push(mistakes(first, kept));
    }
    if !first.unlabeled.is_empty() {
        sections.push(label_next(first));
    }
    sections.extend(first.pretraining.as_ref().map(pretraining));
    let curves = outcomes.iter().flat_map(|outcome| outcome.curves.clone()).collect();
    let curves = Curves {
        note: Some("Nothing is measured along the training: every label is trained on.".to_owned()),
        ..Curves::new("Validation accuracy", "%", curves)
    };
    sections.push(Section::new("curves", "Learning curves").with(Block::Curves(curves)));
    sections
}

/// How long a text is shown, in characters.
const EXCERPT: usize = 240;

/// Beginning and end of a text in a line.
fn excerpt(outcome: &Outcome, id: &str) -> String {
    let text = outcome.texts.get(id).map(String::as_str).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: Vec<char> = words.join(" ").chars().collect();
    if line.len() <= EXCERPT {
        return line.into_iter().collect();
    }
    let half = EXCERPT / 2;
    let (start, end) = (&line[..half], &line[line.len() - half..]);
    format!("{} … {}", start.iter().collect::<String>(), end.iter().collect::<String>())
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
    let mut table = Table::new(["text", "label", "taken for", "probability", "begins and ends"]);
    for mistake in mistakes.iter().take(SHOWN) {
        table.rows.push(vec![
            mistake.id.to_owned(),
            class(mistake.truth),
            class(mistake.class),
            percent(mistake.probability),
            excerpt(outcome, mistake.id),
        ]);
    }
    let words = "Look at these first: some are hard, and some are labelled wrongly. A text is named \
                 by its file and line.";
    section.with(Block::Text(words.to_owned())).with(Block::Table(table))
}

/// Which texts to label next.
fn label_next(outcome: &Outcome) -> Section {
    let class = |class: u32| outcome.classes[class as usize].clone();
    let mut table = Table::new(["text", "label", "or", "begins and ends"]);
    for found in to_label(&outcome.unlabeled).into_iter().take(SHOWN) {
        table.rows.push(vec![
            found.id.clone(),
            format!("{} {}", class(found.class), percent(found.probability)),
            format!("{} {}", class(found.second), percent(found.probability - found.margin)),
            excerpt(outcome, &found.id),
        ]);
    }
    Section::new("label-next", "Texts to label next")
        .with(Block::Text(format!(
            "A label of these unlabelled texts would tell most: the network wavers between two \
             classes, and all pairs of classes take turns. The whole list is in {TO_LABEL} of the \
             seed's folder."
        )))
        .with(Block::Table(table))
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
