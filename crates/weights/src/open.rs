//! Opens a file or folder of weights, whatever its format: the content decides, not the name.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::pickle;
use crate::torch_file::{TorchFile, is_archive, is_legacy};
use crate::{StateDict, WeightsError, json, parts, safetensors_file, sidecar, tensorflow};

/// The files that a folder of weights may have, the preferred first.
const IN_FOLDER: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// Opens weights: safetensors, a file of PyTorch of any age, a pickle of NumPy's arrays, an index
/// of shards (`*.index.json`), the index of a checkpoint of TensorFlow (`*.index`), or a folder
/// that has one of these under its name on the Hugging Face hub, or a single checkpoint of
/// TensorFlow. Nothing in a file is executed. In a training checkpoint the averaged weights are
/// taken before others: [`open_part`] takes others.
///
/// A `config.json` or `preprocessor_config.json` beside a file of such a name adds to
/// [`StateDict::meta`] what it says about the net and its images.
///
/// # Errors
/// When the file cannot be read, is damaged, or is something else; the text names the file, says
/// what it is instead where that can be seen, and what to do.
pub fn open(path: &Path) -> Result<StateDict, WeightsError> {
    open_part(path, None)
}

/// Opens the weights of a training checkpoint that it keeps under `part`, as `state_dict` or
/// `state.model`. In a file of tensors alone, `part` is what the names of the tensors begin with.
///
/// # Errors
/// Those of [`open`], and when there is no such part: the text lists those that there are.
pub fn open_part(path: &Path, part: Option<&str>) -> Result<StateDict, WeightsError> {
    let file = if path.is_dir() { in_folder(path)? } else { path.to_owned() };
    let mut read = if file.extension().is_some_and(|ending| ending == "json") {
        shards(&file, part)?
    } else {
        one_file(&file, part)?
    };
    read.source = file;
    sidecar::add(&mut read)?;
    Ok(read)
}

/// The file of weights in a folder.
fn in_folder(folder: &Path) -> Result<PathBuf, WeightsError> {
    let found = IN_FOLDER.iter().map(|name| folder.join(name)).find(|path| path.exists());
    if let Some(found) = found {
        return Ok(found);
    }
    let mut indices = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(WeightsError::io(folder))? {
        let path = entry.map_err(WeightsError::io(folder))?.path();
        if path.extension().is_some_and(|ending| ending == "index") && path.is_file() {
            indices.push(path);
        }
    }
    match &indices[..] {
        [one] => Ok(one.clone()),
        [] => {
            let names = IN_FOLDER.join(", ");
            let fault =
                format!("a folder without weights: none of {names} is there, and no *.index");
            Err(WeightsError::file(folder, fault))
        }
        _ => {
            indices.sort();
            let name = |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().into_owned());
            let names: Vec<String> = indices.iter().filter_map(name).collect();
            let fault =
                format!("several checkpoints of TensorFlow: name one of {}", names.join(", "));
            Err(WeightsError::file(folder, fault))
        }
    }
}

fn one_file(path: &Path, part: Option<&str>) -> Result<StateDict, WeightsError> {
    let (mut start, mut end) = (Vec::new(), Vec::new());
    let mut file = File::open(path).map_err(WeightsError::io(path))?;
    (&mut file).take(512).read_to_end(&mut start).map_err(WeightsError::io(path))?;
    let length = file.seek(SeekFrom::End(0)).map_err(WeightsError::io(path))?;
    file.seek(SeekFrom::Start(length.saturating_sub(8))).map_err(WeightsError::io(path))?;
    file.take(8).read_to_end(&mut end).map_err(WeightsError::io(path))?;
    let whole = || std::fs::read(path).map(Bytes::from).map_err(WeightsError::io(path));
    let fault = |fault: String| WeightsError::file(path, fault);
    if safetensors_file::is_one(&start) {
        let (tensors, meta) = safetensors_file::read(path, &whole()?)?;
        let read = StateDict { tensors, meta, ..StateDict::default() };
        return part.map_or(Ok(read.clone()), |part| below(read, part)).map_err(fault);
    }
    let is_index = path.extension().is_some_and(|ending| ending == "index");
    let is_text = start.iter().take(16).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    if tensorflow::is_one(&end) || (is_index && !is_text) {
        if let Some(part) = part {
            return Err(fault(format!(
                "a checkpoint of TensorFlow has no part {part}: leave it out"
            )));
        }
        return tensorflow::read(path, &whole()?).map_err(fault);
    }
    let mut file = if is_archive(&start) {
        TorchFile::archive(path)?
    } else if is_legacy(&start) {
        TorchFile::legacy(&whole()?).map_err(fault)?
    } else if start.first() == Some(&0x80) {
        let root = pickle::read(&whole()?).map_err(|e| fault(e.to_string()))?;
        TorchFile::plain(root)
    } else {
        return Err(fault(stranger(&start)));
    };
    from_torch(&mut file, part).map_err(fault)
}

