//! The training loop: the only place that calls backward and the optimiser.

mod kept;

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use metrics::Metric;
use torch::group::Reducer;
use torch::optim::Optimizer;
use torch::precision::autocast;
use torch::{Device, Faults, InvalidConfig, Tensor, no_grad};

use crate::checkpoint::RunState;
use crate::finite::{self, NonFinite, Unchecked};
use crate::outcome::{FitError, Outcome, Summary};
use crate::pace::Pace;
use crate::record::Log;
use crate::resume::{begin_together, restore};
use crate::shards::Shards;
use crate::{Callback, FitOptions, Loss, Objective, Parallel, Progress, StageDir, signals};

/// Trains `objective` with `optimizer` (made over the objective's parameters) as `options` say, and
/// leaves the record, the checkpoints and the best weights in `stage`.
///
/// If `stage` has checkpoints, the newest whole one is restored first; if all of them are damaged,
/// that is an error. `batches` is then asked for the batches from that step on; they must be a pure
/// function of the step. Where a step's batch comes in parts
/// ([`accumulate`](crate::TrainConfig::accumulate)) a step takes so many of them, and they are
/// counted instead of steps. `evaluate` runs without gradients. On the CPU and with the same number
/// of threads, a run that is stopped at any moment and started again ends with the same bits as one
/// that never was, provided that the caller seeds the generator ([`torch::rng::seed`]) and makes
/// the network before each start.
///
/// With [`parallel`](FitOptions::parallel) all processes call this, each with its share of every
/// batch, and rank 0's `stage` alone is read and written. Weights, state and decisions are equal in
/// all of them after every step; of the optimiser each has a part, if the configuration
/// [says so](crate::OptimizerState): it has to be made for this call then, without state.
///
/// # Errors
/// See [`FitError`]. After any of them the checkpoints written so far can be resumed from.
pub fn fit<O, I, E>(
    objective: &mut O,
    optimizer: &mut Optimizer,
    options: &FitOptions<'_>,
    stage: &StageDir,
    batches: impl FnOnce(u64) -> I,
    mut evaluate: impl FnMut(&mut O, Progress) -> Result<Vec<Metric>, E>,
    callback: &mut dyn Callback,
) -> Result<Outcome, FitError>
where
    O: Objective,
    I: IntoIterator<Item = Result<O::Batch, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let (steps, cadence) = (options.config.steps, options.cadence);
    check(options)?;
    signals::install().map_err(FitError::Signals)?;
    let mut run = Run::start(objective, optimizer, options, stage, callback)?;
    if run.state.step == steps || (run.state.step > 0 && run.is_over()?) {
        return Ok(Outcome::Finished(run.summary()));
    }
    let mut batches = batches(run.state.step * options.config.accumulate as u64).into_iter();
    while run.state.step < steps {
        if run.is_stopped()? {
            run.count()?;
            run.checkpoint()?;
            return Ok(Outcome::Interrupted(run.summary()));
        }
        let clock = Instant::now();
        run.step(&mut batches)?;
        run.training.add(options.throughput.per_step, clock);
        let step = run.state.step;
        let last = step == steps || run.is_over()?;
        let due = |every: u64| last || (every > 0 && step % every == 0);
        if due(cadence.log) || due(cadence.evaluate) || due(cadence.checkpoint) {
            run.count()?;
        }
        if due(cadence.log) {
            run.log()?;
        }
        let mut improved = false;
        if due(cadence.evaluate) {
            run.check_tensors()?;
            let at = run.at();
            let mut metrics = match no_grad(|| evaluate(run.objective, at)) {
                Ok(metrics) => metrics,
                // Without a checkpoint, so that this step is evaluated when the run goes on.
                Err(e) if signals::interrupted() => {
                    let why: Box<dyn Error + Send + Sync> = e.into();
                    tracing::warn!("the evaluation after {step} steps was stopped: {why}");
                    return Ok(Outcome::Interrupted(run.summary()));
                }
                Err(e) => return Err(FitError::Evaluate { step, source: e.into() }),
            };
            if let Some(parallel) = options.parallel {
                metrics = parallel.metrics_of_first(metrics)?;
            }
            improved = run.evaluated(metrics)?;
        }
        if due(cadence.checkpoint) || improved {
            run.checkpoint()?;
        }
        if last {
            break;
        }
    }
    Ok(Outcome::Finished(run.summary()))
}

