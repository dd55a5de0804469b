//! Samples of any type in memory.

use super::{Samples, check_labels};
use crate::error::DataError;

/// Samples of any type in memory: texts, token ids, pairs.
///
/// ```
/// use data_pipeline::dataset::{Samples, VecSet};
/// let (texts, classes) = (vec!["good", "bad"], vec!["neg".into(), "pos".into()]);
/// let set = VecSet::new("reviews/train", texts, Some(vec![1, 0]), classes)?;
/// assert_eq!((set.item(1)?, set.label(1), set.id(1)), ("bad", Some(0), "reviews/train/1".into()));
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct VecSet<T> {
    name: String,
    items: Vec<T>,
    labels: Option<Vec<u32>>,
    classes: Vec<String>,
    sizes: Vec<u32>,
}

impl<T> VecSet<T> {
    /// A set from samples, labels and class names; ids are `name/number`. Fails if the number of
    /// labels differs from that of samples, or a label names no class.
    pub fn new(
        name: impl Into<String>,
        items: Vec<T>,
        labels: Option<Vec<u32>>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let name = name.into();
        check_labels(&name, items.len(), labels.as_deref(), classes.len())?;
        Ok(Self { name, items, labels, classes, sizes: vec![] })
    }

    /// Gives its samples these sizes ([`Samples::size`]).
    #[must_use]
    pub fn sized(mut self, size: impl Fn(&T) -> u32) -> Self {
        self.sizes = self.items.iter().map(size).collect();
        self
    }

    /// All samples.
    pub fn items(&self) -> &[T] {
        &self.items
    }
}

impl<T: Clone + Send + Sync> Samples for VecSet<T> {
    type Item = T;

    fn len(&self) -> usize {
        self.items.len()
    }

    fn item(&self, index: usize) -> Result<T, DataError> {
        Ok(self.items[index].clone())
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.labels.as_ref().map(|labels| labels[index])
    }

    fn id(&self, index: usize) -> String {
        format!("{}/{index}", self.name)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn size(&self, index: usize) -> u32 {
        self.sizes.get(index).copied().unwrap_or(0)
    }
}
