//! What every result says of its run.

use report::{Block, Cost, LinePlot, RunResult, SCHEMA, Section, Versions};

use super::cost::StageCost;
use super::seeds::Run;
use crate::recipe::evaluate::Part;
use crate::recipe::head::Head;

/// A result without rows. Wall time and memory are noted at the end. `data` says which data and how
/// many in words, `unit` what the samples of `cost` are.
pub(crate) fn frame(
    head: &Head,
    run: &Run<'_>,
    data: &str,
    cost: StageCost,
    unit: &str,
) -> RunResult {
    let (paper, row) = head.name.split_once('/').unwrap_or((&head.name, ""));
    let started = run.started;
    RunResult {
        schema: SCHEMA.to_owned(),
        paper: paper.to_owned(),
        row: row.to_owned(),
        about: head.about.clone(),
        data: data.to_owned(),
        command: std::env::args().collect(),
        commit: option_env!("TUTOR_COMMIT").map(str::to_owned),
        started: started.at.clone(),
        versions: Versions {
            tutor: env!("CARGO_PKG_VERSION").to_owned(),
            libtorch: torch::device::libtorch_version(),
            rustc: env!("TUTOR_RUSTC").to_owned(),
        },
        device: started.device.clone(),
        machine: Some(torch::device::describe(run.device)),
        threads: started.threads,
        quick: started.quick,
        seeds: started.seeds.clone(),
        rows: Vec::new(),
        comparisons: Vec::new(),
        headline: None,
        cost: Cost { throughput: cost.throughput(), unit: unit.to_owned(), ..Cost::default() },
        paper_reference: head.paper.clone(),
        expected: Vec::new(),
        details: Default::default(),
        notes: Vec::new(),
    }
}

/// What a reader has to know of numbers that were measured on `part` where `asked` was wanted.
pub(crate) fn part_note(part: Part, asked: Part) -> Option<String> {
    let why = match (part, asked) {
        (Part::Test, _) => return None,
        (Part::Validation, Part::Validation) => "as the recipe asks",
        (Part::Validation, Part::Test) => "since these data have no test part",
    };
    Some(format!(
        "Measured on the validation part, {why}. Choices made on that part make these numbers \
         optimistic."
    ))
}

/// Accuracy as the number of labels grows: each point is a line, a number of labels and the
/// percentage of each seed. Nothing where there is but one number of labels.
pub(crate) fn over_labels(points: Vec<(&str, u64, Vec<f64>)>) -> Option<Section> {
    let points = points.iter().map(|(line, labels, values)| (*line, *labels, &values[..]));
    let title = "As labels grow";
    let plot = LinePlot::over_categories("Accuracy, %", "labels", "accuracy, %", points)?;
    let words = "A point is the mean over seeds, the bar its 95 % Student-t interval; numbers of \
                 labels stand at equal distances.";
    let section = Section::new("labels", title).with(Block::Plot(plot));
    Some(section.with(Block::Caption(words.to_owned())))
}
