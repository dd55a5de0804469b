//! Folders of images: what is found, what is refused, what is left out.

use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad, Summary, files_below};
use data_pipeline::picture::Decode;
use image::{Rgb, RgbImage};
use std::path::Path;

pub(crate) fn save(dir: &Path, name: &str, image: &RgbImage) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

pub(crate) fn picture(width: u32, height: u32, value: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([value, x as u8 ^ 9, y as u8 ^ 5]))
}

#[test]
fn folders_of_classes() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    save(root, "dog/b.png", &picture(6, 4, 2));
    save(root, "cat/deep/z.PNG", &picture(6, 4, 1));
    save(root, "cat/a.jpeg", &picture(6, 4, 0));
    save(root, ".hidden/x.png", &picture(6, 4, 9));
    std::fs::write(root.join("dog/notes.txt"), "no image").unwrap();
    let set = FolderSet::open(root, &FolderOptions::default()).unwrap();
    assert_eq!(set.classes(), ["cat", "dog"]);
    assert_eq!(
        (0..3).map(|i| set.id(i)).collect::<Vec<_>>(),
        ["cat/a.jpeg", "cat/deep/z.PNG", "dog/b.png"]
    );
    assert_eq!(set.labels().unwrap(), [0, 0, 1]);
    assert_eq!(set.item(2).unwrap().pixels(), picture(6, 4, 2).as_raw());
    // Nothing was decoded so far; what is kept does not need its file any more.
    let kept = FolderSet::open(root, &FolderOptions::default()).unwrap();
    let kept = kept.decode_all(1 << 20).unwrap();
    (0..3).for_each(|i| assert_eq!(kept.item(i).unwrap(), set.item(i).unwrap()));
    std::fs::remove_file(set.path(2)).unwrap();
    assert!(set.item(2).unwrap_err().to_string().contains("dog/b.png") && kept.item(2).is_ok());

    let decode = Decode { grey: true, size: Some((3, 2)), ..Default::default() };
    let options = FolderOptions { labeled: false, decode, ..Default::default() };
    let flat = FolderSet::open(root, &options).unwrap();
    assert_eq!((flat.len(), flat.label(0), flat.classes().len()), (2, None, 0));
    let grey = flat.item(1).unwrap();
    assert_eq!((grey.width(), grey.height(), grey.channels()), (3, 2, 1));
}

#[test]
fn grey_has_the_weights_of_pillow() {
    let dir = tempfile::tempdir().unwrap();
    save(
        dir.path(),
        "a.png",
        &RgbImage::from_raw(3, 1, vec![255, 0, 0, 0, 255, 0, 0, 0, 255]).unwrap(),
    );
    let decode = Decode { grey: true, ..Default::default() };
    let options = FolderOptions { labeled: false, decode, ..Default::default() };
    let image = FolderSet::open(dir.path(), &options).unwrap().item(0).unwrap();
    // Image.convert("L") of pure red, green and blue in Pillow.
    assert_eq!(image.pixels(), [76, 150, 29]);
}

#[test]
fn folder_faults_and_skips() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let open = |options: &FolderOptions| FolderSet::open(root, options);
    let refuse = |options: &FolderOptions, expected: &str| {
        let error = open(options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let options = FolderOptions::default();
    let skip = FolderOptions { on_bad: OnBad::Skip, ..options.clone() };
    refuse(&options, "no images in class folders");
    std::fs::create_dir(root.join("a")).unwrap();
    std::fs::write(root.join("a/1.png"), b"not a picture").unwrap();
    refuse(&options, "a/1.png: ");
    refuse(&skip, "no other image is good either");
    save(root, "a/2.png", &picture(5, 5, 1));
    save(root, "b/3.png", &picture(40, 40, 1));
    let set = open(&skip).unwrap();
    assert_eq!((set.len(), set.labels().unwrap()), (2, vec![0, 1]));
    assert!(set.skipped().len() == 1 && set.skipped()[0].path.ends_with("a/1.png"));
    let decode = Decode { max_pixels: 100, ..Default::default() };
    let small = FolderOptions { decode, labeled: false, ..skip.clone() };
    let fault = open(&small).unwrap().skipped()[1].fault.clone();
    assert!(fault.contains("40x40 = 1,600 pixels, more than the limit of 100: shrink"), "{fault}");
    let fixed = |classes: &[&str]| FolderOptions {
        classes: Some(classes.iter().map(|&c| c.to_owned()).collect()),
        ..skip.clone()
    };
    assert_eq!(open(&fixed(&["b", "c", "a"])).unwrap().labels().unwrap(), [2, 0]);
    refuse(&fixed(&["b", "c"]), "no class of this name");
    let decode = Decode { size: Some((0, 4)), ..Default::default() };
    refuse(&FolderOptions { decode, ..options.clone() }, "size 0");
    save(root, "loose.png", &picture(5, 5, 1));
    refuse(&skip, "loose.png: an image outside the class folders");
}

/// A png that claims to be 60,000 x 60,000 pixels must cost neither time nor memory.
#[test]
fn pixel_bombs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), "bomb.png", &picture(4, 4, 1));
    let path = dir.path().join("bomb.png");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&60_000u32.to_be_bytes());
    let crc = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let options = FolderOptions { labeled: false, ..Default::default() };
    let error = FolderSet::open(dir.path(), &options).unwrap_err().to_string();
    assert!(
        error.contains("more than the limit of 100,000,000: shrink the picture or remove it"),
        "{error}"
    );
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Options that leave bad images out.
pub(crate) fn skipping() -> FolderOptions {
    FolderOptions { on_bad: OnBad::Skip, ..Default::default() }
}

