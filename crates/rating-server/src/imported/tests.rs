//! Ratings, choices and judgements of files, beside those that people give on the pages.

use super::*;
use crate::{Deletion, Names, NewRater, Project};
use eval_ssa::{Item, Turn};

fn item(id: &str) -> Item {
    Item {
        id: id.into(),
        system: "mine".into(),
        conversation: id.into(),
        turn: 1,
        context: vec![Turn::new("A", "Hello?")],
        response: "Hi.".into(),
        ..Item::default()
    }
}

#[test]
fn ratings_of_other_tools_take_votes_as_far_as_there_are_any() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { votes: 1, ..Settings::default() };
    let project = Project::create(&folder.path().join("s.db"), &settings, None).expect("new");
    project.add_items(&[item("a"), item("b")]).expect("items");
    let first =
        Rating { comment: Some("why".into()), ..Rating::new("a", "x", Label::Specific.into()) };
    let skips = Rating::new("b", "x", Answer::Skipped { reason: "unclear".into() });
    let ratings = [first.clone(), skips.clone(), Rating::new("a", "y", Answer::NotSensible)];
    let done = project.add_ratings(&ratings).expect("ratings");
    assert_eq!((done.added, done.known, done.late), (3, 0, 1));
    assert_eq!(project.add_ratings(&ratings).expect("the same").known, 3);
    project.check().expect("right counts");
    // What is beyond the votes is not counted; the skip holds none.
    let study = project.study(Names::Own).expect("a study");
    let kept: Vec<_> = study.ratings.iter().map(|r| (&*r.item, &r.answer)).collect();
    assert_eq!(kept, [("a", &first.answer), ("b", &skips.answer)]);
    assert_eq!(study.ratings[0].comment, first.comment);
    assert_eq!(project.status().expect("a status").votes, 1);

    let other = Rating::new("a", "x", Answer::NotSensible);
    let error = project.add_ratings(&[Rating::new("b", "z", Answer::NotSensible), other]);
    assert!(error.expect_err("two answers").to_string().contains("already, and otherwise"));
    assert_eq!(project.raters().expect("raters").len(), 2, "all or nothing");
    let error = project.add_ratings(&[Rating::new("c", "x", Answer::NotSensible)]);
    assert!(error.expect_err("no such item").to_string().contains("\"c\""));

    // Who is deleted with all votes gives them back.
    let key = study.ratings[0].rater.clone();
    project.delete_rater(&key, Deletion::WithVotes).expect("deleted");
    assert_eq!(project.status().expect("a status").votes, 0);
    project.check().expect("right counts");
    assert!(project.add_rater(&NewRater::new("Ada")).is_ok());
}

/// An export of a tool that corrects answers where they stand, imported before and after.
#[test]
fn a_newer_answer_takes_the_place_of_the_one_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { votes: 1, ..Settings::default() };
    let project = Project::create(&folder.path().join("s.db"), &settings, None).expect("new");
    project.add_items(&[item("a"), item("b")]).expect("items");
    let at = |item: &str, answer: Answer, time: i64| Rating {
        answered_at: Some(time),
        ..Rating::new(item, "x", answer)
    };
    let add = |ratings: &[Rating], newest_counts| {
        let ratings = ratings.to_vec();
        let records = crate::Records { ratings, newest_counts, ..crate::Records::default() };
        project.add_records(&records)
    };
    let first = [at("a", Answer::NotSensible, 5), at("b", Label::Sensible.into(), 5)];
    assert_eq!(add(&first, true).expect("two").added, 2);
    let second = [at("a", Label::Specific.into(), 9), first[1].clone()];
    let done = add(&second, true).expect("a correction");
    assert_eq!((done.added, done.replaced, done.known, done.late), (0, 1, 1, 0));
    let answers = || -> Vec<Answer> {
        let mut ratings = project.study(Names::Own).expect("a study").ratings;
        ratings.sort_by(|a, b| a.item.cmp(&b.item));
        ratings.into_iter().map(|rating| rating.answer).collect()
    };
    assert_eq!(answers(), [Label::Specific.into(), Label::Sensible.into()]);
    // An older export changes nothing, and a skip gives its vote back.
    assert_eq!(add(&first, true).expect("the older one").known, 2);
    let skips = at("a", Answer::Skipped { reason: "cancelled".into() }, 11);
    assert_eq!(add(&[skips], true).expect("a skip").replaced, 1);
    project.check().expect("right counts");
    assert_eq!(project.status().expect("a status").votes, 1);
    // Files of others, and answers of one time, are no corrections.
    let other = [at("b", Answer::NotSensible, 5)];
    for newest_counts in [false, true] {
        let said = add(&other, newest_counts).expect_err("two answers").to_string();
        assert!(said.contains("already, and otherwise"), "{said}");
        assert!(said.contains("by --rater (with Label Studio"), "{said}");
    }
    assert_eq!(answers().len(), 2);
}

