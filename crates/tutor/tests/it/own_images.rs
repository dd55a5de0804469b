//! The parts of one's own images: what is refused between them, and what a run keeps to.

use std::fs;
use std::path::{Path, PathBuf};

use crate::folders::folders;
use crate::tutor::{call, refused, result, run, run_folder};

/// A short run on folders, with further keys.
fn arguments<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["run", "fixmatch/folder"];
    let short = [
        "data.labeled=labeled",
        "train.steps=2",
        "train.batch=4",
        "cadence.evaluate=1",
        "evaluate.batch=32",
    ];
    for key in short.iter().chain(keys) {
        arguments.extend(["--set", *key]);
    }
    arguments
}

fn finished(dir: &Path, keys: &[&str]) -> (PathBuf, String) {
    let folder = run_folder(dir, &run(dir, &arguments(keys)));
    let data = result(&folder)["data"].as_str().expect("in words").to_owned();
    (folder, data)
}

#[test]
fn images_that_are_measured_on_are_not_trained_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    let keys = ["data.unlabeled=unlabeled", "data.test=labeled"];
    let error = refused(dir, &arguments(&keys));
    assert!(error.contains("data.test is data.labeled"), "{error}");
    // The same images elsewhere, among labelled and among unlabelled ones.
    let keys = ["data.unlabeled=unlabeled", "data.test=scored"];
    for copy in ["scored/red/again.png", "unlabeled/again.png"] {
        let from =
            if copy.starts_with("scored") { "labeled/red/3.png" } else { "scored/red/3.png" };
        fs::copy(dir.join(from), dir.join(copy)).expect("copied");
        let error = refused(dir, &arguments(&keys));
        assert!(error.contains("1 of the test images is among the"), "{error}");
        assert!(error.contains("--allow-duplicates of `tutor fit`"), "{error}");
        let (_, data) = finished(dir, &[&keys[..], &["data.allow_duplicates=true"]].concat());
        assert!(data.contains("1 of the test images is among the"), "{data}");
        fs::remove_file(dir.join(copy)).expect("removed");
    }
    // The same pixels in another file.
    let pixels = image::open(dir.join("scored/red/3.png")).expect("read");
    pixels.save(dir.join("unlabeled/again.bmp")).expect("written");
    let error = refused(dir, &arguments(&keys));
    assert!(error.contains("1 of the test images is among the unlabelled ones"), "{error}");
    assert!(error.contains("red/3.png is again.bmp), by their pixels"), "{error}");
    fs::remove_file(dir.join("unlabeled/again.bmp")).expect("removed");
    // Labelled images may be among the unlabelled ones: said, not refused.
    fs::copy(dir.join("labeled/red/3.png"), dir.join("unlabeled/x.png")).expect("copied");
    // An image counts once, and one with two labels not at all.
    fs::copy(dir.join("labeled/red/3.png"), dir.join("labeled/red/again.png")).expect("copied");
    fs::copy(dir.join("labeled/red/5.png"), dir.join("labeled/blue/other.png")).expect("copied");
    let (folder, data) = finished(dir, &keys);
    assert!(data.contains("1 of the unlabelled images is among the labelled ones"), "{data}");
    let counts = "11 labelled, 41 unlabelled, 4 validation and 16 test images of 2 classes";
    assert!(data.starts_with(counts), "{data}");
    for told in [
        "1 labelled image is a copy of another (red/again.png is red/3.png): it is left out",
        "2 labelled images have the content of another and a different label (red/5.png is \
         blue/other.png): they are left out",
    ] {
        assert!(data.contains(told), "{data}");
    }
    // What was learned from is no measure.
    let folder = folder.to_str().expect("UTF-8");
    let scored = call(dir, &["eval", folder, "labeled"]);
    assert!(scored.success, "{}", scored.err);
    for told in [
        "18 of the 18 images are among the labelled ones of this run",
        "2 of the 18 images are among the unlabelled ones of this run",
        "1 of the 18 images has the content of another with another label (red/5.png is \
         blue/other.png)",
    ] {
        assert!(scored.err.contains(told), "{}", scored.err);
    }
    let scored = call(dir, &["eval", folder, "scored"]);
    assert!(scored.success && !scored.err.contains("of the 16 images"), "{}", scored.err);
}

