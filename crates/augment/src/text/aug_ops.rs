//! UDA's names of text augmentations: `bt-0.9`, `tf_idf-0.7`, `unif-0.3`, joined by `+` where several are used.

use std::fmt;
use std::str::FromStr;

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

/// Several of them, each with copies of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct AugOps(pub Vec<AugOp>);

impl FromStr for AugOp {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let wrong = || TextError::AugOp { part: text.to_owned() };
        let (name, value) = text.split_once('-').ok_or_else(wrong)?;
        let value: f64 = value.parse().map_err(|_| wrong())?;
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

impl fmt::Display for AugOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackTranslation(value) => write!(f, "bt-{value}"),
            Self::TfIdf(value) => write!(f, "tf_idf-{value}"),
            Self::Uniform(value) => write!(f, "unif-{value}"),
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
