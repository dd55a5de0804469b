//! Tables of methods, from recipe to report and to predictions.

use std::path::Path;

use torch::store;

use crate::tutor::{call, killed, refused, result, run, run_folder};

const FEW: &str = "supervised-20,uda-20,uda-50";

#[test]
fn a_table_runs_reports_and_labels() {
    let dir = tempfile::tempdir().expect("a folder");
    let along = "evaluate.test_along_training=true";
    let quick = ["run", "uda", "--quick", "--seeds", "2", "--threads", "1", "--rows", FEW];
    let arguments = [&quick[..], &["--set", along]].concat();
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    let result = result(&folder);
    let rows = result["rows"].as_array().expect("rows");
    let lead: Vec<_> = rows.iter().filter(|row| row["metric"] == "test accuracy").collect();
    let names: Vec<_> = lead.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["supervised-20", "uda-20", "uda-50"], "in the recipe's order");
    for metric in
        ["mean of the last 20 evaluations", "at the best on validation", "balanced over classes"]
    {
        assert_eq!(rows.iter().filter(|row| row["metric"] == metric).count(), 3, "{metric}");
    }
    let notes = result["notes"].to_string();
    assert!(notes.contains("test_along_training"), "{notes}");
    let comparisons = result["comparisons"].as_array().expect("comparisons");
    assert_eq!(comparisons.len(), 1, "what uda-50 is compared with is not run");
    assert_eq!(comparisons[0]["left"], "uda-20");
    let page = std::fs::read_to_string(folder.join("report.html")).expect("the page");
    assert!(page.contains("As labels grow"));
    let metrics = std::fs::read_to_string(folder.join("seed-1/uda-20/metrics.jsonl"));
    assert!(metrics.expect("the record").contains("note/mask.9"), "the mask class by class");

    let images = dir.path().join("images");
    std::fs::create_dir_all(&images).expect("made");
    image::GrayImage::from_pixel(8, 8, image::Luma([9])).save(images.join("a.png")).expect("saved");
    for model in [None, Some("supervised-20")] {
        let mut arguments = vec!["predict", "runs/uda/latest", "images", "--out", "labels.csv"];
        arguments.extend(model.iter().flat_map(|model| ["--model", model]));
        let called = call(dir.path(), &arguments);
        assert!(called.success, "{}", called.err);
        assert!(
            std::fs::read_to_string(dir.path().join("labels.csv"))
                .expect("labels")
                .contains("a.png")
        );
    }
    let said = refused(
        dir.path(),
        &["predict", "runs/uda/latest", "images", "--model", "student-1", "--out", "x.csv"],
    );
    assert!(said.contains("uda-50"), "{said}");
}

#[test]
fn every_method_of_the_benchmark_runs_and_resumes() {
    let dir = tempfile::tempdir().expect("a folder");
    let quick = ["run", "ssl-benchmark", "--quick", "--threads", "1"];
    let whole =
        run_folder(dir.path(), &run(dir.path(), &[&quick[..], &["--out", "whole"]].concat()));
    let broken = [&quick[..], &["--out", "broken"]].concat();
    let files = ["sntg/checkpoints/step-", "remixmatch-cta/checkpoints/step-"];
    killed(dir.path(), &broken, "broken", &files);
    let broken = run_folder(dir.path(), &run(dir.path(), &broken));
    let seed = whole.join("seed-1");
    let mut compared = 0;
    for row in std::fs::read_dir(&seed).expect("rows") {
        let row = row.expect("a row").file_name();
        let read =
            |run: &Path| std::fs::read(run.join("seed-1").join(&row).join("final.safetensors"));
        assert_eq!(read(&whole).expect("weights"), read(&broken).expect("weights"), "{row:?}");
        compared += 1;
    }
    assert!(compared >= 20, "{compared} rows");
    assert_eq!(result(&whole)["rows"], result(&broken)["rows"]);
}

