//! CTAugment's feedback (ReMixMatch, arXiv 1911.09785, section 3.2): training finds out how strong
//! the strong view may be.
//!
//! Beside the labelled images the loader prepares a probe of each, distorted by operations of
//! uniformly drawn strength. After a step the EMA model classifies them, and the probability of the
//! true class moves the rates by which strong views are drawn. The loader works ahead, so a step's
//! views are drawn by the rates of [`LAG`] steps before: the same on every machine, with any number
//! of workers, and after a resume.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use augment::ctaugment::{Choice, CtAugment, Rates};
use augment::policy::{Policy, Step};
use data_pipeline::loader::{HostBatch, View, key};

use super::feed::Images;

/// By how many steps the loader's rates are behind. Ten workers, each three steps ahead, never
/// wait.
const LAG: u64 = 32;

/// The position of the probe among the views of labelled images.
pub(super) const PROBE: usize = 1;

/// The rates of a run, shared by training, which moves them, and loader threads, which draw by
/// them.
pub(crate) struct Feedback {
    augment: CtAugment,
    before: Policy,
    after: Policy,
    history: Mutex<History>,
    moved: Condvar,
}

/// The rates after the last steps.
struct History {
    /// Steps that are completed.
    steps: u64,
    /// After `steps - LAG`, ..., `steps` steps; before the first they were what they are at the
    /// start.
    rates: VecDeque<Arc<Rates>>,
    /// Whether training has ended.
    over: bool,
}

impl Feedback {
    /// For a policy in which CTAugment occurs, once.
    pub(crate) fn of(strong: &Policy) -> Option<Arc<Self>> {
        let at = strong.0.iter().position(|step| matches!(step, Step::CtAugment(_)))?;
        let Step::CtAugment(augment) = strong.0[at] else { return None };
        let start = Arc::new(Rates::new());
        Some(Arc::new(Self {
            augment,
            before: Policy(strong.0[..at].to_vec()),
            after: Policy(strong.0[at + 1..].to_vec()),
            history: Mutex::new(History {
                steps: 0,
                rates: vec![start; LAG as usize + 1].into(),
                over: false,
            }),
            moved: Condvar::new(),
        }))
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rates that a step draws by; waits for training if that has not come so far.
    fn rates(&self, step: u64) -> Arc<Rates> {
        let mut history = self.history();
        while history.steps + LAG < step && !history.over {
            history = self.moved.wait(history).unwrap_or_else(PoisonError::into_inner);
        }
        history.rates[step.saturating_sub(history.steps).min(LAG) as usize].clone()
    }

    /// The strong view.
    pub(crate) fn strong(self: &Arc<Self>) -> View {
        let own = self.clone();
        Arc::new(move |image, rng, scratch, step| {
            own.before.apply_in_place(image, rng, scratch);
            let choices = own.augment.strong(&own.rates(step), rng);
            own.augment.apply_choices(&choices, image, rng, scratch);
            own.after.apply_in_place(image, rng, scratch);
        })
    }

    /// The probe; its choices are drawn first, so that they can be drawn once more.
    pub(crate) fn probe(self: &Arc<Self>) -> View {
        let own = self.clone();
        Arc::new(move |image, rng, scratch, _| {
            let choices = own.augment.probe(rng);
            own.before.apply_in_place(image, rng, scratch);
            own.augment.apply_choices(&choices, image, rng, scratch);
        })
    }

    /// What was done to the probes of a batch of the stream with this seed.
    pub(super) fn choices(&self, seed: u64, batch: &HostBatch<Images>) -> Vec<Vec<Choice>> {
        let draws = batch.epochs.iter().zip(&batch.slots);
        draws
            .map(|(&epoch, &slot)| self.augment.probe(&mut key(seed, epoch, slot, PROBE).rng()))
            .collect()
    }

    /// Notes a completed step: `proximities` are the probabilities of the true class of its probes.
    pub(super) fn completed(&self, choices: &[Vec<Choice>], proximities: &[f64]) {
        let mut history = self.history();
        let mut rates = Rates::clone(&history.rates[LAG as usize]);
        for (choices, &proximity) in choices.iter().zip(proximities) {
            rates.update(choices, proximity, self.augment.decay);
        }
        history.steps += 1;
        history.rates.pop_front();
        history.rates.push_back(Arc::new(rates));
        drop(history);
        self.moved.notify_all();
    }

    /// Goes on after so many steps from what [`history_rows`](Self::history_rows) gave then.
    pub(super) fn resume(&self, steps: u64, rows: &[Vec<f64>]) {
        let mut history = self.history();
        history.steps = steps;
        history.rates = rows.iter().map(|row| Arc::new(Rates::from_flat(row))).collect();
    }

    /// The rates of the last steps, a row each.
    pub(super) fn history_rows(&self) -> Vec<Vec<f64>> {
        self.history().rates.iter().map(|rates| rates.flat()).collect()
    }

    /// Tells loader threads that they need not wait for training any more: what they prepare is
    /// thrown away.
    pub(super) fn end(&self) {
        self.history().over = true;
        self.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use augment::ctaugment::CtOp;

    use super::*;

    /// All weights 1 but these: an operation, the bin of its only parameter, its weight.
    fn rates(moved: &[(CtOp, usize, f64)]) -> Rates {
        let mut rates = Rates::new();
        moved.iter().for_each(|&(op, bin, weight)| rates.weights[op as usize][0][bin] = weight);
        rates
    }

    fn assert_near(found: &Rates, expected: &Rates) {
        let apart = found.flat().into_iter().zip(expected.flat()).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f64::max) < 1e-12, "{found:?}");
    }

    /// w ← 0.99 w + 0.01 times the proximity, in the bin of the level alone.
    #[test]
    fn a_step_moves_the_bins_of_its_probes_from_where_the_step_before_left_them() {
        let policy = Policy(vec![Step::CtAugment(CtAugment::default())]);
        let feedback = Feedback::of(&policy).expect("it learns");
        let one = |op, level| vec![Choice { op, levels: [level, 0.0] }];
        feedback.completed(&[one(CtOp::Rotate, 0.5)], &[0.0]);
        let second = [one(CtOp::ShearX, 0.0), one(CtOp::Rotate, 0.5)];
        feedback.completed(&second, &[0.5, 1.0]);
        // Of 17 bins, 0.5 is in the ninth.
        let first = rates(&[(CtOp::Rotate, 8, 0.99)]);
        let both = rates(&[(CtOp::Rotate, 8, 0.9901), (CtOp::ShearX, 0, 0.995)]);
        // Views of a step are drawn by the rates of `LAG` steps before.
        for (step, expected) in
            [(0, &Rates::new()), (LAG, &Rates::new()), (LAG + 1, &first), (LAG + 2, &both)]
        {
            assert_near(&feedback.rates(step), expected);
        }
        let kept = feedback.history_rows();
        assert_eq!(kept.len(), LAG as usize + 1);
        assert_near(&Rates::from_flat(&kept[LAG as usize]), &both);
    }
}
