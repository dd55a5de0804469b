//! What is no number is neither scored nor written.

use std::fs;

use crate::tutor::{call, refused, result, run, run_folder};

/// Images of 4x4 in batches of one leave batch norm a single value of a channel.
#[test]
fn statistics_that_are_no_numbers_stop_the_training() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = refused(
        dir.path(),
        &[
            "run",
            "fixmatch/folder",
            "--quick",
            "--set",
            "method.kind=supervised",
            "--set",
            "train.batch=1",
            "--set",
            "data={kind='synthetic',side=4,channels=3,classes=2,labels_per_class=4,unlabeled=8,validation=4,test=4}",
            "--set",
            "weak=none",
            "--set",
            "strong=none",
        ],
    );
    for word in ["step 0", "running_var", "NaN", "larger batches"] {
        assert!(said.contains(word), "{word} is missing in\n{said}");
    }
    assert!(!said.contains("accuracy"), "{said}");
}

/// Weights that were changed, and those of no numbers that an earlier program left.
#[test]
fn a_damaged_network_labels_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let quick = ["run", "fixmatch/folder", "--quick"];
    let folder = run_folder(dir.path(), &run(dir.path(), &quick));
    let weights = folder.join("seed-1/fixmatch/final.safetensors");
    let mut bytes = fs::read(&weights).expect("weights");
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&weights, bytes).expect("written");
    fs::create_dir_all(dir.path().join("images/a")).expect("made");
    image::RgbImage::new(32, 32).save(dir.path().join("images/a/0.png")).expect("written");
    let predict = ["predict", "runs/fixmatch/latest", "images"];
    let said = refused(dir.path(), &predict);
    assert!(said.contains("final.safetensors: other bytes than done.json"), "{said}");
    fs::remove_file(folder.join("seed-1/fixmatch/done.json")).expect("removed");
    let said = refused(dir.path(), &predict);
    assert!(said.contains("NaN") && said.contains("a/0.png"), "{said}");
    assert!(!dir.path().join("labels.csv").exists());
}

/// Pictures of these sizes, each of a colour of its own.
fn pictures(folder: &std::path::Path, sizes: &[(u32, u32)]) {
    fs::create_dir_all(folder).expect("made");
    let name = folder.file_name().unwrap_or_default().as_encoded_bytes();
    let red = name.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    for (i, &(width, height)) in sizes.iter().enumerate() {
        let colour = image::Rgb([red, i as u8, 128]);
        let picture = image::RgbImage::from_pixel(width, height, colour);
        picture.save(folder.join(format!("{i}.png"))).expect("written");
    }
}

/// A class of one image is learned from and not measured, which is said before and after.
#[test]
fn classes_that_nothing_measures_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    for (class, count) in
        [("labeled/many", 8), ("labeled/two", 2), ("labeled/one", 1), ("unlabeled", 8)]
    {
        pictures(&dir.path().join(class), &vec![(16, 16); count]);
    }
    let mut arguments = vec!["run", "fixmatch/folder"];
    let set = [
        "data.labeled=labeled",
        "data.unlabeled=unlabeled",
        "train.steps=2",
        "train.batch=4",
        "net.width=8",
        "data.size=[16,16]",
    ];
    arguments.extend(set.iter().flat_map(|set| ["--set", set]));
    let called = call(dir.path(), &arguments);
    assert!(called.success, "{}", called.err);
    assert!(
        called.err.contains("a single labelled image to learn from in the classes: one, two"),
        "{}",
        called.err
    );
    assert!(
        called.err.contains(
            "no image in the validation part, so nothing is measured of the classes: one"
        ),
        "{}",
        called.err
    );
    // The terminal breaks lines.
    let said = called.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("no sample of 1 of the 3 classes"), "{said}");
    let found = result(&run_folder(dir.path(), &called.out));
    assert_eq!(found["rows"][1]["metric"], "balanced over 2 of 3 classes");

    // Predictions: images of several sizes, a file that is there.
    pictures(&dir.path().join("new"), &[(16, 16), (20, 10), (9, 9)]);
    let latest = "runs/fixmatch/latest";
    run(dir.path(), &["predict", latest, "new"]);
    let said = refused(dir.path(), &["predict", latest, "new"]);
    assert!(said.contains("labels.csv is there already"), "{said}");
    run(dir.path(), &["predict", latest, "new", "--out", "labels.csv"]);
    let said = refused(dir.path(), &["predict", latest, "nowhere", "--out", "x.csv"]);
    assert_eq!(said.matches("is not there").count(), 1, "{said}");
    let scored = run(dir.path(), &["eval", latest, "labeled"]);
    assert!(!scored.contains("none of"), "{scored}");
    fs::remove_dir_all(dir.path().join("labeled/one")).expect("removed");
    let scored = run(dir.path(), &["eval", latest, "labeled"]);
    assert!(scored.contains("over 2 of 3 classes; none of one"), "{scored}");

    arguments.retain(|argument| *argument != "data.size=[16,16]");
    arguments.pop();
    arguments.extend(["--unset", "data.size", "--set", "strong=none", "--out", "unsized"]);
    run(dir.path(), &arguments);
    let unsized_run = "unsized/fixmatch/latest";
    let said = refused(dir.path(), &["predict", unsized_run, "new", "--out", "x.csv"]);
    assert!(said.contains("--image-size") && !said.contains("set a common size"), "{said}");
    let sized = ["predict", unsized_run, "new", "--out", "x.csv", "--image-size", "16x16"];
    assert!(run(dir.path(), &sized).contains("3 images"));
}
