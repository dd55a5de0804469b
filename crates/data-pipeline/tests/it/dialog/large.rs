//! Messages that do not fit in memory.

use super::Fine;
use data_pipeline::dataset::Samples;
use data_pipeline::dialog::*;
use data_pipeline::text::pretrain::TokenShards;
use data_pipeline::text::read::OnBadInput;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A dump of some `bytes` bytes in two files: trees of up to 30 messages whose lines are mixed,
/// with replies before what they reply to.
fn dump(folder: &Path, bytes: u64) -> DialogSource {
    let words = ["well", "film", "night", "water", "street", "always", "yellow", "train", "sudden"];
    for name in ["b.jsonl", "a.jsonl"] {
        let mut file = std::io::BufWriter::new(std::fs::File::create(folder.join(name)).unwrap());
        let (mut written, mut state, mut start) = (0, name.len() as u64 + u64::from(name < "b"), 0);
        let mut random = |n: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        while written < bytes / 2 {
            let mut lines = Vec::new();
            for conversation in start..start + 40 {
                for id in 0..=random(30) {
                    let text = match random(40) {
                        0 => "Thank you very much.".to_owned(),
                        1 => "see http://x.org now".to_owned(),
                        _ => {
                            let n = 3 + random(9);
                            (0..n).map(|_| words[random(9) as usize]).collect::<Vec<_>>().join(" ")
                        }
                    };
                    let parent = id.checked_sub(1 + random(id.clamp(1, 3)));
                    let parent = parent.map_or("null".into(), |parent| format!("\"{parent}\""));
                    lines.push(format!(
                        "{{\"conversation\":\"{name}{conversation}\",\"id\":\"{id}\",\"parent\":{parent},\
                         \"author\":\"u{}\",\"text\":\"{text}\"}}\n",
                        random(1000)
                    ));
                }
            }
            start += 40;
            for i in (1..lines.len()).rev() {
                lines.swap(i, random(i as u64 + 1) as usize);
            }
            for line in lines {
                file.write_all(line.as_bytes()).unwrap();
                written += line.len() as u64;
            }
        }
        file.into_inner().unwrap();
    }
    DialogSource { path: folder.join("*.jsonl"), format: DialogFormat::JsonLines, part: None }
}

fn tokenizer() -> DialogTokenizer {
    let mut trainer = BpeTrainer::default();
    trainer.count("well film night water street always yellow train sudden");
    trainer.tokenizer(BpeSize { tokens: 340, least_count: 1, ..BpeSize::default() }).unwrap()
}

fn options(memory: u64, workers: usize) -> DialogBuildOptions {
    let split = DialogSplit { seed: 1, validation: 0.1, test: 0.1 };
    DialogBuildOptions { memory, workers, split, shard_tokens: 200_000, ..Default::default() }
}

