//! `runs/<paper>/<row>/<time>/`: finding the folder of an unfinished run of the same command, or
//! making a new one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use atomic_file::FolderLock;
use report::FILE as RESULT;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::began;
use super::cost::Spent;
use super::files;
use super::note::note;
use crate::recipe::head::Head;

/// What a run was started with, beside its recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Started {
    /// When, RFC 3339.
    pub(crate) at: String,
    pub(crate) seeds: Vec<u64>,
    pub(crate) quick: bool,
    /// The folder given by `--data`: another one holds other images.
    pub(crate) data: Option<PathBuf>,
    pub(crate) device: String,
    /// Threads of libtorch: the last bits of results depend on them.
    pub(crate) threads: usize,
    /// The commit (or version) of the program: another one may compute other numbers.
    pub(crate) program: String,
}

/// The folder of one run, held by this process alone.
pub(crate) struct RunFolder {
    pub(crate) dir: PathBuf,
    pub(crate) started: Started,
    /// Whether an earlier process began it.
    pub(crate) resumed: bool,
    _lock: Option<FolderLock>,
    /// Where a process writes whose findings are not kept, until it ends.
    _passing: Option<TempDir>,
}

const RECIPE: &str = "recipe.toml";
const STARTED: &str = "started.json";
const COST: &str = "cost.json";
/// How the name of a folder starts that is not whole yet.
const BEGINNING: &str = ".beginning-";

impl RunFolder {
    /// The newest unfinished folder of this very recipe (`text`) and [`Started`] (but for the
    /// time), or a new one. `fresh` never takes an old one.
    pub(crate) fn open(
        out: &Path,
        head: &Head,
        text: &str,
        wanted: &Started,
        fresh: bool,
    ) -> Result<Self> {
        let parent = out.join(&head.name);
        fs::create_dir_all(&parent).with_context(|| {
            format!("cannot make {}: choose another place by --out", parent.display())
        })?;
        let (mut unfinished, mut denied) = (None, None);
        if !fresh {
            for dir in newest_first(&parent)?.into_iter().filter(|dir| !is_beginning(dir)) {
                let started = match read_started(&dir) {
                    Err(error) if is_denied(&error) => {
                        denied.get_or_insert(dir);
                        continue;
                    }
                    started => started?,
                };
                let Some(started) = started else { continue };
                let same = Started { at: wanted.at.clone(), ..started.clone() } == *wanted;
                let same =
                    same && fs::read_to_string(dir.join(RECIPE)).is_ok_and(|old| old == text);
                if same && !dir.join(RESULT).exists() {
                    // First, so that a run of another user that goes on does not stop this one.
                    let taken = can_write(&dir).and_then(|()| lock(&dir));
                    match taken {
                        Err(error) if is_denied(&error) => {
                            denied.get_or_insert(dir);
                            continue;
                        }
                        taken => return Ok(Self::held(dir, started, true, taken?)),
                    }
                }
                if unfinished.is_none() && !dir.join(RESULT).exists() {
                    // One that another process works on is no news.
                    unfinished = lock(&dir).is_ok().then_some(dir);
                }
            }
        }
        let new = begin(&parent, text, wanted)?;
        if let Some(dir) = unfinished {
            note(&format!(
                "note: {} lies unfinished, begun with other settings or by another version: the \
                 command that began it goes on there, and this one begins a new run",
                dir.display()
            ));
        }
        if let Some(dir) = denied {
            note(&format!(
                "note: {} may be an unfinished run of this command, but you may not read it and \
                 write there: this one begins a new run",
                dir.display()
            ));
        }
        Ok(new)
    }

    fn held(dir: PathBuf, started: Started, resumed: bool, lock: FolderLock) -> Self {
        Self { dir, started, resumed, _lock: Some(lock), _passing: None }
    }

