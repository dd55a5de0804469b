//! From messages to pairs of a context and a response.

use super::clean;
use super::filters::{Checks, Filters};
use super::forest::{Above, Forest};
use super::funnel::{Funnel, Reason};
use super::message::Message;
use super::part::{DialogPart, DialogSplit};
use crate::error::DataError;
use crate::parallel;
use foldhash::fast::RandomState;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
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
    /// Sorts messages, given in any order, into conversations. A conversation is in the part that
    /// its messages name, and if they name several in the first of test, validation and training;
    /// else in that which the split gives.
    ///
    /// # Errors
    /// When the split has [faults](DialogSplit::check).
    pub fn new(messages: Vec<Message>, split: &DialogSplit) -> Result<Self, DataError> {
        split.check()?;
        let forest = Forest::new(messages);
        let mut named: HashMap<&str, DialogPart> = HashMap::new();
        for run in forest.runs() {
            if let Some(part) = run.iter().filter_map(|message| message.part).min() {
                let known = named.entry(&run[0].conversation).or_insert(part);
                *known = part.min(*known);
            }
        }
        let mut parts = Vec::with_capacity(forest.messages.len());
        for run in forest.runs() {
            let name = run[0].conversation.as_str();
            let part = named.get(name).copied().unwrap_or_else(|| split.part(name));
            parts.resize(parts.len() + run.len(), part);
        }
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

    /// Hands out conversation, part and text of each message.
    pub(super) fn each(&self, mut each: impl FnMut(&str, DialogPart, &str)) {
        for (message, &part) in self.forest.messages.iter().zip(&self.parts) {
            each(&message.conversation, part, &message.text);
        }
    }

    /// The pairs of messages that pass the filters: each message that replies to another, with the
    /// path above it. What replies to a dropped message is dropped with it. Near-duplicates are
    /// still there.
    ///
    /// # Errors
    /// When the filters have [faults](Filters::check), and those of what judges safety.
    pub fn select(&self, filters: &Filters, checks: &Checks<'_>) -> Result<Selected, DataError> {
        let lines = self.lines();
        let mut counts: HashMap<&str, u32, RandomState> = HashMap::default();
        for line in &lines {
            *counts.entry(line).or_default() += 1;
        }
        let occurrences: Vec<u32> = lines.iter().map(|line| counts[&**line]).collect();
        drop(counts);
        self.selected(filters, checks, (lines, &occurrences), 0)
    }

    /// As [`Dialogs::select`] where this is a part of all messages, whole conversations of them:
    /// `often` says how often a text, on [one line](super::one_line), occurs in all of them. On
    /// `workers` threads, 0 for one a processor.
    ///
    /// # Errors
    /// As there.
    pub fn select_of_many(
        &self,
        filters: &Filters,
        checks: &Checks<'_>,
        often: impl Fn(&str) -> u32,
        workers: usize,
    ) -> Result<Selected, DataError> {
        let lines = self.lines();
        let occurrences: Vec<u32> = lines.iter().map(|line| often(line)).collect();
        self.selected(filters, checks, (lines, &occurrences), workers)
    }

    /// The texts of all messages on one line each.
    fn lines(&self) -> Vec<Cow<'_, str>> {
        self.forest.messages.iter().map(|message| clean::one_line(&message.text)).collect()
    }

    /// The pairs; `lines` are the texts, with how often each occurs in all messages.
    fn selected(
        &self,
        filters: &Filters,
        checks: &Checks<'_>,
        (lines, occurrences): (Vec<Cow<'_, str>>, &[u32]),
        workers: usize,
    ) -> Result<Selected, DataError> {
        filters.check()?;
        let forest = &self.forest;
        let Judged { left, reasons } =
            judged(forest, &lines, filters, checks, occurrences, workers)?;
        let mut funnel = Funnel { messages: lines.len() as u64, ..Funnel::default() };
        let mut dropped: Vec<Option<Reason>> = vec![None; lines.len()];
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
        let mut shared: Vec<Option<Arc<str>>> = vec![None; lines.len()];
        // A line goes as soon as what is kept of it is there.
        for (i, (line, left)) in lines.into_iter().zip(left).enumerate() {
            let text = left.as_deref().unwrap_or(&line);
            if let Some(reason) = dropped[i] {
                match (reason, &forest.messages[i]) {
                    (Reason::MissingParent, Message { id, parent: Some(parent), .. }) => {
                        let named = format!("`{id}` replies to `{parent}`, which is not there");
                        funnel.drop(reason, &format!("{named}: {text}"));
                    }
                    (Reason::ConflictingId, Message { id, conversation, .. }) => {
                        let named = match conversation == id {
                            true => format!("another text of `{id}`"),
                            false => format!("another text of `{id}` in `{conversation}`"),
                        };
                        funnel.drop(reason, &format!("{named}: {text}"));
                    }
                    _ => funnel.drop(reason, text),
                }
                continue;
            }
            funnel.kept += 1;
            funnel.quotes_removed += u64::from(left.is_some());
            shared[i] = Some(text.into());
        }
        let mut pairs = Vec::new();
        let mut start = 0;
        for run in forest.runs() {
            let conversation: Arc<str> = run[0].conversation.as_str().into();
            for (i, message) in (start..).zip(run) {
                let Some(response) = &shared[i] else { continue };
                let mut context = Vec::new();
                let mut at = i;
                while context.len() < filters.max_turns
                    && let Above::Message(parent) = forest.above[at]
                {
                    at = parent as usize;
                    context.extend(shared[at].clone());
                }
                if !context.is_empty() {
                    context.reverse();
                    pairs.push(Pair {
                        part: self.parts[i],
                        conversation: conversation.clone(),
                        id: message.id.as_str().into(),
                        context,
                        response: response.clone(),
                    });
                }
            }
            start += run.len();
        }
        // Conversations without a name got one that need not be in order.
        pairs.sort_unstable_by(|a, b| (&a.conversation, &a.id).cmp(&(&b.conversation, &b.id)));
        funnel.pairs = pairs.len() as u64;
        Ok(Selected { pairs, funnel })
    }
}

