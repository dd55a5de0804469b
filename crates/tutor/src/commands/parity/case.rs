//! One thing that is computed on two devices.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use torch::precision::{Precision, autocast};
use torch::{Device, Kind, Params, Scope, Tensor, no_grad};

use crate::run::memory;

/// Numbers that a case computes, by name.
pub(super) type Pieces = Vec<(String, Tensor)>;

/// How far results may be apart, as a share of their size.
#[derive(Clone, Copy)]
pub(super) struct Allowed {
    pub(super) float32: f64,
    /// None for what does not depend on the precision, and for what is left out.
    pub(super) bfloat16: Option<f64>,
}

/// A single layer.
pub(super) const LAYER: Allowed = Allowed { float32: 1e-5, bfloat16: Some(0.03) };

/// A network: differences grow from layer to layer.
pub(super) const NETWORK: Allowed = Allowed { float32: 1e-3, bfloat16: Some(0.15) };

/// Arithmetic that is float32 in every precision.
pub(super) const PLAIN: Allowed = Allowed { float32: 1e-5, bfloat16: None };

/// What has to be the same to the last bit.
pub(super) const EXACT: Allowed = Allowed { float32: 0.0, bfloat16: None };

/// Something that is computed on two devices.
pub(super) struct Case {
    pub(super) name: String,
    allowed: Allowed,
    compute: Box<dyn Fn(Device) -> Pieces>,
    /// Why it is not compared in bfloat16, though it depends on the precision.
    only_float32: Option<&'static str>,
}

/// How far two devices are apart.
#[derive(Serialize)]
pub(super) struct Compared {
    pub(super) name: String,
    precision: Precision,
    /// Of the piece that differs most: the norm of the difference over the norm of what the CPU
    /// computes.
    pub(super) difference: f64,
    pub(super) allowed: f64,
    /// The piece that differs most.
    piece: String,
    pub(super) agrees: bool,
}

impl Case {
    pub(super) fn new(
        name: &str,
        allowed: Allowed,
        compute: impl Fn(Device) -> Pieces + 'static,
    ) -> Self {
        Self { name: name.to_owned(), allowed, compute: Box::new(compute), only_float32: None }
    }

    /// The same, in float32 alone, with the reason.
    pub(super) fn only_in_float32(mut self, why: &'static str) -> Self {
        self.allowed.bfloat16 = None;
        self.only_float32 = Some(why);
        self
    }

    /// Why it is not compared in this precision, if that has to be said.
    pub(super) fn left_out(&self, precision: Precision) -> Option<&'static str> {
        self.only_float32.filter(|_| precision == Precision::Bfloat16)
    }

    /// A layer or network: its output, its gradients, and its running statistics after one step.
    /// `forward` gives what a loss is made of.
    pub(super) fn net<N: 'static>(
        name: &str,
        allowed: Allowed,
        make: impl Fn(&mut Scope<'_>) -> N + 'static,
        forward: impl Fn(&N, Device) -> Tensor + 'static,
    ) -> Self {
        Self::new(name, allowed, move |device| {
            torch::rng::seed(1);
            let start = Params::build(Device::Cpu, &make).1;
            let (net, params) = Params::build(device, &make);
            params.copy_from(&start);
            no_grad(|| unsettle(&params));
            let y = forward(&net, device);
            let weights = wave(&y.size(), device);
            (y.to_kind(Kind::Float) * weights).sum(Kind::Float).backward();
            let mut pieces = vec![("output".to_owned(), y.detach())];
            pieces.extend(joined("gradients", params.trainable().map(|p| p.tensor.grad())));
            let fixed: Vec<_> = params.trainable().map(|p| p.name.clone()).collect();
            let others = params.iter().filter(|p| !fixed.contains(&p.name));
            let others = others.map(|p| p.tensor.shallow_clone());
            pieces.extend(joined("running statistics", others));
            pieces
        })
    }

    /// Computes on both. None where nothing depends on the precision.
    pub(super) fn compare(&self, device: Device, precision: Precision) -> Option<Compared> {
        let allowed = match precision {
            Precision::Float32 => self.allowed.float32,
            Precision::Bfloat16 => self.allowed.bfloat16?,
        };
        let expected = (self.compute)(Device::Cpu);
        // What libtorch refuses on this device is told at its place; the others are compared.
        let computed = || autocast(precision, device, || (self.compute)(device));
        let found = match catch_unwind(AssertUnwindSafe(computed)) {
            Ok(found) => found,
            Err(panic) => {
                let (name, difference) = (self.name.clone(), f64::INFINITY);
                let text = memory::text(panic.as_ref()).unwrap_or("a panic without words");
                let text = memory::first_line(text);
                let piece = format!("it ends in an error: {text}");
                let agrees = false;
                return Some(Compared { name, precision, difference, allowed, piece, agrees });
            }
        };
        assert_eq!(expected.len(), found.len(), "pieces of {}", self.name);
        let differences = expected
            .iter()
            .zip(&found)
            .map(|((piece, expected), (_, found))| (difference(expected, found), piece.clone()));
        let most = differences.max_by(|a, b| a.0.total_cmp(&b.0));
        let (difference, piece) = most.expect("a case computes something");
        let agrees = difference <= allowed;
        Some(Compared { name: self.name.clone(), precision, difference, allowed, piece, agrees })
    }
}

