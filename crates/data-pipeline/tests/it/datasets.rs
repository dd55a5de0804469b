//! Readers: right content from good files, an error that names file and offset from bad ones, never
//! a panic.

use crate::toy;
use data_pipeline::dataset::cifar10::Cifar10;
use data_pipeline::dataset::cifar100::Cifar100;
use data_pipeline::dataset::stl10::Stl10;
use data_pipeline::dataset::svhn::Svhn;
use data_pipeline::dataset::{Concat, Part, Samples, digits, idx};
use data_pipeline::error::DataError;
use data_pipeline::fetch::sources;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

#[test]
fn the_digits_are_those_of_uci() {
    let set = digits::load();
    assert_eq!(set.len(), 1797);
    let counts =
        (0..10).map(|c| (0..1797).filter(|&i| set.label(i) == Some(c)).count()).collect::<Vec<_>>();
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    let first = set.item(0).unwrap();
    assert_eq!((first.width(), first.height(), first.channels()), (8, 8, 1));
    let original = [0u32, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0];
    let scaled: Vec<u8> = original.map(|v| (f64::from(v) * 255.0 / 16.0).round() as u8).to_vec();
    assert_eq!(first.pixels()[..16], scaled);
    // The sum of all original values, taken from scikit-learn.
    let sum: u32 = set.images().iter().map(|&p| (u32::from(p) * 16 + 127) / 255).sum();
    assert_eq!(sum, 561_718);
}

#[test]
fn sets_can_be_joined() {
    let joined = Concat::new(vec![Arc::new(toy(3)), Arc::new(toy(0)), Arc::new(toy(2))]).unwrap();
    assert_eq!(joined.len(), 5);
    assert_eq!(
        (joined.id(2), joined.id(3), joined.label(4)),
        ("toy/2".into(), "toy/0".into(), Some(1))
    );
    assert_eq!(joined.item(4).unwrap(), toy(2).item(1).unwrap());
    assert!(Concat::new(vec![Arc::new(toy(3)), Arc::new(digits::load())]).is_err());
}

/// Writes `bytes`, reads them with `read`, and returns the error's text, which must name the file;
/// "" if there is none.
pub(crate) fn try_bytes<T>(
    name: &str,
    bytes: &[u8],
    read: impl Fn(&Path) -> Result<T, DataError>,
) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    match read(&path) {
        Ok(_) => String::new(),
        Err(error) => {
            assert!(error.to_string().contains(name), "{error}");
            error.to_string()
        }
    }
}

pub(crate) fn idx_bytes(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|side| bytes.extend(side.to_be_bytes()));
    bytes.extend(data);
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

#[test]
fn mnist_from_idx_files() {
    let dir = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..2 * 3 * 4).collect();
    std::fs::write(dir.path().join("train-images-idx3-ubyte"), idx_bytes(&[2, 3, 4], &pixels))
        .unwrap();
    std::fs::write(dir.path().join("train-labels-idx1-ubyte.gz"), gzip(&idx_bytes(&[2], &[7, 2])))
        .unwrap();
    let set = idx::mnist(dir.path(), Part::Train).unwrap();
    assert_eq!(
        (set.len(), set.label(0), set.label(1), set.id(1)),
        (2, Some(7), Some(2), "mnist/train/1".into())
    );
    assert_eq!(set.item(1).unwrap(), augment::Image::new(4, 3, 1, pixels[12..].to_vec()));
    let error = idx::mnist(dir.path(), Part::Test).unwrap_err().to_string();
    assert!(
        error.contains("t10k-images-idx3-ubyte") && error.contains("tutor data fetch"),
        "{error}"
    );
    std::fs::write(dir.path().join("train-labels-idx1-ubyte.gz"), idx_bytes(&[2], &[7, 10]))
        .unwrap();
    let error = idx::mnist(dir.path(), Part::Train).unwrap_err().to_string();
    assert!(
        error.contains("train-labels-idx1-ubyte.gz at byte 9: label 10 is not below 10"),
        "{error}"
    );
}

