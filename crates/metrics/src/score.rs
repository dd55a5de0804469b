//! Scores that may be undefined.

/// A score, or what is known instead.
///
/// Where a score is undefined, `value` is none, so that it never counts as better or worse than
/// another one; tables show `shown`.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The score; none where it is undefined.
    pub value: Option<f64>,
    /// What tables of others show: the score, or 0 where it is undefined (GLUE's convention).
    pub shown: f64,
    /// Why it is undefined, or what makes it say little.
    pub note: Option<String>,
}

impl Score {
    /// A score that is defined.
    pub fn of(value: f64) -> Self {
        Self { value: Some(value), shown: value, note: None }
    }

    /// A score that is undefined, and why.
    pub fn undefined(why: impl Into<String>) -> Self {
        Self { value: None, shown: 0.0, note: Some(why.into()) }
    }

    /// With what one should know of it.
    pub(crate) fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}
