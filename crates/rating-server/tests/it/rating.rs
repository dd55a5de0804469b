//! A rater's day, and what a rater must never see.

use crate::client::{SECRETS, Study, answer, gold, no_practice};
use eval_ssa::{CheckKind, Guideline};
use rating_server::{NewRater, Settings};
use serde_json::{Value, json};

#[test]
fn o_32_no_response_to_a_rater_holds_a_name_or_anothers_answer() {
    let study = Study::new(&Settings { votes: 3, gold_every: 2, ..Settings::default() }, 4, 3);
    let known = [gold(0, CheckKind::Gold), gold(1, CheckKind::Attention)];
    study.server.project().add_items(&known).expect("gold items");
    let mut seen = String::new();
    let (mut answered, mut golden) = (0, 0);
    for (index, rater) in study.raters.iter().enumerate() {
        let mut state = study.begin(&rater.token);
        seen += &state.to_string();
        while state["stage"] == "item" {
            golden += usize::from(known.iter().any(|item| state["responses"][0] == item.response));
            let mut given = answer(&state, &format!("{index}-{answered}"), index != 1);
            given["comment"] = json!("a remark of one rater");
            let reply = study.rater(&rater.token, "POST", "/api/answer", &given);
            assert_eq!(reply.status, 200, "{}", reply.text);
            seen += &reply.text;
            state = reply.json()["state"].clone();
            answered += 1;
        }
        assert_eq!(state["stage"], "nothing");
        seen += &study.rater(&rater.token, "GET", "/api/before/99", &Value::Null).text;
    }
    assert!(golden >= 3, "each rater was shown a gold item");
    assert_eq!(answered - golden, 12, "each item has exactly three votes");
    study.server.project().check().expect("right counts");
    let page = study.request("GET", &format!("/r/{}", study.raters[0].token), &[], "");
    seen += &page.text;
    for hidden in SECRETS {
        assert!(!seen.contains(hidden), "{hidden} was sent to a rater");
    }
    for hidden in
        ["gold", "attention", "known-", "known reason", "\"check", "\"expected", "\"system"]
    {
        assert!(!seen.contains(hidden), "{hidden} was sent to a rater");
    }
    // A rater sees the own remark when going back, and nobody else's.
    assert_eq!(seen.matches("a remark of one rater").count(), 3);
}

#[test]
fn an_answer_sent_twice_is_one_and_two_windows_do_not_double_it() {
    let study = Study::new(&Settings::default(), 3, 1);
    let token = &study.raters[0].token;
    let first = study.begin(token);
    let second_window = study.state(token);
    assert_eq!(first["place"], second_window["place"]);
    let given = answer(&first, "n1", true);
    let kept = study.rater(token, "POST", "/api/answer", &given);
    let again = study.rater(token, "POST", "/api/answer", &given);
    assert_eq!((kept.status, again.status), (200, 200));
    assert_eq!(kept.json()["state"]["place"], again.json()["state"]["place"]);
    let other = study.rater(token, "POST", "/api/answer", &answer(&second_window, "n2", false));
    assert_eq!(other.status, 409);
    assert_eq!(study.server.project().status().expect("a status").votes, 1);
    // Going back shows the own answer; another one replaces it.
    let place = kept.json()["state"]["place"].as_i64().expect("a place");
    let before = study.rater(token, "GET", &format!("/api/before/{place}"), &Value::Null).json();
    assert_eq!(before["own"]["sensible"], true);
    let changed = study.rater(token, "POST", "/api/answer", &answer(&before, "n3", false));
    assert_eq!(changed.status, 200);
    let records = study.server.project().study(rating_server::Names::Own).expect("records");
    assert_eq!(records.ratings.len(), 1);
    assert_eq!(records.ratings[0].answer.sensible(), Some(false));
    assert_eq!(records.ratings[0].duration_ms(), Some(1234));
}

