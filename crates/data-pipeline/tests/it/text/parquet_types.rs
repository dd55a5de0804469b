//! Tables of texts in Parquet files: what a column's values stand for, beside how they are stored.

use data_pipeline::dataset::Samples;
use data_pipeline::text::{OwnTexts, Target};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type,
    Int64Type,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::path::Path;
use std::sync::Arc;

/// Writes a table of two texts with a column of labels, whose type is declared so.
fn write<T: DataType>(path: &Path, declared: &str, labels: &[T::T; 2]) {
    let schema = format!("message schema {{ required binary t (UTF8); required {declared}; }}");
    let schema = Arc::new(parse_message_type(&schema).expect(declared));
    let file = std::fs::File::create(path).unwrap();
    let mut file = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let texts = ["one", "two"].map(ByteArray::from);
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(labels, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    file.close().unwrap();
}

/// The labels of a table in the order of its rows.
fn labels(path: &Path) -> Result<Vec<String>, String> {
    let own = OwnTexts { text: "t".into(), label: Some("y".into()), ..OwnTexts::default() };
    let set = own.read(&[path.to_path_buf()]).map_err(|error| error.to_string())?;
    let class = |target| match target {
        Target::Class(class) => set.classes()[class as usize].clone(),
        other => panic!("{other:?}"),
    };
    Ok(set.examples().iter().map(|example| class(example.target)).collect())
}

#[test]
fn numbers_and_dates_are_read_by_their_logical_type() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let is = |wanted: [&str; 2], declared: &str| {
        assert_eq!(labels(&path).as_deref(), Ok(&wanted.map(str::to_owned)[..]), "{declared}");
    };
    for (declared, values, wanted) in [
        ("int32 y (DECIMAL(5,1))", [10, 20], ["1.0", "2.0"]),
        ("int32 y (DECIMAL(9,0))", [10, -20], ["10", "-20"]),
        ("int32 y (INTEGER(32,false))", [3_000_000_000_u32.cast_signed(), 1], ["3000000000", "1"]),
        ("int32 y (UINT_8)", [255, 1], ["255", "1"]),
        ("int32 y (INTEGER(8,true))", [-1, 1], ["-1", "1"]),
        ("int32 y (DATE)", [19_782, -1], ["2024-02-29", "1969-12-31"]),
        ("int32 y", [-1, 1], ["-1", "1"]),
    ] {
        write::<Int32Type>(&path, declared, &values);
        is(wanted, declared);
    }
    for (declared, values, wanted) in [
        ("int64 y (DECIMAL(18,2))", [-5, 12_345], ["-0.05", "123.45"]),
        ("int64 y (INTEGER(64,false))", [-1, 1], ["18446744073709551615", "1"]),
        ("int64 y (UINT_64)", [-1, 1], ["18446744073709551615", "1"]),
    ] {
        write::<Int64Type>(&path, declared, &values);
        is(wanted, declared);
    }
    // As PyArrow writes decimals, whatever their digits.
    let declared = "fixed_len_byte_array(3) y (DECIMAL(5,1))";
    let values = [vec![0, 0, 10], vec![0xff, 0xff, 0xec]];
    let values = values.map(|bytes| FixedLenByteArray::from(ByteArray::from(bytes)));
    write::<FixedLenByteArrayType>(&path, declared, &values);
    is(["1.0", "-2.0"], declared);
    let declared = "binary y (DECIMAL(5,1))";
    write::<ByteArrayType>(&path, declared, &[vec![10], vec![0xec]].map(ByteArray::from));
    is(["1.0", "-2.0"], declared);
}

#[test]
fn other_types_are_refused_with_their_name_and_that_of_the_column() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let refused = |of: &str| {
        let error = labels(&path).expect_err(of);
        let named = format!("a.parquet: its column `y` is of type {of}");
        assert!(
            error.contains(&named) && error.ends_with("(write it as text or as numbers)"),
            "{error}"
        );
    };
    write::<Int64Type>(&path, "int64 y (TIMESTAMP(MICROS,true))", &[0, 1]);
    refused("TIMESTAMP");
    write::<Int64Type>(&path, "int64 y (TIMESTAMP_MILLIS)", &[0, 1]);
    refused("TIMESTAMP");
    let bytes = || FixedLenByteArray::from(ByteArray::from(vec![0; 16]));
    write::<FixedLenByteArrayType>(&path, "fixed_len_byte_array(16) y", &[bytes(), bytes()]);
    refused("FIXED_LEN_BYTE_ARRAY");
    write::<FixedLenByteArrayType>(&path, "fixed_len_byte_array(16) y (UUID)", &[bytes(), bytes()]);
    refused("UUID");
}

#[test]
fn what_packs_a_table_is_named_where_it_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write::<Int32Type>(&path, "int32 y", &[0, 1]);
    let mut bytes = std::fs::read(&path).unwrap();
    // The codec follows the name of the column in the footer: a field of one byte.
    let place = bytes.windows(4).rposition(|part| part == b"\x01y\x15\0").unwrap();
    bytes[place + 3] = 8;
    std::fs::write(&path, bytes).unwrap();
    let error = labels(&path).unwrap_err();
    let expected = "a.parquet: its column `y` is compressed by Brotli, which is not read (write it \
                    with Zstandard or Snappy)";
    assert!(error.ends_with(expected), "{error}");
}
