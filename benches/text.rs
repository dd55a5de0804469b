//! Augmentation of text that runs in every epoch: words of a text found, replaced by TF-IDF or
//! uniformly, and token ids replaced by SwitchOut.
//!
//! An iteration is one text of 200 words, about the length of a film review; the vocabulary has
//! 20,000 words, of which the frequent ones are much more frequent. Throughput is in words.

use augment::rng::{Key, Rng};
use augment::text::switchout::SwitchOut;
use augment::text::tfidf::TfIdf;
use augment::text::uniform;
use augment::text::words::words;
use benches::SEED;
use criterion::{Criterion, Throughput};

const WORDS: usize = 200;
const TEXTS: usize = 2_000;
const VOCABULARY: usize = 20_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut rng = Rng::new(SEED);
    let mut text = || -> Vec<String> {
        let word = |_| format!("w{}", (VOCABULARY as f64).powf(rng.unit()) as usize);
        (0..WORDS).map(word).collect()
    };
    let corpus: Vec<Vec<String>> = (0..TEXTS).map(|_| text()).collect();
    let statistics = TfIdf::of(&corpus);
    let vocabulary = statistics.words();
    let joined = corpus[0].join(" ");
    let tokens: Vec<u32> = (0..WORDS as u32).collect();
    let switch_out = SwitchOut::default();

    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Elements(WORDS as u64));
    group.bench_function("words", |b| b.iter(|| words(&joined)));
    let mut index = 0;
    let mut next = || {
        index += 1;
        Key { seed: SEED, epoch: 0, index, view: 0 }.rng()
    };
    group.bench_function("tf-idf", |b| {
        b.iter(|| {
            let mut text = corpus[0].clone();
            statistics.replace(&mut text, 0.7, &mut next());
            text
        });
    });
    let looked_up = statistics.document(&corpus[0]);
    group.bench_function("tf-idf, looked up", |b| {
        b.iter(|| statistics.replaced(&looked_up, 0.7, &mut next()).len());
    });
    group.bench_function("uniform", |b| {
        b.iter(|| {
            let mut text = corpus[0].clone();
            uniform::replace(&mut text, vocabulary, 0.3, &mut next());
            text
        });
    });
    group.bench_function("switch-out", |b| {
        b.iter(|| {
            let mut tokens = tokens.clone();
            switch_out.replace(&mut tokens, |id| id == 0, VOCABULARY as u32, &mut next());
            tokens
        });
    });
    group.finish();
    criterion.final_summary();
}
