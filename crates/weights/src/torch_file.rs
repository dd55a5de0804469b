//! PyTorch's files: a pickle that describes tensors, and their storages beside it.

mod archive;
mod legacy;
mod rebuild;

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;

use crate::WeightsError;
use crate::pickle::Value;
use crate::tensor::{TensorData, swap_bytes};

pub(crate) use archive::is_one as is_archive;
pub(crate) use legacy::is_one as is_legacy;
pub(crate) use rebuild::is_tensor;

/// A file of PyTorch: what was saved, and its tensors on demand.
pub(crate) struct TorchFile {
    /// What `torch.save` was given.
    pub(crate) root: Value,
    storages: Storages,
    big_endian: bool,
    /// Storages that were read, which tensors may share.
    read: HashMap<String, Bytes>,
    /// How many bytes may still be copied for tensors that do not lie in one piece.
    copies_left: usize,
}

/// Where the numbers lie.
enum Storages {
    /// An archive has a file for each.
    Archive(archive::Archive),
    /// They lie behind the pickle.
    Behind { bytes: Bytes, places: HashMap<String, std::ops::Range<usize>> },
    /// There are none: NumPy's arrays lie in the pickle.
    None,
}

impl TorchFile {
    /// Opens a zip archive.
    pub(crate) fn archive(path: &Path) -> Result<Self, WeightsError> {
        let (archive, root) = archive::Archive::open(path)?;
        let (big_endian, size) = (archive.big_endian, archive.size);
        Ok(Self::new(root, Storages::Archive(archive), big_endian, size))
    }

    /// Reads the format before PyTorch 1.6 from the whole file.
    pub(crate) fn legacy(bytes: &Bytes) -> Result<Self, String> {
        let (root, places) = legacy::read(bytes)?;
        // The numbers are little-endian on every machine.
        let storages = Storages::Behind { bytes: bytes.clone(), places };
        Ok(Self::new(root, storages, false, bytes.len()))
    }

    /// A plain pickle, whose tensors are NumPy's arrays.
    pub(crate) fn plain(root: Value) -> Self {
        Self::new(root, Storages::None, false, 0)
    }

    fn new(root: Value, storages: Storages, big_endian: bool, size: usize) -> Self {
        let copies_left = size.saturating_mul(4).saturating_add(16 << 20);
        Self { root, storages, big_endian, read: HashMap::new(), copies_left }
    }

    /// The tensor that a value of this file stands for; why there is none otherwise.
    pub(crate) fn tensor(&mut self, value: &Value) -> Result<TensorData, String> {
        if let Some(array) = value.as_array() {
            return Ok(array.clone());
        }
        let view = rebuild::view(value)?;
        let width = view.dtype.width();
        if self.big_endian && view.storage.dtype.width() != width {
            return Err("its numbers are big-endian, of a kind without a storage class".to_owned());
        }
        let storage = self.storage(&view.storage)?;
        let reach = view.layout.reach().and_then(|n| n.checked_mul(width));
        if reach.is_none_or(|reach| reach > storage.len()) {
            let numbers = storage.len() / width;
            return Err(format!("it reaches beyond its storage of {numbers} numbers"));
        }
        let shape = view.layout.shape.clone();
        let size =
            crate::tensor::byte_count(view.dtype, &shape).ok_or("it is beyond any memory")?;
        if !view.layout.is_contiguous() {
            self.copies_left = self.copies_left.checked_sub(size).ok_or(
                "the tensors, written out, take many times the size of the file: it is damaged or \
                 made to harm",
            )?;
        }
        let bytes = view.layout.gather(&storage, width);
        Ok(TensorData::new(view.dtype, shape, bytes).expect("as many bytes as the shape has"))
    }

    fn storage(&mut self, wanted: &rebuild::Storage) -> Result<Bytes, String> {
        let (key, width) = (&wanted.key, wanted.dtype.width());
        let size = wanted.numbers.checked_mul(width).ok_or("its storage is beyond any memory")?;
        let whole = match self.read.get(key) {
            Some(bytes) => bytes.clone(),
            None => {
                let mut bytes = match &mut self.storages {
                    Storages::Archive(archive) => archive.storage(key, size)?,
                    Storages::Behind { bytes, places } => {
                        let place = places.get(key);
                        bytes.slice(
                            place.ok_or_else(|| format!("its storage {key} is not there"))?.clone(),
                        )
                    }
                    Storages::None => return Err("its storage is not there".to_owned()),
                };
                if self.big_endian && width > 1 {
                    bytes = swap_bytes(&bytes, width).into();
                }
                self.read.insert(key.clone(), bytes.clone());
                bytes
            }
        };
        // Files before 1.6 may speak of a part of a storage.
        let start = wanted
            .first
            .checked_mul(width)
            .filter(|start| start.checked_add(size).is_some_and(|end| end <= whole.len()));
        let start = start.ok_or_else(|| {
            format!(
                "its storage {key} should have {} numbers and has {} bytes",
                wanted.numbers,
                whole.len()
            )
        })?;
        Ok(whole.slice(start..start + size))
    }
}