fn ids(set: &FolderSet) -> Vec<String> {
    (0..set.len()).map(|i| set.id(i)).collect()
}

#[test]
fn a_class_without_an_image_is_left_out_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    save(root, "a/1.png", &picture(5, 5, 1));
    save(root, "b/1.png", &picture(5, 5, 2));
    std::fs::create_dir(root.join("aa_todo")).unwrap();
    std::fs::create_dir(root.join("ab_page")).unwrap();
    std::fs::write(root.join("ab_page/x.jpg"), "<!DOCTYPE html><p>404").unwrap();
    let set = FolderSet::open(root, &skipping()).unwrap();
    assert_eq!((set.classes(), set.labels().unwrap()), (&["a".into(), "b".into()][..], vec![0, 1]));
    let notes = set.notes().join("\n");
    assert!(notes.contains("`aa_todo`") && notes.contains("`ab_page`"), "{notes}");
    // The same after decoding, when the class had an image that only looked like one.
    let cut = std::fs::read(root.join("a/1.png")).unwrap();
    std::fs::write(root.join("ab_page/y.png"), &cut[..cut.len() - 30]).unwrap();
    let set = FolderSet::open(root, &skipping()).unwrap();
    assert_eq!((set.classes().len(), set.labels().unwrap()), (3, vec![0, 1, 2]));
    let set = set.decode_all(1 << 20).unwrap();
    assert_eq!((set.classes().len(), set.labels().unwrap()), (2, vec![0, 1]));
    assert_eq!(set.inner().skipped().len(), 2);
    std::fs::remove_dir_all(root.join("b")).unwrap();
    let error = FolderSet::open(root, &skipping()).unwrap().decode_all(0).unwrap_err().to_string();
    assert!(error.contains("`a` is the only class"), "{error}");
}

