//! What is wrong is said, with the way out.

use augment::rng::Rng;

use crate::folders::picture;
use crate::tutor::{call, command, refused};

fn says(arguments: &[&str], words: &[&str]) {
    let dir = tempfile::tempdir().expect("a folder");
    let error = refused(dir.path(), arguments);
    for word in words {
        assert!(
            error.contains(word),
            "tutor {}: {word:?} is missing in\n{error}",
            arguments.join(" ")
        );
    }
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    says(&["run", "noisy-student/digit"], &["noisy-student/digits"]);
    says(
        &["run", "noisy-student", "--set", "student.train.stepz=3"],
        &["stepz", "did you mean `steps`"],
    );
    says(
        &["run", "noisy-student", "--set", "teacher.net.widht=3"],
        &["widht", "did you mean `width`"],
    );
    says(
        &["run", "noisy-student", "--set", "data.kind=digitz"],
        &["digitz", "did you mean `digits`"],
    );
    says(&["data", "fetch", "cifar"], &["cifar10"]);
    says(&["check", "Noisy-Student"], &["did you mean noisy-student?"]);
    let dir = tempfile::tempdir().expect("a folder");
    let recipe = "kind = \"noisy-studen\"\nname = \"a/b\"\nabout = \"c\"\nseeds = 1\n";
    std::fs::write(dir.path().join("mine.toml"), recipe).expect("written");
    let error = refused(dir.path(), &["check", "mine.toml"]);
    assert!(error.contains("mine.toml: kind: ") && error.contains("`noisy-student`?"), "{error}");
}

#[test]
fn a_fault_of_a_recipe_is_said_of_its_key_in_words() {
    let count = "must be a whole number of at least 0";
    for (setting, said) in [
        ("data.labels_per_class=-5", format!("data.labels_per_class = -5: {count}")),
        ("seeds=five", format!("seeds = \"five\": {count}")),
        ("student=3", "student = 3: must be a table".to_owned()),
        (
            "teacher.label_smoothing=a",
            "teacher.label_smoothing = \"a\": must be a number".to_owned(),
        ),
        ("workers=5000", "workers: 5000 threads".to_owned()),
    ] {
        says(&["check", "noisy-student", "--set", setting], &[&said]);
    }
    says(
        &["check", "fixmatch/folder", "--set", "data.size=96"],
        &["data.size = 96: must be a list"],
    );
    let missing = ["error: noisy-student: the key `data` is missing"];
    says(&["check", "noisy-student", "--unset", "data"], &missing);
}

#[test]
fn what_a_run_would_refuse_at_once_is_found_by_check() {
    let dir = tempfile::tempdir().expect("a folder");
    for (more, said) in [
        (&["--set", "data.labels_per_class=5000"][..], "samples left, 5000 are needed"),
        (&["--labels", "1000000"], "100000 are needed"),
        (
            &["--labels", "55"],
            "labels: 55 labels are not the same number of each of the 10 classes",
        ),
        (&["--rows", ""], "names no row"),
        (&["--rows", "all,none"], "`all` and `none` stand alone"),
    ] {
        let error = refused(dir.path(), &[&["check", "noisy-student"], more].concat());
        assert!(error.contains(said), "{more:?}: {error}");
        assert!(!error.contains("labels: labels"), "{error}");
    }
    // A run that is refused leaves no folder.
    let many = ["run", "noisy-student", "--set", "data.labels_per_class=5000", "--threads", "1"];
    let error = refused(dir.path(), &many);
    assert!(error.contains("5000 are needed"), "{error}");
    let left = std::fs::read_dir(dir.path().join("runs")).expect("where runs are kept").count();
    assert_eq!(left, 0);
    says(
        &["check", "noisy-student/cifar10", "--data", "/nowhere"],
        &["/nowhere: there is no such"],
    );
    says(&["check", "uda", "--labels", "20"], &["--rows", "data.labels_per_class", "uda-text"]);
}

