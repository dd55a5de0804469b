//! Numbers that change over a run: learning rates, loss weights.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults};

use crate::Progress;

/// A number as a function of [`Progress`]. In a recipe it is a table:
/// `lr = { kind = "cosine", from = 0.03 }`.
///
/// A warm-up of `warmup` steps (none by default) rises in a straight line from 0 at step 0 to the
/// first value: at step `s` it is `from · s / warmup`, as in TensorFlow's reference
/// implementations. The other times are explained at each kind.
///
/// | kind | value |
/// | --- | --- |
/// | `constant` | `value` |
/// | `linear` | `from + (to − from) · t` |
/// | `decay-from-start` | `from · (1 − s/T)` over the whole run of `T` steps; a warm-up of `warmup` steps multiplies it by `s / warmup` (`rule = "times"`, ELECTRA) or is `from · s / warmup` in its stead (`rule = "instead"`, BERT and UDA for text) |
/// | `rsqrt-decay` | `scale / √max(s, warmup)` at step `s`: constant at first (`rule = "flat"`, Meena with `scale` 1 and 10,000 steps, 0.01 at first), or times `s / warmup` then (`rule = "linear"`, the Transformer's) |
/// | `cosine` | `from · cos(7πt/16)` (FixMatch, arXiv 2001.07685, section 2.3; ends at 0.195 · `from`) |
/// | `half-cosine` | `to + (from − to) · (1 + cos πt) / 2` (UDA, Loshchilov and Hutter 2017) |
/// | `warmup-stable-decay` | `from` for the part `until` of the run, then the half cosine to `to` (Hu et al. 2024, arXiv 2404.06395, section 4, with another decay) |
/// | `cyclic-cosine` | the half cosine from `from` to 0 over the part `length` of the run, followed up to the part `turn`; from there on its last part `cycle` again and again (fast-SWA, arXiv 1806.05594, section 5.1) |
/// | `exponential` | `from · rate ^ ⌊step / every⌋` (EfficientNet, Noisy Student: rate 0.97 every 2.4 epochs) |
/// | `exponential-to` | the same, with `every` such that the last value is about `to` (Noisy Student's `final_base_lr`) |
/// | `ramp-up` | `value · t` (MixMatch's and FixMatch's code bases) |
/// | `cosine-ramp-up` | `value · (1 − cos πt) / 2` (AdaMatch, arXiv 2106.04732, section 3.4) |
/// | `sigmoid-ramp-up` | `value · exp(−5 (1 − t)²)` (Laine and Aila 2017) |
/// | `sigmoid-ramp-down` | `value · exp(−12.5 φ²)` (Mean Teacher) |
/// | `delayed` | 0 for the part `until` of the run, `value` from there on |
///
/// ```
/// use train::{Progress, Schedule};
/// let lr = Schedule::Linear { from: 1.0, to: 0.0, warmup: 10 };
/// let at = |step| lr.at(Progress { step, steps: 110 });
/// assert_eq!((at(0), at(5), at(10), at(60), at(110)), (0.0, 0.5, 1.0, 0.5, 0.0));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// One value.
    Constant {
        /// The value.
        value: f64,
        /// Steps of warm-up.
        #[serde(default)]
        warmup: u64,
    },
    /// A straight line over the steps after the warm-up.
    Linear {
        /// First value.
        from: f64,
        /// Value after the last step.
        to: f64,
        /// Steps of warm-up.
        #[serde(default)]
        warmup: u64,
    },
    /// A straight line from the first step to 0 after the last, whatever the warm-up does.
    DecayFromStart {
        /// The value that it falls from.
        from: f64,
        /// Steps of warm-up.
        #[serde(default)]
        warmup: u64,
        /// How warm-up and decay go together.
        rule: WarmUp,
    },
    /// The inverse root of the step, whatever the length of the run.
    RsqrtDecay {
        /// The value at step 1, if there were no warm-up.
        scale: f64,
        /// Steps before it falls.
        warmup: u64,
        /// What it does until then.
        rule: Rise,
    },
    /// FixMatch's part of a cosine, over the steps after the warm-up.
    Cosine {
        /// First value.
        from: f64,
        /// Steps of warm-up.
        #[serde(default)]
        warmup: u64,
    },
    /// Half a period of a cosine, over the steps after the warm-up.
    HalfCosine {
        /// First value.
        from: f64,
        /// Value after the last step.
        to: f64,
        /// Steps of warm-up.
        #[serde(default)]
        warmup: u64,
    },
    /// One value, then half a period of a cosine.
    WarmupStableDecay {
        /// First value.
        from: f64,
        /// Value after the last step.
        to: f64,
        /// Steps of warm-up.
        #[serde(default)]
        warmup: u64,
        /// Up to which part of the run the first value stays.
        until: f64,
    },
    /// The first part of half a period of a cosine, then the last piece of it again and again. All
    /// lengths are parts of the run.
    CyclicCosine {
        /// First value.
        from: f64,
        /// Where the half period would end; may be later than `turn`, and later than the end of the
        /// run.
        length: f64,
        /// Where the cycles begin.
        turn: f64,
        /// How long a cycle is.
        cycle: f64,
    },
    /// A staircase of equal ratios. Stairs are counted from step 0, so the warm-up hides the first
    /// of them.
    Exponential {
        /// First value.
        from: f64,
        /// Ratio of a stair to the one before.
        rate: f64,
        /// Steps a stair; need not be whole.
        every: f64,
        /// Steps of warm-up.
        #[serde(default)]
        warmup: u64,
    },
    /// A staircase of equal ratios with as many stairs as lead from `from` to `to` in the steps
    /// after the warm-up. As in the reference implementation the stairs themselves are counted from
    /// step 0.
    ExponentialTo {
        /// First value.
        from: f64,
        /// Last value.
        to: f64,
        /// Ratio of a stair to the one before.
        rate: f64,
        /// Steps of warm-up.
        #[serde(default)]
        warmup: u64,
    },
    /// Rises in a straight line from 0 over the first part of the run, then stays.
    RampUp {
        /// Last value.
        value: f64,
        /// The part of the run over which it rises: `t` goes from 0 to 1 in it. All of it by
        /// default.
        #[serde(default = "whole")]
        over: f64,
    },
    /// Rises along half a period of a cosine from 0 over the first part of the run, then stays.
    CosineRampUp {
        /// Last value.
        value: f64,
        /// The part of the run over which it rises: `t` goes from 0 to 1 in it. All of it by
        /// default.
        #[serde(default = "whole")]
        over: f64,
    },
    /// Rises over the first part of the run, then stays.
    SigmoidRampUp {
        /// Last value; the first is exp(−5) of it.
        value: f64,
        /// The part of the run over which it rises: `t` goes from 0 to 1 in it. All of it by
        /// default.
        #[serde(default = "whole")]
        over: f64,
    },
    /// Stays, then falls over the last part of the run.
    SigmoidRampDown {
        /// First value; the last is exp(−12.5) of it.
        value: f64,
        /// The part of the run over which it falls: φ goes from 0 to 1 in it. All of it by default.
        #[serde(default = "whole")]
        over: f64,
    },
    /// 0 at first: what it weighs begins late.
    Delayed {
        /// The value from then on.
        value: f64,
        /// The part of the run before that.
        until: f64,
    },
}

