//! Answers: they come in, are taken back by a better one, and are never counted twice.

use crate::error::{Error, Result};
use crate::raters::Rater;
use crate::seats;
use crate::settings::Settings;
use crate::stored;
use eval_ssa::{Choice, Label};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

/// The longest comment, and the longest reason for skipping, in characters.
pub(crate) const LONGEST_COMMENT: usize = 2000;
const LONGEST_REASON: usize = 500;

/// The longest time that is believed to be spent on one item: a day, in milliseconds.
const LONGEST_DURATION: i64 = 86_400_000;

/// An answer as the page sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Given {
    /// The place in the rater's own order; other raters' places cannot be named.
    pub(crate) place: i64,
    /// How many answers were given at this place when the page showed it.
    pub(crate) revision: i64,
    /// Drawn by the page once for each answer, so that an answer sent again is known.
    pub(crate) nonce: String,
    pub(crate) sensible: Option<bool>,
    pub(crate) specific: Option<bool>,
    pub(crate) human_like: Option<bool>,
    /// The answer to a pair: `left`, `right`, `tie` or `both-bad`.
    pub(crate) choice: Option<String>,
    /// Why no answer is given.
    pub(crate) skip: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) duration_ms: Option<i64>,
}

/// What became of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is kept.
    Kept,
    /// It is kept and does not count: others took the item's seats after the lease had ended.
    Late,
    /// The right answer of a practice item, whether it was met, and why.
    Practice { right: bool, expected: Label, explanation: String },
}

/// A place of a rater, with what is shown there.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) item: i64,
    pub(crate) kind: String,
    pub(crate) record: String,
    pub(crate) state: String,
    pub(crate) flipped: bool,
    pub(crate) revision: i64,
    pub(crate) nonce: Option<String>,
    pub(crate) sensible: Option<bool>,
    pub(crate) specific: Option<bool>,
    pub(crate) human_like: Option<bool>,
    pub(crate) choice: Option<String>,
    pub(crate) skip: Option<String>,
    pub(crate) comment: Option<String>,
}

fn seat(row: &Row<'_>) -> rusqlite::Result<Seat> {
    Ok(Seat {
        item: row.get(0)?,
        kind: row.get(1)?,
        record: row.get(2)?,
        state: row.get(3)?,
        flipped: row.get(4)?,
        revision: row.get(5)?,
        nonce: row.get(6)?,
        sensible: row.get(7)?,
        specific: row.get(8)?,
        human_like: row.get(9)?,
        choice: row.get(10)?,
        skip: row.get(11)?,
        comment: row.get(12)?,
    })
}

/// A place of this rater.
///
/// # Errors
/// [`Error::Unknown`] when the rater has no such place.
pub(crate) fn at(db: &Connection, rater: &Rater, place: i64) -> Result<Seat> {
    db.prepare_cached(
        "SELECT item, kind, record, state, flipped, revision, nonce, sensible, specific,
           human_like, choice, skip, comment
         FROM seat JOIN item ON item.id = seat.item WHERE rater = ?1 AND place = ?2",
    )?
    .query_row([rater.id, place], seat)
    .optional()?
    .ok_or(Error::Unknown("item"))
}

/// The last place before this one where the rater answered something that can still be changed.
pub(crate) fn before(db: &Connection, rater: &Rater, place: i64) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached(
            "SELECT place FROM seat JOIN item ON item.id = seat.item
             WHERE rater = ?1 AND place < ?2 AND state IN ('voted', 'skipped', 'late')
               AND kind <> 'practice'
               AND NOT EXISTS (SELECT 1 FROM adjudicated WHERE adjudicated.item = seat.item)
             ORDER BY place DESC LIMIT 1",
        )?
        .query_row([rater.id, place], |row| row.get(0))
        .optional()?)
}

/// Keeps an answer.
///
/// # Errors
/// [`Error::Unknown`] when the place is not this rater's; [`Error::Conflict`] when it was answered
/// in another window since the page showed it; [`Error::Invalid`].
pub(crate) fn answer(
    db: &Connection,
    settings: &Settings,
    rater: &Rater,
    given: &Given,
    now: i64,
) -> Result<Taken> {
    let seat = at(db, rater, given.place)?;
    if given.nonce.is_empty() || given.nonce.len() > 64 {
        return Err(Error::invalid("the answer has no nonce of 1 to 64 bytes"));
    }
    if seat.nonce.as_deref() == Some(&given.nonce) {
        // The page did not hear that it was saved, and sends it again.
        return outcome(&seat, &seat.state);
    }
    if seat.revision != given.revision || !rater.active {
        return Err(Error::Conflict);
    }
    let choice = check(&seat, settings, given)?;
    if seat.revision > 0 {
        may_change(db, rater, given.place, &seat)?;
    }
    let state = count(db, settings, &seat, given.skip.is_none())?;
    save(db, rater, given, choice, state, now)?;
    if seat.revision == 0 && seat.kind != "practice" {
        let gold = seat.kind == "gold";
        db.prepare_cached(
            "UPDATE rater SET answered = answered + 1,
               since_gold = CASE WHEN ?1 THEN 0 ELSE since_gold + 1 END WHERE id = ?2",
        )?
        .execute((gold, rater.id))?;
    }
    let seat = Seat { sensible: given.sensible, specific: given.specific, ..seat };
    outcome(&seat, state)
}