#[test]
fn mnist_is_found_where_a_fetch_puts_it() {
    let dir = tempfile::tempdir().unwrap();
    let source = sources().into_iter().find(|source| source.name == "mnist").unwrap();
    assert_eq!(source.files.len(), 4);
    for file in source.files {
        let path = dir.path().join(file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let n = if path.to_string_lossy().contains("t10k") { 1 } else { 3 };
        let images = path.to_string_lossy().contains("images");
        let shape: &[u32] = if images { &[n, 2, 2] } else { &[n] };
        let data = vec![n as u8; shape.iter().product::<u32>() as usize];
        std::fs::write(path, gzip(&idx_bytes(shape, &data))).unwrap();
    }
    for (part, n) in [(Part::Train, 3), (Part::Test, 1)] {
        for place in [dir.path(), &dir.path().join("mnist")] {
            let set = idx::mnist(place, part).unwrap();
            assert_eq!((set.len(), set.label(0)), (n as usize, Some(n)));
        }
    }
}

#[test]
fn idx_faults_name_the_place() {
    let check = |bytes: &[u8], expected: &str| {
        let error = try_bytes("a.idx", bytes, idx::read);
        assert!(error.contains(expected), "{error}");
    };
    check(&[0, 0], "byte 0: the file ends inside the magic number");
    check(&[0, 0, 9, 1, 0, 0, 0, 0], "byte 0: the magic number");
    check(
        &idx_bytes(&[2, 3], &[1; 5]),
        "byte 17: 6 bytes of data expected for sides [2, 3], 5 found",
    );
    check(
        &idx_bytes(&[2, 3], &[1; 7]),
        "byte 18: 6 bytes of data expected for sides [2, 3], more found",
    );
    check(&idx_bytes(&[u32::MAX, u32::MAX], &[]), "byte 8: the sides are impossibly long");
    let noise: Vec<u8> = (0..1000u32).map(|i| ((i * i * 37) >> 5) as u8).collect();
    let packed = gzip(&idx_bytes(&[1000], &noise));
    check(&packed[..packed.len() - 12], "the data cannot be read");
}

const RECORD: usize = 3073;

/// A test batch whose record i has label i % 10 and begins with i's low byte in each colour, plus 1
/// and 2.
pub(crate) fn cifar_bytes() -> Vec<u8> {
    let mut bytes = vec![0; 10_000 * RECORD];
    for (i, record) in bytes.chunks_exact_mut(RECORD).enumerate() {
        record[0] = (i % 10) as u8;
        for colour in 0..3 {
            record[1 + 1024 * colour] = (i + colour) as u8;
        }
    }
    bytes
}

#[test]
fn cifar10_from_records() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("cifar-10-batches-bin");
    std::fs::create_dir(&inner).unwrap();
    let mut bytes = cifar_bytes();
    std::fs::write(inner.join("test_batch.bin"), &bytes).unwrap();
    for place in [dir.path(), &inner] {
        let set = Cifar10::open(place, Part::Test).unwrap();
        assert_eq!(
            (set.len(), set.label(4321), set.id(9)),
            (10_000, Some(1), "cifar10/test/9".into())
        );
        assert_eq!(set.item(77).unwrap().pixels()[..6], [77, 78, 79, 0, 0, 0]);
        assert_eq!(set.classes()[9], "truck");
    }
    let error = Cifar10::open(dir.path(), Part::Train).unwrap_err().to_string();
    assert!(error.contains("data_batch_1.bin"), "{error}");
    let refuse = |bytes: &[u8], expected: &str| {
        std::fs::write(inner.join("test_batch.bin"), bytes).unwrap();
        let error = Cifar10::open(dir.path(), Part::Test).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("test_batch.bin"), "{error}");
    };
    refuse(
        &bytes[..bytes.len() - 1],
        "at byte 30729999: 30730000 bytes (10000 records of 3073) expected, 30729999 found",
    );
    bytes.push(0);
    refuse(&bytes, "at byte 30730000: 30730000 bytes (10000 records of 3073) expected, more found");
    bytes.pop();
    bytes[RECORD * 123] = 10;
    refuse(&bytes, "at byte 377979: record 123 has label 10, not 0 to 9");
    let error = Cifar10::open(Path::new("/nowhere"), Part::Test).unwrap_err().to_string();
    assert!(error.contains("/nowhere") && error.contains("TUTOR_DATA"), "{error}");
}

