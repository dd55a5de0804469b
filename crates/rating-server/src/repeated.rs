//! Responses to turns that their system has answered already.

use crate::error::Result;
use crate::items;
use crate::stored;
use eval_ssa::Item;
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};

/// A conversation, and the turns in it that are answered.
type Turns = (String, Vec<String>);

/// What the systems of a project have answered.
#[derive(Default)]
pub(crate) struct Answered {
    systems: HashMap<String, HashSet<Turns>>,
}

impl Answered {
    /// Whether the project has a response of this item's system to the same turns of the same
    /// conversation, and not the item itself.
    pub(crate) fn has_other(&mut self, db: &Connection, item: &Item) -> Result<bool> {
        if !item.is_rated() || items::is_there(db, &item.id)? {
            return Ok(false);
        }
        if !self.systems.contains_key(&item.system) {
            let known = stored::items_of(db, &item.system)?;
            self.systems.insert(item.system.clone(), known.iter().map(turns).collect());
        }
        Ok(self.systems[&item.system].contains(&turns(item)))
    }
}

fn turns(item: &Item) -> Turns {
    let item = items::tidied(item.clone());
    (item.conversation, item.context.into_iter().map(|turn| turn.text).collect())
}

#[cfg(test)]
mod tests {
    use crate::{Names, Project, Settings, read_records};

    #[test]
    fn a_second_response_to_the_same_turns_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.db");
        let project = Project::create(&path, &Settings::default(), None).expect("new");
        let file = folder.path().join("e.csv");
        let add = |rows: &str, system: &str| {
            std::fs::write(&file, format!("context,response\n{rows}")).expect("a file");
            let records = read_records(&file, Some(system)).expect("responses");
            let done = project.add_records(&records).expect("added");
            (done.added, done.known, done.again)
        };
        assert_eq!(add("Do you swim?,Buterfly\nHi!,Hey\n", "one"), (2, 0, 0));
        // Corrected in the file, it is another response; nothing else is.
        assert_eq!(add("Do you swim?,Butterfly\nHi!,Hey\n", "one"), (1, 1, 1));
        assert_eq!(add("Do you swim?,Butterfly\nHi!,Hey\n", "one"), (0, 2, 0));
        assert_eq!(add("Do you swim?,No\n", "two"), (1, 0, 0));
        // Several samples of a file are meant so.
        assert_eq!(add("Ho!,1\nHo!,2\n", "two"), (2, 0, 0));
    }

    /// Files of earlier versions kept the space around turns in lists.
    #[test]
    fn what_an_earlier_version_read_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("one.jsonl");
        for id in ["", r#""item": "x", "#] {
            let line =
                format!("{{{id}\"context\": [\"Where do you live? \"], \"response\": \"Here\"}}");
            std::fs::write(&file, line).expect("a file");
            let new = read_records(&file, Some("one")).expect("a response");
            let mut old = new.clone();
            old.items[0].context[0].text = "Where do you live? ".into();
            old.items[0].conversation = "Where do you live? ".into();
            let path = folder.path().join(format!("{}.db", id.len()));
            let project = Project::create(&path, &Settings::default(), None).expect("new");
            assert_eq!(project.add_records(&old).expect("as it was").added, 1);
            let done = project.add_records(&new).expect("the same");
            assert_eq!((done.added, done.known, done.again), (0, 1, 0), "{id}");
            assert_eq!(project.study(Names::Own).expect("a study").items.len(), 1);
        }
    }
}
