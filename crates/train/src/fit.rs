//! The one training loop. Only here are backward and the optimiser's step called.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use torch::optim::Optimizer;
use torch::precision::autocast;
use torch::rng::RngError;
use torch::{Device, Tensor, no_grad};

use crate::checkpoint::{Best, CheckpointError, State};
use crate::finite::{self, NonFinite, Unchecked};
use crate::metrics::Log;
use crate::outcome::{FitError, Outcome, Summary};
use crate::{Checkpoint, Objective, Plan, Progress, Report, StageDir, Watch, signals};

/// Trains `objective` with `optimizer` (made over the objective's parameters) as `plan` says, and leaves all it does in
/// `stage`.
///
/// If `stage` has a checkpoint, its newest whole one is restored first. `batches` is then asked for the batches from that
/// step on; they must be a pure function of the step. `evaluate` runs without gradients. On the CPU and with the same
/// number of threads, a run that is stopped at any moment and started again ends with the same bits as one that never was,
/// provided that the caller seeds the generator ([`torch::rng::seed`]) and makes the network before each start.
///
/// Errors: see [`FitError`]. After any of them the checkpoints written so far can be gone on from.
pub fn fit<O, I, E>(
    objective: &mut O,
    optimizer: &mut Optimizer,
    plan: &Plan,
    stage: &StageDir,
    batches: impl FnOnce(u64) -> I,
    mut evaluate: impl FnMut(&mut O, Progress) -> Result<Vec<(String, f64)>, E>,
    watch: &mut dyn Watch,
) -> Result<Outcome, FitError>
where
    O: Objective,
    I: IntoIterator<Item = Result<O::Batch, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    plan.check()?;
    signals::install().map_err(FitError::Signals)?;
    let mut run = Run::start(objective, optimizer, plan, stage, watch)?;
    if run.state.step == plan.steps {
        return Ok(Outcome::Finished(run.summary()));
    }
    let mut batches = batches(run.state.step).into_iter();
    while run.state.step < plan.steps {
        if signals::interrupted() || run.watch.stop(run.at()) {
            run.checkpoint()?;
            return Ok(Outcome::Interrupted(run.summary()));
        }
        let clock = Instant::now();
        let step = run.state.step;
        let batch = match batches.next() {
            None => return Err(FitError::OutOfBatches { step, steps: plan.steps }),
            Some(batch) => batch.map_err(|e| FitError::Batch { step, source: e.into() })?,
        };
        run.step(batch)?;
        run.training.add(plan.batch_samples, clock);
        let step = run.state.step;
        let due = |every: u64| step == plan.steps || (every > 0 && step % every == 0);
        if due(plan.log_every) {
            run.log()?;
        }
        let mut improved = false;
        if due(plan.eval_every) {
            run.check_finite()?;
            let at = run.at();
            let values = no_grad(|| evaluate(run.objective, at))
                .map_err(|e| FitError::Evaluate { step, source: e.into() })?;
            improved = run.evaluated(values)?;
        }
        if due(plan.checkpoint_every) || improved {
            run.checkpoint()?;
        }
    }
    Ok(Outcome::Finished(run.summary()))
}

/// Seconds and samples of training proper.
#[derive(Default)]
struct Pace {
    samples: u64,
    seconds: f64,
}

impl Pace {
    fn add(&mut self, samples: u64, since: Instant) {
        self.samples += samples;
        self.seconds += since.elapsed().as_secs_f64();
    }

    fn samples_per_s(&self) -> f64 {
        if self.seconds > 0.0 { self.samples as f64 / self.seconds } else { 0.0 }
    }
}

/// A run under way.
struct Run<'a, O> {
    objective: &'a mut O,
    optimizer: &'a mut Optimizer,
    plan: &'a Plan,
    stage: &'a StageDir,
    watch: &'a mut dyn Watch,
    log: Log,
    state: State,
    resumed_from: Option<u64>,
    /// When this start began, and the seconds spent before.
    start: (Instant, f64),
    training: Pace,
    /// The pace up to the last report.
    reported: (u64, f64),
    /// Losses that have not been looked at yet.
    unchecked: Unchecked,
    grad_norm: Option<f64>,
    newest: Option<PathBuf>,
    /// Steps of checkpoints that were passed over as damaged.
    damaged: Vec<u64>,
}

