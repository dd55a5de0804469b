//! Tells the linker where libtorch is found at run time, and the program which compiler built it.

use std::process::Command;

fn main() {
    let lib = std::env::var("DEP_TUTOR_TORCH_LIB").expect("the torch crate says where libtorch is");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    let rustc = std::env::var("RUSTC").expect("cargo sets RUSTC");
    let output = Command::new(rustc).arg("--version").output().expect("rustc runs");
    println!("cargo::rustc-env=TUTOR_RUSTC={}", String::from_utf8_lossy(&output.stdout).trim());
    println!("cargo::rerun-if-changed=build.rs");
}
