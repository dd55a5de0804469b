//! From what the seeds found to the numbers of the report.

use anyhow::{Context, Result};
use eval_ssa::bootstrap::FEW_UNITS;
use metrics::Better;
use metrics::words::counted;
use report::{Comparison, Row, RunResult};

use super::recipe::Recipe;
use super::seed::RowOutcome;
use crate::dialog::pairs::Prepared;
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::result::frame;
use crate::run::seeds::Run;

pub(super) const TOKEN: &str = "test perplexity of a token";
pub(super) const WORD: &str = "test perplexity of a word";

/// What a seed found, in a line.
pub(super) fn line(rows: &[RowOutcome]) -> String {
    let word = |row: &RowOutcome| match row.test.totals().perplexity() {
        Some(value) => format!("{} {value:.2}", row.name),
        None => row.name.clone(),
    };
    rows.iter().map(word).collect::<Vec<_>>().join("; ")
}

/// The numbers of a run.
pub(super) fn result(
    head: &Head,
    recipe: &Recipe,
    run: &Run<'_>,
    about: &str,
    (data, outcomes): (&Prepared, &[Vec<RowOutcome>]),
) -> Result<RunResult> {
    let first = outcomes.first().context("a run has at least one seed")?;
    let cost = StageCost::sum(outcomes.iter().flatten().map(|row| row.cost));
    let mut result = frame(head, run, about, cost, "pairs");
    let pairs = data.test.len() as u64;
    for (metric, value) in [
        (TOKEN, (|row| row.test.totals().perplexity()) as fn(&RowOutcome) -> Option<f64>),
        (WORD, |row| row.test.totals().perplexity_per(row.test.words())),
    ] {
        for (i, row) in first.iter().enumerate() {
            let per_seed: Option<Vec<f64>> = outcomes.iter().map(|rows| value(&rows[i])).collect();
            let per_seed = per_seed.context("a test part with a word")?;
            let line = Row::new(&row.name, metric, per_seed)?.unit("").better(Better::Lower);
            result.rows.push(line.group("Networks").examples(pairs));
        }
    }
    let mut comparisons = Vec::new();
    for row in &recipe.rows {
        let Some(against) = &row.against else { continue };
        let both = result.find(&row.name, TOKEN).zip(result.find(against, TOKEN));
        let (ours, other) = both.context("both rows of a comparison")?;
        let name = format!("{} - {against}", row.name);
        let comparison = Comparison::between(name, ours, other)?;
        comparisons.push(match outcomes {
            [rows] => over_conversations(comparison, rows, [&row.name, against])?,
            _ => comparison,
        });
    }
    result.comparisons = comparisons;
    result.notes.push(
        "Perplexity is exp(Σ −ln p / tokens) over the responses of the test part, their ends \
         included; that of a word is of the same sum over the words between white space. Each row \
         is measured once on the test part, after its last step."
            .to_owned(),
    );
    if result.comparisons.iter().any(|comparison| comparison.examples.is_some()) {
        let note = "Intervals are over conversations of the test part, which are drawn again: they \
                    say what other conversations of this kind would give, not what another training \
                    would.";
        result.notes.push(note.to_owned());
    }
    Ok(result)
}

/// The comparison of two rows of the only seed, with an interval over conversations where there are
/// several, which speaks against itself where they are few.
fn over_conversations(
    comparison: Comparison,
    rows: &[RowOutcome],
    names: [&str; 2],
) -> Result<Comparison> {
    let find = |name: &str| rows.iter().find(|row| row.name == name);
    let [ours, other] = names.map(find);
    let (ours, other) = ours.zip(other).context("both rows")?;
    let Some(interval) = ours.test.above(&other.test)? else { return Ok(comparison) };
    let conversations = ours.test.conversations.len();
    let comparison = comparison.over_examples(interval, conversations as u64, "conversation");
    let caveat = (conversations < FEW_UNITS).then(|| {
        format!(
            "the test part has {}, and a percentile interval of fewer than {FEW_UNITS} is too \
             narrow",
            counted(conversations, "conversation")
        )
    });
    Ok(Comparison { caveat, ..comparison })
}
