//! Quick runs from recipe to report.

use crate::tutor::{result, run, run_folder};

#[test]
fn the_default_recipe_runs_and_reports() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = run(dir.path(), &["run", "noisy-student", "--quick", "--seeds", "2"]);
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
    assert_eq!(result["schema"], "tutor-result/1");
    assert_eq!(result["seeds"].as_array().map(Vec::len), Some(2));
    let rows = result["rows"].as_array().expect("rows");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names[..3], ["teacher", "student 1", "student 2"]);
    assert!(names.contains(&"noised-teacher") && names.contains(&"distillation"), "{names:?}");
    for row in rows {
        assert_eq!(row["per_seed"].as_array().map(Vec::len), Some(2), "{row}");
        assert!(row["ci95"][0].as_f64() <= row["mean"].as_f64(), "{row}");
    }
    let comparisons = result["comparisons"].as_array().expect("comparisons");
    let main =
        comparisons.iter().find(|c| c["name"] == "student-teacher").expect("the main comparison");
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
    assert!(result["robustness"]["corruptions"].as_array().is_some_and(|c| c.len() >= 6));
}

#[test]
fn a_resolved_recipe_is_the_same_run_again_with_any_number_of_loaders() {
    let dir = tempfile::tempdir().expect("a folder");
    let small = ["--quick", "--set", "rows={}", "--threads", "1"];
    let first = run(dir.path(), &[&["run", "noisy-student"][..], &small].concat());
    let first = run_folder(dir.path(), &first);
    let recipe = first.join("recipe.toml");
    let recipe = recipe.to_str().expect("UTF-8");
    let again = ["run", recipe, "--threads", "1", "--set", "cadence.workers=3", "--out", "again"];
    let again = run_folder(dir.path(), &run(dir.path(), &again));
    for stage in ["teacher", "student-1", "student-2"] {
        let weights = |run: &std::path::Path| {
            std::fs::read(run.join("seed-1").join(stage).join("final.safetensors"))
        };
        assert_eq!(weights(&first).expect("weights"), weights(&again).expect("weights"), "{stage}");
    }
    assert_eq!(result(&first)["rows"], result(&again)["rows"]);
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
            "student.fix_resolution={steps=4,lr={kind='constant',value=0.01},augment=[{kind='resize',size=12}],eval_augment=[{kind='resize',size=12}],frozen=['stages.0']}",
        ],
    ];
    for set in changes {
        let mut arguments = vec!["run", "noisy-student", "--quick", "--set", "rows={}"];
        arguments.extend(set.iter().flat_map(|change| ["--set", change]));
        run_folder(dir.path(), &run(dir.path(), &arguments));
    }
}

#[test]
fn a_quick_run_does_without_data_that_are_not_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let out =
        run(dir.path(), &["run", "noisy-student/cifar10-small", "--quick", "--data", "/nowhere"]);
    assert_eq!(result(&run_folder(dir.path(), &out))["quick"], true);
}

#[test]
fn given_weights_teach_without_training() {
    let dir = tempfile::tempdir().expect("a folder");
    let quick = ["run", "noisy-student", "--quick", "--set", "rows={}"];
    let first = run_folder(dir.path(), &run(dir.path(), &quick));
    let weights = first.join("seed-1/teacher/final.safetensors");
    let given = format!("teacher.weights='{}'", weights.display());
    let arguments = [&quick[..], &["--set", "teacher.steps=0", "--set", &given]].concat();
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
    let resolved = run(dir.path(), &["check", "noisy-student", "--set", "student.steps=77"]);
    assert!(resolved.contains("steps = 77"), "{resolved}");
}
