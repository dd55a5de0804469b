//! A server with the stub, and requests to it.

use crate::stub::{NAME, Stub};
use chat_server::{ServeOptions, Server, serve};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A server and its stub.
pub(crate) struct Served {
    pub(crate) server: Server,
    stub: Stub,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The message of an error, after its shape was checked.
    pub(crate) fn error(&self) -> String {
        let error = &self.json()["error"];
        assert!(error["type"].is_string() && error.get("param").is_some(), "{error}");
        assert!(error.get("code").is_some(), "{error}");
        error["message"].as_str().expect("a message").to_owned()
    }

    /// Names and data of events; of those without a name it is empty.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("content-type"), Some("text/event-stream"));
        let blocks = self.text.split("\n\n").filter(|block| !block.trim().is_empty());
        blocks.filter_map(event).collect()
    }
}

fn event(block: &str) -> Option<(String, String)> {
    let field = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_start().to_owned())
    };
    Some((field("event:").unwrap_or_default(), field("data:")?))
}

/// Options with which tests are not slowed down.
pub(crate) fn options() -> ServeOptions {
    let mut options =
        ServeOptions { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServeOptions::default() };
    (options.limits.burst_per_client, options.limits.requests_per_second_per_client) = (1e6, 1e6);
    options
}

impl Served {
    /// One that writes a token in so many milliseconds.
    pub(crate) fn new(pace: u64) -> Self {
        Self::with(pace, &options())
    }

    pub(crate) fn with(pace: u64, options: &ServeOptions) -> Self {
        let stub = Stub { pace: Duration::from_millis(pace), ..Stub::default() };
        let server = serve(vec![stub.maker()], options).expect("a server");
        Self { server, stub }
    }

    /// Tokens that the stub has written.
    pub(crate) fn written(&self) -> usize {
        self.stub.written.load(Ordering::SeqCst)
    }

    /// The same, for when the server is gone.
    pub(crate) fn counter(&self) -> impl Fn() -> usize + use<> {
        let written = Arc::clone(&self.stub.written);
        move || written.load(Ordering::SeqCst)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.request("POST", path, &[], body.to_string().as_bytes())
    }

    /// A chat completion of one message, with more parameters.
    pub(crate) fn complete(&self, message: &str, more: &Value) -> Response {
        self.post("/v1/chat/completions", &completion(message, more))
    }

    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut stream = self.send(method, path, headers, body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a response");
        response(&String::from_utf8(bytes).expect("UTF-8"))
    }

    /// Sends a request, and reads nothing yet.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> TcpStream {
        let address = self.server.address();
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head.push_str(&format!("host: {address}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(body).expect("sent");
        stream
    }

    /// Asks for a stream and reads events until one has this text.
    pub(crate) fn read_until(&self, path: &str, body: &Value, text: &str) -> Reading {
        let stream = self.send("POST", path, &[], body.to_string().as_bytes());
        let mut reading = Reading(BufReader::new(stream));
        reading.until(text);
        reading
    }

    /// Waits until something is so.
    pub(crate) fn soon(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !is(self) {
            assert!(start.elapsed() < Duration::from_secs(5), "{what} is not so");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A stream under way; dropped, the connection is closed.
pub(crate) struct Reading(BufReader<TcpStream>);

impl Reading {
    /// Reads until a line has this text.
    pub(crate) fn until(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            let read = self.0.read_line(&mut line).expect("a line");
            assert!(read > 0, "the stream ends before {text:?}");
        }
    }

    /// What comes until the end.
    pub(crate) fn rest(mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).expect("the end");
        text
    }
}

/// The request of a chat completion.
pub(crate) fn completion(message: &str, more: &Value) -> Value {
    let mut body = json!({ "model": NAME, "messages": [{ "role": "user", "content": message }] });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

fn response(text: &str) -> Response {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let chunked =
        headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let text = if chunked { dechunked(body) } else { body.to_owned() };
    Response { status: status.parse().expect("a number"), headers, text }
}

fn dechunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        text.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    text
}
