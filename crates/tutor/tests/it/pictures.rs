//! Corrupted copies of folders, and pictures of what augmentation does.

use std::fs;
use std::path::Path;

use augment::corrupt::Corruption;
use augment::image::Image;
use data_pipeline::picture::{Decode, write_png};

use crate::tutor::{refused, run};

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
    let said = refused(dir.path(), &["corrupt", "images", "all15", "--seed", "1"]);
    assert!(said.contains("holds copies of") && said.contains("with seed 0"), "{said}");
}

#[test]
fn two_images_whose_copies_would_have_one_name_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    images(dir.path());
    for (other, clashes) in [("1.png.png", false), ("1.jpg", false), ("1.jpg.png", true)] {
        fs::copy(dir.path().join("images/a/1.png"), dir.path().join("images/a").join(other))
            .expect("copied");
        let fog = [
            "corrupt",
            "images",
            other,
            "--corruption",
            "fog",
            "--severity",
            "1",
            "--on-bad",
            "skip",
        ];
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
    assert!(said.contains("outside the images"), "{said}");
    assert!(refused(dir.path(), &["corrupt", "nowhere", "out"]).contains("nowhere"));
    fs::create_dir(dir.path().join("full")).expect("made");
    fs::write(dir.path().join("full/mine.txt"), "mine").expect("written");
    assert!(refused(dir.path(), &["corrupt", "images", "full"]).contains("not empty"));
    fs::write(dir.path().join("images/a/broken.png"), "no picture").expect("written");
    let fog = ["corrupt", "images", "out", "--corruption", "fog", "--severity", "3"];
    assert!(refused(dir.path(), &fog).contains("broken.png"));
    let said = run(dir.path(), &[&fog[..], &["--on-bad", "skip"]].concat());
    assert!(said.contains("1 of 4 skipped"), "{said}");
    assert_eq!(files(&dir.path().join("out/fog/3")).len(), 3);
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
    let said = refused(dir.path(), &["show", "augment", "--policy", "fixmach"]);
    assert!(said.contains("did you mean `fixmatch`"), "{said}");
}
