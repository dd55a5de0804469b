//! Corrupted copies of folders, and pictures of what augmentation does.

use std::fs;
use std::path::Path;

use augment::corrupt::Corruption;
use augment::image::Image;
use data_pipeline::picture::{Decode, write_png};

use crate::tutor::{call, refused, run};

fn images(dir: &Path) {
    for (name, seed) in [("a/1.png", 3), ("a/2.png", 5), ("b/1.png", 7)] {
        let path = dir.join("images").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let pixels = (0..24 * 20 * 3).map(|i| (i * seed % 251) as u8).collect();
        write_png(&path, &Image::new(24, 20, 3, pixels)).expect("written");
    }
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).expect("below").to_string_lossy().into_owned();
                found.push((name, fs::read(&path).expect("a file")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_folder_is_corrupted_once_and_taken_up_again() {
    let dir = tempfile::tempdir().expect("a folder");
    images(dir.path());
    let fifteen = ["corrupt", "images", "all15", "--severity", "1..5"];
    let said = run(dir.path(), &fifteen);
    assert!(said.contains("225 images written, 0 were there, 0 of 3 skipped"), "{said}");
    let whole = files(&dir.path().join("all15"));
    assert_eq!(whole.len(), 1 + 15 * 5 * 3);
    for corruption in Corruption::IMAGENET_C {
        let path = dir.path().join("all15").join(corruption.name()).join("5/b/1.png");
        let image = Decode::default().file(&path).expect("an image");
        assert_eq!((image.width(), image.height()), (24, 20), "{corruption}");
    }
    // What is lost is made again, with the same bytes, and nothing else is touched.
    for (name, _) in whole.iter().filter(|(name, _)| name.ends_with("png")).step_by(7) {
        fs::remove_file(dir.path().join("all15").join(name)).expect("removed");
    }
    let said = run(dir.path(), &fifteen);
    assert!(said.contains("33 images written, 192 were there"), "{said}");
    assert_eq!(files(&dir.path().join("all15")), whole);
    // So are a copy that is cut off, and the copies of an image that has been replaced.
    let cut = dir.path().join("all15/fog/3/a/1.png");
    let bytes = fs::read(&cut).expect("a copy");
    fs::write(&cut, &bytes[..bytes.len() / 2]).expect("written");
    let pixels = vec![90; 24 * 20 * 3];
    write_png(&dir.path().join("images/b/1.png"), &Image::new(24, 20, 3, pixels)).expect("written");
    // But not by a call that would make some of them only, which removes nothing.
    let one = ["corrupt", "images", "all15", "--severity", "1", "--corruption", "fog"];
    let said = refused(dir.path(), &one);
    assert!(said.contains("would not make it anew") && said.contains("name another"), "{said}");
    assert_eq!(files(&dir.path().join("all15")).len(), whole.len());
    let again = call(dir.path(), &fifteen);
    assert!(again.out.contains("76 images written, 149 were there"), "{}", again.out);
    assert!(again.err.contains("1 image has changed since the copies were made"), "{}", again.err);
    let now = files(&dir.path().join("all15"));
    let differing = now.iter().zip(&whole).filter(|(now, before)| now.1 != before.1);
    let names: Vec<&str> = differing.map(|(now, _)| now.0.as_str()).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with("b/1.png")).count(), 75);
    // And what was kept of the contents.
    assert_eq!(names.len(), 76, "{names:?}");
    let said = refused(dir.path(), &["corrupt", "images", "all15", "--seed", "1"]);
    assert!(said.contains("holds copies of") && said.contains("with seed 0"), "{said}");
}

#[test]
fn photographs_are_turned_upright() {
    let dir = tempfile::tempdir().expect("a folder");
    images(dir.path());
    // EXIF of a single entry, the orientation, behind the header of the file.
    let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let path = dir.path().join("images/a/1.png");
    let whole = fs::read(&path).expect("a picture");
    let (header, rest) = whole.split_at(33);
    let length = (exif.len() as u32).to_be_bytes();
    let turned = [header, &length, b"eXIf", exif, &[0; 4], rest].concat();
    fs::write(&path, turned).expect("written");
    run(dir.path(), &["corrupt", "images", "out", "--corruption", "fog", "--severity", "1"]);
    let size = |name: &str| {
        let copy = Decode::default().file(&dir.path().join("out/fog/1").join(name));
        copy.map(|copy| (copy.width(), copy.height())).expect("an image")
    };
    assert_eq!((size("a/1.png"), size("a/2.png")), ((20, 24), (24, 20)));
    // The same picture that is stored upright is drawn alike.
    let upright = Decode { orient: true, ..Decode::default() }.file(&path).expect("a picture");
    write_png(&dir.path().join("upright.png"), &upright).expect("written");
    let draw = |image: &str, out: &str| {
        run(dir.path(), &["show", "augment", "--policy", "fixmatch", image, "--out", out]);
        let sheet = Decode::default().file(&dir.path().join(out)).expect("a picture");
        (sheet.width(), sheet.height())
    };
    assert_eq!(draw("images/a/1.png", "turned-sheet.png"), draw("upright.png", "sheet.png"));
}

