//! Distributions that mixing policies draw from.

use crate::rng::Rng;

/// A gamma number of this shape, above 0, and scale 1 (Marsaglia and Tsang 2000; below shape 1 by
/// their boost).
pub fn gamma(shape: f64, rng: &mut Rng) -> f64 {
    assert!(shape > 0.0 && shape.is_finite(), "a gamma shape of {shape}");
    if shape < 1.0 {
        let boost = (1.0 - rng.unit()).powf(1.0 / shape);
        return gamma(shape + 1.0, rng) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = rng.normal();
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - rng.unit();
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// A beta number in `[0, 1]` of these shapes.
pub fn beta(a: f64, b: f64, rng: &mut Rng) -> f64 {
    let (x, y) = (gamma(a, rng), gamma(b, rng));
    // At tiny shapes both may be 0; the distribution then has the values 0 and 1 only.
    if x + y > 0.0 { x / (x + y) } else { f64::from(u8::from(rng.chance(a / (a + b)))) }
}

/// `N` shares that sum to 1, symmetric Dirichlet of this shape.
pub fn dirichlet<const N: usize>(shape: f64, rng: &mut Rng) -> [f64; N] {
    let mut shares = [0.0; N];
    dirichlet_into(shape, rng, &mut shares);
    shares
}

/// Fills `shares` with numbers that sum to 1, symmetric Dirichlet of this shape.
pub(crate) fn dirichlet_into(shape: f64, rng: &mut Rng, shares: &mut [f64]) {
    for share in shares.iter_mut() {
        *share = gamma(shape, rng);
    }
    let (total, equal) = (shares.iter().sum::<f64>(), 1.0 / shares.len() as f64);
    for share in shares {
        *share = if total > 0.0 { *share / total } else { equal };
    }
}
