//! Numbers of conversations that come in as transcripts.

use crate::error::{Error, Result};
use crate::items;
use crate::stored;
use eval_ssa::Item;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a system says in a conversation, with all before it, by the number of the turn.
type Talk = BTreeMap<u32, String>;

/// The conversations of each system, by their names.
#[derive(Default)]
struct Talks {
    systems: HashMap<String, BTreeMap<String, Talk>>,
}

/// Items of transcripts with the numbers of conversations that are theirs in the project, and how
/// many conversations got another number than in the file.
///
/// A conversation keeps its number where that is free, and where the project has the same one under
/// it, which may be shorter or longer: so a conversation that went on comes in with its new turns
/// alone. Where another one has the number, it is looked for under all numbers, and otherwise gets
/// the first that is free and no other conversation's in the file.
///
/// # Errors
/// Those of the database.
pub(crate) fn numbered(db: &Connection, items: &[Item]) -> Result<(Vec<Item>, usize)> {
    let (mut talks, mut out, mut renumbered) = (Talks::default(), Vec::new(), 0);
    let in_file: HashSet<(&str, &str)> =
        items.iter().map(|item| (&*item.system, &*item.conversation)).collect();
    for talk in items.chunk_by(goes_on) {
        let (named, is_new) = talks.place(db, talk, &in_file)?;
        renumbered += usize::from(is_new && named != talk[0].conversation);
        out.extend(talk.iter().map(|item| under(item, &named)));
    }
    Ok((out, renumbered))
}

/// Whether an item of a transcript is of the same conversation as the one before it: all that was
/// said by then stands before it.
fn goes_on(a: &Item, b: &Item) -> bool {
    a.system == b.system
        && a.conversation == b.conversation
        && b.context.starts_with(&a.context)
        && b.context.get(a.context.len()).is_some_and(|turn| turn.text == a.response)
}

/// An item of a transcript in a conversation of this name.
fn under(item: &Item, conversation: &str) -> Item {
    if item.conversation == conversation {
        return item.clone();
    }
    let id = format!("{conversation}/{}", item.turn);
    Item { id, conversation: conversation.to_owned(), ..item.clone() }
}

/// All that is said of an item but its names.
fn said(item: &Item) -> Result<String> {
    let item = items::tidied(item.clone());
    let nameless = Item { id: String::new(), conversation: String::new(), ..item };
    serde_json::to_string(&nameless).map_err(|error| Error::Invalid(error.to_string()))
}

impl Talks {
    /// The name of a conversation in the project, and whether none of it was there; `in_file` are
    /// the systems and conversations of its file.
    fn place(
        &mut self,
        db: &Connection,
        items: &[Item],
        in_file: &HashSet<(&str, &str)>,
    ) -> Result<(String, bool)> {
        let first = &items[0];
        let talk: Talk =
            items.iter().map(|item| Ok((item.turn, said(item)?))).collect::<Result<_>>()?;
        let known = self.of(db, &first.system)?;
        let own = first.conversation.clone();
        let prefix = own.rsplit_once('/').map_or(&*own, |(prefix, _)| prefix).to_owned();
        let is_free = |name: &str, known: &BTreeMap<String, Talk>| -> Result<bool> {
            let taken = |item| items::is_there(db, &under(item, name).id);
            let taken = items.iter().map(taken).collect::<Result<Vec<bool>>>()?;
            Ok(!known.contains_key(name) && !taken.contains(&true))
        };
        let is_there = |name: &str| known.get(name).is_some_and(|there| agree(there, &talk));
        let number = |name: &str| -> Option<u32> {
            name.strip_prefix(&*prefix)?.strip_prefix('/')?.parse().ok()
        };
        let name = if is_there(&own) || is_free(&own, known)? {
            own
        } else if let Some(name) = known
            .keys()
            .filter(|name| number(name).is_some() && is_there(name))
            .min_by_key(|name| number(name))
            .cloned()
        {
            name
        } else {
            let (named, mut free) = (|number: u64| format!("{prefix}/{number}"), 1);
            loop {
                let name = named(free);
                let is_anothers = in_file.contains(&(&*first.system, &*name));
                if !is_anothers && is_free(&name, known)? {
                    break name;
                }
                free += 1;
            }
        };
        let there = known.entry(name.clone()).or_default();
        let before = there.len();
        there.extend(talk);
        Ok((name, before == 0))
    }

