//! PyTorch's files before 1.6: five pickles one after the other (a magic number, the version, the
//! machine, what was saved, the keys of the storages), then the storages.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::rebuild::{Storage, storage};
use crate::pickle::{Pickle, Value};

/// How such a file begins: PyTorch's magic number, pickled.
const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Whether a file that begins like this is one.
pub(crate) fn is_one(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

/// Where the storages lie in the file.
type Places = HashMap<String, Range<usize>>;

/// What was saved, and where its storages lie.
pub(super) fn read(bytes: &Bytes) -> Result<(Value, Places), String> {
    let mut at = MAGIC.len();
    let mut next = |what: &str| {
        let pickle = Pickle::first(&bytes[at..]).map_err(|e| format!("its {what} is {e}"))?;
        at += pickle.end;
        Ok::<_, String>(pickle)
    };
    let version = next("version")?.value;
    if version.as_int() != Some(1001) {
        return Err("a file of PyTorch of a version that is not known here".to_owned());
    }
    next("description of the machine")?;
    let saved = next("main part")?;
    let keys = next("list of storages")?.value;
    let keys = keys.as_list().ok_or("its list of storages is no list")?;

    let mut widths = HashMap::new();
    for id in saved.references {
        // Such a file may also refer to the source code of a module, which has no storage.
        if let Ok(Storage { key, dtype, .. }) = storage(&Value::Persistent(id.into())) {
            widths.insert(key, dtype.width());
        }
    }
    let mut places = Places::new();
    for key in keys {
        let key = key.as_str().ok_or("the key of a storage is no text")?;
        let width = widths.get(key).ok_or_else(|| {
            format!("the size of its storage {key} is not known: its kind is not read here")
        })?;
        let early = || format!("it ends early, at storage {key}: fetch it again");
        let count = bytes.get(at..at + 8).ok_or_else(early)?;
        let count = i64::from_le_bytes(count.try_into().expect("8 bytes"));
        let size = usize::try_from(count).ok().and_then(|n| n.checked_mul(*width));
        let start = at + 8;
        let end = size.and_then(|size| start.checked_add(size)).ok_or_else(early)?;
        if end > bytes.len() {
            return Err(early());
        }
        places.insert(key.to_owned(), start..end);
        at = end;
    }
    Ok((saved.value, places))
}
