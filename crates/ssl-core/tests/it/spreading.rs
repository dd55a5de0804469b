//! Labels that spread over nearest neighbours, against dense matrices in numpy.

use serde::Deserialize;
use ssl_core::spreading::Neighbours;
use torch::{Kind, Tensor};

#[derive(Deserialize)]
struct Golden {
    x: Vec<Vec<f32>>,
    labels: Vec<Option<u32>>,
    classes: i64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    neighbours: i64,
    alpha: f64,
    z: Vec<Vec<f64>>,
}

fn golden() -> (Tensor, Golden) {
    let golden: Golden =
        serde_json::from_str(include_str!("../golden/spreading.json")).expect("golden values");
    let x = Tensor::from_slice(&golden.x.concat()).view([golden.x.len() as i64, -1]);
    (x, golden)
}

#[test]
fn what_spreads_is_what_dense_matrices_give() {
    let (x, Golden { labels, classes, cases, .. }) = golden();
    assert_eq!(cases.len(), 4);
    for Case { neighbours, alpha, z } in cases {
        let ours = Neighbours::of(&x, neighbours).spread(&labels, classes, alpha);
        let theirs = Tensor::from_slice(&z.concat()).view_as(&ours);
        let off = (ours - &theirs).abs().max().double_value(&[]);
        let largest = theirs.abs().max().double_value(&[]);
        // Features are float32 here.
        assert!(off < 1e-6 * largest, "{neighbours} neighbours, alpha {alpha}: off by {off}");
    }
}

#[test]
fn many_classes_are_found_some_at_a_time() {
    let (x, Golden { labels, .. }) = golden();
    let graph = Neighbours::of(&x, 4);
    let few = graph.spread(&labels, 3, 0.8);
    let many = graph.spread(&labels, 40, 0.8);
    assert!(many.narrow(1, 0, 3).allclose(&few, 1e-7, 1e-9, false));
    assert_eq!(many.narrow(1, 3, 37).abs().max().double_value(&[]), 0.0);
    // Without any label nothing spreads.
    let none = graph.spread(&vec![None; labels.len()], 3, 0.8);
    assert_eq!(none.abs().sum(Kind::Double).double_value(&[]), 0.0);
}
