//! What is wrong is said, with the way out.

use crate::tutor::refused;

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
    says(&["run", "noisy-student", "--set", "generations=[]"], &["generations", "at least 1"]);
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
}

#[test]
fn missing_data_and_devices_are_said() {
    says(&["run", "noisy-student/svhn"], &["--data", "TUTOR_DATA", "tutor data fetch svhn"]);
    says(&["run", "noisy-student/cifar10", "--data", "/nowhere"], &["/nowhere"]);
    says(&["run", "noisy-student", "--device", "tpu"], &["tpu", "cuda"]);
    says(&["run", "no-such-file.toml"], &["no-such-file.toml"]);
}

#[test]
fn an_option_out_of_its_range_is_named_with_the_range() {
    let (count, share, above) = ("1 or more", "from 0 to 1", "above 0");
    let part = "from 0 to below 1";
    let (dialog, vocabulary) = ("data dialog a --out b", "data tokenizer train a");
    for (command, options) in [
        (
            dialog,
            &[
                ("--max-parent-overlap", &["nan", "0", "-1", "inf"][..], above),
                ("--shard-tokens", &["0", "-5", "1.5"], count),
                ("--min-alphabetic", &["nan", "-0.1", "1.1"], share),
                ("--validation", &["nan", "-0.5", "1"], part),
                ("--test", &["inf", "-0.5"], part),
                ("--max-turns", &["0"], count),
                ("--max-occurrences", &["0"], count),
                ("--max-subwords", &["0"], count),
                ("--least-count", &["0"], count),
                ("--context", &["1"], "2 or more"),
                ("--response", &["0"], "2 or more"),
                ("--tokens", &["0"], "259 or more"),
            ][..],
        ),
        (vocabulary, &[("--vocab-size", &["5"], "6 or more"), ("--least-count", &["0"], count)]),
        (vocabulary, &[("--characters", &["0"], count)]),
        ("fit --labeled a", &[("--minutes", &["nan", "0", "-1"], above)]),
        ("fit --text a", &[("--minutes", &["inf"], above)]),
        (
            "finetune tag --train a --test b --weights c",
            &[
                ("--epochs", &["0", "nan", "-1"], above),
                ("--steps", &["0"], count),
                ("--batch", &["0"], count),
                ("--lr", &["nan", "-0.1"], above),
                ("--layer-decay", &["1.5", "0"], "above 0, at most 1"),
                ("--longest", &["2"], "3 or more"),
            ],
        ),
        (
            "chat a",
            &[("--temperature", &["nan", "-1"], "of 0 or more"), ("--top-k", &["0"], count)],
        ),
        ("serve a", &[("--rate", &["0", "nan"], above), ("--top-k", &["-1"], count)]),
        ("predict a b", &[("--threshold", &["nan", "2", "-1"], share)]),
        ("show replaced a b", &[("--threshold", &["nan"], share)]),
        ("show augment", &[("--columns", &["0"], count), ("--draws", &["0"], count)]),
        ("eval a b", &[("--images", &["0"], count), ("--sequences", &["0"], count)]),
        (
            "augment text --policy back-translation --forward a --backward b c d",
            &[
                ("--paraphrases", &["0", "-1"], count),
                ("--batch", &["0"], count),
                ("--temperature", &["nan", "-0.5"], "of 0 or more"),
                ("--threads", &["0"], count),
            ],
        ),
        ("run uda/digits", &[("--labels", &["0", "-4"], count)]),
        ("rate chat a", &[("--conversations", &["0"], count)]),
        (
            "rate init a",
            &[
                ("--votes", &["0", "-3"], count),
                ("--lease-minutes", &["0"], count),
                ("--items-per-rater", &["0"], count),
            ],
        ),
    ] {
        for (option, values, range) in options {
            for value in *values {
                let arguments: Vec<&str> = command.split(' ').chain([*option, *value]).collect();
                says(&arguments, &[option, value, range]);
            }
        }
    }
}
