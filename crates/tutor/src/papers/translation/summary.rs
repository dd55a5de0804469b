//! From what the seeds found to the numbers of the report.

use anyhow::{Context, Result};
use metrics::{Better, Bleu, Chrf};
use report::{Comparison, Row, RunResult};

use super::recipe::Recipe;
use super::seed::RowOutcome;
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::result::frame;
use crate::run::seeds::Run;
use crate::text::parallel::Parallel;

/// The name of BLEU of a part.
fn bleu(part: &str) -> String {
    format!("BLEU of {part}")
}

/// What a seed found, in a line.
pub(super) fn line(rows: &[RowOutcome]) -> String {
    let words = |row: &RowOutcome| {
        let of = row.scores.first().map_or("–".to_owned(), |one| format!("{:.1}", one.bleu));
        format!("{} BLEU {of}", row.name)
    };
    rows.iter().map(words).collect::<Vec<_>>().join("; ")
}

/// The numbers of a run.
pub(super) fn result(
    head: &Head,
    recipe: &Recipe,
    run: &Run<'_>,
    data: &Parallel,
    outcomes: &[Vec<RowOutcome>],
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let cost = StageCost::sum(outcomes.iter().flatten().map(|row| row.cost));
    let mut result = frame(head, run, &data.about, cost, "pairs");
    for (number, part) in data.tests.iter().enumerate() {
        for which in [true, false] {
            let metric = match which {
                true => bleu(&part.name),
                false => format!("chrF2 of {}", part.name),
            };
            for (i, row) in first.iter().enumerate() {
                let score = |rows: &Vec<RowOutcome>| {
                    let found = rows[i].scores.get(number)?;
                    Some(if which { found.bleu } else { found.chrf })
                };
                let per_seed: Option<Vec<f64>> = outcomes.iter().map(score).collect();
                let per_seed = per_seed.context("a test part that was translated")?;
                let line = Row::new(&row.name, &metric, per_seed)?.unit("").better(Better::Higher);
                result.rows.push(line.group("Translations").examples(part.pairs.len() as u64));
            }
        }
    }
    let main = data.tests.first().map(|part| bleu(&part.name)).context("a test part")?;
    let mut comparisons = Vec::new();
    for row in &recipe.rows {
        let Some(against) = &row.against else { continue };
        let both = result.find(&row.name, &main).zip(result.find(against, &main));
        let (ours, other) = both.context("both rows of a comparison")?;
        comparisons.push(Comparison::between(format!("{} - {against}", row.name), ours, other)?);
    }
    result.comparisons = comparisons;
    result.notes.push(format!(
        "Each test part is translated once, after the last step, by beam search of width {}. BLEU \
         and chrF2 are sacrebleu's: {} and {}.",
        recipe.beam.width,
        Bleu::default().signature(1),
        Chrf::default().signature(1)
    ));
    Ok(result)
}
