//! Tokenizers: ids of published vocabularies, special tokens in texts, files.

use super::{small, uncased};
use augment::rng::Rng;
use data_pipeline::dialog::{BpeSize, BpeTrainer};
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

/// Accents, Chinese, control characters and long words, on the published vocabulary.
#[test]
fn ids_of_the_uncased_vocabulary() {
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

/// Accents, Chinese, control characters and long words, on a vocabulary that has only what is
/// needed.
#[test]
fn tokens_without_the_published_vocabulary() {
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

/// What a text says is text, unless special tokens are asked for.
#[test]
fn special_tokens_in_texts_are_text() {
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

/// A `vocab.txt` by itself may be cased, of another kind of tokenizer, or none of pieces.
#[test]
fn a_vocabulary_is_read_as_its_files_say_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let open = || Tokenizer::open(folder.path());
    let refused = || open().unwrap_err().to_string();
    let specials = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    let cased = format!("{specials}Film\nfilm\n##s\n");
    write("vocab.txt", &cased);
    let error = refused();
    assert!(error.contains("do_lower_case") && error.contains("--cased"), "{error}");
    let film = [5];
    assert_eq!(Tokenizer::open_cased(folder.path()).unwrap().ids("Film").unwrap(), film);
    write("tokenizer_config.json", r#"{"model_max_length": 64}"#);
    assert!(refused().contains("do_lower_case"), "{}", refused());
    write("tokenizer_config.json", r#"{"do_lower_case": false}"#);
    assert_eq!(open().unwrap().ids("Film").unwrap(), film);
    write("tokenizer_config.json", r#"{"do_lower_case": true}"#);
    assert_eq!(open().unwrap().ids("Film").unwrap(), [6]);
    let error = Tokenizer::open_cased(folder.path()).unwrap_err().to_string();
    assert!(error.contains("leave --cased out"), "{error}");

    let japanese = r#"{"tokenizer_class": "BertJapaneseTokenizer", "do_lower_case": false}"#;
    write("tokenizer_config.json", japanese);
    assert!(refused().contains("BertJapaneseTokenizer"), "{}", refused());
    // The one of the tokenizer counts more than the one of the network.
    let network = r#"{"model_type": "bert", "tokenizer_class": "BertJapaneseTokenizer"}"#;
    write("config.json", network);
    let fast = r#"{"tokenizer_class": "BertTokenizerFast", "do_lower_case": false}"#;
    write("tokenizer_config.json", fast);
    open().unwrap();
    write("tokenizer_config.json", r#"{"do_lower_case": false}"#);
    assert!(refused().contains("config.json"), "{}", refused());
    // One that is no network's, or that is broken, says nothing.
    for other in [r#"{"tokenizer_class": "BertJapaneseTokenizer"}"#, "{", "[1]", ""] {
        write("config.json", other);
        open().unwrap();
    }
    write("config.json", network);
    // All of what it does stands in a tokenizer.json.
    small(&[]).save(&folder.path().join("whole")).unwrap();
    let whole = fs::read_to_string(folder.path().join("whole/tokenizer.json")).unwrap();
    write("tokenizer.json", &whole);
    open().unwrap();
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    fs::remove_file(folder.path().join("config.json")).unwrap();

    let words: String = (0..200).map(|i| format!("word{i}\n")).collect();
    write("vocab.txt", &format!("{specials}{words}"));
    assert!(refused().contains("`##`"), "{}", refused());
    // Codes are no words.
    write("vocab.txt", &format!("{specials}a\nc\ng\nt\n"));
    open().unwrap();
}

/// Where texts that are too long are cut, in files of several ages.
#[test]
fn files_say_which_side_of_a_text_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    small(&[]).save(folder.path()).unwrap();
    let open = |config: &str| {
        fs::write(path("tokenizer_config.json"), config).unwrap();
        let found = Tokenizer::open(folder.path()).unwrap();
        (found.cuts_start(), found.longest())
    };
    assert_eq!(open("{}"), (false, None));
    assert_eq!(open(r#"{"truncation_side": "left", "max_len": 128}"#), (true, Some(128)));
    assert_eq!(open(r#"{"max_len": 128, "model_max_length": 64}"#), (false, Some(64)));
    let mut json: serde_json::Value =
        serde_json::from_slice(&fs::read(path("tokenizer.json")).unwrap()).unwrap();
    json["truncation"] = serde_json::json!({
        "direction": "Left", "max_length": 4, "strategy": "LongestFirst", "stride": 0,
    });
    fs::write(path("tokenizer.json"), json.to_string()).unwrap();
    assert_eq!(open("{}"), (true, None));
    assert_eq!(open(r#"{"truncation_side": "right"}"#), (false, None));
    fs::remove_file(path("tokenizer.json")).unwrap();
    assert_eq!(open(r#"{"truncation_side": "left"}"#), (true, None));
}

/// What a published folder adds is found in texts as a whole, the longest first; special tokens
/// that have a role are text all the same.
#[test]
fn tokens_that_a_folder_adds_are_found_in_texts() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: String| fs::write(path(name), text).unwrap();
    let open = || Tokenizer::open(folder.path());
    small(&[]).save(folder.path()).unwrap();
    let whole = fs::read_to_string(path("tokenizer.json")).unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        fs::remove_file(path(name)).unwrap();
    }
    let plain = open().unwrap();
    let size = plain.size() as u32;
    let [a, b] = ["a", "b"].map(|text| plain.ids(text).unwrap()[0]);

    // Beside `vocab.txt`.
    let tokens =
        |id| format!(r#"{{"covid": {}, "covidword": {id}, "<user>": {}}}"#, id + 1, id + 2);
    write("added_tokens.json", tokens(size));
    write("special_tokens_map.json", r#"{"additional_special_tokens": ["<user>"]}"#.to_owned());
    let slow = open().unwrap();
    assert_eq!(slow.ids("Covidword a COVIDb").unwrap(), [size, a, size + 1, b]);
    assert_eq!(slow.ids("a<user> b").unwrap(), [a, size + 2, b]);
    for text in ["a [MASK] b", "[PAD]", "<USER>", "[sep]"] {
        assert_eq!(slow.ids(text).unwrap(), plain.ids(text).unwrap(), "{text}");
    }
    assert!(slow.check_fits(size as usize + 3).is_ok());
    assert!(slow.check_fits(size as usize + 2).is_err(), "an id without a row");
    assert_ne!(slow.digest(), plain.digest());
    let saved = tempfile::tempdir().unwrap();
    slow.save(saved.path()).unwrap();
    let again = Tokenizer::open(saved.path()).unwrap();
    assert_eq!(again.digest(), slow.digest());
    assert_eq!(again.ids("a<user> covid").unwrap(), [a, size + 2, size + 1]);
    // A gap between ids is as it is.
    write("added_tokens.json", tokens(size + 7));
    assert_eq!(open().unwrap().ids("covidword").unwrap(), [size + 7]);
    for (tokens, fault) in [
        (tokens(5), "`covidword` has the id 5"),
        (r#"{"x": 4000000000}"#.to_owned(), "`x` has the id 4000000000"),
        (r#"{"x": 1000, "y": 1000}"#.to_owned(), "both have the id 1000"),
        (r#"{"x": -1}"#.to_owned(), "the id of `x` is -1"),
    ] {
        write("added_tokens.json", tokens);
        let error = open().unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
    }

    // Beside `tokenizer.json`, and in it.
    write("tokenizer.json", whole.clone());
    let config = |id: u32, more: &str| {
        format!(
            r#"{{"added_tokens_decoder": {{
                "4": {{"content": "[MASK]", "special": true}},
                "{id}": {{"content": "[E1]", "special": true, "normalized": false}}}}{more}}}"#
        )
    };
    write("tokenizer_config.json", config(size, ""));
    let fast = open().unwrap();
    assert_eq!(fast.ids("a [E1] b").unwrap(), [a, size, b]);
    assert_eq!(fast.ids("[MASK] [e1]").unwrap(), plain.ids("[MASK] [e1]").unwrap());
    write("tokenizer_config.json", config(size + 1, ""));
    let error = open().unwrap_err().to_string();
    assert!(error.contains(&format!("`[E1]` with the id {}", size + 1)), "{error}");
    let mut json: serde_json::Value = serde_json::from_str(&whole).unwrap();
    json["added_tokens"].as_array_mut().unwrap().push(serde_json::json!({
        "id": size, "content": "[E1]", "special": true, "normalized": false, "single_word": false,
        "lstrip": false, "rstrip": false,
    }));
    write("tokenizer.json", json.to_string());
    for (config, ids) in
        [("{}", vec![size]), (r#"{"eos_token": "[E1]"}"#, plain.ids("[E1]").unwrap())]
    {
        write("tokenizer_config.json", config.to_owned());
        assert_eq!(open().unwrap().ids("[E1]").unwrap(), ids, "{config}");
    }

    // How long sequences may be.
    for (said, longest) in [("64", Some(64)), ("1000000000000000019884624838656", None)] {
        write("tokenizer_config.json", config(size, &format!(", \"model_max_length\": {said}")));
        assert_eq!(open().unwrap().longest(), longest);
    }
}

#[test]
fn a_tokenizer_of_dialogues_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = BpeTrainer::default();
    ["good day", "a good day"].into_iter().for_each(|text| trainer.count(text));
    trainer.tokenizer(BpeSize::default()).unwrap().save(folder.path()).unwrap();
    let error = Tokenizer::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("open it by `DialogTokenizer::open`"), "{error}");
}
