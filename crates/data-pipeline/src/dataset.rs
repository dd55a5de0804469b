//! What a data set is: numbered samples with optional labels. [`Samples`] is the trait,
//! [`ArraySet`] holds images of one size, [`VecSet`] samples of any type, [`Concat`] joins sets,
//! [`Cached`] keeps decoded images, [`Recompressed`] passes them through JPEG; the modules below
//! read file formats.

pub mod addresses;
mod cached;
pub mod cifar10;
pub mod cifar100;
mod concat;
pub mod dialogues;
pub mod digits;
pub mod fingerprint;
pub mod folder;
pub mod idx;
mod mat;
mod pickled;
pub mod points;
mod recompressed;
pub mod stl10;
pub mod svhn;
mod vec_set;

pub use cached::Cached;
pub use concat::Concat;
pub use recompressed::Recompressed;
pub use vec_set::VecSet;

use crate::digest::Digest;
use crate::error::{DataError, label_beyond};
use augment::Image;
use ndarray::Array4;
use serde::{Deserialize, Serialize};

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

    /// A sample as [`Cached`] keeps it: what takes the least memory and gives the sample again by
    /// [`of_kept`](Self::of_kept). Fails and panics as [`item`](Self::item) does.
    fn kept(&self, index: usize) -> Result<Self::Item, DataError> {
        self.item(index)
    }

    /// The sample of what was kept of it.
    fn of_kept(&self, kept: Self::Item) -> Self::Item {
        kept
    }

    /// The label of a sample, a position in [`Samples::classes`]; `None` when unlabelled. Panics if
    /// `index` is out of range.
    fn label(&self, index: usize) -> Option<u32>;

    /// A name of the sample that does not depend on this run: a path inside the folder, or set,
    /// part and number.
    fn id(&self, index: usize) -> String;

    /// The names of the classes; empty if no sample has a label.
    fn classes(&self) -> &[String];

    /// Digests of the samples' stored contents, which tell whether two are the same; `None` where
    /// the set has none. Reads all files on the first call, and fails if one cannot be read.
    fn digests(&self) -> Result<Option<Vec<Digest>>, DataError> {
        Ok(None)
    }

    /// How large a sample is beside others of the set, such as its number of tokens: what
    /// [`Order::Bucketed`](crate::sampler::Order::Bucketed) goes by. Panics if `index` is out of
    /// range.
    fn size(&self, _index: usize) -> u32 {
        0
    }

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
    /// SVHN's further training images, STL-10's unlabelled ones.
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
        Some(i) => fault(format!("sample {i} has {}", label_beyond(labels[i], classes))),
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
