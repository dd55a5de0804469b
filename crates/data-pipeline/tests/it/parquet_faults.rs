//! Parquet files that people write, and what is said of those that cannot be used.

use crate::folders::{picture, skipping};
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, Summary};
use data_pipeline::picture::{Decode, png};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::path::Path;
use std::sync::Arc;

/// The labels of a file.
enum Labels<'a> {
    Numbers(&'a [i64]),
    Reals(&'a [f64]),
    /// One in each row's list.
    Lists(&'a [i64]),
}

/// A row's image, of this side, and its path.
type Row<'a> = (Option<u32>, Option<&'a str>);

fn write(path: &Path, rows: &[Row<'_>], labels: &Labels<'_>, names: &[&str], statistics: bool) {
    let label = match labels {
        Labels::Numbers(_) => "optional int64 label;",
        Labels::Reals(_) => "optional double label;",
        Labels::Lists(_) => {
            "optional group label (LIST) { repeated group list { optional int64 element; } }"
        }
    };
    let schema = format!(
        "message schema {{ optional group image {{ optional binary bytes; \
         optional binary path (UTF8); }} {label} }}"
    );
    let mut properties = WriterProperties::builder().set_statistics_enabled(match statistics {
        true => EnabledStatistics::Chunk,
        false => EnabledStatistics::None,
    });
    if !names.is_empty() {
        let note = serde_json::json!({"info": {"features": {
            "image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}
        }}});
        let note = KeyValue::new("huggingface".to_owned(), note.to_string());
        properties = properties.set_key_value_metadata(Some(vec![note]));
    }
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut file = SerializedFileWriter::new(file, schema, Arc::new(properties.build())).unwrap();
    let mut group = file.next_row_group().unwrap();
    let encoded = |side: u32| {
        let image = augment::Image::new(
            side as usize,
            side as usize,
            3,
            picture(side, side, side as u8).into_raw(),
        );
        ByteArray::from(png(&image))
    };
    let bytes: Vec<_> = rows.iter().map(|row| row.0.map(encoded)).collect();
    let paths: Vec<_> = rows.iter().map(|row| row.1.map(ByteArray::from)).collect();
    for cells in [bytes, paths] {
        let levels: Vec<i16> = cells.iter().map(|cell| 1 + i16::from(cell.is_some())).collect();
        let values: Vec<_> = cells.into_iter().flatten().collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
    }
    let mut column = group.next_column().unwrap().unwrap();
    let there = vec![1; rows.len()];
    match labels {
        Labels::Numbers(values) => {
            column.typed::<Int64Type>().write_batch(values, Some(&there), None).unwrap()
        }
        Labels::Reals(values) => {
            column.typed::<DoubleType>().write_batch(values, Some(&there), None).unwrap()
        }
        Labels::Lists(values) => {
            let (levels, starts) = (vec![3; rows.len()], vec![0; rows.len()]);
            column.typed::<Int64Type>().write_batch(values, Some(&levels), Some(&starts)).unwrap()
        }
    };
    column.close().unwrap();
    group.close().unwrap();
    file.close().unwrap();
}

fn open(path: &Path, options: &FolderOptions) -> Result<FolderSet, String> {
    FolderSet::open(path, options).map_err(|error| error.to_string())
}

#[test]
fn rows_without_bytes_are_told_on_opening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let labels = Labels::Numbers(&[0, 1, 0, 1]);
    let none = [(None, Some("pets/a.jpg")), (None, None), (None, None), (None, None)];
    let some = [(Some(4), None), (None, Some("pets/b.jpg")), (Some(5), None), (Some(6), None)];
    for statistics in [true, false] {
        write(&path, &none, &labels, &[], statistics);
        for options in [FolderOptions::default(), skipping()] {
            let error = open(&path, &options).unwrap_err();
            assert!(error.contains("no row holds an encoded image in `image.bytes`"), "{error}");
            assert!(error.contains("`pets/a.jpg`") && error.contains("embed_table"), "{error}");
        }
    }
    write(&path, &some, &labels, &[], true);
    let set = open(&path, &skipping()).unwrap();
    assert_eq!((set.len(), set.labels().unwrap()), (3, vec![0, 0, 1]));
    assert_eq!((set.item(0).unwrap().width(), set.item(1).unwrap().width()), (4, 5));
    let left_out = set.left_out()[0].to_string();
    assert!(left_out.starts_with("1 file left out, a row without an encoded image"), "{left_out}");
    assert!(left_out.ends_with("a.parquet row 1"), "{left_out}");
    let error = open(&path, &FolderOptions::default()).unwrap_err();
    assert!(error.contains("row 1: the row holds no encoded image"), "{error}");
    // What the headers tell has its reason in the summary.
    let decode = Decode { max_pixels: 30, ..Default::default() };
    let options = FolderOptions { decode, labeled: false, ..skipping() };
    let set = open(&path, &options).unwrap();
    let summary = Summary::of(&set);
    assert_eq!((summary.count, summary.unusable, summary.left_out.len()), (3, 1, 2));
    assert!(summary.left_out[1].reason.contains("the limit of 30 pixels"));
    // The same words when it is decoded.
    assert_eq!(set.decode_all(0).unwrap().inner().left_out(), summary.left_out);
}

#[test]
fn labels_that_are_no_classes_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let rows = [(Some(4), None), (Some(5), None), (Some(6), None)];
    let refused = |labels: &Labels<'_>, names: &[&str]| {
        write(&path, &rows, labels, names, true);
        open(&path, &FolderOptions::default()).unwrap_err()
    };
    let error = refused(&Labels::Lists(&[0, 1, 2]), &[]);
    assert!(error.contains("`label` holds lists, several labels a picture"), "{error}");
    assert!(error.contains("not supported"), "{error}");
    let error = refused(&Labels::Reals(&[0.0, 1.5, 2.0]), &[]);
    assert!(error.contains("row 1: its column `label` is 1.5; labels must be whole"), "{error}");
    assert!(!error.contains("damaged"), "{error}");
    let error = refused(&Labels::Numbers(&[0, 1, 4]), &["a", "b", "c", "d"]);
    assert!(error.contains("row 2: the label is 4, and the 4 names of"), "{error}");
    // Whole numbers that became others because one is missing.
    write(&path, &rows, &Labels::Reals(&[3.0, f64::NAN, 10.0]), &[], true);
    let set = open(&path, &FolderOptions::default()).unwrap();
    assert_eq!(set.classes(), ["3", "10"]);
    assert_eq!([set.label(0), set.label(1), set.label(2)], [Some(0), None, Some(1)]);
}

