//! Rating studies by the command line: from a new file to a report.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::tutor::{call, command, refused, run};

/// A process that ends with the test, whatever happens.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // Best effort: it may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two systems, each with a response to the same three contexts.
fn responses(dir: &Path) {
    let one = "context,response\nDo you swim?,\"Yes, every Sunday\"\nI have a cat.,What's its name?\n\
               Where do you live?,<b>By the sea</b>\n";
    fs::write(dir.join("one.csv"), one).expect("a file");
    let contexts = ["Do you swim?", "I have a cat.", "Where do you live?"];
    let two = contexts.map(|c| json!({ "context": [c], "response": "ok" }).to_string() + "\n");
    fs::write(dir.join("two.jsonl"), two.concat()).expect("a file");
}

/// A study with both systems and the answers of three raters, who rated elsewhere.
fn rated(dir: &Path) {
    responses(dir);
    run(dir, &["rate", "init", "study.db", "--name", "Two <bots>", "--votes", "3"]);
    run(dir, &["rate", "import", "study.db", "one.csv", "--system", "one"]);
    run(dir, &["rate", "import", "study.db", "two.jsonl", "--system", "two"]);
    for rater in ["ada", "ben", "cem"] {
        let line = |item: String| {
            // Ben sees no sense in `ok`; for the others it is not specific.
            let labels: &[&str] = match (item.starts_with("one"), rater) {
                (true, _) => &["sensible", "specific"],
                (false, "ben") => &["not sensible"],
                (false, _) => &["sensible"],
            };
            json!({ "id": 1, "item": item, "text": "", "label": labels }).to_string() + "\n"
        };
        let items = ["one/1", "one/2", "one/3", "two/1", "two/2", "two/3"];
        let lines: String = items.map(|item| line(item.to_owned())).concat();
        fs::write(dir.join(format!("{rater}.jsonl")), lines).expect("a file");
        let file = format!("{rater}.jsonl");
        let said = run(dir, &["rate", "import", "study.db", "--from", "doccano", &file]);
        assert!(said.contains("6 added"), "{said}");
    }
}

