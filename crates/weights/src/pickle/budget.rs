//! A limit on what is copied while a pickle is read.

use super::value::Value;

/// How many bytes may still be copied: a few bytes of a pickle can ask for the same large part to
/// be copied again and again.
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    /// What a pickle of `size` bytes may have copied: more than any that Python writes.
    pub(super) fn of_pickle(size: usize) -> Self {
        Self { left: size.saturating_mul(16).saturating_add(1 << 20) }
    }

    /// Takes what a copy needs, or nothing if it is not left.
    pub(super) fn take(&mut self, bytes: usize) -> Option<()> {
        self.left = self.left.checked_sub(bytes)?;
        Some(())
    }

    /// The same for a copy of this many values or entries.
    pub(super) fn take_values(&mut self, count: usize) -> Option<()> {
        self.take(count.saturating_mul(2 * size_of::<Value>()))
    }
}
