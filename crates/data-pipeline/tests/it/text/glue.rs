//! GLUE's files. CoLA, SST-2, MRPC, STS-B and RTE are also counted on the published files; MNLI,
//! QQP, QNLI, WNLI and AX are tested on files in their format alone.

use crate::published;
use data_pipeline::dataset::Samples;
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Glue, GluePart, Target, TextSet};
use std::fs;
use std::path::Path;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn read(folder: &Path, task: Glue, part: GluePart) -> TextSet {
    task.read(folder, part, OnBadInput::Error).unwrap()
}

/// Quotes open nothing: no row is swallowed by the one before it.
#[test]
fn every_row_of_the_published_files_is_read() {
    let Some(folder) = published("glue") else { return };
    let counts = [
        (Glue::Cola, [8551, 1043, 1063]),
        (Glue::Sst2, [67_349, 872, 1821]),
        (Glue::Mrpc, [3668, 408, 1725]),
        (Glue::StsB, [5749, 1500, 1379]),
        (Glue::Rte, [2490, 277, 3000]),
    ];
    for (task, expected) in counts {
        for (part, count) in
            [GluePart::Train, GluePart::Dev, GluePart::Test].into_iter().zip(expected)
        {
            let set = read(&folder, task, part);
            assert_eq!(set.len(), count, "{task:?} {part:?}");
            assert!(set.notes().is_empty());
            for example in set.examples() {
                let texts = &example.texts;
                assert!(!texts.a.trim().is_empty() && texts.b.is_some() == task.has_pairs());
                assert_eq!(example.target == Target::None, part == GluePart::Test);
            }
        }
    }
    let mrpc = read(&folder, Glue::Mrpc, GluePart::Train);
    assert_eq!(mrpc.label(0), Some(1));
    assert!(mrpc.examples()[0].texts.a.starts_with("Amrozi accused his brother"));
    assert_eq!(mrpc.clone().with_turned_pairs().len(), 7336);
    let ones = (0..mrpc.len()).filter(|&i| mrpc.label(i) == Some(1)).count();
    assert_eq!(ones, 2474, "67 % say the same");
    let scores = read(&folder, Glue::StsB, GluePart::Dev).scores().unwrap();
    assert!(scores.iter().all(|score| (0.0..=5.0).contains(score)));
}

/// The byte order mark is no part of the first name, quotes and odd line ends stay.
#[test]
fn quotes_are_characters() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n\
        1\t7\t8\t\"He said.\tIt's \"so.\n0\t9\t10\tone \u{85} \u{2028} two\t\"\n";
    write(folder.path(), "MRPC/train.tsv", text);
    let set = read(folder.path(), Glue::Mrpc, GluePart::Train);
    let texts: Vec<_> =
        set.examples().iter().map(|e| (e.texts.a.as_str(), e.texts.b.as_deref())).collect();
    let second = "one \u{85} \u{2028} two";
    assert_eq!(texts, [("\"He said.", Some("It's \"so.")), (second, Some("\""))]);
    assert_eq!((set.label(0), set.label(1), set.id(1)), (Some(1), Some(0), "MRPC/train/1".into()));
    // The folder of the task itself may be named.
    assert_eq!(read(&folder.path().join("MRPC"), Glue::Mrpc, GluePart::Train), set);
}

/// A file whose row has the texts A and B, with the names of their columns in its first line if it
/// has a line of names.
fn with_names(task: Glue, text: &str) -> String {
    let (first, rest) = text.split_once('\n').unwrap();
    if rest.is_empty() {
        return text.to_owned();
    }
    let [a, b] = match task {
        Glue::Cola | Glue::Sst2 => ["sentence", "-"],
        Glue::Mrpc => ["#1 String", "#2 String"],
        Glue::Qqp => ["question1", "question2"],
        Glue::Qnli => ["question", "sentence"],
        _ => ["sentence1", "sentence2"],
    };
    let name = |(name, cell)| match cell {
        "A" => a,
        "B" => b,
        _ => name,
    };
    let names = first.split('\t').zip(rest.trim_end().split('\t')).map(name);
    format!("{}\n{rest}", names.collect::<Vec<_>>().join("\t"))
}

