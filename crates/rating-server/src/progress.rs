//! How far a study is, and the items on which it needs a decision.

use crate::audit;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::{answers, secret};
use eval_ssa::Turn;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

/// Counts that say how far a study is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Items that get votes, pairs included.
    pub items: i64,
    /// Those that have all their votes.
    pub full: i64,
    /// Votes that count.
    pub votes: i64,
    /// Votes wanted in all.
    pub wanted: i64,
    /// Items that are in front of a rater now.
    pub open: i64,
    /// Answers skipped.
    pub skipped: i64,
    /// Answers that came after the lease, when others had taken the seats.
    pub late: i64,
    /// Raters who are not deleted.
    pub raters: i64,
    /// Raters who answered in the last five minutes.
    pub active: i64,
    /// Conversations finished.
    pub chats: i64,
    /// Conversations wanted.
    pub chats_wanted: i64,
}

/// An item that has all its votes and no majority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// Our name for it.
    pub key: String,
    /// The turns before the response.
    pub context: Vec<Turn>,
    /// The response.
    pub response: String,
    /// Yes and no to the first question.
    pub sensible: (i64, i64),
    /// Yes and no to the second; who finds no sense says no.
    pub specific: (i64, i64),
    /// Raters who skipped it.
    pub skipped: i64,
    /// What raters remark.
    pub comments: Vec<String>,
}

impl Project {
    /// How far the study is.
    ///
    /// # Errors
    /// Those of the database.
    pub fn status(&self) -> Result<Status> {
        let votes = i64::from(self.settings().votes);
        self.store().read(|db| status(db, votes, secret::now()))
    }

    /// Items that raters skipped or left, and that nobody is left to answer, with those decided
    /// already taken out.
    ///
    /// # Errors
    /// Those of the database.
    pub fn undecided(&self, most: u32) -> Result<Vec<Undecided>> {
        let votes = self.settings().votes;
        self.store().read(|db| undecided(db, votes, most))
    }
}

pub(crate) fn status(db: &Connection, votes: i64, now: i64) -> Result<Status> {
    let (items, full) = db
        .prepare_cached(
            "SELECT COUNT(*), COUNT(*) FILTER (WHERE taken >= ?1 AND NOT EXISTS (
               SELECT 1 FROM seat WHERE item = item.id AND state = 'open'))
             FROM item WHERE kind IN ('rate', 'pair')",
        )?
        .query_row([votes], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut status = Status { items, full, wanted: items * votes, ..Status::default() };
    let mut seats = db.prepare_cached(
        "SELECT seat.state, COUNT(*) FROM seat JOIN item ON item.id = seat.item
         WHERE kind IN ('rate', 'pair') GROUP BY seat.state",
    )?;
    let mut rows = seats.query([])?;
    while let Some(row) = rows.next()? {
        let count: i64 = row.get(1)?;
        match row.get::<_, String>(0)?.as_str() {
            "voted" => status.votes = count,
            "open" => status.open = count,
            "skipped" => status.skipped = count,
            "late" => status.late = count,
            _ => {}
        }
    }
    let one = |sql: &str| -> Result<i64> { Ok(db.query_row(sql, [], |row| row.get(0))?) };
    status.raters = one("SELECT COUNT(*) FROM rater WHERE state <> 'deleted'")?;
    status.chats = one("SELECT COUNT(*) FROM chat WHERE state = 'done'")?;
    status.chats_wanted =
        one("SELECT COALESCE(SUM(chats), 0) FROM system WHERE endpoint IS NOT NULL")?;
    status.active = db
        .prepare_cached("SELECT COUNT(DISTINCT rater) FROM seat WHERE answered_at > ?1")?
        .query_row([now - 300_000], |row| row.get(0))?;
    Ok(status)
}

fn undecided(db: &Connection, votes: u32, most: u32) -> Result<Vec<Undecided>> {
    let majority = votes / 2 + 1;
    let mut statement = db.prepare_cached(
        "SELECT * FROM (
           SELECT item.id, item.key, record,
             COUNT(*) FILTER (WHERE state = 'voted' AND sensible = 1) AS yes,
             COUNT(*) FILTER (WHERE state = 'voted' AND sensible = 0) AS no,
             COUNT(*) FILTER (WHERE state = 'voted' AND specific = 1) AS specific,
             COUNT(*) FILTER (WHERE state = 'skipped') AS skipped
           FROM item JOIN seat ON seat.item = item.id
           WHERE kind = 'rate' AND NOT EXISTS (SELECT 1 FROM adjudicated WHERE item = item.id)
           GROUP BY item.id)
         WHERE skipped > 0 AND yes < ?1 AND no < ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = statement.query([majority, most])?;
    let mut list = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let item = answers::item(&row.get::<_, String>(2)?)?;
        let (yes, no, specific): (i64, i64, i64) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let mut comments =
            db.prepare_cached("SELECT comment FROM seat WHERE item = ?1 AND comment NOT NULL")?;
        list.push(Undecided {
            key: row.get(1)?,
            context: item.context,
            response: item.response,
            sensible: (yes, no),
            specific: (specific, yes + no - specific),
            skipped: row.get(6)?,
            comments: comments
                .query_map([id], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?,
        });
    }
    Ok(list)
}

/// Keeps the researcher's decision on an item.
pub(crate) fn adjudicate(
    db: &Connection,
    key: &str,
    (sensible, specific): (bool, bool),
    note: &str,
    now: i64,
) -> Result<()> {
    if specific && !sensible {
        return Err(Error::invalid("a response that makes no sense is not specific"));
    }
    if note.chars().count() > answers::LONGEST_COMMENT {
        return Err(Error::invalid("the note is too long"));
    }
    let id: i64 = db
        .query_row("SELECT id FROM item WHERE key = ?1 AND kind = 'rate'", [key], |row| row.get(0))
        .optional()?
        .ok_or(Error::Unknown("item"))?;
    db.execute(
        "INSERT INTO adjudicated (item, sensible, specific, note, made_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (item) DO UPDATE SET sensible = excluded.sensible,
           specific = excluded.specific, note = excluded.note, made_at = excluded.made_at",
        (id, sensible, specific, note.trim(), now),
    )?;
    let decided = format!("{key}: sensible {sensible}, specific {specific}");
    audit::log(db, now, "admin", "adjudicated", &decided)
}
