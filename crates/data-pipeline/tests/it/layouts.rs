//! Folders that are not what they seem: links that lead back, parts in the place of classes,
//! pictures that cannot be used.

use crate::folders::{picture, save, skipping};
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, Summary, files_below};
use data_pipeline::picture::{Decode, Depth};
use std::os::unix::fs::symlink;
use std::path::Path;

fn refused(path: &Path) -> String {
    FolderSet::open(path, &FolderOptions::default()).unwrap_err().to_string()
}

#[test]
fn a_link_that_leads_back_is_left_out_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    save(&root, "0/a.png", &picture(5, 5, 1));
    save(&root, "1/deep/b.png", &picture(5, 5, 2));
    symlink("..", root.join("0/loop")).unwrap();
    symlink(&root, root.join("1/deep/back")).unwrap();
    // A link that leads elsewhere is followed, twice as well.
    save(dir.path(), "more/c.png", &picture(5, 5, 3));
    symlink("../../more", root.join("0/more")).unwrap();
    symlink("../../more", root.join("1/more")).unwrap();
    for options in [FolderOptions::default(), skipping()] {
        for labeled in [true, false] {
            let set =
                FolderSet::open(&root, &FolderOptions { labeled, ..options.clone() }).unwrap();
            let ids: Vec<_> = (0..set.len()).map(|i| set.id(i)).collect();
            assert_eq!(ids, ["0/a.png", "0/more/c.png", "1/deep/b.png", "1/more/c.png"]);
            let left_out = &set.left_out()[0];
            assert!(left_out.reason.contains("leads back"), "{left_out}");
            assert_eq!(left_out.examples, [root.join("0/loop"), root.join("1/deep/back")]);
            assert_eq!(set.decode_all(1 << 20).unwrap().len(), 4);
        }
    }
}

#[test]
fn parts_of_a_data_set_are_no_classes_whatever_they_are_called() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for part in ["lab", "test", "unl", "val"] {
        for class in ["cat", "dog"] {
            save(root, &format!("d/{part}/{class}/1.png"), &picture(5, 5, 1));
        }
    }
    let error = refused(&root.join("d"));
    assert!(error.contains("`lab`, `test`, `unl`, `val` are parts of a data set"), "{error}");
    assert!(error.contains("probably `cat`, `dog`") && error.contains("d/lab ("), "{error}");
    // Other names are told of: they may be classes with folders of their own.
    for class in ["cat", "dog"] {
        for eye in ["left", "right"] {
            save(root, &format!("e/{class}/{eye}/1.png"), &picture(5, 5, 1));
        }
    }
    let set = FolderSet::open(&root.join("e"), &FolderOptions::default()).unwrap();
    assert_eq!(set.classes(), ["cat", "dog"]);
    assert!(set.notes()[0].contains("same folders, `left`, `right`"), "{:?}", set.notes());
    // Days, also where a class is called as parts are; one that is shared; images beside folders.
    for name in [
        "f/test/2024-01-01/1.png",
        "f/test/2024-01-02/1.png",
        "f/none/2024-01-01/1.png",
        "f/none/2024-01-02/1.png",
        "g/test/x/1.png",
        "g/test/y/1.png",
        "g/none/x/1.png",
        "h/test/x/1.png",
        "h/test/y/1.png",
        "h/none/x/1.png",
        "h/none/y/1.png",
        "h/none/1.png",
    ] {
        save(root, name, &picture(5, 5, 1));
    }
    for name in ["f", "g", "h"] {
        let set = FolderSet::open(&root.join(name), &FolderOptions::default()).unwrap();
        assert_eq!(set.classes(), ["none", "test"], "{name}");
        assert!(set.notes().iter().all(|note| !note.contains("same folders")), "{name}");
    }
    // Classes that are fixed are known to be classes.
    let classes = Some(["lab", "test", "unl", "val"].map(str::to_owned).to_vec());
    let set = FolderSet::open(&root.join("d"), &FolderOptions { classes, ..Default::default() });
    assert_eq!(set.unwrap().len(), 8);
}

