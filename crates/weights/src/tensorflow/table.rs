//! Tables of keys and values in LevelDB's format, as TensorFlow keeps the index of a checkpoint.
//!
//! A table is blocks of entries, an index of these blocks, and 48 bytes at the end that say where
//! the index lies. Each block has a byte for its packing and a sum of both behind it; keys leave
//! out what they share with the one before.

use std::collections::BTreeMap;

/// The last bytes of a table.
const MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();
/// Bytes of the end of a table.
const FOOTER: usize = 48;
/// Bytes behind a block: its packing and its sum.
const TRAILER: usize = 5;
/// No index of a checkpoint is unpacked to more than so many bytes.
const MOST: usize = 1 << 28;

/// Whether a file that ends so is a table.
pub(crate) fn is_one(end: &[u8]) -> bool {
    end.ends_with(&MAGIC)
}

/// A key and its value.
type Pair = (Vec<u8>, Vec<u8>);

/// All entries of a table.
pub(super) fn entries(bytes: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, String> {
    let start = bytes.len().checked_sub(FOOTER).filter(|_| is_one(bytes));
    let start = start.ok_or("the end of an index of a checkpoint is missing: it is cut short")?;
    let mut footer = &bytes[start..];
    // Where the table keeps things about itself, which are not needed.
    let (_, _) = (varint(&mut footer)?, varint(&mut footer)?);
    let index = Handle::read(&mut footer)?;
    let mut found = BTreeMap::new();
    let mut unpacked = 0_usize;
    for (_, value) in index.block(&bytes[..start], &mut unpacked)? {
        let handle = Handle::read(&mut &value[..])?;
        found.extend(handle.block(&bytes[..start], &mut unpacked)?);
    }
    Ok(found)
}

/// Where a block lies.
struct Handle {
    offset: u64,
    size: u64,
}

impl Handle {
    fn read(bytes: &mut &[u8]) -> Result<Self, String> {
        Ok(Self { offset: varint(bytes)?, size: varint(bytes)? })
    }

    /// The entries of the block, if its sum is right. `unpacked` counts the bytes of all blocks.
    fn block(&self, table: &[u8], unpacked: &mut usize) -> Result<Vec<Pair>, String> {
        let part = || -> Option<(&[u8], &[u8])> {
            let (start, size) = (usize::try_from(self.offset), usize::try_from(self.size));
            let (start, size) = (start.ok()?, size.ok()?);
            let end = start.checked_add(size)?;
            Some((table.get(start..end)?, table.get(end..end.checked_add(TRAILER)?)?))
        };
        let (content, trailer) = part().ok_or("a block that lies outside of it: it is damaged")?;
        let sum = u32::from_le_bytes(trailer[1..].try_into().expect("four bytes"));
        if masked_sum(&[content, &trailer[..1]]) != sum {
            return Err("a block whose sum is another: it is damaged; fetch it again".to_owned());
        }
        let packed;
        let content = match trailer[0] {
            0 => content,
            1 => {
                let fault = |e: snap::Error| format!("a block that cannot be unpacked: {e}");
                *unpacked = snap::raw::decompress_len(content)
                    .map_err(fault)?
                    .checked_add(*unpacked)
                    .filter(|all| *all <= MOST)
                    .ok_or("blocks of more than 256 MiB: no index has them")?;
                packed = snap::raw::Decoder::new().decompress_vec(content).map_err(fault)?;
                &packed
            }
            other => return Err(format!("a block of the packing {other}, which is not known")),
        };
        block_entries(content)
    }
}

/// The entries of an unpacked block.
fn block_entries(content: &[u8]) -> Result<Vec<Pair>, String> {
    const CUT: &str = "a block whose entries do not fit in it: it is damaged";
    // Behind the entries stand places at which a search may begin, and how many there are.
    let count = content.len().checked_sub(4).ok_or(CUT)?;
    let restarts = u32::from_le_bytes(content[count..].try_into().expect("four bytes")) as usize;
    let end = restarts.checked_mul(4).and_then(|bytes| count.checked_sub(bytes)).ok_or(CUT)?;
    let mut rest = &content[..end];
    let mut found = Vec::new();
    let mut key: Vec<u8> = Vec::new();
    let mut total = 0_usize;
    while !rest.is_empty() {
        let mut length = || -> Result<usize, String> {
            usize::try_from(varint(&mut rest)?).map_err(|_| CUT.to_owned())
        };
        let (shared, own, value) = (length()?, length()?, length()?);
        if shared > key.len() || own.checked_add(value).is_none_or(|n| n > rest.len()) {
            return Err(CUT.to_owned());
        }
        key.truncate(shared);
        key.extend_from_slice(&rest[..own]);
        // Keys that share much could make a small block large.
        total += key.len();
        if total > MOST {
            return Err("names of more than 256 MiB: no index has them".to_owned());
        }
        found.push((key.clone(), rest[own..own + value].to_vec()));
        rest = &rest[own + value..];
    }
    Ok(found)
}

/// A number of seven bits a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or("a number that is cut short")?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number of more than 64 bits".to_owned())
}

/// CRC-32C of the parts one after another, as tables store it: turned and moved, so that sums of
/// sums differ.
pub(super) fn masked_sum(parts: &[&[u8]]) -> u32 {
    let sum = parts.iter().fold(0, |sum, part| crc32c::crc32c_append(sum, part));
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_masked_as_leveldb_masks_it() {
        // CRC-32C of «123456789» is e3069283.
        let plain = 0xe306_9283_u32;
        assert_eq!(
            masked_sum(&[b"1234", b"56789"]),
            plain.rotate_right(15).wrapping_add(0xa282_ead8)
        );
    }

    #[test]
    fn numbers_of_seven_bits_a_byte() {
        assert_eq!(varint(&mut &[0xac, 0x02][..]), Ok(300));
        assert_eq!(varint(&mut &[0xff; 9][..]), Err("a number that is cut short".to_owned()));
        assert!(varint(&mut &[0xff; 11][..]).is_err());
    }
}
