//! From messages to pairs of a context and a response.

use super::clean;
use super::filters::{Checks, Filters, counted};
use super::forest::{Above, Forest};
use super::funnel::{Funnel, Reason};
use super::message::Message;
use super::part::{DialogPart, DialogSplit};
use crate::digest::Digest;
use crate::error::DataError;
use crate::parallel;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// A response and what was said before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// What its conversation is for.
    pub part: DialogPart,
    /// The conversation that it comes from.
    pub conversation: Arc<str>,
    /// The id of the response in its conversation.
    pub id: Arc<str>,
    /// The turns before the response, the oldest first: one at least.
    pub context: Vec<Arc<str>>,
    /// The response.
    pub response: Arc<str>,
}

/// Pairs, and what became of all messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selected {
    /// The pairs, sorted by conversation and id.
    pub pairs: Vec<Pair>,
    /// Counts and examples of what was dropped.
    pub funnel: Funnel,
}

impl Selected {
    /// The pairs of one part.
    pub fn part(&self, part: DialogPart) -> impl Iterator<Item = &Pair> {
        self.pairs.iter().filter(move |pair| pair.part == part)
    }
}

/// Conversations in memory: trees of messages, each in one part.
///
/// ```
/// use data_pipeline::dialog::{Checks, DialogSplit, Dialogs, Filters, Message, Reason};
/// use data_pipeline::dialog::{SafetyWords, words_as_subwords};
/// let message = |id: &str, parent: Option<&str>, text: &str| Message {
///     id: id.into(),
///     parent: parent.map(Into::into),
///     text: text.into(),
///     ..Message::default()
/// };
/// let dialogs = Dialogs::new(
///     vec![
///         message("c", Some("b"), "I like it too!"),
///         message("b", Some("a"), "Yes, it was great."),
///         message("d", Some("a"), "see http://x.org now"),
///         message("a", None, "Have you seen the film?"),
///     ],
///     &DialogSplit::default(),
/// )?;
/// let checks = Checks { subwords: &words_as_subwords, safety: &SafetyWords::shipped() };
/// let selected = dialogs.select(&Filters::default(), &checks)?;
/// assert_eq!(selected.pairs.len(), 2);
/// assert_eq!(selected.pairs[1].context.len(), 2);
/// assert_eq!(&*selected.pairs[1].response, "I like it too!");
/// assert_eq!(selected.funnel.count(Reason::Url), 1);
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
pub struct Dialogs {
    forest: Forest,
    parts: Vec<DialogPart>,
}

impl Dialogs {
    /// Of messages in any order. A conversation is in the part that its messages name, and if they
    /// name several in the first of test, validation and training; else in that which the split
    /// gives.
    ///
    /// # Errors
    /// When the split has [faults](DialogSplit::check).
    pub fn new(messages: Vec<Message>, split: &DialogSplit) -> Result<Self, DataError> {
        split.check()?;
        let forest = Forest::new(messages);
        let mut named: HashMap<&str, DialogPart> = HashMap::new();
        for message in &forest.messages {
            if let Some(part) = message.part {
                let known = named.entry(&message.conversation).or_insert(part);
                *known = part.min(*known);
            }
        }
        let mut last: Option<(&str, DialogPart)> = None;
        let part = |message| {
            let name = conversation(message);
            match last {
                Some((known, part)) if known == name => part,
                _ => {
                    let part = named.get(name).copied().unwrap_or_else(|| split.part(name));
                    last = Some((name, part));
                    part
                }
            }
        };
        let parts = forest.messages.iter().map(part).collect();
        Ok(Self { forest, parts })
    }

    /// How many messages there are.
    pub fn messages(&self) -> usize {
        self.parts.len()
    }

    /// The texts of one part as they were written, on one line each, sorted by conversation and
    /// id: what a vocabulary is made of.
    pub fn texts(&self, part: DialogPart) -> impl Iterator<Item = String> {
        let messages = self.forest.messages.iter().zip(&self.parts);
        let of_part = messages.filter(move |(_, its)| **its == part);
        of_part.map(|(message, _)| clean::one_line(&message.text).into_owned())
    }

    /// The pairs of messages that pass the filters: each message that replies to another, with the
    /// path above it. What replies to a dropped message is dropped with it. Near-duplicates are
    /// still there.
    ///
    /// # Errors
    /// When the filters have [faults](Filters::check), and those of what judges safety.
    pub fn select(&self, filters: &Filters, checks: &Checks<'_>) -> Result<Selected, DataError> {
        let mut counts: HashMap<Digest, u32> = HashMap::new();
        for message in &self.forest.messages {
            *counts.entry(counted(&message.text)).or_default() += 1;
        }
        self.select_counted(filters, checks, &|text| counts.get(&text).copied().unwrap_or(0), 0)
    }

