//! What every result says of its run.

use anyhow::Result;
use metrics::Confusion;
use report::{
    Block, Comparison, Cost, LinePlot, Matrix, Row, RunResult, SCHEMA, Section, Versions,
};

use super::cost::StageCost;
use super::seeds::Run;
use crate::recipe::evaluate::{EvaluateConfig, Part};
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
        data_in_full: Vec::new(),
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
        cost: Cost {
            throughput: cost.throughput(),
            unit: unit.to_owned(),
            flops: (cost.flops > 0).then_some(cost.flops),
            ..Cost::default()
        },
        paper_reference: head.paper.clone(),
        expected: Vec::new(),
        details: Default::default(),
        notes: Vec::new(),
    }
}

/// What a reader has to know of numbers that were measured on `part` as `config` asks.
pub(crate) fn part_notes(part: Part, config: &EvaluateConfig) -> Vec<String> {
    let mut notes = Vec::new();
    let why = match config.on {
        Part::Validation => "as the recipe asks",
        Part::Test => "since these data have no test part",
    };
    if part == Part::Validation {
        notes.push(format!(
            "Measured on the validation part, {why}. Choices made on that part make these numbers \
             optimistic: new samples will fare worse."
        ));
    }
    if config.mirror {
        let note = "Evaluation and labelling take the mean of the predictions on an image and on its \
                    mirror image (evaluate.mirror).";
        notes.push(note.to_owned());
    }
    if config.test_along_training {
        let note = "The test part was measured along the training too, as the recipe asks \
                    (evaluate.test_along_training).";
        notes.push(note.to_owned());
    }
    notes
}

/// The paired differences of rows, each with the row that it is compared with, where both were run.
pub(crate) fn compared<'r>(
    pairs: impl Iterator<Item = (Option<&'r Row>, Option<&'r Row>)>,
) -> Result<Vec<Comparison>> {
    let both = pairs.filter_map(|(ours, other)| ours.zip(other));
    both.map(|(ours, other)| {
        Comparison::between(format!("{} - {}", ours.name, other.name), ours, other)
    })
    .collect()
}

/// The name of the mean over classes, which says of how many where some were not measured.
pub(crate) fn balanced_name(confusion: &Confusion) -> String {
    let (all, missing) = (confusion.counts().len(), confusion.unmeasured().count());
    match missing {
        0 => "balanced over classes".to_owned(),
        _ => format!("balanced over {} of {all} classes", all - missing),
    }
}

/// The classes of which `part` had no sample, in a sentence.
pub(crate) fn unmeasured_note(
    part: &str,
    classes: &[String],
    confusion: &Confusion,
) -> Option<String> {
    let missing: Vec<&str> = confusion.unmeasured().map(|class| classes[class].as_str()).collect();
    (!missing.is_empty()).then(|| {
        format!(
            "The {} part has no sample of {} of the {} classes, of which these numbers therefore say \
             nothing: {}.",
            part,
            missing.len(),
            classes.len(),
            listed(&missing)
        )
    })
}

/// A section whose tables and pictures are of the first of so many seeds, which it says if there
/// are others.
pub(crate) fn of_first_seed(mut section: Section, seeds: usize) -> Section {
    if seeds > 1 {
        section.blocks.insert(0, Block::Text("Of the first seed.".to_owned()));
    }
    section
}

/// The confusion of a row over all seeds; `part` is the part of the data that it was measured on.
/// None without a seed.
pub(crate) fn over_all_seeds<'a>(
    title: &str,
    part: &str,
    seeds: impl IntoIterator<Item = &'a Confusion>,
) -> Option<Matrix> {
    let mut seeds = seeds.into_iter();
    let mut confusion = seeds.next()?.clone();
    let mut count = 1;
    for other in seeds {
        confusion.merge(other);
        count += 1;
    }
    let over = if count == 1 { String::new() } else { format!(", all {count} seeds") };
    Some(Matrix { title: title.to_owned(), about: format!("{part} part{over}"), confusion })
}

/// The notes of all seeds, in the order of these: a note that all have once, any other behind the
/// number of its seed.
pub(crate) fn over_seeds<N: IntoIterator<Item = String>>(
    seeds: &[u64],
    notes: impl IntoIterator<Item = N>,
) -> Vec<String> {
    let all: Vec<Vec<String>> =
        notes.into_iter().map(|notes| notes.into_iter().collect()).collect();
    let is_common = |note: &String| all.iter().all(|notes| notes.contains(note));
    let mut told = Vec::new();
    for (seed, notes) in seeds.iter().zip(&all) {
        for note in notes {
            match is_common(note) {
                true if told.contains(note) => {}
                true => told.push(note.clone()),
                false => told.push(format!("seed {seed}: {note}")),
            }
        }
    }
    told
}

/// What one of a unit is called: `image` of `images`.
pub(crate) fn one_of(unit: &str) -> &str {
    unit.strip_suffix('s').unwrap_or(unit)
}

/// Names with commas, the first ones of many.
pub(crate) fn listed(names: &[&str]) -> String {
    const MOST: usize = 10;
    match names.len().saturating_sub(MOST) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..MOST].join(", ")),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_of_several_seeds_is_their_sum_and_says_so() {
        let of = |pairs: &[(usize, usize)]| {
            let mut confusion = Confusion::new(2);
            pairs.iter().for_each(|(truth, said)| confusion.add(*truth, *said));
            confusion
        };
        let seeds = [of(&[(0, 0), (1, 0)]), of(&[(0, 0), (1, 1)])];
        let all = over_all_seeds("uda", "test", &seeds).expect("a matrix");
        assert_eq!((all.title.as_str(), all.about.as_str()), ("uda", "test part, all 2 seeds"));
        assert_eq!(all.confusion.counts(), [[2, 0], [1, 1]]);
        let one = over_all_seeds("uda", "test", &seeds[..1]).expect("a matrix");
        assert_eq!((one.about.as_str(), &one.confusion), ("test part", &seeds[0]));
        assert!(over_all_seeds("uda", "test", []).is_none());
    }

    #[test]
    fn tables_of_the_first_seed_say_so_where_there_are_others() {
        let section = || Section::new("costs", "Costs").with(Block::Caption("by hand".to_owned()));
        assert_eq!(of_first_seed(section(), 1), section());
        let of_two = of_first_seed(section(), 2);
        assert_eq!(of_two.blocks[0], Block::Text("Of the first seed.".to_owned()));
        assert_eq!(of_two.blocks[1..], section().blocks);
    }

    #[test]
    fn what_one_seed_alone_notes_has_its_number() {
        let notes = |all: &[&str]| all.iter().map(|note| (*note).to_owned()).collect::<Vec<_>>();
        let told = over_seeds(&[3, 7], [notes(&["common", "cut"]), notes(&["common"])]);
        assert_eq!(told, ["common", "seed 3: cut"]);
        assert_eq!(over_seeds(&[3], [notes(&["cut"])]), ["cut"]);
    }
}
