//! Networks that reply, as a user trains them and talks to them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Output, Stdio};

use dialog_models::{Gpt2, Gpt2Config};
use torch::{Device, Params};

use crate::together::assert_near;
use crate::tutor::{command, killed, refused, result, run, run_folder};

const QUICK: [&str; 5] = ["run", "meena", "--quick", "--threads", "1"];

/// Chats through a pipe.
fn chat(dir: &Path, arguments: &[&str], typed: &[u8]) -> Output {
    let arguments = [&["chat"], arguments].concat();
    let mut command = command(dir, &arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    child.stdin.take().expect("a pipe").write_all(typed).expect("written");
    child.wait_with_output().expect("ended")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn both_networks_are_measured_and_one_can_talk_to_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = run_folder(dir.path(), &run(dir.path(), &QUICK));
    let found = result(&folder);
    let rows = found["rows"].as_array().expect("rows");
    let named = |metric: &str| -> Vec<(&str, f64)> {
        let of = rows.iter().filter(|row| row["metric"] == metric);
        let value = |row: &serde_json::Value| row["per_seed"][0].as_f64().expect("a number");
        of.map(|row| (row["name"].as_str().expect("a name"), value(row))).collect()
    };
    let tokens = named("test perplexity of a token");
    assert_eq!(tokens.iter().map(|row| row.0).collect::<Vec<_>>(), ["plain", "evolved"]);
    assert!(named("test perplexity of a word").iter().zip(&tokens).all(|(w, t)| w.1 > t.1));
    let interval = &found["comparisons"][0];
    assert_eq!(interval["name"], "evolved - plain");
    let bound = |i: usize| interval["ci95"][i].as_f64().expect("a bound");
    let mean = interval["mean"].as_f64().expect("a number");
    assert!((mean - (tokens[1].1 - tokens[0].1)).abs() < 1e-9, "{mean} {tokens:?}");
    assert!(bound(0) < mean && mean < bound(1));
    assert_eq!(interval["example"], "conversation");
    assert!(found["notes"].to_string().contains("Intervals are over conversations"), "{found}");
    let page = std::fs::read_to_string(folder.join("report.html")).expect("the page");
    for words in [
        "From messages to pairs",
        "Replies to the recipe",
        "All candidates",
        "Conversations with themselves",
        "none of it is SSA",
    ] {
        assert!(page.contains(words), "{words}");
    }

    // The same words give the same replies, from whatever row; a reset begins anew.
    let run = folder.to_str().expect("a path");
    let few = ["--candidates", "3", "--max-tokens", "5"];
    let single = ["--candidates", "1", "--max-tokens", "5"];
    let talk_by = |how: &[&str], more: &[&str], typed: &str| {
        let output = chat(dir.path(), &[&[run][..], how, more].concat(), typed.as_bytes());
        assert!(output.status.success(), "{}", err(&output));
        out(&output)
    };
    let talk = |more: &[&str], typed: &str| talk_by(&few, more, typed);
    let plain = talk(&["--model", "plain"], "Hello you\n/why\n");
    assert!(plain.starts_with("plain: "), "{plain}");
    assert_eq!(plain.lines().count(), 4, "a reply and three candidates: {plain}");
    // The likeliest token alone, by two ways.
    let [nucleus, first] = [["--top-p", "0.000001"], ["--top-k", "1"]];
    let greedy = talk(&[&["--model", "plain"], &nucleus[..]].concat(), "Hello you\n");
    assert_eq!(greedy, talk(&[&["--model", "plain"], &first[..]].concat(), "Hello you\n"));
    // A search for the likeliest reply finds it too, or better ones.
    let beam = |width, typed| {
        let how = ["--beam", width, "--max-tokens", "5"];
        talk_by(&how, &["--model", "plain"], typed)
    };
    assert_eq!(greedy, beam("1", "Hello you\n"));
    let wide = beam("3", "Hello you\n/why\n");
    assert_eq!(wide.lines().count(), 4, "a reply and three candidates: {wide}");
    let twice = talk(&["--model", "plain"], "Hello you\n/reset\nHello you\n");
    let replies: Vec<&str> = twice.lines().filter(|line| line.starts_with("plain: ")).collect();
    assert_eq!(replies, [plain.lines().next().expect("a reply"); 2]);
    let other = talk(&["--model", "plain", "--sampling-seed", "2"], "Hello you\n");
    assert_ne!(other.trim_end(), replies[0]);
    let one = talk_by(&single, &[], "Hello you\n/help\n/nonsense\n/quit\nnever read\n");
    assert!(one.contains("/save FILE") && one.contains("no /nonsense"), "{one}");
    assert!(!one.contains("never read"));

    // In bfloat16 as well, whose scores are a little different.
    let half = ["--model", "plain", "--precision", "bfloat16"];
    let half = talk(&half, "Hello you\n/why\n");
    assert_eq!(half.lines().count(), 4, "a reply and three candidates: {half}");
    assert_ne!(half, plain, "scores of bfloat16");

    // What is said and replied is written, and nothing is overwritten.
    std::fs::write(dir.path().join("mine.txt"), "mine").expect("written");
    let saved =
        talk(&[], "Hello\tyou \u{1b}[31m\n/save mine.txt\n/save talk.txt\n/save talk.txt\n");
    assert!(saved.contains("mine.txt is there already"), "{saved}");
    assert_eq!(saved.matches("Written to talk.txt").count(), 2, "{saved}");
    let text = std::fs::read_to_string(dir.path().join("talk.txt")).expect("it");
    assert!(text.starts_with("Chat Conversation 1\nHuman: Hello you"), "{text}");
    assert_eq!(std::fs::read_to_string(dir.path().join("mine.txt")).expect("it"), "mine");

    // Whatever is typed, no control character reaches the terminal; long lines are cut with a note.
    let mut typed = b"\x1b]0;title\x07 \xff\xfe <|endoftext|> \r hello\n/why \n/\x1b[2J\n".to_vec();
    typed.extend("word ".repeat(40_000).bytes());
    let output = chat(dir.path(), &[&[run][..], &few].concat(), &typed);
    assert!(output.status.success(), "{}", err(&output));
    assert!(err(&output).contains("longer than 64 KiB"), "{}", err(&output));
    assert!(err(&output).contains("its beginning was left out"), "{}", err(&output));
    let shown = out(&output);
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");

    // Ctrl-C leaves, while the person thinks what to say.
    let mut child = command(dir.path(), &[&["chat", run][..], &few].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"Hello you\n").expect("written");
    let mut reply = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut reply).expect("a reply");
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    assert!(child.wait().expect("ended").success(), "after {reply:?}");
    drop(stdin);

    let said = refused(dir.path(), &["chat", run, "--model", "evolvd"]);
    assert!(said.contains("plain, evolved"), "{said}");
    let said = refused(dir.path(), &["chat", run, "--beam", "2", "--temperature", "1"]);
    assert!(said.contains("cannot be used with"), "{said}");
    let said = refused(dir.path(), &["export", run, "--hub", "hub"]);
    assert!(said.contains("a network that replies") && said.contains("tutor serve"), "{said}");
    let said = refused(dir.path(), &["chat", run, "--precision", "int8"]);
    assert!(said.contains("float32, bfloat16"), "{said}");
    let said = refused(dir.path(), &["chat", run, "--temperature", "nan"]);
    assert!(said.contains("--temperature"), "{said}");
    let said = refused(dir.path(), &["chat", "."]);
    assert!(said.contains("not the folder of a run"), "{said}");
    let said = refused(dir.path(), &["chat", "--weights", "."]);
    assert!(said.contains("vocab.json"), "{said}");
}

