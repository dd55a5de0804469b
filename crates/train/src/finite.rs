//! Finds a loss, a running statistic or a weight that is not finite, without waiting for the device
//! in every step.

use torch::{Kind, Params, Role, Tensor, finite};

use crate::{Loss, Objective, Values};

/// Where training diverged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("step {step}: {what} is {value} at learning rate {lr}{}{}", cause(parameter), hint(what))]
pub struct NonFinite {
    /// The step, counted from 0.
    pub step: u64,
    /// What is not finite: a term of the loss, the gradient's norm, a parameter, a buffer, a tensor
    /// of the objective's state.
    pub what: String,
    /// Not a number, or an infinity.
    pub value: f64,
    /// The learning rate of the step.
    pub lr: f64,
    /// The first parameter that was not finite, if a term of the loss is not and a parameter was
    /// not.
    pub parameter: Option<String>,
}

fn cause(parameter: &Option<String>) -> String {
    parameter
        .as_ref()
        .map_or(String::new(), |name| format!(", as the parameter {name} is not finite"))
}

/// What may help where a name says what went wrong.
fn hint(what: &str) -> &'static str {
    if what.contains("running_var") {
        return ": a batch norm that sees a single value of a channel has no variance; take larger \
                batches or larger images";
    }
    ""
}

/// Losses and running statistics of the steps since the last check.
#[derive(Default)]
pub(crate) struct Unchecked {
    losses: Vec<Step>,
    latest: Option<Step>,
}

struct Step {
    step: u64,
    lr: f64,
    loss: Loss,
    /// Whether every buffer was finite after the step's forward passes, a bool on the device.
    buffers: Option<Tensor>,
    /// The norm of the gradient before it was clipped, where it is.
    grad_norm: Option<Tensor>,
}

impl Unchecked {
    pub(crate) fn push(&mut self, step: u64, lr: f64, loss: &Loss, params: &Params) {
        let buffers = params.iter().filter(|p| p.role == Role::Buffer);
        let flat: Vec<_> = buffers.map(|p| p.tensor.detach().reshape([-1])).collect();
        let buffers = (!flat.is_empty()).then(|| Tensor::cat(&flat, 0).isfinite().all());
        self.losses.push(Step { step, lr, loss: loss.detach(), buffers, grad_norm: None });
    }

    /// The norm `[]` of the gradient of the step that was pushed last.
    pub(crate) fn push_norm(&mut self, norm: Tensor) {
        if let Some(step) = self.losses.last_mut().or(self.latest.as_mut()) {
            step.grad_norm = Some(norm);
        }
    }

    /// Whether it is time to check, because many losses are waiting.
    pub(crate) fn is_full(&self) -> bool {
        self.losses.len() >= 256
    }

    /// Checks all totals, buffers and norms with one synchronisation each. An error names the first
    /// step, and the first of its terms or the first buffer. `params` are those of the steps.
    pub(crate) fn check(&mut self, params: &Params) -> Result<(), NonFinite> {
        let mut losses = std::mem::take(&mut self.losses);
        if losses.is_empty() {
            return Ok(());
        }
        let totals: Vec<_> = losses.iter().map(|s| s.loss.total().to_kind(Kind::Double)).collect();
        let totals = Vec::<f64>::try_from(Tensor::stack(&totals, 0)).expect("float64 totals");
        let bad_loss = totals.iter().position(|t| !t.is_finite());
        let whole = |s: &Step| s.buffers.as_ref().map(Tensor::shallow_clone);
        let flags: Vec<_> = losses.iter().filter_map(whole).collect();
        // All steps have buffers, or none has.
        let bad_buffer = (!flags.is_empty()).then(|| {
            let flags = Vec::<bool>::try_from(Tensor::stack(&flags, 0)).expect("flags");
            flags.iter().position(|ok| !ok)
        });
        let (bad_loss, bad_buffer) = (bad_loss, bad_buffer.flatten());
        // In one step both follow from the weights or the samples, and the loss tells more.
        if let Some(at) = bad_buffer.filter(|at| bad_loss.is_none_or(|loss| *at < loss)) {
            let Step { step, lr, .. } = losses[at];
            let buffers: Vec<_> = params.iter().filter(|p| p.role == Role::Buffer).collect();
            let tensors: Vec<_> = buffers.iter().map(|p| &p.tensor).collect();
            let (what, value) = match finite::first_bad(&tensors) {
                Some((i, value)) => (format!("the buffer {}", buffers[i].name), value),
                None => ("a buffer of the network".to_owned(), f64::NAN),
            };
            return Err(NonFinite { step, what, value, lr, parameter: None });
        }
        let bad_norm = bad_norm(&losses).filter(|(at, _)| bad_loss.is_none_or(|loss| *at < loss));
        if let Some((at, value)) = bad_norm {
            let Step { step, lr, .. } = losses[at];
            return Err(NonFinite { step, what: GRAD_NORM.to_owned(), value, lr, parameter: None });
        }
        if let Some(at) = bad_loss {
            let Step { step, lr, loss, .. } = &losses[at];
            let bad = loss.values().terms.into_iter().find(|(_, value)| !value.is_finite());
            let (what, value) = match bad {
                Some((name, value)) => (format!("the term `{name}` of the loss"), value),
                None => ("the weighted sum of the loss's terms".to_owned(), totals[at]),
            };
            let weights: Vec<_> = params.trainable().collect();
            let tensors: Vec<_> = weights.iter().map(|p| &p.tensor).collect();
            let parameter = finite::first_bad(&tensors).map(|(i, _)| weights[i].name.clone());
            return Err(NonFinite { step: *step, what, value, lr: *lr, parameter });
        }
        self.latest = losses.pop();
        Ok(())
    }

