//! Several processes that run a recipe together.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::tutor::{call, command, refused, result, run, run_folder};

/// Twenty steps, each of which is logged, with a learning rate at which a difference in the last
/// digit stays one: with the recipe's, it has grown to 1e-3 after twenty steps, as it also does
/// between one thread and two.
pub(crate) const FEW: [&str; 16] = [
    "--seeds",
    "1",
    "--threads",
    "1",
    "--set",
    "train.steps=20",
    "--set",
    "cadence.log=1",
    "--set",
    "cadence.evaluate=5",
    "--set",
    "cadence.checkpoint=4",
    "--set",
    "train.lr={kind=\"constant\",value=0.001}",
    "--rows",
    "supervised,uda,fixmatch",
];

/// Runs a recipe in so many processes, in a folder of their number, and gives the run's folder.
pub(crate) fn in_processes(dir: &Path, recipe: &str, processes: usize, more: &[&str]) -> PathBuf {
    let number = processes.to_string();
    let before = match processes {
        1 => vec!["run", recipe],
        _ => vec!["launch", "--nproc", &number, "--", "run", recipe],
    };
    run_folder(dir, &run(dir, &[&before[..], more, &["--out", &number]].concat()))
}

/// The loss of every step of a training.
fn losses(training: &Path) -> Vec<f64> {
    noted(training, "loss")
}

/// A number of the record of every step that has it.
fn noted(training: &Path, key: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(training.join("metrics.jsonl")).expect("a record");
    let rows = text.lines().map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        row[key].as_f64()
    });
    rows.flatten().collect()
}

#[track_caller]
pub(crate) fn assert_near(found: &Path, wanted: &Path) {
    let (found, wanted) = (losses(found), losses(wanted));
    assert!(found.len() == wanted.len() && wanted.len() >= 20, "{}", wanted.len());
    for (step, (a, b)) in found.iter().zip(&wanted).enumerate() {
        assert!((a - b).abs() <= 1e-5 * b.abs(), "step {step}: {a}, not {b}");
    }
}

#[test]
fn two_and_four_processes_have_the_losses_of_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let alone = in_processes(dir.path(), "ssl-benchmark", 1, &FEW);
    for processes in [2, 4] {
        let shared = in_processes(dir.path(), "ssl-benchmark", processes, &FEW);
        for row in ["supervised", "uda", "fixmatch"] {
            assert_near(&shared.join("seed-1").join(row), &alone.join("seed-1").join(row));
        }
        let [wanted, found] = [&alone, &shared].map(|folder| result(folder)["rows"].clone());
        assert_eq!(found, wanted, "each image is counted once");
    }
}

/// Of the views that a mask leaves, each process runs another number. The first row has the
/// recipe's own method, which is set to another one.
#[test]
fn what_a_mask_leaves_out_changes_no_loss_of_several_processes() {
    let dir = tempfile::tempdir().expect("a folder");
    let train = &FEW[..14];
    for method in ["fixmatch", "uda"] {
        let setting = format!(
            "method={{kind=\"{method}\",threshold=0.2,weak_pass=\"ema\",skip_masked=true}}"
        );
        let more = [train, &["--rows", "supervised", "--set", &setting]].concat();
        let [alone, shared] = [1, 2].map(|processes| {
            let under = dir.path().join(method);
            std::fs::create_dir_all(&under).expect("a folder");
            let folder = in_processes(&under, "ssl-benchmark", processes, &more);
            folder.join(format!("seed-1/supervised-{method}"))
        });
        let masks = noted(&alone, "note/mask");
        assert!(masks.iter().any(|mask| (0.02..0.98).contains(mask)), "{method}: {masks:?}");
        assert_near(&shared, &alone);
    }
}

#[test]
fn a_teacher_and_its_students_are_those_of_one_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let few = "--rows none --seeds 1 --threads 1 --set teacher.train.steps=20 --set \
               student.train.steps=20 --set cadence.log=1 --set teacher.train.batch=20 --set \
               student.train.batch=20 --set teacher.train.lr={kind=\"constant\",value=0.001} --set \
               student.train.lr={kind=\"constant\",value=0.001} --set \
               labeling.select.min_confidence=0.0";
    let few: Vec<&str> = few.split_whitespace().collect();
    let recipe = ["run", "noisy-student/digits", "--device", "cpu"];
    let alone = run(dir.path(), &[&recipe[..], &few, &["--out", "1"]].concat());
    let alone = run_folder(dir.path(), &alone).join("seed-1");
    let launch = ["launch", "--nproc", "2", "--"];
    let shared = run(dir.path(), &[&launch[..], &recipe, &few, &["--out", "2"]].concat());
    let shared = run_folder(dir.path(), &shared).join("seed-1");
    for stage in ["teacher", "student-1", "student-2"] {
        assert_near(&shared.join(stage), &alone.join(stage));
    }
}

