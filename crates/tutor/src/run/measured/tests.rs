//! What is told of measured classifiers.

use super::*;

/// A row that says `pos` of the first samples and `neg` of the others; `pos` is right for the
/// first `of_pos` of ten.
fn row(name: &str, said_pos: usize, trained: Option<Trained>) -> Measured {
    let of_pos = 8;
    let scores = Scores {
        ids: (0..10).map(|i| i.to_string()).collect(),
        truth: (0..10).map(|i| u32::from(i < of_pos)).collect(),
        rows: (0..10).map(|i| if i < said_pos { vec![0.1, 0.9] } else { vec![0.9, 0.1] }).collect(),
    };
    Measured { name: name.to_owned(), scores, trained }
}

fn noted(rows: &[Measured], kept: &str, overlap: &Overlap) -> (RunResult, String) {
    noted_over(&[rows], kept, overlap)
}

/// What is told of seeds 1, 2 and so on, of each of which these are the rows.
fn noted_over(seeds: &[&[Measured]], kept: &str, overlap: &Overlap) -> (RunResult, String) {
    let (classes, labels) = (["neg", "pos"].map(str::to_owned), [2, 8]);
    let trial = Trial::default();
    let choice = Choice { row: kept.to_owned(), why: "the default".to_owned() };
    let seen = |rows| Seen {
        classes: &classes,
        labels: &labels,
        rows,
        part: MeasuredOn::Test,
        overlap,
        trial: &trial,
        choice: &choice,
    };
    let numbers = (1..=seeds.len() as u64).collect();
    let mut result = RunResult { seeds: numbers, ..RunResult::default() };
    let seeds: Vec<Seen<'_>> = seeds.iter().copied().map(seen).collect();
    add(&mut result, &seeds, &[("fixmatch", "labels-alone")], "texts").expect("a result");
    let notes = result.notes.join("\n");
    (result, notes)
}

#[test]
fn what_was_chosen_on_the_measured_samples_is_said_to_fare_worse_on_new_ones() {
    let choice = Choice { row: "words".to_owned(), why: "it is".to_owned() };
    let told = |part, decides| {
        let trial = Trial { decides, folds: 2, ..Trial::default() };
        let rows = [row("words", 9, None)];
        let (classes, overlap) = (["neg", "pos"].map(str::to_owned), Overlap::default());
        let seen = Seen {
            classes: &classes,
            labels: &[2, 8],
            rows: &rows,
            part,
            overlap: &overlap,
            trial: &trial,
            choice: &choice,
        };
        seen.notes("texts").remove(0)
    };
    for (part, decides, is_said) in [
        (MeasuredOn::HeldOut, true, true),
        (MeasuredOn::HeldOut, false, false),
        (MeasuredOn::Validation, true, true),
        (MeasuredOn::Test, true, false),
    ] {
        let note = told(part, decides);
        let said = "chosen on these texts too: new texts will fare a little worse.";
        let of_validation = "chosen too: new texts will fare a little worse.";
        let found = note.ends_with(said) || note.ends_with(of_validation);
        assert_eq!(found, is_said, "{part:?} {decides}: {note}");
    }
}

#[test]
fn what_learned_nothing_is_named_beside_the_baseline() {
    let none = Overlap::default();
    let (result, notes) = noted(&[row("words", 10, None)], "words", &none);
    let always = result.find("always `pos`", "test accuracy").expect("the baseline");
    assert_eq!((always.mean, always.examples), (80.0, Some(10)));
    assert_eq!(result.find("always `pos`", "balanced over classes").expect("it").mean, 50.0);
    assert!(notes.contains("words (80.00 %) is not above the baseline: always `pos`"), "{notes}");
    assert!(notes.contains("words said `pos` of all 10 texts."), "{notes}");
    let (_, notes) = noted(&[row("words", 9, None)], "words", &none);
    assert!(!notes.contains("baseline") && !notes.contains("said"), "{notes}");
}

