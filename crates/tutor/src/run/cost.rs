//! What trainings take.

use serde::{Deserialize, Serialize};

/// What a training took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageCost {
    /// Samples that were trained on, repetitions counted, in the task's own unit.
    pub(crate) samples: u64,
    /// Wall clock in seconds over all the times it was started.
    pub(crate) seconds: f64,
    /// Floating-point operations, where they are counted.
    #[serde(default, rename = "operations")]
    pub(crate) flops: u64,
}

impl StageCost {
    /// The sum of some trainings.
    pub(crate) fn sum(costs: impl IntoIterator<Item = Self>) -> Self {
        costs.into_iter().fold(Self::default(), |sum, cost| Self {
            samples: sum.samples + cost.samples,
            seconds: sum.seconds + cost.seconds,
            flops: sum.flops + cost.flops,
        })
    }

    /// Samples a second; 0 when nothing was trained.
    pub(crate) fn throughput(self) -> f64 {
        if self.seconds > 0.0 { self.samples as f64 / self.seconds } else { 0.0 }
    }
}

/// What all processes of a run have spent.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) wall_s: f64,
    pub(crate) peak_rss_bytes: u64,
    /// The most that tensors had on a GPU; `None` on the CPU.
    #[serde(default)]
    pub(crate) peak_gpu_bytes: Option<u64>,
}

/// The largest resident set of this process so far, bytes; 0 where the system does not say.
pub(crate) fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
