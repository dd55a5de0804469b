//! The control, which every study may have beside its systems, whatever it is called there.

use crate::chat::endpoint::is_generic;
use crate::chat::{self, Endpoint};
use crate::error::Result;
use crate::stored;
use eval_ssa::{Item, Mode};
use rusqlite::{Connection, OptionalExtension};

/// Whether a system is [`Endpoint::GenericBot`]: raters talk to it as that, or all its responses to
/// fixed contexts are that control's.
pub(crate) fn is_control(db: &Connection, name: &str) -> Result<bool> {
    let system: Option<(i64, Option<String>)> = db
        .prepare_cached("SELECT id, endpoint FROM system WHERE name = ?1")?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, offered)) = system else { return Ok(false) };
    if offered.is_some() {
        return Ok(chat::endpoint(db, id)? == Endpoint::GenericBot);
    }
    let items = stored::items_of(db, name)?;
    let is_its =
        |item: &Item| item.mode == Mode::Static && is_generic(&item.context, &item.response);
    Ok(!items.is_empty() && items.iter().all(is_its))
}