/// Refuses settings that make no sense.
fn check(options: &FitOptions<'_>) -> Result<(), InvalidConfig> {
    InvalidConfig::of(
        Faults::default()
            .also(options.config.faults())
            .unless(options.config.steps > 0, "steps", "at least one step is needed")
            .within("cadence", options.cadence.faults())
            .done(),
    )
}

/// The wall clock of a run.
struct Clock {
    /// When this start began.
    began: Instant,
    /// Seconds spent before this start.
    before: f64,
}

impl Clock {
    /// Seconds spent so far, over all the times the run was started.
    fn seconds(&self) -> f64 {
        self.before + self.began.elapsed().as_secs_f64()
    }
}

/// How far this start had come when the last step was logged.
struct Logged {
    training: Pace,
    /// Floating-point operations, over all the times the run was started.
    flops: u64,
}

/// A run while it runs.
struct Run<'a, O> {
    objective: &'a mut O,
    optimizer: &'a mut Optimizer,
    options: &'a FitOptions<'a>,
    stage: &'a StageDir,
    callback: &'a mut dyn Callback,
    /// What averages gradients over the processes that train together.
    reducer: Option<Reducer>,
    /// What each of them keeps of the optimiser's state, if not all of it.
    shards: Option<Shards>,
    /// The record, which rank 0 alone writes.
    log: Option<Log>,
    state: RunState,
    resumed_from: Option<u64>,
    /// Floating-point operations before this start.
    flops_before: u64,
    clock: Clock,
    training: Pace,
    logged: Logged,
    /// Losses that have not been checked yet.
    unchecked: Unchecked,
    newest: Option<PathBuf>,
    /// Steps of checkpoints that were passed over as damaged.
    damaged: Vec<u64>,
}

impl<'a, O: Objective> Run<'a, O> {
    fn start(
        objective: &'a mut O,
        optimizer: &'a mut Optimizer,
        options: &'a FitOptions<'a>,
        stage: &'a StageDir,
        callback: &'a mut dyn Callback,
    ) -> Result<Self, FitError> {
        let writes = options.parallel.is_none_or(Parallel::writes);
        let shards =
            options.parallel.and_then(|all| all.shards(options.config.optimizer_state, optimizer));
        assert_eq!(optimizer.owners().is_some(), shards.is_some(), "an optimiser of another call");
        let found = if writes { stage.checkpoints().newest()? } else { None };
        if let Some(checkpoint) = &found {
            restore(checkpoint, objective, optimizer, options)?;
            let step = checkpoint.run.step;
            if checkpoint.run.best.is_some_and(|best| best.step == step) {
                // The process may have been killed after the checkpoint and before it got its
                // second name.
                stage.checkpoints().set_best(step)?;
            }
            tracing::info!("resuming from {} (step {step})", checkpoint.path.display());
        }
        let lengths = found.as_ref().map(|c| (c.run.record_bytes, c.run.events_bytes));
        let record = |source| FitError::Record { path: stage.path().to_owned(), source };
        let log = match writes {
            true => Some(Log::open(stage.path(), lengths).map_err(record)?),
            false => None,
        };
        let mut resumed_from = found.as_ref().map(|c| c.run.step);
        let mut newest = found.as_ref().map(|c| c.path.clone());
        let mut damaged = if writes { stage.checkpoints().steps()? } else { Vec::new() };
        damaged.retain(|step| resumed_from.is_none_or(|from| *step > from));
        let (mut state, stored) = match found {
            Some(checkpoint) => (checkpoint.run.clone(), Some(checkpoint.part("optim."))),
            None => Default::default(),
        };
        let mut reducer = None;
        if let Some(parallel) = options.parallel {
            let optim = (&*optimizer, shards.as_ref(), stored.as_ref());
            let found = begin_together(parallel, &mut state, objective, optim, options.device)?;
            reducer = Some(parallel.reducer(objective.params())?);
            if !writes && found {
                resumed_from = Some(state.step);
                newest = Some(stage.checkpoints().path(state.step));
            }
        }
        let clock = Clock { began: Instant::now(), before: state.seconds };
        let flops_before = state.flops;
        callback.started(Progress { step: state.step, steps: options.config.steps });
        Ok(Self {
            objective,
            optimizer,
            options,
            stage,
            callback,
            reducer,
            shards,
            log,
            state,
            resumed_from,
            flops_before,
            clock,
            training: Pace::default(),
            logged: Logged { training: Pace::default(), flops: flops_before },
            unchecked: Unchecked::default(),
            newest,
            damaged,
        })
    }

