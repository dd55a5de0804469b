//! Stochastic weight averaging (SWA): the mean of the weights at several steps near the end of a
//! run.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Params, Role, Tensor, foreach, no_grad};

use crate::Progress;

/// At which steps the weights enter the mean (Izmailov et al. 2018, arXiv 1803.05407; fast-SWA,
/// Athiwaratkun et al. 2019, arXiv 1806.05594, takes them several times in a cycle of the learning
/// rate, [`Schedule::CyclicCosine`](crate::Schedule::CyclicCosine)).
///
/// Running statistics of batch norm are no weights: compute them again for the mean
/// ([`Mode::Calibrate`](torch::Mode::Calibrate)).
///
/// ```
/// use train::{Progress, Swa};
/// let swa = Swa { from: 0.5, every: 10 };
/// let joined = |step| swa.joined(Progress { step, steps: 100 });
/// assert_eq!((joined(49), joined(50), joined(55), joined(60)), (None, Some(0), None, Some(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swa {
    /// The part of the run after which the first weights enter, in [0, 1). Until then the mean is a
    /// copy of the weights.
    pub from: f64,
    /// Steps from one entry to the next.
    pub every: u64,
}

impl Swa {
    /// Every value that makes no sense.
    pub fn faults(&self) -> Vec<ConfigError> {
        let fault = "at least one step has to lie between two";
        Faults::default().rate("from", self.from).unless(self.every > 0, "every", fault).done()
    }

    fn first(&self, steps: u64) -> u64 {
        (self.from * steps as f64).ceil() as u64
    }

    /// How many weights entered before those of this step, if those enter.
    pub fn joined(&self, at: Progress) -> Option<u64> {
        let since = at.step.checked_sub(self.first(at.steps))?;
        (since % self.every == 0).then_some(since / self.every)
    }

    /// Updates `average` with the `weights` of a step, two networks of the same shape; call it in
    /// [`Objective::after_step`](crate::Objective::after_step). Panics if the networks have
    /// different tensors.
    pub fn update(&self, average: &Params, weights: &Params, at: Progress) {
        let weight = match self.joined(at) {
            Some(before) => 1.0 / (before + 1) as f64,
            None if at.step < self.first(at.steps) => 1.0,
            None => return,
        };
        let trained = |params: &Params| -> Vec<Tensor> {
            params
                .iter()
                .filter(|p| p.role != Role::Buffer)
                .map(|p| p.tensor.shallow_clone())
                .collect()
        };
        let (to, from) = (trained(average), trained(weights));
        no_grad(|| match weight {
            1.0 => foreach::copy(&to, &from),
            _ => foreach::lerp(&to, &from, weight),
        });
    }
}
