//! Vocabularies made from texts.

use data_pipeline::text::{Casing, Tokenizer, VocabularySize, VocabularyTrainer};
use std::path::Path;

/// Words in which frequent pairs overlap and some characters are rare.
const TEXTS: [&str; 8] = [
    "The newest film was the widest and the lowest of its kind.",
    "A lower price, a wider screen: newer films are longer, longer, longer!",
    "lowest lowest lower newest newest newest widest widest",
    "She said: «It isn't as good as it was», and he agreed.",
    "Überraschend gut, naïve café, İstanbul.",
    "In 1999 and 2004 they made 42 films in 17 countries.",
    "un unable unlikely unlike like likely able",
    "ababab abab ab bababa",
];

fn trained(texts: impl IntoIterator<Item = &'static str>, tokens: usize) -> Tokenizer {
    let mut trainer = VocabularyTrainer::new(Casing::default());
    texts.into_iter().for_each(|text| trainer.count(text));
    let size = VocabularySize { tokens, least_count: 1, ..VocabularySize::default() };
    trainer.tokenizer(size).unwrap()
}

fn tokens(tokenizer: &Tokenizer) -> Vec<String> {
    (0..tokenizer.size() as u32).map(|id| tokenizer.token(id).unwrap()).collect()
}

#[test]
fn the_order_of_texts_changes_nothing() {
    let vocabulary = tokens(&trained(TEXTS, 160));
    assert_eq!(vocabulary.len(), 160);
    let mut sorted = vocabulary.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 160, "each token once");
    for _ in 0..3 {
        assert_eq!(tokens(&trained(TEXTS.into_iter().rev(), 160)), vocabulary);
    }
    // A smaller one is the beginning of a larger one.
    assert_eq!(tokens(&trained(TEXTS, 130)), vocabulary[..130]);
}

/// Worked out by hand: pairs by their counts, of equal ones that of earlier pieces.
#[test]
fn the_most_frequent_pair_is_merged() {
    let mut trainer = VocabularyTrainer::new(Casing::default());
    // aab 5, ab 4, ba 1: pairs a##a 5, ##a##b 5, a##b 4, b##a 1.
    for (word, count) in [("aab", 5), ("ab", 4), ("ba", 1)] {
        (0..count).for_each(|_| trainer.count(word));
    }
    let size = |tokens| VocabularySize { tokens, ..VocabularySize::default() };
    let specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let merged = |tokens| -> Vec<String> {
        let tokenizer = trainer.tokenizer(size(tokens)).unwrap();
        let all = super::vocabulary::tokens(&tokenizer);
        assert_eq!(all[..9], [&specials[..], &["a", "b", "##a", "##b"]].concat());
        all[9..].to_vec()
    };
    assert_eq!(merged(10), ["aa"]);
    // aa##b 5 is left of the first word, then a##b 4; b##a occurs once.
    assert_eq!(merged(99), ["aa", "aab", "ab"]);
    let error = trainer.tokenizer(size(8)).unwrap_err().to_string();
    assert!(error.contains("ask for at least 9"), "{error}");
    let none = VocabularyTrainer::new(Casing::default());
    assert!(none.tokenizer(size(99)).unwrap_err().to_string().contains("no word"));
    let few = VocabularySize { most_characters: 1, ..size(99) };
    assert_eq!(super::vocabulary::tokens(&trainer.tokenizer(few).unwrap()).len(), 7);
}

#[test]
fn repeated_pairs_in_a_word_are_counted() {
    // ##a##a stands 2 times in the first word, 3 times in the other; then a##aa 3, aaa##a 2.
    let tokenizer = trained(["aaaa aaaa aaaaa"], 40);
    assert_eq!(tokens(&tokenizer)[7..], ["##aa", "aaa", "aaaa", "aaaaa"]);
}

const FOLDER: &str = "tests/golden/trained-tokenizer";

/// What is written, byte by byte; transformers reads these very files (`golden_tokenizer.py`) and
/// gives the same ids.
#[test]
fn transformers_loads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = trained(TEXTS, 160);
    tokenizer.save(folder.path()).unwrap();
    for name in ["vocab.txt", "tokenizer.json", "tokenizer_config.json"] {
        let [written, kept] = [folder.path(), Path::new(FOLDER)]
            .map(|folder| std::fs::read_to_string(folder.join(name)).unwrap());
        assert_eq!(written, kept, "{name}: if meant, run the ignored test and the script");
    }
    let lines = include_str!("../../golden/trained_ids.jsonl").lines();
    let mut checked = 0;
    for line in lines {
        let (text, ids): (String, Vec<u32>) = serde_json::from_str(line).unwrap();
        assert_eq!(tokenizer.ids(&text).unwrap(), ids, "{text:?}");
        checked += 1;
    }
    assert!(checked > 100);
}

#[test]
#[ignore = "writes the files that golden_tokenizer.py reads"]
fn write_the_trained_tokenizer() {
    trained(TEXTS, 160).save(Path::new(FOLDER)).unwrap();
}
