//! What holds for any messages.

use super::checks;
use data_pipeline::dialog::*;
use proptest::prelude::*;
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
        let filters = Filters { max_occurrences: 3, ..Filters::default() };
        let found = select(messages.clone(), &filters);
        for pair in &found.pairs {
            prop_assert!((1..=7).contains(&pair.context.len()));
            for turn in pair.context.iter().chain([&pair.response]) {
                prop_assert!(!turn.contains("http") && !turn.is_empty() && !turn.contains('1'));
            }
            // The path above leads to a first message by way of kept ones alone.
            let mut at = pair.id.to_string();
            let mut turns = 0;
            loop {
                let own: Vec<&Message> = messages
                    .iter()
                    .filter(|m| m.id == at)
                    .filter(|m| m.conversation == *pair.conversation || m.conversation.is_empty())
                    .collect();
                prop_assert!(!own.is_empty());
                prop_assert!(own.iter().any(|m| !m.author.contains("Bot")));
                turns += 1;
                prop_assert!(turns <= messages.len(), "a path without end");
                match own.iter().find_map(|m| m.parent.clone()) {
                    Some(parent) if own.iter().all(|m| m.parent.is_some()) => at = parent,
                    _ => break,
                }
            }
        }
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