/// Refuses what does not answer the questions asked at the seat.
fn check(seat: &Seat, settings: &Settings, given: &Given) -> Result<Option<&'static str>> {
    let long = |text: &Option<String>, most: usize| {
        text.as_ref().is_some_and(|text| text.chars().count() > most)
    };
    if long(&given.comment, LONGEST_COMMENT) || long(&given.skip, LONGEST_REASON) {
        return Err(Error::Invalid(format!(
            "a comment has at most {LONGEST_COMMENT} characters, a reason {LONGEST_REASON}"
        )));
    }
    let votes = (given.sensible, given.specific, given.human_like);
    if given.skip.is_some() {
        if seat.kind == "practice" {
            return Err(Error::invalid("practice items are not skipped"));
        }
        return match (votes, &given.choice) {
            ((None, None, None), None) => Ok(None),
            _ => Err(Error::invalid("an answer and a reason for giving none")),
        };
    }
    if seat.kind == "pair" {
        let side = match given.choice.as_deref() {
            Some("left") if seat.flipped => "second",
            Some("right") if !seat.flipped => "second",
            Some("left" | "right") => "first",
            Some("tie") => "tie",
            Some("both-bad") => "both-bad",
            _ => return Err(Error::invalid("choose left, right, tie or both-bad")),
        };
        return if votes == (None, None, None) {
            Ok(Some(side))
        } else {
            Err(Error::invalid("a pair is answered by a choice alone"))
        };
    }
    match (given.sensible, given.specific) {
        (Some(true), Some(_)) | (Some(false), None) if given.choice.is_none() => {}
        _ => {
            return Err(Error::invalid(
                "`sensible` is to be answered, and `specific` if and only if it is sensible",
            ));
        }
    }
    let asked = settings.ask_human_like && seat.kind != "practice";
    if given.human_like.is_some() && !asked {
        return Err(Error::invalid("the third question is not asked"));
    }
    if given.human_like.is_none() && asked {
        return Err(Error::invalid("the third question is not answered"));
    }
    Ok(None)
}

/// Refuses changes of what others have decided on, or what the rater has seen the answer of.
fn may_change(db: &Connection, rater: &Rater, place: i64, seat: &Seat) -> Result<()> {
    if seat.kind == "practice" {
        return Err(Error::Conflict);
    }
    if is_decided(db, seat.item)? {
        return Err(Error::invalid("this item has been decided; its answers stay as they are"));
    }
    keep_before(db, rater.id, place)
}

/// Whether the researcher has decided on an item.
pub(crate) fn is_decided(db: &Connection, item: i64) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM adjudicated WHERE item = ?1)")?
        .query_row([item], |row| row.get(0))?)
}

/// Keeps the answer at a rater's place for the record, before another one takes its place.
pub(crate) fn keep_before(db: &Connection, rater: i64, place: i64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO replaced (rater, place, revision, state, answered_at, sensible, specific,
           human_like, choice, skip, comment, duration_ms)
         SELECT rater, place, revision, state, answered_at, sensible, specific, human_like, choice,
           skip, comment, duration_ms FROM seat WHERE rater = ?1 AND place = ?2",
    )?
    .execute([rater, place])?;
    Ok(())
}

/// The seat's new state, with the item's count of seats brought up to it.
fn count(db: &Connection, settings: &Settings, seat: &Seat, votes: bool) -> Result<&'static str> {
    let is_work = matches!(seat.kind.as_str(), "rate" | "pair");
    let holds = matches!(seat.state.as_str(), "open" | "voted");
    match (votes, is_work) {
        (true, false) => Ok("voted"),
        (false, false) => Ok("skipped"),
        (true, true) if holds => Ok("voted"),
        (true, true) => {
            Ok(if seats::try_take(db, settings, seat.item)? { "voted" } else { "late" })
        }
        (false, true) => {
            if holds {
                seats::release(db, seat.item)?;
            }
            Ok("skipped")
        }
    }
}

fn save(
    db: &Connection,
    rater: &Rater,
    given: &Given,
    choice: Option<&'static str>,
    state: &str,
    now: i64,
) -> Result<()> {
    let text = |text: &Option<String>| {
        text.as_ref().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let changed = db
        .prepare_cached(
            "UPDATE seat SET state = ?1, lease_until = NULL, answered_at = ?2, sensible = ?3,
               specific = ?4, human_like = ?5, choice = ?6, skip = ?7, comment = ?8,
               duration_ms = ?9, nonce = ?10, revision = revision + 1, guideline = ?11
             WHERE rater = ?12 AND place = ?13",
        )?
        .execute(rusqlite::params![
            state,
            now,
            given.sensible,
            given.specific,
            given.human_like,
            choice,
            given.skip.as_ref().map(|reason| reason.trim()),
            text(&given.comment),
            given.duration_ms.map(|ms| ms.clamp(0, LONGEST_DURATION)),
            given.nonce,
            rater.guideline,
            rater.id,
            given.place,
        ])?;
    debug_assert_eq!(changed, 1, "the seat was read in this transaction");
    Ok(())
}

/// What the rater is told.
fn outcome(seat: &Seat, state: &str) -> Result<Taken> {
    if seat.kind != "practice" {
        return Ok(if state == "late" { Taken::Late } else { Taken::Kept });
    }
    let item = stored::item(&seat.record)?;
    let check = item.check.ok_or_else(|| Error::invalid("a practice item without an answer"))?;
    let label = match (seat.sensible, seat.specific) {
        (Some(true), Some(true)) => Label::Specific,
        (Some(true), _) => Label::Sensible,
        _ => Label::NotSensible,
    };
    Ok(Taken::Practice {
        right: label == check.expected,
        expected: check.expected,
        explanation: check.explanation.unwrap_or_default(),
    })
}

/// A choice as it is stored.
pub(crate) fn choice(text: &str) -> Option<Choice> {
    Some(match text {
        "first" => Choice::First,
        "second" => Choice::Second,
        "tie" => Choice::Tie,
        "both-bad" => Choice::BothBad,
        _ => return None,
    })
}