/// Unpacks a file of `tests/golden` below `dir`.
fn unpack(dir: &Path, name: &str, packed: &[u8]) -> Vec<u8> {
    let bytes = zstd::decode_all(packed).unwrap();
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, &bytes).unwrap();
    bytes
}

/// Image i of the pickles of `xtask/peers/cifar_pickles.py`.
fn pickled_image(i: usize) -> Vec<u8> {
    let places = (0..32).flat_map(|y| (0..32).map(move |x| (x, y)));
    places.flat_map(|(x, y)| [(i % 10 + x) as u8, 100 + y as u8, (i % 10) as u8]).collect()
}

#[test]
fn cifar10_from_pickles() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = unpack(
        dir.path(),
        "cifar-10-batches-py/test_batch",
        include_bytes!("../golden/cifar-10-batches-py/test_batch.zst"),
    );
    let inner = dir.path().join("cifar-10-batches-py");
    for place in [dir.path(), &inner] {
        let set = Cifar10::open(place, Part::Test).unwrap();
        assert_eq!((set.len(), set.id(9)), (10_000, "cifar10/test/9".into()));
        for i in [0, 7, 4321, 9999] {
            assert_eq!(set.item(i).unwrap().pixels(), pickled_image(i), "{i}");
            assert_eq!(set.label(i), Some(i as u32 % 10));
        }
    }
    let refuse = |bytes: &[u8], expected: &str| {
        std::fs::write(inner.join("test_batch"), bytes).unwrap();
        let error = Cifar10::open(dir.path(), Part::Test).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("test_batch at byte"), "{error}");
    };
    refuse(&bytes[..bytes.len() - 1], "not a whole pickle");
    refuse(b"\x80\x02}q\x00.", "a dict without an entry `data`");
    // A pickle that would call a program is data like any other.
    refuse(b"cos\nsystem\n(S'touch evil'\ntR.", "os.system without an entry `data`");
    let replaced = |from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|part| part == from).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    refuse(&replaced(b"U\x06labels", b"U\x06LABELS"), "a dict without an entry `labels`");
    refuse(&replaced(b"K\x08K\x09", b"K\x08K\x0a"), "has label 10, not 0 to 9");
    refuse(&replaced(b"U\x02u1", b"U\x02i1"), "not bytes of 10000 x 3072");
    let error = Cifar10::open(dir.path(), Part::Train).unwrap_err().to_string();
    assert!(error.contains("data_batch_1"), "{error}");
    // The binary version comes first.
    let binary = dir.path().join("cifar-10-batches-bin");
    std::fs::create_dir(&binary).unwrap();
    std::fs::write(binary.join("test_batch.bin"), cifar_bytes()).unwrap();
    assert!(Cifar10::open(dir.path(), Part::Test).is_ok());
    // A version that lacks files of the part does not hide one that has them.
    std::fs::rename(binary.join("test_batch.bin"), binary.join("data_batch_1.bin")).unwrap();
    std::fs::write(inner.join("test_batch"), &bytes).unwrap();
    assert!(Cifar10::open(dir.path(), Part::Test).is_ok());
    std::fs::rename(inner.join("test_batch"), inner.join("data_batch_1")).unwrap();
    std::fs::rename(binary.join("data_batch_1.bin"), dir.path().join("test_batch.bin")).unwrap();
    assert!(Cifar10::open(dir.path(), Part::Test).is_ok());
}

