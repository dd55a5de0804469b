//! The losses of one step.

use torch::{Kind, Mode, Params, Tensor, loss, no_grad};
use train::{Loss, Objective, Progress};

use super::batch::{Replaced, Whole};
use super::pretrainer::{Generator, MainHead};
use super::{MaskedBatch, Pretrainer, Task};
use crate::PackedSequences;
use crate::heads::{Predicted, Sampler, VocabularyHead};

/// What a step computed. Everything but the loss is without a graph.
pub struct Step {
    /// The loss: `generator` and `discriminator`, or `mlm`.
    pub loss: Loss,
    /// What was predicted at the slots, by the generator or by the only network: −ln p of the
    /// true tokens, float32 `[slots]`.
    pub nll: Tensor,
    /// The most likely tokens there, int64 `[slots]`.
    pub best: Tensor,
    /// The tokens that were put in, int64 `[slots]`, where there is a generator.
    pub sampled: Option<Tensor>,
    /// What the discriminator saw.
    pub corrupted: Option<PackedSequences>,
    /// 1 where it saw another token than the original one, else 0, float32 `[tokens]`.
    pub labels: Option<Tensor>,
    /// Its logits, float32 `[tokens]`: above 0 it says that a token was replaced.
    pub logits: Option<Tensor>,
}

impl Pretrainer {
    /// Runs both networks on a batch.
    pub fn step(&self, batch: &MaskedBatch, mode: Mode) -> Step {
        self.step_with(batch, mode, None)
    }

    /// Runs both networks on a batch with given uniform numbers, float32 `[slots, vocabulary]`, for
    /// the Gumbel noise: then nothing in evaluation is random.
    pub fn step_with(&self, batch: &MaskedBatch, mode: Mode, uniform: Option<&Tensor>) -> Step {
        let truth = batch.truth();
        let weights = Weights(batch.whole());
        if self.config.task == Task::Mlm {
            let MainHead::Vocabulary(head) = &self.head else { unreachable!("made for it") };
            let x = self.main.forward(&batch.masked(self.config.mask), mode);
            let Predicted { loss, nll, best, .. } = self.at_slots(head, &x, batch, &truth);
            let loss = Loss::new().term("mlm", 1.0, weights.slots(loss));
            let right = weights.slots(share(&best.eq_tensor(&truth)));
            let loss = loss.note("mlm_accuracy", right);
            return Step::of(loss, nll, best);
        }
        let filled = self.fill_in(batch, &truth, mode, uniform);
        let sampled = filled.sampled.expect("tokens were sampled");
        let Replaced { packed: corrupted, tokens: sampled, labels } = batch.replaced(&sampled);
        let right = weights.slots(share(&filled.best.eq_tensor(&truth)));
        let mut loss = Loss::new();
        let generator = weights.slots(filled.loss);
        loss = match self.generator.is_some() && self.config.generator.train {
            true => loss.term("generator", self.config.generator.weight, generator),
            false => loss.note("generator", generator),
        };
        loss = loss.note("generator_accuracy", right);
        let mut step = Step::of(Loss::new(), filled.nll, filled.best);
        let x = self.main.forward(&corrupted, mode);
        step.loss = match &self.head {
            MainHead::Replaced(head) => {
                let logits = head.forward(&x);
                let each = loss::binary_cross_entropy(&logits, &labels);
                let mean = |seen: &Tensor| seen.sum(Kind::Float) / (seen.numel() as f64 + 1e-6);
                let mean = match self.config.task {
                    Task::Electra15 => weights.places(mean(&each.index_select(0, batch.places()))),
                    _ => weights.tokens(mean(&each)),
                };
                let logits = logits.detach().to_kind(Kind::Float);
                let said = logits.gt(0.0).to_kind(Kind::Float);
                let right = weights.tokens(share(&said.eq_tensor(&labels)));
                step.logits = Some(logits);
                loss.term("discriminator", self.config.discriminator_weight, mean)
                    .note("discriminator_accuracy", right)
                    .note("replaced", weights.tokens(labels.mean(Kind::Float)))
            }
            MainHead::Vocabulary(head) => {
                let predicted = self.at_slots(head, &x, batch, &truth);
                let right = weights.slots(share(&predicted.best.eq_tensor(&truth)));
                loss.term("mlm", 1.0, weights.slots(predicted.loss)).note("mlm_accuracy", right)
            }
            MainHead::Copying(head, gate) => {
                let gate = gate.forward(&x).squeeze_dim(1).to_kind(Kind::Float).sigmoid();
                let originals = batch.packed().ids();
                let same = labels.ones_like() - &labels;
                let nll = self.copying(head, &x, [&gate, &same, originals]);
                loss.term("mlm", 1.0, weights.tokens(nll))
                    .note("copied", weights.tokens(gate.mean(Kind::Float)))
            }
        };
        step.labels = Some(labels);
        step.sampled = Some(sampled);
        step.corrupted = Some(corrupted);
        step
    }