#[test]
fn networks_that_reply_are_those_of_one_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let few = "--quick --threads 1 --rows evolved,plain --device cpu --set train.steps=20 --set \
               train.batch=8 --set cadence.log=1 --set train.lr={kind=\"constant\",value=0.001}";
    let few: Vec<&str> = few.split_whitespace().collect();
    let of = |processes| in_processes(dir.path(), "meena", processes, &few);
    let (alone, shared) = (of(1), [2, 4].map(of));
    for shared in &shared {
        for row in ["evolved", "plain"] {
            assert_near(&shared.join("seed-1").join(row), &alone.join("seed-1").join(row));
        }
        for row in 0..2 {
            let of = |folder| result(folder)["rows"][row]["mean"].as_f64().expect("a perplexity");
            let (found, wanted) = (of(shared), of(&alone));
            assert!((found / wanted - 1.0).abs() < 1e-5, "each pair once: {found}, not {wanted}");
        }
    }
    // Adafactor's rows and columns in parts, one in each process.
    let parts = ["--set", "train.optimizer_state=\"sharded\""];
    let sharded = run_folder(
        dir.path(),
        &run(
            dir.path(),
            &[
                &["launch", "--nproc", "2", "--", "run", "meena", "--out", "parts"],
                &few[..],
                &parts,
            ]
            .concat(),
        ),
    );
    for row in ["evolved", "plain"] {
        let of = |folder: &Path| losses(&folder.join("seed-1").join(row));
        assert_eq!(of(&sharded), of(&shared[0]), "bit by bit");
    }
}

/// With dropout on vectors and in attention; then with batches in parts, of which blocks are run
/// again.
#[test]
fn networks_that_reply_have_the_dropout_of_one_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let few = "--quick --threads 1 --device cpu --set train.steps=20 --set train.batch=8 --set \
               cadence.log=1 --set train.lr={kind=\"constant\",value=0.001} --set \
               net.dropout=0.1 --set net.attention_dropout=0.2";
    let in_parts = "--set train.accumulate=2 --set recompute=true";
    for (rows, more) in [(&["evolved", "plain"][..], ""), (&["evolved"], in_parts)] {
        let named = rows.join(",");
        let few: Vec<&str> = few.split_whitespace().chain(more.split_whitespace()).collect();
        let few = [&["--rows", &named][..], &few].concat();
        let alone = in_processes(dir.path(), "meena", 1, &few);
        for processes in [2, 4] {
            let shared = in_processes(dir.path(), "meena", processes, &few);
            for row in rows {
                assert_near(&shared.join("seed-1").join(row), &alone.join("seed-1").join(row));
            }
        }
    }
}

/// Both directions, with dropout on vectors, in attention and within perceptrons.
#[test]
fn networks_that_translate_are_those_of_one_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let few = "--quick --threads 1 --device cpu --set precision=\"float32\" --set \
               train.steps=20 --set train.batch=8 --set cadence.log=1 --set \
               train.lr={kind=\"constant\",value=0.001} --set train.ema={decay=0.9}";
    let few: Vec<&str> = few.split_whitespace().collect();
    let of = |processes| in_processes(dir.path(), "translation", processes, &few);
    let alone = of(1);
    let validation = |folder: &Path| {
        let row = std::fs::read_to_string(folder.join("row.json")).expect("a row");
        let row: serde_json::Value = serde_json::from_str(&row).expect("JSON");
        row["validation"].as_f64().expect("a perplexity")
    };
    for shared in [2, 4].map(of) {
        for row in ["en-fr", "fr-en"] {
            let [found, wanted] = [&shared, &alone].map(|run| run.join("seed-1").join(row));
            assert_near(&found, &wanted);
            let (found, wanted) = (validation(&found), validation(&wanted));
            assert!((found / wanted - 1.0).abs() < 1e-5, "each pair once: {found}, not {wanted}");
        }
    }
    let odd = ["--set", "train.batch=5"];
    let said = refused(
        dir.path(),
        &[&["launch", "--nproc", "2", "--", "run", "translation"], &few[..], &odd].concat(),
    );
    assert!(said.contains("row en-fr: train.batch: a batch of 5"), "{said}");
}

