//! Conversations of raters with blind systems. When one is finished, the system's turns become
//! items, which others rate.

pub(crate) mod endpoint;
mod http;
pub(crate) mod patience;

use crate::error::{Error, Result};
use crate::items;
use crate::raters::Rater;
use crate::secret::keyed;
use crate::settings::Settings;
use eval_ssa::{Item, Mode, Turn};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use web_server::secret::random_name;

/// How each conversation begins.
pub(crate) const OPENING: &str = "Hi!";

/// The longest message, in characters.
pub(crate) const LONGEST: usize = 1000;

/// The names under which the two sides appear to raters.
const SPEAKERS: [&str; 2] = ["A", "B"];

/// How a chat partner is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Endpoint {
    /// The control of the published study: "I don't know" to questions, "ok" to statements.
    GenericBot,
    /// Any chatbot that is reached over HTTP: it is sent `{"turns": ["Hi!", ...]}`, oldest first,
    /// the last of them somebody else's, and answers with `{"reply": "..."}` or with plain text.
    Http {
        /// The address that is posted to.
        url: String,
    },
    /// A server that speaks the chat completions of OpenAI's interface.
    OpenAi {
        /// The address up to `/v1`; `/chat/completions` may stand behind it, and a query.
        url: String,
        /// The model's name there.
        model: String,
        /// The environment variable that holds the key, if one is needed. The key itself is never
        /// stored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_variable: Option<String>,
    },
}

impl Endpoint {
    /// The address that is asked, for messages: without what may be secret in it, such as a name
    /// and password before the host, and a key behind `?`.
    ///
    /// ```
    /// use rating_server::Endpoint;
    /// let url = "https://me:secret@bot.example:8000/say?key=abc#d".to_owned();
    /// let shown = Endpoint::Http { url }.address();
    /// assert_eq!(shown.as_deref(), Some("https://bot.example:8000/say"));
    /// assert_eq!(Endpoint::GenericBot.address(), None);
    /// ```
    pub fn address(&self) -> Option<String> {
        let (Self::Http { url } | Self::OpenAi { url, .. }) = self else { return None };
        let plain = url.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = match plain.split_once("://") {
            Some((scheme, rest)) => (format!("{scheme}://"), rest),
            None => (String::new(), plain),
        };
        let (host, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let host = host.rsplit('@').next().unwrap_or(host);
        Some(format!("{scheme}{host}{path}"))
    }
}

/// What a chatbot answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// What people are shown.
    pub text: String,
    /// Whether it was cut off at the greatest length that the chatbot's server allows.
    pub is_cut: bool,
    /// Whether a filter of the chatbot's server ended it.
    pub is_filtered: bool,
    /// Whether the chatbot's thoughts stood before it, which nobody is shown.
    pub had_thoughts: bool,
}

/// Something that answers.
pub trait Chat: Send + Sync {
    /// The answer to the turns so far, the rater's first and last.
    ///
    /// # Errors
    /// [`Error::Chat`], [`Error::ChatBusy`], [`Error::ChatLost`] or [`Error::ChatEmpty`] when there
    /// is no answer.
    fn reply(&self, turns: &[String]) -> Result<Reply>;
}

/// A conversation as its rater sees it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    /// The turns so far; the rater's first.
    pub(crate) turns: Vec<String>,
    /// Both sides counted.
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// What the rater has to say first.
    pub(crate) opening: &'static str,
    pub(crate) done: i64,
    pub(crate) of: i64,
}

/// A conversation that is going on.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) id: i64,
    pub(crate) system: i64,
    pub(crate) turns: Vec<String>,
}

/// Lets raters talk to a system.
pub(crate) fn offer(
    db: &Connection,
    seed: u64,
    name: &str,
    endpoint: &Endpoint,
    chats: u32,
) -> Result<()> {
    let id = items::system(db, seed, name)?;
    let endpoint =
        serde_json::to_string(endpoint).map_err(|error| Error::Invalid(error.to_string()))?;
    db.execute("UPDATE system SET endpoint = ?1, chats = ?2 WHERE id = ?3", (endpoint, chats, id))?;
    Ok(())
}