#[test]
fn what_is_blind_keeps_no_order_of_the_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = Project::create(&folder.path().join("s.db"), &Settings::default(), None);
    let project = project.expect("new");
    let of = |system: usize, n: usize| Item {
        system: format!("system {system}"),
        ..item(&format!("{system}-{n}"))
    };
    let judged = |item: &Item| Judgment {
        item: item.id.clone(),
        judge: "j".into(),
        label: Some(Label::Sensible),
        output: None,
    };
    for system in 0..8 {
        let items: Vec<Item> = (0..4).map(|n| of(system, n)).collect();
        project.add_items(&items).expect("items");
        let judgments: Vec<Judgment> = items.iter().map(judged).collect();
        project.add_judgments(&judgments).expect("judgements");
    }
    let blind = project.study(Names::Blind).expect("a study");
    assert!(blind.systems.is_sorted_by(|a, b| a.name < b.name));
    assert!(blind.items.is_sorted_by(|a, b| a.id < b.id));
    assert!(blind.judgments.is_sorted_by(|a, b| a.item < b.item));
    // With names all is as it came in.
    let own = project.study(Names::Own).expect("a study");
    assert!(own.systems.is_sorted_by(|a, b| a.name < b.name));
    assert!(own.judgments.iter().map(|j| &j.item).eq(own.items.iter().map(|i| &i.id)));
    assert!(own.items.is_sorted_by(|a, b| a.id < b.id));
}

fn judgments_of(project: &Project) -> Vec<Judgment> {
    project.study(Names::Own).expect("a study").judgments
}

#[test]
fn judgements_are_replaced_and_stay_apart_in_projects_of_version_1_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.db");
    let project = Project::create(&path, &Settings::default(), None).expect("new");
    project.add_items(&[item("a")]).expect("an item");
    drop(project);
    let old = "DROP TABLE judgment; ALTER TABLE adjudicated DROP COLUMN decided_by;
         PRAGMA user_version = 1";
    Connection::open(&path).and_then(|db| db.execute_batch(old)).expect("an old file");
    let project = Project::open(&path).expect("brought up to date");
    let says = |label| Judgment { item: "a".into(), judge: "j".into(), label, output: None };
    assert_eq!(project.add_judgments(&[says(None)]).expect("kept"), 1);
    assert_eq!(project.add_judgments(&[says(None)]).expect("the same"), 0);
    assert_eq!(project.add_judgments(&[says(Some(Label::Sensible))]).expect("kept"), 1);
    let again = crate::Records { judgments: judgments_of(&project), ..crate::Records::default() };
    let done = project.add_records(&again).expect("the same");
    assert_eq!((done.added, done.known), (0, 1));
    let study = project.study(Names::Own).expect("a study");
    assert_eq!(study.judgments, [says(Some(Label::Sensible))]);
    assert!(study.ratings.is_empty());
    let blind = project.study(Names::Blind).expect("a study");
    assert_eq!(blind.judgments[0].item, blind.items[0].id);
    blind.check().expect("what is blind still fits together");
}

