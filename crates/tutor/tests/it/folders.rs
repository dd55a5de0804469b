//! One's own images, from training to predictions.

use std::fs;
use std::path::Path;

use augment::rng::Rng;
use image::{Rgb, RgbImage};

use crate::tutor::{call, refused, result, run, run_folder};

/// Writes a PNG of a class: class 0 is reddish, class 1 bluish, with noise.
pub(crate) fn picture(path: &Path, class: usize, rng: &mut Rng) {
    let mut image = RgbImage::new(20, 24);
    for pixel in image.pixels_mut() {
        let mut noise = |base: f64| (base + 20.0 * rng.normal()).clamp(0.0, 255.0) as u8;
        *pixel = if class == 0 {
            Rgb([noise(180.0), noise(60.0), noise(60.0)])
        } else {
            Rgb([noise(60.0), noise(60.0), noise(180.0)])
        };
    }
    image.save(path).expect("written");
}

pub(crate) fn folders(dir: &Path) {
    let mut rng = Rng::new(3);
    for (class, name) in ["red", "blue"].iter().enumerate() {
        for part in ["labeled", "scored"] {
            let folder = dir.join(part).join(name);
            fs::create_dir_all(&folder).expect("made");
            for i in 0..8 {
                picture(&folder.join(format!("{i}.png")), class, &mut rng);
            }
        }
    }
    fs::create_dir_all(dir.join("unlabeled/deeper")).expect("made");
    for i in 0..40 {
        let below = if i % 2 == 0 { "unlabeled" } else { "unlabeled/deeper" };
        picture(&dir.join(below).join(format!("{i:02}.png")), i % 2, &mut rng);
    }
    fs::write(dir.join("unlabeled/broken.png"), b"no image").expect("written");
}

