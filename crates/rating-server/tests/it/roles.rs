//! Every route, asked for by everyone: nobody, a rater, another rater, the researcher, and pages of
//! other sites.

use crate::client::{PASSWORD, Study, answer, send};
use rating_server::{NewRater, Project, ServeOptions, Settings, serve};
use serde_json::{Value, json};
use std::net::SocketAddr;

const ADMIN_PAGES: [&str; 20] = [
    "/admin",
    "/admin/results",
    "/admin/raters",
    "/admin/undecided",
    "/admin/guideline",
    "/admin/export",
    "/admin/log",
    "/admin/progress.json",
    "/admin/export/items.jsonl",
    "/admin/export/ratings.jsonl",
    "/admin/export/ratings.csv",
    "/admin/export/pairs.jsonl",
    "/admin/export/preferences.jsonl",
    "/admin/export/systems.jsonl",
    "/admin/export/ratings.parquet",
    "/admin/export/judgments.jsonl",
    "/admin/export/adjudications.jsonl",
    "/admin/export/labels.jsonl",
    "/admin/export/study.json",
    "/admin/undecided?all=yes",
];

const ADMIN_FORMS: [&str; 6] = [
    "/admin/logout",
    "/admin/raters",
    "/admin/raters/r-aaaaaaaa",
    "/admin/undecided",
    "/admin/guideline",
    "/admin/names",
];

const RATER_CALLS: [(&str, &str); 6] = [
    ("GET", "/api/state"),
    ("POST", "/api/guideline"),
    ("POST", "/api/answer"),
    ("GET", "/api/before/2"),
    ("POST", "/api/chat/say"),
    ("POST", "/api/chat/end"),
];

#[test]
fn nobody_and_raters_reach_no_page_of_the_researcher() {
    let study = Study::new(&Settings::default(), 2, 1);
    let bearer = format!("Bearer {}", study.raters[0].token);
    let session = study.log_in();
    let (name, _) = session.split_once('=').expect("a name and a secret");
    let as_cookie = format!("{name}={}", study.raters[0].token);
    let form = ("content-type", "application/x-www-form-urlencoded");
    for headers in [vec![], vec![("authorization", &*bearer)], vec![("cookie", &*as_cookie)]] {
        for path in ADMIN_PAGES {
            let reply = study.request("GET", path, &headers, "");
            assert_eq!(reply.status, 303, "{path}");
            assert_eq!(reply.header("location"), Some("/admin/login"));
            assert_eq!(reply.text, "");
        }
        for path in ADMIN_FORMS {
            let mut headers = headers.clone();
            headers.push(form);
            let reply = study.request("POST", path, &headers, "csrf=x&sure=yes&action=delete");
            assert_eq!(reply.status, 401, "{path}");
        }
    }
}

#[test]
fn sessions_of_two_studies_on_one_machine_stand_beside_each_other() {
    let studies = [(); 2].map(|()| Study::new(&Settings::default(), 2, 1));
    let cookies = studies.each_ref().map(Study::log_in);
    // What a browser sends to both of them.
    let jar = cookies.join("; ");
    for study in &studies {
        assert_eq!(study.admin(&jar, "/admin").status, 200);
    }
    let [first, second] = &studies;
    assert_eq!(first.form(&jar, "/admin/logout", "").status, 303);
    assert_eq!(first.admin(&jar, "/admin").status, 303, "logged out");
    assert_eq!(second.admin(&jar, "/admin").status, 200, "still logged in");
}

#[test]
fn a_session_without_the_secret_of_the_form_changes_nothing() {
    let study = Study::new(&Settings::default(), 2, 1);
    let cookie = study.log_in();
    let form = ("content-type", "application/x-www-form-urlencoded");
    for path in ADMIN_FORMS {
        for body in ["", "csrf=", "csrf=aaaaaaaaaaaaaaaaaaaaaaaaaa&labels=x&rates=yes&sure=yes"] {
            let reply = study.request("POST", path, &[form, ("cookie", &cookie)], body);
            assert_eq!(reply.status, 403, "{path} {body}");
        }
    }
    assert_eq!(study.server.project().raters().expect("raters").len(), 1);
    assert_eq!(study.form(&cookie, "/admin/logout", "").status, 303);
    assert_eq!(study.admin(&cookie, "/admin").status, 303, "the session has ended");
}

#[test]
fn the_researcher_and_strangers_are_no_raters() {
    let study = Study::new(&Settings::default(), 2, 2);
    let cookie = study.log_in();
    let wrong = format!("Bearer {}", "a".repeat(26));
    for (method, path) in RATER_CALLS {
        for headers in [
            vec![("cookie", &*cookie)],
            vec![("authorization", &*wrong)],
            vec![("authorization", "Bearer ' OR 1=1 --")],
            vec![],
        ] {
            let body = if path.ends_with("say") {
                r#"{"turn":0,"text":"x"}"#
            } else {
                r#"{"place":1,"nonce":"n","sensible":false}"#
            };
            let reply =
                study.request(method, path, &headers, if method == "GET" { "" } else { body });
            assert_eq!(reply.status, 404, "{method} {path} {headers:?} {}", reply.text);
        }
    }
    assert_eq!(study.request("GET", "/r/zzzz", &[], "").status, 404);
}

