//! `tutor fit`: from folders to a classifier, within its time.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::folders::folders;
use crate::tutor::{began_with_another, call, command, refused, result, run, run_folder};

/// Seconds that the runs may take.
const SECONDS: f64 = 12.0;

fn fit<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let minutes = "0.2";
    assert_eq!(60.0 * minutes.parse::<f64>().expect("a number"), SECONDS);
    let first = ["fit", "--labeled", "labeled", "--unlabeled", "unlabeled", "--minutes", minutes];
    [&first[..], more].concat()
}

fn names(result: &serde_json::Value) -> Vec<String> {
    let rows = result["rows"].as_array().expect("rows");
    let of = |key: &str, row: &serde_json::Value| row[key].as_str().expect("text").to_owned();
    rows.iter().map(|row| format!("{}: {}", of("name", row), of("metric", row))).collect()
}

#[test]
fn folders_become_a_classifier_in_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    let arguments = fit(&["--test", "scored"]);

    let plan = call(dir, &[&["check"], &arguments[..]].concat());
    assert!(plan.success, "{}", plan.err);
    assert!(plan.err.contains("data: 16 labelled pictures of 2 classes (8 each)"), "{}", plan.err);
    assert!(plan.err.contains("tutor weights fetch"), "no offer of weights: {}", plan.err);
    assert!(!dir.join("runs").exists(), "check ran something");

    let done = call(dir, &arguments);
    assert!(done.success, "{}", done.err);
    let folder = run_folder(dir, &done.out);
    let found = result(&folder);
    let names = names(&found);
    for row in ["labels-alone", "fixmatch"] {
        assert!(names.contains(&format!("{row}: test accuracy")), "{names:?}");
        assert!(names.contains(&format!("{row}: calibration error (ECE)")), "{names:?}");
    }
    assert!(names.contains(&"always `blue`: test accuracy".to_owned()), "{names:?}");
    let compared = &found["comparisons"][0];
    assert_eq!(compared["name"], "fixmatch - labels-alone");
    assert_eq!(compared["examples"], 16);
    assert!(compared["ci95"][0].as_f64() < compared["ci95"][1].as_f64());
    let report = fs::read_to_string(folder.join("report.md")).expect("a report");
    for part in ["Labelling only the sure ones", "Class by class", "Pictures to label next"] {
        assert!(report.contains(part), "{part} is missing");
    }
    let list = fs::read_to_string(folder.join("seed-1/label-next.csv")).expect("a list");
    assert!(list.starts_with("file,predicted,or,probability,margin\n"), "{list}");
    assert_eq!(list.lines().count(), 41, "a line for each unlabelled picture");
    // Steps are planned by the time that is left; a busy machine takes the fewest.
    for row in ["labels-alone", "fixmatch"] {
        let plan = fs::read(folder.join("seed-1").join(row).join("plan.json")).expect("a plan");
        let (steps, seconds): (u64, f64) = serde_json::from_slice(&plan).expect("two numbers");
        assert!(steps == 10 || seconds < SECONDS, "{row}: {steps} steps in {seconds} s");
    }
    // Only what is needed later is kept.
    let kept = |path: &str| folder.join("seed-1").join(path).exists();
    assert!(kept("fixmatch/final.safetensors") && !kept("fixmatch/checkpoints"));

    // The network that was kept labels other pictures, and the recipe is the same run again.
    let run_folder = folder.to_str().expect("UTF-8");
    run(dir, &["predict", run_folder, "unlabeled", "--out", "labels.csv"]);
    let labels = fs::read_to_string(dir.join("labels.csv")).expect("labels");
    assert_eq!(labels.lines().count(), 41);
    let recipe = folder.join("recipe.toml");
    let again = run(dir, &["check", recipe.to_str().expect("UTF-8")]);
    assert_eq!(again.trim(), fs::read_to_string(recipe).expect("it").trim());
}

