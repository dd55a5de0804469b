//! Items without a majority, and what the researcher decides on them.

use crate::answers;
use crate::audit::{self, TOOL};
use crate::error::{Error, Result};
use crate::stored;
use eval_ssa::{Adjudication, Ballot, Label, Required, Tally, Turn};
use rusqlite::{Connection, OptionalExtension, Row};

/// Who decides where no name is given.
pub(crate) const RESEARCHER: &str = "researcher";

/// The longest name of whoever decides, in characters.
const LONGEST_NAME: usize = 100;

/// An item with votes or skips and without a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// Our name for it.
    pub key: String,
    /// The turns before the response.
    pub context: Vec<Turn>,
    /// The response.
    pub response: String,
    /// The votes.
    pub votes: Ballot,
    /// What raters remark.
    pub comments: Vec<String>,
}

/// Which items are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that more votes may not settle: somebody skipped them, or they have all their votes.
    Settled,
    /// All that have votes or skips and no label.
    All,
}

/// Keeps decisions that name items by the researcher's ids, and says how many are new.
pub(crate) fn add(db: &Connection, decisions: &[Adjudication], now: i64) -> Result<usize> {
    let mut new = 0;
    for decision in decisions {
        let key: Option<String> = db
            .prepare_cached("SELECT key FROM item WHERE source = ?1 AND kind = 'rate'")?
            .query_row([&decision.item], |row| row.get(0))
            .optional()?;
        let key = key.ok_or_else(|| {
            Error::Invalid(format!(
                "there is a decision on the item {:?}, which is not in the study",
                decision.item
            ))
        })?;
        let own = Adjudication { item: key, ..decision.clone() };
        new += usize::from(keep(db, &own, TOOL, now)?);
    }
    Ok(new)
}

/// The votes on an item that count.
fn ballot(row: &Row<'_>, from: usize) -> rusqlite::Result<Ballot> {
    Ok(Ballot {
        sensible: Tally { yes: row.get(from)?, no: row.get(from + 1)? },
        specific: Tally { yes: row.get(from + 2)?, no: row.get(from + 3)? },
        skipped: row.get(from + 4)?,
        ..Ballot::default()
    })
}

/// The columns that [`ballot`] reads. Who finds no sense says no to the second question.
const BALLOT: &str = "COUNT(*) FILTER (WHERE state = 'voted' AND sensible = 1),
   COUNT(*) FILTER (WHERE state = 'voted' AND sensible = 0),
   COUNT(*) FILTER (WHERE state = 'voted' AND sensible = 1 AND specific = 1),
   COUNT(*) FILTER (WHERE state = 'voted' AND (sensible = 0 OR specific = 0)),
   COUNT(*) FILTER (WHERE state = 'skipped')";

