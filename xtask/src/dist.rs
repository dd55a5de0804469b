//! `cargo xtask dist`: a folder with the program, the recipes, and a script that checks, measures
//! and trains on a GPU, for machines that have a Python with torch and no toolchain.

use crate::files::files_below;
use crate::{libtorch, reproduce, workspace};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the folder goes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder to make; `target/dist` by default. Its contents are replaced
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What makes a folder one of ours, so that no other is replaced.
const MARK: &str = "gpu.sh";

/// What is copied as it is: from the workspace, into the folder.
const COPIED: [(&str, &str); 5] = [
    ("xtask/dist/gpu.sh", MARK),
    ("crates/tutor/recipes", "recipes"),
    ("xtask/peers/bench_cuda.py", "peers/bench_cuda.py"),
    ("xtask/peers/bench_ssl.py", "peers/bench_ssl.py"),
    ("xtask/peers/bench_augment.py", "peers/bench_augment.py"),
];

/// How large it may be: what is sent to a borrowed machine is often bounded.
const LARGEST: u64 = 60 << 20;

/// Builds the program and makes the folder.
pub(crate) fn run(args: &Args) -> Result<()> {
    libtorch::ensure(false)?;
    let tutor = reproduce::build()?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => workspace::target()?.join("dist"),
    };
    make(&workspace::root(), &tutor, &out)?;
    let size = size_of(&out)?;
    ensure!(
        size <= LARGEST,
        "{} has {} MiB, more than {}",
        out.display(),
        size >> 20,
        LARGEST >> 20
    );
    println!("{}: {:.1} MiB", out.display(), size as f64 / f64::from(1 << 20));
    println!("there: ./gpu.sh OUT [DATA], again and again until all steps are done");
    Ok(())
}

/// Makes the folder beside where it goes, and puts it there as a whole.
fn make(root: &Path, tutor: &Path, out: &Path) -> Result<()> {
    ensure!(
        !out.exists() || out.join(MARK).is_file(),
        "{} is there and was not made by this command: name another with --out",
        out.display()
    );
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let made = tempfile::tempdir_in(parent)?;
    let folder = made.path().join("dist");
    fs::create_dir(&folder)?;
    fs::create_dir(folder.join("peers"))?;
    workspace::run(Command::new("strip").arg("-o").arg(folder.join("tutor")).arg(tutor))
        .context("strip, of binutils, is needed")?;
    for (from, to) in COPIED {
        copy(&root.join(from), &folder.join(to))?;
    }
    if out.exists() {
        fs::rename(out, made.path().join("before"))?;
    }
    fs::rename(&folder, out).with_context(|| format!("cannot make {}", out.display()))
}

/// Copies a file, or a folder with all that is below it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let copy = |from: &Path, to: &Path| {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))
    };
    if from.is_file() {
        copy(from, to)?;
        return Ok(());
    }
    for file in files_below(from, from)? {
        copy(&from.join(&file), &to.join(&file))?;
    }
    Ok(())
}

/// Bytes of all files of a folder.
fn size_of(folder: &Path) -> Result<u64> {
    let files = files_below(folder, folder)?;
    let sizes = files.iter().map(|file| Ok(fs::metadata(folder.join(file))?.len()));
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_ours_is_replaced_as_a_whole_and_no_other_is_touched() {
        let dir = tempfile::tempdir().expect("a folder");
        let out = dir.path().join("dist");
        let tutor = std::env::current_exe().expect("a program to strip");
        fs::create_dir(&out).expect("a folder");
        fs::write(out.join("mine"), "").expect("a file");
        let refused = make(&workspace::root(), &tutor, &out).expect_err("somebody else's");
        assert!(refused.to_string().contains("--out"), "{refused}");
        assert!(out.join("mine").is_file());

        fs::write(out.join(MARK), "").expect("an older one of ours");
        make(&workspace::root(), &tutor, &out).expect("a folder");
        assert!(!out.join("mine").exists());
        for file in ["tutor", MARK, "recipes/uda/digits.toml", "peers/bench_cuda.py"] {
            assert!(out.join(file).is_file(), "{file}");
        }
        let size = size_of(&out).expect("its files");
        let less = fs::metadata(&tutor).expect("it is there").len();
        assert!(size > 0 && fs::metadata(out.join("tutor")).expect("stripped").len() < less);
        let left: Vec<_> = fs::read_dir(dir.path()).expect("a folder").collect();
        assert_eq!(left.len(), 1, "nothing half-made stays: {left:?}");
    }

    /// Stands for Python, which says what there is, without a GPU.
    const PYTHON: &str = r#"#!/bin/bash
case "$*" in
  *dirname*) echo /tmp ;;
  *__version__*) echo 2.11.0 ;;
  *cuda*) echo 0 ;;
esac
"#;

    /// Stands for the program and notes how it is called. The training that is to be killed writes
    /// a checkpoint and does not end; the one that goes on is told to stop first.
    const TUTOR: &str = r#"#!/bin/bash
here=$(cd "$(dirname "$0")" && pwd)
echo "$*" >>"$here/calls"
weights() { mkdir -p "$here/out/resume/cpu/$1/seed-1" && echo w >"$here/out/resume/cpu/$1/seed-1/final.safetensors"; }
case "$*" in
  "list --names") ;;
  *cpu/whole*) weights whole ;;
  *cpu/cut*)
    case $(grep -c cpu/cut "$here/calls") in
      1) mkdir -p "$here/out/resume/cpu/cut" && touch "$here/out/resume/cpu/cut/3.ckpt.safetensors" && exec sleep 60 ;;
      2) sleep 12 && exit 130 ;;
      *) echo "goes on from step 3" && weights cut ;;
    esac
    ;;
  *) echo "device: cpu" ;;
esac
"#;

    #[test]
    fn a_step_of_several_parts_goes_on_where_it_was() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let script = fs::read_to_string(workspace::root().join("xtask/dist/gpu.sh"));
        for (name, text) in [
            (MARK, script.expect("the script").as_str()),
            ("python", PYTHON),
            ("tutor", TUTOR),
            ("nvidia-smi", "#!/bin/sh\nexit 1\n"),
        ] {
            let path = dir.path().join(name);
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
        }
        let call = || {
            let mut command = Command::new(dir.path().join(MARK));
            // Less than 20 s are left when the one that goes on is told to stop.
            command.arg(dir.path().join("out")).env("SECONDS_A_CALL", "30");
            // First in the path: this machine may have a GPU.
            let path = std::env::var("PATH").expect("a path");
            command.env("PATH", format!("{}:{path}", dir.path().display()));
            let output = command.env("PYTHON", dir.path().join("python")).output();
            let output = output.expect("bash is there");
            (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let (code, said) = call();
        assert!(said.contains("resume-cpu: goes on in the next call"), "{said}");
        assert_eq!(code, Some(3), "{said}");
        let (code, said) = call();
        assert!(
            said.contains("resume-cpu: passed") && said.contains("all steps are done"),
            "{said}"
        );
        assert!(said.contains("parity-cuda: skipped (no GPU)"), "tried in each call: {said}");
        assert_eq!(code, Some(0), "{said}");
        let calls = fs::read_to_string(dir.path().join("calls")).expect("calls");
        let times = |what: &str| calls.lines().filter(|line| line.contains(what)).count();
        assert_eq!((times("cpu/whole"), times("cpu/cut"), times("parity")), (1, 3, 1), "{calls}");
        assert!(times("--fresh") == 0, "{calls}");
    }
}
