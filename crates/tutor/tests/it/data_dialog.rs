//! Pairs of dialogues from one's own dumps, as a user makes them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::tutor::{killed, refused, run, run_folder};

/// Writes a dump of at least `bytes` bytes: trees of up to 30 messages, every reply before what it
/// answers, the lines of 40 conversations mixed; one message in 40 says the same as others.
fn dump(path: &Path, bytes: usize) {
    const WORDS: [&str; 12] = [
        "well", "film", "night", "water", "street", "always", "yellow", "train", "sudden", "music",
        "letter", "garden",
    ];
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("a file"));
    let mut state = 7u64;
    let mut random = |n: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let (mut written, mut conversation) = (0, 0);
    while written < bytes {
        let mut lines = Vec::new();
        for _ in 0..40 {
            conversation += 1;
            for id in (0..=random(30)).rev() {
                let text = match random(40) {
                    0 => "Thank you very much.".to_owned(),
                    1 => "see http://x.org now".to_owned(),
                    _ => {
                        let n = 4 + random(16);
                        let words = (0..n).map(|_| WORDS[random(12) as usize]);
                        words.collect::<Vec<_>>().join(" ")
                    }
                };
                let parent = id.checked_sub(1 + random(id.clamp(1, 3)));
                let parent = parent.map_or("null".into(), |parent| format!("\"{parent}\""));
                lines.push(format!(
                    "{{\"conversation\":\"{conversation}\",\"id\":\"{id}\",\"parent\":{parent},\
                     \"author\":\"u{}\",\"text\":\"{text}\"}}\n",
                    random(1000)
                ));
            }
        }
        // Replies stay before what they answer: conversations are put between each other.
        let (half, rest) = lines.split_at(lines.len() / 2);
        for (a, b) in rest.iter().zip(half.iter().chain(std::iter::repeat(&String::new()))) {
            for line in [a, b] {
                file.write_all(line.as_bytes()).expect("written");
                written += line.len();
            }
        }
    }
    file.flush().expect("written");
}

/// All files below a folder with their bytes, but for the notes of how they were made.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_owned();
                if !name.starts_with("build.json") {
                    found.insert(name, std::fs::read(&path).expect("a file"));
                }
            }
        }
    }
    found
}

/// Messages that are friendly or rude, labelled in `remarks.csv` and as conversations in
/// `talk.txt`: of every four messages the last one is rude.
fn remarks(dir: &Path) {
    let friendly = ["lovely day for a walk", "what a lovely garden", "the lovely music plays on"];
    let rude = ["you rotten old goat", "what a rotten goat you are", "rotten goats all of you"];
    let mut table = csv::Writer::from_path(dir.join("remarks.csv")).expect("a table");
    table.write_record(["text", "label"]).expect("a row");
    let mut talk = String::new();
    for i in 0..40 {
        for (label, texts) in [("friendly", friendly), ("rude", rude)] {
            table.write_record([&format!("{} {i}", texts[i % 3]), label]).expect("a row");
        }
        let said = |texts: [&str; 3], n: usize| format!("{} said number {i}\n", texts[n % 3]);
        for n in 0..3 {
            talk += &said(friendly, n);
        }
        talk += &(said(rude, i) + "\n");
    }
    table.flush().expect("written");
    std::fs::write(dir.join("talk.txt"), talk).expect("written");
}

#[test]
fn a_classifier_of_texts_drops_messages_beside_the_words() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    remarks(dir);
    let fitted = run(dir, &["fit", "--text", "remarks.csv", "--minutes", "0.1"]);
    let folder = run_folder(dir, &fitted).display().to_string();
    let base = ["data", "dialog", "talk.txt", "--format", "blocks", "--vocab-size", "400"];
    let keep = ["--min-alphabetic", "0.5", "--max-occurrences", "1000"];
    let base = [&base[..], &keep].concat();
    let said = run(dir, &[&base[..], &["--out", "plain"]].concat());
    assert_eq!(count(&said, "kept"), 160, "{said}");

    let with = |more: &[&'static str]| {
        let asked = ["--classifier".to_owned(), folder.clone()];
        let own: Vec<String> = base.iter().chain(more).map(|&word| word.to_owned()).collect();
        [own, asked.to_vec()].concat()
    };
    let words = |call: &[String]| call.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
    let call = with(&["--out", "judged", "--refuse", "rude"]);
    let call: Vec<&str> = call.iter().map(String::as_str).collect();
    let said = run(dir, &call);
    assert_eq!((count(&said, "- unsafe"), count(&said, "kept")), (40, 120), "{said}");
    assert!(said.lines().any(|l| l.starts_with("- unsafe") && l.contains("rotten goat")), "{said}");
    // The same call gives the same; other classes, or none, are another thing.
    assert_eq!(count(&run(dir, &call), "- unsafe"), 40);
    for (more, part) in [
        (&["--out", "judged", "--refuse", "friendly"][..], "or another classifier"),
        (
            &["--out", "judged", "--refuse", "rude", "--refuse-threshold", "0.9"],
            "or another classifier",
        ),
        (&["--out", "new", "--refuse", "mean"], "knows no class \"mean\""),
        (&["--out", "new", "--refuse", "rude", "--refuse", "friendly"], "all classes of"),
        (&["--out", "new"], "--refuse"),
        (&["--out", "new", "--refuse", "rude", "--refuse-threshold", "2"], "--refuse-threshold"),
    ] {
        let call = with(more);
        let error = refused(dir, &call.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(error.contains(part), "{}: {error}", words(&call));
    }
    // An empty message, which no filter drops, is judged by nobody.
    let lines = [("null", "a lovely day"), ("0", ""), ("1", "a rotten goat you are")];
    let line = |(i, (parent, text)): (usize, &(&str, &str))| {
        format!("{{\"id\": {i}, \"parent\": {parent}, \"text\": \"{text}\"}}\n")
    };
    let lines: String = lines.iter().enumerate().map(line).collect();
    std::fs::write(dir.join("odd.jsonl"), lines).expect("written");
    let odd = ["data", "dialog", "odd.jsonl", "--out", "odd", "--vocab-size", "400"];
    let lenient = ["--min-subwords", "0", "--min-alphabetic", "0", "--refuse", "rude"];
    let said = run(dir, &[&odd[..], &lenient, &["--classifier", &folder]].concat());
    assert_eq!((count(&said, "- unsafe"), count(&said, "kept")), (1, 2), "{said}");
    let nowhere = ["--out", "new", "--classifier", "nowhere", "--refuse", "rude"];
    let error = refused(dir, &[&base[..], &nowhere].concat());
    assert!(error.contains("nowhere"), "{error}");
    assert!(!dir.join("new").exists(), "nothing is begun with a classifier that cannot be used");
}