/// Rows of one task are not read as those of another, if their columns have other names.
#[test]
fn files_of_another_task_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rte = "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n";
    write(folder.path(), "train.tsv", rte);
    let read = |task: Glue| task.read(folder.path(), GluePart::Train, OnBadInput::Skip);
    assert_eq!(read(Glue::Rte).unwrap().len(), 1);
    let error = read(Glue::Qnli).unwrap_err().to_string();
    for part in ["train.tsv line 1", "QNLI", "`sentence1` and `sentence2`", "`question`"] {
        assert!(error.contains(part), "{error}");
    }
    let error = read(Glue::Sst2).unwrap_err().to_string();
    assert!(error.contains("`index` where SST-2 has `sentence`"), "{error}");
}

/// Columns are taken by their places where their names are those of no task.
#[test]
fn unknown_names_of_columns_are_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["id\tpremise\thypothesis\tgold", "index\tsentence\tother\tlabel", "a\tb\tc\td"];
    for names in names {
        write(folder.path(), "train.tsv", &format!("{names}\n0\ta\tb\tentailment\n"));
        let set = read(folder.path(), Glue::Rte, GluePart::Train);
        let texts = &set.examples()[0].texts;
        assert_eq!((texts.a.as_str(), texts.b.as_deref(), set.label(0)), ("a", Some("b"), Some(0)));
    }
    write(folder.path(), "train.tsv", "text\tlabel\na film\t1\n");
    let set = read(folder.path(), Glue::Sst2, GluePart::Train);
    assert_eq!((set.examples()[0].texts.a.as_str(), set.label(0)), ("a film", Some(1)));
}

/// Of each task a row in its format: texts, target.
#[test]
fn every_task_has_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let row = |cells: usize, set: &[(usize, &str)]| {
        let cell = |at| set.iter().find(|(place, _)| *place == at).map_or("-", |(_, text)| text);
        (0..cells).map(cell).collect::<Vec<_>>().join("\t")
    };
    let named =
        |cells, set: &[(usize, &str)]| format!("{}\n{}\n", row(cells, &[]), row(cells, set));
    let cases: [(Glue, GluePart, &str, String, Target); 21] = [
        (
            Glue::Cola,
            GluePart::Train,
            "train.tsv",
            row(4, &[(3, "A"), (1, "1")]) + "\n",
            Target::Class(1),
        ),
        (
            Glue::Cola,
            GluePart::Dev,
            "dev.tsv",
            row(4, &[(3, "A"), (1, "0")]) + "\n",
            Target::Class(0),
        ),
        (Glue::Cola, GluePart::Test, "test.tsv", named(2, &[(1, "A")]), Target::None),
        (Glue::Sst2, GluePart::Dev, "dev.tsv", named(2, &[(0, "A"), (1, "1")]), Target::Class(1)),
        (Glue::Sst2, GluePart::Test, "test.tsv", named(2, &[(1, "A")]), Target::None),
        (Glue::Mrpc, GluePart::Test, "test.tsv", named(5, &[(3, "A"), (4, "B")]), Target::None),
        (
            Glue::StsB,
            GluePart::Train,
            "train.tsv",
            named(10, &[(7, "A"), (8, "B"), (9, "3.2")]),
            Target::Score(3.2),
        ),
        (Glue::StsB, GluePart::Test, "test.tsv", named(9, &[(7, "A"), (8, "B")]), Target::None),
        (
            Glue::Qqp,
            GluePart::Train,
            "train.tsv",
            named(6, &[(3, "A"), (4, "B"), (5, "1")]),
            Target::Class(1),
        ),
        (Glue::Qqp, GluePart::Test, "test.tsv", named(3, &[(1, "A"), (2, "B")]), Target::None),
        (
            Glue::Mnli,
            GluePart::Train,
            "train.tsv",
            named(12, &[(8, "A"), (9, "B"), (11, "neutral")]),
            Target::Class(2),
        ),
        (
            Glue::Mnli,
            GluePart::Dev,
            "dev_matched.tsv",
            named(16, &[(8, "A"), (9, "B"), (15, "contradiction")]),
            Target::Class(0),
        ),
        (
            Glue::Mnli,
            GluePart::DevMismatched,
            "dev_mismatched.tsv",
            named(16, &[(8, "A"), (9, "B"), (15, "entailment")]),
            Target::Class(1),
        ),
        (
            Glue::Mnli,
            GluePart::Test,
            "test_matched.tsv",
            named(10, &[(8, "A"), (9, "B")]),
            Target::None,
        ),
        (
            Glue::Mnli,
            GluePart::TestMismatched,
            "test_mismatched.tsv",
            named(10, &[(8, "A"), (9, "B")]),
            Target::None,
        ),
        (
            Glue::Qnli,
            GluePart::Train,
            "train.tsv",
            named(4, &[(1, "A"), (2, "B"), (3, "not_entailment")]),
            Target::Class(1),
        ),
        (Glue::Qnli, GluePart::Test, "test.tsv", named(3, &[(1, "A"), (2, "B")]), Target::None),
        (
            Glue::Rte,
            GluePart::Dev,
            "dev.tsv",
            named(4, &[(1, "A"), (2, "B"), (3, "entailment")]),
            Target::Class(0),
        ),
        (
            Glue::Wnli,
            GluePart::Train,
            "train.tsv",
            named(4, &[(1, "A"), (2, "B"), (3, "0")]),
            Target::Class(0),
        ),
        (Glue::Wnli, GluePart::Test, "test.tsv", named(3, &[(1, "A"), (2, "B")]), Target::None),
        (Glue::Ax, GluePart::Test, "AX.tsv", named(3, &[(1, "A"), (2, "B")]), Target::None),
    ];
    for (task, part, file, text, target) in cases {
        let text = with_names(task, &text);
        write(folder.path(), &format!("{}/{file}", task.name()), &text);
        let set = read(folder.path(), task, part);
        let example = &set.examples()[0];
        let b = task.has_pairs().then_some("B");
        assert_eq!((set.len(), example.texts.a.as_str()), (1, "A"), "{task:?} {part:?}");
        assert_eq!((example.texts.b.as_deref(), example.target), (b, target), "{task:?} {part:?}");
    }
    let error = Glue::Ax.read(folder.path(), GluePart::Train, OnBadInput::Error).unwrap_err();
    assert!(error.to_string().contains("AX has no part Train"), "{error}");
    let error = Glue::Sst2.read(folder.path(), GluePart::Train, OnBadInput::Error).unwrap_err();
    assert!(error.to_string().contains("no SST-2/train.tsv"), "{error}");
}

