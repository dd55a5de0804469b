//! Vocabularies, their files, text as it comes, encoded pairs.

use crate::published;
use data_pipeline::dataset::Samples;
use data_pipeline::dialog::*;
use data_pipeline::loader::{Loader, Stream};
use data_pipeline::sampler::Order;
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

/// The files of a GPT-2 whose vocabulary has the bytes and nothing else.
fn gpt2(folder: &std::path::Path) {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut hidden = '\u{100}'..;
    let mut name = |byte| if printable(byte) { char::from(byte) } else { hidden.next().unwrap() };
    let mut vocabulary: serde_json::Map<String, serde_json::Value> =
        (0..=255u8).map(|byte| (name(byte).to_string(), byte.into())).collect();
    vocabulary.insert("<|endoftext|>".to_owned(), 256.into());
    let vocabulary = serde_json::Value::from(vocabulary).to_string();
    std::fs::write(folder.join("vocab.json"), vocabulary).unwrap();
    std::fs::write(folder.join("merges.txt"), "#version: 0.2\n").unwrap();
}

/// What a folder adds to the vocabulary of GPT-2, and how a network ends turns that was fine-tuned.
#[test]
fn tokens_that_a_folder_adds_are_known() {
    let folder = tempfile::tempdir().unwrap();
    gpt2(folder.path());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let open = || DialogTokenizer::open(folder.path());
    assert_eq!(open().unwrap().size(), 257);
    write("added_tokens.json", r#"{"<|im_end|>": 257, "café": 260}"#);
    write("tokenizer_config.json", r#"{"eos_token": "<|im_end|>"}"#);
    let tokenizer = open().unwrap();
    assert_eq!(tokenizer.ids("a café").unwrap(), [97, 32, 260]);
    assert_eq!(tokenizer.decode(&[97, 257, 260, 256]), "acafé");
    // Control tokens in texts are text.
    assert_eq!(tokenizer.ids("<|im_end|>").unwrap().len(), 10);
    assert_eq!((tokenizer.end(), tokenizer.turn(), tokenizer.size()), (256, 256, 261));
    let digest = tokenizer.digest();
    let ended = tokenizer.ended_by(257).unwrap();
    assert_eq!((ended.end(), ended.turn()), (257, 257));
    assert_ne!(ended.digest(), digest);
    for no_special_token in [97, 260, 300] {
        assert!(open().unwrap().ended_by(no_special_token).is_none(), "{no_special_token}");
    }
    write("added_tokens.json", r#"{"café": 97}"#);
    let error = open().unwrap_err().to_string();
    assert!(error.contains("`café` has the id 97, which `a` has"), "{error}");
}

static TOKENIZER: LazyLock<DialogTokenizer> = LazyLock::new(|| {
    let mut trainer = BpeTrainer::default();
    for text in ["the film was great, the film was long", "I like it too!", "5 or 6 of the films"] {
        trainer.count(text);
    }
    trainer.tokenizer(BpeSize { tokens: 320, ..BpeSize::default() }).unwrap()
});

/// Characters that the texts did not have, and letters too, are spelled in bytes.
#[test]
fn unknown_characters_are_spelled_in_bytes() {
    let text = "naïve 🐙 v";
    let ids = TOKENIZER.ids(text).unwrap();
    assert_eq!(TOKENIZER.decode(&ids), text);
    let v = TOKENIZER.token(*ids.last().unwrap());
    assert_eq!(v.as_deref(), Some("<0x76>"));
    assert_eq!(TOKENIZER.ids("mug").unwrap().len(), 3);
    let names: Vec<_> = (0..4).map(|id| TOKENIZER.token(id).unwrap()).collect();
    assert_eq!(names, ["<pad>", "<end>", "<turn>", "<0x00>"]);
    assert!(TOKENIZER.size() <= 320 && TOKENIZER.ids(" film").unwrap().len() == 1);
}

#[test]
fn special_tokens_in_texts_are_texts() {
    for text in ["a <end> b<turn>", "<0x41>", "<pad>", "\u{2581}the ▁"] {
        let ids = TOKENIZER.ids(text).unwrap();
        assert!(ids.iter().all(|&id| id > TOKENIZER.turn()), "{text}");
        assert_eq!(TOKENIZER.decode(&ids), text);
    }
    assert_eq!(TOKENIZER.decode(&[TOKENIZER.end(), TOKENIZER.turn()]), "");
}

#[test]
fn a_saved_tokenizer_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    TOKENIZER.save(folder.path()).unwrap();
    let other = DialogTokenizer::open(folder.path()).unwrap();
    assert_eq!((other.digest(), other.size()), (TOKENIZER.digest(), TOKENIZER.size()));
    assert_eq!((other.end(), other.turn(), other.pad()), (1, 2, Some(0)));
    assert_eq!(other.ids("the <end> 🐙").unwrap(), TOKENIZER.ids("the <end> 🐙").unwrap());

    let path = folder.path().join("tokenizer.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    for (from, to, fault) in [
        ("\"<0x80>\"", "\"<0y80>\"", "no token for the byte 0x80"),
        ("\"<end>\"", "\"<fin>\"", "none of the special tokens"),
        ("\"BPE\"", "\"ABC\"", "tokenizer.json"),
    ] {
        std::fs::write(&path, whole.replace(from, to)).unwrap();
        let error = DialogTokenizer::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(fault) && error.contains("tokenizer.json"), "{error}");
    }
    let error = DialogTokenizer::open(&folder.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("vocab.json"), "{error}");
}

#[test]
fn the_same_texts_give_the_same_vocabulary() {
    let texts: Vec<String> = (0..200u32)
        .map(|i| format!("word{} is é{} ", i * i % 37, i % 11) + &"abc ".repeat(i as usize % 5))
        .collect();
    let size = BpeSize { tokens: 400, most_characters: 12, ..BpeSize::default() };
    let digest = |texts: Vec<&String>| {
        let mut trainer = BpeTrainer::default();
        texts.into_iter().for_each(|text| trainer.count(text));
        trainer.tokenizer(size).unwrap().digest()
    };
    let first = digest(texts.iter().collect());
    for _ in 0..3 {
        assert_eq!(digest(texts.iter().rev().collect()), first);
    }
    let nothing = BpeTrainer::default().tokenizer(size).unwrap_err().to_string();
    assert!(nothing.contains("no word"), "{nothing}");
}

proptest! {
    #[test]
    fn every_text_comes_back(text in prop_oneof!["\\PC{0,20}", any::<String>(), "[ a-z<>\u{2581}\n]{0,20}"]) {
        let ids = TOKENIZER.ids(&text).unwrap();
        prop_assert_eq!(TOKENIZER.decode(&ids), &text[..]);
        let mut stream = TOKENIZER.stream();
        let mut pieces: Vec<String> = ids.iter().map(|&id| stream.push(id)).collect();
        let half = |text: &str| text.contains('\u{fffd}');
        let whole = half(&text) || !pieces.iter().any(|piece| half(piece));
        prop_assert!(whole, "{:?}", pieces);
        pieces.push(stream.finish());
        prop_assert_eq!(pieces.concat(), text);
    }

    /// What a network writes need not be a text.
    #[test]
    fn any_ids_can_be_decoded(ids in prop::collection::vec(0u32..340, 0..30)) {
        let mut stream = TOKENIZER.stream();
        let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
        text += &stream.finish();
        prop_assert_eq!(text, TOKENIZER.decode(&ids));
    }
}

/// Of a character whose bytes come one by one nothing is shown before it is whole.
#[test]
fn bytes_come_as_whole_characters() {
    for (text, whole) in [("ok 🐙!", "🐙"), ("來 here", "來"), ("👍🏽", "🏽")] {
        let ids = TOKENIZER.ids(text).unwrap();
        let mut stream = TOKENIZER.stream();
        let mut pieces: Vec<String> = ids.iter().map(|&id| stream.push(id)).collect();
        pieces.push(stream.finish());
        assert_eq!(pieces.concat(), text);
        let at = pieces.iter().position(|piece| piece.contains(whole)).unwrap();
        let nothing = pieces[..at].iter().rev().take_while(|piece| piece.is_empty()).count();
        assert_eq!(nothing, whole.len() - 1, "{pieces:?}");
    }
}

/// The same with the vocabulary of GPT-2.
#[test]
fn text_comes_in_whole_characters() {
    let Some(folder) = published("vocab/gpt2") else { return };
    let tokenizer = DialogTokenizer::open(&folder).unwrap();
    assert_eq!((tokenizer.size(), tokenizer.end(), tokenizer.turn()), (50_257, 50_256, 50_256));
    let cases: [(&str, &[u32], &[&str]); 3] = [
        ("ok 🐙!", &[482, 12_520, 238, 247, 0], &["ok", "", "", " 🐙", "!"]),
        ("來 here", &[160, 122, 228, 994], &["", "", "來", " here"]),
        (
            "I’m 👍🏽",
            &[40, 447, 247, 76, 50_169, 235, 8582, 237, 121],
            &["I", "", "’", "m", "", " 👍", "", "", "🏽"],
        ),
    ];
    for (text, ids, pieces) in cases {
        assert_eq!(tokenizer.ids(text).unwrap(), ids);
        let mut stream = tokenizer.stream();
        let found: Vec<String> = ids.iter().map(|&id| stream.push(id)).collect();
        assert_eq!(found, pieces);
        assert_eq!((stream.finish(), tokenizer.decode(ids)), (String::new(), text.to_owned()));
    }
    assert_eq!(tokenizer.ids("<|endoftext|>").unwrap().len(), 7);
}

fn pair(context: &[&str], response: &str) -> Pair {
    Pair {
        part: DialogPart::Train,
        conversation: "c".into(),
        id: "1".into(),
        context: context.iter().map(|&turn| turn.into()).collect(),
        response: response.into(),
    }
}

#[test]
fn long_contexts_lose_their_oldest_turns() {
    let (turn, end) = (TOKENIZER.turn(), TOKENIZER.end());
    let ids = |text: &str| TOKENIZER.ids(text).unwrap();
    let lengths = PairLengths { context: 6, response: 3 };
    let encoded =
        |context: &[&str], response| lengths.encode(&TOKENIZER, &pair(context, response)).unwrap();
    let found = encoded(&["5", "6", "7"], "8");
    let whole = [ids("5"), vec![turn], ids("6"), vec![turn], ids("7"), vec![turn]].concat();
    assert_eq!(found.ids, [whole, ids("8"), vec![end]].concat());
    assert_eq!(found.first, 6);
    let found = encoded(&["1234", "6", "7"], "1234");
    assert_eq!(found.ids[..4], [ids("6"), vec![turn], ids("7"), vec![turn]].concat());
    // A response that is cut has no end.
    assert_eq!(found.ids[4..], ids("1234")[..3]);
    let found = encoded(&["12345678"], "8");
    assert_eq!(found.ids[..6], [&ids("12345678")[3..], &[turn]].concat());
    assert!(PairLengths { context: 1, response: 3 }.check().is_err());
}

#[test]
fn batches_are_the_same_for_any_number_of_workers() {
    let pairs: Vec<Pair> =
        (0..50).map(|i| pair(&["the film"], &"was long ".repeat(1 + i % 7))).collect();
    let pairs: Vec<&Pair> = pairs.iter().collect();
    let set = EncodedPairs::new("toy", &pairs, &TOKENIZER, &PairLengths::default()).unwrap();
    assert_eq!((set.len(), set.id(3)), (50, "toy/c/1".into()));
    let responses: usize =
        pairs.iter().map(|p| TOKENIZER.ids(&p.response).unwrap().len() + 1).sum();
    assert_eq!(set.response_tokens(), responses as u64);
    let set = Arc::new(set);
    let batches = |workers| {
        let mut stream = Stream::shuffled(set.clone(), PackPairs, 8, 1);
        stream.order = Order::Bucketed;
        let steps = Loader::builder(vec![stream]).steps(0..12).workers(workers).start();
        steps.map(|step| step.unwrap().batches.remove(0)).collect::<Vec<_>>()
    };
    let one = batches(0);
    assert_eq!(one, batches(3));
    for batch in &one {
        for ((context, response), &index) in batch.data.rows().zip(&batch.indices) {
            let both = [context, response].concat();
            let ids: Vec<u32> = both.iter().map(|&id| id as u32).collect();
            assert_eq!(ids, set.item(index as usize).unwrap().ids);
        }
    }
}
