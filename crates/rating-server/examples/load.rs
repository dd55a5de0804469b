//! How many raters a server bears: it starts one in a process of its own, on this machine alone,
//! and lets raters answer as fast as they are served.
//!
//! ```text
//! cargo run --release -p rating-server --example load -- [RATERS [SECONDS]]
//! cargo run --release -p rating-server --example load -- breaks [SECONDS]
//! ```
//!
//! A closed loop without time to think: each rater sends the next answer when the last one was
//! acknowledged, over one connection. Afterwards the answers in the database are counted, rater by
//! rater. `breaks` doubles the raters until one waits more than a second (p99) or is refused; a
//! soak is `200 1800`. What it prints is a table in Markdown.

use eval_ssa::{Guideline, Item, Turn};
use rating_server::{NewRater, Project, ServeOptions, Settings, serve};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

type Anything = Box<dyn Error + Send + Sync>;

/// The most that one may ask for.
const MOST_RATERS: usize = 12_800;
const MOST_SECONDS: u64 = 1800;

/// Answers a second for which there are items, so that nobody runs out.
const FASTEST: u64 = 8000;
const VOTES: u32 = 99;

/// A rater who waits longer than this finds the server broken.
const PATIENCE_MS: f64 = 1000.0;

fn main() -> Result<(), Anything> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let first = arguments.first().map_or("200", String::as_str);
    let number = |at: usize, default: u64| -> Result<u64, Anything> {
        Ok(arguments.get(at).map_or(Ok(default), |text| text.parse())?)
    };
    if first == "serve" {
        return run_server(Path::new(arguments.get(1).ok_or("serve what?")?));
    }
    let mut out = std::io::stdout();
    writeln!(
        out,
        "| raters | seconds | answers/s | p50, ms | p90, ms | p99, ms | largest, ms | acknowledged | \
         lost | doubled | refused |\n|{}",
        " ---: |".repeat(11)
    )?;
    if first != "breaks" {
        let raters: usize = first.parse()?;
        let found = measure(raters.min(MOST_RATERS), number(1, 20)?.min(MOST_SECONDS))?;
        writeln!(out, "{}\n\n{}", found.row, found.memory)?;
        return Ok(());
    }
    let mut raters = 200;
    loop {
        let found = measure(raters, number(1, 20)?.min(MOST_SECONDS))?;
        writeln!(out, "{}", found.row)?;
        out.flush()?;
        if found.p99 > PATIENCE_MS || found.refused > 0 {
            writeln!(out, "\nIt breaks at {raters} raters: {}", found.why())?;
            return Ok(());
        }
        if raters == MOST_RATERS {
            writeln!(out, "\nIt does not break up to {raters} raters.")?;
            return Ok(());
        }
        raters = (2 * raters).min(MOST_RATERS);
    }
}

/// What was found with so many raters.
struct Found {
    row: String,
    memory: String,
    p99: f64,
    refused: usize,
}

impl Found {
    fn why(&self) -> String {
        match self.refused {
            0 => format!("one answer in a hundred takes more than {PATIENCE_MS} ms"),
            refused => format!("{refused} of them were refused"),
        }
    }
}

fn measure(raters: usize, seconds: u64) -> Result<Found, Anything> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("load.db");
    let tokens = make(&path, raters, seconds)?;
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let address: SocketAddr = line.trim().parse()?;
    let process = server.id();
    let watch = std::thread::spawn(move || watched(process, Duration::from_secs(seconds)));
    let given = drive(address, &tokens, Duration::from_secs(seconds));
    let course = watch.join().unwrap_or_default();
    let highest = mebibytes(process, "VmHWM:");
    // The server ends in order when its input ends.
    drop(server.stdin.take());
    server.wait()?;
    let acknowledged: BTreeMap<&str, u64> = tokens
        .iter()
        .zip(&given)
        .map(|((rater, _), one)| (&**rater, one.times.len() as u64))
        .collect();
    let (lost, doubled) = held_against(&path, &acknowledged)?;
    Project::open(&path)?.check()?;
    let refused: Vec<&String> = given.iter().filter_map(|one| one.refused.as_ref()).collect();
    if let Some(first) = refused.first() {
        writeln!(std::io::stderr(), "the first refusal: {first}")?;
    }
    let mut times: Vec<u32> = given.iter().flat_map(|one| one.times.iter().copied()).collect();
    times.sort_unstable();
    let at = |share: f64| match times.len() {
        0 => f64::INFINITY,
        n => f64::from(times[((n - 1) as f64 * share) as usize]) / 1000.0,
    };
    let [p50, p90, p99, largest] = [0.5, 0.9, 0.99, 1.0].map(at);
    let (answers, refused) = (times.len(), refused.len());
    Ok(Found {
        row: format!(
            "| {raters} | {seconds} | {:.0} | {p50:.1} | {p90:.1} | {p99:.1} | {largest:.1} | {answers} | \
             {lost} | {doubled} | {refused} |",
            answers as f64 / seconds as f64,
        ),
        memory: format!(
            "Resident memory of the server at thirtieths of the time, MiB: {course:?}; at most {highest}."
        ),
        p99,
        refused,
    })
}

/// Answers that were acknowledged and are not in the database, and those that are there without it
/// or more than once.
fn held_against(path: &Path, acknowledged: &BTreeMap<&str, u64>) -> Result<(u64, u64), Anything> {
    let db = Connection::open(path)?;
    let mut statement = db.prepare(
        "SELECT key, COUNT(seat.place), COUNT(DISTINCT seat.item), TOTAL(revision - 1)
         FROM rater LEFT JOIN seat ON seat.rater = rater.id AND seat.state IN ('voted', 'late')
         GROUP BY rater.id",
    )?;
    let (mut lost, mut doubled) = (0, 0);
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (key, kept, items): (String, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let again: f64 = row.get(3)?;
        let given = acknowledged.get(&*key).copied().unwrap_or(0);
        lost += given.saturating_sub(kept);
        doubled += kept.saturating_sub(given) + (kept - items) + again as u64;
    }
    Ok((lost, doubled))
}

