//! Text: tokenizers, readers, pre-training data, tasks. Tests on published data run where
//! `TUTOR_DATA` names a folder that has it; the rest needs nothing.

mod glue;
mod masking;
mod own_texts;
mod parquet_types;
mod pretrain;
mod read;
mod reviews;
mod squad;
mod tagging;
mod tasks;
mod terms;
mod tokenizer;
mod vocabulary;

use crate::published;
use data_pipeline::text::{Casing, Tokenizer};

/// BERT's own uncased vocabulary, where it is there.
fn uncased(casing: Casing) -> Option<Tokenizer> {
    let path = published("vocab/bert-uncased/vocab.txt")?;
    let text = std::fs::read_to_string(path).unwrap();
    Some(Tokenizer::from_vocabulary(&text, casing).unwrap())
}

/// The special tokens, letters and their continuations, digits, punctuation and these words.
fn small(words: &[&str]) -> Tokenizer {
    let specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned);
    let letters = (' '..='~').filter(|c| !c.is_whitespace() && !c.is_uppercase());
    let letters: Vec<String> = letters.map(String::from).collect();
    let later = letters.iter().map(|letter| format!("##{letter}"));
    let words = words.iter().map(|&word| word.to_owned());
    let mut tokens: Vec<String> = vec![];
    for token in specials.into_iter().chain(letters.clone()).chain(later).chain(words) {
        if !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    Tokenizer::from_vocabulary(&tokens.join("\n"), Casing::default()).unwrap()
}
