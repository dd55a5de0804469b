//! Tokenizers: ids of published vocabularies, special tokens in texts, files.

use super::{small, uncased};
use augment::rng::Rng;
use data_pipeline::text::{Casing, Encoder, Piece, Tokenizer};
use proptest::prelude::*;
use std::fs;

/// Texts with their tokens in the uncased vocabulary.
const CASES: [(&str, &[u32]); 13] = [
    ("naïve café", &[15743, 7668]),
    ("Mötley Crüe", &[9587, 18492, 13675, 5657]),
    ("e\u{301}clair", &[14925, 19771, 2099]),
    ("don't", &[2123, 1005, 1056]),
    ("你好 world", &[100, 100, 2088]),
    ("ok\u{200b}ok", &[7929, 6559]),
    ("a\u{a0}b", &[1037, 1038]),
    ("x\u{fffd}y\u{0}z", &[1060, 2100, 2480]),
    ("$5,000.00", &[1002, 1019, 1010, 2199, 1012, 4002]),
    ("İstanbul", &[9960]),
    ("emoji 😀 here", &[7861, 29147, 2072, 100, 2182]),
    ("good\u{85}but slow", &[2204, 8569, 2102, 4030]),
    ("", &[]),
];

/// O-14, and O-20's control character, on the published vocabulary.
#[test]
fn o14_ids_of_the_uncased_vocabulary() {
    let Some(tokenizer) = uncased(Casing::default()) else { return };
    for (text, ids) in CASES {
        assert_eq!(tokenizer.ids(text).unwrap(), ids, "{text:?}");
    }
    assert_eq!(tokenizer.ids(&"a".repeat(101)).unwrap(), [100]);
    assert_ne!(tokenizer.ids(&"a".repeat(100)).unwrap(), [100]);
    let accents = Casing { strip_accents: Some(false), ..Casing::default() };
    assert_eq!(uncased(accents).unwrap().ids("naïve café").unwrap(), [100, 100]);
    let specials = tokenizer.specials();
    let ids = [specials.pad, specials.unk, specials.cls, specials.sep, specials.mask];
    assert_eq!(ids, [0, 100, 101, 102, 103]);
    assert_eq!(tokenizer.size(), 30_522);
    assert!(tokenizer.check_fits(30_522).is_ok() && tokenizer.check_fits(30_592).is_ok());
    let error = tokenizer.check_fits(28_996).unwrap_err().to_string();
    assert!(error.contains("30522 tokens") && error.contains("28996 rows"), "{error}");
    assert!(tokenizer.check_fits(50_257).is_err());
}

/// O-14 in tokens, on a vocabulary that has only what is needed.
#[test]
fn o14_tokens_without_the_published_vocabulary() {
    let words = "naive cafe ##aire ec ##lair world ok ##ok istanbul good ##ood bu ##t slow em ##oj";
    let tokenizer = small(&words.split(' ').collect::<Vec<_>>());
    let check = |text: &str, tokens: &str| {
        let ids = tokenizer.ids(text).unwrap();
        let found: Vec<String> = ids.iter().map(|&id| tokenizer.token(id).unwrap()).collect();
        assert_eq!(found.join(" "), tokens, "{text:?}");
    };
    check("naïve CAFÉ", "naive cafe");
    check("e\u{301}clair", "ec ##lair");
    check("don't", "d ##o ##n ' t");
    check("你好 world", "[UNK] [UNK] world");
    check("ok\u{200b}ok a\u{a0}b", "ok ##ok a b");
    check("x\u{fffd}y\u{0}z", "x ##y ##z");
    check("$5,000.0", "$ 5 , 0 ##0 ##0 . 0");
    check("İstanbul emoji 😀", "istanbul em ##oj ##i [UNK]");
    check("good\u{85}but slow", "good ##b ##u ##t slow");
    check(&"a".repeat(101), "[UNK]");
    check("[MASK] it [SEP]", "[ m ##a ##s ##k ] i ##t [ s ##e ##p ]");
}

/// O-30: what a text says is text, unless special tokens are asked for.
#[test]
fn o30_special_tokens_in_texts_are_text() {
    let tokenizer = small(&[]);
    let mask = tokenizer.specials().mask;
    let [plain, asked] = [tokenizer.ids("a [MASK] b"), tokenizer.ids_with_specials("a [MASK] b")]
        .map(|ids| ids.unwrap());
    assert!(!plain.contains(&mask) && plain.len() == 8, "{plain:?}");
    assert_eq!(asked, [tokenizer.id("a").unwrap(), mask, tokenizer.id("b").unwrap()]);
    assert_eq!(tokenizer.pieces("[SEP]").unwrap().len(), 5);
    assert_eq!(tokenizer.text(&asked).unwrap(), "a b");
}

#[test]
fn pieces_know_their_characters() {
    let tokenizer = small(&["cafe", "##s"]);
    let pieces = tokenizer.pieces("Ünd Cafés.").unwrap();
    let places: Vec<(u32, u32)> = pieces.iter().map(|piece| (piece.start, piece.end)).collect();
    assert_eq!(places, [(0, 1), (1, 2), (2, 3), (4, 8), (8, 9), (9, 10)]);
    let Piece { id, .. } = pieces[3];
    assert_eq!(tokenizer.token(id).unwrap(), "cafe");
}

