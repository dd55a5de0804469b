//! Which version the tables have, and the way from one to the next.

use crate::error::{Error, Result};
use rusqlite::{Connection, TransactionBehavior};
use std::io::Read;
use std::path::Path;

/// From version `index` to `index + 1`.
const STEPS: &[&str] =
    &[include_str!("schema.sql"), include_str!("judgments.sql"), include_str!("decisions.sql")];

/// "rate": what SQLite keeps in the file's header for us.
const APPLICATION: i64 = 0x7261_7465;

/// How each SQLite file begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Refuses files that are no databases before SQLite could write to them.
pub(super) fn check_header(path: &Path) -> Result<()> {
    let mut head = [0; 16];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut head));
    match read {
        Ok(16) if head == *MAGIC => Ok(()),
        Ok(_) => Err(not_ours(path, "it is no SQLite database")),
        Err(source) => Err(not_ours(path, &source.to_string())),
    }
}

/// Brings the tables to the newest version.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |pragma: &str| -> Result<i64> {
        Ok(transaction.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?)
    };
    let (version, application) = (number("user_version")?, number("application_id")?);
    let tables: i64 =
        transaction.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION && (version != 0 || tables != 0) {
        return Err(not_ours(path, "it is the database of another program"));
    }
    if version > known {
        return Err(Error::TooNew { path: path.to_owned(), version, known });
    }
    for step in STEPS.iter().skip(usize::try_from(version).unwrap_or_default()) {
        transaction.execute_batch(step)?;
    }
    if version < known {
        transaction.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {known};"
        ))?;
    }
    transaction.commit()?;
    Ok(())
}

fn not_ours(path: &Path, why: &str) -> Error {
    Error::NotAProject { path: path.to_owned(), why: why.to_owned() }
}
