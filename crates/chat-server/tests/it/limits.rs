//! Limits on everything, and who is let in.

use crate::client::{Served, completion, options};
use chat_server::{Error, ServeOptions, serve};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[test]
fn a_thousand_requests_at_once_are_replied_to_or_told_to_wait() {
    let served = Served::new(5);
    let statuses = std::thread::scope(|scope| {
        let (served, body) = (&served, completion("one two", &json!({})));
        let asking: Vec<_> = (0..1000)
            .map(|n| {
                let body = body.clone();
                scope.spawn(move || {
                    let response = match n % 2 {
                        0 => served.post("/v1/chat/completions", &body),
                        _ => served.post("/api/chat", &json!({ "turns": ["one two"] })),
                    };
                    if response.status == 429 {
                        response.error();
                        let wait = response.header("retry-after").expect("when to come back");
                        assert!((1..=60).contains(&wait.parse::<u64>().expect("seconds")));
                    }
                    response.status
                })
            })
            .collect();
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for asked in asking {
            *statuses.entry(asked.join().expect("answered")).or_default() += 1;
        }
        statuses
    });
    assert_eq!(statuses.keys().copied().collect::<Vec<_>>(), [200, 429], "{statuses:?}");
    assert_eq!(served.complete("hello", &json!({})).status, 200);
    assert_eq!(
        served.get("/health").json(),
        json!({ "status": "ok", "slots": 1, "free": 1, "waiting": 0 })
    );
}

