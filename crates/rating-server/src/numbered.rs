//! Ids of responses whose file has none.

use crate::error::{Error, Result};
use crate::items;
use crate::stored;
use eval_ssa::Item;
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};

/// Ids of responses that have none, by system: `mine/1`, `mine/2` and so on.
#[derive(Default)]
pub(crate) struct Numbers {
    systems: HashMap<String, Numbered>,
    /// Ids that other items of the file have.
    named: HashSet<String>,
}

/// The numbered responses of a system.
#[derive(Default)]
struct Numbered {
    /// How often the project has each, by all that is said of it but its id.
    there: HashMap<String, usize>,
    taken: HashSet<String>,
    last: usize,
}

impl Numbers {
    /// Ids that are none of `named`.
    pub(crate) fn beside(named: HashSet<String>) -> Self {
        Self { named, ..Self::default() }
    }

    /// The id of the next response; `None` if the project has it already.
    pub(crate) fn of(&mut self, db: &Connection, item: &Item) -> Result<Option<String>> {
        let without_id = |item: &Item| {
            serde_json::to_string(&Item { id: String::new(), ..items::tidied(item.clone()) })
                .map_err(|error| Error::Invalid(error.to_string()))
        };
        if !self.systems.contains_key(&item.system) {
            let mut known = Numbered::default();
            let mut found = db.prepare_cached(
                "SELECT source, record FROM item
                 WHERE system = (SELECT id FROM system WHERE name = ?1)
                   AND kind IN ('rate', 'gold')",
            )?;
            let mut rows = found.query([&item.system])?;
            while let Some(row) = rows.next()? {
                let (id, record): (String, String) = (row.get(0)?, row.get(1)?);
                *known.there.entry(without_id(&stored::item(&record)?)?).or_default() += 1;
                known.taken.insert(id);
            }
            self.systems.insert(item.system.clone(), known);
        }
        let known = self.systems.get_mut(&item.system).expect("it was put in");
        if let Some(count) = known.there.get_mut(&without_id(item)?).filter(|count| **count > 0) {
            *count -= 1;
            return Ok(None);
        }
        loop {
            known.last += 1;
            let id = format!("{}/{}", item.system, known.last);
            if !self.named.contains(&id) && known.taken.insert(id.clone()) {
                return Ok(Some(id));
            }
        }
    }
}
