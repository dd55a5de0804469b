//! Finds tensors that contain NaN or infinity.

use tch::{Kind, Tensor};

/// The first of some tensors with a value that is NaN or infinite: its position, and such a value
/// or the sum that it spoils. One synchronisation with the device; tensors of any shape and kind.
///
/// ```
/// use torch::{Tensor, finite};
/// let [good, bad] = [Tensor::from(1.0_f32), Tensor::from_slice(&[1.0, f64::INFINITY])];
/// assert_eq!(finite::first_bad(&[&good, &bad]), Some((1, f64::INFINITY)));
/// assert_eq!(finite::first_bad(&[&good]), None);
/// ```
pub fn first_bad(tensors: &[&Tensor]) -> Option<(usize, f64)> {
    let device = tensors.first()?.device();
    let finite: Vec<_> = tensors.iter().map(|t| t.isfinite().all().to_device(device)).collect();
    let finite = Vec::<bool>::try_from(Tensor::stack(&finite, 0)).expect("a flag a tensor");
    let at = finite.iter().position(|ok| !ok)?;
    // The sum of a tensor with such a value is not finite either.
    Some((at, tensors[at].sum(Kind::Double).double_value(&[])))
}
