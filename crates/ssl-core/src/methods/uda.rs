//! UDA (Xie et al. 2019, arXiv 1904.12848): the prediction on a weak view teaches a strongly
//! augmented one.
//!
//! One forward pass over labelled, weak and strong samples together, as in the authors' code for
//! images (where they share batch-norm statistics) and for texts. The mask compares the probability
//! before sharpening, and strictly; the mean is over all unlabelled samples.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Tensor, loss::kl_divergence};
use train::{Loss, Progress, Schedule};

use crate::parts::{
    Aligner, Alignment, Judged, Tsa, WeakPass, entropy, labeled_alone, mask_by_class, sharpen,
    skip_faults,
};
use crate::{Batch, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};

/// The settings of UDA. The defaults are the authors' last recipe (February 2020);
/// [`UdaConfig::october_2019`] is the one behind 5.29 % on CIFAR-10 and 2.55 % on SVHN.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1 | λ of the consistency term | a schedule |
/// | `temperature` | 0.4 | τ of the target softmax(z/τ) | above 0 |
/// | `threshold` | 0.8 | β: only samples whose largest probability exceeds it count; 0 for all | \[0, 1) |
/// | `alignment` | none | distribution alignment of the predictions, before they are sharpened and compared with β, as in [`Alignment`]; not in the paper: for few labels, where one class takes over | |
/// | `entropy` | 0 | weight of the entropy of the weak view's prediction | at least 0 |
/// | `tsa` | `none` | training signal annealing: `none`, `linear`, `log`, `exp` | |
/// | `weak_pass` | `joint` | how the weak view is predicted, a [`WeakPass`] | `joint` where `entropy` is above 0 |
/// | `skip_masked` | false | strong views that do not count are not run: less work for the same loss, but for batch norm, which sees the others alone; where `weight` is 0, no unlabelled view is run and nothing is learnt from it | false with `joint` |
/// | `labeled` | `weak` | the view of labelled samples | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UdaConfig {
    /// λ of the consistency term.
    pub weight: Schedule,
    /// τ of the target.
    pub temperature: f64,
    /// β of the mask.
    pub threshold: f64,
    /// Distribution alignment of the predictions on the weak view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Alignment>,
    /// Weight of the entropy term.
    pub entropy: f64,
    /// Training signal annealing.
    pub tsa: Tsa,
    /// How the weak view is predicted.
    pub weak_pass: WeakPass,
    /// Whether strong views that do not count are left out.
    pub skip_masked: bool,
    /// The view of labelled samples.
    pub labeled: ViewKind,
}

impl Default for UdaConfig {
    fn default() -> Self {
        Self {
            weight: Schedule::constant(1.0),
            temperature: 0.4,
            threshold: 0.8,
            alignment: None,
            entropy: 0.0,
            tsa: Tsa::None,
            weak_pass: WeakPass::Joint,
            skip_masked: false,
            labeled: ViewKind::Weak,
        }
    }
}

impl UdaConfig {
    /// The recipe of October 2019 for CIFAR-10: no sharpening, no mask, entropy minimisation,
    /// linear annealing. SVHN's has no entropy term.
    pub fn october_2019() -> Self {
        Self { temperature: 1.0, threshold: 0.0, entropy: 0.1, tsa: Tsa::Linear, ..Self::default() }
    }
}

impl MethodSettings for UdaConfig {
    fn faults(&self) -> Vec<ConfigError> {
        let joint = self.weak_pass == WeakPass::Joint;
        let fault = "its gradient needs the weak view: weak_pass must be joint";
        Faults::default()
            .within("weight", self.weight.faults())
            .positive("temperature", self.temperature)
            .rate("threshold", self.threshold)
            .not_negative("entropy", self.entropy)
            .unless(self.entropy <= 0.0 || joint, "entropy", fault)
            .also(skip_faults(self.weak_pass, self.skip_masked))
            .within("alignment", self.alignment.iter().flat_map(Alignment::faults))
            .done()
    }

    fn fits_classes(&self, classes: usize) -> Result<(), ConfigError> {
        self.alignment.iter().try_for_each(|alignment| alignment.fits(classes))
    }

    fn build(&self, task: &TaskInfo) -> Box<dyn Method> {
        Box::new(Uda::new(self.clone(), task))
    }

