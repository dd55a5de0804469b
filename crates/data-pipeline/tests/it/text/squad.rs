//! Questions about paragraphs in windows. SQuAD 1.1 is read from a published extract too; files of
//! SQuAD 2.0 are in its format.

use super::{small, uncased};
use crate::published;
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Casing, Squad, SquadUse, Windows, spans};
use proptest::prelude::*;
use std::fs;
use std::path::Path;

/// Start and length of each window, for answers and strides worked out by hand.
#[test]
fn windows_overlap_by_the_stride() {
    assert_eq!(spans(157, 128 - 11 - 3, 128), [(0, 114), (114, 43)]);
    let long = [(0, 489), (128, 489), (256, 489), (384, 489), (512, 488)];
    assert_eq!(spans(1000, 512 - 20 - 3, 128), long);
    assert_eq!(spans(317, 317, 128), [(0, 317)]);
    assert_eq!(spans(318, 317, 128), [(0, 317), (128, 190)]);
    assert_eq!(spans(0, 10, 5), [(0, 0)]);
}

proptest! {
    /// A window is never empty or too long.
    #[test]
    fn every_token_lies_in_a_window(
        tokens in 0usize..2000, room in 1usize..500, stride in 0usize..600,
    ) {
        let spans = spans(tokens, room, stride);
        let mut end = 0;
        for (i, &(start, length)) in spans.iter().enumerate() {
            prop_assert!(start <= end && length <= room && (length > 0 || tokens == 0));
            prop_assert!(i == 0 || start > spans[i - 1].0);
            end = start + length;
        }
        prop_assert_eq!(end, tokens);
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes: Vec<u8>, cut in 0usize..600, at in 0usize..600, to: u8) {
        let folder = tempfile::tempdir().unwrap();
        let mut text = FILE.as_bytes().to_vec();
        let at = at % text.len();
        text[at] = to;
        text.truncate(text.len().saturating_sub(cut));
        for bytes in [text, bytes] {
            let path = write(folder.path(), &bytes);
            for on_bad in [OnBadInput::Error, OnBadInput::Skip] {
                if let Ok(squad) = Squad::read(&path, SquadUse::Learn, on_bad) {
                    squad.windows(&small(&[]), Windows::default()).unwrap();
                }
            }
        }
    }
}

const FILE: &str = r#"{"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context":
"Où est-il né? In Zürich, in 1998.", "qas": [
{"id": "a", "question": "Where?", "answers": [{"text": "Zürich", "answer_start": 17}, {"text": "In Zürich", "answer_start": 14}], "is_impossible": false},
{"id": 7, "question": "Who?", "answers": [], "plausible_answers": [{"text": "il", "answer_start": 7}], "is_impossible": true}]}]}]}"#;

