//! What a report says of pre-trainings: what each took, how well it does on held-out text, and how
//! it went.

use anyhow::Result;
use electra::flops;
use metrics::Better;
use report::{Block, Curves, Row, Section, Table};

use super::pretraining::{self, AREA, MASKED_LOSS, Pretraining};
use crate::run::result::of_first_seed;

/// Sections for the pre-trainings of the first of so many `seeds`, by the names of their rows, with
/// the curves of `every` seed; none without a pre-training.
pub(crate) fn all<'a>(
    rows: &[(&str, &Pretraining)],
    seeds: usize,
    every: impl Iterator<Item = &'a Pretraining> + Clone,
) -> Vec<Section> {
    if rows.is_empty() {
        return Vec::new();
    }
    let tables = [costs(rows), held_out(rows)];
    let mut sections = tables.map(|section| of_first_seed(section, seeds)).to_vec();
    sections.extend(curves(
        every.clone(),
        ("masked", "Loss at masked tokens", MASKED_LOSS),
        "Of held-out text: of the generator where there is one, which is smaller than the network \
         that is kept, else of that network. Training losses of different rows are not on one \
         scale.",
    ));
    sections.extend(curves(
        every,
        ("replaced", "Replaced tokens", AREA),
        "The area under the curve of telling replaced from original tokens in held-out text: 0.5 \
         is chance. As generators learn, their tokens become harder to tell.",
    ));
    sections
}

fn costs(rows: &[(&str, &Pretraining)]) -> Section {
    let header = [
        "row",
        "steps",
        "operations",
        "of ELECTRA-Small's",
        "of GPT's",
        "parameters",
        "kept",
        "time",
    ];
    let mut table = Table::new(header);
    let percent = |part: f64, of: f64| format!("{} %", pretraining::share(part, of));
    for (name, found) in rows {
        let [all, kept] = found.parameters;
        table.rows.push(vec![
            (*name).to_owned(),
            found.steps.to_string(),
            format!("{:.2e}", found.flops),
            percent(found.flops, flops::ELECTRA_SMALL),
            percent(found.flops, flops::GPT),
            all.to_string(),
            kept.to_string(),
            format!("{:.0} s", found.cost.seconds),
        ]);
    }
    let words = "Operations are counted as ELECTRA's code counts them (flops_computation.py), at \
                 the mean length of the sequences; ELECTRA-Small's budget is 1.29e18 by that code \
                 (1.4e18 in the paper). `kept` is the encoder that others start from.";
    let section = Section::new("compute", "What pre-training took");
    section.with(Block::Table(table)).with(Block::Caption(words.to_owned()))
}

/// Names of the code's metrics as reports say them.
pub(crate) const METRICS: [(&str, &str); 7] = [
    (MASKED_LOSS, "loss at masked tokens"),
    ("masked_lm_accuracy", "masked tokens right"),
    ("sampled_masked_lm_accuracy", "sampled tokens right"),
    ("disc_accuracy", "tokens judged right"),
    ("disc_precision", "precision"),
    ("disc_recall", "recall"),
    (AREA, "area under the curve"),
];

/// Rows of a result: of each of these metrics, what the pre-training of `name` reached, seed by
/// seed. An objective without a discriminator has none of its metrics.
pub(crate) fn rows<'a>(
    name: &str,
    seeds: impl Iterator<Item = &'a Pretraining> + Clone,
    metrics: &[&str],
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (metric, words) in METRICS.iter().filter(|(metric, _)| metrics.contains(metric)) {
        let per_seed: Option<Vec<f64>> = seeds.clone().map(|found| found.metric(metric)).collect();
        let Some(per_seed) = per_seed.filter(|values| values.iter().all(|x| x.is_finite())) else {
            continue;
        };
        let better = if *metric == MASKED_LOSS { Better::Lower } else { Better::Higher };
        let row = Row::new(name, *words, per_seed)?.unit("").better(better);
        rows.push(row.group("Pre-training on held-out text"));
    }
    Ok(rows)
}

fn held_out(rows: &[(&str, &Pretraining)]) -> Section {
    let header = std::iter::once("row").chain(METRICS.iter().map(|(_, words)| *words));
    let mut table = Table::new(header);
    for (name, found) in rows {
        let cell = |(metric, _): &(&str, &str)| {
            found.metric(metric).map_or(String::new(), |value| format!("{value:.3}"))
        };
        let cells = std::iter::once((*name).to_owned()).chain(METRICS.iter().map(cell));
        table.rows.push(cells.collect());
    }
    let words = "Of held-out text, 20,000 sequences at most, after the last step. A token that is \
                 replaced is positive; most tokens are original, so that judging all of them \
                 original is right more often than 0.8 of the time: look at the area under the \
                 curve.";
    let section = Section::new("held-out", "All measures on held-out text");
    section.with(Block::Table(table)).with(Block::Caption(words.to_owned()))
}

fn curves<'a>(
    all: impl Iterator<Item = &'a Pretraining>,
    (id, title, metric): (&str, &str, &str),
    note: &str,
) -> Option<Section> {
    let at = if metric == MASKED_LOSS { 0 } else { 1 };
    let curves: Vec<_> = all
        .filter_map(|found| found.curves.get(at))
        .filter(|curve| curve.points.iter().any(|point| point.value.is_some()))
        .cloned()
        .collect();
    if curves.is_empty() {
        return None;
    }
    let better = if metric == MASKED_LOSS { Better::Lower } else { Better::Higher };
    let curves = Curves { note: Some(note.to_owned()), better, ..Curves::new(title, "", curves) };
    Some(Section::new(id, title).with(Block::Curves(curves)))
}
