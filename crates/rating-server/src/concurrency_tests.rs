//! Seats and votes under concurrent raters, on the database itself.

use crate::answers::{self, Given, Taken};
use crate::error::{Error, Result};
use crate::project::Project;
use crate::raters::{self, Deletion, NewRater};
use crate::seats::{self, Next};
use crate::secret;
use crate::settings::Settings;
use eval_ssa::{Guideline, Item, Pair, Turn};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// A guideline without practice items.
fn short_guideline() -> String {
    let guideline = Guideline { practice: vec![], ..Guideline::english() };
    toml::to_string(&guideline).expect("plain data")
}

fn item(id: &str) -> Item {
    Item {
        id: id.into(),
        system: "secret-system".into(),
        conversation: id.into(),
        turn: 1,
        context: vec![Turn::new("A", "Hello?")],
        response: format!("reply {id}"),
        ..Item::default()
    }
}

/// A project with items and raters who have read the guideline.
fn project(
    path: &Path,
    settings: &Settings,
    items: usize,
    raters: usize,
) -> (Project, Vec<String>) {
    let project = Project::create(path, settings, Some(&short_guideline())).expect("a new project");
    let items: Vec<Item> = (0..items).map(|index| item(&format!("i{index}"))).collect();
    project.add_items(&items).expect("new items");
    let tokens = (0..raters)
        .map(|index| project.add_rater(&NewRater::new(format!("rater {index}"))).expect("a rater"))
        .map(|invitation| invitation.token)
        .collect();
    project
        .store()
        .write(|db| Ok(db.execute("UPDATE rater SET guideline = 1", [])?))
        .expect("a change");
    (project, tokens)
}

fn next_at(project: &Project, token: &str, now: i64) -> Result<Next> {
    let (token, settings) = (token.to_owned(), project.settings().clone());
    project.store().write(move |db| seats::next(db, &settings, &raters::by_token(db, &token)?, now))
}

fn give_at(project: &Project, token: &str, given: &Given, now: i64) -> Result<Taken> {
    let (token, settings, given) = (token.to_owned(), project.settings().clone(), given.clone());
    project.store().write(move |db| {
        answers::answer(db, &settings, &raters::by_token(db, &token)?, &given, now)
    })
}

fn yes(place: i64) -> Given {
    Given {
        place,
        nonce: web_server::secret::random_name(8),
        sensible: Some(true),
        specific: Some(true),
        ..Given::default()
    }
}

fn number(project: &Project, sql: &'static str) -> i64 {
    project.store().read(|db| Ok(db.query_row(sql, [], |row| row.get(0))?)).expect("a number")
}

/// Answers until nothing is left; how many were answered.
fn answer_all(project: &Project, token: &str) -> usize {
    for count in 0.. {
        match next_at(project, token, secret::now()).expect("a next thing") {
            Next::Place(place) => {
                give_at(project, token, &yes(place), secret::now()).expect("an answer");
            }
            other => {
                assert_eq!(other, Next::Nothing);
                return count;
            }
        }
    }
    unreachable!()
}

