//! Rows in another order (`shim/rows.cpp`), dropout by a key (`shim/dropout.cpp`), and convolutions
//! along sequences (`shim/sequences.cpp`).

use std::ffi::c_char;

use tch::Tensor;

use super::{Handle, expect, handle, made};

unsafe extern "C" {
    fn tutor_rows(x: Handle, places: Handle, back: Handle, out: *mut Handle) -> *mut c_char;
    fn tutor_dropout(
        x: Handle,
        rate: f64,
        places: *const i64,
        ranges: usize,
        out: *mut Handle,
    ) -> *mut c_char;
    fn tutor_sequences(
        x: Handle,
        weight: Handle,
        starts: Handle,
        back: i64,
        out: *mut Handle,
    ) -> *mut c_char;
}

/// Row i of the result is row `places[i]` of `x`, or zeros where that is negative.
pub(crate) fn rows(x: &Tensor, places: &Tensor, back: &Tensor) -> Tensor {
    made("rows in another order", |out| {
        // SAFETY: the tensors are live; the caller has checked that places lie within `x`.
        unsafe { tutor_rows(handle(x), handle(places), handle(back), out) }
    })
}

/// `x` with a part `rate` of its numbers dropped, as where it lies in a larger tensor: in ranges of
/// numbers, each with the place of its first number there and how many there are.
pub(crate) fn dropout(x: &Tensor, rate: f64, places: &[[i64; 2]]) -> Tensor {
    let (ranges, places) = (places.len(), places.as_ptr().cast());
    // SAFETY: the tensor is live; `places` has two numbers a range, which the shim copies.
    made("dropout", |out| unsafe { tutor_dropout(handle(x), rate, places, ranges, out) })
}

/// Each channel of `x` convolved with its column of `weight` along the sequences; none where there
/// are no loops for it.
pub(crate) fn sequences(x: &Tensor, weight: &Tensor, starts: &Tensor, back: i64) -> Option<Tensor> {
    let mut out = std::ptr::null_mut();
    let [x, weight, starts] = [x, weight, starts].map(handle);
    // SAFETY: the tensors are live.
    let error = unsafe { tutor_sequences(x, weight, starts, back, &mut out) };
    expect(error, "a convolution along sequences");
    // SAFETY: without an error `out` is null or a new tensor, whose owner is the caller.
    (!out.is_null()).then(|| unsafe { Tensor::from_ptr(out) })
}
