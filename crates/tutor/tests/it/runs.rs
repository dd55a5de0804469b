//! Quick runs from recipe to report.

use crate::stored_views::{difference, network};
use crate::tutor::{call, command, refused, result, run, run_folder};

#[test]
fn the_default_recipe_runs_and_reports() {
    let dir = tempfile::tempdir().expect("a folder");
    let out =
        run(dir.path(), &["run", "noisy-student", "--quick", "--seeds", "2", "--rows", "all"]);
    let folder = run_folder(dir.path(), &out);
    for file in [
        "recipe.toml",
        "report.html",
        "report.md",
        "seed-1/teacher/metrics.jsonl",
        "seed-2/split.json",
    ] {
        assert!(folder.join(file).exists(), "{file} is missing");
    }
    assert!(dir.path().join("runs/noisy-student/latest/result.json").exists());
    let result = result(&folder);
    assert_eq!(result["schema"], "tutor-result/2");
    assert_eq!(result["seeds"].as_array().map(Vec::len), Some(2));
    let rows = result["rows"].as_array().expect("rows");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names[..3], ["teacher", "student 1", "student 2"]);
    assert!(names.contains(&"noised-teacher") && names.contains(&"distillation"), "{names:?}");
    for row in rows {
        assert_eq!(row["per_seed"].as_array().map(Vec::len), Some(2), "{row}");
        let end = |i: usize| row["ci95"][i].as_f64().expect("an end of the interval");
        let mean = row["mean"].as_f64().expect("a mean");
        assert!(end(0) <= mean && mean <= end(1), "{row}");
    }
    let comparisons = result["comparisons"].as_array().expect("comparisons");
    let main = comparisons.iter().find(|c| c["name"] == result["headline"]).expect("the headline");
    for (i, difference) in main["per_seed"].as_array().expect("differences").iter().enumerate() {
        let of = |name: &str| {
            rows.iter().find(|row| row["name"] == name).expect("a row")["per_seed"][i]
                .as_f64()
                .expect("number")
        };
        assert!(
            (difference.as_f64().expect("number") - (of("student 2") - of("teacher"))).abs() < 1e-9
        );
    }
    assert!(result["cost"]["wall_s"].as_f64() > Some(0.0));
    assert!(result["cost"]["peak_rss_bytes"].as_u64() > Some(1 << 20));
    assert!(
        result["details"]["robustness"]["corruptions"].as_array().is_some_and(|c| c.len() >= 6)
    );
}

#[test]
fn a_run_is_reported_where_something_else_is_called_latest() {
    let dir = tempfile::tempdir().expect("a folder");
    let paper = dir.path().join("runs/label-propagation");
    std::fs::create_dir_all(paper.join("latest/mine")).expect("made");
    let called = call(dir.path(), &["run", "label-propagation", "--quick"]);
    assert!(called.success, "{}", called.err);
    let folder = run_folder(dir.path(), &called.out);
    assert!(folder.join("report.html").exists() && folder.join("result.json").exists());
    assert!(called.err.contains("latest at the run: it is a folder: rename it"), "{}", called.err);
    assert!(paper.join("latest/mine").exists());
    let mut names = paper.read_dir().expect("it").map(|entry| entry.expect("one").file_name());
    assert!(names.all(|name| !name.to_string_lossy().starts_with('.')), "nothing is left");
}

#[test]
fn a_resolved_recipe_is_the_same_run_again_with_any_number_of_loaders() {
    let dir = tempfile::tempdir().expect("a folder");
    let small = ["--quick", "--threads", "1"];
    let first = run(dir.path(), &[&["run", "noisy-student"][..], &small].concat());
    let first = run_folder(dir.path(), &first);
    let recipe = first.join("recipe.toml");
    let recipe = recipe.to_str().expect("UTF-8");
    let again = ["run", recipe, "--threads", "1", "--set", "workers=3", "--out", "again"];
    let again = run_folder(dir.path(), &run(dir.path(), &again));
    for stage in ["teacher", "student-1", "student-2"] {
        let weights = |run: &std::path::Path| {
            std::fs::read(run.join("seed-1").join(stage).join("final.safetensors"))
        };
        assert_eq!(weights(&first).expect("weights"), weights(&again).expect("weights"), "{stage}");
    }
    assert_eq!(result(&first)["rows"], result(&again)["rows"]);
}

