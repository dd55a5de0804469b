//! Running text from files.

use crate::published;
use data_pipeline::error::DataError;
use data_pipeline::text::corpus::{Boundary, Corpus, ReadOptions};
use data_pipeline::text::read::{OnBadInput, Tally, files};
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn options(boundary: Boundary, on_bad: OnBadInput) -> ReadOptions {
    ReadOptions { boundary, on_bad, ..ReadOptions::default() }
}

fn read(paths: &[PathBuf], options: ReadOptions) -> Result<(Vec<Vec<String>>, Tally), DataError> {
    let corpus = Corpus::open(paths, options)?;
    let mut documents = corpus.documents();
    let mut all = vec![];
    for (number, document) in documents.by_ref().enumerate() {
        let document = document?;
        assert_eq!(document.number, number as u64);
        all.push(document.lines);
    }
    Ok((all, documents.tally().clone()))
}

/// A pipe is opened once, so that nothing of it is lost.
#[test]
fn a_pipe_is_read_from_its_first_byte() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("texts");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let to = pipe.clone();
    let writer = std::thread::spawn(move || fs::write(to, "The first.\nThe second.\n"));
    let (documents, _) = read(&[pipe], options(Boundary::Line, OnBadInput::Error)).unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(documents, [["The first."], ["The second."]]);
}

/// No other control character and no Unicode separator ends one.
#[test]
fn only_lf_ends_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = "a\u{85}b\u{2028}c\u{2029}d\u{b}e\u{c}f\u{1c}g\rh\r\nsecond\nthird";
    let path = write(folder.path(), "a.txt", text.as_bytes());
    let (documents, tally) = read(&[path], options(Boundary::Line, OnBadInput::Error)).unwrap();
    let first = "a\u{85}b\u{2028}c\u{2029}d\u{b}e\u{c}f\u{1c}g\rh";
    assert_eq!(documents, [[first], ["second"], ["third"]]);
    assert_eq!((tally.lines, tally.documents, tally.files), (3, 3, 1));
}

/// Counts that only LF gives: 1,500 messages, not 1,506; 4,000 reviews, not 4,148.
#[test]
fn lines_of_published_files() {
    let counts = [
        ("irc-disentanglement/test/2008-07-14_18.raw.txt", 1500),
        ("imdb/train.tsv", 4001),
        ("imdb/test.tsv", 4001),
        ("imdb/unsup.tsv", 10_001),
    ];
    for (path, count) in counts {
        let Some(path) = published(path) else { continue };
        let options = options(Boundary::Line, OnBadInput::Error);
        assert_eq!(read(std::slice::from_ref(&path), options).unwrap().1.lines, count, "{path:?}");
    }
    if let Some(path) = published("multi30k-en-fr/train.en.gz") {
        let options = options(Boundary::Line, OnBadInput::Error);
        assert_eq!(read(&[path], options).unwrap().0.len(), 29_000);
    }
}

#[test]
fn boundaries_are_a_choice() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.txt", b"\xef\xbb\xbfone\ntwo\n\n \t\nthree\n");
    write(folder.path(), "sub/b.txt", b"four\r\n\r\nfive");
    write(folder.path(), "sub/c.txt", b"");
    write(folder.path(), ".hidden/d.txt", b"six");
    let paths = [folder.path().to_path_buf()];
    let lines = |boundary| read(&paths, options(boundary, OnBadInput::Error)).unwrap().0;
    let blank: [&[&str]; 4] = [&["one", "two"], &["three"], &["four"], &["five"]];
    assert_eq!(lines(Boundary::BlankLine), blank);
    let file: [&[&str]; 2] = [&["one", "two", "three"], &["four", "five"]];
    assert_eq!(lines(Boundary::File), file);
    assert_eq!(lines(Boundary::Line), [["one"], ["two"], ["three"], ["four"], ["five"]]);
}

