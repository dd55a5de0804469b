//! Multinomial logistic regression on features that stay as they are: the linear probe.

use torch::{Kind, Tensor, no_grad};

use super::sparse::SparseRows;

/// A linear classifier of features.
#[derive(Debug)]
pub struct Logistic {
    /// `[classes, width]`, float32.
    pub weight: Tensor,
    /// `[classes]`, float32.
    pub bias: Tensor,
}

/// How a [`Logistic`] is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticConfig {
    /// The inverse strength of the penalty, scikit-learn's `C`; above 0.
    pub c: f64,
    /// The fit ends when no element of the gradient, divided by `c` · n for n samples, is larger
    /// than this.
    pub tolerance: f64,
}

impl Default for LogisticConfig {
    /// scikit-learn's: `c` 1 and a tolerance of 1e-4.
    fn default() -> Self {
        Self { c: 1.0, tolerance: 1e-4 }
    }
}

impl Logistic {
    /// Fits the minimum of `c` · Σ cross-entropy + ½ ‖weight‖², the bias without penalty: what
    /// scikit-learn's `LogisticRegression(C=c)` fits. `x` are features `[n, width]`, `y` classes
    /// `[n]` (int64) below `classes`; the result does not depend on the generator. Found by L-BFGS
    /// in float64 (Nocedal & Wright, Numerical Optimization, algorithm 7.5). Panics if there is no
    /// sample or `c` is not above 0.
    ///
    /// ```
    /// use torch::Tensor;
    /// use train::{Logistic, LogisticConfig};
    /// let x = Tensor::from_slice(&[-2.0f32, -1.0, 1.0, 2.0]).view([4, 1]);
    /// let y = Tensor::from_slice(&[0i64, 0, 1, 1]);
    /// let probe = Logistic::fit(&LogisticConfig::default(), &x, &y, 2);
    /// assert_eq!(probe.logits(&x).argmax(1, false), y);
    /// ```
    pub fn fit(config: &LogisticConfig, x: &Tensor, y: &Tensor, classes: i64) -> Self {
        Self::fit_until(config, x, y, classes, &|| false)
    }

    /// Fits as [`fit`](Self::fit) does, and ends early once `stop`, which is asked before each step
    /// of L-BFGS, returns true: the result is where the search has come to.
    pub fn fit_until(
        config: &LogisticConfig,
        x: &Tensor,
        y: &Tensor,
        classes: i64,
        stop: &dyn Fn() -> bool,
    ) -> Self {
        let (n, width) = x.size2().expect("features [n, width]");
        no_grad(|| {
            let x = x.to_kind(Kind::Double);
            // The minimum is a sum of samples. Where these are fewer than their features, it is
            // looked for among such sums: lengths stay the same, and numbers are fewer.
            let (x, basis) = match n < width {
                true => {
                    let (q, r) = Tensor::linalg_qr(&x.tr(), "reduced");
                    (r.tr().contiguous(), Some(q))
                }
                false => (x, None),
            };
            let width = x.size()[1];
            // With a column of ones for the bias.
            let x = Tensor::cat(&[&x, &x.new_ones([n, 1], (Kind::Double, x.device()))], 1);
            let forward = |w: &Tensor| x.matmul(&w.tr());
            let backward = |error: &Tensor| error.tr().matmul(&x);
            let w = Self::minimum(config, (forward, backward), width, y, classes, stop);
            let (weight, bias) = (w.narrow(1, 0, width), w.select(1, width));
            let weight = basis.map_or(weight.shallow_clone(), |q| weight.matmul(&q.tr()));
            Self::of(&weight, &bias)
        })
    }

    fn of(weight: &Tensor, bias: &Tensor) -> Self {
        let [weight, bias] = [weight, bias].map(|t| t.to_kind(Kind::Float).contiguous());
        Self { weight, bias }
    }

    /// Fits as [`fit`](Self::fit) does, to features `x` `[n, width]` that are mostly 0. `y` and the
    /// result are on the CPU.
    pub fn fit_sparse(config: &LogisticConfig, x: &SparseRows, y: &Tensor, classes: i64) -> Self {
        let (n, width) = (x.size().0 as i64, x.size().1 as i64);
        assert!(n == y.numel() as i64, "{n} rows of features and {} classes", y.numel());
        no_grad(|| {
            let forward = |w: &Tensor| x.times(&w.narrow(1, 0, width).tr()) + w.select(1, width);
            let backward = |error: &Tensor| {
                let bias = error.sum_dim_intlist([0].as_slice(), true, Kind::Double);
                Tensor::cat(&[x.transposed_times(error), bias], 0).tr()
            };
            let all = (forward, backward);
            let w = Self::minimum(config, all, width, y, classes, &|| false);
            Self::of(&w.narrow(1, 0, width), &w.select(1, width))
        })
    }