#[test]
fn a_network_is_timed_at_its_size() {
    let dir = tempfile::tempdir().expect("a folder");
    let few = ["--device", "cpu", "--pairs", "2", "--steps", "1", "--recompute", "--peak", "100"];
    let json = ["measure", "replies", "--json", "found.json"];
    let said = run(dir.path(), &[&json, &few[..]].concat());
    assert!(said.contains("1572992 parameters") && said.contains("% of its peak"), "{said}");
    let text = std::fs::read_to_string(dir.path().join("found.json")).expect("it");
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let number = |key: &str| found[key].as_f64().expect("a number");
    let made = number("step_operations") / number("step_seconds") / 1e12;
    assert!((made / number("teraflops") - 1.0).abs() < 1e-6);
    assert!(number("first_tokens_seconds") < number("reply_seconds"), "{found}");
    assert!(number("peak_bytes") > 4.0 * 1_572_992.0, "{found}");
}

/// A batch in parts, whose blocks are run again, gives the losses of the whole to the last digits,
/// which are others.
#[test]
fn a_batch_in_parts_has_the_losses_of_the_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let few = "--rows evolved --device cpu --set train.steps=20 --set train.batch=8 --set \
               cadence.log=1 --set train.lr={kind=\"constant\",value=0.001} --out";
    let few: Vec<&str> = few.split_whitespace().collect();
    let trained = |out: &str, more: &[&str]| {
        let said = run(dir.path(), &[&QUICK[..], &few, &[out], more].concat());
        run_folder(dir.path(), &said).join("seed-1/evolved")
    };
    let whole = trained("whole", &[]);
    let parts = ["--set", "train.accumulate=4", "--set", "recompute=true"];
    // A row alone is compared with nothing, and has no interval.
    let alone = result(whole.parent().and_then(Path::parent).expect("the run's folder"));
    assert!(!alone["notes"].to_string().contains("Intervals are over"), "{alone}");
    let cut = trained("parts", &parts);
    assert_near(&cut, &whole);
    let bits = |folder: &Path| std::fs::read(folder.join("final.safetensors")).expect("weights");
    assert_ne!(bits(&cut), bits(&whole), "sums of four parts");
    let odd = [&QUICK[..], &few, &["odd", "--set", "train.accumulate=3"]].concat();
    let said = refused(dir.path(), &odd);
    assert!(said.contains("3 parts of a batch of 8"), "{said}");
}

