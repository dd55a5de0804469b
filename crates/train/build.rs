//! Lets this package's tests find libtorch.

fn main() {
    let lib = std::env::var("DEP_TUTOR_TORCH_LIB").expect("torch says where libtorch is");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
}
