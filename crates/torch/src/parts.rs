//! Batches of images a few at a time.

use tch::{Device, Tensor};

/// Pixels that are run at once on a CPU, four images of 224×224: more, and what one layer leaves is
/// no longer in the processor's memory when the next one needs it.
const PART: i64 = 4 * 224 * 224;

/// What `run` gives for a batch whose samples do not depend on each other, a few of them at a time
/// where they are images on a CPU.
pub(crate) fn in_parts(x: &Tensor, run: impl Fn(&Tensor) -> Tensor) -> Tensor {
    match x.size4() {
        Ok((n, _, h, w)) if x.device() == Device::Cpu && n > 1 && n * h * w > PART => {
            let rows = (PART / (h * w)).max(1);
            Tensor::cat(&x.split(rows, 0).iter().map(run).collect::<Vec<_>>(), 0)
        }
        _ => run(x),
    }
}
