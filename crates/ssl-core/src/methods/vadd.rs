//! VAdD (Park et al. 2018, arXiv 1707.03631): the prediction should not change under the worst
//! dropout of the features.
//!
//! As the paper has it: two random dropout masks of the last layer's input are drawn. The
//! prediction under the first is the target, without a gradient. The gradient of the divergence
//! from it is taken at the second (at the first it is zero) and says which entries of the first
//! raise the divergence most by its linear approximation; these are flipped, at most a fraction δ
//! of all, so that the adversarial mask stays within δ of the target's own. The divergence under it
//! is minimised. The running batch-norm statistics follow the labelled pass alone. The authors'
//! later TensorFlow code differs: its target is without a mask, so flips drop features alone; what
//! is kept is scaled to the same sum; and it adds the predictions' entropy.

use serde::{Deserialize, Serialize};
use torch::grad::{grad, with_grad};
use torch::{ConfigError, Faults, Kind, Mode, Model, Tensor, loss, rng};
use train::{Loss, Progress, Schedule};

use crate::{Batch, Method, MethodSettings, Nets, TaskInfo, ViewKind, Views};

/// The settings of VAdD.
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1, a sigmoid ramp over the first 40 % of the run | λ of the divergence | a schedule |
/// | `dropout` | 0.2 | rate of the random masks; at 0.5 narrow networks collapse | \[0, 1) |
/// | `flips` | 0.1 | δ, the fraction of a mask's entries that may be flipped (0.1 in the authors' code), rounded down to whole ones: at least one, so for 0.1 a network of 10 features or more | (0, 1\] |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaddConfig {
    /// λ of the divergence.
    pub weight: Schedule,
    /// Rate of the random masks.
    pub dropout: f64,
    /// δ, the fraction of a mask's entries that may be flipped.
    pub flips: f64,
}

impl Default for VaddConfig {
    fn default() -> Self {
        let weight = Schedule::SigmoidRampUp { value: 1.0, over: 0.4 };
        Self { weight, dropout: 0.2, flips: 0.1 }
    }
}

impl MethodSettings for VaddConfig {
    fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("weight", self.weight.faults())
            .rate("dropout", self.dropout)
            .positive_fraction("flips", self.flips)
            .done()
    }

    fn build(&self, _task: &TaskInfo) -> Box<dyn Method> {
        Box::new(Vadd::new(self.clone()))
    }
}

/// VAdD, with settings [`VaddConfig`].
#[derive(Debug)]
pub struct Vadd {
    config: VaddConfig,
}

/// What a step draws.
pub(crate) struct VaddDraws {
    /// Two masks of 0 and 1, `[unlabeled, width]`.
    pub(crate) masks: [Tensor; 2],
}

impl Vadd {
    /// The method with these settings, which have no [faults](MethodSettings::faults).
    pub fn new(config: VaddConfig) -> Self {
        Self { config }
    }

    /// How many entries of a mask over `features` may be flipped.
    fn flips(&self, features: i64) -> i64 {
        ((self.config.flips * features as f64) as i64).min(features)
    }

    /// The divergence `[batch]` of features `[batch, width]` with the two random masks (of 0 and 1)
    /// given.
    fn divergence(&self, student: &Model, features: &Tensor, masks: [&Tensor; 2]) -> Tensor {
        let under = |features: &Tensor, mask: &Tensor| {
            student.forward_head(
                &(features * mask / (1.0 - self.config.dropout)),
                Mode::TrainUntracked,
            )
        };
        let fixed = features.detach();
        let target = under(&fixed, masks[0]).detach().softmax(-1, Kind::Float);
        let slope = with_grad(|| {
            let from = masks[1].copy().set_requires_grad(true);
            let kl = loss::kl_divergence(&target, &under(&fixed, &from)).sum(Kind::Float);
            grad(&kl, &[&from]).swap_remove(0)
        });
        // What flipping an entry of the target's mask would add: from 1 to 0 minus the gradient,
        // from 0 to 1 the gradient.
        let signs: Tensor = 1.0 - masks[0] * 2.0;
        let (gain, places) = (slope * signs).topk(self.flips(features.size()[1]), -1, true, true);
        let old = masks[0].gather(-1, &places, false);
        let flipped = old.where_self(&gain.le(0.0), &(-&old + 1.0));
        let worst = masks[0].scatter(-1, &places, &flipped);
        loss::kl_divergence(&target, &under(features, &worst))
    }

    /// Draws two masks for features `[batch, width]` from libtorch's generator.
    pub(crate) fn draw(&self, features: &Tensor) -> VaddDraws {
        let keep = 1.0 - self.config.dropout;
        let mask = |device| features.to_device(device).empty_like().bernoulli_float_(keep);
        VaddDraws { masks: [(); 2].map(|()| rng::draw_on(features.device(), mask)) }
    }

    /// The loss with its draws given, which are made for the features of the unlabelled samples.
    pub(crate) fn loss_with(
        &self,
        nets: &Nets,
        batch: &Batch,
        draw: &dyn Fn(&Tensor) -> VaddDraws,
        at: Progress,
    ) -> Loss {
        let x = nets.student.forward(&batch.x, Mode::Train);
        let features = nets.student.forward_features(&batch.u[0], Mode::TrainUntracked);
        let VaddDraws { masks } = draw(&features.detach());
        let kl = self.divergence(&nets.student, &features, masks.each_ref());
        Loss::new().term("sup", 1.0, loss::cross_entropy(&x, &batch.y).mean(Kind::Float)).term(
            "unsup",
            self.config.weight.at(at),
            kl.mean(Kind::Float),
        )
    }
}

impl Method for Vadd {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak] }
    }

    fn fits(&self, features: i64) -> Result<(), ConfigError> {
        if self.flips(features) > 0 {
            return Ok(());
        }
        let flips = self.config.flips;
        // Rounded up, so that what is advised is one entry at least.
        let least = ((1000.0 / features as f64).floor() / 1000.0 + 0.001).min(1.0);
        let fault = format!(
            "{flips} is no entry of a mask over this network's {features} features; set it to \
             {least:.3} or more, or take a wider network"
        );
        Err(ConfigError::new("flips", fault))
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        self.loss_with(nets, batch, &|features| self.draw(features), at)
    }
}
