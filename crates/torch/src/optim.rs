//! Optimisers whose state can be saved: one pass over memory on the CPU, libtorch's fused kernels
//! on CUDA.
//!
//! | `kind` | update of a weight w with gradient g |
//! |---|---|
//! | `sgd` | m ← μm + g; w ← w − η·m, or w − η·(g + μm) with Nesterov's momentum |
//! | `rmsprop` | s ← s + (1 − ρ)(g² − s), s₀ = 1; m ← μm + η·g/√(s + ε); w ← w − m, as TensorFlow's |
//! | `adamw` | Adam with decoupled weight decay (Loshchilov & Hutter 2019), with bias correction or, as BERT's, without |
//! | `adafactor` | the size of w by g / √(rows · columns of g²), clipped (Shazeer & Stern 2018) |
//!
//! ```
//! use torch::{Device, Init, Kind, Params, Role, optim::OptimConfig};
//!
//! let (w, params) = Params::build(Device::Cpu, |scope| {
//!     scope.tensor("w", &[2], Role::Weight, Init::Const(3.0))
//! });
//! let mut optimizer = OptimConfig::default().build(&params);
//! for _ in 0..100 {
//!     optimizer.zero_grad();
//!     (&w * &w).sum(Kind::Float).backward();
//!     optimizer.step(0.05);
//! }
//! assert!(w.abs().max().double_value(&[]) < 0.1);
//! ```

mod adafactor;
mod adamw;
mod rmsprop;
mod sgd;
mod share;
mod slot;

use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use adafactor::Adafactor;
pub use adamw::AdamW;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;
use share::Share;
pub use slot::DecayOn;
use slot::Slot;

use crate::store::{self, StoreError};
use crate::{ConfigError, Faults, Params, ffi};

/// An optimiser's kind and constants, as in a recipe: `{ kind = "sgd", momentum = 0.9 }`. Keys left
/// out take the defaults of [`Sgd`], [`RmsProp`], [`AdamW`] and [`Adafactor`]; unknown ones are
/// errors. The learning rate comes with each step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum OptimConfig {
    /// Stochastic gradient descent with momentum.
    Sgd(Sgd),
    /// RMSProp as in TensorFlow.
    Rmsprop(RmsProp),
    /// Adam with decoupled weight decay.
    Adamw(AdamW),
    /// Adafactor.
    Adafactor(Adafactor),
}

impl Default for OptimConfig {
    fn default() -> Self {
        OptimConfig::Sgd(Sgd::default())
    }
}

