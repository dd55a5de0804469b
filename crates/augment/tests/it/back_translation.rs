//! Back-translation: sentences, shards and their files, acceptance, programs that translate, and a
//! cache that is continued after interruptions.

use std::fs;
use std::path::Path;

use augment::rng::Rng;
use augment::text::TextError;
use augment::text::back_translation::{
    BackTranslation, ShardFiles, Translator, accepted, join, paraphrase_file, shard, split,
};
use augment::text::command::CommandTranslator;
use augment::text::paraphrase_parts::Parts;
use augment::text::paraphrases::{Amount, Made, Paraphrases};
use augment::text::sentences::{LONG, Splitter, UNICODE, cut_long, sentences};
use proptest::prelude::*;

#[test]
fn long_sentences_are_cut_after_delimiters() {
    let long = format!("Hm. {}; {}, end", "a".repeat(200), "b ".repeat(80));
    let pieces = cut_long(vec![long.clone()]);
    assert_eq!(pieces.concat(), long);
    // No full stop lies 5 characters into it, so it is cut after the semicolon.
    assert!(pieces[0].starts_with("Hm. a") && pieces[0].ends_with(';'), "{pieces:?}");
    let bare = cut_long(vec!["x".repeat(350)]);
    assert_eq!(bare.iter().map(String::len).collect::<Vec<_>>(), [101, 101, 101, 47]);
    let kept = cut_long(vec!["y".repeat(LONG - 1)]);
    assert_eq!(kept.len(), 1);
    // After the comma no piece is long, so no pass follows: the first part keeps its spaces.
    let spaced = format!("{}, {}", "word ".repeat(50).trim(), "word ".repeat(50).trim());
    assert_eq!(cut_long(vec![spaced]).iter().map(String::len).collect::<Vec<_>>(), [250, 250]);
    // Offsets and lengths are in characters.
    let wide = cut_long(vec!["é".repeat(300)]);
    assert_eq!(wide.iter().map(|p| p.chars().count()).collect::<Vec<_>>(), [101, 101, 98]);
    // A pass that cuts one piece leaves its short neighbours alone.
    let two = cut_long(vec!["a. b. c. d.".into(), "x".repeat(400)]);
    assert_eq!(two[0], "a. b. c. d.");
}

#[test]
fn sentences_end_where_readers_end_them() {
    for (text, expected) in [
        ("", vec![]),
        ("  \n ", vec![]),
        (
            "Dr. Who met J. R. R. Tolkien. They talked.",
            vec!["Dr. Who met J. R. R. Tolkien.", "They talked."],
        ),
        (
            "She said no. He left... and came back! \"Really?\" Yes.",
            vec!["She said no.", "He left... and came back!", "\"Really?\"", "Yes."],
        ),
        (
            "It cost $3.50 in 1999. A bargain, e.g. Today.",
            vec!["It cost $3.50 in 1999.", "A bargain, e.g. Today."],
        ),
        (
            "A line\nthat goes on. So it does, as did I. We left.",
            vec!["A line that goes on.", "So it does, as did I.", "We left."],
        ),
    ] {
        assert_eq!(sentences(text), expected, "{text:?}");
    }
    // Cut pieces are lines too: trimmed, and none that is empty.
    let gap = Splitter { name: "whole", split: |text| vec![text.to_owned()] };
    assert_eq!(gap.lines(&format!("x{}y", " ".repeat(400))), ["x", "y"]);
}

#[test]
fn paraphrases_must_be_like_their_originals() {
    for (old, new, kept) in [
        ("ten chars!", "ten more..", true),
        ("ninechars", "ten more..", false),
        ("ten chars!", "ninechars", false),
        ("0123456789", "012345678901234", true),
        ("0123456789", "0123456789012345", false),
        ("01234567890123456789", "0123456789", true),
        ("éééééééééé", "eeeeeeeeee", true),
    ] {
        assert_eq!(accepted(old, new) == new, kept, "{old} / {new}");
    }
}