/// As transformers' tokenizer in Python has it; see `golden_tokenizer.py`.
#[test]
fn ids_are_those_of_transformers() {
    let mut lines = include_str!("../../golden/wordpieces.jsonl").lines();
    let vocabulary: Vec<String> = serde_json::from_str(lines.next().unwrap()).unwrap();
    for (casing, name) in [
        (Casing::default(), "uncased"),
        (Casing { lower_case: false, ..Casing::default() }, "cased"),
        (Casing { strip_accents: Some(false), ..Casing::default() }, "accents"),
    ] {
        let tokenizer = Tokenizer::from_vocabulary(&vocabulary.join("\n"), casing).unwrap();
        let mut encoder = Encoder::new(&tokenizer);
        let mut checked = 0;
        for line in lines.clone() {
            let (of, text, ids): (String, String, Vec<u32>) = serde_json::from_str(line).unwrap();
            if of == name {
                let mut found = vec![];
                encoder.push(&text, &mut found).unwrap();
                assert_eq!(found, ids, "{name} {text:?}");
                checked += 1;
            }
        }
        assert!(checked > 200, "{checked}");
    }
}

/// A text of printable ASCII, accents, CJK, controls and odd spaces.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "[ -~\\t\\n\\r\u{b}\u{c}\u{1c}\u{7f}\u{85}\u{a0}éßİ你\u{301}\u{200b}\u{2028}😀Σς]{0,40}",
        ".{0,20}",
    ]
}

proptest! {
    #[test]
    fn the_fast_way_gives_what_the_library_gives(
        texts in proptest::collection::vec(any_text(), 1..6),
        lower_case: bool,
        strip_accents in proptest::option::of(any::<bool>()),
    ) {
        let casing = Casing { lower_case, strip_accents, split_cjk: true };
        let base = small(&["the", "in", "##ing", "##e", "ab", "ß", "Σ", "你", "é"]);
        let vocabulary: Vec<String> =
            (0..base.size() as u32).map(|id| base.token(id).unwrap()).collect();
        let tokenizer = Tokenizer::from_vocabulary(&vocabulary.join("\n"), casing).unwrap();
        let mut encoder = Encoder::new(&tokenizer);
        let batch = tokenizer.batch(&texts).unwrap();
        for (text, batched) in texts.iter().zip(batch) {
            let library: Vec<u32> =
                tokenizer.pieces(text).unwrap().iter().map(|piece| piece.id).collect();
            let mut fast = vec![];
            prop_assert_eq!(encoder.push(text, &mut fast).unwrap(), fast.len());
            prop_assert_eq!(&fast, &library, "{:?}", text);
            prop_assert_eq!(batched, library);
        }
    }

    #[test]
    fn no_bytes_make_reading_a_tokenizer_panic(bytes: Vec<u8>, cut in 0usize..4000, at in 0usize..4000, to: u8) {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole");
        small(&[]).save(&whole).unwrap();
        let mut json = fs::read(whole.join("tokenizer.json")).unwrap();
        let at = at % json.len();
        json[at] = to;
        json.truncate(json.len().saturating_sub(cut));
        for (name, bytes) in [("tokenizer.json", &json), ("vocab.txt", &bytes), ("tokenizer_config.json", &bytes)] {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            if let Ok(tokenizer) = Tokenizer::open(&path) {
                let _ = tokenizer.ids("A text, [MASK] and é.");
            }
        }
    }
}

#[test]
fn a_saved_tokenizer_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = small(&["film", "##s"]);
    tokenizer.save(folder.path()).unwrap();
    let again = Tokenizer::open(folder.path()).unwrap();
    let from_vocabulary = Tokenizer::open(&folder.path().join("vocab.txt")).unwrap();
    assert_eq!(
        (again.digest(), from_vocabulary.digest()),
        (tokenizer.digest(), tokenizer.digest())
    );
    let mut rng = Rng::new(1);
    for _ in 0..100 {
        let text: String = (0..30).map(|_| (32 + rng.below(95) as u8) as char).collect();
        assert_eq!(again.ids(&text).unwrap(), tokenizer.ids(&text).unwrap());
    }
    // Another vocabulary, and the same one with another casing, are told apart.
    let cased = Casing { lower_case: false, ..Casing::default() };
    let vocabulary = fs::read_to_string(folder.path().join("vocab.txt")).unwrap();
    let cased = Tokenizer::from_vocabulary(&vocabulary, cased).unwrap();
    assert_ne!(cased.digest(), tokenizer.digest());
    assert_ne!(small(&["films", "##s"]).digest(), tokenizer.digest());
    cased.save(folder.path()).unwrap();
    for file in ["", "vocab.txt", "tokenizer.json"] {
        let again = Tokenizer::open(&folder.path().join(file)).unwrap();
        assert_eq!(again.digest(), cased.digest(), "{file}");
    }
}

/// Published files may ask for padding and truncation, name special tokens as objects, and say of
/// casing something else than the pipeline.
#[test]
fn published_settings_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    small(&[]).save(folder.path()).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["truncation"] = serde_json::json!({
        "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0,
    });
    json["padding"] = serde_json::json!({
        "strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
        "pad_type_id": 0, "pad_token": "[PAD]",
    });
    fs::write(&path, json.to_string()).unwrap();
    let config =
        r#"{"do_lower_case": false, "mask_token": {"content": "[MASK]", "lstrip": false}}"#;
    fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
    let tokenizer = Tokenizer::open(folder.path()).unwrap();
    assert_eq!(tokenizer.ids("a b c d e f g").unwrap().len(), 7);
    assert_eq!(tokenizer.ids("A").unwrap(), [tokenizer.specials().unk]);
    let config = r#"{"mask_token": "<mask>"}"#;
    fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
    let error = Tokenizer::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no token `<mask>`"), "{error}");
    let error = Tokenizer::open(&folder.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("name a vocab.txt"), "{error}");
    let error = Tokenizer::from_vocabulary("a\nb\n", Casing::default()).unwrap_err().to_string();
    assert!(error.contains("no token `[PAD]`"), "{error}");
}
