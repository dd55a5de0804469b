//! Images in Parquet files, compared with what Hugging Face's `datasets` reads.

use crate::damage::{damage, spoil, touch};
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad, Summary};
use proptest::prelude::*;
use std::path::Path;

const STRUCT: &[u8] = include_bytes!("../golden/hf_images.parquet");
const BINARY: &[u8] = include_bytes!("../golden/binary_images.parquet");

#[derive(serde::Deserialize)]
struct Row {
    pixels: Vec<u8>,
    label: serde_json::Value,
}

#[derive(serde::Deserialize)]
struct Golden {
    hf_images: Vec<Row>,
    binary_images: Vec<Row>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/hf_images.json")).unwrap()
}

fn open(path: &Path) -> FolderSet {
    FolderSet::open(path, &FolderOptions::default()).unwrap()
}

#[test]
fn parquet_reads_as_datasets_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    std::fs::write(&path, STRUCT).unwrap();
    let set = open(&path);
    let rows = golden().hf_images;
    assert_eq!((set.len(), set.classes()), (8, &["fox", "cat", "dog"].map(str::to_owned)[..]));
    // Not in the order of the file, each in its own call.
    for i in [7, 0, 5, 3, 2, 6, 1, 4] {
        assert_eq!(set.item(i).unwrap().pixels(), rows[i].pixels, "row {i}");
        let label = rows[i].label.as_u64().map(|label| label as u32);
        assert_eq!(set.label(i), label, "row {i}; -1 and null are none");
        assert_eq!(set.id(i), format!("a.parquet/{i}"));
    }
    let kept = open(&path).decode_all(1 << 20).unwrap();
    (0..8).for_each(|i| assert_eq!(kept.item(i).unwrap(), set.item(i).unwrap()));
    let (labeled, unlabeled) = set.by_label();
    assert_eq!((labeled.len(), unlabeled.unwrap().id(1)), (6, "a.parquet/7".into()));

    std::fs::write(&path, BINARY).unwrap();
    let set = open(&path);
    assert_eq!((set.len(), set.classes()), (20, &["a", "b"].map(str::to_owned)[..]));
    for (i, row) in golden().binary_images.iter().enumerate().rev() {
        assert_eq!(set.item(i).unwrap().pixels(), row.pixels, "row {i}");
        let label = set.label(i).unwrap();
        assert_eq!(Some(set.classes()[label as usize].as_str()), row.label.as_str());
    }
    let summary = Summary::of(&set);
    assert_eq!((summary.width.median, summary.height.median, summary.kinds["PNG"]), (4, 3, 20));
    // Digests are those of the encoded images.
    let digests = set.digests().unwrap().unwrap();
    let encoded = set.encoded(13).unwrap();
    assert_eq!(digests[13], data_pipeline::digest::Digest::of(&encoded));
}

#[test]
fn shards_are_one_set_and_parts_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    for name in ["train-00000-of-00002", "train-00001-of-00002"] {
        std::fs::write(data.join(format!("{name}.parquet")), STRUCT).unwrap();
    }
    std::fs::write(data.join("README.md"), "about").unwrap();
    for path in [dir.path(), &data] {
        let set = open(path);
        assert_eq!((set.len(), set.id(8)), (16, "train-00001-of-00002.parquet/0".into()));
        assert_eq!(set.item(9).unwrap(), set.item(1).unwrap());
    }
    // A set that lacks a file is none; a pattern may pick files of it.
    let (first, away) = (data.join("train-00000-of-00002.parquet"), dir.path().join("away"));
    std::fs::rename(&first, &away).unwrap();
    for path in [dir.path(), &data, &data.join("train-*.parquet")] {
        let error = FolderSet::open(path, &FolderOptions::default()).unwrap_err().to_string();
        let missing = "train-00000-of-00002.parquet is missing: 1 of 2 files are there";
        assert!(error.contains(missing), "{error}");
    }
    assert_eq!(open(&data.join("train-00001*.parquet")).len(), 8);
    std::fs::rename(&away, &first).unwrap();
    std::fs::write(data.join("test-00000-of-00001.parquet"), STRUCT).unwrap();
    let error = FolderSet::open(dir.path(), &FolderOptions::default()).unwrap_err().to_string();
    assert!(error.contains("several parts") && error.contains("data/train*.parquet"), "{error}");
    assert_eq!(open(&data.join("train*.parquet")).len(), 16);
    assert_eq!(open(&data.join("test-*.parquet")).len(), 8);
    // Fixed classes: those of the training images, in their order.
    let classes = Some(["dog", "fox", "cat"].map(str::to_owned).to_vec());
    let options = FolderOptions { classes, ..Default::default() };
    let set = FolderSet::open(&data.join("test-*.parquet"), &options).unwrap();
    assert_eq!((set.label(0), set.label(1)), (Some(0), Some(1)));
    let classes = Some(["dog", "fox"].map(str::to_owned).to_vec());
    let options = FolderOptions { classes, ..Default::default() };
    let error = FolderSet::open(&data.join("test-*.parquet"), &options).unwrap_err().to_string();
    assert!(error.contains("no class `cat` among dog, fox"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn damaged_parquet_never_panics(damage in damage(), binary: bool, labeled: bool) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        std::fs::write(&path, spoil(if binary { BINARY } else { STRUCT }, &damage)).unwrap();
        let options = FolderOptions { labeled, on_bad: OnBad::Skip, ..Default::default() };
        match FolderSet::open(&path, &options).and_then(|set| set.decode_all(u64::MAX)) {
            Ok(set) => touch(&set),
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains("x.parquet"), "{}", error);
            }
        }
    }
}
