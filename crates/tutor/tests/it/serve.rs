//! A network that replies, served as a user serves it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::tutor::{command, refused, run, run_folder};

/// A server under way, which ends with the test, whatever happens.
struct Server {
    child: Child,
    /// What it said before it began to serve.
    said: String,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Best effort: it may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        Self::start_with(dir, &[&["--max-tokens", "6"], arguments].concat())
    }

    fn start_with(dir: &Path, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--port", "0"], arguments].concat();
        let mut child =
            command(dir, &arguments).stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("Ctrl-C ends.") {
            assert!(lines.read_line(&mut said).expect("a line") > 0, "{said}");
        }
        let url = said.lines().find_map(|line| line.split("http://").nth(1)).expect("an address");
        let url = format!("http://{}", url.split('/').next().expect("an address"));
        Self { child, said, url }
    }

    /// What is answered to a request: its status and body.
    fn ask(&self, path: &str, body: Option<&Value>) -> (u16, String) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("{}{path}", self.url);
        let answered = match body {
            Some(body) => agent.post(url).send(body.to_string()),
            None => agent.get(url).call(),
        };
        let mut answered = answered.expect("an answer");
        let status = answered.status().as_u16();
        (status, answered.body_mut().read_to_string().expect("a text"))
    }

    fn chat(&self, body: &Value) -> Value {
        let (status, text) = self.ask("/api/chat", Some(body));
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Asks the process to end, and waits; how long that took.
    fn end(mut self) -> Duration {
        let start = Instant::now();
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
        assert!(self.child.wait().expect("ended").success(), "it ends in order");
        start.elapsed()
    }
}

/// The replies of a chat in the terminal to what is typed.
fn typed(dir: &Path, arguments: &[&str], typed: &str) -> Vec<String> {
    let arguments = [&["chat", "--max-tokens", "6"], arguments].concat();
    let mut child = command(dir, &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(typed.as_bytes()).expect("written");
    let out = child.wait_with_output().expect("ended").stdout;
    let out = String::from_utf8(out).expect("UTF-8");
    let replies = out.lines().filter_map(|line| line.split_once(": "));
    replies.map(|(_, reply)| reply.trim().to_owned()).collect()
}

/// A text of the API as the terminal shows it: with pictures of control characters.
fn shown(text: &Value) -> String {
    let text = text.as_str().expect("a text").chars();
    let picture = |c: char| match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).expect("a picture"),
        '\u{7f}' => '\u{2421}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.map(picture).collect()
}

