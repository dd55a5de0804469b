//! One's own texts.

use crate::published;
use data_pipeline::dataset::Samples;
use data_pipeline::text::read::{OnBadInput, times};
use data_pipeline::text::{Column, Example, LabelKind, OwnTexts, Target, TextSet, Texts};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn own() -> OwnTexts {
    OwnTexts { text: "t".into(), label: Some("y".into()), ..OwnTexts::default() }
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn rows(set: &TextSet) -> Vec<(&str, Option<&str>)> {
    let class = |target| match target {
        Target::Class(class) => Some(set.classes()[class as usize].as_str()),
        _ => None,
    };
    set.examples().iter().map(|e| (e.texts.a.as_str(), class(e.target))).collect()
}

#[test]
fn ids_have_the_line_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, lines) in [
        ("a.csv", "y,t\npos,one\nneg,two\n", [2, 3]),
        ("a.csv", "y,t\r\npos,one\r\nneg,two\r\n", [2, 3]),
        ("a.csv", "y,t\n\npos,\"one\nmore\"\n\n\nneg,two\n", [3, 7]),
        ("a.csv", "y,t\r\n\r\npos,\"one\r\nmore\"\r\nneg,two", [3, 5]),
        ("a.tsv", "y\tt\r\npos\tone\r\n\r\nneg\ttwo\r\n", [2, 4]),
        ("a.txt", "one\n\n  \ntwo", [1, 4]),
    ] {
        let path = [write(folder.path(), name, text)];
        let reader = if name == "a.txt" { OwnTexts::default() } else { own() };
        let set = reader.read(&path).expect(text);
        let ids: Vec<String> = (0..set.len()).map(|i| set.id(i)).collect();
        assert_eq!(ids, lines.map(|line| format!("{name}/{line}")), "{text:?}");
    }
}

#[test]
fn every_form_of_a_table_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let expected = [("good, \"really\"", Some("pos")), ("bad", Some("neg")), ("what", None)];
    for (name, text) in [
        ("a.csv", "y,id,t\npos,1,\"good, \"\"really\"\"\"\nneg,2,bad\n,3,what\n"),
        ("a.csv", "\u{feff}t;y\r\n\"good, \"\"really\"\"\";pos\r\nbad; neg \r\nwhat;\r\n"),
        ("a.tsv", "y\tt\npos\tgood, \"really\"\nneg\tbad\n\twhat\n"),
        (
            "a.jsonl",
            "{\"t\": \"good, \\\"really\\\"\", \"y\": \"pos\"}\n\n{\"t\": \"bad\", \"y\": \"neg\", \"z\": [1]}\n{\"t\": \"what\", \"y\": null}\n",
        ),
    ] {
        let set = own().read(&[write(folder.path(), name, text)]).expect(text);
        assert_eq!(rows(&set), expected, "{text}");
        assert_eq!(set.classes(), ["neg", "pos"]);
    }
    let path = [write(folder.path(), "b.csv", "t,y\ngood,pos\nbad,neg\nwhat, unsup \n")];
    let no_label = vec![" unsup".into(), "unsupp".into()];
    let reader = OwnTexts { no_label, ..own() };
    let set = reader.read(&path).unwrap();
    let notes = [
        "rows with the label `unsup`, which stands for none: 1",
        "no row has the label `unsupp`, which stands for none",
    ];
    assert_eq!(set.notes(), notes);
    assert_eq!(rows(&set)[2], ("what", None));
    // A table beside another one, which names the classes, need not have such a label.
    let beside = OwnTexts { classes: Some(vec!["neg".into(), "pos".into()]), ..reader };
    assert_eq!(beside.read(&path).unwrap().notes(), &notes[..1]);
    assert_eq!(set.classes(), ["neg", "pos"]);
    let parquet = write(folder.path(), "a.parquet", include_bytes!("../../golden/texts.parquet"));
    let columns = OwnTexts {
        text: "text".into(),
        label: Some("id".into()),
        on_bad: OnBadInput::Skip,
        ..OwnTexts::default()
    };
    let set = columns.read(&[parquet]).unwrap();
    assert_eq!(rows(&set)[2], ("naïve", Some("3")));
    assert_eq!((set.len(), set.notes().len()), (3, 1));
    // Classes as `datasets` writes them: numbers, whose names stand in the file.
    let parquet = write(folder.path(), "b.parquet", include_bytes!("../../golden/classes.parquet"));
    let set = OwnTexts::default().with_usual_columns(&parquet).unwrap().read(&[parquet]).unwrap();
    assert_eq!(rows(&set), [("good", Some("pos")), ("bad", Some("neg")), ("what", None)]);
}

