//! Synthetic texts in which labels can spread from text to text: they have no licence that keeps
//! them out of the repository, and how much there is to gain is known.
//!
//! How they are made: there are five topics of 60 words each, and 200 words that belong to none, of
//! which the n-th is 1/n as frequent as the first. A text has 24 words. Each is one of its topic's
//! with a probability of 1/5, all of them alike; else it belongs to none. So a text has about five
//! words of its topic: a few labelled texts show a few words of each topic, and which others belong
//! to it can be learned from unlabelled texts that hold both.

use std::sync::Arc;

use anyhow::Result;
use augment::rng::{Key, Rng};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{Example, Target, TextSet, Texts as Own};

use super::texts::{Document, Texts};

const TOPICS: usize = 5;
const WORDS_OF_A_TOPIC: usize = 60;
const COMMON_WORDS: usize = 200;
const WORDS: usize = 24;
const OF_THE_TOPIC: f64 = 0.2;

/// Texts to learn from, and others to measure on.
const LEARNED: usize = 3_000;
const TEST: usize = 1_000;

/// One in so many texts is held out of pre-training.
const HELD_OUT: usize = 50;

const SYLLABLES: [&str; 16] = [
    "ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "du", "fa", "ge", "hi", "jo", "pu", "za",
];

/// The words of the language.
struct Words {
    topics: Vec<Vec<String>>,
    common: Vec<String>,
    /// Sums of 1/n.
    weights: Vec<f64>,
}

impl Words {
    fn new(rng: &mut Rng) -> Self {
        let word = |mut number: usize| {
            let mut word = String::new();
            for _ in 0..3 {
                word += SYLLABLES[number % SYLLABLES.len()];
                number /= SYLLABLES.len();
            }
            word
        };
        let mut numbers: Vec<usize> = (0..SYLLABLES.len().pow(3)).collect();
        rng.shuffle(&mut numbers);
        let mut next = numbers.into_iter().map(word);
        let topics = (0..TOPICS).map(|_| next.by_ref().take(WORDS_OF_A_TOPIC).collect()).collect();
        let common: Vec<String> = next.take(COMMON_WORDS).collect();
        let mut sum = 0.0;
        let weights = (1..=COMMON_WORDS).map(|n| {
            sum += 1.0 / n as f64;
            sum
        });
        Self { topics, common, weights: weights.collect() }
    }

    fn text(&self, topic: usize, rng: &mut Rng) -> String {
        let mut words: Vec<&str> = Vec::with_capacity(WORDS);
        for _ in 0..WORDS {
            if rng.chance(OF_THE_TOPIC) {
                words.push(&self.topics[topic][rng.below(WORDS_OF_A_TOPIC)]);
            } else {
                let place = rng.unit() * self.weights[COMMON_WORDS - 1];
                let at = self.weights.partition_point(|sum| *sum <= place);
                words.push(&self.common[at.min(COMMON_WORDS - 1)]);
            }
        }
        words.join(" ")
    }
}

/// Always the same texts.
pub(super) fn open() -> Result<Texts> {
    let key = |index: u64| Key { seed: 14, epoch: 0, index, view: 1003 };
    let words = Words::new(&mut key(0).rng());
    let set = |name: &str, from: usize, count: usize| {
        let example = |i: usize| {
            let topic = i % TOPICS;
            let a = words.text(topic, &mut key((from + i) as u64 + 1).rng());
            let id = format!("topics/{}", from + i);
            Example { id, texts: Own { a, b: None }, target: Target::Class(topic as u32) }
        };
        let classes = (1..=TOPICS).map(|n| format!("topic {n}")).collect();
        TextSet::new(name, (0..count).map(example).collect(), classes)
    };
    let labeled = set("synthetic texts", 0, LEARNED)?;
    let test = set("other synthetic texts", LEARNED, TEST)?;
    let document = |example: &Example| -> Document { vec![example.texts.a.clone()] };
    let (mut running, mut held_out) = (Vec::new(), Vec::new());
    for (i, example) in labeled.examples().iter().enumerate() {
        let to = if i % HELD_OUT == HELD_OUT - 1 { &mut held_out } else { &mut running };
        to.push(document(example));
    }
    let about = format!(
        "synthetic texts: {TOPICS} topics of {WORDS_OF_A_TOPIC} words each and {COMMON_WORDS} \
         words of none; of {WORDS} words of a text about a fifth belong to its topic; {} texts to \
         learn from, {} test texts",
        labeled.len(),
        test.len()
    );
    let unlabeled = Arc::new(labeled.clone().without_targets());
    Ok(Texts { about, running, held_out, labeled, unlabeled, test: Arc::new(test) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_of_a_topic_are_in_no_other_and_classes_are_equal() {
        let texts = open().expect("made");
        let words = |class: u32| -> BTreeSet<&str> {
            let of_class = |e: &&Example| e.target == Target::Class(class);
            let all = texts.labeled.examples().iter().filter(of_class);
            all.flat_map(|e| e.texts.a.split(' ')).collect()
        };
        let all: Vec<BTreeSet<&str>> = (0..TOPICS as u32).map(words).collect();
        // Those of a topic, and the common ones but for a few rare ones.
        for (i, own) in all.iter().enumerate() {
            assert!((240..=WORDS_OF_A_TOPIC + COMMON_WORDS).contains(&own.len()), "{}", own.len());
            let other = &all[(i + 1) % TOPICS];
            assert!(own.intersection(other).count() <= COMMON_WORDS);
            assert_eq!(own.difference(other).count().min(WORDS_OF_A_TOPIC), WORDS_OF_A_TOPIC);
        }
        for class in 0..TOPICS as u32 {
            let of_class = |e: &&Example| e.target == Target::Class(class);
            assert_eq!(texts.test.examples().iter().filter(of_class).count(), TEST / TOPICS);
        }
        let known: BTreeSet<&str> =
            texts.labeled.examples().iter().map(|e| e.texts.a.as_str()).collect();
        assert!(texts.test.examples().iter().all(|e| !known.contains(e.texts.a.as_str())));
    }
}
