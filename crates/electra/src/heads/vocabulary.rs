//! Which token stands at a place: a softmax over the vocabulary.

use serde::{Deserialize, Serialize};
use torch::nn::{LayerNorm, Linear};
use torch::{Device, Init, Kind, Role, Scope, Tensor, no_grad};

use crate::encoder::linear;
use crate::{EncoderConfig, Family};

/// Numbers that one piece of logits has at most: so many are still in a processor's memory when
/// they are needed again, and few of them are held at once.
const PIECE: i64 = 1 << 22;
/// Numbers that one piece of logits has at most on a GPU.
const GPU_PIECE: i64 = 1 << 27;

/// How a token is drawn from the generator's distribution; both draw from the same one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// The largest of logit + Gumbel noise, one random number a token of the vocabulary: the
    /// released code.
    #[default]
    Gumbel,
    /// Where one random number a place falls in the cumulative distribution: as good, and faster.
    Inverse,
}

/// How tokens are sampled while their softmax is computed.
pub(crate) struct Sampler<'a> {
    pub(crate) sampling: Sampling,
    pub(crate) temperature: f64,
    /// Whether the true token is ruled out.
    pub(crate) disallow_correct: bool,
    /// Uniform numbers `[places, vocabulary]` for the Gumbel noise, in place of random ones.
    pub(crate) uniform: Option<&'a Tensor>,
    /// Places of other processes before and behind the own ones, for which numbers are drawn too.
    pub(crate) around: [i64; 2],
}

impl Sampler<'_> {
    /// Draws the numbers of so many places of others, for tables of so many tokens.
    fn skip(&self, places: i64, vocabulary: i64, device: Device) {
        let mut left = match self.sampling {
            Sampling::Gumbel if self.uniform.is_some() => 0,
            Sampling::Gumbel => places * vocabulary,
            Sampling::Inverse => places,
        };
        let _alone = torch::rng::exclusive();
        while left > 0 {
            let now = left.min(PIECE);
            drop(Tensor::rand([now], (Kind::Float, device)));
            left -= now;
        }
    }
}

/// What a head predicted at some places.
#[derive(Debug)]
pub struct Predicted {
    /// Mean −ln p of the true tokens, a float32 scalar with its graph: Σ / (places + 1e-6).
    pub loss: Tensor,
    /// −ln p of each place's true token, float32 `[places]`, without a graph.
    pub nll: Tensor,
    /// The most likely token, int64 `[places]`.
    pub best: Tensor,
    /// A token drawn from the distribution, int64 `[places]`, if one was asked for.
    pub sampled: Option<Tensor>,
}

/// Linear, GELU, layer norm, times the table of token vectors, plus a bias.
#[derive(Debug)]
pub struct VocabularyHead {
    dense: Linear,
    norm: LayerNorm,
    bias: Tensor,
}

impl VocabularyHead {
    /// The head of a masked language model under its family's names in transformers.
    pub fn new(scope: &mut Scope<'_>, config: &EncoderConfig) -> Self {
        match config.family {
            Family::Electra => {
                Self::named(scope, config, ["generator_predictions", "generator_lm_head"])
            }
            Family::Bert => {
                Self::named(scope, config, ["cls.predictions.transform", "cls.predictions"])
            }
        }
    }

    /// Makes the head with tensors below these two names, the bias below the second.
    pub(crate) fn named(
        scope: &mut Scope<'_>,
        config: &EncoderConfig,
        [transform, output]: [&str; 2],
    ) -> Self {
        let mut sub = scope.sub(transform);
        let dense = linear(&mut sub, "dense", [config.hidden, config.embedding], config);
        let norm = LayerNorm::new(&mut sub.sub("LayerNorm"), config.embedding, config.norm_eps);
        let init = Init::Const(0.0);
        let bias = scope.sub(output).tensor("bias", &[config.vocabulary], Role::Bias, init);
        Self { dense, norm, bias }
    }

    /// What is multiplied with the table, `[places, hidden]` to `[places, embedding]`, and the kind
    /// in which layers compute.
    fn transform(&self, x: &Tensor) -> (Tensor, Kind) {
        let inner = self.dense.forward(x);
        (self.norm.forward(&inner.gelu("none")), inner.kind())
    }

    /// Logits `[places, vocabulary]` of `[places, hidden]`; `words` is the table of the encoder's
    /// embeddings.
    pub fn logits(&self, x: &Tensor, words: &Tensor) -> Tensor {
        self.transform(x).0.linear(words, Some(&self.bias))
    }