#[test]
fn pairs_scores_and_running_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.csv", "t,u,y\none,two,0.5\nthree,four,-2e1\n");
    let scores = OwnTexts { pair: Some("u".into()), kind: LabelKind::Scores, ..own() };
    let set = scores.read(&[path]).unwrap();
    assert_eq!(set.scores().unwrap(), [0.5, -20.0]);
    let b: Vec<_> = set.examples().iter().map(|e| e.texts.b.as_deref()).collect();
    assert_eq!(b, [Some("two"), Some("four")]);
    assert!(set.has_pairs());
    let path = write(folder.path(), "more.txt", "one text\n\nanother\u{2028}one\n");
    let unlabelled = OwnTexts { label: None, ..own() };
    let set = unlabelled.read(&[path]).unwrap();
    assert_eq!(rows(&set), [("one text", None), ("another\u{2028}one", None)]);
    assert!(!set.has_pairs());
    // Numbers sort as numbers.
    let path = write(folder.path(), "n.csv", "t,y\na,10\nb,9\n");
    assert_eq!(own().read(&[path]).unwrap().classes(), ["9", "10"]);
}

#[test]
fn both_texts_of_a_pair_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = OwnTexts { pair: Some("u".into()), ..own() };
    for (name, text, fault) in [
        ("a.csv", "t,u,y\none,two,a\nthree, ,b\n", "line 3: the column `u` is empty"),
        ("a.tsv", "u\tt\ty\none\ttwo\ta\nthree\t\tb\n", "line 3: the column `t` is empty"),
        (
            "a.jsonl",
            "{\"t\": \"one\", \"u\": \"two\", \"y\": \"a\"}\n{\"t\": \"three\", \"u\": null}\n",
            "line 2: the column `u` is empty",
        ),
    ] {
        let path = [write(folder.path(), name, text)];
        let error = pairs.read(&path).unwrap_err().to_string();
        assert!(error.contains(fault) && error.contains("let it be skipped"), "{error}");
        let skipping = OwnTexts { on_bad: OnBadInput::Skip, ..pairs.clone() };
        let set = skipping.read(&path).unwrap();
        assert_eq!(set.len(), 1);
        assert!(set.notes()[0].contains("a row without text (once)"), "{:?}", set.notes());
    }
    for (name, text, fault) in [
        ("b.csv", "t,v,y\none,two,a\n", "no column `u` among t, v, y"),
        (
            "b.jsonl",
            "{\"t\": \"one\", \"v\": \"two\", \"y\": \"a\"}\n",
            "no column `u` among t, v, y",
        ),
        ("b.txt", "one\ttwo\n", "holds no pairs, which are read from the columns `t` and `u`"),
    ] {
        let error = pairs.read(&[write(folder.path(), name, text)]).unwrap_err().to_string();
        assert!(error.contains(fault) && error.contains(name), "{error}");
    }
    let parquet = write(folder.path(), "b.parquet", include_bytes!("../../golden/classes.parquet"));
    let columns = OwnTexts { text: "text".into(), label: None, ..pairs };
    let error = columns.read(&[parquet]).unwrap_err().to_string();
    assert!(error.contains("no column `u` of single values among text, label"), "{error}");
}