#[test]
fn what_a_table_cannot_do_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = |set: &str| refused(dir.path(), &["run", "uda", "--quick", "--set", set]);
    assert!(said("run_rows=uda-21").contains("the rows are"));
    assert!(said("method.tempratur=1.0").contains("temperature"));
    let without =
        refused(dir.path(), &["run", "ssl-benchmark", "--quick", "--set", "train.ema.decay=2.0"]);
    assert!(without.contains("ema"), "{without}");
    let error = said(r#"rows=[{name="a", about="", set={"cadence.log"=1}}]"#);
    assert!(error.contains("cadence.log") && error.contains("may change"), "{error}");
    let error = said(r#"rows=[{name="a", about="", against="b"}]"#);
    assert!(error.contains("there is no row b"), "{error}");
    let error = said("net.width=0");
    assert!(error.contains("width"), "{error}");
}

/// Final weights of the rows of a quick run with these settings.
fn weights(dir: &Path, out: &str, row: &str, settings: &[&str]) -> Vec<u8> {
    let mut arguments =
        vec!["run", "ssl-benchmark", "--quick", "--threads", "1", "--out", out, "--rows", row];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let folder = run_folder(dir, &run(dir, &arguments));
    std::fs::read(folder.join("seed-1").join(row).join("final.safetensors")).expect("weights")
}

#[test]
fn feedback_of_augmentation_is_the_same_with_any_number_of_workers() {
    let dir = tempfile::tempdir().expect("a folder");
    let of = |out, workers: &str| {
        let workers = format!("workers={workers}");
        weights(dir.path(), out, "fixmatch-cta", &["train.steps=60", &workers])
    };
    let one = of("one", "1");
    assert!(one == of("none", "0"));
    assert!(one == of("four", "4"));
}

#[test]
fn feedback_goes_on_where_it_was_stopped() {
    let dir = tempfile::tempdir().expect("a folder");
    let settings = ["train.steps=300", "cadence.checkpoint=7", "cadence.log=1"];
    let whole = weights(dir.path(), "whole", "fixmatch-cta", &settings);
    let mut arguments =
        vec!["run", "ssl-benchmark", "--quick", "--threads", "1", "--out", "broken"];
    arguments.extend(["--rows", "fixmatch-cta"]);
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    killed(dir.path(), &arguments, "broken", &["checkpoints/step-0000004"]);
    // Probes are not always recognised, and the bins of those that are not weigh less then.
    let runs = dir.path().join("broken/ssl-benchmark/digits");
    let folder = runs.read_dir().expect("runs").next().expect("a run").expect("an entry").path();
    let stage = folder.join("seed-1/fixmatch-cta/checkpoints");
    let newest = stage.read_dir().expect("checkpoints").map(|entry| entry.expect("one").path());
    let newest = newest.filter(|path| path.to_string_lossy().contains("/step-")).max();
    let kept = store::load(&newest.expect("a checkpoint")).expect("tensors").tensors;
    let rates = kept["state.ctaugment.rates"].select(0, -1);
    let (least, most) = (rates.min().double_value(&[]), rates.max().double_value(&[]));
    assert!(least > 0.5 && least < 0.99 && most <= 1.0, "{least} to {most}");
    assert!(whole == weights(dir.path(), "broken", "fixmatch-cta", &settings));
}

#[test]
fn classes_of_different_size_choose_the_weights_and_align_pseudo_labels() {
    let dir = tempfile::tempdir().expect("a folder");
    let run_with = |out, more: &[&str]| {
        let mut arguments = vec!["run", "fixmatch", "--quick", "--threads", "1", "--out", out];
        arguments.extend(["--set", "train.steps=12", "--set", "cadence.evaluate=1"]);
        arguments.extend(more.iter().flat_map(|setting| ["--set", setting]));
        run_folder(dir.path(), &run(dir.path(), &arguments))
    };
    let balanced = ["select.metric=balanced-accuracy", "method.alignment.to=labels"];
    let best = run_with("best", &balanced);
    let training = best.join("seed-1/fixmatch");
    let record = std::fs::read_to_string(training.join("metrics.jsonl")).expect("the record");
    let of = |line: &str| -> Option<f64> {
        let row: serde_json::Value = serde_json::from_str(line).ok()?;
        row.get("eval/validation_balanced_accuracy")?.as_f64()
    };
    let course: Vec<f64> = record.lines().filter_map(of).collect();
    assert_eq!(course.len(), 12, "one evaluation a step: {record}");
    // The result is the EMA model of the checkpoint that was best, not that of the last.
    let last = run_with("last", &[&balanced[..], &["select.weights=last"]].concat());
    let weights =
        |run: &Path| std::fs::read(run.join("seed-1/fixmatch/final.safetensors")).expect("weights");
    let at = course.iter().position(|a| *a == course.iter().copied().fold(0.0, f64::max));
    assert_eq!(at == Some(11), weights(&best) == weights(&last), "best at {at:?}");
    let notes = result(&best)["notes"].to_string();
    assert!(notes.contains("were best on the validation part"), "{notes}");
    assert!(result(&last)["notes"].to_string().contains("the last weights"));
}

#[test]
fn how_often_a_training_is_evaluated_does_not_change_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let of = |out, every: &str| {
        let evaluate = format!("cadence.evaluate={every}");
        let swa = "train.swa={from=0.5,every=3}";
        weights(dir.path(), out, "fixmatch-cta", &["train.steps=40", swa, &evaluate])
    };
    // The SWA model is evaluated with running statistics that are taken anew, and these are part of
    // the result.
    assert!(of("often", "4") == of("rarely", "40"));
}

