//! Pre-training on running text and classifiers that start from it, as a user runs them.

use crate::tutor::{killed, refused, result, run, run_folder};

const QUICK: [&str; 5] = ["run", "electra", "--quick", "--threads", "1"];

#[test]
fn every_objective_of_the_paper_runs_on_the_embedded_text() {
    let dir = tempfile::tempdir().expect("a folder");
    let arguments = ["run", "electra/imdb", "--quick", "--seeds", "1", "--threads", "1"];
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    let result = result(&folder);
    let names: Vec<&str> = result["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["name"].as_str().expect("a name"))
        .collect();
    let objectives = ["random", "mlm", "electra-15", "replace-mlm", "all-tokens-mlm", "electra"];
    assert_eq!(names[..6], objectives.map(|row| format!("8 labels, {row}")));
    // What pre-training reached follows: a masked language model has its loss alone.
    let losses = result["rows"].as_array().expect("rows")[6..].iter();
    let losses = losses.filter(|row| row["metric"] == "loss at masked tokens").count();
    assert!(losses >= 4 && names[6] == "mlm" && names[7] == "electra-15", "{names:?}");
    assert_eq!(result["comparisons"].as_array().map(Vec::len), Some(5));
    let found = |row: &str| -> serde_json::Value {
        let file = folder.join("seed-1").join(row).join("pretraining/pretraining.json");
        serde_json::from_str(&std::fs::read_to_string(file).expect("it")).expect("JSON")
    };
    // Equal compute, not equal steps: a masked language model has no generator to pay for.
    let (mlm, electra) = (found("mlm"), found("electra"));
    let ratio = mlm["flops"].as_f64().expect("it") / electra["flops"].as_f64().expect("it");
    assert!((0.7..1.4).contains(&ratio), "{ratio}");
    assert!(mlm["steps"].as_u64() > electra["steps"].as_u64());
    let metrics = |found: &serde_json::Value| found["metrics"].to_string();
    assert!(metrics(&electra).contains("disc_auc") && !metrics(&mlm).contains("disc_auc"));
    assert!(!folder.join("seed-1/random/pretraining").exists());
    let page = std::fs::read_to_string(folder.join("report.html")).expect("the page");
    for words in ["What pre-training took", "Replaced tokens", "Loss at masked tokens"] {
        assert!(page.contains(words), "{words}");
    }
}

/// The generator of the second stage is the model of the first and stays as it is: it says the same
/// of the held-out text.
#[test]
fn a_training_in_two_stages_keeps_the_generator_of_the_first() {
    let dir = tempfile::tempdir().expect("a folder");
    let rows = "half,two-stage";
    let arguments =
        ["run", "electra/generators", "--quick", "--rows", rows, "--threads", "1", "--seeds", "1"];
    let called = crate::tutor::call(dir.path(), &arguments);
    assert!(called.success, "{}", called.err);
    assert!(called.err.contains("% of ELECTRA-Small's budget"), "{}", called.err);
    let folder = run_folder(dir.path(), &called.out);
    let found = |of: &str| -> serde_json::Value {
        let file = folder.join("seed-1").join(of).join("pretraining.json");
        serde_json::from_str(&std::fs::read_to_string(file).expect("it")).expect("JSON")
    };
    let loss = |found: &serde_json::Value| {
        let metrics = found["metrics"].as_array().expect("metrics").clone();
        let metric = metrics.into_iter().find(|metric| metric[0] == "masked_lm_loss");
        metric.expect("a loss")[1].as_f64().expect("a number")
    };
    let (first, second) =
        (found("two-stage/pretraining.generator"), found("two-stage/pretraining"));
    assert!((loss(&first) - loss(&second)).abs() < 1e-5, "{first} {second}");
    assert_eq!(first["steps"], second["steps"]);
    // Both stages together cost what another row costs.
    let flops = |found: &serde_json::Value| found["flops"].as_f64().expect("a number");
    let ratio = (flops(&first) + flops(&second)) / flops(&found("half/pretraining"));
    assert!((0.7..1.4).contains(&ratio), "{ratio}");
    let said = refused(
        dir.path(),
        &["check", "electra/generators", "--set", "pretrain.encoder.embedding=64"],
    );
    assert!(said.contains("two-stage") && said.contains("embedding"), "{said}");
}

/// The pace of each row is measured, and its steps follow; what was planned stays planned for a run
/// that is stopped and goes on.
#[test]
fn rows_may_take_the_same_time() {
    let dir = tempfile::tempdir().expect("a folder");
    // No other number of steps bounds them, and nothing but steps takes time.
    let quiet = ["train.steps=5", "cadence.evaluate=0", "cadence.checkpoint=2", "minutes=0.02"];
    let quiet = quiet.iter().flat_map(|change| ["--set", change]);
    let quiet: Vec<&str> =
        ["--quick", "--threads", "1", "--unset", "flops"].into_iter().chain(quiet).collect();
    let minutes = 0.02;
    for (recipe, rows, parts) in [
        ("electra", "mlm,electra", ["mlm/pretraining", "electra/pretraining"]),
        (
            "electra/generators",
            "two-stage",
            ["two-stage/pretraining.generator", "two-stage/pretraining"],
        ),
    ] {
        let command = [&["run", recipe, "--rows", rows, "--out", rows][..], &quiet].concat();
        let plans = parts.map(|part| format!("{part}/plan.json"));
        killed(dir.path(), &command, rows, &plans);
        let folder = run_folder(dir.path(), &run(dir.path(), &command)).join("seed-1");
        for part in parts {
            let (row, name) = part.split_once('/').expect("a row and a part");
            let pace = match name {
                "pretraining" => "pretraining.pace",
                _ => "pretraining.generator-pace",
            };
            let read = |file: std::path::PathBuf| {
                let text = std::fs::read_to_string(&file);
                text.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
            };
            let pace = folder.join(row).join(pace);
            // Where there is time for it, more steps are measured.
            let more = pace.join("more/pace.json");
            let pace = read(if more.is_file() { more } else { pace.join("pace.json") });
            let pace: f64 = serde_json::from_str(&pace).expect("seconds");
            let plan = read(folder.join(part).join("plan.json"));
            let (steps, seconds): (u64, f64) = serde_json::from_str(&plan).expect("a plan");
            // Two stages share the time of a row.
            let time = 60.0 * minutes / if rows == "two-stage" { 2.0 } else { 1.0 };
            assert!((seconds - f64::max(time, 20.0 * pace)).abs() < 1e-9, "{part}: {plan} {pace}");
            assert_eq!(steps, ((time * 0.92 / pace) as u64).max(10), "{part}: {plan} {pace}");
        }
    }
    // Where there are both, what comes first.
    let both = [&QUICK[..], &["--set", "minutes=10", "--rows", "mlm", "--out", "both"]].concat();
    let flops = [&QUICK[..], &["--rows", "mlm", "--out", "flops"]].concat();
    let found = |command: &[&str]| {
        let folder = run_folder(dir.path(), &run(dir.path(), command));
        let file = folder.join("seed-1/mlm/pretraining/final.safetensors");
        std::fs::read(file).expect("the network")
    };
    assert_eq!(found(&both), found(&flops));
    let said = refused(dir.path(), &["check", "electra", "--set", "minutes=0.0"]);
    assert!(said.contains("minutes") && said.contains("above 0"), "{said}");
}

#[test]
fn killed_at_some_moment_it_ends_with_the_same_bits() {
    let dir = tempfile::tempdir().expect("a folder");
    let whole = [&QUICK[..], &["--out", "whole"]].concat();
    let broken = [&QUICK[..], &["--out", "broken"]].concat();
    let whole = run_folder(dir.path(), &run(dir.path(), &whole));
    let files = [
        "text/running/tokens-",
        "mlm/pretraining/checkpoints/step-",
        "electra/pretraining/checkpoints/step-",
    ];
    killed(dir.path(), &broken, "broken", &files);
    run(dir.path(), &broken);
    let broken = dir.path().join("broken/electra/latest");
    for file in [
        "text/vocabulary/tokenizer.json",
        "seed-1/electra/pretraining/final.safetensors",
        "seed-1/electra/8-labels/final.safetensors",
        "seed-1/mlm/8-labels/final.safetensors",
    ] {
        let read = |run: &std::path::Path| std::fs::read(run.join(file));
        assert_eq!(read(&whole).expect("whole"), read(&broken).expect("broken"), "{file}");
    }
    assert_eq!(result(&whole)["rows"], result(&broken)["rows"]);
}

#[test]
fn what_cannot_work_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = refused(
        dir.path(),
        &[
            "run",
            "electra",
            "--set",
            "masking.share=1.5",
            "--set",
            "pretrain.encoder.heads=3",
            "--set",
            "finetune.layer_decay=0.0",
        ],
    );
    for key in ["masking.share", "pretrain.encoder.hidden", "finetune.layer_decay"] {
        assert!(said.contains(key), "{key}: {said}");
    }
    let said = refused(dir.path(), &["run", "electra/imdb"]);
    assert!(said.contains("--data"), "{said}");
    std::fs::create_dir(dir.path().join("data")).expect("a folder");
    let said = refused(dir.path(), &["run", "electra/imdb", "--data", "data"]);
    assert!(said.contains("train.tsv"), "{said}");
    let said = refused(dir.path(), &["run", "electra", "--set", "finetune.labels=[6]"]);
    assert!(said.contains("6") && said.contains("4 classes"), "{said}");
}

