//! Checkpoints of TensorFlow: what it writes is read to the last bit; damaged and hostile indices
//! are errors that name the file.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use weights::{Dtype, open};

use crate::golden;

/// The numbers of every tensor below `of/` in the golden file.
fn counted() -> impl Iterator<Item = f32> {
    (-3..9).map(|n| n as f32)
}

#[test]
fn every_kind_of_number_is_read_from_its_data_file() {
    // The index names its data files: values_tf.data-00000-of-00002, values_tf.data-00001-of-00002.
    let read = golden::open("values_tf.index");
    let kinds = [
        ("float32", Dtype::F32),
        ("float64", Dtype::F64),
        ("float16", Dtype::F16),
        ("bfloat16", Dtype::BF16),
        ("int64", Dtype::I64),
        ("int32", Dtype::I32),
        ("int16", Dtype::I16),
        ("int8", Dtype::I8),
        ("uint64", Dtype::U64),
        ("uint32", Dtype::U32),
        ("uint16", Dtype::U16),
        ("uint8", Dtype::U8),
        ("bool", Dtype::Bool),
    ];
    for (name, kind) in kinds {
        let tensor = &read.tensors[&format!("of/{name}")];
        assert_eq!((tensor.dtype(), tensor.shape()), (kind, &[3, 4][..]), "{name}");
        let expected: Vec<f32> = match kind {
            Dtype::Bool => counted().map(|n| f32::from(u8::from(n != 0.0))).collect(),
            _ if name.starts_with('u') => counted().map(f32::abs).collect(),
            _ => counted().collect(),
        };
        assert_eq!(tensor.to_f32(), expected, "{name}");
    }
    assert_eq!(read.tensors["single"].to_f32(), [0.5]);
    assert_eq!(read.tensors["empty"].shape(), [0, 3]);
    assert_eq!(read.tensors.len(), 15);
    assert!(read.applied.iter().any(|note| note.contains("text")), "{:?}", read.applied);
}

#[test]
fn a_checkpoint_is_found_by_what_its_files_have_in_common() {
    let prefix = golden::path("values_tf").display().to_string();
    let found = weights::find::find(&prefix, &weights::find::Places::default()).expect("found");
    assert_eq!(found.open().expect("read").tensors.len(), 15);
    let folder = copied();
    assert_eq!(open(folder.path()).expect("a folder").tensors.len(), 15);
    fs::write(folder.path().join("other.index"), b"").expect("written");
    let error = open(folder.path()).expect_err("two").to_string();
    assert!(error.contains("other.index, values_tf.index"), "{error}");
}

/// A copy of the golden checkpoint.
fn copied() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in
        ["values_tf.index", "values_tf.data-00000-of-00002", "values_tf.data-00001-of-00002"]
    {
        fs::write(folder.path().join(name), golden::bytes(name)).expect("written");
    }
    folder
}

#[test]
fn what_is_cut_short_or_missing_is_named() {
    let folder = copied();
    let index = folder.path().join("values_tf.index");
    let whole = golden::bytes("values_tf.index");
    for length in 1..whole.len() {
        fs::write(&index, &whole[..length]).expect("written");
        let error = open(&index).expect_err("it is cut").to_string();
        assert!(error.contains("values_tf.index"), "{length} bytes: {error}");
    }
    fs::write(&index, &whole).expect("written");
    let data = folder.path().join("values_tf.data-00001-of-00002");
    let numbers = golden::bytes("values_tf.data-00001-of-00002");
    fs::write(&data, &numbers[..numbers.len() - 1]).expect("written");
    let error = open(&index).expect_err("it is cut").to_string();
    assert!(error.contains("data-00001-of-00002") && error.contains("cut short"), "{error}");
    let mut other = numbers.clone();
    other[40] ^= 1;
    fs::write(&data, &other).expect("written");
    let error = open(&index).expect_err("damaged").to_string();
    assert!(error.contains("tensor of/") && error.contains("damaged"), "{error}");
    fs::remove_file(&data).expect("removed");
    let error = open(&index).expect_err("missing").to_string();
    assert!(error.contains("data-00001-of-00002"), "{error}");
}

/// A number of seven bits a byte.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A block with its packing and sum; `packed` by Snappy. Keys share what they can with the one
/// before.
fn block(entries: &[(Vec<u8>, Vec<u8>)], packed: bool) -> Vec<u8> {
    let mut content = Vec::new();
    let mut before: &[u8] = &[];
    for (key, value) in entries {
        let shared = before.iter().zip(key).take_while(|(a, b)| a == b).count();
        for length in [shared, key.len() - shared, value.len()] {
            content.extend(varint(length as u64));
        }
        content.extend_from_slice(&key[shared..]);
        content.extend_from_slice(value);
        before = key;
    }
    content.extend(0_u32.to_le_bytes());
    content.extend(1_u32.to_le_bytes());
    if packed {
        content = snap::raw::Encoder::new().compress_vec(&content).expect("packed");
    }
    content.push(u8::from(packed));
    let sum = crc32c::crc32c(&content).rotate_right(15).wrapping_add(0xa282_ead8);
    content.extend(sum.to_le_bytes());
    content
}

