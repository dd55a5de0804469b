//! Ratings that were given elsewhere, and what automatic judges say: records of files and models,
//! not of this study's pages.

use crate::answers;
use crate::audit::{self, TOOL};
use crate::error::{Error, Result};
use crate::items::Imported;
use crate::seats;
use crate::secret::keyed_name;
use crate::settings::Settings;
use eval_ssa::{Answer, Judgment, Label, Rating};
use rusqlite::{Connection, OptionalExtension};

/// What a rater answered, as the table has it.
type Cells = (Option<bool>, Option<bool>, Option<bool>, Option<String>, Option<String>);

/// Adds ratings that were given in another tool, by raters who get no link. Those beyond the votes
/// that an item gets are kept as too late and not counted. With `newest_counts`, an answer that was
/// given later takes the place of another one of the same rater, and one that was given earlier is
/// left out.
///
/// # Errors
/// [`Error::Invalid`] names an item that is not there, or an answer that is there otherwise and
/// stays.
pub(crate) fn ratings(
    db: &Connection,
    settings: &Settings,
    ratings: &[Rating],
    newest_counts: bool,
    now: i64,
) -> Result<Imported> {
    let mut done = Imported::default();
    for rating in ratings {
        let (item, kind) = item(db, &rating.item, &rating.rater)?;
        let rater = rater(db, settings.seed, &rating.rater, now)?;
        let (sensible, specific, skip) = match &rating.answer {
            Answer::NotSensible => (Some(false), None, None),
            Answer::Sensible { specific } => (Some(true), *specific, None),
            Answer::Skipped { reason } => (None, None, Some(reason.clone())),
        };
        let cells: Cells = (sensible, specific, rating.human_like, skip, rating.comment.clone());
        let guideline: Option<i64> = db
            .prepare_cached("SELECT id FROM guideline WHERE version = ?1")?
            .query_row([&rating.guideline], |row| row.get(0))
            .optional()?;
        let there = there(db, rater, item)?;
        if let Some(there) = &there {
            let times = there.answered_at.zip(rating.answered_at).filter(|_| newest_counts);
            match times {
                _ if there.cells == cells => {
                    done.known += 1;
                    continue;
                }
                Some((before, new)) if before > new => {
                    done.known += 1;
                    continue;
                }
                Some((before, new)) if before < new => {
                    if answers::is_decided(db, item)? {
                        return Err(Error::Invalid(format!(
                            "{:?} answers {:?} otherwise than before, and that item has been \
                             decided: take the decision back first; if it is somebody else of \
                             that name, as a user of another server is, name the raters of each \
                             file differently by --rater",
                            rating.rater, rating.item
                        )));
                    }
                    answers::keep_before(db, rater, there.place)?;
                }
                _ => {
                    let Rating { item, rater, .. } = rating;
                    return Err(Error::Invalid(format!(
                        "{rater:?} has answered {item:?} already, and otherwise: name the raters of \
                         each file differently by --rater (with Label Studio, a name for the \
                         server)"
                    )));
                }
            }
        }
        let holds = there.as_ref().is_some_and(|there| there.state == "voted");
        let state = match (&cells.3, kind.as_str()) {
            (Some(_), "rate") if holds => {
                seats::release(db, item)?;
                "skipped"
            }
            (Some(_), _) => "skipped",
            (None, "rate") if !holds && !seats::try_take(db, settings, item)? => "late",
            (None, _) => "voted",
        };
        done.late += usize::from(state == "late");
        let (statement, count) = if there.is_some() {
            let update =
                "UPDATE seat SET state = ?3, given_at = ?4, answered_at = ?5, sensible = ?6,
               specific = ?7, human_like = ?8, skip = ?9, comment = ?10, duration_ms = ?11,
               guideline = ?12, revision = revision + 1 WHERE rater = ?1 AND item = ?2";
            (update, &mut done.replaced)
        } else {
            db.prepare_cached(
                "UPDATE rater SET places = places + 1, answered = answered + 1 WHERE id = ?1",
            )?
            .execute([rater])?;
            let insert = "INSERT INTO seat (rater, place, item, state, given_at, answered_at,
               sensible, specific, human_like, skip, comment, duration_ms, guideline)
             VALUES (?1, (SELECT places FROM rater WHERE id = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
               ?10, ?11, ?12)";
            (insert, &mut done.added)
        };
        db.prepare_cached(statement)?.execute((
            rater,
            item,
            state,
            rating.shown_at.unwrap_or(0),
            rating.answered_at,
            cells.0,
            cells.1,
            cells.2,
            cells.3,
            cells.4,
            rating.answered_at.zip(rating.shown_at).map(|(answered, shown)| answered - shown),
            guideline,
        ))?;
        *count += 1;
    }
    if !ratings.is_empty() {
        audit::log(db, now, TOOL, "ratings added", &done.added.to_string())?;
    }
    if done.replaced > 0 {
        audit::log(db, now, TOOL, "ratings replaced", &done.replaced.to_string())?;
    }
    Ok(done)
}