#[test]
fn a_usual_pair_is_found_where_no_column_of_texts_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let found = |own: OwnTexts, first: &str| {
        let path = write(folder.path(), "a.csv", format!("{first}\n1,2,3\n"));
        let OwnTexts { text, pair, .. } = own.with_usual_pair(&path).unwrap();
        (text, pair)
    };
    let both = |a: &str, b: &str| (Column::from(a), Some(b.to_owned()));
    let none = OwnTexts::default;
    assert_eq!(found(none(), "label,Sentence2,Sentence1"), both("Sentence1", "Sentence2"));
    assert_eq!(found(none(), "premise,hypothesis,label"), both("premise", "hypothesis"));
    assert_eq!(found(none(), "question,sentence,label"), both("question", "sentence"));
    // One of two is no pair, a text beside two is the text, and what is named is left alone.
    assert_eq!(found(none(), "text,premise,hypothesis"), (Column::Usual, None));
    assert_eq!(found(none(), "premise,text,label"), (Column::Usual, None));
    assert_eq!(found(own(), "premise,hypothesis,t"), ("t".into(), None));
}

#[test]
fn columns_are_found_by_usual_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.csv", "ID,Sentiment,Review\n1,pos,good\n");
    let found = OwnTexts::default().with_usual_columns(&path).unwrap();
    assert_eq!(
        (found.text.name(), found.label.as_ref().and_then(Column::name)),
        (Some("Review"), Some("Sentiment"))
    );
    assert_eq!(rows(&found.read(&[path]).unwrap()), [("good", Some("pos"))]);
    let path = write(folder.path(), "b.csv", "a,b\n1,2\n");
    let error = OwnTexts::default().with_usual_columns(&path).unwrap_err().to_string();
    assert!(
        error.contains("no column of texts among a, b (name it with --text-column)"),
        "{error}"
    );
    if let Some(path) = published("imdb/test.tsv") {
        let set = OwnTexts::default().with_usual_columns(&path).unwrap().read(&[path]).unwrap();
        assert_eq!((set.len(), set.classes()), (4000, &["neg", "pos"].map(str::to_owned)[..]));
    }
}

#[test]
fn a_table_that_lacks_a_column_is_read_by_a_usual_one_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = [write(folder.path(), "a.csv", "id,Comment,label\n1,fine,a\n2,,a\n")];
    let skips = OwnTexts { on_bad: OnBadInput::Skip, ..own() };
    let error = skips.read(&path).unwrap_err().to_string();
    assert!(error.contains("no column `t` among id, Comment, label"), "{error}");
    let text = Column::from("t").or_usual();
    let either =
        OwnTexts { text: text.clone(), label: Some(Column::from("y").or_usual()), ..skips.clone() };
    let set = either.read(&path).unwrap();
    assert_eq!(rows(&set), [("fine", Some("a"))]);
    let notes = set.notes().join("; ");
    assert!(notes.contains("no column `t` in ") && notes.contains("`Comment`"), "{notes}");
    assert!(
        notes.contains("no column `y` in ") && notes.contains("without text (once)"),
        "{notes}"
    );
    // The label was asked for.
    let error = OwnTexts { text, ..skips }.read(&path).unwrap_err().to_string();
    assert!(error.contains("no column `y` among"), "{error}");
    // What is there is taken.
    let path = [write(folder.path(), "b.csv", "text,t,label,y\nno,yes,no,a\n")];
    assert_eq!(rows(&either.read(&path).unwrap()), [("yes", Some("a"))]);
    // Pairs are looked for alike: by their names in another case, then by usual ones.
    let pairs = OwnTexts {
        text: Column::from("q").or_usual(),
        pair: Some("a".to_owned()),
        ..OwnTexts::default()
    };
    for (text, columns) in [
        ("Q,A,premise,hypothesis\none,two,no,no\n", "`Q` and `A`"),
        ("q,Premise,Hypothesis\nno,one,two\n", "`Premise` and `Hypothesis`"),
    ] {
        let set = pairs.read(&[write(folder.path(), "c.csv", text)]).unwrap();
        let texts = &set.examples()[0].texts;
        assert_eq!((texts.a.as_str(), texts.b.as_deref()), ("one", Some("two")), "{text}");
        let notes = set.notes().join("; ");
        assert!(notes.contains("no columns `q` and `a` in ") && notes.contains(columns), "{notes}");
    }
    let path = [write(folder.path(), "c.csv", "q,text\none,two\n")];
    let error = pairs.read(&path).unwrap_err().to_string();
    assert!(error.contains("no column `a` among q, text"), "{error}");
}