/// A table of these entries, `in_block` a block.
fn table(entries: &[(Vec<u8>, Vec<u8>)], in_block: usize, packed: bool) -> Vec<u8> {
    let (mut bytes, mut index) = (Vec::new(), Vec::new());
    let add = |bytes: &mut Vec<u8>, entries: &[(Vec<u8>, Vec<u8>)]| {
        let made = block(entries, packed);
        let handle = [varint(bytes.len() as u64), varint(made.len() as u64 - 5)].concat();
        bytes.extend(made);
        handle
    };
    for part in entries.chunks(in_block) {
        let handle = add(&mut bytes, part);
        index.push((part[part.len() - 1].0.clone(), handle));
    }
    let meta = add(&mut bytes, &[]);
    let index = add(&mut bytes, &index);
    let mut footer = [meta, index].concat();
    footer.resize(40, 0);
    footer.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    bytes.extend(footer);
    bytes
}

/// A field of a protocol buffer that is a number.
fn field(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

/// An entry of float32 of this shape.
fn entry(shape: &[u64], shard: u64, offset: u64, size: u64, sum: u32) -> Vec<u8> {
    let dims: Vec<u8> = shape
        .iter()
        .flat_map(|&dim| {
            let dim = field(1, dim);
            [vec![2 << 3 | 2], varint(dim.len() as u64), dim].concat()
        })
        .collect();
    let sum = [vec![6 << 3 | 5], sum.to_le_bytes().to_vec()].concat();
    let shape = [vec![2 << 3 | 2], varint(dims.len() as u64), dims].concat();
    [field(1, 1), shape, field(3, shard), field(4, offset), field(5, size), sum].concat()
}

fn written(folder: &Path, index: &[u8], data: &[u8]) -> std::path::PathBuf {
    fs::write(folder.join("m.data-00000-of-00001"), data).expect("written");
    let path = folder.join("m.index");
    fs::write(&path, index).expect("written");
    path
}

fn header() -> (Vec<u8>, Vec<u8>) {
    (Vec::new(), field(1, 1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Tables of any number of blocks, packed or not, and names that share their beginnings.
    #[test]
    fn tables_are_read_as_they_are_written(
        lengths in proptest::collection::vec(0_usize..6, 1..20),
        in_block in 1_usize..6,
        packed: bool,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut data, mut entries) = (Vec::new(), vec![header()]);
        for (i, &length) in lengths.iter().enumerate() {
            let numbers: Vec<u8> =
                (0..length).flat_map(|j| ((i * 10 + j) as f32).to_le_bytes()).collect();
            let sum = crc32c::crc32c(&numbers).rotate_right(15).wrapping_add(0xa282_ead8);
            let (at, size) = (data.len() as u64, numbers.len() as u64);
            entries.push((
                format!("layer_{i:02}/kernel").into_bytes(),
                entry(&[length as u64], 0, at, size, sum),
            ));
            data.extend(numbers);
        }
        let path = written(folder.path(), &table(&entries, in_block, packed), &data);
        let read = open(&path).expect("as written");
        prop_assert_eq!(read.tensors.len(), lengths.len());
        for (i, &length) in lengths.iter().enumerate() {
            let expected: Vec<f32> = (0..length).map(|j| (i * 10 + j) as f32).collect();
            prop_assert_eq!(read.tensors[&format!("layer_{i:02}/kernel")].to_f32(), expected);
        }
    }

    /// Any byte of an index changed: the same tensors, or an error. The sums see to that.
    #[test]
    fn a_changed_byte_is_noticed(at in 0_usize..559, change in 1_u8..=255) {
        let folder = copied();
        let path = folder.path().join("values_tf.index");
        let mut bytes = fs::read(&path).expect("it");
        let at = at % bytes.len();
        bytes[at] ^= change;
        fs::write(&path, &bytes).expect("written");
        match open(&path) {
            Ok(read) => prop_assert_eq!(read.tensors, golden::open("values_tf.index").tensors),
            Err(error) => prop_assert!(error.to_string().contains("values_tf.index")),
        }
    }

    /// Places and sizes as an attacker chooses them, with right sums: an error, and no memory for
    /// what the file does not have.
    #[test]
    fn places_are_never_trusted(
        shape in proptest::collection::vec(any::<u64>(), 0..4),
        shard: u64,
        offset: u64,
        size: u64,
        known_size: bool,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let product = shape.iter().fold(4_u64, |n, dim| n.wrapping_mul(*dim));
        let size = if known_size { product } else { size };
        let shard = if known_size { 0 } else { shard };
        let entries = [header(), (b"x".to_vec(), entry(&shape, shard, offset, size, 7))];
        let path = written(folder.path(), &table(&entries, 2, false), &[0; 16]);
        prop_assert!(open(&path).is_err());
    }

    /// Blocks of any bytes with a right sum.
    #[test]
    fn blocks_of_anything_are_errors_or_tables(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut content = bytes.clone();
        let sum = crc32c::crc32c(&content).rotate_right(15).wrapping_add(0xa282_ead8);
        content.extend(sum.to_le_bytes());
        let size = bytes.len().saturating_sub(1) as u64;
        let mut footer = [varint(0), varint(0), varint(0), varint(size)].concat();
        footer.resize(40, 0);
        footer.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
        content.extend(footer);
        let path = written(folder.path(), &content, &[]);
        prop_assert!(open(&path).is_err());
    }
}
