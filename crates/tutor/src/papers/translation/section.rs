//! The paper's own parts of the report: what the trainings took, and sentences side by side with
//! their translations.

use anyhow::Result;
use metrics::Better;
use report::{Block, Curves, Section, Table};

use super::recipe::Recipe;
use super::seed::RowOutcome;
use crate::run::result::of_first_seed;
use crate::text::parallel::Parallel;

/// The parts of the report. Tables are of the first seed, curves of all.
pub(super) fn sections(
    recipe: &Recipe,
    data: &Parallel,
    outcomes: &[Vec<RowOutcome>],
) -> Result<Vec<Section>> {
    let Some(first) = outcomes.first() else { return Ok(Vec::new()) };
    let seeds = outcomes.len();
    let mut sections = vec![of_first_seed(trainings(recipe, data, first)?, seeds)];
    let curves = outcomes.iter().flatten().map(|row| row.curve.clone()).collect();
    let note = "Of a token of the validation part, measured along the training.";
    let curves = Curves {
        better: Better::Lower,
        note: Some(note.to_owned()),
        ..Curves::new("Perplexity", "", curves)
    };
    sections.push(Section::new("curves", "Learning curves").with(Block::Curves(curves)));
    sections.extend(translations(first).map(|section| of_first_seed(section, seeds)));
    Ok(sections)
}

fn trainings(recipe: &Recipe, data: &Parallel, rows: &[RowOutcome]) -> Result<Section> {
    let mut table = Table::new([
        "row",
        "from",
        "into",
        "parameters",
        "steps",
        "times through the pairs",
        "time",
        "validation perplexity",
        "brevity penalty",
    ]);
    for (row, (_, of_row)) in rows.iter().zip(recipe.trainings()?) {
        let mut languages = data.languages.clone();
        if of_row.reverse {
            languages.reverse();
        }
        let [from, into] = languages;
        let brevity =
            row.scores.first().map_or("–".to_owned(), |one| format!("{:.3}", one.brevity));
        table.rows.push(vec![
            row.name.clone(),
            from,
            into,
            row.parameters.to_string(),
            row.steps.to_string(),
            format!("{:.1}", row.cost.samples as f64 / row.pairs.max(1) as f64),
            format!("{:.0} s", row.cost.seconds),
            format!("{:.2}", row.validation),
            brevity,
        ]);
    }
    let words = "The folder hub of each row holds the network as opus-mt's are: tutor augment text \
                 takes RUN/ROW as --forward and --backward.";
    let section = Section::new("trainings", "What the trainings took");
    Ok(section.with(Block::Table(table)).with(Block::Caption(words.to_owned())))
}

fn translations(rows: &[RowOutcome]) -> Option<Section> {
    let mut section = Section::new("translations", "Translations side by side");
    for row in rows {
        for scored in row.scores.iter().filter(|scored| !scored.shown.is_empty()) {
            let mut table = Table::new(["text", "translation", "reference"]);
            table.rows.extend(scored.shown.iter().map(|line| line.to_vec()));
            let words = format!("{}, the first sentences of {}:", row.name, scored.part);
            section = section.with(Block::Text(words)).with(Block::Table(table));
        }
    }
    (!section.blocks.is_empty()).then_some(section)
}
