//! Text: words against Python's tables, the reference sheet's worked examples, distributions, and a cache that survives anything.

use std::f64::consts::LN_2;
use std::fs;

use augment::rng::{Key, Rng};
use augment::text::TextError;
use augment::text::aug_ops::{AugOp, AugOps, enough};
use augment::text::back_translation::{
    BackTranslation, ShardFiles, Translator, accepted, join, paraphrase_file, shard, split,
};
use augment::text::command::CommandTranslator;
use augment::text::paraphrases::{Made, Paraphrases};
use augment::text::sentences::{LONG, cut_long, sentences};
use augment::text::switchout::{Decay, SwitchOut};
use augment::text::tfidf::TfIdf;
use augment::text::uniform;
use augment::text::words::words;
use proptest::prelude::*;

#[test]
fn words_are_berts() {
    let mut seen = 0;
    for line in include_str!("../golden/words.jsonl").lines() {
        let (text, expected): (String, Vec<String>) = serde_json::from_str(line).unwrap();
        assert_eq!(words(&text), expected, "{text:?}");
        seen += 1;
    }
    assert_eq!(seen, 220);
}

fn corpus() -> Vec<Vec<String>> {
    ["a b a", "b c"].map(words).into()
}

#[track_caller]
fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-4, "{got}, not {expected}");
}

#[test]
fn tf_idf_follows_the_worked_example() {
    let statistics = TfIdf::of(&corpus());
    for (word, idf, t) in [("a", LN_2, 0.4621), ("b", 0.0, 0.0), ("c", LN_2, 0.3466)] {
        close(statistics.idf(word), idf);
        close(statistics.tf_idf(word), t);
    }
    let chances = statistics.chances(&corpus()[0], 0.3);
    for (got, expected) in chances.iter().zip([0.0, 0.9, 0.0]) {
        close(*got, expected);
    }
    // q: a 0, b 0.8, c 0.2.
    let mut rng = Rng::new(1);
    let draws: Vec<&str> = (0..20_000).map(|_| statistics.draw(&mut rng).unwrap()).collect();
    let share = |word| draws.iter().filter(|&&w| w == word).count() as f64 / 20_000.0;
    assert_eq!(share("a"), 0.0);
    assert!((share("b") - 0.8).abs() < 0.012 && (share("c") - 0.2).abs() < 0.012);
}

#[test]
fn tf_idf_has_an_answer_where_the_formula_has_none() {
    let same: Vec<Vec<String>> = vec![words("x y"), words("x y")];
    let statistics = TfIdf::of(&same);
    assert_eq!(statistics.chances(&same[0], 0.7), [0.0, 0.0]);
    assert_eq!(statistics.draw(&mut Rng::new(0)), None);
    assert_eq!(TfIdf::of::<Vec<String>>(&[]).chances(&[], 0.5), Vec::<f64>::new());
    let mut nothing: Vec<String> = vec![];
    statistics.replace(&mut nothing, 0.9, &mut Rng::new(0));
    assert_eq!(TfIdf::of(&corpus()).idf("unheard"), 2f64.ln());
}

#[test]
fn statistics_are_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let statistics = TfIdf::of(&corpus());
    statistics.save(&dir.path().join("data_stats/train")).unwrap();
    let read = TfIdf::load(&dir.path().join("data_stats/train")).unwrap();
    assert_eq!(read.words(), statistics.words());
    let draw = |statistics: &TfIdf| {
        let mut text = words("b c a b b c");
        statistics.replace(&mut text, 0.9, &mut Rng::new(5));
        text
    };
    assert_eq!(draw(&read), draw(&statistics));
    let error = TfIdf::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("tf_idf.json"), "{error}");
    fs::write(dir.path().join("tf_idf.json"), "{\"a\": 1}").unwrap();
    fs::write(dir.path().join("idf.json"), "{}").unwrap();
    let error = TfIdf::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("`a` has no entry in idf.json"), "{error}");
}

#[test]
fn uniform_words_do_not_repeat_before_all_are_used() {
    let vocabulary: Vec<String> = (0..7).map(|i| format!("w{i}")).collect();
    let mut text = vec!["x".to_owned(); 14];
    uniform::replace(&mut text, &vocabulary, 1.0, &mut Rng::new(2));
    for half in text.chunks(7) {
        let mut half = half.to_vec();
        half.sort();
        assert_eq!(half, vocabulary);
    }
    let mut short = words("two words");
    uniform::replace(&mut short, &vocabulary, 1.0, &mut Rng::new(2));
    assert_eq!(short, ["two", "words"]);
}

