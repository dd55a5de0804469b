//! Losses against float64 numpy, and what must hold of a divergence.

use proptest::prelude::*;
use torch::loss::{cross_entropy, kl_divergence, smoothed_targets, soft_cross_entropy};
use torch::{Kind, Tensor};

use crate::golden;

#[track_caller]
fn close(ours: &Tensor, theirs: &Tensor) {
    assert_eq!((ours.size(), ours.kind()), (theirs.size(), Kind::Float));
    assert!(ours.to_kind(Kind::Double).allclose(theirs, 1e-5, 1e-6, false), "{ours} {theirs}");
}

#[test]
fn losses_are_those_of_float64() {
    let (arrays, _) = golden("loss");
    let [logits, labels, soft] = ["logits", "labels", "soft"].map(|key| &arrays[key]);
    close(&soft_cross_entropy(logits, soft), &arrays["soft_cross_entropy"]);
    close(&cross_entropy(logits, labels), &arrays["cross_entropy"]);
    let targets = smoothed_targets(labels, 5, 0.1);
    close(&targets, &arrays["smooth"]);
    close(&soft_cross_entropy(logits, &targets), &arrays["smoothed_cross_entropy"]);
    close(&kl_divergence(soft, logits), &arrays["kl_divergence"]);
}

#[test]
fn bfloat16_logits_give_float32_losses() {
    let (arrays, _) = golden("loss");
    let logits = arrays["logits"].to_kind(Kind::BFloat16);
    let same = logits.to_kind(Kind::Float);
    let (labels, soft) = (&arrays["labels"], &arrays["soft"]);
    assert_eq!(cross_entropy(&logits, labels), cross_entropy(&same, labels));
    assert_eq!(soft_cross_entropy(&logits, soft), soft_cross_entropy(&same, soft));
}

proptest! {
    #[test]
    fn divergence_is_never_negative_and_zero_at_equality(z in proptest::collection::vec(-8f32..8.0, 10)) {
        let both = Tensor::from_slice(&z).view([2, 5]);
        let p = both.get(0).softmax(-1, Kind::Float).unsqueeze(0);
        let same = kl_divergence(&p, &both.narrow(0, 0, 1)).double_value(&[0]);
        let other = kl_divergence(&p, &both.narrow(0, 1, 1)).double_value(&[0]);
        prop_assert!(same.abs() < 1e-5, "{}", same);
        prop_assert!(other > -1e-5, "{}", other);
    }
}
