//! Lets this package's programs and tests find libtorch's libraries when started from anywhere.

fn main() {
    let lib = std::env::var("DEP_TUTOR_TORCH_LIB").expect("the torch crate says where libtorch is");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    println!("cargo::rerun-if-changed=build.rs");
}