    fn at(&self) -> Progress {
        Progress { step: self.state.step, steps: self.options.config.steps }
    }

    fn seconds(&self) -> f64 {
        self.clock.seconds()
    }

    /// Whether the time that the run may take is spent.
    fn is_over(&self) -> Result<bool, FitError> {
        match self.options.time_limit {
            None => Ok(false),
            Some(limit) => self.any(self.seconds() >= limit.as_secs_f64()),
        }
    }

    /// Whether a signal or the callback asks for the end.
    fn is_stopped(&mut self) -> Result<bool, FitError> {
        let asked = signals::interrupted() || self.callback.stop(self.at());
        self.any(asked)
    }

    /// Whether `flag` is true in any of the processes that train together.
    fn any(&self, flag: bool) -> Result<bool, FitError> {
        match self.options.parallel {
            None => Ok(flag),
            Some(parallel) => Ok(parallel.group().any(flag)?),
        }
    }

    /// Counts the floating-point operations so far, those of all processes together.
    fn count(&mut self) -> Result<(), FitError> {
        let own = self.objective.flops();
        let all = self.options.parallel.map_or(Ok(own), |parallel| parallel.sum(own))?;
        self.state.flops = self.flops_before + all;
        Ok(())
    }

    /// Runs a part of a step within the group, if there is one.
    fn within<T>(&mut self, f: impl FnOnce(&mut O) -> T) -> Result<T, FitError> {
        match self.options.parallel {
            None => Ok(f(self.objective)),
            Some(parallel) => Ok(parallel.group().within(|| f(self.objective))?),
        }
    }

