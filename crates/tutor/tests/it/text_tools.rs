//! Discriminators shown, vocabularies made, checkpoints converted, as a user does it.

use std::fs;

use serde_json::Value;

use crate::finetune::{TOKENS, network};
use crate::tutor::{call, command, refused, run, run_folder};

#[test]
fn a_discriminator_shows_what_it_suspects() {
    let dir = tempfile::tempdir().expect("a folder");
    network(dir.path(), "electra_tf");
    // More tokens than the twelve positions, so in parts.
    let text = "The films  was not good.\nNo? It is a bad film, yes. A film was the film.";
    let show = ["show", "replaced", "electra_tf", text];
    let json = run(dir.path(), &[&show[..], &["--json"]].concat());
    let tokens: Vec<Value> = serde_json::from_str(&json).expect("JSON");
    let texts: Vec<&str> = tokens.iter().map(|t| t["token"].as_str().expect("a token")).collect();
    assert_eq!(texts[..5], ["the", "film", "##s", "was", "not"]);
    assert_eq!(tokens.len(), 23, "{texts:?}");
    let (start, end) = (&tokens[2]["start"], &tokens[2]["end"]);
    assert_eq!((start.as_u64(), end.as_u64()), (Some(8), Some(9)));
    let probability = |token: &Value| token["probability"].as_f64().expect("a number");
    assert!(tokens.iter().all(|token| (0.0..=1.0).contains(&probability(token))));
    let plain = run(dir.path(), &show);
    let suspected = tokens.iter().filter(|token| probability(token) > 0.5).count();
    assert!(plain.contains(&format!("{suspected} of 23 tokens")), "{plain}");
    // What is piped has no colours, whatever is asked for by the environment; unless by the user.
    assert!(!plain.contains('\x1b'));
    let none = run(dir.path(), &[&show[..], &["--threshold", "1"]].concat());
    assert!(none.starts_with(&format!("{text}\n0 of 23")), "{none}");
    let all = [&show[..], &["--threshold", "0", "--color", "always"]].concat();
    assert!(run(dir.path(), &all).contains("\x1b[1;31mfilm\x1b[0m\x1b[1;31ms\x1b[0m"));
    network(dir.path(), "bert_tf");
    let said = refused(dir.path(), &["show", "replaced", "bert_tf", "good"]);
    assert!(said.contains("no discriminator") && said.contains("BertForPreTraining"), "{said}");
    let said = refused(dir.path(), &["show", "replaced", "electra_tf", " "]);
    assert!(said.contains("no token"), "{said}");
}

/// A run of pre-training keeps its networks as others read them.
#[test]
fn a_run_of_pre_training_is_shown_and_fine_tuned() {
    let dir = tempfile::tempdir().expect("a folder");
    let arguments = ["run", "electra", "--quick", "--threads", "1", "--rows", "electra"];
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    let asked = folder.display().to_string();
    let shown = run(dir.path(), &["show", "replaced", &asked, "fellow citizens of the senate"]);
    assert!(shown.contains("tokens held for replaced"), "{shown}");
    let sentences = "fellow B-X\ncitizens O\n\nof O\nthe O\nsenate B-X\n\n";
    fs::write(dir.path().join("words.txt"), sentences).expect("written");
    let tag =
        ["finetune", "tag", "--train", "words.txt", "--test", "words.txt", "--max-length", "16"];
    let arguments = [&tag[..], &["--weights", &asked, "--steps", "2", "--seeds", "1"]].concat();
    let tuned = run_folder(dir.path(), &run(dir.path(), &arguments));
    assert!(tuned.join("seed-1/predictions/predictions.txt").is_file());
    let said = refused(dir.path(), &["show", "replaced", &tuned.display().to_string(), "x"]);
    assert!(said.contains("no pre-trained network"), "{said}");
}

