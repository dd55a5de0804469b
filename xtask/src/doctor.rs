//! `cargo xtask doctor`: what this machine has and lacks for building and running, one line each.

use crate::{files, libtorch, workspace};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How one thing was found.
enum Finding {
    Good(String),
    /// Something to know that stops nothing.
    Note(String),
    /// Something that is needed, and how to get it.
    Missing(String),
}
use Finding::{Good, Missing, Note};

/// Prints all findings; an error if something needed is missing.
pub(crate) fn run() -> Result<()> {
    let setup = libtorch::Setup::here()?;
    let libtorch = libtorch_found(&setup);
    let fetched = matches!(libtorch, Good(_));
    let findings = [
        ("rustc", tool("rustc", "install Rust 1.89 or newer: https://rustup.rs")),
        ("cargo", tool("cargo", "install Rust 1.89 or newer: https://rustup.rs")),
        ("C++ compiler", compiler()),
        ("pip", pip(fetched)),
        ("libtorch", libtorch),
        ("GPU", gpu(&setup)),
        ("data", data()),
        ("disk: cache", room(&setup.cache.folder)),
        ("disk: target", room(&workspace::target()?)),
        ("disk: runs", room(&setup.root.join("runs"))),
    ];
    let mut missing = 0;
    for (name, finding) in findings {
        let (mark, text) = match finding {
            Good(text) => ("ok", text),
            Note(text) => ("note", text),
            Missing(text) => {
                missing += 1;
                ("missing", text)
            }
        };
        println!("{mark:<8} {name:<13} {text}");
    }
    if missing > 0 {
        bail!("{missing} needed thing(s) missing, see above");
    }
    Ok(())
}

/// The first line that `PROGRAM --version` prints.
fn version(program: &str, args: &[&str]) -> Option<String> {
    let out = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout);
    out.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

fn tool(program: &str, way_out: &str) -> Finding {
    version(program, &["--version"]).map_or_else(|| Missing(way_out.to_owned()), Good)
}

fn compiler() -> Finding {
    let own = std::env::var("CXX").ok();
    let found = own
        .iter()
        .map(String::as_str)
        .chain(["c++", "g++", "clang++"])
        .find_map(|c| version(c, &["--version"]));
    found.map_or_else(
        || Missing("install one: `apt install g++`, `dnf install gcc-c++`; or set CXX".into()),
        Good,
    )
}

fn pip(not_needed: bool) -> Finding {
    match version("python3", &["-m", "pip", "--version"]) {
        Some(version) => Good(version),
        None if not_needed => Note("no python3 with pip; only needed to fetch libtorch".into()),
        None => Missing(
            "install it: `apt install python3-pip`; or set LIBTORCH to an unpacked libtorch 2.11"
                .into(),
        ),
    }
}

fn libtorch_found(setup: &libtorch::Setup) -> Finding {
    match setup.find(false) {
        Ok(Some(path)) => {
            let version = libtorch::version(&path).unwrap_or_default();
            let gpu = if libtorch::has_cuda(&path) { "with" } else { "without" };
            Good(format!("{version} at {}, {gpu} its GPU libraries", path.display()))
        }
        Ok(None) => Missing("`cargo xtask setup` fetches it".into()),
        Err(error) => Missing(format!("{error:#}")),
    }
}

fn gpu(setup: &libtorch::Setup) -> Finding {
    let Some(driver) = driver() else {
        return Note("no NVIDIA driver: everything runs on the CPU".into());
    };
    let names =
        version("nvidia-smi", &["--query-gpu=name", "--format=csv,noheader"]).unwrap_or_default();
    let there = format!("{driver} {names}");
    match setup.find(true) {
        Ok(Some(_)) => Good(there),
        _ => Note(format!(
            "{there}; `cargo xtask setup --cuda` gets the libraries to use it ({})",
            setup.cache.wheels.cuda_size()
        )),
    }
}

/// The NVIDIA driver, if one is loaded or its library can be found.
fn driver() -> Option<String> {
    if let Ok(text) = std::fs::read_to_string("/proc/driver/nvidia/version") {
        return Some(
            text.lines().next().unwrap_or_default().trim_start_matches("NVRM version: ").to_owned(),
        );
    }
    let own = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib/wsl/lib", "/usr/lib"];
    let library =
        std::env::split_paths(&own).chain(usual.map(PathBuf::from)).map(|f| f.join("libcuda.so.1"));
    library.into_iter().find(|l| l.exists()).map(|l| l.display().to_string())
}

fn data() -> Finding {
    let Some(folder) = std::env::var_os("TUTOR_DATA").filter(|v| !v.is_empty()).map(PathBuf::from)
    else {
        return Note(
            "TUTOR_DATA is not set; the digits are built in, other data is named by --data DIR"
                .into(),
        );
    };
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return Missing(format!(
            "TUTOR_DATA is {}, which cannot be read: correct or unset it",
            folder.display()
        ));
    };
    let mut names: Vec<_> =
        entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Good(format!("{}: {}", folder.display(), names.join(", ")))
}

/// Room on the disk that holds, or will hold, a folder.
fn room(folder: &Path) -> Finding {
    let there = folder.ancestors().find(|f| f.exists()).unwrap_or(Path::new("/"));
    match files::free_megabytes(there) {
        Ok(free) if free < 5_000 => {
            Missing(format!("{free} MB free in {}: 5 GB are needed", folder.display()))
        }
        Ok(free) => Good(format!("{} GB free in {}", free / 1000, folder.display())),
        Err(error) => Missing(format!("{error:#}")),
    }
}
