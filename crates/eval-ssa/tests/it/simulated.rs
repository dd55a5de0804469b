//! Studies by simulated raters: what is known comes back out.

use eval_ssa::bootstrap::{Bootstrap, Unit};
use eval_ssa::judge::judges;
use eval_ssa::preferences::contests;
use eval_ssa::quality::raters;
use eval_ssa::score::{Measure, comparisons, scores};
use eval_ssa::simulate::{
    Coverage, CoverageConfig, SimulatedSystem, Simulation, coverage, majority_is_right,
};
use eval_ssa::{
    Answer, Check, CheckKind, Choice, Item, Judgment, Label, Mode, Pair, Preference, Rating,
    Required, Study,
};
use proptest::prelude::*;

fn quick() -> Bootstrap {
    Bootstrap { resamples: 1000, ..Bootstrap::default() }
}

#[test]
fn the_sensibleness_that_was_put_in_comes_out() {
    let simulation = Simulation::default();
    let (study, truth) = simulation.run();
    study.check().unwrap();
    assert_eq!((study.items.len(), study.ratings.len()), (2100, 10_500));
    let outcomes = study.outcomes();
    for (score, system) in scores(&study, &quick()).iter().zip(&simulation.systems) {
        assert_eq!((score.system.as_str(), score.mode), (system.name.as_str(), Mode::Interactive));
        // What raters of this quality make of it on average.
        let right = majority_is_right(0.9, Required::default());
        let expected = system.sensible * right + (1.0 - system.sensible) * (1.0 - right);
        let estimate = score.sensibleness.as_ref().unwrap();
        let [low, high] = estimate.small_sample.unwrap();
        assert!(low <= expected && expected <= high, "{expected} in {low} to {high}");
        assert!((system.sensible - expected).abs() < 0.01 && estimate.units == 100);
        let progress = score.progress;
        assert_eq!(progress.decided + progress.undecided, 700);
        assert!(progress.undecided > 0 && progress.undecided < 10, "{progress:?}");
    }
    let agree = outcomes.iter().zip(&truth).filter(|(o, truth)| o.label == Some(**truth)).count();
    assert!(agree > 2000, "{agree} of 2100 labels are true");
    let differences = comparisons(&study, &quick());
    assert_eq!(differences.len(), 9);
    for found in differences.iter().filter(|found| found.measure == Measure::Ssa) {
        let difference = found.difference.as_ref().unwrap();
        assert!(difference.value > 0.1 && difference.excludes_zero() && !difference.paired);
    }
}

#[test]
fn systems_that_are_alike_are_not_told_apart_and_contexts_pair_them() {
    let same = SimulatedSystem::new("a", 0.8, 0.6);
    let simulation = Simulation {
        mode: Mode::Static,
        systems: vec![same.clone(), SimulatedSystem { name: "b".into(), ..same }],
        turns: 1,
        ..Simulation::default()
    };
    let (mut study, _) = simulation.run();
    study.items.retain(|item| item.id != "b/context 3/0");
    study.ratings.retain(|rating| rating.item != "b/context 3/0");
    let found = comparisons(&study, &quick());
    let difference = found[2].difference.as_ref().unwrap();
    assert!(difference.paired && !difference.excludes_zero(), "{difference:?}");
    assert!(difference.units[0] <= 99 && found[2].unpaired_units >= 1);
}

/// Small studies: percentile intervals fall short of 95 %, the more the smaller they are; those
/// beside them do not. The numbers are those of the table in docs/papers/ssa.md (87 %, 80 %, 0.1).
#[test]
fn coverage_of_small_studies() {
    let config = CoverageConfig {
        bootstrap: Bootstrap { resamples: 500, ..Bootstrap::default() },
        ..CoverageConfig::default()
    };
    assert_eq!((config.studies, &*config.conversations), (2000, &[5, 10, 20, 100][..]));
    let found = coverage(&config);
    let table = [(5, 0.811, 0.944), (10, 0.875, 0.943), (20, 0.919, 0.949), (100, 0.932, 0.943)];
    for (size, (conversations, percentile, small_sample)) in found.iter().zip(table) {
        assert_eq!(size.conversations, conversations);
        assert!((size.percentile - percentile).abs() < 0.015, "{found:?}");
        assert!((size.small_sample - small_sample).abs() < 0.015, "{found:?}");
    }
    let [five, ten, twenty, hundred] = &found[..] else { panic!("four sizes") };
    // The two draw near to each other as studies grow.
    let wider = |size: &Coverage| size.small_sample_width / size.percentile_width;
    assert!(wider(five) > wider(ten) && wider(ten) > wider(twenty), "{found:?}");
    assert!(wider(five) > 1.3 && (0.95..1.1).contains(&wider(hundred)), "{found:?}");
    let five_again = CoverageConfig { conversations: vec![5], ..config };
    assert_eq!(coverage(&five_again), std::slice::from_ref(five));
}

