//! ReMixMatch (Berthelot et al. 2020, arXiv 1911.09785): MixMatch with guesses aligned to the labels' distribution, strong views
//! that follow a weak anchor, and a rotation to be recognised.
//!
//! Three passes: guesses, with batch statistics that leave the running ones alone; the mixed samples, which move them; the first
//! strong view as it is together with its rotations, which leave them alone: a network is never evaluated on turned images.

use serde::{Deserialize, Serialize};
use torch::{Kind, Mode, Tensor, loss, no_grad};
use train::{Loss, Progress, Schedule};

use crate::parts::{Marginal, align, beta, mix, one_hot, rotations, sharpen, shuffled};
use crate::{Batch, Config, Facts, Head, Method, Nets, View, Views, check};

/// The settings of ReMixMatch. With 4 labels a class the paper takes one strong view and rotation weight 2 (CIFAR-10) or 3 (SVHN).
///
/// | setting | default | what | range |
/// |---|---|---|---|
/// | `weight` | 1.5, reached in a straight line over the first 1.6 % of the run | weight of the mixed unlabelled samples | a schedule |
/// | `pure` | 0.5, likewise | weight of the first strong view without mixing | a schedule |
/// | `rotation` | 0.5 | weight of the rotation term; 0 leaves it out | at least 0 |
/// | `strong_views` | 2 | K, strong views of an unlabelled sample; the paper's is 8 | at least 1 |
/// | `temperature` | 0.5 | T of sharpening | above 0 |
/// | `alpha` | 0.75 | α of the share's Beta(α, α), of which the larger of share and complement is taken | above 0 |
/// | `memory` | 128 | batches over which the guesses' distribution is averaged | at least 1 |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReMixMatch {
    /// Weight of the mixed unlabelled samples.
    pub weight: Schedule,
    /// Weight of the first strong view without mixing.
    pub pure: Schedule,
    /// Weight of the rotation term.
    pub rotation: f64,
    /// K, strong views of an unlabelled sample.
    pub strong_views: usize,
    /// T of sharpening.
    pub temperature: f64,
    /// α of the share's distribution.
    pub alpha: f64,
    /// Batches over which the guesses' distribution is averaged.
    pub memory: usize,
}

impl Default for ReMixMatch {
    fn default() -> Self {
        let ramp = |value| Schedule::RampUp { value, over: 1.0 / 64.0 };
        Self {
            weight: ramp(1.5),
            pure: ramp(0.5),
            rotation: 0.5,
            strong_views: 2,
            temperature: 0.5,
            alpha: 0.75,
            memory: 128,
        }
    }
}

impl Config for ReMixMatch {
    fn check(&self) -> Result<(), String> {
        check::schedule("weight", &self.weight)?;
        check::schedule("pure", &self.pure)?;
        check::not_negative("rotation", self.rotation)?;
        check::above("strong_views", self.strong_views as f64, 0.0)?;
        check::above("temperature", self.temperature, 0.0)?;
        check::above("alpha", self.alpha, 0.0)?;
        check::above("memory", self.memory as f64, 0.0)
    }

    fn build(&self, facts: &Facts) -> Box<dyn Method> {
        Box::new(Aligned::new(self.clone(), facts))
    }
}

/// What a share and an order are drawn for.
pub(crate) struct Draws {
    pub(crate) share: Tensor,
    /// Which of all samples (labelled, then the weak and each strong view) each is mixed with.
    pub(crate) partners: Tensor,
}

pub(crate) struct Aligned {
    config: ReMixMatch,
    /// How often each label comes.
    labels: Marginal,
    /// The mean guess of each of the last batches.
    guesses: Tensor,
}

impl Aligned {
    pub(crate) fn new(config: ReMixMatch, facts: &Facts) -> Self {
        let shape = [config.memory as i64, facts.classes];
        let uniform = 1.0 / facts.classes as f64;
        Self {
            labels: Marginal::new(facts.classes, 0.999, facts.device),
            guesses: Tensor::full(shape, uniform, (Kind::Float, facts.device)),
            config,
        }
    }

