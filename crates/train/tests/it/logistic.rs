//! Logistic regression against scikit-learn's.

use torch::Tensor;
use train::Logistic;

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

#[test]
fn coefficients_are_those_of_scikit_learn() {
    let golden: Golden = serde_json::from_str(include_str!("../golden/logistic.json")).unwrap();
    let rows = |rows: &[Vec<f64>]| {
        let flat: Vec<f32> = rows.iter().flatten().map(|v| *v as f32).collect();
        Tensor::from_slice(&flat).view([rows.len() as i64, -1])
    };
    let (x, y) = (rows(&golden.x), Tensor::from_slice(&golden.y));
    for case in golden.cases {
        let ours = Logistic::fit_to(1e-9, &x, &y, 3, case.c);
        let far = |ours: &Tensor, theirs: &Tensor| (ours - theirs).abs().max().double_value(&[]);
        let weights = far(&ours.weight, &rows(&case.weight));
        // A number added to all biases changes no probability; scikit-learn's have mean 0 too.
        let bias = far(&ours.bias, &rows(&[case.bias]).view([-1]));
        assert!(weights < 1e-4 && bias < 1e-4, "C = {}: {weights}, {bias}", case.c);
    }
}
