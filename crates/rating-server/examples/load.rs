//! How many raters a server bears: it starts one in a process of its own, on this machine alone,
//! and lets raters answer as fast as they are served.
//!
//! ```text
//! cargo run --release -p rating-server --example load -- [RATERS [SECONDS]]
//! ```
//!
//! A closed loop without time to think: each rater sends the next answer when the last one was
//! acknowledged, over one connection. Afterwards the answers in the database are counted.

use eval_ssa::{Guideline, Item, Turn};
use rating_server::{NewRater, Project, ServeOptions, Settings, serve};
use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

type Anything = Box<dyn Error + Send + Sync>;

/// The most that one may ask for.
const MOST_RATERS: usize = 2000;
const MOST_SECONDS: u64 = 1800;

/// Items in the study: enough that nobody runs out.
const ITEMS: usize = 20_000;

fn main() -> Result<(), Anything> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|word| word == "serve") {
        return run_server(Path::new(&arguments[2]));
    }
    let mut out = std::io::stdout();
    let raters = arguments.get(1).map_or(Ok(200), |n| n.parse())?.min(MOST_RATERS);
    let seconds = arguments.get(2).map_or(Ok(20), |n| n.parse())?.min(MOST_SECONDS);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("load.db");
    let tokens = make(&path, raters)?;
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
    let mut times = drive(address, &tokens, Duration::from_secs(seconds))?;
    let course = watch.join().unwrap_or_default();
    let memory = status(process);
    // The server ends in order when its input ends.
    drop(server.stdin.take());
    server.wait()?;
    let project = Project::open(&path)?;
    let kept = project.study(rating_server::Names::Own)?.ratings.len();
    project.check()?;
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    writeln!(out, "raters {raters}, seconds {seconds}, answers acknowledged {}", times.len())?;
    writeln!(out, "a second: {:.0}", times.len() as f64 / seconds as f64)?;
    writeln!(
        out,
        "milliseconds: median {:.1}, p90 {:.1}, p99 {:.1}, largest {:.1}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    )?;
    writeln!(out, "in the database {kept}, lost or doubled {}", kept.abs_diff(times.len()))?;
    writeln!(out, "resident, MiB, at tenths of the time: {course:?}")?;
    for line in memory.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
    {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What the system says of a process; empty where it says nothing.
fn status(process: u32) -> String {
    std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default()
}

/// The resident memory of a process after each tenth of the time, in MiB.
fn watched(process: u32, time: Duration) -> Vec<u64> {
    let resident = |_| {
        std::thread::sleep(time / 10);
        let status = status(process);
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
            / 1024
    };
    (0..10).map(resident).collect()
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

/// A study with raters.
fn make(path: &Path, raters: usize) -> Result<Vec<String>, Anything> {
    let guideline = Guideline { practice: vec![], ..Guideline::english() };
    let settings = Settings { votes: 99, ..Settings::default() };
    let project = Project::create(path, &settings, Some(&toml::to_string(&guideline)?))?;
    let items: Vec<Item> = (0..ITEMS)
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
    let add = |_| Ok(project.add_rater(&NewRater::new("load"))?.token);
    (0..raters).map(add).collect()
}

/// All raters at once; how long each answer took.
fn drive(
    address: SocketAddr,
    tokens: &[String],
    time: Duration,
) -> Result<Vec<Duration>, Anything> {
    assert!(address.ip().is_loopback(), "only this machine is loaded");
    let barrier = Barrier::new(tokens.len());
    let answers = std::thread::scope(|scope| {
        let threads: Vec<_> = tokens
            .iter()
            .map(|token| {
                let barrier = &barrier;
                scope.spawn(move || rate(address, token, time, barrier))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a rater panicked".into())))
            .collect::<Result<Vec<_>, Anything>>()
    })?;
    Ok(answers.into_iter().flatten().collect())
}

fn rate(
    address: SocketAddr,
    token: &str,
    time: Duration,
    barrier: &Barrier,
) -> Result<Vec<Duration>, Anything> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    stream.get_ref().set_nodelay(true)?;
    let mut state = ask(&mut stream, token, "/api/guideline", &json!({}))?["state"].clone();
    let mut times = Vec::new();
    barrier.wait();
    let begun = Instant::now();
    while begun.elapsed() < time && state["stage"] == "item" {
        let sensible = !times.len().is_multiple_of(3);
        let mut answer = json!({
            "place": state["place"], "revision": 0, "nonce": format!("n{}", times.len()),
            "sensible": sensible, "duration_ms": 5000,
        });
        if sensible {
            answer["specific"] = json!(times.len().is_multiple_of(2));
        }
        let sent = Instant::now();
        let reply = ask(&mut stream, token, "/api/answer", &answer)?;
        times.push(sent.elapsed());
        state = reply["state"].clone();
    }
    Ok(times)
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
        stream.read_line(&mut head)?;
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
        return Err(format!(
            "{} {}",
            head.lines().next().unwrap_or(""),
            String::from_utf8_lossy(&body)
        )
        .into());
    }
    Ok(serde_json::from_slice(&body)?)
}
