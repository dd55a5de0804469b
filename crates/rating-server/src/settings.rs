//! What a researcher chooses for a study.

use crate::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The most votes that an item gets.
pub const MOST_VOTES: u32 = 99;

/// The longest time for which an item is kept for a rater, in minutes: a week.
pub const LONGEST_LEASE: u32 = 7 * 24 * 60;

/// The choices of a study. Those that say how votes are counted cannot be changed later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The study's name, shown to raters.
    pub name: String,
    /// Votes an item; odd. 5 as published.
    pub votes: u32,
    /// What orders and blind names are drawn by.
    pub seed: u64,
    /// For how long an item is kept for a rater who does not answer, in minutes.
    pub lease_minutes: u32,
    /// A gold item is shown about once in so many items; 0 for never.
    pub gold_every: u32,
    /// The most items that one rater is given; without it, as many as there are.
    pub items_per_rater: Option<u32>,
    /// Whether the optional third question is asked: could a person have said this?
    pub ask_human_like: bool,
    /// The fewest turns of a conversation, both sides counted; 14 as published.
    pub chat_turns_min: u32,
    /// The most turns of a conversation; 28 as published.
    pub chat_turns_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "Rating study".to_owned(),
            votes: 5,
            seed: 0,
            lease_minutes: 20,
            gold_every: 10,
            items_per_rater: None,
            ask_human_like: false,
            chat_turns_min: 14,
            chat_turns_max: 28,
        }
    }
}

impl Settings {
    /// The lease in milliseconds.
    pub(crate) fn lease_ms(&self) -> i64 {
        i64::from(self.lease_minutes) * 60_000
    }

    /// Names what cannot be.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check(&self) -> Result<()> {
        if self.votes.is_multiple_of(2) || self.votes > MOST_VOTES {
            return Err(Error::Invalid(format!(
                "votes = {}: an odd number from 1 to {MOST_VOTES} is needed, so that a majority \
                 decides",
                self.votes
            )));
        }
        if self.name.trim().is_empty() {
            return Err(Error::invalid("the study needs a name"));
        }
        if self.lease_minutes == 0 || self.lease_minutes > LONGEST_LEASE {
            return Err(Error::invalid("lease_minutes: from one minute to a week"));
        }
        let (min, max) = (self.chat_turns_min, self.chat_turns_max);
        if min < 2 || max < min || max > 200 || !min.is_multiple_of(2) || !max.is_multiple_of(2) {
            return Err(Error::Invalid(format!(
                "conversations of {min} to {max} turns: even numbers are needed, the smaller one \
                 first, from 2 to 200"
            )));
        }
        Ok(())
    }
}

/// A value by its name, or nothing.
pub(crate) fn get<T: DeserializeOwned>(db: &Connection, name: &str) -> Result<Option<T>> {
    let text: Option<String> = db
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    let read = |text: String| {
        serde_json::from_str(&text)
            .map_err(|error| Error::Invalid(format!("setting {name} of the study: {error}")))
    };
    text.map(read).transpose()
}

/// Keeps a value under a name.
pub(crate) fn put<T: Serialize>(db: &Connection, name: &str, value: &T) -> Result<()> {
    let text = serde_json::to_string(value).map_err(|error| Error::Invalid(error.to_string()))?;
    db.prepare_cached(
        "INSERT INTO setting (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute([name, &text])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_named() {
        Settings::default().check().expect("the defaults");
        for (settings, fault) in [
            (Settings { votes: 4, ..Settings::default() }, "odd"),
            (Settings { votes: 0, ..Settings::default() }, "odd"),
            (Settings { name: " ".into(), ..Settings::default() }, "name"),
            (Settings { lease_minutes: 0, ..Settings::default() }, "lease"),
            (Settings { chat_turns_min: 30, ..Settings::default() }, "30 to 28"),
        ] {
            let error = settings.check().expect_err(fault).to_string();
            assert!(error.contains(fault), "{error}");
        }
    }
}
