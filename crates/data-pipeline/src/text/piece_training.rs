//! A vocabulary of SentencePiece's unigram kind made from texts, in the files of an opus-mt folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::utils::parallelism::{get_parallelism, set_parallelism};

use super::sentencepiece::{SPACE, whole_file};
use super::words::words;
use crate::error::DataError;

/// A character must occur so often to have a piece of its own.
const LEAST_COUNT: u64 = 2;
/// `</s>`, `<unk>` and `<pad>`.
const SPECIALS: usize = 3;
/// Characters of a word at most; longer ones are passed over.
const LONGEST: usize = 100;

/// Counts words of texts and makes pieces of them (Kudo 2018) by the crate `tokenizers`, which both
/// languages of a network that translates share. The same texts give the same files, in any order.
///
/// ```
/// use data_pipeline::text::{MarianTokenizer, PieceTrainer};
/// let mut trainer = PieceTrainer::default();
/// trainer.count("a man and a dog and a man");
/// trainer.count("un homme et un chien et un homme");
/// let folder = tempfile::tempdir().unwrap();
/// trainer.save(60, folder.path())?;
/// let tokenizer = MarianTokenizer::open(folder.path())?;
/// let ids = tokenizer.source_ids("un man")?;
/// assert_eq!(ids.last(), Some(&tokenizer.specials().end));
/// assert_eq!(tokenizer.text(&ids), "un man");
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
#[derive(Debug, Default)]
pub struct PieceTrainer {
    counts: BTreeMap<String, u64>,
}

impl PieceTrainer {
    /// Counts the words of a text.
    pub fn count(&mut self, text: &str) {
        let clean: String = text.split(' ').filter(|word| !word.is_empty()).fold(
            String::with_capacity(text.len() + 1),
            |mut all, word| {
                all.push(' ');
                all.push_str(word);
                all
            },
        );
        for word in words(&clean).filter(|word| !word.trim().is_empty()) {
            if word.chars().count() <= LONGEST {
                *self.counts.entry(word.replace(' ', &SPACE.to_string())).or_default() += 1;
            }
        }
    }

    /// Makes a vocabulary of at most `tokens` and writes `source.spm`, `target.spm` (the same),
    /// `vocab.json` and `tokenizer_config.json` into `folder`, which is made if it is not there.
    /// There are fewer tokens where the texts do not have as many pieces. Texts are taken as they
    /// are: only spaces are joined.
    ///
    /// # Errors
    /// When no text was counted, the size leaves no room for the characters, or a file cannot be
    /// written.
    pub fn save(&self, tokens: usize, folder: &Path) -> Result<(), DataError> {
        let pieces = self.pieces(tokens)?;
        let way_out = "make room, or name another folder";
        std::fs::create_dir_all(folder).map_err(DataError::io(folder, way_out))?;
        let mut ids: Map<String, Value> = Map::new();
        let names = ["</s>", "<unk>"].into_iter().chain(pieces.iter().map(|(piece, _)| &**piece));
        for (id, name) in names.chain(["<pad>"]).enumerate() {
            ids.insert(name.to_owned(), json!(id));
        }
        let model = whole_file(&pieces);
        let config = json!({
            "model_max_length": 512, "separate_vocabs": false, "tokenizer_class": "MarianTokenizer",
            "source_lang": Value::Null, "target_lang": Value::Null,
        });
        let text = |json: Value| (json.to_string() + "\n").into_bytes();
        for (name, bytes) in [
            ("source.spm", model.clone()),
            ("target.spm", model),
            ("tokenizer_config.json", text(config)),
            ("vocab.json", text(Value::Object(ids))),
        ] {
            atomic_file::write(&folder.join(name), &bytes)?;
        }
        Ok(())
    }

