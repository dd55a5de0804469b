//! Checkpoints: one file holds everything that a training resumes from.
//!
//! A checkpoint is a safetensors file. Tensors: `param.NAME` (weights and running statistics),
//! `optim.NAME` (the optimiser's state), `state.NAME` (the objective's state), `rng.cpu` and
//! `rng.cuda` (generator states). Metadata: `format`, `step`, `recipe` (the resolved recipe's
//! text), `run` (JSON: [`RunState`]) and `sha256`, a digest of all of that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use metrics::{Better, Metric};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use torch::store::{self, StoreError, Stored};
use torch::{Tensor, no_grad};

use crate::{Objective, evaluation};

/// The value of the metadata entry `format`.
const FORMAT: &str = "tutor checkpoint 2";

/// The name of the metadata entry with the digest.
const DIGEST: &str = "sha256";

/// How the name of a checkpoint ends.
const SUFFIX: &str = ".ckpt.safetensors";

/// A checkpoint that cannot be written, read or used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file or folder cannot be made, read or removed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] atomic_file::Error),
    /// The tensors cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is not what was written.
    #[error(
        "{}: the checkpoint is damaged: {reason}. Delete it to resume from the one before",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There are checkpoints, and none of them is whole.
    #[error(
        "{}: every checkpoint is damaged ({}). Delete this folder, or start a new run with --fresh, to begin again at step 0",
        folder.display(), damaged.join("; ")
    )]
    AllDamaged {
        /// The folder of checkpoints.
        folder: PathBuf,
        /// The name of each file and what is wrong with it, newest first.
        damaged: Vec<String>,
    },
    /// The file was written by a program with another format.
    #[error(
        "{}: the checkpoint has the format `{found}`, this program writes `{FORMAT}`. Go on with the program that wrote it, or start in another folder",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The format in its metadata.
        found: String,
    },
    /// The file belongs to another run.
    #[error(
        "{}: the checkpoint was written by another recipe ({difference}). Start in another folder, or delete this one to start anew",
        path.display()
    )]
    Recipe {
        /// The file.
        path: PathBuf,
        /// The first line that differs.
        difference: String,
    },
    /// The file holds other tensors than the network, optimiser or objective has.
    #[error("{}: the checkpoint does not fit: {}", path.display(), faults.join("; "))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Every tensor that is missing, unexpected or of another shape or kind.
        faults: Vec<String>,
    },
}

impl CheckpointError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| CheckpointError::Io { path, source }
    }
}

/// The best evaluation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Steps that the weights were trained for.
    pub step: u64,
    /// The value of the metric.
    pub value: f64,
    /// Which way the metric improves.
    pub better: Better,
}

/// How far a run has come; everything in a checkpoint that is no tensor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Steps completed. The batches that follow are a pure function of it.
    pub step: u64,
    /// Seconds of wall clock spent so far, over all the times that the run was started.
    pub seconds: f64,
    /// Floating-point operations so far, where the objective counts them.
    #[serde(default, rename = "operations")]
    pub flops: u64,
    /// Length of metrics.jsonl in bytes.
    pub record_bytes: u64,
    /// Length of the event file in bytes.
    pub events_bytes: u64,
    /// The best evaluation so far.
    pub best: Option<Best>,
    /// The latest evaluation. In JSON a value that is not finite is `null`, which is read as NaN.
    #[serde(with = "evaluation")]
    pub evaluation: Vec<Metric>,
}

/// A checkpoint that was read, with a digest that is right.
#[derive(Debug)]
pub struct Checkpoint {
    /// The file.
    pub path: PathBuf,
    /// How far the run had come.
    pub run: RunState,
    /// The resolved recipe of the run.
    pub recipe: String,
    /// All tensors, on the CPU, under their prefixed names.
    tensors: BTreeMap<String, Tensor>,
}