    /// A folder for a process beside rank 0, which alone keeps what is found.
    pub(crate) fn beside(started: Started) -> Result<Self> {
        let passing = tempfile::tempdir().context("a folder for what is not kept")?;
        let dir = passing.path().to_owned();
        Ok(Self { dir, started, resumed: false, _lock: None, _passing: Some(passing) })
    }

    /// What earlier processes of this run have spent.
    pub(crate) fn spent(&self) -> Spent {
        files::found_before(&self.dir.join(COST)).ok().flatten().unwrap_or_default()
    }

    /// Notes what this run has spent so far.
    pub(crate) fn note_spent(&self, spent: Spent) -> Result<()> {
        files::keep(&self.dir.join(COST), &spent)
    }

    /// Whether nothing was made in it yet: all that it holds says how and with what data it began.
    pub(crate) fn is_unused(&self) -> bool {
        let notes = [RECIPE, STARTED, COST, atomic_file::LOCK];
        let began = [began::FILE, began::IMAGES, began::TEXTS, began::PARAPHRASES];
        self._lock.is_some() && holds_only(&self.dir, &[&notes[..], &began].concat())
    }

    /// Removes it, and those above it below `out` that hold nothing else.
    pub(crate) fn remove(&self, out: &Path) {
        // What cannot be removed is only in the way.
        let _ = fs::remove_dir_all(&self.dir);
        let above = self.dir.ancestors().skip(1).take_while(|dir| *dir != out);
        above.take_while(|dir| fs::remove_dir(dir).is_ok()).for_each(drop);
    }

    /// Points `<out>/<paper>/latest` at this folder; `name` is the recipe's. Fails, and leaves
    /// nothing behind, if something else than a link is called so.
    pub(crate) fn point_latest(&self, out: &Path, name: &str) -> Result<()> {
        let (paper, row) = name.split_once('/').unwrap_or((name, ""));
        let paper = out.join(paper);
        let latest = paper.join("latest");
        let temporary = paper.join(format!(".latest.{}", std::process::id()));
        let target =
            Path::new(row).join(self.dir.file_name().context("a run's folder has a name")?);
        let _ = fs::remove_file(&temporary);
        let pointed = std::os::unix::fs::symlink(target, &temporary)
            .and_then(|()| fs::rename(&temporary, &latest));
        if pointed.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        let way_out = match latest.is_dir() && !latest.is_symlink() {
            true => ": it is a folder: rename it, and the next run's link takes its place",
            false => "",
        };
        pointed.with_context(|| format!("cannot point {} at the run{way_out}", latest.display()))
    }
}

/// Makes a new run's folder, which appears whole or not at all: a process stopped meanwhile leaves
/// a folder that the next one removes.
fn begin(parent: &Path, recipe: &str, wanted: &Started) -> Result<RunFolder> {
    for dir in newest_first(parent)?.into_iter().filter(|dir| is_beginning(dir)) {
        if let Ok(_held) = lock(&dir) {
            let _ = fs::remove_dir_all(&dir);
        }
    }
    let beginning = parent.join(format!("{BEGINNING}{}", std::process::id()));
    fs::create_dir_all(&beginning)
        .with_context(|| format!("cannot make {}: choose another --out", beginning.display()))?;
    let lock = lock(&beginning)?;
    atomic_file::write(&beginning.join(RECIPE), recipe.as_bytes())?;
    files::keep(&beginning.join(STARTED), wanted)?;
    let name = wanted.at.replace(':', "-");
    let dir = (1..)
        .map(|n| if n == 1 { parent.join(&name) } else { parent.join(format!("{name}-{n}")) })
        .find(|dir| !dir.exists())
        .expect("a free name");
    fs::rename(&beginning, &dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(RunFolder::held(dir, wanted.clone(), false, lock))
}

/// Whether a folder and those in it have no other files than of these names.
fn holds_only(dir: &Path, names: &[&str]) -> bool {
    let known = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| match entry.path() {
            path if path.is_dir() => holds_only(&path, names),
            _ => names.contains(&&*entry.file_name().to_string_lossy()),
        })
    };
    fs::read_dir(dir).is_ok_and(|mut entries| entries.all(known))
}

