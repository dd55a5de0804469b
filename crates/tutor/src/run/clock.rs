//! The time that a run keeps to.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::files;

/// Counts the seconds of one seed over all processes that worked on it.
pub(crate) struct Clock<'a> {
    total: f64,
    began: Instant,
    earlier: f64,
    file: &'a Path,
}

#[derive(Default, Serialize, Deserialize)]
struct Spent {
    seconds: f64,
}

impl<'a> Clock<'a> {
    /// Counts from `began`, and goes on from what `file` says that earlier processes spent.
    pub(crate) fn start(minutes: f64, began: Instant, file: &'a Path) -> Result<Self> {
        let spent: Spent = files::found_before(file)?.unwrap_or_default();
        Ok(Self { total: 60.0 * minutes, began, earlier: spent.seconds, file })
    }

    /// Seconds that are left; 0 when there are none.
    pub(crate) fn left(&self) -> f64 {
        (self.total - self.spent()).max(0.0)
    }

    /// Notes what has been spent.
    pub(crate) fn note(&self) -> Result<()> {
        files::keep(self.file, &Spent { seconds: self.spent() })
    }

    /// Seconds that have been spent, by earlier processes too.
    pub(crate) fn spent(&self) -> f64 {
        self.earlier + self.began.elapsed().as_secs_f64()
    }
}
