//! What is told beside a command's own output.

use std::io::{self, Write};

/// Writes a line to standard error. A run goes on when nobody reads it any more, so a closed pipe
/// is no error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
