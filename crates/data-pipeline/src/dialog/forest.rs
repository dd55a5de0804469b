//! Messages as trees, whatever their order: missing parents, cycles and double ids are found, and
//! nothing here goes as deep as a tree.

use super::funnel::Reason;
use super::message::{Message, is_not_available, without_point};
use foldhash::fast::RandomState;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Above {
    /// It is the first one of its tree.
    Nothing,
    /// The position of the message that it replies to.
    Message(u32),
    /// It is in no tree.
    Fault(Reason),
}

/// Messages sorted by conversation and id, with what is above each.
pub(super) struct Forest {
    pub(super) messages: Vec<Message>,
    pub(super) above: Vec<Above>,
    /// All positions, each behind that of the message it replies to; messages without a tree, and
    /// what replies to them, as well.
    pub(super) order: Vec<u32>,
    /// Where the messages of one conversation that stand together end.
    ends: Vec<usize>,
}

impl Forest {
    /// The forest of messages in any order. Of several with one id the one with the longest text is
    /// kept, and of equally long ones the one that comes first in the alphabet.
    pub(super) fn new(mut messages: Vec<Message>) -> Self {
        assert!(messages.len() < u32::MAX as usize, "{} messages at once", messages.len());
        let ends = sort(&mut messages);
        let mut above: Vec<Above> = Vec::with_capacity(messages.len());
        let mut start = 0;
        for end in ends {
            let conversation = &messages[start..end];
            // The first message of the id that is looked at, which is kept.
            let mut first = 0;
            for (i, message) in conversation.iter().enumerate() {
                let doubled = i > 0 && conversation[i - 1].id == message.id;
                first = if doubled { first } else { i };
                let text = message.text.trim();
                let same = text.is_empty() || text == conversation[first].text.trim();
                above.push(match (doubled, same) {
                    (true, true) => Above::Fault(Reason::DuplicateId),
                    (true, false) => Above::Fault(Reason::ConflictingId),
                    (false, _) => place(message, conversation, start),
                });
            }
            start = end;
        }
        let order = order(&mut above);
        let mut forest = Self { messages, above, order, ends: Vec::new() };
        forest.name_conversations();
        let runs = forest.messages.chunk_by(|a, b| a.conversation == b.conversation);
        let mut end = 0;
        forest.ends = runs
            .map(|run| {
                end += run.len();
                end
            })
            .collect();
        forest
    }

    /// The messages in their order, those of one conversation that stand together at once. A
    /// conversation may come up again, where one without a name is called like it.
    pub(super) fn runs(&self) -> impl Iterator<Item = &[Message]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.messages[std::mem::replace(&mut start, end)..end])
    }

    /// Messages without a conversation get the id of the first message of their tree.
    fn name_conversations(&mut self) {
        for &i in &self.order {
            let i = i as usize;
            if !self.messages[i].conversation.is_empty() {
                continue;
            }
            self.messages[i].conversation = match self.above[i] {
                Above::Message(parent) => self.messages[parent as usize].conversation.clone(),
                _ => self.messages[i].id.clone(),
            };
        }
    }
}

/// What is above a message of a conversation, whose messages are sorted by their ids and have the
/// positions from `start` on.
fn place(message: &Message, conversation: &[Message], start: usize) -> Above {
    let Some(parent) = &message.parent else { return Above::Nothing };
    let called = |id: &str| {
        // ConvoKit's Switchboard says so of the first message of a conversation.
        if id == message.id {
            return Some(Above::Nothing);
        }
        let at = conversation.partition_point(|other| other.id.as_str() < id);
        conversation.get(at).filter(|other| other.id == id)?;
        Some(Above::Message((start + at) as u32))
    };
    // Pandas makes floats of numbers with gaps, as parents are; but `1.0` may be a name too.
    let found = called(parent).or_else(|| called(without_point(parent)?));
    found.unwrap_or(match is_not_available(parent) {
        true => Above::Nothing,
        false => Above::Fault(Reason::MissingParent),
    })
}