/// A rater's answer that is there already.
struct There {
    cells: Cells,
    answered_at: Option<i64>,
    place: i64,
    state: String,
}

fn there(db: &Connection, rater: i64, item: i64) -> Result<Option<There>> {
    Ok(db
        .prepare_cached(
            "SELECT sensible, specific, human_like, skip, comment, answered_at, place, state
             FROM seat WHERE rater = ?1 AND item = ?2",
        )?
        .query_row([rater, item], |row| {
            Ok(There {
                cells: (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?),
                answered_at: row.get(5)?,
                place: row.get(6)?,
                state: row.get(7)?,
            })
        })
        .optional()?)
}

/// The number and the kind of an item that is rated, by the researcher's id.
fn item(db: &Connection, id: &str, by: &str) -> Result<(i64, String)> {
    db.prepare_cached("SELECT id, kind FROM item WHERE source = ?1 AND kind IN ('rate', 'gold')")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(|| {
            Error::Invalid(format!(
                "{by:?} says something of the item {id:?}, which is not in the project: import the \
                 responses first, with the same ids"
            ))
        })
}

/// A rater of another tool, by the name there. Paused: there is nothing to open a link for.
fn rater(db: &Connection, seed: u64, name: &str, now: i64) -> Result<i64> {
    let key = format!("i-{}", keyed_name(seed, &[b"imported rater", name.as_bytes()], 8));
    db.prepare_cached(
        "INSERT INTO rater (key, label, made_at, state) VALUES (?1, ?2, ?3, 'paused')
         ON CONFLICT (key) DO NOTHING",
    )?
    .execute((&key, format!("imported: {name}"), now))?;
    Ok(db
        .prepare_cached("SELECT id FROM rater WHERE key = ?1")?
        .query_row([&key], |row| row.get(0))?)
}

/// Keeps judgements, and says how many are new; a later one of the same judge on the same item
/// replaces the earlier.
///
/// # Errors
/// [`Error::Invalid`] names an item that is not there.
pub(crate) fn judgments(db: &Connection, judgments: &[Judgment], now: i64) -> Result<usize> {
    let mut new = 0;
    for Judgment { item: id, judge, label, output } in judgments {
        let (item, _) = item(db, id, judge)?;
        new += db
            .prepare_cached(
                "INSERT INTO judgment (item, judge, label, output) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (judge, item) DO UPDATE
                 SET label = excluded.label, output = excluded.output
                 WHERE label IS NOT excluded.label OR output IS NOT excluded.output",
            )?
            .execute((item, judge, label.map(name), output))?;
    }
    if let Some(first) = judgments.first() {
        audit::log(db, now, TOOL, "judgements added", &format!("{new} of {}", first.judge))?;
    }
    Ok(new)
}

/// All judgements, by a column that names their items and in the order of another.
pub(crate) fn all_judgments(db: &Connection, id: &str, order: &str) -> Result<Vec<Judgment>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT item.{id}, judge, label, output FROM judgment JOIN item ON item.id = judgment.item
         ORDER BY judge, item.{order}"
    ))?;
    let rows = statement.query_map([], |row| {
        let label: Option<String> = row.get(2)?;
        Ok(Judgment {
            item: row.get(0)?,
            judge: row.get(1)?,
            label: label.as_deref().and_then(labelled),
            output: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn name(label: Label) -> &'static str {
    match label {
        Label::NotSensible => "not-sensible",
        Label::Sensible => "sensible",
        Label::Specific => "specific",
    }
}

fn labelled(name: &str) -> Option<Label> {
    [Label::NotSensible, Label::Sensible, Label::Specific]
        .into_iter()
        .find(|l| self::name(*l) == name)
}

#[cfg(test)]
mod tests {
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
        let again =
            crate::Records { judgments: judgments_of(&project), ..crate::Records::default() };
        let done = project.add_records(&again).expect("the same");
        assert_eq!((done.added, done.known), (0, 1));
        let study = project.study(Names::Own).expect("a study");
        assert_eq!(study.judgments, [says(Some(Label::Sensible))]);
        assert!(study.ratings.is_empty());
        let blind = project.study(Names::Blind).expect("a study");
        assert_eq!(blind.judgments[0].item, blind.items[0].id);
        blind.check().expect("what is blind still fits together");
    }
}