/// The endpoint of a system.
pub(crate) fn endpoint(db: &Connection, system: i64) -> Result<Endpoint> {
    let text: Option<String> =
        db.query_row("SELECT endpoint FROM system WHERE id = ?1", [system], |row| row.get(0))?;
    let text = text.ok_or(Error::Unknown("chat partner"))?;
    serde_json::from_str(&text).map_err(|error| Error::Invalid(format!("chat partner: {error}")))
}

fn done(db: &Connection, rater: &Rater) -> Result<i64> {
    Ok(db
        .prepare_cached("SELECT COUNT(*) FROM chat WHERE rater = ?1 AND state = 'done'")?
        .query_row([rater.id], |row| row.get(0))?)
}

/// Whether the rater has a conversation to hold: one that is open, or a system that lacks some.
pub(crate) fn wanted(db: &Connection, rater: &Rater, now: i64) -> Result<bool> {
    // Whoever went away in the middle is replaced; what was said stays for the record.
    db.prepare_cached(
        "UPDATE chat SET state = 'dropped' WHERE state = 'open' AND lease_until < ?1",
    )?
    .execute([now])?;
    if open(db, rater)?.is_some() {
        return Ok(true);
    }
    Ok(done(db, rater)? < rater.chats && lacking(db, rater)?.is_some())
}

/// The system that lacks the most conversations; among equals, another one for each rater.
fn lacking(db: &Connection, rater: &Rater) -> Result<Option<i64>> {
    let mut statement = db.prepare_cached(
        "SELECT id, chats - (SELECT COUNT(*) FROM chat
                             WHERE chat.system = system.id AND chat.state IN ('open', 'done'))
         FROM system WHERE endpoint IS NOT NULL",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let missing: Vec<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    let draw = |id: i64| keyed(0, &[b"partner", rater.key.as_bytes(), &id.to_le_bytes()]);
    Ok(missing
        .into_iter()
        .filter(|(_, missing)| *missing > 0)
        .max_by_key(|(id, missing)| (*missing, draw(*id)))
        .map(|(id, _)| id))
}

/// The conversation that the rater is in.
pub(crate) fn open(db: &Connection, rater: &Rater) -> Result<Option<Open>> {
    let row: Option<(i64, i64)> = db
        .prepare_cached("SELECT id, system FROM chat WHERE rater = ?1 AND state = 'open' LIMIT 1")?
        .query_row([rater.id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, system)) = row else { return Ok(None) };
    Ok(Some(Open { id, system, turns: turns(db, id)? }))
}

