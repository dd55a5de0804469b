//! The embedded addresses as running text, and passages of them that are told apart by when they
//! were spoken.

use std::sync::Arc;

use anyhow::Result;
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::addresses::{self, Address};
use data_pipeline::text::{Example, Target, TextSet};

use super::texts::Texts;

/// The first years of four classes of like size.
pub(super) fn eras() -> Vec<u32> {
    vec![1790, 1850, 1900, 1950]
}

/// The years of the first address and of the last.
const YEARS: [u32; 2] = [1790, 2021];

/// What is wrong with the first years of classes.
pub(super) fn check(first_years: &[u32]) -> Result<(), String> {
    let [first, last] = YEARS;
    if first_years.len() < 2 {
        return Err("first_years: at least two classes are needed".to_owned());
    }
    if !first_years.is_sorted_by(|a, b| a < b) || first_years.iter().any(|year| *year > last) {
        return Err(format!("first_years: must be rising and not after {last}"));
    }
    if first_years[0] > first {
        return Err(format!("first_years: the first class must begin by {first}"));
    }
    Ok(())
}

/// Classes by the years that they are of.
fn names(first_years: &[u32]) -> Vec<String> {
    let ends = first_years[1..].iter().map(|next| next - 1).chain([YEARS[1]]);
    first_years.iter().zip(ends).map(|(first, last)| format!("{first} to {last}")).collect()
}

/// One in so many addresses is neither pre-trained on nor drawn labels from.
const HELD_OUT: usize = 5;

/// Sentences are joined to passages of at least so many words.
const WORDS: usize = 40;

pub(super) fn open(first_years: &[u32]) -> Result<Texts> {
    let all = addresses::load();
    let is_held_out = |i: usize| i % HELD_OUT == HELD_OUT - 1;
    let part = |held_out: bool| -> Vec<&Address> {
        let chosen = all.iter().enumerate().filter(|(i, _)| is_held_out(*i) == held_out);
        chosen.map(|(_, address)| address).collect()
    };
    let (ours, others) = (part(false), part(true));
    let set = |name: &str, addresses: &[&Address]| {
        let examples =
            addresses.iter().flat_map(|address| passages(address, first_years)).collect();
        TextSet::new(name, examples, names(first_years))
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
    let unlabeled = Arc::new(labeled.clone().without_targets());
    Ok(Texts { about, running, held_out, labeled, unlabeled, test: Arc::new(test) })
}

/// Sentences one after another, as many as give a passage.
fn passages(address: &Address, first_years: &[u32]) -> Vec<Example> {
    let era = first_years.iter().filter(|first| **first <= address.year).count() as u32 - 1;
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
        let texts = open(&eras()).expect("embedded");
        assert_eq!(texts.labeled.classes()[3], "1950 to 2021");
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