#[test]
fn killed_at_some_moment_it_ends_with_the_same_bits() {
    let dir = tempfile::tempdir().expect("a folder");
    let whole = [&QUICK[..], &["--out", "whole"]].concat();
    let broken = [&QUICK[..], &["--out", "broken"]].concat();
    let whole = run_folder(dir.path(), &run(dir.path(), &whole));
    let files =
        ["vocabulary/tokenizer.json", "plain/checkpoints/step-", "evolved/checkpoints/step-"];
    killed(dir.path(), &broken, "broken", &files);
    run(dir.path(), &broken);
    let broken = dir.path().join("broken/meena/latest");
    for file in [
        "vocabulary/tokenizer.json",
        "funnel.json",
        "seed-1/plain/final.safetensors",
        "seed-1/evolved/final.safetensors",
    ] {
        let read = |run: &Path| std::fs::read(run.join(file));
        assert_eq!(read(&whole).expect("whole"), read(&broken).expect("broken"), "{file}");
    }
    assert_eq!(result(&whole)["rows"], result(&broken)["rows"]);
}

#[test]
fn a_row_may_be_trained_for_as_long_as_another_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let arguments = [
        "run",
        "meena/dialogues",
        "--quick",
        "--threads",
        "1",
        "--rows",
        "evolved,plain-equal-time",
        "--set",
        "replies.contexts=0",
    ];
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    let found = |row: &str| -> serde_json::Value {
        let file = folder.join("seed-1").join(row).join("row.json");
        serde_json::from_str(&std::fs::read_to_string(file).expect("it")).expect("JSON")
    };
    let seconds = |row: &str| found(row)["cost"]["seconds"].as_f64().expect("a number");
    let (evolved, plain) = (seconds("evolved"), seconds("plain-equal-time"));
    assert_eq!(found("evolved")["steps"], 6);
    // A step more than the time, at most.
    assert!(plain > 0.8 * evolved && plain < 2.0 * evolved, "{plain} s, {evolved} s");
}

