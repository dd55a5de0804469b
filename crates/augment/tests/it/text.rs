//! Words against BERT's tokenizer, the reference sheet's worked examples, and the distributions of
//! replaced words and tokens.

use std::collections::HashMap;
use std::f64::consts::LN_2;
use std::fs;

use augment::rng::{Key, Rng};
use augment::text::aug_ops::{AugOp, AugOps, enough};
use augment::text::switchout::{Decay, SwitchOut};
use augment::text::tfidf::TfIdf;
use augment::text::uniform;
use augment::text::words::{places, words};
use proptest::prelude::*;

#[test]
fn words_are_berts() {
    let mut seen = 0;
    for line in include_str!("../golden/words.jsonl").lines() {
        let (text, expected): (String, Vec<String>) = serde_json::from_str(line).unwrap();
        assert_eq!(words(&text), expected, "{text:?}");
        seen += 1;
    }
    assert_eq!(seen, 232);
}

/// Each word is made of a part of the text, which has no other word.
#[test]
fn words_know_how_they_are_spelled() {
    for text in [
        "The Café's\u{a0}CAT, sat\u{200b}\n(on a Mat)!",
        "e\u{301}clair ΑΣ Σ. İstanbul \u{301}x\u{301}",
        "a≠b 你好a\u{0}b\u{c}c\u{2028}d",
    ] {
        let found = places(text);
        let mut end = 0;
        for (word, place) in &found {
            assert!(place.start >= end && place.start < place.end, "{text:?}: {found:?}");
            assert_eq!(words(&text[place.clone()]), [word.as_str()], "{text:?}");
            end = place.end;
        }
        let all: Vec<String> = found.into_iter().map(|(word, _)| word).collect();
        assert_eq!(all, words(text));
    }
    assert_eq!(places("Né\u{301}, x")[0], ("ne".to_owned(), 0..5));
}

fn corpus() -> Vec<Vec<String>> {
    ["a b a", "b c"].map(words).into()
}

#[track_caller]
fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-4, "{got}, not {expected}");
}

#[test]
fn tf_idf_follows_the_worked_example() {
    let statistics = TfIdf::of(corpus());
    for (word, idf, t) in [("a", LN_2, 0.4621), ("b", 0.0, 0.0), ("c", LN_2, 0.3466)] {
        close(statistics.idf(word), idf);
        close(statistics.tf_idf(word), t);
    }
    assert_eq!(
        ["a", "b", "c", "d"].map(|w| (2.0 * statistics.share(w)).round()),
        [1.0, 2.0, 1.0, 0.0]
    );
    let chances = statistics.chances(&corpus()[0], 0.3);
    for (got, expected) in chances.iter().zip([0.0, 0.9, 0.0]) {
        close(*got, expected);
    }
    // q: a 0, b 0.8, c 0.2.
    let mut rng = Rng::new(1);
    let draws: Vec<&str> = (0..20_000).map(|_| statistics.draw(&mut rng).unwrap()).collect();
    let share = |word| draws.iter().filter(|&&w| w == word).count() as f64 / 20_000.0;
    assert_eq!(share("a"), 0.0);
    assert!((share("b") - 0.8).abs() < 0.012 && (share("c") - 0.2).abs() < 0.012);
}

/// A popular library scores each position alone, which gives `.45 .45 .45 0 .45 0`.
#[test]
fn a_words_score_counts_all_its_occurrences() {
    let texts = ["the cat sat on the mat", "the dog sat", "a cat and a dog"].map(words);
    let statistics = TfIdf::of(&texts);
    for word in ["the", "cat", "sat", "dog"] {
        close(statistics.idf(word), 0.405_465);
    }
    for word in ["on", "mat", "a", "and"] {
        close(statistics.idf(word), 1.098_612);
    }
    let expected: [&[f64]; 3] = [
        &[0.263_974, 0.636_026, 0.636_026, 0.0, 0.263_974, 0.0],
        &[0.0; 3],
        &[0.0, 0.574_020, 0.351_959, 0.0, 0.574_020],
    ];
    for (text, expected) in texts.iter().zip(expected) {
        let chances = statistics.chances(text, 0.3);
        assert_eq!(chances.len(), expected.len());
        chances.iter().zip(expected).for_each(|(got, expected)| close(*got, *expected));
    }
    let most = statistics.words().iter().map(|w| statistics.tf_idf(w)).fold(0.0, f64::max);
    let gap = |word: &str| most - statistics.tf_idf(word);
    let total: f64 = statistics.words().iter().map(|word| gap(word)).sum();
    for (word, share) in [
        ("the", 0.102_368),
        ("cat", 0.175_989),
        ("sat", 0.143_269),
        ("on", 0.155_150),
        ("mat", 0.155_150),
        ("dog", 0.135_089),
        ("a", 0.0),
        ("and", 0.132_986),
    ] {
        close(gap(word) / total, share);
    }
}

