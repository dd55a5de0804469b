//! The text that raters read first, with its versions and practice items.

use crate::error::{Error, Result};
use crate::items;
use eval_ssa::{Guideline, Questions};
use rusqlite::{Connection, OptionalExtension};

/// The guideline in force, with its number in the database; 0 if there is none.
pub(crate) fn current(db: &Connection) -> Result<Option<(i64, Guideline)>> {
    let row: Option<(i64, String)> = db
        .prepare_cached("SELECT id, text FROM guideline ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(id, text)| Ok((id, parse(&text)?))).transpose()
}

/// The number of the guideline in force.
pub(crate) fn current_id(db: &Connection) -> Result<i64> {
    Ok(db
        .prepare_cached("SELECT COALESCE(MAX(id), 0) FROM guideline")?
        .query_row([], |row| row.get(0))?)
}

/// The questions of the guideline in force.
pub(crate) fn questions(db: &Connection) -> Result<Questions> {
    let text: String = db
        .prepare_cached("SELECT questions FROM guideline ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| row.get(0))?;
    serde_json::from_str(&text).map_err(|error| Error::Invalid(format!("questions: {error}")))
}

/// Puts a guideline in force. Raters read it before they go on, and do its practice items.
pub(crate) fn set(db: &Connection, text: &str, seed: u64, now: i64) -> Result<String> {
    let guideline = parse(text)?;
    let taken: bool = db.query_row(
        "SELECT EXISTS (SELECT 1 FROM guideline WHERE version = ?1)",
        [&guideline.version],
        |row| row.get(0),
    )?;
    if taken {
        return Err(Error::Invalid(format!(
            "there is a guideline of version {:?} already: answers refer to it, so a changed text \
             needs another `version`",
            guideline.version
        )));
    }
    let questions = serde_json::to_string(&guideline.questions)
        .map_err(|error| Error::Invalid(error.to_string()))?;
    db.execute(
        "INSERT INTO guideline (version, text, questions, made_at) VALUES (?1, ?2, ?3, ?4)",
        (&guideline.version, text, questions, now),
    )?;
    let id = db.last_insert_rowid();
    for mut item in guideline.practice_items() {
        item.id = format!("{}/{}", guideline.version, item.id);
        item.conversation.clone_from(&item.id);
        items::insert(db, seed, &items::Row::practice(&item, id)?)?;
    }
    Ok(guideline.version)
}

fn parse(text: &str) -> Result<Guideline> {
    Guideline::from_toml(text).map_err(|error| Error::Invalid(format!("guideline: {error}")))
}