/// Methods on texts, of which no process has the others': with annealing, with predictions that are
/// aligned within a step, and from a network that is pre-trained first.
#[test]
fn methods_on_texts_have_the_losses_of_one_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let few = "--quick --seeds 1 --threads 1 --device cpu --set train.steps=20 --set \
               train.batch=8 --set train.lr={kind=\"constant\",value=0.001} --set workers=1";
    let annealed = "--rows supervised,pseudo-label,fixmatch,uda-switchout,uda-uniform";
    let aligned = "--rows uda-tf-idf,own-uda-tf-idf --set pretraining.train.steps=20 --set \
                   pretraining.train.batch=8";
    for (recipe, labels, more) in
        [("uda-text", "10-labels", annealed), ("uda-text/imdb", "20-labels", aligned)]
    {
        let few: Vec<&str> = few.split_whitespace().chain(more.split_whitespace()).collect();
        let of = |processes| in_processes(dir.path(), recipe, processes, &few);
        let (alone, shared) = (of(1), [2, 4].map(of));
        let rows = more.split(' ').nth(1).expect("rows");
        for shared in shared {
            for row in rows.split(',') {
                let of = |run: &Path| run.join("seed-1").join(row).join(labels);
                assert_near(&of(&shared), &of(&alone));
            }
            if recipe == "uda-text/imdb" {
                let of = |run: &Path| run.join("text/own/net");
                assert_near(&of(&shared), &of(&alone));
            }
        }
    }
    let launch = ["launch", "--nproc", "2", "--", "run", "uda-text", "--quick", "--rows"];
    let with = |more: &[&str]| refused(dir.path(), &[&launch[..], more].concat());
    let said = with(&["supervised,vat"]);
    assert!(said.contains("row vat: its method"), "{said}");
    let said = with(&["supervised", "--set", "train.batch=5"]);
    assert!(said.contains("row supervised: train.batch: a batch of 5"), "{said}");
}

/// With its dropout and its generator's draws, and the classifiers that start from it.
#[test]
fn pre_training_and_its_classifiers_are_those_of_one_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let few = "--quick --threads 1 --rows mlm,electra --device cpu --set train.batch=8 --set flops=3e9 --set \
               cadence.log=1 --set train.lr={kind=\"constant\",value=0.0005} --set \
               finetune.train.steps=20 --set \
               finetune.train.lr={kind=\"constant\",value=0.0005}";
    let few: Vec<&str> = few.split_whitespace().collect();
    let of = |processes| in_processes(dir.path(), "electra", processes, &few);
    let alone = of(1);
    for processes in [2, 4] {
        let shared = of(processes);
        for row in ["mlm", "electra"] {
            for training in ["pretraining", "8-labels"] {
                let of = |folder: &Path| folder.join("seed-1").join(row).join(training);
                assert_near(&of(&shared), &of(&alone));
            }
        }
    }
    let odd = ["--set", "finetune.train.batch=5"];
    let said = refused(
        dir.path(),
        &[&["launch", "--nproc", "2", "--", "run", "electra"], &few[..], &odd].concat(),
    );
    assert!(said.contains("finetune.train.batch: a batch of 5"), "{said}");
}

