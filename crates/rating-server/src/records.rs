//! What the project holds, as the records that `eval-ssa` counts and other programs read.

use crate::answers;
use crate::decisions;
use crate::error::{Error, Result};
use crate::imported;
use crate::items;
use crate::project::Project;
use crate::secret::keyed_name;
use crate::settings;
use crate::stored;
use eval_ssa::{Answer, Item, Pair, Preference, Rating, Required, Study, System};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Whether systems have their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Blind names, and ids and conversations that say nothing.
    Blind,
    /// The researcher's own names and ids.
    Own,
}

impl Project {
    /// All items and votes. Answers that came too late for a seat and practice items are left out.
    ///
    /// # Errors
    /// Those of the database.
    pub fn study(&self, names: Names) -> Result<Study> {
        self.store().read(|db| study(db, self.settings().votes, self.settings().seed, names))
    }

    /// Whether the names of systems are shown.
    ///
    /// # Errors
    /// Those of the database.
    pub fn names(&self) -> Result<Names> {
        self.store().read(names)
    }
}

/// What the researcher has chosen to see.
pub(crate) fn names(db: &Connection) -> Result<Names> {
    let shown: Option<bool> = settings::get(db, "names_shown")?;
    Ok(if shown == Some(true) { Names::Own } else { Names::Blind })
}