    /// The minimum `[classes, width + 1]` with the bias in the last column, where `forward` gives
    /// the logits `[n, classes]` of such a weight, and `backward` its gradient from theirs.
    fn minimum(
        &LogisticConfig { c, tolerance }: &LogisticConfig,
        (forward, backward): (impl Fn(&Tensor) -> Tensor, impl Fn(&Tensor) -> Tensor),
        width: i64,
        y: &Tensor,
        classes: i64,
        stop: &dyn Fn() -> bool,
    ) -> Tensor {
        let n = y.numel();
        assert!(n > 0 && c > 0.0, "logistic regression of {n} samples with C = {c}");
        let truth = y.one_hot(classes).to_kind(Kind::Double);
        let numbers = (Kind::Double, y.device());
        let penalised = Tensor::ones([1, width + 1], numbers);
        let _ = penalised.narrow(1, width, 1).zero_();
        let problem = |w: &Tensor| {
            let log_p = forward(w).log_softmax(1, Kind::Double);
            let decayed = w * &penalised;
            let value =
                -(&truth * &log_p).sum(Kind::Double) * c + decayed.square().sum(Kind::Double) * 0.5;
            let gradient = backward(&(log_p.exp() - &truth)) * c + decayed;
            (value.double_value(&[]), gradient)
        };
        let start = Tensor::zeros([classes, width + 1], numbers);
        minimise(problem, start, tolerance * c * n as f64, stop)
    }

    /// The logits `[n, classes]` of features `[n, width]`.
    pub fn logits(&self, x: &Tensor) -> Tensor {
        x.to_kind(Kind::Float).matmul(&self.weight.tr()) + &self.bias
    }
}

/// Pairs of steps that L-BFGS remembers, at most and at least.
const MEMORY: usize = 10;
const LEAST_MEMORY: usize = 3;
/// The bytes that they may take.
const MEMORY_BYTES: usize = 256 << 20;
const MOST_ITERATIONS: usize = 2000;

/// Minimises a smooth convex function that gives its value and gradient, until no element of the
/// gradient is larger than `enough`, or `stop` returns true.
fn minimise(
    problem: impl Fn(&Tensor) -> (f64, Tensor),
    start: Tensor,
    enough: f64,
    stop: &dyn Fn() -> bool,
) -> Tensor {
    let memory = (MEMORY_BYTES / (16 * start.numel())).clamp(LEAST_MEMORY, MEMORY);
    let dot = |a: &Tensor, b: &Tensor| (a * b).sum(Kind::Double).double_value(&[]);
    let mut at = start;
    let (mut value, mut gradient) = problem(&at);
    let mut pairs: Vec<(Tensor, Tensor, f64)> = Vec::new();
    for _ in 0..MOST_ITERATIONS {
        if gradient.abs().max().double_value(&[]) <= enough || stop() {
            break;
        }
        let mut direction = -&gradient;
        let mut factors = Vec::with_capacity(pairs.len());
        for (s, y, sy) in pairs.iter().rev() {
            let a = dot(s, &direction) / sy;
            direction -= y * a;
            factors.push(a);
        }
        direction = match pairs.last() {
            Some((_, y, sy)) => direction * (sy / dot(y, y)),
            None => direction / gradient.norm().double_value(&[]).max(1.0),
        };
        for ((s, y, sy), a) in pairs.iter().zip(factors.into_iter().rev()) {
            let b = dot(y, &direction) / sy;
            direction += s * (a - b);
        }
        let slope = dot(&gradient, &direction);
        let mut step = 1.0;
        let (next, next_value, next_gradient) = loop {
            let next = &at + &direction * step;
            let (next_value, next_gradient) = problem(&next);
            if next_value <= value + 1e-4 * step * slope {
                break (next, next_value, next_gradient);
            }
            step *= 0.5;
            if step < 1e-12 {
                // Float64 cannot tell a lower value any more.
                return at;
            }
        };
        let (s, y) = (&next - &at, &next_gradient - &gradient);
        let sy = dot(&s, &y);
        if sy > 0.0 {
            pairs.push((s, y, sy));
            if pairs.len() > memory {
                drop(pairs.remove(0));
            }
        }
        (at, value, gradient) = (next, next_value, next_gradient);
    }
    at
}
