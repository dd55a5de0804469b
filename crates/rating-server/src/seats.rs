//! Seats: which rater is in front of which item.
//!
//! An item has as many seats as the project asks votes of it. A seat is taken by a vote, or held
//! open for a rater until its lease ends; `item.taken` counts both and is changed only in the
//! transaction that changes the seat. So an item never gets a vote too many, and a rater who goes
//! away is replaced.
//!
//! The next item of a rater is drawn among those with the fewest seats taken, from a place in the
//! shuffled list that the project's seed, the rater and the place in the rater's order decide. All
//! items therefore fill up evenly, and each rater has an order of their own.

use crate::error::{Error, Result};
use crate::guideline;
use crate::raters::Rater;
use crate::secret::keyed;
use crate::settings::{self, Settings};
use rusqlite::{Connection, OptionalExtension};

/// What a rater does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Reads the guideline.
    Guideline,
    /// Answers at this place.
    Place(i64),
    /// Holds a conversation.
    Chat,
    /// Nothing is left; more may come when others give up seats.
    Nothing,
    /// The researcher has asked the rater to wait.
    Paused,
}

/// Finds what a rater does next, and takes the seat for it.
pub(crate) fn next(db: &Connection, settings: &Settings, rater: &Rater, now: i64) -> Result<Next> {
    if !rater.active {
        return Ok(Next::Paused);
    }
    expire(db, now)?;
    if rater.guideline < guideline::current_id(db)? {
        return Ok(Next::Guideline);
    }
    if let Some(place) = open(db, rater)? {
        renew(db, settings, rater, place, now)?;
        return Ok(Next::Place(place));
    }
    if let Some(item) = practice(db, rater)? {
        return sit(db, settings, rater, item, None, now).map(Next::Place);
    }
    if rater.chats > 0 && crate::chat::wanted(db, rater, now)? {
        return Ok(Next::Chat);
    }
    if !rater.rates || quota_reached(settings, rater) {
        return Ok(Next::Nothing);
    }
    if let Some(item) = gold(db, settings, rater)? {
        return sit(db, settings, rater, item, None, now).map(Next::Place);
    }
    if let Some(place) = returned(db, settings, rater, now)? {
        return Ok(Next::Place(place));
    }
    let lease = now.saturating_add(settings.lease_ms());
    match draw(db, settings, rater)? {
        Some(item) => {
            take(db, settings, item)?;
            sit(db, settings, rater, item, Some(lease), now).map(Next::Place)
        }
        None => Ok(Next::Nothing),
    }
}

/// Gives back all seats whose lease is over.
pub(crate) fn expire(db: &Connection, now: i64) -> Result<()> {
    let mut over = db.prepare_cached(
        "SELECT rater, place, item FROM seat
         WHERE state = 'open' AND lease_until IS NOT NULL AND lease_until < ?1",
    )?;
    let rows: Vec<(i64, i64, i64)> = over
        .query_map([now], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (rater, place, item) in rows {
        db.prepare_cached("UPDATE seat SET state = 'returned' WHERE rater = ?1 AND place = ?2")?
            .execute([rater, place])?;
        release(db, item)?;
    }
    Ok(())
}

/// Takes one of the item's seats.
///
/// # Panics
/// When there is none: whoever calls has looked.
pub(crate) fn take(db: &Connection, settings: &Settings, item: i64) -> Result<()> {
    assert!(try_take(db, settings, item)?, "the item was drawn because it has a seat");
    Ok(())
}

/// Takes one of the item's seats if there is one.
pub(crate) fn try_take(db: &Connection, settings: &Settings, item: i64) -> Result<bool> {
    let changed = db
        .prepare_cached("UPDATE item SET taken = taken + 1 WHERE id = ?1 AND taken < ?2")?
        .execute((item, settings.votes))?;
    Ok(changed == 1)
}

/// Gives one of the item's seats back.
pub(crate) fn release(db: &Connection, item: i64) -> Result<()> {
    db.prepare_cached("UPDATE item SET taken = taken - 1 WHERE id = ?1")?.execute([item])?;
    Ok(())
}

/// The place where the rater has not answered yet.
fn open(db: &Connection, rater: &Rater) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached(
            "SELECT place FROM seat WHERE rater = ?1 AND state = 'open' ORDER BY place LIMIT 1",
        )?
        .query_row([rater.id], |row| row.get(0))
        .optional()?)
}

fn renew(db: &Connection, settings: &Settings, rater: &Rater, place: i64, now: i64) -> Result<()> {
    let until = now.saturating_add(settings.lease_ms());
    db.prepare_cached(
        "UPDATE seat SET lease_until = ?1
         WHERE rater = ?2 AND place = ?3 AND lease_until IS NOT NULL",
    )?
    .execute((until, rater.id, place))?;
    Ok(())
}

/// The next practice item of the guideline in force.
fn practice(db: &Connection, rater: &Rater) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached(
            "SELECT id FROM item WHERE kind = 'practice' AND guideline = ?1
               AND NOT EXISTS (SELECT 1 FROM seat WHERE rater = ?2 AND item = item.id)
             ORDER BY id LIMIT 1",
        )?
        .query_row([rater.guideline, rater.id], |row| row.get(0))
        .optional()?)
}

fn quota_reached(settings: &Settings, rater: &Rater) -> bool {
    settings.items_per_rater.is_some_and(|most| rater.answered >= i64::from(most))
}

