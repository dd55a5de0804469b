//! Rows of a matrix in another order, with room between them.

use tch::{Device, Tensor};

use crate::device::tensor_on;
use crate::ffi;

/// Where each row of a matrix goes, and where each row of the result comes from.
///
/// ```
/// use torch::{Device, Kind, Tensor, rows::Rows};
///
/// // Rows 2 and 0, and one of zeros between them; row 1 goes nowhere.
/// let rows = Rows::new(&[Some(2), None, Some(0)], 3, Device::Cpu);
/// let x = Tensor::from_slice(&[1f32, 2.0, 3.0]).view([3, 1]);
/// let y = rows.forward(&x);
/// assert_eq!(y, Tensor::from_slice(&[3f32, 0.0, 1.0]).view([3, 1]));
/// assert_eq!(rows.back(&y), Tensor::from_slice(&[1f32, 0.0, 3.0]).view([3, 1]));
/// ```
#[derive(Debug)]
pub struct Rows {
    places: Tensor,
    back: Tensor,
}

impl Rows {
    /// `places[i]` is the row of a matrix of `count` rows that row i of the result is, zeros where
    /// there is none. Panics if a row goes to two places or is not there.
    pub fn new(places: &[Option<usize>], count: usize, device: Device) -> Self {
        let mut back = vec![-1_i64; count];
        for (i, &place) in places.iter().enumerate() {
            if let Some(place) = place {
                assert_eq!(back[place], -1, "row {place} goes to two places");
                back[place] = i as i64;
            }
        }
        let places: Vec<i64> = places.iter().map(|p| p.map_or(-1, |p| p as i64)).collect();
        let on = |list: &[i64]| tensor_on(list, device);
        Self { places: on(&places), back: on(&back) }
    }

    /// `[count, width]` to `[places, width]`, of any kind.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        ffi::tokens::rows(x, &self.places, &self.back)
    }

    /// The other way: `[places, width]` to `[count, width]`; rows that went nowhere are zeros.
    pub fn back(&self, y: &Tensor) -> Tensor {
        ffi::tokens::rows(y, &self.back, &self.places)
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::grad::{grad, grad_with_graph};

    #[test]
    fn gradients_go_back_to_where_rows_came_from() {
        let rows = Rows::new(&[Some(2), None, Some(0), Some(3)], 4, Device::Cpu);
        for kind in [Kind::Float, Kind::Double, Kind::BFloat16] {
            let x = Tensor::arange(12, (kind, Device::Cpu)).view([4, 3]).set_requires_grad(true);
            let y = rows.forward(&x);
            let weight = Tensor::arange(12, (kind, Device::Cpu)).view([4, 3]);
            let slope = grad(&(&y * &weight).sum(kind), &[&x]).swap_remove(0);
            let expected = Tensor::stack(
                &[weight.get(2), weight.get(0).zeros_like(), weight.get(0), weight.get(3)],
                0,
            );
            assert_eq!(slope, expected, "{kind:?}");
        }
        let x = Tensor::arange(4, (Kind::Float, Device::Cpu)).view([4, 1]).set_requires_grad(true);
        let cubes = rows.forward(&x).pow_tensor_scalar(3).sum(Kind::Float);
        let slope = grad_with_graph(&cubes, &[&x]).swap_remove(0);
        let curvature = grad(&slope.sum(Kind::Float), &[&x]).swap_remove(0);
        assert_eq!(curvature, Tensor::from_slice(&[0f32, 0.0, 12.0, 18.0]).view([4, 1]));
    }

    #[test]
    #[should_panic(expected = "goes to two places")]
    fn a_row_goes_to_one_place() {
        let _ = Rows::new(&[Some(0), Some(0)], 1, Device::Cpu);
    }
}