/// Ten responses of a conversation that correlate by 1/4 are worth 10 / 3.25 independent ones.
#[test]
fn responses_of_a_conversation_are_as_alike_as_asked() {
    let width = |likeness| {
        let config = CoverageConfig {
            conversations: vec![40],
            turns: [10, 10],
            likeness,
            studies: 60,
            bootstrap: Bootstrap { resamples: 100, ..Bootstrap::default() },
            ..CoverageConfig::default()
        };
        coverage(&config)[0].small_sample_width
    };
    let ratio = width(0.25) / width(0.0);
    assert!((ratio - 3.25f64.sqrt()).abs() < 0.15, "{ratio}");
}

/// Two systems with the same numbers are still two samples.
#[test]
fn both_sides_of_an_unpaired_difference_are_drawn() {
    let units: Vec<Unit> = (0..20).map(|i| Unit { sum: f64::from(i % 4), count: 4.0 }).collect();
    let one = quick().mean(&units).unwrap();
    let two = quick().unpaired(&units, &units).unwrap();
    let ratio = two.standard_error / one.standard_error;
    assert!((ratio - 2f64.sqrt()).abs() < 0.1 && two.value == 0.0, "{ratio}");
    assert!(!two.degenerate && !two.excludes_zero());
}

/// (1, 1, 0) beside (0, 0, 1): the differences of the pairs are 1, 1 and −1, whose variance is
/// 8/9, so that the mean of three that are drawn has the standard error √(8/27) = 0.544. All three
/// are −1 in one of 27 resamples, more than the 2.5 % of a tail. Drawn each on its own, the two
/// sides would have √(4/27) = 0.385.
#[test]
fn both_sides_of_a_paired_difference_are_drawn_together() {
    let unit = |sum| Unit { sum, count: 1.0 };
    let pairs = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]].map(|pair| pair.map(unit));
    let found = Bootstrap::default().paired(&pairs).unwrap();
    assert!((found.value - 1.0 / 3.0).abs() < 1e-12, "{found:?}");
    assert!((found.standard_error - (8.0 / 27.0_f64).sqrt()).abs() < 0.02, "{found:?}");
    assert_eq!(found.percentile, [-1.0, 1.0]);
}

/// Contexts 2 and 3 pair the systems; 1, 4 and 5 have the response of one of them.
#[test]
fn contexts_of_one_system_alone_are_counted() {
    let mut study = Study { required: Required::new(1).unwrap(), ..Study::default() };
    for (system, contexts) in [("a", 1..=3), ("b", 2..=5)] {
        for context in contexts {
            let id = format!("{system}{context}");
            study.ratings.push(Rating::new(&id, "r", Label::Specific.into()));
            study.items.push(Item {
                id,
                mode: Mode::Static,
                system: system.into(),
                conversation: format!("context {context}"),
                ..Item::default()
            });
        }
    }
    study.check().unwrap();
    let found = comparisons(&study, &quick());
    assert_eq!(found.len(), Measure::ALL.len());
    for comparison in found {
        let pairs = comparison.difference.unwrap().units;
        assert_eq!((pairs, comparison.unpaired_units), ([2, 2], 3));
    }
}

fn gold(id: &str, kind: CheckKind, expected: Label) -> Item {
    Item {
        id: id.into(),
        conversation: id.into(),
        check: Some(Check { kind, expected, explanation: None }),
        ..Item::default()
    }
}