#[test]
fn accuracy_is_told_without_what_was_seen_before() {
    // The one that is wrong stays.
    let labeled = ["0", "1", "2"].map(str::to_owned).into();
    let overlap = Overlap { labeled, ..Overlap::default() };
    let (_, notes) = noted(&[row("words", 9, None)], "words", &overlap);
    assert!(notes.contains("3 of the 10 test texts are among the labelled ones"), "{notes}");
    let without = "Accuracy on the 7 texts that were not seen before: words 85.71 %.";
    assert!(notes.contains(without), "{notes}");
}

#[test]
fn a_short_training_loses_nothing_that_is_shown() {
    let trained = |steps, seconds| Some(Trained { steps, seconds, most: 1000, enough: 100 });
    let rows = |own| [row("labels-alone", 8, trained(570, 23.4)), row("fixmatch", 0, own)];
    let caveat = |own| {
        let (mut result, notes) = noted(&rows(own), "labels-alone", &Overlap::default());
        (result.comparisons.remove(0).caveat, notes)
    };
    let (told, notes) = caveat(trained(10, 13.0));
    let told = told.expect("a caveat");
    assert!(told.contains("10 steps in 13.0 s, labels-alone 570 steps in 23.4 s"), "{told}");
    assert!(told.contains("fewer than 100 steps"), "{told}");
    assert!(notes.contains("labels-alone 570 steps in 23.4 s, fixmatch 10 steps"), "{notes}");
    assert!(told.ends_with(" (trial.steps)"), "{told}");
    let few = Trained { steps: 10, seconds: 13.0, most: 14, enough: 14 };
    let (told, _) = caveat(Some(few));
    let told = told.expect("a caveat");
    assert!(told.ends_with("fewer than 14 steps tell little"), "no key sets it: {told}");
    let (told, _) = caveat(trained(200, 13.0));
    assert!(told.expect("a caveat").contains("clearly less time"));
    let (told, notes) = caveat(trained(200, 23.0));
    assert!(told.is_none() && !notes.contains("Trainings were"), "{told:?} {notes}");
}

#[test]
fn a_short_training_takes_nothing_from_what_is_ahead_over_all_seeds() {
    let trained = |steps| Some(Trained { steps, seconds: 20.0, most: 1000, enough: 100 });
    // Of ten texts fixmatch gets 10 and 9 right, labels-alone 2 and 10.
    let caveat = |ahead, behind| {
        let one = [row("labels-alone", 0, trained(500)), row("fixmatch", 8, trained(500))];
        let two = [row("labels-alone", 8, trained(behind)), row("fixmatch", 7, trained(ahead))];
        let over = [&one[..], &two];
        let (mut result, _) = noted_over(&over, "labels-alone", &Overlap::default());
        let comparison = result.comparisons.remove(0);
        assert!(comparison.mean > 0.0 && comparison.per_seed[1] < 0.0, "{comparison:?}");
        comparison.caveat
    };
    assert_eq!(caveat(10, 500), None, "fixmatch is ahead in spite of it");
    let told = caveat(500, 10).expect("a caveat");
    assert!(told.starts_with("labels-alone had 10 steps"), "{told}");
}

#[test]
fn notes_are_those_of_all_seeds() {
    let (learned, unlearned) = ([row("words", 9, None)], [row("words", 10, None)]);
    let none = Overlap::default();
    let told = |seeds: &[&[Measured]]| noted_over(seeds, "words", &none).0.notes;
    let notes = told(&[&learned, &unlearned]);
    assert!(notes.contains(&"seed 2: words said `pos` of all 10 texts.".to_owned()));
    assert!(!notes.iter().any(|note| note.starts_with("seed 1")), "{notes:?}");
    for start in ["Measured on the test part", "Kept: words"] {
        assert_eq!(notes.iter().filter(|note| note.starts_with(start)).count(), 1, "{notes:?}");
    }
    let notes = told(&[&unlearned, &unlearned]);
    assert!(notes.contains(&"words said `pos` of all 10 texts.".to_owned()), "{notes:?}");
    assert!(!notes.iter().any(|note| note.starts_with("seed ")), "{notes:?}");
}
