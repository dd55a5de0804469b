//! Sparse rows, their singular values and their logistic regression against scikit-learn's.

use proptest::prelude::*;
use torch::{Device, Kind, Tensor};
use train::{Logistic, LogisticConfig, SparseRows, TruncatedSvd};

#[derive(serde::Deserialize)]
struct Golden {
    x: Vec<Vec<f64>>,
    y: Vec<i64>,
    values: Vec<f64>,
    projected: Vec<Vec<f64>>,
    c: f64,
    weight: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/sparse.json")).unwrap()
}

fn dense(rows: &[Vec<f64>]) -> Tensor {
    Tensor::from_slice(&rows.concat()).view([rows.len() as i64, -1])
}

/// The numbers of rows that are not 0.
fn sparse(rows: &[Vec<f64>]) -> SparseRows {
    let row = |row: &Vec<f64>| {
        let numbers = row.iter().enumerate().filter(|(_, value)| **value != 0.0);
        numbers.map(|(column, value)| (column as u32, *value as f32)).collect()
    };
    SparseRows::new(&rows.iter().map(row).collect::<Vec<_>>(), rows[0].len())
}

fn far(ours: &Tensor, theirs: &Tensor) -> f64 {
    (ours.to_kind(Kind::Double) - theirs).abs().max().double_value(&[])
}

#[test]
fn singular_values_and_projections_are_those_of_scikit_learn() {
    let golden = golden();
    let _alone = torch::rng::exclusive();
    torch::rng::seed(3);
    let rows = sparse(&golden.x);
    let svd = TruncatedSvd::of(&rows, 3);
    assert!(far(&svd.values, &Tensor::from_slice(&golden.values)) < 1e-6);
    // Signs of columns are free.
    let far = far(&rows.times(&svd.components).abs(), &dense(&golden.projected).abs());
    assert!(far < 1e-4, "{far}");
}

#[test]
fn logistic_regression_of_sparse_rows_is_that_of_scikit_learn() {
    let golden = golden();
    let y = Tensor::from_slice(&golden.y);
    let config = LogisticConfig { c: golden.c, tolerance: 1e-9 };
    let ours = Logistic::fit_sparse(&config, &sparse(&golden.x), &y, 3);
    let weight = far(&ours.weight, &dense(&golden.weight));
    let bias = far(&ours.bias, &Tensor::from_slice(&golden.bias));
    assert!(weight < 1e-4 && bias < 1e-4, "{weight}, {bias}");
}

proptest! {
    #[test]
    fn products_are_those_of_dense_matrices(
        rows in proptest::collection::vec(proptest::collection::vec(-2_i32..3, 4), 1..6),
        k in 1_i64..4,
    ) {
        let rows: Vec<Vec<f64>> =
            rows.iter().map(|row| row.iter().map(|value| f64::from(*value)).collect()).collect();
        let (sparse, dense) = (sparse(&rows), dense(&rows));
        let numbers = |n: i64| {
            Tensor::arange(n * k, (Kind::Double, Device::Cpu)).view([n, k]).sin()
        };
        let (right, left) = (numbers(4), numbers(rows.len() as i64));
        prop_assert!(far(&sparse.times(&right), &dense.matmul(&right)) < 1e-12);
        prop_assert!(far(&sparse.transposed_times(&left), &dense.tr().matmul(&left)) < 1e-12);
    }

    #[test]
    fn a_matrix_of_any_size_is_decomposed(
        rows in proptest::collection::vec(proptest::collection::vec(-2_i32..3, 4), 1..6),
        k in 1_usize..9,
    ) {
        let rows: Vec<Vec<f64>> =
            rows.iter().map(|row| row.iter().map(|value| f64::from(*value)).collect()).collect();
        let matrix = sparse(&rows);
        let _alone = torch::rng::exclusive();
        let svd = TruncatedSvd::of(&matrix, k);
        let found = k.min(4).min(rows.len()) as i64;
        prop_assert_eq!(svd.components.size(), [4, found]);
        // The columns are orthonormal, even where the matrix has a lower rank.
        let eye = Tensor::eye(found, (Kind::Double, Device::Cpu));
        prop_assert!(far(&svd.components.tr().matmul(&svd.components), &eye) < 1e-9);
        if found as usize == rows.len().min(4) {
            // All values: nothing of the matrix is lost.
            let again = matrix.times(&svd.components).matmul(&svd.components.tr());
            prop_assert!(far(&again, &dense(&rows)) < 1e-9);
        }
    }
}
