//! Training signal annealing (UDA, arXiv 1904.12848, section 2.3): labels are released as training
//! goes on.

use serde::{Deserialize, Serialize};
use torch::{Kind, Tensor, group, loss::cross_entropy, no_grad};
use train::Progress;

/// How the threshold η(t) rises from 1/K to 1 over the run, K being the number of classes: η = α(t)
/// (1 − 1/K) + 1/K.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tsa {
    /// All labels count all the time.
    #[default]
    None,
    /// α = t.
    Linear,
    /// α = 1 − exp(−5t): most labels early, where overfitting is unlikely.
    Log,
    /// α = exp(5(t − 1)): most labels late, where they are few.
    Exp,
}

impl Tsa {
    /// The threshold on the probability of the right class, from 1/K to 1; [`Tsa::None`] has 1
    /// throughout.
    ///
    /// ```
    /// use ssl_core::parts::Tsa;
    /// use train::Progress;
    /// let at = |step| Tsa::Linear.threshold(Progress { step, steps: 100 }, 10);
    /// assert_eq!((at(0), at(50), at(100)), (0.1, 0.55, 1.0));
    /// ```
    pub fn threshold(self, at: Progress, classes: i64) -> f64 {
        let t = at.fraction();
        let alpha = match self {
            Tsa::None => 1.0,
            Tsa::Linear => t,
            Tsa::Log => 1.0 - (-5.0 * t).exp(),
            Tsa::Exp => (5.0 * (t - 1.0)).exp(),
        };
        let least = 1.0 / classes as f64;
        alpha * (1.0 - least) + least
    }

    /// Cross entropy of `logits` `[batch, classes]` with `labels` (int64 `[batch]`) over the
    /// samples whose right class has at most the threshold's probability, divided by their number
    /// (at least 1); and the fraction of samples that count.
    pub fn cross_entropy(self, logits: &Tensor, labels: &Tensor, at: Progress) -> (Tensor, Tensor) {
        let each = cross_entropy(logits, labels);
        if self == Tsa::None {
            return (each.mean(Kind::Float), Tensor::ones([1], (Kind::Float, logits.device())));
        }
        let threshold = self.threshold(at, logits.size()[1]);
        let counts = no_grad(|| (-&each).exp().le(threshold).to_kind(Kind::Float));
        // Those of all processes, where several share the batch.
        let number = group::mean(&counts.sum(Kind::Float)).clamp_min(group::min_per_process(1.0));
        let mean = (&each * &counts).sum(Kind::Float) / number;
        (mean, counts.mean(Kind::Float))
    }
}
