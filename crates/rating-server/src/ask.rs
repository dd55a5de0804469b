//! Responses of a system to fixed contexts, asked of it one after the other.

use crate::chat::Endpoint;
use crate::chat::endpoint::connect;
use crate::chat::patience::Patient;
use crate::error::{Error, Result};
use crate::project::Project;
use eval_ssa::{Context, Item, Mode};
use rusqlite::OptionalExtension;
use std::time::Duration;

/// What happens while a chatbot is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking<'a> {
    /// An answer was kept.
    Done {
        /// How many there are.
        done: usize,
        /// How many there will be.
        of: usize,
    },
    /// It is busy, and will be asked again.
    Waits {
        /// What it says.
        why: &'a str,
        /// After so long.
        wait: Duration,
    },
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// How many responses are new.
    pub new: usize,
    /// The contexts to which it answered with nothing; they stay open.
    pub empty: Vec<String>,
    /// How many of the new ones were cut off at the greatest length that the server allows.
    pub cut: usize,
    /// How many of the new ones a filter of the server ended.
    pub filtered: usize,
    /// How many of the new ones had thoughts before them, which are left out.
    pub had_thoughts: usize,
}

impl Project {
    /// Asks a system for a response to each context that it has none to yet, and keeps each as it
    /// comes: the same call goes on where one was stopped. A system that is busy is asked again, as
    /// it says or up to eight times, waiting no more than five minutes for one response. `opening`
    /// is what the system is told before a context that begins with a turn of its own, and nobody
    /// else sees: many chat models take no conversation that a user does not begin. `said` is told
    /// of each response and of each wait.
    ///
    /// # Errors
    /// [`Error::Chat`] when the system does not answer; [`Error::Invalid`] when an item of that
    /// system and context is another one; those of the database.
    pub fn ask(
        &self,
        system: &str,
        endpoint: &Endpoint,
        contexts: &[Context],
        opening: Option<&str>,
        said: &mut dyn FnMut(Asking<'_>),
    ) -> Result<Asked> {
        if opening.is_some_and(|opening| opening.trim().is_empty()) {
            return Err(Error::invalid("the opening is empty: give a text, or leave it out"));
        }
        if system.trim().is_empty() {
            return Err(Error::invalid("the system needs a name"));
        }
        // Before answers are asked for that could not be kept.
        self.store().check_writable()?;
        let mut partner = Patient::new(connect(endpoint)?);
        let open: Vec<Item> = contexts
            .iter()
            .map(|context| item(system, context))
            .filter_map(|item| self.has(&item).map(|has| (!has).then_some(item)).transpose())
            .collect::<Result<_>>()?;
        let (of, mut asked) = (open.len(), Asked::default());
        for mut item in open {
            let mut turns: Vec<String> =
                item.context.iter().map(|turn| turn.text.clone()).collect();
            let begins = turns.len().is_multiple_of(2);
            if let Some(opening) = opening.filter(|_| begins) {
                turns.insert(0, opening.to_owned());
            }
            match partner.reply(&turns, &mut |why, wait| pause(said, why, wait)) {
                Ok(reply) => {
                    item.response = reply.text.trim().to_owned();
                    asked.cut += usize::from(reply.is_cut);
                    asked.filtered += usize::from(reply.is_filtered);
                    asked.had_thoughts += usize::from(reply.had_thoughts);
                }
                Err(Error::ChatEmpty) => {
                    asked.empty.push(item.conversation);
                    continue;
                }
                Err(Error::Chat(why)) => {
                    let hint = match endpoint {
                        Endpoint::OpenAi { .. } if begins && opening.is_none() => first_turn(&why),
                        _ => "",
                    };
                    let context = &item.conversation;
                    return Err(Error::Chat(format!("{why} (context {context:?}{hint})")));
                }
                Err(other) => return Err(other),
            }
            self.add_items(&[item])?;
            asked.new += 1;
            said(Asking::Done { done: asked.new, of });
        }
        Ok(asked)
    }

    /// Whether there is a response of this system to this context.
    fn has(&self, wanted: &Item) -> Result<bool> {
        let there: Option<String> = self.store().read(|db| {
            Ok(db
                .prepare_cached("SELECT record FROM item WHERE source = ?1")?
                .query_row([&wanted.id], |row| row.get(0))
                .optional()?)
        })?;
        let Some(record) = there else { return Ok(false) };
        let there = crate::stored::item(&record)?;
        if there.context == wanted.context {
            return Ok(true);
        }
        Err(Error::Invalid(format!(
            "the study has an item {:?} with another context: rename the context",
            wanted.id
        )))
    }
}

/// Says that a chatbot is waited for, and waits.
pub(crate) fn pause(said: &mut dyn FnMut(Asking<'_>), why: &str, wait: Duration) {
    said(Asking::Waits { why, wait });
    std::thread::sleep(wait);
}

/// What to try where a server may refuse a context because its first turn is the system's own.
fn first_turn(why: &str) -> &'static str {
    let refused = ["400 ", "422 ", "500 "].iter().any(|status| why.starts_with(status));
    match refused || why.to_lowercase().contains("role") {
        true => {
            ", which begins with a turn of the chatbot's own: if its chat template wants the \
             user's first, --opening \"Hi!\" puts one before it"
        }
        false => "",
    }
}

/// An item that lacks its response.
fn item(system: &str, context: &Context) -> Item {
    let turns = context.as_turns();
    Item {
        id: format!("{system}/{}", context.id),
        mode: Mode::Static,
        system: system.to_owned(),
        conversation: context.id.clone(),
        turn: u32::try_from(turns.len()).unwrap_or(u32::MAX),
        context: turns,
        ..Item::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn a_system_is_asked_once_for_each_context() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.db");
        let project = Project::create(&path, &Settings::default(), None).expect("new");
        let contexts = &Context::own()[..20];
        let mut heard = Vec::new();
        let mut ask = |contexts: &[Context]| {
            project.ask("control", &Endpoint::GenericBot, contexts, None, &mut |asking| {
                if let Asking::Done { done, of } = asking {
                    heard.push((done, of));
                }
            })
        };
        assert_eq!(ask(&contexts[..5]).expect("five").new, 5);
        assert_eq!(ask(contexts).expect("the others").new, 15);
        assert_eq!(ask(contexts).expect("none"), Asked::default());
        let is_control = |name: &str| project.is_control(name).expect("an answer");
        assert!(is_control("control") && !is_control("GenericBot"));
        let own = Item {
            id: "own/1".into(),
            system: "own".into(),
            conversation: "c".into(),
            context: vec![eval_ssa::Turn::new("A", "Do you ski?")],
            response: "ok".into(),
            ..Item::default()
        };
        assert_eq!(project.add_items(&[own]).expect("one").added, 1);
        assert!(!is_control("own"), "no answer of the control to a question");
        project.offer_chats("own", &Endpoint::GenericBot, 1).expect("a partner");
        assert!(is_control("own"));
        assert_eq!((heard[4], heard[5], heard.len()), ((5, 5), (1, 15), 20));
        let study = project.study(crate::Names::Own).expect("records");
        assert_eq!(study.items.len(), 21);
        for (item, context) in study.items.iter().zip(contexts) {
            let says = if context.turns.last().expect("a turn").ends_with('?') {
                "I don't know"
            } else {
                "ok"
            };
            assert_eq!((&*item.response, &item.conversation), (says, &context.id));
        }
        let other = Context { turns: vec!["Another?".into()], ..contexts[0].clone() };
        let error = project.ask("control", &Endpoint::GenericBot, &[other], None, &mut |_| ());
        assert!(error.expect_err("another context").to_string().contains("another context"));
    }
}
