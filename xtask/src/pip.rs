//! Downloads one wheel with Python's pip, and explains what went wrong.

use crate::files::files_below;
use crate::wheels::Wheel;
use anyhow::{Context, Result, anyhow, bail};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Puts a wheel into an empty folder; gives its path. A full disk is an `io::Error` of that kind.
pub(crate) fn download(python: &Path, wheel: &Wheel, folder: &Path) -> Result<PathBuf> {
    eprintln!("fetching {} {} ({} MB)", wheel.project, wheel.version, wheel.megabytes);
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-cache-dir"]);
    // Named rather than taken from the Python that happens to be here, which may be of any version.
    pip.args([
        "--no-deps",
        "--only-binary=:all:",
        "--implementation",
        "cp",
        "--python-version",
        "3.11",
    ]);
    pip.args(["--abi", "cp311", "--abi", "none", "--platform", "manylinux2014_x86_64"]);
    for glibc in (5..=28).rev() {
        pip.arg("--platform").arg(format!("manylinux_2_{glibc}_x86_64"));
    }
    pip.arg("--dest").arg(folder).arg(wheel.requirement());
    // Its own temporary files are as large as the wheel: on the same disk, not in a small /tmp.
    pip.env("TMPDIR", folder).env_remove("PIP_REQUIRE_VIRTUALENV");
    pip.stdin(Stdio::null()).stdout(Stdio::from(io::stderr())).stderr(Stdio::piped());
    let (status, said) = match watched(&mut pip) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            bail!(
                "{} was not found; libtorch is fetched with Python's pip. {PYTHON_WAY_OUT}",
                python.display()
            )
        }
        other => other.with_context(|| format!("could not run {}", python.display()))?,
    };
    if !status.success() {
        return Err(explain(python, wheel, &said, status));
    }
    let files = files_below(folder, folder)?;
    let name = files.iter().find(|f| f.extension().is_some_and(|e| e == "whl"));
    let name = name
        .with_context(|| format!("pip said it was done but left no wheel of {}", wheel.project))?;
    Ok(folder.join(name))
}

/// Runs to the end; what goes to standard error is shown as it comes, and kept.
fn watched(command: &mut Command) -> io::Result<(ExitStatus, String)> {
    let mut child = command.spawn()?;
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().expect("it is piped")).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        eprintln!("{line}");
        said += &line;
        said += "\n";
    }
    Ok((child.wait()?, said))
}

const PYTHON_WAY_OUT: &str = "Install it (`apt install python3-pip`, `dnf install python3-pip`), \
     or set LIBTORCH to an unpacked libtorch 2.11";

const NETWORK_WAY_OUT: &str = "Ways out: check the network and pip's settings (`python3 -m pip config list`; a proxy or \
     a mirror goes there) and try again; or set LIBTORCH to an unpacked libtorch 2.11; or copy the cache folder of a \
     machine where `cargo xtask setup` worked and set TUTOR_CACHE to the copy";

fn explain(python: &Path, wheel: &Wheel, said: &str, status: ExitStatus) -> anyhow::Error {
    let says = |signs: &[&str]| said.lines().find(|l| signs.iter().any(|s| l.contains(s)));
    if says(&["No module named pip"]).is_some() {
        return anyhow!("{} has no pip. {PYTHON_WAY_OUT}", python.display());
    }
    if says(&["No space left on device", "Disk quota exceeded"]).is_some() {
        return io::Error::from(ErrorKind::StorageFull).into();
    }
    let last = said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("it said nothing");
    let error = said.lines().rfind(|l| l.starts_with("ERROR:")).unwrap_or(last);
    let network =
        says(&["not known", "name resolution", "unreachable", "timed out", "onnection", "SSL"]);
    let sign = network.map(|l| format!("\n  first sign of trouble: {l}")).unwrap_or_default();
    anyhow!(
        "pip could not fetch {} ({status}): {error}{sign}\n{NETWORK_WAY_OUT}",
        wheel.requirement()
    )
}
