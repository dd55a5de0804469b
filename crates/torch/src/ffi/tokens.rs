//! Rows in another order (`shim/rows.cpp`), and dropout by a key (`shim/dropout.cpp`).

use std::ffi::c_char;

use tch::Tensor;

use super::{Handle, handle, made};

unsafe extern "C" {
    fn tutor_rows(x: Handle, places: Handle, back: Handle, out: *mut Handle) -> *mut c_char;
    fn tutor_dropout(x: Handle, rate: f64, out: *mut Handle) -> *mut c_char;
}

/// Row i of the result is row `places[i]` of `x`, or zeros where that is negative.
pub(crate) fn rows(x: &Tensor, places: &Tensor, back: &Tensor) -> Tensor {
    made("rows in another order", |out| {
        // SAFETY: the tensors are live; the caller has checked that places lie within `x`.
        unsafe { tutor_rows(handle(x), handle(places), handle(back), out) }
    })
}

/// `x` with a part `rate` of its numbers dropped.
pub(crate) fn dropout(x: &Tensor, rate: f64) -> Tensor {
    // SAFETY: the tensor is live.
    made("dropout", |out| unsafe { tutor_dropout(handle(x), rate, out) })
}
