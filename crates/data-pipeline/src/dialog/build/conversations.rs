//! Of which conversation each pair to validate or test on is: intervals are over conversations.
//!
//! A file beside those of tokens: a number of 4 bytes, little-endian, for each pair in their order,
//! from 0 on in the order of conversations.

use super::units::{self, Marks};
use crate::dialog::part::DialogPart;
use crate::error::DataError;
use std::path::Path;

const NAME: &str = "conversations";

/// Writes the file of a part, if it is not there; the training part has none.
pub(super) fn write(
    part: DialogPart,
    into: &Path,
    work: &Path,
    pairs: &[u64],
    gone: &Marks,
) -> Result<(), DataError> {
    let path = into.join(NAME);
    if part == DialogPart::Train || path.is_file() {
        return Ok(());
    }
    let mut failed = None;
    let written = atomic_file::write_with(&path, |file| {
        let (mut number, mut before) = (0u32, None);
        for (at, &all) in pairs.iter().enumerate() {
            let mut pair = 0;
            let read = units::read(work, at, all, &mut |written| {
                if written.part == part && !gone.has(at, pair) {
                    let its = Some((at, written.conversation));
                    number += u32::from(before.is_some() && before != its);
                    before = its;
                    let way_out = "name a folder that may be written to";
                    file.write_all(&number.to_le_bytes()).map_err(DataError::io(&path, way_out))?;
                }
                pair += 1;
                Ok(())
            });
            if let Err(error) = read {
                failed = Some(error);
                return Err(std::io::Error::other("pairs could not be read"));
            }
        }
        Ok(())
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(written?),
    }
}

/// The numbers of a part of so many pairs, whose folder this is.
pub(in crate::dialog) fn conversations_of(
    folder: &Path,
    pairs: usize,
) -> Result<Vec<u32>, DataError> {
    let path = folder.join(NAME);
    let way_out = "remove the folder of pairs and make it anew";
    let bytes = std::fs::read(&path).map_err(DataError::io(&path, way_out))?;
    if bytes.len() != 4 * pairs {
        let fault = format!("{} bytes, not 4 for each of {pairs} pairs", bytes.len());
        return Err(DataError::Missing { path, fault, way_out });
    }
    let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    Ok(bytes.chunks_exact(4).map(number).collect())
}