    fn guess(&mut self, nets: &Nets, batch: &Batch, labels: &Tensor, at: Progress) -> Tensor {
        let seen = no_grad(|| nets.student.forward(&batch.u[0], Mode::TrainUntracked))
            .softmax(-1, Kind::Float);
        self.labels.see(labels);
        let mean = self.guesses.mean_dim([0].as_slice(), false, Kind::Float);
        let aligned = align(&seen, self.labels.tensor(), &mean);
        let newest = (at.step % self.config.memory as u64) as i64;
        no_grad(|| {
            let batch = seen.mean_dim([0].as_slice(), false, Kind::Float);
            self.guesses.select(0, newest).copy_(&batch);
        });
        sharpen(&aligned, self.config.temperature)
    }

    pub(crate) fn mixed(
        &mut self,
        nets: &Nets,
        batch: &Batch,
        draws: &Draws,
        at: Progress,
    ) -> Loss {
        let labels = one_hot(&batch.y, self.guesses.size()[1]);
        let guess = self.guess(nets, batch, &labels, at);
        let samples: Vec<_> = std::iter::once(&batch.x).chain(&batch.u).collect();
        let targets: Vec<_> =
            std::iter::once(&labels).chain(batch.u.iter().map(|_| &guess)).collect();
        let (samples, targets) = (Tensor::cat(&samples, 0), Tensor::cat(&targets, 0));
        let larger = draws.share.maximum(&(1.0 - &draws.share));
        let blend = |all: &Tensor| mix(all, &all.index_select(0, &draws.partners), &larger);
        let (mixed, targets) = (blend(&samples), blend(&targets));
        let (ReMixMatch { weight, pure, rotation, .. }, strong) = (&self.config, &batch.u[1]);
        let logits = nets.student.forward(&mixed, Mode::Train);
        let term = |from, rows| {
            let of = |t: &Tensor| t.narrow(0, from, rows);
            loss::soft_cross_entropy(&of(&logits), &of(&targets)).mean(Kind::Float)
        };
        let (all, labeled) = (samples.size()[0], batch.x.size()[0]);
        let turned = (*rotation > 0.0).then(|| rotations(strong));
        let inputs = std::iter::once(strong).chain(turned.as_ref().map(|(x, _)| x));
        let inputs = Tensor::cat(&inputs.collect::<Vec<_>>(), 0);
        let features = nets.student.features(&inputs, Mode::TrainUntracked);
        let unlabeled = strong.size()[0];
        let seen = nets.student.logits(&features.narrow(0, 0, unlabeled), Mode::TrainUntracked);
        let loss = Loss::new()
            .term("sup", 1.0, term(0, labeled))
            .term("unsup", weight.at(at), term(labeled, all - labeled))
            .term("pure", pure.at(at), loss::soft_cross_entropy(&seen, &guess).mean(Kind::Float));
        let Some((_, turns)) = turned else { return loss };
        let turned = features.narrow(0, unlabeled, turns.size()[0]);
        let turned = nets.student.head(ROTATION, &turned);
        loss.term("rotation", *rotation, loss::cross_entropy(&turned, &turns).mean(Kind::Float))
    }
}

/// The name of the head that recognises rotations.
const ROTATION: &str = "rotation";

impl Method for Aligned {
    fn views(&self) -> Views {
        let strong = vec![View::Strong; self.config.strong_views];
        Views { labeled: View::Strong, unlabeled: [vec![View::Weak], strong].concat() }
    }

    fn heads(&self) -> Vec<Head> {
        let asked = self.config.rotation > 0.0;
        asked.then_some(Head { name: ROTATION, outputs: 4 }).into_iter().collect()
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let device = batch.x.device();
        let share = beta(self.config.alpha, device);
        let draws = Draws { share, partners: shuffled(batch.images() as i64, device) };
        self.mixed(nets, batch, &draws, at)
    }

    fn memory(&self) -> Vec<(String, Tensor)> {
        vec![
            ("labels".to_owned(), self.labels.tensor().shallow_clone()),
            ("guesses".to_owned(), self.guesses.shallow_clone()),
        ]
    }
}
