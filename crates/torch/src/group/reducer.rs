//! Gradients averaged over a group while the backward pass still runs.

use tch::Tensor;

use super::processes::{Error, Group};
use crate::ffi::group as shim;

/// Bytes of the first bucket, and of the others at most: PyTorch's numbers.
const FIRST_BYTES: i64 = 1 << 20;
const BUCKET_BYTES: i64 = 25 << 20;

/// Averages the gradients of some parameters over a group.
///
/// The parameters are put into buckets, the last ones first. As soon as all gradients of a bucket
/// are there, their sum over the processes is begun, while the backward pass goes on to earlier
/// layers. Of a parameter without a gradient in any process there is none afterwards; where some
/// have one, the others count as 0.
#[derive(Debug)]
pub struct Reducer {
    group: Group,
    shim: shim::Reducer,
}

impl Reducer {
    /// A reducer for these parameters, in the order in which the network uses them, with PyTorch's
    /// sizes of buckets. A parameter has one reducer at a time.
    ///
    /// # Errors
    /// If libtorch refuses the parameters.
    pub fn new(group: &Group, params: &[Tensor]) -> Result<Self, Error> {
        Self::with_buckets(group, params, FIRST_BYTES, BUCKET_BYTES)
    }

    /// A reducer for these parameters whose first bucket has at most `first_bytes` bytes of
    /// gradients and each other at most `bucket_bytes`; see [`new`](Self::new).
    ///
    /// # Errors
    /// If libtorch refuses the parameters.
    pub fn with_buckets(
        group: &Group,
        params: &[Tensor],
        first_bytes: i64,
        bucket_bytes: i64,
    ) -> Result<Self, Error> {
        let made = shim::Reducer::new(&group.0.shim, params, [first_bytes, bucket_bytes]);
        let shim = made.map_err(|reason| group.error("making buckets of gradients", reason))?;
        Ok(Self { group: group.clone(), shim })
    }

    /// How many buckets there are.
    pub fn buckets(&self) -> usize {
        self.shim.buckets()
    }

    /// How many buckets were sent since [`arm`](Self::arm).
    pub fn sent(&self) -> usize {
        self.shim.sent()
    }

    /// Says that the backward pass that follows is the last of this step: gradients of earlier ones
    /// that were added up go with it.
    pub fn arm(&self) {
        self.shim.arm();
    }

    /// Waits for the sums, after the backward pass; gradients are then the means over all
    /// processes.
    pub fn finish(&self) -> Result<(), Error> {
        self.shim.finish().map_err(|reason| self.group.error("mean of the gradients", reason))
    }
}
