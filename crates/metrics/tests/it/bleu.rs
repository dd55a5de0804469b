//! BLEU and chrF as sacrebleu computes them; see `golden_bleu.py`.

use std::collections::BTreeMap;

use metrics::{Bleu, Chrf, Smoothing, StreamError, Tokenization};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    lines: Vec<String>,
    streams: Vec<Vec<String>>,
    corpus: BTreeMap<String, Corpus>,
    sentences: Vec<f64>,
    chrf: f64,
    chrf_signature: String,
    chrf_sentences: Vec<f64>,
}

#[derive(Deserialize)]
struct Corpus {
    score: f64,
    precisions: Vec<f64>,
    bp: f64,
    counts: Vec<usize>,
    totals: Vec<usize>,
    lengths: [usize; 2],
    signature: String,
}

fn near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-9, "{what}: {found}, not {expected}");
}

fn setting(name: &str) -> Bleu {
    let standard = Bleu::default();
    match name {
        "exp" => standard,
        "floor" => Bleu { smoothing: Smoothing::Floor(0.1), ..standard },
        "add-k" => Bleu { smoothing: Smoothing::AddK(1.0), ..standard },
        "none" => Bleu { smoothing: Smoothing::None, ..standard },
        "lower" => Bleu { lowercase: true, ..standard },
        "spaces" => Bleu { tokenization: Tokenization::Spaces, ..standard },
        "effective" => Bleu::of_sentences(),
        other => panic!("no setting {other}"),
    }
}

/// An empty translation is as long as an empty reference, and shorter than any other.
#[test]
fn nothing_for_nothing_is_not_too_short() {
    let bleu = Bleu::default();
    let score = |references: &[&str]| {
        let found = bleu.sentence("", references);
        (found.score, found.brevity_penalty)
    };
    assert_eq!(score(&[""]), (0.0, 1.0));
    assert_eq!(score(&["a word", ""]), (0.0, 1.0));
    assert_eq!(score(&["a word"]), (0.0, 0.0));
}

#[test]
fn scores_are_sacrebleus() {
    let mut above = 0;
    for (number, line) in include_str!("../golden/bleu.jsonl").split('\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let case: Case = serde_json::from_str(line).expect("a case");
        let streams: Vec<&[String]> = case.streams.iter().map(Vec::as_slice).collect();
        for (name, expected) in &case.corpus {
            let (bleu, what) = (setting(name), format!("case {number}, {name}"));
            let found = bleu.corpus(&case.lines, &streams).expect("streams");
            assert_eq!([found.translated, found.reference], expected.lengths, "{what}");
            // Sacrebleu adds `k` to the counts that it gives, too.
            if name != "add-k" {
                let (counts, totals) = (&expected.counts, &expected.totals);
                assert_eq!((&found.matches[..], &found.totals[..]), (&counts[..], &totals[..]));
            }
            near(found.score, expected.score, &what);
            near(found.brevity_penalty, expected.bp, &what);
            for (a, b) in found.precisions.iter().zip(&expected.precisions) {
                near(*a, *b, &what);
            }
            assert_eq!(bleu.signature(streams.len()), expected.signature);
            above += usize::from(found.score > 1.0);
        }
        let chrf = Chrf::default();
        let what = format!("case {number}, chrF");
        near(chrf.corpus(&case.lines, &streams).expect("streams").score, case.chrf, &what);
        assert_eq!(chrf.signature(streams.len()), case.chrf_signature);
        for (i, line) in case.lines.iter().enumerate() {
            let references: Vec<&str> = streams.iter().map(|stream| stream[i].as_str()).collect();
            let what = format!("case {number}, sentence {i}: {line:?}");
            let found = Bleu::of_sentences().sentence(line, &references).score;
            near(found, case.sentences[i], &what);
            near(chrf.sentence(line, &references).score, case.chrf_sentences[i], &what);
        }
    }
    assert!(above > 100, "{above}");
}

/// References are streams, and lines may change places in all of them.
#[test]
fn references_are_streams() {
    let lines = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."];
    let a = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."];
    let b = ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."];
    let bleu = Bleu::default();
    let of = |order: [usize; 3]| {
        let moved = |lines: [&'static str; 3]| order.map(|i| lines[i]);
        let (lines, a, b) = (moved(lines), moved(a), moved(b));
        bleu.corpus(&lines, &[&a, &b]).expect("streams")
    };
    let score = of([0, 1, 2]);
    near((score.score * 1e7).round() / 1e7, 48.530_827_0, "two streams");
    assert_eq!((score.translated, score.reference), (17, 18));
    near(of([2, 0, 1]).score, score.score, "in another order");

    // A list of references a sentence is no list of streams.
    let wrong: [&[&str]; 3] = [&[a[0], b[0]], &[a[1], b[1]], &[a[2], b[2]]];
    let error = bleu.corpus(&lines, &wrong).expect_err("two lines for three translations");
    assert_eq!(error, StreamError::Lines { stream: 0, lines: 2, translations: 3 });
    assert_eq!(bleu.corpus::<&str>(&lines, &[]), Err(StreamError::NoReference));

    near(bleu.corpus(&["", "", ""], &[&a]).expect("streams").score, 0.0, "nothing");
    let short = ["one two three"; 3];
    near(bleu.corpus(&short, &[&short]).expect("streams").score, 0.0, "no four words");
    let single = Bleu::of_sentences().sentence("one two three", &["one two three"]);
    near((single.score * 1e9).round() / 1e9, 100.0, "three of three words");
}
