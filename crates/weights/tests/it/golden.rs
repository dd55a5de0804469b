//! The golden files.

use std::path::{Path, PathBuf};

use weights::StateDict;

/// The path of a golden file.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The bytes of a golden file.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Opens a golden file.
pub(crate) fn open(name: &str) -> StateDict {
    weights::open(&path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The tensors that most golden files hold.
pub(crate) fn values() -> StateDict {
    open("values.safetensors")
}
