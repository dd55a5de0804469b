//! What every result says of its run.

use report::result::{Cost, RunResult, SCHEMA, Versions};

use super::cost::StageCost;
use super::driver::Run;
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
        notes: quick_note(started.quick),
    }
}

fn quick_note(quick: bool) -> Vec<String> {
    let note = "A quick run: it shows that the path works; its numbers mean nothing.";
    quick.then(|| note.to_owned()).into_iter().collect()
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