/// Sorts messages by conversation and id, those of one id so that the one that is kept comes first.
/// Gives where each conversation ends.
fn sort(messages: &mut [Message]) -> Vec<usize> {
    // Names are long and alike: they are sorted by themselves, and messages only within them.
    let mut numbers: HashMap<&str, u32, RandomState> = HashMap::default();
    let mut names: Vec<&str> = Vec::new();
    let mut its: Vec<u32> = Vec::with_capacity(messages.len());
    for message in messages.iter() {
        let name = message.conversation.as_str();
        its.push(match its.last() {
            Some(&last) if names[last as usize] == name => last,
            _ => *numbers.entry(name).or_insert_with(|| {
                names.push(name);
                names.len() as u32 - 1
            }),
        });
    }
    let mut ranked: Vec<u32> = (0..names.len() as u32).collect();
    ranked.sort_unstable_by_key(|&number| names[number as usize]);
    let mut counts = vec![0; names.len()];
    its.iter().for_each(|&number| counts[number as usize] += 1);
    // Where the next message of each conversation goes.
    let mut next = vec![0; names.len()];
    let mut end = 0;
    let mut ends = Vec::with_capacity(names.len());
    for &number in &ranked {
        next[number as usize] = end;
        end += counts[number as usize];
        ends.push(end);
    }
    let mut order = vec![0u32; messages.len()];
    for (i, &number) in its.iter().enumerate() {
        order[next[number as usize]] = i as u32;
        next[number as usize] += 1;
    }
    let mut start = 0;
    for &end in &ends {
        order[start..end].sort_unstable_by(|&a, &b| {
            let (a, b) = (&messages[a as usize], &messages[b as usize]);
            let place = |m: &Message| (Reverse(m.text.len()), m.parent.is_none());
            let kept = || place(a).cmp(&place(b)).then_with(|| a.cmp(b));
            a.id.cmp(&b.id).then_with(kept)
        });
        start = end;
    }
    // Each goes to its place, along one circle of places after another.
    for first in 0..order.len() {
        let mut at = first;
        loop {
            let from = std::mem::replace(&mut order[at], at as u32) as usize;
            if from == first {
                break;
            }
            messages.swap(at, from);
            at = from;
        }
    }
    ends
}

