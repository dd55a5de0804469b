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
use std::collections::HashSet;

/// Words that the last turn and the response have together, for the turns before not to matter.
const LEAST_WORDS: usize = 8;

/// What two near-duplicates have in common.
pub(super) fn print(pair: &Pair) -> Digest {
    let response = clean::words(&pair.response);
    let last = pair.context.last().map_or(String::new(), |turn| clean::words(turn));
    // One space stands between two words.
    let count = |text: &str| match text {
        "" => 0,
        text => text.bytes().filter(|&byte| byte == b' ').count() + 1,
    };
    let turns = if count(&response) + count(&last) < LEAST_WORDS {
        pair.context.iter().map(|turn| clean::words(turn)).collect()
    } else {
        vec![last]
    };
    Digest::of(format!("{}\n\n{response}", turns.join("\n")).as_bytes())
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
        order.sort_by_cached_key(|&i| (self.pairs[i].part, place(&self.pairs[i])));
        let mut known = HashSet::with_capacity(prints.len());
        let mut kept = vec![false; prints.len()];
        for i in order {
            kept[i] = known.insert(prints[i]);
        }
        let mut kept = kept.into_iter();
        self.pairs.retain(|_| kept.next().unwrap_or(true));
        self.funnel.near_duplicates += (prints.len() - self.pairs.len()) as u64;
    }
}
