//! Tells the linker where libtorch is found at run time, and the program which compiler built it
//! and which recipes it carries.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let lib = std::env::var("DEP_TUTOR_TORCH_LIB").expect("the torch crate says where libtorch is");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    let rustc = std::env::var("RUSTC").expect("cargo sets RUSTC");
    let output = Command::new(rustc).arg("--version").output().expect("rustc runs");
    println!("cargo::rustc-env=TUTOR_RUSTC={}", String::from_utf8_lossy(&output.stdout).trim());
    if let Some(commit) = commit() {
        println!("cargo::rustc-env=TUTOR_COMMIT={commit}");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("recipes.rs"), recipes(Path::new("recipes"))).expect("OUT_DIR is writable");
    // Every commit appends to this log; every change of a source file may make the tree differ from
    // the commit.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../.git/logs/HEAD");
    println!("cargo::rerun-if-changed=recipes");
    println!("cargo::rerun-if-changed=..");
}

/// The commit of the sources, with `-dirty` behind it if they differ from it; none outside git.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let clean = git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if clean { commit } else { format!("{commit}-dirty") })
}

/// Rust source with name and text of every recipe `<folder>/<paper>/<row>.toml`, by name.
fn recipes(folder: &Path) -> String {
    let mut names = Vec::new();
    for paper in entries(folder) {
        for row in
            entries(&paper).into_iter().filter(|row| row.extension() == Some("toml".as_ref()))
        {
            let part =
                |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
            names.push((format!("{}/{}", part(&paper), part(&row)), row));
        }
    }
    names.sort();
    let mut source = "/// Name and text of every recipe, by name.\n".to_owned();
    source += "pub(crate) const RECIPES: &[(&str, &str)] = &[\n";
    for (name, path) in names {
        let path = fs::canonicalize(path).expect("a recipe");
        writeln!(source, "    ({name:?}, include_str!({path:?})),").expect("a string");
    }
    source + "];\n"
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder of recipes");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}
