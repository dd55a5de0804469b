//! Uniform word replacement (UDA's released code): each word by any word of the corpus.

use std::collections::HashSet;

use crate::rng::Rng;

/// Replaces each word with probability `token_prob` by one of `vocabulary`. Texts of fewer than three words stay.
///
/// Words come without repetition until all have been used, as in the released code, whose shuffled vocabulary however goes on from text
/// to text; here each text begins anew, so that it depends on its key alone.
pub fn replace(document: &mut [String], vocabulary: &[String], token_prob: f64, rng: &mut Rng) {
    if document.len() < 3 || vocabulary.is_empty() {
        return;
    }
    let mut used = HashSet::new();
    for word in document {
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
        vocabulary[choice].clone_into(word);
    }
}