#[test]
fn switchout_draws_its_number_and_never_the_same_token() {
    for decay in [Decay::Times, Decay::Over] {
        let switchout = SwitchOut { tau: 0.5, decay };
        let shares = switchout.counts(12);
        let rate = if decay == Decay::Times { 0.5f64 } else { 2.0 };
        for pair in shares.windows(2) {
            close(pair[0] / pair[1], rate.exp());
        }
        close(shares.iter().sum(), 1.0);
        let expected: f64 = shares.iter().enumerate().map(|(n, share)| n as f64 * share).sum();
        let (mut rng, mut changed) = (Rng::new(3), 0);
        for _ in 0..20_000 {
            let mut tokens: Vec<u32> = (0..14).collect();
            // The first and the last stay, so that 12 are free.
            switchout.replace(&mut tokens, |token| token == 0 || token == 13, 14, &mut rng);
            assert_eq!((tokens[0], tokens[13]), (0, 13));
            assert!(tokens.iter().all(|&token| token < 14));
            changed += (0..14).filter(|&i| tokens[i] != i as u32).count();
        }
        let mean = changed as f64 / 20_000.0;
        assert!((mean - expected).abs() < 0.05, "{mean}, not {expected}");
    }
}

#[test]
fn names_of_augmentations() {
    let ops: AugOps = "bt-0.9+tf_idf-0.7+unif-0.3".parse().unwrap();
    assert_eq!(ops.0, [AugOp::BackTranslation(0.9), AugOp::TfIdf(0.7), AugOp::Uniform(0.3)]);
    assert_eq!(ops.to_string(), "bt-0.9+tf_idf-0.7+unif-0.3");
    for wrong in ["", "bt", "bt-x", "unif-1.5", "tfidf-0.7", "bt-0.9+", "bt--1", "bt-inf"] {
        let error = wrong.parse::<AugOps>().unwrap_err().to_string();
        assert!(error.contains("known are bt-0.9"), "{wrong}: {error}");
    }
    assert!(enough(9, 10).is_ok() && enough(8, 10).is_err() && enough(90, 100).is_ok());
}

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
    let all: Vec<usize> = (0..4).flat_map(|worker| shard(10, worker, 4)).collect();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    assert_eq!((0..4).map(|w| shard(10, w, 4).len()).collect::<Vec<_>>(), [3, 3, 2, 2]);
    let dir = tempfile::tempdir().unwrap();
    let files = ShardFiles::new(dir.path(), 1, 4);
    assert!(files.source.ends_with("forward_src/file_1_of_4.txt"));
    assert!(files.counts.ends_with("doc_len/doc_len_1_of_4.json"));
    let paragraphs = vec!["One. Two!\nThree?".to_owned(), String::new(), "Four.".to_owned()];
    files.write(&paragraphs, sentences).unwrap();
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

fn fill(path: &std::path::Path, copies: usize) -> Result<Paraphrases, TextError> {
    let mut pipeline = BackTranslation::new(Stutter, Stutter, 0.9);
    let mut cache = Paraphrases::open(path, &Made::new(&pipeline, 7, &texts()))?;
    cache.fill(&mut pipeline, &texts(), copies, 3, 7)?;
    Ok(cache)
}

#[test]
fn a_cache_that_was_torn_anywhere_ends_as_if_it_had_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whole.jsonl");
    let whole = fill(&path, 3).unwrap();
    let bytes = fs::read(&path).unwrap();
    let header = bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    assert_eq!(whole.get(0, 2), Some("short"), "too short for a paraphrase");
    assert_ne!(whole.get(0, 0), whole.get(1, 0));
    for cut in header..bytes.len() {
        let path = dir.path().join("torn.jsonl");
        fs::write(&path, &bytes[..cut]).unwrap();
        let resumed = fill(&path, 3).unwrap();
        for (copy, text) in (0..3).flat_map(|copy| (0..4).map(move |text| (copy, text))) {
            assert_eq!(resumed.get(copy, text), whole.get(copy, text), "cut at {cut}");
        }
        let lines = |bytes: &[u8]| {
            let mut lines: Vec<Vec<u8>> =
                bytes.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&fs::read(&path).unwrap()), lines(&bytes), "cut at {cut}");
    }
}

