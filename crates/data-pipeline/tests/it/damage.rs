//! Cut files and flipped bits never make a reader panic.

use crate::datasets::{
    COMPRESSED, PLAIN, cifar_bytes, gzip, idx_bytes, mat_bytes, svhn, svhn_pixels, try_bytes,
};
use crate::folders::{picture, save};
use crate::pictures::formats;
use data_pipeline::dataset::cifar10::Cifar10;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet};
use data_pipeline::dataset::{ImageSamples, Part, idx};
use data_pipeline::picture::{Decode, Depth, probe};
use proptest::prelude::*;

/// What happens to a file: cut to a fraction, or bits flipped.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Cut(f64),
    Flip(Vec<(f64, u8)>),
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (0.0..1.0f64).prop_map(Damage::Cut),
        // Half of the flips near the beginning, where headers are.
        prop::collection::vec((prop_oneof![0.0..1.0f64, 0.0..0.02f64], 0u8..8), 1..6)
            .prop_map(Damage::Flip),
    ]
}

pub(crate) fn spoil(bytes: &[u8], damage: &Damage) -> Vec<u8> {
    let at = |fraction: f64| (fraction * bytes.len() as f64) as usize;
    match damage {
        Damage::Cut(fraction) => bytes[..at(*fraction)].to_vec(),
        Damage::Flip(flips) => {
            let mut bytes = bytes.to_vec();
            flips.iter().for_each(|(fraction, bit)| bytes[at(*fraction)] ^= 1 << bit);
            bytes
        }
    }
}

/// Reads everything that a set has to offer.
pub(crate) fn touch(set: &ImageSamples) {
    for i in 0..set.len() {
        let _ = (set.item(i).map(|image| image.pixels().len()), set.label(i), set.id(i));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn damaged_idx_never_panics(damage in damage(), packed: bool) {
        let bytes = idx_bytes(&[3, 5, 4], &[9; 60]);
        let bytes = spoil(&if packed { gzip(&bytes) } else { bytes }, &damage);
        try_bytes("a.idx", &bytes, idx::read);
        let labels = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(labels.path(), spoil(&idx_bytes(&[3], &[0, 1, 2]), &damage)).unwrap();
        try_bytes("a.idx", &bytes, |path| idx::open("x", path, labels.path(), 10).map(|set| touch(&set)).or(
            // The fault may be in either file; `try_bytes` wants this one's name.
            idx::read(path).map(|_| ())));
    }

    #[test]
    fn damaged_mat_never_panics(damage in damage(), which in 0..4) {
        let bytes = match which {
            0 => COMPRESSED.to_vec(),
            1 => PLAIN.to_vec(),
            which => mat_bytes(which == 2, &[10.0, 1.0, 9.0, 10.0], &[32, 32, 3, 4], &svhn_pixels()),
        };
        try_bytes("x.mat", &spoil(&bytes, &damage), |path| svhn(path).map(|set| touch(&set)));
    }

    #[test]
    fn damaged_pictures_never_panic(damage in damage(), jpeg: bool) {
        let dir = tempfile::tempdir().unwrap();
        let name = if jpeg { "x.jpg" } else { "x.png" };
        save(dir.path(), name, &picture(19, 13, 4));
        let path = dir.path().join(name);
        std::fs::write(&path, spoil(&std::fs::read(&path).unwrap(), &damage)).unwrap();
        let decode = Decode { max_pixels: 1_000_000, ..Default::default() };
        let options = FolderOptions { labeled: false, decode, ..Default::default() };
        let set = FolderSet::open(dir.path(), &options);
        match set.and_then(|set| set.decode_all(u64::MAX)) {
            Ok(set) => touch(&set),
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains(name) && !error.contains("panicked"), "{}", error);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// Whatever the format, a damaged file is read or refused, and so is its header.
    #[test]
    fn damaged_files_of_every_format_never_panic(
        which: prop::sample::Index,
        damage in damage(),
        orient: bool,
        range: bool,
    ) {
        let files = formats();
        let (words, file) = which.get(&files);
        let file = spoil(file, &damage);
        let depth = if range { Depth::Range } else { Depth::UpperByte };
        let decode = Decode { orient, depth, max_pixels: 1 << 16, ..Decode::default() };
        for fault in [decode.bytes(&file).err(), probe(&file).err()].into_iter().flatten() {
            prop_assert!(!fault.contains("panicked"), "{}: {}", words[0], fault);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn damaged_cifar_never_panics(damage in damage()) {
        let spoilt = spoil(&cifar_bytes(), &damage);
        try_bytes("test_batch.bin", &spoilt, |path| {
            Cifar10::open(path.parent().unwrap(), Part::Test).map(|set| touch(&set))
        });
    }
}
