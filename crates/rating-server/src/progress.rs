//! How far a study is.

use crate::error::Result;
use crate::project::Project;
use crate::secret;
use metrics::words::counted;
use rusqlite::Connection;
use serde::Serialize;

/// Counts that say how far a study is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Items that get votes, pairs included.
    pub items: i64,
    /// Those that have all their votes.
    pub full: i64,
    /// How many of `items` are pairs of responses side by side.
    pub pairs: i64,
    /// How many of `full` are.
    pub full_pairs: i64,
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

impl Status {
    /// How many items have all their votes, in words; pairs of responses are told apart.
    ///
    /// ```
    /// use rating_server::Status;
    /// let mut status = Status { items: 28, full: 25, ..Status::default() };
    /// assert_eq!(status.complete(), "25 of 28 items");
    /// (status.pairs, status.full_pairs) = (8, 6);
    /// assert_eq!(status.complete(), "19 of 20 items and 6 of 8 pairs");
    /// status = Status { items: 8, full: 6, pairs: 8, full_pairs: 6, ..status };
    /// assert_eq!(status.complete(), "6 of 8 pairs");
    /// status = Status { items: 1, full: 0, pairs: 1, full_pairs: 0, ..status };
    /// assert_eq!(status.complete(), "0 of 1 pair");
    /// ```
    pub fn complete(&self) -> String {
        let rated = self.items - self.pairs;
        let items = format!("{} of {}", self.full - self.full_pairs, counted(rated, "item"));
        let pairs = format!("{} of {}", self.full_pairs, counted(self.pairs, "pair"));
        match (rated, self.pairs) {
            (_, 0) => items,
            (0, _) => pairs,
            _ => format!("{items} and {pairs}"),
        }
    }

    /// How many items are in front of raters now, in words.
    ///
    /// ```
    /// use rating_server::Status;
    /// let status = Status { items: 8, pairs: 8, open: 1, ..Status::default() };
    /// assert_eq!(status.in_front(), "1 pair");
    /// assert_eq!(Status { items: 28, open: 2, ..status }.in_front(), "2 items or pairs");
    /// ```
    pub fn in_front(&self) -> String {
        match (self.items - self.pairs, self.pairs) {
            (_, 0) => counted(self.open, "item"),
            (0, _) => counted(self.open, "pair"),
            _ if self.open == 1 => "1 item or pair".to_owned(),
            _ => format!("{} items or pairs", self.open),
        }
    }
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
    let mut of_kind = db.prepare_cached(
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE taken >= ?1 AND NOT EXISTS (
           SELECT 1 FROM seat WHERE item = item.id AND state = 'open'))
         FROM item WHERE kind = ?2",
    )?;
    let mut count = |kind: &str| -> Result<[i64; 2]> {
        Ok(of_kind
            .query_row(rusqlite::params![votes, kind], |row| Ok([row.get(0)?, row.get(1)?]))?)
    };
    let ([rated, full_rated], [pairs, full_pairs]) = (count("rate")?, count("pair")?);
    let (items, full) = (rated + pairs, full_rated + full_pairs);
    let wanted = items * votes;
    let mut status = Status { items, full, pairs, full_pairs, wanted, ..Status::default() };
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