/// Positions with parents first; what is in a cycle is marked as that and comes as the first of
/// what replies to it.
fn order(above: &mut [Above]) -> Vec<u32> {
    let n = above.len();
    // Replies of each message, one list behind the other.
    let mut starts = vec![0u32; n + 1];
    for place in above.iter() {
        if let Above::Message(parent) = place {
            starts[*parent as usize + 1] += 1;
        }
    }
    for i in 0..n {
        starts[i + 1] += starts[i];
    }
    let mut next = starts.clone();
    let mut replies = vec![0u32; starts[n] as usize];
    for (i, place) in above.iter().enumerate() {
        if let Above::Message(parent) = place {
            let at = &mut next[*parent as usize];
            replies[*at as usize] = i as u32;
            *at += 1;
        }
    }
    let mut order: Vec<u32> = Vec::with_capacity(n);
    let mut reached = vec![false; n];
    let spread = |order: &mut Vec<u32>, reached: &mut Vec<bool>, mut done: usize| {
        while done < order.len() {
            let i = order[done] as usize;
            done += 1;
            for &reply in &replies[starts[i] as usize..starts[i + 1] as usize] {
                if !reached[reply as usize] {
                    reached[reply as usize] = true;
                    order.push(reply);
                }
            }
        }
    };
    for (i, place) in above.iter().enumerate() {
        if !matches!(place, Above::Message(_)) {
            reached[i] = true;
            order.push(i as u32);
        }
    }
    spread(&mut order, &mut reached, 0);
    // What is left is in a cycle, or below one. Who follows parents for long enough is in one.
    let mut seen = vec![u32::MAX; n];
    for start in 0..n {
        let mut at = start;
        while !reached[at] && seen[at] == u32::MAX {
            seen[at] = start as u32;
            let Above::Message(parent) = above[at] else { break };
            at = parent as usize;
        }
        if reached[at] || seen[at] != start as u32 {
            continue;
        }
        let (first, done) = (at, order.len());
        while let Above::Message(parent) = above[at] {
            above[at] = Above::Fault(Reason::Cycle);
            reached[at] = true;
            order.push(at as u32);
            at = parent as usize;
            if at == first {
                break;
            }
        }
        spread(&mut order, &mut reached, done);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_are_sorted_by_conversation_id_and_text(
            drawn in prop::collection::vec(("[ab]{0,2}", "[0-3]", "[xy]{0,2}"), 0..40)
        ) {
            let message = |(conversation, id, text): (String, String, String)| {
                Message { conversation, id, text, ..Message::default() }
            };
            let mut messages: Vec<Message> = drawn.into_iter().map(message).collect();
            let mut wanted = messages.clone();
            wanted.sort_by_key(|m| {
                (m.conversation.clone(), m.id.clone(), Reverse(m.text.len()), m.text.clone())
            });
            let ends = sort(&mut messages);
            prop_assert_eq!(&messages, &wanted);
            let runs = wanted.chunk_by(|a, b| a.conversation == b.conversation);
            let lengths: Vec<usize> = runs.map(<[Message]>::len).collect();
            let starts = [0].into_iter().chain(ends.iter().copied());
            let found: Vec<usize> = ends.iter().zip(starts).map(|(end, start)| end - start).collect();
            prop_assert_eq!(found, lengths);
        }
    }

    fn forest(messages: &[(&str, Option<&str>)]) -> Forest {
        let message = |(id, parent): &(&str, Option<&str>)| Message {
            id: (*id).into(),
            parent: parent.map(Into::into),
            text: format!("text of {id}"),
            ..Message::default()
        };
        Forest::new(messages.iter().map(message).collect())
    }

    #[test]
    fn cycles_and_what_hangs_below_them() {
        // a → b → c → a, d below c, e below d, f its own parent, which is none, g a tree.
        let found = forest(&[
            ("e", Some("d")),
            ("d", Some("c")),
            ("a", Some("b")),
            ("b", Some("c")),
            ("c", Some("a")),
            ("f", Some("f")),
            ("g", None),
        ]);
        let cycle = Above::Fault(Reason::Cycle);
        assert_eq!(found.above[..3], [cycle; 3]);
        assert_eq!(found.above[3..5], [Above::Message(2), Above::Message(3)]);
        assert_eq!(found.above[5..], [Above::Nothing; 2]);
        let mut places = [0; 7];
        found.order.iter().enumerate().for_each(|(at, &i)| places[i as usize] = at);
        assert!(places[2] < places[3] && places[3] < places[4]);
        let mut order = found.order.clone();
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn parents_are_looked_up_as_written_and_then_as_whole_numbers() {
        let found = forest(&[("1", None), ("2", Some("1.0")), ("3", Some("3.0"))]);
        assert_eq!(found.above, [Above::Nothing, Above::Message(0), Above::Nothing]);
        // Of numbered headings both may be there.
        let found = forest(&[("1", None), ("1.0", Some("1")), ("2", Some("1.0"))]);
        assert_eq!(found.above, [Above::Nothing, Above::Message(0), Above::Message(1)]);
        // R writes NA for nothing; but a message may be called so.
        let found = forest(&[("1", Some("NA")), ("2", Some("1")), ("3", Some("N/A"))]);
        assert_eq!(found.above, [Above::Nothing, Above::Message(0), Above::Nothing]);
        let found = forest(&[("1", Some("NA")), ("NA", None)]);
        assert_eq!(found.above, [Above::Message(1), Above::Nothing]);
        let found = forest(&[("a", None), ("b", Some("a.0")), ("c", Some("1.0"))]);
        assert_eq!(found.above[1..], [Above::Fault(Reason::MissingParent); 2]);
    }

    #[test]
    fn conversations_are_called_after_the_first_message() {
        let found = forest(&[("a", Some("b")), ("b", None), ("c", Some("zz"))]);
        let names: Vec<&str> = found.messages.iter().map(|m| m.conversation.as_str()).collect();
        assert_eq!(names, ["b", "b", "c"]);
    }
}