fn write(folder: &Path, bytes: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = folder.join("squad.json");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn answers_are_found_by_characters() {
    let folder = tempfile::tempdir().unwrap();
    let squad =
        Squad::read(&write(folder.path(), FILE), SquadUse::Learn, OnBadInput::Error).unwrap();
    assert_eq!((squad.paragraphs.len(), squad.questions.len()), (1, 2));
    assert_eq!((squad.questions[0].answers.len(), squad.questions[1].id.as_str()), (2, "7"));
    assert!(squad.questions[1].is_impossible);
    let tokenizer = small(&["zurich", "1998", "ne", "est"]);
    for longest in [64, 14, 12] {
        let windows = Windows { longest, stride: 3, question: 6 };
        let made = squad.windows(&tokenizer, windows).unwrap();
        let of = |question| made.windows.iter().filter(move |w| w.question == question);
        // The answer is in some window, and reads as it is written in the paragraph.
        let mut found = 0;
        for window in of(0) {
            assert!(window.sequence.len() <= longest);
            if let Some((first, last)) = window.answer {
                let tokens = [first, last].map(|place| window.token(place).unwrap());
                assert_eq!(squad.text(&made, 0, tokens[0], tokens[1]), "Zürich");
                found += 1;
            }
            assert_eq!(window.token(window.offset - 1), None);
            assert_eq!(window.token(window.offset + window.length), None);
        }
        assert!(found > 0, "{longest}");
        assert!(of(1).all(|window| window.answer.is_none()));
        // Each token has one window in which it has the most around it.
        let tokens = made.paragraphs[0].len();
        let mut best = vec![0; tokens];
        for window in of(0) {
            let shown = window.best.iter().enumerate().filter(|(_, best)| **best);
            shown.for_each(|(i, _)| best[window.start as usize + i] += 1);
        }
        assert_eq!(best, vec![1; tokens]);
    }
    let made = squad.windows(&tokenizer, Windows::default()).unwrap();
    assert_eq!(squad.text(&made, 0, 0, 2), "Où est");
    assert_eq!((squad.text(&made, 0, 3, 2), squad.text(&made, 0, 0, 999)), ("", ""));
    let none = Windows { longest: 67, stride: 3, question: 64 };
    assert!(squad.windows(&tokenizer, none).unwrap_err().to_string().contains("room"));
}

/// The windows of a long paragraph show a token with the most around it, as upstream's rule.
#[test]
fn the_window_with_the_most_around() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["a"; 10].join(" ");
    let text = format!(
        r#"{{"data": [{{"paragraphs": [{{"context": "{words}", "qas": [{{"id": "q", "question": "b", "answers": [{{"text": "a", "answer_start": 0}}]}}]}}]}}]}}"#
    );
    let squad =
        Squad::read(&write(folder.path(), text), SquadUse::Learn, OnBadInput::Error).unwrap();
    let windows = Windows { longest: 10, stride: 3, question: 3 };
    let made = squad.windows(&small(&[]), windows).unwrap();
    let shape: Vec<_> = made.windows.iter().map(|w| (w.start, w.length)).collect();
    assert_eq!(shape, [(0, 6), (3, 6), (6, 4)]);
    // Tokens 3 and 4: 2 and 1 on the shorter side in the first window, 0 and 1 in the second; of
    // 1 and 1 the first window counts. Tokens 6 to 9: 2, 1, 0 in the second, 0, 1, 1, 0 after.
    let best: Vec<Vec<u32>> = made
        .windows
        .iter()
        .map(|w| (0..w.length).filter(|&i| w.best[i as usize]).map(|i| w.start + i).collect())
        .collect();
    assert_eq!(best, [vec![0, 1, 2, 3, 4], vec![5, 6, 7], vec![8, 9]]);
    assert_eq!(made.windows[0].answer, Some((3, 3)));
}

#[test]
fn bad_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let read =
        |text: &str, on_bad| Squad::read(&write(folder.path(), text), SquadUse::Learn, on_bad);
    for (from, to, fault) in [
        (
            "\"answer_start\": 17",
            "\"answer_start\": 16",
            "`Zürich` does not stand where it is said to",
        ),
        ("\"answer_start\": 17", "\"answer_start\": 999", "does not stand where"),
        ("\"is_impossible\": true", "\"is_impossible\": false", "question 7: no answer"),
        (
            r#"{"text": "Zürich", "answer_start": 17}"#,
            r#"{"text": "", "answer_start": 0}"#,
            "question a: an answer is empty; a question without an answer has `\"is_impossible\"",
        ),
        // Predictions name questions by their ids: of two with one id, one would be lost.
        ("\"id\": 7", "\"id\": \"a\"", "question a: another question has this id"),
    ] {
        let text = FILE.replace(from, to);
        let error = read(&text, OnBadInput::Error).unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
        let squad = read(&text, OnBadInput::Skip).unwrap();
        assert_eq!((squad.questions.len(), squad.tally.skipped.len()), (1, 1));
    }
    for text in ["", "[]", "{\"data\": 1}", &FILE[..200]] {
        let error = read(text, OnBadInput::Skip).unwrap_err().to_string();
        assert!(error.contains("SQuAD 1.1 or 2.0"), "{error}");
    }
}

