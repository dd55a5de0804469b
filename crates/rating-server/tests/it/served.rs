//! Which items raters are served: known answers among them, in whose order, how evenly, how many.

use crate::client::{Study, answer, gold, items, no_practice, serve_here};
use eval_ssa::CheckKind;
use rating_server::{Names, NewRater, Project, Settings};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Answers one item; what comes next.
fn give(study: &Study, token: &str, state: &Value) -> Value {
    let nonce = format!("{}-{}", state["place"], state["revision"]);
    let reply = study.rater(token, "POST", "/api/answer", &answer(state, &nonce, true));
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

fn response(state: &Value) -> String {
    state["responses"][0].as_str().expect("a response").to_owned()
}

/// Answers until nothing is left; the responses in the order in which they were shown.
fn give_all(study: &Study, token: &str) -> Vec<String> {
    let mut state = study.begin(token);
    let mut shown = Vec::new();
    while state["stage"] == "item" {
        shown.push(response(&state));
        state = give(study, token, &state)["state"].clone();
    }
    assert_eq!(state["stage"], "nothing");
    shown
}

/// Seats taken by item; read on a connection of its own.
fn taken(study: &Study) -> BTreeMap<i64, i64> {
    let db = Connection::open(study.folder.path().join("study.db")).expect("the database");
    let mut rows = db.prepare("SELECT id, taken FROM item WHERE kind = 'rate'").expect("a query");
    let pairs = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    pairs.collect::<Result<_, _>>().expect("numbers")
}

/// The items that a rater has been given, in order.
fn given(study: &Study, rater: &str) -> Vec<i64> {
    let db = Connection::open(study.folder.path().join("study.db")).expect("the database");
    let mut rows = db
        .prepare(
            "SELECT item FROM seat JOIN rater ON rater.id = seat.rater
             WHERE rater.key = ?1 ORDER BY place",
        )
        .expect("a query");
    rows.query_map([rater], |row| row.get(0))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("numbers")
}

#[test]
fn gold_items_come_about_once_in_n_at_places_of_each_raters_own() {
    let every = 8;
    let settings = Settings { votes: 3, gold_every: every as u32, ..Settings::default() };
    let study = Study::new(&settings, 80, 3);
    let known: Vec<_> = (0..20).map(|index| gold(index, CheckKind::Gold)).collect();
    study.server.project().add_items(&known).expect("gold items");
    let known: HashSet<String> = known.into_iter().map(|item| item.response).collect();
    let (mut patterns, mut all) = (HashSet::new(), Vec::new());
    for rater in &study.raters {
        let shown = give_all(&study, &rater.token);
        assert_eq!(shown.iter().collect::<HashSet<_>>().len(), shown.len(), "none comes twice");
        let places: Vec<usize> = (1..)
            .zip(&shown)
            .filter(|(_, response)| known.contains(*response))
            .map(|(place, _)| place)
            .collect();
        assert_eq!(shown.len() - places.len(), 80);
        let starts = [0].into_iter().chain(places.iter().copied());
        let gaps: Vec<usize> = starts.zip(&places).map(|(before, place)| place - before).collect();
        assert!(gaps.iter().all(|gap| (every / 2..=every * 3 / 2).contains(gap)), "{gaps:?}");
        assert!(gaps.iter().collect::<HashSet<_>>().len() > 1, "they can be foreseen: {gaps:?}");
        patterns.insert(places);
        all.extend(gaps);
    }
    let mean = all.iter().sum::<usize>() as f64 / all.len() as f64;
    assert!((mean - every as f64).abs() < 1.5, "one in {mean}");
    assert_eq!(patterns.len(), 3, "raters could tell each other: {patterns:?}");
    // They take no item's votes, and say something about raters alone.
    study.server.project().check().expect("right counts");
    let status = study.server.project().status().expect("a status");
    assert_eq!((status.votes, status.wanted, status.full), (240, 240, 80));
    let records = study.server.project().study(Names::Own).expect("records");
    assert_eq!(records.outcomes().len(), 80);
    let found = eval_ssa::quality::raters(&records);
    assert!(found.iter().all(|rater| rater.gold.of > 5 && rater.gold.hits == 0), "{found:?}");
}

#[test]
fn a_rater_gets_each_gold_item_once_and_then_no_more() {
    let every_third = Settings { votes: 1, gold_every: 3, ..Settings::default() };
    for (settings, wanted) in
        [(every_third, 2), (Settings { gold_every: 0, ..Default::default() }, 0)]
    {
        let study = Study::new(&settings, 30, 1);
        let known = [gold(0, CheckKind::Gold), gold(1, CheckKind::Attention)];
        study.server.project().add_items(&known).expect("gold items");
        let shown = give_all(&study, &study.raters[0].token);
        let count = |item: &eval_ssa::Item| shown.iter().filter(|r| **r == item.response).count();
        assert_eq!(known.iter().map(count).sum::<usize>(), wanted);
        assert!(known.iter().all(|item| count(item) <= 1));
        assert_eq!(shown.len(), 30 + wanted);
    }
}

/// What the page is told of a gold item has the fields of any other, on the way there, in the
/// answer and on the way back.
#[test]
fn nothing_that_a_page_is_told_marks_a_gold_item() {
    fn fields(value: &Value) -> BTreeSet<String> {
        match value {
            Value::Object(map) => map
                .iter()
                .flat_map(|(key, inner)| {
                    let below = fields(inner).into_iter().map(move |path| format!("{key}.{path}"));
                    below.chain([key.clone()]).collect::<Vec<_>>()
                })
                .collect(),
            Value::Array(list) => list.iter().flat_map(fields).collect(),
            _ => BTreeSet::new(),
        }
    }
    let study = Study::new(&Settings { gold_every: 3, ..Settings::default() }, 12, 1);
    let known = [gold(0, CheckKind::Gold), gold(1, CheckKind::Attention)];
    study.server.project().add_items(&known).expect("gold items");
    let token = &study.raters[0].token;
    let mut state = study.begin(token);
    let (mut forms, mut seen) = ([BTreeSet::new(), BTreeSet::new()], String::new());
    let mut previous = state["done"].as_i64().expect("a number") - 1;
    while state["stage"] == "item" && state["done"].as_i64() < Some(10) {
        let golden = known.iter().any(|item| item.response == response(&state));
        let done = state["done"].as_i64().expect("a number");
        assert_eq!(done, previous + 1, "progress goes on alike");
        previous = done;
        let replied = give(&study, token, &state);
        let back = format!("/api/before/{}", state["place"].as_i64().expect("a place") + 1);
        let back = study.rater(token, "GET", &back, &Value::Null).json();
        assert_eq!(response(&back), response(&state));
        assert_eq!((&state["kind"], &state["questions"]), (&back["kind"], &back["questions"]));
        let first = state["has_before"] == false;
        let told = json!({ "state": state, "result": replied["result"], "back": back });
        seen += &told.to_string();
        if !first {
            forms[usize::from(golden)].insert((fields(&told), replied["result"].to_string()));
        }
        assert_eq!(state["kind"], "rate");
        state = replied["state"].clone();
    }
    assert_eq!(forms[1].len(), 1, "one form, and at least one gold item was shown");
    assert_eq!(forms[0], forms[1]);
    for hidden in ["gold", "attention", "known", "check", "expected"] {
        assert!(!seen.contains(hidden), "{hidden} in {seen}");
    }
}

#[test]
fn each_rater_has_an_order_of_their_own() {
    let study = Study::new(&Settings { votes: 5, ..Settings::default() }, 30, 5);
    let orders: Vec<Vec<String>> =
        study.raters.iter().map(|rater| give_all(&study, &rater.token)).collect();
    let file: Vec<String> = items(30).into_iter().map(|item| item.response).collect();
    for (index, order) in orders.iter().enumerate() {
        let mut sorted = (order.clone(), file.clone());
        sorted.0.sort();
        sorted.1.sort();
        assert_eq!(sorted.0, sorted.1, "all items");
        for other in orders[..index].iter().chain([&file]) {
            // Two shuffled lists of 30 agree in one place on average.
            let same = order.iter().zip(other).filter(|(a, b)| a == b).count();
            assert!(same < 10, "{same} of 30 items stand at the same place");
            // Nor is one a turned copy of the other.
            let followers: HashSet<_> = other.windows(2).collect();
            let kept = order.windows(2).filter(|pair| followers.contains(pair)).count();
            assert!(kept < 10, "{kept} of 29 items follow the same one");
        }
    }
}

/// Raters who come one after another, answer some items and go: no item is more than one seat ahead
/// of another at any time.
#[test]
fn items_fill_up_evenly() {
    let settings = Settings { votes: 3, ..Settings::default() };
    let study = Study::new(&settings, 20, 11);
    let even = || {
        let taken = taken(&study);
        let (least, most) = (taken.values().min(), taken.values().max());
        let (least, most) = (least.expect("items"), most.expect("items"));
        assert!(most - least <= 1, "{taken:?}");
        taken.values().sum::<i64>()
    };
    let mut seats = 0;
    for (index, rater) in study.raters.iter().enumerate() {
        let mut state = study.begin(&rater.token);
        // The last item stays in front of the rater.
        for _ in 0..3 + index % 4 {
            seats = even();
            if state["stage"] != "item" {
                break;
            }
            state = give(&study, &rater.token, &state)["state"].clone();
        }
    }
    assert!(seats > 50, "{seats} of 60 seats");
}

/// Raters who work side by side: each gets one of the items with the fewest seats taken among those
/// that are new to this rater.
#[test]
fn a_rater_gets_what_has_the_fewest_votes() {
    let study = Study::new(&Settings { votes: 3, ..Settings::default() }, 12, 4);
    let mut states: Vec<Option<Value>> = vec![None; 4];
    let mut draws = 0;
    for step in 0..1000_usize {
        let index = (step * step + step / 3) % 4;
        let (rater, before) = (&study.raters[index], taken(&study));
        let mine = given(&study, &rater.rater);
        let next = match &states[index] {
            None => study.begin(&rater.token),
            Some(state) if state["stage"] == "item" => {
                give(&study, &rater.token, state)["state"].clone()
            }
            Some(_) if states.iter().flatten().filter(|s| s["stage"] != "item").count() == 4 => {
                break;
            }
            Some(_) => continue,
        };
        let open = |item: &&i64| !mine.contains(item) && before[item] < 3;
        let fewest = before.keys().filter(open).map(|item| before[item]).min();
        let drawn = given(&study, &rater.rater)[mine.len()..].to_vec();
        assert_eq!(drawn.first().map(|item| before[item]), fewest, "{before:?} {mine:?} {drawn:?}");
        draws += drawn.len();
        states[index] = Some(next);
    }
    assert_eq!(draws, 36);
    assert!(taken(&study).values().all(|votes| *votes == 3));
    study.server.project().check().expect("right counts");
}

#[test]
fn a_rater_is_given_no_more_items_than_the_study_asks_of_one() {
    let settings = Settings { votes: 1, items_per_rater: Some(3), ..Settings::default() };
    let study = Study::new(&settings, 7, 3);
    let mut counts = Vec::new();
    for rater in &study.raters {
        let mut state = study.begin(&rater.token);
        let mut answered = 0;
        while state["stage"] == "item" {
            assert_eq!((&state["done"], &state["of"]), (&json!(answered), &json!(3)));
            state = give(&study, &rater.token, &state)["state"].clone();
            answered += 1;
        }
        assert_eq!((&state["stage"], &state["done"]), (&json!("nothing"), &json!(answered)));
        assert_eq!(study.state(&rater.token)["stage"], "nothing", "nor does a new page bring more");
        counts.push(answered);
    }
    assert_eq!(counts, [3, 3, 1]);
    assert_eq!(study.server.project().status().expect("a status").open, 0);
}

#[test]
fn the_third_question_is_asked_where_the_study_has_it() {
    let settings = Settings { votes: 1, ask_human_like: true, ..Settings::default() };
    let study = Study::new(&settings, 2, 1);
    let token = &study.raters[0].token;
    let mut state = study.begin(token);
    assert!(state["questions"]["human_like"].as_str().expect("a question").len() > 5);
    for (nonce, sensible, human_like) in [("a", true, false), ("b", false, true)] {
        let mut given = answer(&state, nonce, sensible);
        let refused = study.rater(token, "POST", "/api/answer", &given);
        assert_eq!(refused.status, 422, "{}", refused.text);
        given["human_like"] = human_like.into();
        let kept = study.rater(token, "POST", "/api/answer", &given);
        assert_eq!(kept.status, 200, "{}", kept.text);
        state = kept.json()["state"].clone();
    }
    assert_eq!(state["stage"], "nothing");
    let own = study.rater(token, "GET", "/api/before/3", &Value::Null).json();
    assert_eq!(own["own"]["human_like"], true);
    let nowhere = study.rater(token, "GET", "/api/before/abc", &Value::Null);
    assert_eq!((nowhere.status, &*nowhere.text), (404, "there is no such page"));
    let records = study.server.project().study(Names::Own).expect("records");
    let kept: BTreeSet<_> =
        records.ratings.iter().map(|r| (r.answer.sensible(), r.human_like)).collect();
    assert_eq!(kept, BTreeSet::from([(Some(true), Some(false)), (Some(false), Some(true))]));
    let cookie = study.log_in();
    let lines = study.admin(&cookie, "/admin/export/ratings.jsonl").text;
    assert_eq!(lines.matches("\"human_like\":").count(), 2, "{lines}");
    // Where it is not asked, it is neither shown nor taken.
    let study = Study::new(&Settings::default(), 1, 1);
    let state = study.begin(&study.raters[0].token);
    assert_eq!(state["questions"].get("human_like"), None);
    let mut given = answer(&state, "n", true);
    given["human_like"] = true.into();
    let refused = study.rater(&study.raters[0].token, "POST", "/api/answer", &given);
    assert_eq!(refused.status, 422, "{}", refused.text);
}

#[test]
fn the_page_is_in_the_language_of_the_study() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("study.db");
    let mut project =
        Project::create(&path, &Settings::default(), Some(&no_practice())).expect("a project");
    let texts = "language = \"he\"\ndirection = \"rtl\"\nyes = \"כן & <b>\"\nloading = \"רגע …\"\n\
                 unknown_link = \"קישור שגוי\"\nno_script = \"אין JavaScript\"\n";
    let missing = project.set_texts(texts).expect("known names");
    assert!(missing.contains(&"no".to_owned()) && !missing.contains(&"yes".to_owned()));
    assert!(project.set_texts("yse = \"Ja\"").is_err(), "and those before stay");
    let token = project.add_rater(&NewRater::new("rater")).expect("a rater").token;
    // At once, and when the study is opened again.
    let server = serve_here(project);
    for server in [server, serve_here(Project::open(&path).expect("the project"))] {
        let get = |path: &str| crate::client::send(server.address(), "GET", path, &[], "");
        let page = get(&format!("/r/{token}"));
        assert_eq!(page.status, 200);
        for part in [
            "<html lang=\"he\" dir=\"rtl\">",
            "data-value=\"true\" aria-pressed=\"false\">כן &amp; &lt;b&gt;<kbd",
            "<span data-name=\"yes\">כן &amp; &lt;b&gt;</span>",
            "<span data-name=\"no\">No</span>",
            ">רגע …</h2>",
            "אין JavaScript",
        ] {
            assert!(page.text.contains(part), "{part} is missing in {}", page.text);
        }
        let garbled = get("/r/%ff");
        assert_eq!((garbled.status, &*garbled.text), (404, "there is no such page"));
        let unknown = get("/r/zzzz");
        assert_eq!(unknown.status, 404);
        assert!(unknown.text.contains("קישור שגוי") && unknown.text.contains("dir=\"rtl\""));
    }
}
