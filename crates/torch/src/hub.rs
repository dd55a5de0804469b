//! Networks in folders as the Hugging Face hub has them, `config.json` beside weights: what reading
//! any of them has in common.
//!
//! A network's crate says which keys of `config.json` it knows ([`Keys`]), and which of its own
//! names the tensors of a file have ([`renamed`]); tensors are then copied all or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tch::Tensor;
use weights::{StateDict, TensorData, WeightsError};

use crate::Params;
use crate::grad::no_grad;
use crate::store::{self, LoadError, ShapeError, StoreError};

/// Why a network was not read, loaded or written. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The weights cannot be found or read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A file of the folder cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of the folder does not describe a network that is known here.
    #[error("{}: {fault}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// Tensors that are missing, unexpected or of another shape: all of them, under transformers'
    /// names.
    #[error("{}: {error}", path.display())]
    Mismatch {
        /// The file of weights.
        path: PathBuf,
        /// Every difference.
        error: LoadError,
    },
    /// A tensor whose numbers no network can have.
    #[error("{}: tensor {name} {fault}", path.display())]
    Values {
        /// The file of weights.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Weights cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the folder cannot be written.
    #[error(transparent)]
    Write(#[from] atomic_file::Error),
}

/// The file `name` of a network that lies at `path`: in that folder, or beside that file of
/// weights.
pub fn beside(path: &Path, name: &str) -> PathBuf {
    if path.is_dir() { path.join(name) } else { path.with_file_name(name) }
}

/// Reads weights as [`weights::open_part`] does. Where all names begin with the `module.` of
/// PyTorch's `DataParallel`, they lose it.
///
/// # Errors
/// When there are no weights that can be read.
pub fn open_weights(path: &Path, part: Option<&str>) -> Result<StateDict, WeightsError> {
    let read = weights::open_part(path, part)?;
    let own = |name: &String| name.strip_prefix("module.").map(str::to_owned);
    let names: Option<Vec<String>> = read.tensors.keys().map(own).collect();
    let Some(names) = names.filter(|names| !names.is_empty()) else { return Ok(read) };
    let mut applied = read.applied;
    applied.push("prefix module. removed".to_owned());
    let tensors = names.into_iter().zip(read.tensors.into_values()).collect();
    Ok(StateDict { tensors, applied, ..read })
}

/// Reads a file of JSON, and makes of it what `understand` does; its error says what is wrong.
///
/// # Errors
/// When the file cannot be read or is no JSON, and those of `understand`.
pub fn read_json<T>(
    path: &Path,
    understand: impl FnOnce(&Value) -> Result<T, String>,
) -> Result<T, HubError> {
    let io = |source| HubError::Io { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(io)?;
    let fault = |fault: String| HubError::Config { path: path.to_owned(), fault };
    let value = serde_json::from_str(&text).map_err(|e| fault(format!("no JSON: {e}")))?;
    understand(&value).map_err(fault)
}

/// The keys of a `config.json`. One that is left out, or null, has a default.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a>(pub &'a Value);

impl Keys<'_> {
    /// A whole number; the error says what is there instead.
    ///
    /// # Errors
    /// When it is something else.
    pub fn whole(&self, key: &str, default: i64) -> Result<i64, String> {
        self.or(key, default, "whole number", Value::as_i64)
    }

    /// A number.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(&self, key: &str, default: f64) -> Result<f64, String> {
        self.or(key, default, "number", Value::as_f64)
    }

    /// Yes or no.
    ///
    /// # Errors
    /// When it is something else.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool, String> {
        self.or(key, default, "true or false", Value::as_bool)
    }

    fn or<T>(
        &self,
        key: &str,
        default: T,
        what: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, String> {
        match &self.0[key] {
            Value::Null => Ok(default),
            value => read(value).ok_or_else(|| format!("`{key}` is {value}, no {what}")),
        }
    }

    /// Checks that a key has one of the values that are known, or none.
    ///
    /// # Errors
    /// When it has another one; the text lists those that are known.
    pub fn only(&self, key: &str, known: &[Value]) -> Result<(), String> {
        match &self.0[key] {
            Value::Null => Ok(()),
            value if known.contains(value) => Ok(()),
            value => {
                let known: Vec<String> = known.iter().map(Value::to_string).collect();
                Err(format!("`{key}` is {value}; known here: {}", known.join(", ")))
            }
        }
    }
}