impl Checkpoint {
    /// Reads a file and verifies its digest.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = fs::read(path).map_err(CheckpointError::io(path))?;
        let damaged = |reason: String| CheckpointError::Damaged { path: path.to_owned(), reason };
        // Errors of the store begin with the file, which this error names already.
        let whole = store::from_bytes(&bytes, "contents").map_err(|e| damaged(e.to_string()))?;
        drop(bytes);
        let Stored { tensors, mut meta } = whole;
        let mut entry =
            |key: &str| meta.remove(key).ok_or_else(|| damaged(format!("it has no {key}")));
        let wanted = entry(DIGEST)?;
        let tensors: Vec<_> = tensors.into_iter().collect();
        let found = digest(&tensors, &meta).map_err(CheckpointError::io(path))?;
        if found != wanted {
            return Err(damaged(format!("its sha256 is {found} and should be {wanted}")));
        }
        let mut entry =
            |key: &str| meta.remove(key).ok_or_else(|| damaged(format!("it has no {key}")));
        let found = entry("format")?;
        if found != FORMAT {
            return Err(CheckpointError::Format { path: path.to_owned(), found });
        }
        let run = serde_json::from_str(&entry("run")?).map_err(|e| damaged(e.to_string()))?;
        let recipe = entry("recipe")?;
        Ok(Self { path: path.to_owned(), run, recipe, tensors: tensors.into_iter().collect() })
    }

    /// The tensors whose names begin with `prefix`, without it.
    pub fn part(&self, prefix: &str) -> BTreeMap<String, Tensor> {
        self.tensors
            .iter()
            .filter_map(|(n, t)| Some((n.strip_prefix(prefix)?.to_owned(), t.shallow_clone())))
            .collect()
    }

    /// Refuses a checkpoint of another recipe.
    pub fn expect_recipe(&self, recipe: &str) -> Result<(), CheckpointError> {
        if self.recipe == recipe {
            return Ok(());
        }
        let (mut then, mut now) = (self.recipe.lines(), recipe.lines());
        let difference = (1..)
            .map(|n| (n, then.next(), now.next()))
            .take_while(|(_, a, b)| a.is_some() || b.is_some())
            .find(|(_, a, b)| a != b)
            .map(|(n, a, b)| {
                let text = |line: Option<&str>| line.map_or("nothing".into(), |l| format!("`{l}`"));
                format!("line {n} was {} and is {}", text(a), text(b))
            })
            .unwrap_or_else(|| "in its line ends".to_owned());
        Err(CheckpointError::Recipe { path: self.path.clone(), difference })
    }

    /// Every difference in name, shape or kind between the tensors below `prefix` and `wanted`.
    pub(crate) fn faults(&self, prefix: &str, wanted: &[(String, Tensor)]) -> Vec<String> {
        let part = self.part(prefix);
        let mut faults = Vec::new();
        for (name, to) in wanted {
            match part.get(name) {
                None => faults.push(format!("{prefix}{name} is missing")),
                Some(t) if (t.size(), t.kind()) != (to.size(), to.kind()) => faults.push(format!(
                    "{prefix}{name} is {:?} {:?} and should be {:?} {:?}",
                    t.kind(),
                    t.size(),
                    to.kind(),
                    to.size()
                )),
                Some(_) => {}
            }
        }
        let wanted: BTreeSet<_> = wanted.iter().map(|(n, _)| n.as_str()).collect();
        let unexpected = part.keys().filter(|n| !wanted.contains(n.as_str()));
        faults.extend(unexpected.map(|n| format!("{prefix}{n} is unexpected")));
        faults
    }

    /// Copies what the checkpoint holds of an objective, its parameters and its state, into the
    /// objective's tensors. Either all is copied, or there is an error that names every tensor at
    /// fault.
    pub fn restore<O: Objective + ?Sized>(&self, objective: &O) -> Result<(), CheckpointError> {
        let parts = [("param.", objective.params().tensors()), ("state.", objective.state())];
        let faults: Vec<_> =
            parts.iter().flat_map(|(prefix, to)| self.faults(prefix, to)).collect();
        if !faults.is_empty() {
            return Err(CheckpointError::Mismatch { path: self.path.clone(), faults });
        }
        no_grad(|| {
            for (prefix, wanted) in &parts {
                for (name, to) in wanted {
                    to.shallow_clone().copy_(&self.tensors[&format!("{prefix}{name}")]);
                }
            }
        });
        Ok(())
    }
}

/// The sha256, in hexadecimal digits, of the bytes of a file with these contents and no digest.
/// These bytes depend on the contents alone, so that the digest covers every tensor's name, kind,
/// shape and values and all metadata.
fn digest(tensors: &[(String, Tensor)], meta: &BTreeMap<String, String>) -> io::Result<String> {
    let mut hash = Sha256::new();
    store::write(&mut hash, tensors, meta)?;
    Ok(format!("{:x}", hash.finalize()))
}