#[test]
fn a_study_from_its_file_to_its_report() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    rated(dir);
    let said = run(dir, &["rate", "status", "study.db"]);
    assert!(said.contains("18 of 18 votes, 6 of 6 items complete"), "{said}");

    // The same file again adds nothing; what a fourth rater says is kept and not counted.
    let said = run(dir, &["rate", "import", "study.db", "--from", "doccano", "ada.jsonl"]);
    assert!(said.contains("0 added, 6 were there already"), "{said}");
    let fourth = ["rate", "import", "study.db", "--from", "doccano", "ben.jsonl", "--rater", "dan"];
    let said = run(dir, &fourth);
    assert!(said.contains("6 are not counted"), "{said}");

    let said = run(dir, &["rate", "report", "study.db", "--names"]);
    assert_eq!(said.lines().collect::<Vec<_>>(), ["report.html", "report.md", "report.json"]);
    let read = |name: &str| fs::read_to_string(dir.join(name)).expect("a file");
    let summary: Value = serde_json::from_str(&read("report.json")).expect("JSON");
    let ssa = |system: &str| {
        let scores = summary["scores"].as_array().expect("scores");
        let score = scores.iter().find(|score| score["system"] == system).expect("the system");
        score["ssa"]["value"].as_f64()
    };
    // By hand: all of `one` is (1, 1); `ok` is (1, 0) by two votes of three.
    assert_eq!((ssa("one"), ssa("two")), (Some(1.0), Some(0.5)));
    let page = read("report.html");
    assert!(page.contains("Two &lt;bots&gt;") && page.matches("<svg").count() >= 3);
    assert!(!page.contains("<script") && !page.contains("src=\"http"), "nothing from outside");
    assert!(page.contains("6 responses of 2 systems to 3 contexts were rated."), "the methods");
    assert!(read("report.md").contains("| one | static | 100.0 ["), "{}", read("report.md"));
    // What is known of systems: a line goes through them, and is drawn.
    let systems = ["one", "two"].map(|name| {
        let perplexity = 10.0 + 5.0 * f64::from(u8::from(name == "two"));
        json!({ "name": name, "perplexity": perplexity }).to_string() + "\n"
    });
    fs::write(dir.join("systems.jsonl"), systems.concat()).expect("a file");
    assert!(run(dir, &["rate", "import", "study.db", "systems.jsonl"]).contains(": 2 added"));
    let said = run(dir, &["rate", "import", "study.db", "systems.jsonl"]);
    assert!(said.contains("0 added, 2 were there already"), "{said}");
    run(dir, &["rate", "report", "study.db", "--names", "--out", "lines.html"]);
    let line = "| perplexity | SSA, % | static | 2 | 1.000 | -10.0000 | 200.0000 |";
    assert!(read("lines.md").contains(line), "{}", read("lines.md"));
    // Without --names the report is as blind as the pages.
    run(dir, &["rate", "report", "study.db", "--out", "blind.html"]);
    assert!(read("blind.md").contains("| System ") && !read("blind.md").contains("| one |"));
    let again = refused(dir, &["rate", "report", "study.db"]);
    assert!(again.contains("report.html is there already"), "{again}");

    // What is exported can be imported elsewhere, and gives the same numbers.
    run(dir, &["rate", "export", "study.db", "--out", "exported", "--names"]);
    run(dir, &["rate", "backup", "study.db", "copy.db"]);
    assert!(!dir.join("study.db-wal").exists(), "a study that nobody has open is one file");
    run(dir, &["rate", "init", "other.db", "--votes", "3"]);
    let files = ["items", "ratings"].map(|name| format!("exported/{name}.jsonl"));
    run(dir, &["rate", "import", "other.db", &files[0], &files[1]]);
    run(dir, &["rate", "report", "other.db", "--out", "other.html", "--names"]);
    let other: Value = serde_json::from_str(&read("other.json")).expect("JSON");
    assert_eq!(other["scores"], summary["scores"]);
    let unknown = refused(dir, &["rate", "import", "other.db", "--from", "doccano", "two.jsonl"]);
    assert!(unknown.contains("two.jsonl") && unknown.contains("line 1"), "{unknown}");
}

#[test]
fn raters_are_served() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    responses(dir);
    run(dir, &["rate", "init", "study.db"]);
    run(dir, &["rate", "import", "study.db", "one.csv", "--system", "one"]);
    let mut serve = command(dir, &["rate", "serve", "study.db", "--port", "0"]);
    let mut serve = Ends(serve.stdout(Stdio::piped()).spawn().expect("the program starts"));
    let mut said = String::new();
    let out = serve.0.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut said).expect("a line");
    let url = said.trim().strip_prefix("Researcher's page: ").expect("the address");
    let host =
        url.strip_prefix("http://").and_then(|u| u.strip_suffix("/admin")).expect("an address");
    let link = run(dir, &["rate", "invite", "study.db", "Ada", "--url", &format!("http://{host}")]);
    let path = link.trim().split_once(host).expect("a link").1;
    let get = |path: &str| {
        let mut stream = TcpStream::connect(host).expect("a server");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let page = get(path);
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("Rating study"), "{page}");
    assert!(get("/r/aaaaaaaaaaaaaaaaaaaaaaaaaa").starts_with("HTTP/1.1 404"));
}

