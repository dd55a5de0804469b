//! CIFAR-100: 50,000 training and 10,000 test images of 32x32 RGB in 100 classes.
//!
//! Format: records of 3,074 bytes in `train.bin` and `test.bin`: a coarse label (0 to 19), which is
//! passed over, a fine label (0 to 99), and 1,024 bytes each of red, green and blue in row-major
//! order; `fine_label_names.txt` has a class name a line (A. Krizhevsky, "Learning multiple layers
//! of features from tiny images", 2009). The version for Python has the same in the pickles
//! `train`, `test` and `meta`; where both are there, the binary one is read.

use super::{Part, Samples, pickled};
use crate::error::DataError;
use augment::Image;
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 2 + 3 * PLANE;
const CLASSES: usize = 100;
const FOLDER: &str = "cifar-100-binary";
const PYTHON_FOLDER: &str = "cifar-100-python";
const NAMES: &str = "fine_label_names.txt";
/// What holds the names of the Python version.
const PICKLED_NAMES: &str = "meta";
const WAY_OUT: &str = "train.bin, test.bin and the names are needed";

/// One part of CIFAR-100 in memory, in the layout of the files.
#[derive(Clone, Debug)]
pub struct Cifar100 {
    part: Part,
    records: Vec<u8>,
    classes: Vec<String>,
}

impl Cifar100 {
    /// Reads a part from `dir`, from `dir/cifar-100-binary` or `dir/cifar-100-python`. Fails,
    /// naming file and offset, if a file is missing, does not hold exactly the records of its part,
    /// has a label above 99, or there are not 100 class names.
    pub fn open(dir: &Path, part: Part) -> Result<Self, DataError> {
        let (name, count) = match part {
            Part::Train => ("train", 50_000),
            Part::Test => ("test", 10_000),
            Part::Extra => return Err(DataError::Request("CIFAR-100 has no extra part".into())),
        };
        let (dir, names) = find(dir, name)?;
        let path = dir.join(names);
        let classes = match names {
            PICKLED_NAMES => pickled::names(&path, "fine_label_names")?,
            _ => {
                let text = std::fs::read_to_string(&path).map_err(DataError::io(&path, WAY_OUT))?;
                text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect()
            }
        };
        if classes.len() != CLASSES {
            let fault = format!("{} class names, {CLASSES} expected", classes.len());
            return Err(DataError::format(&path, 0, fault));
        }
        let (path, records) = if names == PICKLED_NAMES {
            let (path, mut records) = (dir.join(name), Vec::new());
            pickled::append(&path, &["coarse_labels", "fine_labels"], count, &mut records)?;
            (path, records)
        } else {
            let path = dir.join(format!("{name}.bin"));
            let records = std::fs::read(&path).map_err(DataError::io(&path, WAY_OUT))?;
            (path, records)
        };
        if records.len() != count * RECORD {
            let found = records.len();
            let fault = format!(
                "{} bytes ({count} records of {RECORD}) expected, {found} found",
                count * RECORD
            );
            return Err(DataError::format(&path, found.min(count * RECORD) as u64, fault));
        }
        let labels = records.chunks_exact(RECORD).map(|record| record[1]);
        if let Some((i, label)) =
            labels.enumerate().find(|(_, label)| usize::from(*label) >= CLASSES)
        {
            let fault = format!("record {i} has label {label}, not 0 to 99");
            return Err(DataError::format(&path, (i * RECORD + 1) as u64, fault));
        }
        Ok(Self { part, records, classes })
    }

    fn record(&self, index: usize) -> &[u8] {
        &self.records[index * RECORD..(index + 1) * RECORD]
    }
}

/// The folder that holds the part of this name, and which of its files has the names of the
/// classes. A folder that has these alone is taken where none has both.
fn find(dir: &Path, part: &str) -> Result<(PathBuf, &'static str), DataError> {
    let folders = [dir.join(FOLDER), dir.join(PYTHON_FOLDER), dir.to_path_buf()];
    let versions = [(NAMES, format!("{part}.bin")), (PICKLED_NAMES, part.to_owned())];
    let mut found = None;
    for (names, file) in &versions {
        for folder in folders.iter().filter(|folder| folder.join(names).is_file()) {
            if folder.join(file).is_file() {
                return Ok((folder.clone(), names));
            }
            found = found.or_else(|| Some((folder.clone(), *names)));
        }
    }
    found.ok_or_else(|| DataError::Missing {
        path: dir.to_path_buf(),
        fault: format!(
            "no CIFAR-100 (binary or Python version) here, nor in {FOLDER} or {PYTHON_FOLDER} below"
        ),
        way_out: "`--data DIR` or $TUTOR_DATA name a folder that has it",
    })
}

impl Samples for Cifar100 {
    type Item = Image;

    fn len(&self) -> usize {
        self.records.len() / RECORD
    }

    fn item(&self, index: usize) -> Result<Image, DataError> {
        let planes = &self.record(index)[2..];
        let pixels = (0..PLANE)
            .flat_map(|i| [planes[i], planes[PLANE + i], planes[2 * PLANE + i]])
            .collect();
        Ok(Image::new(SIDE, SIDE, 3, pixels))
    }

    fn label(&self, index: usize) -> Option<u32> {
        Some(u32::from(self.record(index)[1]))
    }

    fn id(&self, index: usize) -> String {
        format!("cifar100/{}/{index}", self.part.name())
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }
}