#[test]
fn every_form_holds_the_same_text() {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["It was\ngood.\n\nReally.", "bad \u{2028} \"film\"", "naïve"];
    let json: String = texts
        .iter()
        .map(|text| format!("{}\n", serde_json::json!({ "id": 7, "text": text })))
        .collect();
    let zstd = zstd::encode_all(json.as_bytes(), 1).unwrap();
    let parquet = include_bytes!("../../golden/texts.parquet");
    let expected: [&[&str]; 3] = [&["It was", "good.", "Really."], &[texts[1]], &["naïve"]];
    for (name, bytes) in [
        ("a.jsonl", json.as_bytes()),
        ("a.ndjson.gz", &gzip(json.as_bytes())),
        ("a.jsonl.zst", &zstd),
        ("a.parquet", parquet),
    ] {
        let path = write(folder.path(), name, bytes);
        let found = read(&[path], options(Boundary::File, OnBadInput::Error)).unwrap();
        assert_eq!(found.0, expected, "{name}");
        assert_eq!(found.1.lines - found.1.skipped.len() as u64, 3, "{name}");
    }
    // Two gzip members, one behind the other, are one file.
    let both = [gzip(b"one\n"), gzip(b"two\n")].concat();
    let path = write(folder.path(), "b.txt.gz", &both);
    let found = read(&[path], options(Boundary::Line, OnBadInput::Error)).unwrap();
    assert_eq!(found.0, [["one"], ["two"]]);
}

/// A column is read, not the table with its labels and names.
#[test]
fn of_a_table_the_column_of_texts_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "label,text\n1,\"It was\ngood, \"\"really\"\".\"\n0,\n1,naïve\n2\n";
    let tsv = "text\tlabel\nIt was \"good\t1\n\nnaïve\t0\n";
    let csv_texts: [&[&str]; 2] = [&["It was", "good, \"really\"."], &["naïve"]];
    let tsv_texts: [&[&str]; 2] = [&["It was \"good"], &["naïve"]];
    let cases = [
        ("a.csv", csv.as_bytes(), csv_texts, 2),
        ("a.csv.gz", &gzip(csv.as_bytes()), csv_texts, 2),
        ("a.tsv", tsv.as_bytes(), tsv_texts, 0),
    ];
    for (name, bytes, expected, bad) in cases {
        let path = [write(folder.path(), name, bytes)];
        let found = read(&path, options(Boundary::File, OnBadInput::Skip)).unwrap();
        assert_eq!(found.0, expected, "{name}");
        assert_eq!(found.1.skipped.values().sum::<u64>(), bad, "{name} {:?}", found.1.skipped);
        assert_eq!((found.1.files, found.1.documents), (1, 2), "{name}");
        let strict = read(&path, options(Boundary::File, OnBadInput::Error));
        assert_eq!(strict.is_err(), bad > 0, "{name}");
        // A column that is not there is none of few bad rows.
        for on_bad in [OnBadInput::Error, OnBadInput::Skip] {
            let other = ReadOptions { field: "body".into(), ..options(Boundary::File, on_bad) };
            let error = read(&path, other).unwrap_err().to_string();
            assert!(error.contains("no column `body` among") && error.contains(name), "{error}");
        }
    }
    // Bad input: an empty table, the torn head of a packed one, and texts that are too long.
    for name in ["b.csv", "b.tsv", "b.csv.gz", "b.tsv.gz"] {
        let bytes = if name.ends_with("gz") { &gzip(csv.as_bytes())[..12] } else { b"" };
        let path = [write(folder.path(), name, bytes)];
        let (documents, tally) = read(&path, options(Boundary::File, OnBadInput::Skip)).unwrap();
        assert!(documents.is_empty(), "{name}");
        let skipped: Vec<_> = tally.skipped.into_iter().collect();
        assert_eq!(skipped, [("a file that cannot be opened".to_owned(), 1)], "{name}");
        let error = read(&path, options(Boundary::File, OnBadInput::Error)).unwrap_err();
        assert!(!error.can_be_skipped() && error.to_string().contains(name), "{error}");
    }
    let path = [write(folder.path(), "c.tsv", b"text\nshort\ntoo long for it\n")];
    let few = |on_bad| ReadOptions { longest: 9, ..options(Boundary::File, on_bad) };
    let (documents, tally) = read(&path, few(OnBadInput::Skip)).unwrap();
    assert_eq!((documents, tally.skipped.len()), (vec![vec!["short".to_owned()]], 1));
    let error = read(&path, few(OnBadInput::Error)).unwrap_err().to_string();
    assert!(error.contains("c.tsv line 3: a text has more than 9 bytes"), "{error}");
    for on_bad in [OnBadInput::Error, OnBadInput::Skip] {
        let path = [write(folder.path(), "all.json", b"[{\"text\": \"a\"}]")];
        let error = read(&path, options(Boundary::File, on_bad)).unwrap_err().to_string();
        assert!(error.contains("all.json") && error.contains(".jsonl"), "{error}");
    }
}

