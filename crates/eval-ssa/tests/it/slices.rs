//! Scores by turn and by the length of the context, worked out by hand.

use eval_ssa::bootstrap::Bootstrap;
use eval_ssa::score::{Slice, scores};
use eval_ssa::{
    Answer, Check, CheckKind, Item, Label, Mode, Rating, Required, Study, Summary, Turn,
};

/// A response after `turn` turns, of which raters are shown `shown`.
fn item(id: &str, system: &str, mode: Mode, turn: u32, shown: usize) -> Item {
    Item {
        id: id.into(),
        mode,
        system: system.into(),
        conversation: id.split('/').next().unwrap().into(),
        turn,
        context: vec![Turn::new("A", "Hi!"); shown],
        ..Item::default()
    }
}

/// Three conversations with "bot"; beside them the same system in static mode, another system, a
/// known answer and two responses without a label, none of which may count for the bot's slices.
fn study() -> Study {
    use Label::{NotSensible, Sensible, Specific};
    let mut study = Study { required: Required::new(3).unwrap(), ..Study::default() };
    for (id, system, mode, turn, shown, label) in [
        ("a/1", "bot", Mode::Interactive, 1, 1, Some(Specific)),
        ("a/3", "bot", Mode::Interactive, 3, 3, Some(Sensible)),
        ("a/5", "bot", Mode::Interactive, 5, 2, Some(NotSensible)),
        ("b/1", "bot", Mode::Interactive, 1, 1, Some(NotSensible)),
        ("b/3", "bot", Mode::Interactive, 3, 2, Some(Specific)),
        ("b/5", "bot", Mode::Interactive, 5, 2, None),
        ("c/1", "bot", Mode::Interactive, 1, 1, Some(Sensible)),
        ("c/7", "bot", Mode::Interactive, 7, 7, None),
        ("d", "bot", Mode::Static, 1, 1, Some(Specific)),
        ("e/1", "other", Mode::Interactive, 1, 1, Some(Specific)),
        ("gold", "bot", Mode::Interactive, 1, 1, Some(Specific)),
    ] {
        study.items.push(item(id, system, mode, turn, shown));
        let label = label.unwrap_or(Specific);
        for rater in 0..3 {
            study.ratings.push(Rating::new(id, format!("r{rater}"), label.into()));
        }
    }
    study.items.last_mut().unwrap().check =
        Some(Check { kind: CheckKind::Gold, expected: Specific, explanation: None });
    // One vote of three, and none at all.
    for rating in study.ratings.iter_mut().filter(|rating| rating.item == "b/5") {
        if rating.rater != "r0" {
            rating.answer = Answer::Skipped { reason: "?".into() };
        }
    }
    study.ratings.retain(|rating| rating.item != "c/7");
    study.check().unwrap();
    study
}

fn check(found: &[Slice], wanted: &[(u32, usize, f64, f64, f64)]) {
    let keys: Vec<(u32, usize)> = found.iter().map(|slice| (slice.key, slice.responses)).collect();
    let wanted_keys: Vec<(u32, usize)> = wanted.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(keys, wanted_keys);
    for (slice, (key, _, sensibleness, specificity, ssa)) in found.iter().zip(wanted) {
        for (got, want) in
            [(slice.sensibleness, sensibleness), (slice.specificity, specificity), (slice.ssa, ssa)]
        {
            assert!((got - want).abs() < 1e-12, "{key}: {slice:?}");
        }
    }
}

#[test]
fn scores_by_turn_and_by_context_length_are_those_by_hand() {
    let summary = Summary::of(&study(), &Bootstrap { resamples: 50, ..Bootstrap::default() });
    let names: Vec<(&str, Mode)> =
        summary.scores.iter().map(|score| (&*score.system, score.mode)).collect();
    let (live, fixed) = (Mode::Interactive, Mode::Static);
    assert_eq!(names, [("bot", fixed), ("bot", live), ("other", live)]);
    let bot = &summary.scores[1];
    let third = 1.0 / 3.0;
    // After turn 1 one response of each label; after 3 a sensible and a specific one; after 5 one
    // that makes no sense, beside one without a label; after 7 nothing that counts.
    check(
        &bot.by_turn,
        &[(1, 3, 2.0 * third, third, 0.5), (3, 2, 1.0, 0.5, 0.75), (5, 1, 0.0, 0.0, 0.0)],
    );
    // Shown two turns: the specific one after turn 3 and the one without sense after turn 5.
    check(
        &bot.by_context_length,
        &[(1, 3, 2.0 * third, third, 0.5), (2, 2, 0.5, 0.5, 0.5), (3, 1, 1.0, 0.0, 0.5)],
    );
    for alone in [&summary.scores[0], &summary.scores[2]] {
        check(&alone.by_turn, &[(1, 1, 1.0, 1.0, 1.0)]);
        check(&alone.by_context_length, &[(1, 1, 1.0, 1.0, 1.0)]);
    }
}

/// The slices of a system hold its decided responses once each.
#[test]
fn slices_add_up_to_the_score() {
    let (study, _) = eval_ssa::simulate::Simulation::default().run();
    for score in scores(&study, &Bootstrap { resamples: 50, ..Bootstrap::default() }) {
        assert_eq!(
            score.by_turn.iter().map(|s| s.key).collect::<Vec<_>>(),
            [1, 3, 5, 7, 9, 11, 13]
        );
        assert_eq!(score.by_context_length.len(), 1);
        for slices in [&score.by_turn, &score.by_context_length] {
            let responses: usize = slices.iter().map(|slice| slice.responses).sum();
            assert_eq!(responses, score.progress.decided);
            let sum: f64 = slices.iter().map(|slice| slice.ssa * slice.responses as f64).sum();
            let ssa = score.ssa.as_ref().unwrap().value;
            assert!((sum / responses as f64 - ssa).abs() < 1e-12, "{sum}");
        }
    }
}