    /// The pieces, the likeliest first, each with ln of its probability.
    fn pieces(&self, tokens: usize) -> Result<Vec<(String, f64)>, DataError> {
        let kept = self.characters();
        let request = |fault: String| Err(DataError::Request(fault));
        if kept.is_empty() {
            return request("no vocabulary can be made: the texts hold no word twice".to_owned());
        }
        let least = SPECIALS + kept.len() + 1;
        if tokens < least {
            return request(format!(
                "a vocabulary of {tokens} tokens has no room for {} characters and {SPECIALS} \
                 special tokens (ask for at least {least})",
                kept.len()
            ));
        }
        // Rare characters part words.
        let mut parts: BTreeMap<&str, u64> = BTreeMap::new();
        for (word, count) in &self.counts {
            for part in word.split(|c| !kept.contains(&c)).filter(|part| !part.is_empty()) {
                *parts.entry(part).or_default() += count;
            }
        }
        let most = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let counts = parts.into_iter().map(|(part, count)| (part.to_owned(), most(count)));
        let library = UnigramTrainer::builder()
            .show_progress(false)
            .vocab_size(most((tokens - SPECIALS) as u64))
            .build();
        let failed = |error: &dyn std::fmt::Display| {
            DataError::Request(format!("the vocabulary cannot be made: {error}"))
        };
        let mut model = Unigram::default();
        // In threads the library adds up in another order each time.
        let before = get_parallelism();
        set_parallelism(false);
        let trained = library.map_err(|error| failed(&error)).and_then(|library| {
            library.do_train(counts.collect(), &mut model).map_err(|e| failed(&e))
        });
        set_parallelism(before);
        trained?;
        let pieces = model.iter().filter(|(_, score)| score.is_finite()).cloned().collect();
        Ok(in_order(pieces))
    }

    /// The characters that have a piece.
    fn characters(&self) -> BTreeSet<char> {
        let mut counts: BTreeMap<char, u64> = BTreeMap::new();
        for (word, count) in &self.counts {
            word.chars().for_each(|c| *counts.entry(c).or_default() += count);
        }
        counts.into_iter().filter(|(_, count)| *count >= LEAST_COUNT).map(|(c, _)| c).collect()
    }
}

/// The step between the library's scores of characters that only larger pieces use.
const STEP: f64 = 1e-4;

/// The pieces by their scores. Characters that only larger pieces use get scores by the library
/// that depend on the order of a hash table, just above the lowest; here all get the lowest.
fn in_order(mut pieces: Vec<(String, f64)>) -> Vec<(String, f64)> {
    let lowest = pieces.iter().map(|(_, score)| *score).fold(f64::INFINITY, f64::min);
    let single = |piece: &str| piece.chars().nth(1).is_none();
    let bound = lowest + STEP * pieces.iter().filter(|(piece, _)| single(piece)).count() as f64;
    for (piece, score) in &mut pieces {
        if single(piece) && *score <= bound {
            *score = lowest;
        }
    }
    pieces.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
    pieces.dedup_by(|(a, _), (b, _)| a == b);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 4] = [
        "A man in an orange hat looks at a dog. Two dogs play in the snow!",
        "Un homme avec un chapeau orange regarde un chien. Deux chiens jouent dans la neige !",
        "A girl in a red hat looks at two men, and the men play.",
        "Une fille avec un chapeau rouge regarde deux hommes, et les hommes jouent.",
    ];

    fn trained<'a>(texts: impl Iterator<Item = &'a str>, tokens: usize) -> Vec<(String, f64)> {
        let mut trainer = PieceTrainer::default();
        texts.for_each(|text| trainer.count(text));
        trainer.pieces(tokens).expect("pieces")
    }

    #[test]
    fn the_same_texts_give_the_same_pieces_in_any_order() {
        let one = trained(TEXTS.into_iter(), 70);
        assert!(one.len() <= 67 && one.len() > 40, "{}", one.len());
        for _ in 0..3 {
            assert_eq!(trained(TEXTS.into_iter().rev(), 70), one);
        }
        assert!(one.iter().any(|(piece, _)| piece == "▁a" || piece == "▁homme"), "{one:?}");
        let fewer = trained(TEXTS.into_iter(), 50);
        assert!(fewer.len() < one.len());
    }

    #[test]
    fn no_piece_crosses_a_word() {
        let pieces = trained(TEXTS.into_iter(), 90);
        let inside = |piece: &str| piece.chars().skip(1).any(|c| c == SPACE);
        assert!(pieces.iter().all(|(piece, _)| !inside(piece)));
        let mixed = |piece: &str| piece.contains('.') && piece.chars().any(char::is_alphabetic);
        assert!(pieces.iter().all(|(piece, _)| !mixed(piece)));
    }

    #[test]
    fn what_cannot_be_made_is_an_error_that_says_how_much_is_needed() {
        let mut trainer = PieceTrainer::default();
        let error = trainer.pieces(100).expect_err("no text").to_string();
        assert!(error.contains("no word"), "{error}");
        TEXTS.iter().for_each(|text| trainer.count(text));
        let error = trainer.pieces(12).expect_err("no room").to_string();
        let asked = error.split("at least ").nth(1).expect("a number").trim_end_matches(')');
        let least: usize = asked.parse().expect("a number");
        assert!(trainer.pieces(least).is_ok() && trainer.pieces(least - 1).is_err());
    }
}