#[test]
fn practice_comes_first_with_its_answers() {
    let study = Study::new(&Settings::default(), 1, 1);
    let guideline = Guideline { version: "en-2".into(), ..Guideline::english() };
    let text = toml::to_string(&guideline).expect("plain data");
    study.server.project().set_guideline(&text).expect("a guideline");
    let token = &study.raters[0].token;
    let mut state = study.begin(token);
    let mut practised = 0;
    while state["kind"] == "practice" {
        let given = answer(&state, &format!("p{practised}"), true);
        let reply = study.rater(token, "POST", "/api/answer", &given).json();
        assert_eq!(reply["result"]["saved"], "practice");
        let right = reply["result"]["expected"] == "specific";
        assert_eq!(reply["result"]["right"], right);
        state = reply["state"].clone();
        practised += 1;
    }
    assert_eq!(practised, guideline.practice.len());
    assert_eq!((state["kind"].as_str(), state["done"].as_i64()), (Some("rate"), Some(0)));
    assert!(study.server.project().set_guideline(&no_practice()).is_err(), "en-1 is taken");
}

#[test]
fn the_researcher_sees_scores_under_blind_names_until_they_are_shown() {
    let study = Study::new(&Settings { votes: 1, ..Settings::default() }, 4, 1);
    let token = &study.raters[0].token;
    let mut state = study.begin(token);
    for index in 0..4 {
        let mut given = answer(&state, &format!("n{index}"), true);
        given["comment"] = json!("=HYPERLINK(\"http://x\")");
        state = study.rater(token, "POST", "/api/answer", &given).json()["state"].clone();
    }
    let cookie = study.log_in();
    let pages = ["", "/results", "/raters", "/undecided", "/guideline", "/export", "/log"];
    for page in pages {
        let reply = study.admin(&cookie, &format!("/admin{page}"));
        assert_eq!(reply.status, 200, "{page}");
        assert!(!reply.text.contains(SECRETS[0]), "{page}");
        assert!(!reply.text.contains("<img src=x"), "{page}");
        assert!(!reply.text.contains(" style=") && !reply.text.contains("<script>"), "{page}");
    }
    let results = study.admin(&cookie, "/admin/results").text;
    assert!(results.contains("System ") && results.contains("100.0 %"));
    assert!(results.contains("undefined"), "one vote an item: no agreement");
    let csv = study.admin(&cookie, "/admin/export/ratings.csv").text;
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.contains("'=HYPERLINK") && !csv.contains(",=HYPERLINK"));
    assert!(!csv.contains(SECRETS[0]));
    let lines = study.admin(&cookie, "/admin/export/ratings.jsonl").text;
    let rating: eval_ssa::Rating =
        serde_json::from_str(lines.lines().next().expect("a line")).expect("a rating");
    assert_eq!(rating.guideline, "en-1");
    assert_eq!(rating.position, Some(0));
    let shown = study.form(&cookie, "/admin/names", "sure=yes");
    assert_eq!(shown.status, 303, "{}", shown.text);
    assert!(study.admin(&cookie, "/admin/results").text.contains(SECRETS[0]));
    assert!(study.admin(&cookie, "/admin/export/items.jsonl").text.contains(SECRETS[0]));
}