#[test]
fn two_images_whose_copies_would_have_one_name_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    images(dir.path());
    for (other, clashes) in [("1.png.png", false), ("1.jpg", false), ("1.jpg.png", true)] {
        fs::copy(dir.path().join("images/a/1.png"), dir.path().join("images/a").join(other))
            .expect("copied");
        let fog =
            ["corrupt", "images", other, "--corruption", "fog", "--severity", "1", "--skip-bad"];
        if clashes {
            let said = refused(dir.path(), &fog);
            assert!(said.contains("a/1.jpg and") && said.contains("a/1.jpg.png"), "{said}");
            assert!(!dir.path().join(other).exists());
        } else {
            run(dir.path(), &fog);
        }
    }
}

#[test]
fn what_cannot_be_corrupted_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    images(dir.path());
    let said = refused(dir.path(), &["corrupt", "images", "out", "--corruption", "fogg"]);
    assert!(said.contains("no corruption `fogg`") && said.contains("fog, "), "{said}");
    let said = refused(dir.path(), &["corrupt", "images", "out", "--severity", "6"]);
    assert!(said.contains("severity 6: there are 1 to 5"), "{said}");
    let said = refused(dir.path(), &["corrupt", "images", "images/out"]);
    assert!(said.contains("lies in images") && said.contains("outside of it"), "{said}");
    assert!(refused(dir.path(), &["corrupt", "nowhere", "out"]).contains("nowhere"));
    let said = refused(dir.path(), &["corrupt", "images/a/1.png", "out"]);
    assert!(said.contains("1.png: is a single image (name a folder of image files)"), "{said}");
    fs::create_dir(dir.path().join("full")).expect("made");
    fs::write(dir.path().join("full/mine.txt"), "mine").expect("written");
    assert!(refused(dir.path(), &["corrupt", "images", "full"]).contains("not empty"));
    fs::write(dir.path().join("images/a/broken.png"), "no picture").expect("written");
    let fog = ["corrupt", "images", "out", "--corruption", "fog", "--severity", "3"];
    let said = refused(dir.path(), &fog);
    assert!(said.contains("broken.png") && said.contains("be skipped: --skip-bad"), "{said}");
    assert!(said.contains(" written to out, and the same command goes on from there"), "{said}");
    let skipping = call(dir.path(), &[&fog[..], &["--skip-bad"]].concat());
    assert!(skipping.out.contains("1 of 4 skipped"), "{}", skipping.out);
    assert!(skipping.err.contains("skipped: ") && !skipping.err.contains("("), "{}", skipping.err);
    assert_eq!(files(&dir.path().join("out/fog/3")).len(), 3);
    // Why a copy cannot be written is told once.
    let copy = dir.path().join("out/fog/3/a/2.png");
    fs::remove_file(&copy).expect("removed");
    fs::create_dir(&copy).expect("made");
    let said = refused(dir.path(), &[&fog[..], &["--skip-bad"]].concat());
    assert_eq!(said.matches("no regular file").count(), 1, "{said}");
}