#[test]
fn cifar100_from_pickles() {
    let dir = tempfile::tempdir().unwrap();
    unpack(
        dir.path(),
        "cifar-100-python/test",
        include_bytes!("../golden/cifar-100-python/test.zst"),
    );
    unpack(
        dir.path(),
        "cifar-100-python/meta",
        include_bytes!("../golden/cifar-100-python/meta.zst"),
    );
    let inner = dir.path().join("cifar-100-python");
    for place in [dir.path(), &inner] {
        let set = Cifar100::open(place, Part::Test).unwrap();
        assert_eq!((set.len(), set.id(9)), (10_000, "cifar100/test/9".into()));
        for i in [0, 7, 4321, 9999] {
            assert_eq!(set.item(i).unwrap().pixels(), pickled_image(i), "{i}");
            assert_eq!(set.label(i), Some(i as u32 % 100));
        }
        assert_eq!((set.classes().len(), set.classes()[42].as_str()), (100, "fine 42"));
    }
    // The names of the binary version alone do not hide it.
    std::fs::write(dir.path().join("fine_label_names.txt"), "a name\n").unwrap();
    assert!(Cifar100::open(dir.path(), Part::Test).is_ok());
    std::fs::remove_file(dir.path().join("fine_label_names.txt")).unwrap();
    std::fs::remove_file(inner.join("test")).unwrap();
    let error = Cifar100::open(dir.path(), Part::Test).unwrap_err().to_string();
    assert!(error.contains("cifar-100-python/test"), "{error}");
}

#[test]
fn cifar100_from_records() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("cifar-100-binary");
    std::fs::create_dir(&inner).unwrap();
    let names: String = (0..100).map(|i| format!("class{i}\n")).collect();
    std::fs::write(inner.join("fine_label_names.txt"), &names).unwrap();
    const RECORD: usize = 3074;
    let mut bytes = vec![0; 10_000 * RECORD];
    for (i, record) in bytes.chunks_exact_mut(RECORD).enumerate() {
        record[..2].copy_from_slice(&[19, (i % 100) as u8]);
        (0..3).for_each(|colour| record[2 + 1024 * colour] = (i + colour) as u8);
    }
    std::fs::write(inner.join("test.bin"), &bytes).unwrap();
    for place in [dir.path(), &inner] {
        let set = Cifar100::open(place, Part::Test).unwrap();
        assert_eq!(
            (set.len(), set.label(4321), set.id(9)),
            (10_000, Some(21), "cifar100/test/9".into())
        );
        assert_eq!(set.item(77).unwrap().pixels()[..6], [77, 78, 79, 0, 0, 0]);
        assert_eq!(set.classes()[99], "class99");
    }
    let refuse = |expected: &str| {
        let error = Cifar100::open(dir.path(), Part::Test).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    bytes[1 + 7 * RECORD] = 100;
    std::fs::write(inner.join("test.bin"), &bytes).unwrap();
    refuse("test.bin at byte 21519: record 7 has label 100");
    std::fs::write(inner.join("test.bin"), &bytes[1..]).unwrap();
    refuse("test.bin at byte 30739999: 30740000 bytes");
    std::fs::write(inner.join("fine_label_names.txt"), "one\n").unwrap();
    refuse("fine_label_names.txt at byte 0: 1 class names, 100 expected");
    assert!(Cifar100::open(Path::new("/nowhere"), Part::Test).is_err());
}

