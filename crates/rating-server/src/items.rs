//! What is rated: items and pairs come in, systems get blind names.

use crate::audit::{self, TOOL};
use crate::error::{Error, Result};
use crate::secret::{keyed, keyed_name};
use crate::settings;
use crate::stored;
use eval_ssa::{CheckKind, Item, Pair, System, Turn, lettered};
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::ops::AddAssign;

/// The longest text of a response or a turn, in characters.
const LONGEST: usize = 20_000;

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Items and records that were not there before, or not so.
    pub added: usize,
    /// Those that were there already, equal in every word.
    pub known: usize,
    /// Ratings that took the place of an older one of the same rater.
    pub replaced: usize,
    /// Ratings among the added and replaced ones that an item had no vote left for: kept, not
    /// counted.
    pub late: usize,
    /// Ratings and choices of raters who were deleted in this project: left out.
    pub deleted: usize,
    /// Responses among the added ones to turns that their system had answered already, in the same
    /// conversation: both count.
    pub again: usize,
    /// Conversations that got another number than in their file, where that was another's.
    pub renumbered: usize,
}

impl AddAssign for Imported {
    fn add_assign(&mut self, more: Self) {
        self.added += more.added;
        self.known += more.known;
        self.replaced += more.replaced;
        self.late += more.late;
        self.deleted += more.deleted;
        self.again += more.again;
        self.renumbered += more.renumbered;
    }
}

/// A row for the table of items.
pub(crate) struct Row {
    source: String,
    kind: &'static str,
    systems: Vec<String>,
    record: String,
    pub(crate) author: Option<i64>,
    guideline: Option<i64>,
}

impl Row {
    /// An item as the researcher's file gives it.
    pub(crate) fn item(item: &Item) -> Result<Self> {
        let kind = match item.check.as_ref().map(|check| check.kind) {
            None => "rate",
            Some(CheckKind::Gold | CheckKind::Attention) => "gold",
            Some(CheckKind::Practice) => {
                return Err(Error::Invalid(format!(
                    "item {:?}: practice items belong into the guideline",
                    item.id
                )));
            }
        };
        if kind == "rate" && item.system.trim().is_empty() {
            return Err(Error::Invalid(format!("item {:?} names no system", item.id)));
        }
        let texts = item.context.iter().map(|turn| &turn.text).chain([&item.response]);
        check_texts(&item.id, texts)?;
        let systems = if item.system.is_empty() { vec![] } else { vec![item.system.clone()] };
        let context = lettered(&item.context, &[&item.system]);
        Self::new(&item.id, kind, systems, &Item { context, ..item.clone() })
    }

    /// A practice item of a guideline.
    pub(crate) fn practice(item: &Item, guideline: i64) -> Result<Self> {
        Ok(Self { guideline: Some(guideline), ..Self::new(&item.id, "practice", vec![], item)? })
    }

    /// Two responses side by side.
    pub(crate) fn pair(pair: &Pair) -> Result<Self> {
        let texts = pair.context.iter().map(|turn| &turn.text).chain(&pair.responses);
        check_texts(&pair.id, texts)?;
        if pair.systems[0] == pair.systems[1] {
            return Err(Error::Invalid(format!("pair {:?} has one system twice", pair.id)));
        }
        let context = lettered(&pair.context, &pair.systems.each_ref().map(String::as_str));
        Self::new(&pair.id, "pair", pair.systems.to_vec(), &Pair { context, ..pair.clone() })
    }

    fn new(
        id: &str,
        kind: &'static str,
        systems: Vec<String>,
        record: &impl Serialize,
    ) -> Result<Self> {
        let record = serde_json::to_string(record)
            .map_err(|error| Error::Invalid(format!("item {id:?}: {error}")))?;
        Ok(Self { source: id.to_owned(), kind, systems, record, author: None, guideline: None })
    }
}