#[test]
fn tables_of_other_programs_are_read_or_named() {
    let folder = tempfile::tempdir().unwrap();
    for (text, line) in [
        ("t|y\nok, so|a\n", "a.csv/2"),
        ("sep=;\nt;y\nok, so;a\n", "a.csv/3"),
        ("\u{feff}SEP=|\r\nt|y\r\nok, so|a\r\n", "a.csv/3"),
        ("\n \nsep=;\n\nt;y\nok, so;a\n", "a.csv/6"),
        ("\r\nt;y\r\nok, so;a\r\n", "a.csv/3"),
    ] {
        let path = [write(folder.path(), "a.csv", text)];
        let set = own().read(&path).unwrap();
        assert_eq!(rows(&set), [("ok, so", Some("a"))], "{text}");
        assert_eq!(set.id(0), line);
        let found = OwnTexts { text: "t".into(), ..OwnTexts::default() };
        assert_eq!(found.with_usual_columns(&path[0]).unwrap().label, Some("y".into()));
    }
    let review = "It was a film that nobody should have made, and that I have seen twice";
    let latin = b"t,y\nna\xefve,a\ncaf\xe9,a\n";
    let cases: [(&str, &[u8], &[&str]); 11] = [
        ("a.xlsx", b"PK\x03\x04rest", &["a spreadsheet", "CSV UTF-8"]),
        ("a.csv", b"PK\x03\x04rest", &["a spreadsheet", "CSV UTF-8"]),
        ("a.csv", b"\xff\xfet\0,\0y\0", &["UTF-16", "save it as UTF-8"]),
        ("a.csv", b"t\0,\0y\0\n\0\xe9\0,\0a\0", &["UTF-16", "save it as UTF-8"]),
        ("a.csv", b"\0t\0,\0y\0\n\0\xe9\0,\0a", &["UTF-16", "save it as UTF-8"]),
        ("a.csv", b"\xff\xfe\0\0t\0\0\0,\0\0\0y\0\0\0", &["UTF-32", "save it as UTF-8"]),
        ("a.csv", b"t\0\0\0,\0\0\0y\0\0\0\n\0\0\0", &["UTF-32", "save it as UTF-8"]),
        ("a.csv", latin, &["no text can be read", "no UTF-8 (2 times)", "save it as UTF-8"]),
        ("a.csv", b"t,y\n", &["no text can be read: it has no rows"]),
        ("a.csv", b"t,t,y\na,b,c\n", &["several columns are named `t`"]),
        ("a.tsv", b"t\ty\ty\na\tb\tc\n", &["several columns are named `y`"]),
    ];
    for (name, bytes, parts) in cases {
        let path = [write(folder.path(), name, bytes)];
        // A file of lines that cannot be opened is left out as a whole.
        let on_bad = if name == "a.xlsx" { OnBadInput::Error } else { OnBadInput::Skip };
        let error = OwnTexts { on_bad, ..own() }.read(&path).unwrap_err();
        let error = error.to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{name}: {error}");
    }
    // A first line that holds a text, and no names.
    for (name, text) in [("a.csv", format!("\"{review}\",a\n")), ("a.csv", "t\na\n".into())] {
        let path = write(folder.path(), name, text);
        for error in [
            OwnTexts { text: "x".into(), ..own() }.read(std::slice::from_ref(&path)).err(),
            OwnTexts::default().with_usual_columns(&path).err(),
        ] {
            let error = error.expect("refused").to_string();
            assert!(error.contains("above the first line") && !error.contains(review), "{error}");
        }
    }
    let path = [write(folder.path(), "a.jsonl", "{\"t\": \"ok\", \"y\": \"a\"}\n{\"t\": \"x\n")];
    let error = own().read(&path).unwrap_err().to_string();
    assert!(error.contains("line 2: ") && error.contains(" at column "), "{error}");
    assert!(!error.contains("line 1"), "{error}");
}

