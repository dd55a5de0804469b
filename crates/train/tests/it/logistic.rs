//! Logistic regression against scikit-learn's.

use std::cell::Cell;

use torch::{Device, Kind, Tensor};
use train::{Logistic, LogisticConfig};

#[derive(serde::Deserialize)]
struct Golden {
    x: Vec<Vec<f64>>,
    y: Vec<i64>,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    c: f64,
    weight: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

/// A fit to the last digits.
fn exact(c: f64) -> LogisticConfig {
    LogisticConfig { c, tolerance: 1e-9 }
}

#[test]
fn coefficients_are_those_of_scikit_learn() {
    let golden: Golden = serde_json::from_str(include_str!("../golden/logistic.json")).unwrap();
    let rows = |rows: &[Vec<f64>]| {
        let flat: Vec<f32> = rows.iter().flatten().map(|v| *v as f32).collect();
        Tensor::from_slice(&flat).view([rows.len() as i64, -1])
    };
    let (x, y) = (rows(&golden.x), Tensor::from_slice(&golden.y));
    for case in golden.cases {
        let ours = Logistic::fit(&exact(case.c), &x, &y, 3);
        let far = |ours: &Tensor, theirs: &Tensor| (ours - theirs).abs().max().double_value(&[]);
        let weights = far(&ours.weight, &rows(&case.weight));
        // A number added to all biases changes no probability; scikit-learn's have mean 0 too.
        let bias = far(&ours.bias, &rows(&[case.bias]).view([-1]));
        assert!(weights < 1e-4 && bias < 1e-4, "C = {}: {weights}, {bias}", case.c);
    }
}

/// Each sample twice at half the weight is the same sum, looked for in another way: among sums of
/// samples where these are fewer than their features, else among all weights.
#[test]
fn few_samples_are_fitted_as_many_are() {
    let x = Tensor::arange(8 * 12, (Kind::Float, Device::Cpu)).view([8, 12]).sin();
    let y = Tensor::from_slice(&[0i64, 1, 2, 0, 1, 2, 2, 1]);
    let twice = |t: &Tensor| Tensor::cat(&[t, t], 0);
    for c in [0.01, 1.0, 10.0] {
        let few = Logistic::fit(&exact(c), &x, &y, 3);
        let many = Logistic::fit(&exact(c / 2.0), &twice(&x), &twice(&y), 3);
        assert!(few.weight.allclose(&many.weight, 1e-4, 1e-5, false), "C = {c}");
        assert!((&few.bias - &few.bias.mean(Kind::Float)).allclose(
            &(&many.bias - &many.bias.mean(Kind::Float)),
            1e-4,
            1e-5,
            false
        ));
    }
}

#[test]
fn a_fit_ends_when_it_is_told_to() {
    let x = Tensor::arange(8 * 3, (Kind::Float, Device::Cpu)).view([8, 3]).sin();
    let y = Tensor::from_slice(&[0i64, 1, 0, 1, 0, 1, 1, 1]);
    let after = |steps: usize| {
        let left = Cell::new(steps + 1);
        let stop = || {
            left.set(left.get().saturating_sub(1));
            left.get() == 0
        };
        Logistic::fit_until(&exact(1.0), &x, &y, 2, &stop).weight
    };
    assert_eq!(after(0).abs().max().double_value(&[]), 0.0);
    let whole = Logistic::fit(&exact(1.0), &x, &y, 2).weight;
    let off = |steps| (after(steps) - &whole).norm().double_value(&[]);
    assert!(off(1) > off(4) && off(4) > off(40), "{} {} {}", off(1), off(4), off(40));
}
