//! STL-10, binary version: 5,000 training, 8,000 test and 100,000 unlabelled images of 96x96 RGB.
//!
//! Format: `train_X.bin`, `test_X.bin` and `unlabeled_X.bin` have 27,648 bytes an image, red, green
//! and blue one after the other, each in column-major order; `train_y.bin` and `test_y.bin` have a
//! label an image, 1 to 10 (A. Coates, H. Lee, A. Ng, "An analysis of single-layer networks in
//! unsupervised feature learning", 2011).

use super::{Part, Samples};
use crate::error::DataError;
use augment::Image;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const SIDE: usize = 96;
const PLANE: usize = SIDE * SIDE;
const IMAGE: usize = 3 * PLANE;
const FOLDER: &str = "stl10_binary";
const CLASSES: [&str; 10] =
    ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];

/// One part of STL-10. Images are read from the file when they are asked for: the unlabelled part
/// has 2.8 GB.
#[derive(Debug)]
pub struct Stl10 {
    part: &'static str,
    path: PathBuf,
    file: File,
    count: usize,
    /// None for the unlabelled part.
    labels: Option<Vec<u8>>,
    classes: Vec<String>,
}

impl Stl10 {
    /// Opens a part in `dir`, or in `dir/stl10_binary`; [`Part::Extra`] is the unlabelled one.
    /// Fails, naming the file, if one is missing, has no whole number of images, has another number
    /// of labels than of images, or a label is not 1 to 10.
    pub fn open(dir: &Path, part: Part) -> Result<Self, DataError> {
        let (part, labeled) = match part {
            Part::Train => ("train", true),
            Part::Test => ("test", true),
            Part::Extra => ("unlabeled", false),
        };
        let name = format!("{part}_X.bin");
        let found =
            [dir.join(FOLDER), dir.to_path_buf()].into_iter().find(|d| d.join(&name).is_file());
        let dir = found.ok_or_else(|| DataError::Missing {
            path: dir.to_path_buf(),
            fault: format!("no STL-10 (binary version: {name}) here, nor in {FOLDER} below"),
            way_out: "`--data DIR` or $TUTOR_DATA name a folder that has it",
        })?;
        let path = dir.join(name);
        let way_out = "name a folder that may be read";
        let file = File::open(&path).map_err(DataError::io(&path, way_out))?;
        let size = file.metadata().map_err(DataError::io(&path, way_out))?.len();
        let count = (size / IMAGE as u64) as usize;
        if count == 0 || size % IMAGE as u64 != 0 {
            let fault = format!("{size} bytes are no whole number of images of {IMAGE}");
            return Err(DataError::format(&path, size, fault));
        }
        if !labeled {
            return Ok(Self { part, path, file, count, labels: None, classes: vec![] });
        }
        let beside = dir.join(format!("{part}_y.bin"));
        let mut labels = std::fs::read(&beside).map_err(DataError::io(&beside, way_out))?;
        if labels.len() != count {
            let fault = format!("{} labels for {count} images", labels.len());
            return Err(DataError::format(&beside, labels.len() as u64, fault));
        }
        if let Some(i) = labels.iter().position(|label| !(1..=10).contains(label)) {
            let fault = format!("label {i} is {}, expected 1 to 10", labels[i]);
            return Err(DataError::format(&beside, i as u64, fault));
        }
        labels.iter_mut().for_each(|label| *label -= 1);
        let classes = CLASSES.map(str::to_owned).to_vec();
        Ok(Self { part, path, file, count, labels: Some(labels), classes })
    }
}

impl Samples for Stl10 {
    type Item = Image;

    fn len(&self) -> usize {
        self.count
    }

    fn item(&self, index: usize) -> Result<Image, DataError> {
        assert!(index < self.count, "image {index} of {}", self.count);
        let mut stored = vec![0; IMAGE];
        self.file
            .read_exact_at(&mut stored, index as u64 * IMAGE as u64)
            .map_err(DataError::io(&self.path, "the file became shorter: fetch it again"))?;
        let mut pixels = Vec::with_capacity(IMAGE);
        for row in 0..SIDE {
            for column in 0..SIDE {
                pixels.extend((0..3).map(|colour| stored[colour * PLANE + column * SIDE + row]));
            }
        }
        Ok(Image::new(SIDE, SIDE, 3, pixels))
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.labels.as_ref().map(|labels| u32::from(labels[index]))
    }

    fn id(&self, index: usize) -> String {
        format!("stl10/{}/{index}", self.part)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }
}
