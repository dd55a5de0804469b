//! Some images of a set.

use std::sync::Arc;

use data_pipeline::dataset::ImageSamples;

use crate::run::predictions::Predictions;
use crate::run::scores::Scores;

/// A set of images that loader threads share.
pub(crate) type Set = Arc<ImageSamples>;

/// Some images of a set, by index.
#[derive(Clone)]
pub(crate) struct Subset {
    pub(crate) set: Set,
    pub(crate) indices: Vec<u32>,
}

impl Subset {
    /// All of a set.
    pub(crate) fn all(set: Set) -> Self {
        let indices = (0..set.len() as u32).collect();
        Self { set, indices }
    }

    /// At most so many, the first ones.
    pub(super) fn first(mut self, at_most: Option<usize>) -> Self {
        self.indices.truncate(at_most.unwrap_or(usize::MAX));
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.indices.len()
    }

    /// The true class of each image, where it is known.
    pub(crate) fn labels(&self) -> Vec<Option<u32>> {
        self.indices.iter().map(|&i| self.set.label(i as usize)).collect()
    }

    /// The name of each image.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.indices.iter().map(|&i| self.set.id(i as usize)).collect()
    }

    /// What was said of those whose class is known.
    pub(crate) fn scores(&self, said: &Predictions) -> Scores {
        Scores::of(self.ids(), self.labels(), said)
    }

    /// At most `n` images, spread evenly, so that a sorted subset keeps all its classes.
    pub(crate) fn spread(&self, n: usize) -> Self {
        let n = n.min(self.len());
        let indices = (0..n).map(|i| self.indices[i * self.len() / n]).collect();
        Self { set: self.set.clone(), indices }
    }
}
