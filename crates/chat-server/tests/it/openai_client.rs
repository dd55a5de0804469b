//! The Python package `openai` talks to the server: see `xtask/peers/openai_client.py`.
//!
//! It needs a Python with the packages of `xtask/peers/openai-requirements.txt`, named by
//! `OPENAI_PYTHON`, or else `python3`; without them the test says that it is skipped.

use crate::client::{Served, options};
use crate::needed::skip;
use crate::stub::NAME;
use chat_server::ServeOptions;
use std::path::Path;
use std::process::Command;

#[test]
fn the_python_client_talks_to_it() {
    let python = std::env::var("OPENAI_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "import openai"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return skip("OPENAI_PYTHON names no Python with xtask/peers/openai-requirements.txt");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/peers/openai_client.py");
    let mut options = ServeOptions { key: Some("a secret key".into()), ..options() };
    options.limits.queue_capacity = 1;
    let served = Served::with(5, &options);
    let mut command = Command::new(&python);
    command.arg(script).arg(format!("{}/v1", served.server.url())).arg("a secret key").arg(NAME);
    let output = command.output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    served.soon("a free model", |served| served.server.status().free == 1);
}