/// The folder of a run's checkpoints: `step-00000400.ckpt.safetensors`, …, `best.ckpt.safetensors`.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// Makes the folder if it does not exist, and removes files that a killed process left
    /// unfinished.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        fs::create_dir_all(folder).map_err(CheckpointError::io(folder))?;
        atomic_file::remove_left_overs(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The checkpoints in a folder, for a process that does not write into it: the folder is not
    /// made.
    pub(crate) fn beside(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where the checkpoint of a step is, or would be.
    pub fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:08}{SUFFIX}"))
    }

    /// Where the best checkpoint is, or would be.
    pub fn best_path(&self) -> PathBuf {
        self.folder.join(format!("best{SUFFIX}"))
    }

    /// Writes a checkpoint, with tensors under prefixed names. Once this has returned, the
    /// checkpoint survives a loss of power.
    pub(crate) fn write(
        &self,
        run: &RunState,
        recipe: &str,
        tensors: &[(String, Tensor)],
    ) -> Result<PathBuf, CheckpointError> {
        let path = self.path(run.step);
        let text = serde_json::to_string(run).expect("plain data");
        let mut meta = BTreeMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("recipe".to_owned(), recipe.to_owned()),
            ("run".to_owned(), text),
            ("step".to_owned(), run.step.to_string()),
        ]);
        let digest = digest(tensors, &meta).map_err(CheckpointError::io(&path))?;
        meta.insert(DIGEST.to_owned(), digest);
        store::save(&path, tensors, &meta)?;
        Ok(path)
    }

    /// Removes the checkpoint of a step.
    pub(crate) fn remove(&self, step: u64) -> Result<(), CheckpointError> {
        let path = self.path(step);
        fs::remove_file(&path).map_err(CheckpointError::io(&path))
    }

    /// Removes all but the newest `keep` (at least one).
    pub(crate) fn prune(&self, keep: usize) -> Result<(), CheckpointError> {
        let steps = self.steps()?;
        let old = steps.len().saturating_sub(keep.max(1));
        steps[..old].iter().try_for_each(|step| self.remove(*step))
    }

    /// Makes the checkpoint of this step the best one.
    pub(crate) fn set_best(&self, step: u64) -> Result<(), CheckpointError> {
        Ok(atomic_file::link(&self.path(step), &self.best_path())?)
    }

    /// The steps of which there is a checkpoint, damaged or not, in order.
    pub fn steps(&self) -> Result<Vec<u64>, CheckpointError> {
        let mut steps = Vec::new();
        let entries = fs::read_dir(&self.folder).map_err(CheckpointError::io(&self.folder))?;
        for entry in entries {
            let name = entry.map_err(CheckpointError::io(&self.folder))?.file_name();
            let name = name.to_string_lossy();
            let step = name.strip_prefix("step-").and_then(|n| n.strip_suffix(SUFFIX));
            steps.extend(step.and_then(|s| s.parse::<u64>().ok()));
        }
        steps.sort_unstable();
        Ok(steps)
    }

    /// The newest checkpoint that is whole; `None` if there is no checkpoint. Damaged ones are
    /// passed over with a warning; if all of them are damaged, that is an error.
    pub fn newest(&self) -> Result<Option<Checkpoint>, CheckpointError> {
        let mut damaged = Vec::new();
        for step in self.steps()?.into_iter().rev() {
            match Checkpoint::read(&self.path(step)) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(CheckpointError::Damaged { path, reason }) => {
                    tracing::warn!(
                        "{}: the checkpoint is damaged ({reason}) and is passed over",
                        path.display()
                    );
                    let name = path.file_name().unwrap_or_default().display();
                    damaged.push(format!("{name}: {reason}"));
                }
                Err(other) => return Err(other),
            }
        }
        if damaged.is_empty() {
            return Ok(None);
        }
        Err(CheckpointError::AllDamaged { folder: self.folder.clone(), damaged })
    }

    /// The best checkpoint, if an evaluation gave the metric that decides.
    pub fn best(&self) -> Result<Option<Checkpoint>, CheckpointError> {
        let path = self.best_path();
        if path.exists() { Checkpoint::read(&path).map(Some) } else { Ok(None) }
    }
}