#[test]
fn a_misspelt_part_is_named_before_anything_is_decoded() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    fs::remove_file(dir.join("unlabeled/broken.png")).expect("removed");
    // Its header is right, so that only decoding finds out.
    let whole = fs::read(dir.join("labeled/red/3.png")).expect("read");
    fs::write(dir.join("labeled/red/3.png"), &whole[..whole.len() / 2]).expect("written");
    let keys = ["data.unlabeled=unlabeled", "data.on_bad=error"];
    let error = refused(dir, &arguments(&keys));
    assert!(error.contains("red/3.png"), "{error}");
    for (part, name) in [("test", "scord"), ("validation", "none"), ("unlabeled", "unlabelled")] {
        let key = format!("data.{part}={name}");
        let error = refused(dir, &arguments(&[&keys[..], &[key.as_str()]].concat()));
        assert!(error.contains(name) && error.contains("is not there"), "{part}: {error}");
    }
}

#[test]
fn a_table_tells_labels_and_a_folder_validates() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    // All in one folder: the images of `labeled` and of `unlabeled`, six of them with a label.
    fs::rename(dir.join("unlabeled"), dir.join("labeled/rest")).expect("moved");
    fs::rename(dir.join("scored"), dir.join("labeled/scored")).expect("moved");
    let mut table = String::from("file,label\n");
    for i in 0..3 {
        table += &format!("red/{i}.png,warm\nblue/{i}.png,cold\n");
    }
    fs::write(dir.join("labels.csv"), table).expect("written");
    let classes = [("red", "warm"), ("blue", "cold")];
    for (from, to) in classes {
        fs::rename(dir.join("labeled/scored").join(from), dir.join("labeled/scored").join(to))
            .expect("moved");
    }
    fs::write(dir.join("test.csv"), "red/7.png,warm\n").expect("written");
    let keys = ["data.labels=labels.csv", "data.validation=labeled/scored", "data.test=test.csv"];
    // The recipe names a folder of unlabelled images; here there is none.
    let recipe = run(dir, &["check", "fixmatch/folder"]).replace("unlabeled = \"unlabeled\"\n", "");
    fs::write(dir.join("own.toml"), recipe).expect("written");
    let mut arguments = arguments(&keys);
    arguments[1] = "own.toml";
    let folder = run_folder(dir, &run(dir, &arguments));
    let data = result(&folder)["data"].as_str().expect("in words").to_owned();
    // 16 - 6 - 1 in `red` and `blue`, and 40; neither those of `scored`, nor the broken one.
    assert!(
        data.starts_with("6 labelled, 49 unlabelled, 16 validation and 1 test images of 2 classes"),
        "{data}"
    );
    assert!(data.contains("no test image is of the class `cold`"), "{data}");
}

#[test]
fn a_run_that_goes_on_refuses_other_images() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    let keys = ["data.unlabeled=unlabeled"];
    let (folder, _) = finished(dir, &keys);
    // As if it had been interrupted before the report.
    fs::remove_file(folder.join("result.json")).expect("removed");
    let error = refused(dir, &["report", folder.to_str().expect("UTF-8")]);
    assert!(error.contains("not finished; start the same command again"), "{error}");
    fs::copy(dir.join("scored/red/1.png"), dir.join("unlabeled/00.png")).expect("copied");
    fs::copy(dir.join("scored/red/2.png"), dir.join("unlabeled/new.png")).expect("copied");
    let error = refused(dir, &arguments(&keys));
    let expected =
        "unlabelled images: 1 sample added (new.png), 1 sample with another content (00.png)";
    assert!(error.contains(expected) && error.contains("--fresh"), "{error}");
    // With other settings it is another run, beside this one.
    let beside = call(dir, &arguments(&[&keys[..], &["train.steps=1"]].concat()));
    assert!(beside.success, "{}", beside.err);
    let name = folder.file_name().expect("a name").to_str().expect("UTF-8");
    let told = format!("{name} lies unfinished, begun with other settings");
    assert!(beside.err.contains(&told), "{}", beside.err);
    let anew = call(dir, &[&arguments(&keys)[..], &["--fresh"]].concat());
    assert!(anew.success, "{}", anew.err);
}

