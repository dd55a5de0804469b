//! Uniform word replacement (UDA's released code): each word by any word of the corpus.

use std::collections::HashSet;

use crate::rng::Rng;

/// Replaces each word with probability `token_prob` by one of `vocabulary`. Texts of fewer than
/// three words stay.
///
/// Words come without repetition until all have been used, as in the released code. There the
/// shuffled vocabulary goes on from text to text; here each text begins a shuffle of its own, of
/// which only the words used are drawn, so that a text is a pure function of its key. A single word
/// is uniform either way.
///
/// ```
/// use augment::{rng::Rng, text::{uniform::replace, words::words}};
/// let mut text = words("a film like any other");
/// replace(&mut text, &words("plot cast music scene end"), 1.0, &mut Rng::new(3));
/// text.sort();
/// assert_eq!(text, ["cast", "end", "music", "plot", "scene"]);
/// ```
pub fn replace(document: &mut [String], vocabulary: &[String], token_prob: f64, rng: &mut Rng) {
    for (i, new) in changes(document.len(), vocabulary, token_prob, rng) {
        new.clone_into(&mut document[i]);
    }
}

/// Which of so many words are replaced, by their positions in rising order, and by which of
/// `vocabulary`: what [`replace`] does with the same generator.
pub fn changes<'a>(
    words: usize,
    vocabulary: &'a [String],
    token_prob: f64,
    rng: &mut Rng,
) -> Vec<(usize, &'a str)> {
    let mut changes = Vec::new();
    if words < 3 || vocabulary.is_empty() {
        return changes;
    }
    let mut used = HashSet::new();
    for i in 0..words {
        if !rng.chance(token_prob) {
            continue;
        }
        if used.len() == vocabulary.len() {
            used.clear();
        }
        let mut choice = rng.below(vocabulary.len());
        // Once most are used, looking for the next one that is not beats drawing on.
        if used.len() * 2 < vocabulary.len() {
            while used.contains(&choice) {
                choice = rng.below(vocabulary.len());
            }
        } else {
            let left: Vec<usize> = (0..vocabulary.len()).filter(|i| !used.contains(i)).collect();
            choice = left[rng.below(left.len())];
        }
        used.insert(choice);
        changes.push((i, vocabulary[choice].as_str()));
    }
    changes
}