/// All files of a folder with their bytes, without what says when and how it was built.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(
                files(&path)
                    .into_iter()
                    .map(|(name, bytes)| (Path::new(path.file_name().unwrap()).join(name), bytes)),
            );
        } else {
            found.insert(path.file_name().unwrap().into(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn ten_times_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let source = dump(folder.path(), 10 << 20);
    let (sources, tokenizer) = ([source], tokenizer());
    let build = |name: &str, workers| {
        let into = folder.path().join(name);
        let options = options(1 << 20, workers);
        build_dialogs(&sources, Some(&tokenizer), &Fine, &into, &options, &mut |_| {})
    };
    let built = build("one", 1).unwrap();
    assert!(built.largest_unit <= 1 << 17 && built.units > 80, "{built:?}");
    assert!(built.funnel.count(Reason::TooFrequent) > 100 && built.funnel.near_duplicates > 0);
    assert_eq!(build("three", 3).unwrap(), built);
    let one = files(&folder.path().join("one"));
    assert!(one == files(&folder.path().join("three")));
    assert!(!folder.path().join("one/work").exists());

    // The same pairs as in memory.
    let (messages, tally) = read_all(&sources, &DialogReadOptions::default()).unwrap();
    assert_eq!(tally, built.tally);
    let options = options(1 << 20, 1);
    let dialogs = Dialogs::new(messages, &options.split).unwrap();
    let ids = |text: &str| tokenizer.ids(text).unwrap();
    let checks = Checks { subwords: &ids, safety: &Fine };
    let mut selected = dialogs.select(&options.filters, &checks).unwrap();
    selected.remove_near_duplicates();
    let counts = |funnel: &Funnel| {
        let dropped: Vec<_> = funnel.dropped.iter().map(|(r, d)| (*r, d.count)).collect();
        (funnel.messages, funnel.kept, funnel.pairs, funnel.near_duplicates, dropped)
    };
    assert_eq!(counts(&selected.funnel), counts(&built.funnel));
    for part in DialogPart::ALL {
        let set = TokenShards::open(&folder.path().join("one").join(part.name())).unwrap();
        let mut found: Vec<_> = (0..set.len()).map(|i| set.item(i).unwrap().ids).collect();
        let expected = selected.part(part).map(|p| options.lengths.encode(&tokenizer, p).unwrap());
        let mut expected: Vec<_> = expected.map(|sequence| sequence.ids).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert!(found == expected, "{}: {} and {}", part.name(), found.len(), expected.len());
    }
    assert!(folder.path().join("one/train/tokens-00001.shard").exists());

    // What was made can be opened, and says which pairs are of one conversation.
    let one = folder.path().join("one");
    let made = MadeDialogs::open(&one).unwrap();
    assert_eq!((made.built(), made.options().lengths), (&built, options.lengths));
    assert_eq!(made.tokenizer().digest(), tokenizer.digest());
    assert_eq!(made.digest(), MadeDialogs::open(&folder.path().join("three")).unwrap().digest());
    assert!(made.conversations(DialogPart::Train).is_empty());
    for part in [DialogPart::Validation, DialogPart::Test] {
        let set = made.pairs(part);
        let mut expected: BTreeMap<&str, Vec<Vec<u32>>> = BTreeMap::new();
        for pair in selected.part(part) {
            let ids = options.lengths.encode(&tokenizer, pair).unwrap().ids;
            expected.entry(&pair.conversation).or_default().push(ids);
        }
        let mut found: BTreeMap<u32, Vec<Vec<u32>>> = BTreeMap::new();
        for (i, &number) in made.conversations(part).iter().enumerate() {
            found.entry(number).or_default().push(set.item(i).unwrap().ids);
        }
        assert!(found.keys().copied().eq(0..found.len() as u32));
        let sorted = |of: Vec<Vec<Vec<u32>>>| {
            let each = of.into_iter().map(|mut pairs| {
                pairs.sort_unstable();
                pairs
            });
            let mut all: Vec<_> = each.collect();
            all.sort_unstable();
            all
        };
        assert!(sorted(found.into_values().collect()) == sorted(expected.into_values().collect()));
        let responses = (0..set.len()).map(|i| set.item(i).unwrap());
        let tokens: u64 = responses.map(|pair| pair.len() as u64 - u64::from(pair.first)).sum();
        assert_eq!(set.second_tokens().unwrap(), tokens);
    }
}

#[test]
fn a_folder_that_cannot_be_trained_on_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (sources, tokenizer) = ([dump(folder.path(), 1 << 18)], tokenizer());
    let into = |name: &str| folder.path().join(name);
    let build = |name: &str, options: &DialogBuildOptions| {
        build_dialogs(&sources, Some(&tokenizer), &Fine, &into(name), options, &mut |_| {}).unwrap()
    };
    let fault = |name: &str| MadeDialogs::open(&into(name)).unwrap_err().to_string();
    // Of each part one file.
    let options = options(1 << 23, 1);
    build("good", &options);
    let digest = MadeDialogs::open(&into("good")).unwrap().digest();
    let split = DialogSplit { test: 0.0, ..options.split };
    build("no-test", &DialogBuildOptions { split, ..options.clone() });
    assert!(fault("no-test").contains("no pair in its test part"), "{}", fault("no-test"));
    let lengths = PairLengths { context: 64, response: 64 };
    build("other", &DialogBuildOptions { lengths, ..options.clone() });
    assert_ne!(MadeDialogs::open(&into("other")).unwrap().digest(), digest);

    std::fs::copy(into("other/test/tokens-00000.shard"), into("good/test/tokens-00000.shard"))
        .unwrap();
    let shards = MadeDialogs::open(&into("good")).unwrap().digest();
    assert_ne!(shards, digest, "other pairs");
    std::fs::remove_file(into("good/validation/conversations")).unwrap();
    assert!(fault("good").contains("conversations"), "{}", fault("good"));
    let note = std::fs::read(into("other/build.json")).unwrap();
    let mut note: serde_json::Value = serde_json::from_slice(&note).unwrap();
    note["format"] = serde_json::json!(1);
    std::fs::write(into("other/build.json"), note.to_string()).unwrap();
    assert!(fault("other").contains("another version"), "{}", fault("other"));
    std::fs::remove_file(into("no-test/built.json")).unwrap();
    assert!(fault("no-test").contains("half made"), "{}", fault("no-test"));
    assert!(fault("nowhere").contains("no build.json"), "{}", fault("nowhere"));
}

#[test]
fn a_stopped_build_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let source = dump(folder.path(), 1 << 20);
    let (sources, tokenizer) = ([source], tokenizer());
    let options = options(1 << 18, 1);
    let into = |name: &str| folder.path().join(name);
    let build = |name: &str, progress: &mut dyn FnMut(DialogProgress)| {
        build_dialogs(&sources, Some(&tokenizer), &Fine, &into(name), &options, progress)
    };
    let whole = build("whole", &mut |_| {}).unwrap();
    // Stopped at each step in turn, and taken up each time.
    let mut steps = BTreeSet::new();
    for stop in 0.. {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            build("parts", &mut |at| {
                if steps.insert((at.stage, at.done)) {
                    std::panic::resume_unwind(Box::new("stopped"));
                }
            })
        }));
        if let Ok(built) = result {
            assert_eq!(built.unwrap(), whole);
            break;
        }
        assert!(stop < 200, "it does not get on");
    }
    assert_eq!(steps.iter().filter(|(stage, _)| *stage == "reading").count(), 2);
    assert!(steps.len() > 4, "{steps:?}");
    assert!(files(&into("parts")) == files(&into("whole")));
    let other = DialogBuildOptions { filters: Filters::none(), ..options.clone() };
    let error = build_dialogs(&sources, None, &Fine, &into("whole"), &other, &mut |_| {});
    let error = error.unwrap_err().to_string();
    assert!(error.contains("begun with another vocabulary, "), "{error}");
    assert!(error.contains("min-subwords 2, not 1"), "{error}");
}

