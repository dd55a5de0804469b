//! Files that are cut short, damaged, or made to harm: errors, never a panic, and no memory beyond
//! what the file is worth.

use std::fs;

use proptest::prelude::*;
use weights::open;
use weights::pickle::{Value, read};

use crate::golden;

const FILES: [&str; 7] = [
    "values.pth",
    "values_legacy.pth",
    "values.safetensors",
    "checkpoint.pth",
    "checkpoint_legacy.pth",
    "module_legacy.pth",
    "arrays_4.pkl",
];

#[test]
fn a_file_that_ends_early_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cut.pth");
    for name in FILES {
        let whole = golden::bytes(name);
        for length in (1..whole.len()).step_by(whole.len() / 40 + 1).chain([whole.len() - 1]) {
            fs::write(&path, &whole[..length]).expect("written");
            let error = open(&path).expect_err("it is cut").to_string();
            assert!(error.contains("cut.pth"), "{name} of {length} bytes: {error}");
        }
    }
}

#[test]
fn deep_and_circular_pickles_end() {
    let mut deep = b"N".to_vec();
    deep.extend(b"\x85".repeat(100_000));
    deep.push(b'.');
    let error = read(&deep).expect_err("it is deep").to_string();
    assert!(error.contains("250 deep"), "{error}");
    let fine = [b"N".to_vec(), b"\x85".repeat(240), b".".to_vec()].concat();
    assert!(read(&fine).is_ok());
    // a = []; a.append(a)
    let value = read(b"]q\0h\0a.").expect("it");
    assert_eq!(value.as_list().expect("a list"), [Value::Cycle]);
    // A tuple of a list of that tuple.
    let value = read(b"(]q\0tq\x01h\0h\x01a0h\x01.").expect("it");
    assert!(value.as_list().is_some());
}

/// Each step doubles what the one before it holds: 2^60 values if shared parts were copied.
#[test]
fn shared_parts_stay_shared() {
    let mut pickle = b"N".to_vec();
    pickle.extend(b"2\x86".repeat(60));
    pickle.push(b'.');
    assert!(read(&pickle).is_ok());
    // One large list, of which an OrderedDict is made again and again.
    let mut pickle = b"(".to_vec();
    pickle.extend(b"NN\x86".repeat(20_000));
    pickle.extend(b"lq\0");
    pickle.push(b'(');
    pickle.extend(b"ccollections\nOrderedDict\nh\0\x85R".repeat(5_000));
    pickle.extend(b"t.");
    let value = read(&pickle).expect("it");
    let made = value.as_list().expect("a tuple");
    // Some are made; then they are kept as the calls that they are.
    assert!(made[0].as_dict().is_some() && made[4_999].as_object().is_some());
}

/// A small file whose tensors would take terabytes.
#[test]
fn tensors_that_grow_are_refused() {
    let good = golden::bytes("values_legacy.pth");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("grown.pth");
    // The shape (2, 3) with strides (0, 0) of `expanded`: K\x02K\x03\x86q.K\x00K\x00\x86.
    let at = good
        .windows(12)
        .position(|w| w.starts_with(b"K\x02K\x03\x86q") && w.ends_with(b"K\0K\0\x86"))
        .expect("the expanded tensor");
    for size in [0x7fff_ffff_u32, 0x0fff_ffff] {
        let mut grown = good[..at].to_vec();
        grown.push(b'J');
        grown.extend(size.to_le_bytes());
        grown.extend(&good[at + 2..]);
        fs::write(&path, &grown).expect("written");
        let error = open(&path).expect_err("it is large").to_string();
        assert!(error.contains("tensor expanded"), "{error}");
    }
}

#[test]
fn what_is_no_pickle_says_where() {
    for (bytes, fault) in [
        (&b""[..], "byte 0: it ends early"),
        (b"\x80\x09.", "protocol 9"),
        (b"N", "byte 1"),
        (b".", "empty"),
        (b"\xffN.", "0xff"),
        (b"h\x07.", "nothing was kept as 7"),
        (b"\x8c\xffab.", "ends early"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fab.", "ends early"),
        (b"}Ns.", "empty"),
        (b"}(Nu.", "key without a value"),
        (b"NN(\x86.", "below a mark"),
        (b"(0N.", ""),
        (b"N.N.", "further bytes"),
        (b"\x97.", "out-of-band"),
        (b"\x82\x01.", "extension registry"),
        (b"I12x\n.", "no integer"),
    ] {
        match read(bytes) {
            Err(error) => assert!(error.to_string().contains(fault), "{bytes:?}: {error}"),
            Ok(_) => assert_eq!(fault, "", "{bytes:?} is read"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever a few bytes of a file become, opening it ends without a panic.
    #[test]
    fn damaged_files_do_not_panic(
        file in 0..FILES.len(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = golden::bytes(FILES[file]);
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("damaged.pth");
        fs::write(&path, &bytes).expect("written");
        if let Err(error) = open(&path) {
            prop_assert!(error.to_string().contains("damaged.pth"), "{}", error);
        }
    }

    /// Any bytes at all.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }
}
