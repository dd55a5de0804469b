//! From the simulated studies of all seeds to a report.

use anyhow::{Context, Result};
use report::{Block, Comparison, LinePlot, Row, RunResult, Section, Table};

use super::published::{self, Transcripts};
use super::recipe::{Recipe, found_name, percentile_name, small_name, true_name};
use super::rubric;
use super::simulated::Simulated;
use super::study;
use super::sweep::Sweep;
use crate::recipe::head::Head;
use crate::run::cost::StageCost;
use crate::run::result::{frame, of_first_seed};
use crate::run::seeds::Run;

const SSA: &str = "SSA";
const COVERAGE: &str = "intervals that hold the truth";

/// What a seed found, in a line.
pub(super) fn line(found: &Simulated) -> String {
    let system = |s: &super::simulated::Recovered| {
        let by_raters = s.found.map_or_else(|| "–".to_owned(), |f| format!("{:.1}", 100.0 * f[2]));
        format!("{}: SSA {:.1} %, by raters {by_raters} %", s.name, 100.0 * s.truth[2])
    };
    found.systems.iter().map(system).collect::<Vec<_>>().join("; ")
}

/// The numbers of a run.
pub(super) fn result(
    head: &Head,
    recipe: &Recipe,
    run: &Run<'_>,
    seeds: &[Simulated],
) -> Result<RunResult> {
    let first = seeds.first().context("a run has at least one seed")?;
    let (mut rows, mut comparisons) = (Vec::new(), Vec::new());
    for (index, system) in first.systems.iter().enumerate() {
        let truth = seeds.iter().map(|seed| 100.0 * seed.systems[index].truth[2]).collect();
        let truth = Row::new(true_name(&system.name), SSA, truth)?.group("Simulated raters");
        let found: Option<Vec<f64>> =
            seeds.iter().map(|seed| Some(100.0 * seed.systems[index].found?[2])).collect();
        if let Some(found) = found {
            let found = Row::new(found_name(&system.name), SSA, found)?.group("Simulated raters");
            rows.extend([truth, found]);
        }
    }
    for (index, size) in first.coverage.iter().enumerate() {
        let of = |share: fn(&eval_ssa::simulate::Coverage) -> f64| {
            seeds.iter().map(|seed| 100.0 * share(&seed.coverage[index])).collect()
        };
        let row = |name: String, values| -> Result<Row> {
            Ok(Row::new(name, COVERAGE, values)?.group("Coverage at 95 %"))
        };
        let percentile = row(percentile_name(size.conversations), of(|c| c.percentile))?;
        let small = row(small_name(size.conversations), of(|c| c.small_sample))?;
        let name = format!("{} - {}", small.name, percentile.name);
        comparisons.push(Comparison::between(name, &small, &percentile)?);
        rows.extend([percentile, small]);
    }
    let raters = &recipe.raters;
    let data = format!(
        "simulated: {} systems, {} conversations of {} rated responses with each, {} votes of {} raters; \
         {} studies for each number of conversations",
        raters.systems.len(),
        raters.conversations,
        raters.turns,
        raters.votes,
        raters.quality.len(),
        recipe.coverage.studies,
    );
    let note = match recipe.sweep.is_empty() {
        true => {
            "Everything below is simulated, or the paper's own number with its source: nobody \
             rated anything for this page."
        }
        false => {
            "Everything below but the sweep is simulated, or the paper's own number with its \
             source. What the sweep's models have by people comes from the project that it names."
        }
    };
    Ok(RunResult {
        rows,
        comparisons,
        notes: vec![note.to_owned()],
        ..frame(head, run, &data, StageCost::default(), "responses")
    })
}

/// The report's own parts. The whole study that is shown is that of the first seed.
pub(super) fn sections(
    seeds: &[Simulated],
    transcripts: &Transcripts,
    sweep: &Sweep,
) -> Result<Vec<Section>> {
    let first = seeds.first().context("a run has at least one seed")?;
    let mut sections = vec![rubric::section(), recovered(first), coverage(seeds)];
    let whole = study::sections(&first.summary).into_iter();
    // Nobody said anything here, and nobody is to quote how.
    let shown = whole.filter(|section| !["measures", "methods"].contains(&section.id.as_str()));
    sections.extend(shown.map(|section| {
        let id = format!("simulated-{}", section.id);
        let title = format!("Simulated study: {}", section.title);
        of_first_seed(Section { id, title, ..section }, seeds.len())
    }));
    sections.extend([transcripts.section(), published::section(), sweep.section()]);
    Ok(sections)
}

fn recovered(seed: &Simulated) -> Section {
    let mut table =
        Table::new(["system", "measure", "chances, %", "true labels, %", "by raters, %"]);
    for system in &seed.systems {
        for (index, measure) in ["sensibleness", "specificity", "SSA"].into_iter().enumerate() {
            let percent = |values: [f64; 3]| format!("{:.1}", 100.0 * values[index]);
            table.rows.push(vec![
                system.name.clone(),
                measure.to_owned(),
                percent(system.chances),
                percent(system.truth),
                system.found.map_or_else(|| "–".to_owned(), percent),
            ]);
        }
    }
    let words = "Raters of known quality rate responses whose labels are known (first seed). Raters who err pull \
                 every share towards one half, and a vote for specific needs two right answers: what is found \
                 lies a little below the truth for good systems, however many responses there are.";
    Section::new("recovered", "What simulated raters find")
        .with(Block::Text(words.to_owned()))
        .with(Block::Table(table))
}

fn coverage(seeds: &[Simulated]) -> Section {
    let mut table = Table::new([
        "conversations",
        "percentile, %",
        "small samples, %",
        "percentile, points",
        "small samples, points",
        "no width, %",
    ]);
    table.spans = vec![
        (String::new(), 1),
        ("holds the truth".into(), 2),
        ("width".into(), 2),
        (String::new(), 1),
    ];
    let sizes = seeds.first().map_or(0, |seed| seed.coverage.len());
    let mut points = Vec::new();
    for index in 0..sizes {
        let of = |share: fn(&eval_ssa::simulate::Coverage) -> f64| -> Vec<f64> {
            seeds.iter().map(|seed| 100.0 * share(&seed.coverage[index])).collect()
        };
        let mean = |values: &[f64]| {
            let mean = metrics::stats::mean(values).expect("a seed");
            format!("{mean:.1}")
        };
        let (percentile, small) = (of(|c| c.percentile), of(|c| c.small_sample));
        let conversations = seeds[0].coverage[index].conversations;
        table.rows.push(vec![
            conversations.to_string(),
            mean(&percentile),
            mean(&small),
            mean(&of(|c| c.percentile_width)),
            mean(&of(|c| c.small_sample_width)),
            mean(&of(|c| c.degenerate)),
        ]);
        points.push(("percentile bootstrap", conversations as u64, percentile));
        points.push(("for small samples", conversations as u64, small));
    }
    let points = points.iter().map(|(line, size, values)| (*line, *size, &values[..]));
    let title = "Intervals at a nominal 95 % that hold the true SSA";
    let plot =
        LinePlot::over_categories(title, "conversations of a study", "of all intervals, %", points);
    let words = "Percentile intervals of few conversations are too narrow; the interval for small samples, which \
                 reports quote below 50 conversations, comes close to what it promises. Raters are perfect here.";
    let mut section =
        Section::new("coverage", "Do the intervals hold?").with(Block::Text(words.to_owned()));
    section.blocks.extend(plot.map(Block::Plot));
    section.with(Block::Table(table))
}