/// Messages that one piece of work has.
const CHUNK: usize = 1 << 10;

/// The subwords of the messages of a piece of work, and of those that they reply to, each worked
/// out when it is first asked for.
struct Known<'a> {
    start: usize,
    own: Vec<OnceCell<Vec<u32>>>,
    others: HashMap<usize, OnceCell<Vec<u32>>>,
    lines: &'a [Cow<'a, str>],
    checks: &'a Checks<'a>,
}

impl<'a> Known<'a> {
    fn new(
        range: &Range<usize>,
        forest: &Forest,
        lines: &'a [Cow<'a, str>],
        checks: &'a Checks<'a>,
    ) -> Self {
        let parent = |above: &Above| match above {
            Above::Message(parent) => Some(*parent as usize),
            Above::Nothing | Above::Fault(_) => None,
        };
        let parents = forest.above[range.clone()].iter().filter_map(parent);
        let others = parents.filter(|parent| !range.contains(parent));
        let others = others.map(|parent| (parent, OnceCell::new())).collect();
        Self { start: range.start, own: vec![OnceCell::new(); range.len()], others, lines, checks }
    }

    fn subwords(&self, message: usize) -> &[u32] {
        let own = message.checked_sub(self.start).and_then(|at| self.own.get(at));
        let cell = own.unwrap_or_else(|| &self.others[&message]);
        cell.get_or_init(|| (self.checks.subwords)(&self.lines[message]))
    }
}

/// What was found of messages.
#[derive(Default)]
struct Judged {
    /// What is left of each message from which a quotation was taken out.
    left: Vec<Option<String>>,
    /// Why each is dropped for its own sake.
    reasons: Vec<Option<Reason>>,
}

/// Judges messages, each for itself.
fn judged<'a>(
    forest: &Forest,
    lines: &'a [Cow<'a, str>],
    filters: &Filters,
    checks: &Checks<'_>,
    occurrences: &[u32],
    workers: usize,
) -> Result<Judged, DataError> {
    let n = forest.messages.len();
    let threads = match workers {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        workers => workers,
    };
    let parts = parallel::map_on(threads, n.div_ceil(CHUNK), |chunk| -> Result<_, DataError> {
        let range = chunk * CHUNK..n.min((chunk + 1) * CHUNK);
        let known = &Known::new(&range, forest, lines, checks);
        let judge = |i: usize| {
            let (message, line) = (&forest.messages[i], &*lines[i]);
            let parent = match forest.above[i] {
                Above::Message(parent) => Some(parent as usize),
                Above::Nothing => None,
                Above::Fault(_) => return (Cow::Borrowed(line), None),
            };
            let text = match parent {
                Some(parent) if filters.quotes => {
                    clean::without_quotes(&message.text, line, &lines[parent])
                }
                _ => Cow::Borrowed(line),
            };
            let own = || match &text {
                Cow::Owned(left) => (checks.subwords)(left).into(),
                Cow::Borrowed(_) => known.subwords(i).into(),
            };
            let parent = parent.map(|parent| move || known.subwords(parent));
            let reason = filters.reason(&message.author, &text, occurrences[i], own, parent);
            (text, reason)
        };
        let (texts, mut reasons): (Vec<_>, Vec<_>) = range.clone().map(judge).unzip();
        if filters.offensive {
            let left: Vec<usize> = (0..texts.len()).filter(|&i| reasons[i].is_none()).collect();
            let asked: Vec<&str> = left.iter().map(|&i| &*texts[i]).collect();
            let answers = checks.safety.are_unsafe(&asked)?;
            assert_eq!(answers.len(), asked.len(), "an answer for each text");
            for (i, _) in left.into_iter().zip(answers).filter(|(_, is_unsafe)| *is_unsafe) {
                reasons[i] = Some(Reason::Unsafe);
            }
        }
        let left = texts.into_iter().map(|text| match text {
            Cow::Owned(left) => Some(left),
            Cow::Borrowed(_) => None,
        });
        Ok(Judged { left: left.collect(), reasons })
    });
    let mut all = Judged::default();
    for part in parts {
        let Judged { left, reasons } = part?;
        all.left.extend(left);
        all.reasons.extend(reasons);
    }
    Ok(all)
}