/// A line of what the system says of a process's memory, in MiB; 0 where it says nothing.
fn mebibytes(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
        / 1024
}

/// The resident memory of a process after each thirtieth of the time, in MiB.
fn watched(process: u32, time: Duration) -> Vec<u64> {
    let resident = |_| {
        std::thread::sleep(time / 30);
        mebibytes(process, "VmRSS:")
    };
    (0..30).map(resident).collect()
}

fn run_server(path: &Path) -> Result<(), Anything> {
    let mut options =
        ServeOptions { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServeOptions::default() };
    options.limits.rater_per_second = 1e9;
    options.limits.rater_burst = 1e9;
    options.limits.connections = 2 * MOST_RATERS;
    let server = serve(Project::open(path)?, &options)?;
    writeln!(std::io::stdout(), "{}", server.address())?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    server.stop();
    Ok(())
}

/// A study with raters: the name and the secret of each.
fn make(path: &Path, raters: usize, seconds: u64) -> Result<Vec<(String, String)>, Anything> {
    let guideline = Guideline { practice: vec![], ..Guideline::english() };
    let settings = Settings { votes: VOTES, ..Settings::default() };
    let project = Project::create(path, &settings, Some(&toml::to_string(&guideline)?))?;
    // Nobody rates an item twice: few raters need many items.
    let (raters, all) = (raters as u64, FASTEST * seconds);
    let count = (all / raters.min(u64::from(VOTES))).max(20_000);
    let items: Vec<Item> = (0..count)
        .map(|index| Item {
            id: format!("i{index}"),
            system: format!("system {}", index % 5),
            conversation: format!("c{}", index / 5),
            turn: 3,
            context: (0..3)
                .map(|turn| Turn::new("A", format!("turn {turn} of some length")))
                .collect(),
            response: "A response of the usual length, which is about a line or so.".into(),
            ..Item::default()
        })
        .collect();
    project.add_items(&items)?;
    let add = |_| {
        let invitation = project.add_rater(&NewRater::new("load"))?;
        Ok((invitation.rater, invitation.token))
    };
    (0..raters).map(add).collect()
}

/// What one rater saw.
#[derive(Default)]
struct Given {
    /// How long each answer took, in microseconds.
    times: Vec<u32>,
    /// The first error, which ends the rater's work.
    refused: Option<String>,
}

/// All raters at once.
fn drive(address: SocketAddr, tokens: &[(String, String)], time: Duration) -> Vec<Given> {
    assert!(address.ip().is_loopback(), "only this machine is loaded");
    let barrier = Barrier::new(tokens.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = tokens
            .iter()
            .map(|(_, token)| {
                let barrier = &barrier;
                let rater = std::thread::Builder::new().stack_size(256 << 10);
                rater.spawn_scoped(scope, move || rate(address, token, time, barrier))
            })
            .collect();
        let wait = |thread: std::io::Result<std::thread::ScopedJoinHandle<'_, Given>>| {
            thread.expect("the system has threads").join().expect("no rater panics")
        };
        threads.into_iter().map(wait).collect()
    })
}

fn rate(address: SocketAddr, token: &str, time: Duration, barrier: &Barrier) -> Given {
    let mut given = Given::default();
    let begun = begin(address, token);
    barrier.wait();
    let done = begun.and_then(|(mut stream, state)| {
        answer_all(&mut stream, token, state, time, &mut given.times)
    });
    given.refused = done.err().map(|error| error.to_string());
    given
}

fn begin(address: SocketAddr, token: &str) -> Result<(BufReader<TcpStream>, Value), Anything> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    stream.get_ref().set_nodelay(true)?;
    let state = ask(&mut stream, token, "/api/guideline", &json!({}))?["state"].clone();
    Ok((stream, state))
}

fn answer_all(
    stream: &mut BufReader<TcpStream>,
    token: &str,
    mut state: Value,
    time: Duration,
    times: &mut Vec<u32>,
) -> Result<(), Anything> {
    let begun = Instant::now();
    while begun.elapsed() < time {
        if state["stage"] != "item" {
            return Err(format!("there is nothing left after {} answers", times.len()).into());
        }
        let sensible = !times.len().is_multiple_of(3);
        let mut answer = json!({
            "place": state["place"], "revision": 0, "nonce": format!("n{}", times.len()),
            "sensible": sensible, "duration_ms": 5000,
        });
        if sensible {
            answer["specific"] = json!(times.len().is_multiple_of(2));
        }
        let sent = Instant::now();
        let reply = ask(stream, token, "/api/answer", &answer)?;
        times.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        state = reply["state"].clone();
    }
    Ok(())
}

/// One request over a connection that stays open.
fn ask(
    stream: &mut BufReader<TcpStream>,
    token: &str,
    path: &str,
    body: &Value,
) -> Result<Value, Anything> {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(request.as_bytes())?;
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let begin = head.len();
        if stream.read_line(&mut head)? == 0 {
            return Err("the connection was closed".into());
        }
        let line = head[begin..].trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(number) = line.strip_prefix("content-length: ") {
            length = number.parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    if !head.starts_with("HTTP/1.1 200") {
        let status = head.lines().next().unwrap_or("");
        return Err(format!("{status} {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(serde_json::from_slice(&body)?)
}
