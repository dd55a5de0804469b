//! CTAugment's feedback (ReMixMatch, arXiv 1911.09785, section 3.2): training finds out how strong the strong view may be.
//!
//! Beside the labelled images the loader prepares a probe of each, distorted by operations of uniformly drawn strength. After a step the
//! averaged network looks at them, and how well it recognises each moves the rates by which strong views are drawn. The loader works
//! ahead, so that a step's views are drawn by the rates of [`LAG`] steps before: by a number that is the same on every machine, with
//! any number of workers, and after a resume.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use augment::ctaugment::{Choice, CtAugment, Rates};
use augment::policy::{Policy, Step};
use data_pipeline::loader::{HostBatch, View, key};
use ssl_core::{Batch, Method, Ssl};
use torch::{Device, Kind, Mode, Params, Tensor, no_grad};
use train::{Loss, Objective, Progress};

/// By how many steps the loader's rates are behind. Ten workers, each three steps ahead, never wait.
const LAG: u64 = 32;

/// The position of the probe among the views of labelled images.
pub(crate) const PROBE: usize = 1;

/// The rates of a run, shared by training, which moves them, and loader threads, which draw by them.
pub(crate) struct Feedback {
    augment: CtAugment,
    before: Policy,
    after: Policy,
    course: Mutex<Course>,
    moved: Condvar,
}

/// The rates after the last steps.
struct Course {
    /// Steps that are completed.
    steps: u64,
    /// After `steps - LAG`, ..., `steps` steps; before the first they were what they are at the start.
    rates: VecDeque<Arc<Rates>>,
    /// Nobody trains any more.
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
            course: Mutex::new(Course {
                steps: 0,
                rates: vec![start; LAG as usize + 1].into(),
                over: false,
            }),
            moved: Condvar::new(),
        }))
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rates that a step draws by; waits for training if that has not come so far.
    fn rates(&self, step: u64) -> Arc<Rates> {
        let mut course = self.course();
        while course.steps + LAG < step && !course.over {
            course = self.moved.wait(course).unwrap_or_else(PoisonError::into_inner);
        }
        course.rates[step.saturating_sub(course.steps).min(LAG) as usize].clone()
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
    pub(crate) fn choices(&self, seed: u64, batch: &HostBatch) -> Vec<Vec<Choice>> {
        let draws = batch.epochs.iter().zip(&batch.slots);
        draws
            .map(|(&epoch, &slot)| self.augment.probe(&mut key(seed, epoch, slot, PROBE).rng()))
            .collect()
    }

    /// A step is completed: `proximities` says how near to the truth the network was on each of its probes.
    fn completed(&self, choices: &[Vec<Choice>], proximities: &[f64]) {
        let mut course = self.course();
        let mut rates = Rates::clone(&course.rates[LAG as usize]);
        for (choices, &proximity) in choices.iter().zip(proximities) {
            rates.update(choices, proximity, self.augment.decay);
        }
        course.steps += 1;
        course.rates.pop_front();
        course.rates.push_back(Arc::new(rates));
        drop(course);
        self.moved.notify_all();
    }

    /// Goes on from what a checkpoint of this many steps kept.
    fn resume(&self, steps: u64, kept: &Tensor) {
        let rows = Vec::<Vec<f64>>::try_from(kept).expect("rates row by row");
        let mut course = self.course();
        course.steps = steps;
        course.rates = rows.iter().map(|row| Arc::new(Rates::from_flat(row))).collect();
    }

    fn keep(&self, to: &mut Tensor) {
        let rows: Vec<f64> = self.course().rates.iter().flat_map(|rates| rates.flat()).collect();
        no_grad(|| to.copy_(&Tensor::from_slice(&rows).view_as(to)));
    }

    /// Loader threads need not wait for training any more: what they prepare is thrown away.
    pub(crate) fn end(&self) {
        self.course().over = true;
        self.moved.notify_all();
    }
}

/// A step's samples, and its probes where there is feedback.
pub(crate) struct Fed {
    pub(crate) batch: Batch,
    pub(crate) probes: Option<Probes>,
}

/// Distorted labelled images `[labeled, ...]`, and what was done to each.
pub(crate) struct Probes {
    pub(crate) images: Tensor,
    pub(crate) choices: Vec<Vec<Choice>>,
}

/// A method with its networks, and the feedback that its augmentation may want.
pub(crate) struct Learner {
    pub(crate) ssl: Ssl<Box<dyn Method>>,
    feedback: Option<(Arc<Feedback>, Tensor)>,
    probes: Option<(Probes, Tensor)>,
}

impl Learner {
    pub(crate) fn new(ssl: Ssl<Box<dyn Method>>, feedback: Option<Arc<Feedback>>) -> Self {
        let kept = |feedback: Arc<Feedback>| {
            let shape = [LAG as i64 + 1, Rates::new().flat().len() as i64];
            (feedback, Tensor::zeros(shape, (Kind::Double, Device::Cpu)))
        };
        Self { ssl, feedback: feedback.map(kept), probes: None }
    }

    /// To be called with the step at which training begins or goes on, when a checkpoint has been restored and before the loader
    /// starts.
    pub(crate) fn beginning(&self) -> impl FnOnce(u64) + use<> {
        let shared = self.feedback.as_ref().map(|(f, kept)| (f.clone(), kept.shallow_clone()));
        move |from| {
            if let Some((feedback, kept)) = shared.filter(|_| from > 0) {
                feedback.resume(from, &kept);
            }
        }
    }
}

impl Objective for Learner {
    type Batch = Fed;

    fn params(&self) -> &Params {
        self.ssl.params()
    }

    fn loss(&mut self, fed: Fed, at: Progress) -> Loss {
        let y = fed.batch.y.shallow_clone();
        self.probes = fed.probes.map(|probes| (probes, y));
        self.ssl.loss(fed.batch, at)
    }

    fn after_step(&mut self, at: Progress) {
        self.ssl.after_step(at);
        if let (Some((feedback, _)), Some((probes, y))) = (&self.feedback, self.probes.take()) {
            // Not the mean of late weights: its running statistics are taken anew at evaluations only.
            let nets = self.ssl.nets();
            let judge = nets.ema.as_ref().unwrap_or(&nets.student);
            let guess = judge.forward(&probes.images, Mode::Eval);
            // 1 − ½ Σ|p − truth| is the probability of the true class.
            let right = guess.softmax(-1, Kind::Double).gather(1, &y.unsqueeze(1), false);
            let right = Vec::<f64>::try_from(right.reshape([-1])).expect("a number a probe");
            feedback.completed(&probes.choices, &right);
        }
    }

    fn memory(&self) -> Vec<(String, Tensor)> {
        let mut kept = self.ssl.memory();
        if let Some((feedback, rates)) = &self.feedback {
            feedback.keep(&mut rates.shallow_clone());
            kept.push(("ctaugment.rates".to_owned(), rates.shallow_clone()));
        }
        kept
    }
}
