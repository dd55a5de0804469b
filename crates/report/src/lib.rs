//! What a run found: as a page, as Markdown, on the terminal.
//!
//! ```
//! assert_eq!(1 + 1, 2);
//! ```
#![forbid(unsafe_code)]
