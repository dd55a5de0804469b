//! A study from the pages' own words: every command of README and of `docs/rating-study.md`, with
//! three raters in Chromium where there is one (`RATING_PICTURES` names a folder for screenshots).
#![allow(clippy::print_stderr, reason = "it says what each step takes")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::needed::{program, skip};
use crate::tutor::{command, run};

/// The first block of shell commands below a heading, as arguments of `tutor`.
fn commands(page: &str, heading: &str) -> Vec<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join(page)).expect("the page");
    let (_, below) = text.split_once(heading).expect("the heading");
    let (_, block) = below.split_once("```sh\n").expect("a block of commands");
    let (block, _) = block.split_once("```").expect("its end");
    let line = |line: &str| {
        let line = line.split(" # ").next().unwrap_or_default().trim();
        let tutor = line.strip_prefix("cargo run --release -p tutor -- ");
        let rest = tutor.or_else(|| line.strip_prefix("tutor ")).expect("a command of tutor");
        // Quotes hold words together; nothing else of a shell is used.
        let parts = rest.split('"').enumerate();
        let words = parts.flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        words.collect()
    };
    block.lines().map(line).collect()
}

/// The server, which ends with the test, and what it prints.
struct Serving {
    child: Child,
    /// Kept open, so that the server can go on printing.
    _said: BufReader<ChildStdout>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two chatbots' responses to the same contexts, in the file that a command names.
fn responses(dir: &Path, file: &str, place: usize) {
    let contexts =
        ["Do you swim?", "I have a cat.", "Where do you live?", "What did you eat today?"];
    let own = ["Every Sunday, in the lake", "What's its name?", "By the sea, in Kiel", "Pancakes"];
    let said = |index: usize| if place == 0 { own[index] } else { "ok" };
    let mut text = String::new();
    if file.ends_with(".csv") {
        text += "context,response\n";
    }
    for (index, context) in contexts.iter().enumerate() {
        text += &match file.ends_with(".csv") {
            true => format!("{context},\"{}\"\n", said(index)),
            false => json!({ "context": [context], "response": said(index) }).to_string() + "\n",
        };
    }
    fs::write(dir.join(file), text).expect("a file");
}

fn walk(page: &str, heading: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    // A free port, so that another server on this machine disturbs nothing.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = port.expect("a port").port().to_string();
    let url = format!("http://127.0.0.1:{port}");
    let (mut serving, mut password, mut links) = (None, String::new(), Vec::new());
    let (mut imported, mut rated) = (0, false);
    for words in commands(page, heading) {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        let begun = Instant::now();
        assert_eq!(words[0], "rate", "{words:?}");
        match words[1] {
            "import" => {
                responses(dir, words[3], imported);
                imported += 1;
                run(dir, &words);
            }
            "init" => {
                let said = run(dir, &words);
                let first = said.lines().next().expect("the password");
                password = first.rsplit(' ').next().expect("a word").to_owned();
            }
            "invite" => {
                words.extend(["--url", &url]);
                let said = run(dir, &words);
                let all = said.lines().map(|line| line.split('\t').nth(1).expect("a link"));
                links = all.take(3).map(str::to_owned).collect();
            }
            "serve" => {
                words.extend(["--port", &port]);
                let mut child = command(dir, &words);
                let mut child = child.stdout(Stdio::piped()).spawn().expect("the program starts");
                let mut said = String::new();
                let mut out = BufReader::new(child.stdout.take().expect("its output"));
                out.read_line(&mut said).expect("a line");
                assert_eq!(said.trim(), format!("Researcher's page: {url}/admin"));
                serving = Some(Serving { child, _said: out });
                rated =
                    in_chromium(dir, &json!({ "url": url, "links": links, "password": password }));
            }
            _ => {
                run(dir, &words);
            }
        }
        eprintln!("{:.1} s: tutor {}", begun.elapsed().as_secs_f64(), words.join(" "));
    }
    assert!(serving.is_some() && imported == 2 && links.len() == 3);
    let report = fs::read_to_string(dir.join("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    if !rated {
        return;
    }
    // Three of the five votes agree: that is a majority already.
    let status = run(dir, &["rate", "status", "study.db"]);
    assert!(status.contains("24 of 40 votes"), "{status}");
    let scores = report["scores"].as_array().expect("scores");
    let ssa = |score: &Value| score["ssa"]["value"].as_f64().expect("an SSA");
    let mut all: Vec<f64> = scores.iter().map(ssa).collect();
    all.sort_by(f64::total_cmp);
    assert_eq!(all, [0.5, 1.0]);
    in_chromium(dir, &json!({ "url": url, "report": dir.join("report.html") }));
}

/// Runs the script in Chromium; whether there is one.
fn in_chromium(dir: &Path, plan: &Value) -> bool {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let chromium = program(&["chromium", "chromium-browser", "google-chrome"]);
    let (Some(node), Some(chromium)) = (program(&["node"]), chromium) else {
        skip("no node or no chromium for the raters of a study");
        return false;
    };
    if !scripts.join("../../../web-server/browser/node_modules").is_dir() {
        skip("no raters of a study: run `npm ci` in crates/web-server/browser");
        return false;
    }
    let mut plan = plan.clone();
    plan["chromium"] = json!(chromium);
    plan["pictures"] = json!(std::env::var("RATING_PICTURES").ok());
    plan["pace"] =
        json!(std::env::var("RATING_PACE").ok().and_then(|ms| ms.parse().ok()).unwrap_or(0));
    let file = dir.join("plan.json");
    fs::write(&file, plan.to_string()).expect("a plan");
    let script = scripts.join("walk.mjs");
    let output = Command::new(node).arg(script).arg(&file).output().expect("node runs");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    eprint!("{out}");
    true
}

#[test]
fn the_study_of_the_documentation_can_be_run() {
    walk("docs/rating-study.md", "# A rating study");
}

#[test]
fn the_study_of_the_readme_can_be_run() {
    walk("README.md", "## People rate chatbots");
}
