//! Every format gives the same tensors.

use std::collections::BTreeMap;
use std::fs;

use weights::{Dtype, TensorData, open, save};

use crate::golden;

#[test]
fn pytorchs_formats_hold_what_safetensors_hold() {
    let values = golden::values().tensors;
    assert_eq!(values.len(), 17);
    assert_eq!(values["transposed"].shape(), [6, 4]);
    assert_eq!(values["transposed"].to_f32()[..4], [0.0, 6.0, 12.0, 18.0]);
    for name in ["values.pth", "values_legacy.pth", "values_big_endian.pth"] {
        let read = golden::open(name);
        assert_eq!(read.tensors.keys().collect::<Vec<_>>(), values.keys().collect::<Vec<_>>());
        for (tensor, expected) in &values {
            assert_eq!(&read.tensors[tensor], expected, "{name}: {tensor}");
        }
        assert!(read.applied.is_empty(), "{:?}", read.applied);
        assert_eq!(read.source, golden::path(name));
    }
}

#[test]
fn kinds_without_a_storage_class_are_read_and_others_named() {
    let read = golden::open("unsigned.pth");
    let number = &read.tensors["u16"];
    assert_eq!((number.dtype(), number.to_f32()), (Dtype::U16, vec![1.0, 65535.0]));
    let error = open(&golden::path("quantised.pth")).expect_err("quantised").to_string();
    assert!(
        error.contains("quantised.pth: tensor q: ") && error.contains("_rebuild_qtensor"),
        "{error}"
    );
}

#[test]
fn shards_are_read_as_one() {
    let values = golden::values().tensors;
    for (name, first, second) in [
        ("shards_safetensors.index.json", "shard_a.safetensors", "shard_b.safetensors"),
        ("shards_bin.index.json", "shard_a.bin", "shard_b.bin"),
    ] {
        let read = golden::open(name);
        let counts = [first, second].map(|shard| golden::open(shard).tensors.len());
        assert_eq!(counts, [2, 1]);
        let expected = ["f16", "f32", "i64"].map(|t| (t.to_owned(), values[t].clone()));
        assert_eq!(read.tensors, BTreeMap::from(expected), "{name}");
        assert_eq!(read.applied, ["read 2 files of an index"]);
    }
}

#[test]
fn an_index_that_lies_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = folder.path().join("model.safetensors.index.json");
    for shard in ["shard_a.safetensors", "shard_b.safetensors"] {
        fs::copy(golden::path(shard), folder.path().join(shard)).expect("copied");
    }
    let error = |text: &str| {
        fs::write(&index, text).expect("written");
        // A folder is searched for the names that the hub uses.
        open(folder.path()).expect_err(text).to_string()
    };
    let missing =
        error(r#"{"weight_map": {"f32": "shard_a.safetensors", "x": "shard_b.safetensors"}}"#);
    assert!(missing.contains("1 tensors are not in their files: x"), "{missing}");
    let outside = error(r#"{"weight_map": {"f32": "../shard_a.safetensors"}}"#);
    assert!(outside.contains("no file beside it"), "{outside}");
    let absent = error(r#"{"weight_map": {"f32": "shard_c.safetensors"}}"#);
    assert!(absent.contains("shard_c.safetensors"), "{absent}");
    assert!(error("{}").contains("weight_map"));
    assert!(error("{").contains("no JSON"));
}

#[test]
fn what_is_saved_is_read_again_and_the_bytes_depend_on_the_content_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (folder.path().join("a.safetensors"), folder.path().join("b.safetensors"));
    let values = golden::values().tensors;
    let texts = ["one", "two", "three"].map(|t| (t.to_owned(), format!("«{t}»")));
    let meta = BTreeMap::from(texts);
    save(&a, &values, &meta).expect("saved");
    save(&b, &values, &meta).expect("saved");
    assert_eq!(fs::read(&a).expect("it"), fs::read(&b).expect("it"));
    let read = open(&a).expect("it");
    assert_eq!((read.tensors, read.meta), (values, meta));
}

#[test]
fn what_holds_no_weights_is_called_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.pth");
    let error = |content: &[u8]| {
        fs::write(&path, content).expect("written");
        let error = open(&path).expect_err("no weights").to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        error
    };
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (content, what) in [
        (&b""[..], "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (&tar, "a tar archive"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"{}", "JSON"),
        (b"some text", "not a file of weights"),
    ] {
        assert!(error(content).contains(what), "{what}");
    }
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).expect("a file"));
    zip.start_file("a.txt", zip::write::SimpleFileOptions::default()).expect("begun");
    zip.finish().expect("written");
    let error = open(&path).expect_err("no weights").to_string();
    assert!(error.contains("a.txt") && error.contains("no data.pkl"), "{error}");
    let missing = open(&folder.path().join("none")).expect_err("nothing").to_string();
    assert!(missing.contains("none: No such file"), "{missing}");
    let empty = open(folder.path()).expect_err("a folder").to_string();
    assert!(empty.contains("model.safetensors"), "{empty}");
}

#[test]
fn a_kind_of_number_that_is_not_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("eight.safetensors");
    let header = br#"{"small":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &[0]].concat();
    fs::write(&path, bytes).expect("written");
    let error = open(&path).expect_err("eight bits").to_string();
    assert!(error.contains("tensor small") && error.contains("F8_E4M3"), "{error}");
    // A single number of a stated shape.
    let one = TensorData::from_f32(vec![], &[1.0]);
    save(&path, &BTreeMap::from([("x".to_owned(), one.clone())]), &BTreeMap::new()).expect("saved");
    assert_eq!(open(&path).expect("it").tensors["x"], one);
}