    /// A masked language model's predictions at the slots.
    fn at_slots(
        &self,
        head: &VocabularyHead,
        x: &Tensor,
        batch: &MaskedBatch,
        truth: &Tensor,
    ) -> Predicted {
        head.predict(&x.index_select(0, batch.rows()), self.main.embeddings().words(), truth)
    }

    /// What the generator predicts at the slots, with a token drawn for each.
    fn fill_in(
        &self,
        batch: &MaskedBatch,
        truth: &Tensor,
        mode: Mode,
        uniform: Option<&Tensor>,
    ) -> Predicted {
        let config = &self.config.generator;
        let around = batch.whole().map_or([0, 0], |whole| whole.around);
        let Some(Generator { encoder, head }) = &self.generator else {
            return self.uniformly(truth, around);
        };
        let encoder = encoder.as_ref().unwrap_or(&self.main);
        let sampler = Sampler {
            sampling: config.sampling,
            temperature: config.temperature,
            disallow_correct: config.disallow_correct,
            uniform,
            around,
        };
        let run = || {
            let x = encoder.forward(&batch.masked(self.config.mask), mode);
            let x = x.index_select(0, batch.rows());
            head.predict_and_sample(&x, encoder.embeddings().words(), truth, Some(&sampler))
        };
        if config.train { run() } else { no_grad(run) }
    }

    /// Any token as likely as any other.
    fn uniformly(&self, truth: &Tensor, [before, behind]: [i64; 2]) -> Predicted {
        let vocabulary = self.config.encoder.vocabulary;
        let nll = Tensor::full_like(&truth.to_kind(Kind::Float), (vocabulary as f64).ln());
        // Those of other processes' slots are drawn too.
        let drawn = |high| {
            let all = before + truth.numel() as i64 + behind;
            let _alone = torch::rng::exclusive();
            let all = Tensor::randint(high, [all], (Kind::Int64, truth.device()));
            all.narrow(0, before, truth.numel() as i64)
        };
        let sampled = if self.config.generator.disallow_correct && vocabulary > 1 {
            let others = drawn(vocabulary - 1);
            &others + others.ge_tensor(truth).to_kind(Kind::Int64)
        } else {
            drawn(vocabulary)
        };
        Predicted {
            loss: nll.mean(Kind::Float),
            nll,
            best: truth.zeros_like(),
            sampled: Some(sampled),
        }
    }

    /// Mean −ln (g · same + (1 − g) · p) over all tokens, p the softmax's probability of the
    /// original token, g the gate, `same` whether it is the token that is seen.
    fn copying(
        &self,
        head: &VocabularyHead,
        x: &Tensor,
        [gate, same, originals]: [&Tensor; 3],
    ) -> Tensor {
        let fixed = gate.detach();
        let weigh = |nll: &Tensor, start: i64| {
            let part = |t: &Tensor| t.narrow(0, start, nll.size()[0]);
            let softmax = (1.0 - part(&fixed)) * (-nll).exp();
            &softmax / (part(&fixed) * part(same) + &softmax + f64::from(f32::MIN_POSITIVE))
        };
        let words = self.main.embeddings().words();
        let pass = head.pass(x, words, originals, None, Some(&weigh));
        let softmax = (1.0 - gate) * (-&pass.nll).exp();
        let all: Tensor = gate * same + softmax;
        let scale = 1.0 / (pass.nll.size()[0] as f64 + 1e-6);
        let nll = all.clamp_min(f64::from(f32::MIN_POSITIVE)).log().neg().sum(Kind::Float) * scale;
        match pass.carrier {
            Some(carrier) => nll + carrier * scale,
            None => nll,
        }
    }
}

impl Step {
    fn of(loss: Loss, nll: Tensor, best: Tensor) -> Self {
        Self { loss, nll, best, sampled: None, corrupted: None, labels: None, logits: None }
    }
}

/// What means over a part of a shared batch count for.
#[derive(Clone, Copy)]
struct Weights(Option<Whole>);

impl Weights {
    fn slots(self, mean: Tensor) -> Tensor {
        self.weighed(mean, |whole| whole.slots)
    }

    fn places(self, mean: Tensor) -> Tensor {
        self.weighed(mean, |whole| whole.places)
    }

    fn tokens(self, mean: Tensor) -> Tensor {
        self.weighed(mean, |whole| whole.tokens)
    }

    fn weighed(self, mean: Tensor, weight: impl Fn(Whole) -> f64) -> Tensor {
        match self.0 {
            None => mean,
            Some(whole) => mean * weight(whole),
        }
    }
}

/// The part of true values.
fn share(yes: &Tensor) -> Tensor {
    yes.to_kind(Kind::Float).mean(Kind::Float)
}

impl Objective for Pretrainer {
    type Batch = MaskedBatch;

    fn params(&self) -> &Params {
        &self.params
    }

    fn loss(&mut self, batch: MaskedBatch, _at: Progress) -> Loss {
        self.step(&batch, Mode::Train).loss
    }
}