    /// One step, on the next batches.
    fn step<E>(
        &mut self,
        batches: &mut impl Iterator<Item = Result<O::Batch, E>>,
    ) -> Result<(), FitError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let at = self.at();
        let lr = self.options.config.lr.at(at);
        self.accumulate_gradients(batches, at, lr)?;
        self.apply_update(at, lr)?;
        self.state.step += 1;
        let at = self.at();
        self.callback.stepped(at);
        Ok(())
    }

    /// The gradients of a step, summed over the parts of its batches and averaged over the
    /// processes.
    fn accumulate_gradients<E>(
        &mut self,
        batches: &mut impl Iterator<Item = Result<O::Batch, E>>,
        at: Progress,
        lr: f64,
    ) -> Result<(), FitError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let &FitOptions { config, precision, device, .. } = self.options;
        let Progress { step, steps } = at;
        let mut losses = Vec::new();
        for number in 1..=config.accumulate {
            let batch = match batches.next() {
                None => return Err(FitError::OutOfBatches { step, steps }),
                Some(batch) => batch.map_err(|e| FitError::Batch { step, source: e.into() })?,
            };
            let parts = self.within(|objective| objective.parts(batch))?;
            let count = parts.len();
            // By their number alone, which is equal in all processes: what follows is what these do
            // together, in one order.
            let single = config.accumulate == 1 && count == 1;
            for (i, (factor, part)) in parts.into_iter().enumerate() {
                let factor = factor / config.accumulate as f64;
                let loss = self
                    .within(|objective| autocast(precision, device, || objective.loss(part, at)))?;
                let total = if factor == 1.0 { loss.total() } else { loss.total() * factor };
                if single {
                    // Before the backward pass, so that nothing follows a loss that is no number.
                    match factor == 1.0 {
                        true => self.check_loss(lr, &loss)?,
                        false => self.check_loss(lr, &Loss::sum(&[(factor, loss.detach())]))?,
                    }
                }
                if let Some(reducer) = &self.reducer
                    && number == config.accumulate
                    && i + 1 == count
                {
                    // What came before is added up in each process by itself.
                    reducer.arm();
                }
                self.within(|_| total.backward())?;
                if !single {
                    losses.push((factor, loss.detach()));
                }
            }
        }
        if !losses.is_empty() {
            self.check_loss(lr, &Loss::sum(&losses))?;
        }
        match &self.reducer {
            Some(reducer) => Ok(reducer.finish()?),
            None => Ok(()),
        }
    }

    /// Changes the parameters by their gradients, and then what follows them: averages, and what
    /// the processes have to have in common.
    fn apply_update(&mut self, at: Progress, lr: f64) -> Result<(), FitError> {
        if let Some(max) = self.options.config.clip_norm {
            self.clip_grad_norm(max, lr)?;
        }
        self.optimizer.step(lr);
        self.optimizer.zero_grad();
        if let Some(parallel) = self.options.parallel {
            parallel.average_buffers(self.objective.params())?;
        }
        if let Some(shards) = &self.shards {
            shards.spread()?;
        }
        self.within(|objective| no_grad(|| objective.after_step(at)))
    }

    /// Notes a step's loss, and looks at those that were noted before if it is time.
    fn check_loss(&mut self, lr: f64, loss: &Loss) -> Result<(), FitError> {
        let averaged = match self.options.parallel {
            None => None,
            Some(parallel) => Some(loss.averaged(parallel.group())?),
        };
        let loss = averaged.as_ref().unwrap_or(loss);
        // Before this step is noted: of those that are, the norms are known too.
        if self.unchecked.is_full() {
            self.check_finite()?;
        }
        self.unchecked.push(self.state.step, lr, loss, self.objective.params());
        if self.options.device == Device::Cpu {
            self.check_finite()?;
        }
        Ok(())
    }

    /// On the CPU a norm that is not finite ends the run at once; a GPU is not waited for.
    fn clip_grad_norm(&mut self, max: f64, lr: f64) -> Result<(), FitError> {
        if self.options.device != Device::Cpu {
            self.unchecked.push_norm(self.optimizer.clip_grad_norm_later(max));
            return Ok(());
        }
        let value = self.optimizer.clip_grad_norm(max);
        if !value.is_finite() {
            self.check_finite()?;
            let (step, what) = (self.state.step, finite::GRAD_NORM.to_owned());
            return Err(self.diverged(NonFinite { step, what, value, lr, parameter: None }));
        }
        self.unchecked.push_norm(Tensor::from(value));
        Ok(())
    }

    /// Checks that the losses and running statistics of the steps since the last check are finite.
    fn check_finite(&mut self) -> Result<(), FitError> {
        match self.unchecked.check(self.objective.params()) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.diverged(fault)),
        }
    }

    /// Checks what [`check_finite`](Self::check_finite) does, and everything that is evaluated and
    /// saved, as the last step left it.
    fn check_tensors(&mut self) -> Result<(), FitError> {
        self.check_finite()?;
        let Some((what, value)) = finite::first_bad(self.objective) else { return Ok(()) };
        let step = self.state.step.saturating_sub(1);
        let config = self.options.config;
        let lr = config.lr.at(Progress { step, steps: config.steps });
        let what = format!("{what} after the update");
        Err(self.diverged(NonFinite { step, what, value, lr, parameter: None }))
    }

    fn diverged(&self, fault: NonFinite) -> FitError {
        FitError::NonFinite { fault, last_good: self.newest.clone() }
    }

    fn summary(&self) -> Summary {
        Summary {
            step: self.state.step,
            resumed_from: self.resumed_from,
            seconds: self.seconds(),
            throughput: self.training.per_second(),
            flops: self.state.flops,
            evaluation: self.state.evaluation.clone(),
            best: self.state.best,
        }
    }
}
