//! Pseudo-labels: the file in which a teacher's predictions are stored for the student.
//!
//! A CSV file with the header `id,index,label,confidence` and, for soft labels, `p0,p1,...`;
//! numbers are written as briefly as they can be read back exactly. Its last line, `# sha256 HEX`,
//! is the checksum of all bytes before it, so that a truncated or edited file is refused (other
//! readers: treat `#` as a comment).

use crate::error::{DataError, label_beyond};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The teacher's prediction for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct PseudoLabel {
    /// The id of the sample ([`Samples::id`](crate::dataset::Samples::id)).
    pub id: String,
    /// Its index in the data set.
    pub index: u32,
    /// The class with the highest probability.
    pub label: u32,
    /// Its probability, in `[0, 1]` up to rounding.
    pub confidence: f32,
    /// The probabilities of all classes; empty if only the hard label was kept.
    pub probabilities: Vec<f32>,
}

/// Probabilities of a softmax may exceed 1 by rounding, and their sum may miss it.
pub(crate) const SLACK: f32 = 1e-3;

impl PseudoLabel {
    /// What is wrong with this row, if anything.
    fn fault(&self, classes: usize) -> Option<String> {
        let valid = |p: f32| (0.0..=1.0 + SLACK).contains(&p);
        if !valid(self.confidence) {
            return Some(format!("confidence {} is not a probability", self.confidence));
        }
        if self.probabilities.len() != classes {
            return Some(format!("{} probabilities, {classes} expected", self.probabilities.len()));
        }
        if classes == 0 {
            return None;
        }
        if let Some(class) = self.probabilities.iter().position(|&p| !valid(p)) {
            return Some(format!("p{class} = {} is not a probability", self.probabilities[class]));
        }
        let sum: f32 = self.probabilities.iter().sum();
        if (sum - 1.0).abs() > 10.0 * SLACK {
            return Some(format!("the probabilities sum up to {sum}, not 1"));
        }
        match self.probabilities.get(self.label as usize) {
            None => Some(label_beyond(self.label, classes)),
            Some(&p) if p != self.confidence => {
                Some(format!("confidence {}, but p{} = {p}", self.confidence, self.label))
            }
            Some(_) => None,
        }
    }
}

/// Writes rows, whole or not at all. Fails if a row could not be read back: a confidence or
/// probability outside `[0, 1]`, rows with different numbers of probabilities, a label that is not
/// the one `confidence` belongs to, an index twice.
pub fn save(path: &Path, rows: &[PseudoLabel]) -> Result<(), DataError> {
    let classes = rows.first().map_or(0, |row| row.probabilities.len());
    check(path, rows, classes, 0)?;
    let mut csv = csv::WriterBuilder::new().from_writer(Vec::new());
    let names = ["id", "index", "label", "confidence"].map(str::to_owned);
    let header = names.into_iter().chain((0..classes).map(|class| format!("p{class}")));
    let mut write = |record: Vec<String>| csv.write_record(record).expect("writing to memory");
    write(header.collect());
    for row in rows {
        let mut record = vec![
            row.id.clone(),
            row.index.to_string(),
            row.label.to_string(),
            row.confidence.to_string(),
        ];
        record.extend(row.probabilities.iter().map(|p| format!("{p:?}")));
        write(record);
    }
    let mut bytes = csv.into_inner().expect("writing to memory");
    let sum = format!("{:x}", Sha256::digest(&bytes));
    bytes.extend(format!("# sha256 {sum}\n").bytes());
    Ok(atomic_file::write(path, &bytes)?)
}

/// Reads rows and checks everything: the checksum, the header, each number, and what [`save`]
/// checks. Errors name the line.
pub fn load(path: &Path) -> Result<Vec<PseudoLabel>, DataError> {
    let bytes = std::fs::read(path).map_err(DataError::io(path, "label the images again"))?;
    let body = checked(path, &bytes)?;
    let mut csv = csv::ReaderBuilder::new().from_reader(body);
    let classes = classes(path, csv.headers().map_err(|e| fault(path, 1, e.to_string()))?)?;
    let mut rows = Vec::new();
    for record in csv.records() {
        let record = record
            .map_err(|e| fault(path, e.position().map_or(0, csv::Position::line), e.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = parse(&record).map_err(|what| fault(path, line, what))?;
        rows.push(row);
    }
    check(path, &rows, classes, 2)?;
    Ok(rows)
}

fn fault(path: &Path, line: u64, fault: impl Into<String>) -> DataError {
    DataError::Line {
        path: path.to_path_buf(),
        line,
        fault: fault.into(),
        way_out: "label the images again",
    }
}

/// The rows' bytes, without the last line, whose checksum they must have.
fn checked<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a [u8], DataError> {
    let lines = bytes.iter().filter(|&&b| b == b'\n').count() as u64;
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let start = text.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    let (body, last) = text.split_at(start);
    let Some(expected) = last.strip_prefix(b"# sha256 ") else {
        return Err(fault(path, lines, "the last line holds no checksum: the file is not whole"));
    };
    let found = format!("{:x}", Sha256::digest(body));
    if expected != found.as_bytes() {
        let expected = String::from_utf8_lossy(expected);
        return Err(fault(
            path,
            lines,
            format!("sha256 {expected} expected, {found} found: the file was changed"),
        ));
    }
    Ok(body)
}

/// The number of classes that a header has probabilities of.
fn classes(path: &Path, header: &csv::StringRecord) -> Result<usize, DataError> {
    let known = ["id", "index", "label", "confidence"];
    let right = |(i, name): (usize, &str)| match i {
        0..4 => name == known[i],
        _ => name.strip_prefix('p').is_some_and(|class| class == (i - 4).to_string()),
    };
    if header.len() < 4 || !header.iter().enumerate().all(right) {
        return Err(fault(path, 1, "the header is not id,index,label,confidence[,p0,p1,...]"));
    }
    Ok(header.len() - 4)
}

fn parse(record: &csv::StringRecord) -> Result<PseudoLabel, String> {
    fn number<T: std::str::FromStr>(
        record: &csv::StringRecord,
        column: usize,
    ) -> Result<T, String> {
        let text = record.get(column).unwrap_or_default();
        text.parse()
            .map_err(|_| format!("column {}: `{text}` is not a number of its kind", column + 1))
    }
    Ok(PseudoLabel {
        id: record.get(0).unwrap_or_default().to_owned(),
        index: number(record, 1)?,
        label: number(record, 2)?,
        confidence: number(record, 3)?,
        probabilities: (4..record.len())
            .map(|column| number(record, column))
            .collect::<Result<_, _>>()?,
    })
}

/// Checks all rows, the first of which is in line `line`.
fn check(path: &Path, rows: &[PseudoLabel], classes: usize, line: u64) -> Result<(), DataError> {
    let mut indices: Vec<(u32, usize)> =
        rows.iter().enumerate().map(|(i, row)| (row.index, i)).collect();
    indices.sort_unstable();
    if let Some(pair) = indices.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(fault(
            path,
            line + pair[1].1 as u64,
            format!("sample {} is labelled twice", pair[0].0),
        ));
    }
    for (i, row) in rows.iter().enumerate() {
        if let Some(what) = row.fault(classes) {
            return Err(fault(path, line + i as u64, format!("`{}`: {what}", row.id)));
        }
    }
    Ok(())
}
