//! Folders that are not what they seem: links that lead back, parts in the place of classes,
//! pictures that cannot be used.

use crate::folders::{picture, save, skipping};
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, Summary};
use data_pipeline::picture::{Decode, Depth};
use std::os::unix::fs::symlink;

fn refused(path: &std::path::Path) -> String {
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
    let entries: [(u16, u16, u32); 9] = [
        (256, 3, 2),
        (257, 3, 1),
        (258, 3, 32),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1),
        (279, 4, 8),
        (339, 3, 3),
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
    assert!(told("new.heic").unwrap().contains("an HEIC image, which is not read"));
    let real = told("real.tif").unwrap();
    assert!(real.contains("sound but not supported") && real.contains("floating-point"), "{real}");
    let fault = &set.skipped().iter().find(|one| one.path.ends_with("big.png")).unwrap().fault;
    assert!(fault.contains("40x30 = 1,200 pixels, more than the limit of 1,000"), "{fault}");
    // It is read where each picture is scaled by its own values.
    let decode = Decode { depth: Depth::Range, ..decode };
    let set = FolderSet::open(root, &FolderOptions { decode, ..options }).unwrap();
    assert_eq!((set.len(), set.item(2).unwrap().pixels()), (3, &[0, 0, 0, 255, 255, 255][..]));
}