#[test]
fn one_client_cannot_ask_too_often() {
    let mut options = options();
    (options.limits.burst_per_client, options.limits.requests_per_second_per_client) = (3.0, 0.1);
    let served = Served::with(0, &options);
    let statuses: Vec<u16> = (0..5).map(|_| served.complete("hi", &json!({})).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let refused = served.post("/api/chat", &json!({ "turns": ["hi"] }));
    assert_eq!(refused.status, 429);
    assert!(refused.error().contains("your address"));
    assert!(refused.header("retry-after").expect("seconds").parse::<u64>().expect("a number") >= 9);
    assert_eq!(served.get("/").status, 200, "pages are not counted");
    let served = Served::with(0, &ServeOptions { key: Some("a secret key".into()), ..options });
    let statuses: Vec<u16> = (0..4).map(|_| served.get("/v1/models").status).collect();
    assert_eq!(statuses, [401, 401, 401, 429], "keys cannot be tried out");
    let asks = |from: &str| {
        let headers = [("authorization", "Bearer a secret key"), ("x-forwarded-for", from)];
        let body = completion("hi", &json!({})).to_string();
        served.request("POST", "/v1/chat/completions", &headers, body.as_bytes()).status
    };
    let statuses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"].map(asks);
    assert_eq!(statuses, [200, 200, 200, 429], "the right key is let in; clients are not believed");
}

#[test]
fn behind_a_proxy_each_client_is_counted_alone() {
    let mut options = options();
    (options.limits.burst_per_client, options.limits.requests_per_second_per_client) = (2.0, 0.01);
    let (key, url) = (Some("a secret key".into()), Some("https://chat.example.org/".into()));
    let served = Served::with(0, &ServeOptions { key, public_url: url, ..options });
    let asks = |key: &str, from: &str| {
        let headers = [("authorization", key), ("x-forwarded-for", from)];
        let body = completion("hi", &json!({})).to_string();
        served.request("POST", "/v1/chat/completions", &headers, body.as_bytes()).status
    };
    let tried = [(); 3].map(|()| asks("Bearer no", "10.0.0.1"));
    assert_eq!(tried, [401, 401, 429]);
    assert_eq!(asks("Bearer no", "10.0.0.1, 10.0.0.2"), 401, "the last one is the proxy's");
    let asked = [(); 3].map(|()| asks("Bearer a secret key", "10.0.0.1"));
    assert_eq!(asked, [200, 200, 429]);
    assert_eq!(asks("Bearer a secret key", "10.0.0.2"), 200);
}

#[test]
fn who_waits_too_long_is_told_to_come_back() {
    let mut options = options();
    options.limits.queue_timeout = Duration::from_millis(100);
    let served = Served::with(50, &options);
    let first =
        served.read_until("/api/chat", &json!({ "turns": ["count"], "stream": true }), "1 ");
    for more in [json!({}), json!({ "stream": true })] {
        let refused = served.complete("hi", &more);
        assert_eq!(refused.status, 429);
        assert!(refused.header("retry-after").is_some() && refused.error().contains("wait"));
    }
    let told = served.post("/api/chat", &json!({ "turns": ["hi"], "stream": true })).events();
    assert_eq!((&*told[0].0, told[0].1.contains("\"waiting\":1")), ("start", true));
    assert_eq!((&*told[1].0, told.len()), ("error", 2));
    drop(first);
}

#[test]
fn too_much_is_refused_and_said() {
    let served = Served::new(0);
    let long = "x".repeat(4001);
    let many = vec!["x"; 1001];
    for (path, body, status, says) in [
        ("/api/chat", json!({ "turns": [long] }), 400, "longer than 4000"),
        ("/api/chat", json!({ "turns": many }), 400, "at most 1000"),
        ("/api/chat", json!({ "turns": ["x".repeat(2 << 20)] }), 413, "larger than 1048576"),
        ("/v1/chat/completions", completion(&long, &json!({})), 400, "messages: message 1"),
        ("/v1/chat/completions", completion(&"x".repeat(5 << 20), &json!({})), 413, "larger than"),
        ("/v1/chat/completions", completion(" \n", &json!({})), 400, "says nothing"),
    ] {
        let response = served.post(path, &body);
        assert_eq!(response.status, status, "{}", response.text);
        assert!(response.error().contains(says), "{}", response.text);
    }
    // What the model said may be longer, or its reply would end the conversation.
    let reply = "x".repeat(5000);
    let roles = |long: &str, last: &str| {
        json!({ "messages": [{ "role": "user", "content": "a" },
            { "role": "assistant", "content": long }, { "role": "user", "content": last }] })
    };
    let own = |turns: [&str; 3]| served.post("/api/chat", &json!({ "turns": turns })).status;
    assert_eq!(own(["a", &reply, "b"]), 200);
    assert_eq!(own([&reply, "a", "b"]), 400);
    assert_eq!(own(["a", &"x".repeat(200 * 128 + 1), "b"]), 400);
    assert_eq!(served.post("/v1/chat/completions", &roles(&reply, "b")).status, 200);
    assert_eq!(served.post("/v1/chat/completions", &roles("b", &reply)).status, 400);
    // 4,000 characters are no 4,000 bytes.
    assert_eq!(served.complete(&"🐙".repeat(4000), &json!({})).status, 200);
    for (path, body) in [
        ("/api/chat", &b"{"[..]),
        ("/api/chat", b"{\"turns\": [\"\\ud800\"]}"),
        ("/api/chat", b"{\"turns\": [\"\xff\"]}"),
        ("/v1/chat/completions", b"[]"),
        ("/v1/chat/completions", "[".repeat(10_000).leak().as_bytes()),
    ] {
        let response = served.request("POST", path, &[], body);
        assert_eq!(response.status, 400, "{path}");
        response.error();
    }
    for (method, path, status) in [
        ("GET", "/v1/v1/models", 404),
        ("POST", "/chat/completions", 404),
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("GET", "/../etc/passwd", 404),
    ] {
        let response = served.request(method, path, &[], b"");
        assert_eq!(response.status, status, "{method} {path}");
        response.error();
    }
    assert!(served.get("/v1/v1/models").error().contains("ends with /v1"));
}

#[test]
fn a_model_that_fails_is_told_and_the_server_lives_on() {
    let served = Served::new(0);
    let failed = served.complete("fail", &json!({}));
    assert_eq!((failed.status, failed.error()), (400, "I do not like this".to_owned()));
    assert_eq!(served.complete("panic", &json!({})).status, 500);
    let told = served.complete("panic", &json!({ "stream": true })).events();
    assert!(told.last().expect("an event").1.contains("server_error"), "{told:?}");
    assert_eq!(served.complete("hello", &json!({})).status, 200);
    assert_eq!(served.server.status().free, 1);
}

#[test]
fn only_pages_of_its_own_reach_it() {
    let served = Served::new(0);
    let body = completion("hello", &json!({})).to_string();
    let post = |headers: &[(&str, &str)]| {
        served.request("POST", "/v1/chat/completions", headers, body.as_bytes()).status
    };
    // DNS rebinding: a name of the attacker's that leads to this machine.
    assert_eq!(post(&[("host", "evil.example.org")]), 421);
    assert_eq!(served.request("GET", "/", &[("host", "evil.example.org")], b"").status, 421);
    assert_eq!(post(&[("origin", "https://evil.example.org")]), 403);
    assert_eq!(post(&[("sec-fetch-site", "cross-site")]), 403);
    assert_eq!(post(&[("origin", served.server.url())]), 200);
    assert_eq!(post(&[]), 200);
    assert_eq!(served.written(), 2, "what is refused costs nothing");
    let page = served.get("/");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.text.contains("<script>") && !page.text.contains(" on"), "no script in the page");
    assert_eq!(page.header("access-control-allow-origin"), None);
    assert_eq!(served.get("/api/about").header("cache-control"), Some("no-store"));
}