#[test]
fn a_killed_process_is_named_and_the_run_goes_on_with_fewer() {
    let dir = tempfile::tempdir().expect("a folder");
    let long = ["--set", "train.steps=4000", "--set", "cadence.checkpoint=20"];
    let arguments =
        [&["launch", "--nproc", "3", "--", "run", "ssl-benchmark"], &FEW[..4], &FEW[12..], &long]
            .concat();
    let arguments = [&arguments[..], &["--set", "train.batch=12", "--device", "cpu"]].concat();
    let launched = command(dir.path(), &arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    wait_until_it_trains(dir.path());
    kill(child(launched.id(), 1));
    let output = launched.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("rank 1 is gone").count(), 1, "{said}");
    assert!(said.contains("(another process says the same)"), "{said}");
    assert!(!said.contains("frame #"), "{said}");
    assert!(said.contains("rank 1 was the first to end: it was killed by signal 9"), "{said}");
    // A single process goes on.
    let again = [&["run", "ssl-benchmark"], &arguments[6..]].concat();
    let heard = dir.path().join("heard");
    let mut again = command(dir.path(), &again)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&heard).expect("a file"))
        .spawn()
        .expect("started");
    let began = Instant::now();
    let said = || std::fs::read_to_string(&heard).expect("what is said");
    while !said().contains("goes on from step") {
        assert!(began.elapsed() < Duration::from_secs(120), "{}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
    again.kill().expect("killed");
    again.wait().expect("ended");
    assert!(said().contains("going on in"), "{}", said());
}

pub(crate) fn wait_until_it_trains(dir: &Path) {
    let began = Instant::now();
    while !trains(dir) {
        assert!(began.elapsed() < Duration::from_secs(120), "no checkpoint comes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a run has written a checkpoint.
fn trains(dir: &Path) -> bool {
    let runs = std::fs::read_dir(dir.join("runs/ssl-benchmark/digits"));
    let runs = runs.into_iter().flatten().flatten();
    let mut folders = runs.map(|run| run.path().join("seed-1/supervised/checkpoints"));
    folders.any(|folder| std::fs::read_dir(folder).is_ok_and(|all| all.count() > 1))
}

#[test]
#[cfg(target_os = "linux")]
fn the_processes_end_with_a_launcher_that_is_killed() {
    let dir = tempfile::tempdir().expect("a folder");
    let long = ["--set", "train.steps=40000", "--set", "cadence.checkpoint=20"];
    let arguments =
        [&["launch", "--nproc", "2", "--", "run", "ssl-benchmark"], &FEW[..4], &FEW[12..], &long]
            .concat();
    let mut launched = command(dir.path(), &arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    wait_until_it_trains(dir.path());
    let ranks = [0, 1].map(|rank| child(launched.id(), rank));
    launched.kill().expect("killed");
    launched.wait().expect("ended");
    let began = Instant::now();
    let runs = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // One that nobody has waited for is still listed.
        stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
    };
    while ranks.iter().any(runs) {
        if began.elapsed() > Duration::from_secs(60) {
            ranks.into_iter().filter(runs).for_each(kill);
            panic!("they went on without their launcher");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The child of a process that has this rank.
fn child(parent: u32, rank: usize) -> u32 {
    let wanted = format!("RANK={rank}");
    let is_it = |pid: u32| {
        let read = |what: &str| std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&read("stat")).into_owned();
        let of = stat.rsplit(')').next().unwrap_or_default().split_whitespace().nth(1);
        let environment = read("environ");
        of == Some(&parent.to_string())
            && environment.split(|b| *b == 0).any(|variable| variable == wanted.as_bytes())
    };
    let all = std::fs::read_dir("/proc").expect("processes").flatten();
    let mut all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    all.find(|pid| is_it(*pid)).expect("the rank's process")
}

fn kill(pid: u32) {
    let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    assert!(killed.expect("kill").success());
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let launch = ["launch", "--nproc", "2", "--"];
    let with = |more: &[&str]| refused(dir.path(), &[&launch[..], more].concat());
    let said = with(&["run", "ssl-benchmark", "--quick", "--rows", "supervised,vat"]);
    assert!(said.contains("row vat: its method"), "{said}");
    let said = with(&["run", "label-propagation", "--quick"]);
    assert!(said.contains("run in one process"), "{said}");
    let odd = ["--rows", "supervised", "--set", "train.batch=5"];
    let said = with(&[&["run", "ssl-benchmark", "--quick"], &odd[..]].concat());
    assert!(said.contains("a batch of 5 samples cannot be shared equally by 2"), "{said}");
    assert!(said.contains("train.batch: ") && !said.contains("rank"), "before any starts: {said}");
    assert!(!dir.path().join("runs").exists());
    let said = with(&[
        "run",
        "noisy-student/digits",
        "--rows",
        "none",
        "--set",
        "student.train.batch=5",
        "--set",
        "teacher.train.batch=4",
    ]);
    assert!(said.contains("student.train.batch: a batch of 5"), "{said}");
    let said = with(&["run", "ssl-benchmark", "--seeds", "0"]);
    assert_eq!(said.matches("--seeds").count(), 1, "{said}");
    // What all find is said once, and promises nothing.
    let said = with(&["run", "fixmatch/folder", "--set", "data.labeled=nowhere"]);
    assert_eq!(said.matches("nowhere").count(), 1, "{said}");
    assert!(said.contains("so say all 2 processes") && !said.contains("checkpoint"), "{said}");
    let said = with(&["list"]);
    assert!(said.contains("they cannot list"), "{said}");
    let mut alone = command(dir.path(), &["run", "ssl-benchmark", "--quick"]);
    let output = alone.env("RANK", "0").env("WORLD_SIZE", "2").output().expect("ended");
    assert!(String::from_utf8_lossy(&output.stderr).contains("MASTER_ADDR: is missing"));
    // One process, and a batch script of Slurm, which is none of its tasks, meet nobody: they come
    // to the fault of the recipe. A pod that does not know how many there are does not.
    let one = [("RANK", "0"), ("WORLD_SIZE", "1")];
    let script =
        [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4"), ("SLURM_JOB_NODELIST", "localhost")];
    let pod = [("JOB_COMPLETION_INDEX", "0")];
    for (variables, wanted) in
        [(&one[..], "nowhere"), (&script, "nowhere"), (&pod, "WORLD_SIZE: is missing")]
    {
        let arguments = ["run", "fixmatch/folder", "--set", "data.labeled=nowhere"];
        let mut alone = command(dir.path(), &arguments);
        alone.envs(variables.iter().copied()).env("TUTOR_GROUP_TIMEOUT", "5");
        let said = alone.output().expect("ended").stderr;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(wanted) && !said.contains("rendezvous"), "{said}");
    }
    assert!(call(dir.path(), &["launch", "--help"]).success);
}