#[test]
fn raters_are_added_renewed_and_deleted_in_the_browser() {
    let study = Study::new(&Settings::default(), 2, 0);
    let cookie = study.log_in();
    let fields = "labels=Ada%0D%0A%3Cb%3EBob&rates=yes&chats=0";
    let page = study.form(&cookie, "/admin/raters", fields);
    assert_eq!(page.status, 200);
    assert_eq!(page.text.matches("/r/").count(), 2);
    assert!(page.text.contains("&lt;b&gt;Bob"));
    for chats in ["-1", "99999999999", "1001", "many"] {
        let refused = study.form(&cookie, "/admin/raters", &format!("labels=Eve&chats={chats}"));
        assert_eq!(refused.status, 422, "{chats}");
        assert!(refused.text.contains("from 0 to 1000"), "{chats}: {}", refused.text);
    }
    let raters = study.server.project().raters().expect("raters");
    assert_eq!(raters.len(), 2);
    let token = page.text.split("/r/").nth(1).map(|rest| &rest[..26]).expect("a link").to_owned();
    study.begin(&token);
    let path = format!("/admin/raters/{}", raters[0].key);
    assert_eq!(study.form(&cookie, &path, "action=pause").status, 303);
    assert_eq!(study.state(&token)["stage"], "paused");
    assert_eq!(study.form(&cookie, &path, "action=resume").status, 303);
    let renewed = study.form(&cookie, &path, "action=renew");
    let other = renewed.text.split("/r/").nth(1).map(|rest| rest[..26].to_owned());
    assert_eq!(study.rater(&token, "GET", "/api/state", &Value::Null).status, 404);
    let other = other.expect("a link");
    assert_eq!(study.state(&other)["stage"], "item");
    assert_eq!(study.form(&cookie, &path, "action=").status, 422);
    let asked = study.form(&cookie, &path, "action=delete");
    assert_eq!((asked.status, asked.text.contains("cannot be undone")), (200, true));
    assert_eq!(study.state(&other)["stage"], "item", "not deleted yet");
    assert_eq!(study.form(&cookie, &path, "action=delete&sure=yes").status, 303);
    assert_eq!(study.rater(&other, "GET", "/api/state", &Value::Null).status, 404);
    assert_eq!(study.server.project().status().expect("a status").open, 0);
    assert!(study.server.project().add_rater(&NewRater::new("x".repeat(300))).is_err());
}

/// Who is deleted first and wants the votes gone later can have that, too.
#[test]
fn votes_that_were_kept_can_be_deleted_later() {
    let settings = Settings { votes: 1, gold_every: 0, ..Settings::default() };
    let study = Study::new(&settings, 2, 1);
    let cookie = study.log_in();
    let token = study.raters[0].token.clone();
    let state = study.begin(&token);
    study.rater(&token, "POST", "/api/answer", &answer(&state, "n", true));
    let project = study.server.project();
    let votes = || project.status().expect("a status").votes;
    let path = format!("/admin/raters/{}", study.raters[0].rater);
    let offered = "Delete all votes, too";
    assert!(!study.admin(&cookie, "/admin/raters").text.contains(offered));
    assert_eq!(study.form(&cookie, &path, "action=delete&sure=yes").status, 303);
    assert_eq!(votes(), 1);
    assert!(study.admin(&cookie, "/admin/raters").text.contains(offered));
    assert_eq!(study.form(&cookie, &path, "action=delete-all&sure=yes").status, 303);
    assert_eq!(votes(), 0);
    assert!(!study.admin(&cookie, "/admin/raters").text.contains(offered));
    project.check().expect("right counts");
}

/// Answers to items whose answer is known are no votes, and go with them.
#[test]
fn known_items_answers_that_were_kept_can_be_deleted_later() {
    let settings = Settings { votes: 1, gold_every: 1, ..Settings::default() };
    let study = Study::new(&settings, 1, 1);
    let project = study.server.project();
    project.add_items(&[gold(0, CheckKind::Gold)]).expect("a gold item");
    let cookie = study.log_in();
    let token = study.raters[0].token.clone();
    let state = study.begin(&token);
    let reply = study.rater(&token, "POST", "/api/answer", &answer(&state, "n", false));
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(project.status().expect("a status").votes, 0, "the gold item came first");
    let path = format!("/admin/raters/{}", study.raters[0].rater);
    let offered = "Delete all votes, too";
    assert_eq!(study.form(&cookie, &path, "action=delete&sure=yes").status, 303);
    assert!(study.admin(&cookie, "/admin/raters").text.contains(offered));
    assert_eq!(study.form(&cookie, &path, "action=delete-all&sure=yes").status, 303);
    assert!(!study.admin(&cookie, "/admin/raters").text.contains(offered));
    project.check().expect("right counts");
}