#[test]
fn a_folder_is_of_one_call_and_of_one_content() {
    let folder = tempfile::tempdir().unwrap();
    let source = dump(folder.path(), 1 << 18);
    let (sources, tokenizer) = ([source], tokenizer());
    let (into, options) = (folder.path().join("out"), options(1 << 18, 1));
    let build = |progress: &mut dyn FnMut(DialogProgress)| {
        build_dialogs(&sources, Some(&tokenizer), &Fine, &into, &options, progress)
    };
    // A second call while the first one works.
    let mut second = None;
    build(&mut |_| {
        let error = || build(&mut |_| {}).unwrap_err().to_string();
        second.get_or_insert_with(error);
    })
    .unwrap();
    let second = second.unwrap();
    assert!(second.contains("another process") && second.contains("out"), "{second}");

    // The same bytes at another time are the same source; as many other bytes are not.
    let path = &folder.path().join("a.jsonl");
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes).unwrap();
    build(&mut |_| {}).unwrap();
    let middle = bytes.len() / 2;
    let at = middle + bytes[middle..].windows(8).position(|part| part == b"\"text\":\"").unwrap();
    let other = [&bytes[..at + 8], b"#", &bytes[at + 9..]].concat();
    assert!(other.len() == bytes.len() && other != bytes);
    std::fs::write(path, other).unwrap();
    let error = build(&mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("another content of") && error.contains("a.jsonl"), "{error}");
}

