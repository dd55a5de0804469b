//! Named tensors in files: safetensors are written and read, whole or not at all.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};
use weights::TensorData;

/// What a file of tensors holds.
#[derive(Debug, Default)]
pub struct Stored {
    /// The tensors by name, on the CPU.
    pub tensors: BTreeMap<String, Tensor>,
    /// The texts of the file's header.
    pub meta: BTreeMap<String, String>,
}

/// Why tensors could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] atomic_file::Error),
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not whole, or not of this format.
    #[error("{place}: not a whole safetensors file: {reason}")]
    Malformed {
        /// The file, or what the caller calls the bytes.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor of a kind that is not read.
    #[error("{place}: tensor {name} is of kind {dtype}, which is not read here")]
    Dtype {
        /// The file, or what the caller calls the bytes.
        place: String,
        /// The tensor.
        name: String,
        /// Its kind as the format names it.
        dtype: String,
    },
    /// Tensors that are whole, but not those that were wanted.
    #[error(transparent)]
    Mismatch(#[from] LoadError),
}

/// Every difference between the tensors of a network (or an optimiser's state) and those of a
/// file.
#[derive(Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct LoadError {
    /// Names in the network and not in the file.
    pub missing: Vec<String>,
    /// Names in the file and not in the network.
    pub unexpected: Vec<String>,
    /// Tensors whose shape in the file is not that of the network.
    pub mismatched: Vec<ShapeError>,
}

/// A tensor whose shape in the file is not that of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// The tensor.
    pub name: String,
    /// Its shape in the network.
    pub wanted: Vec<i64>,
    /// Its shape in the file.
    pub found: Vec<i64>,
}

impl LoadError {
    fn text(&self) -> String {
        let mut parts = Vec::new();
        for (what, names) in [("missing", &self.missing), ("unexpected", &self.unexpected)] {
            if !names.is_empty() {
                parts.push(format!("{} {what}: {}", names.len(), first(names)));
            }
        }
        if !self.mismatched.is_empty() {
            let each = self
                .mismatched
                .iter()
                .map(|s| format!("{} is {:?}, not {:?}", s.name, s.found, s.wanted));
            let each: Vec<_> = each.collect();
            parts.push(format!("{} of another shape: {}", each.len(), first(&each)));
        }
        format!("tensors do not fit: {}", parts.join("; "))
    }
}

/// How many differences of a kind a message names: a net of another kind has hundreds.
const NAMED: usize = 24;

/// The first of some texts, and how many more there are.
fn first(texts: &[String]) -> String {
    let more = texts.len().saturating_sub(NAMED);
    let named = texts[..texts.len() - more].join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

/// Compares the names and shapes of what is `wanted` with what is `given`; unexpected names that
/// `ignored` knows are fine. The error holds every difference, in the order of `wanted`, unexpected
/// names sorted.
pub(crate) fn check<'a>(
    wanted: impl Iterator<Item = (&'a str, &'a Tensor)>,
    given: &BTreeMap<String, Tensor>,
    ignored: impl Fn(&str) -> bool,
) -> Result<(), LoadError> {
    let mut error = LoadError::default();
    let mut unexpected: BTreeMap<&str, ()> =
        given.keys().filter(|name| !ignored(name)).map(|name| (name.as_str(), ())).collect();
    for (name, tensor) in wanted {
        unexpected.remove(name);
        match given.get(name) {
            None => error.missing.push(name.to_owned()),
            Some(found) if found.size() != tensor.size() => error.mismatched.push(ShapeError {
                name: name.to_owned(),
                wanted: tensor.size(),
                found: found.size(),
            }),
            Some(_) => {}
        }
    }
    error.unexpected = unexpected.into_keys().map(str::to_owned).collect();
    if error == LoadError::default() { Ok(()) } else { Err(error) }
}

/// The kinds of tensors that are written and read, with the format's name and number of bytes.
const KINDS: [(Kind, Dtype, &str, usize); 8] = [
    (Kind::Double, Dtype::F64, "F64", 8),
    (Kind::Int64, Dtype::I64, "I64", 8),
    (Kind::Float, Dtype::F32, "F32", 4),
    (Kind::Int, Dtype::I32, "I32", 4),
    (Kind::Half, Dtype::F16, "F16", 2),
    (Kind::BFloat16, Dtype::BF16, "BF16", 2),
    (Kind::Uint8, Dtype::U8, "U8", 1),
    (Kind::Bool, Dtype::BOOL, "BOOL", 1),
];

/// Writes `tensors` and `meta` to `path` so that the file is either the old one or the whole new
/// one, also if the machine stops: a temporary file in the same folder, synced, renamed, the folder
/// synced. Tensors may be on any device, of kinds float64, float32, float16, bfloat16, int64,
/// int32, uint8 or bool, in any order; the bytes depend on content alone. Panics if two names are
/// equal or a tensor is of another kind.
pub fn save(
    path: &Path,
    tensors: &[(String, Tensor)],
    meta: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    Ok(atomic_file::write_with(path, |out| write(out, tensors, meta))?)
}

