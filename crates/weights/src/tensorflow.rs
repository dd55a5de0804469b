//! TensorFlow's checkpoints (`NAME.index` beside `NAME.data-00000-of-00001`), as tensors by name.
//!
//! The index is a [table](table) of LevelDB's format whose values are protocol buffers: where in
//! which data file the numbers of a tensor lie. All offsets are checked before they are followed,
//! and the sums of blocks and tensors are verified.

mod table;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use prost::Message;

use crate::{Dtype, StateDict, TensorData};

pub(crate) use table::is_one;

/// What a table says of the whole checkpoint, under the empty key.
#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(int32, tag = "1")]
    shards: i32,
    /// 0 for little, 1 for big.
    #[prost(int32, tag = "2")]
    endianness: i32,
}

/// Where a tensor lies.
#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
    #[prost(int32, tag = "3")]
    shard: i32,
    #[prost(int64, tag = "4")]
    offset: i64,
    #[prost(int64, tag = "5")]
    size: i64,
    #[prost(fixed32, tag = "6")]
    sum: u32,
    /// Parts of a tensor that is stored in pieces; only their number matters here.
    #[prost(bytes = "vec", repeated, tag = "7")]
    slices: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "2")]
    dims: Vec<Dim>,
    #[prost(bool, tag = "3")]
    unknown_rank: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Dim {
    #[prost(int64, tag = "1")]
    size: i64,
}

/// The kind of TensorFlow's number for text.
const STRING: i32 = 7;

/// What a kind of TensorFlow's (`types.proto`) is here.
fn dtype(number: i32) -> Option<Dtype> {
    Some(match number {
        1 => Dtype::F32,
        2 => Dtype::F64,
        3 => Dtype::I32,
        4 => Dtype::U8,
        5 => Dtype::I16,
        6 => Dtype::I8,
        9 => Dtype::I64,
        10 => Dtype::Bool,
        14 => Dtype::BF16,
        17 => Dtype::U16,
        19 => Dtype::F16,
        22 => Dtype::U32,
        23 => Dtype::U64,
        _ => return None,
    })
}

/// Reads all tensors of the checkpoint whose index is at `path` and holds `bytes`.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<StateDict, String> {
    let mut entries = table::entries(bytes)?;
    let header = entries.remove(&Vec::new());
    let header = header.ok_or("an index without its header: not one of a checkpoint")?;
    let header = Header::decode(&header[..]).map_err(|e| format!("its header is damaged: {e}"))?;
    if header.endianness != 0 {
        return Err("numbers in big-endian order: write it again on a usual machine".to_owned());
    }
    if !(1..=100_000).contains(&header.shards) {
        return Err(format!("{} data files: its header is damaged", header.shards));
    }
    let mut data = Data { index: path, shards: header.shards, open: BTreeMap::new() };
    let mut read = StateDict::default();
    let mut texts = 0;
    for (key, value) in entries {
        let name = String::from_utf8(key).map_err(|_| "a name that is no UTF-8".to_owned())?;
        let fault = |fault: String| format!("tensor {name}: {fault}");
        let entry = Entry::decode(&value[..]).map_err(|e| fault(format!("damaged: {e}")))?;
        if entry.dtype == STRING {
            texts += 1;
            continue;
        }
        let tensor = data.tensor(&entry).map_err(fault)?;
        read.tensors.insert(name, tensor);
    }
    read.applied.push(format!("read a checkpoint of TensorFlow of {} data files", header.shards));
    if texts > 0 {
        read.applied.push(format!("left out {texts} entries of text"));
    }
    Ok(read)
}

/// The data files of a checkpoint.
struct Data<'a> {
    index: &'a Path,
    shards: i32,
    /// Those that were opened, with their lengths.
    open: BTreeMap<i32, (File, u64)>,
}

impl Data<'_> {
    fn tensor(&mut self, entry: &Entry) -> Result<TensorData, String> {
        if !entry.slices.is_empty() {
            return Err("it is stored in pieces (a partitioned variable): save it whole".into());
        }
        let dtype = dtype(entry.dtype)
            .ok_or_else(|| format!("numbers of TensorFlow's kind {}", entry.dtype))?;
        let shape = entry.shape.clone().unwrap_or_default();
        let dims = shape.dims.iter().map(|dim| usize::try_from(dim.size));
        let dims: Result<Vec<usize>, _> = dims.collect();
        let dims = dims.ok().filter(|_| !shape.unknown_rank).ok_or("its shape is not known")?;
        let count = dims.iter().try_fold(dtype.width(), |n, &dim| n.checked_mul(dim));
        let size = u64::try_from(entry.size).unwrap_or(u64::MAX);
        if count.map(|count| count as u64) != Some(size) {
            return Err(format!("{dims:?} of {dtype:?} are not {} bytes", entry.size));
        }
        let bytes = self.bytes(entry, size)?;
        if table::masked_sum(&[&bytes]) != entry.sum {
            return Err("its numbers are damaged (the sum is another): fetch it again".into());
        }
        TensorData::new(dtype, dims, bytes).ok_or_else(|| "as many bytes as counted".to_owned())
    }

    /// The bytes of a tensor; none are asked for that the file does not have.
    fn bytes(&mut self, entry: &Entry, size: u64) -> Result<Vec<u8>, String> {
        if !(0..self.shards).contains(&entry.shard) {
            return Err(format!("it lies in data file {} of {}", entry.shard, self.shards));
        }
        let path = self.path(entry.shard);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (file, length) = match self.open.entry(entry.shard) {
            Occupied(open) => open.into_mut(),
            Vacant(place) => {
                let opened = File::open(&path).and_then(|file| {
                    let length = file.metadata()?.len();
                    Ok((file, length))
                });
                let fault = |e| format!("{name}, which belongs beside it: {e}");
                place.insert(opened.map_err(fault)?)
            }
        };
        let start = u64::try_from(entry.offset).unwrap_or(u64::MAX);
        if start.checked_add(size).is_none_or(|end| end > *length) {
            return Err(format!(
                "it should lie at byte {start} of {name}, which has {length}: it is cut short; \
                 fetch it again"
            ));
        }
        let mut bytes = vec![0; size as usize];
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|e| format!("{name}: {e}"))?;
        Ok(bytes)
    }

    fn path(&self, shard: i32) -> PathBuf {
        self.index.with_extension(format!("data-{shard:05}-of-{:05}", self.shards))
    }
}
