//! The interface between the loop and what is trained: [`Objective`], the [`Loss`] that it returns,
//! and [`Progress`].

use torch::group::{Group, Reduce};
use torch::{Kind, Params, Tensor};

/// How far a training has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Steps completed. During a step it is the step's own number, counted from 0; in an evaluation
    /// it is the number of steps that the weights were trained for.
    pub step: u64,
    /// Steps of the whole training.
    pub steps: u64,
}

impl Progress {
    /// The part that is done, from 0 to 1. A training of no steps is done.
    ///
    /// ```
    /// assert_eq!(train::Progress { step: 50, steps: 200 }.fraction(), 0.25);
    /// ```
    pub fn fraction(self) -> f64 {
        if self.step >= self.steps { 1.0 } else { self.step as f64 / self.steps as f64 }
    }
}

/// What is trained, and by which loss. The loop ([`fit`](crate::fit())) knows nothing of data,
/// papers or teachers; an objective knows nothing of optimisers, checkpoints or logs.
pub trait Objective {
    /// What one step learns from.
    type Batch;

    /// The tensors that are optimised (those that are trainable) and kept in checkpoints (all).
    fn params(&self) -> &Params;

    /// The parts of a batch whose losses are computed one after another, so that the graph of no
    /// more than one is in memory, with the factor of each in the step's loss: gradients are added
    /// up. What is logged is the sum of terms and notes with these factors. One part with factor 1
    /// unless said otherwise; else the factors should add up to 1, in the mean over the processes
    /// that train together, of which each may have its own number of what a loss is a mean over.
    /// All processes have as many parts.
    fn parts(&self, batch: Self::Batch) -> Vec<(f64, Self::Batch)> {
        vec![(1.0, batch)]
    }

    /// The loss of one batch, or of one of its [`parts`](Self::parts), with its graph: only the
    /// loop calls backward. Runs in the precision of [`FitOptions`](crate::FitOptions).
    fn loss(&mut self, batch: Self::Batch, at: Progress) -> Loss;

    /// Called after the optimiser's step with the same `at` as [`loss`](Objective::loss), without
    /// gradients. Update averages here.
    fn after_step(&mut self, _at: Progress) {}

    /// Floating-point operations of all losses so far and of their gradients
    /// ([`torch::flops`]); 0, which is never shown, where they are not counted.
    fn flops(&self) -> u64 {
        0
    }

    /// Further tensors that decide how training goes on: averaged weights, running confidences. A
    /// checkpoint keeps them under these names and restores them by copying into the very tensors
    /// returned here, so the same tensors (or shallow clones of them) must be returned every time.
    fn state(&self) -> Vec<(String, Tensor)> {
        Vec::new()
    }
}

/// A loss: named weighted terms, whose weighted sum is minimised, and named notes, which are only
/// logged. Values stay on the device until they are logged.
///
/// ```
/// use torch::Tensor;
/// use train::Loss;
///
/// let loss = Loss::new()
///     .term("sup", 1.0, Tensor::from(0.5_f32))
///     .term("unsup", 2.0, Tensor::from(0.25_f32))
///     .note("kept", 0.75);
/// assert_eq!(loss.total().double_value(&[]), 1.0);
/// ```
#[derive(Debug, Default)]
pub struct Loss {
    terms: Vec<(String, f64, Tensor)>,
    /// Scalars, and vectors whose entries are logged as `name.0`, `name.1`, ...
    notes: Vec<(String, Tensor)>,
}

impl Loss {
    /// A loss without terms, to which they are added.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `weight · value` to what is minimised; `value`, a tensor of one element, is logged as
    /// `name` without its weight. Panics if `value` has another number of elements or the name is
    /// taken.
    #[must_use]
    pub fn term(mut self, name: &str, weight: f64, value: Tensor) -> Self {
        let value = self.scalar(name, value);
        self.terms.push((name.to_owned(), weight, value));
        self
    }

    /// Adds a number (a tensor of one element, or an `f64`) that is logged and not minimised.
    /// Panics as [`term`](Loss::term) does.
    #[must_use]
    pub fn note(mut self, name: &str, value: impl Into<Tensor>) -> Self {
        let value = self.scalar(name, value.into().detach());
        self.notes.push((name.to_owned(), value));
        self
    }

    /// Adds a number for each class, `[classes]`, logged as `name.0`, `name.1`, ... and not
    /// minimised. Panics on a tensor of another dimension.
    #[must_use]
    pub fn note_each(mut self, name: &str, values: Tensor) -> Self {
        assert_eq!(values.dim(), 1, "one number of {name} a class, not {:?}", values.size());
        self.notes.push((name.to_owned(), values.detach()));
        self
    }

    fn scalar(&self, name: &str, value: Tensor) -> Tensor {
        let taken = self.terms.iter().map(|t| &t.0).chain(self.notes.iter().map(|n| &n.0));
        assert!(taken.into_iter().all(|n| n != name), "two terms or notes are named {name}");
        assert_eq!(value.numel(), 1, "elements of {name}, whose shape is {:?}", value.size());
        value.reshape([] as [i64; 0])
    }

    /// The weighted sum of the terms: a float32 scalar with a graph. Panics without a term.
    pub fn total(&self) -> Tensor {
        let mut terms = self.terms.iter().map(|(_, weight, value)| {
            let value = value.to_kind(Kind::Float);
            if *weight == 1.0 { value } else { value * *weight }
        });
        let first = terms.next().expect("a loss has at least one term");
        terms.fold(first, |sum, term| sum + term)
    }

    /// A copy of this loss whose values have no graph.
    pub fn detach(&self) -> Loss {
        let terms = self.terms.iter().map(|(n, w, t)| (n.clone(), *w, t.detach())).collect();
        let notes = self.notes.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect();
        Loss { terms, notes }
    }

