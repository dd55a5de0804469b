//! CIFAR-10, binary version: 50,000 training and 10,000 test images of 32x32 RGB.
//!
//! Format: records of 3,073 bytes, a label (0 to 9) and 1,024 bytes each of red, green and blue in
//! row-major order; five training files and one test file of 10,000 records each (A. Krizhevsky,
//! "Learning multiple layers of features from tiny images", 2009).

use super::{Part, Samples};
use crate::error::DataError;
use augment::Image;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PLANE;
const RECORDS_A_FILE: usize = 10_000;
const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// One part of CIFAR-10 in memory, in the layout of the files.
#[derive(Clone, Debug)]
pub struct Cifar10 {
    part: Part,
    records: Vec<u8>,
    classes: Vec<String>,
}

impl Cifar10 {
    /// Reads a part from `dir`, or from `dir/cifar-10-batches-bin`. Fails, naming file and offset,
    /// if a file is missing, does not hold exactly 10,000 records, or has a label above 9.
    pub fn open(dir: &Path, part: Part) -> Result<Self, DataError> {
        let dir = find(dir)?;
        let files: Vec<PathBuf> = match part {
            Part::Train => (1..=5).map(|i| dir.join(format!("data_batch_{i}.bin"))).collect(),
            Part::Test => vec![dir.join("test_batch.bin")],
            Part::Extra => return Err(DataError::Request("CIFAR-10 has no extra part".into())),
        };
        let mut records = Vec::with_capacity(files.len() * RECORDS_A_FILE * RECORD);
        for path in &files {
            let file =
                File::open(path).map_err(DataError::io(path, "all six .bin files are needed"))?;
            read(path, file, &mut records)?;
        }
        Ok(Self { part, records, classes: CLASSES.map(str::to_owned).to_vec() })
    }

    fn record(&self, index: usize) -> &[u8] {
        &self.records[index * RECORD..(index + 1) * RECORD]
    }
}

/// The folder that holds the .bin files.
fn find(dir: &Path) -> Result<PathBuf, DataError> {
    let inside = [dir.join("cifar-10-batches-bin"), dir.to_path_buf()];
    let found = inside
        .into_iter()
        .find(|d| d.join("test_batch.bin").is_file() || d.join("data_batch_1.bin").is_file());
    found.ok_or_else(|| DataError::Missing {
        path: dir.to_path_buf(),
        fault: "no CIFAR-10 (binary version) here, nor in cifar-10-batches-bin below".into(),
        way_out: "`tutor data fetch cifar10` gets it, `--data DIR` or $TUTOR_DATA name a folder that has it",
    })
}

/// Appends the records of one file after checking them.
fn read(path: &Path, file: impl Read, records: &mut Vec<u8>) -> Result<(), DataError> {
    let (start, size) = (records.len(), RECORDS_A_FILE * RECORD);
    file.take(size as u64 + 1)
        .read_to_end(records)
        .map_err(DataError::io(path, "check the disk"))?;
    let found = records.len() - start;
    if found != size {
        let count = if found > size { "more".into() } else { found.to_string() };
        let fault =
            format!("{size} bytes ({RECORDS_A_FILE} records of {RECORD}) expected, {count} found");
        return Err(DataError::format(path, found.min(size) as u64, fault));
    }
    for (i, record) in records[start..].chunks_exact(RECORD).enumerate() {
        if usize::from(record[0]) >= CLASSES.len() {
            return Err(DataError::format(
                path,
                (i * RECORD) as u64,
                format!("record {i} has label {}, not 0 to 9", record[0]),
            ));
        }
    }
    Ok(())
}

impl Samples for Cifar10 {
    type Item = Image;

    fn len(&self) -> usize {
        self.records.len() / RECORD
    }

    fn item(&self, index: usize) -> Result<Image, DataError> {
        let planes = &self.record(index)[1..];
        let pixels = (0..PLANE)
            .flat_map(|i| [planes[i], planes[PLANE + i], planes[2 * PLANE + i]])
            .collect();
        Ok(Image::new(SIDE, SIDE, 3, pixels))
    }

    fn label(&self, index: usize) -> Option<u32> {
        Some(u32::from(self.record(index)[0]))
    }

    fn id(&self, index: usize) -> String {
        format!("cifar10/{}/{index}", self.part.name())
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }
}
