//! Ratings and choices that were given elsewhere, and what automatic judges say: records of files
//! and models, not of this study's pages.

use crate::answers;
use crate::audit::{self, TOOL};
use crate::error::{Error, Result};
use crate::items::Imported;
use crate::seats;
use crate::secret::keyed_name;
use crate::settings::Settings;
use eval_ssa::{Answer, Choice, Judgment, Label, Preference, Rating};
use rusqlite::{Connection, OptionalExtension};
use web_server::secret::LETTERS;

/// What a rater answered, as the table has it.
#[derive(Default, PartialEq)]
struct Cells {
    sensible: Option<bool>,
    specific: Option<bool>,
    human_like: Option<bool>,
    choice: Option<String>,
    skip: Option<String>,
    comment: Option<String>,
}

/// An answer that was given elsewhere: a rating, or a choice between the two of a pair.
struct Given<'a> {
    item: &'a str,
    rater: &'a str,
    cells: Cells,
    flipped: bool,
    guideline: &'a str,
    shown_at: Option<i64>,
    answered_at: Option<i64>,
}

/// Adds ratings that were given elsewhere. Those of raters whom the project knows by the same name,
/// as its own export has it, are theirs; other raters get no link. Those beyond the votes that an
/// item gets are kept as too late and not counted, those of deleted raters are left out. An answer
/// that was given later takes the place of another one of the same rater, and one that was given
/// earlier is left out, where the project's own raters answer, or with `newest_counts`.
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
        let (sensible, specific, skip) = match &rating.answer {
            Answer::NotSensible => (Some(false), None, None),
            Answer::Sensible { specific } => (Some(true), *specific, None),
            Answer::Skipped { reason } => (None, None, Some(reason.clone())),
        };
        let Rating { human_like, comment, .. } = rating.clone();
        let given = Given {
            item: &rating.item,
            rater: &rating.rater,
            cells: Cells { sensible, specific, human_like, choice: None, skip, comment },
            flipped: false,
            guideline: &rating.guideline,
            shown_at: rating.shown_at,
            answered_at: rating.answered_at,
        };
        add(db, settings, given, false, newest_counts, now, &mut done)?;
    }
    if !ratings.is_empty() {
        audit::log(db, now, TOOL, "ratings added", &done.added.to_string())?;
    }
    if done.replaced > 0 {
        audit::log(db, now, TOOL, "ratings replaced", &done.replaced.to_string())?;
    }
    Ok(done)
}

/// Adds choices between the responses of pairs, as [`ratings`] does without `newest_counts`.
///
/// # Errors
/// [`Error::Invalid`] names a pair that is not there, or a choice that is there otherwise.
pub(crate) fn preferences(
    db: &Connection,
    settings: &Settings,
    preferences: &[Preference],
    now: i64,
) -> Result<Imported> {
    let mut done = Imported::default();
    for preference in preferences {
        let choice = match preference.choice {
            Choice::First => "first",
            Choice::Second => "second",
            Choice::Tie => "tie",
            Choice::BothBad => "both-bad",
        };
        let (choice, comment) = (Some(choice.to_owned()), preference.comment.clone());
        let given = Given {
            item: &preference.pair,
            rater: &preference.rater,
            cells: Cells { choice, comment, ..Cells::default() },
            flipped: preference.swapped,
            guideline: &preference.guideline,
            shown_at: preference.shown_at,
            answered_at: preference.answered_at,
        };
        add(db, settings, given, true, false, now, &mut done)?;
    }
    if !preferences.is_empty() {
        audit::log(db, now, TOOL, "choices added", &done.added.to_string())?;
    }
    if done.replaced > 0 {
        audit::log(db, now, TOOL, "choices replaced", &done.replaced.to_string())?;
    }
    Ok(done)
}