#[test]
fn a_cache_is_not_mixed_and_exports_whole_copies() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache.jsonl");
    let cache = fill(&path, 2).unwrap();
    let other = BackTranslation::new(Stutter, Stutter, 0.7);
    let error = Paraphrases::open(&path, &Made::new(&other, 7, &texts())).unwrap_err().to_string();
    assert!(
        error.contains("0.9") && error.contains("0.7") && error.contains("cache.jsonl"),
        "{error}"
    );
    assert_eq!(cache.export(dir.path(), "train", 0.9, 4, 2).unwrap(), 2);
    let file = fs::read_to_string(paraphrase_file(dir.path(), "train", 0.9, 1)).unwrap();
    assert_eq!(file.lines().count(), 4);
    assert_eq!(file.lines().nth(2), Some("short"));
    let error = cache.export(dir.path(), "train", 0.9, 4, 3).unwrap_err().to_string();
    assert!(error.contains("2 of 3 copies"), "{error}");
    fs::write(&path, "no header\n").unwrap();
    assert!(fill(&path, 1).unwrap_err().to_string().contains("not a file of paraphrases"));
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
    assert!(text(&mut upper).contains("failed (exit status: 1)"));
    let error = text(&mut command("sh", &["-c", "echo out of memory >&2; exit 3"]));
    assert!(error.contains("exit status: 3") && error.contains("out of memory"), "{error}");
    assert!(text(&mut command("no-such-program", &[])).contains("could not be started"));
    let mut pipeline =
        BackTranslation::new(command("head", &["-n", "1"]), command("cat", &[]), 0.9);
    let error = pipeline.paraphrase(&texts(), &mut Rng::new(0)).unwrap_err().to_string();
    assert!(error.contains("`head -n 1`") && error.contains("1 lines came back for"), "{error}");
}

fn any_document() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-e]{1,2}", 0..30)
}

proptest! {
    #[test]
    fn chances_have_their_mean(documents in prop::collection::vec(any_document(), 1..12), token_prob in 0.0f64..1.0, seed: u64) {
        let statistics = TfIdf::of(&documents);
        for document in &documents {
            let chances = statistics.chances(document, token_prob);
            prop_assert!(chances.iter().all(|&chance| chance >= -1e-12));
            let mean = chances.iter().sum::<f64>() / chances.len().max(1) as f64;
            prop_assert!(chances.iter().all(|&c| c == 0.0) || (mean - token_prob).abs() < 1e-9);
            let with = |token_prob| {
                let mut text = document.clone();
                statistics.replace(&mut text, token_prob, &mut Rng::new(seed));
                text
            };
            prop_assert_eq!(&with(0.0), document);
            prop_assert_eq!(with(token_prob), with(token_prob));
        }
    }

    #[test]
    fn splitting_keeps_every_word(paragraphs in prop::collection::vec("[ A-Za-z.,;!?\n]{0,700}", 0..5)) {
        let (lines, counts) = split(&paragraphs, sentences);
        prop_assert_eq!(counts.len(), paragraphs.len());
        prop_assert!(lines.iter().all(|line| line.chars().count() < LONG && !line.contains('\n') && !line.is_empty()));
        for (joined, paragraph) in join(&lines, &counts).iter().zip(&paragraphs) {
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(bare(joined), bare(paragraph));
        }
    }

    #[test]
    fn any_shards_give_every_line_once(lines in 0usize..200, workers in 1usize..20) {
        let all: Vec<usize> = (0..workers).flat_map(|worker| shard(lines, worker, workers)).collect();
        prop_assert_eq!(all, (0..lines).collect::<Vec<_>>());
    }

    #[test]
    fn words_never_panic_and_are_stable(text in "\\PC{0,60}") {
        let once = words(&text);
        prop_assert!(once.iter().all(|word| !word.is_empty() && !word.contains(' ')));
        let key = Key { seed: 1, epoch: 0, index: 0, view: 0 };
        let replaced = |mut text: Vec<String>| {
            uniform::replace(&mut text, &once, 0.5, &mut key.rng());
            text
        };
        prop_assert_eq!(replaced(once.clone()), replaced(once.clone()));
    }
}
