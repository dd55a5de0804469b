//! Tells a stranger's binary where libtorch is, as every package with a binary has to.

fn main() {
    let lib = std::env::var("DEP_TUTOR_TORCH_LIB").expect("the crate torch says where libtorch is");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
}
