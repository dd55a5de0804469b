//! Folders of images: what is found, what is refused, what is left out.

use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad};
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
    // Decoding on demand gives the same.
    let lazy = FolderSet::open(root, &FolderOptions { memory: 10, ..Default::default() }).unwrap();
    (0..3).for_each(|i| assert_eq!(lazy.item(i).unwrap(), set.item(i).unwrap()));
    std::fs::remove_file(lazy.path(2)).unwrap();
    assert!(lazy.item(2).unwrap_err().to_string().contains("dog/b.png") && set.item(2).is_ok());

    let options =
        FolderOptions { labeled: false, grey: true, size: Some((3, 2)), ..Default::default() };
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
    let options = FolderOptions { labeled: false, grey: true, ..Default::default() };
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
    let small = FolderOptions { max_pixels: 100, ..skip.clone() };
    assert_eq!(
        open(&small).unwrap().skipped()[1].fault,
        "PNG image: 40x40 are 1600 pixels, more than max_pixels = 100 allows: raise max_pixels if \
         the image is meant to be so large"
    );
    let fixed = |classes: &[&str]| FolderOptions {
        classes: Some(classes.iter().map(|&c| c.to_owned()).collect()),
        ..skip.clone()
    };
    assert_eq!(open(&fixed(&["b", "c", "a"])).unwrap().labels().unwrap(), [2, 0]);
    refuse(&fixed(&["b", "c"]), "no class of this name");
    refuse(&FolderOptions { size: Some((0, 4)), ..options.clone() }, "size 0");
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
    assert!(error.contains("more than max_pixels = 100000000"), "{error}");
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
