//! Networks that reply, trained on a folder of pairs that `tutor data dialog` made.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::tutor::{call, command, killed, refused, result, run, run_folder};

const RECIPE: &str = r#"
kind = "meena"
name = "mine/made"
about = "a small network on pairs that were made before"

[data]
kind = "made"
path = "pairs"

[net]
hidden = 32
heads = 2
decoder_blocks = 1

[train]
steps = 6
batch = 4
lr = { kind = "constant", value = 0.001 }
optim = { kind = "adafactor" }

[cadence]
log = 2
evaluate = 3
checkpoint = 3

[replies]
contexts = 2
prompts = [["How do you like the water?"]]
choice = { sample = { candidates = 2, max_tokens = 8 } }

[[rows]]
name = "evolved"
about = "Evolved Transformer"
"#;

/// Eighty conversations of six messages, and the pairs in `pairs`, by options of its own or by
/// these; gives what was printed.
fn make(dir: &Path, more: &[&str]) -> String {
    let words = ["well", "film", "night", "water", "street", "always", "yellow", "train", "how"];
    let mut state = 7u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        words[(state >> 33) as usize % words.len()]
    };
    let mut lines = String::new();
    for conversation in 0..80 {
        for id in 0..6 {
            let parent = if id == 0 { "null".to_owned() } else { (id - 1).to_string() };
            let text: Vec<&str> = (0..8).map(|_| word()).collect();
            lines += &format!(
                "{{\"conversation\": \"{conversation}\", \"id\": {id}, \"parent\": {parent}, \
                 \"text\": \"{}\"}}\n",
                text.join(" ")
            );
        }
    }
    std::fs::write(dir.join("talk.jsonl"), lines).expect("written");
    let call = ["data", "dialog", "talk.jsonl", "--out", "pairs", "--vocab-size", "400"];
    let shares = ["--context", "40", "--response", "20", "--validation", "0.2", "--test", "0.2"];
    let shares = if more.is_empty() { &shares[..] } else { more };
    run(dir, &[&call[..], shares].concat())
}

fn recipe(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).expect("written");
}

/// A file of this name below a folder.
fn found(below: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(below).ok()?;
    entries.filter_map(|entry| Some(entry.ok()?.path())).find_map(|path| {
        if path.file_name().is_some_and(|own| own == name) {
            return Some(path);
        }
        let is_folder = path.is_dir() && !path.is_symlink();
        is_folder.then(|| found(&path, name)).flatten()
    })
}

