//! What a report of a study shows.

use eval_ssa::agreement::alpha_interval;
use eval_ssa::bootstrap::{Bootstrap, Unit};
use eval_ssa::simulate::{SimulatedSystem, Simulation};
use eval_ssa::summary::Question;
use eval_ssa::{
    Answer, Check, CheckKind, Choice, Counts, Item, Label, Mode, Pair, Preference, Rating,
    Required, Study, Summary, System,
};

fn quick() -> Bootstrap {
    Bootstrap { resamples: 300, ..Bootstrap::default() }
}

/// Four systems, the better the lower their perplexity, with the optional third question.
fn sweep() -> Study {
    let system =
        |i: u32| SimulatedSystem::new(format!("p{}", 10 + 2 * i), 0.9 - 0.15 * f64::from(i), 0.6);
    let simulation = Simulation { systems: (0..4).map(system).collect(), ..Simulation::default() };
    let (mut study, _) = simulation.run();
    for i in 0..4 {
        let perplexity = Some(f64::from(10 + 2 * i));
        study.systems.push(System {
            name: format!("p{}", 10 + 2 * i),
            perplexity,
            ..System::default()
        });
    }
    for rating in &mut study.ratings {
        rating.human_like = rating.answer.sensible();
        rating.guideline = "en-1".into();
    }
    study.check().unwrap();
    study
}

#[test]
fn one_conversation_says_nothing_of_others() {
    let unit = |sum| Unit { sum, count: 4.0 };
    let many: Vec<Unit> = (0..10).map(|i| unit(f64::from(i % 2))).collect();
    let difference = quick().unpaired(&[unit(4.0)], &many).unwrap();
    assert!(difference.percentile[0] > 0.0 && difference.t_interval.is_none());
    assert!(!difference.excludes_zero());
    let votes = |rows: &[[u32; 2]]| {
        Counts::from_items(rows.iter().map(|row| row.to_vec()).collect()).unwrap()
    };
    let [talk, other] = [votes(&[[2, 1], [0, 3], [3, 0]]), votes(&[[1, 2], [1, 2]])];
    let of = |all: &[&Counts]| {
        let all: Vec<Counts> = all.iter().map(|&counts| counts.clone()).collect();
        alpha_interval(&all, &quick())
    };
    assert_eq!(of(&[&talk]), None);
    assert_eq!(of(&[&talk, &votes(&[[1, 0]])]), None, "the other has no pair of votes");
    assert_eq!(of(&[&talk, &talk]), None, "all resamples are the same");
    assert!(of(&[&talk, &other]).is_some());
}

#[test]
fn lines_go_through_the_systems_of_a_mode() {
    let mut study = sweep();
    let summary = Summary::of(&study, &quick());
    let names: Vec<(&str, &str)> =
        summary.correlations.iter().map(|found| (&*found.x, &*found.y)).collect();
    assert_eq!(
        names,
        [
            ("perplexity", "sensibleness"),
            ("perplexity", "specificity"),
            ("perplexity", "SSA"),
            ("SSA", "human-likeness"),
        ]
    );
    for found in &summary.correlations {
        let sign = if found.x == "perplexity" { -1.0 } else { 1.0 };
        assert!(found.line.slope.value.unwrap() * sign > 0.0, "{found:?}");
        assert!(found.line.r_squared.value.unwrap() > 0.9 && found.points.len() == 4);
        assert!(found.line.warnings[0].contains("4 points are few"));
    }
    let likeness = summary.scores[0].human_likeness.as_ref().unwrap();
    assert!((likeness.value - summary.scores[0].sensibleness.as_ref().unwrap().value).abs() < 0.01);
    study.systems.truncate(1);
    let one = Summary::of(&study, &quick());
    assert!(one.correlations.iter().all(|found| found.x == "SSA"));
}