#[test]
fn own_folders_train_predict_and_score() {
    let dir = tempfile::tempdir().expect("a folder");
    folders(dir.path());
    let arguments = [
        "run",
        "noisy-student/folder",
        "--set",
        "data.labeled=labeled",
        "--set",
        "data.unlabeled=unlabeled",
        "--set",
        "teacher.train.steps=30",
        "--set",
        "student.train.steps=20",
        "--set",
        "robustness.images=4",
        "--set",
        "robustness.sequences=1",
    ];
    let report = result(&run_folder(dir.path(), &run(dir.path(), &arguments)));
    assert_eq!(report["rows"][0]["metric"], "validation accuracy", "there is no test folder");
    assert!(
        report["data"].as_str().is_some_and(|data| data.contains("1 file left out, no image but ")),
        "{}",
        report["data"]
    );
    // A trained network does without what it learned from.
    fs::rename(dir.path().join("labeled"), dir.path().join("away")).expect("moved");
    let latest = "runs/noisy-student/latest";

    run(dir.path(), &["predict", latest, "unlabeled", "--out", "labels.csv"]);
    let text = fs::read_to_string(dir.path().join("labels.csv")).expect("labels");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "image,label,confidence,p_blue,p_red");
    assert_eq!(lines.len(), 41, "40 images, the broken one is left out");
    let right = lines[1..].iter().filter(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let number: usize = fields[0]
            .trim_end_matches(".png")
            .rsplit('/')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        fields[1] == if number.is_multiple_of(2) { "red" } else { "blue" }
    });
    assert!(right.count() >= 36, "{text}");

    let teacher = ["--model", "teacher", "--image-size", "24"];
    let labels = ["predict", latest, "unlabeled", "--out", "labels.parquet"];
    let called = call(dir.path(), &[&labels[..], &teacher].concat());
    assert!(called.success, "{}", called.err);
    let told = "teacher was trained at 32x32, and its answers at 24x24 are others";
    assert!(called.err.contains(told), "{}", called.err);
    let bytes = fs::read(dir.path().join("labels.parquet")).expect("labels");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));

    let scored = run(dir.path(), &["eval", latest, "scored"]);
    assert!(scored.contains("of 16 images") && scored.contains("balanced accuracy"), "{scored}");

    let error = refused(dir.path(), &["predict", latest, "unlabeled", "--out", "labels.xls"]);
    assert!(error.contains(".csv, .parquet or .jsonl"), "{error}");
    // A table and a single image are as good as a folder.
    fs::write(dir.path().join("list.csv"), "scored/red/1.png,red\nscored/blue/2.png,blue\n")
        .expect("written");
    let scored = run(dir.path(), &["eval", latest, "list.csv"]);
    assert!(scored.contains("of 2 images"), "{scored}");
    let said = run(dir.path(), &["predict", latest, "unlabeled/00.png", "--out", "one.csv"]);
    assert!(said.contains("one.csv: 1 image labelled by "), "{said}");
    let text = fs::read_to_string(dir.path().join("one.csv")).expect("labels");
    assert!(text.lines().count() == 2 && text.contains("\n00.png,red,"), "{text}");
    // The folder of the pictures may hold their labels, if it is read as pictures all the same.
    let scored = dir.path().join("scored");
    let beside = dir.path().join(latest);
    let beside = ["predict", beside.to_str().expect("UTF-8"), "."];
    run(&scored, &beside);
    let text = fs::read_to_string(scored.join("labels.csv")).expect("labels");
    assert_eq!(text.lines().count(), 17, "{text}");
    run(&scored, &[&beside[..], &["--out", "labels.csv"]].concat());
    assert_eq!(fs::read_to_string(scored.join("labels.csv")).expect("labels"), text);
    fs::remove_file(scored.join("labels.csv")).expect("removed");
    run(&scored, &[&beside[..], &["--shard", "1/8", "--out", "labels"]].concat());
    assert!(scored.join("labels/part-00001-of-00008.parquet").is_file());
    fs::remove_dir_all(scored.join("labels")).expect("removed");
    let error = refused(&scored, &[&beside[..], &["--out", "labels.parquet"]].concat());
    assert!(error.contains("outside") && !scored.join("labels.parquet").exists(), "{error}");
    let error = refused(dir.path(), &["predict", latest, "nowhere", "--out", "no.csv"]);
    assert!(!dir.path().join("no.csv.part").exists(), "nothing is begun");
    assert!(error.contains("nowhere"), "{error}");
    let error = refused(dir.path(), &["eval", latest, "scored", "--model", "student-9"]);
    assert!(error.contains("student-9") && error.contains("student-1"), "{error}");
    let error = refused(dir.path(), &["eval", "away", "scored"]);
    assert!(error.contains("is not the folder of a run"), "{error}");
    let error = refused(dir.path(), &["report", "."]);
    assert!(error.contains("is not the folder of a run"), "{error}");
}

#[test]
fn a_class_without_an_image_that_can_be_read_shifts_no_other() {
    let dir = tempfile::tempdir().expect("a folder");
    folders(dir.path());
    let amber = dir.path().join("labeled/amber");
    fs::create_dir(&amber).expect("made");
    let whole = fs::read(dir.path().join("labeled/red/0.png")).expect("a picture");
    for i in 0..3 {
        fs::write(amber.join(format!("{i}.png")), &whole[..whole.len() / 2]).expect("written");
    }
    let settings = [
        "data.labeled=labeled",
        "data.unlabeled=unlabeled",
        "data.test=scored",
        "data.on_bad=skip",
        "teacher.train.steps=30",
        "student.train.steps=20",
        "robustness.images=4",
        "robustness.sequences=1",
    ];
    let mut arguments = vec!["run", "noisy-student/folder"];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let report = result(&run_folder(dir.path(), &run(dir.path(), &arguments)));
    assert_eq!(report["rows"][0]["metric"], "test accuracy");
    let data = report["data"].as_str().expect("what is told of the data");
    assert!(data.contains("the class `amber` has no image that can be read"), "{data}");
    let accuracy = report["rows"][0]["mean"].as_f64().expect("a number");
    assert!(accuracy > 80.0, "red and blue are told apart by any net that learned: {accuracy} %");
}