#[test]
fn careless_raters_are_seen() {
    let mut qualities = vec![0.92; 5];
    qualities.push(0.5);
    let simulation = Simulation { raters: qualities, conversations: 20, ..Simulation::default() };
    let (mut study, _) = simulation.run();
    // Rater 5 gives one answer to everything.
    for rating in study.ratings.iter_mut().filter(|rating| rating.rater == "rater 5") {
        rating.answer = Label::Specific.into();
    }
    study.items.push(gold("gold", CheckKind::Gold, Label::Specific));
    study.items.push(gold("attention", CheckKind::Attention, Label::NotSensible));
    for rater in 1..=6 {
        let name = format!("rater {rater}");
        study.ratings.push(Rating::new("gold", &name, Label::Specific.into()));
        let answer = if rater == 6 { Label::Sensible } else { Label::NotSensible };
        study.ratings.push(Rating::new("attention", &name, answer.into()));
    }
    study.ratings.push(Rating::new("gold", "rater 1", Answer::Skipped { reason: "?".into() }));
    for (index, rating) in study.ratings.iter_mut().enumerate() {
        let hasty = rating.rater == "rater 6" && index % 2 == 0;
        rating.shown_at = Some(1000 * index as i64);
        rating.answered_at = Some(1000 * index as i64 + if hasty { 90 } else { 5000 });
    }
    let found = raters(&study);
    let flags = |rater: usize| found[rater - 1].flags.join("; ");
    assert_eq!(found.len(), 6);
    assert_eq!(flags(2), "");
    assert!(flags(5).contains("one and the same answer"), "{}", flags(5));
    assert!(flags(6).contains("missed 1 of 1 attention items"), "{}", flags(6));
    assert!(flags(6).contains("tenth of the usual time"), "{}", flags(6));
    assert_eq!((found[0].gold.of, found[1].gold.hits, found[1].gold.of), (0, 1, 1));
    let agreement = |rater: usize| found[rater - 1].agrees_sensible.value().value.unwrap();
    assert!(agreement(2) > agreement(6) + 0.1, "{} {}", agreement(2), agreement(6));
    assert_eq!(found[1].median_seconds, Some(5.0));
    assert_eq!(found[4].longest_run, found[4].answers);
    // Known answers say nothing about systems.
    assert_eq!(study.outcomes().len(), 20 * 7 * 3);
    assert_eq!(study.replaced(), 1);
}

#[test]
fn half_a_second_is_too_fast_even_where_all_raters_are() {
    let (mut study, _) = Simulation { conversations: 4, ..Simulation::default() }.run();
    let mut take = |milliseconds: i64| {
        for rating in &mut study.ratings {
            (rating.shown_at, rating.answered_at) = (Some(1000), Some(1000 + milliseconds));
        }
        raters(&study)
    };
    for rater in take(499) {
        assert_eq!(rater.hasty, rater.answers, "{}", rater.rater);
        assert!(rater.flags.join("; ").contains("or half a second"), "{:?}", rater.flags);
    }
    for rater in take(500) {
        assert_eq!((rater.hasty, rater.flags.len()), (0, 0), "{}: {:?}", rater.rater, rater.flags);
    }
}

#[test]
fn a_judge_stands_beside_people() {
    let (mut study, truth) = Simulation { conversations: 20, ..Simulation::default() }.run();
    for (item, label) in study.items.iter().zip(&truth) {
        let judgment = |judge: &str, label| Judgment {
            item: item.id.clone(),
            judge: judge.into(),
            label,
            output: None,
        };
        study.judgments.push(judgment("always yes", Some(Label::Specific)));
        study.judgments.push(judgment("knows", Some(*label)));
    }
    study.judgments[0].label = None;
    study.check().unwrap();
    let before = scores(&study, &quick());
    let found = judges(&study);
    let [yes, knows] = &found[..] else { panic!("two judges") };
    assert_eq!((yes.judge.as_str(), yes.unread, yes.items), ("always yes", 1, 420));
    assert!(yes.sensible.with_label.value().value.unwrap() > 0.6);
    assert_eq!(yes.sensible.kappa.value, Some(0.0));
    assert!(knows.sensible.kappa.value.unwrap() > 0.9);
    assert!(knows.sensible.with_raters.value().value > knows.sensible.among_raters.value);
    assert_eq!(yes.systems["system A"], [1.0, 1.0]);
    // Its votes are not among people's.
    study.judgments.clear();
    assert_eq!(scores(&study, &quick()), before);
}

