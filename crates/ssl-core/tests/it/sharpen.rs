//! Properties of sharpening.

use proptest::prelude::*;
use ssl_core::parts::{hard_labels, sharpen};
use torch::{Kind, Tensor};

const CLASSES: usize = 6;

/// Rows of probabilities from almost certain to almost uniform, some classes at 0.
fn rows() -> impl Strategy<Value = Vec<f32>> {
    let row = (
        proptest::collection::vec(-30f32..0.0, CLASSES),
        proptest::bits::u8::between(0, CLASSES - 1),
        0.02f32..1.0,
    );
    let row = row.prop_map(|(logits, zeros, scale)| {
        let mut weights: Vec<f32> = logits.iter().map(|z| (z * scale).exp()).collect();
        for (i, weight) in weights.iter_mut().enumerate().skip(1) {
            // The first stays, so that a row never is all 0.
            if zeros & (1 << i) != 0 {
                *weight = 0.0;
            }
        }
        let sum: f32 = weights.iter().sum();
        weights.into_iter().map(|w| w / sum).collect::<Vec<_>>()
    });
    proptest::collection::vec(row, 1..5).prop_map(|rows| rows.concat())
}

fn tensor(p: &[f32]) -> Tensor {
    Tensor::from_slice(p).view([-1, CLASSES as i64])
}

fn values(t: &Tensor) -> Vec<f32> {
    Vec::try_from(t.reshape([-1])).unwrap()
}

proptest! {
    #[test]
    fn rows_stay_distributions_in_the_same_order(p in rows(), temperature in prop_oneof![0.01f64..1.0, 1.0f64..50.0]) {
        let sharp = values(&sharpen(&tensor(&p), temperature));
        for (before, after) in p.chunks(CLASSES).zip(sharp.chunks(CLASSES)) {
            prop_assert!((after.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{after:?}");
            for i in 0..CLASSES {
                prop_assert!((0.0..=1.0).contains(&after[i]));
                prop_assert!(before[i] > 0.0 || after[i] == 0.0, "{before:?} {after:?}");
                for j in 0..CLASSES {
                    prop_assert!(before[i] < before[j] || after[i] >= after[j], "{before:?} {after:?}");
                }
            }
        }
    }

    #[test]
    fn the_temperature_is_a_power(p in rows(), temperature in 0.2f64..5.0) {
        let sharp = values(&sharpen(&tensor(&p), temperature));
        for (before, after) in p.chunks(CLASSES).zip(sharp.chunks(CLASSES)) {
            let powers: Vec<f64> = before.iter().map(|&p| f64::from(p).powf(1.0 / temperature)).collect();
            let sum: f64 = powers.iter().sum();
            for (power, &after) in powers.iter().zip(after) {
                prop_assert!((power / sum - f64::from(after)).abs() < 1e-5, "{before:?} {after:?}");
            }
        }
    }

    #[test]
    fn one_changes_no_bit(p in rows()) {
        prop_assert_eq!(values(&sharpen(&tensor(&p), 1.0)), p);
    }

    #[test]
    fn towards_nought_only_the_most_probable_is_left(p in rows()) {
        for row in p.chunks(CLASSES) {
            let mut sorted = row.to_vec();
            sorted.sort_by(f32::total_cmp);
            prop_assume!(sorted[CLASSES - 1] > 1.01 * sorted[CLASSES - 2]);
        }
        let p = tensor(&p);
        let wanted = values(&hard_labels(&p).one_hot(CLASSES as i64).to_kind(Kind::Float));
        for temperature in [1e-5, 1e-12, 1e-30] {
            prop_assert_eq!(&values(&sharpen(&p, temperature)), &wanted);
        }
    }
}

#[test]
fn equals_share_and_the_first_of_them_is_named() {
    let p = Tensor::from_slice(&[0.1_f32, 0.4, 0.1, 0.4]).view([1, 4]);
    assert_eq!(values(&sharpen(&p, 1e-6)), [0.0, 0.5, 0.0, 0.5]);
    assert_eq!(hard_labels(&p).int64_value(&[0]), 1);
}