#[test]
fn a_bad_image_ends_a_run_whose_workers_wait_for_feedback() {
    let dir = tempfile::tempdir().expect("a folder");
    for (part, class, grey) in
        [("labeled", "a", 0), ("labeled", "b", 5), ("scored", "a", 2), ("scored", "b", 7)]
    {
        let folder = dir.path().join(part).join(class);
        std::fs::create_dir_all(&folder).expect("made");
        for i in 0..6 {
            let image = image::GrayImage::from_pixel(16, 16, image::Luma([20 * i + grey]));
            image.save(folder.join(format!("{i}.png"))).expect("saved");
        }
    }
    let unlabeled = dir.path().join("unlabeled");
    std::fs::create_dir_all(&unlabeled).expect("made");
    for i in 0..400u32 {
        let height = if i == 399 { 20 } else { 16 };
        let image = image::GrayImage::from_pixel(16, height, image::Luma([i as u8]));
        image.save(unlabeled.join(format!("{i:03}.png"))).expect("saved");
    }
    let settings = [
        "data={kind=\"folder\",labeled=\"labeled\",unlabeled=\"unlabeled\",grey=true}",
        "strong=[{kind=\"ctaugment\"}]",
        "weak=[]",
        "train.batch=2",
        "workers=16",
        "net.stages=1",
    ];
    let mut arguments = vec!["run", "fixmatch/folder", "--threads", "1"];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    // The best weights cannot be chosen without a part to choose on.
    let none = [
        "--set",
        "data.validation_share=0",
        "--set",
        "data.test=scored",
        "--set",
        "data.allow_duplicates=true",
    ];
    let none = [&arguments[..], &none[..]].concat();
    let said = refused(dir.path(), &none);
    assert!(said.contains("select.weights=last"), "{said}");
    let mut child = crate::tutor::command(dir.path(), &arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    let began = std::time::Instant::now();
    while child.try_wait().expect("asked").is_none() {
        if began.elapsed().as_secs() > 120 {
            child.kill().expect("killed");
            panic!("it does not end");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let said = child.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("399.png") && said.contains("common size"), "{said}");
}

#[test]
fn what_cannot_be_chosen_or_learnt_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let cta = "strong=[{kind=\"ctaugment\"},{kind=\"ctaugment\"}]";
    let said = refused(dir.path(), &["run", "fixmatch", "--quick", "--set", cta]);
    assert!(said.contains("ctaugment twice"), "{said}");
    let weak = "weak=[{kind=\"ctaugment\"}]";
    let said = refused(dir.path(), &["run", "fixmatch", "--quick", "--set", weak]);
    assert!(said.contains("strong policy only"), "{said}");
    let s4l = "rows=[{name=\"a\",about=\"\",method={kind=\"s4l\"}}]";
    let said = refused(dir.path(), &["run", "label-propagation", "--quick", "--set", s4l]);
    assert!(said.contains("treats samples as images"), "{said}");
}