#[test]
fn the_content_decides_and_what_is_left_out_is_counted_by_reason() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    save(root, "ok.png", &picture(5, 4, 1));
    // A PNG called .jpg, one called .txt, and one without an ending.
    for name in ["really.jpg", "really.txt", "really"] {
        std::fs::copy(root.join("ok.png"), root.join(name)).unwrap();
    }
    for name in ["a.jpg", "b.JPG"] {
        std::fs::write(root.join(name), "  <html><body>not found</body>").unwrap();
    }
    std::fs::write(root.join("c.png"), "").unwrap();
    for litter in ["Thumbs.db", ".DS_Store", "._ok.png", "notes.md", "__MACOSX/._a.png"] {
        let path = root.join(litter);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(root.join("c.png"), path).unwrap();
    }
    std::os::unix::fs::symlink("nowhere", root.join("gone.png")).unwrap();
    std::os::unix::fs::symlink(root.join("ok.png"), root.join("link.png")).unwrap();
    let options = FolderOptions { labeled: false, ..skipping() };
    let set = FolderSet::open(root, &options).unwrap();
    assert_eq!(ids(&set), ["link.png", "ok.png", "really", "really.jpg", "really.txt"]);
    let lines: Vec<String> = set.left_out().iter().map(|left| left.to_string()).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("2 files left out, no image but an HTML page: "), "{lines:?}");
    assert!(lines[0].ends_with("b.JPG") && lines[1].contains("no image but an empty file"));
    assert!(lines[2].contains("cannot be opened"), "{lines:?}");
    let brief = set.left_out()[0].brief();
    assert_eq!(brief, "2 files left out, no image but an HTML page: a.jpg, b.JPG");
    // As an error, the first is named and the others are counted.
    let error = FolderSet::open(root, &FolderOptions { labeled: false, ..Default::default() });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("a.jpg: no image but an HTML page; 3 more"), "{error}");
    let listed = files_below(root).unwrap();
    assert_eq!(listed.len(), 9, "those that are named as images count too: {listed:?}");
    // What is no folder of image files is told for what it is.
    std::fs::write(root.join("list.csv"), "file,label\n").unwrap();
    std::fs::create_dir_all(root.join("rows")).unwrap();
    std::fs::write(root.join("rows/a.parquet"), "PAR1").unwrap();
    std::fs::create_dir_all(root.join("none")).unwrap();
    for (name, told) in [
        ("ok.png", "ok.png: is a single image (name a folder of image files)"),
        ("list.csv", "list.csv: is a table, not a folder"),
        ("rows", "rows: holds its images in Parquet, not in files"),
        ("rows/a.parquet", "a.parquet: holds its images in Parquet, not in files"),
        ("rows/*.parquet", "*.parquet: holds its images in Parquet, not in files"),
        ("none", "none: there is no image"),
        ("nowhere", "nowhere: is not there"),
    ] {
        let error = files_below(&root.join(name)).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn what_was_meant_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for part in ["train", "val"] {
        for class in ["cat", "dog"] {
            save(root, &format!("data/{part}/{class}/1.png"), &picture(5, 5, 1));
        }
    }
    let refused = |path: &str, options: &FolderOptions| {
        FolderSet::open(&root.join(path), options).unwrap_err().to_string()
    };
    let options = FolderOptions::default();
    let error = refused("data", &options);
    assert!(error.contains("parts of a data set") && error.contains("data/train"), "{error}");
    assert_eq!(FolderSet::open(&root.join("data/train"), &options).unwrap().len(), 2);
    // One level too high, and one class.
    std::fs::rename(root.join("data/train"), root.join("photos")).unwrap();
    std::fs::remove_dir_all(root.join("data")).unwrap();
    let error = refused("", &options);
    assert!(error.contains("`photos` is the only class"), "{error}");
    assert!(error.contains("`cat`, `dog`") && error.contains("/photos"), "{error}");
    let error = refused("photos/cat", &options);
    assert!(error.contains("holds 1 images and no folder of a class"), "{error}");
    let error = refused("photos/cat/1.png", &options);
    assert!(error.contains("is a single image"), "{error}");
    let error = refused("nowhere", &options);
    assert!(error.contains("nowhere: is not there"), "{error}");
    std::fs::write(root.join("notes.txt"), "nothing").unwrap();
    let error = refused("notes.txt", &options);
    assert!(error.contains("holds no image"), "{error}");
    // An image of its own is as good as a folder where no label is needed.
    let options = FolderOptions { labeled: false, ..options };
    let one = FolderSet::open(&root.join("photos/cat/1.png"), &options).unwrap();
    assert_eq!(ids(&one), ["1.png"]);
}

#[test]
fn deeper_folders_belong_to_their_class_and_names_may_be_odd() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for name in ["a b/site 1/x,y.png", "a b/site 2/x\ny.png", "\u{e9}/1.png"] {
        save(root, name, &picture(5, 5, 1));
    }
    let odd = std::ffi::OsStr::from_bytes(b"\xff.png");
    std::fs::copy(root.join("\u{e9}/1.png"), root.join("\u{e9}").join(odd)).unwrap();
    let set = FolderSet::open(root, &FolderOptions::default()).unwrap();
    assert_eq!(set.labels().unwrap(), [0, 0, 1, 1]);
    assert_eq!(ids(&set)[3], "\u{e9}/\\xff.png");
    assert!(set.notes()[0].contains("2 images lie deeper"), "{:?}", set.notes());
}

#[test]
fn a_summary_tells_sizes_kinds_and_colours() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    save(root, "a/1.png", &picture(5, 40, 1));
    save(root, "a/2.jpg", &picture(7, 20, 1));
    save(root, "b/3.png", &picture(6, 30, 1));
    image::GrayImage::new(9, 30).save(root.join("b/4.png")).unwrap();
    std::fs::write(root.join("b/5.gif"), "x").unwrap();
    let set = FolderSet::open(root, &skipping()).unwrap();
    let summary = Summary::of(&set);
    assert_eq!(summary.classes, [("a".to_owned(), 2), ("b".to_owned(), 2)]);
    let sides = [summary.width, summary.height].map(|side| side.to_string());
    assert_eq!(sides, ["5 to 9 (median 7)", "20 to 40 (median 30)"]);
    assert_eq!((summary.count, summary.unlabeled, summary.unusable), (4, 0, 0));
    assert_eq!(summary.kinds.into_iter().collect::<Vec<_>>(), [("JPEG", 1), ("PNG", 3)]);
    assert!((summary.grey - 0.25).abs() < 1e-9 && summary.left_out[0].count == 1);
}
