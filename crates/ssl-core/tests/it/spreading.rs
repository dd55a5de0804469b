//! Labels that spread over nearest neighbours, against dense matrices in numpy and plain loops.

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

/// The crate's formulas one number at a time: the graph as lists of neighbours, and Z as where
/// Z ← αSZ + Y ends.
fn by_loops(x: &[[f32; 4]], k: usize, labels: &[Option<u32>], alpha: f64) -> Vec<[f64; 3]> {
    let unit = |row: &[f32; 4]| {
        let row = row.map(f64::from);
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        row.map(|x| x / length)
    };
    let x: Vec<[f64; 4]> = x.iter().map(unit).collect();
    let mut edges = vec![Vec::new(); x.len()];
    for i in 0..x.len() {
        let cosine = |j: usize| (0..4).map(|d| x[i][d] * x[j][d]).sum::<f64>();
        let others = (0..x.len()).filter(|&j| j != i);
        let mut others: Vec<(usize, f64)> = others.map(|j| (j, cosine(j))).collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1));
        for &(j, cosine) in &others[..k] {
            let affinity = cosine.max(0.0).powi(3);
            edges[i].push((j, affinity));
            edges[j].push((i, affinity));
        }
    }
    let degrees: Vec<f64> = edges.iter().map(|all| all.iter().map(|edge| edge.1).sum()).collect();
    let given = |label: &Option<u32>| [0, 1, 2].map(|c| f64::from(u8::from(*label == Some(c))));
    let y: Vec<[f64; 3]> = labels.iter().map(given).collect();
    let mut z = y.clone();
    for _ in 0..300 {
        let next = |i: usize| {
            let mut sum = y[i];
            for &(j, affinity) in &edges[i] {
                let share = alpha * affinity / (degrees[i] * degrees[j]).sqrt();
                (0..3).for_each(|c| sum[c] += share * z[j][c]);
            }
            sum
        };
        z = (0..x.len()).map(next).collect();
    }
    z
}

/// More samples than rows of similarities that are in memory at once, 512.
#[test]
fn many_samples_are_compared_some_at_a_time() {
    let (n, k, alpha) = (600, 3, 0.8);
    let features =
        |i: usize| [0.0, 1.0, 2.0, 3.0].map(|d: f64| (i as f64 * (1.3 + d * d) + d).sin() as f32);
    let x: Vec<[f32; 4]> = (0..n).map(features).collect();
    // Every fiftieth has a label.
    let labels: Vec<Option<u32>> =
        (0..n).map(|i| (i % 50 == 0).then_some((i / 50 % 3) as u32)).collect();
    let flat = Tensor::from_slice(x.as_flattened()).view([n as i64, 4]);
    let ours = Neighbours::of(&flat, k).spread(&labels, 3, alpha);
    let theirs = Tensor::from_slice(by_loops(&x, k as usize, &labels, alpha).as_flattened());
    let off = (ours - theirs.view([n as i64, 3])).abs().max().double_value(&[]);
    assert!(off < 1e-6, "off by {off}");
}