#[test]
fn bad_rows_are_errors_or_counted() {
    let folder = tempfile::tempdir().unwrap();
    let text = "sentence\tlabel\ngood\t1\nonly one\nbad\t2\nx\t0\ty\nfine\t1\n";
    write(folder.path(), "SST-2/dev.tsv", text);
    let error = Glue::Sst2.read(folder.path(), GluePart::Dev, OnBadInput::Error).unwrap_err();
    assert!(error.to_string().contains("dev.tsv line 3: 1 columns, 2 are needed"), "{error}");
    let set = Glue::Sst2.read(folder.path(), GluePart::Dev, OnBadInput::Skip).unwrap();
    assert_eq!(set.len(), 2);
    assert_eq!(
        set.notes(),
        [
            "left out: a row with another label (once)",
            "left out: a row with other columns (2 times)"
        ]
    );
    write(folder.path(), "SST-2/dev.tsv", "sentence\tlabel\nbad\t2\n");
    let error = Glue::Sst2.read(folder.path(), GluePart::Dev, OnBadInput::Error).unwrap_err();
    assert!(error.to_string().contains("line 2: no label `2` among 0, 1"), "{error}");
    write(folder.path(), "SST-2/dev.tsv", "");
    assert_eq!(read(folder.path(), Glue::Sst2, GluePart::Dev).len(), 0);
}

/// Predictions name rows by their places in the file.
#[test]
fn a_row_that_is_left_out_does_not_move_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let rows =
        "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\nbroken\n2\tc\td\tentailment\n";
    write(folder.path(), "RTE/dev.tsv", rows);
    let set = Glue::Rte.read(folder.path(), GluePart::Dev, OnBadInput::Skip).unwrap();
    let ids: Vec<_> = set.examples().iter().map(|example| example.id.as_str()).collect();
    assert_eq!(ids, ["RTE/dev/0", "RTE/dev/2"]);
    let said: Vec<_> = ids.into_iter().map(|id| (id, Target::Class(1))).collect();
    let path = Glue::Rte.write_predictions(folder.path(), GluePart::Dev, &said).unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text, "index\tprediction\n0\tnot_entailment\n2\tnot_entailment\n");
    // Predictions of a test part have to be of all rows.
    write(folder.path(), "RTE/test.tsv", "index\tsentence1\tsentence2\n0\ta\tb\nbroken\n");
    let error = Glue::Rte.read(folder.path(), GluePart::Test, OnBadInput::Skip).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("line 3") && error.contains("of all its rows"), "{error}");
}

