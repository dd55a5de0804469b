//! Paraphrases by translating there and back, as a user makes them, with a small random network.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dialog_models::{Marian, MarianConfig};
use serde_json::{Value, json};
use torch::{Device, Params, store};

use crate::tutor::{call, killed, refused, result, run, run_folder};

const SPM: [&str; 3] = ["source.spm", "target.spm", "vocab.json"];

/// A network as opus-mt's with the vocabulary of `data-pipeline`'s golden files.
fn network(folder: &Path, seed: u64) {
    fs::create_dir_all(folder).expect("a folder");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data-pipeline/tests/golden/marian");
    for name in SPM {
        fs::copy(golden.join(name), folder.join(name)).expect("copied");
    }
    let text = fs::read_to_string(golden.join("vocab.json")).expect("text");
    let ids: BTreeMap<String, i64> = serde_json::from_str(&text).expect("JSON");
    let (size, pad) = (ids.len() as i64, ids["<pad>"]);
    let config = MarianConfig {
        vocabularies: [size; 2],
        positions: 64,
        hidden: 16,
        layers: [1; 2],
        heads: [2; 2],
        inner: [24; 2],
        start: pad,
        ..MarianConfig::default()
    };
    torch::rng::seed(seed);
    let (_, params) = Params::build(Device::Cpu, |scope| Marian::new(scope, &config));
    // Texts of about thirty tokens.
    let bias = params.get("final_logits_bias").expect("the bias");
    let _ = bias.select(1, ids["</s>"]).fill_(1.5);
    let meta = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    store::save(&folder.join("model.safetensors"), &params.tensors(), &meta).expect("saved");
    let json = json!({
        "model_type": "marian", "vocab_size": size, "max_position_embeddings": 64, "d_model": 16,
        "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24,
        "activation_function": "swish", "scale_embedding": true, "pad_token_id": pad,
        "decoder_start_token_id": pad, "eos_token_id": ids["</s>"],
    });
    fs::write(folder.join("config.json"), json.to_string()).expect("written");
}

/// A folder with two networks and a table of texts, and the arguments that they are used with.
fn prepared() -> (tempfile::TempDir, Vec<&'static str>) {
    let dir = tempfile::tempdir().expect("a folder");
    network(&dir.path().join("forward"), 1);
    network(&dir.path().join("backward"), 2);
    let texts = [
        "A man in an orange hat is looking at something. Two dogs are playing in the snow!",
        "The film was good,<br />but the ending was not. I didn't like it; my friends did.",
        "short",
        "People are standing on the ice in front of a mountain.",
        "Children run, jump and laugh in the park near the river.",
        // More tokens than there are positions, in one sentence of fewer than 300 characters.
        "zqxzqxzqxz qzxqzxqzxqzx qzxqzxqzxqz xqzxqzxqzxqzxqzx qzxqzxqzxqzxqz xqzxqzxqzxqzx zqxzqxz \
         zqxzqxzqxz qzxqzxqzxqzx qzxqzxqzxqz xqzxqzxqzxqzxqzx qzxqzxqzxqzxqz xqzxqzxqzxqzx zqxzqxz",
    ];
    let rows: String = texts.iter().map(|text| format!("pos\t{text}\n")).collect();
    fs::write(dir.path().join("texts.tsv"), format!("label\treview\n{rows}")).expect("written");
    let arguments = [
        "augment",
        "text",
        "--policy",
        "back-translation",
        "texts.tsv",
        "--forward",
        "forward",
        "--backward",
        "backward",
        "--paraphrases",
        "2",
        "--batch",
        "2",
        "--clean",
        "--device",
        "cpu",
    ];
    (dir, arguments.to_vec())
}

fn store_of(dir: &Path, out: &str) -> PathBuf {
    dir.join(out).join("paraphrases.jsonl")
}