/// Tensors under the names of a network here, with those of the file.
pub type Named<'a> = BTreeMap<String, (&'a str, &'a TensorData)>;

/// The tensors of a file under the names that `ours` gives them; those without one are left away.
///
/// # Errors
/// When two tensors get one name.
pub fn renamed(
    weights: &StateDict,
    ours: impl Fn(&str) -> Option<String>,
) -> Result<Named<'_>, HubError> {
    let mut all = Named::new();
    for (name, tensor) in &weights.tensors {
        let Some(own) = ours(name) else { continue };
        if let Some((other, _)) = all.insert(own, (name, tensor)) {
            let unexpected = vec![format!("{name} beside {other}")];
            let error = LoadError { unexpected, ..LoadError::default() };
            return Err(HubError::Mismatch { path: weights.source.clone(), error });
        }
    }
    Ok(all)
}

/// The shape of a tensor of a file.
pub fn shape(data: &TensorData) -> Vec<i64> {
    data.shape().iter().map(|&n| n as i64).collect()
}

/// Copies tensors of a file over those that are named with them, all or none.
///
/// # Errors
/// When one holds integers, NaN or infinities. Panics if one is not `given`, or has another shape.
pub fn copy<'t>(
    source: &Path,
    given: &Named<'_>,
    wanted: impl IntoIterator<Item = (&'t String, &'t Tensor)>,
) -> Result<(), HubError> {
    let mut values = Vec::new();
    for (name, to) in wanted {
        values.push((to, value(source, name, given[name].1)?));
    }
    no_grad(|| {
        for (to, value) in values {
            to.shallow_clone().copy_(&value);
        }
    });
    Ok(())
}

/// Checks what [`copy`] would copy of the tensors of these names, one after the other.
///
/// # Errors
/// When one holds integers, NaN or infinities. Panics if one is not `given`.
pub fn check_values<'n>(
    source: &Path,
    given: &Named<'_>,
    names: impl IntoIterator<Item = &'n String>,
) -> Result<(), HubError> {
    names.into_iter().try_for_each(|name| value(source, name, given[name].1).map(drop))
}

/// A tensor's numbers.
fn value(source: &Path, name: &str, data: &TensorData) -> Result<Tensor, HubError> {
    let path = source.to_owned();
    let fault = |fault| HubError::Values { path, name: name.to_owned(), fault };
    if !data.dtype().is_float() {
        return Err(fault("holds integers: quantised weights are not read here"));
    }
    let tensor = store::tensor(data).expect("floating-point numbers");
    if tensor.numel() > 0 && tensor.isfinite().all().int64_value(&[]) == 0 {
        return Err(fault("holds NaN or infinities: the training that wrote it had failed"));
    }
    Ok(tensor)
}

/// Checks that a file has just the tensors of a network, which may be an
/// [outline](Params::outline).
///
/// # Errors
/// When a tensor is missing, unexpected or of another shape: all of them, with both shapes.
pub fn check(source: &Path, given: &Named<'_>, params: &Params) -> Result<(), HubError> {
    let mut error = LoadError::default();
    for p in params.iter() {
        match given.get(&p.name) {
            None => error.missing.push(p.name.clone()),
            Some((_, found)) if shape(found) == p.tensor.size() => {}
            Some((_, found)) => error.mismatched.push(ShapeError {
                name: p.name.clone(),
                wanted: p.tensor.size(),
                found: shape(found),
            }),
        }
    }
    let names: BTreeSet<&str> = params.names().collect();
    let unexpected = given.iter().filter(|(name, _)| !names.contains(name.as_str()));
    error.unexpected.extend(unexpected.map(|(_, (own, _))| (*own).to_owned()));
    match error == LoadError::default() {
        true => Ok(()),
        false => Err(HubError::Mismatch { path: source.to_owned(), error }),
    }
}

/// Copies the tensors of a file into a network that has just these.
///
/// # Errors
/// Those of [`check`], and when a tensor holds integers, NaN or infinities. Nothing is changed
/// then.
pub fn load(source: &Path, given: &Named<'_>, params: &Params) -> Result<(), HubError> {
    check(source, given, params)?;
    copy(source, given, params.iter().map(|p| (&p.name, &p.tensor)))
}
