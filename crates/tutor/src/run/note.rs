//! What is told beside a command's own output.

use std::io::{self, Write};
use std::path::Path;

/// Writes a line to standard error. A run goes on when nobody reads it any more, so a closed pipe
/// is no error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The variable for the file to which a process says why it fails: whoever started several reads
/// them and says once what several say.
pub(crate) const FAILURE: &str = "TUTOR_FAILURE";

/// Says why this process fails, as its last words.
pub(crate) fn failed(text: &str) {
    let file = std::env::var_os(FAILURE);
    let written = file.is_some_and(|file| std::fs::write(Path::new(&file), text).is_ok());
    if !written {
        note(text);
    }
}
