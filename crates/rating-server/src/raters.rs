//! Raters: their links, what they are asked to do, and how they go.

use crate::audit;
use crate::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension, Row};

/// The most conversations that one rater is asked for.
pub const MOST_CHATS: u32 = 1000;

/// What a new rater is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRater {
    /// The researcher's own note; never shown to raters, gone when the rater is deleted.
    pub label: String,
    /// Whether the rater rates items.
    pub rates: bool,
    /// How many conversations the rater holds first.
    pub chats: u32,
}

impl NewRater {
    /// A rater of items.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), rates: true, chats: 0 }
    }
}

/// What a rater is let in with. It is shown once: only its hash is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The rater's name in the data, which says nothing about the person.
    pub rater: String,
    /// The secret of the link, `/r/<token>`.
    pub token: String,
}

/// A rater, as the researcher sees one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaterInfo {
    /// The name in the data.
    pub key: String,
    /// The researcher's note.
    pub label: String,
    /// `active`, `paused` or `deleted`.
    pub state: String,
    /// Whether the rater rates items.
    pub rates: bool,
    /// Conversations asked for.
    pub chats: u32,
    /// Conversations held.
    pub chats_done: u32,
    /// Votes that count.
    pub votes: u32,
    /// Items skipped.
    pub skipped: u32,
    /// Practice items answered.
    pub practice: u32,
    /// When the last answer came, in milliseconds since 1970.
    pub last: Option<i64>,
    /// What is kept of the rater on items of any kind: votes, skips, late answers, those to gold
    /// and practice items, and what is in front of the rater now.
    pub seats: u32,
}

/// What becomes of a rater's answers when the rater is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The votes and held conversations stay under the name in the data; the link, the label,
    /// comments, reasons, times and replaced answers go.
    KeepVotes,
    /// The votes go as well, and the items are given to others. Conversations that the rater held
    /// go too, with the items made of them and everybody's answers to those.
    WithVotes,
}

/// What decisions about a rater need.
#[derive(Clone, Debug)]
pub(crate) struct Rater {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) active: bool,
    pub(crate) rates: bool,
    pub(crate) chats: i64,
    pub(crate) guideline: i64,
    pub(crate) places: i64,
    pub(crate) since_gold: i64,
    pub(crate) answered: i64,
}

const COLUMNS: &str =
    "id, key, state = 'active', rates, chats, guideline, places, since_gold, answered";

fn rater(row: &Row<'_>) -> rusqlite::Result<Rater> {
    Ok(Rater {
        id: row.get(0)?,
        key: row.get(1)?,
        active: row.get(2)?,
        rates: row.get(3)?,
        chats: row.get(4)?,
        guideline: row.get(5)?,
        places: row.get(6)?,
        since_gold: row.get(7)?,
        answered: row.get(8)?,
    })
}

/// The rater whose link this is.
pub(crate) fn by_token(db: &Connection, token: &str) -> Result<Rater> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM rater WHERE token = ?1"))?
        .query_row([web_server::secret::hash(token)], rater)
        .optional()?
        .ok_or(Error::Unknown("link"))
}

/// A rater by the name in the data.
pub(crate) fn by_key(db: &Connection, key: &str) -> Result<Rater> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM rater WHERE key = ?1"))?
        .query_row([key], rater)
        .optional()?
        .ok_or(Error::Unknown("rater"))
}

/// Adds a rater.
pub(crate) fn add(db: &Connection, new: &NewRater, who: &str, now: i64) -> Result<Invitation> {
    if new.label.trim().is_empty() {
        return Err(Error::invalid(
            "a rater's label tells you who it is: write one that is not empty",
        ));
    }
    if new.label.chars().count() > 200 {
        return Err(Error::invalid("a rater's label has at most 200 characters"));
    }
    if !new.rates && new.chats == 0 {
        return Err(Error::invalid("a rater has to rate items, hold conversations, or both"));
    }
    if new.chats > MOST_CHATS {
        return Err(Error::Invalid(format!(
            "{} conversations: a rater holds {MOST_CHATS} at most",
            new.chats
        )));
    }
    let invitation = Invitation {
        rater: format!("r-{}", web_server::secret::random_name(8)),
        token: web_server::secret::token(),
    };
    db.execute(
        "INSERT INTO rater (key, token, label, made_at, rates, chats)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (
            &invitation.rater,
            web_server::secret::hash(&invitation.token),
            new.label.trim(),
            now,
            new.rates,
            new.chats,
        ),
    )?;
    audit::log(db, now, who, "rater added", &invitation.rater)?;
    Ok(invitation)
}

/// Gives a rater a new link; the old one ends.
pub(crate) fn renew(db: &Connection, key: &str, who: &str, now: i64) -> Result<Invitation> {
    let token = web_server::secret::token();
    let changed = db.execute(
        "UPDATE rater SET token = ?1 WHERE key = ?2 AND state <> 'deleted'",
        (web_server::secret::hash(&token), key),
    )?;
    if changed == 0 {
        return Err(Error::Unknown("rater"));
    }
    audit::log(db, now, who, "link renewed", key)?;
    Ok(Invitation { rater: key.to_owned(), token })
}