#[test]
fn shards_and_their_files() {
    let all: Vec<usize> = (0..4).flat_map(|worker| shard(10, worker, 4).unwrap()).collect();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    assert_eq!((0..4).map(|w| shard(10, w, 4).unwrap().len()).collect::<Vec<_>>(), [3, 3, 2, 2]);
    for (worker, workers) in [(4, 4), (0, 0)] {
        let fault = shard(10, worker, workers).unwrap_err().to_string();
        assert!(fault.contains(&format!("worker is {worker}")), "{fault}");
    }
    let dir = tempfile::tempdir().unwrap();
    let files = ShardFiles::new(dir.path(), 1, 4);
    assert!(files.source.ends_with("forward_src/file_1_of_4.txt"));
    assert!(files.counts.ends_with("doc_len/doc_len_1_of_4.json"));
    let paragraphs = vec!["One. Two!\nThree?".to_owned(), String::new(), "Four.".to_owned()];
    files.write(&paragraphs, &UNICODE).unwrap();
    assert_eq!(fs::read_to_string(&files.source).unwrap(), "One.\nTwo!\nThree?\nFour.\n");
    assert_eq!(fs::read_to_string(&files.counts).unwrap(), "[3,0,1]");
    let translated = dir.path().join("back.txt");
    fs::write(&translated, " Un. \nDeux!\nTrois?\nQuatre.\n").unwrap();
    assert_eq!(files.join(&translated).unwrap(), ["Un. Deux! Trois?", "", "Quatre."]);
    fs::write(&translated, "Un.\n").unwrap();
    let error = files.join(&translated).unwrap_err().to_string();
    assert!(error.contains("1 lines") && error.contains("4 sentences"), "{error}");
    let file = paraphrase_file(dir.path(), "unsup_in", 0.9, 3);
    assert!(file.ends_with("unsup_in/sample_0.9/para/para_3.txt"));
}

/// Doubles a letter here and there: never the same at two keys.
struct Stutter;

impl Translator for Stutter {
    fn name(&self) -> String {
        "stutter".into()
    }

    fn translate(
        &mut self,
        lines: &[String],
        _: f64,
        rng: &mut Rng,
    ) -> Result<Vec<String>, TextError> {
        let mut stutter = |c: char| c.to_string().repeat(1 + usize::from(rng.chance(0.1)));
        Ok(lines.iter().map(|line| line.chars().map(&mut stutter).collect()).collect())
    }
}

fn texts() -> Vec<String> {
    [
        "A film that one sees twice. Truly!",
        "Dull from its first minute on.",
        "short",
        "Ça va? Très bien, merci à tous.",
    ]
    .map(str::to_owned)
    .into()
}

const AMOUNT: Amount = Amount { copies: 3, batch: 1, seed: 7 };

fn open(path: &Path) -> Result<Paraphrases, TextError> {
    let pipeline = BackTranslation::new(Stutter, Stutter, 0.9);
    Paraphrases::open(path, Made::new(&pipeline, AMOUNT, &texts())?)
}

fn fill(path: &Path) -> Result<Paraphrases, TextError> {
    let mut cache = open(path)?;
    cache.fill(&mut BackTranslation::new(Stutter, Stutter, 0.9), &texts(), |_| {})?;
    Ok(cache)
}

#[test]
fn a_cache_that_was_torn_anywhere_ends_as_if_it_had_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/whole.jsonl");
    let whole = fill(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(whole.progress(), (4, 4));
    assert_eq!(whole.get(0, 2), Some("short"), "too short for a paraphrase");
    assert_eq!(whole.refused(), [[2, 0], [2, 1], [2, 2]]);
    assert_ne!(whole.get(0, 0), whole.get(1, 0));
    let path = dir.path().join("torn.jsonl");
    for cut in 0..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        // All complete batches are kept: only the one in progress is lost.
        let lines = bytes[..cut].iter().filter(|&&byte| byte == b'\n').count();
        let left = open(&path).unwrap();
        assert_eq!(left.progress().0, lines.saturating_sub(1), "cut at {cut}");
        drop(left);
        let resumed = fill(&path).unwrap();
        assert_eq!(resumed.get(2, 3), whole.get(2, 3));
        drop(resumed);
        assert_eq!(fs::read(&path).unwrap(), bytes, "cut at {cut}");
    }
    // A last line of which the disk kept the length alone.
    let last = bytes[..bytes.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    let mut hollow = bytes.clone();
    hollow[last..bytes.len() - 1].fill(0);
    fs::write(&path, &hollow).unwrap();
    drop(fill(&path).unwrap());
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

/// Fails after some batches, like a program that is stopped.
struct Tired(usize);

impl Translator for Tired {
    fn name(&self) -> String {
        Stutter.name()
    }

    fn translate(
        &mut self,
        lines: &[String],
        temperature: f64,
        rng: &mut Rng,
    ) -> Result<Vec<String>, TextError> {
        let fault = || TextError::Translator { translator: self.name(), fault: "tired".into() };
        self.0 = self.0.checked_sub(1).ok_or_else(fault)?;
        Stutter.translate(lines, temperature, rng)
    }
}

#[test]
fn a_translator_that_fails_loses_its_batch_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (path, whole) = (dir.path().join("cache.jsonl"), dir.path().join("whole.jsonl"));
    let mut cache = open(&path).unwrap();
    let mut tired = BackTranslation::new(Tired(7), Stutter, 0.9);
    let error = cache.fill(&mut tired, &texts(), |_| {}).unwrap_err().to_string();
    assert_eq!(error, "translator `stutter`: tired");
    assert_eq!(cache.progress(), (2, 4), "three copies of each");
    drop(cache);
    drop((fill(&path).unwrap(), fill(&whole).unwrap()));
    assert_eq!(fs::read(&path).unwrap(), fs::read(&whole).unwrap());
}