/// A blank line is no row: predictions count rows.
#[test]
fn a_blank_line_does_not_move_the_rows_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let names = "index\tsentence1\tsentence2";
    write(folder.path(), "WNLI/test.tsv", &format!("{names}\n0\ta\tb\n\n\n1\tc\td\n\n"));
    let ids = |part| {
        let set = Glue::Wnli.read(folder.path(), part, OnBadInput::Skip).unwrap();
        set.examples().iter().map(|example| example.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(GluePart::Test), ["WNLI/test/0", "WNLI/test/1"]);
    let rows = format!("{names}\tlabel\n\n0\ta\tb\t1\nbroken\n\n2\tc\td\t0\n");
    write(folder.path(), "WNLI/dev.tsv", &rows);
    assert_eq!(ids(GluePart::Dev), ["WNLI/dev/0", "WNLI/dev/2"]);
}

/// A first line that holds a row is not lost, nor are the rows of a task without names read as
/// those of another.
#[test]
fn a_row_in_the_place_of_names_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (task, part, file, text, cell) in [
        (Glue::Sst2, GluePart::Train, "train.tsv", "good\t1\nbad\t0\n", "label `1`"),
        (Glue::Sst2, GluePart::Dev, "dev.tsv", "gj04\t0\t*\tThe bad.\n", "label `0`"),
        (Glue::Rte, GluePart::Train, "train.tsv", "0\ta\tb\tentailment\n", "`entailment`"),
        (Glue::StsB, GluePart::Dev, "dev.tsv", "0\tg\tf\ta\tb\t3.2\n", "label `3.2`"),
        (Glue::Rte, GluePart::Test, "test.tsv", "0\ta\tb\n1\tc\td\n", "number `0`"),
    ] {
        write(folder.path(), file, text);
        for on_bad in [OnBadInput::Error, OnBadInput::Skip] {
            let error = task.read(folder.path(), part, on_bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{file} line 1")) && error.contains(cell), "{error}");
            assert!(error.contains("write a line of names above it"), "{error}");
        }
    }
}

#[test]
fn the_diagnostic_set_lies_where_its_script_puts_it() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!Glue::Ax.has_part(folder.path(), GluePart::Test));
    let rows = "index\tsentence1\tsentence2\n0\ta\tb\n";
    write(folder.path(), "diagnostic/diagnostic.tsv", rows);
    assert_eq!(read(folder.path(), Glue::Ax, GluePart::Test).len(), 1);
}

#[test]
fn files_of_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let check = |task: Glue, part, targets: &[Target], name: &str, rows: &str| {
        let ids: Vec<_> = (0..targets.len()).map(|i| format!("{}/test/{i}", task.name())).collect();
        let said: Vec<_> = ids.iter().map(String::as_str).zip(targets.iter().copied()).collect();
        let path = task.write_predictions(folder.path(), part, &said).unwrap();
        assert_eq!(path.file_name().unwrap(), name);
        assert_eq!(fs::read_to_string(path).unwrap(), format!("index\tprediction\n{rows}"));
    };
    let classes = [Target::Class(1), Target::Class(0)];
    check(Glue::Cola, GluePart::Test, &classes, "CoLA.tsv", "0\t1\n1\t0\n");
    check(Glue::Rte, GluePart::Test, &classes, "RTE.tsv", "0\tnot_entailment\n1\tentailment\n");
    check(Glue::Mnli, GluePart::Test, &classes, "MNLI-m.tsv", "0\tentailment\n1\tcontradiction\n");
    let other = "0\tentailment\n1\tcontradiction\n";
    check(Glue::Mnli, GluePart::TestMismatched, &classes, "MNLI-mm.tsv", other);
    check(Glue::Ax, GluePart::Test, &classes[..1], "AX.tsv", "0\tentailment\n");
    let scores = [Target::Score(5.3), Target::Score(-1.0), Target::Score(2.34567)];
    check(Glue::StsB, GluePart::Test, &scores, "STS-B.tsv", "0\t5.000\n1\t0.000\n2\t2.346\n");
    for (task, target) in [
        (Glue::Cola, Target::Class(2)),
        (Glue::Cola, Target::Score(1.0)),
        (Glue::StsB, Target::Class(1)),
        (Glue::StsB, Target::Score(f32::NAN)),
        (Glue::Rte, Target::None),
    ] {
        let said = [("RTE/test/0", target)];
        let error = task.write_predictions(folder.path(), GluePart::Test, &said).unwrap_err();
        assert!(error.to_string().contains("prediction 0 of"), "{error}");
    }
}
