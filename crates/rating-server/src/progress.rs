//! How far a study is.

use crate::error::Result;
use crate::project::Project;
use crate::secret;
use rusqlite::Connection;
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

impl Project {
    /// How far the study is.
    ///
    /// # Errors
    /// Those of the database.
    pub fn status(&self) -> Result<Status> {
        let votes = i64::from(self.settings().votes);
        self.store().read(|db| status(db, votes, secret::now()))
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
