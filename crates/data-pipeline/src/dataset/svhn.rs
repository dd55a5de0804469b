//! SVHN, cropped digits: 73,257 training, 26,032 test and 531,131 extra images of 32x32 RGB.
//!
//! Format: MATLAB 5 files `train_32x32.mat`, `test_32x32.mat`, `extra_32x32.mat` with `X` (unsigned
//! bytes, 32 x 32 x 3 x N in column-major order) and `y` (N labels, 1 to 10, where 10 stands for
//! the digit 0); Y. Netzer et al., "Reading digits in natural images with unsupervised feature
//! learning", 2011.

use super::{Part, Samples, mat};
use crate::error::DataError;
use augment::Image;
use std::path::Path;

const SIDE: usize = 32;
const IMAGE: usize = SIDE * SIDE * 3;

/// One part of SVHN in memory, laid out as in the file (the extra part takes 1.6 GB).
#[derive(Clone, Debug)]
pub struct Svhn {
    part: Part,
    pixels: Vec<u8>,
    labels: Vec<u8>,
    classes: Vec<String>,
}

impl Svhn {
    /// Reads a part from `dir`, or from `dir/svhn`. Fails as [`Svhn::read`] does, or if the file is
    /// in neither.
    pub fn open(dir: &Path, part: Part) -> Result<Self, DataError> {
        let file = format!("{}_32x32.mat", part.name());
        let found =
            [dir.join(&file), dir.join("svhn").join(&file)].into_iter().find(|path| path.is_file());
        let path = found.ok_or_else(|| DataError::Missing {
            path: dir.to_path_buf(),
            fault: format!("no {file} here, nor in svhn below"),
            way_out: "`tutor data fetch svhn` gets it, `--data DIR` or $TUTOR_DATA name a folder that has it",
        })?;
        Self::read(&path, part)
    }

    /// Reads one file. Fails, naming file and offset, if it is not MATLAB 5, is truncated or
    /// damaged, lacks `X` or `y`, if `X` is not 32 x 32 x 3 x N bytes, or a label is not 1 to 10.
    pub fn read(path: &Path, part: Part) -> Result<Self, DataError> {
        let (mut images, mut labels) = (None, None);
        for variable in mat::read(path, &["X", "y"])? {
            let place = if variable.name == "X" { &mut images } else { &mut labels };
            *place = Some(variable);
        }
        let (Some(images), Some(labels)) = (images, labels) else {
            return Err(DataError::format(
                path,
                128,
                "the variables `X` and `y` are not both there",
            ));
        };
        let count = match images.dims[..] {
            [SIDE, SIDE, 3, n] => n,
            // MATLAB drops a last side of 1.
            [SIDE, SIDE, 3] => 1,
            _ => {
                let fault = format!("`X` has sides {:?}, expected [32, 32, 3, N]", images.dims);
                return Err(DataError::format(path, images.offset, fault));
            }
        };
        let mat::Values::Bytes(pixels) = images.values else {
            return Err(DataError::format(path, images.offset, "`X` does not hold unsigned bytes"));
        };
        if labels.values.len() != count {
            let fault = format!("`y` has {} labels for {count} images", labels.values.len());
            return Err(DataError::format(path, labels.offset, fault));
        }
        let numbers = match labels.values {
            mat::Values::Bytes(bytes) => bytes.into_iter().map(f64::from).collect(),
            mat::Values::Numbers(numbers) => numbers,
        };
        let mut digits = Vec::with_capacity(count);
        for (i, number) in numbers.into_iter().enumerate() {
            if number.fract() != 0.0 || !(1.0..=10.0).contains(&number) {
                let fault = format!("label {i} is {number}, expected 1 to 10 (10 for the digit 0)");
                return Err(DataError::format(path, labels.offset, fault));
            }
            digits.push(number as u8 % 10);
        }
        Ok(Self { part, pixels, labels: digits, classes: (0..10).map(|c| c.to_string()).collect() })
    }
}

impl Samples for Svhn {
    type Item = Image;

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn item(&self, index: usize) -> Result<Image, DataError> {
        // Column-major: rows run fastest, then columns, then colours.
        let stored = &self.pixels[index * IMAGE..(index + 1) * IMAGE];
        let mut pixels = Vec::with_capacity(IMAGE);
        for row in 0..SIDE {
            for column in 0..SIDE {
                pixels.extend((0..3).map(|colour| stored[row + SIDE * (column + SIDE * colour)]));
            }
        }
        Ok(Image::new(SIDE, SIDE, 3, pixels))
    }

    fn label(&self, index: usize) -> Option<u32> {
        Some(u32::from(self.labels[index]))
    }

    fn id(&self, index: usize) -> String {
        format!("svhn/{}/{index}", self.part.name())
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }
}