/// A grey TIFF file of 2x1 floating-point pixels.
fn real_tiff() -> Vec<u8> {
    tiff([32, 1, 1, 1], (339, 3, 3))
}

/// A TIFF file of 2x1 pixels, packed as JPEG, of three colours and transparency.
fn jpeg_tiff() -> Vec<u8> {
    tiff([8, 7, 2, 4], (338, 3, 2))
}

/// A TIFF file of 2x1 pixels, with its bits, compression, colours and samples, and one more tag.
fn tiff([bits, packed, colours, samples]: [u32; 4], more: (u16, u16, u32)) -> Vec<u8> {
    let entries: [(u16, u16, u32); 9] = [
        (256, 3, 2),
        (257, 3, 1),
        (258, 3, bits),
        (259, 3, packed),
        (262, 3, colours),
        (273, 4, 8 + 2 + 9 * 12 + 4),
        (277, 3, samples),
        (279, 4, 8),
        more,
    ];
    let mut file = b"II*\0\x08\0\0\0\x09\0".to_vec();
    for (tag, kind, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend([0.25f32, 0.75].iter().flat_map(|value| value.to_le_bytes()));
    file
}

#[test]
fn what_the_header_tells_is_left_out_on_opening() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    save(root, "a/1.png", &picture(5, 5, 1));
    save(root, "a/big.png", &picture(40, 30, 1));
    save(root, "b/1.png", &picture(5, 5, 1));
    std::fs::write(root.join("b/real.tif"), real_tiff()).unwrap();
    std::fs::write(root.join("b/alpha.tif"), jpeg_tiff()).unwrap();
    std::fs::write(root.join("b/new.heic"), b"\0\0\0\x1cftypheic\0\0\0\0mif1heic").unwrap();
    let decode = Decode { max_pixels: 1000, ..Default::default() };
    let options = FolderOptions { decode, ..skipping() };
    let set = FolderSet::open(root, &options).unwrap();
    assert_eq!(set.len(), 2);
    let lines: Vec<String> = set.left_out().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        Summary::of(&set).left_out.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
    let told = |text: &str| lines.iter().find(|line| line.contains(text));
    assert!(told("big.png").unwrap().contains("larger than the limit of 1,000 pixels: shrink"));
    assert!(told("big.png").unwrap().contains("or raise `data.max_pixels` in a recipe: "));
    assert!(told("new.heic").unwrap().contains("an HEIC image, which is not read"));
    let real = told("real.tif").unwrap();
    assert!(real.contains("sound but not supported") && real.contains("floating-point"), "{real}");
    let alpha = told("alpha.tif").unwrap();
    let expected = "sound but not supported (TIFF image: JPEG with transparency or other samples \
                    beside its colours is not read: convert it to PNG)";
    assert!(alpha.contains(expected), "{alpha}");
    let fault = &set.skipped().iter().find(|one| one.path.ends_with("big.png")).unwrap().fault;
    assert!(fault.contains("40x30 = 1,200 pixels, more than the limit of 1,000"), "{fault}");
    // It is read where each picture is scaled by its own values.
    let decode = Decode { depth: Depth::Range, ..decode };
    let set = FolderSet::open(root, &FolderOptions { decode, ..options }).unwrap();
    assert_eq!((set.len(), set.item(2).unwrap().pixels()), (3, &[0, 0, 0, 255, 255, 255][..]));
}

/// A TGA file has no bytes of its own at the start.
const TGA: &[u8] = b"\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\x01\0\x18\0abc";