    /// Cross entropy with the true tokens, int64 `[places]`, of `[places, hidden]`.
    pub fn predict(&self, x: &Tensor, words: &Tensor, truth: &Tensor) -> Predicted {
        self.predict_and_sample(x, words, truth, None)
    }

    /// Cross entropy as [`predict`](Self::predict) gives it, and a sampled token for each place.
    pub(crate) fn predict_and_sample(
        &self,
        x: &Tensor,
        words: &Tensor,
        truth: &Tensor,
        sampler: Option<&Sampler<'_>>,
    ) -> Predicted {
        let Pass { nll, best, sampled, carrier } = self.pass(x, words, truth, sampler, None);
        let scale = 1.0 / (nll.size()[0] as f64 + 1e-6);
        let loss = nll.sum(Kind::Float) * scale;
        let loss = carrier.map_or(loss.shallow_clone(), |carrier| loss + carrier * scale);
        Predicted { loss, nll, best, sampled }
    }

    /// Predictions, piece by piece, so that logits are never all held: with each piece its −ln p,
    /// its samples, and the gradients of Σ w · (−ln p), where `weigh` makes the weights w
    /// `[places]` of the −ln p of places from a number on; they are 1 without it.
    pub(crate) fn pass(
        &self,
        x: &Tensor,
        words: &Tensor,
        truth: &Tensor,
        sampler: Option<&Sampler<'_>>,
        weigh: Option<&Weigh<'_>>,
    ) -> Pass {
        let (y, kind) = self.transform(x);
        let (places, vocabulary) = (y.size()[0], words.size()[0]);
        assert!(places > 0, "predictions at no place");
        let trained = y.requires_grad();
        let piece = if y.device() == Device::Cpu { PIECE } else { GPU_PIECE };
        let rows = (piece / vocabulary).max(1);
        let mut all = Pieces::default();
        no_grad(|| {
            // Once for all pieces.
            let fixed = words.to_kind(kind);
            let [before, behind] = sampler.map_or([0, 0], |sampler| sampler.around);
            let skip = |places| {
                if let Some(sampler) = sampler {
                    sampler.skip(places, vocabulary, y.device());
                }
            };
            skip(before);
            for start in (0..places).step_by(rows as usize) {
                let range = (start, rows.min(places - start));
                let weigh = trained.then_some(weigh);
                self.piece([&y, &fixed, truth], range, sampler, weigh, &mut all);
            }
            skip(behind);
        });
        let cat = |list: &[Tensor]| Tensor::cat(list, 0);
        let carrier = all.shared.map(|[table, bias]| {
            let zero = |x: &Tensor, slope: &Tensor| {
                let product = (x.to_kind(Kind::Float) * slope).sum(Kind::Float);
                &product - product.detach()
            };
            zero(&y, &cat(&all.slopes)) + zero(words, &table) + zero(&self.bias, &bias)
        });
        let sampled = sampler.map(|_| cat(&all.sampled));
        Pass { nll: cat(&all.nll), best: cat(&all.best), sampled, carrier }
    }

