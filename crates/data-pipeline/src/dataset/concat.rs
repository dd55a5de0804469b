//! Several sets, one after the other.

use super::Samples;
use crate::digest::Digest;
use crate::error::DataError;
use std::sync::Arc;

/// Several sets, one after the other: SVHN's train and extra parts, or a labelled and an unlabelled
/// folder.
pub struct Concat<T> {
    sets: Vec<Arc<dyn Samples<Item = T>>>,
    starts: Vec<usize>,
    classes: Vec<String>,
}

impl<T> Concat<T> {
    /// Joins `sets`. Fails if there is none, or two of them have classes and these differ.
    pub fn new(sets: Vec<Arc<dyn Samples<Item = T>>>) -> Result<Self, DataError> {
        let named: Vec<_> =
            sets.iter().map(|set| set.classes()).filter(|classes| !classes.is_empty()).collect();
        if sets.is_empty() {
            return Err(DataError::Request("no data set to read from".into()));
        }
        if let Some(other) = named.iter().find(|classes| **classes != named[0]) {
            let fault = format!(
                "data sets with different classes cannot be joined: {:?} and {other:?}",
                named[0]
            );
            return Err(DataError::Request(fault));
        }
        let classes = named.first().map(|classes| classes.to_vec()).unwrap_or_default();
        let mut starts = vec![0];
        for set in &sets {
            starts.push(starts[starts.len() - 1] + set.len());
        }
        Ok(Self { sets, starts, classes })
    }

    /// Which set, and which sample of it.
    fn find(&self, index: usize) -> (&dyn Samples<Item = T>, usize) {
        assert!(index < self.len(), "sample {index} of {}", self.len());
        let set = self.starts.partition_point(|&start| start <= index) - 1;
        (&*self.sets[set], index - self.starts[set])
    }
}

impl<T> Samples for Concat<T> {
    type Item = T;

    fn len(&self) -> usize {
        self.starts[self.sets.len()]
    }

    fn item(&self, index: usize) -> Result<T, DataError> {
        let (set, index) = self.find(index);
        set.item(index)
    }

    fn label(&self, index: usize) -> Option<u32> {
        let (set, index) = self.find(index);
        set.label(index)
    }

    fn id(&self, index: usize) -> String {
        let (set, index) = self.find(index);
        set.id(index)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn digests(&self) -> Result<Option<Vec<Digest>>, DataError> {
        let each = self.sets.iter().map(|set| set.digests());
        let each: Option<Vec<_>> = each.collect::<Result<_, _>>()?;
        Ok(each.map(|each| each.concat()))
    }
}
