//! What a run leaves behind: rows of its record, and checkpoints.

use std::time::Instant;

use metrics::Metric;

use super::{Logged, Run};
use crate::checkpoint::Best;
use crate::outcome::FitError;
use crate::resume::tensors;
use crate::{Objective, StepLog};

impl<O: Objective> Run<'_, O> {
    pub(super) fn log(&mut self) -> Result<(), FitError> {
        let clock = Instant::now();
        self.check_finite()?;
        let (loss, lr, grad_norm) = self.unchecked.latest().expect("a step was taken");
        // Reading waits for the work that the device still has to do, which belongs to the steps.
        self.training.add(0, clock);
        let mut values = vec![("loss".to_owned(), loss.total), ("lr".to_owned(), lr)];
        let flops = self.state.flops;
        values.extend((flops > 0).then(|| ("flop".to_owned(), flops as f64)));
        values.extend(grad_norm.map(|norm| ("grad_norm".to_owned(), norm)));
        values.extend(loss.terms.iter().map(|(n, v)| (format!("loss/{n}"), *v)));
        values.extend(loss.notes.iter().map(|(n, v)| (format!("note/{n}"), *v)));
        self.record(&values)?;

        let (at, seconds) = (self.at(), self.seconds());
        let since = self.training.minus(self.logged.training);
        let flops_per_second = since.rate(flops - self.logged.flops);
        self.logged = Logged { training: self.training, flops };
        let taken = at.step - self.resumed_from.unwrap_or(0);
        let a_step = self.clock.began.elapsed().as_secs_f64() / taken as f64;
        self.callback.logged(&StepLog {
            at,
            loss,
            lr,
            grad_norm,
            throughput: since.per_second(),
            unit: self.options.throughput.unit,
            flops,
            flops_per_second,
            seconds,
            seconds_left: a_step * (at.steps - at.step) as f64,
        });
        Ok(())
    }

    /// Records an evaluation; says whether it is the best so far.
    pub(super) fn evaluated(&mut self, metrics: Vec<Metric>) -> Result<bool, FitError> {
        let step = self.state.step;
        let rows: Vec<_> = metrics.iter().map(|m| (format!("eval/{}", m.name), m.value)).collect();
        self.record(&rows)?;
        let at = self.at();
        self.callback.evaluated(at, &metrics);
        self.state.evaluation = metrics;
        let metrics = &self.state.evaluation;
        let Some(wanted) = self.options.select_by else { return Ok(false) };
        let Some(metric) = metrics.iter().find(|m| m.name == wanted) else {
            let given = metrics.iter().map(|m| m.name.clone()).collect();
            return Err(FitError::NoMetric { metric: wanted.to_owned(), given });
        };
        let improved = metric.is_better_than(self.state.best.map_or(f64::NAN, |best| best.value));
        if improved {
            let &Metric { value, better, .. } = metric;
            self.state.best = Some(Best { step, value, better });
        }
        Ok(improved)
    }

    fn record(&mut self, values: &[(String, f64)]) -> Result<(), FitError> {
        let (step, seconds) = (self.state.step, self.seconds());
        let record = |source| FitError::Record { path: self.stage.path().to_owned(), source };
        match &mut self.log {
            Some(log) => log.write(step, seconds, values).map_err(record),
            None => Ok(()),
        }
    }

    /// Writes a checkpoint of the steps completed, unless there is one.
    pub(super) fn checkpoint(&mut self) -> Result<(), FitError> {
        let checkpoints = self.stage.checkpoints();
        let path = checkpoints.path(self.state.step);
        if self.newest.as_ref() == Some(&path) {
            return Ok(());
        }
        self.check_tensors()?;
        // Where it is kept in parts, all processes have to give theirs.
        let optimizer = match &self.shards {
            None => self.optimizer.state(),
            Some(shards) => shards.gather(self.optimizer)?,
        };
        let record = |source| FitError::Record { path: self.stage.path().to_owned(), source };
        let Some(log) = &mut self.log else {
            // Rank 0 writes it.
            self.newest = Some(path);
            return Ok(());
        };
        let (record_bytes, events_bytes) = log.sync().map_err(record)?;
        self.state.record_bytes = record_bytes;
        self.state.events_bytes = events_bytes;
        self.state.seconds = self.seconds();
        let tensors = tensors(self.objective, optimizer, self.options.device)?;
        let step = self.state.step;
        checkpoints.write(&self.state, self.options.recipe, &tensors)?;
        if self.state.best.is_some_and(|best| best.step == step) {
            checkpoints.set_best(step)?;
        }
        // Older ones are removed only now that the new one is durable. Damaged ones are removed
        // first, so that they do not count among those that are kept.
        for damaged in self.damaged.drain(..).filter(|s| *s != step) {
            checkpoints.remove(damaged)?;
        }
        checkpoints.prune(self.options.cadence.keep)?;
        let at = self.at();
        self.callback.checkpointed(at, &path);
        self.newest = Some(path);
        Ok(())
    }
}