impl OptimConfig {
    /// The name in a recipe and at the front of the state's names.
    pub fn kind(&self) -> &'static str {
        match self {
            OptimConfig::Sgd(_) => "sgd",
            OptimConfig::Rmsprop(_) => "rmsprop",
            OptimConfig::Adamw(_) => "adamw",
            OptimConfig::Adafactor(_) => "adafactor",
        }
    }

    /// Every constant that makes no sense.
    pub fn faults(&self) -> Vec<ConfigError> {
        let mut faults = Faults::default();
        match self {
            OptimConfig::Sgd(c) => {
                faults.rate("momentum", c.momentum).not_negative("weight_decay", c.weight_decay)
            }
            OptimConfig::Rmsprop(c) => faults
                .rate("decay", c.decay)
                .rate("momentum", c.momentum)
                .positive("eps", c.eps)
                .not_negative("weight_decay", c.weight_decay),
            OptimConfig::Adamw(c) => faults
                .rate("beta1", c.beta1)
                .rate("beta2", c.beta2)
                .positive("eps", c.eps)
                .not_negative("weight_decay", c.weight_decay),
            OptimConfig::Adafactor(c) => faults
                .positive("decay", c.decay)
                .positive("eps", c.eps)
                .positive("least_scale", c.least_scale)
                .positive("clip", c.clip)
                .rate("beta1", c.beta1),
        };
        faults.done()
    }

    /// Makes the optimiser of all trainable tensors of `params`, with fresh state on their device.
    pub fn build(&self, params: &Params) -> Optimizer {
        self.build_with_rates(params, |_| 1.0)
    }

    /// Makes the optimiser of all trainable tensors of `params`, each with its own learning rate:
    /// `rate` gives, by the tensor's name, the factor of the learning rate of a step, as in
    /// fine-tuning with rates that fall from layer to layer. The state is fresh, on the tensors'
    /// device; the factors are no part of it.
    ///
    /// ```
    /// use torch::{Device, Init, Kind, Params, Role, optim::OptimConfig};
    ///
    /// let (_, params) = Params::build(Device::Cpu, |scope| {
    ///     ["a", "b"].map(|name| scope.tensor(name, &[1], Role::Weight, Init::Const(1.0)))
    /// });
    /// let rate = |name: &str| if name == "a" { 0.5 } else { 1.0 };
    /// let mut optimizer = OptimConfig::default().build_with_rates(&params, rate);
    /// params.iter().for_each(|p| p.tensor.sum(Kind::Float).backward());
    /// optimizer.step(0.1);
    /// let moved = |name| 1.0 - params.get(name).expect("it").double_value(&[0]);
    /// assert!((moved("b") / moved("a") - 2.0).abs() < 1e-2);
    /// ```
    pub fn build_with_rates(&self, params: &Params, rate: impl Fn(&str) -> f64) -> Optimizer {
        let (weight_decay, decay_on) = match self {
            OptimConfig::Sgd(c) => (c.weight_decay, c.decay_on),
            OptimConfig::Rmsprop(c) => (c.weight_decay, c.decay_on),
            OptimConfig::Adamw(c) => (c.weight_decay, c.decay_on),
            OptimConfig::Adafactor(_) => (0.0, DecayOn::Kernels),
        };
        let decay = |role| if decay_on.touches(role) { weight_decay } else { 0.0 };
        Optimizer {
            config: *self,
            names: params.trainable().map(|p| p.name.clone()).collect(),
            decay: params.trainable().map(|p| decay(p.role)).collect(),
            rates: params.trainable().map(|p| rate(&p.name)).collect(),
            params: params.trainable().map(|p| p.tensor.shallow_clone()).collect(),
            share: None,
            slots: OnceCell::new(),
            steps: Tensor::from(0i64),
        }
    }

    /// Fresh state of some parameters.
    fn slots(&self, params: &[Tensor]) -> Vec<Slot> {
        match self {
            OptimConfig::Sgd(c) => c.slots(params),
            OptimConfig::Rmsprop(_) => RmsProp::slots(params),
            OptimConfig::Adamw(_) => AdamW::slots(params),
            OptimConfig::Adafactor(c) => c.slots(params),
        }
    }
}

/// Changes parameters by their gradients. Made by [`OptimConfig::build`]; shares its tensors with
/// the network. Memory for its state is taken when that is first needed.
pub struct Optimizer {
    config: OptimConfig,
    names: Vec<String>,
    params: Vec<Tensor>,
    decay: Vec<f64>,
    rates: Vec<f64>,
    /// Which of the processes that train together keeps what; `None` where each keeps all.
    share: Option<Share>,
    slots: OnceCell<Vec<Slot>>,
    steps: Tensor,
}

impl Optimizer {
    /// Takes a step at learning rate `lr`. A parameter without a gradient stays as it is, and so
    /// does its state.
    pub fn step(&mut self, lr: f64) {
        self.step_by(lr, true);
    }

    fn step_by(&mut self, lr: f64, loops: bool) {
        match &self.share {
            None => self.step_on(&self.params, self.slots(), [&self.decay, &self.rates], lr, loops),
            Some(share) => {
                let params = share.own(&self.params, Tensor::shallow_clone);
                let slots = share.own_slots(self.slots());
                let [decay, rates] = [&self.decay, &self.rates].map(|all| share.own(all, |&x| x));
                self.step_on(&params, &slots, [&decay, &rates], lr, loops);
            }
        }
        let _ = self.steps.g_add_scalar_(1);
    }

    fn step_on(&self, params: &[Tensor], slots: &[Slot], each: [&[f64]; 2], lr: f64, loops: bool) {
        match &self.config {
            OptimConfig::Sgd(c) => c.step(params, slots, each, lr, loops),
            OptimConfig::Rmsprop(c) => c.step(params, slots, each, lr, loops),
            OptimConfig::Adamw(c) => c.step(params, slots, each, lr, loops),
            OptimConfig::Adafactor(c) => {
                c.step(params, slots, each[1], lr, self.steps.int64_value(&[]));
            }
        }
    }

