//! Safetensors: read without copying the tensors, and written.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use safetensors::{Dtype as Stored, SafeTensors};
use serde_json::{Map, Value, json};

use crate::meta::Meta;
use crate::{Dtype, TensorData, WeightsError};

/// The format's names of the kinds.
const KINDS: [(Dtype, Stored, &str); 13] = [
    (Dtype::F64, Stored::F64, "F64"),
    (Dtype::F32, Stored::F32, "F32"),
    (Dtype::F16, Stored::F16, "F16"),
    (Dtype::BF16, Stored::BF16, "BF16"),
    (Dtype::I64, Stored::I64, "I64"),
    (Dtype::I32, Stored::I32, "I32"),
    (Dtype::I16, Stored::I16, "I16"),
    (Dtype::I8, Stored::I8, "I8"),
    (Dtype::U64, Stored::U64, "U64"),
    (Dtype::U32, Stored::U32, "U32"),
    (Dtype::U16, Stored::U16, "U16"),
    (Dtype::U8, Stored::U8, "U8"),
    (Dtype::Bool, Stored::BOOL, "BOOL"),
];

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, TensorData>;

/// Whether a file that begins like this may be one.
pub(crate) fn is_one(start: &[u8]) -> bool {
    start.get(8) == Some(&b'{') && start.get(5..8) == Some(&[0; 3])
}

/// The tensors and texts of a file, which share its bytes.
pub(crate) fn read(path: &Path, bytes: &Bytes) -> Result<(Tensors, Meta), WeightsError> {
    let damaged = |e: safetensors::SafeTensorError| {
        WeightsError::file(path, format!("not a whole safetensors file ({e}): fetch it again"))
    };
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let meta = metadata.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let mut tensors = Tensors::new();
    for (name, info) in metadata.tensors() {
        let kind = KINDS.iter().find(|kind| kind.1 == info.dtype).ok_or_else(|| {
            let dtype = info.dtype;
            let fault = format!("tensor {name} is of kind {dtype:?}, which is not read here");
            WeightsError::file(path, fault)
        })?;
        let (start, end) = info.data_offsets;
        let start_of_all = 8 + header;
        let bytes = bytes.slice(start_of_all + start..start_of_all + end);
        let tensor = TensorData::new(kind.0, info.shape.clone(), bytes).ok_or_else(|| {
            let fault = format!("tensor {name}: shape {:?} and number of bytes differ", info.shape);
            WeightsError::file(path, fault)
        })?;
        tensors.insert(name, tensor);
    }
    Ok((tensors, meta))
}

/// Writes a safetensors file as a whole or not at all; its bytes depend on the content alone.
///
/// # Errors
/// When the folder cannot be written to; then `path` is as it was.
pub fn save(
    path: &Path,
    tensors: &BTreeMap<String, TensorData>,
    meta: &BTreeMap<String, String>,
) -> Result<(), WeightsError> {
    Ok(atomic_file::write_with(path, |out| write(out, tensors, meta))?)
}

fn write(out: &mut dyn Write, tensors: &Tensors, meta: &Meta) -> io::Result<()> {
    // Wide kinds first keeps every tensor aligned, as readers that map the file want.
    let mut sorted: Vec<_> = tensors.iter().collect();
    sorted.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype().width()));
    let mut header = Map::new();
    if !meta.is_empty() {
        header.insert("__metadata__".to_owned(), json!(meta));
    }
    let mut offset = 0;
    for (name, tensor) in &sorted {
        let kind = KINDS.iter().find(|kind| kind.0 == tensor.dtype()).expect("all kinds are there");
        let (dtype, end) = (kind.2, offset + tensor.bytes().len());
        let entry = json!({"dtype": dtype, "shape": tensor.shape(), "data_offsets": [offset, end]});
        header.insert((*name).clone(), entry);
        offset = end;
    }
    let mut header = serde_json::to_vec(&Value::Object(header))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    sorted.iter().try_for_each(|(_, tensor)| out.write_all(tensor.bytes()))
}
