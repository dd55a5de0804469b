//! What commands print on standard output.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};

/// Prints a text and a line break. Whoever closes the pipe early, as `head` does, has read enough:
/// that is no error.
pub(super) fn say(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}