/// Adds one answer, to a pair or to a response, and counts what became of it.
fn add(
    db: &Connection,
    settings: &Settings,
    given: Given<'_>,
    of_pair: bool,
    newest_counts: bool,
    now: i64,
    done: &mut Imported,
) -> Result<()> {
    let rater = rater(db, settings.seed, given.rater, now)?;
    if rater.is_deleted {
        done.deleted += 1;
        return Ok(());
    }
    let (item, kind) = match of_pair {
        true => (pair(db, given.item, given.rater)?, "pair".to_owned()),
        false => self::item(db, given.item, given.rater)?,
    };
    let there = there(db, rater.id, item)?;
    let answered = there.as_ref().filter(|there| there.is_answered());
    if let Some(there) = answered {
        let dated = newest_counts || rater.is_own;
        let times = there.answered_at.zip(given.answered_at).filter(|_| dated);
        match times {
            _ if there.cells == given.cells => {
                done.known += 1;
                return Ok(());
            }
            Some((before, new)) if before > new => {
                done.known += 1;
                return Ok(());
            }
            Some((before, new)) if before < new => {
                if answers::is_decided(db, item)? {
                    return Err(decided(&given, rater.is_own));
                }
                answers::keep_before(db, rater.id, there.place)?;
            }
            _ => return Err(otherwise(&given, rater.is_own)),
        }
    }
    let guideline: Option<i64> = db
        .prepare_cached("SELECT id FROM guideline WHERE version = ?1")?
        .query_row([given.guideline], |row| row.get(0))
        .optional()?;
    let is_work = matches!(kind.as_str(), "rate" | "pair");
    let holds = there.as_ref().is_some_and(|there| matches!(&*there.state, "voted" | "open"));
    let state = match (&given.cells.skip, is_work) {
        (Some(_), true) if holds => {
            seats::release(db, item)?;
            "skipped"
        }
        (Some(_), _) => "skipped",
        (None, true) if !holds && !seats::try_take(db, settings, item)? => "late",
        (None, _) => "voted",
    };
    done.late += usize::from(state == "late");
    let statement = match &there {
        Some(_) => {
            "UPDATE seat SET state = ?3, given_at = ?4, answered_at = ?5, sensible = ?6,
               specific = ?7, human_like = ?8, choice = ?9, skip = ?10, comment = ?11,
               duration_ms = ?12, guideline = ?13, flipped = ?14, lease_until = NULL,
               revision = revision + 1 WHERE rater = ?1 AND item = ?2"
        }
        None => {
            "INSERT INTO seat (rater, place, item, state, given_at, answered_at, sensible, specific,
               human_like, choice, skip, comment, duration_ms, guideline, flipped)
             VALUES (?1, (SELECT places + 1 FROM rater WHERE id = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8,
               ?9, ?10, ?11, ?12, ?13, ?14)"
        }
    };
    db.prepare_cached(statement)?.execute(rusqlite::params![
        rater.id,
        item,
        state,
        given.shown_at.unwrap_or(0),
        given.answered_at,
        given.cells.sensible,
        given.cells.specific,
        given.cells.human_like,
        given.cells.choice,
        given.cells.skip,
        given.cells.comment,
        given.answered_at.zip(given.shown_at).map(|(answered, shown)| answered - shown),
        guideline,
        given.flipped,
    ])?;
    if answered.is_some() {
        done.replaced += 1;
    } else {
        db.prepare_cached(
            "UPDATE rater SET places = places + ?2, answered = answered + 1 WHERE id = ?1",
        )?
        .execute((rater.id, there.is_none()))?;
        done.added += 1;
    }
    Ok(())
}

/// Why a newer answer does not replace the one before.
fn decided(given: &Given<'_>, is_own: bool) -> Error {
    let Given { item, rater, .. } = given;
    let or = match is_own {
        true => "",
        false => {
            "; if it is somebody else of that name, as a user of another server is, name the \
             raters of each file differently by --rater"
        }
    };
    Error::Invalid(format!(
        "{rater:?} answers {item:?} otherwise than before, and that item has been decided: take \
         the decision back first{or}"
    ))
}

