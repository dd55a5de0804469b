//! Which messages are fit for training: the rules of Meena's paper (Adiwardana et al. 2020, arXiv
//! 2001.09977, section 3.1), each with its threshold.

use super::funnel::Reason;
use super::safety::Safety;
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use unicode_normalization::char::is_combining_mark;

/// The rules. A rule that is switched off drops nothing.
///
/// | key | default | drops a message |
/// |---|---|---|
/// | `min-subwords` | 2 | with fewer subwords |
/// | `max-subwords` | 128 | with more subwords |
/// | `min-alphabetic` | 0.7 | of whose characters, spaces included and marks that are no letters left out, a smaller share are letters |
/// | `urls` | true | with the address of a page |
/// | `bot-name` | `bot` | whose author's name holds this, in upper or lower case; empty: none |
/// | `max-occurrences` | 100 | whose text more messages have |
/// | `max-parent-overlap` | 0.8 | of whose subword trigrams such a share or more are its parent's |
/// | `offensive` | true | that [`Checks::safety`] names |
/// | `quotes` | true | none: copies of the parent's text are taken out before the checks |
///
/// The paper gives no number for the overlap; 0.8 is what an open reimplementation uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Filters {
    /// The fewest subwords of a message.
    pub min_subwords: usize,
    /// The most subwords of a message.
    pub max_subwords: usize,
    /// The least share of letters among all characters, 0 to 1.
    pub min_alphabetic: f64,
    /// Whether messages with addresses of pages are dropped.
    pub urls: bool,
    /// What the name of an author that is a program holds; empty if such authors may stay.
    pub bot_name: String,
    /// How many messages may have the same text.
    pub max_occurrences: u32,
    /// The share of a message's trigrams in its parent from which on it is dropped; above 1: none.
    pub max_parent_overlap: f64,
    /// Whether offensive messages are dropped.
    pub offensive: bool,
    /// Whether copies of the parent's text are taken out.
    pub quotes: bool,
    /// How many turns a context has at most, from 1.
    pub max_turns: usize,
}

impl Default for Filters {
    /// Those of the paper.
    fn default() -> Self {
        Self {
            min_subwords: 2,
            max_subwords: 128,
            min_alphabetic: 0.7,
            urls: true,
            bot_name: "bot".into(),
            max_occurrences: 100,
            max_parent_overlap: 0.8,
            offensive: true,
            quotes: true,
            max_turns: 7,
        }
    }
}

impl Filters {
    /// Nothing is dropped but what is no tree, and what has no subword.
    pub fn none() -> Self {
        Self {
            min_subwords: 1,
            max_subwords: usize::MAX,
            min_alphabetic: 0.0,
            urls: false,
            bot_name: String::new(),
            max_occurrences: u32::MAX,
            max_parent_overlap: 2.0,
            offensive: false,
            quotes: false,
            max_turns: 7,
        }
    }

    /// Checks the thresholds.
    ///
    /// # Errors
    /// When no message could pass.
    pub fn check(&self) -> Result<(), DataError> {
        let fault = |what: String| Err(DataError::Request(format!("filters: {what}")));
        if self.min_subwords > self.max_subwords {
            let (least, most) = (self.min_subwords, self.max_subwords);
            return fault(format!("min-subwords is {least}, above max-subwords, {most}"));
        }
        if !(0.0..=1.0).contains(&self.min_alphabetic) {
            return fault(format!("min-alphabetic is {}, no share", self.min_alphabetic));
        }
        if self.max_turns == 0 {
            return fault("max-turns is 0: a context has at least one turn".into());
        }
        if self.max_occurrences == 0 || self.max_parent_overlap <= 0.0 {
            return fault("max-occurrences and max-parent-overlap must be above 0".into());
        }
        Ok(())
    }

    /// Why a message is dropped for its own sake, nothing if it is kept; whether it is offensive is
    /// asked later. `occurrences` is how many messages have this text; `subwords` are its own,
    /// `parent` those of the message before, each worked out where a rule needs it.
    pub(super) fn reason<'a>(
        &self,
        author: &str,
        text: &str,
        occurrences: u32,
        subwords: impl FnOnce() -> Cow<'a, [u32]>,
        parent: Option<impl FnOnce() -> &'a [u32]>,
    ) -> Option<Reason> {
        if !self.bot_name.is_empty() && holds_in_any_case(author, &self.bot_name) {
            return Some(Reason::Bot);
        }
        if self.urls && has_url(text) {
            return Some(Reason::Url);
        }
        if occurrences > self.max_occurrences {
            return Some(Reason::TooFrequent);
        }
        let own = subwords();
        if own.len() < self.min_subwords {
            return Some(Reason::TooFewSubwords);
        }
        if own.len() > self.max_subwords {
            return Some(Reason::TooManySubwords);
        }
        if share_of_letters(text) < self.min_alphabetic {
            return Some(Reason::NotAlphabetic);
        }
        if let Some(parent) = parent
            && self.max_parent_overlap <= 1.0
            && own.len() > 2
            && overlap(&own, parent()) >= self.max_parent_overlap
        {
            return Some(Reason::RepeatsParent);
        }
        None
    }
}