#[test]
fn tf_idf_has_an_answer_where_the_formula_has_none() {
    let same: Vec<Vec<String>> = vec![words("x y"), words("x y")];
    let statistics = TfIdf::of(&same);
    assert_eq!(statistics.chances(&same[0], 0.7), [0.0, 0.0]);
    assert_eq!(statistics.draw(&mut Rng::new(0)), None);
    assert_eq!(TfIdf::of(Vec::<Vec<String>>::new()).chances(&[], 0.5), Vec::<f64>::new());
    let mut nothing: Vec<String> = vec![];
    statistics.replace(&mut nothing, 0.9, &mut Rng::new(0));
    assert_eq!(TfIdf::of(corpus()).idf("unheard"), 2f64.ln());
    // One word, and one word repeated, are alike too.
    for text in ["a", "c c c"] {
        assert!(TfIdf::of(corpus()).chances(&words(text), 0.9).iter().all(|&chance| chance == 0.0));
    }
}

/// Counted and summed as the sheet has it, in two passes, without the shortcuts.
#[test]
fn statistics_are_those_of_the_formulas() {
    let mut rng = Rng::new(8);
    let mut word = || format!("w{}", rng.below(40).min(rng.below(40)));
    let mut documents: Vec<Vec<String>> =
        (0..60).map(|length| (0..length).map(|_| word()).collect()).collect();
    documents.push(vec!["rare".into()]);
    let statistics = TfIdf::of(&documents);
    for word in statistics.words() {
        let with = documents.iter().filter(|document| document.contains(word)).count();
        let idf = (documents.len() as f64 / with as f64).ln();
        let mut t = 0.0;
        for document in &documents {
            let times = document.iter().filter(|&other| other == word).count();
            t += (0..times).map(|_| idf / document.len() as f64).sum::<f64>();
        }
        assert!((statistics.idf(word) - idf).abs() < 1e-12);
        assert!((statistics.tf_idf(word) - t).abs() < 1e-12 * (1.0 + t));
    }
}

/// Chi square of the drawn words against `q`, and its 99.99 % point for the degrees of freedom by
/// Wilson and Hilferty.
#[test]
fn words_are_drawn_as_the_formula_weighs_them() {
    let documents: Vec<Vec<String>> = (0..300)
        .map(|i: usize| {
            (0..20).map(|k| format!("w{:03}", (i * (k + 1) * 7 + k * k) % (20 + 10 * k))).collect()
        })
        .collect();
    let statistics = TfIdf::of(&documents);
    let most = statistics.words().iter().map(|w| statistics.tf_idf(w)).fold(0.0, f64::max);
    let gaps: Vec<f64> = statistics.words().iter().map(|w| most - statistics.tf_idf(w)).collect();
    let total: f64 = gaps.iter().sum();
    let draws = 200_000;
    let mut counts = HashMap::<&str, u32>::new();
    let mut rng = Rng::new(4);
    for _ in 0..draws {
        *counts.entry(statistics.draw(&mut rng).unwrap()).or_default() += 1;
    }
    let (mut square, mut freedom) = (0.0, -1.0);
    for (word, gap) in statistics.words().iter().zip(gaps) {
        let (expected, got) = (gap / total * f64::from(draws), counts.get(word.as_str()).copied());
        let got = f64::from(got.unwrap_or(0));
        if gap == 0.0 {
            assert_eq!(got, 0.0, "{word} has the highest T");
        } else {
            assert!(expected > 5.0, "{word}: too few for the test");
            square += (got - expected).powi(2) / expected;
            freedom += 1.0;
        }
    }
    let spread = 2.0 / (9.0 * freedom);
    let limit = freedom * (1.0 - spread + 3.719 * f64::sqrt(spread)).powi(3);
    assert!(freedom > 100.0 && square < limit, "{square} of at most {limit}, {freedom} degrees");
}