#[test]
fn one_raters_places_mean_nothing_to_another() {
    let study = Study::new(&Settings::default(), 3, 2);
    let (one, two) = (&study.raters[0].token, &study.raters[1].token);
    let mut state = study.begin(one);
    for index in 0..2 {
        let given = answer(&state, &format!("n{index}"), true);
        state = study.rater(one, "POST", "/api/answer", &given).json()["state"].clone();
    }
    study.begin(two);
    for place in [2, 3, 99, -1] {
        let given = json!({ "place": place, "nonce": "x", "sensible": false });
        let reply = study.rater(two, "POST", "/api/answer", &given);
        assert_eq!(reply.status, 404, "{}", reply.text);
    }
    assert_eq!(study.rater(two, "GET", "/api/before/3", &Value::Null).status, 404);
    assert_eq!(study.server.project().status().expect("a status").votes, 2);
}

#[test]
fn pages_of_other_sites_and_other_names_are_refused() {
    let study = Study::new(&Settings::default(), 1, 1);
    let token = study.raters[0].token.clone();
    let bearer = format!("Bearer {token}");
    let address = study.server.address();
    for header in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let headers = [("authorization", &*bearer), header];
        let reply = send(address, "POST", "/api/guideline", &headers, "{}");
        assert_eq!(reply.status, 403, "{header:?}");
    }
    let own = format!("http://{address}");
    let headers = [("authorization", &*bearer), ("origin", &*own)];
    assert_eq!(send(address, "POST", "/api/guideline", &headers, "{}").status, 200);
    let reply = send(address, "GET", "/admin/login", &[("host", "evil.example")], "");
    assert_eq!(reply.status, 421);
}

#[test]
fn every_response_carries_the_policy() {
    let study = Study::new(&Settings::default(), 1, 1);
    let link = format!("/r/{}", study.raters[0].token);
    for path in ["/", "/admin/login", "/nothing", "/assets/rater.js", "/api/state", &link] {
        let reply = study.request("GET", path, &[], "");
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("same-origin"));
    }
    let page = study.request("GET", &link, &[], "").text;
    assert!(!page.contains(" style=") && !page.contains("onclick") && !page.contains("<style"));
    assert!(!page.contains(&study.raters[0].token), "the page does not repeat the secret");
}

#[test]
fn too_large_and_too_many_requests_are_refused() {
    let study = Study::new(&Settings::default(), 1, 1);
    let token = &study.raters[0].token;
    let large = json!({ "place": 1, "nonce": "n", "comment": "x".repeat(100_000) });
    assert_eq!(study.rater(token, "POST", "/api/answer", &large).status, 413);
    assert_eq!(study.rater(token, "POST", "/api/answer", &json!("x")).status, 422);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let tries: Vec<u16> = (0..8)
        .map(|_| study.request("POST", "/admin/login", &[form], "password=wrong").status)
        .collect();
    assert_eq!(tries[..5], [403; 5]);
    assert_eq!(tries[6..], [429; 2]);
    let log = study.server.project().audit(10).expect("a log");
    assert_eq!(log.iter().filter(|entry| entry.what == "wrong password").count(), 5);
}

/// Behind a proxy on this machine all connections come from it.
#[test]
fn strangers_behind_a_proxy_lock_nobody_else_out() {
    for (public_url, others) in [(Some("https://study.example.org"), 303), (None, 429)] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("study.db");
        let project = Project::create(&path, &Settings::default(), None).expect("a project");
        project.set_password(PASSWORD).expect("a password");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let public = public_url.map(str::to_owned);
        let mut options = ServeOptions { address, public_url: public, ..Default::default() };
        options.limits.logins_per_second = 1e-6;
        let server = serve(project, &options).expect("a server");
        let log_in = |from: &str, password: &str| {
            let mut headers = vec![
                ("content-type", "application/x-www-form-urlencoded"),
                ("x-forwarded-for", from),
            ];
            if public_url.is_some() {
                headers.push(("host", "study.example.org"));
            }
            let body = format!("password={}", password.replace(' ', "+"));
            send(server.address(), "POST", "/admin/login", &headers, &body).status
        };
        let tries: Vec<u16> = (0..7).map(|_| log_in("203.0.113.9", "wrong")).collect();
        assert_eq!((tries[0], tries[6]), (403, 429), "{tries:?}");
        // Where no proxy is known of, anybody may have written the header.
        assert_eq!(log_in("198.51.100.7", PASSWORD), others, "{public_url:?}");
        // What stands before the last address is the client's own word.
        assert_eq!(log_in("198.51.100.7, 203.0.113.9", PASSWORD), 429, "{public_url:?}");
    }
}

