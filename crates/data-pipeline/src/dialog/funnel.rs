//! How many messages each rule dropped, with examples.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a message is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Another message of the conversation has its id, and is kept; this one has the same text, or
    /// none.
    DuplicateId,
    /// Another message of the conversation has its id and another text, and is kept: mostly a
    /// conversation of another file that is called alike.
    ConflictingId,
    /// The message that it replies to is not there.
    MissingParent,
    /// It replies to itself by way of others.
    Cycle,
    /// Its author's name says that it is a program.
    Bot,
    /// It holds the address of a page.
    Url,
    /// Too few subwords, most often none.
    TooFewSubwords,
    /// Too many subwords.
    TooManySubwords,
    /// Too few of its characters are letters.
    NotAlphabetic,
    /// Too many messages have this very text.
    TooFrequent,
    /// It says what the message before says.
    RepeatsParent,
    /// It is offensive.
    Unsafe,
    /// A message above it was dropped.
    DroppedWithAncestor,
}

impl Reason {
    /// As it stands in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::DuplicateId => "duplicate-id",
            Self::ConflictingId => "conflicting-id",
            Self::MissingParent => "missing-parent",
            Self::Cycle => "cycle",
            Self::Bot => "bot",
            Self::Url => "url",
            Self::TooFewSubwords => "too-few-subwords",
            Self::TooManySubwords => "too-many-subwords",
            Self::NotAlphabetic => "not-alphabetic",
            Self::TooFrequent => "too-frequent",
            Self::RepeatsParent => "repeats-parent",
            Self::Unsafe => "unsafe",
            Self::DroppedWithAncestor => "dropped-with-ancestor",
        }
    }
}

/// Examples that are kept for each reason.
const EXAMPLES: usize = 3;
/// Characters of an example.
const LONGEST: usize = 160;

/// What one rule dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// How many messages.
    pub count: u64,
    /// Texts of the first few of them; of those without a parent, and of those whose id another
    /// text has, also their ids.
    pub examples: Vec<String>,
}

/// What became of messages on the way to pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funnel {
    /// Messages that were read.
    pub messages: u64,
    /// Messages whose text lost a quotation of the message before; they are not dropped for it.
    pub quotes_removed: u64,
    /// What was dropped, by reason: each message counts once.
    pub dropped: BTreeMap<Reason, Dropped>,
    /// Messages that were kept.
    pub kept: u64,
    /// Kept messages that reply to another one: pairs before near-duplicates are removed.
    pub pairs: u64,
    /// Pairs that were removed since another one says the same.
    pub near_duplicates: u64,
}

impl Funnel {
    /// How many messages were dropped for a reason.
    pub fn count(&self, reason: Reason) -> u64 {
        self.dropped.get(&reason).map_or(0, |dropped| dropped.count)
    }

    /// Counts a message that is dropped.
    pub(super) fn drop(&mut self, reason: Reason, text: &str) {
        let dropped = self.dropped.entry(reason).or_default();
        dropped.count += 1;
        if dropped.examples.len() < EXAMPLES {
            let cut = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
            dropped.examples.push(text[..cut].to_owned());
        }
    }

    /// Adds what became of other messages.
    pub fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.quotes_removed += other.quotes_removed;
        self.kept += other.kept;
        self.pairs += other.pairs;
        self.near_duplicates += other.near_duplicates;
        for (reason, dropped) in &other.dropped {
            let own = self.dropped.entry(*reason).or_default();
            own.count += dropped.count;
            let room = EXAMPLES - own.examples.len();
            own.examples.extend(dropped.examples.iter().take(room).cloned());
        }
    }
}
