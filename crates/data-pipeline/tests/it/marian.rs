//! Texts to token ids as transformers makes them of an opus-mt folder; see `golden_marian.py`.

use std::fs;
use std::path::{Path, PathBuf};

use data_pipeline::text::MarianTokenizer;
use serde::Deserialize;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/marian")
}

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<i64>,
    target_ids: Vec<i64>,
    decoded: String,
}

#[test]
fn ids_and_texts_are_those_of_transformers() {
    let tokenizer = MarianTokenizer::open(&folder()).expect("the tokenizer");
    let (mut unknown, mut count) = (0, 0);
    for line in include_str!("../golden/marian/pieces.jsonl").split('\n').filter(|l| !l.is_empty())
    {
        let case: Case = serde_json::from_str(line).expect("a case");
        let ids = tokenizer.source_ids(&case.text).expect("ids");
        assert_eq!(ids, case.ids, "{:?}", case.text);
        let ids = tokenizer.target_ids(&case.text).expect("ids");
        assert_eq!(ids, case.target_ids, "{:?}", case.text);
        assert_eq!(tokenizer.text(&ids), case.decoded, "{:?}", case.text);
        unknown += ids.iter().filter(|&&id| id == tokenizer.specials().unknown).count();
        count += 1;
    }
    assert!(count > 50 && unknown > 20, "{count} texts, {unknown} unknown");
}

#[test]
fn special_tokens_in_a_text_are_text() {
    let tokenizer = MarianTokenizer::open(&folder()).expect("the tokenizer");
    let specials = tokenizer.specials();
    let ids = tokenizer.source_ids("a </s> b <pad> c").expect("ids");
    assert_eq!(ids.iter().filter(|&&id| id == specials.end).count(), 1);
    assert!(!ids.contains(&specials.pad) && ids.last() == Some(&specials.end));
    assert_eq!(tokenizer.text(&[specials.pad, specials.end, -3, 1 << 40]), "");
}

/// Quotation marks are no language: only what the vocabulary may have as one is.
#[test]
fn what_stands_in_angle_quotes_is_translated() {
    let tokenizer = MarianTokenizer::open(&folder()).expect("the tokenizer");
    let ids = |text: &str| tokenizer.source_ids(text).expect("ids");
    let french = ids(">>fra<< A man.");
    assert_eq!(french.len(), ids("A man.").len() + 1);
    assert_eq!(ids(">>fra<< A man << looks.")[0], french[0]);
    for (text, behind) in [
        (">> A man << looks.", "looks."),
        (">><< A man.", "A man."),
        (">>A man<< looks.", "looks."),
    ] {
        assert!(ids(text).len() > ids(behind).len() + 1, "{text}: {:?}", ids(text));
    }
    // A network without languages has none to be unknown.
    let copy = tempfile::tempdir().expect("a folder");
    for file in ["source.spm", "target.spm", "vocab.json"] {
        fs::copy(folder().join(file), copy.path().join(file)).expect("copied");
    }
    let path = copy.path().join("vocab.json");
    let numbers = fs::read_to_string(&path).expect("numbers").replace("\">>fra<<\"", "\"@@fra\"");
    fs::write(&path, numbers).expect("written");
    let other = MarianTokenizer::open(copy.path()).expect("the tokenizer");
    let found = other.source_ids(">>xxx<< A man.").expect("ids");
    assert!(found.len() > ids(">>xxx<< A man.").len(), "{found:?}");
}

#[test]
fn what_is_missing_or_damaged_in_a_folder_is_named() {
    for name in ["source.spm", "target.spm", "vocab.json"] {
        let copy = tempfile::tempdir().expect("a folder");
        for file in ["source.spm", "target.spm", "vocab.json"] {
            fs::copy(folder().join(file), copy.path().join(file)).expect("copied");
        }
        let refused = || MarianTokenizer::open(copy.path()).expect_err(name).to_string();
        let whole = fs::read(copy.path().join(name)).expect("bytes");
        fs::write(copy.path().join(name), &whole[..whole.len() / 2 + 1]).expect("written");
        assert!(refused().contains(name), "{}", refused());
        fs::remove_file(copy.path().join(name)).expect("removed");
        assert!(refused().contains(name), "{}", refused());
    }
    let copy = tempfile::tempdir().expect("a folder");
    fs::write(copy.path().join("vocab.json"), r#"{"</s>": 0, "a": -1}"#).expect("written");
    let error = MarianTokenizer::open(copy.path()).expect_err("a number below 0").to_string();
    assert!(error.contains("vocab.json") && error.contains("-1"), "{error}");
    fs::write(copy.path().join("vocab.json"), r#"{"</s>": 0, "<unk>": 1}"#).expect("written");
    let error = MarianTokenizer::open(copy.path()).expect_err("no padding").to_string();
    assert!(error.contains("no piece <pad>"), "{error}");
    fs::write(copy.path().join("vocab.json"), r#"{"</s>": 0, "<unk>": 1, "a": 1}"#)
        .expect("written");
    let error = MarianTokenizer::open(copy.path()).expect_err("a number twice").to_string();
    assert!(error.contains("two pieces have the number 1"), "{error}");
    // The vocabulary of another network, in which hardly a piece of this one's is.
    for file in ["source.spm", "target.spm"] {
        fs::copy(folder().join(file), copy.path().join(file)).expect("copied");
    }
    let other = r#"{"</s>": 0, "<unk>": 1, "<pad>": 2, "other": 3}"#;
    fs::write(copy.path().join("vocab.json"), other).expect("written");
    let error = MarianTokenizer::open(copy.path()).expect_err("another vocabulary").to_string();
    assert!(error.contains("pieces of source.spm") && error.contains("vocab.json"), "{error}");
}
