//! Near-duplicates: pairs that say the same.
//!
//! Two pairs are near-duplicates if the last turn of the context and the response are the same
//! words, whatever the case, punctuation and spaces. A `+` or `#` behind a word belongs to it (C++,
//! C#), and of a turn without a word (👍) all signs count. Pairs whose last turn and response have
//! fewer than eight words together are near-duplicates only if the whole contexts agree: *Hi! – How
//! are you?* opens many conversations. One of them is kept: the test part's before that of
//! validation and training, and within a part the one whose conversation and id have the lowest
//! digest. So no pair of one part has a near-duplicate in another.

use super::clean;
use super::select::{Pair, Selected};
use crate::digest::Digest;

/// Words that the last turn and the response have together, for the turns before not to matter.
const LEAST_WORDS: usize = 8;

/// Adds what a turn is compared by; gives the number of its words.
fn add_compared(turn: &str, to: &mut Vec<u8>) -> usize {
    let start = to.len();
    match turn.contains(['+', '#']) {
        // Marks on the letter before are part of a word, and stand for nothing elsewhere.
        true => {
            let marked = turn.replace('+', "\u{31f}").replace('#', "\u{353}");
            clean::add_words(&marked, to);
        }
        false => clean::add_words(turn, to),
    }
    if to.len() == start {
        to.extend(turn.as_bytes());
        return 0;
    }
    // One space stands between two words.
    to[start..].iter().filter(|&&byte| byte == b' ').count() + 1
}

impl Pair {
    /// What two near-duplicates have in common: the words of the last turn and of the response, of
    /// the whole context where these are few.
    pub fn fingerprint(&self) -> Digest {
        let mut words = Vec::new();
        let last = self.context.last().map_or("", |turn| turn);
        let mut count = add_compared(last, &mut words);
        words.extend(b"\n\n");
        count += add_compared(&self.response, &mut words);
        if count < LEAST_WORDS {
            words.clear();
            for (i, turn) in self.context.iter().enumerate() {
                words.extend((i > 0).then_some(b'\n'));
                add_compared(turn, &mut words);
            }
            words.extend(b"\n\n");
            add_compared(&self.response, &mut words);
        }
        Digest::of(&words)
    }

    /// Its place among near-duplicates of its part, of which the lowest is kept.
    pub fn place(&self) -> Digest {
        Digest::of(format!("{}\n{}", self.conversation, self.id).as_bytes())
    }
}

impl Selected {
    /// Removes near-duplicates, in memory, and counts them.
    pub fn remove_near_duplicates(&mut self) {
        let prints = crate::parallel::map(self.pairs.len(), |i| self.pairs[i].fingerprint());
        let mut order: Vec<usize> = (0..prints.len()).collect();
        order.sort_unstable_by_key(|&i| (prints[i], i));
        let mut kept = vec![true; prints.len()];
        for same in order.chunk_by(|&a, &b| prints[a] == prints[b]).filter(|same| same.len() > 1) {
            let first = same.iter().min_by_key(|&&i| (self.pairs[i].part, self.pairs[i].place()));
            same.iter().for_each(|i| kept[*i] = Some(i) == first);
        }
        let mut kept = kept.into_iter();
        self.pairs.retain(|_| kept.next().unwrap_or(true));
        self.funnel.near_duplicates += (prints.len() - self.pairs.len()) as u64;
    }
}