#[test]
fn conversations_become_a_system() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let text = "Bot Conversation 1\nHuman: Hi!\nBot: Hello!\nHuman: Do you ski?\nBot: In winter.\n";
    fs::write(dir.join("bot.txt"), text).expect("a file");
    run(dir, &["rate", "init", "study.db"]);
    let said = run(dir, &["rate", "import", "study.db", "--transcripts", "bot.txt"]);
    assert!(said.contains("bot.txt: 2 added"), "{said}");
    let people = ["--transcripts", "bot.txt", "--speaker", "Human", "--system", "people"];
    let said = run(dir, &[&["rate", "import", "study.db"][..], &people].concat());
    assert!(said.contains("1 added"), "the opening answers nothing: {said}");
    // Each file of a chat numbers its conversations from 1 on.
    fs::write(dir.join("next.txt"), "Bot Conversation 1\nHuman: Hi!\nBot: Go away!\n").expect("it");
    let next = ["rate", "import", "study.db", "--transcripts", "next.txt"];
    let said = run(dir, &next);
    assert!(said.contains("1 added") && said.contains("got another number"), "{said}");
    assert!(run(dir, &next).contains("0 added, 1 was there already"));
    let nobody = ["--transcripts", "bot.txt", "--speaker", "Bott"];
    let said = refused(dir, &[&["rate", "import", "study.db"][..], &nobody].concat());
    assert!(said.contains("--speaker (Bot, Human)"), "{said}");
    let nothing = refused(dir, &["rate", "import", "study.db"]);
    assert!(nothing.contains("required"), "{nothing}");
}

/// Answers every request as a chat model that says the same to a judge's prompt.
fn model(says: &'static str) -> String {
    let answer = move |path: &str, body: &Value| {
        assert_eq!((path, &body["model"]), ("/v1/chat/completions", &json!("m")));
        let asked = body["messages"][0]["content"].as_str().expect("a prompt");
        assert!(asked.contains("Response to be judged:") && asked.contains("make sense?"));
        json!({ "choices": [{ "message": { "content": says } }] }).to_string()
    };
    format!("{}/v1", server(answer))
}

/// Answers every request by what `answer` makes of its path and its JSON.
fn server(answer: impl Fn(&str, &Value) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.expect("a connection"));
            let (mut length, mut path) = (0, String::new());
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                if path.is_empty() {
                    path = line.split(' ').nth(1).expect("a path").to_owned();
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let answer = answer(&path, &body);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            let answer = format!("{head}Content-Length: {}\r\n\r\n{answer}", answer.len());
            reader.get_mut().write_all(answer.as_bytes()).expect("sent");
        }
    });
    url
}

fn page_of(dir: &Path) -> String {
    fs::read_to_string(dir.join("after.html")).expect("a page")
}

