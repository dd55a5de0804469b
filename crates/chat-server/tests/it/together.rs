//! A model that replies to several requests at once: each gets what it gets alone, none waits for
//! another, and who leaves stops nobody else.

use crate::client::options;
use chat_server::{About, Ask, Candidate, Model, Piece, Reply, RequestQueue, Server, serve};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Writes the words of all last turns in turn, a word of each in so many milliseconds; `panic`
/// panics.
struct Chorus {
    pace: Duration,
    most: Arc<AtomicUsize>,
}

const TOGETHER: usize = 3;

impl Model for Chorus {
    fn about(&self) -> About {
        About { name: "chorus".into(), max_concurrent: TOGETHER, ..About::default() }
    }

    fn reply(
        &self,
        _: &Ask,
        _: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<Reply, String> {
        unreachable!("all are replied to together")
    }

    fn reply_to_all(&self, line: &mut dyn RequestQueue) {
        let mut open: BTreeMap<u64, (Vec<String>, usize)> = BTreeMap::new();
        loop {
            for (number, ask) in line.more() {
                let said =
                    ask.turns[ask.turns.len() - 1].text.split_inclusive(' ').map(str::to_owned);
                open.insert(number, (said.collect(), 0));
            }
            if open.is_empty() {
                return;
            }
            self.most.fetch_max(open.len(), Ordering::SeqCst);
            std::thread::sleep(self.pace);
            for number in open.keys().copied().collect::<Vec<_>>() {
                let (words, at) = open.get_mut(&number).expect("open");
                assert_ne!(words[*at], "panic", "asked to");
                *at += 1;
                let piece = Piece { tokens: *at, text: &words[*at - 1] };
                let left = line.piece(number, piece).is_break();
                if left || *at == words.len() {
                    let text = words[..*at].concat();
                    let candidate =
                        Candidate { text, tokens: *at, finished: !left, ..Candidate::default() };
                    open.remove(&number);
                    let reply = Reply { candidates: vec![candidate], ..Reply::default() };
                    line.done(number, Ok(reply));
                }
            }
        }
    }
}

fn served(pace: u64) -> (Server, Arc<AtomicUsize>) {
    let most = Arc::new(AtomicUsize::new(0));
    let chorus = Chorus { pace: Duration::from_millis(pace), most: Arc::clone(&most) };
    let server = serve(vec![Box::new(|| Ok(Box::new(chorus)))], &options()).expect("a server");
    (server, most)
}

fn ask(url: &str, said: &str) -> (u16, Value) {
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder().http_status_as_error(false).build(),
    );
    let body = json!({ "turns": [said] }).to_string();
    let mut answer = agent.post(format!("{url}/api/chat")).send(body).expect("an answer");
    let text = answer.body_mut().read_to_string().expect("text");
    (answer.status().as_u16(), serde_json::from_str(&text).expect("JSON"))
}

#[test]
fn several_are_replied_to_at_once_and_no_more_than_it_can() {
    let (server, most) = served(20);
    assert_eq!((server.status().slots, server.status().free), (TOGETHER, TOGETHER));
    let words = |n: usize| (0..n).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
    let url = server.url().to_owned();
    std::thread::scope(|scope| {
        for n in [40, 3, 20, 7, 5, 11] {
            let (url, said) = (url.clone(), words(n));
            scope.spawn(move || {
                let (status, found) = ask(&url, &said);
                assert_eq!((status, found["reply"].as_str()), (200, Some(said.as_str())));
            });
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), TOGETHER);
    assert_eq!(server.status().free, TOGETHER);

    // A short one that comes while a long one is written does not wait for it.
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(ask(&url, &words(100)).0, 200);
            ended.store(true, Ordering::SeqCst);
        });
        while server.status().free == TOGETHER {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(ask(&url, "short").1["reply"], "short");
        assert!(!ended.load(Ordering::SeqCst));
    });
}

#[test]
fn who_leaves_and_what_fails_stops_nobody_else() {
    let (server, _) = served(30);
    let url = server.url().to_owned();
    let long = (0..30).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
    std::thread::scope(|scope| {
        let (of, said) = (url.clone(), long.clone());
        let stays = scope.spawn(move || ask(&of, &said));
        // One that closes its connection at once.
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_millis(200))).build(),
        );
        let body = json!({ "turns": [long] }).to_string();
        assert!(agent.post(format!("{url}/api/chat")).send(body).is_err());
        let (status, found) = stays.join().expect("an answer");
        assert_eq!((status, found["finish"].as_str()), (200, Some("end")));
    });
    let until = Instant::now() + Duration::from_secs(5);
    while server.status().free < TOGETHER {
        assert!(Instant::now() < until, "nobody is replied to: {:?}", server.status());
        std::thread::sleep(Duration::from_millis(5));
    }
    // Whoever is under way with one at which the model panics is told so; the next are served.
    assert_eq!(ask(&url, "a b panic").0, 500);
    assert_eq!(ask(&url, "a b").1["reply"], "a b");
    assert_eq!(server.status().free, TOGETHER);
}