#[test]
fn stl10_is_stored_by_columns() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("stl10_binary");
    std::fs::create_dir(&inner).unwrap();
    let mut bytes = vec![0; 3 * 27_648];
    // Of the second image: row 1 of column 0 in red, row 0 of column 1 in blue.
    bytes[27_648 + 1] = 200;
    bytes[27_648 + 2 * 9216 + 96] = 100;
    for name in ["train_X.bin", "unlabeled_X.bin"] {
        std::fs::write(inner.join(name), &bytes).unwrap();
    }
    std::fs::write(inner.join("train_y.bin"), [10, 1, 2]).unwrap();
    let set = Stl10::open(dir.path(), Part::Train).unwrap();
    assert_eq!((set.labels().unwrap(), set.id(1)), (vec![9, 0, 1], "stl10/train/1".into()));
    let image = set.item(1).unwrap();
    assert_eq!((image.pixels()[96 * 3], image.pixels()[3 + 2]), (200, 100));
    assert_eq!(image.pixels().iter().filter(|&&value| value > 0).count(), 2);
    let unlabeled = Stl10::open(&inner, Part::Extra).unwrap();
    assert_eq!((unlabeled.len(), unlabeled.label(0), unlabeled.classes().len()), (3, None, 0));
    assert_eq!(unlabeled.item(1).unwrap(), image);
    let refuse = |expected: &str| {
        let error = Stl10::open(dir.path(), Part::Train).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    std::fs::write(inner.join("train_y.bin"), [10, 11, 2]).unwrap();
    refuse("train_y.bin at byte 1: label 1 is 11");
    std::fs::write(inner.join("train_y.bin"), [1]).unwrap();
    refuse("train_y.bin at byte 1: 1 labels for 3 images");
    std::fs::write(inner.join("train_X.bin"), &bytes[1..]).unwrap();
    refuse("train_X.bin at byte 82943: 82943 bytes are no whole number");
}

/// Real data, where $TUTOR_DATA names a folder with CIFAR-10. Says on stderr that it was left out
/// otherwise.
#[test]
#[expect(clippy::print_stderr, reason = "a test that was left out must be seen")]
fn real_cifar10() {
    let Some(dir) = std::env::var_os("TUTOR_DATA") else {
        eprintln!("real_cifar10 left out: $TUTOR_DATA is not set");
        return;
    };
    let train = Cifar10::open(Path::new(&dir), Part::Train).unwrap();
    let test = Cifar10::open(Path::new(&dir), Part::Test).unwrap();
    assert_eq!((train.len(), test.len()), (50_000, 10_000));
    for (set, each) in [(&train, 5000), (&test, 1000)] {
        let labels = set.labels().unwrap();
        assert!((0..10).all(|class| labels.iter().filter(|&&l| l == class).count() == each));
    }
    let mut sums = [0u64; 3];
    for i in 0..train.len() {
        let image = train.item(i).unwrap();
        image
            .pixels()
            .chunks_exact(3)
            .for_each(|p| (0..3).for_each(|c| sums[c] += u64::from(p[c])));
    }
    // The published channel means, which most code normalises by.
    for (sum, mean) in sums.into_iter().zip([0.491_399_68, 0.482_158_41, 0.446_530_91]) {
        let found = sum as f64 / (255.0 * 1024.0 * 50_000.0);
        assert!((found - mean).abs() < 1e-4, "channel mean {found}, published {mean}");
    }
}

pub(crate) const COMPRESSED: &[u8] = include_bytes!("../golden/svhn_compressed.mat");
pub(crate) const PLAIN: &[u8] = include_bytes!("../golden/svhn_plain.mat");

pub(crate) fn svhn(path: &Path) -> Result<Svhn, DataError> {
    Svhn::read(path, Part::Train)
}

fn check_svhn(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("train_32x32.mat"), bytes).unwrap();
    let set = Svhn::open(dir.path(), Part::Train).unwrap();
    assert_eq!(set.labels().unwrap(), [0, 1, 9, 0]);
    assert_eq!(set.id(2), "svhn/train/2");
    for n in 0..4 {
        let image = set.item(n).unwrap();
        for (h, w, c) in [(0, 0, 0), (31, 0, 1), (0, 31, 2), (13, 21, 1), (31, 31, 2)] {
            let expected = (7 * h + 3 * w + 11 * c + 29 * n) % 256;
            assert_eq!(
                usize::from(image.pixels()[(h * 32 + w) * 3 + c]),
                expected,
                "{n} {h} {w} {c}"
            );
        }
    }
}