/// What a study's own export says of its people is theirs, and adds nobody.
#[test]
fn a_studys_own_ratings_add_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { votes: 3, ..Settings::default() };
    let path = folder.path().join("s.db");
    let project = Project::create(&path, &settings, None).expect("new");
    project.add_items(&[item("a"), item("b"), item("c")]).expect("items");
    let ada = project.add_rater(&NewRater::new("Ada")).expect("a rater").rater;
    let at = |item: &str, rater: &str, answer: Answer, time: i64| Rating {
        answered_at: Some(time),
        ..Rating::new(item, rater, answer)
    };
    // Named by her key, which is how an export names her; of another tool comes somebody else.
    let given = [at("a", &ada, Label::Specific.into(), 5), at("b", &ada, Answer::NotSensible, 6)];
    assert_eq!(project.add_ratings(&given).expect("two").added, 2);
    let by_ben = [at("a", "Ben", Answer::NotSensible, 7)];
    assert_eq!(project.add_ratings(&by_ben).expect("one").added, 1);
    let exported = project.study(Names::Own).expect("a study").ratings;
    let done = project.add_ratings(&exported).expect("the same");
    assert_eq!((done.added, done.known), (0, 3));
    assert_eq!(project.add_ratings(&by_ben).expect("the tool's file again").known, 1);
    let status = project.status().expect("a status");
    assert_eq!((status.votes, status.raters), (3, 2));
    // By another way, too.
    let file = folder.path().join("ada.jsonl");
    std::fs::write(&file, r#"{"id": 1, "item": "a", "label": ["sensible", "specific"]}"#)
        .expect("a file");
    let read = crate::read_tool(&file, crate::Tool::Doccano, Some(&ada), None).expect("an export");
    assert_eq!(project.add_records(&read).expect("the same").known, 1);

    // Of two answers of one person the newer counts, wherever it was given.
    let older = [at("a", &ada, Answer::NotSensible, 1)];
    assert_eq!(project.add_ratings(&older).expect("an older file").known, 1);
    let newer = [at("a", &ada, Answer::NotSensible, 9)];
    assert_eq!(project.add_ratings(&newer).expect("a newer file").replaced, 1);
    let same_time = [at("a", &ada, Label::Specific.into(), 9)];
    let said = project.add_ratings(&same_time).expect_err("which of the two?").to_string();
    assert!(said.contains("rater of this study") && !said.contains("--rater"), "{said}");

    // In another study they are the same people, also on the way back.
    let other = Project::create(&folder.path().join("o.db"), &settings, None).expect("new");
    other.add_items(&[item("a"), item("b"), item("c")]).expect("items");
    let exported = project.study(Names::Own).expect("a study").ratings;
    assert_eq!(other.add_ratings(&exported).expect("all").added, 3);
    let back = other.study(Names::Own).expect("a study").ratings;
    let done = project.add_ratings(&back).expect("nothing new");
    assert_eq!((done.added, done.known, done.replaced), (0, 3, 0));
    project.check().expect("right counts");
}

/// A seat that is held open for somebody is answered by a file, and counted once.
#[test]
fn an_answer_of_a_file_fills_the_open_seat() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { votes: 1, gold_every: 0, ..Settings::default() };
    let path = folder.path().join("s.db");
    let no_practice = eval_ssa::Guideline { practice: vec![], ..eval_ssa::Guideline::english() };
    let guideline = toml::to_string(&no_practice).expect("plain data");
    let project = Project::create(&path, &settings, Some(&guideline)).expect("new");
    project.add_items(&[item("a")]).expect("an item");
    let ada = project.add_rater(&NewRater::new("Ada")).expect("a rater").rater;
    let key = ada.clone();
    let sit = move |db: &Connection| {
        crate::seats::accept_guideline(db, &crate::raters::by_key(db, &key)?)?;
        crate::seats::next(db, &settings, &crate::raters::by_key(db, &key)?, 1)
    };
    assert_eq!(project.store().write(sit).expect("a seat"), crate::seats::Next::Place(1));
    assert_eq!(project.status().expect("a status").open, 1);
    let done = project.add_ratings(&[Rating::new("a", &ada, Label::Specific.into())]);
    assert_eq!(done.map(|done| (done.added, done.late)).expect("an answer"), (1, 0));
    let status = project.status().expect("a status");
    assert_eq!((status.open, status.votes), (0, 1));
    project.check().expect("right counts");
}

