//! A method's loss on images, with the feedback that its augmentation may want.

use std::sync::Arc;

use augment::ctaugment::Choice;
use ssl_core::{Batch, Method, Ssl};
use torch::{Device, Kind, Mode, Params, Tensor, flops, no_grad};
use train::{Loss, Objective, Progress};

use super::feedback::Feedback;

/// A step's samples, and its probes where there is feedback.
pub(crate) struct ImageBatch {
    pub(super) batch: Batch,
    pub(super) probes: Option<Probes>,
}

/// Distorted labelled images `[labeled, ...]`, and what was done to each.
pub(crate) struct Probes {
    pub(super) images: Tensor,
    pub(super) choices: Vec<Vec<Choice>>,
}

/// A method with its networks, and the feedback that its augmentation may want.
pub(crate) struct ImageObjective {
    pub(super) ssl: Ssl<Box<dyn Method>>,
    feedback: Option<Learning>,
    probes: Option<(Probes, Tensor)>,
    /// Floating-point operations of the losses so far.
    flops: u64,
}

/// CTAugment's rates, and the tensor by which checkpoints keep them.
pub(super) struct Learning {
    pub(super) feedback: Arc<Feedback>,
    kept: Tensor,
}

impl Learning {
    pub(super) fn new(feedback: Arc<Feedback>) -> Self {
        let rows = feedback.history_rows();
        let shape = [rows.len() as i64, rows[0].len() as i64];
        Self { feedback, kept: Tensor::zeros(shape, (Kind::Double, Device::Cpu)) }
    }

    /// The same feedback, kept by the same tensor.
    pub(super) fn share(&self) -> Self {
        Self { feedback: self.feedback.clone(), kept: self.kept.shallow_clone() }
    }

    /// To be called when a checkpoint of this step was restored, before the loader starts.
    pub(super) fn resume(&self, step: u64) {
        if step > 0 {
            let rows = Vec::<Vec<f64>>::try_from(&self.kept).expect("rates row by row");
            self.feedback.resume(step, &rows);
        }
    }

    fn state(&self) -> Tensor {
        let rows: Vec<f64> = self.feedback.history_rows().concat();
        let mut kept = self.kept.shallow_clone();
        no_grad(|| kept.copy_(&Tensor::from_slice(&rows).view_as(&self.kept)));
        kept
    }
}

impl ImageObjective {
    pub(super) fn new(ssl: Ssl<Box<dyn Method>>, feedback: Option<Learning>) -> Self {
        Self { ssl, feedback, probes: None, flops: 0 }
    }
}

impl Objective for ImageObjective {
    type Batch = ImageBatch;

    fn params(&self) -> &Params {
        self.ssl.params()
    }

    fn loss(&mut self, samples: ImageBatch, at: Progress) -> Loss {
        let y = samples.batch.y.shallow_clone();
        self.probes = samples.probes.map(|probes| (probes, y));
        let before = flops::counted();
        let loss = self.ssl.loss(samples.batch, at);
        self.flops += flops::counted() - before;
        loss
    }

    fn after_step(&mut self, at: Progress) {
        self.ssl.after_step(at);
        if let (Some(learning), Some((probes, y))) = (&self.feedback, self.probes.take()) {
            // Not the SWA model: its running statistics are taken anew at evaluations only.
            let nets = self.ssl.nets();
            let model = nets.ema.as_ref().unwrap_or(&nets.student);
            let logits = model.forward(&probes.images, Mode::Eval);
            // 1 − ½ Σ|p − truth| is the probability of the true class.
            let right = logits.softmax(-1, Kind::Double).gather(1, &y.unsqueeze(1), false);
            let right = Vec::<f64>::try_from(right.reshape([-1])).expect("a number a probe");
            learning.feedback.completed(&probes.choices, &right);
        }
    }

    fn flops(&self) -> u64 {
        self.flops
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = self.ssl.state();
        state.extend(self.feedback.as_ref().map(|l| ("ctaugment.rates".to_owned(), l.state())));
        state
    }
}

#[cfg(test)]
mod tests {
    use augment::ctaugment::{CtAugment, CtOp, Rates};
    use augment::policy::{Policy, Step};
    use ssl_core::{MethodConfig, MethodSettings, TaskInfo};
    use torch::{Model, Net};
    use train::Ema;

    use super::*;

    /// Says these logits, whatever it is shown.
    struct Says(Tensor);

    impl Net for Says {
        fn forward(&self, _x: &Tensor, _mode: Mode) -> Tensor {
            self.0.shallow_clone()
        }
    }

    /// A network that gives two images these probabilities of three classes.
    fn says(probabilities: [[f32; 3]; 2]) -> Model {
        let logits = Tensor::from_slice(&probabilities.concat()).log().view([2, 3]);
        Model::build(Device::Cpu, |_| Says(logits))
    }

    #[test]
    fn a_probes_bin_follows_the_probability_of_its_true_class_by_the_ema_model() {
        let ctaugment = Policy(vec![Step::CtAugment(CtAugment::default())]);
        let feedback = Feedback::of(&ctaugment).expect("it learns");
        let config = MethodConfig::Supervised(Default::default());
        let method = config.build(&TaskInfo { classes: 3, unlabeled: 0, device: Device::Cpu });
        let student = says([[0.05, 0.9, 0.05], [0.9, 0.05, 0.05]]);
        let ema = says([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]]);
        let ssl = Ssl::new(method, student, Some((ema, Ema::new(0.9))));
        let mut objective = ImageObjective::new(ssl, Some(Learning::new(feedback.clone())));

        let images = Tensor::zeros([2, 1, 1, 1], (Kind::Float, Device::Cpu));
        let batch = Batch::labeled(images.shallow_clone(), Tensor::from_slice(&[1i64, 0]));
        let one = |op| vec![Choice { op, levels: [0.0; 2] }];
        let choices = vec![one(CtOp::Rotate), one(CtOp::ShearX)];
        let at = Progress { step: 0, steps: 1 };
        let _ = objective.loss(ImageBatch { batch, probes: Some(Probes { images, choices }) }, at);
        objective.after_step(at);

        let rows = feedback.history_rows();
        let rates = Rates::from_flat(rows.last().expect("a row"));
        for (op, probability) in [(CtOp::Rotate, 0.3), (CtOp::ShearX, 0.2)] {
            let found = rates.weights[op as usize][0][0];
            assert!((found - (0.99 + 0.01 * probability)).abs() < 1e-8, "{op}: {found}");
        }
    }
}
