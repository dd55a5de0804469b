//! Near-duplicates: pairs that say the same.
//!
//! Two pairs are near-duplicates if the last turn of the context and the response are the same
//! words, whatever the case, punctuation and spaces. Pairs whose last turn and response have fewer
//! than eight words together are near-duplicates only if the whole contexts agree: *Hi! – How are
//! you?* opens many conversations. One of them is kept: the test part's before that of validation
//! and training, and within a part the one whose conversation and id have the lowest digest. So no
//! pair of one part has a near-duplicate in another.

use super::clean;
use super::select::{Pair, Selected};
use crate::digest::Digest;

/// Words that the last turn and the response have together, for the turns before not to matter.
const LEAST_WORDS: usize = 8;

/// What two near-duplicates have in common.
pub(super) fn print(pair: &Pair) -> Digest {
    let mut words = Vec::new();
    let last = pair.context.last().map_or("", |turn| turn);
    clean::add_words(last, &mut words);
    let of_last = words.len();
    words.extend(b"\n\n");
    clean::add_words(&pair.response, &mut words);
    // One space stands between two words.
    let count = |text: &[u8]| match text {
        [] => 0,
        text => text.iter().filter(|&&byte| byte == b' ').count() + 1,
    };
    if count(&words[..of_last]) + count(&words[of_last + 2..]) < LEAST_WORDS {
        words.clear();
        for (i, turn) in pair.context.iter().enumerate() {
            words.extend((i > 0).then_some(b'\n'));
            clean::add_words(turn, &mut words);
        }
        words.extend(b"\n\n");
        clean::add_words(&pair.response, &mut words);
    }
    Digest::of(&words)
}

/// Which one of near-duplicates in one part is kept: that with the lowest of these.
pub(super) fn place(pair: &Pair) -> Digest {
    Digest::of(format!("{}\n{}", pair.conversation, pair.id).as_bytes())
}

impl Selected {
    /// Removes near-duplicates, in memory, and counts them.
    pub fn remove_near_duplicates(&mut self) {
        let prints = crate::parallel::map(self.pairs.len(), |i| print(&self.pairs[i]));
        let mut order: Vec<usize> = (0..prints.len()).collect();
        order.sort_unstable_by_key(|&i| (prints[i], i));
        let mut kept = vec![true; prints.len()];
        for same in order.chunk_by(|&a, &b| prints[a] == prints[b]).filter(|same| same.len() > 1) {
            let first = same.iter().min_by_key(|&&i| (self.pairs[i].part, place(&self.pairs[i])));
            same.iter().for_each(|i| kept[*i] = Some(i) == first);
        }
        let mut kept = kept.into_iter();
        self.pairs.retain(|_| kept.next().unwrap_or(true));
        self.funnel.near_duplicates += (prints.len() - self.pairs.len()) as u64;
    }
}