fn write(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_may_hold_pictures_is_left_out_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    save(root, "a/1.png", &picture(5, 5, 1));
    save(root, "b/1.png", &picture(5, 5, 2));
    let mut nifti = vec![1; 352];
    nifti[344..348].copy_from_slice(b"n+1\0");
    let images: [(&str, &[u8]); 6] = [
        ("a/x.TGA", TGA),
        ("a/x.sgi", b"\x01\xda\0\x01\0\x02"),
        ("a/x.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n"),
        ("a/x.nii", &nifti),
        ("a/y.nii", b"\x1f\x8b\x08\0"),
        ("a/y.nii.gz", b"\x1f\x8b\x08\0"),
    ];
    let holders: [(&str, &[u8], &str); 11] = [
        ("a/x.pdf", b"%PDF-1.7", "a PDF document"),
        ("a/x.npy", b"\x93NUMPY\x01\0", "a NumPy array"),
        ("a/x.npz", b"PK\x03\x04\x14\0", "a NumPy archive"),
        ("a/x.mat", b"MATLAB 5.0 MAT-file", "a MATLAB file"),
        ("a/y.mat", b"\0\0\0\0\x02\0\0\0", "a MATLAB file"),
        ("a/z.mat", b"MATLAB 7.3 MAT-file", "a MATLAB file"),
        ("a/x.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        ("a/x.zip", b"PK\x03\x04\x14\0", "a ZIP archive"),
        ("a/x.tar", b"1.png\0\0\0", "a tar archive"),
        ("a/x.tar.gz", b"\x1f\x8b\x08\0", "a tar archive"),
        ("a/x.tgz", b"\x1f\x8b\x08\0", "a tar archive"),
    ];
    images.iter().for_each(|(name, bytes)| write(root, name, bytes));
    let side: [(&str, &[u8]); 12] = [
        ("a/README", b"about"),
        ("a/notes.txt", b"about"),
        ("a/labels.csv", b"file,label\n"),
        ("a/labels.csv.gz", b"\x1f\x8b\x08\0"),
        ("a/meta.json", b"{}"),
        ("a/README.md", b"about"),
        ("a/report.docx", b"PK\x03\x04\x14\0"),
        ("a/MD5SUMS", b"d41d8cd98f00b204e9800998ecf8427e  x"),
        ("a/labels.parquet", b"PAR1\x15"),
        ("a/clip.mov", b"\0\0\0\x08wide\0\0\0\0mdat"),
        ("a/Thumbs.db", b"\xd0\xcf\x11\xe0"),
        ("a/.x.zip", b"PK\x03\x04"),
    ];
    side.iter().for_each(|(name, bytes)| write(root, name, bytes));
    let set = FolderSet::open(root, &skipping()).unwrap();
    let mut names: Vec<_> = set.skipped().iter().map(|one| one.path.clone()).collect();
    names.sort();
    let mut expected: Vec<_> = images.iter().map(|(name, _)| root.join(name)).collect();
    expected.sort();
    assert_eq!((set.len(), names), (2, expected));
    let lines: Vec<String> = set.left_out().iter().map(ToString::to_string).collect();
    for says in ["a TGA image", "an SGI image", "an EPS image", "3 files left out, a NIfTI image"] {
        let told = lines.iter().find(|line| line.contains(says)).expect(says);
        assert!(told.contains(", which is not read"), "{told}");
    }
    assert!(
        refused(root).contains("x.TGA: this is a TGA image, which is not read: convert it to PNG")
    );
    // Those that are no images are no error, beside class folders and beside images without labels
    // they do not even count.
    images.iter().for_each(|(name, _)| std::fs::remove_file(root.join(name)).unwrap());
    holders.iter().for_each(|(name, bytes, _)| write(root, name, bytes));
    write(root, "all.zip", b"PK\x03\x04\x14\0");
    let set = FolderSet::open(root, &FolderOptions::default()).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (2, holders.len()));
    for (name, _, kind) in holders {
        let one = set.skipped().iter().find(|one| one.path == root.join(name)).expect(name);
        assert_eq!(one.reason, format!("{kind}, of which no pictures are read"), "{name}");
    }
    let flat = FolderOptions { labeled: false, ..skipping() };
    assert_eq!(FolderSet::open(root, &flat).unwrap().skipped(), []);
    assert_eq!(files_below(root).unwrap().len(), 2);
}