impl<'a, O: Objective> Run<'a, O> {
    fn start(
        objective: &'a mut O,
        optimizer: &'a mut Optimizer,
        plan: &'a Plan,
        stage: &'a StageDir,
        watch: &'a mut dyn Watch,
    ) -> Result<Self, FitError> {
        let found = stage.checkpoints().newest()?;
        if let Some(checkpoint) = &found {
            restore(checkpoint, objective, optimizer, plan)?;
            let step = checkpoint.state.step;
            if checkpoint.state.best.is_some_and(|best| best.step == step) {
                // The process may have been killed between the checkpoint and its second name.
                stage.checkpoints().set_best(step)?;
            }
            tracing::info!("going on from {} (step {step})", checkpoint.path.display());
        }
        let lengths = found.as_ref().map(|c| (c.state.metrics_bytes, c.state.events_bytes));
        let record = |source| FitError::Record { path: stage.path().to_owned(), source };
        let log = Log::open(stage.path(), lengths).map_err(record)?;
        let resumed_from = found.as_ref().map(|c| c.state.step);
        let newest = found.as_ref().map(|c| c.path.clone());
        let mut damaged = stage.checkpoints().steps()?;
        damaged.retain(|step| resumed_from.is_none_or(|from| *step > from));
        let state = found.map(|c| c.state).unwrap_or_default();
        let start = (Instant::now(), state.seconds);
        watch.started(Progress { step: state.step, steps: plan.steps });
        Ok(Self {
            objective,
            optimizer,
            plan,
            stage,
            watch,
            log,
            state,
            resumed_from,
            start,
            training: Pace::default(),
            reported: (0, 0.0),
            unchecked: Unchecked::default(),
            grad_norm: None,
            newest,
            damaged,
        })
    }

    fn at(&self) -> Progress {
        Progress { step: self.state.step, steps: self.plan.steps }
    }

    fn seconds(&self) -> f64 {
        self.start.1 + self.start.0.elapsed().as_secs_f64()
    }

    fn step(&mut self, batch: O::Batch) -> Result<(), FitError> {
        let (at, plan) = (self.at(), self.plan);
        let lr = plan.lr.at(at);
        let loss = autocast(plan.precision, plan.device, || self.objective.loss(batch, at));
        let total = loss.total();
        self.unchecked.push(at.step, lr, &loss);
        if plan.device == Device::Cpu || self.unchecked.is_full() {
            self.check_finite()?;
        }
        total.backward();
        if let Some(max) = plan.clip_norm {
            let norm = self.optimizer.clip_grad_norm(max);
            if !norm.is_finite() {
                self.check_finite()?;
                let what = "the norm of the gradient".to_owned();
                return Err(self.diverged(NonFinite { step: at.step, what, value: norm, lr }));
            }
            self.grad_norm = Some(norm);
        }
        self.optimizer.step(lr);
        self.optimizer.zero_grad();
        no_grad(|| self.objective.after_step(at));
        self.state.step += 1;
        let at = self.at();
        self.watch.stepped(at);
        Ok(())
    }

    fn log(&mut self) -> Result<(), FitError> {
        let clock = Instant::now();
        self.check_finite()?;
        let (loss, lr) = self.unchecked.latest().expect("a step was taken");
        // To read is to wait for what the device still has to do, which is part of the steps.
        self.training.add(0, clock);
        let mut values = vec![("loss".to_owned(), loss.total), ("lr".to_owned(), lr)];
        values.extend(self.grad_norm.map(|norm| ("grad_norm".to_owned(), norm)));
        values.extend(loss.terms.iter().map(|(n, v)| (format!("loss/{n}"), *v)));
        values.extend(loss.notes.iter().map(|(n, v)| (format!("note/{n}"), *v)));
        self.record(&values)?;

        let (at, seconds) = (self.at(), self.seconds());
        let since = Pace {
            samples: self.training.samples - self.reported.0,
            seconds: self.training.seconds - self.reported.1,
        };
        self.reported = (self.training.samples, self.training.seconds);
        let taken = at.step - self.resumed_from.unwrap_or(0);
        let a_step = self.start.0.elapsed().as_secs_f64() / taken as f64;
        self.watch.reported(&Report {
            at,
            loss,
            lr,
            grad_norm: self.grad_norm,
            samples_per_s: since.samples_per_s(),
            seconds,
            seconds_left: a_step * (at.steps - at.step) as f64,
        });
        Ok(())
    }

    /// Records an evaluation; says whether it is the best so far.
    fn evaluated(&mut self, values: Vec<(String, f64)>) -> Result<bool, FitError> {
        let step = self.state.step;
        let rows: Vec<_> = values.iter().map(|(n, v)| (format!("eval/{n}"), *v)).collect();
        self.record(&rows)?;
        let at = self.at();
        self.watch.evaluated(at, &values);
        let keep =
            |(name, value): &(String, f64)| (name.clone(), value.is_finite().then_some(*value));
        self.state.evaluation = values.iter().map(keep).collect();
        let Some(metric) = &self.plan.best else { return Ok(false) };
        let Some(&(_, value)) = values.iter().find(|(n, _)| n == metric) else {
            let given = values.into_iter().map(|(n, _)| n).collect();
            return Err(FitError::NoMetric { metric: metric.clone(), given });
        };
        let better = value.is_finite() && self.state.best.is_none_or(|best| value > best.value);
        if better {
            self.state.best = Some(Best { step, value });
        }
        Ok(better)
    }