#[test]
fn words_are_replaced_as_often_as_their_chances_say() {
    let statistics = TfIdf::of(["a b c d", "a a b", "c b e", "e e d a"].map(words));
    let document = words("a b e e c d x");
    let chances = statistics.chances(&document, 0.3);
    let (mut rng, rounds) = (Rng::new(6), 40_000);
    let mut changed = vec![0.0; document.len()];
    // A word may be replaced by itself, which does not show.
    let known = statistics.words();
    let most = known.iter().map(|w| statistics.tf_idf(w)).fold(0.0, f64::max);
    let total: f64 = known.iter().map(|w| most - statistics.tf_idf(w)).sum();
    let itself = |word: &String| {
        if known.contains(word) { (most - statistics.tf_idf(word)) / total } else { 0.0 }
    };
    for _ in 0..rounds {
        let mut text = document.clone();
        statistics.replace(&mut text, 0.3, &mut rng);
        for (i, word) in text.iter().enumerate() {
            changed[i] += f64::from(u8::from(*word != document[i])) / f64::from(rounds);
        }
    }
    for ((word, chance), changed) in document.iter().zip(chances).zip(changed) {
        let expected = chance.min(1.0) * (1.0 - itself(word));
        assert!((changed - expected).abs() < 0.012, "{word}: {changed}, not {expected}");
    }
}

#[test]
fn statistics_are_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let statistics = TfIdf::of(corpus());
    statistics.save(&dir.path().join("data_stats/train")).unwrap();
    let read = TfIdf::load(&dir.path().join("data_stats/train")).unwrap();
    assert_eq!(read, statistics);
    let draw = |statistics: &TfIdf| {
        let mut text = words("b c a b b c");
        statistics.replace(&mut text, 0.9, &mut Rng::new(5));
        text
    };
    assert_eq!(draw(&read), draw(&statistics));
    let error = TfIdf::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("tf_idf.json"), "{error}");
    fs::write(dir.path().join("tf_idf.json"), "{\"a\": 1}").unwrap();
    fs::write(dir.path().join("idf.json"), "{}").unwrap();
    let error = TfIdf::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("`a` has no entry in idf.json"), "{error}");
    fs::write(dir.path().join("idf.json"), "{\"a\": 1, \"b\": 0}").unwrap();
    let error = TfIdf::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("idf.json: `b` has no entry in tf_idf.json"), "{error}");
    fs::write(dir.path().join("tf_idf.json"), "[1]").unwrap();
    let error = TfIdf::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("not a JSON map from word to number"), "{error}");
}

#[test]
fn uniform_words_do_not_repeat_before_all_are_used() {
    let vocabulary: Vec<String> = (0..7).map(|i| format!("w{i}")).collect();
    let mut text = vec!["x".to_owned(); 14];
    uniform::replace(&mut text, &vocabulary, 1.0, &mut Rng::new(2));
    for half in text.chunks(7) {
        let mut half = half.to_vec();
        half.sort();
        assert_eq!(half, vocabulary);
    }
    let mut short = words("two words");
    uniform::replace(&mut short, &vocabulary, 1.0, &mut Rng::new(2));
    assert_eq!(short, ["two", "words"]);
}

#[test]
fn switchout_draws_its_number_and_never_the_same_token() {
    for decay in [Decay::Times, Decay::Over] {
        let switchout = SwitchOut { tau: 0.5, decay };
        let shares = switchout.counts(12);
        let rate = if decay == Decay::Times { 0.5f64 } else { 2.0 };
        for pair in shares.windows(2) {
            close(pair[0] / pair[1], rate.exp());
        }
        close(shares.iter().sum(), 1.0);
        let expected: f64 = shares.iter().enumerate().map(|(n, share)| n as f64 * share).sum();
        let (mut rng, mut changed) = (Rng::new(3), 0);
        for _ in 0..20_000 {
            let mut tokens: Vec<u32> = (0..14).collect();
            // The first and the last stay, so that 12 are free.
            switchout.replace(&mut tokens, |token| token == 0 || token == 13, 14, &mut rng);
            assert_eq!((tokens[0], tokens[13]), (0, 13));
            assert!(tokens.iter().all(|&token| token < 14));
            changed += (0..14).filter(|&i| tokens[i] != i as u32).count();
        }
        let mean = changed as f64 / 20_000.0;
        assert!((mean - expected).abs() < 0.05, "{mean}, not {expected}");
    }
}

#[test]
fn switchout_puts_any_other_token_equally_often() {
    let all = SwitchOut { tau: 1e9, decay: Decay::Over };
    let (mut rng, mut counts) = (Rng::new(5), [0.0f64; 5]);
    let mut changed = 0.0;
    for _ in 0..40_000 {
        let mut tokens = [3u32];
        all.replace(&mut tokens, |_| false, 5, &mut rng);
        counts[tokens[0] as usize] += 1.0;
        changed += f64::from(u8::from(tokens[0] != 3));
    }
    // With so high a temperature 0 and 1 tokens are alike.
    assert!((changed / 40_000.0 - 0.5).abs() < 0.01, "{changed}");
    for other in [0, 1, 2, 4] {
        assert!((counts[other] / changed - 0.25).abs() < 0.015, "{counts:?}");
    }
    let mut alone = [0u32; 4];
    all.replace(&mut alone, |_| false, 1, &mut rng);
    all.replace(&mut [], |_| false, 9, &mut rng);
    assert_eq!(alone, [0; 4], "a vocabulary of one token has no other");
}

