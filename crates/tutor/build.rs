//! Tells the linker where libtorch is found at run time, and the program which compiler built it.

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
    // Every commit appends to this log; every change of a source file may make the tree differ from the commit.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../.git/logs/HEAD");
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
