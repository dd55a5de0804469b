//! Terms of texts against scikit-learn's.

use data_pipeline::text::{TermOptions, Terms};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Golden {
    texts: Vec<String>,
    shown: Vec<String>,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    words: usize,
    texts: u32,
    names: Vec<String>,
    rows: Vec<Vec<(u32, f32)>>,
}

#[test]
fn terms_and_weights_are_those_of_scikit_learn() {
    let golden: Golden = serde_json::from_str(include_str!("../../golden/terms.json")).unwrap();
    for case in golden.cases {
        let options = TermOptions { words: case.words, texts: case.texts };
        let terms = Terms::of(&golden.texts, options);
        assert_eq!(terms.names(), case.names, "{options:?}");
        let kept = serde_json::to_string(&terms).unwrap();
        let kept: Terms = serde_json::from_str(&kept).unwrap();
        for terms in [terms, kept] {
            for (ours, theirs) in terms.rows(&golden.shown).iter().zip(&case.rows) {
                let columns = |row: &[(u32, f32)]| row.iter().map(|r| r.0).collect::<Vec<_>>();
                assert_eq!(columns(ours), columns(theirs));
                let near = |(a, b): (&(u32, f32), &(u32, f32))| (a.1 - b.1).abs() < 1e-6;
                assert!(ours.iter().zip(theirs).all(near), "{ours:?} {theirs:?}");
            }
        }
    }
}

#[test]
fn a_script_without_spaces_has_a_word_a_character() {
    let terms = Terms::of(&["我爱film电影"], TermOptions { words: 1, texts: 1 });
    assert_eq!(terms.names(), ["film", "影", "我", "爱", "电"]);
}

#[test]
fn punctuation_between_katakana_is_no_word_and_damage_is_told() {
    let terms = Terms::of(&["カメラ・テスト"], TermOptions { words: 1, texts: 1 });
    assert!(!terms.names().iter().any(|name| name == "・"), "{:?}", terms.names());
    let kept = serde_json::to_string(&Terms::of(&["a good film"], TermOptions::default())).unwrap();
    let idf = kept.find("\"idf\":[").unwrap();
    let damaged = format!("{}\"idf\":[1.0]}}", &kept[..idf]);
    let error = serde_json::from_str::<Terms>(&damaged).unwrap_err().to_string();
    assert!(error.contains("have 1 weights"), "{error}");
}

#[test]
fn the_terms_in_most_texts_are_kept() {
    let texts = ["a1 b1 c1", "a1 b1", "a1 d1"];
    let terms = Terms::of(&texts, TermOptions { words: 1, texts: 1 });
    let row = terms.row("a1");
    let kept = terms.clone().keep(3);
    assert_eq!(kept.names(), ["a1", "b1", "c1"]);
    assert_eq!(kept.row("a1 d1"), row, "what is not kept is not known");
    assert_eq!(terms.clone().keep(9).names(), terms.names());
}

proptest! {
    #[test]
    fn rows_of_any_texts_have_length_one_and_rising_columns(
        texts in proptest::collection::vec("\\PC{0,30}", 1..5),
        words in 1_usize..4,
    ) {
        let terms = Terms::of(&texts, TermOptions { words, texts: 1 });
        for text in &texts {
            let row = terms.row(text);
            prop_assert!(row.windows(2).all(|pair| pair[0].0 < pair[1].0));
            let length: f32 = row.iter().map(|(_, weight)| weight * weight).sum();
            prop_assert!(row.is_empty() || (length - 1.0).abs() < 1e-5);
            prop_assert!(row.iter().all(|(column, _)| (*column as usize) < terms.names().len()));
        }
    }

    #[test]
    fn many_texts_are_counted_as_few(copies in 1_usize..3) {
        // More texts than one part of the count has.
        let texts: Vec<String> =
            (0..2_500 * copies).map(|i| format!("word{} common", i % 2_500)).collect();
        let least = copies as u32;
        let terms = Terms::of(&texts, TermOptions { words: 1, texts: least });
        prop_assert_eq!(terms.names().len(), 2_501);
        let none = Terms::of(&texts, TermOptions { words: 1, texts: least + 1 });
        prop_assert_eq!(none.names(), ["common"]);
    }
}