/// A quote that is not closed costs its own row, and none of those behind it.
#[test]
fn a_stray_quote_takes_no_further_rows() {
    let folder = tempfile::tempdir().unwrap();
    for (text, lines, left) in [
        ("t,y\n\"x\ny,a\nok,a\n", &[2][..], &[(3, "y"), (4, "ok")][..]),
        (
            "t,y\nok,a\n\"x,a\n\"more, \"\"or\"\"\",a\nso,a\n",
            &[3],
            &[(2, "ok"), (4, "more, \"or\""), (5, "so")],
        ),
        ("y,t\na,\"two\nlines\"\na,\"x\na,ok\n", &[4], &[(2, "two\nlines"), (5, "ok")]),
        ("y,t\na,\"two\nlines\" \n\n\na,\"x\n\na,ok\n", &[6], &[(2, "two\nlines "), (8, "ok")]),
        ("t,y\r\none,a\r\n\r\n\"x,a\r\ntwo,a\r\n\"y,a\r\n", &[4, 6], &[(2, "one"), (5, "two")]),
    ] {
        let path = [write(folder.path(), "a.csv", text)];
        let error = own().read(&path).unwrap_err().to_string();
        let first = format!("line {}: a cell begins with a quote", lines[0]);
        assert!(error.contains(&first), "{error}");
        let set = OwnTexts { on_bad: OnBadInput::Skip, ..own() }.read(&path).unwrap();
        let ids: Vec<String> = (0..set.len()).map(|i| set.id(i)).collect();
        let wanted: Vec<String> = left.iter().map(|(line, _)| format!("a.csv/{line}")).collect();
        assert_eq!(ids, wanted, "{text:?}");
        let texts: Vec<&str> = rows(&set).iter().map(|row| row.0).collect();
        assert_eq!(texts, left.iter().map(|row| row.1).collect::<Vec<_>>(), "{text:?}");
        let said = format!("a quote that is not closed ({})", times(lines.len() as u64));
        assert!(set.notes().concat().contains(&said), "{:?}", set.notes());
    }
    let path = [write(folder.path(), "a.csv", "t,\"y\nok,a\nso,\"b\n")];
    let error = OwnTexts { on_bad: OnBadInput::Skip, ..own() }.read(&path).unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
    // One that is closed in the middle of a cell takes no other row, and is read as it always was.
    let path = [write(folder.path(), "a.csv", "t,y\n\"Great\" they said,a\nok,a\n")];
    assert_eq!(rows(&own().read(&path).unwrap())[0].0, "Great they said");
}