#[test]
fn a_class_of_what_is_not_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    save(root, "b/1.png", &picture(5, 5, 1));
    (0..4).for_each(|i| write(root, &format!("a/{i}.tga"), TGA));
    let error = FolderSet::open(root, &skipping()).unwrap_err().to_string();
    let expected = "`b` is the only class that has images; `a` has none that can be read: 4 \
                    files, a TGA image, which is not read (at least two classes are needed: \
                    convert pictures to PNG)";
    assert!(error.ends_with(expected), "{error}");
    save(root, "c/1.png", &picture(5, 5, 1));
    let set = FolderSet::open(root, &skipping()).unwrap();
    let note = "the class `a` has no image that can be read: left out (4 files, a TGA image, which \
                is not read)";
    assert_eq!(set.notes(), [note]);
    // Nothing else at all.
    for class in ["x", "y"] {
        write(root, &format!("arrays/{class}/1.npy"), b"\x93NUMPY\x01\0");
    }
    let error = refused(&root.join("arrays"));
    assert!(error.contains("there is no image but 2 files, a NumPy array, of which"), "{error}");
}

#[test]
fn in_what_classes_differ_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for class in ["Cat", "cat", "cat ", "dog", "\u{e9}", "e\u{301}", "E\u{301} "] {
        save(root, &format!("{class}/1.png"), &picture(5, 5, 1));
    }
    let set = FolderSet::open(root, &FolderOptions::default()).unwrap();
    let notes: Vec<&str> =
        set.notes().iter().map(|note| note.split_once(" differs from ").unwrap().1).collect();
    let expected = [
        "`Cat` in upper case alone: they are two classes",
        "`Cat` in spaces at an end and upper case alone: they are two classes",
        "`E\u{301} ` in spaces at an end and upper case alone: they are two classes",
        "`E\u{301} ` in spaces at an end and upper case and the Unicode form of letters (NFC, NFD) \
         alone: they are two classes",
    ];
    assert_eq!(notes, expected);
    for class in ["Cat", "E\u{301} "] {
        std::fs::remove_dir_all(root.join(class)).unwrap();
    }
    let set = FolderSet::open(root, &FolderOptions::default()).unwrap();
    let expected = [
        "the class `cat ` differs from `cat` in spaces at an end alone: they are two classes",
        "the class `\u{e9}` differs from `e\u{301}` in the Unicode form of letters (NFC, NFD) \
         alone: they are two classes",
    ];
    assert_eq!(set.notes(), expected);
}

#[test]
fn published_data_sets_are_told_from_folders_of_classes() {
    let sets: [(&[&str], &str, &str); 8] = [
        (&["batches.meta", "data_batch_1", "test_batch"], "CIFAR-10", "cifar10"),
        (&["data_batch_1.bin", "test_batch.bin"], "CIFAR-10", "cifar10"),
        (&["meta", "test", "train"], "CIFAR-100", "cifar100"),
        (&["fine_label_names.txt", "test.bin", "train.bin"], "CIFAR-100", "cifar100"),
        (&["train_X.bin", "train_y.bin"], "STL-10", "stl10"),
        (&["test_X.bin", "unlabeled_X.bin"], "STL-10", "stl10"),
        (&["train_32x32.mat"], "SVHN", "svhn"),
        (&["t10k-images-idx3-ubyte.gz"], "MNIST", "mnist"),
    ];
    for (files, name, kind) in sets {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        files.iter().for_each(|file| write(root, &format!("in/{file}"), b"\x80\x04\x95"));
        for (path, labeled) in [(root.join("in"), true), (root.into(), true), (root.into(), false)]
        {
            let options = FolderOptions { labeled, ..skipping() };
            let error = FolderSet::open(&path, &options).unwrap_err().to_string();
            assert!(error.contains(&format!("in: this is {name} as it is published")), "{error}");
            assert!(error.contains(&format!("`kind = \"{kind}\"`")), "{error}");
        }
        // Beside pictures such files are none of the set's business.
        save(root, "a/1.png", &picture(5, 5, 1));
        save(root, "b/1.png", &picture(5, 5, 1));
        assert_eq!(FolderSet::open(root, &FolderOptions::default()).unwrap().len(), 2);
    }
}
