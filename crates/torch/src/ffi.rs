//! The functions of `shim/` as safe Rust: with the files below it the only one with `unsafe`.
//!
//! A tensor handed over is borrowed for the call. The shim writes through handles that are shared
//! on the Rust side too, as every in-place operation of `tch` does: what is shared is libtorch's
//! reference-counted tensor, which allows that.
#![allow(unsafe_code)]

pub(crate) mod group;
pub(crate) mod optim;
pub(crate) mod tokens;

use std::ffi::{CStr, CString, c_char};

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

/// libtorch's own `at::Tensor *`.
type Handle = *mut C_tensor;

/// What autocast was set to before a region was entered. Laid out as `Autocast` in the shim.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Autocast {
    dtype: i32,
    enabled: bool,
    cache: bool,
}

unsafe extern "C" {
    fn tutor_free(text: *mut c_char);
    fn tutor_version() -> *const c_char;
    fn tutor_keeps_graph() -> bool;
    fn tutor_changes(tensor: Handle) -> u64;
    fn tutor_lerp(
        to: *const Handle,
        from: *const Handle,
        n: usize,
        weight: f64,
        loops: bool,
    ) -> *mut c_char;
    fn tutor_copy(to: *const Handle, from: *const Handle, n: usize) -> *mut c_char;
    fn tutor_norm_relu(
        x: Handle,
        weight: Handle,
        bias: Handle,
        running_mean: Handle,
        running_var: Handle,
        rest: Handle,
        keep: Handle,
        batch: bool,
        momentum: f64,
        eps: f64,
        slope: f64,
        high: f64,
        loops: bool,
        out: *mut Handle,
    ) -> *mut c_char;
    fn tutor_onednn(bfloat16: bool) -> bool;
    fn tutor_fast_bfloat16() -> bool;
    fn tutor_conv_pack(
        weight: Handle,
        size: *const i64,
        shape: *const i64,
        out: *mut Handle,
    ) -> *mut c_char;
    fn tutor_conv(
        x: Handle,
        weight: Handle,
        bias: Handle,
        rest: Handle,
        shape: *const i64,
        activation: *const c_char,
        numbers: *const f64,
        count: usize,
        out: *mut Handle,
    ) -> *mut c_char;
    fn tutor_depthwise(
        x: Handle,
        weight: Handle,
        bias: Handle,
        shape: *const i64,
        low: f64,
        high: f64,
        out: *mut Handle,
    ) -> *mut c_char;
    fn tutor_depthwise_train(
        x: Handle,
        weight: Handle,
        shape: *const i64,
        out: *mut Handle,
    ) -> *mut c_char;
    fn tutor_seed(seed: u64, cuda: bool) -> *mut c_char;
    fn tutor_generator_state(device: i32, out: *mut Handle) -> *mut c_char;
    fn tutor_set_generator_state(device: i32, state: Handle) -> *mut c_char;
    fn tutor_autocast_enter(device: i32, on: bool, before: *mut Autocast) -> *mut c_char;
    fn tutor_autocast_leave(device: i32, before: *const Autocast) -> *mut c_char;
    fn tutor_cuda_defaults() -> *mut c_char;
    fn tutor_tf32(allowed: bool) -> *mut c_char;
    fn tutor_keep_memory();
    fn tutor_libtorch_folder() -> *mut c_char;
    fn tutor_open(path: *const c_char) -> *mut c_char;
    fn tutor_cuda_device(
        index: i32,
        name: *mut c_char,
        room: usize,
        bytes: *mut u64,
    ) -> *mut c_char;
    fn tutor_send(tensor: Handle, device: i32, out: *mut Handle) -> *mut c_char;
    fn tutor_peak_memory(device: i32, bytes: *mut u64) -> *mut c_char;
    // Of the C library.
    fn _exit(status: i32) -> !;
}

/// Takes a text that the shim allocated.
fn take(text: *mut c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, so it is a text that ends in 0 and was made by strdup; it is freed once,
    // here.
    unsafe {
        let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
        tutor_free(text);
        Some(copy)
    }
}

