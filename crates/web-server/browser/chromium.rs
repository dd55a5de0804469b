//! What tests in Chromium need, for the tests of several crates: the browser, node, and the
//! packages of this folder.

use crate::needed::{program, skip};
use std::path::{Path, PathBuf};

/// The programs that run a browser test.
pub(crate) struct Programs {
    pub(crate) node: PathBuf,
    pub(crate) chromium: PathBuf,
}

/// Finds them; says that the test is skipped, and why, where something is missing.
pub(crate) fn programs() -> Option<Programs> {
    let Some(node) = program(&["node"]) else {
        skip("no node for the browser test");
        return None;
    };
    let Some(chromium) = program(&["chromium", "chromium-browser", "google-chrome"]) else {
        skip("no chromium for the browser test");
        return None;
    };
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web-server/browser/node_modules");
    if !packages.is_dir() {
        skip("no browser test: run `npm ci` in crates/web-server/browser");
        return None;
    }
    Some(Programs { node, chromium })
}