/// Moves all that starts at 0 or 1 away from it, by numbers that are the same on every device.
fn unsettle(params: &Params) {
    for param in params.iter().filter(|p| p.tensor.kind() == Kind::Float) {
        let size = param.tensor.size();
        let change = wave(&size, param.tensor.device()) * 0.02;
        let mut tensor = param.tensor.shallow_clone();
        // Variances stay above 0.
        let _ = tensor.g_add_(&change.abs());
    }
}

/// Tensors as one, if there are any.
pub(super) fn joined(
    name: &str,
    tensors: impl Iterator<Item = Tensor>,
) -> Option<(String, Tensor)> {
    let flat: Vec<_> = tensors
        .filter(Tensor::defined)
        .map(|t| t.detach().to_kind(Kind::Float).reshape([-1]))
        .collect();
    (!flat.is_empty()).then(|| (name.to_owned(), Tensor::cat(&flat, 0)))
}

/// Numbers between -1 and 1 that are the same on every device, since they are computed on the CPU.
pub(super) fn wave(shape: &[i64], device: Device) -> Tensor {
    let count = shape.iter().product::<i64>();
    let wave = ((Tensor::arange(count, (Kind::Double, Device::Cpu)) + 1.0) * 1.7).sin();
    wave.to_kind(Kind::Float).reshape(shape).to_device(device)
}

/// Normally distributed numbers that are the same on every device, likewise.
pub(super) fn noise(shape: &[i64], device: Device) -> Tensor {
    torch::rng::seed(2);
    Tensor::randn(shape, (Kind::Float, Device::Cpu)).to_device(device)
}

/// The norm of the difference over that of what is expected; infinite where shapes differ or
/// something is not a number, and where everything is 0, which shows nothing.
pub(super) fn difference(expected: &Tensor, found: &Tensor) -> f64 {
    if expected.size() != found.size() {
        return f64::INFINITY;
    }
    let exact = |t: &Tensor| t.to_device(Device::Cpu).to_kind(Kind::Double);
    let (expected, found) = (exact(expected), exact(found));
    let size = expected.norm().double_value(&[]);
    let apart = (&found - &expected).norm().double_value(&[]);
    if size > 0.0 && apart.is_finite() { apart / size } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_does_not_agree() {
        let [a, b] = [1.0_f32, 1.1].map(|x| Tensor::from_slice(&[3.0 * x, 4.0 * x]));
        assert_eq!(difference(&a, &a), 0.0);
        assert!((difference(&a, &b) - 0.1).abs() < 1e-6);
        for other in [a.unsqueeze(0), Tensor::from_slice(&[f32::NAN, 4.0])] {
            assert_eq!(difference(&a, &other), f64::INFINITY);
        }
        assert_eq!(difference(&a.zeros_like(), &a.zeros_like()), f64::INFINITY);
    }

    /// Which is given away by a case that counts how often it is computed.
    #[test]
    fn a_device_that_computes_something_else_is_seen() {
        let count = std::cell::Cell::new(0);
        let case = Case::new("counted", PLAIN, move |_| {
            count.set(count.get() + 1);
            vec![("count".to_owned(), Tensor::from(f64::from(count.get())))]
        });
        let found = case.compare(Device::Cpu, Precision::Float32).expect("compared");
        assert!(!found.agrees && found.difference == 1.0 && found.piece == "count");
        assert!(case.compare(Device::Cpu, Precision::Bfloat16).is_none());
        let count = std::cell::Cell::new(0);
        let case = Case::new("refused", PLAIN, move |_| {
            count.set(count.get() + 1);
            assert_eq!(count.get(), 1, "there is no such kernel");
            vec![("one".to_owned(), Tensor::from(1.0))]
        });
        let found = case.compare(Device::Cpu, Precision::Float32).expect("compared");
        assert!(!found.agrees && found.difference.is_infinite());
    }

    /// On the CPU that is its own reference the same bits come again, so that whatever differs
    /// elsewhere is the device's doing; and in bfloat16 nothing strays.
    #[test]
    fn every_case_is_the_same_each_time_and_close_in_bfloat16() {
        let _alone = torch::rng::exclusive();
        let mut apart = Vec::new();
        for case in super::super::cases() {
            let again = case.compare(Device::Cpu, Precision::Float32).expect("compared");
            let half = case.compare(Device::Cpu, Precision::Bfloat16);
            let differ = half.filter(|found| !found.agrees);
            for found in differ.into_iter().chain((again.difference > 0.0).then_some(again)) {
                let Compared { precision, difference, piece, .. } = found;
                apart.push(format!("{}, {precision:?}: {piece} by {difference}", case.name));
            }
        }
        assert!(apart.is_empty(), "{apart:#?}");
    }
}