    fn needs(&self) -> Needs {
        self.weak_pass.needs()
    }

    fn shares_batches(&self) -> bool {
        true
    }
}

/// UDA, with settings [`UdaConfig`].
#[derive(Debug)]
pub struct Uda {
    config: UdaConfig,
    aligner: Option<Aligner>,
}

impl Uda {
    /// The method with these settings, which have no [faults](MethodSettings::faults), in a fresh
    /// state.
    pub fn new(config: UdaConfig, task: &TaskInfo) -> Self {
        let aligner = config.alignment.clone().map(|alignment| Aligner::new(alignment, task));
        Self { config, aligner }
    }

    /// The loss with what training signal annealing did, where it is on.
    fn with_released(&self, loss: Loss, released: Tensor, at: Progress, logits: &Tensor) -> Loss {
        if self.config.tsa == Tsa::None {
            return loss;
        }
        let threshold = self.config.tsa.threshold(at, logits.size()[1]);
        loss.note("released", released).note("released_below", threshold)
    }
}

impl Method for Uda {
    fn views(&self) -> Views {
        Views { labeled: self.config.labeled, unlabeled: vec![ViewKind::Weak, ViewKind::Strong] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let &UdaConfig { temperature, threshold, weak_pass, skip_masked, .. } = &self.config;
        let weight = self.config.weight.at(at);
        if skip_masked && weight == 0.0 {
            let x = labeled_alone(nets, batch);
            let (sup, released) = self.config.tsa.cross_entropy(&x, &batch.y, at);
            return self.with_released(Loss::new().term("sup", 1.0, sup), released, at, &x);
        }
        let aligner = &mut self.aligner;
        let mut probs = Tensor::new();
        let passes = weak_pass.run(nets, batch, skip_masked, |weak| {
            probs = weak.softmax(-1, Kind::Float);
            if let Some(aligner) = aligner {
                probs = aligner.align(&probs, &batch.y);
            }
            let target = sharpen(&probs, temperature);
            let mask = probs.amax([-1].as_slice(), false).gt(threshold).to_kind(Kind::Float);
            Judged { target, mask }
        });
        let (x, mask) = (&passes.x, &passes.judged.mask);
        let (sup, released) = self.config.tsa.cross_entropy(x, &batch.y, at);
        let unsup = passes.masked_mean(kl_divergence);
        let mut loss = Loss::new().term("sup", 1.0, sup).term("unsup", weight, unsup);
        if self.config.entropy > 0.0 {
            let entropy = entropy(&passes.weak).mean(Kind::Float);
            loss = loss.term("entropy", self.config.entropy, entropy);
        }
        loss = self.with_released(loss, released, at, x);
        let confidence = probs.amax([-1].as_slice(), false);
        let loss = loss.note("confidence", confidence.mean(Kind::Float));
        loss.note("mask", mask.mean(Kind::Float)).note_each("mask", mask_by_class(&probs, mask))
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.aligner.as_ref().map_or_else(Vec::new, Aligner::state)
    }
}

#[cfg(test)]
mod tests {
    use torch::{Device, Model, nn::Linear, no_grad};

    use super::*;

    use crate::parts::AlignTo;

    /// The consistency term for logits (2, 0) of the weak view and (1, 0) of the strong one.
    fn unsup(temperature: f64, threshold: f64) -> f64 {
        let config = UdaConfig { temperature, threshold, ..UdaConfig::default() };
        unsup_of(&config, [&[[2.0, 0.0]], &[[1.0, 0.0]]])
    }

    /// The consistency term for such logits of weak and of strong views.
    fn unsup_of(config: &UdaConfig, views: [&[[f32; 2]]; 2]) -> f64 {
        let student = Model::build(Device::Cpu, |scope| Linear::new(scope, 2, 2));
        no_grad(|| {
            for (name, values) in [("weight", &[1f32, 0.0, 0.0, 1.0][..]), ("bias", &[0.0, 0.0])] {
                let mut tensor = student.params.get(name).expect("of a layer").shallow_clone();
                tensor.copy_(&Tensor::from_slice(values).view_as(&tensor));
            }
        });
        let logits = |all: &[[f32; 2]]| Tensor::from_slice(all.as_flattened()).view([-1, 2]);
        let batch = Batch {
            u: views.map(logits).into(),
            ..Batch::labeled(logits(&[[0.0; 2]]), Tensor::from_slice(&[0i64]))
        };
        let nets = Nets { student, ema: None };
        let task = TaskInfo { classes: 2, unlabeled: 2, device: Device::Cpu };
        let mut method = Uda::new(config.clone(), &task);
        let loss = method.loss(&nets, &batch, Progress { step: 0, steps: 10 });
        loss.values().terms.iter().find(|term| term.0 == "unsup").expect("the term").1
    }