/// What a call has not read to its end, or has made no pair of, does not keep others from the
/// folder.
#[test]
fn a_call_that_came_to_nothing_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
    let (first, second) = ("{\"id\":1,\"text\":\"the water is yellow\"}\n", "the street is sudden");
    let reply = format!("{{\"id\":2,\"parent\":1,\"text\":\"{second}\"}}\n");
    let tokenizer = tokenizer();
    let build = |name: &str, format, on_bad, into: &str| {
        let source = DialogSource { path: at(name), format, part: None };
        let read = DialogReadOptions { on_bad, ..DialogReadOptions::default() };
        let options = DialogBuildOptions { read, ..options(1 << 20, 1) };
        let built =
            build_dialogs(&[source], Some(&tokenizer), &Fine, &at(into), &options, &mut |_| {});
        built.map_err(|error| error.to_string())
    };
    use DialogFormat::{Blocks, JsonLines};
    use OnBadInput::{Error, Skip};
    write("bad.jsonl", &format!("{first}no JSON\n{reply}"));
    assert!(build("bad.jsonl", JsonLines, Error, "out").unwrap_err().contains("line 2"));
    assert_eq!(build("bad.jsonl", JsonLines, Skip, "out").unwrap().funnel.pairs, 1);
    // Now it is finished.
    let error = build("bad.jsonl", JsonLines, Error, "out").unwrap_err();
    assert!(error.contains("begun with on-bad"), "{error}");
    // Another path to the same file is the same source.
    let beside = "../".to_owned() + &folder.path().file_name().unwrap().to_string_lossy();
    assert_eq!(
        build(&format!("{beside}/bad.jsonl"), JsonLines, Skip, "out").unwrap().funnel.pairs,
        1
    );

    // The first file was read to its end, and what was read of it holds for the other call.
    std::fs::create_dir(at("two")).unwrap();
    write("two/a.jsonl", &format!("{first}{reply}"));
    write("two/b.jsonl", "no JSON\n");
    assert!(build("two", JsonLines, Error, "some").unwrap_err().contains("b.jsonl line 1"));
    let error = build("bad.jsonl", JsonLines, Skip, "some").unwrap_err();
    assert!(error.contains("2 files, not 1"), "{error}");
    assert_eq!(build("two", JsonLines, Skip, "some").unwrap().funnel.pairs, 1);

    // No message, or no pair, and the folder is as if nothing had been.
    write("lone.jsonl", first);
    write("empty.txt", "\n");
    let error = build("empty.txt", Blocks, Error, "none").unwrap_err();
    assert!(error.contains("no message"), "{error}");
    let error = build("lone.jsonl", JsonLines, Error, "none").unwrap_err();
    assert!(error.contains("no pair is left: messages 1, kept 1;"), "{error}");
    let orphan = reply.replace("\"parent\":1", "\"parent\":7");
    write("orphan.jsonl", &orphan);
    let error = build("orphan.jsonl", JsonLines, Error, "none").unwrap_err();
    assert!(error.contains("missing-parent 1"), "{error}");
    assert!(error.contains("`2` replies to `7`, which is not there"), "{error}");
    assert!(!at("none/build.json").exists() && !at("none/tokenizer").exists());
    // What was there before stays.
    std::fs::create_dir_all(at("own/tokenizer")).unwrap();
    write("own/tokenizer/mine.txt", "mine");
    build("lone.jsonl", JsonLines, Error, "own").unwrap_err();
    assert!(at("own/tokenizer/mine.txt").exists() && !at("own/tokenizer/tokenizer.json").exists());
    write("talk.txt", "the water is yellow\nthe street is sudden\n");
    assert_eq!(build("talk.txt", Blocks, Error, "own").unwrap().funnel.pairs, 1);
    for made in ["build.json", "built.json"] {
        std::fs::remove_file(at("own").join(made)).unwrap();
    }
    for made in ["train", "validation", "test"] {
        std::fs::remove_dir_all(at("own").join(made)).unwrap();
    }
    build("lone.jsonl", JsonLines, Error, "own").unwrap_err();
    assert!(at("own/tokenizer/tokenizer.json").exists());
    assert_eq!(build("talk.txt", Blocks, Error, "none").unwrap().funnel.pairs, 1);

    // A source that would be replaced.
    std::fs::create_dir(at("work")).unwrap();
    write("work/talk.txt", "the water is yellow\nthe street is sudden\n");
    let error = build("work/talk.txt", Blocks, Error, ".").unwrap_err();
    assert!(error.contains("would be lost"), "{error}");
    assert!(at("work/talk.txt").exists());
}