#[test]
fn ids_have_the_names_of_the_files_where_these_are_unique() {
    let dir = tempfile::tempdir().unwrap();
    let labels = Labels::Numbers(&[0, 1, 0, 1]);
    let rows = [
        (Some(4), Some("cam\\IMG_1.JPG")),
        (Some(5), Some("x/same.jpg")),
        (Some(6), Some("0")),
        (Some(7), None),
    ];
    write(&dir.path().join("train-0.parquet"), &rows, &labels, &[], true);
    let rows = [(Some(4), Some("y/same.jpg")), (Some(5), Some("IMG_2.JPG")), rows[3], rows[3]];
    write(&dir.path().join("train-1.parquet"), &rows, &labels, &[], true);
    let set = open(dir.path(), &FolderOptions::default()).unwrap();
    let ids: Vec<_> = (0..8).map(|i| set.id(i)).collect();
    let first = ["train-0.parquet/IMG_1.JPG", "train-0.parquet/1", "train-0.parquet/2"];
    assert_eq!(ids[..3], first);
    assert_eq!(ids[3..6], ["train-0.parquet/3", "train-1.parquet/0", "train-1.parquet/IMG_2.JPG"]);
}

#[test]
fn a_pattern_is_printed_for_a_shell() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("Ann's");
    std::fs::create_dir(&own).unwrap();
    for name in ["train-0", "test-0"] {
        std::fs::write(own.join(format!("{name}.parquet")), "").unwrap();
    }
    let error = open(&own, &FolderOptions::default()).unwrap_err();
    let shown = dir.path().display();
    assert!(error.contains(&format!("'{shown}/Ann'\\''s/train*.parquet'")), "{error}");
}