#[test]
fn agreement_stands_for_each_question_with_its_interval() {
    let summary = Summary::of(&sweep(), &quick());
    let questions: Vec<Question> = summary.agreement.iter().map(|found| found.question).collect();
    use Question::{HumanLike, Sensible, Specific, SpecificIfAsked};
    assert_eq!(questions, [Sensible, Specific, SpecificIfAsked, HumanLike]);
    for found in &summary.agreement {
        let [low, high] = found.alpha_interval.as_ref().unwrap().percentile;
        let alpha = found.agreement.alpha.value.unwrap();
        assert!(low < alpha && alpha < high && high - low < 0.2, "{low} {alpha} {high}");
    }
}

#[test]
fn warnings_and_methods_say_what_a_reader_needs() {
    let system = |name: &str, sensible| SimulatedSystem::new(name, sensible, 1.0);
    let simulation = Simulation {
        systems: vec![system("always", 1.0), system("often", 0.8)],
        conversations: 6,
        raters: vec![1.0; 5],
        skips: 0.0,
        ..Simulation::default()
    };
    let (mut study, _) = simulation.run();
    study.ratings[50].guideline = "en-2".into();
    study.ratings.retain(|rating| rating.item != study.items[41].id);
    study.items.remove(0);
    study.ratings.retain(|rating| study.items.iter().any(|item| item.id == rating.item));
    study.items.push(Item {
        id: "static".into(),
        system: "often".into(),
        conversation: "c".into(),
        ..Item::default()
    });
    let summary = Summary::of(&study, &quick());
    let warnings = summary.warnings.join("\n");
    for part in [
        "always (interactive): 6 conversations: percentile intervals of so few are too narrow, and \
         the interval for small samples is the one to quote",
        "often (interactive): 6 conversations: percentile intervals of so few are too narrow",
        "always (interactive): sensibleness, specificity, SSA are the same in all conversations",
        "1 interactive conversation has fewer than 7 rated responses",
        "different guidelines: \"\", \"en-2\"",
        "often (static): 1 of 1 responses have no label yet",
        "SSA over all responses is within 0.0 % to 100.0 %",
    ] {
        assert!(warnings.contains(part), "{part:?} is missing in {warnings}");
    }
    for part in [
        "Of 83 responses of 2 systems, 82 are decided so far: from 6 conversations with each system",
        "rated by 5 raters (5 took part",
        "Krippendorff's alpha was 1.00",
        "for small samples the score interval with Student's t quantile",
    ] {
        assert!(summary.methods.contains(part), "{part:?} is missing in {}", summary.methods);
    }
    assert!(!summary.methods.contains("0 contexts"), "nothing is decided: {}", summary.methods);
    let json = serde_json::to_string(&summary).unwrap();
    assert!(!json.contains("NaN") && !json.contains("inf"));
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
}

/// Fifty conversations are enough for percentile intervals; with one less the report warns of them,
/// and quotes the others.
#[test]
fn only_small_studies_are_told_that_their_intervals_are_too_narrow() {
    for (conversations, is_small) in [(49, true), (50, false)] {
        let systems = vec![SimulatedSystem::new("bot", 0.8, 0.6)];
        let simulation = Simulation { systems, conversations, ..Simulation::default() };
        let summary = Summary::of(&simulation.run().0, &quick());
        let warnings = summary.warnings.join("\n");
        assert_eq!(warnings.contains("too narrow"), is_small, "{conversations}: {warnings}");
        let ssa = summary.scores[0].ssa.as_ref().unwrap();
        let quoted = if is_small { ssa.small_sample.unwrap() } else { ssa.percentile };
        assert_eq!(ssa.to_quote(), quoted);
    }
}

