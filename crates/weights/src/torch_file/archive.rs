//! PyTorch's zip archives (since 1.6): `NAME/data.pkl` and a file `NAME/data/KEY` for each storage.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::WeightsError;
use crate::pickle::{self, Value};

/// Whether a file that begins like this may be one.
pub(crate) fn is_one(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04")
}

/// No pickle of a checkpoint comes near this: the numbers of its tensors lie elsewhere.
const LARGEST_PICKLE: u64 = 1 << 30;

/// An open archive.
pub(super) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// What the names of all files begin with, as `archive/`.
    folder: String,
    pub(super) big_endian: bool,
    /// Bytes of the file.
    pub(super) size: usize,
}

impl Archive {
    /// Opens a file and reads its pickle.
    pub(super) fn open(path: &Path) -> Result<(Self, Value), WeightsError> {
        let fault = |fault: String| WeightsError::file(path, fault);
        let file = File::open(path).map_err(WeightsError::io(path))?;
        let size = file.metadata().map_err(WeightsError::io(path))?.len();
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|e| fault(format!("not a whole zip archive ({e}): fetch it again")))?;
        let folder = zip.file_names().filter_map(Result::ok).find_map(|name| {
            let folder = name.strip_suffix("data.pkl")?;
            let one = folder.is_empty() || folder.find('/') == Some(folder.len() - 1);
            one.then(|| folder.to_owned())
        });
        let Some(folder) = folder else {
            let names =
                zip.file_names().filter_map(Result::ok).take(3).collect::<Vec<_>>().join(", ");
            return Err(fault(format!(
                "a zip archive, but not one of PyTorch's: it has {names} …, and no data.pkl"
            )));
        };
        if zip.index_for_name(&format!("{folder}constants.pkl")).is_some() {
            return Err(fault(
                "a TorchScript program, not a file of weights: save the `state_dict()` of its module \
                 with torch.save in Python"
                    .to_owned(),
            ));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let mut archive = Self { zip, folder, big_endian: false, size };
        let order = archive.zip.index_for_name(&format!("{}byteorder", archive.folder));
        if order.is_some() {
            archive.big_endian = archive.file("byteorder", 16).map_err(fault)? == b"big"[..];
        }
        let limit = LARGEST_PICKLE.min((size as u64).saturating_mul(16));
        let pickle = archive.file("data.pkl", limit).map_err(fault)?;
        let root = pickle::read(&pickle).map_err(|e| fault(format!("its data.pkl is {e}")))?;
        Ok((archive, root))
    }

    /// The storage of this key, which must have `size` bytes.
    pub(super) fn storage(&mut self, key: &str, size: usize) -> Result<Bytes, String> {
        let bytes = self.file(&format!("data/{key}"), size as u64)?;
        if bytes.len() == size {
            return Ok(bytes);
        }
        Err(format!("its storage {key} should have {size} bytes and has {}", bytes.len()))
    }

    /// A file of the archive, which may have at most `limit` bytes.
    fn file(&mut self, name: &str, limit: u64) -> Result<Bytes, String> {
        let entry = self.zip.by_name(&format!("{}{name}", self.folder));
        let entry = entry.map_err(|e| match e {
            ZipError::FileNotFound => format!("its {name} is not there: fetch it again"),
            e => format!("its {name} cannot be read ({e}): fetch it again"),
        })?;
        if entry.size() > limit {
            return Err(format!("its {name} has {} bytes, more than it can", entry.size()));
        }
        // Sizes that a header only claims cost nothing: memory grows with what comes.
        let mut bytes = Vec::with_capacity(entry.size().min(1 << 26) as usize);
        let read = entry.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|e| format!("its {name} cannot be read ({e}): fetch it again"))?;
        if bytes.len() as u64 > limit {
            return Err(format!("its {name} has more than {limit} bytes"));
        }
        Ok(bytes.into())
    }
}
