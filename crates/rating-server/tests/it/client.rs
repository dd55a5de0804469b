//! A server with a small study, and requests to it.

use eval_ssa::{Check, CheckKind, Guideline, Item, Label, Turn};
use rating_server::{Invitation, NewRater, Project, ServeOptions, Server, Settings, serve};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "a long password";

/// The names that raters must never see.
pub(crate) const SECRETS: [&str; 2] = ["secret-system-one", "secret-system-two"];

/// A server, its folder, and the links of its raters.
pub(crate) struct Study {
    pub(crate) server: Server,
    pub(crate) raters: Vec<Invitation>,
    pub(crate) folder: TempDir,
}

/// A response.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) fn no_practice() -> String {
    let guideline = Guideline { practice: vec![], ..Guideline::english() };
    toml::to_string(&guideline).expect("plain data")
}

pub(crate) fn items(count: usize) -> Vec<Item> {
    (0..count)
        .map(|index| Item {
            id: format!("{}-{index}", SECRETS[index % 2]),
            system: SECRETS[index % 2].into(),
            conversation: format!("context {index}"),
            turn: 1,
            context: vec![Turn::new("A", format!("question {index}?"))],
            response: format!("<img src=x onerror=alert({index})>"),
            ..Item::default()
        })
        .collect()
}

/// An item whose answer is known beforehand; like any other but for that.
pub(crate) fn gold(index: usize, kind: CheckKind) -> Item {
    let explanation = Some("the known reason".into());
    Item {
        id: format!("known-{index}"),
        conversation: format!("known {index}"),
        turn: 1,
        context: vec![Turn::new("A", format!("a question {index}?"))],
        response: format!("a reply {index}"),
        check: Some(Check { kind, expected: Label::NotSensible, explanation }),
        ..Item::default()
    }
}

/// A server on a free port of this machine that lets raters ask as often as they like.
pub(crate) fn serve_here(project: Project) -> Server {
    let mut options =
        ServeOptions { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Default::default() };
    options.limits.rater_per_second = 1e6;
    options.limits.rater_burst = 1e6;
    serve(project, &options).expect("a server")
}

impl Study {
    pub(crate) fn new(settings: &Settings, item_count: usize, raters: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("study.db");
        let project = Project::create(&path, settings, Some(&no_practice())).expect("a project");
        project.add_items(&items(item_count)).expect("items");
        project.set_password(PASSWORD).expect("a password");
        let raters = (0..raters)
            .map(|n| project.add_rater(&NewRater::new(format!("label {n}"))).expect("a rater"))
            .collect();
        Self { server: serve_here(project), raters, folder }
    }

    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        send(self.server.address(), method, path, headers, body)
    }

    /// A rater's request.
    pub(crate) fn rater(&self, token: &str, method: &str, path: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {token}");
        let body = if method == "GET" { String::new() } else { body.to_string() };
        self.request(method, path, &[("authorization", &bearer)], &body)
    }

    pub(crate) fn state(&self, token: &str) -> Value {
        self.rater(token, "GET", "/api/state", &Value::Null).json()
    }

    /// Reads the guideline; what comes next.
    pub(crate) fn begin(&self, token: &str) -> Value {
        assert_eq!(self.state(token)["stage"], "guideline");
        self.rater(token, "POST", "/api/guideline", &json!({})).json()["state"].clone()
    }

    /// Logs in; the session's cookie.
    pub(crate) fn log_in(&self) -> String {
        let body = format!("password={}", PASSWORD.replace(' ', "+"));
        let form = ("content-type", "application/x-www-form-urlencoded");
        let reply = self.request("POST", "/admin/login", &[form], &body);
        assert_eq!(reply.status, 303, "{}", reply.text);
        let cookie = reply.header("set-cookie").expect("a cookie");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        cookie.split(';').next().expect("a part").to_owned()
    }

    pub(crate) fn admin(&self, cookie: &str, path: &str) -> Reply {
        self.request("GET", path, &[("cookie", cookie)], "")
    }

    /// A form in a session, with its secret.
    pub(crate) fn form(&self, cookie: &str, path: &str, fields: &str) -> Reply {
        let page = self.admin(cookie, "/admin").text;
        let csrf =
            page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let body = format!("csrf={}&{fields}", csrf.expect("a form"));
        let form = ("content-type", "application/x-www-form-urlencoded");
        self.request("POST", path, &[form, ("cookie", cookie)], &body)
    }
}

/// An answer with a nonce of its own.
pub(crate) fn answer(state: &Value, nonce: &str, sensible: bool) -> Value {
    let mut answer = json!({
        "place": state["place"], "revision": state["revision"], "nonce": nonce,
        "sensible": sensible, "duration_ms": 1234,
    });
    if sensible {
        answer["specific"] = json!(true);
    }
    answer
}

/// One request that follows no redirect.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let mut request =
        ureq::http::Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.to_owned()).expect("a request");
    let mut response = agent.run(request).expect("a response");
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned()))
        .collect();
    Reply {
        status: response.status().as_u16(),
        headers,
        text: response.body_mut().read_to_string().expect("a body"),
    }
}