#[test]
fn a_conversation_that_does_not_fit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let line =
        |i: usize| format!("{{\"id\":\"{i}\",\"conversation\":\"huge\",\"text\":\"t {i}\"}}\n");
    std::fs::write(&path, (0..2000).map(line).collect::<String>()).unwrap();
    let source = DialogSource { path, format: DialogFormat::JsonLines, part: None };
    let (into, options) = (folder.path().join("out"), options(1 << 18, 1));
    let built = build_dialogs(&[source], None, &Fine, &into, &options, &mut |_| {});
    let error = built.unwrap_err().to_string();
    assert!(error.contains("conversation `huge`") && error.contains("memory"), "{error}");
}

/// Messages that name no conversation are of trees, some of which train and make the vocabulary.
#[test]
fn trees_without_names_make_a_vocabulary_of_those_that_train() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let word = |tree: u32| {
        format!("q{}z", (0..4).map(|i| ((tree >> i & 1) as u8 + b'k') as char).collect::<String>())
    };
    let lines = (0..16).flat_map(|tree| {
        (0..6).map(move |i| {
            let parent = if i == 0 { "null".to_owned() } else { format!("\"t{tree}-{}\"", i - 1) };
            // Other than its parent's, which it would be dropped for.
            let text = format!("{} ", word(tree)).repeat(8 + i % 2);
            format!("{{\"id\":\"t{tree}-{i}\",\"parent\":{parent},\"text\":\"{text}\"}}\n")
        })
    });
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    let source = [DialogSource { path, format: DialogFormat::JsonLines, part: None }];
    // With some of these seeds the name of nothing would not be in the training part.
    for seed in [1, 14, 19, 20, 26, 39] {
        let split = DialogSplit { seed, validation: 0.2, test: 0.3 };
        let options = DialogBuildOptions { split, ..options(1 << 24, 1) };
        let into = folder.path().join(seed.to_string());
        build_dialogs(&source, None, &Fine, &into, &options, &mut |_| {}).unwrap();
        let tokenizer = DialogTokenizer::open(&into.join("tokenizer")).unwrap();
        for tree in 0..16 {
            let known = tokenizer.ids(&format!("a {}", word(tree))).unwrap().len() == 2;
            let trains = split.part(&format!("t{tree}-0")) == DialogPart::Train;
            assert_eq!(known, trains, "seed {seed}, tree {tree}");
        }
    }
}

/// Ten gigabytes with a limit of 2 GiB; needs 40 GB of disk and shows the peak of memory. Run it
/// alone: `cargo test --release -p data-pipeline --test it ten_gigabytes -- --ignored --nocapture`.
#[test]
#[ignore = "takes ten gigabytes of messages through the disk"]
#[expect(clippy::print_stderr, reason = "it shows a figure")]
fn ten_gigabytes() {
    let folder = tempfile::tempdir().unwrap();
    let source = dump(folder.path(), 10 << 30);
    let into = folder.path().join("out");
    let options = DialogBuildOptions { shard_tokens: 1 << 26, ..options(2 << 30, 0) };
    let built = build_dialogs(&[source], None, &Fine, &into, &options, &mut |_| {}).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    eprintln!("{peak} kB at the peak");
    assert!(peak < 2 << 20, "{peak} kB at the peak, {built:?}");
}