#[test]
fn paraphrases_have_the_same_bytes_however_they_are_made() {
    let (dir, arguments) = prepared();
    let at = dir.path();
    let with = |more: &[&'static str]| [arguments.as_slice(), more].concat();
    let said = run(at, &with(&["whole", "--threads", "1"]));
    let whole = fs::read(store_of(at, "whole")).expect("the file");
    assert!(said.contains("12 paraphrases: 2 of each of 6 texts"), "{said}");
    assert!(said.contains("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"), "{said}");
    let quality = fs::read_to_string(at.join("whole/quality.json")).expect("the figures");
    let quality: Value = serde_json::from_str(&quality).expect("JSON");
    assert!(quality["refused"].as_u64() >= Some(2), "`short` twice: {quality}");
    let list = fs::read_to_string(at.join("whole/para_1.txt")).expect("it");
    assert_eq!((list.lines().count(), list.lines().nth(2)), (6, Some("short")));
    assert!(!list.contains("<br"));

    // In several threads.
    run(at, &with(&["threads", "--threads", "3"]));
    assert!(fs::read(store_of(at, "threads")).expect("the file") == whole);
    // By several processes, one of them stopped when it had made the first of its two batches; its
    // part comes last.
    killed(at, &with(&["parts", "--shard", "1/2"]), "parts", &[".parts/batch-000000.jsonl"]);
    let said = run(at, &with(&["parts", "--shard", "2/2"]));
    assert!(said.contains("part 2 of 2 is made") || said.contains("12 paraphrases"), "{said}");
    let last = call(at, &with(&["parts", "--shard", "1/2"]));
    assert!(last.out.contains("12 paraphrases"), "{}", last.out);
    let cut = |said: &str| -> u64 {
        let line = said.lines().find(|line| line.ends_with("cut at its length")).expect(said);
        line.split(' ').next().expect("a number").parse().expect("a number")
    };
    let again = call(at, &with(&["whole"]));
    assert_eq!(cut(&last.err), cut(&again.err), "those of all processes, and of earlier ones");
    assert!(cut(&last.err) >= 1);
    assert!(fs::read(store_of(at, "parts")).expect("the file") == whole);
    assert!(!at.join("parts/paraphrases.jsonl.parts").exists());
    // Torn in the middle of a line, and taken up.
    fs::create_dir_all(at.join("torn")).expect("a folder");
    fs::write(store_of(at, "torn"), &whole[..whole.len() * 2 / 3]).expect("written");
    run(at, &with(&["torn"]));
    assert!(fs::read(store_of(at, "torn")).expect("the file") == whole);
    // Another temperature is other paraphrases.
    let said = refused(at, &with(&["whole", "--temperature", "0.7"]));
    assert!(said.contains("made with temperature `0.9`, asked for `0.7`"), "{said}");
    run(at, &with(&["cold", "--temperature", "0", "--seed", "5"]));
    assert!(fs::read(store_of(at, "cold")).expect("the file") != whole);
}

#[test]
fn what_cannot_translate_is_refused_by_name() {
    let (dir, arguments) = prepared();
    let at = dir.path();
    let with = |more: &[&'static str]| [arguments.as_slice(), more].concat();
    let said = refused(at, &with(&["out", "--shard", "0/2"]));
    assert!(said.contains("counted from 1: write 1/N to N/N"), "{said}");
    fs::remove_file(at.join("backward/target.spm")).expect("removed");
    let said = refused(at, &with(&["out"]));
    assert!(said.contains("translating by backward") && said.contains("target.spm"), "{said}");
    fs::copy(at.join("forward/target.spm"), at.join("backward/target.spm")).expect("copied");
    let mut ids: BTreeMap<String, i64> =
        serde_json::from_slice(&fs::read(at.join("backward/vocab.json")).expect("it"))
            .expect("JSON");
    ids.insert("one more".into(), ids.len() as i64);
    let text = serde_json::to_string(&ids).expect("JSON");
    fs::write(at.join("backward/vocab.json"), text).expect("written");
    let said = refused(at, &with(&["out"]));
    assert!(said.contains("do not belong together"), "{said}");
    fs::remove_dir_all(at.join("backward")).expect("removed");
    let said = refused(at, &with(&["out"]));
    assert!(said.contains("no weights backward"), "{said}");
    assert!(!store_of(at, "out").exists(), "nothing is written before it can be made");
}

/// Reviews as IMDb's subset has them: `unsup` has a short one, which UDA leaves out.
fn reviews(at: &Path) {
    fs::create_dir_all(at.join("data/imdb")).expect("a folder");
    let text = |i: usize| {
        let word = ["good", "bad", "long", "naïve", "loud"][i % 5];
        let of = ["dog", "man", "girl", "film"][i % 4];
        let sentence = format!("The {word} {of} of film {i} is playing in the snow near a park. ");
        let mut text = sentence.repeat(9);
        // A character that ends no line, and one that cleaning takes out.
        text.insert(20, '\u{85}');
        text + "<br />It was good."
    };
    let file = |name: &str, rows: Vec<(String, &str, String)>| {
        let lines = rows.iter().map(|(id, label, text)| format!("{id}\t{label}\t{text}\n"));
        let whole = format!("id\tlabel\tcontent\n{}", lines.collect::<String>());
        fs::write(at.join("data/imdb").join(name), whole).expect("written");
    };
    let labeled = |from: usize, count: usize| {
        let row = |i: usize| {
            let label = ["neg", "pos"][i % 2];
            (format!("{label}_{i}_5.txt"), label, text(i))
        };
        (from..from + count).map(row).collect()
    };
    file("train.tsv", labeled(0, 20));
    file("test.tsv", labeled(100, 8));
    let bare = |i: usize| (format!("unsup_{i}_0.txt"), "unsup", text(i));
    let mut bare: Vec<(String, &str, String)> = (200..206).map(bare).collect();
    bare.push(("unsup_206_0.txt".to_owned(), "unsup", "Too short.".to_owned()));
    file("unsup.tsv", bare);
}

#[test]
fn paraphrases_of_reviews_are_what_the_recipe_reads() {
    let (dir, _) = prepared();
    let at = dir.path();
    reviews(at);
    let augment = [
        "augment",
        "text",
        "--policy",
        "back-translation",
        "--reviews",
        "imdb",
        "data/imdb",
        "data/imdb-paraphrases",
        "--forward",
        "forward",
        "--backward",
        "backward",
        "--paraphrases",
        "2",
        "--device",
        "cpu",
    ];
    let said = run(at, &augment);
    // Labelled reviews of the training part are among them; the short one is not.
    assert!(said.contains("52 paraphrases: 2 of each of 26 texts"), "{said}");
    let train = [
        "run",
        "uda-text/imdb",
        "--quick",
        "--threads",
        "1",
        "--seeds",
        "1",
        "--data",
        "data",
        "--labels",
        "20",
        "--rows",
        "supervised,uda-bt",
        "--set",
        "text={kind='imdb'}",
        "--set",
        "test=8",
    ];
    let called = call(at, &train);
    assert!(called.success, "{}", called.err);
    assert!(!called.err.contains("left out"), "{}", called.err);
    let folder = run_folder(at, &called.out);
    let found = result(&folder);
    let names: Vec<&str> =
        found["rows"].as_array().expect("rows").iter().filter_map(|r| r["name"].as_str()).collect();
    assert_eq!(names, ["20 labels, supervised", "20 labels, uda-bt"]);
    let page = fs::read_to_string(folder.join("report.html")).expect("the page");
    assert!(page.contains("paraphrases of imdb-paraphrases"), "the views side by side");
    // Other reviews than those that were paraphrased are no pairs, nor the same in another order.
    let unsup = at.join("data/imdb/unsup.tsv");
    let text = fs::read_to_string(&unsup).expect("it");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.swap(1, 2);
    let said_of = |lines: &[&str]| {
        fs::write(&unsup, lines.join("\n") + "\n").expect("written");
        refused(at, &[&train[..], &["--out", "other"]].concat())
    };
    let said = said_of(&lines);
    assert!(said.contains("26 texts that are not the 26") && said.contains("order"), "{said}");
    lines.remove(1);
    let said = said_of(&lines);
    assert!(said.contains("26 texts that are not the 25"), "{said}");
}