#[test]
fn chatbots_answer_contexts_and_become_systems() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    run(dir, &["rate", "init", "study.db", "--votes", "1"]);
    let contexts = r#"{"id": "swim", "turns": ["Do you swim?"]}
{"id": "cat", "turns": ["I have a cat.", "What's its name?"]}"#;
    fs::write(dir.join("contexts.jsonl"), contexts).expect("a file");
    let ask = ["rate", "ask", "study.db"];
    let set = ["--contexts", "contexts.jsonl"];
    let said = run(dir, &[&ask[..], &["GenericBot"], &set].concat());
    assert!(said.contains("GenericBot has responses to 2 contexts, 2 of them new"), "{said}");
    // An OpenAI-compatible server: the last turn is the user's, whoever spoke first.
    let url = server(|path, body| {
        assert_eq!(path, "/v1/chat/completions");
        let last = body["messages"].as_array().and_then(|all| all.last()).expect("a turn");
        assert_eq!(last["role"], "user");
        let says = format!("You say: {}", last["content"].as_str().expect("a text"));
        json!({ "choices": [{ "message": { "content": says } }] }).to_string()
    });
    let url = format!("{url}/v1");
    let open_ai = ["echo", "--url", &url, "--model", "m"];
    assert!(run(dir, &[&ask[..], &open_ai, &set].concat()).contains("2 of them new"));
    assert!(run(dir, &[&ask[..], &open_ai, &set].concat()).contains("0 of them new"));
    // Any chatbot over HTTP.
    let plain = server(|path, body| {
        assert_eq!((path, body["turns"].as_array().map(Vec::is_empty)), ("/bot", Some(false)));
        json!({ "reply": "=1+1" }).to_string()
    });
    let plain = format!("{plain}/bot");
    assert!(run(dir, &[&ask[..], &["own", "--url", &plain], &set].concat()).contains("2 of them"));
    run(dir, &["rate", "export", "study.db", "--out", "out", "--names"]);
    let items = fs::read_to_string(dir.join("out/items.jsonl")).expect("items");
    for part in ["GenericBot/swim", "I don't know", "You say: What's its name?", "own/cat", "=1+1"]
    {
        assert!(items.contains(part), "{part}: {items}");
    }
    // A system that is silent to one of them: the others are kept, and it is said.
    let mute = server(|_, body| {
        let asks = body["turns"].as_array().is_some_and(|turns| turns.len() == 1);
        json!({ "reply": if asks { "" } else { "Tom." } }).to_string()
    });
    // Where nobody answers, or not so, the address is named, and no secret in it.
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let gone = listener.local_addr().expect("an address");
    drop(listener);
    let secret = format!("http://me:hidden@{gone}/bot?key=hidden");
    let said = refused(dir, &[&ask[..], &["gone", "--url", &secret], &set].concat());
    assert!(said.contains(&format!("asking http://{gone}/bot: ")), "{said}");
    assert!(!said.contains("hidden"), "{said}");
    let wrong = server(|_, _| json!({ "error": "?" }).to_string());
    let as_open_ai = ["wrong", "--url", &wrong, "--model", "m"];
    let said = refused(dir, &[&ask[..], &as_open_ai, &set].concat());
    assert!(said.contains(&format!("asking {wrong}: ")) && said.contains("no chat"), "{said}");
    let said = refused(dir, &[&ask[..], &["mute", "--url", &mute], &set].concat());
    assert!(said.contains("mute answered 1 of 2 contexts with nothing: swim"), "{said}");
    let silent = server(|_, _| "{}".to_owned());
    let said = refused(dir, &[&ask[..], &["silent", "--url", &silent], &set].concat());
    assert!(said.contains("no text `reply`") && said.contains("swim"), "{said}");
    fs::write(dir.join("contexts.jsonl"), "{\"id\": \"a\", \"turns\": []}").expect("a file");
    let said = refused(dir, &[&ask[..], &["GenericBot"], &set].concat());
    assert!(said.contains("contexts.jsonl") && said.contains("line 1"), "{said}");
    // Thoughts are not shown, and what is cut off is told.
    let context = "{\"id\": \"ski\", \"turns\": [\"Do you ski?\"]}";
    fs::write(dir.join("contexts.jsonl"), context).expect("a file");
    let thinks = server(|_, _| {
        let message = json!({ "content": "<think>Hm.</think>Often, and" });
        json!({ "choices": [{ "message": message, "finish_reason": "length" }] }).to_string()
    });
    let thinks = ["thinks", "--url", &thinks, "--model", "m"];
    let all = call(dir, &[&ask[..], &thinks, &set].concat());
    assert_eq!(all.out, "thinks has a response to 1 context, which is new\n");
    let noted = all.err;
    assert!(noted.contains("1 response was cut off") && noted.contains("<think>"), "{noted}");
    let own = run(dir, &[&ask[..], &["GenericBot"]].concat());
    assert!(own.contains("GenericBot has responses to 500 contexts"), "{own}");
    // The control under another name, as studies may have it, needs no address, either.
    let control = "context,response\nDo you swim?,I don't know\nI ski.,ok\n";
    fs::write(dir.join("control.csv"), control).expect("a file");
    run(dir, &["rate", "import", "study.db", "control.csv", "--system", "control"]);
    let said = run(dir, &[&ask[..], &["control"], &set].concat());
    assert!(said.contains("control has a response to 1 context, which is new"), "{said}");
}