#[test]
fn what_packs_a_file_is_named_where_it_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let rows = [(Some(4), None), (Some(5), None)];
    write(&path, &rows, &Labels::Numbers(&[0, 1]), &[], true);
    let plain = std::fs::read(&path).unwrap();
    assert!(open(&path, &FolderOptions::default()).is_ok());
    // The codec follows the name of the column in the footer: a field of one byte.
    for (codec, name) in [(6, "LZO"), (8, "Brotli")] {
        let mut bytes = plain.clone();
        let place = bytes.windows(8).rposition(|part| part == b"\x05bytes\x15\0").unwrap();
        bytes[place + 7] = codec;
        std::fs::write(&path, bytes).unwrap();
        let error = open(&path, &skipping()).unwrap_err();
        let expected = format!(
            "a.parquet: its column `image.bytes` is compressed by {name}, which is not read (write \
             it with Zstandard or Snappy)"
        );
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[test]
fn columns_without_pictures_are_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let refused = |columns: &str| {
        let schema = format!("message schema {{ {columns} optional int64 label; }}");
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let file = std::fs::File::create(&path).unwrap();
        SerializedFileWriter::new(file, schema, Arc::default()).unwrap().close().unwrap();
        let error = open(&path, &FolderOptions::default()).unwrap_err();
        assert!(!error.contains("damaged"), "{error}");
        error
    };
    // As PyArrow writes it where all bytes are null.
    let paths = "optional group image { optional int32 bytes; optional binary path (UTF8); }";
    for (columns, paths) in [(paths, "image.path"), ("optional binary img (UTF8);", "img")] {
        let error = refused(columns);
        assert!(error.contains(&format!("`{paths}` has only the paths of pictures")), "{error}");
        assert!(error.contains("with the pictures inside"), "{error}");
    }
    let error = refused("optional binary text (UTF8);");
    assert!(error.contains("no column `image` of encoded images"), "{error}");
    assert!(error.contains("among text, label (call the column of pictures `image`"), "{error}");
}

/// Writes two pictures, and columns of labels: the type and name of each, its two values, and the
/// names of class labels.
fn write_labels(path: &Path, columns: &[(&str, [i64; 2], &[&str])]) {
    let declared: String =
        columns.iter().map(|(column, ..)| format!("required int64 {column};")).collect();
    let schema = format!("message schema {{ required binary image; {declared} }}");
    let typed = |(column, _, names): &(&str, [i64; 2], &[&str])| {
        let name = column.split(' ').next().unwrap().to_owned();
        let feature = match names.is_empty() {
            true => serde_json::json!({"_type": "Value"}),
            false => serde_json::json!({"_type": "ClassLabel", "names": names}),
        };
        (name, feature)
    };
    let features: serde_json::Map<String, serde_json::Value> = columns.iter().map(typed).collect();
    let note = serde_json::json!({"info": {"features": features}}).to_string();
    let note = vec![KeyValue::new("huggingface".to_owned(), note)];
    let properties = WriterProperties::builder().set_key_value_metadata(Some(note)).build();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut file = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    let image = augment::Image::new(4, 4, 3, picture(4, 4, 1).into_raw());
    let images = [ByteArray::from(png(&image)), ByteArray::from(png(&image))];
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&images, None, None).unwrap();
    column.close().unwrap();
    for (_, values, _) in columns {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(values, None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    file.close().unwrap();
}

/// The class of each picture by name.
fn classes(set: &FolderSet) -> Vec<&str> {
    (0..set.len()).map(|i| set.label(i).map_or("-", |l| &set.classes()[l as usize])).collect()
}

#[test]
fn each_file_numbers_its_own_class_labels() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    write_labels(&at("a.parquet"), &[("label", [0, 1], &["cat", "dog"])]);
    write_labels(&at("b.parquet"), &[("label", [0, 1], &["dog", "cat"])]);
    let set = open(dir.path(), &FolderOptions::default()).unwrap();
    assert_eq!(set.classes(), ["cat", "dog"]);
    assert_eq!(classes(&set), ["cat", "dog", "dog", "cat"]);
    assert!(set.notes()[0].contains("number their classes differently"), "{:?}", set.notes());
    // A name that only a later file has; a file without names, which cannot tell which are meant.
    write_labels(&at("b.parquet"), &[("label", [1, 0], &["eel", "cat"])]);
    let set = open(dir.path(), &FolderOptions::default()).unwrap();
    assert_eq!((set.classes().len(), classes(&set)), (3, vec!["cat", "dog", "cat", "eel"]));
    write_labels(&at("c.parquet"), &[("label", [0, 1], &[])]);
    let error = open(dir.path(), &FolderOptions::default()).unwrap_err();
    assert!(error.contains("c.parquet: has no names of its class labels"), "{error}");
    std::fs::remove_file(at("b.parquet")).unwrap();
    let set = open(dir.path(), &FolderOptions::default()).unwrap();
    assert_eq!(classes(&set), ["cat", "dog", "cat", "dog"]);
}