#[test]
fn without_a_test_folder_held_out_labels_are_measured() {
    let dir = tempfile::tempdir().expect("a folder");
    folders(dir.path());
    let folder = run_folder(dir.path(), &run(dir.path(), &fit(&[])));
    let found = result(&folder);
    let names = names(&found);
    assert!(names.contains(&"labels-alone: held-out accuracy".to_owned()), "{names:?}");
    assert!(names.contains(&"fixmatch: held-out accuracy".to_owned()), "{names:?}");
    // Every labelled picture is held out once.
    assert_eq!(found["rows"][0]["examples"], 16);
    let notes = found["notes"].to_string();
    assert!(notes.contains("There is no test part"), "{notes}");
    // The time that was taken, not the one that was planned.
    assert!(notes.contains("(networks for ") && !notes.contains("(networks for 0.0 s"));
    let calibration = "labels-alone: calibration error (ECE) of the trial's classifiers";
    assert!(names.contains(&calibration.to_owned()), "{names:?}");
    let report = fs::read_to_string(folder.join("report.md")).expect("a report");
    assert!(report.contains("and so no threshold") && !report.contains("threshold |"), "{report}");
}

#[test]
fn a_fit_that_is_stopped_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    let arguments = fit(&["--test", "scored"]);
    let mut child = command(dir, &arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let until = Instant::now() + Duration::from_secs(60);
    let begun = |dir: &Path| {
        let runs = fs::read_dir(dir.join("runs/own-images")).ok()?;
        let named = runs.flatten().find(|entry| entry.file_name() != "latest")?.path();
        let one = fs::read_dir(named).ok()?.flatten().next()?.path();
        one.join("seed-1/pace/fixmatch/pace.json").exists().then_some(one)
    };
    let first = loop {
        if let Some(run) = begun(dir) {
            break run;
        }
        assert!(Instant::now() < until, "it does not begin");
        std::thread::sleep(Duration::from_millis(20));
    };
    child.kill().expect("killed");
    child.wait().expect("ended");
    let pace = fs::read(first.join("seed-1/pace/fixmatch/pace.json")).expect("the pace");
    let folder = run_folder(dir, &run(dir, &arguments));
    assert_eq!(folder.canonicalize().expect("it"), first.canonicalize().expect("it"));
    assert_eq!(fs::read(folder.join("seed-1/pace/fixmatch/pace.json")).expect("it"), pace);
}

#[test]
fn what_cannot_be_fitted_is_refused_with_a_way_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    let error = refused(dir, &fit(&["--test", "labeled"]));
    assert!(error.contains("labeled"), "{error}");
    let error = refused(dir, &fit(&["--weights", "efficientnet-lite0"]));
    assert!(error.contains("tutor weights fetch efficientnet-lite0"), "{error}");
    let error = refused(dir, &["fit", "--labeled", "labeled/red"]);
    assert!(error.contains("class"), "{error}");
    let error = refused(dir, &["fit", "--labeled", "nowhere"]);
    assert!(error.contains("nowhere"), "{error}");
    let error = refused(dir, &["fit", "--labeled", "labeled", "--minutes", "0"]);
    assert!(error.contains("--minutes"), "{error}");
    let error = refused(dir, &fit(&["--image-size", "64x48"]));
    assert!(error.contains("a whole number from 16 to 1024, the side of the square"), "{error}");
    // A folder that says of its pictures that they have no label.
    fs::rename(dir.join("scored/red"), dir.join("labeled/unsup")).expect("moved");
    let error = refused(dir, &fit(&[]));
    assert!(error.contains("the label `unsup` (8 times)"), "{error}");
    assert!(error.contains("--no-label 'unsup'") && error.contains("--class 'unsup'"), "{error}");
    let check = |more: &[&str]| call(dir, &[&["check"], &fit(more)[..]].concat());
    let none = check(&["--no-label", "unsup"]);
    assert!(none.success && none.err.contains("16 labelled pictures of 2 classes"), "{}", none.err);
    assert!(none.err.contains(", 48 unlabelled"), "{}", none.err);
    assert!(none.out.contains("no_label = [\"unsup\"]"), "{}", none.out);
    let class = check(&["--class", "unsup"]);
    assert!(class.success && class.err.contains("24 labelled pictures of 3"), "{}", class.err);
    fs::rename(dir.join("labeled/unsup"), dir.join("scored/red")).expect("moved");
    // In a table: numbers from 0 on and -1 may mean none.
    let rows: String = (0..8).map(|i| format!("red/{i}.png,{}\n", i % 3 - 1)).collect();
    fs::write(dir.join("labels.csv"), format!("file,label\n{rows}")).expect("written");
    let table = ["check", "fit", "--labeled", "labeled", "--labels", "labels.csv"];
    let doubtful = call(dir, &table);
    assert!(doubtful.success && doubtful.err.contains("--no-label -1"), "{}", doubtful.err);
    fs::write(dir.join("labels.csv"), "red/0.png,a\nred/1.png,b\nred/2.png,NA\n").expect("it");
    let error = refused(dir, &table);
    assert!(error.contains("labels.csv") && error.contains("--no-label 'NA'"), "{error}");
}