fn checked(error: *mut c_char) -> Result<(), String> {
    take(error).map_or(Ok(()), Err)
}

/// An error of an operation on tensors that this crate made itself is a bug.
#[track_caller]
fn expect(error: *mut c_char, what: &str) {
    if let Err(message) = checked(error) {
        panic!("{what}: {message}");
    }
}

fn handles(tensors: &[Tensor]) -> Vec<Handle> {
    tensors.iter().map(|t| t.as_ptr().cast_mut()).collect()
}

fn handle(t: &Tensor) -> Handle {
    t.as_ptr().cast_mut()
}

/// The tensor that a function of the shim makes where it is told to.
#[track_caller]
fn made(what: &str, make: impl FnOnce(*mut Handle) -> *mut c_char) -> Tensor {
    let mut out = std::ptr::null_mut();
    expect(make(&mut out), what);
    // SAFETY: without an error the shim has filled `out` with a new tensor, whose owner is the
    // caller.
    unsafe { Tensor::from_ptr(out) }
}

fn index(device: Device) -> i32 {
    match device {
        Device::Cuda(index) => i32::try_from(index).expect("number of a CUDA device"),
        _ => -1,
    }
}

/// The version in the headers that the shim was compiled with.
pub(crate) fn version() -> String {
    // SAFETY: the shim returns a static text that ends in 0.
    unsafe { CStr::from_ptr(tutor_version()) }.to_string_lossy().into_owned()
}

/// `to += weight · (from − to)` for each pair.
pub(crate) fn lerp(to: &[Tensor], from: &[Tensor], weight: f64, loops: bool) {
    let (to, from) = (handles(to), handles(from));
    assert_eq!(to.len(), from.len(), "tensors to average");
    // SAFETY: both arrays hold `to.len()` live tensors.
    expect(
        unsafe { tutor_lerp(to.as_ptr(), from.as_ptr(), to.len(), weight, loops) },
        "moving average",
    );
}

/// Copies each of `from` into its counterpart.
pub(crate) fn copy(to: &[Tensor], from: &[Tensor]) {
    let (to, from) = (handles(to), handles(from));
    assert_eq!(to.len(), from.len(), "tensors to copy");
    // SAFETY: both arrays hold `to.len()` live tensors.
    expect(unsafe { tutor_copy(to.as_ptr(), from.as_ptr(), to.len()) }, "copy");
}

/// The settings of batch norm and the ReLU after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormRelu {
    /// Whether the batch's own statistics are used.
    pub(crate) batch: bool,
    pub(crate) momentum: f64,
    pub(crate) eps: f64,
    /// What values below 0 are multiplied by.
    pub(crate) slope: f64,
    /// The most that there can be; below infinity only with a slope of 0.
    pub(crate) high: f64,
    pub(crate) loops: bool,
}

/// Batch norm, times `keep` (one factor a sample), plus `rest`, (leaky) ReLU or ReLU6; `running`
/// are mean and variance, if there are any to be used or updated.
pub(crate) fn norm_relu(
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    running: Option<[&Tensor; 2]>,
    [rest, keep]: [Option<&Tensor>; 2],
    set: NormRelu,
) -> Tensor {
    let given = |t: Option<&Tensor>| t.map_or(std::ptr::null_mut(), handle);
    let [mean, var] = [running.map(|r| r[0]), running.map(|r| r[1])].map(given);
    let NormRelu { batch, momentum, eps, slope, high, loops } = set;
    made("batch norm", |out| {
        // SAFETY: the tensors are live, those that are given as options may be null.
        unsafe {
            tutor_norm_relu(
                handle(x),
                handle(weight),
                handle(bias),
                mean,
                var,
                given(rest),
                given(keep),
                batch,
                momentum,
                eps,
                slope,
                high,
                loops,
                out,
            )
        }
    })
}

/// Whether oneDNN computes in float32, or in bfloat16 with instructions for it.
pub(crate) fn onednn(bfloat16: bool) -> bool {
    // SAFETY: no pointers.
    unsafe { tutor_onednn(bfloat16) }
}