/// What was said in a conversation.
fn turns(db: &Connection, chat: i64) -> Result<Vec<String>> {
    let mut statement =
        db.prepare_cached("SELECT text FROM chat_turn WHERE chat = ?1 ORDER BY turn")?;
    Ok(statement.query_map([chat], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The rater's conversation; begins one if there is none.
pub(crate) fn shown(
    db: &Connection,
    settings: &Settings,
    rater: &Rater,
    now: i64,
) -> Result<Shown> {
    let turns = match open(db, rater)? {
        Some(open) => open.turns,
        None => {
            let system = lacking(db, rater)?.ok_or(Error::Unknown("chat partner"))?;
            db.execute(
                "INSERT INTO chat (key, rater, system, state, begun_at, lease_until)
                 VALUES (?1, ?2, ?3, 'open', ?4, ?5)",
                (
                    format!("chat-{}", random_name(8)),
                    rater.id,
                    system,
                    now,
                    now.saturating_add(settings.lease_ms()),
                ),
            )?;
            vec![]
        }
    };
    Ok(Shown {
        turns,
        min: settings.chat_turns_min,
        max: settings.chat_turns_max,
        opening: OPENING,
        done: done(db, rater)?,
        of: rater.chats,
    })
}

/// Keeps what the rater says as turn `turn`. Said again, it is known.
///
/// # Errors
/// [`Error::Conflict`] when the conversation has gone on in another window.
pub(crate) fn say(
    db: &Connection,
    settings: &Settings,
    rater: &Rater,
    turn: usize,
    text: &str,
    now: i64,
) -> Result<Open> {
    let mut chat = open(db, rater)?.ok_or(Error::Conflict)?;
    let text = if turn == 0 { OPENING } else { text.trim() };
    if text.is_empty() || text.chars().count() > LONGEST {
        return Err(Error::Invalid(format!("a message has 1 to {LONGEST} characters")));
    }
    if !rater.active || !turn.is_multiple_of(2) || turn >= settings.chat_turns_max as usize {
        return Err(Error::Conflict);
    }
    match chat.turns.get(turn) {
        Some(said) if said == text => return Ok(chat),
        None if chat.turns.len() == turn => {}
        _ => return Err(Error::Conflict),
    }
    add(db, settings, &chat, false, text, now)?;
    chat.turns.push(text.to_owned());
    Ok(chat)
}

/// Keeps what the system answers to turn `turn`. An answer that came a second time is dropped. The
/// last turn ends the conversation.
pub(crate) fn reply(
    db: &Connection,
    settings: &Settings,
    rater: &Rater,
    chat: i64,
    turn: usize,
    text: &str,
    now: i64,
) -> Result<()> {
    let Some(chat) = open(db, rater)?.filter(|open| open.id == chat) else { return Ok(()) };
    if chat.turns.len() == turn + 1 {
        let text: String = text.trim().chars().take(4 * LONGEST).collect();
        add(db, settings, &chat, true, &text, now)?;
        if chat.turns.len() + 1 >= settings.chat_turns_max as usize {
            finish(db, settings, rater, chat.id, now)?;
        }
    }
    Ok(())
}

fn add(
    db: &Connection,
    settings: &Settings,
    chat: &Open,
    by_system: bool,
    text: &str,
    now: i64,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO chat_turn (chat, turn, by_system, text, at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((chat.id, chat.turns.len() as i64, by_system, text, now))?;
    db.prepare_cached("UPDATE chat SET lease_until = ?1 WHERE id = ?2")?
        .execute([now.saturating_add(settings.lease_ms()), chat.id])?;
    Ok(())
}

/// Ends the rater's conversation, if it is long enough.
pub(crate) fn end(db: &Connection, settings: &Settings, rater: &Rater, now: i64) -> Result<()> {
    let Some(chat) = open(db, rater)? else { return Ok(()) };
    if chat.turns.len() < settings.chat_turns_min as usize || !chat.turns.len().is_multiple_of(2) {
        return Err(Error::Invalid(format!(
            "a conversation has at least {} turns",
            settings.chat_turns_min
        )));
    }
    finish(db, settings, rater, chat.id, now)
}

/// Makes items of the system's turns.
fn finish(db: &Connection, settings: &Settings, rater: &Rater, chat: i64, now: i64) -> Result<()> {
    db.execute("UPDATE chat SET state = 'done', ended_at = ?1 WHERE id = ?2", [now, chat])?;
    let (key, system): (String, String) = db.query_row(
        "SELECT chat.key, system.name FROM chat JOIN system ON system.id = chat.system
         WHERE chat.id = ?1",
        [chat],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let turns: Vec<Turn> = turns(db, chat)?
        .into_iter()
        .enumerate()
        .map(|(index, text)| Turn::new(SPEAKERS[index % 2], text))
        .collect();
    for place in (1..turns.len()).step_by(2) {
        let item = Item {
            id: format!("{key}-{place}"),
            mode: Mode::Interactive,
            system: system.clone(),
            conversation: key.clone(),
            turn: u32::try_from(place).unwrap_or(u32::MAX),
            context: turns[..place].to_vec(),
            response: turns[place].text.clone(),
            ..Item::default()
        };
        let mut new = items::Row::item(&item)?;
        new.author = Some(rater.id);
        items::insert(db, settings.seed, &new)?;
    }
    items::recount(db)
}
