//! UDA's names of text augmentations: `bt-0.9`, `tf_idf-0.7`, `unif-0.3`, joined by `+` where
//! several are used.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::TextError;

/// One augmentation with its strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AugOp {
    /// Back-translation, sampled at this temperature.
    BackTranslation(f64),
    /// TF-IDF replacement with this mean probability.
    TfIdf(f64),
    /// Uniform replacement with this probability.
    Uniform(f64),
}

/// Several of them, each with copies of its own. A recipe writes them as one name.
///
/// ```
/// use augment::text::aug_ops::{AugOp, AugOps};
/// let ops: AugOps = "bt-0.9+unif-0.3".parse().unwrap();
/// assert_eq!(ops.0, [AugOp::BackTranslation(0.9), AugOp::Uniform(0.3)]);
/// assert_eq!(ops.to_string(), "bt-0.9+unif-0.3");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AugOps(pub Vec<AugOp>);

impl FromStr for AugOp {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let wrong = || TextError::AugOp { part: text.to_owned() };
        let (name, value) = text.split_once('-').ok_or_else(wrong)?;
        // Minus zero is no name of its own.
        let value: f64 = value.parse::<f64>().map_err(|_| wrong())? + 0.0;
        match name {
            "bt" if value >= 0.0 && value.is_finite() => Ok(Self::BackTranslation(value)),
            "tf_idf" if (0.0..=1.0).contains(&value) => Ok(Self::TfIdf(value)),
            "unif" if (0.0..=1.0).contains(&value) => Ok(Self::Uniform(value)),
            _ => Err(wrong()),
        }
    }
}

impl FromStr for AugOps {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        text.split('+').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<String> for AugOps {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        text.parse()
    }
}

impl From<AugOps> for String {
    fn from(ops: AugOps) -> Self {
        ops.to_string()
    }
}

impl fmt::Display for AugOp {
    /// With a decimal at least (`bt-1.0`): the name is that of a folder, so it has one spelling.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackTranslation(value) => write!(f, "bt-{value:?}"),
            Self::TfIdf(value) => write!(f, "tf_idf-{value:?}"),
            Self::Uniform(value) => write!(f, "unif-{value:?}"),
        }
    }
}

impl fmt::Display for AugOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, op) in self.0.iter().enumerate() {
            write!(f, "{}{op}", if i > 0 { "+" } else { "" })?;
        }
        Ok(())
    }
}

/// Whether enough of the copies that training asks for are there: nine in ten.
pub fn enough(found: usize, wanted: usize) -> Result<(), TextError> {
    if found * 10 >= wanted * 9 { Ok(()) } else { Err(TextError::TooFew { found, wanted }) }
}
