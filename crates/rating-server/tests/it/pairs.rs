//! Two responses side by side, from the file to the exports.

use crate::client::{SECRETS, Study};
use eval_ssa::{Choice, Pair, Preference};
use rating_server::{Names, Settings, read_records};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `pairs.jsonl`, as a researcher writes it; the systems stand in either order.
fn file() -> String {
    let [one, two] = SECRETS;
    let line = |id: &str, systems: [&str; 2], responses: [&str; 2]| {
        json!({
            "id": id, "conversation": format!("about {id}"),
            "context": [{ "speaker": one, "text": "Hi!" }, { "speaker": "user", "text": "And you?" }],
            "systems": systems, "responses": responses,
        })
    };
    format!(
        "{}\n\n{}\n",
        line("soup", [one, two], ["Soup & <b>dumplings</b>.", "ok"]),
        line("trip", [two, one], ["I don't know", "To Porto, by train."]),
    )
}

#[test]
fn pairs_go_from_their_file_to_raters_and_into_exports() {
    let study = Study::new(&Settings { votes: 15, ..Settings::default() }, 0, 15);
    let project = study.server.project();
    let path = study.folder.path().join("pairs.jsonl");
    std::fs::write(&path, file()).expect("a file");
    let records = read_records(&path, None).expect("pairs");
    assert_eq!(records.pairs.len(), 2);
    assert_eq!(project.add_records(&records).expect("added").added, 2);
    assert_eq!(project.add_records(&records).expect("known").known, 2, "the same file again");

    // All like the first system's response, on whatever side it stands; the last likes neither.
    let good = ["Soup & <b>dumplings</b>.", "To Porto, by train."];
    let (mut sides, mut seen) = (BTreeSet::new(), String::new());
    for (index, rater) in study.raters.iter().enumerate() {
        let mut state = study.begin(&rater.token);
        let mut shown = BTreeSet::new();
        while state["stage"] == "item" {
            seen += &state.to_string();
            assert_eq!(state["kind"], "pair");
            let speakers: Vec<&Value> =
                state["context"].as_array().expect("turns").iter().map(|t| &t["speaker"]).collect();
            assert_eq!(speakers, ["B", "A"]);
            let texts: [String; 2] =
                serde_json::from_value(state["responses"].clone()).expect("two responses");
            let left = good.contains(&&*texts[0]);
            assert!(left != good.contains(&&*texts[1]), "{texts:?}");
            sides.insert(left);
            let choice = match (index, left) {
                (14, _) => "both-bad",
                (_, true) => "left",
                (_, false) => "right",
            };
            let given = json!({
                "place": state["place"], "revision": 0, "nonce": "n", "choice": choice,
                "duration_ms": 1234,
            });
            let mut wrong = given.clone();
            wrong["sensible"] = json!(false);
            assert_eq!(study.rater(&rater.token, "POST", "/api/answer", &wrong).status, 422);
            let reply = study.rater(&rater.token, "POST", "/api/answer", &given);
            assert_eq!(reply.status, 200, "{}", reply.text);
            shown.insert(texts.into_iter().collect::<BTreeSet<_>>());
            let place = state["place"].as_i64().expect("a place") + 1;
            let back = format!("/api/before/{place}");
            let back = study.rater(&rater.token, "GET", &back, &Value::Null).json();
            assert_eq!(back["own"]["choice"], choice, "as it was chosen");
            assert_eq!(back["responses"], state["responses"]);
            state = reply.json()["state"].clone();
        }
        assert_eq!((shown.len(), &state["stage"]), (2, &json!("nothing")));
    }
    assert_eq!(sides.len(), 2, "a good response stands on either side");
    assert!(SECRETS.iter().all(|name| !seen.contains(name)) && !seen.contains("soup"));

    let cookie = study.log_in();
    let blind = study.admin(&cookie, "/admin/export/pairs.jsonl").text;
    assert!(blind.lines().count() == 2 && blind.contains("System "));
    assert!(SECRETS.iter().all(|name| !blind.contains(name)), "{blind}");
    assert_eq!(study.form(&cookie, "/admin/names", "sure=yes").status, 303);
    let pairs: Vec<Pair> = lines(&study.admin(&cookie, "/admin/export/pairs.jsonl").text);
    let names = |pair: &Pair| (pair.id.clone(), pair.systems.clone(), pair.responses.clone());
    let imported: Vec<_> = records.pairs.iter().map(names).collect();
    assert_eq!(pairs.iter().map(names).collect::<Vec<_>>(), imported, "as they came");
    let kept: Vec<Preference> =
        lines(&study.admin(&cookie, "/admin/export/preferences.jsonl").text);
    assert_eq!(kept.len(), 30);
    let mut swapped = BTreeSet::new();
    for preference in &kept {
        let liked = if preference.pair == "soup" { Choice::First } else { Choice::Second };
        let neither = preference.rater == study.raters[14].rater;
        assert_eq!(preference.choice, if neither { Choice::BothBad } else { liked });
        assert_eq!(preference.guideline, "en-1");
        swapped.insert(preference.swapped);
    }
    assert_eq!(swapped.len(), 2);
    let summary = project.summary(Names::Own).expect("a summary");
    let found = &summary.contests[0];
    assert_eq!(found.systems, SECRETS.map(str::to_owned));
    assert_eq!((found.first, found.second, found.ties, found.both_bad), (28, 0, 0, 2));
    let status = project.status().expect("a status");
    assert_eq!([status.items, status.full, status.pairs, status.full_pairs], [2; 4]);
    assert_eq!(status.complete(), "2 of 2 pairs");
    let results = study.admin(&cookie, "/admin/results").text;
    assert!(results.contains(SECRETS[0]) && results.contains(SECRETS[1]));
    assert!(results.contains("counts as half a vote for each"), "{results}");
}

#[test]
fn a_fault_in_the_file_of_pairs_names_its_line_and_adds_nothing() {
    let study = Study::new(&Settings::default(), 0, 0);
    let path = study.folder.path().join("my-pairs.jsonl");
    for (text, fault) in [
        (file().replace("\"responses\"", "\"replies\""), "line 1"),
        (file().replace(SECRETS[1], SECRETS[0]), "one system twice"),
    ] {
        std::fs::write(&path, text).expect("a file");
        let added = read_records(&path, None)
            .and_then(|records| study.server.project().add_records(&records));
        let error = added.expect_err(fault).to_string();
        assert!(error.contains(fault), "{error}");
        assert_eq!(study.server.project().status().expect("a status").items, 0);
    }
}

fn lines<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}
