//! Calls the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use torch::Device;
use torch::precision::Precision;

/// What a call of the program printed and how it ended.
pub(crate) struct Called {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) success: bool,
}

/// The program with arguments, in a folder of its own.
pub(crate) fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tutor"));
    command.current_dir(dir).args(arguments).env_remove("TUTOR_DATA").env_remove("RUST_LOG");
    // Weights that somebody has fetched must not change what a test sees.
    command.env("TUTOR_CACHE", dir.join("cache")).env("HF_HOME", dir.join("hub"));
    // What the program would set by starting anew, for which libtorch is loaded twice.
    command.env("GOMP_SPINCOUNT", "1000");
    command
}

/// Calls the program and waits.
pub(crate) fn call(dir: &Path, arguments: &[&str]) -> Called {
    let Output { status, stdout, stderr } =
        command(dir, arguments).output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Called { out: text(stdout), err: text(stderr), success: status.success() }
}

/// Calls the program, which must succeed.
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> String {
    let called = call(dir, arguments);
    assert!(called.success, "tutor {}\n{}\n{}", arguments.join(" "), called.out, called.err);
    called.out
}

/// Calls the program, which must refuse; returns what it says.
pub(crate) fn refused(dir: &Path, arguments: &[&str]) -> String {
    let called = call(dir, arguments);
    assert!(!called.success, "tutor {} was not refused", arguments.join(" "));
    called.err
}

/// Starts the program, which writes into the folder `out`, again and again, and kills it each time
/// as soon as it has written a file whose path contains the next of `files`. It has not come to its
/// end then. Gives up after some minutes without the file.
pub(crate) fn killed(dir: &Path, arguments: &[&str], out: &str, files: &[impl AsRef<str>]) {
    let out = dir.join(out);
    for file in files.iter().map(AsRef::as_ref) {
        assert!(!has(&out, file), "{file} is there before it is started");
        let started = Instant::now();
        let child = command(dir, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("started");
        while !has(&out, file) {
            assert!(child.try_wait().expect("known").is_none(), "it ended without {file}");
            if started.elapsed() > Duration::from_secs(300) {
                child.kill().expect("killed");
                panic!("no {file} after five minutes");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("killed");
        let status = child.wait().expect("ended");
        assert!(status.code().is_none(), "it ended before it was killed at {file}: {status}");
        assert!(!has(&out, "result.json"), "it had its result before it was killed at {file}");
    }
}

/// Whether there is a file below a folder whose path contains `part`.
pub(crate) fn has(below: &Path, part: &str) -> bool {
    let entries = std::fs::read_dir(below).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.any(|path| match path.is_dir() && !path.is_symlink() {
        true => has(&path, part),
        false => path.to_string_lossy().contains(part),
    })
}

/// The folder of the report that a run's last line names.
pub(crate) fn run_folder(dir: &Path, out: &str) -> PathBuf {
    let last = out.lines().last().expect("a last line");
    let page = last.strip_prefix("report: ").unwrap_or_else(|| panic!("the last line is {last:?}"));
    dir.join(page).parent().expect("a folder").to_owned()
}

/// `result.json` of a run's folder.
pub(crate) fn result(run: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(run.join("result.json")).expect("result.json");
    serde_json::from_str(&text).expect("JSON")
}

/// What is said when a finished run is taken for one that was stopped, and began with something
/// else under a key of its `began.json`.
pub(crate) fn began_with_another(dir: &Path, run: &Path, arguments: &[&str], key: &str) -> String {
    let file = run.join("began.json");
    let text = std::fs::read_to_string(&file).expect("what it began with");
    let mut began: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(began[key].is_string(), "{key} in {text}");
    began[key] = "0".repeat(32).into();
    std::fs::write(&file, began.to_string()).expect("written");
    std::fs::remove_file(run.join("result.json")).expect("unfinished");
    refused(dir, arguments)
}

/// What `tutor predict` says in numbers of half the size differs, and by less than 0.05.
pub(crate) fn differs_a_little_in_bfloat16(dir: &Path, asked: &[&str], samples: usize) {
    if !Precision::Bfloat16.has_instructions(Device::Cpu) {
        let error = refused(dir, &[&["predict"], asked, &["--precision", "bfloat16"]].concat());
        assert!(error.contains("no instructions"), "{error}");
        return;
    }
    let say = |precision: &str| {
        let out = format!("{precision}.csv");
        let how = ["--out", &out, "--precision", precision];
        run(dir, &[&["predict"], asked, &how].concat());
        let rows = csv::Reader::from_path(dir.join(out)).expect("labels").into_records();
        let rows = rows.map(|row| row.expect("a row").iter().skip(2).map(str::parse).collect());
        rows.collect::<Result<Vec<Vec<f64>>, _>>().expect("probabilities")
    };
    let (whole, half) = (say("float32"), say("bfloat16"));
    assert_eq!((whole.len(), half.len()), (samples, samples));
    let off = whole.concat().into_iter().zip(half.concat()).map(|(a, b)| (a - b).abs());
    let most = off.fold(0.0, f64::max);
    assert!(most > 0.0 && most < 0.05, "{most}");
}
