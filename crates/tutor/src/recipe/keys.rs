//! The keys that every recipe may begin with; `head.rs` says what they mean.

/// Keys of a recipe that do not belong to its paper.
pub(super) const HEAD: [&str; 9] =
    ["kind", "name", "about", "default", "seeds", "run_rows", "headline", "paper", "expect"];
