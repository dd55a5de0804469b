//! Files of tensors: round trips, the same bytes each time, and damage that is an error, never a
//! panic.

use std::collections::BTreeMap;

use proptest::prelude::*;
use torch::store::{self, StoreError};
use torch::{Device, Kind, Tensor};

const CPU: Device = Device::Cpu;

fn everything() -> (Vec<(String, Tensor)>, BTreeMap<String, String>) {
    let ramp = Tensor::arange(6, (Kind::Float, CPU)).view([2, 3]) - 2.5;
    let kinds = [
        Kind::Float,
        Kind::Double,
        Kind::Half,
        Kind::BFloat16,
        Kind::Int64,
        Kind::Int,
        Kind::Uint8,
        Kind::Bool,
    ];
    let mut tensors: Vec<_> =
        kinds.into_iter().map(|kind| (format!("{kind:?}"), ramp.abs().to_kind(kind))).collect();
    tensors.push(("scalar".to_owned(), Tensor::from(f32::NEG_INFINITY)));
    tensors.push(("empty".to_owned(), Tensor::zeros([0, 4], (Kind::Float, CPU))));
    tensors.push(("transposed".to_owned(), ramp.tr()));
    tensors.push(("quote\" and ü".to_owned(), Tensor::from(1i64)));
    let meta = [("step", "12"), ("recipe", "{\"a\": \"b\"}"), ("c", "")];
    (tensors, meta.map(|(k, v)| (k.to_owned(), v.to_owned())).into())
}

#[test]
fn what_is_saved_is_loaded() {
    let (tensors, meta) = everything();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.safetensors");
    store::save(&path, &tensors, &meta).unwrap();
    let stored = store::load(&path).unwrap();
    assert_eq!(stored.meta, meta);
    assert_eq!(stored.tensors.len(), tensors.len());
    for (name, tensor) in &tensors {
        assert_eq!((&stored.tensors[name], stored.tensors[name].kind()), (tensor, tensor.kind()));
    }
    assert_eq!(std::fs::read(&path).unwrap(), store::to_bytes(&tensors, &meta));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn bytes_depend_on_content_alone() {
    let (mut tensors, meta) = everything();
    let bytes = store::to_bytes(&tensors, &meta);
    tensors.reverse();
    assert_eq!(store::to_bytes(&tensors, &meta), bytes);
    // Wide kinds come first, so that readers that map the file find every tensor aligned.
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(header % 8, 0);
}

#[test]
fn errors_name_the_file_once() {
    let folder = tempfile::tempdir().unwrap();
    let (tensors, meta) = everything();
    let nowhere = folder.path().join("none/x.safetensors");
    let unwritten = store::save(&nowhere, &tensors, &meta).unwrap_err();
    let unread = store::load(&nowhere).unwrap_err();
    assert!(matches!((&unwritten, &unread), (StoreError::Write(_), StoreError::Io { .. })));
    for error in [unwritten, unread] {
        let text = error.to_string();
        assert_eq!(text.matches("none/x.safetensors").count(), 1, "{text}");
    }
}

#[test]
fn files_of_others_with_strange_kinds_are_named() {
    let header = br#"{"half.weight":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}    "#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend([1, 2]);
    let text = store::from_bytes(&bytes, "net.safetensors").unwrap_err().to_string();
    assert_eq!(
        text,
        "net.safetensors: tensor half.weight is of kind F8_E4M3, which is not read here"
    );
    let text = store::from_bytes(b"garbage", "net.safetensors").unwrap_err().to_string();
    assert!(text.starts_with("net.safetensors: not a whole safetensors file"), "{text}");
}

#[test]
fn huge_empty_shapes_are_errors() {
    let side = i64::MAX;
    let header =
        format!(r#"{{"x":{{"dtype":"F32","shape":[0,{side},{side}],"data_offsets":[0,0]}}}}"#);
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    assert!(store::from_bytes(&bytes, "x").is_err());
}

proptest! {
    #[test]
    fn a_file_cut_short_is_an_error(part in 0.0f64..1.0) {
        let (tensors, meta) = everything();
        let bytes = store::to_bytes(&tensors, &meta);
        let end = (part * bytes.len() as f64) as usize;
        prop_assert!(store::from_bytes(&bytes[..end], "cut").is_err());
    }

    #[test]
    fn flipped_bits_never_panic(flips in proptest::collection::vec((0.0f64..1.0, 0..8u32), 1..6), front: bool) {
        let (tensors, meta) = everything();
        let mut bytes = store::to_bytes(&tensors, &meta);
        // The header is where structure is: half of the cases damage only its first part.
        let reach = if front { 200.0 } else { bytes.len() as f64 };
        for (at, bit) in flips {
            bytes[(at * reach) as usize] ^= 1 << bit;
        }
        if let Ok(stored) = store::from_bytes(&bytes, "flipped") {
            for tensor in stored.tensors.values() {
                prop_assert!(tensor.to_kind(Kind::Double).sum(Kind::Double).numel() == 1);
            }
        }
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(store::from_bytes(&bytes, "garbage").is_err());
    }
}
