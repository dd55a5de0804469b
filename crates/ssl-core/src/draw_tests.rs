//! What methods draw: the right number of values, from the right distribution.

use torch::{Device, Kind, Tensor};

use crate::methods::{
    AdaMatch, AdaMatchConfig, Ict, IctConfig, MixMatch, MixMatchConfig, MixMixUp, MixMixUpConfig,
    ReMixMatch, ReMixMatchConfig, Vadd, VaddConfig,
};
use crate::{Batch, TaskInfo};

const TASK: TaskInfo = TaskInfo { classes: 3, unlabeled: 9, device: Device::Cpu };

/// Two labelled samples and two views of four unlabelled ones.
fn batch() -> Batch {
    let samples = |n: i64| Tensor::zeros([n, 1, 2, 2], (Kind::Float, Device::Cpu));
    let labeled = Batch::labeled(samples(2), Tensor::from_slice(&[0i64, 2]));
    Batch { u: vec![samples(4), samples(4)], ..labeled }
}

/// Checks draws of λ against mean and variance of Beta(α, α): 1/2 and 1 / (4 (2α + 1)).
#[track_caller]
fn assert_beta(alpha: f64, draw: impl Fn() -> Tensor) {
    const COUNT: usize = 4000;
    let lambdas: Vec<f64> = (0..COUNT).map(|_| draw().double_value(&[])).collect();
    let mean = lambdas.iter().sum::<f64>() / COUNT as f64;
    let variance = lambdas.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / COUNT as f64;
    let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
    // More than six standard deviations of either.
    assert!((mean - 0.5).abs() < 6.0 * (expected / COUNT as f64).sqrt(), "mean {mean}");
    assert!((variance / expected - 1.0).abs() < 0.15, "variance {variance}, not {expected}");
}

/// Checks an order of `count` samples: each of them once.
#[track_caller]
fn assert_permutation(order: &Tensor, count: i64) {
    let mut order = Vec::<i64>::try_from(order).unwrap();
    order.sort_unstable();
    assert_eq!(order, (0..count).collect::<Vec<_>>());
}

#[test]
fn mixing_coefficients_are_beta() {
    let batch = batch();
    let ict = Ict::new(IctConfig::default());
    for i in 0..2 {
        assert_beta(1.0, || ict.draw(&batch).lambdas[i].shallow_clone());
    }
    let [a, b] = ict.draw(&batch).lambdas.map(|t| t.double_value(&[]));
    assert!(a != b, "labelled and unlabelled samples have their own: {a}, {b}");
    let mixmatch = MixMatch::new(MixMatchConfig::default());
    let remixmatch = ReMixMatch::new(ReMixMatchConfig::default(), &TASK);
    for i in 0..10 {
        assert_beta(0.75, || mixmatch.draw(&batch).lambda.get(i));
        assert_beta(0.75, || remixmatch.draw(&batch).lambda.get(i));
    }
    for each in [mixmatch.draw(&batch).lambda, remixmatch.draw(&batch).lambda] {
        let each = Vec::<f64>::try_from(each.to_kind(Kind::Double)).unwrap();
        assert_eq!(each.len(), 10, "one for each sample");
        assert!(each.windows(2).all(|pair| pair[0] != pair[1]), "each its own: {each:?}");
    }
    let mixmixup = MixMixUp::new(MixMixUpConfig { alpha: 3.0, ..MixMixUpConfig::default() });
    for i in 0..3 {
        assert_beta(3.0, || mixmixup.draw(&batch).lambdas[i].shallow_clone());
    }
    let [a, b, c] = mixmixup.draw(&batch).lambdas.map(|t| t.double_value(&[]));
    assert!(a != b && b != c, "each mixture has its own: {a}, {b}, {c}");
}

#[test]
fn samples_are_mixed_with_each_other_once() {
    let batch = batch();
    let ict = Ict::new(IctConfig::default()).draw(&batch);
    assert_permutation(&ict.labeled, 2);
    assert_permutation(&ict.unlabeled, 4);
    assert_permutation(&MixMatch::new(MixMatchConfig::default()).draw(&batch).permutation, 10);
    let remixmatch = ReMixMatch::new(ReMixMatchConfig::default(), &TASK);
    assert_permutation(&remixmatch.draw(&batch).permutation, 10);
    let mixmixup = MixMixUp::new(MixMixUpConfig::default());
    let mut across = Vec::new();
    for _ in 0..20 {
        let [labeled, unlabeled, both] = mixmixup.draw(&batch).orders;
        assert_permutation(&labeled, 2);
        assert_permutation(&unlabeled, 4);
        assert_eq!(both.size(), [4]);
        across.extend(Vec::<i64>::try_from(both).unwrap());
    }
    across.sort_unstable();
    across.dedup();
    assert_eq!(across, [0, 1], "unlabelled samples are mixed with labelled ones");
}

#[test]
fn adamatch_draws_a_uniform_number_for_each_labelled_logit() {
    let batch = Batch::labeled(
        Tensor::zeros([2000, 1], (Kind::Float, Device::Cpu)),
        Tensor::zeros([2000], (Kind::Int64, Device::Cpu)),
    );
    let method = AdaMatch::new(AdaMatchConfig::default(), &TASK);
    let lambda = method.draw(&batch).lambda.unwrap();
    assert_eq!(lambda.size(), [2000, 3]);
    let (mean, variance) = (lambda.mean(Kind::Double), lambda.var(true));
    assert!((mean.double_value(&[]) - 0.5).abs() < 0.025, "{mean}");
    assert!((variance.double_value(&[]) - 1.0 / 12.0).abs() < 0.01, "{variance}");
    let off = AdaMatchConfig { interpolate: false, ..AdaMatchConfig::default() };
    assert!(AdaMatch::new(off, &TASK).draw(&batch).lambda.is_none());
}

#[test]
fn vadd_keeps_what_dropout_does_not_drop() {
    let features = Tensor::zeros([400, 50], (Kind::Float, Device::Cpu));
    let method = Vadd::new(VaddConfig { dropout: 0.2, ..VaddConfig::default() });
    let [first, second] = method.draw(&features).masks;
    for mask in [&first, &second] {
        let kept = mask.mean(Kind::Double).double_value(&[]);
        assert!((kept - 0.8).abs() < 0.018, "{kept}");
        assert_eq!(mask.eq(0.0).logical_or(&mask.eq(1.0)).all().int64_value(&[]), 1);
    }
    assert!(first != second);
}