/// Whether a folder is one that [`begin`] has not finished.
fn is_beginning(dir: &Path) -> bool {
    dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with(BEGINNING))
}

/// Reads the recipe's text and the start of a finished or unfinished run.
pub(crate) fn read(dir: &Path) -> Result<(String, Started)> {
    let text = fs::read_to_string(dir.join(RECIPE)).with_context(|| {
        format!(
            "{} is not the folder of a run (it has no {RECIPE}), which is called after its time or \
             latest, as runs/own-images/latest",
            dir.display()
        )
    })?;
    let started = read_started(dir)?
        .with_context(|| format!("{}: {STARTED} is missing or damaged", dir.display()))?;
    Ok((text, started))
}

/// Now, as RFC 3339 to the second.
pub(crate) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn read_started(dir: &Path) -> Result<Option<Started>> {
    files::found_before(&dir.join(STARTED))
}

fn newest_first(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut dirs: Vec<PathBuf> = fs::read_dir(parent)
        .with_context(|| format!("cannot read {}", parent.display()))?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.is_dir())
        .collect();
    dirs.sort();
    dirs.reverse();
    Ok(dirs)
}

/// Whether the system forbids it to this user.
fn is_denied(error: &anyhow::Error) -> bool {
    let mut faults = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    faults.any(|fault| fault.kind() == io::ErrorKind::PermissionDenied)
}

/// Fails if this user may not write to a folder: one may lock that of another user.
fn can_write(dir: &Path) -> Result<()> {
    let made = tempfile::tempfile_in(dir);
    made.map(drop).with_context(|| format!("cannot write to {}", dir.display()))
}

/// Keeps a second process out of the folder; the lock ends with the process, however that ends.
fn lock(dir: &Path) -> Result<FolderLock> {
    atomic_file::lock_folder(dir)?.with_context(|| {
        format!(
            "{} is being worked on by another process; wait for it, or start a new run with --fresh",
            dir.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_forbids_is_told_from_other_faults() {
        let of = |kind: io::ErrorKind| {
            let (path, source) = (PathBuf::from("run/.lock"), kind.into());
            anyhow::Error::from(atomic_file::Error { path, source }).context("a run")
        };
        assert!(is_denied(&of(io::ErrorKind::PermissionDenied)));
        assert!(!is_denied(&of(io::ErrorKind::StorageFull)));
        let dir = tempfile::tempdir().expect("a folder");
        can_write(dir.path()).expect("it may be written to");
        assert!(!is_denied(&can_write(&dir.path().join("none")).expect_err("not there")));
    }

    #[test]
    fn a_folder_that_is_called_latest_stays_and_nothing_is_left_beside_it() {
        let out = tempfile::tempdir().expect("a folder");
        let paper = out.path().join("paper");
        let run = RunFolder {
            dir: paper.join("row/2026"),
            started: Started {
                at: now(),
                seeds: vec![1],
                quick: false,
                data: None,
                device: "cpu".to_owned(),
                threads: 1,
                program: "1".to_owned(),
            },
            resumed: false,
            _lock: None,
            _passing: None,
        };
        fs::create_dir_all(&run.dir).expect("made");
        fs::create_dir(paper.join("latest")).expect("made");
        let error = run.point_latest(out.path(), "paper/row").expect_err("a folder").to_string();
        assert!(error.contains("it is a folder: rename it"), "{error}");
        let mut names: Vec<_> = fs::read_dir(&paper)
            .expect("it")
            .map(|entry| entry.expect("one").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["latest", "row"]);
        fs::remove_dir(paper.join("latest")).expect("removed");
        run.point_latest(out.path(), "paper/row").expect("a link");
        run.point_latest(out.path(), "paper/row").expect("another in its place");
        assert_eq!(fs::read_link(paper.join("latest")).expect("it"), Path::new("row/2026"));
    }
}