#[test]
fn check_says_what_fit_would_refuse_or_leave_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    let check = |more: &[&str]| call(dir, &[&["check"], &fit(more)[..]].concat());
    let same = check(&["--test", "labeled"]);
    assert!(!same.success && same.err.contains("--test is --labeled"), "{}", same.err);
    let same = check(&["--validation", "scored", "--test", "scored"]);
    assert!(!same.success && same.err.contains("--test is --validation"), "{}", same.err);
    fs::write(dir.join("labeled/red/no.png"), b"no image").expect("written");
    let told = check(&["--test", "scored"]);
    assert!(
        told.success && told.err.contains("labelled pictures: 1 file left out"),
        "{}",
        told.err
    );
    // Nothing can be held out of single pictures.
    for class in ["red", "blue"] {
        fs::create_dir_all(dir.join("single").join(class)).expect("made");
        let (from, to) = (format!("labeled/{class}/0.png"), format!("single/{class}/0.png"));
        fs::copy(dir.join(from), dir.join(to)).expect("copied");
    }
    let told = call(dir, &["check", "fit", "--labeled", "single", "--unlabeled", "unlabeled"]);
    assert!(told.success && told.err.contains("measured on nothing"), "{}", told.err);
    let alone = "the class `blue` has one labelled picture (1 more class as well)";
    assert!(told.err.contains(alone), "{}", told.err);
    // A class that only the test part has, and weights that lack a tensor.
    fs::rename(dir.join("scored/red"), dir.join("scored/reed")).expect("renamed");
    let told = check(&["--test", "scored"]);
    assert!(!told.success && told.err.contains("reed"), "{}", told.err);
    fs::rename(dir.join("scored/reed"), dir.join("scored/red")).expect("renamed");
    let (none, nothing) = (dir.join("none.safetensors"), Default::default());
    weights::save(&none, &nothing, &Default::default()).expect("written");
    let told = check(&["--net", "efficientnet_lite0", "--weights", "none.safetensors"]);
    assert!(!told.success && told.err.contains("conv_stem.weight"), "{}", told.err);
}

#[test]
fn what_is_left_out_is_told_once_and_samples_of_12_bits_are_read_as_such() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    fs::write(dir.join("labeled/red/no.png"), b"no image").expect("written");
    for part in ["labeled/red", "labeled/blue"] {
        let deep = image::ImageBuffer::from_fn(16, 16, |x, y| image::Luma([(x * y * 16) as u16]));
        deep.save(dir.join(part).join("deep.png")).expect("written");
    }
    // One of the test pictures is a labelled one, too.
    fs::copy(dir.join("labeled/red/3.png"), dir.join("scored/red/again.png")).expect("copied");
    let done = call(dir, &fit(&["--test", "scored", "--allow-duplicates"]));
    assert!(done.success, "{}", done.err);
    assert_eq!(done.err.matches("no.png").count(), 1, "{}", done.err);
    let folder = run_folder(dir, &done.out);
    let notes = result(&folder)["notes"].to_string();
    assert!(notes.contains("1 of the 17 test images is among the labelled ones"), "{notes}");
    assert!(notes.contains("Accuracy on the 16 images that were not seen before"), "{notes}");
    // The page has its folder where everything stands in full, and nowhere else.
    let page = fs::read_to_string(folder.join("report.html")).expect("the page");
    let place = dir.join("labeled/red/no.png").display().to_string();
    assert_eq!((page.matches("no.png").count(), page.matches(&place).count()), (2, 1), "{page}");
    assert!(done.err.contains("of more than 8 bits use 12 of them"), "{}", done.err);
    let recipe = fs::read_to_string(folder.join("recipe.toml")).expect("it");
    assert!(recipe.contains("bits = 12"), "{recipe}");
}