/// Exports of tools hold all answers so far, also those of people who asked to be deleted.
#[test]
fn what_files_say_of_deleted_raters_is_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    for (deletion, votes) in [(Deletion::WithVotes, 1), (Deletion::KeepVotes, 3)] {
        let path = folder.path().join(format!("{votes}.db"));
        let settings = Settings { votes: 3, ..Settings::default() };
        let project = Project::create(&path, &settings, None).expect("new");
        project.add_items(&[item("a"), item("b")]).expect("items");
        let comment = Some("why".to_owned());
        let skips = Answer::Skipped { reason: "unclear".into() };
        let all = [
            Rating {
                comment,
                answered_at: Some(5),
                ..Rating::new("a", "x", Label::Specific.into())
            },
            Rating::new("b", "x", Label::Sensible.into()),
            Rating::new("a", "y", Answer::NotSensible),
            Rating::new("b", "y", skips),
        ];
        let add = |newest_counts| {
            let ratings = all.to_vec();
            project.add_records(&crate::Records {
                ratings,
                newest_counts,
                ..crate::Records::default()
            })
        };
        assert_eq!(add(true).expect("four").added, 4);
        let key = project.raters().expect("raters")[0].key.clone();
        project.delete_rater(&key, deletion).expect("deleted");
        for newest_counts in [true, false] {
            let done = add(newest_counts).expect("the same export");
            assert_eq!((done.added, done.known, done.deleted), (0, 2, 2), "{deletion:?}");
        }
        // Under the name in the data, as well.
        let done = project.add_ratings(&[Rating::new("b", &key, Answer::NotSensible)]);
        assert_eq!(done.expect("left out").deleted, 1);
        let status = project.status().expect("a status");
        assert_eq!((status.votes, status.raters), (votes, 1), "{deletion:?}");
        let study = project.study(Names::Own).expect("a study");
        assert!(study.ratings.iter().all(|rating| rating.comment.is_none()));
        project.check().expect("right counts");
    }
}

#[test]
fn choices_between_pairs_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { votes: 1, ..Settings::default() };
    let make = |name: &str| {
        let project = Project::create(&folder.path().join(name), &settings, None).expect("new");
        let two = Item { id: "b".into(), system: "two".into(), ..item("a") };
        project.add_items(&[item("a"), two]).expect("items");
        let items = project.study(Names::Own).expect("a study").items;
        let pairs = eval_ssa::pairs(&items, ["mine", "two"]);
        assert_eq!(project.add_pairs(&pairs).expect("a pair").added, 1);
        (project, pairs[0].id.clone())
    };
    let (project, pair) = make("one.db");
    let chooses = |rater: &str, choice| Preference {
        swapped: true,
        shown_at: Some(2),
        answered_at: Some(5),
        position: Some(0),
        ..Preference::new(&pair, rater, choice)
    };
    let add = |project: &Project, preferences: &[Preference]| {
        let preferences = preferences.to_vec();
        project.add_records(&crate::Records { preferences, ..crate::Records::default() })
    };
    let both = [chooses("r-aaaaaaaa", Choice::BothBad), chooses("y", Choice::First)];
    let done = add(&project, &both).expect("two");
    assert_eq!((done.added, done.late), (2, 1));
    let exported = project.study(Names::Own).expect("a study").preferences;
    assert_eq!(exported, both[..1], "the second came too late");
    assert_eq!(add(&project, &exported).expect("the same").known, 1);
    project.check().expect("right counts");
    // By a file, in another study.
    let file = folder.path().join("preferences.jsonl");
    let line = serde_json::to_string(&exported[0]).expect("plain data");
    std::fs::write(&file, line).expect("a file");
    let (other, _) = make("two.db");
    let read = crate::read_records(&file, None).expect("choices");
    assert_eq!(other.add_records(&read).expect("one").added, 1);
    assert_eq!(other.study(Names::Own).expect("a study").preferences, exported);

    let said = add(&project, &[chooses("y", Choice::Tie)]).expect_err("otherwise").to_string();
    assert!(said.contains("already, and otherwise"), "{said}");
    let nowhere = Preference { pair: "c".into(), ..chooses("y", Choice::Tie) };
    let said = add(&project, &[nowhere]).expect_err("no pair").to_string();
    assert!(said.contains("pairs.jsonl first"), "{said}");
    let key = project.raters().expect("raters")[0].key.clone();
    project.delete_rater(&key, Deletion::WithVotes).expect("deleted");
    assert_eq!(add(&project, &exported).expect("left out").deleted, 1);
    assert_eq!(project.status().expect("a status").votes, 0);
}