/// The number behind a name at the beginning of a line.
fn count(said: &str, name: &str) -> u64 {
    let line = said.lines().find(|line| line.trim_start().starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {said}"));
    let rest = line.trim_start().strip_prefix(name).expect("found by it");
    rest.split_whitespace().next().expect("a number").parse().expect("a number")
}

#[test]
fn a_dump_becomes_pairs_and_every_drop_is_counted() {
    let dir = tempfile::tempdir().expect("a folder");
    dump(&dir.path().join("a.jsonl"), 300_000);
    let make = |out: &str, more: &[&str]| {
        let base = ["data", "dialog", "a.jsonl", "--out", out, "--vocab-size", "400"];
        run(dir.path(), &[&base[..], more].concat())
    };
    let few = ["--memory", "8M", "--max-occurrences", "20"];
    let said = make("one", &[&few[..], &["--workers", "1"]].concat());
    let messages = count(&said, "messages");
    for reason in ["- url", "- too-frequent", "- dropped-with-ancestor"] {
        assert!(count(&said, reason) > 10, "{said}");
    }
    let reasons = said.lines().filter(|line| line.starts_with("- ") && !line.contains("near-dup"));
    let dropped: u64 =
        reasons.map(|line| count(line, &line[..line.find("  ").expect("columns")])).sum();
    assert_eq!(count(&said, "kept"), messages - dropped, "{said}");
    assert!(said.contains("“see http://x.org now”"), "{said}");
    let parts: u64 = ["train", "validation", "test"].map(|part| count(&said, part)).iter().sum();
    assert_eq!(parts, count(&said, "pairs") - count(&said, "- near-duplicate"));
    // The numbers stand beside the pairs, and the same call gives them again.
    let built = std::fs::read_to_string(dir.path().join("one/built.json")).expect("the note");
    let built: serde_json::Value = serde_json::from_str(&built).expect("JSON");
    assert_eq!(built["funnel"]["messages"], messages);
    assert_eq!(count(&make("one", &few), "messages"), messages);

    // As many workers as one likes give the same bytes; so does a call that was killed.
    make("three", &[&few[..], &["--workers", "3"]].concat());
    let call = ["data", "dialog", "a.jsonl", "--out", "killed", "--vocab-size", "400"];
    let noted = ["killed/build.json", "killed/tokenizer/tokenizer.json"];
    killed(dir.path(), &[&call[..], &few].concat(), "killed", &noted);
    make("killed", &few);
    let one = files(&dir.path().join("one"));
    assert!(one.len() >= 5, "{:?}", one.keys());
    for other in ["three", "killed"] {
        let other = files(&dir.path().join(other));
        assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
        assert!(one.iter().all(|(name, bytes)| other[name] == *bytes));
    }

    // Thresholds are options.
    let more = ["--keep-urls", "--max-occurrences", "1000000", "--max-turns", "1"];
    let said = make("more", &more);
    assert!(count(&said, "kept") > messages / 2, "{said}");
    assert!(!said.contains("- url") && !said.contains("- too-frequent"), "{said}");
    let vocabulary = dir.path().join("one/tokenizer").display().to_string();
    let own = ["data", "dialog", "a.jsonl", "--out", "own", "--vocab", &vocabulary];
    run(dir.path(), &own);
    std::fs::write(dir.path().join("words.txt"), "yellow\n").expect("written");
    let said = make("words", &["--offensive-words", "words.txt"]);
    assert!(count(&said, "- unsafe") > messages / 20, "{said}");
    assert!(said.contains("yellow"));
}

#[test]
fn several_formats_are_read_together() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("it");
    write(
        "talk.txt",
        "Have you seen the film?\nYes, it was great.\n\nIs it cold there?\nIt is cold.\n",
    );
    write(
        "daily.txt",
        "Do you like tea ? __eou__ I do like it very much . __eou__ Everybody does like tea !\n",
    );
    write("broken.jsonl", "{\"id\": 1, \"text\": \"Are you there?\"}\nno JSON\n");
    let sources = ["--source", "blocks,train:talk.txt", "--source", "daily-dialog,test:daily.txt"];
    let base = [&["data", "dialog", "--out", "out", "--vocab-size", "300"][..], &sources].concat();
    let said = run(dir.path(), &base);
    assert_eq!((count(&said, "train"), count(&said, "test")), (2, 2), "{said}");

    let said = refused(dir.path(), &[&base[..], &["--min-subwords", "3"]].concat());
    assert!(said.contains("begun with min-subwords 2, not 3"), "{said}");
    write("words.txt", "tea\n");
    let said = refused(dir.path(), &[&base[..], &["--offensive-words", "words.txt"]].concat());
    assert!(said.contains("other offensive words"), "{said}");
    let broken = ["data", "dialog", "broken.jsonl", "--out", "broken", "--vocab-size", "300"];
    let said = refused(dir.path(), &broken);
    assert!(said.contains("broken.jsonl line 2") && said.contains("--skip-bad)"), "{said}");
    // The way out works in the same folder, which nothing was kept in; of one message is no pair.
    let said = refused(dir.path(), &[&broken[..], &["--skip-bad"]].concat());
    assert!(said.contains("no pair is left: messages 1, kept 1;"), "{said}");
    let said = refused(dir.path(), &[&broken[..], &["--format", "csv"]].concat());
    assert!(said.contains("no column `text`"), "{said}");
    // Another path to the same files, and pairs that would lie among what is read.
    std::fs::create_dir(dir.path().join("below")).expect("made");
    let above = ["../talk.txt", "../daily.txt"];
    let sources = ["blocks,train:", "daily-dialog,test:"];
    let sources: Vec<String> =
        sources.iter().zip(above).map(|(of, path)| format!("{of}{path}")).collect();
    let again = ["data", "dialog", "--out", "../out", "--vocab-size", "300"];
    let again = [&again[..], &["--source", &sources[0], "--source", &sources[1]]].concat();
    let said = run(&dir.path().join("below"), &again);
    assert_eq!((count(&said, "train"), count(&said, "test")), (2, 2), "{said}");
    let inside = ["data", "dialog", ".", "--format", "blocks", "--out", "pairs"];
    let said = refused(dir.path(), &inside);
    assert!(said.contains("outside") && !dir.path().join("pairs").exists(), "{said}");
    // What is of one length need not be the same.
    write(
        "daily.txt",
        "Do you like tea ? __eou__ I do like it very much . __eou__ Everybody does like TEA !\n",
    );
    let said = refused(dir.path(), &base);
    assert!(said.contains("another content of") && said.contains("daily.txt"), "{said}");
    for (more, part) in [
        (&["--memory", "2M"][..], "at least 4M"),
        (&["--min-alphabetic", "7"][..], "min-alphabetic"),
        (&["--source", "tsv:x"][..], "daily-dialog"),
        (&["--vocab", "nowhere"][..], "nowhere"),
    ] {
        let base = ["data", "dialog", "talk.txt", "--format", "blocks", "--out", "new"];
        let said = refused(dir.path(), &[&base[..], more].concat());
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = refused(dir.path(), &["data", "dialog", "none.jsonl", "--out", "new"]);
    assert!(said.contains("none.jsonl"), "{said}");
}

/// What a call needed at its peak, in MB.
fn peak(said: &str) -> f64 {
    let (_, rest) = said.split_once("into memory, ").expect("a line");
    let (_, rest) = rest.split_once("; ").expect("the peak");
    let (number, unit) = rest.split_once(' ').expect("a number");
    let number: f64 = number.parse().expect("a number");
    if unit.starts_with('G') { 1000.0 * number } else { number }
}

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_within_its_limit_whatever_the_dump() {
    let dir = tempfile::tempdir().expect("a folder");
    dump(&dir.path().join("small.jsonl"), 200_000);
    dump(&dir.path().join("large.jsonl"), 64 << 20);
    let make = |name: &str| {
        let file = format!("{name}.jsonl");
        let call = [
            "data",
            "dialog",
            &file,
            "--out",
            name,
            "--memory",
            "16M",
            "--vocab-size",
            "400",
            "--max-turns",
            "2",
        ];
        run(dir.path(), &call)
    };
    // The program itself, with libtorch and what a vocabulary takes.
    let base = peak(&make("small"));
    let said = make("large");
    assert!(count(&said, "- too-frequent") > 1000, "{said}");
    let more = peak(&said) - base;
    assert!(more < 32.0, "{more} MB for 64 MB with a limit of 16: {said}");
}