    /// A port sharpened the prediction (0.0115631843), or both (0.0554422585): the loss has the
    /// same sign and size.
    #[test]
    fn the_temperature_sharpens_the_target_alone() {
        assert!((unsup(0.4, 0.0) - 0.279_774_935_3).abs() < 1e-6, "{}", unsup(0.4, 0.0));
        assert!((unsup(1.0, 0.0) - 0.067_130_754_5).abs() < 1e-6, "{}", unsup(1.0, 0.0));
        // Before sharpening the target's largest probability is 0.8808, after it 0.993.
        assert_eq!(unsup(0.4, 0.9), 0.0);
        assert!(unsup(0.4, 0.88) > 0.27);
    }

    /// Logits of 3 and 2 for the first class: aligned within the batch the second sample is of the
    /// other class (probabilities 0.6461 and 0.4018), and thresholds see these. Computed in float64
    /// with [`align`](crate::parts::align)'s 1e-6.
    #[test]
    fn predictions_are_aligned_before_they_are_sharpened() {
        let alignment = Alignment { to: AlignTo::Uniform, decay: 0.0, start: Vec::new() };
        for (temperature, threshold, expected) in
            [(1.0, 0.0, 0.031368804), (0.4, 0.62, 0.109570155)]
        {
            let alignment = Some(alignment.clone());
            let config = UdaConfig { temperature, threshold, alignment, ..UdaConfig::default() };
            let found = unsup_of(&config, [&[[3.0, 0.0], [2.0, 0.0]], &[[0.0; 2]; 2]]);
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
    }

    /// Predictions whose mean is the given shares already stay as they are, and equal shares given
    /// as numbers are the uniform ones.
    #[test]
    fn predictions_are_aligned_to_shares_that_are_given() {
        let loss = |to, start: Vec<f64>| {
            let alignment = Some(Alignment { to, decay: 0.0, start });
            let config = UdaConfig { alignment, ..UdaConfig::default() };
            unsup_of(&config, [&[[3.0, 0.0], [2.0, 0.0]], &[[0.0; 2]; 2]])
        };
        let plain = unsup_of(&UdaConfig::default(), [&[[3.0, 0.0], [2.0, 0.0]], &[[0.0; 2]; 2]]);
        let mean =
            [3.0f64, 2.0].map(|logit| 1.0 / (1.0 + (-logit).exp())).iter().sum::<f64>() / 2.0;
        let start = vec![0.5, 0.3, 0.2];
        let alignment = Some(Alignment { to: AlignTo::Start, decay: 0.0, start });
        let config = UdaConfig { alignment, ..UdaConfig::default() };
        assert!(config.fits_classes(3).is_ok() && UdaConfig::default().fits_classes(2).is_ok());
        let error = config.fits_classes(2).expect_err("two shares");
        assert!(error.to_string().contains("3 shares, and there are 2 classes"), "{error}");
        let same = loss(AlignTo::Start, vec![mean, 1.0 - mean]);
        assert!((same - plain).abs() < 1e-5, "{same}, not {plain}");
        let uniform = loss(AlignTo::Uniform, Vec::new());
        assert!((loss(AlignTo::Start, vec![0.5, 0.5]) - uniform).abs() < 1e-6);
        assert!((uniform - plain).abs() > 1e-2);
        let mut counted = Alignment { to: AlignTo::Start, decay: 0.0, start: Vec::new() };
        counted.start_from(&[3, 0]);
        assert!(counted.start.is_empty(), "a class without a sample");
        counted.start_from(&[3, 1]);
        counted.start_from(&[1, 1]);
        assert_eq!(counted.start, [0.75, 0.25]);
    }
}