/// A .mat file with `y` of doubles and `X`, in either byte order, from its description alone.
pub(crate) fn mat_bytes(big: bool, labels: &[f64], sides: &[u32], pixels: &[u8]) -> Vec<u8> {
    let word = |x: u32| if big { x.to_be_bytes() } else { x.to_le_bytes() };
    let element = |kind: u32, data: &[u8]| {
        let mut bytes = [word(kind), word(data.len() as u32)].concat();
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let matrix = |class: u32, sides: &[u32], name: &str, kind: u32, data: &[u8]| {
        let flags = element(6, &[word(class), word(0)].concat());
        let sides = element(5, &sides.iter().flat_map(|&s| word(s)).collect::<Vec<_>>());
        // The name as a small element: length and type share a word.
        let mut small = word((name.len() as u32) << 16 | 1).to_vec();
        small.extend(name.as_bytes());
        small.resize(8, 0);
        element(14, &[flags, sides, small, element(kind, data)].concat())
    };
    let mut bytes = vec![b' '; 124];
    bytes.extend(if big { *b"\x01\x00MI" } else { *b"\x00\x01IM" });
    let doubles: Vec<u8> =
        labels.iter().flat_map(|y| if big { y.to_be_bytes() } else { y.to_le_bytes() }).collect();
    bytes.extend(matrix(6, &[labels.len() as u32, 1], "y", 9, &doubles));
    bytes.extend(matrix(9, sides, "X", 2, pixels));
    bytes
}

pub(crate) fn svhn_pixels() -> Vec<u8> {
    let value = |i: usize| 7 * (i % 32) + 3 * (i / 32 % 32) + 11 * (i / 1024 % 3) + 29 * (i / 3072);
    (0..4 * 3072).map(|i| (value(i) % 256) as u8).collect()
}

#[test]
fn svhn_as_scipy_and_matlab_write_it() {
    check_svhn(COMPRESSED);
    check_svhn(PLAIN);
    for big in [false, true] {
        check_svhn(&mat_bytes(big, &[10.0, 1.0, 9.0, 10.0], &[32, 32, 3, 4], &svhn_pixels()));
    }
    let one = mat_bytes(false, &[3.0], &[32, 32, 3], &[5; 3072]);
    assert_eq!(try_bytes("one.mat", &one, svhn), "");
}

#[test]
fn svhn_faults_name_the_place() {
    let check = |bytes: &[u8], expected: &str| {
        let error = try_bytes("x.mat", bytes, svhn);
        assert!(error.contains(expected), "{error}");
    };
    let file = |labels: &[f64], sides: &[u32]| mat_bytes(false, labels, sides, &svhn_pixels());
    let good = [10.0, 1.0, 9.0, 10.0];
    check(
        &file(&[10.0, 1.0, 9.0, 11.0], &[32, 32, 3, 4]),
        "byte 128: label 3 is 11, expected 1 to 10",
    );
    check(&file(&[0.0, 1.0, 9.0, 1.0], &[32, 32, 3, 4]), "label 0 is 0");
    check(&file(&[1.0, 1.5, 9.0, 1.0], &[32, 32, 3, 4]), "label 1 is 1.5");
    check(&file(&[f64::NAN, 1.5, 9.0, 1.0], &[32, 32, 3, 4]), "label 0 is NaN");
    check(&file(&good[..3], &[32, 32, 3, 4]), "`y` has 3 labels for 4 images");
    check(&file(&good, &[32, 3, 32, 4]), "`X` has sides [32, 3, 32, 4]");
    check(&file(&good, &[32, 32, 3, 5]), "`X` has sides [32, 32, 3, 5] but 12288 bytes");
    check(&file(&good, &[u32::MAX; 4]), "`X` is not a real numeric array");
    let whole = file(&good, &[32, 32, 3, 4]);
    check(&whole[..100], "ends inside its header");
    check(&whole[..whole.len() - 1000], "only");
    check(&whole[..128], "`X` and `y` are not both there");
    check(&COMPRESSED[..COMPRESSED.len() - 20], "at byte");
    let mut other = whole.clone();
    other[126..128].copy_from_slice(b"HD");
    check(&other, "byte 126: not a MATLAB 5 file");
}