#[test]
fn a_sweep_is_drawn_over_perplexity_and_rated() {
    let dir = tempfile::tempdir().expect("a folder");
    let sweep = ["run", "meena-sweep", "--quick", "--threads", "1"];
    let folder = run_folder(dir.path(), &run(dir.path(), &sweep));
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).expect("a file");
    let lines = |file: &str| -> Vec<serde_json::Value> {
        read(file).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let models = lines("models.jsonl");
    let names: Vec<&str> = models.iter().map(|m| m["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["evolved-2", "evolved-6", "plain-6"]);
    let rows = result(&folder)["rows"].as_array().expect("rows").clone();
    for model in &models {
        let row = rows.iter().find(|row| row["name"] == model["name"]).expect("its row");
        assert_eq!(row["metric"], "test perplexity of a token");
        assert_eq!(model["perplexity"], row["per_seed"][0]);
        assert!(model["measures"]["mean ln p of a token"].as_f64().is_some_and(|p| p < 0.0));
    }
    // Operations are counted, of two steps a third of those of six.
    let operations = |row: &str| -> u64 {
        let found: serde_json::Value =
            serde_json::from_str(&read(&format!("seed-1/{row}/row.json"))).expect("JSON");
        found["cost"]["operations"].as_u64().expect("a number")
    };
    let ratio = operations("evolved-6") as f64 / operations("evolved-2") as f64;
    assert!((2.0..4.5).contains(&ratio), "{ratio}");

    // The plot of ssa has our points.
    let models = folder.join("models.jsonl");
    let set = format!("sweep={}", models.display());
    let drawn = run_folder(dir.path(), &run(dir.path(), &["run", "ssa", "--quick", "--set", &set]));
    let page = std::fs::read_to_string(drawn.join("report.md")).expect("the report");
    for name in names {
        assert!(page.contains(&format!("| {name} | ")), "{page}");
    }
    assert!(page.contains("| mean ln p of a token | 3 |"), "{page}");

    // All networks reply to the same contexts, and each talks to itself.
    let items = lines("items.jsonl");
    assert_eq!(items.len(), 12);
    let contexts = |system: &str| -> Vec<&serde_json::Value> {
        let of = items.iter().filter(|item| item["system"] == system);
        of.map(|item| &item["context"]).collect()
    };
    assert_eq!(contexts("evolved-2"), contexts("plain-6"));
    let path = |file: &str| folder.join(file).display().to_string();
    run(dir.path(), &["rate", "init", "study.db", "--votes", "1"]);
    let (items, systems) = (path("items.jsonl"), path("systems.jsonl"));
    let said = run(dir.path(), &["rate", "import", "study.db", &systems, &items]);
    assert!(said.contains("12 added"), "{said}");
    run(dir.path(), &["rate", "import", "study.db", "--transcripts", &path("transcripts.txt")]);
    let talks = read("transcripts.txt");
    assert_eq!(talks.matches("evolved-6 Conversation").count(), 3, "{talks}");
    assert!(talks.contains("Partner: Hi!\nevolved-6: "), "{talks}");
}

#[test]
fn ways_to_choose_replies_are_measured_side_by_side() {
    let dir = tempfile::tempdir().expect("a folder");
    let arguments =
        ["run", "meena/dialogues", "--quick", "--threads", "1", "--rows", "plain", "--seeds", "2"];
    let folder = run_folder(dir.path(), &run(dir.path(), &arguments));
    let page = std::fs::read_to_string(folder.join("report.md")).expect("the report");
    for how in ["one", "best of 3", "best of 5", "best of 3, top-k 4", "beam of 3"] {
        assert!(page.contains(&format!("| plain, {how} | 2 | ")), "{how}: {page}");
    }
    // Those of the recipe are measured for the first seed alone, and so is bfloat16.
    let row = |seed: u32| -> serde_json::Value {
        let file = folder.join(format!("seed-{seed}/plain/row.json"));
        serde_json::from_str(&std::fs::read_to_string(file).expect("it")).expect("JSON")
    };
    let measures = |seed| row(seed)["replied"]["measures"].as_array().expect("measures").len();
    assert_eq!((measures(1), measures(2)), (5, 2));
    let found = row(1)["bfloat16"].clone();
    let sum = |key: &str| -> f64 {
        let all = row(1)["test"]["conversations"].as_array().expect("conversations").clone();
        all.iter().map(|one| one[key].as_f64().expect("a number")).sum()
    };
    let (float32, half) = ((sum("nll") / sum("tokens")).exp(), found["test"].as_f64());
    let off = (half.expect("a perplexity") / float32 - 1.0).abs();
    assert!(0.0 < off && off < 0.02, "{found} beside {float32}");
    assert!(page.contains("## Weights in bfloat16") && row(2)["bfloat16"].is_null());
    let of_first = |title: &str| page.contains(&format!("\n## {title}\n\nOf the first seed.\n"));
    for title in ["What the trainings took", "Replies to the recipe's prompts"] {
        assert!(of_first(title), "{title}: {page}");
    }
    let set = ["--set", "replies.variants=[{ name = 'none', candidates = 0 }]"];
    let said = refused(dir.path(), &[&arguments[..3], &set].concat());
    assert!(said.contains("replies.variants.0.candidates: "), "{said}");
    let set = ["--set", "replies.variants=[{ name = 'both', beam = 2, candidates = 3 }]"];
    let said = refused(dir.path(), &[&arguments[..3], &set].concat());
    assert!(said.contains("replies.variants.0.beam: a beam search draws nothing"), "{said}");
}

/// A folder like that of a published GPT-2: random weights, bytes as tokens.
fn gpt2_folder(folder: &Path, seed: u64) {
    std::fs::create_dir(folder).expect("a folder");
    // GPT-2 writes bytes as printable characters.
    let printable = |b: u32| matches!(b, 33..=126 | 161..=172 | 174..=255);
    let mut others = 256..;
    let mut vocabulary = serde_json::Map::new();
    for byte in 0..256u32 {
        let code = if printable(byte) { byte } else { others.next().expect("endless") };
        let character = char::from_u32(code).expect("a character");
        vocabulary.insert(character.to_string(), byte.into());
    }
    vocabulary.insert("<|endoftext|>".to_owned(), 256.into());
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).expect("it");
    write("vocab.json", serde_json::Value::Object(vocabulary).to_string());
    write("merges.txt", "#version: 0.2\n".to_owned());
    let config = serde_json::json!({
        "model_type": "gpt2", "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 64,
        "vocab_size": 257, "eos_token_id": 256,
    });
    write("config.json", config.to_string());
    let shape = Gpt2Config { vocabulary: 257, positions: 64, ..Gpt2Config::sized(1, 16, 2) };
    torch::rng::seed(seed);
    let (_, params) = Params::build(Device::Cpu, |scope| Gpt2::new(scope, &shape));
    let named = params.iter().map(|param| (param.name.clone(), param.tensor.shallow_clone()));
    let named: Vec<_> = named.collect();
    torch::store::save(&folder.join("model.safetensors"), &named, &Default::default())
        .expect("saved");
}

#[test]
fn a_network_that_reads_backwards_ranks_the_replies_of_another() {
    let dir = tempfile::tempdir().expect("a folder");
    gpt2_folder(&dir.path().join("forwards"), 1);
    gpt2_folder(&dir.path().join("backwards"), 2);
    let base = ["--weights", "forwards", "--candidates", "4", "--max-tokens", "6"];
    // The numbers before each reply that may be given, in their order.
    let why = |more: &[&str]| -> Vec<[String; 2]> {
        let output = chat(dir.path(), &[&base[..], more].concat(), b"Do you swim?\n/why\n");
        assert!(output.status.success(), "{}", err(&output));
        let numbers = |line: &str| {
            let mut words = line.split_whitespace().map(str::to_owned);
            [0, 1].map(|_| words.next().unwrap_or_default())
        };
        out(&output).lines().skip(1).filter(|line| !line.ends_with(')')).map(numbers).collect()
    };
    let falls = |of: &[[String; 2]], column: usize| {
        let number = |row: &[String; 2]| -> f64 { row[column].parse().expect("a number") };
        of.windows(2).all(|two| number(&two[0]) >= number(&two[1]))
    };
    let with = why(&["--mmi", "backwards"]);
    assert!(with.len() > 2, "{with:?}");
    assert!(falls(&with, 1), "ranked by the second column: {with:?}");
    assert!(!falls(&with, 0), "not by the first one: {with:?}");
    // The same replies, in another order.
    let without = why(&[]);
    assert!(falls(&without, 0), "{without:?}");
    let sorted = |of: &[[String; 2]]| {
        let mut scores: Vec<String> = of.iter().map(|numbers| numbers[0].clone()).collect();
        scores.sort();
        scores
    };
    assert_eq!(sorted(&with), sorted(&without));
    let said = refused(dir.path(), &[&["chat"][..], &base, &["--mmi", "nowhere"]].concat());
    assert!(said.contains("nowhere"), "{said}");
    let said = refused(dir.path(), &["chat", ".", "--mmi", "backwards"]);
    assert!(said.contains("--mmi"), "{said}");
}

#[test]
fn what_cannot_work_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let set = [
        "filters.min-alphabetic=70",
        "net.hidden=30",
        "replies.choice.sample.candidates=0",
        "vocabulary.tokens=100",
        "smoothing=1.0",
    ];
    let arguments: Vec<&str> =
        ["run", "meena"].into_iter().chain(set.iter().flat_map(|set| ["--set", set])).collect();
    let said = refused(dir.path(), &arguments);
    for key in
        ["min-alphabetic", "net.hidden", "sample.candidates", "vocabulary.tokens", "smoothing"]
    {
        assert!(said.contains(key), "{key}: {said}");
    }
    let said = refused(dir.path(), &["run", "meena", "--set", "net.vocabulary=5"]);
    assert!(said.contains("leave it out"), "{said}");
    let said = refused(dir.path(), &["run", "meena/dialogues"]);
    assert!(said.contains("--data"), "{said}");
    std::fs::create_dir(dir.path().join("data")).expect("a folder");
    let said = refused(dir.path(), &["run", "meena/dialogues", "--data", "data"]);
    assert!(said.contains("dialogues_text.txt"), "{said}");
}
