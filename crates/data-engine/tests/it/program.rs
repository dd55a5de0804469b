//! What the program says, and where it ends.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use data_engine::parts::write;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_data-engine"))
}

/// What a call says that fails.
fn refused(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().expect("the program starts");
    let said = String::from_utf8(stderr).expect("UTF-8");
    assert!(!status.success() && !said.contains("panicked"), "{said}");
    said
}

/// Labels of so many samples in a folder.
fn labels(folder: &Path, samples: usize) {
    let ids: Vec<String> = (0..samples).map(|i| format!("{i:020}")).collect();
    let rows: Vec<(&str, &str, f32)> = ids.iter().map(|id| (id.as_str(), "x", 0.9)).collect();
    write(&folder.join("labels.parquet"), &rows).expect("written");
}

#[test]
fn who_closes_the_pipe_early_has_read_enough() {
    let folder = tempfile::tempdir().expect("a folder");
    labels(folder.path(), 3);
    let mut command = program();
    command.arg("describe").arg(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn results_go_to_a_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    labels(folder.path(), 3);
    let said = refused(program().args(["select", "--out", "s3://bucket/out"]).arg(folder.path()));
    assert!(said.contains("s3://bucket/out: results go to a disk, not to s3://"), "{said}");
}

#[test]
fn what_a_bucket_of_a_plain_address_needs_is_said() {
    let mut command = program();
    command.args(["describe", "s3://bucket/labels"]).env_remove("AWS_ALLOW_HTTP");
    let variables = [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT", "http://127.0.0.1:9"),
    ];
    let said = refused(command.envs(variables));
    assert!(said.contains("AWS_ALLOW_HTTP=true where that is an http://"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// A file that may not become so large ends as one on a full disk does.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    labels(folder.path(), 200_000);
    let out = folder.path().join("out");
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_data-engine")).args(["select", "--out"]);
    let said = refused(command.arg(&out).arg(folder.path()));
    let file = out.join("part-00000.parquet");
    assert!(said.starts_with(&format!("error: {}: File too large", file.display())), "{said}");
    let left = folder.path().read_dir().expect("it").count();
    assert_eq!(left, 1, "beside the labels nothing is left");
}