#[test]
fn o_32_exactly_n_votes_an_item_when_all_press_next_at_once() {
    // In memory where there is a file system for that: a thousand times each flush of a disk.
    let folder =
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    // votes = 1 and 3 are allowed, 2 is not: two items with one vote each, and three with three.
    for (votes, items, racers, repetitions) in [(1, 2, 3, 500), (3, 2, 9, 500)] {
        let template = folder.path().join(format!("template-{votes}.db"));
        let settings = Settings { votes, ..Settings::default() };
        let (made, tokens) = project(&template, &settings, items, racers);
        made.backup(&folder.path().join(format!("{votes}.db"))).expect("a backup");
        for repetition in 0..repetitions {
            let path = folder.path().join("study.db");
            for end in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(folder.path().join(format!("study.db{end}")));
            }
            std::fs::copy(folder.path().join(format!("{votes}.db")), &path).expect("a copy");
            // Each of its own connection, as other processes would have.
            let own: Vec<Project> =
                (0..2).map(|_| Project::open(&path).expect("the project")).collect();
            let barrier = Barrier::new(racers);
            std::thread::scope(|scope| {
                for (index, token) in tokens.iter().enumerate() {
                    let (own, barrier) = (&own[index % own.len()], &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        next_at(own, token, secret::now()).expect("waits, never fails");
                    });
                }
            });
            let most = i64::from(votes) * items as i64;
            let given = number(&own[0], "SELECT COUNT(*) FROM seat WHERE state = 'open'");
            assert_eq!(given, most.min(racers as i64), "repetition {repetition}");
            own[0].check().expect("right counts");
            if repetition % 50 == 0 {
                let answered: usize = tokens.iter().map(|token| answer_all(&own[1], token)).sum();
                assert_eq!(answered as i64, most);
                let uneven = "SELECT COUNT(*) FROM item WHERE kind = 'rate' AND taken <>
                    (SELECT COUNT(*) FROM seat WHERE item = item.id AND state = 'voted')";
                assert_eq!(number(&own[0], uneven), 0);
                assert_eq!(number(&own[0], "SELECT MIN(taken) FROM item"), i64::from(votes));
                for token in &tokens {
                    let left = next_at(&own[0], token, secret::now()).expect("a next thing");
                    assert_eq!(left, Next::Nothing);
                }
            }
        }
    }
}

#[test]
fn o_32_a_seat_whose_lease_is_over_goes_to_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { votes: 1, lease_minutes: 10, ..Settings::default() };
    let (project, tokens) = project(&folder.path().join("study.db"), &settings, 1, 3);
    let minutes = |count: i64| 1_000_000 + count * 60_000;
    let Next::Place(first) = next_at(&project, &tokens[0], minutes(0)).expect("a seat") else {
        panic!("the first rater gets the seat")
    };
    assert_eq!(next_at(&project, &tokens[1], minutes(9)).expect("ok"), Next::Nothing);
    assert_eq!(next_at(&project, &tokens[1], minutes(11)).expect("ok"), Next::Place(1));
    give_at(&project, &tokens[1], &yes(1), minutes(12)).expect("an answer");
    // Too late: kept, not counted.
    let late = give_at(&project, &tokens[0], &yes(first), minutes(13)).expect("kept");
    assert_eq!(late, Taken::Late);
    project.check().expect("one vote");
    assert_eq!(number(&project, "SELECT COUNT(*) FROM seat WHERE state = 'voted'"), 1);
    assert_eq!(next_at(&project, &tokens[2], minutes(14)).expect("ok"), Next::Nothing);
}

#[test]
fn the_same_answer_twice_is_one_and_another_window_conflicts() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { votes: 3, ..Settings::default() };
    let (project, tokens) = project(&folder.path().join("study.db"), &settings, 2, 2);
    let now = secret::now();
    assert_eq!(next_at(&project, &tokens[0], now).expect("ok"), Next::Place(1));
    assert_eq!(next_at(&project, &tokens[0], now).expect("ok"), Next::Place(1), "a second window");
    let given = yes(1);
    assert_eq!(give_at(&project, &tokens[0], &given, now).expect("ok"), Taken::Kept);
    assert_eq!(give_at(&project, &tokens[0], &given, now).expect("a repeat"), Taken::Kept);
    let other = Given { sensible: Some(false), specific: None, ..yes(1) };
    assert!(matches!(give_at(&project, &tokens[0], &other, now), Err(Error::Conflict)));
    assert_eq!(number(&project, "SELECT SUM(revision) FROM seat"), 1);
    // Back, and another answer: the first is kept among the replaced.
    let changed = Given { revision: 1, ..other };
    assert_eq!(give_at(&project, &tokens[0], &changed, now).expect("ok"), Taken::Kept);
    assert_eq!(number(&project, "SELECT sensible FROM replaced"), 1);
    assert_eq!(number(&project, "SELECT sensible FROM seat"), 0);
    // A skip gives the seat back; what another rater has cannot be named.
    let skip = Given {
        place: 1,
        revision: 2,
        nonce: "n".into(),
        skip: Some("?".into()),
        ..Given::default()
    };
    give_at(&project, &tokens[0], &skip, now).expect("skipped");
    project.check().expect("right counts");
    assert_eq!(number(&project, "SELECT SUM(taken) FROM item"), 0);
    assert!(matches!(give_at(&project, &tokens[1], &yes(1), now), Err(Error::Unknown(_))));
}

