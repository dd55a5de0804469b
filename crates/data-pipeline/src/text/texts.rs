//! A text or a pair of texts.

/// A text, or two that are judged together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// The text, or the first of the two.
    pub a: String,
    /// The second text.
    pub b: Option<String>,
}

impl Texts {
    /// The text, or both.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.a.as_str()).chain(self.b.as_deref())
    }
}
