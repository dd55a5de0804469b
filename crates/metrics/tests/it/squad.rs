//! Answers to questions, by the official scripts' values.

use metrics::{Answered, SquadVersion, answer_score, normalize_answer, squad1, squad2};
use proptest::prelude::*;

#[test]
fn answers_that_normalise_to_nothing_match_both_official_scripts() {
    type Expected = (f64, f64);
    let cases: [(&[&str], &str, Expected, Option<Expected>); 11] = [
        (&["The"], "the", (1.0, 1.0), Some((1.0, 0.0))),
        (&["The"], "A", (1.0, 1.0), Some((1.0, 0.0))),
        (&["The"], "", (1.0, 1.0), Some((1.0, 0.0))),
        (&["A"], "a cat", (0.0, 0.0), Some((0.0, 0.0))),
        (&["The Beatles"], "Beatles", (1.0, 1.0), Some((1.0, 1.0))),
        (&["the cat sat"], "cat sat on the mat", (0.0, 2.0 / 3.0), Some((0.0, 2.0 / 3.0))),
        (&[], "", (1.0, 1.0), None),
        (&[], "the", (1.0, 1.0), None),
        (&[], "Paris", (0.0, 0.0), None),
        (&["x the the x"], "x x x", (0.0, 0.8), Some((0.0, 0.8))),
        (&["a", "an orange"], "orange", (1.0, 1.0), Some((1.0, 1.0))),
    ];
    for (golds, prediction, v2, v1) in cases {
        let check = |version, (exact, f1): Expected| {
            let score = answer_score(prediction, golds, version);
            assert_eq!(score.exact, 100.0 * exact, "{golds:?} {prediction:?} {version:?}");
            assert!(
                (score.f1 / 100.0 - f1).abs() < 1e-12,
                "{golds:?} {prediction:?} {version:?}: {score:?}"
            );
        };
        check(SquadVersion::V2, v2);
        if let Some(v1) = v1 {
            check(SquadVersion::V1, v1);
        }
    }
    assert_eq!(normalize_answer("theatre a_b an\u{1c}x Ⅷ the"), "theatre ab x ⅷ");
}

/// Thresholds of "no answer", and the warning when all of its scores are 0.
#[test]
fn thresholds_match_the_official_script() {
    let golds: [&[&str]; 6] = [&["Paris"], &["in 1998", "1998"], &["the red fox"], &[], &[], &[]];
    let predictions = ["Paris", "1998", "red fox jumps", "London", "", "blue"];
    let answered = |no_answer: [f64; 6]| -> Vec<Answered<'static>> {
        let rows = golds.iter().zip(predictions).zip(no_answer);
        rows.map(|((golds, prediction), no_answer)| Answered {
            golds: golds.to_vec(),
            prediction: Some(prediction),
            no_answer,
        })
        .collect()
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-3, "{a} {b}");
    let scores = squad2(&answered([-5.0, -1.0, 0.5, 2.0, 3.0, -2.0]), 0.0).unwrap();
    near(scores.all.exact, 66.6667);
    near(scores.all.f1, 66.6667);
    for part in [scores.has_answer.unwrap(), scores.no_answer.unwrap()] {
        near(part.exact, 66.6667);
        near(part.f1, 66.6667);
        assert_eq!(part.questions, 3);
    }
    near(scores.best_exact.0, 66.6667);
    near(scores.best_exact.1, -5.0);
    near(scores.best_f1.0, 80.0);
    near(scores.best_f1.1, 0.5);
    assert!(scores.warnings.is_empty());
    // The fault: all scores are 0.
    let scores = squad2(&answered([0.0; 6]), 0.0).unwrap();
    near(scores.all.exact, 50.0);
    near(scores.all.f1, 63.333);
    near(scores.best_exact.0, 83.333);
    near(scores.best_f1.0, 96.667);
    assert_eq!((scores.best_exact.1, scores.best_f1.1), (0.0, 0.0));
    assert!(scores.warnings[0].contains("all no-answer scores are 0"), "{:?}", scores.warnings);
}

#[test]
fn questions_without_predictions() {
    let one = |prediction| Answered { golds: vec!["x"], prediction, no_answer: 0.0 };
    let answered = [one(Some("x")), one(None)];
    assert_eq!(squad1(&answered).unwrap().exact, 50.0);
    let two = squad2(&answered, 1.0).unwrap();
    assert_eq!((two.all.exact, two.all.questions, two.no_answer), (100.0, 1, None));
    assert_eq!((squad1(&[]), squad2(&[one(None)], 0.0)), (None, None));
}

proptest! {
    #[test]
    fn scores_keep_their_bounds(gold in ".{0,20}", prediction in ".{0,20}", no_answer: f64) {
        for version in [SquadVersion::V1, SquadVersion::V2] {
            let score = answer_score(&prediction, &[&gold], version);
            prop_assert!(score.exact <= 100.0 && (0.0..=100.0).contains(&score.f1));
            let same = answer_score(&gold, &[&gold], SquadVersion::V2);
            prop_assert_eq!((same.exact, same.f1), (100.0, 100.0));
        }
        let plain = normalize_answer(&gold);
        prop_assert!(plain.split(' ').all(|word| !["a", "an", "the"].contains(&word)));
        let answered = [Answered { golds: vec![&gold], prediction: Some(&prediction), no_answer }];
        prop_assert!(squad2(&answered, 0.0).is_some());
    }
}