/// As `tutor fit` takes them: a picture of 16 bits that uses 12 is as bright as it would be in 8.
#[test]
fn pictures_that_use_12_of_16_bits_are_not_black() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("deep/a.png");
    fs::create_dir(path.parent().expect("a folder")).expect("made");
    let pixels: Vec<u16> = (0..32 * 32).map(|i: u16| 2048 + i % 2048).collect();
    image::ImageBuffer::<image::Luma<u16>, _>::from_raw(32, 32, pixels)
        .expect("a picture")
        .save(&path)
        .expect("written");
    let brighter = ["corrupt", "deep", "out", "--corruption", "brightness", "--severity", "1"];
    let called = call(dir.path(), &brighter);
    let told = "pictures of more than 8 bits use 12 of them, and the upper 8 of these are taken";
    assert!(called.success && called.err.contains(told), "{}", called.err);
    assert!(called.err.contains("1 picture was of 16 bits, 12 of them in use"), "{}", called.err);
    assert!(called.out.contains("1 image written, 0 were there"), "{}", called.out);
    // Copies of a version that took the upper 8 of all bits.
    let note = dir.path().join("out/corrupted.json");
    let made = fs::read_to_string(&note).expect("it");
    let mut before: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    before.as_object_mut().expect("keys").remove("depth").expect("it");
    fs::write(&note, before.to_string()).expect("written");
    let said = refused(dir.path(), &brighter);
    assert!(said.contains("the upper 8 of 16 bits, new ones would show those of 12"), "{said}");
    fs::write(&note, made).expect("written");
    let copy = dir.path().join("out/brightness/1/a.png");
    let copy = Decode::default().file(&copy).expect("an image").into_pixels();
    let mean = copy.iter().map(|&byte| f64::from(byte)).sum::<f64>() / copy.len() as f64;
    // The mean of 8 of the 12 bits is 159.5; as small images have it, a twentieth of 255 is added.
    assert!((mean - 172.25).abs() < 1.0, "{mean}");
    let shown = call(dir.path(), &["show", "corruptions", "deep/a.png"]);
    assert!(shown.err.contains("1 picture was of 16 bits, 12 of them in use"), "{}", shown.err);
    // The sheet is that of the same picture of 8 bits.
    let pixels: Vec<u8> = (0..32 * 32).map(|i: u16| ((2048 + i % 2048) >> 4) as u8).collect();
    fs::create_dir(dir.path().join("eight")).expect("made");
    write_png(&dir.path().join("eight/a.png"), &Image::new(32, 32, 1, pixels)).expect("written");
    run(dir.path(), &["show", "corruptions", "eight/a.png", "--out", "eight.png"]);
    let sheet = |name: &str| fs::read(dir.path().join(name)).expect("a picture");
    assert!(sheet("sheet.png") == sheet("eight.png"), "as bright as it is");
}

#[test]
fn policies_and_corruptions_are_drawn() {
    let dir = tempfile::tempdir().expect("a folder");
    images(dir.path());
    let size = |name: &str| {
        let image = Decode::default().file(&dir.path().join(name)).expect("a picture");
        (image.width(), image.height())
    };
    let said = run(dir.path(), &["show", "augment", "--policy", "fixmatch", "images/a/1.png"]);
    let again = ["show", "augment", "--policy", "fixmatch"];
    let refusal = refused(dir.path(), &again);
    assert!(refusal.contains("sheet.png is there already"), "{refusal}");
    assert!(said.contains("randaugment fixmatch") && said.contains("1: 3 deg"), "{said}");
    // Flip-crop, 14 operations, cutout, two rows of draws and the image itself.
    let (_, height) = size("sheet.png");
    assert!(height > 19 * 80, "{height}");
    let steps = r#"[{"kind": "cutout", "size": 8}]"#;
    run(
        dir.path(),
        &["show", "augment", "--policy", steps, "--out", "steps.png", "--columns", "3"],
    );
    assert!(size("steps.png").1 < height);
    fs::write(dir.path().join("mine.toml"), "policy = \"rand-m9-n3\"\n").expect("written");
    run(dir.path(), &["show", "augment", "--policy", "mine.toml", "--out", "mine.png"]);
    let named = ["show", "augment", "--policy", "noisy-student/digits", "--out", "sheet.png"];
    let said = run(dir.path(), &named);
    assert!(said.starts_with("randaugment noisy-student"), "{said}");
    run(dir.path(), &["show", "corruptions", "images/b/1.png", "--out", "corruptions.png"]);
    assert!(size("corruptions.png").1 > 22 * 80);
    let listed = run(dir.path(), &["show", "augment"]);
    assert!(listed.contains("autoaugment-svhn") && listed.contains("rand-m9-n3"), "{listed}");
    for (asked, said) in [
        (&["nosuch.png", "--out", "s.png"][..], "nosuch.png"),
        (&["images", "--out", "s.png"], "images: this is a folder; name images"),
        (&["images/a/1.png", "--out", "s.jpg"], "must end in .png"),
    ] {
        let error = refused(dir.path(), &[&["show", "corruptions"], asked].concat());
        assert!(error.contains(said) && !error.contains("be skipped"), "{error}");
        assert!(!dir.path().join("s.jpg").exists() && !dir.path().join("s.png").exists());
    }
    let said = refused(dir.path(), &["show", "augment", "--policy", "fixmach"]);
    assert!(said.contains("did you mean `fixmatch`"), "{said}");
}