    /// As [`Dialogs::select`] where this is a part of all messages: `occurrences` is how often a
    /// text occurs in all of them. On `workers` threads, 0 for one a processor.
    pub(super) fn select_counted(
        &self,
        filters: &Filters,
        checks: &Checks<'_>,
        occurrences: &(dyn Fn(Digest) -> u32 + Sync),
        workers: usize,
    ) -> Result<Selected, DataError> {
        filters.check()?;
        let forest = &self.forest;
        let (texts, reasons) = judged(forest, filters, checks, occurrences, workers)?;
        let mut funnel = Funnel { messages: texts.len() as u64, ..Funnel::default() };
        let mut dropped: Vec<Option<Reason>> = vec![None; texts.len()];
        for &i in &forest.order {
            let i = i as usize;
            dropped[i] = match forest.above[i] {
                Above::Fault(reason) => Some(reason),
                Above::Message(parent) if dropped[parent as usize].is_some() => {
                    Some(Reason::DroppedWithAncestor)
                }
                _ => reasons[i],
            };
        }
        let conversations = shared(&forest.messages);
        let mut pairs = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            if let Some(reason) = dropped[i] {
                funnel.drop(reason, &text.text);
                continue;
            }
            funnel.kept += 1;
            funnel.quotes_removed += u64::from(text.quoted);
            let mut context = Vec::new();
            let mut at = i;
            while context.len() < filters.max_turns
                && let Above::Message(parent) = forest.above[at]
            {
                at = parent as usize;
                context.push(texts[at].text.clone());
            }
            if !context.is_empty() {
                context.reverse();
                pairs.push(Pair {
                    part: self.parts[i],
                    conversation: conversations[i].clone(),
                    id: forest.messages[i].id.as_str().into(),
                    context,
                    response: text.text.clone(),
                });
            }
        }
        // Conversations without a name got one that need not be in order.
        pairs.sort_unstable_by(|a, b| (&a.conversation, &a.id).cmp(&(&b.conversation, &b.id)));
        funnel.pairs = pairs.len() as u64;
        Ok(Selected { pairs, funnel })
    }
}

fn conversation(message: &Message) -> &str {
    &message.conversation
}

/// A message's text as it is used.
struct Text {
    text: Arc<str>,
    /// Whether a quotation was taken out.
    quoted: bool,
}

/// Messages that one piece of work has.
const CHUNK: usize = 1 << 10;

/// The subwords of messages that were asked for, by their positions: a message is compared with
/// what replies to it, which mostly stands near it.
#[derive(Default)]
struct Known(RefCell<HashMap<usize, Rc<[u32]>>>);

impl Known {
    fn subwords(&self, message: usize, line: &str, checks: &Checks<'_>) -> Rc<[u32]> {
        let mut known = self.0.borrow_mut();
        known.entry(message).or_insert_with(|| (checks.subwords)(line).into()).clone()
    }
}

/// The texts of messages, and why each is dropped for its own sake.
fn judged(
    forest: &Forest,
    filters: &Filters,
    checks: &Checks<'_>,
    occurrences: &(dyn Fn(Digest) -> u32 + Sync),
    workers: usize,
) -> Result<(Vec<Text>, Vec<Option<Reason>>), DataError> {
    let n = forest.messages.len();
    let threads = match workers {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        workers => workers,
    };
    let parts = parallel::map_on(threads, n.div_ceil(CHUNK), |chunk| {
        let range = chunk * CHUNK..n.min((chunk + 1) * CHUNK);
        let known = &Known::default();
        let judge = |i: usize| {
            let message = &forest.messages[i];
            let line = clean::one_line(&message.text);
            let parent = match forest.above[i] {
                Above::Message(parent) => {
                    let parent = parent as usize;
                    Some((parent, clean::one_line(&forest.messages[parent].text)))
                }
                Above::Nothing => None,
                Above::Fault(_) => {
                    return (Text { text: line.into(), quoted: false }, None);
                }
            };
            let occurrences = occurrences(Digest::of(line.as_bytes()));
            let text = match &parent {
                Some((_, parent)) if filters.quotes => {
                    clean::without_quotes(&message.text, &line, parent)
                }
                _ => Cow::Borrowed(&*line),
            };
            let quoted = *text != *line;
            let own = || match quoted {
                true => (checks.subwords)(&text).into(),
                false => known.subwords(i, &text, checks),
            };
            let parent =
                parent.as_ref().map(|(at, line)| move || known.subwords(*at, line, checks));
            let reason = filters.reason(&message.author, &text, occurrences, own, parent);
            (Text { text: text.as_ref().into(), quoted }, reason)
        };
        let (texts, mut reasons): (Vec<Text>, Vec<Option<Reason>>) = range.map(judge).unzip();
        if filters.offensive {
            let left: Vec<usize> = (0..texts.len()).filter(|&i| reasons[i].is_none()).collect();
            let asked: Vec<&str> = left.iter().map(|&i| &*texts[i].text).collect();
            let answers = checks.safety.are_unsafe(&asked)?;
            assert_eq!(answers.len(), asked.len(), "an answer for each text");
            for (i, _) in left.into_iter().zip(answers).filter(|(_, is_unsafe)| *is_unsafe) {
                reasons[i] = Some(Reason::Unsafe);
            }
        }
        Ok((texts, reasons))
    });
    let parts = parts.into_iter().collect::<Result<Vec<_>, DataError>>()?;
    let (texts, reasons): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    Ok((texts.into_iter().flatten().collect(), reasons.into_iter().flatten().collect()))
}

/// The conversations of messages; those of one conversation that stand together share the name.
fn shared(messages: &[Message]) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::with_capacity(messages.len());
    for message in messages {
        match names.last() {
            Some(last) if **last == *message.conversation => names.push(last.clone()),
            _ => names.push(message.conversation.as_str().into()),
        }
    }
    names
}
