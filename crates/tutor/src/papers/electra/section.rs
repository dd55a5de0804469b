//! The paper's own parts of the report: what was pre-trained for how much, and how it went.

use report::Section;

use super::recipe::Recipe;
use super::seed::RowOutcome;
use crate::run::result::over_labels;
use crate::text::pretraining::Pretraining;
use crate::text::pretraining_sections;

/// The parts of the report.
pub(super) fn sections(recipe: &Recipe, outcomes: &[Vec<RowOutcome>]) -> Vec<Section> {
    let mut sections = Vec::new();
    let points = recipe.finetune.labels.iter().enumerate().flat_map(|(j, &labels)| {
        recipe.rows.iter().enumerate().map(move |(i, row)| {
            let accuracy = |rows: &Vec<RowOutcome>| rows[i].finetunings[j].scores.accuracy();
            (row.name.as_str(), labels as u64, outcomes.iter().filter_map(accuracy).collect())
        })
    });
    sections.extend(over_labels(points.collect()));
    let Some(first) = outcomes.first() else { return sections };
    let pretrained: Vec<(&str, &Pretraining)> = first
        .iter()
        .filter_map(|row| Some((row.name.as_str(), row.pretraining.as_ref()?)))
        .collect();
    let all = outcomes.iter().flatten().filter_map(|row| row.pretraining.as_ref());
    sections.extend(pretraining_sections::all(&pretrained, outcomes.len(), all));
    sections
}