#[test]
fn a_network_learns_from_pairs_that_were_made_and_is_talked_to() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let said = make(dir, &[]);
    let line = said.lines().find(|line| line.starts_with("test ")).expect("the part");
    let tests: u64 = line.split_whitespace().nth(1).expect("it").parse().expect("a number");
    recipe(dir, "mine.toml", RECIPE);

    let checked = call(dir, &["check", "mine.toml"]);
    assert!(checked.success, "{}", checked.err);
    let told = format!("{tests} to test; ");
    assert!(checked.err.contains(&told) && checked.err.contains("at most 40 "), "{}", checked.err);
    assert!(checked.out.contains("kind = \"made\"") && !checked.out.contains("[filters]"));

    let folder = run_folder(dir, &run(dir, &["run", "mine.toml", "--threads", "1"]));
    let rows = result(&folder)["rows"].as_array().expect("rows").clone();
    assert_eq!(rows[0]["metric"], "test perplexity of a token");
    assert_eq!(rows[0]["examples"], tests);
    let page = std::fs::read_to_string(folder.join("report.md")).expect("the report");
    for words in ["pairs made of 480 messages", "| read | 480 |"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let page = std::fs::read_to_string(folder.join("report.html")).expect("the page");
    assert!(page.contains("were made before the run"), "{page}");
    // Perplexity is by conversation; contexts are read back from token ids.
    let row = std::fs::read_to_string(folder.join("seed-1/evolved/row.json")).expect("the row");
    let row: serde_json::Value = serde_json::from_str(&row).expect("JSON");
    let conversations = row["test"]["conversations"].as_array().expect("conversations").len();
    assert!(conversations > 4 && (conversations as u64) * 5 >= tests, "{conversations} {tests}");
    let items = std::fs::read_to_string(folder.join("items.jsonl")).expect("items");
    assert_eq!(items.lines().count(), 2);
    let talk = std::fs::read_to_string(dir.join("talk.jsonl")).expect("what was said");
    let item: serde_json::Value =
        serde_json::from_str(items.lines().next().expect("an item")).expect("JSON");
    let turns = item["context"].as_array().expect("turns");
    let turn = turns[turns.len() - 1]["text"].as_str().expect("a text").to_owned();
    assert!(!turn.is_empty() && talk.contains(&format!("\"{turn}\"")), "{turn}");

    // The resolved recipe is the same run; the network needs its pairs no longer.
    let kept = folder.join("recipe.toml").display().to_string();
    assert!(call(dir, &["check", &kept]).success);
    std::fs::rename(dir.join("pairs"), dir.join("away")).expect("moved");
    let folder = folder.display().to_string();
    let mut chat = command(dir, &["chat", &folder, "--candidates", "2", "--max-tokens", "5"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    chat.stdin.take().expect("a pipe").write_all(b"Hello you\n").expect("written");
    assert!(chat.wait_with_output().expect("ended").status.success());
}

#[test]
fn a_run_that_was_stopped_goes_on_with_its_pairs_and_with_no_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    make(dir, &[]);
    recipe(dir, "mine.toml", RECIPE);
    let base = ["run", "mine.toml", "--threads", "1", "--out"];
    let of = |out: &'static str| [&base[..], &[out]].concat();
    let whole = run_folder(dir, &run(dir, &of("whole")));
    let files = ["vocabulary/tokenizer.json", "evolved/checkpoints/step-"];
    killed(dir, &of("broken"), "broken", &files);
    let broken = run_folder(dir, &run(dir, &of("broken")));
    for file in ["vocabulary/tokenizer.json", "pairs.json", "seed-1/evolved/final.safetensors"] {
        let read = |run: &Path| std::fs::read(run.join(file)).expect("a file");
        assert!(read(&whole) == read(&broken), "{file}");
    }

    // A run that has just begun.
    recipe(dir, "long.toml", &RECIPE.replace("steps = 6", "steps = 100000"));
    let long = ["run", "long.toml", "--threads", "1", "--out", "long"];
    let mut child =
        command(dir, &long).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
    let start = Instant::now();
    while found(&dir.join("long"), "pairs.json").is_none() {
        assert!(start.elapsed() < Duration::from_secs(120), "no pairs.json");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    std::fs::remove_dir_all(dir.join("pairs")).expect("removed");
    let shares = ["--context", "40", "--response", "20", "--validation", "0.3", "--test", "0.2"];
    make(dir, &shares);
    let said = refused(dir, &long);
    assert!(said.contains("pairs.json") && said.contains("--fresh"), "{said}");
}

#[test]
fn what_does_not_fit_the_pairs_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    make(dir, &[]);
    let check = |text: &str| {
        recipe(dir, "odd.toml", text);
        refused(dir, &["check", "odd.toml"])
    };
    for (old, new, part) in [
        ("heads = 2", "heads = 2\nvocabulary = 2048", "net.vocabulary: is 2048"),
        ("[train]", "[lengths]\ncontext = 96\n\n[train]", "--context 40: leave the key out"),
        ("[train]", "[filters]\nurls = false\n\n[train]", "filters: data.kind is made"),
        ("[train]", "[vocabulary]\ntokens = 400\n\n[train]", "vocabulary: data.kind is made"),
        ("[train]", "[split]\nseed = 2\n\n[train]", "split: data.kind is made"),
    ] {
        let said = check(&RECIPE.replace(old, new));
        assert!(said.contains(part), "{part}: {said}");
    }
    // What agrees may stand there.
    recipe(dir, "fine.toml", RECIPE);
    let told = call(dir, &["check", "fine.toml"]).err;
    let (before, _) = told.split_once(" tokens; contexts").expect("the vocabulary");
    let tokens = before.rsplit(' ').next().expect("its size");
    let agrees = RECIPE.replace("heads = 2", &format!("heads = 2\nvocabulary = {tokens}"));
    let agrees = agrees.replace("[train]", "[lengths]\ncontext = 40\n\n[train]");
    recipe(dir, "fine.toml", &agrees);
    let checked = call(dir, &["check", "fine.toml"]);
    assert!(checked.success, "{}", checked.err);
    assert!(checked.out.contains(&format!("vocabulary = {tokens}")), "{}", checked.out);

    std::fs::rename(dir.join("pairs/built.json"), dir.join("built.json")).expect("moved");
    let said = check(RECIPE);
    assert!(said.contains("half made"), "{said}");
    std::fs::remove_dir_all(dir.join("pairs")).expect("removed");
    make(dir, &["--context", "40", "--response", "20", "--validation", "0.2", "--test", "0"]);
    let said = check(RECIPE);
    assert!(said.contains("no pair in its test part"), "{said}");
    std::fs::remove_dir_all(dir.join("pairs")).expect("removed");
    std::fs::create_dir(dir.join("pairs")).expect("made");
    let said = check(RECIPE);
    assert!(said.contains("no pairs were made there"), "{said}");
    std::fs::remove_dir(dir.join("pairs")).expect("removed");
    let checked = call(dir, &["check", "odd.toml"]);
    assert!(checked.success && checked.err.contains("missing: data.path: "), "{}", checked.err);
    let said = refused(dir, &["run", "odd.toml"]);
    assert!(said.contains("--data DIR"), "{said}");
}
