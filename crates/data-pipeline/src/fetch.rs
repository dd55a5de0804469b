//! Downloads data sets from their official addresses: continues interrupted downloads, checks and
//! unpacks the files.
//!
//! The checksums are those that the publishers, or torchvision where a publisher has none, give for
//! the files of the download; files that were not fetched are never checked against them.

mod download;
mod sources;
mod unpack;

use crate::error::DataError;
use std::fs::{File, TryLockError};
use std::path::Path;

pub use download::{Patience, Progress};
pub use sources::{Checksum, PublishedSet, RemoteFile, sources};

/// Brings a data set into `dir`. Files that are already there are kept if they are right; a file
/// that is there but wrong is an error, since it may be the user's own. An unfinished file ends in
/// `.part`, and the next fetch continues it. Fails, naming address, file and the way out, if no
/// address gives a file with the right checksum, or if another process fetches into `dir`.
pub fn fetch(
    source: &PublishedSet,
    dir: &Path,
    patience: Patience,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), DataError> {
    let way_out = "name a folder that may be written to, behind the name or by $TUTOR_DATA";
    std::fs::create_dir_all(dir).map_err(DataError::io(dir, way_out))?;
    let lock = File::open(dir).map_err(DataError::io(dir, way_out))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let fault = "another process is fetching into this folder".into();
            return Err(DataError::Missing {
                path: dir.into(),
                fault,
                way_out: "wait for it to end",
            });
        }
        // Some network file systems have no locks; a single fetch works without them.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, "the data folder cannot be locked")
        }
    }
    for file in &source.files {
        if present(file, dir)? {
            continue;
        }
        let path = dir.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(DataError::io(parent, way_out))?;
        }
        if !path.is_file() {
            download::download(file, &path, patience, progress)?;
        }
        if let Some(folder) = &file.unpack {
            unpack::unpack(&path, &dir.join(folder), folder)?;
        }
    }
    Ok(())
}

/// Checks everything that [`fetch`] brought into `dir`; the error names the first file that is
/// missing or differs.
pub fn verify(source: &PublishedSet, dir: &Path) -> Result<(), DataError> {
    for file in &source.files {
        if !present(file, dir)? {
            let fault = "not there".into();
            let path = dir.join(file.unpack.as_ref().unwrap_or(&file.path));
            return Err(DataError::Missing { path, fault, way_out: "fetch the data set" });
        }
    }
    Ok(())
}

/// Whether a file, or the folder it was unpacked to, is there. Fails if it is but differs.
fn present(file: &RemoteFile, dir: &Path) -> Result<bool, DataError> {
    if let Some(folder) =
        file.unpack.as_ref().map(|folder| dir.join(folder)).filter(|folder| folder.exists())
    {
        unpack::verify(&folder)?;
        return Ok(true);
    }
    let path = dir.join(&file.path);
    if !path.exists() {
        return Ok(false);
    }
    match file.checksum.check(&path)? {
        // An archive still has to be unpacked.
        Ok(()) => Ok(file.unpack.is_none()),
        Err(fault) => Err(DataError::Fetch {
            url: file.urls.first().cloned().unwrap_or_default(),
            path,
            fault: format!("the file that is there is not the official one: {fault}"),
            way_out: "move it away to fetch it again; a file of your own can be used where it is",
        }),
    }
}