/// To be scored, a question needs no more than an id and the texts of its answers.
#[test]
fn questions_that_are_measured_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str, to| Squad::read(&write(folder.path(), text), to, OnBadInput::Error);
    for (from, to) in [
        ("\"answer_start\": 17", "\"answer_start\": 19"),
        ("\"answer_start\": 17", "\"answer_start\": -1"),
        ("\"answer_start\": 17", "\"answer_start\": 99999999999"),
    ] {
        let text = FILE.replace(from, to);
        let squad = read(&text, SquadUse::Measure).unwrap();
        assert_eq!(squad.questions[0].answers[0].text, "Zürich");
        let made = squad.windows(&small(&[]), Windows::default()).unwrap();
        assert_eq!(made.windows[0].answer, None, "it stands nowhere");
        assert!(read(&text, SquadUse::Learn).is_err());
    }
    let bare = FILE.replace(", \"is_impossible\": true", "").replace("\"answers\": [], ", "");
    let squad = read(&bare, SquadUse::Measure).unwrap();
    assert_eq!((squad.questions.len(), squad.questions[1].answers.len()), (2, 0));
    assert!(read(&bare, SquadUse::Learn).unwrap_err().to_string().contains("7: no answer"));
    // What is not there stands nowhere either.
    let nowhere =
        FILE.replace("\"answers\": [], ", r#""answers": [{"text": "", "answer_start": -1}], "#);
    assert_eq!(read(&nowhere, SquadUse::Learn).unwrap().questions.len(), 2);
}

/// A vocabulary without accents leaves marks out of its tokens, and answers keep them; a zero-width
/// space behind a word is no part of it, and a joiner between two marks is.
#[test]
fn answers_end_with_their_marks() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"data": [{"paragraphs": [{"context": "A cafe\u0301 or tea\u200b. A cafe\u0301\u200d\u0302\u200b or",
        "qas": [{"id": "q", "question": "What?", "answers": [
            {"text": "cafe\u0301", "answer_start": 2}]}]}]}]}"#;
    let path = write(folder.path(), text);
    let squad = Squad::read(&path, SquadUse::Learn, OnBadInput::Error).unwrap();
    let tokenizer = small(&["cafe", "or", "tea"]);
    let made = squad.windows(&tokenizer, Windows { longest: 96, ..Windows::default() }).unwrap();
    let (first, last) = made.windows[0].answer.unwrap();
    let [first, last] = [first, last].map(|place| made.windows[0].token(place).unwrap());
    assert_eq!(squad.text(&made, 0, first, last), "cafe\u{301}");
    assert_eq!(squad.text(&made, 0, last, last + 2), "cafe\u{301} or tea");
    assert_eq!(squad.text(&made, 0, last + 2, last + 3), "tea\u{200b}.");
    assert_eq!(squad.text(&made, 0, last + 5, last + 5), "cafe\u{301}\u{200d}\u{302}");
}

#[test]
fn predictions_are_objects_of_ids() {
    let folder = tempfile::tempdir().unwrap();
    let squad =
        Squad::read(&write(folder.path(), FILE), SquadUse::Learn, OnBadInput::Error).unwrap();
    let path = folder.path().join("out.json");
    squad.write_answers(&path, &["Zürich".into(), String::new()]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value, serde_json::json!({ "a": "Zürich", "7": "" }));
    squad.write_no_answer_scores(&path, &[-2.5, 3.0]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value, serde_json::json!({ "a": -2.5, "7": 3.0 }));
    assert!(squad.write_answers(&path, &[]).unwrap_err().to_string().contains("0 answers for 2"));
}

/// Of all published questions the answer is in a window, and nearly all read as they are written.
#[test]
fn answers_of_the_published_extract() {
    let Some(path) = published("xquad-en/xquad.en.json") else { return };
    let Some(tokenizer) = uncased(Casing::default()) else { return };
    let squad = Squad::read(&path, SquadUse::Learn, OnBadInput::Error).unwrap();
    assert_eq!((squad.paragraphs.len(), squad.questions.len()), (240, 1190));
    let made = squad.windows(&tokenizer, Windows { longest: 256, ..Windows::default() }).unwrap();
    assert!(made.windows.len() > 1190);
    let mut answered = vec![false; 1190];
    let mut exact = 0;
    for window in &made.windows {
        let Some((first, last)) = window.answer else { continue };
        let question = window.question as usize;
        let tokens = [first, last].map(|place| window.token(place).unwrap());
        let text = squad.text(&made, window.question, tokens[0], tokens[1]);
        let gold = &squad.questions[question].answers[0].text;
        assert!(text.contains(gold.trim()), "{text:?} {gold:?}");
        if !std::mem::replace(&mut answered[question], true) {
            exact += usize::from(text == gold);
        }
    }
    let found = answered.iter().filter(|found| **found).count();
    assert!(found == 1190 && exact >= 1185, "{found} {exact}");
}