    /// One piece: places `start` to `start + count`.
    fn piece(
        &self,
        [y, words, truth]: [&Tensor; 3],
        (start, count): (i64, i64),
        sampler: Option<&Sampler<'_>>,
        weigh: Option<Option<&Weigh<'_>>>,
        all: &mut Pieces,
    ) {
        let (y, truth) = (y.narrow(0, start, count), truth.narrow(0, start, count).unsqueeze(1));
        let mut logits = y.linear(words, Some(&self.bias)).to_kind(Kind::Float);
        let (top, best) = logits.max_dim(1, true);
        let _ = logits.g_sub_(&top);
        let picked = logits.gather(1, &truth, false);
        let gumbel = sampler.filter(|s| s.sampling == Sampling::Gumbel);
        if let Some(sampler) = gumbel {
            let uniform = sampler.uniform.map(|u| u.narrow(0, start, count));
            all.sampled.push(by_gumbel(&logits, &truth, sampler, uniform));
        }
        let sharp = sampler.filter(|s| s.sampling == Sampling::Inverse && s.temperature != 1.0);
        if let Some(sampler) = sharp {
            let weights = (&logits / sampler.temperature).exp_();
            all.sampled.push(by_inverse(&weights, &truth, sampler));
        }
        let mut weights = logits.exp_();
        let sum = weights.sum_dim_intlist(1, true, Kind::Float);
        let nll = (sum.log() - picked).squeeze_dim(1);
        all.best.push(best.squeeze_dim(1));
        let plain = sampler.filter(|s| s.sampling == Sampling::Inverse && s.temperature == 1.0);
        if let Some(sampler) = plain {
            all.sampled.push(by_inverse(&weights, &truth, sampler));
        }
        let weigh = match weigh {
            None => return all.nll.push(nll),
            Some(weigh) => weigh.map(|weigh| weigh(&nll, start).unsqueeze(1)),
        };
        all.nll.push(nll);
        // The gradient of Σ w · nll by the logits: w · (p − 1) at the true token, w · p elsewhere.
        let share = weigh.as_ref().map_or(sum.reciprocal(), |weigh| weigh / &sum);
        let _ = weights.g_mul_(&share);
        let minus = weigh.unwrap_or_else(|| sum.ones_like()).neg();
        let slope = weights.scatter_add_(1, &truth, &minus);
        let bias = slope.sum_dim_intlist(0, false, Kind::Float);
        let table = slope.tr().matmul(&y.to_kind(Kind::Float)).to_kind(Kind::Float);
        all.slopes.push(slope.matmul(words).to_kind(Kind::Float));
        all.shared = Some(match all.shared.take() {
            None => [table, bias],
            Some([a, b]) => [a + table, b + bias],
        });
    }
}

/// The weights of −ln p `[places]` at places from a number on.
pub(crate) type Weigh<'a> = dyn Fn(&Tensor, i64) -> Tensor + 'a;

/// What one pass over all pieces gives.
pub(crate) struct Pass {
    /// −ln p of the true tokens, float32 `[places]`, without a graph.
    pub(crate) nll: Tensor,
    /// The most likely tokens, int64 `[places]`.
    pub(crate) best: Tensor,
    /// Tokens that were drawn, int64 `[places]`.
    pub(crate) sampled: Option<Tensor>,
    /// A scalar of value 0 whose gradients are those of Σ w · (−ln p): a sum of (y − y) · ∂/∂y
    /// over the transformed vectors, the table and the bias, so it has first derivatives only.
    /// None where nothing is trained.
    pub(crate) carrier: Option<Tensor>,
}

/// What the pieces gave so far.
#[derive(Default)]
struct Pieces {
    nll: Vec<Tensor>,
    best: Vec<Tensor>,
    sampled: Vec<Tensor>,
    /// Gradients by the transformed vectors.
    slopes: Vec<Tensor>,
    /// Gradients by the table and the bias.
    shared: Option<[Tensor; 2]>,
}

/// argmax of softmax(logits / T + g), g = −ln(−ln(u + 1e-9) + 1e-9).
fn by_gumbel(
    logits: &Tensor,
    truth: &Tensor,
    sampler: &Sampler<'_>,
    uniform: Option<Tensor>,
) -> Tensor {
    let mut noise = match uniform {
        Some(given) => given.copy(),
        None => {
            let _alone = torch::rng::exclusive();
            logits.rand_like()
        }
    };
    let mut noise = noise.g_add_scalar_(1e-9).log_().neg_().g_add_scalar_(1e-9).log_().neg_();
    let _ = match sampler.temperature {
        1.0 => noise.g_add_(logits),
        temperature => noise.g_add_(&(logits / temperature)),
    };
    if sampler.disallow_correct {
        let minus = truth.ones_like().to_kind(Kind::Float) * -1000.0;
        let _ = noise.scatter_add_(1, truth, &minus);
    }
    noise.argmax(1, false)
}

/// The first token at which the sum of weights exceeds a random part of all.
fn by_inverse(weights: &Tensor, truth: &Tensor, sampler: &Sampler<'_>) -> Tensor {
    let sums = match sampler.disallow_correct {
        true => weights.scatter_value(1, truth, 0.0).cumsum_(1, Kind::Float),
        false => weights.cumsum(1, Kind::Float),
    };
    let (rows, vocabulary) = sums.size2().expect("a matrix");
    let total = sums.narrow(1, vocabulary - 1, 1);
    let _alone = torch::rng::exclusive();
    let at = Tensor::rand([rows, 1], (Kind::Float, sums.device())) * total;
    let none = None::<&Tensor>;
    let found = at.searchsorted(&sums, false, true, "right", none);
    found.squeeze_dim(1).clamp_max(vocabulary - 1)
}