/// How a warm-up and a decay that both begin at step 0 go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarmUp {
    /// Their product counts (ELECTRA).
    Times,
    /// During the warm-up it alone counts, so that there is a small fall at its end (BERT, UDA).
    Instead,
}

/// What an inverse root does before it falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rise {
    /// It stays at the value from which it falls (Meena).
    Flat,
    /// It rises to that value in a straight line from 0 (Vaswani et al. 2017).
    Linear,
}

fn whole() -> f64 {
    1.0
}

/// Half a period of a cosine, at the part `t` of the way.
fn half(from: f64, to: f64, t: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + (PI * t).cos())
}

impl Schedule {
    /// One value throughout.
    pub fn constant(value: f64) -> Self {
        Schedule::Constant { value, warmup: 0 }
    }

    /// This schedule with its warm-up cut to at most `most` steps. What knows nothing of the run's
    /// length, as the inverse root of the step, or has no warm-up, stays as it is.
    pub fn warmed_up_within(mut self, most: u64) -> Self {
        use Schedule as S;
        match &mut self {
            S::Constant { warmup, .. }
            | S::Linear { warmup, .. }
            | S::DecayFromStart { warmup, .. }
            | S::Cosine { warmup, .. }
            | S::HalfCosine { warmup, .. }
            | S::WarmupStableDecay { warmup, .. }
            | S::Exponential { warmup, .. }
            | S::ExponentialTo { warmup, .. } => *warmup = most.min(*warmup),
            S::RsqrtDecay { .. }
            | S::CyclicCosine { .. }
            | S::RampUp { .. }
            | S::CosineRampUp { .. }
            | S::SigmoidRampUp { .. }
            | S::SigmoidRampDown { .. }
            | S::Delayed { .. } => {}
        }
        self
    }