#[test]
fn what_was_trained_is_served() {
    let dir = tempfile::tempdir().expect("a folder");
    let quick = ["run", "meena", "--quick", "--threads", "1", "--set", "replies.contexts=0"];
    let folder = run_folder(dir.path(), &run(dir.path(), &quick));
    let folder = folder.to_str().expect("a path");
    let plain = [folder, "--model", "plain", "--candidates", "3"];
    let served = Server::start(
        dir.path(),
        &[&plain[..], &["--keep", "kept.jsonl", "--name", "mine"]].concat(),
    );
    assert!(
        served.said.contains("model mine") && served.said.contains("kept.jsonl"),
        "{}",
        served.said
    );

    // The same seed and the same words give the same replies as in the terminal.
    let replies = typed(dir.path(), &plain, "Hello you\nWhat do you like to do?\n");
    let mut turns = vec!["Hello you".to_owned()];
    let first = served.chat(&json!({ "turns": turns, "seed": 1, "conversation": "c" }));
    assert_eq!(shown(&first["reply"]), replies[0]);
    assert_eq!(first["candidates"].as_array().map(Vec::len), Some(3));
    turns.push(first["reply"].as_str().expect("a text").to_owned());
    turns.push("What do you like to do?".to_owned());
    let second = served.chat(&json!({ "turns": turns, "seed": 1, "conversation": "c" }));
    assert_eq!(shown(&second["reply"]), replies[1]);
    assert_ne!(
        served.chat(&json!({ "turns": turns, "seed": 2 }))["candidates"],
        second["candidates"]
    );

    // A single one comes in pieces, which together are what the terminal shows.
    let single =
        typed(dir.path(), &[folder, "--model", "plain", "--candidates", "1"], "Hello you\n");
    let body = json!({ "turns": ["Hello you"], "seed": 1, "candidates": 1, "stream": true });
    let (_, events) = served.ask("/api/chat", Some(&body));
    let data = events.lines().filter_map(|line| line.strip_prefix("data:"));
    let data: Vec<Value> = data.map(|data| serde_json::from_str(data).expect("JSON")).collect();
    let pieces: String = data.iter().filter_map(|data| data["text"].as_str()).collect();
    let whole = &data.last().expect("an end")["reply"];
    assert_eq!(pieces, whole.as_str().expect("a text"));
    assert!(single[0].contains(&shown(whole)), "{single:?} {whole}");
    assert!(data.len() > 4, "more than one piece: {events}");

    // No special token comes of a text; what is too long is cut and said.
    let tokens = |text: &str| {
        let read = served.chat(&json!({ "turns": [text], "seed": 1 }))["read"].clone();
        (read["tokens"].as_u64().expect("a number"), read["last_turn_cut"] == true)
    };
    for name in ["<end>", "<turn>", "<pad>"] {
        assert!(tokens(name).0 > 3, "{name} is one token");
    }
    let (most, cut) = tokens(&"word ".repeat(700));
    assert!(cut);
    let many: Vec<&str> = std::iter::repeat_n("We talk about the weather.", 99).collect();
    let read = &served.chat(&json!({ "turns": many }))["read"];
    assert!(read["turns_left_out"].as_u64().expect("a number") > 0, "{read}");
    assert!(read["tokens"].as_u64().expect("a number") <= most, "{read}");

    // It can be rated: by asking it, and by what was kept.
    let contexts = ["Hello you", "Where do you live?"]
        .map(|turn| json!({ "id": turn, "turns": [turn] }).to_string() + "\n");
    std::fs::write(dir.path().join("contexts.jsonl"), contexts.concat()).expect("a file");
    run(dir.path(), &["rate", "init", "study.db"]);
    let url = format!("{}/v1", served.url);
    let ask = ["rate", "ask", "study.db", "mine", "--url", &url, "--model", "mine"];
    let said = run(dir.path(), &[&ask[..], &["--contexts", "contexts.jsonl"]].concat());
    assert!(said.contains("2 of them new"), "{said}");
    let said = run(dir.path(), &["rate", "import", "study.db", "kept.jsonl"]);
    let kept = std::fs::read_to_string(dir.path().join("kept.jsonl")).expect("a file");
    assert!(said.contains(&format!("{} added", kept.lines().count())), "{said}");

    drop(served);

    // SIGTERM ends it in order, in the middle of a reply.
    let many = ["--candidates", "1000", "--max-tokens", "64", "--reply-timeout", "120"];
    let served =
        Server::start_with(dir.path(), &[&[folder, "--model", "plain"], &many[..]].concat());
    let mut stream =
        std::net::TcpStream::connect(served.url.trim_start_matches("http://")).expect("it");
    let body = json!({ "turns": ["Hello you"], "stream": true }).to_string();
    let head = format!(
        "POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).expect("sent");
    let (mut reader, mut line) = (BufReader::new(stream), String::new());
    while !line.contains("event: piece") {
        line.clear();
        assert!(reader.read_line(&mut line).expect("a line") > 0, "no piece came");
    }
    assert!(served.end() < Duration::from_secs(5));
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("the end");
    assert!(rest.contains("shutting_down") && !rest.contains("event: done"), "{rest}");

    // Weights are looked for before their vocabulary, in the hub's cache too.
    let said = refused(dir.path(), &["serve", "--weights", "microsoft/DialoGPT-small"]);
    assert!(said.contains("the cache of the Hugging Face hub"), "{said}");
    let snapshot = dir.path().join("hub/hub/models--some--chat/snapshots/1");
    std::fs::create_dir_all(&snapshot).expect("a folder");
    let said = refused(dir.path(), &["serve", "--weights", "some/chat"]);
    assert!(said.contains("models--some--chat") && said.contains("vocab.json"), "{said}");

    // Others are served with a key alone.
    let open = Server::start(dir.path(), &[folder, "--listen", "0.0.0.0"]);
    let key = open.said.split("#key=").nth(1).and_then(|rest| rest.lines().next()).expect("a key");
    assert_eq!(key.len(), 26);
    assert!(open.said.contains("http://127.0.0.1:") && open.said.contains("From elsewhere"));
    assert_eq!(open.ask("/v1/models", None).0, 401);
    let port = open.url.rsplit(':').next().expect("a port").to_owned();
    let said = refused(dir.path(), &["serve", folder, "--listen", "0.0.0.0", "--port", &port]);
    assert!(said.contains("--port"), "{said}");
    drop(open);

    std::fs::write(dir.path().join("key"), "short").expect("a file");
    let electra = dir.path().join("electra");
    std::fs::create_dir(&electra).expect("made");
    for name in ["config.json", "vocab.txt"] {
        std::fs::write(electra.join(name), "{\"model_type\": \"electra\"}").expect("a file");
    }
    for (arguments, fault) in [
        (&[folder, "--key-file", "key"][..], "at least 16"),
        (&[folder, "--key-file", "none"], "none cannot be read"),
        (&[folder, "--rate", "0"], "--rate"),
        (&[folder, "--model", "plane", "--port", "0"], "plain, evolved"),
        (&[folder, "--keep", "no/where/kept.jsonl", "--port", "0"], "no/where/kept.jsonl"),
        (
            &[".", "--port", "0"],
            "not the folder of a run (it has no recipe.toml): name one of the paper Meena, \
             as runs/meena/latest",
        ),
        (&["--weights", ".", "--port", "0"], "vocab.json"),
        (&["--weights", "electra", "--port", "0"], "of the kind electra"),
        (&[folder, "--vocab", "."], "--vocab"),
        (&[folder, "--name", " "], "--name"),
        (&[folder, "--temperature", "nan"], "--temperature"),
    ] {
        let said = refused(dir.path(), &[&["serve"], arguments].concat());
        assert!(said.contains(fault), "{fault}: {said}");
    }
}

#[test]
fn who_asks_at_the_same_moment_gets_what_each_gets_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let quick = ["run", "meena", "--quick", "--threads", "1", "--set", "replies.contexts=0"];
    let folder = run_folder(dir.path(), &run(dir.path(), &quick));
    let folder = folder.to_str().expect("a path");
    let arguments =
        ["--model", "evolved", "--slots", "4", "--allow-origin", "http://localhost:5173"];
    let served = Server::start_with(dir.path(), &[&[folder][..], &arguments].concat());
    let (_, health) = served.ask("/health", None);
    assert!(health.contains("\"slots\":4"), "{health}");
    // Contexts, numbers of candidates, temperatures and lengths of all kinds.
    let asks: Vec<Value> = (0..8u64)
        .map(|i| {
            let turns: Vec<String> =
                (0..=2 * (i % 3)).map(|turn| format!("hello {i} {turn}")).collect();
            json!({
                "turns": turns, "seed": i, "candidates": 1 + 4 * (i % 2), "max_tokens": 4 + 3 * i,
                "temperature": 0.5 + 0.1 * i as f64, "top_k": 5 + i,
            })
        })
        .collect();
    let told = |answer: &Value| {
        let candidates = answer["candidates"].as_array().expect("candidates");
        let of =
            |candidate: &Value| (candidate["text"].to_string(), candidate["tokens"].to_string());
        (answer["finish"].to_string(), candidates.iter().map(of).collect::<Vec<_>>())
    };
    let alone: Vec<_> = asks.iter().map(|ask| told(&served.chat(ask))).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> =
            asks.iter().map(|ask| scope.spawn(|| told(&served.chat(ask)))).collect();
        asked.into_iter().map(|asked| asked.join().expect("an answer")).collect()
    });
    assert_eq!(alone, together);
    let said = refused(dir.path(), &["serve", folder, "--port", "0", "--allow-origin", "*"]);
    assert!(said.contains("no origin of a page"), "{said}");
}