/// Stored labels, which are chosen and repeated, belong to their images: a teacher that is asked in
/// each step, and keeps no labels, teaches the same.
#[test]
fn stored_pseudo_labels_teach_what_a_teacher_in_the_loop_does() {
    let dir = tempfile::tempdir().expect("a folder");
    let taught = |labeling: &str| {
        // Random views would be others, as they are drawn by their position.
        let how = format!("student.method.labeling={labeling}");
        let mut arguments = vec!["run", "noisy-student", "--quick", "--threads", "1"];
        arguments.extend(["--out", labeling, "--set", "student.augment=[]", "--set", &how]);
        run_folder(dir.path(), &run(dir.path(), &arguments))
    };
    let (stored, in_loop) = (taught("offline"), taught("in-loop"));
    for student in ["student-1", "student-2"] {
        let off = difference(&network(&stored, student), &network(&in_loop, student));
        // With the labels of other images it is 0.4.
        assert!(off < 1e-3, "{student}: {off}");
    }
}

#[test]
fn variants_of_the_method_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let changes: [&[&str]; 4] = [
        &["student.method.labeling=in-loop"],
        &[
            "student.warm_start=true",
            "generations.0.net.width=16",
            "generations.0.net.stochastic_depth=0.0",
            "generations.1={net={kind='small-net',width=16,dropout=0.1}}",
        ],
        &[
            "labeling.select.rule=paper",
            "student.method.targets=hard",
            "student.method.average=labeled",
        ],
        &[
            "student.fix_resolution={train={steps=4,batch=8,lr={kind='constant',value=0.01},optim={kind='sgd'}},augment=[{kind='resize',size=12}],eval_augment=[{kind='resize',size=12}],frozen=['stages.0']}",
        ],
    ];
    for set in changes {
        let mut arguments = vec!["run", "noisy-student", "--quick"];
        arguments.extend(set.iter().flat_map(|change| ["--set", change]));
        run_folder(dir.path(), &run(dir.path(), &arguments));
    }
}

#[test]
fn a_quick_run_is_on_generated_images_unless_data_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let quick = ["run", "noisy-student/cifar10-small", "--quick"];
    assert_eq!(result(&run_folder(dir.path(), &run(dir.path(), &quick)))["quick"], true);
    let named = refused(dir.path(), &[&quick[..], &["--data", "/nowhere"]].concat());
    assert!(named.contains("/nowhere"), "{named}");
}

#[test]
fn several_numbers_of_labels_give_a_curve() {
    let dir = tempfile::tempdir().expect("a folder");
    let called = call(dir.path(), &["run", "noisy-student", "--quick", "--labels", "20,30"]);
    assert!(called.success && called.err.contains("30 labels · teacher: "), "{}", called.err);
    let out = called.out;
    let folder = run_folder(dir.path(), &out);
    let rows = &result(&folder)["rows"];
    let names: Vec<_> = rows.as_array().expect("rows").iter().map(|r| &r["name"]).collect();
    assert_eq!(names[0], "teacher, 20 labels");
    assert_eq!(names[5], "student 2, 30 labels");
    let page = std::fs::read_to_string(folder.join("report.html")).expect("the page");
    assert!(page.contains("As labels grow"));
    let said = refused(dir.path(), &["run", "noisy-student", "--quick", "--labels", "25"]);
    assert!(said.contains("25"), "{said}");
    let said = refused(dir.path(), &["run", "uda", "--quick", "--labels", "20"]);
    assert!(said.contains("labels"), "{said}");
}