fn check_texts<'a>(id: &str, texts: impl Iterator<Item = &'a String>) -> Result<()> {
    if id.trim().is_empty() {
        return Err(Error::invalid("an item has no id"));
    }
    for text in texts {
        if text.chars().count() > LONGEST {
            return Err(Error::Invalid(format!(
                "item {id:?} has a text of more than {LONGEST} characters, which nobody reads"
            )));
        }
    }
    Ok(())
}

/// Adds items, and counts what raters work on anew.
pub(crate) fn add(db: &Connection, seed: u64, rows: &[Row], now: i64) -> Result<Imported> {
    let mut all = Imported::default();
    for row in rows {
        all += insert(db, seed, row)?;
    }
    recount(db)?;
    if !rows.is_empty() {
        audit::log(db, now, TOOL, "items added", &all.added.to_string())?;
    }
    Ok(all)
}

/// Keeps what the study's owner says about a system; whether it is new.
pub(crate) fn describe(db: &Connection, seed: u64, about: &System) -> Result<bool> {
    about.check().map_err(Error::Invalid)?;
    let id = system(db, seed, &about.name)?;
    let changed = db
        .prepare_cached(
            "UPDATE system SET description = ?1, perplexity = ?2
             WHERE id = ?3 AND (description IS NOT ?1 OR perplexity IS NOT ?2)",
        )?
        .execute((&about.description, about.perplexity, id))?;
    Ok(changed == 1)
}

