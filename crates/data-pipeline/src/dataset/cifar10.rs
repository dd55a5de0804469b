//! CIFAR-10: 50,000 training and 10,000 test images of 32x32 RGB.
//!
//! Format: records of 3,073 bytes, a label (0 to 9) and 1,024 bytes each of red, green and blue in
//! row-major order; five training files and one test file of 10,000 records each (A. Krizhevsky,
//! "Learning multiple layers of features from tiny images", 2009). The version for Python has the
//! same in pickles of these names without their ending; where both are there, the binary one is
//! read.

use super::{Part, Samples, pickled};
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
    /// Reads a part from `dir`, from `dir/cifar-10-batches-bin` or `dir/cifar-10-batches-py`.
    /// Fails, naming file and offset, if a file is missing, does not hold exactly 10,000 records,
    /// or has a label above 9.
    pub fn open(dir: &Path, part: Part) -> Result<Self, DataError> {
        let names: Vec<String> = match part {
            Part::Train => (1..=5).map(|i| format!("data_batch_{i}")).collect(),
            Part::Test => vec!["test_batch".to_owned()],
            Part::Extra => return Err(DataError::Request("CIFAR-10 has no extra part".into())),
        };
        let (dir, ending) = find(dir, &names)?;
        let mut records = Vec::with_capacity(names.len() * RECORDS_A_FILE * RECORD);
        for name in names {
            let path = dir.join(name + ending);
            let start = records.len();
            if ending == PICKLED {
                pickled::append(&path, &["labels"], RECORDS_A_FILE, &mut records)?;
            } else {
                let way_out = "all six .bin files are needed";
                let file = File::open(&path).map_err(DataError::io(&path, way_out))?;
                read(&path, file, &mut records)?;
            }
            check_labels(&path, &records[start..])?;
        }
        Ok(Self { part, records, classes: CLASSES.map(str::to_owned).to_vec() })
    }

    fn record(&self, index: usize) -> &[u8] {
        &self.records[index * RECORD..(index + 1) * RECORD]
    }
}

/// How the names of the binary version's files end, and those of the Python version.
const ENDINGS: [&str; 2] = [".bin", PICKLED];
const PICKLED: &str = "";

/// The folder that holds the files of these names, and how the names end. A folder that lacks some
/// is taken where none has all of them.
fn find(dir: &Path, names: &[String]) -> Result<(PathBuf, &'static str), DataError> {
    let inside =
        [dir.join("cifar-10-batches-bin"), dir.join("cifar-10-batches-py"), dir.to_path_buf()];
    let places = || ENDINGS.into_iter().flat_map(|ending| inside.clone().map(|d| (d, ending)));
    let has =
        |(d, ending): &(PathBuf, &str), name: &str| d.join(format!("{name}{ending}")).is_file();
    let whole = places().find(|place| names.iter().all(|name| has(place, name)));
    let begun = |place: &_| ["test_batch", "data_batch_1"].iter().any(|name| has(place, name));
    whole.or_else(|| places().find(begun)).ok_or_else(|| DataError::Missing {
        path: dir.to_path_buf(),
        fault: "no CIFAR-10 (binary or Python version) here, nor in cifar-10-batches-bin or \
                cifar-10-batches-py below"
            .into(),
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
    Ok(())
}

/// Refuses labels that are none; offsets are those of the binary version.
fn check_labels(path: &Path, records: &[u8]) -> Result<(), DataError> {
    for (i, record) in records.chunks_exact(RECORD).enumerate() {
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
