//! Several processes that train one network, each on its share of every batch.
//!
//! All processes run the same program with the same seeds. Their weights are equal at the start and
//! after every step: each computes the gradient of the loss on its own samples, and all step by the
//! mean over the processes. With equal shares and losses that are means over samples this is the
//! gradient of the whole batch; a loss that divides by a number which depends on the data divides
//! by its mean over the processes ([`torch::group::mean`]). Rank 0 alone writes.
//!
//! Nothing here depends on how many processes there are: a checkpoint of four is one for two.

use std::ops::Range;

use metrics::Metric;
use serde::{Deserialize, Serialize};
use torch::group::{Error, Group, Reducer};
use torch::optim::Optimizer;
use torch::{Device, Kind, Params, Role, Tensor, no_grad};

use crate::Objective;
use crate::checkpoint::RunState;
use crate::shards::Shards;

/// Whose samples batch norm's mean and variance are of, where several processes train together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchStatistics {
    /// Synchronised batch norm: mean and variance of the whole batch, the same numbers as in a
    /// single process. It takes two sums over all processes a layer, forwards and backwards.
    #[default]
    Whole,
    /// Mean and variance of each process's own samples; running statistics are the mean over the
    /// processes.
    Own,
}

/// Where the optimiser's state is, where several processes train together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerState {
    /// All of it in each process.
    #[default]
    Whole,
    /// A part in each process, which changes those parameters and gives them to the others after
    /// every step: ZeRO's first stage (Rajbhandari et al. 2020, arXiv 1910.02054, section 5.1). The
    /// numbers are those of `Whole`, bit by bit. Rank 0 has all of it while it writes or reads a
    /// checkpoint.
    Sharded,
}

/// The processes that train together, as one of them sees them.
#[derive(Clone, Debug)]
pub struct Parallel {
    group: Group,
    statistics: BatchStatistics,
}

impl Parallel {
    /// The processes of a group.
    pub fn new(group: &Group, statistics: BatchStatistics) -> Self {
        Self { group: group.clone(), statistics }
    }

    /// The group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Whether this process is the one that writes.
    pub(crate) fn writes(&self) -> bool {
        self.group.is_first()
    }

    /// Gives all processes what rank 0 begins with: how far the run had come, weights, running
    /// statistics, the optimiser's state where each has all of it, the objective's, generators.
    pub(crate) fn begin<O: Objective>(
        &self,
        state: &mut RunState,
        objective: &O,
        optimizer: Vec<(String, Tensor)>,
        generators: &mut [(Device, Tensor)],
    ) -> Result<(), Error> {
        let text = serde_json::to_vec(state).expect("plain data");
        let text = self.group.broadcast_bytes(&text)?;
        *state = serde_json::from_slice(&text).expect("what rank 0 wrote");
        let parts = [objective.params().tensors(), optimizer, objective.state()];
        let mut all: Vec<Tensor> = parts.into_iter().flatten().map(|(_, tensor)| tensor).collect();
        all.extend(generators.iter().map(|(_, state)| state.shallow_clone()));
        self.group.broadcast_all(&all)
    }

    /// Leaves this process its share of the optimiser's state, if that is shared.
    pub(crate) fn shards(
        &self,
        state: OptimizerState,
        optimizer: &mut Optimizer,
    ) -> Option<Shards> {
        (state == OptimizerState::Sharded).then(|| Shards::new(&self.group, optimizer))
    }

    /// What averages the gradients of these parameters.
    pub(crate) fn reducer(&self, params: &Params) -> Result<Reducer, Error> {
        self.group.set_sync_batch_norm(self.statistics == BatchStatistics::Whole);
        let trained = params.trainable().filter(|p| p.tensor.requires_grad());
        let tensors: Vec<_> = trained.map(|p| p.tensor.shallow_clone()).collect();
        Reducer::new(&self.group, &tensors)
    }

    /// Makes running statistics equal again, where each process took those of its own samples.
    pub(crate) fn average_buffers(&self, params: &Params) -> Result<(), Error> {
        if self.statistics == BatchStatistics::Whole {
            return Ok(());
        }
        let floats = |t: &Tensor| t.kind() == Kind::Float;
        let buffers = params.iter().filter(|p| p.role == Role::Buffer && floats(&p.tensor));
        let works: Result<Vec<_>, Error> = buffers
            .map(|p| {
                let t = p.tensor.detach();
                Ok((self.group.start_all_reduce(&t, torch::group::Reduce::Sum)?, t))
            })
            .collect();
        for (work, mut t) in works? {
            work.wait()?;
            let _ = no_grad(|| t.divide_scalar_(self.group.size() as f64));
        }
        Ok(())
    }

    /// The sum of what each process counted.
    pub(crate) fn sum(&self, own: u64) -> Result<u64, Error> {
        let sum = Tensor::from_slice(&[own as i64]);
        self.group.all_reduce(&sum, torch::group::Reduce::Sum)?;
        Ok(sum.int64_value(&[0]) as u64)
    }

    /// The values that rank 0 measured, by which all decide.
    pub(crate) fn metrics_of_first(&self, metrics: Vec<Metric>) -> Result<Vec<Metric>, Error> {
        let values: Vec<f64> = metrics.iter().map(|metric| metric.value).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let bytes = self.group.broadcast_bytes(&bytes)?;
        let values = bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("8")));
        Ok(metrics.into_iter().zip(values).map(|(m, value)| Metric { value, ..m }).collect())
    }
}

/// Which of a batch's samples `0..batch` the process `rank` of `size` trains on, where all train on
/// equally many, in the order of ranks. `None` where `batch` is not a multiple of `size`: the mean
/// over the processes would count samples of small shards more than others. See
/// [`balanced_shard`] for an evaluation, where sizes may differ.
///
/// ```
/// use train::parallel::equal_shard;
/// assert_eq!(equal_shard(64, 1, 4), Some(16..32));
/// assert_eq!(equal_shard(10, 0, 4), None);
/// ```
pub fn equal_shard(batch: usize, rank: usize, size: usize) -> Option<Range<usize>> {
    batch.is_multiple_of(size).then(|| balanced_shard(batch, rank, size))
}

/// Which of `0..samples` the process `rank` of `size` evaluates, where each is to be evaluated
/// once, in the order of ranks. Sizes differ by at most one: `samples` need not be a multiple of
/// `size`, and a process may have none.
///
/// ```
/// use train::parallel::balanced_shard;
/// let shards: Vec<_> = (0..4).map(|rank| balanced_shard(7, rank, 4)).collect();
/// assert_eq!(shards, [0..2, 2..4, 4..6, 6..7]);
/// ```
pub fn balanced_shard(samples: usize, rank: usize, size: usize) -> Range<usize> {
    let start = |r: usize| r * (samples / size) + r.min(samples % size);
    start(rank)..start(rank + 1)
}