/// A proxy that does not set the header hands on what the client made up.
#[test]
fn strangers_who_make_up_addresses_share_one_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("study.db");
    let project = Project::create(&path, &Settings::default(), None).expect("a project");
    project.set_password(PASSWORD).expect("a password");
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let public_url = Some("https://study.example.org".to_owned());
    let mut options = ServeOptions { address, public_url, ..Default::default() };
    options.limits.login_burst = 1.0;
    options.limits.logins_per_second = 1e-6;
    let server = serve(project, &options).expect("a server");
    let log_in = |number: usize, password: &str| {
        let from = format!("203.0.113.{number}");
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-forwarded-for", &*from),
            ("host", "study.example.org"),
        ];
        let body = format!("password={}", password.replace(' ', "+"));
        send(server.address(), "POST", "/admin/login", &headers, &body).status
    };
    // Right passwords do not count.
    assert_eq!([101, 102, 103].map(|number| log_in(number, PASSWORD)), [303; 3]);
    let tries: Vec<u16> = (1..=12).map(|number| log_in(number, "wrong")).collect();
    assert_eq!(tries[..10], [403; 10]);
    assert_eq!(tries[10..], [429; 2]);
}

#[test]
fn one_rater_who_asks_too_often_holds_up_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("study.db");
    let project = Project::create(&path, &Settings::default(), None).expect("a project");
    let token = || project.add_rater(&NewRater::new("rater")).expect("a rater").token;
    let [hasty, other] = [token(), token()].map(|token| format!("Bearer {token}"));
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = serve(project, &ServeOptions { address, ..Default::default() }).expect("a server");
    let status = |bearer: &str| {
        send(server.address(), "GET", "/api/state", &[("authorization", bearer)], "").status
    };
    let burst: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..40).map(|_| status(&hasty)).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    let refused = burst.iter().filter(|status| **status == 429).count();
    assert!(refused > 0 && burst.iter().all(|status| matches!(status, 200 | 429)), "{burst:?}");
    assert_eq!(status(&other), 200);
}

/// A browser keeps a `Secure` cookie from plain HTTP, which is all there is on this machine.
#[test]
fn the_cookie_of_a_session_is_secure_where_the_study_is_reached_by_https() {
    for (public, is_secure) in [
        (Some("https://study.example.org"), true),
        (Some("http://study.example.org"), false),
        (None, false),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("study.db");
        let project = Project::create(&path, &Settings::default(), None).expect("a project");
        project.set_password(PASSWORD).expect("a password");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let public_url = public.map(str::to_owned);
        let options = ServeOptions { address, public_url, ..Default::default() };
        let server = serve(project, &options).expect("a server");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let mut headers = vec![form];
        if public.is_some() {
            headers.push(("host", "study.example.org"));
        }
        let body = format!("password={}", PASSWORD.replace(' ', "+"));
        let reply = send(server.address(), "POST", "/admin/login", &headers, &body);
        assert_eq!(reply.status, 303, "{public:?} {}", reply.text);
        let cookie = reply.header("set-cookie").expect("a cookie");
        let flags: Vec<&str> = cookie.split("; ").skip(1).collect();
        assert!(flags.contains(&"HttpOnly") && flags.contains(&"SameSite=Strict"), "{cookie}");
        assert_eq!(flags.contains(&"Secure"), is_secure, "{public:?} {cookie}");
    }
}

#[test]
fn no_page_is_served_under_an_address_that_is_none() {
    for wrong in ["foo", "https://example.org/study", "ftp://example.org"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("study.db");
        let project = Project::create(&path, &Settings::default(), None).expect("a project");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let options =
            ServeOptions { address, public_url: Some(wrong.into()), ..Default::default() };
        let error = serve(project, &options).err().expect("refused").to_string();
        assert!(error.contains(wrong), "{error}");
    }
}

#[test]
fn no_rater_sees_who_spoke_in_a_conversation_of_named_speakers() {
    let study = Study::new(&Settings::default(), 0, 1);
    let turns = ["user", "secret-system-one", "user"].map(|name| eval_ssa::Turn::new(name, "Hi!"));
    let item = eval_ssa::Item {
        id: "named".into(),
        system: "secret-system-one".into(),
        conversation: "named".into(),
        context: turns.to_vec(),
        response: "Hello!".into(),
        ..Default::default()
    };
    study.server.project().add_items(&[item]).expect("an item");
    let shown = study.begin(&study.raters[0].token);
    assert!(!shown.to_string().contains("secret"), "{shown}");
    let speakers: Vec<&Value> =
        shown["context"].as_array().expect("turns").iter().map(|turn| &turn["speaker"]).collect();
    assert_eq!(speakers, ["A", "B", "A"]);
    let blind = study.server.project().study(rating_server::Names::Blind).expect("records");
    assert!(!serde_json::to_string(&blind.items).expect("JSON").contains("secret"));
}
