//! Training by cross entropy, as an objective of the training loop.

use torch::{Device, Kind, Mode, Params, Scope, Tensor, group, no_grad};
use train::{Ema, Loss, Objective, Progress};

use crate::vocabulary::check_smoothing;
use crate::{TokenLoss, Totals};

/// A network that gives each token of a text a probability.
pub trait LanguageModel {
    /// Texts, and which of their tokens are predicted.
    type Batch;

    /// How many tokens are predicted.
    fn predicted(batch: &Self::Batch) -> usize;

    /// The loss over the tokens that are predicted, with label smoothing ε `smoothing` (0 for
    /// none). Panics if that is not in \[0, 1).
    fn token_loss(&self, batch: &Self::Batch, smoothing: f64, mode: Mode) -> TokenLoss;

    /// Floating-point operations of the loss of a batch and of its gradients; 0 where they are not
    /// counted.
    fn flops(&self, _batch: &Self::Batch) -> u64 {
        0
    }

    /// The loss of a batch and its gradients in less memory, for one more forward pass: blocks are
    /// run again
    /// when their gradients are due. `params` are the network's own, made at the root of the
    /// names. A network that cannot do this ([`Gpt2`](crate::Gpt2)) computes as it always does.
    fn token_loss_recomputed(
        &self,
        _params: &Params,
        batch: &Self::Batch,
        smoothing: f64,
        mode: Mode,
    ) -> TokenLoss {
        self.token_loss(batch, smoothing, mode)
    }
}

/// Adds up −ln p over batches, without noise and without gradients.
///
/// ```
/// use dialog_models::{Pairs, Seq2Seq, Seq2SeqConfig, evaluate};
/// use torch::{Device, Params};
///
/// let config = Seq2SeqConfig::evolved(20, 16, 2, [1, 1]);
/// let (net, _) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
/// let batches = [Pairs::new(&[&[5, 6]], &[&[7, 1]], Device::Cpu)];
/// let totals = evaluate(&net, &batches);
/// assert_eq!(totals.tokens, 2);
/// assert!(totals.perplexity().expect("tokens") > 1.0);
/// ```
pub fn evaluate<'a, N: LanguageModel>(
    net: &N,
    batches: impl IntoIterator<Item = &'a N::Batch>,
) -> Totals
where
    N::Batch: 'a,
{
    let mut totals = Totals::default();
    for batch in batches {
        totals.add(&no_grad(|| net.token_loss(batch, 0.0, Mode::Eval)).nll);
    }
    totals
}

/// A network, its parameters, and the loss by which it is trained.
///
/// A step learns from one or more batches: their gradients are added up one batch after another, so
/// that no more than one is in memory, and are those of one large batch: the mean is over all
/// tokens that are predicted in the step, by all processes that train together.
///
/// The loss has the term `cross_entropy`, and the note `nll`, the mean −ln p of a token without
/// smoothing.
#[derive(Debug)]
pub struct Training<N> {
    /// The network.
    pub net: N,
    /// Its tensors.
    pub params: Params,
    smoothing: f64,
    recompute: bool,
    flops: u64,
    average: Option<Average<N>>,
}

/// A second network whose weights follow those of the first.
#[derive(Debug)]
struct Average<N> {
    net: N,
    params: Params,
    ema: Ema,
}

impl<N: LanguageModel> Training<N> {
    /// Makes a network on `device`, to be trained with label smoothing ε `smoothing` (0 for none).
    /// Panics if that is not in \[0, 1).
    pub fn build(device: Device, smoothing: f64, make: impl FnOnce(&mut Scope<'_>) -> N) -> Self {
        let (net, params) = Params::build(device, make);
        Self::new(net, params, smoothing)
    }

    /// Training of a network that is there already, with label smoothing ε `smoothing`. Panics if
    /// that is not in \[0, 1).
    pub fn new(net: N, params: Params, smoothing: f64) -> Self {
        check_smoothing(smoothing);
        Self { net, params, smoothing, recompute: false, flops: 0, average: None }
    }

    /// Trains in less memory ([`LanguageModel::token_loss_recomputed`]).
    #[must_use]
    pub fn recomputing(self) -> Self {
        Self { recompute: true, ..self }
    }

    /// Keeps an average of the weights, which is then what is evaluated. `net` is a network of the
    /// same shape; its values are overwritten. Panics if it has other tensors.
    #[must_use]
    pub fn averaging(self, net: N, params: Params, ema: Ema) -> Self {
        params.copy_from(&self.params);
        Self { average: Some(Average { net, params, ema }), ..self }
    }

    /// The network that is evaluated: the average if there is one.
    pub fn evaluated(&self) -> &N {
        self.average.as_ref().map_or(&self.net, |average| &average.net)
    }

    /// The network that is evaluated, by value, with its tensors.
    pub fn into_evaluated(self) -> (N, Params) {
        self.average.map_or((self.net, self.params), |average| (average.net, average.params))
    }
}

impl<N: LanguageModel> Objective for Training<N> {
    type Batch = Vec<N::Batch>;

    fn params(&self) -> &Params {
        &self.params
    }

    fn parts(&self, batches: Vec<N::Batch>) -> Vec<(f64, Vec<N::Batch>)> {
        assert!(!batches.is_empty(), "a step learns from at least one batch");
        let all: usize = batches.iter().map(N::predicted).sum();
        // Texts of one length are not those of another process's length.
        let mean = group::mean(&Tensor::from(all as f64)).double_value(&[]);
        let part = |batch| (N::predicted(&batch) as f64 / mean, vec![batch]);
        batches.into_iter().map(part).collect()
    }

    /// Panics if there is another number of batches than one: the loop asks for [`parts`] first.
    ///
    /// [`parts`]: Objective::parts
    fn loss(&mut self, batches: Vec<N::Batch>, _at: Progress) -> Loss {
        let [batch] = batches.as_slice() else { panic!("{} batches of one part", batches.len()) };
        let (net, smoothing) = (&self.net, self.smoothing);
        self.flops += net.flops(batch);
        let TokenLoss { loss, nll } = match self.recompute {
            true => net.token_loss_recomputed(&self.params, batch, smoothing, Mode::Train),
            false => net.token_loss(batch, smoothing, Mode::Train),
        };
        Loss::new().term("cross_entropy", 1.0, loss).note("nll", nll.mean(Kind::Float))
    }

    fn flops(&self) -> u64 {
        self.flops
    }

    fn after_step(&mut self, at: Progress) {
        if let Some(average) = &self.average {
            average.ema.update(&average.params, &self.params, at);
        }
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let averages = self.average.iter();
        averages.flat_map(|average| train::ema::state_of("ema.", &average.params)).collect()
    }
}
