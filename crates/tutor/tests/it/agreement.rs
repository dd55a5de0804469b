//! Processes that somebody has started with different recipes, data or commands: they are refused
//! at once, and each says why.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::folders::folders;
use crate::tutor::command;

/// Starts two processes, each in a folder and with arguments of its own, as a launcher would. Both
/// must fail, long before the time-out; what each says.
fn refused_together(processes: [(&Path, &[&str]); 2]) -> [String; 2] {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    drop(listener);
    let began = Instant::now();
    let mut rank = 0;
    let children = processes.map(|(dir, arguments)| {
        let mut process = command(dir, arguments);
        process.env("RANK", rank.to_string()).env("WORLD_SIZE", "2");
        process.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", &port);
        rank += 1;
        process.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started")
    });
    let said = children.map(|child| {
        let output = child.wait_with_output().expect("ended");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    });
    assert!(began.elapsed() < Duration::from_secs(100), "{:?}: {said:?}", began.elapsed());
    said
}

#[test]
fn other_recipes_are_refused_with_the_key_that_differs() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = "run ssl-benchmark --rows supervised --seeds 1 --threads 1 --device cpu";
    let run: Vec<&str> = run.split_whitespace().collect();
    for (more, wanted) in [
        (
            &["--set", "data.labels_per_class=5"][..],
            "data.labels_per_class is 5 in rank 1, 2 in rank 0",
        ),
        (&["--set", "train.steps=9"], "train.steps is 9 in rank 1, 800 in rank 0"),
        (&["--set", "train.lr.from=0.1"], "train.lr.from is 0.1 in rank 1, 0.05 in rank 0"),
        (&["--quick"], "rank 1 was started with --quick, rank 0 without"),
    ] {
        let other = [&run[..], more].concat();
        for said in refused_together([(dir.path(), &run), (dir.path(), &other)]) {
            assert!(said.contains(wanted) && said.contains("the same command"), "{said}");
        }
        assert!(!dir.path().join("runs").exists(), "nothing is begun");
    }
}

#[test]
fn other_pictures_are_refused_with_the_file_that_differs() {
    let machines = [0, 1].map(|_| tempfile::tempdir().expect("a folder"));
    machines.iter().for_each(|machine| folders(machine.path()));
    let run = "run noisy-student/folder --rows none --seeds 1 --threads 1 --device cpu --set \
               data.labeled=labeled --set data.unlabeled=unlabeled --set teacher.train.steps=2 \
               --set student.train.steps=2 --set teacher.train.batch=4 --set student.train.batch=4";
    let run: Vec<&str> = run.split_whitespace().collect();
    let unlabeled = machines[1].path().join("unlabeled");
    fs::copy(unlabeled.join("02.png"), unlabeled.join("00.png")).expect("changed");
    for said in refused_together([(machines[0].path(), &run), (machines[1].path(), &run)]) {
        let wanted = "rank 1 has other images than rank 0 (unlabelled images: 1 sample with \
                      another content (00.png))";
        assert!(said.contains(wanted), "{said}");
        assert!(said.contains("bring the files of rank 0 to all machines"), "{said}");
    }
}

#[test]
fn what_trains_in_one_process_is_not_done_by_each_of_several() {
    let dir = tempfile::tempdir().expect("a folder");
    for (command_line, name) in [
        ("fit --text nowhere.csv", "fit"),
        ("pretrain nowhere.txt", "pretrain"),
        ("finetune tag --train nowhere --test nowhere --weights nowhere", "finetune"),
    ] {
        let arguments: Vec<&str> = command_line.split_whitespace().collect();
        for variables in [
            [("RANK", "0"), ("WORLD_SIZE", "2")],
            [("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "2")],
        ] {
            let mut process = command(dir.path(), &arguments);
            let output = process.envs(variables).output().expect("ended");
            let said = String::from_utf8_lossy(&output.stderr);
            let wanted = format!("`tutor {name}` trains in one process, and this is one of 2");
            assert!(!output.status.success() && said.contains(&wanted), "{said}");
            assert!(said.contains(variables[0].0), "{said}");
        }
        let mut alone = command(dir.path(), &arguments);
        let output = alone.env("RANK", "0").env("WORLD_SIZE", "1").output().expect("ended");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("nowhere"), "{said}");
    }
}