/// Names of systems that have spaces around them, as files of earlier versions may hold, by the
/// same without these. Those of which both are there are left out.
pub(crate) fn spellings(db: &Connection) -> Result<HashMap<String, String>> {
    let mut statement = db.prepare_cached("SELECT name FROM system ORDER BY id")?;
    let names = statement.query_map([], |row| row.get(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    let mut spellings = HashMap::new();
    for name in &names {
        let bare = name.trim();
        if !names.iter().any(|other| other == bare) {
            spellings.entry(bare.to_owned()).or_insert_with(|| name.clone());
        }
    }
    Ok(spellings)
}

/// Whether the project has an item with this id, context and response.
pub(crate) fn has_text(db: &Connection, item: &Item) -> Result<bool> {
    let record: Option<String> = db
        .prepare_cached("SELECT record FROM item WHERE source = ?1 AND kind IN ('rate', 'gold')")?
        .query_row([&item.id], |row| row.get(0))
        .optional()?;
    let texts = |item: &Item| -> (String, Vec<String>) {
        (item.response.clone(), item.context.iter().map(|turn| turn.text.trim().into()).collect())
    };
    Ok(match record {
        Some(record) => {
            serde_json::from_str(&record).is_ok_and(|there| texts(&there) == texts(item))
        }
        None => false,
    })
}

/// Whether there is anything in the project by the researcher's id.
pub(crate) fn is_there(db: &Connection, id: &str) -> Result<bool> {
    Ok(db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM item WHERE source = ?1)")?
        .query_row([id], |row| row.get(0))?)
}

/// An item without space around its turns, which files of earlier versions may have kept, also in
/// the name of its conversation where that is made of them.
pub(crate) fn tidied(mut item: Item) -> Item {
    tidy(&mut item.conversation, &mut item.context);
    item
}

/// The same of a pair, which earlier versions may have made of such items.
pub(crate) fn tidied_pair(mut pair: Pair) -> Pair {
    tidy(&mut pair.conversation, &mut pair.context);
    pair
}

fn tidy(conversation: &mut String, context: &mut [Turn]) {
    let is_unnamed = *conversation == named_by(context);
    for turn in context.iter_mut() {
        turn.text = turn.text.trim().to_owned();
    }
    if is_unnamed {
        *conversation = named_by(context);
    }
}

/// The conversation of a response whose file names none.
fn named_by(context: &[Turn]) -> String {
    context.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>().join(" / ")
}

/// Whether a response has turns before it and is in a conversation named by its own id, as earlier
/// versions read the tasks of Label Studio.
fn is_alone(item: &Item) -> bool {
    item.is_rated() && !item.context.is_empty() && item.conversation == item.id
}

/// Puts responses that are in a conversation named by their own ids into that of their turns, where
/// the study has one: so a system that an earlier version read of Label Studio meets others.
pub(crate) fn join_by_turns(items: &mut [Item]) {
    let by_turns: HashSet<String> = items
        .iter()
        .filter(|item| item.is_rated() && !item.context.is_empty())
        .map(|item| named_by(&item.context))
        .filter(|name| !name.is_empty())
        .collect();
    let named = items.iter().map(|item| &item.conversation);
    let there: HashSet<String> = named.filter(|name| by_turns.contains(*name)).cloned().collect();
    for item in items.iter_mut().filter(|item| is_alone(item)) {
        let name = named_by(&item.context);
        if there.contains(&name) {
            item.conversation = name;
        }
    }
}

/// Whether two records say the same of an item.
fn are_same(kind: &str, one: &str, other: &str) -> Result<bool> {
    if one == other {
        return Ok(true);
    }
    if kind == "pair" {
        return Ok(tidied_pair(stored::pair(one)?) == tidied_pair(stored::pair(other)?));
    }
    let joined = |record: &str| -> Result<Item> {
        let mut item = tidied(stored::item(record)?);
        if is_alone(&item) {
            item.conversation = named_by(&item.context);
        }
        Ok(item)
    };
    Ok(joined(one)? == joined(other)?)
}

/// Adds an item. One that is there already, the same in every word, is left as it is.
///
/// # Errors
/// When another item has its id.
pub(crate) fn insert(db: &Connection, seed: u64, new: &Row) -> Result<Imported> {
    let there: Option<(String, String)> = db
        .prepare_cached("SELECT kind, record FROM item WHERE source = ?1")?
        .query_row([&new.source], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((kind, record)) = there {
        return if kind == new.kind && are_same(&kind, &record, &new.record)? {
            Ok(Imported { known: 1, ..Imported::default() })
        } else {
            Err(Error::Invalid(format!(
                "item {:?} is there already, in the study or twice in the file, with other \
                 contents: answers refer to it, so a changed item needs another id",
                new.source
            )))
        };
    }
    let mut systems = [None, None];
    for (place, name) in systems.iter_mut().zip(&new.systems) {
        *place = Some(system(db, seed, name)?);
    }
    let key = keyed_name(seed, &[b"item", new.source.as_bytes()], 12);
    let point = keyed(seed, &[b"point", new.source.as_bytes()]);
    db.prepare_cached(
        "INSERT INTO item
           (key, source, kind, system, other_system, record, author, guideline, point)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        &key,
        &new.source,
        new.kind,
        systems[0],
        systems[1],
        &new.record,
        new.author,
        new.guideline,
        point,
    ))?;
    Ok(Imported { added: 1, ..Imported::default() })
}

/// Counts the items that raters work on, for their progress.
pub(crate) fn recount(db: &Connection) -> Result<()> {
    let count: i64 =
        db.query_row("SELECT COUNT(*) FROM item WHERE kind IN ('rate', 'pair')", [], |row| {
            row.get(0)
        })?;
    settings::put(db, "work_items", &count)
}

/// The number of a system, which gets a blind name when it is first seen.
pub(crate) fn system(db: &Connection, seed: u64, name: &str) -> Result<i64> {
    let known: Option<i64> = db
        .prepare_cached("SELECT id FROM system WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    // Drawn, not counted: the order of files says nothing.
    for round in 0_u64.. {
        let draw = keyed(seed, &[b"blind", name.as_bytes(), &round.to_le_bytes()]);
        let blind = if round < 200 {
            let letter = u8::try_from(draw % 26).unwrap_or_default();
            format!("System {}", char::from(b'A' + letter))
        } else {
            format!("System {}", draw % 100_000)
        };
        let added = db
            .prepare_cached("INSERT OR IGNORE INTO system (name, blind) VALUES (?1, ?2)")?
            .execute([name, &blind])?;
        if added == 1 {
            return Ok(db.last_insert_rowid());
        }
    }
    unreachable!("there are more names than systems")
}