/// The systems' names by their numbers.
fn system_names(db: &Connection, names: Names) -> Result<BTreeMap<i64, System>> {
    let mut statement =
        db.prepare_cached("SELECT id, name, blind, description, perplexity FROM system")?;
    let rows = statement.query_map([], |row| {
        let id: i64 = row.get(0)?;
        Ok((
            id,
            match names {
                Names::Blind => System { name: row.get(2)?, ..System::default() },
                Names::Own => {
                    System { name: row.get(1)?, description: row.get(3)?, perplexity: row.get(4)? }
                }
            },
        ))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn study(db: &Connection, votes: u32, seed: u64, names: Names) -> Result<Study> {
    let systems = system_names(db, names)?;
    let named = |id: Option<i64>| {
        id.and_then(|id| systems.get(&id)).map(|system| system.name.clone()).unwrap_or_default()
    };
    let hidden = |conversation: &str| keyed_name(seed, &[b"context", conversation.as_bytes()], 10);
    // Systems and files come in one after the other: nothing that is blind keeps that order.
    let mut listed: Vec<System> = systems.values().cloned().collect();
    if names == Names::Blind {
        listed.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let mut study = Study {
        required: Required::new(votes).map_err(Error::Invalid)?,
        systems: listed,
        ..Study::default()
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT key, kind, system, other_system, record FROM item
         WHERE kind IN ('rate', 'gold', 'pair') ORDER BY {}",
        order_column(names)
    ))?;
    let mut rows = statement.query([])?;
    // Items as they came, and the ids and systems that they have where names are blind.
    let (mut own, mut blind): (Vec<Item>, Vec<(String, String)>) = Default::default();
    while let Some(row) = rows.next()? {
        let (key, kind, record): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(4)?);
        if kind == "pair" {
            let pair = items::tidied_pair(stored::pair(&record)?);
            study.pairs.push(match names {
                Names::Own => pair,
                Names::Blind => Pair {
                    id: key,
                    conversation: hidden(&pair.conversation),
                    systems: [named(row.get(2)?), named(row.get(3)?)],
                    ..pair
                },
            });
        } else {
            own.push(items::tidied(stored::item(&record)?));
            blind.push((key, named(row.get(2)?)));
        }
    }
    items::join_by_turns(&mut own);
    study.items = match names {
        Names::Own => own,
        Names::Blind => {
            let hide = |(item, (id, system)): (Item, (String, String))| Item {
                id,
                conversation: hidden(&item.conversation),
                system,
                likelihood: None,
                decoding: None,
                seed: None,
                ..item
            };
            own.into_iter().zip(blind).map(hide).collect()
        }
    };
    votes_of(db, names, &mut study)?;
    study.judgments = imported::all_judgments(db, id_column(names), order_column(names))?;
    study.adjudications = decisions::all(db, id_column(names))?;
    Ok(study)
}

fn votes_of(db: &Connection, names: Names, study: &mut Study) -> Result<()> {
    let id = id_column(names);
    let mut statement = db.prepare_cached(&format!(
        "SELECT item.{id}, rater.key, kind, sensible, specific, human_like, choice, skip, comment,
           guideline.version, given_at, duration_ms, answered_at, place, flipped
         FROM seat JOIN item ON item.id = seat.item JOIN rater ON rater.id = seat.rater
           LEFT JOIN guideline ON guideline.id = seat.guideline
         WHERE seat.state IN ('voted', 'skipped') AND kind <> 'practice'
         ORDER BY seat.answered_at, seat.rater, seat.place"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (item, rater, kind): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let skip: Option<String> = row.get(7)?;
        let guideline: String = row.get::<_, Option<String>>(9)?.unwrap_or_default();
        let answered_at: Option<i64> = row.get(12)?;
        // The page's own clock says how long an item was looked at; without it, the server's does.
        let given: Option<i64> = Some(row.get(10)?).filter(|at| *at > 0);
        let spent: Option<i64> = row.get(11)?;
        let shown_at = answered_at.zip(spent).map(|(at, spent)| at - spent).or(given);
        let position = u32::try_from(row.get::<_, i64>(13)? - 1).ok();
        if kind == "pair" {
            let choice: Option<String> = row.get(6)?;
            if let Some(choice) = choice.as_deref().and_then(answers::choice) {
                study.preferences.push(Preference {
                    pair: item,
                    rater,
                    choice,
                    swapped: row.get(14)?,
                    guideline,
                    shown_at,
                    answered_at,
                    position,
                    comment: row.get(8)?,
                });
            }
            continue;
        }
        let answer = match (skip, row.get::<_, Option<bool>>(3)?) {
            (Some(reason), _) => Answer::Skipped { reason },
            (None, Some(true)) => Answer::Sensible { specific: row.get(4)? },
            _ => Answer::NotSensible,
        };
        study.ratings.push(Rating {
            item,
            rater,
            answer,
            human_like: row.get(5)?,
            guideline,
            shown_at,
            answered_at,
            position,
            comment: row.get(8)?,
        });
    }
    Ok(())
}

/// The column that names items.
pub(crate) fn id_column(names: Names) -> &'static str {
    match names {
        Names::Blind => "key",
        Names::Own => "source",
    }
}

/// The column by which items come in order.
pub(crate) fn order_column(names: Names) -> &'static str {
    match names {
        Names::Blind => "key",
        Names::Own => "id",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use eval_ssa::Turn;

    fn item(id: &str, system: &str, conversation: &str, turn: &str) -> Item {
        Item {
            id: id.into(),
            system: system.into(),
            conversation: conversation.into(),
            turn: 1,
            context: vec![Turn::new("A", turn)],
            response: "Here".into(),
            ..Item::default()
        }
    }

    /// Earlier versions kept the space around turns, and named the conversations of Label Studio's
    /// tasks by their ids.
    #[test]
    fn systems_that_an_earlier_version_read_meet_those_of_this_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.db");
        let project = Project::create(&path, &Settings::default(), None).expect("new");
        let asked = "Where do you live?";
        let spaced = format!("{asked} ");
        let all = [
            item("one/1", "one", &spaced, &spaced),
            item("7", "tasks", "7", asked),
            item("two/1", "two", asked, asked),
            // Nobody else answers these turns.
            item("8", "tasks", "8", "Do you ski?"),
        ];
        assert_eq!(project.add_items(&all).expect("items").added, 4);
        let study = project.study(Names::Own).expect("a study");
        let conversations: Vec<&str> =
            study.items.iter().map(|item| item.conversation.as_str()).collect();
        assert_eq!(conversations, [asked, asked, asked, "8"]);
        let blind = project.study(Names::Blind).expect("a study");
        let mut sizes: Vec<usize> = (0..4)
            .map(|at| {
                let same = |item: &&Item| item.conversation == blind.items[at].conversation;
                blind.items.iter().filter(same).count()
            })
            .collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 3, 3, 3]);
        assert_eq!(project.add_items(&study.items).expect("its own").known, 4);
        // A pair that an earlier version made is known when it is made again.
        let pairs = eval_ssa::pairs(&study.items, ["one", "two"]);
        let context = vec![Turn::new("A", &*spaced)];
        let old = Pair { conversation: spaced.clone(), context, ..pairs[0].clone() };
        assert_eq!(project.add_pairs(&[old]).expect("as it was").added, 1);
        assert_eq!(project.add_pairs(&pairs).expect("again").known, 1);
        assert_eq!(project.study(Names::Own).expect("a study").pairs[0].context[0].text, asked);
        assert_eq!(eval_ssa::pairs(&study.items, ["tasks", "one"]).len(), 1);
    }
}