#[test]
fn bad_rows_are_errors_or_counted() {
    let folder = tempfile::tempdir().unwrap();
    let fixed = OwnTexts { classes: Some(vec!["b".into(), "a".into()]), ..own() };
    let scores = OwnTexts { kind: LabelKind::Scores, ..own() };
    let cases: [(&str, &[u8], &OwnTexts, &str); 9] = [
        ("a.csv", b"t,y\nok,a\nx,c\n", &fixed, "line 3: no class `c` among a, b"),
        ("a.csv", b"t,y\nok,1\nx,NaN\n", &scores, "line 3: `NaN` is no number"),
        ("a.csv", b"t,y\nok,a\n,a\n", &own(), "line 3: the column `t` is empty"),
        ("a.csv", b"t,y\nok,a\nx,a,b\n", &own(), "line 3: 3 columns, the first line has 2"),
        ("a.csv", b"t,y\nok,a\n\xff,a\n", &own(), "line 3: no UTF-8"),
        ("a.tsv", b"t\ty\nok\ta\nx\n", &own(), "line 3: 1 columns, 2 are needed"),
        ("a.tsv", b"t\ty\nok\ta\n\xff\ta\n", &own(), "line 3: no UTF-8"),
        (
            "a.jsonl",
            b"{\"t\": \"ok\", \"y\": \"a\"}\n{\"t\": [1]}\n",
            &own(),
            "line 2: `t` is neither",
        ),
        ("a.jsonl", b"{\"t\": \"ok\", \"y\": \"a\"}\nnull\n", &own(), "line 2: "),
    ];
    for (name, text, own, fault) in cases {
        let path = [write(folder.path(), name, text)];
        let error = own.read(&path).unwrap_err().to_string();
        assert!(error.contains(fault) && error.contains(name), "{error}");
        let set = OwnTexts { on_bad: OnBadInput::Skip, ..own.clone() }.read(&path).unwrap();
        assert_eq!((set.len(), set.notes().len(), rows(&set)[0].0), (1, 1, "ok"), "{fault}");
    }
    // Cells over several lines, as a spreadsheet writes them.
    for text in ["y\tt\na\t\"one\ntwo\"\n", "t\ty\n\"one\ntwo\nthree\"\ta\n"] {
        let error = own().read(&[write(folder.path(), "a.tsv", text)]).unwrap_err().to_string();
        assert!(error.contains("name it .csv"), "{error}");
    }
    for (name, text, fault) in [
        ("a.csv", "t,z\nok,a\n", "a.csv: no column `y` among t, z"),
        ("a.csv", "", "the table is empty"),
        ("a.tsv", "", "the table is empty"),
        ("a.tsv", "t\ty\n", "no text can be read"),
        ("a.txt", "", "no text can be read"),
    ] {
        let error = own().read(&[write(folder.path(), name, text)]).unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
    }
    assert!(own().read(&[folder.path().join("none.csv")]).is_err());
    let numbers = OwnTexts { classes: Some(vec!["0".into(), "1".into()]), ..own() };
    for (label, hint) in [
        ("0.0", "; it and `0` are the same number"),
        ("nan", "; if it stands for none, say --no-label 'nan'"),
    ] {
        let path = write(folder.path(), "n.csv", format!("t,y\nok,1\nok,{label}\n"));
        let error = numbers.read(&[path]).unwrap_err().to_string();
        assert!(error.contains(&format!("line 3: no class `{label}` among 0, 1{hint}")), "{error}");
    }
    let many: Vec<String> = (100..400).map(|class| class.to_string()).collect();
    let many = OwnTexts { classes: Some(many), ..own() };
    let path = write(folder.path(), "a.csv", "t,y\nok,7\n");
    let error = many.read(&[path]).unwrap_err().to_string();
    assert!(error.contains("no class `7` among 100, 101, ") && error.len() < 300, "{error}");
    assert!(error.contains("119 and 280 more"), "{error}");
}