#[test]
fn a_run_goes_on_when_nobody_reads_its_progress() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut child = command(dir.path(), &["run", "noisy-student", "--quick"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    drop(child.stderr.take());
    assert!(child.wait().expect("ended").success());
    assert!(dir.path().join("runs/noisy-student/latest/result.json").exists());
}

#[test]
fn the_test_part_is_measured_along_the_training_only_where_that_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    for (set, along) in [("false", false), ("true", true)] {
        let set = format!("evaluate.test_along_training={set}");
        let run = run(dir.path(), &["run", "noisy-student", "--quick", "--set", &set]);
        let folder = run_folder(dir.path(), &run);
        let record = std::fs::read_to_string(folder.join("seed-1/teacher/metrics.jsonl"));
        assert_eq!(record.expect("the record").contains("eval/test_accuracy"), along);
        assert_eq!(result(&folder)["notes"].to_string().contains("along the training"), along);
    }
}

#[test]
fn what_a_recipe_expects_is_of_the_recipe_as_it_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let steps = ["teacher.train.steps=5", "student.train.steps=5", "robustness.images=5"];
    let mut arguments = vec!["run", "noisy-student", "--seeds", "1"];
    arguments.extend(steps.iter().flat_map(|step| ["--set", step]));
    arguments.extend(["--set", "labeling.select.min_confidence=0.0"]);
    let changed = run(dir.path(), &arguments);
    assert!(changed.contains("states no expected numbers"), "{changed}");
    // The resolved recipe is the changed one: running it again expects nothing either.
    let recipe = run_folder(dir.path(), &changed).join("recipe.toml");
    let again = run(dir.path(), &["run", recipe.to_str().expect("UTF-8"), "--out", "again"]);
    assert!(again.contains("states no expected numbers"), "{again}");
}

#[test]
fn a_reader_may_close_the_pipe() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut child = command(dir.path(), &["list"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("ended");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn given_weights_teach_without_training() {
    let dir = tempfile::tempdir().expect("a folder");
    let quick = ["run", "noisy-student", "--quick"];
    let first = run_folder(dir.path(), &run(dir.path(), &quick));
    let weights = first.join("seed-1/teacher/final.safetensors");
    let given = format!("teacher.weights='{}'", weights.display());
    let arguments = [&quick[..], &["--set", "teacher.train.steps=0", "--set", &given]].concat();
    let second = run_folder(dir.path(), &run(dir.path(), &arguments));
    let labels = |run: &std::path::Path| {
        std::fs::read(run.join("seed-1/student-1/pseudo-labels.csv")).expect("labels")
    };
    assert_eq!(labels(&first), labels(&second));
    let table = run(dir.path(), &["report", "runs/noisy-student/latest"]);
    assert!(table.contains("student 2") && table.contains("report: "), "{table}");
}

#[test]
fn list_and_check_show_recipes() {
    let dir = tempfile::tempdir().expect("a folder");
    let names = run(dir.path(), &["list", "--names"]);
    assert!(names.lines().any(|name| name == "noisy-student/svhn"), "{names}");
    let resolved = run(dir.path(), &["check", "noisy-student", "--set", "student.train.steps=77"]);
    assert!(resolved.contains("steps = 77"), "{resolved}");
    assert!(resolved.contains("\n[quick]\n"), "what is printed has the quick run: {resolved}");
    let called = call(dir.path(), &["check", "uda", "--seeds", "1", "--unset", "workers"]);
    assert!(called.success, "{}", called.err);
    for words in ["uda/digits would run: 1 seed; ", "train.steps = ", "--unset workers: it has its"]
    {
        assert!(called.err.contains(words), "{words}: {}", called.err);
    }
    let called = call(dir.path(), &["check", "fixmatch/folder"]);
    assert!(called.success && called.err.contains("missing: data.labeled: "), "{}", called.err);
}