/// The tensors of a state dictionary whose names begin with `part`.
fn below(mut read: StateDict, part: &str) -> Result<StateDict, String> {
    let firsts: BTreeSet<String> =
        read.tensors.keys().filter_map(|name| Some(name.split_once('.')?.0.to_owned())).collect();
    let prefix = format!("{part}.");
    let all = std::mem::take(&mut read.tensors).into_iter();
    read.tensors =
        all.filter_map(|(name, t)| Some((name.strip_prefix(&prefix)?.to_owned(), t))).collect();
    if read.tensors.is_empty() {
        let firsts = firsts.into_iter().collect::<Vec<_>>().join(", ");
        return Err(format!("no tensor's name begins with {prefix}; they begin with {firsts}"));
    }
    read.applied.push(format!("read the tensors below {part}"));
    Ok(read)
}

fn from_torch(file: &mut TorchFile, part: Option<&str>) -> Result<StateDict, String> {
    let root = file.root.clone();
    let picked = match parts::pick(&root, part) {
        // A state dictionary by itself has no parts but what its names begin with.
        Err(error) => match (part, parts::pick(&root, None)) {
            (Some(part), Ok(flat))
                if flat.applied.iter().all(|note| !note.starts_with("read ")) =>
            {
                return below(tensors_of(file, flat)?, part);
            }
            _ => return Err(error),
        },
        Ok(picked) => picked,
    };
    tensors_of(file, picked)
}

fn tensors_of(file: &mut TorchFile, picked: parts::Part) -> Result<StateDict, String> {
    let mut read = StateDict { applied: picked.applied, ..StateDict::default() };
    for (name, value) in picked.tensors {
        let tensor = file.tensor(&value).map_err(|fault| format!("tensor {name}: {fault}"))?;
        read.tensors.insert(name, tensor);
    }
    Ok(read)
}

/// Reads all files that an index names.
fn shards(index: &Path, part: Option<&str>) -> Result<StateDict, WeightsError> {
    let read = json::read(index)?;
    let fault = |fault: String| WeightsError::file(index, fault);
    let map = read["weight_map"].as_object().ok_or_else(|| {
        fault("JSON without a `weight_map`: not an index of shards of weights".to_owned())
    })?;
    let mut files = BTreeSet::new();
    for (tensor, file) in map {
        let name = file.as_str().unwrap_or_default();
        let plain = Path::new(name).file_name().is_some_and(|plain| plain == name);
        if !plain {
            return Err(fault(format!(
                "tensor {tensor} lies in {file}, which is no file beside it"
            )));
        }
        files.insert(name);
    }
    let mut all = StateDict::default();
    for name in &files {
        let path = index.with_file_name(name);
        let shard = one_file(&path, part)?;
        all.meta.extend(shard.meta);
        all.applied.extend(shard.applied);
        all.tensors.extend(shard.tensors);
    }
    if part.is_none() {
        let missing: Vec<&str> =
            map.keys().filter(|t| !all.tensors.contains_key(*t)).map(String::as_str).collect();
        if !missing.is_empty() {
            let (count, names) = (missing.len(), missing.join(", "));
            return Err(fault(format!("{count} tensors are not in their files: {names}")));
        }
    }
    all.applied.dedup();
    all.applied.insert(0, format!("read {} files of an index", files.len()));
    Ok(all)
}

/// What a file is that holds no weights, by how it begins.
fn stranger(start: &[u8]) -> String {
    let text = String::from_utf8_lossy(start).trim_start().to_lowercase();
    let what = if start.is_empty() {
        "an empty file"
    } else if text.starts_with("version https://git-lfs") {
        "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"
    } else if text.starts_with("<!doctype") || text.starts_with("<html") {
        "a web page, not a file of weights: the download gave something else"
    } else if text.starts_with('{') || text.starts_with('[') {
        "JSON; an index of shards must be named `*.index.json`"
    } else if start.starts_with(b"\x89HDF") {
        "HDF5 (Keras): convert it to safetensors"
    } else if start.starts_with(b"\x1f\x8b") {
        "a gzip archive: unpack it"
    } else if start.get(257..262) == Some(b"ustar") {
        "a tar archive, as PyTorch wrote them before 0.2: load and save it again in a newer one"
    } else if start.starts_with(b"\x93NUMPY") {
        "a single NumPy array without a name"
    } else if start.starts_with(b"\x08") {
        "perhaps an ONNX file, which holds a program: export its state_dict instead"
    } else {
        "not a file of weights that is known here"
    };
    format!("{what} (safetensors, PyTorch's files and TensorFlow's checkpoints are read)")
}