/// One row a number; what is undefined is an empty cell with its reason beside it.
#[test]
fn the_table_of_a_summary_has_no_nan() {
    let system = SimulatedSystem::new("=always", 1.0, 1.0);
    let simulation = Simulation {
        systems: vec![system.clone(), SimulatedSystem { name: "b".into(), ..system }],
        raters: vec![1.0; 5],
        skips: 0.0,
        conversations: 4,
        ..Simulation::default()
    };
    let summary = Summary::of(&simulation.run().0, &quick());
    let table = String::from_utf8(summary.csv()).unwrap();
    assert!(!table.contains("NaN"), "{table}");
    let mut lines = table.lines();
    assert_eq!(
        lines.next(),
        Some(
            "what,mode,system,other_system,measure,value,undefined,standard_error,percentile_low,\
             percentile_high,small_sample_low,small_sample_high,units,responses"
        )
    );
    let row = |start: &str| {
        table.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{table}"))
    };
    assert!(row("score,interactive,'=always,,SSA,").contains(",1,,0,1,1,0."));
    assert!(row("difference,interactive,'=always,b,SSA,").contains(",0,,0,0,0,0,0,4,"));
    assert_eq!(row("alpha,,,,sensible,"), "alpha,,,,sensible,,undefined (no variation),,,,,,,");
    assert!(row("pairwise agreement,,,,sensible,").contains("sensible,1,,"));
}

/// Answers to known items and skips are no answers about responses; whoever gave nothing else did
/// not take part.
#[test]
fn the_methods_count_answers_about_rated_responses_alone() {
    let rated = |id: &str, system: &str| Item {
        id: id.into(),
        system: system.into(),
        conversation: "c".into(),
        ..Item::default()
    };
    let known = Item {
        check: Some(Check { kind: CheckKind::Gold, expected: Label::Specific, explanation: None }),
        ..rated("gold", "gold")
    };
    let rating = |item: &str, rater: &str, guideline: &str| Rating {
        guideline: guideline.into(),
        ..Rating::new(item, rater, Label::Specific.into())
    };
    let mut ratings = Vec::new();
    for rater in ["r1", "r2", "r3"] {
        ratings.extend(["a/1", "b/1"].map(|item| rating(item, rater, "en-2")));
    }
    ratings[5].answer = Answer::Skipped { reason: String::new() };
    ratings[5].guideline = "en-1".into();
    ratings.extend(["r1", "trainee"].map(|rater| rating("gold", rater, "en-1")));
    let required = Required::new(3).unwrap();
    let items = vec![rated("a/1", "a"), rated("b/1", "b"), known];
    let mut study = Study { items, ratings, required, ..Study::default() };
    study.check().unwrap();
    let summary = Summary::of(&study, &quick());
    assert_eq!((summary.ratings, summary.skips), (5, 1));
    assert_eq!(summary.guidelines, [("en-2".to_owned(), 5)].into());
    let warnings = summary.warnings.join("\n");
    assert!(!warnings.contains("different guidelines"), "{warnings}");
    let said = summary.methods;
    assert!(said.contains("by 3 raters (3 took part, 5 answers and 1 skip), who"), "{said}");
    for part in ["third question", "Side by side"] {
        assert!(!said.contains(part), "{said}");
    }

    // Who skipped all took part too.
    let mut skipped = rating("a/1", "r4", "en-2");
    skipped.answer = Answer::Skipped { reason: String::new() };
    study.ratings.push(skipped);
    let said = Summary::of(&study, &quick()).methods;
    assert!(said.contains("(4 took part, 5 answers and 2 skips)"), "{said}");

    study.ratings[0].human_like = Some(true);
    study.pairs.push(Pair {
        id: "p".into(),
        conversation: "c".into(),
        systems: ["a", "b"].map(str::to_owned),
        ..Pair::default()
    });
    let choices = [("r1", Choice::Second), ("r2", Choice::Tie), ("r3", Choice::BothBad)];
    study.preferences.extend(choices.map(|(rater, choice)| Preference::new("p", rater, choice)));
    study.check().unwrap();
    let summary = Summary::of(&study, &quick());
    let share = summary.contests[0].score.as_ref().unwrap().value;
    assert!((share - 1.0 / 3.0).abs() < 1e-12, "two halves of three: {share}");
    for part in [
        "; a third question was whether a person could have said it",
        "Side by side, 3 choices between two systems' responses to the same turns were made by 3 \
         raters: a tie, whether both are as good or both are bad, counts as half a vote for each.",
    ] {
        assert!(summary.methods.contains(part), "{part:?} is missing in {}", summary.methods);
    }
}

