//! A length on an image: in pixels, or as a fraction of a side.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// A length, written as a number of pixels (`100`) or as a fraction of a side (`{ fraction = 0.3
/// }`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Length {
    /// Pixels.
    Pixels(f64),
    /// A fraction of a side.
    Fraction(Fraction),
}

/// A share of a side, `{ fraction = 0.3 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fraction {
    /// 1 is the whole side.
    pub fraction: f64,
}

impl Length {
    /// A fraction of a side.
    pub const fn fraction(fraction: f64) -> Self {
        Self::Fraction(Fraction { fraction })
    }

    /// The length in pixels on a side of `side` pixels.
    pub fn pixels(self, side: usize) -> f64 {
        match self {
            Self::Pixels(pixels) => pixels,
            Self::Fraction(Fraction { fraction }) => fraction * side as f64,
        }
    }

    pub(crate) fn fault(self, key: &'static str) -> Option<Fault> {
        let value = match self {
            Self::Pixels(value) | Self::Fraction(Fraction { fraction: value }) => value,
        };
        Fault::unless(value >= 0.0 && value.is_finite(), key, self, "0 or more")
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pixels(pixels) => write!(f, "{pixels} px"),
            Self::Fraction(Fraction { fraction }) => write!(f, "{fraction} of the side"),
        }
    }
}
