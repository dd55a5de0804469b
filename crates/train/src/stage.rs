//! The folder of one stage of training, which starts empty and ends with final weights and a mark
//! that they are final.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use torch::store::{self, StoreError, Stored};
use torch::{Params, finite};

use crate::checkpoint::{CheckpointError, Checkpoints};

/// A stage's folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
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
    /// Another process holds the folder.
    #[error(
        "{}: another process is training here. Wait for it or stop it, or train in another folder",
        path.display()
    )]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of checkpoints cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The final weights cannot be written or read.
    #[error(transparent)]
    Weights(#[from] StoreError),
    /// There are no final weights yet.
    #[error(
        "{} is not there: the run has not come to it; run the same command again",
        path.display()
    )]
    Unfinished {
        /// Where they will be.
        path: PathBuf,
    },
    /// The final weights are not those that the stage ended with.
    #[error(
        "{}: other bytes than done.json beside it records, so the file is damaged or was replaced: \
         restore it, or train again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The weights that the stage is to end with are no numbers.
    #[error(
        "{}: the tensor {name} of the final weights is {value}, so they are not kept",
        path.display()
    )]
    NonFinite {
        /// The stage's folder.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Not a number, or an infinity.
        value: f64,
    },
}

/// What `done.json` says of a stage that is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The sha256 of `final.safetensors`, in hexadecimal digits.
    pub sha256: String,
    /// What the caller keeps of the stage: its step, metrics, cost.
    pub summary: serde_json::Value,
}

/// The folder of one stage of training:
///
/// - `checkpoints/`: see [`Checkpoints`];
/// - `metrics.jsonl`: see [`Entry`](crate::record::Entry); `events.out.tfevents.*`: the same for
///   TensorBoard;
/// - `final.safetensors`: the weights that the stage was for, under their checkpoint names;
/// - `done.json`: written last; see [`Done`];
/// - `lock`: held while a process has the folder open.
#[derive(Debug)]
pub struct StageDir {
    path: PathBuf,
    checkpoints: Checkpoints,
    _lock: Option<File>,
}

/// The file of the final weights.
const FINAL: &str = "final.safetensors";
/// The file that says that they are final.
const MARK: &str = "done.json";

/// How long a folder that is in use is waited for: a process that just ended, or a child that this
/// one has started and that is not yet its own program, lets go of the lock a moment later.
const PATIENCE: Duration = Duration::from_secs(2);

impl StageDir {
    /// Makes the folder if it does not exist, locks it against other processes as long as the
    /// result lives, and removes files that a killed process left unfinished. A folder that is in
    /// use is waited for, two seconds at most.
    pub fn open(path: &Path) -> Result<Self, StageError> {
        fs::create_dir_all(path).map_err(io_at(path))?;
        let lock_path = path.join("lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(io_at(&lock_path))?;
        let began = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StageError::Busy { path: path.to_owned() });
                }
                Err(TryLockError::Error(source)) => {
                    return Err(StageError::Io { path: lock_path, source });
                }
            }
        }
        atomic_file::remove_left_overs(path)?;
        let checkpoints = Checkpoints::open(&path.join("checkpoints"))?;
        Ok(Self { path: path.to_owned(), checkpoints, _lock: Some(lock) })
    }

    /// A stage's folder for a process that trains along and writes nothing: the folder is neither
    /// made nor locked, and need not be there.
    pub fn beside(path: &Path) -> Self {
        let checkpoints = Checkpoints::beside(&path.join("checkpoints"));
        Self { path: path.to_owned(), checkpoints, _lock: None }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoints of the stage.
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    /// Where the final weights are.
    pub fn final_path(&self) -> PathBuf {
        self.path.join(FINAL)
    }

    /// The final weights in a stage's folder, which is neither locked nor changed. It is an error
    /// if they are not there yet, or if `done.json` records another digest than theirs.
    pub fn final_weights(path: &Path) -> Result<Stored, StageError> {
        let file = path.join(FINAL);
        let bytes = match fs::read(&file) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(StageError::Unfinished { path: file });
            }
            bytes => bytes.map_err(io_at(&file))?,
        };
        let mark = path.join(MARK);
        match fs::read(&mark) {
            // A process that was killed between the two files has left none, nor has what is no
            // training.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            text => {
                let done: Result<Done, _> = serde_json::from_slice(&text.map_err(io_at(&mark))?);
                if done.map_err(|e| io_at(&mark)(e.into()))?.sha256 != digest(&bytes) {
                    return Err(StageError::Damaged { path: file });
                }
            }
        }
        Ok(store::from_bytes(&bytes, &file.display().to_string())?)
    }

    /// The contents of `done.json`, if the stage is finished: the file is there and the final
    /// weights have the digest that it names. If they have not, there is a warning, and the stage
    /// counts as not finished.
    pub fn done(&self) -> Result<Option<Done>, StageError> {
        let (mark, weights) = (self.path.join(MARK), self.final_path());
        let text = match fs::read(&mark) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(io_at(&mark))?,
        };
        let fault = match serde_json::from_slice::<Done>(&text) {
            Err(e) => format!("{}: {e}", mark.display()),
            Ok(done) => match fs::read(&weights) {
                Ok(bytes) if digest(&bytes) == done.sha256 => return Ok(Some(done)),
                Ok(_) => format!("{}: other bytes than done.json says", weights.display()),
                Err(e) => format!("{}: {e}", weights.display()),
            },
        };
        tracing::warn!("{fault}; the stage counts as not finished");
        Ok(None)
    }

    /// Writes the final weights, those that were evaluated (an average, the best ones), and then
    /// `done.json`. Weights of which one is not finite are an error.
    pub fn finish(&self, weights: &Params, summary: &impl Serialize) -> Result<(), StageError> {
        let summary = serde_json::to_value(summary)
            .map_err(|e| StageError::Io { path: self.path.join(MARK), source: e.into() })?;
        let tensors = weights.tensors();
        let values: Vec<_> = tensors.iter().map(|(_, tensor)| tensor).collect();
        if let Some((at, value)) = finite::first_bad(&values) {
            let (path, name) = (self.path.clone(), tensors[at].0.clone());
            return Err(StageError::NonFinite { path, name, value });
        }
        let bytes = store::to_bytes(&tensors, &BTreeMap::new());
        atomic_file::write(&self.final_path(), &bytes)?;
        let done = Done { sha256: digest(&bytes), summary };
        let text = serde_json::to_vec_pretty(&done).expect("plain data");
        atomic_file::write(&self.path.join(MARK), &text)?;
        Ok(())
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> StageError + use<> {
    let path = path.to_owned();
    move |source| StageError::Io { path, source }
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
