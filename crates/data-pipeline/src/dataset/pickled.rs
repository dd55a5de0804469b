//! CIFAR's batches as Python pickles, read as data: nothing in them is ever run.
//!
//! Format: a dictionary with `data`, an array of bytes `[images, 3072]` in which each row has 1,024
//! bytes each of red, green and blue in row-major order, and a list of labels; the texts are bytes
//! in the published files, which Python 2 wrote.

use crate::error::DataError;
use std::path::Path;
use weights::pickle::{self, Value};
use weights::{Dtype, TensorData};

/// Bytes of an image.
const IMAGE: usize = 3 * 32 * 32;

/// Appends the images of a file as records: of each list of labels that `labels` names one byte,
/// then the image. Fails, naming the file, if there are not exactly `count` images and labels, or
/// a label is no byte.
pub(super) fn append(
    path: &Path,
    labels: &[&str],
    count: usize,
    records: &mut Vec<u8>,
) -> Result<(), DataError> {
    let batch = read(path)?;
    let fault = |fault: String| DataError::format(path, 0, fault);
    let data = entry(path, &batch, "data")?.as_array();
    let data = data.filter(|data| is_images(data, count));
    let data = data.ok_or_else(|| {
        let found = entry(path, &batch, "data").map(describe).unwrap_or_default();
        fault(format!("`data` is {found}, not bytes of {count} x {IMAGE}"))
    })?;
    let mut lists = Vec::with_capacity(labels.len());
    for name in labels {
        let list = entry(path, &batch, name)?.as_list().unwrap_or_default();
        if list.len() != count {
            return Err(fault(format!("`{name}` has {} labels, {count} expected", list.len())));
        }
        let byte = |(i, label): (usize, &Value)| {
            let number = label.as_int().and_then(|label| u8::try_from(label).ok());
            number.ok_or_else(|| fault(format!("`{name}` has no label from 0 to 255 at {i}")))
        };
        lists.push(list.iter().enumerate().map(byte).collect::<Result<Vec<u8>, _>>()?);
    }
    records.reserve(count * (IMAGE + lists.len()));
    for (i, image) in data.bytes().chunks_exact(IMAGE).enumerate() {
        records.extend(lists.iter().map(|labels| labels[i]));
        records.extend(image);
    }
    Ok(())
}

/// The texts in a list of a file.
pub(super) fn names(path: &Path, name: &str) -> Result<Vec<String>, DataError> {
    let meta = read(path)?;
    let list = entry(path, &meta, name)?.as_list().unwrap_or_default();
    let names = list.iter().map(|name| Some(name.as_str()?.to_owned()));
    let names: Option<Vec<String>> = names.collect();
    names.ok_or_else(|| DataError::format(path, 0, format!("`{name}` is no list of texts")))
}

fn read(path: &Path) -> Result<Value, DataError> {
    let way_out = "all files of the Python version are needed";
    let bytes = std::fs::read(path).map_err(DataError::io(path, way_out))?;
    pickle::read(&bytes).map_err(|error| {
        let fault = format!("not a whole pickle: {}", error.fault);
        DataError::format(path, error.at as u64, fault)
    })
}

fn entry<'v>(path: &Path, value: &'v Value, name: &str) -> Result<&'v Value, DataError> {
    let found = value.as_dict().and_then(|dict| dict.get(name));
    found.ok_or_else(|| {
        let fault = format!("{} without an entry `{name}`", value.kind());
        DataError::format(path, 0, fault)
    })
}

fn is_images(data: &TensorData, count: usize) -> bool {
    data.dtype() == Dtype::U8 && data.shape() == [count, IMAGE]
}

fn describe(value: &Value) -> String {
    match value.as_array() {
        Some(array) => format!("an array of {:?} {:?}", array.dtype(), array.shape()),
        None => value.kind().to_owned(),
    }
}