/// Whether this processor multiplies in bfloat16 faster than in float32.
pub(crate) fn fast_bfloat16() -> bool {
    // SAFETY: no arguments.
    unsafe { tutor_fast_bfloat16() }
}

/// A convolution's weights, laid out for [`conv`] of images `[n, c, h, w]` of this size. `shape`,
/// here and there, are stride, groups, and rows and columns of zeros on each side.
pub(crate) fn conv_pack(weight: &Tensor, size: [i64; 4], shape: [i64; 4]) -> Tensor {
    made("weights of a convolution", |out| {
        // SAFETY: the tensor is live; the shim reads four numbers each of `size` and `shape`.
        unsafe { tutor_conv_pack(handle(weight), size.as_ptr(), shape.as_ptr(), out) }
    })
}

/// A convolution of oneDNN with weights of [`conv_pack`], plus `rest`, followed by one of oneDNN's
/// activations with its numbers; "none" is none.
pub(crate) fn conv(
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    rest: Option<&Tensor>,
    shape: [i64; 4],
    (activation, numbers): (&CStr, &[f64]),
) -> Tensor {
    let [x, weight, bias] = [x, weight, bias].map(handle);
    let (rest, shape) = (rest.map_or(std::ptr::null_mut(), handle), shape.as_ptr());
    let (name, count, numbers) = (activation.as_ptr(), numbers.len(), numbers.as_ptr());
    made("convolution", |out| {
        // SAFETY: the tensors are live, `rest` may be null; `shape` has the four numbers that the
        // shim reads, `numbers` as many as stated, and the name ends in 0.
        unsafe { tutor_conv(x, weight, bias, rest, shape, name, numbers, count, out) }
    })
}

/// A depthwise convolution (the shim says of what and with which weights), held between bounds.
/// `shape` are kernel, stride, rows of zeros above and columns of zeros to the left, rows and
/// columns of the result.
pub(crate) fn depthwise(
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    shape: [i64; 6],
    [low, high]: [f64; 2],
) -> Tensor {
    let [x, weight, bias] = [x, weight, bias].map(handle);
    made("depthwise convolution", |out| {
        // SAFETY: the tensors are live; `shape` has the six numbers that the shim reads.
        unsafe { tutor_depthwise(x, weight, bias, shape.as_ptr(), low, high, out) }
    })
}

/// A depthwise convolution for training, with gradients and without a bias; the kernels are
/// `[channels, 1, k, k]`.
pub(crate) fn depthwise_train(x: &Tensor, weight: &Tensor, shape: [i64; 6]) -> Tensor {
    let [x, weight] = [x, weight].map(handle);
    made("depthwise convolution", |out| {
        // SAFETY: the tensors are live; `shape` has the six numbers that the shim reads.
        unsafe { tutor_depthwise_train(x, weight, shape.as_ptr(), out) }
    })
}

/// Whether operations of this thread keep what gradients need.
pub(crate) fn keeps_graph() -> bool {
    // SAFETY: no pointers.
    unsafe { tutor_keeps_graph() }
}

/// How often the values of a tensor were changed in place.
pub(crate) fn changes(tensor: &Tensor) -> u64 {
    // SAFETY: the tensor is live; the shim only reads it.
    unsafe { tutor_changes(handle(tensor)) }
}

/// Seeds the CPU generator and, if `cuda`, those of all CUDA devices.
pub(crate) fn seed(seed: u64, cuda: bool) {
    // SAFETY: no pointers.
    expect(unsafe { tutor_seed(seed, cuda) }, "seed");
}

/// The state of a device's default generator.
pub(crate) fn generator_state(device: Device) -> Result<Tensor, String> {
    let mut out = std::ptr::null_mut();
    // SAFETY: `out` outlives the call, which on success fills it with a new tensor whose owner is
    // the caller.
    unsafe {
        checked(tutor_generator_state(index(device), &mut out))?;
        Ok(Tensor::from_ptr(out))
    }
}

/// Restores the state of a device's default generator.
pub(crate) fn set_generator_state(device: Device, state: &Tensor) -> Result<(), String> {
    // SAFETY: the tensor is live; the shim only reads it.
    checked(unsafe { tutor_set_generator_state(index(device), state.as_ptr().cast_mut()) })
}