/// What the rules ask others about.
#[derive(Clone, Copy)]
pub struct Checks<'a> {
    /// The subwords of a text; [`words_as_subwords`] where there is no vocabulary yet.
    pub subwords: &'a (dyn Fn(&str) -> Vec<u32> + Sync),
    /// Which texts are offensive; [`SafetyWords`](super::SafetyWords) or a classifier.
    pub safety: &'a dyn Safety,
}

/// Words and punctuation marks in place of subwords, of which a text has somewhat fewer.
///
/// ```
/// use data_pipeline::dialog::words_as_subwords;
/// let ids = words_as_subwords("No, no, no!");
/// assert_eq!((ids.len(), ids[1] == ids[3]), (6, true));
/// ```
pub fn words_as_subwords(text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    let mut word: Option<u32> = None;
    // FNV-1a.
    let step = |id: u32, c: char| (id ^ u32::from(c)).wrapping_mul(0x0100_0193);
    for c in text.chars() {
        if c.is_alphanumeric() {
            word = Some(step(word.unwrap_or(0x811c_9dc5), c));
            continue;
        }
        ids.extend(word.take());
        if !c.is_whitespace() {
            ids.push(step(0x811c_9dc5, c));
        }
    }
    ids.extend(word);
    ids
}

/// Whether a text holds another one, in upper or lower case.
fn holds_in_any_case(text: &str, wanted: &str) -> bool {
    if !(text.is_ascii() && wanted.is_ascii()) {
        return text.to_lowercase().contains(&wanted.to_lowercase());
    }
    let mut places = text.as_bytes().windows(wanted.len());
    places.any(|place| place.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// The share of letters among all characters; 0 of nothing. Accents that are characters of their
/// own do not count at all; vowel signs, as those of Hindi, are letters.
fn share_of_letters(text: &str) -> f64 {
    let (letters, all) = if text.is_ascii() {
        (text.bytes().filter(u8::is_ascii_alphabetic).count(), text.len())
    } else {
        let counts = |c: &char| c.is_ascii() || c.is_alphabetic() || !is_combining_mark(*c);
        let counted = || text.chars().filter(counts);
        (counted().filter(|c| c.is_alphabetic()).count(), counted().count())
    };
    if all == 0 { 0.0 } else { letters as f64 / all as f64 }
}

/// The share of the trigrams of `own` that `parent` has too.
fn overlap(own: &[u32], parent: &[u32]) -> f64 {
    // A bit for each trigram of the message: mostly none of the parent's has one.
    let mut bits = [0u64; 64];
    let bit = |trigram: &[u32]| {
        let mix = |mixed: u32, &id: &u32| (mixed ^ id).wrapping_mul(0x9e37_79b1).rotate_left(15);
        trigram.iter().fold(0, mix) as usize % 4096
    };
    own.windows(3).map(bit).for_each(|bit| bits[bit / 64] |= 1 << (bit % 64));
    let may_be_own = |trigram: &&[u32]| {
        let bit = bit(trigram);
        bits[bit / 64] >> (bit % 64) & 1 == 1
    };
    let mut like = parent.windows(3).filter(may_be_own).peekable();
    if like.peek().is_none() {
        return 0.0;
    }
    let mut trigrams: Vec<&[u32]> = own.windows(3).collect();
    trigrams.sort_unstable();
    trigrams.dedup();
    let mut common = vec![false; trigrams.len()];
    for trigram in like {
        if let Ok(at) = trigrams.binary_search(&trigram) {
            common[at] = true;
        }
    }
    common.iter().filter(|&&found| found).count() as f64 / trigrams.len() as f64
}

/// Last parts of names of hosts that are taken for one without `www.` or `://`. Those of writing
/// without spaces between words are not here: a point there may end a sentence.
const DOMAINS: [&str; 22] = [
    "com", "org", "net", "edu", "gov", "info", "io", "uk", "de", "fr", "ru", "ly", "tv", "biz",
    "рф", "рус", "укр", "бел", "срб", "қаз", "ελ", "ευ",
];

/// Hosts of short links whose last part is none of [`DOMAINS`]. They count with a path alone.
const SHORTENERS: [&str; 34] = [
    "amzn.to",
    "apple.co",
    "bbc.in",
    "bit.do",
    "cnn.it",
    "db.tt",
    "discord.gg",
    "dlvr.it",
    "fb.me",
    "flic.kr",
    "forms.gle",
    "g.co",
    "goo.gl",
    "ift.tt",
    "instagr.am",
    "is.gd",
    "lnkd.in",
    "m.me",
    "nyti.ms",
    "pin.it",
    "rb.gy",
    "redd.it",
    "spoti.fi",
    "t.co",
    "t.me",
    "tmblr.co",
    "tr.im",
    "v.gd",
    "wa.me",
    "wapo.st",
    "wp.me",
    "x.co",
    "yhoo.it",
    "youtu.be",
];

/// Countries that end a host's name of three parts before a path, as in `news.example.nl/x`. Those
/// that are words (`it`) or endings of files (`py`) are not here.
const COUNTRIES: [&str; 20] = [
    "au", "ca", "ch", "cn", "cz", "dk", "eu", "fi", "gr", "hu", "jp", "kr", "mx", "nl", "nz", "ro",
    "sk", "tr", "ua", "za",
];

/// What stands before any country in such a name, as in `example.co.in/x`.
const REGISTRIES: [&str; 8] = ["ac", "co", "com", "edu", "gob", "gov", "net", "org"];

/// Whether this is a host's name where a path follows it. Two parts alone may be names of files or
/// words, as in `main.rs/lib.rs` and `fine.so/and`.
fn is_before_path(host: &str) -> bool {
    let is = |short: &&str| {
        host.strip_suffix(short).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    if SHORTENERS.iter().any(is) {
        return true;
    }
    let mut labels = host.rsplit('.');
    let (Some(last), Some(second), Some(_)) = (labels.next(), labels.next(), labels.next()) else {
        return false;
    };
    let may_be_country = last.len() == 2 && last.bytes().all(|byte| byte.is_ascii_lowercase());
    COUNTRIES.contains(&last) || may_be_country && REGISTRIES.contains(&second)
}

/// Whether a text on one line holds the address of a page.
fn has_url(text: &str) -> bool {
    may_have_url(text) && has_url_word(text)
}

/// Whether it has a point within a word, or `:/`: most texts have neither, which is seen at once.
fn may_have_url(text: &str) -> bool {
    let bytes = text.as_bytes();
    let within = |found, (&a, &b): (&u8, &u8)| {
        found | ((a == b'.') & (b != b' ')) | ((a == b':') & (b == b'/'))
    };
    bytes.iter().zip(bytes.iter().skip(1)).fold(false, within)
}

/// Whether a word of a text is such an address.
fn has_url_word(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        if !word.contains(['.', ':']) {
            return false;
        }
        if word.contains("://") {
            return true;
        }
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        if !word.contains('.') {
            return false;
        }
        let word = word.to_lowercase();
        if word.starts_with("www.") {
            return true;
        }
        // Letters may stand before it: `link:example.org/page`.
        let host = word.split(['/', '?', '#']).next().unwrap_or_default();
        let path = word[host.len()..].strip_prefix('/').unwrap_or_default();
        let host = host.rsplit(['(', '[', ':', '<', '=']).next().unwrap_or_default();
        let mut labels = host.rsplit('.');
        let last = labels.next().unwrap_or_default();
        // Names may have letters beyond ASCII: `münchen.de`.
        let is_label = |label: &str| {
            let fits = |c: char| c.is_alphanumeric() || c == '-' || is_combining_mark(c);
            !label.is_empty() && label.chars().all(fits)
        };
        let mut names = labels.clone();
        let is_last = DOMAINS.contains(&last) || !path.is_empty() && is_before_path(host);
        is_last && names.next().is_some() && labels.all(is_label)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn trigrams_in_common_are_those_of_two_sets(
            own in prop::collection::vec(0..4u32, 0..40),
            parent in prop::collection::vec(0..4u32, 0..40),
        ) {
            let set = |ids: &[u32]| ids.windows(3).map(<[u32]>::to_vec).collect::<BTreeSet<_>>();
            let (a, b) = (set(&own), set(&parent));
            let wanted = a.intersection(&b).count() as f64 / a.len().max(1) as f64;
            prop_assert_eq!(overlap(&own, &parent), wanted);
        }

        #[test]
        fn nothing_with_an_address_is_taken_for_a_text_without(
            words in prop::collection::vec("[a-z:/.(]{1,9}|www\\.[a-z]|[a-z]{2}\\.com|é://", 0..6)
        ) {
            let text = words.join(" ");
            prop_assert!(may_have_url(&text) || !has_url_word(&text), "{}", text);
        }
    }

    #[test]
    fn addresses_are_found() {
        for text in [
            "see http://x.org now",
            "look at (www.example.com).",
            "HTTPS://X",
            "go to example.org/page?x=1!",
            "[here](link:foo-bar.co.uk)",
            "it is on youtube.com, I think",
            "watch youtu.be/dQw4w9WgXcQ",
            "(redd.it/9x)",
            "t.co/x and discord.gg/x",
            "See.goo.gl/abc",
            "(lnkd.in/e)",
            "or v.redd.it/1",
            "bbc.co.uk/news",
            "at example.co.in/x",
            "see news.example.nl/1",
            "besuch münchen.de, bitte",
            "смотри пример.рф",
            "bücher.example.org/x",
            "at xn--mnchen-3ya.de",
        ] {
            assert!(has_url(text), "{text}");
        }
        for text in ["Well...ok", "I like it.It is good", "a.b@", "3.14 and e.g. this", ".com", ""]
        {
            assert!(!has_url(text), "{text}");
        }
        for text in ["Да.Нет", "здравствуйте...рф", "我喜欢它.中国", "straße.Danach"]
        {
            assert!(!has_url(text), "{text}");
        }
        for text in [
            "and/or",
            "10/10.5",
            "9.5/10",
            "he.said/she",
            "him.he/she",
            "e.g./i.e.",
            "a.m./p.m.",
            "t.co",
            "src/main.rs",
            "U.S./U.K.",
            "Node.js/Express",
            "main.rs/lib.rs",
            "README.md/LICENSE",
            "README.en.md/LICENSE",
            "app.test.py/app.py",
            "types.d.ts/index.js",
            "Safari.app/Contents",
            "B.Sc/M.Sc",
            "That is fine.so/and",
            "not.co/x",
        ] {
            assert!(!has_url(text), "{text}");
        }
    }

    #[test]
    fn thresholds_are_where_the_paper_has_them() {
        let filters = Filters::default();
        let reason = |author: &str, text: &str, parent: Option<&str>, n| {
            let parent = parent.map(words_as_subwords);
            let parent = parent.as_ref().map(|ids| move || ids.as_slice());
            filters.reason(author, text, n, || words_as_subwords(text).into(), parent)
        };
        assert_eq!(reason("a", "hello", None, 1), Some(Reason::TooFewSubwords));
        assert_eq!(reason("a", "hello there", None, 100), None);
        assert_eq!(reason("a", "hello there", None, 101), Some(Reason::TooFrequent));
        assert_eq!(reason("HelperBOT", "hello there", None, 1), Some(Reason::Bot));
        assert_eq!(reason("a", &"ab ".repeat(128), None, 1), Some(Reason::NotAlphabetic));
        assert_eq!(reason("a", &"abcd ".repeat(128), None, 1), None);
        assert_eq!(reason("a", &"abcd ".repeat(129), None, 1), Some(Reason::TooManySubwords));
        // 7 letters of 10 characters, and 7 of 11.
        assert_eq!(reason("a", "abc efgh 1", None, 1), None);
        assert_eq!(reason("a", "abc efgh 12", None, 1), Some(Reason::NotAlphabetic));
        // Marks on letters are no characters of their own: 7 letters of 9 characters.
        let marked = "a\u{35f}b\u{35f}c\u{35f} e\u{35f}f\u{35f}g\u{35f}h\u{35f}!";
        assert_eq!(reason("a", marked, None, 1), None);
        // Vowel signs are letters: 18 of 23 characters, 9 of 14 if they were none.
        assert_eq!(reason("a", "मैं दिल्ली में रहता हूँ।", None, 1), None);
        // 4 of 5 trigrams, and 3 of 4.
        let parent = Some("one two three four five six");
        let same = Some(Reason::RepeatsParent);
        assert_eq!(reason("a", "one two three four five six seven", parent, 1), same);
        assert_eq!(reason("a", "two three four five six seven", parent, 1), None);
        assert_eq!(reason("a", "two three", Some("two three"), 1), None);
    }

    #[test]
    fn faults_in_thresholds_are_named() {
        assert!(Filters::default().check().is_ok() && Filters::none().check().is_ok());
        let wrong = Filters { min_alphabetic: 70.0, ..Filters::default() };
        assert!(wrong.check().unwrap_err().to_string().contains("min-alphabetic is 70"));
        assert!(serde_json::from_str::<Filters>(r#"{"max-turn": 3}"#).is_err());
    }
}