    fn slots(&self) -> &Vec<Slot> {
        self.slots.get_or_init(|| match &self.share {
            None => self.config.slots(&self.params),
            Some(share) => share.slots(&self.params, |params| self.config.slots(params)),
        })
    }

    /// Keeps the state of a part of the parameters from now on, as process `rank` of `size` that
    /// train the same network, and changes only these: [`owners`](Self::owners) tells which process
    /// has a parameter, and from it the others have to get the new value after each step (ZeRO's
    /// first stage, Rajbhandari et al. 2020, arXiv 1910.02054, section 5.1). Panics once there is
    /// state.
    ///
    /// ```
    /// use torch::{Device, Init, Params, Role, optim::{AdamW, OptimConfig}};
    ///
    /// let (_, params) = Params::build(Device::Cpu, |scope| {
    ///     ["a", "b"].map(|name| scope.tensor(name, &[100], Role::Weight, Init::Const(1.0)))
    /// });
    /// let bytes = [0, 1].map(|rank| {
    ///     let mut optimizer = OptimConfig::Adamw(AdamW::default()).build(&params);
    ///     optimizer.share(rank, 2);
    ///     assert_eq!(optimizer.owners(), Some([0, 1].as_slice()));
    ///     optimizer.state_bytes()
    /// });
    /// let whole = OptimConfig::Adamw(AdamW::default()).build(&params).state_bytes();
    /// assert_eq!(bytes, [whole / 2; 2]);
    /// ```
    pub fn share(&mut self, rank: usize, size: usize) {
        assert!(self.slots.get().is_none(), "an optimiser is shared before it has state");
        self.share = Some(Share::new(&self.params, rank, size));
    }

    /// The rank of the process that keeps each parameter's state, in the order of
    /// [`params`](Self::params); `None` where it is all here.
    pub fn owners(&self) -> Option<&[usize]> {
        self.share.as_ref().map(|share| share.owners.as_slice())
    }

    /// The parameters that it changes, or whose state others keep.
    pub fn params(&self) -> &[Tensor] {
        &self.params
    }

    /// Bytes of the state that is kept here, but for the number of steps.
    pub fn state_bytes(&self) -> usize {
        let bytes = |t: &Tensor| t.numel() * t.kind().elt_size_in_bytes();
        let kept = |i: usize| self.share.as_ref().is_none_or(|share| share.keeps(i));
        let each = self.slots().iter().flat_map(|slot| slot.tensors.iter().enumerate());
        each.filter(|(i, _)| kept(*i)).map(|(_, t)| bytes(t)).sum()
    }

    /// Clears all gradients: they are undefined, not 0, until the next backward pass.
    pub fn zero_grad(&mut self) {
        ffi::optim::zero_grad(&self.params);
    }

    /// Scales all gradients so that their joint Euclidean norm is at most `max`, and gives the norm
    /// before that, which may be infinite or NaN.
    pub fn clip_grad_norm(&mut self, max: f64) -> f64 {
        ffi::optim::clip_grad_norm(&self.params, max)
    }

    /// Scales all gradients as [`clip_grad_norm`](Self::clip_grad_norm) does, without waiting for
    /// the device, and gives the norm before that as a tensor `[]` on the device. It has to be
    /// looked at later: where it is infinite or NaN, the gradients are of no use.
    pub fn clip_grad_norm_later(&mut self, max: f64) -> Tensor {
        ffi::optim::clip_grad_norm_later(&self.params, max)
    }

    /// The settings that it was made from.
    pub fn config(&self) -> OptimConfig {
        self.config
    }

    /// Steps taken since the state was fresh.
    pub fn steps(&self) -> i64 {
        self.steps.int64_value(&[])
    }