#[test]
fn a_command_that_is_shown_can_be_copied() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = run(dir.path(), &["rate", "init", "my study.db"]);
    assert!(said.contains("tutor rate import 'my study.db' RESPONSES.csv"), "{said}");
}

#[test]
fn a_judge_stands_beside_people_and_is_not_one_of_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    rated(dir);
    run(dir, &["rate", "report", "study.db", "--out", "before.html"]);
    let url = model("It answers.\nSensible and specific.");
    let ask = ["rate", "judge", "study.db", "judge-1", "--url", &url, "--model", "m"];
    assert!(run(dir, &ask).contains("judge-1 has judged 6 responses"));
    assert!(run(dir, &ask).contains("judged 0 responses"), "none is asked twice");
    run(dir, &["rate", "report", "study.db", "--out", "after.html", "--names"]);
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(dir.join(name)).expect("a file")).expect("JSON")
    };
    let (before, after) = (read("before.json"), read("after.json"));
    assert_eq!(before["ratings"], after["ratings"]);
    let judge = &after["judges"][0];
    assert_eq!(judge["judge"], "judge-1");
    // It says specific of all six, people of three.
    assert_eq!(judge["specific"]["with_label"], json!({ "hits": 3, "of": 6 }));
    let text = fs::read_to_string(dir.join("after.md")).expect("a file");
    assert!(text.contains("None of it is SSA") && text.contains("| judge-1 | two |"), "{text}");
    // People: three specific, three sensible only; the judge always says specific.
    assert_eq!(judge["confusion"], json!([[0, 0, 0], [0, 0, 3], [0, 0, 3]]));
    assert!(text.contains("| judge-1 | sensible only | 0 | 0 | 3 |"), "{text}");
    assert!(text.contains("alpha") && page_of(dir).contains("Automatic judges"));
    run(dir, &["rate", "export", "study.db", "--out", "exported"]);
    let judgments = fs::read_to_string(dir.join("exported/judgments.jsonl")).expect("a file");
    assert_eq!(judgments.lines().count(), 6);
    let ratings = fs::read_to_string(dir.join("exported/ratings.jsonl")).expect("a file");
    assert!(!ratings.contains("judge-1"));
    let nobody = ["--url", "http://127.0.0.1:9/v1", "--model", "m"];
    refused(dir, &[&["rate", "judge", "study.db", "other"][..], &nobody].concat());
}