/// A gold item, if one is due: about one in `gold_every`, at places that cannot be foreseen.
fn gold(db: &Connection, settings: &Settings, rater: &Rater) -> Result<Option<i64>> {
    let every = i64::from(settings.gold_every);
    if every == 0 {
        return Ok(None);
    }
    // The same at all places between two gold items.
    let since = (rater.places - rater.since_gold).to_le_bytes();
    let key = rater.key.as_bytes();
    let jitter = keyed(settings.seed, &[b"gold", key, &since]) % (every / 2 + 1);
    if rater.since_gold < every - every / 4 - 1 + jitter {
        return Ok(None);
    }
    let from = keyed(settings.seed, &[b"which gold", key, &since]);
    from_point(from, |at, least| {
        Ok(db
            .prepare_cached(&format!(
                "SELECT id FROM item WHERE kind = 'gold' AND point {least} ?1
                   AND NOT EXISTS (SELECT 1 FROM seat WHERE rater = ?2 AND item = item.id)
                 ORDER BY point LIMIT 1"
            ))?
            .query_row([at, rater.id], |row| row.get(0))
            .optional()?)
    })
}

/// An item that the rater was shown, whose lease ended, and that still has a seat.
fn returned(db: &Connection, settings: &Settings, rater: &Rater, now: i64) -> Result<Option<i64>> {
    let row: Option<(i64, i64)> = db
        .prepare_cached(
            "SELECT place, item FROM seat JOIN item ON item.id = seat.item
             WHERE rater = ?1 AND state = 'returned' AND taken < ?2 ORDER BY place LIMIT 1",
        )?
        .query_row((rater.id, settings.votes), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((place, item)) = row else { return Ok(None) };
    take(db, settings, item)?;
    db.prepare_cached("UPDATE seat SET state = 'open' WHERE rater = ?1 AND place = ?2")?
        .execute([rater.id, place])?;
    renew(db, settings, rater, place, now)?;
    Ok(Some(place))
}

/// Draws one of the items with the fewest seats taken that the rater has not seen.
fn draw(db: &Connection, settings: &Settings, rater: &Rater) -> Result<Option<i64>> {
    let place = rater.places.to_le_bytes();
    let from = keyed(settings.seed, &[b"order", rater.key.as_bytes(), &place]);
    let fewest: Option<u32> = db
        .prepare_cached(
            "SELECT taken FROM item WHERE kind IN ('rate', 'pair') ORDER BY taken LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    for taken in fewest.unwrap_or(settings.votes)..settings.votes {
        let item = from_point(from, |at, least| {
            Ok(db
                .prepare_cached(&format!(
                    "SELECT id FROM item
                     WHERE kind IN ('rate', 'pair') AND taken = ?1 AND point {least} ?2
                       AND author IS NOT ?3
                       AND NOT EXISTS (SELECT 1 FROM seat WHERE rater = ?3 AND item = item.id)
                     ORDER BY point LIMIT 1"
                ))?
                .query_row((taken, at, rater.id), |row| row.get(0))
                .optional()?)
        })?;
        if item.is_some() {
            return Ok(item);
        }
    }
    Ok(None)
}

/// The first item from a point on, around the end.
fn from_point(from: i64, find: impl Fn(i64, &str) -> Result<Option<i64>>) -> Result<Option<i64>> {
    match find(from, ">=")? {
        Some(item) => Ok(Some(item)),
        None => find(from, "<"),
    }
}

/// Puts the rater in front of an item.
fn sit(
    db: &Connection,
    settings: &Settings,
    rater: &Rater,
    item: i64,
    lease: Option<i64>,
    now: i64,
) -> Result<i64> {
    let place = rater.places + 1;
    let sides = keyed(settings.seed, &[b"sides", rater.key.as_bytes(), &item.to_le_bytes()]);
    db.prepare_cached(
        "INSERT INTO seat (rater, place, item, state, flipped, given_at, lease_until)
         VALUES (?1, ?2, ?3, 'open', ?4, ?5, ?6)",
    )?
    .execute((rater.id, place, item, sides % 2, now, lease))?;
    db.prepare_cached("UPDATE rater SET places = ?1 WHERE id = ?2")?.execute([place, rater.id])?;
    Ok(place)
}

/// Notes that the rater has read the guideline in force.
pub(crate) fn accept_guideline(db: &Connection, rater: &Rater) -> Result<()> {
    let id = guideline::current_id(db)?;
    db.prepare_cached("UPDATE rater SET guideline = ?1 WHERE id = ?2")?.execute([id, rater.id])?;
    Ok(())
}

/// How far a rater is: items answered, and how many there are at most.
pub(crate) fn progress(db: &Connection, settings: &Settings, rater: &Rater) -> Result<(i64, i64)> {
    let items: i64 = settings::get(db, "work_items")?.unwrap_or(0);
    let most = settings.items_per_rater.map_or(items, |most| items.min(i64::from(most)));
    Ok((rater.answered, most.max(rater.answered)))
}

/// Looks for seats that were given twice or counted wrongly. Tests and `tutor rate status` ask.
pub(crate) fn check(db: &Connection, settings: &Settings) -> Result<()> {
    let wrong: i64 = db.query_row(
        "SELECT COUNT(*) FROM item WHERE kind IN ('rate', 'pair') AND (taken > ?1 OR taken <>
           (SELECT COUNT(*) FROM seat WHERE item = item.id AND state IN ('open', 'voted')))",
        [settings.votes],
        |row| row.get(0),
    )?;
    if wrong > 0 {
        return Err(Error::Invalid(format!("{wrong} items have a wrong number of seats")));
    }
    Ok(())
}