    /// The sum of losses with factors, without their graphs: terms and notes of one name are added
    /// up.
    pub(crate) fn sum(parts: &[(f64, Loss)]) -> Loss {
        let mut sum = Loss::new();
        for (factor, loss) in parts {
            for (name, weight, value) in &loss.terms {
                let value = value.detach() * *factor;
                match sum.terms.iter_mut().find(|term| term.0 == *name) {
                    Some(term) => term.2 = &term.2 + value,
                    None => sum.terms.push((name.clone(), *weight, value)),
                }
            }
            for (name, value) in &loss.notes {
                let value = value * *factor;
                match sum.notes.iter_mut().find(|note| note.0 == *name) {
                    Some(note) => note.1 = &note.1 + value,
                    None => sum.notes.push((name.clone(), value)),
                }
            }
        }
        sum
    }

    /// A copy of this loss in which each value is the mean over the processes of a group, without a
    /// graph.
    pub(crate) fn averaged(&self, group: &Group) -> Result<Loss, torch::group::Error> {
        let mut mean = self.detach();
        let all = mean.terms.iter_mut().map(|t| &mut t.2);
        let mut all: Vec<_> = all.chain(mean.notes.iter_mut().map(|n| &mut n.1)).collect();
        let flat: Vec<_> = all.iter().map(|t| t.to_kind(Kind::Double).reshape([-1])).collect();
        let flat = Tensor::cat(&flat, 0);
        group.all_reduce(&flat, Reduce::Sum)?;
        let flat = flat / group.size() as f64;
        let mut start = 0;
        for t in &mut all {
            let (places, kind) = (t.numel() as i64, t.kind());
            let kind = if kind == Kind::Double { kind } else { Kind::Float };
            **t = flat.narrow(0, start, places).reshape(t.size()).to_kind(kind);
            start += places;
        }
        Ok(mean)
    }

    /// Reads all values, with one synchronisation with the device.
    pub fn values(&self) -> Values {
        let total = self.total().detach();
        let device = total.device();
        let all = [&total]
            .into_iter()
            .chain(self.terms.iter().map(|t| &t.2))
            .chain(self.notes.iter().map(|n| &n.1))
            .map(|t| t.detach().to_device(device).to_kind(Kind::Double).reshape([-1]))
            .collect::<Vec<_>>();
        let all = Vec::<f64>::try_from(Tensor::cat(&all, 0)).expect("a vector of float64");
        let (terms, notes) = all[1..].split_at(self.terms.len());
        let terms = self.terms.iter().map(|t| t.0.clone()).zip(terms.iter().copied());
        let names = self.notes.iter().flat_map(|(name, values)| match values.dim() {
            0 => vec![name.clone()],
            _ => (0..values.numel()).map(|i| format!("{name}.{i}")).collect(),
        });
        let notes = names.zip(notes.iter().copied()).collect();
        Values { total: all[0], terms: terms.collect(), notes }
    }
}

/// The values of one [`Loss`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// The weighted sum that is minimised.
    pub total: f64,
    /// Each term by name, without its weight, in the order in which they were added.
    pub terms: Vec<(String, f64)>,
    /// Each note by name, in order.
    pub notes: Vec<(String, f64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fraction_is_between_zero_and_one() {
        let at = |step, steps| Progress { step, steps }.fraction();
        assert_eq!((at(0, 4), at(1, 4), at(4, 4), at(9, 4), at(0, 0)), (0.0, 0.25, 1.0, 1.0, 1.0));
    }

    #[test]
    fn values_come_in_order_and_without_weights() {
        let loss = Loss::new()
            .term("b", 0.5, Tensor::from_slice(&[4.0_f32]))
            .note("z", Tensor::from(3_i64))
            .term("a", 1.0, Tensor::from(1.0_f32))
            .note_each("z", Tensor::from_slice(&[5.0_f32, 6.0]))
            .note("y", 0.1);
        let values = loss.values();
        assert_eq!(values.total, 3.0);
        assert_eq!(values.terms, [("b".to_owned(), 4.0), ("a".to_owned(), 1.0)]);
        assert_eq!(values.notes[0], ("z".to_owned(), 3.0));
        assert_eq!(values.notes[1..3], [("z.0".to_owned(), 5.0), ("z.1".to_owned(), 6.0)]);
        assert!((values.notes[3].1 - 0.1).abs() < 1e-7);
        assert_eq!(values, loss.detach().values());
    }

    #[test]
    fn the_total_carries_the_weights_into_the_gradient() {
        let x = Tensor::from(3.0_f32).set_requires_grad(true);
        Loss::new().term("square", 0.5, &x * &x).note("x", x.shallow_clone()).total().backward();
        assert_eq!(x.grad().double_value(&[]), 3.0);
    }

    #[test]
    fn losses_of_parts_are_added_up_by_name() {
        let loss = |a: f32, z: f32| {
            let terms = Loss::new().term("a", 2.0, Tensor::from(a)).note("n", Tensor::from(1_i64));
            terms.note_each("z", Tensor::from_slice(&[z, 1.0]))
        };
        let values = Loss::sum(&[(0.25, loss(4.0, 8.0)), (0.75, loss(8.0, 4.0))]).values();
        assert_eq!((values.total, values.terms[0].1), (14.0, 7.0));
        let notes = [("n", 1.0), ("z.0", 5.0), ("z.1", 1.0)];
        assert_eq!(values.notes, notes.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    #[should_panic(expected = "two terms or notes are named sup")]
    fn a_name_is_used_once() {
        let _ = Loss::new().term("sup", 1.0, Tensor::from(1.0_f32)).note("sup", 1.0);
    }
}