#[test]
fn pictures_beside_a_table_are_unlabelled_and_that_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    fs::remove_dir_all(dir.join("scored")).expect("removed");
    let named =
        |class: &str| format!("labeled/{class}/1.png,{class}\nlabeled/{class}/2.png,{class}\n");
    let rows = named("red") + &named("blue");
    fs::write(dir.join("tab.csv"), format!("file,label\n{rows}")).expect("written");
    let check = |more: &[&str]| {
        let plan = call(dir, &[&["check", "fit", "--labeled", "tab.csv"], more].concat());
        assert!(plan.success, "{}", plan.err);
        plan.err
    };
    let told =
        "52 pictures of . that tab.csv does not name are unlabelled; --unlabeled names others";
    let said = check(&[]);
    assert!(said.contains("4 labelled pictures") && said.contains(told), "{said}");
    let said = check(&["--unlabeled", "unlabeled"]);
    assert!(!said.contains("does not name are unlabelled"), "{said}");
    // Rows without a label are named: there is nothing beside the table.
    fs::remove_dir_all(dir.join("unlabeled")).expect("removed");
    let without = |class: &str| -> String {
        (0..8)
            .filter(|i| ![1, 2].contains(i))
            .map(|i| format!("labeled/{class}/{i}.png,\n"))
            .collect()
    };
    let all = rows + &without("red") + &without("blue");
    fs::write(dir.join("tab.csv"), format!("file,label\n{all}")).expect("written");
    let said = check(&[]);
    assert!(said.contains("12 unlabelled") && !said.contains("does not name"), "{said}");
}

#[test]
fn a_part_among_the_class_folders_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    fs::rename(dir.join("unlabeled"), dir.join("labeled/rest")).expect("moved");
    let error = refused(dir, &arguments(&["data.unlabeled=labeled/rest"]));
    for told in ["whose sub-folders are the classes", "the label `rest`", "data.no_label"] {
        assert!(error.contains(told), "{error}");
    }
    let fit = ["fit", "--labeled", "labeled", "--minutes", "1", "--unlabeled", "labeled/rest"];
    let error = refused(dir, &fit);
    assert!(error.contains("--unlabeled labeled/rest lies in --labeled labeled"), "{error}");
    let error = refused(dir, &arguments(&["data.unlabeled=scored", "data.test=labeled/red"]));
    assert!(error.contains("the label `red`. Move it out of there"), "{error}");
    // A name that fits files is no path that is missing.
    fs::create_dir(dir.join("rows")).expect("made");
    fs::write(dir.join("rows/train-0.parquet"), "PAR1").expect("written");
    let pattern = |name: &str| format!("data.labeled=rows/{name}-*.parquet");
    let check = |name: &str| {
        let set = pattern(name);
        call(dir, &["check", "fixmatch/folder", "--set", &set]).err
    };
    assert!(!check("train").contains("missing: data.labeled"), "{}", check("train"));
    assert!(check("val").contains("val-*.parquet is not there"), "{}", check("val"));
    let error = refused(dir, &["run", "fixmatch/folder", "--set", &pattern("val")]);
    assert!(error.contains("data.labeled: ") && error.contains("--set data.labeled="), "{error}");
}
