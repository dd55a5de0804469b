//! Everything that a training begins or goes on with: from a checkpoint, into one, and from rank 0
//! to the other processes.

use std::collections::BTreeMap;

use torch::optim::Optimizer;
use torch::rng::RngError;
use torch::{Device, Tensor};

use crate::checkpoint::{CheckpointError, RunState};
use crate::outcome::FitError;
use crate::shards::Shards;
use crate::{Checkpoint, FitOptions, Objective, Parallel};

/// An optimiser, what it keeps if not all of its state, and the state in rank 0's checkpoint.
type Optim<'a> = (&'a Optimizer, Option<&'a Shards>, Option<&'a BTreeMap<String, Tensor>>);

/// Gives the processes that train together what rank 0 begins with. Says whether that is a
/// checkpoint.
pub(crate) fn begin_together<O: Objective>(
    parallel: &Parallel,
    state: &mut RunState,
    objective: &O,
    (optimizer, shards, stored): Optim<'_>,
    device: Device,
) -> Result<bool, FitError> {
    let of = |(_, device)| Ok((device, torch::rng::state(device)?));
    let mut states = generators(device).map(of).collect::<Result<Vec<_>, RngError>>()?;
    let found = parallel.group().any(stored.is_some())?;
    let optim = if shards.is_some() { Vec::new() } else { optimizer.state() };
    if let Some(shards) = shards
        && found
    {
        shards.scatter(optimizer, stored)?;
    }
    parallel.begin(state, objective, optim, &mut states)?;
    for (device, state) in states {
        torch::rng::set_state(device, &state)?;
    }
    Ok(found)
}

/// The generators that a run on `device` draws from, by name.
fn generators(device: Device) -> impl Iterator<Item = (&'static str, Device)> {
    let own = (device != Device::Cpu).then_some(("cuda", device));
    [("cpu", Device::Cpu)].into_iter().chain(own)
}

/// All tensors of a checkpoint under their prefixed names, those of the whole optimiser among them.
pub(crate) fn tensors<O: Objective>(
    objective: &O,
    optimizer: Vec<(String, Tensor)>,
    device: Device,
) -> Result<Vec<(String, Tensor)>, FitError> {
    let state = |(name, device): (&str, _)| Ok((name.to_owned(), torch::rng::state(device)?));
    let rng = generators(device).map(state).collect::<Result<_, RngError>>()?;
    let parts = [
        ("param.", objective.params().tensors()),
        ("optim.", optimizer),
        ("state.", objective.state()),
        ("rng.", rng),
    ];
    let named = |(prefix, part): (&str, Vec<(String, Tensor)>)| {
        let prefix = prefix.to_owned();
        part.into_iter().map(move |(name, tensor)| (format!("{prefix}{name}"), tensor))
    };
    Ok(parts.into_iter().flat_map(named).collect())
}

/// Restores everything as it was when the checkpoint was written.
pub(crate) fn restore<O: Objective>(
    checkpoint: &Checkpoint,
    objective: &O,
    optimizer: &mut Optimizer,
    options: &FitOptions<'_>,
) -> Result<(), FitError> {
    checkpoint.expect_recipe(options.recipe)?;
    let path = || checkpoint.path.clone();
    let (step, steps) = (checkpoint.run.step, options.config.steps);
    if step > steps {
        let faults = vec![format!("it is of step {step}, and the training has {steps} steps")];
        return Err(CheckpointError::Mismatch { path: path(), faults }.into());
    }
    checkpoint.restore(objective)?;
    optimizer
        .load_state(&checkpoint.part("optim."))
        .map_err(|source| FitError::Optimizer { path: path(), source })?;
    let rng = checkpoint.part("rng.");
    for (name, device) in generators(options.device) {
        match rng.get(name) {
            Some(state) => torch::rng::set_state(device, state)?,
            None => tracing::warn!(
                "{}: it holds no state for the generator of {device:?}; random numbers from here on differ",
                checkpoint.path.display()
            ),
        }
    }
    Ok(())
}
