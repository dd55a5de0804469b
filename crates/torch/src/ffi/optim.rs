//! The optimisers of `shim/optim.cpp`. Each parameter has a weight decay and a factor of the
//! learning rate of its own.

use std::ffi::c_char;

use tch::Tensor;

use super::{Handle, expect, handles};

unsafe extern "C" {
    fn tutor_zero_grad(p: *const Handle, n: usize) -> *mut c_char;
    fn tutor_clip_grad_norm(p: *const Handle, n: usize, max: f64, norm: *mut f64) -> *mut c_char;
    fn tutor_clip_grad_norm_later(
        p: *const Handle,
        n: usize,
        max: f64,
        norm: *mut Handle,
    ) -> *mut c_char;
    fn tutor_sgd(
        p: *const Handle,
        buffer: *const Handle,
        decay: *const f64,
        rate: *const f64,
        n: usize,
        lr: f64,
        momentum: f64,
        nesterov: bool,
        loops: bool,
    ) -> *mut c_char;
    fn tutor_rmsprop(
        p: *const Handle,
        square: *const Handle,
        buffer: *const Handle,
        decay: *const f64,
        rate: *const f64,
        n: usize,
        lr: f64,
        rho: f64,
        momentum: f64,
        eps: f64,
        loops: bool,
    ) -> *mut c_char;
    fn tutor_adamw(
        p: *const Handle,
        mean: *const Handle,
        square: *const Handle,
        step: *const Handle,
        decay: *const f64,
        rate: *const f64,
        n: usize,
        lr: f64,
        beta1: f64,
        beta2: f64,
        eps: f64,
        corrected: bool,
        loops: bool,
    ) -> *mut c_char;
}

/// Makes every gradient undefined.
pub(crate) fn zero_grad(params: &[Tensor]) {
    let p = handles(params);
    // SAFETY: `p` holds `p.len()` live tensors.
    expect(unsafe { tutor_zero_grad(p.as_ptr(), p.len()) }, "zero_grad");
}

/// Scales gradients down to a joint norm of at most `max`; gives the norm before.
pub(crate) fn clip_grad_norm(params: &[Tensor], max: f64) -> f64 {
    let p = handles(params);
    let mut norm = 0.0;
    // SAFETY: `p` holds `p.len()` live tensors; `norm` outlives the call.
    expect(unsafe { tutor_clip_grad_norm(p.as_ptr(), p.len(), max, &mut norm) }, "clip_grad_norm");
    norm
}

/// Scales gradients as [`clip_grad_norm`] does, without waiting for the device, on which the norm
/// stays.
pub(crate) fn clip_grad_norm_later(params: &[Tensor], max: f64) -> Tensor {
    let p = handles(params);
    let mut norm = std::ptr::null_mut();
    let clip = tutor_clip_grad_norm_later;
    // SAFETY: `p` holds `p.len()` live tensors; `norm` outlives the call and is a new tensor then.
    unsafe {
        expect(clip(p.as_ptr(), p.len(), max, &mut norm), "clip_grad_norm_later");
        Tensor::from_ptr(norm)
    }
}

/// The constants of one step of SGD. `loops`, here and below, says whether plain loops do the work
/// on the CPU rather than libtorch's kernels: false only in tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SgdStep {
    pub(crate) lr: f64,
    pub(crate) momentum: f64,
    pub(crate) nesterov: bool,
    pub(crate) loops: bool,
}

/// One step of SGD. `buffer` is `None` without momentum.
pub(crate) fn sgd(
    params: &[Tensor],
    buffer: Option<&[Tensor]>,
    [decay, rate]: [&[f64]; 2],
    step: SgdStep,
) {
    let (p, b) = (handles(params), buffer.map(handles));
    assert_eq!([decay.len(), rate.len(), b.as_ref().map_or(p.len(), Vec::len)], [p.len(); 3]);
    let b = b.as_ref().map_or(std::ptr::null(), |b| b.as_ptr());
    let SgdStep { lr, momentum, nesterov, loops } = step;
    // SAFETY: all arrays hold `p.len()` entries, tensors are live; the shim takes a null `b` as "no
    // momentum".
    let error = unsafe {
        tutor_sgd(
            p.as_ptr(),
            b,
            decay.as_ptr(),
            rate.as_ptr(),
            p.len(),
            lr,
            momentum,
            nesterov,
            loops,
        )
    };
    expect(error, "step of SGD");
}

/// The constants of one step of RMSProp.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RmsPropStep {
    pub(crate) lr: f64,
    pub(crate) rho: f64,
    pub(crate) momentum: f64,
    pub(crate) eps: f64,
    pub(crate) loops: bool,
}

/// One step of RMSProp with TensorFlow's formula.
pub(crate) fn rmsprop(
    params: &[Tensor],
    square: &[Tensor],
    buffer: &[Tensor],
    [decay, rate]: [&[f64]; 2],
    step: RmsPropStep,
) {
    let (p, s, b) = (handles(params), handles(square), handles(buffer));
    assert_eq!([s.len(), b.len(), decay.len(), rate.len()], [p.len(); 4]);
    let RmsPropStep { lr, rho, momentum, eps, loops } = step;
    // SAFETY: all arrays hold `p.len()` entries and the tensors are live.
    let error = unsafe {
        tutor_rmsprop(
            p.as_ptr(),
            s.as_ptr(),
            b.as_ptr(),
            decay.as_ptr(),
            rate.as_ptr(),
            p.len(),
            lr,
            rho,
            momentum,
            eps,
            loops,
        )
    };
    expect(error, "step of RMSProp");
}

/// The constants of one step of AdamW.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamWStep {
    pub(crate) lr: f64,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) eps: f64,
    /// Whether the means are corrected for their start at 0.
    pub(crate) corrected: bool,
    pub(crate) loops: bool,
}

/// One step of AdamW. `steps` are float32 tensors with one value each, which the call counts up.
pub(crate) fn adamw(
    params: &[Tensor],
    mean: &[Tensor],
    square: &[Tensor],
    steps: &[Tensor],
    [decay, rate]: [&[f64]; 2],
    step: AdamWStep,
) {
    let (p, m, s, t) = (handles(params), handles(mean), handles(square), handles(steps));
    assert_eq!([m.len(), s.len(), t.len(), decay.len(), rate.len()], [p.len(); 5]);
    let AdamWStep { lr, beta1, beta2, eps, corrected, loops } = step;
    // SAFETY: all arrays hold `p.len()` entries and the tensors are live.
    let error = unsafe {
        tutor_adamw(
            p.as_ptr(),
            m.as_ptr(),
            s.as_ptr(),
            t.as_ptr(),
            decay.as_ptr(),
            rate.as_ptr(),
            p.len(),
            lr,
            beta1,
            beta2,
            eps,
            corrected,
            loops,
        )
    };
    expect(error, "step of AdamW");
}
