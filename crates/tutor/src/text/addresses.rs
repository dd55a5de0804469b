//! The embedded addresses as running text, and passages of them that are told apart by when they
//! were spoken.

use std::sync::Arc;

use anyhow::Result;
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::addresses::{self, Address};
use data_pipeline::text::{Example, Target, TextSet};

use super::texts::Texts;

/// The first year of each class.
const ERAS: [u32; 4] = [1790, 1850, 1900, 1950];
const NAMES: [&str; 4] = ["1790 to 1849", "1850 to 1899", "1900 to 1949", "1950 to 2021"];

/// One in so many addresses is neither pre-trained on nor drawn labels from.
const HELD_OUT: usize = 5;

/// Sentences are joined to passages of at least so many words.
const WORDS: usize = 40;

pub(super) fn open() -> Result<Texts> {
    let all = addresses::load();
    let is_held_out = |i: usize| i % HELD_OUT == HELD_OUT - 1;
    let part = |held_out: bool| -> Vec<&Address> {
        let chosen = all.iter().enumerate().filter(|(i, _)| is_held_out(*i) == held_out);
        chosen.map(|(_, address)| address).collect()
    };
    let (ours, others) = (part(false), part(true));
    let set = |name: &str, addresses: &[&Address]| {
        let examples = addresses.iter().flat_map(|address| passages(address)).collect();
        TextSet::new(name, examples, NAMES.map(str::to_owned).to_vec())
    };
    let labeled = set("passages of addresses", &ours)?;
    let test = set("passages of other addresses", &others)?;
    let about = format!(
        "State of the Union addresses, 1790 to 2021: {} to pre-train on and to draw labels from, {} \
         others with {} test passages; classes are when a passage was spoken",
        ours.len(),
        others.len(),
        test.len()
    );
    let documents = |addresses: &[&Address]| {
        addresses.iter().map(|address| address.sentences.clone()).collect()
    };
    let (running, held_out) = (documents(&ours), documents(&others));
    Ok(Texts { about, running, held_out, labeled, test: Arc::new(test) })
}

/// Sentences one after another, as many as give a passage.
fn passages(address: &Address) -> Vec<Example> {
    let era = ERAS.iter().filter(|first| **first <= address.year).count() as u32 - 1;
    let (mut found, mut text) = (Vec::new(), String::new());
    for sentence in &address.sentences {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(sentence);
        if text.split(' ').count() >= WORDS {
            let id = format!("addresses/{}/{}", address.year, found.len());
            let a = std::mem::take(&mut text);
            let texts = data_pipeline::text::Texts { a, b: None };
            found.push(Example { id, texts, target: Target::Class(era) });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_of_like_size_and_parts_share_no_address() {
        let texts = open().expect("embedded");
        for set in [&texts.labeled, &*texts.test] {
            let count =
                |class| set.examples().iter().filter(move |e| e.target == Target::Class(class));
            let counts: Vec<usize> = (0..4).map(|class| count(class).count()).collect();
            assert!(counts.iter().all(|n| *n >= 100), "{}: {counts:?}", set.name());
        }
        let years = |set: &TextSet| -> std::collections::BTreeSet<String> {
            let year = |e: &Example| e.id.split('/').nth(1).expect("a year").to_owned();
            set.examples().iter().map(year).collect()
        };
        assert!(years(&texts.labeled).is_disjoint(&years(&texts.test)));
        assert_eq!(texts.running.len() + texts.held_out.len(), 59);
        let shared = texts.running.iter().any(|document| texts.held_out.contains(document));
        assert!(!shared);
    }
}