/// Windows of up to 2 GiB, as dumps have them, are read.
#[test]
fn large_windows_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for window in [0xa8u8, 0x90, 0x88] {
        let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, window, 0x59, 0x00, 0x00];
        bytes.extend(b"{\"id\":\"a\"}\n");
        let path = write(folder.path(), "a.zst", &bytes);
        let found = read(&[path], options(Boundary::Line, OnBadInput::Error)).unwrap();
        assert_eq!(found.0, [["{\"id\":\"a\"}"]]);
    }
}

#[test]
fn patterns_and_absent_files() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.txt", "a.txt", "c.md", "x/d.txt"] {
        write(folder.path(), name, b"text\n");
    }
    let names = |pattern: &str| -> Vec<String> {
        let found = files(&[folder.path().join(pattern)]).unwrap();
        let strip =
            |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().display().to_string();
        found.iter().map(strip).collect()
    };
    assert_eq!(names("*.txt"), ["a.txt", "b.txt"]);
    assert_eq!(names("**/*.txt"), ["a.txt", "b.txt", "x/d.txt"]);
    assert_eq!(names(""), ["a.txt", "b.txt", "c.md", "x/d.txt"]);
    let twice = [folder.path().join("a.txt"), folder.path().join("*.txt")];
    assert_eq!(files(&twice).unwrap().len(), 2);
    for absent in ["none.txt", "*.none", "a[.txt"] {
        let error = files(&[folder.path().join(absent)]).unwrap_err().to_string();
        assert!(error.contains(absent) && error.contains("pattern"), "{error}");
    }
}