    /// The value at a moment of the run.
    pub fn at(&self, at: Progress) -> f64 {
        use Schedule as S;
        let step = at.step.min(at.steps) as f64;
        let warmed = |first: f64, warmup: u64, value: &dyn Fn(f64) -> f64| {
            if at.step < warmup {
                first * at.step as f64 / warmup as f64
            } else {
                let left = at.steps.saturating_sub(warmup);
                value(Progress { step: at.step - warmup, steps: left }.fraction())
            }
        };
        match *self {
            S::Constant { value, warmup } => warmed(value, warmup, &|_| value),
            S::Linear { from, to, warmup } => warmed(from, warmup, &|t| from + (to - from) * t),
            S::DecayFromStart { from, warmup, rule } => {
                let left = 1.0 - Progress { step: at.step, steps: at.steps }.fraction();
                let risen = Progress { step: at.step, steps: warmup }.fraction();
                match rule {
                    WarmUp::Instead if at.step < warmup => from * risen,
                    _ => from * left * risen,
                }
            }
            S::RsqrtDecay { scale, warmup, rule } => {
                let falling = scale / (at.step.max(warmup).max(1) as f64).sqrt();
                match rule {
                    Rise::Flat => falling,
                    Rise::Linear => falling * Progress { step: at.step, steps: warmup }.fraction(),
                }
            }
            S::Cosine { from, warmup } => {
                warmed(from, warmup, &|t| from * (7.0 * PI * t / 16.0).cos())
            }
            S::HalfCosine { from, to, warmup } => warmed(from, warmup, &|t| half(from, to, t)),
            S::WarmupStableDecay { from, to, warmup, until } => warmed(from, warmup, &|_| {
                let t = (at.fraction() - until) / (1.0 - until);
                half(from, to, t.max(0.0))
            }),
            S::CyclicCosine { from, length, turn, cycle } => {
                let t = at.fraction();
                let t = if t < turn { t } else { turn - cycle + (t - turn) % cycle };
                half(from, 0.0, (t / length).min(1.0))
            }
            S::Exponential { from, rate, every, warmup } => {
                warmed(from, warmup, &|_| from * rate.powf((step / every).floor()))
            }
            S::ExponentialTo { from, to, rate, warmup } => warmed(from, warmup, &|_| {
                let stairs = (to / from).ln() / rate.ln();
                let every = at.steps.saturating_sub(warmup) as f64 / stairs;
                if every > 0.0 { from * rate.powf((step / every).floor()) } else { to }
            }),
            S::RampUp { value, over } => value * (at.fraction() / over).min(1.0),
            S::CosineRampUp { value, over } => {
                value * 0.5 * (1.0 - (PI * (at.fraction() / over).min(1.0)).cos())
            }
            S::SigmoidRampUp { value, over } => {
                let t = (at.fraction() / over).min(1.0);
                value * (-5.0 * (1.0 - t).powi(2)).exp()
            }
            S::SigmoidRampDown { value, over } => {
                let phi = ((at.fraction() - (1.0 - over)) / over).max(0.0);
                value * (-12.5 * phi * phi).exp()
            }
            S::Delayed { until, .. } if at.fraction() < until => 0.0,
            S::Delayed { value, .. } => value,
        }
    }

    /// Every number that makes no sense: one that is not finite or below 0 (no learning rate or
    /// loss's weight is), a rate outside (0, 1), a part of a run outside (0, 1], an end that a
    /// staircase does not reach.
    pub fn faults(&self) -> Vec<ConfigError> {
        use Schedule as S;
        let mut faults = Faults::default();
        match *self {
            S::Constant { value, .. } => faults.not_negative("value", value),
            S::Linear { from, to, .. } | S::HalfCosine { from, to, .. } => {
                faults.not_negative("from", from).not_negative("to", to)
            }
            S::WarmupStableDecay { from, to, until, .. } => {
                faults.not_negative("from", from).not_negative("to", to).rate("until", until)
            }
            S::Cosine { from, .. } | S::DecayFromStart { from, .. } => {
                faults.not_negative("from", from)
            }
            S::RsqrtDecay { scale, .. } => faults.not_negative("scale", scale),
            S::CyclicCosine { from, length, turn, cycle } => {
                let short = length > 0.0 && length <= turn - cycle;
                let fault = format!("{length} ends before the cycles begin, at `turn` − `cycle`");
                faults
                    .not_negative("from", from)
                    .positive("length", length)
                    .unless(!short, "length", fault)
                    .positive_fraction("turn", turn)
                    .must_be(cycle > 0.0 && cycle <= turn, "cycle", cycle, "in (0, `turn`]")
            }
            S::Exponential { from, rate, every, .. } => faults
                .not_negative("from", from)
                .inner_fraction("rate", rate)
                .positive("every", every),
            S::ExponentialTo { from, to, rate, .. } => faults
                .positive("from", from)
                .inner_fraction("rate", rate)
                .must_be(to > 0.0 && to < from, "to", to, "between 0 and `from`"),
            S::RampUp { value, over }
            | S::CosineRampUp { value, over }
            | S::SigmoidRampUp { value, over }
            | S::SigmoidRampDown { value, over } => {
                faults.not_negative("value", value).positive_fraction("over", over)
            }
            S::Delayed { value, until } => {
                faults.not_negative("value", value).fraction("until", until)
            }
        };
        faults.done()
    }
}
