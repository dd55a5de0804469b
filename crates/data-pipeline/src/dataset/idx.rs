//! MNIST-style idx files (unsigned bytes, any number of dimensions), plain or gzipped.
//!
//! Format: two zero bytes, a type byte (8 for unsigned bytes), the number of dimensions, the size
//! of each as a big-endian u32, the data.

use super::{ArraySet, Part};
use crate::error::DataError;
use flate2::read::MultiGzDecoder;
use ndarray::Array4;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// An idx file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// The sides, slowest first.
    pub shape: Vec<usize>,
    /// The bytes, their number being the product of the sides.
    pub data: Vec<u8>,
}

/// Reads an idx file; gzip is recognised by its first two bytes.
pub fn read(path: &Path) -> Result<Idx, DataError> {
    let file = File::open(path).map_err(DataError::io(path, "check the data folder"))?;
    let mut file = BufReader::new(file);
    let head = file.fill_buf().map_err(DataError::io(path, "check the disk"))?;
    if head.starts_with(&[0x1f, 0x8b]) {
        parse(path, MultiGzDecoder::new(file))
    } else {
        parse(path, file)
    }
}

/// Reads idx content that `path` names in errors.
pub(crate) fn parse(path: &Path, mut from: impl Read) -> Result<Idx, DataError> {
    let mut offset = 0;
    let mut word = |what: &str| -> Result<[u8; 4], DataError> {
        let mut word = [0; 4];
        let short =
            |e| DataError::format(path, offset, format!("the file ends inside {what}: {e}"));
        from.read_exact(&mut word).map_err(short)?;
        offset += 4;
        Ok(word)
    };
    let [0, 0, 8, sides] = word("the magic number")? else {
        return Err(DataError::format(
            path,
            0,
            "the magic number is not that of an idx file of unsigned bytes",
        ));
    };
    let mut shape = Vec::new();
    let mut total = 1usize;
    for side in 0..sides {
        let length = u32::from_be_bytes(word(&format!("side {side}"))?) as usize;
        let product = total.checked_mul(length).filter(|&n| n <= 1 << 40);
        total = product.ok_or_else(|| {
            DataError::format(path, 4 + 4 * u64::from(side), "the sides are impossibly long")
        })?;
        shape.push(length);
    }
    // `take` rather than a buffer of the promised size: a damaged header may promise anything.
    let mut data = Vec::new();
    let read = from.by_ref().take(total as u64 + 1).read_to_end(&mut data);
    read.map_err(|e| {
        DataError::format(path, offset + data.len() as u64, format!("the data cannot be read: {e}"))
    })?;
    if data.len() != total {
        let found = if data.len() > total { "more".into() } else { data.len().to_string() };
        let fault = format!("{total} bytes of data expected for sides {shape:?}, {found} found");
        return Err(DataError::format(path, offset + data.len().min(total) as u64, fault));
    }
    Ok(Idx { shape, data })
}

/// Images (3 sides: n, height, width) and labels (1 side) as a set whose classes are "0", "1", ...
/// up to `classes`.
pub fn open(
    name: &str,
    images: &Path,
    labels: &Path,
    classes: usize,
) -> Result<ArraySet, DataError> {
    assemble(name, (images, read(images)?), (labels, read(labels)?), classes)
}

pub(crate) fn assemble(
    name: &str,
    (image_path, images): (&Path, Idx),
    (label_path, labels): (&Path, Idx),
    classes: usize,
) -> Result<ArraySet, DataError> {
    let [n, h, w] = images.shape[..] else {
        return Err(DataError::format(
            image_path,
            3,
            format!("3 sides expected, found {:?}", images.shape),
        ));
    };
    if h == 0 || w == 0 {
        return Err(DataError::format(image_path, 8, format!("images of {h}x{w} have no pixels")));
    }
    if labels.shape != [n] {
        let fault = format!("{n} labels expected, sides {:?} found", labels.shape);
        return Err(DataError::format(label_path, 4, fault));
    }
    if let Some(i) = labels.data.iter().position(|&label| usize::from(label) >= classes) {
        let fault = format!("label {} is not below {classes}", labels.data[i]);
        return Err(DataError::format(label_path, 8 + i as u64, fault));
    }
    let images = Array4::from_shape_vec((n, h, w, 1), images.data)
        .expect("the length was checked against the sides");
    let labels = labels.data.into_iter().map(u32::from).collect();
    ArraySet::new(name, images, Some(labels), (0..classes).map(|c| c.to_string()).collect())
}

/// MNIST from a folder with its four official files (`train-images-idx3-ubyte` and so on, plain or
/// `.gz`), or from a folder `mnist` inside it.
pub fn mnist(dir: &Path, part: Part) -> Result<ArraySet, DataError> {
    let stem = match part {
        Part::Train => "train",
        Part::Test => "t10k",
        Part::Extra => return Err(DataError::Request("MNIST has no extra part".into())),
    };
    let find = |rest: &str| {
        let names = [format!("{stem}-{rest}"), format!("{stem}-{rest}.gz")];
        let places = [dir.to_path_buf(), dir.join("mnist")];
        let mut paths = places.iter().flat_map(|place| names.iter().map(|name| place.join(name)));
        let found = paths.find(|path| path.is_file());
        found.ok_or_else(|| DataError::Missing {
            path: dir.to_path_buf(),
            fault: format!("neither {stem}-{rest} nor {stem}-{rest}.gz is there"),
            way_out: "`tutor data fetch mnist` gets it, `--data DIR` or $TUTOR_DATA name a folder that has it",
        })
    };
    let (images, labels) = (find("images-idx3-ubyte")?, find("labels-idx1-ubyte")?);
    open(&format!("mnist/{}", part.name()), &images, &labels, 10)
}