#[test]
fn answers_must_fit_the_questions() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { votes: 3, ..Settings::default() };
    let (project, tokens) = project(&folder.path().join("study.db"), &settings, 1, 1);
    next_at(&project, &tokens[0], 1).expect("a seat");
    let base = Given { place: 1, nonce: "n".into(), ..Given::default() };
    for wrong in [
        base.clone(),
        Given { sensible: Some(true), ..base.clone() },
        Given { sensible: Some(false), specific: Some(false), ..base.clone() },
        Given { sensible: Some(false), skip: Some(String::new()), ..base.clone() },
        Given { choice: Some("left".into()), ..base.clone() },
        Given { sensible: Some(false), choice: Some("left".into()), ..base.clone() },
        Given { sensible: Some(false), human_like: Some(true), ..base.clone() },
        Given { nonce: String::new(), sensible: Some(false), ..base.clone() },
        Given { sensible: Some(false), comment: Some("x".repeat(2001)), ..base.clone() },
    ] {
        let result = give_at(&project, &tokens[0], &wrong, 2);
        assert!(matches!(result, Err(Error::Invalid(_))), "{wrong:?}: {result:?}");
    }
    assert_eq!(number(&project, "SELECT SUM(revision) FROM seat"), 0);
}

#[test]
fn sides_of_pairs_are_drawn_and_choices_kept_by_system() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { votes: 99, ..Settings::default() };
    let (project, tokens) = project(&folder.path().join("study.db"), &settings, 0, 40);
    let pair = Pair {
        id: "p".into(),
        conversation: "c".into(),
        systems: ["one".into(), "two".into()],
        responses: ["first".into(), "second".into()],
        ..Pair::default()
    };
    project.add_pairs(&[pair]).expect("a pair");
    for token in &tokens {
        assert_eq!(next_at(&project, token, 1).expect("ok"), Next::Place(1));
        let left =
            Given { place: 1, nonce: "n".into(), choice: Some("left".into()), ..Given::default() };
        give_at(&project, token, &left, 2).expect("an answer");
    }
    let flipped = number(&project, "SELECT SUM(flipped) FROM seat");
    assert!((8..=32).contains(&flipped), "{flipped} of 40");
    assert_eq!(number(&project, "SELECT COUNT(*) FROM seat WHERE choice = 'second'"), flipped);
}

#[test]
fn deleting_a_rater_keeps_what_is_said() {
    for (deletion, votes_left) in [(Deletion::KeepVotes, 1), (Deletion::WithVotes, 0)] {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings { votes: 1, ..Settings::default() };
        let path = folder.path().join("study.db");
        let (project, tokens) = project(&path, &settings, 2, 1);
        next_at(&project, &tokens[0], 1).expect("a seat");
        let given = Given { comment: Some("Xanthippe says so".into()), ..yes(1) };
        give_at(&project, &tokens[0], &given, 2).expect("an answer");
        next_at(&project, &tokens[0], 3).expect("a seat that stays open");
        let key = project.raters().expect("raters")[0].key.clone();
        project.delete_rater(&key, deletion).expect("deleted");
        assert_eq!(number(&project, "SELECT SUM(taken) FROM item"), votes_left);
        project.check().expect("right counts");
        assert!(matches!(next_at(&project, &tokens[0], 4), Err(Error::Unknown(_))));
        drop(project);
        for entry in std::fs::read_dir(folder.path()).expect("a folder") {
            let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("Xanthippe") && !text.contains("rater 0"));
        }
    }
}