    /// All state by name, as `rmsprop.mean_square.conv_stem.weight`, with the number of steps as
    /// int64 `rmsprop.step`. The tensors are the optimiser's own, not copies. Of a
    /// [shared](Self::share) one, what others keep has its name and shape, and no values:
    /// [`state_owners`](Self::state_owners).
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let kind = self.config.kind();
        let mut state = vec![(format!("{kind}.step"), self.steps.shallow_clone())];
        for slot in self.slots() {
            for (name, tensor) in self.names.iter().zip(&slot.tensors) {
                state.push((format!("{kind}.{}.{name}", slot.name), tensor.shallow_clone()));
            }
        }
        state
    }

    /// The rank of the process that keeps each entry of [`state`](Self::state); `None` where all
    /// keep it.
    pub fn state_owners(&self) -> Vec<Option<usize>> {
        let each = |i: usize| self.share.as_ref().map(|share| share.owners[i]);
        let slots = self.slots().iter().flat_map(|slot| (0..slot.tensors.len()).map(each));
        std::iter::once(None).chain(slots).collect()
    }

    /// Takes over what [`state`](Self::state) gave. If a tensor is missing, unexpected or of
    /// another shape, the error ([`StoreError::Mismatch`]) names all such and nothing is changed.
    /// Of what others keep the name and the shape are looked at.
    pub fn load_state(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), StoreError> {
        let own = self.state();
        let wanted = own.iter().map(|(name, tensor)| (name.as_str(), tensor));
        store::check(wanted, state, |_| false)?;
        let rank = self.share.as_ref().map(|share| share.rank);
        for ((name, mut tensor), owner) in own.into_iter().zip(self.state_owners()) {
            if owner.is_none() || owner == rank {
                tensor.copy_(&state[&name]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::{Init, Role};

    /// Where the gradient is 0, decay alone moves a weight: w ← (1 − rate · η · decay) w.
    #[test]
    fn a_layers_own_rate_scales_its_weight_decay() {
        for (bias_correction, loops) in [(true, true), (true, false), (false, true), (false, false)]
        {
            for (rate, expected) in [(1.0, 0.99), (0.5, 0.995)] {
                let (w, params) = Params::build(Device::Cpu, |scope| {
                    scope.tensor("w", &[1], Role::Weight, Init::Const(1.0))
                });
                let adam = AdamW { weight_decay: 0.1, bias_correction, ..AdamW::default() };
                let mut optimizer = OptimConfig::Adamw(adam).build_with_rates(&params, |_| rate);
                (&w * 0.0).sum(Kind::Float).backward();
                optimizer.step_by(0.1, loops);
                let found = w.double_value(&[0]);
                assert!((found - expected).abs() < 1e-6, "{adam:?}, rate {rate}: {found}");
            }
        }
    }

    #[test]
    fn loops_compute_what_the_kernels_for_cuda_do() {
        let sgd = Sgd { weight_decay: 0.1, ..Sgd::default() };
        let configs = [
            OptimConfig::Sgd(Sgd { momentum: 0.0, ..sgd }),
            OptimConfig::Sgd(Sgd { nesterov: false, ..sgd }),
            OptimConfig::Sgd(sgd),
            OptimConfig::Rmsprop(RmsProp { weight_decay: 0.1, ..RmsProp::default() }),
            OptimConfig::Adamw(AdamW { weight_decay: 0.1, ..AdamW::default() }),
            OptimConfig::Adamw(AdamW { weight_decay: 0.1, ..AdamW::bert() }),
        ];
        let shapes: [(&[i64], Role); 3] =
            [(&[7, 5, 3, 3], Role::Weight), (&[129], Role::Bias), (&[1], Role::Norm)];
        for config in configs {
            let run = |loops| {
                let (_, params) = Params::build(Device::Cpu, |scope| {
                    for (i, (shape, role)) in shapes.iter().enumerate() {
                        let mut w = scope.tensor(&i.to_string(), shape, *role, Init::Const(0.0));
                        let ramp = Tensor::arange(w.numel() as i64, (Kind::Float, Device::Cpu));
                        crate::no_grad(|| w.copy_(&ramp.cos().view_as(&w)));
                    }
                });
                let rate = |name: &str| if name == "1" { 0.5 } else { 1.0 };
                let mut optimizer = config.build_with_rates(&params, rate);
                for step in 1..=5 {
                    optimizer.zero_grad();
                    for p in params.trainable() {
                        (&p.tensor * &p.tensor * &p.tensor).sum(Kind::Float).backward();
                    }
                    optimizer.step_by(0.1 / f64::from(step), loops);
                }
                optimizer.state().into_iter().chain(params.tensors()).collect::<Vec<_>>()
            };
            for ((name, ours), (_, theirs)) in run(true).iter().zip(&run(false)) {
                // libtorch fuses some products with their sums, which moves last bits.
                let error = ((ours - theirs).abs().max() / theirs.abs().max()).double_value(&[]);
                assert!(error < 1e-6, "{name}: {error:e}");
            }
        }
    }
}