#[test]
fn bad_input_is_an_error_or_counted() {
    let folder = tempfile::tempdir().unwrap();
    let long = "y".repeat(10 << 20);
    let torn = gzip("line\n".repeat(100_000).as_bytes());
    let cases: [(&str, Vec<u8>, &str, &str, usize); 8] = [
        ("a.txt", b"ok\nb\xffd\nok\n".to_vec(), "line 2: no UTF-8 from byte 2", "no UTF-8", 2),
        (
            "a.txt",
            format!("ok\n{long}\nok\n").into(),
            "line 2: more than 1000000 bytes",
            "too long",
            2,
        ),
        ("a.txt", format!("ok\nok\n{long}").into(), "line 3: more than", "too long", 2),
        (
            "a.jsonl",
            b"{\"text\": \"ok\"}\n{\"text\": \n".to_vec(),
            "line 2: EOF",
            "without its text",
            1,
        ),
        (
            "a.jsonl",
            b"\n{\"texts\": \"ok\"}\n".to_vec(),
            "line 2: no `text` among [\"texts\"]",
            "without",
            0,
        ),
        ("a.jsonl", b"{\"text\": 7}\n".to_vec(), "line 1: `text` is no text", "without", 0),
        ("a.txt.gz", torn[..torn.len() / 2].to_vec(), "cannot be read on", "damaged file", 0),
        (
            "a.parquet",
            b"PAR1 and nothing more".to_vec(),
            "a.parquet at byte",
            "cannot be opened",
            0,
        ),
    ];
    for (name, bytes, fault, reason, kept) in cases {
        let path = [write(folder.path(), name, &bytes)];
        let options =
            |on_bad| ReadOptions { longest: 1_000_000, ..options(Boundary::Line, on_bad) };
        let error = read(&path, options(OnBadInput::Error)).unwrap_err().to_string();
        assert!(error.contains(fault) && error.contains(name), "{error}");
        let (documents, tally) = read(&path, options(OnBadInput::Skip)).unwrap();
        let skipped: Vec<(&String, &u64)> = tally.skipped.iter().collect();
        assert!(skipped.len() == 1 && *skipped[0].1 == 1, "{skipped:?}");
        assert!(skipped[0].0.contains(reason), "{skipped:?}");
        assert!(documents.len() >= kept, "{name}: {}", documents.len());
        if !name.ends_with("gz") {
            assert_eq!(documents.len(), kept, "{name} {fault}");
        }
    }
    // Allowed, a line of 10 MB is a line.
    let path = write(folder.path(), "long.txt", format!("ok\n{long}\n").as_bytes());
    let found = read(&[path], options(Boundary::File, OnBadInput::Error)).unwrap();
    assert_eq!((found.0[0].len(), found.0[0][1].len()), (2, 10 << 20));
}

/// A document of any size is handed out in parts, and nothing is lost.
#[test]
fn large_documents_come_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("{}\n", "z".repeat(999));
    let path = write(folder.path(), "a.txt", line.repeat(10_000).as_bytes());
    let (documents, tally) = read(&[path], options(Boundary::File, OnBadInput::Error)).unwrap();
    assert_eq!(documents.iter().map(Vec::len).sum::<usize>(), 10_000);
    assert_eq!((documents.len(), tally.bytes), (3, 9_990_000));
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes: Vec<u8>, start in 0usize..6, skip: bool) {
        let folder = tempfile::tempdir().unwrap();
        let starts: [&[u8]; 6] = [b"", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"{\"text\": \"", b"\xef\xbb\xbf"];
        let bytes = [starts[start], &bytes].concat();
        let on_bad = if skip { OnBadInput::Skip } else { OnBadInput::Error };
        for name in ["a.txt", "a.jsonl", "a.parquet", "a.gz", "a.csv", "a.tsv"] {
            let path = write(folder.path(), name, &bytes);
            let read = read(&[path], options(Boundary::BlankLine, on_bad));
            let error = read.map(drop).map_err(|error| error.to_string());
            // A column that is not there is never skipped.
            let is_column = matches!(&error, Err(text) if text.contains("no column `text`"));
            prop_assert!(!skip || error.is_ok() || is_column, "{error:?}");
        }
    }

    #[test]
    fn texts_without_lf_are_lines(texts in proptest::collection::vec("[^\n]{1,30}", 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "a.txt", texts.join("\n").as_bytes());
        let (documents, tally) = read(&[path], options(Boundary::Line, OnBadInput::Error)).unwrap();
        // A byte order mark begins a file, and is text elsewhere.
        let strip = |(at, text): (usize, &'_ str)| match text.strip_prefix('\u{feff}') {
            Some(rest) if at == 0 => rest.to_owned(),
            _ => text.to_owned(),
        };
        let stripped: Vec<String> =
            texts.iter().map(String::as_str).enumerate().map(strip).collect();
        let trimmed: Vec<&str> = stripped.iter().map(|text| text.trim()).collect();
        let kept: Vec<&str> = trimmed.into_iter().filter(|text| !text.is_empty()).collect();
        prop_assert_eq!(documents.concat(), kept);
        prop_assert_eq!(tally.lines, texts.len() as u64);
    }
}
