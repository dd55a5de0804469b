//! What holds for any messages.

use super::checks;
use data_pipeline::dialog::*;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Messages of three conversations whose parents are anything: earlier or later ones, themselves,
/// missing ones; ids repeat now and then.
fn messages() -> impl Strategy<Value = Vec<Message>> {
    let text = prop_oneof![
        4 => "[a-e]{2,6} [a-e]{2,6} [a-e]{2,6}",
        1 => Just("see http://x.org now".to_owned()),
        1 => Just("12345 678".to_owned()),
        1 => Just(String::new()),
    ];
    let author = prop_oneof![6 => Just("ann"), 1 => Just("RoBot")];
    let message = (0..30usize, prop::option::weighted(0.8, 0..34usize), 0..3usize, author, text);
    let message = message.prop_map(|(id, parent, conversation, author, text)| Message {
        conversation: ["", "x", "y"][conversation].into(),
        id: id.to_string(),
        parent: parent.map(|parent| parent.to_string()),
        author: author.into(),
        text,
        part: None,
    });
    prop::collection::vec(message, 0..60)
}

/// The parent's id; who names itself has none.
fn parent_of(message: &Message) -> Option<&str> {
    message.parent.as_deref().filter(|parent| *parent != message.id)
}

fn select(messages: Vec<Message>, filters: &Filters) -> Selected {
    let split = DialogSplit { seed: 3, validation: 0.3, test: 0.3 };
    Dialogs::new(messages, &split).unwrap().select(filters, &checks()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_order_of_messages_does_not_matter(
        (one, other) in messages().prop_flat_map(|m| (Just(m.clone()), Just(m).prop_shuffle()))
    ) {
        let filters = Filters { max_occurrences: 3, ..Filters::default() };
        prop_assert_eq!(select(one, &filters), select(other, &filters));
    }

    #[test]
    fn nothing_comes_after_a_dropped_message(messages in messages()) {
        let (max_occurrences, max_parent_overlap) = (3, 2.0);
        let filters = Filters { max_occurrences, max_parent_overlap, ..Filters::default() };
        let found = select(messages.clone(), &filters);
        // The same by brute force: of each id one message, kept if all above it are kept.
        let mut known: BTreeMap<(&str, &str), &Message> = BTreeMap::new();
        let mut sorted: Vec<&Message> = messages.iter().collect();
        sorted.sort_by_key(|m| (m.text.len(), m.parent.is_some(), Reverse(*m)));
        for message in sorted {
            known.insert((&message.conversation, &message.id), message);
        }
        let times = |text: &str| messages.iter().filter(|m| m.text == text).count();
        let fit = |m: &Message| {
            let bad = m.text.contains("http") || m.text.contains('1') || m.text.is_empty();
            !bad && m.author == "ann" && times(&m.text) <= 3
        };
        let mut expected: Vec<(String, Vec<&str>)> = Vec::new();
        for message in known.values() {
            let mut path = vec![*message];
            while let Some(parent) = parent_of(path[path.len() - 1])
                && let Some(parent) = known.get(&(message.conversation.as_str(), parent))
                && path.len() <= messages.len()
            {
                path.push(parent);
            }
            let whole = parent_of(path[path.len() - 1]).is_none();
            if path.len() > 1 && whole && path.iter().all(|m| fit(m)) {
                let turns = path.iter().take(8).rev().map(|m| m.text.as_str());
                expected.push((message.id.clone(), turns.collect()));
            }
        }
        let mut pairs: Vec<(String, Vec<&str>)> = Vec::new();
        for pair in &found.pairs {
            let turns = pair.context.iter().chain([&pair.response]).map(|turn| &**turn);
            pairs.push((pair.id.to_string(), turns.collect()));
            prop_assert!((1..=7).contains(&pair.context.len()));
        }
        expected.sort();
        pairs.sort();
        prop_assert_eq!(pairs, expected);
        let dropped: u64 = found.funnel.dropped.values().map(|dropped| dropped.count).sum();
        prop_assert_eq!(found.funnel.kept + dropped, messages.len() as u64);
        prop_assert!(found.funnel.pairs <= found.funnel.kept);
    }

    #[test]
    fn a_conversation_is_in_one_part(messages in messages()) {
        let mut found = select(messages, &Filters::none());
        let mut parts: BTreeMap<String, BTreeSet<DialogPart>> = BTreeMap::new();
        for pair in &found.pairs {
            parts.entry(pair.conversation.to_string()).or_default().insert(pair.part);
        }
        prop_assert!(parts.values().all(|parts| parts.len() == 1));
        let before = found.pairs.len();
        found.remove_near_duplicates();
        prop_assert_eq!(before as u64, found.pairs.len() as u64 + found.funnel.near_duplicates);
    }
}
