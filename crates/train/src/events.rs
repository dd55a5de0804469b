//! TensorBoard's event files: scalars in protocol buffers in TFRecord frames.
//!
//! A frame is the length of its data (u64, little-endian), a masked CRC-32C of those eight bytes,
//! the data and a masked CRC-32C of the data. The data is one `tensorflow.Event`, of which only
//! `wall_time` (field 1, double), `step` (2, varint), `file_version` (3, string) and `summary` (5)
//! with its `value`s (1: `tag` 1, `simple_value` 2, float) are written.

/// The first record of a file, without which TensorBoard does not read it.
pub(crate) fn file_version(wall_time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    double(&mut event, 1, wall_time);
    bytes(&mut event, 3, b"brain.Event:2");
    frame(&event)
}

/// One record with the values of a step. `wall_time` is in seconds since 1970.
pub(crate) fn scalars(wall_time: f64, step: u64, values: &[(String, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in values {
        let mut entry = Vec::new();
        bytes(&mut entry, 1, tag.as_bytes());
        key(&mut entry, 2, 5);
        entry.extend((*value as f32).to_le_bytes());
        bytes(&mut summary, 1, &entry);
    }
    let mut event = Vec::new();
    double(&mut event, 1, wall_time);
    key(&mut event, 2, 0);
    varint(&mut event, step);
    bytes(&mut event, 5, &summary);
    frame(&event)
}

/// The length of the longest start of a file that consists of whole records.
pub(crate) fn whole_records(file: &[u8]) -> usize {
    let mut at = 0;
    while let Some(length) = record(&file[at..]).map(<[u8]>::len) {
        at += length + OVERHEAD;
    }
    at
}

/// Bytes of a frame besides its data.
const OVERHEAD: usize = 16;

/// The data of the first record, if it is whole.
pub(crate) fn record(file: &[u8]) -> Option<&[u8]> {
    let (length, rest) = file.split_at_checked(8)?;
    let (length_crc, rest) = rest.split_at_checked(4)?;
    if masked_crc(length).to_le_bytes() != length_crc {
        return None;
    }
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    let (data, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    (rest.get(..4)? == masked_crc(data).to_le_bytes()).then_some(data)
}

fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + OVERHEAD);
    out.extend(length);
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked_crc(data).to_le_bytes());
    out
}

fn key(out: &mut Vec<u8>, field: u64, wire: u64) {
    varint(out, field << 3 | wire);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    key(out, field, 1);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

/// TFRecord's mask keeps a checksum of data that holds checksums from being regular.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78).
fn crc32c(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    !data.iter().fold(!0, |crc, &b| (crc >> 8) ^ TABLE[((crc ^ u32::from(b)) & 0xff) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_the_check_string() {
        // The check value of CRC-32C in every catalogue of CRCs.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn equals_what_tensorboardx_writes() {
        // The rows of xtask/peers/golden_train.py.
        let named = |values: &[(&str, f64)]| -> Vec<_> {
            values.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect()
        };
        let many: Vec<_> = (0..40).map(|i| (format!("value/{i}"), f64::from(i) / 7.0)).collect();
        let rows = [
            (1700000001.25, 1, named(&[("loss", 2.5), ("lr", 0.03)])),
            (1700000002.5, 127, named(&[("loss/sup", 0.1), ("note/größe", -1e-30)])),
            (1700000003.0, 128, named(&[("eval/accuracy", 1.0)])),
            (1700000004.0, 3_000_000_000, many),
            (1700000005.0, 3_000_000_001, named(&[("loss", f64::INFINITY), ("empty", 0.0)])),
        ];
        let mut ours = file_version(1700000000.0);
        for (wall_time, step, values) in rows {
            ours.extend(scalars(wall_time, step, &values));
        }
        let golden = include_bytes!("../tests/golden/events.out.tfevents.golden");
        assert_eq!(whole_records(golden), golden.len());
        assert_eq!(ours, golden);
    }

    #[test]
    fn records_are_cut_where_they_end() {
        let first = file_version(1.5);
        let second = scalars(2.5, 300, &[("loss".to_owned(), 0.25)]);
        let file = [first.clone(), second.clone()].concat();
        assert_eq!(whole_records(&file), file.len());
        for cut in 0..second.len() {
            assert_eq!(whole_records(&file[..first.len() + cut]), first.len());
        }
        let mut flipped = file;
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(whole_records(&flipped), first.len());
    }
}