/// Items with votes or skips that have no label yet, with those decided already taken out.
pub(crate) fn undecided(
    db: &Connection,
    votes: u32,
    which: Which,
    most: usize,
) -> Result<Vec<Undecided>> {
    let required = Required::new(votes).map_err(Error::Invalid)?;
    let mut statement = db.prepare_cached(&format!(
        "SELECT item.id, item.key, record, COUNT(*) FILTER (WHERE state = 'open'), {BALLOT}
         FROM item JOIN seat ON seat.item = item.id
         WHERE kind = 'rate' AND NOT EXISTS (SELECT 1 FROM adjudicated WHERE item = item.id)
         GROUP BY item.id ORDER BY item.id"
    ))?;
    let mut rows = statement.query([])?;
    let mut list = Vec::new();
    while let (true, Some(row)) = (list.len() < most, rows.next()?) {
        let (open, ballot): (u32, Ballot) = (row.get(3)?, ballot(row, 4)?);
        let cast = ballot.sensible.votes();
        let settled = ballot.skipped > 0 || (cast >= votes && open == 0);
        let listed = if which == Which::All { cast + ballot.skipped > 0 } else { settled };
        if !listed || ballot.label(required).is_some() {
            continue;
        }
        let id: i64 = row.get(0)?;
        let item = stored::item(&row.get::<_, String>(2)?)?;
        let mut comments =
            db.prepare_cached("SELECT comment FROM seat WHERE item = ?1 AND comment NOT NULL")?;
        list.push(Undecided {
            key: row.get(1)?,
            context: item.context,
            response: item.response,
            votes: ballot,
            comments: comments
                .query_map([id], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?,
        });
    }
    Ok(list)
}

/// Keeps the researcher's decision on an item, which is named by our key.
///
/// # Errors
/// [`Error::Invalid`] where the votes decide, or a text is too long; [`Error::Unknown`].
pub(crate) fn adjudicate(
    db: &Connection,
    votes: u32,
    decision: &Adjudication,
    who: &str,
    now: i64,
) -> Result<()> {
    let key = &decision.item;
    let found: Option<Ballot> = db
        .prepare_cached(&format!(
            "SELECT {BALLOT} FROM item JOIN seat ON seat.item = item.id WHERE item.key = ?1
             GROUP BY item.id"
        ))?
        .query_row([key], |row| ballot(row, 0))
        .optional()?;
    let required = Required::new(votes).map_err(Error::Invalid)?;
    if found.is_some_and(|ballot| ballot.label(required).is_some()) {
        return Err(Error::Invalid(format!("the votes on item {key} decide it already")));
    }
    keep(db, decision, who, now).map(|_| ())
}

/// Keeps a decision; whether it is new.
fn keep(db: &Connection, decision: &Adjudication, who: &str, now: i64) -> Result<bool> {
    let Adjudication { item: key, by, sensible, specific, note, made_at } = decision;
    if *specific && !sensible {
        return Err(Error::invalid("a response that makes no sense is not specific"));
    }
    if note.chars().count() > answers::LONGEST_COMMENT || by.chars().count() > LONGEST_NAME {
        return Err(Error::Invalid(format!(
            "a note has at most {} characters, a name {LONGEST_NAME}",
            answers::LONGEST_COMMENT
        )));
    }
    let id: i64 = db
        .prepare_cached("SELECT id FROM item WHERE key = ?1 AND kind = 'rate'")?
        .query_row([key], |row| row.get(0))
        .optional()?
        .ok_or(Error::Unknown("item"))?;
    let by = Some(by.trim()).filter(|by| !by.is_empty()).unwrap_or(RESEARCHER);
    let changed = db.execute(
        "INSERT INTO adjudicated (item, sensible, specific, note, made_at, decided_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (item) DO UPDATE SET sensible = excluded.sensible,
           specific = excluded.specific, note = excluded.note, made_at = excluded.made_at,
           decided_by = excluded.decided_by
         WHERE sensible IS NOT excluded.sensible OR specific IS NOT excluded.specific
           OR note IS NOT excluded.note OR decided_by IS NOT excluded.decided_by
           OR (?7 AND made_at IS NOT excluded.made_at)",
        (id, sensible, specific, note.trim(), made_at.unwrap_or(now), by, made_at.is_some()),
    )?;
    if changed == 1 {
        let decided = format!("{key}: sensible {sensible}, specific {specific}, by {by}");
        audit::log(db, now, who, "adjudicated", &decided)?;
    }
    Ok(changed == 1)
}

/// Takes a decision back; raters may change their answers again.
///
/// # Errors
/// [`Error::Unknown`].
pub(crate) fn withdraw(db: &Connection, key: &str, who: &str, now: i64) -> Result<()> {
    let gone = db.execute(
        "DELETE FROM adjudicated WHERE item = (SELECT id FROM item WHERE key = ?1)",
        [key],
    )?;
    if gone == 0 {
        return Err(Error::Unknown("decision"));
    }
    audit::log(db, now, who, "decision withdrawn", key)
}

/// All decisions, by the given column of their items.
pub(crate) fn all(db: &Connection, id: &str) -> Result<Vec<Adjudication>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT item.{id}, decided_by, sensible, specific, note, made_at
         FROM adjudicated JOIN item ON item.id = adjudicated.item ORDER BY made_at, item.key"
    ))?;
    let row = |row: &Row<'_>| {
        Ok(Adjudication {
            item: row.get(0)?,
            by: row.get(1)?,
            sensible: row.get(2)?,
            specific: row.get(3)?,
            note: row.get(4)?,
            made_at: row.get(5)?,
        })
    };
    Ok(statement.query_map([], row)?.collect::<rusqlite::Result<_>>()?)
}

/// What a label is called in tables.
pub(crate) fn name(label: Label) -> &'static str {
    match label {
        Label::NotSensible => "makes no sense",
        Label::Sensible => "makes sense, not specific",
        Label::Specific => "makes sense and is specific",
    }
}
