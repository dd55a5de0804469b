//! A study without the names of its systems, for people who must not know them yet.

use crate::item::System;
use crate::study::Study;
use augment::rng::Key;
use std::collections::BTreeMap;

/// What keys' views are for the draws of this module.
const VIEW: u64 = 1220;

/// New names for old ones: a word and a number, in random order.
fn renamed<'a>(
    names: impl Iterator<Item = &'a String>,
    word: &str,
    seed: u64,
    index: u64,
) -> BTreeMap<String, String> {
    let mut names: Vec<&String> = names.collect();
    names.sort_unstable();
    names.dedup();
    Key { seed, epoch: 0, index, view: VIEW }.rng().shuffle(&mut names);
    (1..).zip(names).map(|(number, name)| (name.clone(), format!("{word} {number}"))).collect()
}

impl Study {
    /// This study with numbers for the names of systems, items, pairs and conversations, which
    /// may all tell systems apart; how and from what responses were drawn is left out. Also gives
    /// each new name of a system with its old one, to be kept apart until the study is unblinded.
    ///
    /// The same seed gives the same names. The texts of responses stay, and may themselves say who
    /// speaks.
    pub fn blinded(&self, seed: u64) -> (Self, BTreeMap<String, String>) {
        let pairs = self.pairs.iter();
        let systems = self.systems.iter().map(|system| &system.name);
        let systems = systems.chain(self.rated().map(|item| &item.system));
        let systems = systems.chain(pairs.clone().flat_map(|pair| &pair.systems));
        let systems = renamed(systems, "system", seed, 0);
        let items = renamed(self.items.iter().map(|item| &item.id), "item", seed, 1);
        let of_items = self.items.iter().map(|item| &item.conversation);
        let conversations = of_items.chain(pairs.clone().map(|pair| &pair.conversation));
        let conversations = renamed(conversations, "conversation", seed, 2);
        let pairs = renamed(pairs.map(|pair| &pair.id), "pair", seed, 3);
        // A rating of an unknown item keeps its id, so that the check still finds it.
        let give = |names: &BTreeMap<String, String>, name: &mut String| {
            if let Some(new) = names.get(name) {
                name.clone_from(new);
            }
        };
        let mut study = self.clone();
        study.systems = systems
            .values()
            .map(|name| System { name: name.clone(), ..System::default() })
            .collect();
        for item in &mut study.items {
            give(&items, &mut item.id);
            give(&systems, &mut item.system);
            give(&conversations, &mut item.conversation);
            (item.decoding, item.seed, item.likelihood) = (None, None, None);
        }
        for rating in &mut study.ratings {
            give(&items, &mut rating.item);
        }
        for judgment in &mut study.judgments {
            give(&items, &mut judgment.item);
        }
        for decision in &mut study.adjudications {
            give(&items, &mut decision.item);
        }
        for pair in &mut study.pairs {
            give(&pairs, &mut pair.id);
            give(&conversations, &mut pair.conversation);
            for system in &mut pair.systems {
                give(&systems, system);
            }
        }
        for preference in &mut study.preferences {
            give(&pairs, &mut preference.pair);
        }
        (study, systems.into_iter().map(|(old, new)| (new, old)).collect())
    }
}