#[test]
fn a_column_that_is_called_label_is_that_of_the_labels() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let camera = ("camera", [1, 0], &["near", "far"][..]);
    write_labels(&path, &[camera, ("label", [7, 3], &[])]);
    let set = open(&path, &FolderOptions::default()).unwrap();
    assert_eq!(classes(&set), ["7", "3"]);
    let note = "labels are read from the column `label`; `camera` may be meant too";
    assert!(set.notes()[0].starts_with(note), "{:?}", set.notes());
    // Without such a column, the only one of class labels.
    write_labels(&path, &[camera, ("age", [7, 3], &[])]);
    let set = open(&path, &FolderOptions::default()).unwrap();
    assert_eq!((classes(&set), set.notes().len()), (vec!["far", "near"], 0));
    // Names that may stand for anything come after it, and are noted.
    for weak in ["y", "digit", "target", "category"] {
        write_labels(&path, &[(weak, [7, 3], &[]), camera]);
        let set = open(&path, &FolderOptions::default()).unwrap();
        assert_eq!(classes(&set), ["far", "near"], "{weak}");
        let note = format!("labels are read from the column `camera`; `{weak}` may be meant too");
        assert!(set.notes()[0].starts_with(&note), "{:?}", set.notes());
        write_labels(&path, &[(weak, [7, 3], &[]), ("age", [1, 2], &[])]);
        assert_eq!(classes(&open(&path, &FolderOptions::default()).unwrap()), ["7", "3"]);
    }
}

#[test]
fn numbers_are_labels_whatever_their_sign_and_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let shown = |column: &str, values: [i64; 2], names: &[&str]| {
        write_labels(&path, &[(column, values, names)]);
        let set = open(&path, &FolderOptions::default())?;
        Ok::<_, String>(classes(&set).into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(shown("label", [-2, 1], &[]).unwrap(), ["-2", "1"]);
    assert_eq!(shown("label", [-1, 1], &[]).unwrap(), ["-1", "1"]);
    let unsigned = "label (INTEGER(64,false))";
    let names = shown(unsigned, [-1, 1], &[]).unwrap();
    assert_eq!(names, ["18446744073709551615", "1"]);
    // Among names, -1 is none, and another number is out of their range.
    let error = shown("label", [-2, 1], &["a", "b"]).unwrap_err();
    assert!(error.contains("row 0: the label is -2, and the 2 names"), "{error}");
    let other = dir.path().join("b.parquet");
    write_labels(&path, &[("label", [0, -1], &["a", "b"])]);
    write_labels(&other, &[("label", [1, -1], &["a", "b"])]);
    let set = open(dir.path(), &FolderOptions::default()).unwrap();
    assert_eq!(classes(&set), ["a", "-", "b", "-"]);
}
