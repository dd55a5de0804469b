//! Classes and scores where predictions say little.

use metrics::{
    Better, Confusion, Score, SpanScores, brier_score, calibration_error, pearson, spearman,
};
use proptest::prelude::*;

fn confusion(truth: &str, prediction: &str) -> Confusion {
    let mut confusion = Confusion::new(2);
    for (truth, prediction) in truth.bytes().zip(prediction.bytes()) {
        confusion.add(usize::from(truth - b'0'), usize::from(prediction - b'0'));
    }
    confusion
}

/// Constant predictions and labels, and a few values worked out by hand.
#[test]
fn degenerate_predictions() {
    let constant = confusion("1011", "1111").matthews();
    assert_eq!((constant.value, constant.shown), (Some(0.0), 0.0));
    assert_eq!(constant.note.unwrap(), "all predictions are class 1");
    let undefined = confusion("1111", "1111").matthews();
    assert_eq!((undefined.value, undefined.shown), (None, 0.0));
    assert_eq!(undefined.note.unwrap(), "all labels are class 1");
    let score = confusion("11100101", "10101101").matthews().value.unwrap();
    assert!((score - 0.4666667).abs() < 1e-7, "{score}");
    let pair = confusion("111100", "111010");
    assert_eq!(pair.f1(1).value, Some(75.0));
    assert!((pair.accuracy().unwrap() - 66.6667).abs() < 1e-4);
    let truth = [0.0, 1.0, 1.0, 2.0, 5.0];
    for score in [pearson(&truth, &[0.5; 5]), spearman(&truth, &[0.5; 5])] {
        assert_eq!(
            (score.value, score.note.as_deref()),
            (None, Some("all predictions are the same"))
        );
    }
}

/// Of class 0, 3 of 4 are found and all that are said to be it are; of class 1 both are found, and
/// 2 of the 3 that are said to be it are.
#[test]
fn precision_divides_by_predictions_and_recall_by_labels() {
    let counts = confusion("000011", "000111");
    assert_eq!(counts.counts(), [[3, 1], [0, 2]]);
    let both = |class| [counts.precision(class), counts.recall(class)].map(|s| s.value.unwrap());
    assert_eq!(both(0), [100.0, 75.0]);
    let [precision, recall] = both(1);
    assert!((precision - 200.0 / 3.0).abs() < 1e-9 && recall == 100.0, "{precision} {recall}");
}

/// Bins of a fifteenth, each with |Σ p − how many are right|: .51 and .52 up to 8/15, 0.03; .58 up
/// to 9/15, 0.42; .62 and .66 up to 10/15, 0.28; .97 and .99 up to 1, 0.96; 1.69 for 7 samples.
#[test]
fn calibration_has_fifteen_bins() {
    let samples = [
        (0.51, true),
        (0.52, false),
        (0.58, true),
        (0.62, false),
        (0.66, true),
        (0.97, true),
        (0.99, false),
    ];
    let error = calibration_error(samples).unwrap();
    assert!((error - 169.0 / 7.0).abs() < 1e-5, "{error}");
}

#[test]
fn what_is_undefined_says_why() {
    let why = |score: Score| {
        assert_eq!((score.value, score.shown), (None, 0.0));
        score.note.unwrap()
    };
    assert_eq!(why(Confusion::new(2).matthews()), "nothing was predicted");
    assert!(why(Confusion::new(2).f1(1)).contains("neither a label nor a prediction"));
    assert_eq!(confusion("00", "11").f1(1).value, Some(0.0));
    assert!(why(confusion("11", "11").precision(0)).contains("no prediction is class 0"));
    assert!(why(confusion("11", "11").recall(0)).contains("no label is class 0"));
    assert_eq!(why(Confusion::new(2).macro_f1()), "nothing was predicted");
    assert_eq!(why(Confusion::new(0).macro_f1()), "nothing was predicted");
    assert!(why(pearson(&[1.0], &[1.0])).contains("fewer than two"));
    assert!(why(pearson(&[1.0, 2.0], &[f64::NAN, 1.0])).contains("no finite number"));
    assert!(why(spearman(&[1.0, 2.0], &[f64::INFINITY, 1.0])).contains("no finite number"));
    assert!(why(SpanScores::default().all.f1()).contains("no span"));
    // NaN improves on no number.
    assert!(!Better::Higher.improves(f64::NAN, -1.0));
}

proptest! {
    #[test]
    fn correlations_keep_their_bounds(
        pairs in proptest::collection::vec((-1e6f64..1e6, -1e6f64..1e6), 2..40), factor in 0.01f64..100.0,
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        for score in [pearson(&a, &b), spearman(&a, &b)] {
            prop_assert!(score.value.is_none_or(|value| (-1.0..=1.0).contains(&value)));
        }
        let other: Vec<f64> = b.iter().map(|x| factor * x + 3.0).collect();
        if let (Some(one), Some(two)) = (spearman(&a, &b).value, spearman(&a, &other).value) {
            prop_assert!((one - two).abs() < 1e-9);
        }
    }

    #[test]
    fn any_numbers_and_tags_are_measured(
        numbers in proptest::collection::vec(any::<f64>(), 0..10),
        tags in proptest::collection::vec(".{0,4}", 0..10),
    ) {
        let back: Vec<f64> = numbers.iter().rev().copied().collect();
        for score in [pearson(&numbers, &back), spearman(&numbers, &back)] {
            prop_assert!(score.value.is_none_or(f64::is_finite));
        }
        let mut scores = SpanScores::default();
        scores.add(&tags, &tags);
        prop_assert_eq!(scores.all.right, scores.all.labelled);
    }
}

#[test]
#[should_panic(expected = "class 2 of 2 classes")]
fn a_class_that_there_is_not_has_no_f1() {
    let _ = Confusion::new(2).f1(2);
}

proptest! {
    /// Probabilities of 0 and 1 are right or wrong: both say the share that is wrong.
    #[test]
    fn calibration_and_brier_score_of_certain_models(right in prop::collection::vec(any::<bool>(), 1..40)) {
        let wrong = right.iter().filter(|right| !**right).count() as f64 / right.len() as f64;
        let error = calibration_error(right.iter().map(|&right| (1.0, right))).unwrap();
        prop_assert!((error - 100.0 * wrong).abs() < 1e-9);
        let rows = right.iter().map(|&right| ([1.0, 0.0].as_slice(), usize::from(!right)));
        prop_assert!((brier_score(rows).unwrap() - 2.0 * wrong).abs() < 1e-9);
    }
}