#[test]
fn o_33_a_lock_held_by_another_program_makes_the_answer_wait() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("study.db");
    let (project, tokens) = project(&path, &Settings::default(), 1, 1);
    let mut other = Connection::open(&path).expect("the database");
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let begun = Instant::now();
            next_at(&project, &tokens[0], 1).expect("it waits");
            begun.elapsed()
        });
        std::thread::sleep(Duration::from_secs(1));
        lock.commit().expect("released");
        assert!(waiting.join().expect("no panic") >= Duration::from_millis(900));
    });
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock");
    let begun = Instant::now();
    assert!(matches!(give_at(&project, &tokens[0], &yes(1), 2), Err(Error::Busy)));
    assert!(begun.elapsed() >= Duration::from_secs(4));
    drop(lock);
    assert_eq!(give_at(&project, &tokens[0], &yes(1), 3).expect("free again"), Taken::Kept);
}

#[test]
fn o_34_a_backup_has_every_row_while_the_project_is_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("study.db");
    let (project, _) = project(&path, &Settings::default(), 0, 0);
    project.store().truncate_log().expect("a checkpoint");
    for index in 0..100 {
        project.add_items(&[item(&format!("i{index}"))]).expect("an item");
    }
    let rows = |path: &Path| {
        let copy = Connection::open(path).expect("a database");
        copy.query_row("SELECT COUNT(*) FROM item", [], |row| row.get::<_, i64>(0))
            .expect("a count")
    };
    let plain = folder.path().join("plain.db");
    std::fs::copy(&path, &plain).expect("a copy");
    assert_eq!(rows(&plain), 0, "a copy of the file lacks them, which is why there is a backup");
    let backup = folder.path().join("backup.db");
    project.backup(&backup).expect("a backup");
    assert_eq!(rows(&backup), 100);
    assert!(matches!(project.backup(&backup), Err(Error::Exists(_))));
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.contains("part"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    let opened = Project::open(&backup).expect("a project");
    opened.check().expect("sound");
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (project, tokens) = project(&folder.path().join("study.db"), &Settings::default(), 1, 1);
    next_at(&project, &tokens[0], 1).expect("a seat");
    project.limit_growth(0).expect("no more pages");
    let long: Vec<Item> =
        (0..50).map(|n| Item { response: "x".repeat(5000), ..item(&format!("l{n}")) }).collect();
    assert!(matches!(project.add_items(&long), Err(Error::Full)));
    assert_eq!(number(&project, "SELECT COUNT(*) FROM item"), 1);
    project.limit_growth(10_000).expect("room again");
    assert_eq!(give_at(&project, &tokens[0], &yes(1), 2).expect("saved"), Taken::Kept);
    project.add_items(&long).expect("room again");
}

#[test]
fn files_that_are_no_projects_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.txt");
    assert!(matches!(Project::open(&path), Err(Error::Missing(_))));
    std::fs::write(&path, "some notes, longer than a header").expect("a file");
    assert!(matches!(Project::open(&path), Err(Error::NotAProject { .. })));
    assert!(matches!(Project::create(&path, &Settings::default(), None), Err(Error::Exists(_))));
    let other = folder.path().join("other.db");
    Connection::open(&other).and_then(|db| db.execute_batch("CREATE TABLE x (y)")).expect("a file");
    assert!(matches!(Project::open(&other), Err(Error::NotAProject { .. })));
    let bad = folder.path().join("bad.db");
    assert!(Project::create(&bad, &Settings::default(), Some("version = 1")).is_err());
    assert!(!bad.exists());
    let newer = folder.path().join("newer.db");
    let (made, _) = project(&newer, &Settings::default(), 0, 0);
    drop(made);
    Connection::open(&newer)
        .and_then(|db| db.execute_batch("PRAGMA user_version = 99"))
        .expect("a change");
    assert!(matches!(Project::open(&newer), Err(Error::TooNew { version: 99, .. })));
}
