//! The keys that every recipe may begin with; `head.rs` says what they mean.

/// Keys of a recipe that do not belong to its paper.
pub(super) const HEAD: [&str; 10] = [
    "kind",
    "name",
    "about",
    "default",
    "default_with_data",
    "seeds",
    "run_rows",
    "headline",
    "paper",
    "expect",
];