/// A second task of the same networks, in GLUE's format.
#[test]
fn a_task_of_glue_is_measured_beside_the_texts_own_classes() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("data/glue/SST-2");
    std::fs::create_dir_all(&folder).expect("a folder");
    let row = |i: usize| match i % 2 {
        0 => format!("a dreadful film , number {i} \t0\n"),
        _ => format!("a great film , number {i} \t1\n"),
    };
    for (part, count) in [("train", 20), ("dev", 14)] {
        let rows: String = (0..count).map(row).collect();
        let file = folder.join(format!("{part}.tsv"));
        std::fs::write(file, format!("sentence\tlabel\n{rows}")).expect("a file");
    }
    let task = |task: &str, labels: usize| {
        let layout = r#"layout = { longest = 16, keep = "start" }"#;
        format!(r#"glue=[{{ task = "{task}", labels = [{labels}], {layout} }}]"#)
    };
    let command = ["run", "electra/imdb", "--quick", "--rows", "random,electra", "--threads", "1"];
    let asked = task("sst-2", 12);
    let arguments = [&command[..], &["--data", "data", "--seeds", "1", "--set", &asked]].concat();
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    let result = result(&folder);
    let rows = result["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == "SST-2, 12 labels, electra");
    assert_eq!(row.expect("a row")["examples"], 14, "{result}");
    assert!(result["data"].to_string().contains("14 of SST-2/dev"), "{}", result["data"]);
    assert!(folder.join("seed-1/random/SST-2-12-labels/finetuning.json").is_file());
    assert!(folder.join("seed-1/electra/8-labels/finetuning.json").is_file());

    // All of this is said before anything is trained.
    let refusals: [(&str, usize, &[&str], &[&str]); 4] = [
        ("sst-2", 22, &["--data", "data"], &["22", "10 texts of 0", "SST-2"]),
        ("sst-2", 12, &[], &["glue/SST-2", "--data"]),
        ("mrpc", 12, &["--data", "data"], &["MRPC/train.tsv"]),
        ("sts-b", 12, &["--data", "data"], &["glue.STS-B", "no classes"]),
    ];
    for (name, labels, more, words) in refusals {
        let asked = task(name, labels);
        let arguments = [&command[..], more, &["--set", &asked, "--out", "refused"]].concat();
        let said = refused(dir.path(), &arguments);
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert!(!dir.path().join("refused").exists(), "{name}");
    }
    // The folder of reviews is not that of the task.
    let wrong = dir.path().join("reviews");
    std::fs::create_dir(&wrong).expect("a folder");
    std::fs::write(wrong.join("train.tsv"), "id\tlabel\ttext\n").expect("a file");
    let arguments = [&command[..], &["--data", "reviews", "--set", &asked]].concat();
    let said = refused(dir.path(), &arguments);
    assert!(said.contains("SST-2") && said.contains("reviews"), "{said}");
    // Rows share texts and layout; a network has to have room for the longest.
    for (set, word) in [
        (
            r#"rows=[{ name = "a", about = "a", set = { "finetune.layout.keep" = "end" } }]"#,
            "layout",
        ),
        ("pretrain.encoder.positions=12", "positions"),
    ] {
        let arguments =
            [&command[..3], &["--data", "data", "--set", &asked, "--set", set]].concat();
        let said = refused(dir.path(), &arguments);
        assert!(said.contains(word), "{said}");
    }
}