#[test]
fn values_that_cannot_work_are_all_named() {
    says(
        &[
            "run",
            "noisy-student",
            "--set",
            "teacher.train.batch=0",
            "--set",
            "student.train.batch=0",
        ],
        &["teacher.train.batch", "student.train.batch", "at least one sample"],
    );
    says(
        &["run", "noisy-student", "--set", "generations=[]"],
        &["generations: is empty", "at least one entry"],
    );
    says(
        &["run", "noisy-student", "--set", "student.method.temperature=0.0"],
        &["temperature", "above 0"],
    );
    says(
        &["run", "noisy-student", "--set", "teacher.train.steps=0"],
        &["teacher.train.steps", "teacher.weights"],
    );
    says(&["run", "noisy-student", "--set", "name='../x'"], &["name", "paper/row"]);
    says(&["run", "noisy-student", "--set", "robustness.images=0"], &["robustness.images"]);
    says(
        &["run", "noisy-student", "--set", "rows={x={about='x',set={'teacher.steps'=1}}}"],
        &["teacher.steps", "a row may change labeling, student and generations.0"],
    );
    says(&["run", "noisy-student", "--threads", "0"], &["threads"]);
    let too_many = ["--threads", "1000000", "processor", "from 1 to"];
    says(&["run", "noisy-student", "--threads", "1000000"], &too_many);
    says(&["run", "noisy-student", "--set", "nonsense"], &["key=value"]);
    says(&["run", "noisy-student", "--set", "student.warm_start=true"], &["warm_start"]);
}

#[test]
fn what_could_not_be_measured_is_found_before_training() {
    let synthetic = "data={kind='synthetic',side=8,channels=1,classes=2,labels_per_class=2,unlabeled=4,validation=4,test=4}";
    let empty = "data={kind='synthetic',side=8,channels=1,classes=2,labels_per_class=2,unlabeled=0,validation=4,test=4}";
    says(
        &["run", "noisy-student", "--set", synthetic, "--set", empty],
        &["unlabeled must be at least 1"],
    );
    says(
        &[
            "run",
            "noisy-student",
            "--quick",
            "--set",
            "student.unlabeled_augment=[{kind='resize',size=12}]",
            "--set",
            "rows={}",
        ],
        &["8x8", "12x12", "one size"],
    );
    // Before there is a folder of the run.
    for (recipe, net, said) in [
        ("ssl-benchmark/digits", "net={kind='conv-large'}", "net: it takes images of at least 12"),
        ("ssl-benchmark/digits", "net={kind='vit'}", "net: it takes images of at least 14"),
        (
            "noisy-student",
            "generations=[{net={kind='conv-large'}}]",
            "generations.0.net: it takes images of at least 12",
        ),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let error = refused(dir.path(), &["run", recipe, "--quick", "--set", net]);
        assert!(error.contains(said) && error.contains("8x8"), "{error}");
        assert!(!dir.path().join("runs").exists(), "{error}");
    }
}

#[test]
fn missing_data_and_devices_are_said() {
    says(&["run", "noisy-student/svhn"], &["--data", "TUTOR_DATA", "tutor data fetch svhn"]);
    says(&["run", "noisy-student/cifar10", "--data", "/nowhere"], &["/nowhere"]);
    says(&["run", "noisy-student", "--device", "tpu"], &["tpu", "cuda"]);
    says(&["run", "no-such-file.toml"], &["no-such-file.toml"]);
    says(&["run", "fixmatch/folder"], &["data.labeled: ", "--set data.labeled=PATH"]);
}