#[test]
fn what_cannot_be_is_named_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let write = |name: &str, text: &[u8]| fs::write(dir.join(name), text).expect("a file");
    write("short", b"short");
    write("texts.toml", b"no_such_text = \"x\"");
    write("guide.toml", b"version = 1");
    for (option, file) in
        [("--password-file", "short"), ("--texts", "texts.toml"), ("--guideline", "guide.toml")]
    {
        let said = refused(dir, &["rate", "init", "new.db", option, file]);
        assert!(said.contains(file), "{option}: {said}");
        for end in ["", "-wal", "-shm"] {
            assert!(!dir.join(format!("new.db{end}")).exists(), "{option}: new.db{end} stays");
        }
    }
    write("folder.csv", b"");
    write("half.db", b"SQLite format 3\0and no more");
    let said = refused(dir, &["rate", "status", "half.db"]);
    assert!(said.contains("half.db is not a rating study"), "{said}");
    let said = refused(dir, &["rate", "status", "."]);
    assert!(said.contains(". is a folder: name a study's database file"), "{said}");
    let said = refused(dir, &["rate", "status", "none.db"]);
    assert!(said.contains("there is no study none.db (`tutor rate init` makes one"), "{said}");
    run(dir, &["rate", "init", "study.db"]);
    for (name, text, part) in [
        ("empty.csv", "", "no response in it"),
        ("head.csv", "context,response\n", "no response in it"),
        ("bad.csv", "context,respnse\na,b\n", "\"response\""),
        ("bad.jsonl", "{\"response\": \"x\"\n", "line 1"),
        ("bad.txt", "x", "neither in .csv nor in .jsonl"),
        ("open.csv", "context,response\nHi,\"unclosed\nfoo,bar\n", "line 2: a cell begins"),
        ("systems.jsonl", "{\"name\": \"x\", \"perplexity\": 0}", "finite number of 1 or more"),
    ] {
        write(name, text.as_bytes());
        let said = refused(dir, &["rate", "import", "study.db", name, "--system", "x"]);
        assert!(said.contains(name) && said.contains(part), "{said}");
    }
    for (arguments, range) in [
        (&["init", "new.db", "--votes", "99999999999"][..], "from 1 to 99"),
        (&["init", "new.db", "--lease-minutes", "18446744073709551615"], "from 1 to 10080"),
        (&["invite", "study.db", "Ada", "--chats", "1001"], "from 0 to 1000"),
    ] {
        let said = refused(dir, &[&["rate"], arguments].concat());
        assert!(said.contains(range), "{said}");
    }
    let said = refused(dir, &["rate", "backup", "study.db", "nodir/c.db"]);
    assert!(said.contains("nodir/c.db") && !said.contains(".tutor-backup"), "{said}");
    let said = refused(dir, &["rate", "export", "study.db", "--out", "folder.csv"]);
    assert!(said.contains("folder.csv is a file: name a folder"), "{said}");
    // Only the control answers without an address, and what is misspelt is not it.
    for (command, name) in [("ask", "GenericBt"), ("ask", "mine"), ("chat", "mine")] {
        let said = refused(dir, &["rate", command, "study.db", name]);
        assert!(said.contains(&format!("{name}: name the chatbot's address by --url")), "{said}");
    }
    // A file whose second half is wrong adds nothing of its first.
    let good = json!({ "item": "a", "context": ["b"], "response": "c" }).to_string();
    write("some.jsonl", good.as_bytes());
    run(dir, &["rate", "import", "study.db", "some.jsonl", "--system", "x"]);
    let other = json!({ "item": "a", "context": ["b"], "response": "d" }).to_string();
    let first = json!({ "item": "new", "context": ["b"], "response": "d" }).to_string();
    write("two.jsonl", format!("{first}\n{other}\n").as_bytes());
    refused(dir, &["rate", "import", "study.db", "two.jsonl", "--system", "x"]);
    assert!(run(dir, &["rate", "status", "study.db"]).contains("0 of 1 item complete"));
}

#[test]
fn a_lost_password_is_replaced() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    run(dir, &["rate", "init", "study.db"]);
    let said = run(dir, &["rate", "password", "study.db"]);
    let password = said.trim().rsplit(' ').next().expect("a word");
    assert!(said.contains("shown this once") && password.len() >= 10, "{said}");
    fs::write(dir.join("short"), "short").expect("a file");
    fs::write(dir.join("long"), "a long password\n").expect("a file");
    let said = refused(dir, &["rate", "password", "study.db", "--password-file", "short"]);
    assert!(said.contains("10 characters"), "{said}");
    assert_eq!(run(dir, &["rate", "password", "study.db", "--password-file", "long"]), "");
    let said = refused(dir, &["rate", "invite", "study.db", "Bob", " "]);
    assert!(said.contains("a label is empty"), "{said}");
    assert!(run(dir, &["rate", "status", "study.db"]).contains("0 raters"));
    let told = call(dir, &["rate", "invite", "study.db", "Zoe", "Zoe"]);
    assert!(told.success && told.out.lines().count() == 2, "{}", told.err);
    assert!(told.err.contains("there is a rater Zoe already"), "{}", told.err);
    let said = refused(dir, &["rate", "invite", "study.db", "Ada", "--url", "study.example.org"]);
    assert!(said.contains("https://study.example.org"), "{said}");
    assert!(run(dir, &["rate", "status", "study.db"]).contains("2 raters"));
}
