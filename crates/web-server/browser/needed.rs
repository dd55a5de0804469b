//! What browser tests need of a machine, for the tests of several crates: programs by their names,
//! and a word where one is missing.

use std::io::Write;
use std::path::PathBuf;

/// The first of these programs that is there.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|file| file.is_file())
}

/// Says that a test is skipped, even where the test harness keeps output to itself.
pub(crate) fn skip(why: &str) {
    let line = format!("SKIPPED: {why}\n");
    // Without anybody to read it, nothing is lost.
    let _ = std::io::stderr().write_all(line.as_bytes());
}