#[test]
fn a_cache_is_not_mixed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache.jsonl");
    let mut cache = fill(&path).unwrap();
    let same = BackTranslation::new(Stutter, Stutter, 0.9);
    let by_line =
        Splitter { name: "lines", split: |text| text.lines().map(str::to_owned).collect() };
    let program = CommandTranslator { program: "cat".into(), arguments: vec![] };
    let other_texts: Vec<String> = texts().iter().map(|text| text.to_uppercase()).collect();
    let made = [
        (
            Made::new(&BackTranslation::new(Stutter, Stutter, 0.7), AMOUNT, &texts()),
            "temperature `0.9`, asked for `0.7`",
        ),
        (
            Made::new(&BackTranslation::new(Stutter, program, 0.9), AMOUNT, &texts()),
            "made with another translator back",
        ),
        (
            Made::new(
                &BackTranslation {
                    splitter: by_line,
                    ..BackTranslation::new(Stutter, Stutter, 0.9)
                },
                AMOUNT,
                &texts(),
            ),
            "splitter `unicode-1`, asked for `lines`",
        ),
        (
            Made::new(&same, Amount { copies: 2, ..AMOUNT }, &texts()),
            "made with paraphrases `3`, asked for `2`",
        ),
        (Made::new(&same, Amount { batch: 2, ..AMOUNT }, &texts()), "batch `1`, asked for `2`"),
        (Made::new(&same, Amount { seed: 8, ..AMOUNT }, &texts()), "seed `7`, asked for `8`"),
        (Made::new(&same, AMOUNT, &other_texts), "made of 4 other texts; name another place"),
    ];
    // Out of one language into the other, and the other way round.
    let named = |translators: [&str; 2]| {
        let made = Made::new(&same, AMOUNT, &texts()).unwrap();
        Made { translators: translators.map(str::to_owned), ..made }
    };
    let swapped = path.with_file_name("swapped.jsonl");
    drop(Paraphrases::open(&swapped, named(["en-fr", "fr-en"])).unwrap());
    for (asked, expected) in [
        (["fr-en", "en-fr"], "both translators, the one for the other: exchange them"),
        (["en-de", "fr-en"], "another translator into the other language"),
        (["en-de", "de-en"], "other translators"),
    ] {
        let error = Paraphrases::open(&swapped, named(asked)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = open(&path).unwrap_err().to_string();
    assert!(error.contains("in use by another process"), "{error}");
    let mut other = BackTranslation::new(Stutter, Stutter, 0.8);
    let error = cache.fill(&mut other, &texts(), |_| {}).unwrap_err();
    assert!(error.to_string().contains("temperature `0.9`, asked for `0.8`"), "{error}");
    drop(cache);
    for (made, expected) in made {
        let error = Paraphrases::open(&path, made.unwrap()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("cache.jsonl"), "{error}");
    }
    let nothing = Made::new(&same, Amount { batch: 0, ..AMOUNT }, &texts()).unwrap_err();
    assert_eq!(nothing.to_string(), "batch is 0; allowed: 1 or more");
    let negative = Made::new(&BackTranslation::new(Stutter, Stutter, -0.1), AMOUNT, &texts());
    assert!(negative.unwrap_err().to_string().starts_with("temperature is -0.1"));
    // Texts that differ only in where one ends are different texts.
    let texts = |texts: [&str; 2]| texts.map(str::to_owned);
    let made = |texts: [String; 2]| Made::new(&same, AMOUNT, &texts).unwrap();
    assert_ne!(made(texts(["a\nb", "c"])), made(texts(["a", "b\nc"])));
}

#[test]
fn a_file_that_is_no_cache_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache.jsonl");
    drop(fill(&path).unwrap());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let without_second = [lines[0], lines[2], lines[3], ""].join("\n");
    let bad_second = [lines[0], "{}", lines[2], ""].join("\n");
    let too_many = text.clone() + lines[4] + "\n";
    for (content, expected) in [
        ("no header\n", "not a file of paraphrases"),
        (without_second.as_str(), "line 2: not the batch that belongs there"),
        (bad_second.as_str(), "line 2: missing field"),
        (too_many.as_str(), "line 6: not the batch that belongs there"),
    ] {
        fs::write(&path, content).unwrap();
        let error = open(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn whole_copies_are_exported() {
    let dir = tempfile::tempdir().unwrap();
    let cache = fill(&dir.path().join("cache.jsonl")).unwrap();
    assert_eq!(cache.export(dir.path(), "train").unwrap(), 3);
    let file = fs::read_to_string(paraphrase_file(dir.path(), "train", 0.9, 1)).unwrap();
    assert_eq!(file.lines().count(), 4);
    assert_eq!(file.lines().nth(2), Some("short"));
    assert_eq!(cache.export_copies(dir.path()).unwrap(), 3);
    assert_eq!(fs::read_to_string(dir.path().join("para_1.txt")).unwrap(), file);
    let mut part = open(&dir.path().join("part.jsonl")).unwrap();
    let mut tired = BackTranslation::new(Tired(5), Stutter, 0.9);
    part.fill(&mut tired, &texts(), |_| {}).unwrap_err();
    let error = part.export(dir.path(), "part").unwrap_err().to_string();
    assert!(error.contains("0 of 3 copies"), "{error}");
}

#[test]
fn a_program_translates() {
    let command = |program: &str, arguments: &[&str]| CommandTranslator {
        program: program.into(),
        arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
    };
    let mut upper = command("sh", &["-c", "tr a-z A-Z; test {temperature} = 0.9"]);
    // More than a pipe holds, both ways.
    let lines: Vec<String> = (0..20_000).map(|i| format!("line number {i}")).collect();
    let out = upper.translate(&lines, 0.9, &mut Rng::new(0)).unwrap();
    assert_eq!(out.len(), lines.len());
    assert_eq!(out[19_999], "LINE NUMBER 19999");
    let text = |translator: &mut CommandTranslator| {
        translator.translate(&lines[..2], 0.5, &mut Rng::new(0)).unwrap_err().to_string()
    };
    let error = text(&mut upper);
    assert!(error.contains("`sh -c tr"), "{error}");
    assert!(error.contains("failed (exit status: 1) after 2 of 2 lines"), "{error}");
    let error = text(&mut command("sh", &["-c", "echo out of memory >&2; exit 3"]));
    assert!(error.contains("exit status: 3) after 0 of 2 lines: out of memory"), "{error}");
    assert!(text(&mut command("no-such-program", &[])).contains("could not be started"));
    let mut pipeline =
        BackTranslation::new(command("head", &["-n", "1"]), command("cat", &[]), 0.9);
    let error = pipeline.paraphrase(&texts(), &mut Rng::new(0)).unwrap_err().to_string();
    assert!(error.contains("`head -n 1`"), "{error}");
    assert!(error.contains("1 lines came back for 6 (exit status: 0)"), "{error}");
    // It may write everything before it reads, or end without reading.
    let early = "i=0; while [ $i -lt 20000 ]; do echo a long line of output, number $i; i=$((i+1)); done; cat > /dev/null";
    assert_eq!(
        command("sh", &["-c", early]).translate(&lines, 0.9, &mut Rng::new(0)).unwrap().len(),
        20_000
    );
    let error = command("true", &[]).translate(&lines, 0.9, &mut Rng::new(0)).unwrap_err();
    assert!(error.to_string().contains("0 lines came back for 20000 (exit status: 0)"), "{error}");
    // The seed is that of the generator.
    let mut seed = command("sh", &["-c", "echo {seed} {temperature}; cat > /dev/null"]);
    let mut said = |key| seed.translate(&lines[..1], 0.7, &mut Rng::new(key)).unwrap();
    assert_eq!(said(1), said(1));
    assert_ne!(said(1), said(2));
    assert!(said(1)[0].ends_with(" 0.7"));
}

/// Loses a line.
struct Short;

impl Translator for Short {
    fn name(&self) -> String {
        "short".into()
    }

    fn translate(
        &mut self,
        lines: &[String],
        _: f64,
        _: &mut Rng,
    ) -> Result<Vec<String>, TextError> {
        Ok(lines[1..].to_vec())
    }
}

#[test]
fn lines_must_not_be_lost() {
    let mut pipeline = BackTranslation::new(Stutter, Short, 0.9);
    let error = pipeline.paraphrase(&texts(), &mut Rng::new(0)).unwrap_err().to_string();
    assert_eq!(error, "translator `short`: 5 lines came back for 6");
    assert_eq!(pipeline.paraphrase(&["".into()], &mut Rng::new(0)).unwrap(), [""]);
}

proptest! {
    #[test]
    fn splitting_keeps_every_word(paragraphs in prop::collection::vec("[ A-Za-z.,;!?\n]{0,700}", 0..5)) {
        let (lines, counts) = split(&paragraphs, &UNICODE);
        prop_assert_eq!(counts.len(), paragraphs.len());
        prop_assert!(lines.iter().all(|line| line.chars().count() < LONG && !line.contains('\n') && !line.is_empty()));
        for (joined, paragraph) in join(&lines, &counts).iter().zip(&paragraphs) {
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(bare(joined), bare(paragraph));
        }
    }

    #[test]
    fn any_shards_give_every_line_once(lines in 0usize..200, workers in 1usize..20) {
        let all: Vec<usize> = (0..workers).flat_map(|worker| shard(lines, worker, workers).unwrap()).collect();
        prop_assert_eq!(all, (0..lines).collect::<Vec<_>>());
    }
}

/// Any number of processes, in any order, stopped anywhere, end with the bytes of one.
#[test]
fn processes_that_share_the_work_end_with_the_bytes_of_one() {
    let dir = tempfile::tempdir().unwrap();
    let (alone, path) = (dir.path().join("alone.jsonl"), dir.path().join("shared.jsonl"));
    drop(fill(&alone).unwrap());
    let pipeline = || BackTranslation::new(Stutter, Stutter, 0.9);
    let made = Made::new(&pipeline(), AMOUNT, &texts()).unwrap();
    for workers in [1, 2, 3, 5] {
        let _ = fs::remove_file(&path);
        let parts = Parts::beside(&path, made.clone());
        for worker in (0..workers).rev() {
            let gathered = |missing: usize| {
                let mut whole = open(&path).unwrap();
                parts.gather(&mut whole).unwrap();
                assert!(whole.progress().0 <= 4 - missing, "{workers} workers, {worker}");
            };
            // A first try of its batches fails on the way, and another process looks at what is
            // there.
            let mut tired = BackTranslation::new(Tired(4), Stutter, 0.9);
            let _ = parts.fill(&mut tired, &texts(), [worker, workers], 0, |_| {});
            gathered(0);
            let done = open(&path).unwrap().progress().0;
            let mut seen = 0;
            parts.fill(&mut pipeline(), &texts(), [worker, workers], done, |_| seen += 1).unwrap();
            assert!(seen <= 4_usize.div_ceil(workers));
            gathered(worker.min(4));
        }
        assert_eq!(fs::read(&path).unwrap(), fs::read(&alone).unwrap(), "{workers} workers");
        assert!(!dir.path().join("shared.jsonl.parts").exists());
    }
    let parts = Parts::beside(&path, made.clone());
    let error = parts.fill(&mut pipeline(), &texts(), [2, 2], 0, |_| {}).unwrap_err().to_string();
    assert!(error.contains("worker is 2"), "{error}");
    // What was made with other settings is not taken.
    parts.fill(&mut pipeline(), &texts(), [1, 2], 0, |_| {}).unwrap();
    let other = Made { temperature: 0.7, ..made };
    let other = Parts::beside(&path, other);
    let error = other.fill(&mut pipeline(), &texts(), [1, 2], 0, |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("batch-000001.jsonl")
            && error.contains("temperature `0.9`, asked for `0.7`"),
        "{error}"
    );
}