#[test]
fn check_says_which_data_of_any_recipe_are_missing() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let check = |arguments: &[&str]| {
        let called = call(dir, &[&["check"], arguments].concat());
        assert!(called.success, "{arguments:?}: {}", called.err);
        called.err
    };
    for (recipe, missing) in [
        ("electra/imdb", "missing: imdb is not embedded"),
        ("electra/imdb", "missing: sst-2 is not embedded"),
        ("meena/dialogues", "missing: dailydialog/dialogues_text.txt is not embedded"),
        ("meena/sweep", "missing: dailydialog/dialogues_text.txt is not embedded"),
        ("translation/multi30k", "is not embedded"),
        ("uda-text/imdb", "missing: imdb is not embedded"),
    ] {
        let said = check(&[recipe]);
        assert!(said.to_lowercase().contains(missing), "{recipe}: {said}");
    }
    for recipe in ["electra/addresses", "meena/conversations", "translation/multi30k --quick"] {
        let said = check(&recipe.split(' ').collect::<Vec<_>>());
        assert!(!said.contains("missing: "), "{recipe}: {said}");
    }
    // A folder without them.
    for (recipe, missing) in [
        ("electra/imdb", "no train.tsv or .csv of imdb"),
        ("electra/imdb", "no SST-2/train.tsv"),
        ("meena/dialogues", "missing: data.sources: ./topical-chat is not there"),
        ("translation/multi30k", ".en is not there, packed"),
        ("uda-text/imdb", "no train.tsv or .csv of imdb"),
    ] {
        let said = check(&[recipe, "--data", "."]);
        assert!(said.contains(missing), "{recipe}: {said}");
    }
}

#[test]
fn options_that_mean_nothing_together_are_refused() {
    let conflict = |arguments: &[&str], options: [&str; 2]| {
        says(arguments, &[&["cannot be used with"], &options[..]].concat());
    };
    for option in [
        &["--label-column", "y"][..],
        &["--text-column", "y"],
        &["--max-length", "7"],
        &["--skip-bad"],
    ] {
        let fit = [&["check", "fit", "--labeled", "tab.csv"], option].concat();
        conflict(&fit, ["--labeled", option[0]]);
    }
    conflict(&["check", "fit", "--text", "a.csv", "--memory", "5"], ["--text", "--memory"]);
    conflict(&["export", "run", "--net", "resnet50", "--onnx", "y.onnx"], ["[RUN]", "--net"]);
    conflict(&["chat", "run", "--vocab", "none"], ["[RUN]", "--vocab"]);
    let judge = ["rate", "judge", "study.db", "name", "--run", "run", "--label-map", "a,b"];
    conflict(&judge, ["--run", "--label-map"]);
    let eval = ["eval", "--weights", "a", "samples"];
    conflict(&[&eval[..], &["--model", "foo"]].concat(), ["--weights", "--model"]);
    conflict(&[&eval[..], &["--run-seed", "3"]].concat(), ["--weights", "--run-seed"]);
    says(&["eval", "--weights", "a"], &["tutor eval --weights FILE SAMPLES"]);
    says(&["eval"], &["tutor eval RUN SAMPLES"]);
}

#[test]
fn a_place_that_cannot_be_written_to_is_refused_before_the_work() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let called = call(dir, &["parity", "--device", "cpu", "--json", "nodir/p.json"]);
    assert!(!called.success && called.out.is_empty(), "{}", called.out);
    assert!(called.err.contains("there is no folder nodir; make it"), "{}", called.err);
    std::fs::create_dir(dir.join("images")).expect("made");
    std::fs::write(dir.join("file"), "").expect("written");
    picture(&dir.join("images/a.png"), 0, &mut Rng::new(1));
    let error = refused(dir, &["corrupt", "images", "file"]);
    assert!(error.contains("file is a file: name a folder"), "{error}");
}

/// Programs that compute start anew with a setting of OpenMP's, unless it is there already, as in
/// the other tests.
#[test]
fn a_program_that_starts_anew_has_its_arguments() {
    let dir = tempfile::tempdir().expect("a folder");
    let arguments = ["eval", "no such run", "a 'quoted' folder"];
    let mut program = command(dir.path(), &arguments);
    let said = program.env_remove("GOMP_SPINCOUNT").output().expect("the program starts");
    assert!(!said.status.success() && said.stdout.is_empty());
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.starts_with("error: ") && said.contains("no such run"), "{said}");
}

/// The ranges of all options are a test of the program's own, which starts no process for each.
#[test]
fn an_option_out_of_its_range_is_named_with_the_range() {
    says(&["fit", "--labeled", "a", "--minutes", "-1"], &["--minutes", "-1", "above 0"]);
}