/// Lets a rater pause, or go on.
pub(crate) fn pause(db: &Connection, key: &str, pause: bool, who: &str, now: i64) -> Result<()> {
    let state = if pause { "paused" } else { "active" };
    let changed = db.execute(
        "UPDATE rater SET state = ?1 WHERE key = ?2 AND state <> 'deleted'",
        (state, key),
    )?;
    if changed == 0 {
        return Err(Error::Unknown("rater"));
    }
    audit::log(db, now, who, &format!("rater {state}"), key)
}

/// Deletes a rater. What is deleted is overwritten in the file.
pub(crate) fn delete(
    db: &Connection,
    key: &str,
    deletion: Deletion,
    who: &str,
    now: i64,
) -> Result<()> {
    let rater = by_key(db, key)?;
    let id = [rater.id];
    // Open seats go to others; so do all with the votes.
    let going = match deletion {
        Deletion::KeepVotes => "state = 'open'",
        Deletion::WithVotes => "state IN ('open', 'voted')",
    };
    db.execute(
        &format!(
            "UPDATE item SET taken = taken - 1 WHERE kind IN ('rate', 'pair')
             AND id IN (SELECT item FROM seat WHERE rater = ?1 AND {going})"
        ),
        id,
    )?;
    db.execute("DELETE FROM replaced WHERE rater = ?1", id)?;
    match deletion {
        Deletion::KeepVotes => {
            db.execute("DELETE FROM seat WHERE rater = ?1 AND state IN ('open', 'returned')", id)?;
            db.execute(
                "UPDATE seat SET comment = NULL, duration_ms = NULL, given_at = 0,
                   answered_at = NULL, nonce = NULL,
                   skip = CASE WHEN skip IS NULL THEN NULL ELSE '' END
                 WHERE rater = ?1",
                id,
            )?;
            let unfinished = "SELECT id FROM chat WHERE rater = ?1 AND state <> 'done'";
            db.execute(&format!("DELETE FROM chat_turn WHERE chat IN ({unfinished})"), id)?;
            db.execute("DELETE FROM chat WHERE rater = ?1 AND state <> 'done'", id)?;
            db.execute("UPDATE chat SET begun_at = 0, ended_at = NULL WHERE rater = ?1", id)?;
            db.execute(
                "UPDATE chat_turn SET at = 0 WHERE chat IN (SELECT id FROM chat WHERE rater = ?1)",
                id,
            )?;
        }
        Deletion::WithVotes => {
            db.execute("DELETE FROM seat WHERE rater = ?1", id)?;
            let made = "SELECT id FROM item WHERE author = ?1";
            db.execute(
                &format!(
                    "DELETE FROM replaced WHERE (rater, place) IN
                       (SELECT rater, place FROM seat WHERE item IN ({made}))"
                ),
                id,
            )?;
            db.execute(&format!("DELETE FROM seat WHERE item IN ({made})"), id)?;
            db.execute(&format!("DELETE FROM adjudicated WHERE item IN ({made})"), id)?;
            db.execute(&format!("DELETE FROM judgment WHERE item IN ({made})"), id)?;
            db.execute("DELETE FROM item WHERE author = ?1", id)?;
            db.execute(
                "DELETE FROM chat_turn WHERE chat IN (SELECT id FROM chat WHERE rater = ?1)",
                id,
            )?;
            db.execute("DELETE FROM chat WHERE rater = ?1", id)?;
            crate::items::recount(db)?;
        }
    }
    db.execute(
        "UPDATE rater SET state = 'deleted', token = NULL, label = '', made_at = 0 WHERE id = ?1",
        id,
    )?;
    let kept = match deletion {
        Deletion::KeepVotes => "votes stay",
        Deletion::WithVotes => "votes deleted too",
    };
    audit::log(db, now, who, "rater deleted", &format!("{key}, {kept}"))
}

/// All raters, in the order in which they were added.
pub(crate) fn list(db: &Connection) -> Result<Vec<RaterInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT rater.key, rater.label, rater.state, rater.rates, rater.chats,
           (SELECT COUNT(*) FROM chat WHERE chat.rater = rater.id AND chat.state = 'done'),
           COUNT(*) FILTER (WHERE seat.state = 'voted' AND item.kind IN ('rate', 'pair')),
           COUNT(*) FILTER (WHERE seat.state = 'skipped'),
           COUNT(*) FILTER (WHERE seat.state = 'voted' AND item.kind = 'practice'),
           MAX(seat.answered_at),
           COUNT(seat.rater)
         FROM rater LEFT JOIN seat ON seat.rater = rater.id LEFT JOIN item ON item.id = seat.item
         GROUP BY rater.id ORDER BY rater.id",
    )?;
    let info = |row: &Row<'_>| {
        Ok(RaterInfo {
            key: row.get(0)?,
            label: row.get(1)?,
            state: row.get(2)?,
            rates: row.get(3)?,
            chats: row.get(4)?,
            chats_done: row.get(5)?,
            votes: row.get(6)?,
            skipped: row.get(7)?,
            practice: row.get(8)?,
            last: row.get(9)?,
            seats: row.get(10)?,
        })
    };
    Ok(statement.query_map([], info)?.collect::<rusqlite::Result<_>>()?)
}