#[test]
fn preferences_count_systems_and_not_sides() {
    let mut study = Study::default();
    for (index, systems) in [["a", "b"], ["b", "a"], ["a", "b"], ["a", "b"]].iter().enumerate() {
        study.pairs.push(Pair {
            id: format!("p{index}"),
            conversation: format!("c{index}"),
            systems: systems.map(str::to_owned),
            ..Pair::default()
        });
    }
    let choices = [Choice::First, Choice::Second, Choice::Tie, Choice::BothBad];
    for (index, choice) in choices.into_iter().enumerate() {
        for rater in ["r", "s"] {
            study.preferences.push(Preference {
                swapped: rater == "s" && index == 0,
                ..Preference::new(format!("p{index}"), rater, choice)
            });
        }
    }
    study.check().unwrap();
    let found = &contests(&study, &quick())[0];
    assert_eq!((found.first, found.second, found.ties, found.both_bad), (4, 0, 2, 2));
    assert_eq!(found.score.as_ref().unwrap().value, 0.75);
    assert_eq!((found.left.hits, found.left.of), (1, 4));
    study.preferences[0].pair = "?".into();
    assert!(study.check().unwrap_err().to_string().contains("unknown pair"));
}

#[test]
fn records_that_do_not_fit_are_all_named() {
    let (mut study, _) = Simulation { conversations: 1, turns: 2, ..Simulation::default() }.run();
    study.items[1].id = study.items[0].id.clone();
    study.items[2].conversation.clear();
    study.ratings.push(Rating::new("nowhere", "r", Answer::NotSensible));
    let found = study.check().unwrap_err();
    for part in ["comes twice", "names no conversation", "unknown item \"nowhere\""] {
        assert!(found.to_string().contains(part), "{found}");
    }
}

proptest! {
    /// SSA is within 0 to 1, is the mean of its parts, and does not depend on the raters' order.
    #[test]
    fn ssa_is_blind_to_the_order_of_raters(seed in 0u64..1000, quality in 0.5f64..1.0, skips in 0.0f64..0.5) {
        let simulation = Simulation {
            conversations: 4, turns: 3, raters: vec![quality; 6], skips, seed, ..Simulation::default()
        };
        let (mut study, _) = simulation.run();
        let bootstrap = Bootstrap { resamples: 50, ..Bootstrap::default() };
        let before = scores(&study, &bootstrap);
        study.ratings.reverse();
        prop_assert_eq!(&scores(&study, &bootstrap), &before);
        for score in before {
            let parts = (score.ssa, score.sensibleness, score.specificity);
            let (Some(ssa), Some(sensible), Some(specific)) = parts else { continue };
            prop_assert!((ssa.value - (sensible.value + specific.value) / 2.0).abs() < 1e-12);
            prop_assert!(specific.value <= sensible.value);
            for [low, high] in [ssa.percentile, ssa.small_sample.unwrap_or([0.0, 1.0])] {
                prop_assert!(0.0 <= low && low <= high && high <= 1.0);
            }
            let [low, high] = score.ssa_bounds.unwrap();
            prop_assert!(low <= high && (0.0..=1.0).contains(&low) && high <= 1.0);
        }
    }

    /// Alpha and kappa do not depend on the order of items, raters and the names of categories.
    #[test]
    fn agreement_is_blind_to_names(rows in prop::collection::vec(prop::collection::vec(prop::option::of(0u32..3), 4), 2..8)) {
        use eval_ssa::{Votes, agreement::{alpha, pairwise}};
        let renamed = |vote: Option<u32>| vote.map(|v| (v + 1) % 3);
        let mut other: Vec<Vec<Option<u32>>> =
            rows.iter().map(|row| row.iter().rev().map(|v| renamed(*v)).collect()).collect();
        other.reverse();
        let a = Votes::from_items(rows).unwrap().counts();
        let b = Votes::from_items(other).unwrap().counts();
        prop_assert_eq!(pairwise(&a), pairwise(&b));
        match (alpha(&a).value, alpha(&b).value) {
            (Some(x), Some(y)) => prop_assert!((x - y).abs() < 1e-12 && x <= 1.0),
            (x, y) => prop_assert_eq!(x, y),
        }
    }

    /// The interval for small studies holds the mean, whatever the units are.
    #[test]
    fn small_sample_intervals_hold_the_mean(units in prop::collection::vec((0u32..=8, 4u32..9), 2..12)) {
        let units: Vec<Unit> = units.iter()
            .map(|(sum, count)| Unit { sum: f64::from(*sum.min(count)), count: f64::from(*count) })
            .collect();
        let found = Bootstrap { resamples: 20, ..Bootstrap::default() }.mean(&units).unwrap();
        let [low, high] = found.small_sample.unwrap();
        prop_assert!(0.0 <= low && low <= found.value && found.value <= high && high <= 1.0);
    }
}
