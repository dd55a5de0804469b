//! Tells this package's tests, and by `DEP_TUTOR_TORCH_LIB` the packages above, where libtorch's libraries are.

use std::path::PathBuf;

fn main() {
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch is");
    // The link in the workspace may be moved; what it points at now is what this build was made against.
    let lib = PathBuf::from(&lib)
        .canonicalize()
        .unwrap_or_else(|e| panic!("{lib}: {e}. Run `cargo xtask setup`"));
    println!("cargo::metadata=LIB={}", lib.display());
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
}
