//! What a data set is: numbered images with optional labels. [`Samples`] is the trait, [`ArraySet`] the plainest
//! implementation, [`Concat`] two or more sets one after the other; readers of file formats are the modules below.

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

/// Numbered images, with labels where they are known. Loader workers share a set, so reading takes `&self`.
pub trait Samples: Send + Sync {
    /// How many samples there are.
    fn len(&self) -> usize;

    /// The image of a sample. Fails if a file that is read on demand has gone bad. Panics if `index` is out of range.
    fn image(&self, index: usize) -> Result<Image, DataError>;

    /// The label of a sample, a position in [`Samples::classes`]; `None` when unlabelled. Panics if `index` is out of range.
    fn label(&self, index: usize) -> Option<u32>;

    /// A name of the sample that does not depend on this run: a path inside the folder, or set, part and number.
    fn id(&self, index: usize) -> String;

    /// The names of the classes; empty for an unlabelled folder.
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
/// let set = ArraySet::new("toy", images, Some(vec![0, 1]), vec!["cat".into(), "dog".into()]).unwrap();
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
    /// A set from `images` `[n, h, w, c]` with `c` 1 or 3, labels and class names; ids are `name/number`.
    /// Fails if the number of labels differs from `n`, a label names no class, or the images have no pixels.
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
        if let Some(labels) = &labels {
            if labels.len() != n {
                return fault(format!("{n} images but {} labels", labels.len()));
            }
            if let Some(i) = labels.iter().position(|&l| l as usize >= classes.len()) {
                return fault(format!(
                    "sample {i} has label {} of {} classes",
                    labels[i],
                    classes.len()
                ));
            }
        }
        Ok(Self { name, images: images.as_standard_layout().into_owned(), labels, classes })
    }

    /// All images, `[n, h, w, c]`.
    pub fn images(&self) -> &Array4<u8> {
        &self.images
    }
}

impl Samples for ArraySet {
    fn len(&self) -> usize {
        self.images.dim().0
    }

    fn image(&self, index: usize) -> Result<Image, DataError> {
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

/// Several sets, one after the other: SVHN's train and extra parts, or a labelled and an unlabelled folder.
#[derive(Clone)]
pub struct Concat {
    sets: Vec<Arc<dyn Samples>>,
    starts: Vec<usize>,
    classes: Vec<String>,
}

impl Concat {
    /// Joins `sets`. Fails if there is none, or two of them have classes and these differ.
    pub fn new(sets: Vec<Arc<dyn Samples>>) -> Result<Self, DataError> {
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
    fn find(&self, index: usize) -> (&dyn Samples, usize) {
        assert!(index < self.len(), "sample {index} of {}", self.len());
        let set = self.starts.partition_point(|&start| start <= index) - 1;
        (&*self.sets[set], index - self.starts[set])
    }
}

impl Samples for Concat {
    fn len(&self) -> usize {
        self.starts[self.sets.len()]
    }

    fn image(&self, index: usize) -> Result<Image, DataError> {
        let (set, index) = self.find(index);
        set.image(index)
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