/// Turns bfloat16 autocast on or off for this thread; gives what it was before.
pub(crate) fn autocast_enter(device: Device, on: bool) -> Autocast {
    let mut before = Autocast::default();
    // SAFETY: `before` outlives the call and is laid out as the shim's struct.
    expect(unsafe { tutor_autocast_enter(index(device), on, &mut before) }, "autocast");
    before
}

/// Puts autocast back.
pub(crate) fn autocast_leave(device: Device, before: &Autocast) {
    // SAFETY: `before` outlives the call and is laid out as the shim's struct.
    expect(unsafe { tutor_autocast_leave(index(device), before) }, "autocast");
}

/// Settles what libtorch's CUDA part does, when it is loaded.
pub(crate) fn cuda_defaults() {
    // SAFETY: no arguments.
    expect(unsafe { tutor_cuda_defaults() }, "CUDA's defaults");
}

/// Allows TF32 on GPUs, or forbids it.
pub(crate) fn tf32(allowed: bool) {
    // SAFETY: no pointers.
    expect(unsafe { tutor_tf32(allowed) }, "TF32");
}

/// Lets the allocator keep what is freed.
pub(crate) fn retain_freed_memory() {
    // SAFETY: no arguments; the allocator may be told at any time.
    unsafe { tutor_keep_memory() }
}

/// Ends the process at once.
pub(crate) fn exit_at_once(status: u8) -> ! {
    // SAFETY: may be called at any time; nothing of this process runs afterwards.
    unsafe { _exit(i32::from(status)) }
}

/// The folder of the libtorch_cpu.so in this process.
pub(crate) fn libtorch_folder() -> Option<String> {
    // SAFETY: no arguments; the result is a text for `take`.
    take(unsafe { tutor_libtorch_folder() })
}

/// Opens a shared library for the rest of the process, its symbols visible to all.
pub(crate) fn open(path: &str) -> Result<(), String> {
    let path = CString::new(path).map_err(|e| e.to_string())?;
    // SAFETY: a text that ends in 0. The libraries opened are the CUDA driver and libtorch's own.
    checked(unsafe { tutor_open(path.as_ptr()) })
}

/// Name and bytes of memory of a CUDA device.
pub(crate) fn cuda_device(device: usize) -> Result<(String, u64), String> {
    let mut name = [0u8; 256];
    let mut bytes = 0;
    let device = i32::try_from(device).map_err(|e| e.to_string())?;
    // SAFETY: `name` has the room that is stated; both outlive the call.
    checked(unsafe {
        tutor_cuda_device(device, name.as_mut_ptr().cast(), name.len(), &mut bytes)
    })?;
    let text = CStr::from_bytes_until_nul(&name).map_err(|e| e.to_string())?;
    Ok((text.to_string_lossy().into_owned(), bytes))
}

/// Copies a tensor of the CPU to a CUDA device, through pinned memory and without waiting for it.
pub(crate) fn send(tensor: &Tensor, device: Device) -> Tensor {
    made("copy to a GPU", |out| {
        // SAFETY: the tensor is live; it is read before the call returns.
        unsafe { tutor_send(handle(tensor), index(device), out) }
    })
}

/// Copies bytes to a CUDA device, as [`send`] does, where they become a uint8 tensor of this size.
pub(crate) fn send_bytes(bytes: &[u8], size: &[i64], device: Device) -> Tensor {
    assert_eq!(bytes.len() as i64, size.iter().product::<i64>(), "bytes of {size:?}");
    // SAFETY: the view has as many bytes as the slice, which is borrowed until the view is gone.
    let view = unsafe { Tensor::from_blob(bytes.as_ptr(), size, &[], Kind::Uint8, Device::Cpu) };
    send(&view, device)
}

/// The most bytes of a CUDA device that tensors have had at once.
pub(crate) fn peak_memory(device: Device) -> Result<u64, String> {
    let mut bytes = 0;
    // SAFETY: the number outlives the call, which fills it.
    checked(unsafe { tutor_peak_memory(index(device), &mut bytes) })?;
    Ok(bytes)
}