    fn record(&mut self, values: &[(String, f64)]) -> Result<(), FitError> {
        let (step, seconds) = (self.state.step, self.seconds());
        let record = |source| FitError::Record { path: self.stage.path().to_owned(), source };
        self.log.write(step, seconds, values).map_err(record)
    }

    /// Writes a checkpoint of the steps completed, unless there is one.
    fn checkpoint(&mut self) -> Result<(), FitError> {
        let checkpoints = self.stage.checkpoints();
        let path = checkpoints.path(self.state.step);
        if self.newest.as_ref() == Some(&path) {
            return Ok(());
        }
        self.check_finite()?;
        if let Some((name, value)) = finite::first_bad(self.objective.params()) {
            let step = self.state.step.saturating_sub(1);
            let lr = self.plan.lr.at(Progress { step, steps: self.plan.steps });
            let what = format!("the parameter {name} after the update");
            return Err(self.diverged(NonFinite { step, what, value, lr }));
        }
        let record = |source| FitError::Record { path: self.stage.path().to_owned(), source };
        let (metrics_bytes, events_bytes) = self.log.sync().map_err(record)?;
        self.state.metrics_bytes = metrics_bytes;
        self.state.events_bytes = events_bytes;
        self.state.seconds = self.seconds();
        let tensors = tensors(self.objective, self.optimizer, self.plan.device)?;
        let step = self.state.step;
        checkpoints.write(&self.state, &self.plan.recipe, &tensors)?;
        if self.state.best.is_some_and(|best| best.step == step) {
            checkpoints.set_best(step)?;
        }
        // Older ones go only now that the new one is durable, and damaged ones must not take their places.
        for damaged in self.damaged.drain(..).filter(|s| *s != step) {
            checkpoints.remove(damaged)?;
        }
        checkpoints.prune(self.plan.keep)?;
        let at = self.at();
        self.watch.checkpointed(at, &path);
        self.newest = Some(path);
        Ok(())
    }

    fn check_finite(&mut self) -> Result<(), FitError> {
        match self.unchecked.check() {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.diverged(fault)),
        }
    }

    fn diverged(&self, fault: NonFinite) -> FitError {
        FitError::NonFinite { fault, last_good: self.newest.clone() }
    }

    fn summary(&self) -> Summary {
        let evaluation = self.state.evaluation.iter();
        Summary {
            step: self.state.step,
            resumed_from: self.resumed_from,
            seconds: self.seconds(),
            samples_per_s: self.training.samples_per_s(),
            evaluation: evaluation.map(|(n, v)| (n.clone(), v.unwrap_or(f64::NAN))).collect(),
            best: self.state.best,
        }
    }
}

/// The generators that a run on `device` draws from, by name.
fn generators(device: Device) -> impl Iterator<Item = (&'static str, Device)> {
    let own = (device != Device::Cpu).then_some(("cuda", device));
    [("cpu", Device::Cpu)].into_iter().chain(own)
}

/// All tensors of a checkpoint under their prefixed names.
fn tensors<O: Objective>(
    objective: &O,
    optimizer: &Optimizer,
    device: Device,
) -> Result<Vec<(String, Tensor)>, FitError> {
    let state = |(name, device): (&str, _)| Ok((name.to_owned(), torch::rng::state(device)?));
    let rng = generators(device).map(state).collect::<Result<_, RngError>>()?;
    let parts = [
        ("param.", objective.params().tensors()),
        ("optim.", optimizer.state()),
        ("memory.", objective.memory()),
        ("rng.", rng),
    ];
    let named = |(prefix, part): (&str, Vec<(String, Tensor)>)| {
        let prefix = prefix.to_owned();
        part.into_iter().map(move |(name, tensor)| (format!("{prefix}{name}"), tensor))
    };
    Ok(parts.into_iter().flat_map(named).collect())
}

/// Puts everything back as it was when the checkpoint was written.
fn restore<O: Objective>(
    checkpoint: &Checkpoint,
    objective: &O,
    optimizer: &mut Optimizer,
    plan: &Plan,
) -> Result<(), FitError> {
    checkpoint.expect_recipe(&plan.recipe)?;
    let path = || checkpoint.path.clone();
    if checkpoint.state.step > plan.steps {
        let (step, steps) = (checkpoint.state.step, plan.steps);
        let faults = vec![format!("it is of step {step}, and the plan has {steps}")];
        return Err(CheckpointError::Mismatch { path: path(), faults }.into());
    }
    checkpoint.restore(objective)?;
    optimizer
        .load_state(&checkpoint.part("optim."))
        .map_err(|source| FitError::Optimizer { path: path(), source })?;
    let rng = checkpoint.part("rng.");
    for (name, device) in generators(plan.device) {
        match rng.get(name) {
            Some(state) => torch::rng::set_state(device, state)?,
            None => tracing::warn!(
                "{}: it holds no state for the generator of {device:?}; the noise from here on is another",
                checkpoint.path.display()
            ),
        }
    }
    Ok(())
}
