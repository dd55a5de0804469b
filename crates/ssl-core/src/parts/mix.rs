//! MixUp (Zhang et al. 2018, arXiv 1710.09412): convex combinations of samples and of their
//! targets.

use torch::{Device, Kind, Tensor, rng};

/// A draw from Beta(α, α) as a scalar on `device`, from libtorch's generator there
/// ([`rng::draw_on`]).
pub fn beta(alpha: f64, device: Device) -> Tensor {
    betas(alpha, 1, device).squeeze()
}

/// A draw from Beta(α, α) for each of `rows` rows: `[rows]` on `device`, from libtorch's generator
/// there ([`rng::draw_on`]).
pub fn betas(alpha: f64, rows: i64, device: Device) -> Tensor {
    let both = rng::draw_on(device, |device| {
        Tensor::full([rows, 2], alpha, (Kind::Float, device)).internal_sample_dirichlet()
    });
    both.select(1, 0)
}

/// `λ · a + (1 − λ) · b`; `lambda` is a scalar or of the shape of `a` and `b`.
pub fn mix(a: &Tensor, b: &Tensor, lambda: &Tensor) -> Tensor {
    b + lambda * (a - b)
}

/// `λ · a + (1 − λ) · b` with a λ for each row: `lambda` is `[rows]`, `a` and `b` are
/// `[rows, ...]`.
pub fn mix_rows(a: &Tensor, b: &Tensor, lambda: &Tensor) -> Tensor {
    let ones = std::iter::repeat_n(1, a.dim() - 1);
    let shape: Vec<i64> = std::iter::once(a.size()[0]).chain(ones).collect();
    mix(a, b, &lambda.reshape(shape))
}

/// A random order of `rows` rows: int64 `[rows]` on `device`, from libtorch's generator there
/// ([`rng::draw_on`]).
pub fn permutation(rows: i64, device: Device) -> Tensor {
    rng::draw_on(device, |device| Tensor::randperm(rows, (Kind::Int64, device)))
}
