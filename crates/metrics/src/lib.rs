//! What models are measured by: named values that know their unit and which way they improve, the
//! arithmetic of accuracy, F1, calibration, correlation, answers to questions, tagged spans and
//! translations, and the [`stats`] behind means and intervals. Plain Rust, no tensor library. A
//! score that is undefined has no value ([`Score`]), so that it never wins.
//!
//! ```
//! use metrics::{Confusion, Metric};
//! let mut confusion = Confusion::new(2);
//! for (truth, prediction) in [(0, 0), (0, 0), (0, 1), (1, 1)] {
//!     confusion.add(truth, prediction);
//! }
//! assert_eq!(confusion.accuracy(), Some(75.0));
//! assert!((confusion.balanced_accuracy().unwrap() - 83.333).abs() < 1e-3);
//! assert!(Metric::lower("perplexity", "", 10.2).is_better_than(17.0));
//! ```
#![forbid(unsafe_code)]

mod agreement;
mod bleu;
mod calibration;
mod chrf;
mod confusion;
mod correlation;
mod score;
mod spaces;
mod spans;
mod squad;
pub mod stats;
pub mod words;

pub use bleu::{Bleu, BleuScore, Smoothing, StreamError, Tokenization};
pub use calibration::{brier_score, calibration_error};
pub use chrf::{Chrf, ChrfScore};
pub use confusion::Confusion;
pub use correlation::{pearson, spearman};
pub use score::Score;
pub use spans::{Span, SpanCounts, SpanScores, spans};
pub use squad::{
    AnswerScore, Answered, Squad2Scores, SquadScore, SquadVersion, answer_score, normalize_answer,
    squad1, squad2,
};

use serde::{Deserialize, Serialize};

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// Accuracy, exact match, Matthews correlation.
    #[default]
    Higher,
    /// Error, loss, perplexity.
    Lower,
}

impl Better {
    /// Whether `value` improves on `other`. NaN and infinities never improve on anything; any
    /// finite value improves on them.
    ///
    /// ```
    /// use metrics::Better;
    /// assert!(Better::Lower.improves(1.0, 2.0) && !Better::Higher.improves(1.0, 2.0));
    /// assert!(!Better::Lower.improves(f64::NAN, 2.0) && Better::Lower.improves(2.0, f64::NAN));
    /// ```
    pub fn improves(self, value: f64, other: f64) -> bool {
        match (value.is_finite(), other.is_finite(), self) {
            (true, false, _) => true,
            (false, ..) => false,
            (_, _, Better::Higher) => value > other,
            (_, _, Better::Lower) => value < other,
        }
    }
}

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What was measured, such as `validation accuracy`.
    pub name: String,
    /// Its unit: `%` for shares from 0 to 100; empty for plain numbers.
    pub unit: String,
    /// The value.
    pub value: f64,
    /// Which way it improves.
    pub better: Better,
}

impl Metric {
    /// A metric of which more is better.
    pub fn higher(name: impl Into<String>, unit: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), unit: unit.into(), value, better: Better::Higher }
    }

    /// A metric of which less is better.
    pub fn lower(name: impl Into<String>, unit: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), unit: unit.into(), value, better: Better::Lower }
    }

    /// Whether it improves on an earlier value of the same metric.
    pub fn is_better_than(&self, other: f64) -> bool {
        self.better.improves(self.value, other)
    }
}
