//! Paraphrases that several processes make together: each makes some of the batches, a file each,
//! and whoever finds them all joins them to the file that one process would have made.
//!
//! A batch depends on its texts and the seed alone, so that the bytes are the same for any number
//! of processes, whichever made a batch, and however often they were stopped.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::back_translation::{BackTranslation, Translator};
use super::paraphrases::{Made, Paraphrases};
use super::{TextError, io, write};
use crate::fault::Fault;

/// A folder with a file for each batch that is made.
#[derive(Clone, Debug)]
pub struct Parts {
    folder: PathBuf,
    made: Made,
}

impl Parts {
    /// Those that belong to the file of paraphrases at `path`, in the folder `PATH.parts`.
    pub fn beside(path: &Path, made: Made) -> Self {
        let mut folder = path.as_os_str().to_owned();
        folder.push(".parts");
        Self { folder: folder.into(), made }
    }

    fn path(&self, batch: usize) -> PathBuf {
        self.folder.join(format!("batch-{batch:06}.jsonl"))
    }

    /// The line of a batch, if it is made.
    fn line(&self, batch: usize) -> Result<Option<Vec<u8>>, TextError> {
        let path = self.path(batch);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(io(&path))?,
        };
        match bytes.strip_prefix(self.made.header().as_slice()) {
            Some(line) => Ok(Some(line.to_vec())),
            None => {
                let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
                let there = serde_json::from_slice::<Made>(first).ok();
                let other = there.and_then(|there| there.difference(&self.made));
                let what = other.unwrap_or_else(|| "not a batch of paraphrases".into());
                let fault = format!("{what}; name another place, or remove its folder");
                Err(TextError::Format { path, fault })
            }
        }
    }

    /// Makes every `workers`-th batch from number `worker` on that is not there, the first `done`
    /// ones left out; `each` is called with the number of every one that is there then. Pipeline
    /// and texts must be those that the file is made for.
    pub fn fill<F: Translator, B: Translator>(
        &self,
        pipeline: &mut BackTranslation<F, B>,
        texts: &[String],
        [worker, workers]: [usize; 2],
        done: usize,
        mut each: impl FnMut(usize),
    ) -> Result<(), TextError> {
        if worker >= workers {
            let allowed = format!("0 to one less than the number of workers ({workers})");
            return Err(Fault::new("worker", worker, allowed).into());
        }
        for batch in (worker..self.made.batches()).step_by(workers).filter(|&n| n >= done) {
            if self.line(batch)?.is_none() {
                let line = self.made.make(batch, pipeline, texts)?;
                write(&self.path(batch), &[self.made.header(), line].concat())?;
            }
            each(batch);
        }
        Ok(())
    }

    /// Moves the batches that follow those of the file into it, up to the first that is missing;
    /// the folder goes when the file is whole.
    pub fn gather(&self, whole: &mut Paraphrases) -> Result<(), TextError> {
        let (first, all) = whole.progress();
        for batch in first..all {
            let Some(line) = self.line(batch)? else { return Ok(()) };
            whole.append(&line)?;
        }
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io(&self.folder)(error)),
            _ => Ok(()),
        }
    }
}
