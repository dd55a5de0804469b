//! Sentences to sequences of one or two segments.

use crate::error::DataError;
use crate::text::sequence::Sequence;
use crate::text::tokenizer::{Encoder, Specials};
use augment::rng::Rng;
use augment::text::sentences::sentences;
use serde::{Deserialize, Serialize};

/// What of a document goes into a segment as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// A line, as upstream. What of it is longer than a sequence is dropped.
    #[default]
    Lines,
    /// A sentence of a line by Unicode's rules: for files with a paragraph or a whole text a line,
    /// of which little is dropped then.
    Sentences,
}

/// How sequences are made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Segments {
    /// Tokens of a sequence at most, the special ones included; 5 or more.
    pub longest: usize,
    /// What stays together.
    pub split: Split,
    /// The share of sequences that have one segment.
    pub one_segment: f64,
    /// The share of sequences for which a shorter length is drawn.
    pub short: f64,
    /// The fault of upstream's first release: once segment 1 has text it takes all, so that hardly
    /// a sequence has two.
    pub first_release: bool,
}

impl Default for Segments {
    /// Upstream's, at 128 tokens.
    fn default() -> Self {
        Self {
            longest: 128,
            split: Split::Lines,
            one_segment: 0.1,
            short: 0.05,
            first_release: false,
        }
    }
}

/// Where a builder takes its random numbers from.
pub trait Draws {
    /// A number in `[0, 1)`.
    fn unit(&mut self) -> f64;
    /// A whole number from `least` to `most`, both included.
    fn length(&mut self, least: usize, most: usize) -> usize;
}

impl Draws for Rng {
    fn unit(&mut self) -> f64 {
        Rng::unit(self)
    }

    fn length(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most.saturating_sub(least) + 1)
    }
}

/// Collects the sentences of a document until they fill a sequence.
///
/// ```
/// use augment::rng::Rng;
/// use data_pipeline::text::pretrain::{Builder, Segments};
/// use data_pipeline::text::Specials;
/// let specials = Specials { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 };
/// let segments = Segments { longest: 12, one_segment: 0.0, short: 0.0, ..Default::default() };
/// let mut builder = Builder::new(segments, specials);
/// let mut rng = Rng::new(1);
/// assert_eq!(builder.add(&[5; 4], &mut rng), None);
/// assert_eq!(builder.add(&[6; 4], &mut rng), None);
/// let sequence = builder.add(&[7; 4], &mut rng).unwrap();
/// assert_eq!(sequence.ids[..6], [2, 5, 5, 5, 5, 3]);
/// assert_eq!((sequence.len(), sequence.first), (12, 6));
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    segments: Segments,
    specials: Specials,
    /// The tokens of the sentences that wait, and where each ends.
    ids: Vec<u32>,
    ends: Vec<usize>,
    target: usize,
    dropped: u64,
}

impl Builder {
    /// A builder with nothing in it, whose first sequence aims at the full length. Panics if the
    /// longest sequence is shorter than 5.
    pub fn new(segments: Segments, specials: Specials) -> Self {
        assert!(segments.longest >= 5, "sequences of {} tokens", segments.longest);
        let target = segments.longest;
        Self { segments, specials, ids: vec![], ends: vec![], target, dropped: 0 }
    }

    /// Begins a document: draws the length of its first sequence. Upstream draws it at the end of
    /// the document before; here no document depends on another.
    pub fn begin(&mut self, draws: &mut impl Draws) {
        self.ids.clear();
        self.ends.clear();
        self.draw_target(draws);
    }

    /// Adds a sentence; gives a sequence when there is enough for one.
    pub fn add(&mut self, sentence: &[u32], draws: &mut impl Draws) -> Option<Sequence> {
        self.ids.extend_from_slice(sentence);
        self.close_sentence(draws)
    }

    /// Adds a line of text, whole or sentence by sentence; hands out sequences.
    ///
    /// # Errors
    /// Those of the tokenizer.
    pub fn add_line(
        &mut self,
        line: &str,
        encoder: &mut Encoder<'_>,
        draws: &mut impl Draws,
        mut each: impl FnMut(Sequence),
    ) -> Result<(), DataError> {
        match self.segments.split {
            Split::Lines => {
                encoder.push(line, &mut self.ids)?;
                self.close_sentence(draws).into_iter().for_each(each);
            }
            Split::Sentences => {
                for sentence in sentences(line) {
                    encoder.push(&sentence, &mut self.ids)?;
                    self.close_sentence(draws).into_iter().for_each(&mut each);
                }
            }
        }
        Ok(())
    }

    /// Ends a document: gives a sequence of what is left, if anything is.
    pub fn end(&mut self, draws: &mut impl Draws) -> Option<Sequence> {
        if self.ids.is_empty() {
            self.ends.clear();
            return None;
        }
        Some(self.sequence(draws))
    }

    /// How many tokens were cut off because their sequence was full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn close_sentence(&mut self, draws: &mut impl Draws) -> Option<Sequence> {
        self.ends.push(self.ids.len());
        (self.ids.len() >= self.target).then(|| self.sequence(draws))
    }

    fn draw_target(&mut self, draws: &mut impl Draws) {
        let longest = self.segments.longest;
        let is_short = draws.unit() < self.segments.short;
        self.target = if is_short { draws.length(5, longest) } else { longest };
    }

    /// Makes a sequence of all that waits.
    fn sequence(&mut self, draws: &mut impl Draws) -> Sequence {
        let longest = self.segments.longest;
        let one = draws.unit() < self.segments.one_segment;
        // Three tokens are special.
        let aim = if one { usize::MAX } else { self.target.saturating_sub(3) / 2 };
        let (mut first, mut second) = (Vec::with_capacity(longest), Vec::new());
        let mut start = 0;
        for &end in &self.ends {
            let sentence = &self.ids[start..end];
            let fits = first.len() + sentence.len() < aim;
            let mut coin = || first.len() < aim && draws.unit() < 0.5;
            let to_first = if self.segments.first_release {
                !first.is_empty() || fits || (!second.is_empty() && coin())
            } else {
                first.is_empty() || fits || (second.is_empty() && coin())
            };
            if to_first {
                first.extend(sentence)
            } else {
                second.extend(sentence)
            }
            start = end;
        }
        let whole = first.len() + second.len();
        first.truncate(longest - 2);
        second.truncate(longest.saturating_sub(first.len() + 3));
        self.dropped += (whole - first.len() - second.len()) as u64;
        self.ids.clear();
        self.ends.clear();
        self.draw_target(draws);
        Sequence::new(&first, &second, self.specials)
    }
}