#[test]
fn with_few_steps_the_labels_alone_are_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    folders(dir);
    let net = ["--test", "scored", "--net", "efficientnet_lite0"];
    let plan = run(dir, &[&["check"], &fit(&net)[..]].concat());
    assert!(plan.contains("freeze = 0") && !plan.contains("probability"), "{plan}");
    assert!(!plan.contains("symmetric_padding"), "no weights ask for it: {plan}");
    fs::write(dir.join("recipe.toml"), plan).expect("written");
    // A fault has the name by which `--set` mends it.
    let threshold = "candidates.0.method.threshold";
    let told = refused(dir, &["run", "recipe.toml", "--set", &format!("{threshold}=2")]);
    assert!(told.contains(threshold), "{told}");
    // More steps than there can be on any machine.
    let steps = ["run", "recipe.toml", "--set", "trial.steps=9000"];
    let folder = run_folder(dir, &run(dir, &steps));
    let found = result(&folder);
    let notes = found["notes"].to_string();
    assert!(notes.contains("Kept: labels-alone; there is time for"), "{notes}");
    // Whichever is behind, its training was too short to show it.
    let caveat = found["comparisons"][0]["caveat"].as_str().expect("a caveat");
    assert!(caveat.contains("fewer than 9000 steps tell little"), "{caveat}");
    assert!(notes.contains("Trainings were short or unequal: labels-alone "), "{notes}");
    // The others can be used, too.
    let folder = folder.to_str().expect("UTF-8");
    run(dir, &["eval", folder, "scored", "--model", "fixmatch"]);
    let none = refused(dir, &["eval", folder, "scored", "--model", "frozen-features"]);
    assert!(none.contains("its networks are labels-alone, fixmatch"), "without weights: {none}");

    // With weights, and hardly a step: the classifier that training starts from.
    run(dir, &["export", folder, "--safetensors", "net.safetensors"]);
    let weights = ["--test", "scored", "--weights", "net.safetensors"];
    let alone = ["fit", "--labeled", "labeled", "--minutes", "0.2"];
    let reasons =
        ["there is time for", "steps of labels-alone, and fine-tuning needs 2250 or more"];
    for (first, reason) in [(&fit(&[])[..], reasons[0]), (&alone, reasons[1])] {
        let plan = run(dir, &[&["check"], first, &weights].concat());
        // Where the first stages stay, RandAugment always applies both of its operations.
        assert!(plan.contains("freeze = 5") && plan.contains("probability = 1.0"), "{plan}");
        fs::write(dir.join("recipe.toml"), plan).expect("written");
        let folder = run_folder(dir, &run(dir, &steps));
        let found = result(&folder);
        let notes = found["notes"].to_string();
        assert!(notes.contains("Kept: frozen-features; there is time for"), "{notes}");
        assert!(notes.contains(reason), "{notes}");
        // It is what is used, and what was measured.
        let folder = folder.to_str().expect("UTF-8");
        let named = run(dir, &["eval", folder, "scored", "--model", "frozen-features"]);
        assert_eq!(run(dir, &["eval", folder, "scored"]), named);
        let rows = found["rows"].as_array().expect("rows");
        let row = |row: &&serde_json::Value| {
            row["name"] == "frozen-features" && row["metric"] == "test accuracy"
        };
        let measured = rows.iter().find(row).expect("its row")["mean"].as_f64().expect("it");
        let told = format!("accuracy {measured:.2} %");
        assert!(named.contains(&told), "{told} in {named}");
        let said = began_with_another(dir, Path::new(folder), &steps, "weights");
        assert!(said.contains("the weights are no longer those"), "{said}");
    }
}