    fn of(&mut self, db: &Connection, system: &str) -> Result<&mut BTreeMap<String, Talk>> {
        if !self.systems.contains_key(system) {
            let mut known: BTreeMap<String, Talk> = BTreeMap::new();
            for item in stored::items_of(db, system)? {
                known.entry(item.conversation.clone()).or_default().insert(item.turn, said(&item)?);
            }
            self.systems.insert(system.to_owned(), known);
        }
        Ok(self.systems.get_mut(system).expect("it was put in"))
    }
}

/// Whether two are the same conversation as far as both go.
fn agree(a: &Talk, b: &Talk) -> bool {
    let mut shared = a.iter().filter_map(|(turn, text)| Some((text, b.get(turn)?))).peekable();
    shared.peek().is_some() && shared.all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use crate::items::Imported;
    use crate::{Names, Project, Settings, read_transcripts};

    /// Conversations of a chat, which numbers each from 1 on.
    fn chat(talks: &[&[&str]]) -> String {
        let mut text = String::new();
        for turns in talks {
            text += "Chat Conversation 1\n";
            for (index, turn) in turns.iter().enumerate() {
                let speaker = if index % 2 == 0 { "Human" } else { "Model" };
                text += &format!("{speaker}: {turn}\n");
            }
        }
        text
    }

    #[test]
    fn conversations_of_the_same_number_are_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.db");
        let project = Project::create(&path, &Settings::default(), None).expect("new");
        let file = folder.path().join("chat.txt");
        let add = |talks: &[&[&str]]| -> Imported {
            std::fs::write(&file, chat(talks)).expect("a file");
            let read = read_transcripts(&file, Some("mine"), Some("Model")).expect("transcripts");
            project.add_records(&read).expect("added")
        };
        let first: &[&str] = &["Hi!", "Hello!", "Do you ski?", "In winter."];
        let second: &[&str] = &["Hi!", "Hey.", "Are you well?", "I am."];
        let third: &[&str] = &["Good day.", "Who is there?"];
        let done = add(&[first]);
        assert_eq!((done.added, done.known, done.renumbered), (2, 0, 0));
        let done = add(&[second]);
        assert_eq!((done.added, done.known, done.renumbered), (2, 0, 1));
        // Again, it is found under its new number, also where both stand in one file.
        let done = add(&[second]);
        assert_eq!((done.added, done.known, done.renumbered), (0, 2, 0));
        let done = add(&[second, first, third]);
        assert_eq!((done.added, done.known, done.renumbered), (1, 4, 1));
        // A conversation that went on comes in with what is new.
        let longer = [second, &["What is it like?", "Wet."]].concat();
        let done = add(&[&longer]);
        assert_eq!((done.added, done.known, done.renumbered), (1, 2, 0));
        assert_eq!(add(&[second]).known, 2);
        let study = project.study(Names::Own).expect("a study");
        let ids: Vec<&str> = study.items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["mine/1/1", "mine/1/3", "mine/2/1", "mine/2/3", "mine/3/1", "mine/2/5"]);
        let of_second = study.items.iter().filter(|item| item.conversation == "mine/2");
        assert_eq!(of_second.count(), 3);
    }

    /// A project with a conversation `mine/1`, and what comes of a further file.
    fn beside_one(text: &str) -> (Imported, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.db");
        let project = Project::create(&path, &Settings::default(), None).expect("new");
        let file = folder.path().join("chat.txt");
        let add = |text: &str| {
            std::fs::write(&file, text).expect("a file");
            let read = read_transcripts(&file, Some("mine"), Some("Model")).expect("transcripts");
            project.add_records(&read).expect("added")
        };
        add(&chat(&[&["Hi!", "Hello!"]]));
        let done = add(text);
        let study = project.study(Names::Own).expect("a study");
        (done, study.items.into_iter().map(|item| item.id).collect())
    }

    #[test]
    fn a_new_number_takes_no_other_conversations_of_the_file() {
        let talk = |n: usize| format!("Chat Conversation {n}\nHuman: {n}?\nModel: {n}.\n");
        let (done, ids) = beside_one(&(1..=4).map(talk).collect::<String>());
        assert_eq!((done.added, done.renumbered), (4, 1));
        assert_eq!(ids, ["mine/1/1", "mine/5/1", "mine/2/1", "mine/3/1", "mine/4/1"]);
    }

    #[test]
    fn two_conversations_under_one_heading_number_stay_two() {
        let text = "Chat Conversation 1\nHuman: Hi!\nModel: Hello!\n\
                    Chat Conversation 1\nModel: Good day.\nHuman: Who is there?\nModel: I.\n";
        let (done, ids) = beside_one(text);
        assert_eq!((done.added, done.known, done.renumbered), (1, 1, 1));
        assert_eq!(ids, ["mine/1/1", "mine/2/2"]);
    }
}
