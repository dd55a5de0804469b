//! Training signal annealing against thresholds worked out by hand.

use ssl_core::parts::Tsa;
use torch::{Kind, Tensor};
use train::Progress;

const HALF: Progress = Progress { step: 50, steps: 100 };

#[test]
fn thresholds_rise_from_chance_to_one() {
    // exp(−2.5) = 0.0820849986238988; with five classes η = α · 0.8 + 0.2.
    let small = 0.082_084_998_623_898_8;
    let cases = [
        (Tsa::None, 1.0),
        (Tsa::Linear, 0.6),
        (Tsa::Log, (1.0 - small) * 0.8 + 0.2),
        (Tsa::Exp, small * 0.8 + 0.2),
    ];
    for (tsa, threshold) in cases {
        assert!((tsa.threshold(HALF, 5) - threshold).abs() < 1e-12, "{tsa:?}");
    }
}

#[test]
fn a_label_counts_up_to_the_threshold() {
    // Right classes with probabilities 0.5, 0.5 and about 1: two classes, threshold 0.75.
    let logits = Tensor::from_slice(&[0.0_f32, 0.0, 3.0, 3.0, 9.0, 0.0]).view([3, 2]);
    let labels = Tensor::from_slice(&[0i64, 1, 0]);
    let (loss, released) = Tsa::Linear.cross_entropy(&logits, &labels, HALF);
    assert!((loss.double_value(&[]) - 2f64.ln()).abs() < 1e-6);
    assert!((released.double_value(&[]) - 2.0 / 3.0).abs() < 1e-6);

    // Nothing counts: the loss is 0, not 0 / 0.
    let certain = logits.narrow(0, 2, 1);
    let (loss, released) = Tsa::Exp.cross_entropy(&certain, &labels.narrow(0, 2, 1), HALF);
    assert_eq!((loss.double_value(&[]), released.double_value(&[])), (0.0, 0.0));
    assert_eq!(loss.kind(), Kind::Float);
}
