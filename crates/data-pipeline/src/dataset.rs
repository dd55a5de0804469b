//! What a data set is: numbered samples with optional labels. [`Samples`] is the trait,
//! [`ArraySet`] holds images of one size, [`VecSet`] samples of any type, [`Concat`] joins sets;
//! the modules below read file formats.

pub mod cifar10;
pub mod digits;
pub mod folder;
pub mod idx;
mod mat;
pub mod svhn;

use crate::error::DataError;
use augment::Image;
use ndarray::Array4;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Numbered samples, with labels where they are known. Loader workers share a set, so reading takes
/// `&self`.
pub trait Samples: Send + Sync {
    /// What a sample is: an [`Image`], a text, token ids, a pair.
    type Item;

    /// How many samples there are.
    fn len(&self) -> usize;

    /// A sample. Fails if a file that is read on demand cannot be read or decoded any more. Panics
    /// if `index` is out of range.
    fn item(&self, index: usize) -> Result<Self::Item, DataError>;

    /// The label of a sample, a position in [`Samples::classes`]; `None` when unlabelled. Panics if
    /// `index` is out of range.
    fn label(&self, index: usize) -> Option<u32>;

    /// A name of the sample that does not depend on this run: a path inside the folder, or set,
    /// part and number.
    fn id(&self, index: usize) -> String;

    /// The names of the classes; empty if no sample has a label.
    fn classes(&self) -> &[String];

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of all samples. Fails if one has none.
    fn labels(&self) -> Result<Vec<u32>, DataError> {
        let label = |i| {
            let name = || {
                DataError::Request(format!(
                    "{} has no label, but labels are needed here",
                    self.id(i)
                ))
            };
            self.label(i).ok_or_else(name)
        };
        (0..self.len()).map(label).collect()
    }
}

/// Any set of images.
pub type ImageSamples = dyn Samples<Item = Image>;

/// The official part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The training part.
    Train,
    /// The test part.
    Test,
    /// SVHN's further training images.
    Extra,
}

impl Part {
    /// The name as it stands in ids and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
            Self::Extra => "extra",
        }
    }
}

/// Images of one size in memory.
///
/// ```
/// use data_pipeline::dataset::{ArraySet, Samples};
/// let images = ndarray::Array4::zeros((2, 4, 4, 1));
/// let classes = vec!["cat".into(), "dog".into()];
/// let set = ArraySet::new("toy", images, Some(vec![0, 1]), classes).unwrap();
/// assert_eq!((set.len(), set.label(1), set.id(1)), (2, Some(1), "toy/1".into()));
/// ```
#[derive(Clone, Debug)]
pub struct ArraySet {
    name: String,
    images: Array4<u8>,
    labels: Option<Vec<u32>>,
    classes: Vec<String>,
}

impl ArraySet {
    /// A set from `images` `[n, h, w, c]` with `c` 1 or 3, labels and class names; ids are
    /// `name/number`. Fails if the number of labels differs from `n`, a label names no class, or
    /// the images have no pixels.
    pub fn new(
        name: impl Into<String>,
        images: Array4<u8>,
        labels: Option<Vec<u32>>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let (name, (n, h, w, c)) = (name.into(), images.dim());
        let fault = |what: String| Err(DataError::Request(format!("set `{name}`: {what}")));
        if h == 0 || w == 0 || !(c == 1 || c == 3) {
            return fault(format!(
                "images of {h}x{w}x{c} (height x width x channels): channels must be 1 or 3, no side 0"
            ));
        }
        check_labels(&name, n, labels.as_deref(), classes.len())?;
        Ok(Self { name, images: images.as_standard_layout().into_owned(), labels, classes })
    }

    /// All images, `[n, h, w, c]`.
    pub fn images(&self) -> &Array4<u8> {
        &self.images
    }
}

/// Checks that each of `n` samples has a label below `classes`, where there are labels.
fn check_labels(
    name: &str,
    n: usize,
    labels: Option<&[u32]>,
    classes: usize,
) -> Result<(), DataError> {
    let fault = |what: String| Err(DataError::Request(format!("set `{name}`: {what}")));
    let Some(labels) = labels else { return Ok(()) };
    if labels.len() != n {
        return fault(format!("{n} samples but {} labels", labels.len()));
    }
    match labels.iter().position(|&label| label as usize >= classes) {
        Some(i) => fault(format!("sample {i} has label {} of {classes} classes", labels[i])),
        None => Ok(()),
    }
}

impl Samples for ArraySet {
    type Item = Image;

    fn len(&self) -> usize {
        self.images.dim().0
    }

    fn item(&self, index: usize) -> Result<Image, DataError> {
        let (_, h, w, c) = self.images.dim();
        let pixels = self.images.index_axis(ndarray::Axis(0), index).iter().copied().collect();
        Ok(Image::new(w, h, c, pixels))
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
}

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
        Ok(Self { name, items, labels, classes })
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
}

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
}