#[test]
fn a_classifier_of_texts_refuses_replies_beside_the_words() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let quick = ["run", "meena", "--quick", "--threads", "1", "--set", "replies.contexts=0"];
    let folder = run_folder(dir, &run(dir, &[&quick[..], &["--rows", "plain"]].concat()));
    let folder = folder.to_str().expect("a path");
    let body = json!({ "turns": ["Hello you"], "seed": 1, "candidates": 12 });
    let drawn = |more: &[&str]| {
        let served = Server::start(dir, &[&[folder], more].concat());
        let answer = served.chat(&body);
        let all = answer["candidates"].as_array().expect("candidates").clone();
        (answer["reply"].clone(), all)
    };
    let text = |candidate: &Value| candidate["text"].as_str().expect("a text").to_owned();
    let (given, all) = drawn(&[]);
    let mut texts: Vec<String> = all.iter().map(text).filter(|text| !text.is_empty()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert!(texts.len() > 3, "{all:?}");

    // A classifier that tells every other one of them from the rest.
    let mut table = csv::Writer::from_path(dir.join("said.csv")).expect("a table");
    table.write_record(["text", "label"]).expect("a row");
    for _ in 0..10 {
        for (text, label) in texts.iter().zip(["even", "odd"].iter().cycle()) {
            table.write_record([text, *label]).expect("a row");
        }
    }
    table.flush().expect("written");
    let fitted = run(dir, &["fit", "--text", "said.csv", "--minutes", "0.1"]);
    let classifier = run_folder(dir, &fitted).display().to_string();
    let by = |class: &'static str| ["--classifier", classifier.as_str(), "--refuse", class];
    let refused_by = |class: &'static str| -> Vec<Value> {
        let (reply, all) = drawn(&by(class));
        let unsafe_ones = all.iter().filter(|of| of["dropped"].to_string().contains("classifier"));
        // Texts of what is refused are not told.
        assert!(unsafe_ones.clone().all(|of| text(of).is_empty()), "{all:?}");
        let best = all.iter().find(|of| of["dropped"].is_null()).map(|of| of["text"].clone());
        assert_eq!(best, Some(reply), "{all:?}");
        unsafe_ones.map(|of| of["score"].clone()).collect()
    };
    // What is refused for one class is not for the other; together they are all that says anything.
    let (even, odd) = (refused_by("even"), refused_by("odd"));
    let scores = all.iter().filter(|of| !text(of).is_empty()).map(|of| of["score"].clone());
    let (mut both, mut scores) = ([even.clone(), odd.clone()].concat(), scores.collect::<Vec<_>>());
    for list in [&mut both, &mut scores] {
        list.sort_by_key(Value::to_string);
    }
    assert!(!even.is_empty() && !odd.is_empty(), "{even:?} {odd:?}");
    assert_eq!(both, scores, "{given}");

    // With one candidate nothing is shown before it is judged, neither here nor in the terminal.
    let never = [&by("even")[..], &["--refuse-threshold", "0"]].concat();
    let served = Server::start(dir, &[&[folder], &never[..]].concat());
    let one = json!({ "turns": ["Hello you"], "seed": 1, "candidates": 1, "stream": true });
    let (_, events) = served.ask("/api/chat", Some(&one));
    let data = events.lines().filter_map(|line| line.strip_prefix("data:"));
    let data: Vec<Value> = data.map(|data| serde_json::from_str(data).expect("JSON")).collect();
    assert!(data.len() > 1, "{events}");
    let shown = data.iter().filter_map(|of| of["text"].as_str()).collect::<String>();
    assert_eq!(shown, "", "{events}");
    drop(served);
    let single = [&[folder, "--candidates", "1"], &never[..]].concat();
    let replies = typed(dir, &single, "Hello you\n");
    assert_eq!(replies, ["(nothing that may be said; say it in other words, or /why)"]);
    let mild = [&by("even")[..], &["--refuse-threshold", "1", "--candidates", "1"]].concat();
    let replies = typed(dir, &[&[folder], &mild[..]].concat(), "Hello you\n");
    assert!(!replies[0].is_empty() && !replies[0].starts_with('('), "{replies:?}");

    // One's own words are refused where they come, and nothing of them is shown before: ASCII word
    // by word, others with the whole reply.
    let parts = replies[0].split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let words: Vec<&str> = parts.collect();
    assert!(!words.is_empty(), "{replies:?}");
    for list in [words.join("\n"), words.join("\n") + "\nдурак\n"] {
        std::fs::write(dir.join("words.txt"), list).expect("written");
        let own = ["--candidates", "1", "--offensive-words", "words.txt"];
        let replies = typed(dir, &[&[folder], &own[..]].concat(), "Hello you\n");
        let said = replies[0]
            .trim_start_matches("(nothing that may be said; say it in other words, or /why)");
        assert!(!words.iter().any(|word| said.contains(word)), "{words:?} in {replies:?}");
    }
    let said = refused(dir, &[&["serve", folder], &by("mean")[..]].concat());
    assert!(said.contains("knows no class \"mean\""), "{said}");
}