/// The bytes that [`save`] writes.
pub fn to_bytes(tensors: &[(String, Tensor)], meta: &BTreeMap<String, String>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes, tensors, meta).expect("writing into memory cannot fail");
    bytes
}

/// Writes the bytes of [`save`] to any writer, one tensor at a time. Panics as [`save`] does.
pub fn write(
    out: &mut dyn Write,
    tensors: &[(String, Tensor)],
    meta: &BTreeMap<String, String>,
) -> io::Result<()> {
    let kind_of = |name: &str, tensor: &Tensor| {
        let kind = tensor.kind();
        KINDS
            .iter()
            .position(|k| k.0 == kind)
            .unwrap_or_else(|| panic!("tensor {name} is of kind {kind:?}, which is not stored"))
    };
    let mut sorted: Vec<_> = tensors.iter().map(|(n, t)| (kind_of(n, t), n, t)).collect();
    // Wide kinds first keeps every tensor aligned, as readers that map the file want.
    sorted.sort_by(|a, b| KINDS[b.0].3.cmp(&KINDS[a.0].3).then(a.1.cmp(b.1)));

    let mut header = Map::new();
    if !meta.is_empty() {
        header.insert("__metadata__".to_owned(), json!(meta));
    }
    let mut offset = 0;
    for &(kind, name, tensor) in &sorted {
        let (_, _, dtype, width) = KINDS[kind];
        let end = offset + tensor.numel() * width;
        let entry = json!({"dtype": dtype, "shape": tensor.size(), "data_offsets": [offset, end]});
        assert!(header.insert(name.clone(), entry).is_none(), "two tensors are named {name}");
        offset = end;
    }
    let mut header = serde_json::to_vec(&Value::Object(header))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for (kind, _, tensor) in sorted {
        let mut bytes = vec![0; tensor.numel() * KINDS[kind].3];
        let tensor = tensor.to_device(Device::Cpu).contiguous();
        tensor.copy_data_u8(&mut bytes, tensor.numel());
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Reads a file that [`save`] or any other safetensors writer made. A file that is cut short or
/// damaged is an error, never a panic; damage to the numbers themselves cannot be seen here.
pub fn load(path: &Path) -> Result<Stored, StoreError> {
    let bytes =
        std::fs::read(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    from_bytes(&bytes, &path.display().to_string())
}

/// Reads what [`to_bytes`] made; `place` is what errors call it.
pub fn from_bytes(bytes: &[u8], place: &str) -> Result<Stored, StoreError> {
    let malformed = |reason: String| StoreError::Malformed { place: place.to_owned(), reason };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| malformed(e.to_string()))?;
    let meta = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let views = SafeTensors::deserialize(bytes).map_err(|e| malformed(e.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in views.tensors() {
        let &(kind, _, _, width) =
            KINDS.iter().find(|k| k.1 == view.dtype()).ok_or_else(|| StoreError::Dtype {
                place: place.to_owned(),
                name: name.clone(),
                dtype: format!("{:?}", view.dtype()),
            })?;
        let shape: Vec<i64> = view
            .shape()
            .iter()
            .map(|&n| i64::try_from(n))
            .collect::<Result<_, _>>()
            .map_err(|e| malformed(format!("shape of {name}: {e}")))?;
        let count = shape.iter().try_fold(1i64, |all, &n| all.checked_mul(n));
        if count.and_then(|n| usize::try_from(n).ok()?.checked_mul(width))
            != Some(view.data().len())
        {
            return Err(malformed(format!("{name}: shape {shape:?} and number of bytes differ")));
        }
        let tensor = if kind == Kind::Bool {
            // In C++ a bool is 0 or 1, and nothing else.
            Tensor::f_from_data_size(view.data(), &shape, Kind::Uint8).map(|t| t.not_equal(0))
        } else {
            Tensor::f_from_data_size(view.data(), &shape, kind)
        };
        tensors.insert(name, tensor.map_err(|e| malformed(e.to_string()))?);
    }
    Ok(Stored { tensors, meta })
}

/// A tensor of the host on the CPU, or `None` if it is of a kind that is not computed with here:
/// unsigned integers of more than 8 bits.
pub fn tensor(data: &TensorData) -> Option<Tensor> {
    let kind = match data.dtype() {
        weights::Dtype::F64 => Kind::Double,
        weights::Dtype::F32 => Kind::Float,
        weights::Dtype::F16 => Kind::Half,
        weights::Dtype::BF16 => Kind::BFloat16,
        weights::Dtype::I64 => Kind::Int64,
        weights::Dtype::I32 => Kind::Int,
        weights::Dtype::I16 => Kind::Int16,
        weights::Dtype::I8 => Kind::Int8,
        weights::Dtype::U8 | weights::Dtype::Bool => Kind::Uint8,
        weights::Dtype::U64 | weights::Dtype::U32 | weights::Dtype::U16 => return None,
    };
    let shape: Vec<i64> = data.shape().iter().map(|&n| n as i64).collect();
    let tensor = Tensor::from_data_size(data.bytes(), &shape, kind);
    Some(if data.dtype() == weights::Dtype::Bool { tensor.not_equal(0) } else { tensor })
}