#[test]
fn switchouts_settings_are_checked_and_written() {
    for tau in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let faults = SwitchOut { tau, ..SwitchOut::default() }.faults();
        assert!(faults.len() == 1 && faults[0].to_string().starts_with("tau is"), "{faults:?}");
    }
    let read: SwitchOut = toml::from_str("tau = 0.8\ndecay = \"over\"").unwrap();
    assert_eq!(read, SwitchOut { tau: 0.8, decay: Decay::Over });
    assert!(read.faults().is_empty());
    assert!(toml::from_str::<SwitchOut>("temperature = 1").is_err());
}

#[test]
fn names_of_augmentations() {
    let ops: AugOps = "bt-0.9+tf_idf-0.7+unif-0.3".parse().unwrap();
    assert_eq!(ops.0, [AugOp::BackTranslation(0.9), AugOp::TfIdf(0.7), AugOp::Uniform(0.3)]);
    assert_eq!(ops.to_string(), "bt-0.9+tf_idf-0.7+unif-0.3");
    assert_eq!("bt-1+unif-.25".parse::<AugOps>().unwrap().to_string(), "bt-1.0+unif-0.25");
    assert_eq!(serde_json::to_string(&ops).unwrap(), "\"bt-0.9+tf_idf-0.7+unif-0.3\"");
    assert!(serde_json::from_str::<AugOps>("\"bt-0.9+x\"").is_err());
    for wrong in ["", "bt", "bt-x", "unif-1.5", "tfidf-0.7", "bt-0.9+", "bt--1", "bt-inf"] {
        let error = wrong.parse::<AugOps>().unwrap_err().to_string();
        assert!(error.contains("known are bt-0.9"), "{wrong}: {error}");
    }
    assert!(enough(9, 10).is_ok() && enough(8, 10).is_err() && enough(90, 100).is_ok());
}

fn any_document() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-e]{1,2}", 0..30)
}

proptest! {
    #[test]
    fn chances_have_their_mean(documents in prop::collection::vec(any_document(), 1..12), token_prob in 0.0f64..1.0, seed: u64) {
        let statistics = TfIdf::of(&documents);
        for document in &documents {
            let chances = statistics.chances(document, token_prob);
            prop_assert!(chances.iter().all(|&chance| chance >= -1e-12));
            let mean = chances.iter().sum::<f64>() / chances.len().max(1) as f64;
            prop_assert!(chances.iter().all(|&c| c == 0.0) || (mean - token_prob).abs() < 1e-9);
            let with = |token_prob| {
                let mut text = document.clone();
                statistics.replace(&mut text, token_prob, &mut Rng::new(seed));
                text
            };
            prop_assert_eq!(&with(0.0), document);
            prop_assert_eq!(with(token_prob), with(token_prob));
        }
    }

    #[test]
    fn words_never_panic_and_are_stable(text in "\\PC{0,60}") {
        let once = words(&text);
        prop_assert!(once.iter().all(|word| !word.is_empty() && !word.contains(' ')));
        let key = Key { seed: 1, epoch: 0, index: 0, view: 0 };
        let replaced = |mut text: Vec<String>| {
            uniform::replace(&mut text, &once, 0.5, &mut key.rng());
            text
        };
        prop_assert_eq!(replaced(once.clone()), replaced(once.clone()));
        prop_assert_eq!(words(&once.join(" ")), once);
    }

    #[test]
    fn no_probability_changes_nothing(mut text in any_document(), seed: u64) {
        let before = text.clone();
        uniform::replace(&mut text, &["z".to_owned()], 0.0, &mut Rng::new(seed));
        prop_assert_eq!(&text, &before);
        let never = SwitchOut { tau: 1e4, decay: Decay::Times };
        let mut tokens: Vec<u32> = (0..text.len() as u32).collect();
        never.replace(&mut tokens, |_| false, 100, &mut Rng::new(seed));
        prop_assert_eq!(tokens, (0..text.len() as u32).collect::<Vec<_>>());
    }

    #[test]
    fn names_are_read_as_they_are_written(value in 0.0f64..1.0, temperature in 0.0f64..3.0) {
        let ops = AugOps(vec![AugOp::BackTranslation(temperature), AugOp::TfIdf(value), AugOp::Uniform(value)]);
        prop_assert_eq!(ops.to_string().parse::<AugOps>().unwrap(), ops);
    }
}