/// Of a file that ends too early what is there is read, if bad input is to be skipped; else the
/// error says so. Where not even the first line is there, skipping is no way out.
#[test]
fn of_a_damaged_table_the_first_rows_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let rows = 20_000;
    // Numbers that do not repeat, so that the packed file is not small.
    let cell = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let csv = |i| format!("\"ok {}\",a\n", cell(i));
    let tsv = |i| format!("ok {}\ta\n", cell(i));
    let json = |i| format!("{{\"t\": \"ok {}\", \"y\": \"a\"}}\n", cell(i));
    for (name, text) in [
        ("a.csv", format!("t,y\n{}", (0..rows).map(csv).collect::<String>())),
        ("a.tsv", format!("t\ty\n{}", (0..rows).map(tsv).collect::<String>())),
        ("a.jsonl", (0..rows).map(json).collect()),
    ] {
        let zst = zstd::encode_all(text.as_bytes(), 1).unwrap();
        let gz = crate::datasets::gzip(text.as_bytes());
        for (ending, bytes) in [("zst", &zst), ("gz", &gz)] {
            let name = format!("{name}.{ending}");
            let path = write(folder.path(), &name, &bytes[..bytes.len() / 2]);
            let strict = own().read(std::slice::from_ref(&path)).unwrap_err().to_string();
            assert!(strict.contains(&name) && strict.ends_with("be skipped)"), "{strict}");
            let skips = OwnTexts { on_bad: OnBadInput::Skip, ..OwnTexts::default() };
            let skips = OwnTexts { text: "t".into(), ..skips };
            let skips = skips.with_usual_columns(&path).unwrap();
            assert_eq!(skips.label, Some("y".into()), "{name}");
            let set = skips.read(std::slice::from_ref(&path)).unwrap();
            assert!((1_000..15_000).contains(&set.len()), "{name}: {}", set.len());
            assert!(rows_of(&set).all(|text| text.starts_with("ok ")), "{name}");
            assert!(set.notes()[0].contains("damaged file"), "{:?}", set.notes());

            let torn = write(folder.path(), &name, &bytes[..8]);
            let error =
                OwnTexts { text: Column::Usual, ..skips }.with_usual_columns(&torn).unwrap_err();
            assert!(!error.can_be_skipped() && error.to_string().contains(&name), "{error}");
        }
    }
}

fn rows_of(set: &TextSet) -> impl Iterator<Item = &str> {
    set.examples().iter().map(|example| example.texts.a.as_str())
}

proptest! {
    #[test]
    fn no_bytes_make_a_table_panic(bytes: Vec<u8>, named: bool, skip: bool) {
        let folder = tempfile::tempdir().unwrap();
        let on_bad = if skip { OnBadInput::Skip } else { OnBadInput::Error };
        for (name, first) in [("a.csv", "t,y\n"), ("a.tsv", "t\ty\n"), ("a.jsonl", "{\"t\": 1}\n"), ("a.parquet", "PAR1"), ("a.txt.gz", "x")] {
            let first = if named { first.as_bytes() } else { b"" };
            let path = write(folder.path(), name, [first, &bytes].concat());
            let _ = OwnTexts { on_bad, ..own() }.read(std::slice::from_ref(&path));
            let _ = OwnTexts::default().with_usual_columns(&path);
        }
    }

    #[test]
    fn pairs_are_the_same_if_both_texts_are(all in proptest::collection::vec(("[ab]{0,2}", "[ab]{0,2}"), 2..12)) {
        let example = |(a, b): &(String, String)| Example {
            texts: Texts { a: a.clone(), b: Some(b.clone()) },
            ..Example::default()
        };
        let set = TextSet::new("pairs", all.iter().map(example).collect(), vec![]).unwrap();
        let digests = set.digests().unwrap().unwrap();
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                prop_assert_eq!(digests[i] == digests[j], one == other, "{:?} {:?}", one, other);
            }
        }
    }

    #[test]
    fn what_csv_quotes_comes_back(texts in proptest::collection::vec("[^\u{feff}\r]{1,20}", 1..8)) {
        let kept: Vec<&String> = texts.iter().filter(|text| !text.trim().is_empty()).collect();
        prop_assume!(!kept.is_empty());
        let folder = tempfile::tempdir().unwrap();
        let quoted = texts.iter().map(|text| format!("\"{}\",a\n", text.replace('"', "\"\"")));
        let path = write(folder.path(), "a.csv", format!("t,y\n{}", quoted.collect::<String>()));
        let set = OwnTexts { on_bad: OnBadInput::Skip, ..own() }.read(&[path]).unwrap();
        let found: Vec<&String> = set.examples().iter().map(|e| &e.texts.a).collect();
        prop_assert_eq!(found, kept);
    }
}

#[test]
fn texts_come_from_some_file() {
    let error = own().read(&[]).unwrap_err().to_string();
    assert!(error.contains("no file of texts is named"), "{error}");
}