/// One rater, one response: nothing agrees or differs, and no interval is made up.
#[test]
fn a_single_vote_is_told_as_such() {
    let item =
        Item { id: "i".into(), system: "s".into(), conversation: "c".into(), ..Item::default() };
    let ratings = vec![Rating::new("i", "r", Label::Specific.into())];
    let required = Required::new(1).unwrap();
    let study = Study { items: vec![item], ratings, required, ..Study::default() };
    let summary = Summary::of(&study, &quick());
    assert_eq!(summary.scores[0].ssa.as_ref().map(|ssa| (ssa.value, ssa.units)), Some((1.0, 1)));
    for part in [
        "1 response of 1 system to 1 context was rated.",
        "by 1 rater (1 took part, 1 answer)",
        "On sensibleness, no response has two votes",
    ] {
        assert!(summary.methods.contains(part), "{part:?} is missing in {}", summary.methods);
    }
    assert!(!summary.methods.contains("no case"), "{}", summary.methods);
    let warnings = summary.warnings.join("\n");
    assert!(warnings.contains("one says nothing of others"), "{warnings}");
    assert!(!warnings.contains("no width"), "there is no interval at all: {warnings}");
    assert!(summary.agreement.iter().all(|found| found.warning.is_none()));
}

/// Of a study that goes on, the methods count what is decided, and the contexts of that alone.
#[test]
fn the_methods_of_a_half_done_study_say_how_far_it_is() {
    let item = |system: &str, context: u32| Item {
        id: format!("{system}/{context}"),
        system: system.into(),
        conversation: format!("c{context}"),
        ..Item::default()
    };
    let items: Vec<Item> = ["a", "b"].iter().flat_map(|s| (0..12).map(|c| item(s, c))).collect();
    let decided = items.iter().filter(|item| {
        let context: u32 = item.conversation[1..].parse().unwrap();
        context < if item.system == "a" { 5 } else { 8 }
    });
    let ratings = decided.map(|item| Rating::new(&item.id, "r", Label::Specific.into())).collect();
    let required = Required::new(1).unwrap();
    let mut study = Study { items, ratings, required, ..Study::default() };
    let said = Summary::of(&study, &quick()).methods;
    let wanted =
        "Of 24 responses of 2 systems, 13 are decided so far: to 5 to 8 contexts for each system.";
    assert!(said.starts_with(wanted), "{said}");
    // What is no perplexity does not come as far as a line.
    for (perplexity, is_one) in [(0.5, false), (-3.0, false), (1.0, true), (1e308, true)] {
        let system = System { name: "a".into(), perplexity: Some(perplexity), ..System::default() };
        study.systems = vec![system];
        let fault = study.check().err().map(|fault| fault.to_string()).unwrap_or_default();
        assert_eq!(fault.contains("system \"a\": a perplexity is"), !is_one, "{fault}");
    }
}

/// A study in which nothing has been rated yet, and one with nothing in it.
#[test]
fn an_empty_study_has_a_summary() {
    let empty = Summary::of(&Study::default(), &quick());
    assert!(empty.scores.is_empty() && empty.agreement.is_empty() && empty.warnings.is_empty());
    let (mut study, _) = Simulation { conversations: 2, ..Simulation::default() }.run();
    study.ratings.clear();
    let summary = Summary::of(&study, &quick());
    assert!(summary.scores.iter().all(|s| s.ssa.is_none() && s.progress.unrated == 14));
    assert_eq!(summary.scores[0].ssa_bounds, Some([0.0, 1.0]));
    assert_eq!(study.modes().into_iter().collect::<Vec<_>>(), [Mode::Interactive]);
}
