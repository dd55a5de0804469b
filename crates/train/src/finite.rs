//! Finds a loss that is not finite, without waiting for the device in every step.

use torch::{Kind, Params, Tensor};

use crate::{Loss, Values};

/// Where training diverged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("step {step}: {what} is {value} at learning rate {lr}")]
pub struct NonFinite {
    /// The step, counted from 0.
    pub step: u64,
    /// What is not finite: a term of the loss, the gradient's norm, a parameter.
    pub what: String,
    /// Not a number, or an infinity.
    pub value: f64,
    /// The learning rate of the step.
    pub lr: f64,
}

/// Losses of the steps since the last check.
#[derive(Default)]
pub(crate) struct Unchecked {
    losses: Vec<Step>,
    latest: Option<Step>,
}

struct Step {
    step: u64,
    lr: f64,
    loss: Loss,
}

impl Unchecked {
    pub(crate) fn push(&mut self, step: u64, lr: f64, loss: &Loss) {
        self.losses.push(Step { step, lr, loss: loss.detach() });
    }

    /// Whether it is time to check, because many losses are waiting.
    pub(crate) fn is_full(&self) -> bool {
        self.losses.len() >= 256
    }

    /// Checks all totals with one synchronisation. An error names the first step and the first of
    /// its terms.
    pub(crate) fn check(&mut self) -> Result<(), NonFinite> {
        let mut losses = std::mem::take(&mut self.losses);
        if losses.is_empty() {
            return Ok(());
        }
        let totals: Vec<_> = losses.iter().map(|s| s.loss.total().to_kind(Kind::Double)).collect();
        let totals = Vec::<f64>::try_from(Tensor::stack(&totals, 0)).expect("float64 totals");
        if let Some(at) = totals.iter().position(|t| !t.is_finite()) {
            let Step { step, lr, loss } = &losses[at];
            let bad = loss.values().terms.into_iter().find(|(_, value)| !value.is_finite());
            let (what, value) = match bad {
                Some((name, value)) => (format!("the term `{name}` of the loss"), value),
                None => ("the weighted sum of the loss's terms".to_owned(), totals[at]),
            };
            return Err(NonFinite { step: *step, what, value, lr: *lr });
        }
        self.latest = losses.pop();
        Ok(())
    }

    /// Values and learning rate of the latest step that was checked.
    pub(crate) fn latest(&self) -> Option<(Values, f64)> {
        self.latest.as_ref().map(|s| (s.loss.values(), s.lr))
    }
}

/// The first trainable tensor with a value that is not finite, and that value.
pub(crate) fn first_bad(params: &Params) -> Option<(String, f64)> {
    let trainable: Vec<_> = params.trainable().collect();
    if trainable.is_empty() {
        return None;
    }
    let finite: Vec<_> = trainable.iter().map(|p| p.tensor.isfinite().all()).collect();
    let finite = Vec::<bool>::try_from(Tensor::stack(&finite, 0)).expect("a flag a tensor");
    let bad = trainable[finite.iter().position(|ok| !ok)?];
    // The sum of a tensor with such a value is not finite either.
    Some((bad.name.clone(), bad.tensor.sum(Kind::Double).double_value(&[])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(sup: f32, unsup: f32) -> Loss {
        Loss::new().term("sup", 1.0, Tensor::from(sup)).term("unsup", 1.0, Tensor::from(unsup))
    }

    #[test]
    fn the_first_bad_step_and_term_are_named() {
        let mut unchecked = Unchecked::default();
        unchecked.push(6, 0.1, &loss(1.0, 2.0));
        unchecked.check().unwrap();
        assert_eq!(unchecked.latest().unwrap().0.total, 3.0);
        unchecked.push(7, 0.1, &loss(1.0, 2.0));
        unchecked.push(8, 0.2, &loss(1.0, f32::INFINITY));
        unchecked.push(9, 0.3, &loss(f32::NAN, 1.0));
        let message = unchecked.check().unwrap_err().to_string();
        assert_eq!(message, "step 8: the term `unsup` of the loss is inf at learning rate 0.2");
    }

    #[test]
    fn a_sum_that_overflows_is_noticed() {
        let mut unchecked = Unchecked::default();
        unchecked.push(0, 0.1, &loss(3e38, 3e38));
        assert_eq!(unchecked.check().unwrap_err().what, "the weighted sum of the loss's terms");
    }
}
