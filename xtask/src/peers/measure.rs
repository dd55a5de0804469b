//! What every comparison needs: programs built, medians, and words about the machine and the
//! versions.

use crate::workspace;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds an example with optimisations; gives the program.
pub(super) fn example(package: &str, name: &str) -> Result<PathBuf> {
    let arguments = ["build", "--release", "--package", package, "--example", name];
    workspace::run(workspace::cargo().args(arguments))?;
    Ok(workspace::target()?.join("release/examples").join(name))
}

/// The middle value, or the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        Some(values[middle])
    } else {
        Some((values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0)
    }
}

/// The commit of the sources, and whether they differ from it.
pub(super) fn commit() -> Result<String> {
    let commit = workspace::git(&["rev-parse", "--short", "HEAD"])?.trim().to_owned();
    let sources = ["--", "crates", "benches", "xtask"];
    let changed = workspace::changes(&sources)?;
    Ok(if changed.is_empty() { commit } else { format!("{commit} with changes") })
}

/// The processor, with the widest vector instructions that matter here.
pub(super) fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let vectors = ["avx512_vbmi2", "avx512f", "avx2"].into_iter().find(|flag| text.contains(flag));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    format!("{model}{}", vectors.map(|flag| format!(" ({flag})")).unwrap_or_default())
}

/// Versions of Python packages, in words.
pub(super) fn versions(python: &Path, packages: &[&str]) -> Result<String> {
    let code = "import sys\nfrom importlib.metadata import version as v\n\
                print(', '.join(f'{n} {v(n)}' for n in sys.argv[1:]))";
    let versions = workspace::output(Command::new(python).args(["-c", code]).args(packages))?;
    let rustc = workspace::output(Command::new("rustc").arg("--version"))?;
    let rustc = rustc.split_whitespace().nth(1).unwrap_or("?");
    Ok(format!("{}, rustc {rustc}", versions.trim()))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
