//! Python's pickles read as data. Nothing in a pickle is ever run.
//!
//! A pickle is a small program that names classes and functions of Python and says what they are
//! called with. Here such calls are kept as what they are, an [`Object`] with the name and the
//! arguments; a handful that only stand for data are understood: `collections.OrderedDict`, sets
//! and other builtins, NumPy's arrays and scalars, `torch.Size`. All protocols, 0 to 5, are read,
//! those of Python 2 too, whose strings come out as [`Value::Bytes`].
//!
//! ```
//! // pickle.dumps({"epoch": 3, b"data": (1.5, None)})
//! let bytes = b"\x80\x04\x95\x20\0\0\0\0\0\0\0}\x94(\x8c\x05epoch\x94K\x03C\x04data\x94G?\xf8\0\0\
//!               \0\0\0\0N\x86\x94u.";
//! let value = weights::pickle::read(bytes)?;
//! let dict = value.as_dict().expect("a dictionary");
//! assert_eq!(dict.get("epoch").and_then(|v| v.as_int()), Some(3));
//! assert!(dict.get("data").is_some());
//! # Ok::<(), weights::pickle::PickleError>(())
//! ```

mod arena;
mod budget;
mod error;
mod machine;
mod numpy;
mod understand;
mod value;

pub use error::PickleError;
pub use value::{Dict, Object, Value};

/// Reads a pickle, which begins and ends with `bytes`. Memory and time grow with their number
/// alone.
///
/// # Errors
/// When the bytes are cut short, end late, are no pickle, have more than 10 million objects, nest
/// them more than 250 deep, or refer to data outside (out-of-band buffers, the extension registry).
pub fn read(bytes: &[u8]) -> Result<Value, PickleError> {
    let (value, end) = read_first(bytes)?;
    if end == bytes.len() {
        return Ok(value);
    }
    Err(PickleError { at: end, fault: "there are further bytes behind its end".to_owned() })
}

/// Reads the pickle with which `bytes` begins; gives how many bytes it has.
///
/// # Errors
/// Those of [`read`], further bytes aside.
pub fn read_first(bytes: &[u8]) -> Result<(Value, usize), PickleError> {
    let Pickle { value, end, .. } = Pickle::first(bytes)?;
    Ok((value, end))
}

/// A pickle with what it refers to.
pub(crate) struct Pickle {
    pub(crate) value: Value,
    /// The descriptions of all [`Value::Persistent`] in it, each place of the pickle once.
    pub(crate) references: Vec<Value>,
    /// How many bytes it has.
    pub(crate) end: usize,
}

impl Pickle {
    /// The pickle with which `bytes` begins.
    pub(crate) fn first(bytes: &[u8]) -> Result<Self, PickleError> {
        let (arena, root, end) = machine::run(bytes)?;
        let (value, references) =
            understand::value(&arena, root, end).map_err(|fault| PickleError { at: end, fault })?;
        Ok(Self { value, references, end })
    }
}