/// Why an answer is not added beside the one before.
fn otherwise(given: &Given<'_>, is_own: bool) -> Error {
    let Given { item, rater, .. } = given;
    let way_out = match is_own {
        true => {
            "it is a rater of this study, whose newer answer counts, but the two answers do not \
             say by `answered_at` which that is: leave the line out"
        }
        false => {
            "name the raters of each file differently by --rater (with Label Studio, a name for \
             the server)"
        }
    };
    Error::Invalid(format!("{rater:?} has answered {item:?} already, and otherwise: {way_out}"))
}

/// A rater's place in front of an item, with the answer if there is one already.
struct There {
    cells: Cells,
    answered_at: Option<i64>,
    place: i64,
    state: String,
}

impl There {
    fn is_answered(&self) -> bool {
        matches!(&*self.state, "voted" | "skipped" | "late")
    }
}

fn there(db: &Connection, rater: i64, item: i64) -> Result<Option<There>> {
    Ok(db
        .prepare_cached(
            "SELECT sensible, specific, human_like, choice, skip, comment, answered_at, place, state
             FROM seat WHERE rater = ?1 AND item = ?2",
        )?
        .query_row([rater, item], |row| {
            let cells = Cells {
                sensible: row.get(0)?,
                specific: row.get(1)?,
                human_like: row.get(2)?,
                choice: row.get(3)?,
                skip: row.get(4)?,
                comment: row.get(5)?,
            };
            Ok(There { cells, answered_at: row.get(6)?, place: row.get(7)?, state: row.get(8)? })
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
                "{by:?} says something of the item {id:?}, which is not in the study: import the \
                 responses first, with the same ids"
            ))
        })
}

/// The number of a pair, by the researcher's id.
fn pair(db: &Connection, id: &str, by: &str) -> Result<i64> {
    db.prepare_cached("SELECT id FROM item WHERE source = ?1 AND kind = 'pair'")?
        .query_row([id], |row| row.get(0))
        .optional()?
        .ok_or_else(|| {
            Error::Invalid(format!(
                "{by:?} chooses between the two of the pair {id:?}, which is not in the study: \
                 import pairs.jsonl first, with the same ids"
            ))
        })
}

/// Whose answers a file has.
struct Rater {
    id: i64,
    /// Deleted by the researcher: nothing that a file says of them comes in again.
    is_deleted: bool,
    /// Whether the file names the rater as this project does.
    is_own: bool,
}

/// The rater of that name: one of this project by the name in its data, or one of another tool by
/// the name there. A new one is paused: there is nothing to open a link for. Names that say nothing
/// of anybody, as another study has them in its data, stay as they are, so that its raters are the
/// same people here and there.
fn rater(db: &Connection, seed: u64, name: &str, now: i64) -> Result<Rater> {
    let hidden = format!("i-{}", keyed_name(seed, &[b"imported rater", name.as_bytes()], 8));
    let find = || {
        db.prepare_cached(
            "SELECT id, state = 'deleted', key = ?1 FROM rater WHERE key IN (?1, ?2)
             ORDER BY key = ?1 DESC LIMIT 1",
        )?
        .query_row([name, &hidden], |row| {
            Ok(Rater { id: row.get(0)?, is_deleted: row.get(1)?, is_own: row.get(2)? })
        })
        .optional()
    };
    if let Some(known) = find()? {
        return Ok(known);
    }
    let key = if is_key(name) { name } else { &hidden };
    db.prepare_cached(
        "INSERT INTO rater (key, label, made_at, state) VALUES (?1, ?2, ?3, 'paused')",
    )?
    .execute((key, format!("imported: {name}"), now))?;
    find()?.ok_or(Error::Unknown("rater"))
}

/// Whether a name has the form of those that studies give their raters in the data.
fn is_key(name: &str) -> bool {
    let drawn = name.strip_prefix("r-").or_else(|| name.strip_prefix("i-"));
    drawn.is_some_and(|drawn| drawn.len() == 8 && drawn.bytes().all(|byte| LETTERS.contains(&byte)))
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
mod tests;
