//! Who did what and when: raters by their keys, the researcher as `admin`, the program as `tool`.

use crate::error::Result;
use rusqlite::Connection;

/// Who the log names when the program is used and not the page.
pub(crate) const TOOL: &str = "tool";

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub who: String,
    /// What, in one word or two.
    pub what: String,
    /// More of it.
    pub detail: String,
}

/// Adds an entry.
pub(crate) fn log(db: &Connection, now: i64, who: &str, what: &str, detail: &str) -> Result<()> {
    db.prepare_cached("INSERT INTO audit (at, who, what, detail) VALUES (?1, ?2, ?3, ?4)")?
        .execute((now, who, what, detail))?;
    Ok(())
}

/// The newest entries, newest first.
pub(crate) fn newest(db: &Connection, most: u32) -> Result<Vec<Entry>> {
    let mut statement =
        db.prepare_cached("SELECT at, who, what, detail FROM audit ORDER BY id DESC LIMIT ?1")?;
    let entry = |row: &rusqlite::Row<'_>| {
        Ok(Entry { at: row.get(0)?, who: row.get(1)?, what: row.get(2)?, detail: row.get(3)? })
    };
    Ok(statement.query_map([most], entry)?.collect::<rusqlite::Result<_>>()?)
}
