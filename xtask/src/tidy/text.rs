//! What every file keeps to.

use super::source::Source;
use std::collections::BTreeSet;

/// Beyond the first number of lines a file is better split; beyond the second it must be.
pub(super) const SOFT_LIMIT: usize = 300;
const HARD_LIMIT: usize = 500;

/// What may lie in the root, dotfiles aside.
const TOP_LEVEL: [&str; 8] =
    ["Cargo.toml", "Cargo.lock", "crates", "xtask", "benches", "docs", "README.md", "LICENSE"];

/// Says so if a Rust file is longer than it should be.
pub(super) fn long(file: &Source) -> Option<String> {
    let lines = file.text.as_ref()?.lines().count();
    (file.path.ends_with(".rs") && lines > SOFT_LIMIT).then(|| format!("{lines} {}", file.path))
}

/// Faults in the text of all files.
pub(super) fn faults(files: &[Source]) -> Vec<String> {
    let tops: BTreeSet<&str> = files.iter().filter_map(|f| f.path.split('/').next()).collect();
    let surplus = tops.iter().filter(|t| !t.starts_with('.') && !TOP_LEVEL.contains(t));
    let mut faults: Vec<String> =
        surplus.map(|t| format!("{t} does not belong at the top level")).collect();
    for file in files {
        if file.path.ends_with(".py") && !file.path.starts_with("xtask/peers/") {
            faults.push(format!("{}: Python belongs in xtask/peers", file.path));
        }
        let Some(text) = &file.text else { continue };
        let mut fault =
            |line: usize, what: &str| faults.push(format!("{}:{line}: {what}", file.path));
        for (index, line) in text.lines().enumerate() {
            if names_a_home(line) {
                fault(index + 1, "names somebody's home folder");
            }
        }
        // A workspace of its own states them itself.
        let states = text.contains("\n[workspace]\n") && text.contains("[lints.rust]\nunsafe_code");
        if file.path.ends_with("Cargo.toml")
            && text.contains("[package]")
            && !(states || text.contains("[lints]\nworkspace = true"))
        {
            fault(1, "does not inherit the workspace's lints");
        }
        if file.path == "Cargo.lock" {
            let official = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
            for (index, line) in
                text.lines().enumerate().filter(|(_, l)| l.starts_with("source") && *l != official)
            {
                fault(index + 1, &format!("not from the official registry: {line}"));
            }
        }
        if file.path.ends_with(".rs") {
            rust_faults(&file.path, text, &mut fault);
        }
    }
    faults
}

fn rust_faults(path: &str, text: &str, fault: &mut impl FnMut(usize, &str)) {
    if !text.starts_with("//!") {
        fault(1, "does not open with `//!` and what it is");
    }
    let lines = text.lines().count();
    if lines > HARD_LIMIT {
        fault(lines, &format!("over {HARD_LIMIT} lines: split it by noun"));
    }
    let is_lib = path.starts_with("crates/") && path.ends_with("/src/lib.rs");
    if is_lib
        && !text.lines().take_while(|l| l.starts_with("//!")).any(|l| l.starts_with("//! ```"))
    {
        fault(1, "the crate's documentation has no example");
    }
    for (index, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if !path.starts_with("crates/torch/") && is_unsafe(code) {
            fault(index + 1, "unsafe code belongs in torch");
        }
        let prints = code.contains("allow(") && code.contains(concat!("clippy::", "print_"));
        let programs = ["xtask/", "crates/tutor/", "benches/", "crates/data-engine/src/main.rs"];
        if prints && !programs.iter().any(|p| path.starts_with(p)) {
            fault(index + 1, "libraries never print");
        }
    }
}

/// Whether a line of code opens something unsafe.
fn is_unsafe(code: &str) -> bool {
    let mut words = code
        .split(|c: char| !(c.is_alphanumeric() || "_{\"".contains(c)))
        .filter(|w| !w.is_empty());
    let opens = ["{", "fn", "impl", "extern", "trait"];
    words.any(|w| w == "unsafe") && words.next().is_some_and(|w| opens.contains(&w))
}

/// Whether a path into somebody's home folder, written out in full, stands in a line.
fn names_a_home(line: &str) -> bool {
    let homes = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/")];
    homes.iter().any(|home| {
        line.match_indices(home).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || ".-_~})".contains(c))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Source, faults};

    /// One file, and part of the one fault it has, if any.
    fn check(path: &str, text: &str, expected: Option<&str>) {
        let faults = faults(&[Source { path: path.into(), text: Some(text.into()) }]);
        match expected {
            Some(expected) => {
                assert!(faults.len() == 1 && faults[0].contains(expected), "{path}: {faults:?}")
            }
            None => assert!(faults.is_empty(), "{path}: {faults:?}"),
        }
    }

    #[test]
    fn rust_files() {
        check("crates/a/src/b.rs", "//! What b is.\n", None);
        check("crates/a/src/b.rs", "fn main() {}\n", Some("does not open with"));
        check("crates/a/src/b.rs", &format!("//! Long.\n{}", "//\n".repeat(499)), None);
        check("crates/a/src/b.rs", &format!("//! Long.\n{}", "//\n".repeat(500)), Some("over 500"));
        check("crates/a/src/lib.rs", "//! What a is.\n", Some("no example"));
        check("crates/a/src/lib.rs", "//! What a is.\n//! ```\n//! a();\n//! ```\n", None);
        let block = format!("//! B.\nlet x = {} {{ f() }};\n", "unsafe");
        check("crates/a/src/b.rs", &block, Some("belongs in torch"));
        check("crates/torch/src/b.rs", &block, None);
        check("crates/a/src/b.rs", "//! B.\n// unsafe { } is not for us\n", None);
        let print = format!("//! B.\n#![allow({}print_stdout)]\n", "clippy::");
        check("crates/a/src/b.rs", &print, Some("never print"));
        check("crates/tutor/src/b.rs", &print, None);
    }

    #[test]
    fn other_files() {
        check("notes.txt", "", Some("top level"));
        check(".gitignore", "", None);
        check("crates/a/make.py", "", Some("xtask/peers"));
        check("xtask/peers/golden_a.py", "", None);
        check("crates/a/Cargo.toml", "[package]\nname = \"a\"\n", Some("lints"));
        check(
            "Cargo.lock",
            "source = \"registry+https://mirror.example/index\"\n",
            Some("official registry"),
        );
        check("docs/a.md", concat!("see /ho", "me/somebody/x\n"), Some("home folder"));
        check("docs/a.md", "see $HOME/x, ~/x and https://example.org/home/x\n", None);
    }
}
