//! Compiles the shim, and tells this package's tests, and by `DEP_TUTOR_TORCH_LIB` the packages
//! above, where libtorch's libraries are.

use std::path::PathBuf;

fn main() {
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch is");
    // The link in the workspace may be moved; what it points at now is what this build was made
    // against.
    let lib = PathBuf::from(&lib)
        .canonicalize()
        .unwrap_or_else(|e| panic!("{lib}: {e}. Run `cargo xtask setup`"));
    println!("cargo::metadata=LIB={}", lib.display());
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());

    println!("cargo::rerun-if-changed=shim");
    let include = lib.parent().expect("libtorch's folder has lib/ in it").join("include");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        // The same machine code in every profile: results do not depend on it, and the loops are
        // worth it.
        .opt_level(3)
        .debug(false)
        .flag("-ffp-contract=off")
        .flag("-fno-math-errno")
        .flag_if_supported("-Wno-unused-parameter")
        // As system headers, so that their warnings are not ours.
        .flag(format!("-isystem{}", include.display()))
        .flag(format!("-isystem{}", include.join("torch/csrc/api/include").display()))
        // c10d's declarations are there for those who define these.
        .define("USE_DISTRIBUTED", None)
        .define("USE_C10D_GLOO", None)
        .include("shim/declared")
        .files([
            "shim/conv.cpp",
            "shim/cpu.cpp",
            "shim/depthwise.cpp",
            "shim/dropout.cpp",
            "shim/group.cpp",
            "shim/norm.cpp",
            "shim/optim.cpp",
            "shim/rows.cpp",
            "shim/sequences.cpp",
        ])
        .compile("tutor_torch");
}