    /// Values, learning rate and, if gradients are clipped, the gradient's norm of the latest step
    /// that was checked.
    pub(crate) fn latest(&self) -> Option<(Values, f64, Option<f64>)> {
        let norm = |s: &Step| s.grad_norm.as_ref().map(|norm| norm.double_value(&[]));
        self.latest.as_ref().map(|s| (s.loss.values(), s.lr, norm(s)))
    }
}

/// What is not finite where the gradient's norm is not.
pub(crate) const GRAD_NORM: &str = "the norm of the gradient";

/// The first step whose gradient had no finite norm, and the norm.
fn bad_norm(steps: &[Step]) -> Option<(usize, f64)> {
    let with_norm = steps.iter().enumerate().filter_map(|(i, s)| Some((i, s.grad_norm.as_ref()?)));
    let (at, norms): (Vec<usize>, Vec<Tensor>) =
        with_norm.map(|(i, norm)| (i, norm.to_kind(Kind::Double))).unzip();
    if norms.is_empty() {
        return None;
    }
    let norms = Vec::<f64>::try_from(Tensor::stack(&norms, 0)).expect("float64 norms");
    at.into_iter().zip(norms).find(|(_, norm)| !norm.is_finite())
}

/// The first tensor of an objective with a value that is not finite, in words, and such a value:
/// of its parameters, buffers, and further state.
pub(crate) fn first_bad(objective: &impl Objective) -> Option<(String, f64)> {
    let state = objective.state();
    let own = objective.params().iter().map(|p| {
        let kind = if p.role == Role::Buffer { "buffer" } else { "parameter" };
        (kind, &p.name, &p.tensor)
    });
    let all: Vec<_> = own.chain(state.iter().map(|(name, t)| ("state", name, t))).collect();
    let tensors: Vec<_> = all.iter().map(|(_, _, tensor)| *tensor).collect();
    let (at, value) = finite::first_bad(&tensors)?;
    let (kind, name, _) = all[at];
    Some((format!("the {kind} {name}"), value))
}

#[cfg(test)]
mod tests {
    use torch::{Device, Init};

    use super::*;

    fn loss(sup: f32, unsup: f32) -> Loss {
        Loss::new().term("sup", 1.0, Tensor::from(sup)).term("unsup", 1.0, Tensor::from(unsup))
    }

    #[test]
    fn the_first_bad_step_and_term_are_named() {
        let (mut unchecked, none) = (Unchecked::default(), Params::default());
        unchecked.push(6, 0.1, &loss(1.0, 2.0), &none);
        unchecked.check(&none).unwrap();
        assert_eq!(unchecked.latest().unwrap().0.total, 3.0);
        unchecked.push(7, 0.1, &loss(1.0, 2.0), &none);
        unchecked.push(8, 0.2, &loss(1.0, f32::INFINITY), &none);
        unchecked.push(9, 0.3, &loss(f32::NAN, 1.0), &none);
        let message = unchecked.check(&none).unwrap_err().to_string();
        assert_eq!(message, "step 8: the term `unsup` of the loss is inf at learning rate 0.2");
    }

    #[test]
    fn a_gradient_without_a_norm_is_named_before_the_losses_that_follow() {
        let none = Params::default();
        for (last, expected) in [
            (f32::INFINITY, "step 8: the norm of the gradient is inf at learning rate 0.2"),
            (2.0, "step 9: the term `sup` of the loss is NaN at learning rate 0.3"),
        ] {
            let mut unchecked = Unchecked::default();
            for (step, norm) in [(7, 1.0f32), (8, last)] {
                unchecked.push(step, 0.025 * step as f64, &loss(1.0, 2.0), &none);
                unchecked.push_norm(Tensor::from(norm));
            }
            unchecked.push(9, 0.3, &loss(f32::NAN, 1.0), &none);
            assert_eq!(unchecked.check(&none).unwrap_err().to_string(), expected);
        }
        let mut unchecked = Unchecked::default();
        unchecked.push(7, 0.1, &loss(1.0, 2.0), &none);
        unchecked.check(&none).unwrap();
        // A step whose loss was looked at before its backward pass.
        unchecked.push_norm(Tensor::from(0.5f32));
        assert_eq!(unchecked.latest().unwrap().2, Some(0.5));
    }

    #[test]
    fn a_sum_that_overflows_is_noticed() {
        let (mut unchecked, none) = (Unchecked::default(), Params::default());
        unchecked.push(0, 0.1, &loss(3e38, 3e38), &none);
        assert_eq!(
            unchecked.check(&none).unwrap_err().what,
            "the weighted sum of the loss's terms"
        );
    }

    #[test]
    fn the_step_after_which_a_buffer_was_bad_is_named() {
        let (variance, params) = Params::build(Device::Cpu, |scope| {
            let _ = scope.tensor("w", &[1], Role::Weight, Init::Const(1.0));
            let _ = scope.tensor("running_mean", &[2], Role::Buffer, Init::Const(0.0));
            scope.tensor("running_var", &[2], Role::Buffer, Init::Const(1.0))
        });
        let mut unchecked = Unchecked::default();
        unchecked.push(3, 0.1, &loss(1.0, 2.0), &params);
        let _ = variance.shallow_clone().fill_(f64::NAN);
        unchecked.push(4, 0.1, &loss(1.0, 2.0), &params);
        unchecked.push(5, 0.1, &loss(f32::NAN, 2.0), &params);
        let fault = unchecked.check(&params).unwrap_err();
        assert_eq!((fault.step, &*fault.what), (4, "the buffer running_var"));
        assert!(fault.to_string().contains("larger batches"), "{fault}");
    }
}
