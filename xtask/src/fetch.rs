//! Fills the cache: wheels from the Python registry through pip, checked and unpacked.
//!
//! Everything happens under a lock in a `part-*` folder beside the final one and is renamed at the
//! end, a marker file last of all. What was killed half-way is a `part-*` folder that the next one
//! removes.

use crate::files::{files_below, free_megabytes, sha256};
use crate::pip;
use crate::wheels::{CUDA_LIBRARY, Wheel, Wheels};
use anyhow::{Context, Result, bail};
use std::fs::{self, File, TryLockError};
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

/// A folder of one libtorch, shared by all clones on this machine.
pub(crate) struct Cache {
    /// The folder that holds it; made when missing.
    pub(crate) folder: PathBuf,
    /// The Python whose pip is used.
    pub(crate) python: PathBuf,
    pub(crate) wheels: Wheels,
}

impl Cache {
    fn unpacked(&self) -> PathBuf {
        self.folder.join(format!("libtorch-{}", crate::wheels::VERSION))
    }

    /// The libtorch (`lib`, `include`) in the cache, if it is there whole.
    pub(crate) fn find(&self, cuda: bool) -> Option<PathBuf> {
        let whole = |name, wheels| {
            fs::read_to_string(self.unpacked().join(name)).is_ok_and(|m| m == marker(wheels))
        };
        let there = whole("complete-cpu", &self.wheels.cpu)
            && (!cuda || whole("complete-cuda", &self.wheels.cuda));
        there.then(|| self.unpacked().join("torch"))
    }

    /// The libtorch in the cache, fetched if it is not there. Waits while another process fetches.
    pub(crate) fn find_or_fetch(&self, cuda: bool) -> Result<PathBuf> {
        if let Some(found) = self.find(cuda) {
            return Ok(found);
        }
        fs::create_dir_all(&self.folder).with_context(|| {
            format!(
                "cannot make the cache folder {}: set TUTOR_CACHE to one that can be written",
                self.folder.display()
            )
        })?;
        let _lock = self.lock()?;
        if self.find(false).is_none() {
            self.fetch(&self.wheels.cpu, |part| {
                fs::write(part.join("complete-cpu"), marker(&self.wheels.cpu))?;
                let place = self.unpacked();
                if place.exists() {
                    // Without its marker it was never whole, or it has other pins.
                    fs::remove_dir_all(&place)?;
                }
                Ok(fs::rename(part, place)?)
            })?;
        }
        if cuda && self.find(true).is_none() {
            self.fetch(&self.wheels.cuda, |part| {
                // Into a folder that may be in use: libraries first, the one that others look for
                // last.
                let place = self.unpacked();
                let mut files = files_below(part, part)?;
                files.sort_by_key(|f| f == Path::new(CUDA_LIBRARY));
                for file in files {
                    let to = place.join(&file);
                    fs::create_dir_all(to.parent().expect("a file lies in a folder"))?;
                    fs::rename(part.join(&file), to)?;
                }
                let temporary = part.join("complete-cuda");
                fs::write(&temporary, marker(&self.wheels.cuda))?;
                Ok(fs::rename(temporary, place.join("complete-cuda"))?)
            })?;
        }
        self.find(cuda)
            .with_context(|| format!("{} changed while it was filled", self.unpacked().display()))
    }

    fn lock(&self) -> Result<File> {
        let path = self.folder.join("lock");
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                eprintln!("waiting for another setup that fills {}", self.folder.display());
                file.lock()?;
            }
            Err(TryLockError::Error(e)) => {
                return Err(e).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        Ok(file)
    }

    /// Downloads, checks and unpacks wheels one after the other, then hands the folder to `place`.
    fn fetch(&self, wheels: &[Wheel], place: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("part-") {
                fs::remove_dir_all(entry.path())?; // Left by one that was killed: we hold the lock.
            }
        }
        let need: u64 = wheels.iter().map(|w| w.unpacked_megabytes).sum::<u64>()
            + 2 * wheels.iter().map(|w| w.megabytes).max().unwrap_or(0);
        let free = free_megabytes(&self.folder)?;
        if free < need {
            bail!(
                "not enough room in {}: {need} MB are needed, {free} MB are free. \
                 Make room there or set TUTOR_CACHE to a folder on a bigger disk",
                self.folder.display()
            );
        }
        let part = tempfile::Builder::new().prefix("part-").tempdir_in(&self.folder)?;
        let (download, unpacked) = (part.path().join("download"), part.path().join("unpacked"));
        fs::create_dir_all(&unpacked)?;
        for wheel in wheels {
            fs::create_dir_all(&download)?;
            pip::download(&self.python, wheel, &download)
                .and_then(|file| {
                    check_sum(wheel, &file)?;
                    unpack(wheel, &file, &unpacked)
                })
                .map_err(|e| self.explain_full(e))?;
            fs::remove_dir_all(&download)?;
        }
        // The marker must not outlive its files if the machine loses power.
        rustix::fs::syncfs(File::open(&unpacked)?).context("could not flush the cache to disk")?;
        place(&unpacked).with_context(|| format!("could not fill {}", self.unpacked().display()))
    }

    /// Adds the way out to an error that is a full disk.
    fn explain_full(&self, error: anyhow::Error) -> anyhow::Error {
        let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded];
        let mut causes = error.chain().filter_map(|e| e.downcast_ref::<std::io::Error>());
        if !causes.any(|e| kinds.contains(&e.kind())) {
            return error;
        }
        error.context(format!(
            "the disk of {} is full. Make room there or set TUTOR_CACHE to a folder on a bigger disk",
            self.folder.display()
        ))
    }
}

/// What a marker file holds: the very wheels that were unpacked.
fn marker(wheels: &[Wheel]) -> String {
    wheels.iter().map(|w| format!("{} {} {}\n", w.project, w.version, w.sha256)).collect()
}

fn check_sum(wheel: &Wheel, file: &Path) -> Result<()> {
    let found = sha256(file)?;
    if found != wheel.sha256 {
        bail!(
            "{} has the wrong checksum and was deleted: expected sha256 {}, found {found}. Try again; if it stays, \
             the package index in pip's settings serves another file than the official one. \
             Or set LIBTORCH to an unpacked libtorch 2.11",
            file.file_name().unwrap_or_default().display(),
            wheel.sha256
        );
    }
    Ok(())
}

fn unpack(wheel: &Wheel, file: &Path, folder: &Path) -> Result<()> {
    let shown = file.file_name().unwrap_or_default().display();
    let mut archive = zip::ZipArchive::new(BufReader::with_capacity(1 << 20, File::open(file)?))
        .with_context(|| format!("{shown} is not a zip file"))?;
    let mut unpacked = 0;
    for index in 0..archive.len() {
        let mut entry =
            archive.by_index(index).with_context(|| format!("{shown}: entry {index}"))?;
        let Ok(name) = entry.name().map(|n| n.into_owned()) else { continue };
        if !wheel.takes(&name) {
            continue;
        }
        if name.starts_with('/') || name.split('/').any(|part| part == "..") {
            bail!("{shown}: {name} leads out of the archive");
        }
        let to = folder.join(&name);
        fs::create_dir_all(to.parent().expect("a file lies in a folder"))?;
        std::io::copy(&mut entry, &mut File::create(&to)?)
            .with_context(|| format!("{shown}: could not unpack {name}"))?;
        unpacked += 1;
    }
    if unpacked == 0 {
        bail!(
            "{shown} holds none of the files that are needed from it ({})",
            wheel.take.join(", ")
        );
    }
    Ok(())
}