#[test]
fn pages_of_stated_origins_reach_the_apis_and_no_others_do() {
    let origins = vec!["https://App.example.org/".to_owned(), "http://localhost:5173".to_owned()];
    let key = Some("a secret key".to_owned());
    let served = Served::with(0, &ServeOptions { origins, key, ..options() });
    let body = completion("hello", &json!({})).to_string();
    let send = |method: &str, path: &str, origin: &str, more: &[(&str, &str)]| {
        let headers = [&[("origin", origin), ("sec-fetch-site", "cross-site")][..], more].concat();
        served.request(method, path, &headers, if method == "POST" { body.as_bytes() } else { b"" })
    };
    let (path, asked) = ("/v1/chat/completions", [("access-control-request-method", "POST")]);
    let names = ("access-control-request-headers", "authorization,x-stainless-os");
    let bearer = [("authorization", "Bearer a secret key")];
    for origin in ["https://app.example.org", "http://localhost:5173"] {
        // No key comes along with the question of what may be sent.
        let may = send("OPTIONS", path, origin, &[asked[0], names]);
        assert_eq!(may.status, 204);
        assert_eq!(may.header("access-control-allow-origin"), Some(origin));
        assert_eq!(may.header("access-control-allow-headers"), Some(names.1));
        assert_eq!(may.header("access-control-allow-credentials"), None);
        let answer = send("POST", path, origin, &bearer);
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("vary"), Some("origin"));
        // Without the key nothing is said, but the page can read why.
        let refused = send("POST", path, origin, &[]);
        assert_eq!(
            (refused.status, refused.header("access-control-allow-origin")),
            (401, Some(origin))
        );
    }
    let written = served.written();
    for origin in [
        "https://evil.example.org",
        "https://app.example.org.evil.org",
        "http://app.example.org",
        "https://app.example.org:444",
        "null",
    ] {
        let may = send("OPTIONS", path, origin, &asked);
        assert_eq!(
            (may.status, may.header("access-control-allow-origin")),
            (403, None),
            "{origin}"
        );
        let answer = send("POST", path, origin, &bearer);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None));
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    assert_eq!(served.written(), written);
    // Not even a page that may ask can bring a name of its own (DNS rebinding), and the page itself
    // is for nobody else.
    let rebound = send("POST", path, "http://localhost:5173", &[("host", "evil.org"), bearer[0]]);
    assert_eq!(rebound.status, 421);
    let page = send("GET", "/", "http://localhost:5173", &[]);
    assert_eq!((page.status, page.header("access-control-allow-origin")), (200, None));
    for origin in ["*", "null", "app.example.org", "https://app.example.org/chat"] {
        let options = ServeOptions { origins: vec![origin.to_owned()], ..options() };
        let refused = serve(vec![crate::stub::Stub::default().maker()], &options);
        assert!(matches!(refused, Err(Error::Origin(told)) if told == origin));
    }
}