#[test]
fn a_vocabulary_is_made_of_texts() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &[u8]| fs::write(dir.path().join(name), text).expect("written");
    file("a.txt", "Low lower lowest.\nLow! U+0085 ends no line: a\u{85}b\n".as_bytes());
    file("b.jsonl", b"{\"text\": \"lower and lower\"}\n");
    let train = ["data", "tokenizer", "train", "a.txt", "b.jsonl", "--vocab-size", "70"];
    let said = run(dir.path(), &train);
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect(name);
    let tokens = read("vocab.txt");
    assert!(tokens.starts_with("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"), "{tokens}");
    assert!(tokens.lines().any(|token| token == "low"), "{tokens}");
    assert!(said.contains(&format!("{} tokens", tokens.lines().count())), "{said}");
    // The order of the files makes no difference.
    let turned = ["data", "tokenizer", "train", "b.jsonl", "a.txt", "--vocab-size", "70"];
    run(dir.path(), &[&turned[..], &["--out", "folder"]].concat());
    assert_eq!(read("folder/vocab.txt"), tokens);
    assert!(dir.path().join("folder/tokenizer.json").is_file());
    let cased = [&train[..], &["--cased", "--out", "cased"]].concat();
    run(dir.path(), &cased);
    assert!(read("cased/tokenizer_config.json").contains("\"do_lower_case\": false"));
    assert!(read("cased/vocab.txt").lines().any(|token| token == "Low"));
    let said = refused(dir.path(), &[&train[..], &["--cased"]].concat());
    assert!(said.contains("folder"), "{said}");
    let small = ["data", "tokenizer", "train", "a.txt", "--vocab-size", "9"];
    let said = refused(dir.path(), &small);
    assert!(said.contains("ask for at least"), "{said}");
    file("bad.txt", b"fine words\nbro\xffken\nfine words\n");
    let bad = ["data", "tokenizer", "train", "bad.txt", "--vocab-size", "40", "--out", "bad"];
    let said = refused(dir.path(), &bad);
    assert!(said.contains("bad.txt line 2"), "{said}");
    assert!(!dir.path().join("bad").exists(), "nothing half-written stays");
    let said = run(dir.path(), &[&bad[..], &["--skip-bad"]].concat());
    assert!(said.contains("left out: a line that is no UTF-8 (once)"), "{said}");
    // What is read is not written over.
    let said = refused(dir.path(), &[&train[..], &["--out", "a.txt"]].concat());
    assert!(said.contains("would be lost"), "{said}");
    let said = refused(dir.path(), &["data", "tokenizer", "train", ".", "--out", "new.txt"]);
    assert!(said.contains("outside"), "{said}");
    file("empty.txt", b"");
    let said = refused(dir.path(), &["data", "tokenizer", "train", "empty.txt"]);
    assert!(said.contains("no word"), "{said}");
}

#[test]
fn a_checkpoint_of_tensorflow_becomes_a_folder_of_the_hub() {
    let dir = tempfile::tempdir().expect("a folder");
    network(dir.path(), "electra_tf");
    let convert = ["weights", "convert", "electra_tf/electra_tf", "--out"];
    let said = run(dir.path(), &[&convert[..], &["main"]].concat());
    assert!(said.contains("ElectraForPreTraining of 2 layers, 32 wide"), "{said}");
    assert!(said.contains("not used: generator/") && said.contains(" more\n"), "{said}");
    let said = run(dir.path(), &[&convert[..], &["generator", "--generator"]].concat());
    assert!(said.contains("ElectraForMaskedLM of 2 layers, 8 wide"), "{said}");
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect(name);
    assert_eq!(read("main/vocab.txt"), TOKENS);
    assert!(read("generator/config.json").contains("ElectraForMaskedLM"));
    let show = |model| run(dir.path(), &["show", "replaced", model, "the film was good", "--json"]);
    assert_eq!(show("main"), show("electra_tf"), "converted or not, it is the same network");
    let said = refused(dir.path(), &[&convert[..], &["main"]].concat());
    assert!(said.contains("already"), "{said}");
    let listed = run(dir.path(), &["weights", "show", "electra_tf/electra_tf.index"]);
    assert!(listed.contains("discriminator_predictions/dense_1/kernel"), "{listed}");
    let index = dir.path().join("electra_tf/electra_tf.index");
    let whole = fs::read(&index).expect("it");
    fs::write(&index, &whole[..whole.len() / 2]).expect("written");
    let said = refused(dir.path(), &[&convert[..], &["half"]].concat());
    assert!(said.contains("electra_tf.index") && said.contains("cut short"), "{said}");
    assert!(!dir.path().join("half").exists(), "nothing half-written stays");
}

/// Colours follow the convention of no-color.org.
#[test]
fn no_color_is_honoured() {
    let dir = tempfile::tempdir().expect("a folder");
    network(dir.path(), "electra_tf");
    let show = ["show", "replaced", "electra_tf", "the film", "--threshold", "0"];
    let mut command = command(dir.path(), &show);
    let out = command.env("NO_COLOR", "1").output().expect("the program starts").stdout;
    assert!(String::from_utf8(out).expect("UTF-8").starts_with("[the] [film]\n"));
    assert!(call(dir.path(), &show).out.starts_with("[the] [film]\n"), "nor does a pipe have them");
}

/// The command gives sacrebleu's number, and refuses references that are no streams.
#[test]
fn translations_are_scored() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    write("t", "The dog bit the man.\nIt wasn't surprising.\nThe man had just bitten him.\n");
    write("a", "The dog bit the man.\nIt was not unexpected.\nThe man bit him first.\n");
    write("b", "The dog had bit the man.\nNo one was surprised.\nThe man had bitten the dog.\n");
    let said = run(dir.path(), &["data", "bleu", "t", "a", "b"]);
    assert!(said.contains("BLEU 48.53: 82.4/50.0/45.5/37.5, brevity penalty 0.943"), "{said}");
    assert!(said.contains("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp"), "{said}");
    let said = run(dir.path(), &["data", "bleu", "a", "a", "--sentences"]);
    assert!(said.starts_with("100.00\t100.00\tThe dog bit the man.\n"), "{said}");
    write("short", "The dog bit the man.\n");
    let said = refused(dir.path(), &["data", "bleu", "t", "a", "short"]);
    assert!(said.contains("reference 2 has 1 line for 3 translations"), "{said}");
}