#[test]
fn beyond_this_machine_a_key_is_needed() {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let open = ServeOptions { address: everywhere, ..options() };
    let proxied = ServeOptions { public_url: Some("https://chat.example.org".into()), ..options() };
    for options in [&open, &proxied] {
        assert!(options.is_open());
        let refused = serve(vec![crate::stub::Stub::default().maker()], options);
        assert!(matches!(refused, Err(Error::NoKey(_))));
    }
    let served = Served::with(0, &ServeOptions { key: Some("a secret key".into()), ..proxied });
    let body = completion("hello", &json!({})).to_string();
    let ask = |key: &str, path: &str| {
        let host = ("host", "chat.example.org");
        served.request("POST", path, &[host, ("authorization", key)], body.as_bytes())
    };
    for key in ["", "Bearer", "Bearer another key", "a secret key", "Basic a secret key"] {
        for path in ["/v1/chat/completions", "/api/chat", "/v1/anything"] {
            let refused = ask(key, path);
            assert_eq!(refused.status, 401, "{key}");
            assert_eq!(refused.json()["error"]["code"], "invalid_api_key");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
            assert!(!refused.text.contains("stub"), "nothing is told of the model");
        }
    }
    assert_eq!(served.get("/v1/models").status, 401);
    assert_eq!(served.get("/").status, 200, "the page asks for the key");
    assert_eq!(ask("Bearer a secret key", "/v1/chat/completions").status, 200);
}

#[test]
fn a_body_that_never_comes_holds_nobody_up() {
    let mut options = options();
    options.limits.receive_timeout = Duration::from_millis(200);
    let served = Served::with(0, &options);
    let stream = std::net::TcpStream::connect(served.server.address()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
    let mut sent = &stream;
    let head = "POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{";
    std::io::Write::write_all(&mut sent, head.as_bytes()).expect("sent");
    let start = Instant::now();
    assert_eq!(served.complete("hello", &json!({})).status, 200);
    assert!(start.elapsed() < Duration::from_secs(1));
    let mut answer = [0; 12];
    std::io::Read::read_exact(&mut sent, &mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[test]
fn what_cannot_be_served_is_named() {
    let stub = crate::stub::Stub::default();
    let served = Served::new(0);
    let taken = ServeOptions { address: served.server.address(), ..options() };
    let error = serve(vec![stub.maker()], &taken).err().expect("taken").to_string();
    assert!(error.contains("--port"), "{error}");
    let none = serve(vec![Box::new(|| Err("no weights here".to_owned()))], &options());
    assert_eq!(none.err().expect("no model").to_string(), "no weights here");
    assert!(matches!(serve(vec![], &options()), Err(Error::Model(_))));
    let panics = serve(vec![stub.maker(), Box::new(|| panic!("half a model"))], &options());
    assert!(matches!(panics, Err(Error::Model(_))));
    for url in
        ["https://chat.example.org/sub", "chat.example.org", "https://a/?b", "ftp://a", "x y"]
    {
        let (key, public_url) = (Some("a secret key".into()), Some(url.to_owned()));
        let refused = serve(vec![stub.maker()], &ServeOptions { key, public_url, ..options() });
        let error = refused.err().expect(url).to_string();
        assert!(error.contains(url) && error.contains("without a path"), "{error}");
    }
    let everywhere = ServeOptions {
        address: SocketAddr::from(([0, 0, 0, 0], 0)),
        key: Some("a secret key".into()),
        ..options()
    };
    let server = serve(vec![stub.maker()], &everywhere).expect("a server");
    let port = server.address().port();
    assert_eq!(server.url(), format!("http://127.0.0.1:{port}"));
    assert!(server.elsewhere().is_some_and(|url| url.contains(&port.to_string())));
    assert_eq!(served.server.elsewhere(), None);
    let keep = Some("no/such/folder/kept.jsonl".into());
    let error = serve(vec![stub.maker()], &ServeOptions { keep, ..options() });
    assert!(error.err().expect("no file").to_string().contains("kept.jsonl"));
}
