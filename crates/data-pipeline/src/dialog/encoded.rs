//! Pairs in token ids, and batches of them without padding.

use super::select::Pair;
use super::subwords::Subwords;
use super::tokenizer::DialogTokenizer;
use crate::dataset::Samples;
use crate::error::DataError;
use crate::loader::{Collate, Items};
use crate::text::Sequence;
use augment::rng::Key;
use serde::{Deserialize, Serialize};

/// How long contexts and responses may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PairLengths {
    /// Tokens of a context, with those behind turns: the oldest turns go where it is longer, and of
    /// the last turn its beginning.
    pub context: usize,
    /// Tokens of a response, with the one at its end: a longer one is cut, and has no end.
    pub response: usize,
}

impl Default for PairLengths {
    /// 128 each, as in Meena.
    fn default() -> Self {
        Self { context: 128, response: 128 }
    }
}

impl PairLengths {
    /// Checks the lengths.
    ///
    /// # Errors
    /// When there is no room for a token of text, or more than a file of tokens can hold.
    pub fn check(&self) -> Result<(), DataError> {
        let most = usize::from(u16::MAX);
        let fits = self.context >= 2
            && self.response >= 2
            && self.context.saturating_add(self.response) <= most;
        if fits {
            return Ok(());
        }
        let fault = format!(
            "pairs of {} + {} tokens: each must be at least 2, both together at most {most}",
            self.context, self.response
        );
        Err(DataError::Request(fault))
    }

    /// A pair in token ids: the turns of the context, each followed by [`DialogTokenizer::turn`],
    /// and the response with [`DialogTokenizer::end`]. [`Sequence::first`] is the context's length.
    ///
    /// # Errors
    /// Those of [`DialogTokenizer::ids`].
    pub fn encode(&self, tokenizer: &DialogTokenizer, pair: &Pair) -> Result<Sequence, DataError> {
        self.encode_known(&Subwords::new(tokenizer), pair)
    }

    /// As [`PairLengths::encode`], by the ids that are known already.
    pub(super) fn encode_known(
        &self,
        subwords: &Subwords<'_>,
        pair: &Pair,
    ) -> Result<Sequence, DataError> {
        let (turn, end) = (subwords.tokenizer().turn(), subwords.tokenizer().end());
        let mut ids = self.context(turn, &pair.context, |text| subwords.ids(text))?;
        let first = ids.len() as u32;
        ids.extend_from_slice(&subwords.ids(&pair.response)?);
        ids.push(end);
        ids.truncate(first as usize + self.response);
        Ok(Sequence { ids, first })
    }

    /// The turns of a context in token ids: what a network reads before it responds.
    ///
    /// # Errors
    /// Those of [`DialogTokenizer::ids`].
    pub fn encode_context<T: AsRef<str>>(
        &self,
        tokenizer: &DialogTokenizer,
        turns: &[T],
    ) -> Result<Vec<u32>, DataError> {
        self.context(tokenizer.turn(), turns, |text| tokenizer.ids(text))
    }

    /// The turns, the last of which are kept, each with `turn` behind it; `ids` are those of a
    /// text.
    fn context<T: AsRef<str>, I: AsRef<[u32]>>(
        &self,
        turn: u32,
        turns: &[T],
        ids: impl Fn(&str) -> Result<I, DataError>,
    ) -> Result<Vec<u32>, DataError> {
        let mut kept: Vec<I> = Vec::new();
        let mut room = self.context;
        for text in turns.iter().rev() {
            let its = ids(text.as_ref())?;
            let length = its.as_ref().len() + 1;
            if length > room {
                if kept.is_empty() {
                    let mut its = its.as_ref()[length - room..].to_vec();
                    its.push(turn);
                    return Ok(its);
                }
                break;
            }
            room -= length;
            kept.push(its);
        }
        let mut context = Vec::with_capacity(self.context - room);
        for its in kept.iter().rev() {
            context.extend_from_slice(its.as_ref());
            context.push(turn);
        }
        Ok(context)
    }
}

/// Pairs in token ids in memory. A sample is a [`Sequence`] whose segment 0 is the context and
/// whose segment 1 is the response, so that [`TokenShards`](crate::text::pretrain::TokenShards) can
/// take its place.
#[derive(Clone, Debug)]
pub struct EncodedPairs {
    name: String,
    ids: Vec<u32>,
    /// Where each pair begins, and where the last one ends.
    starts: Vec<usize>,
    firsts: Vec<u32>,
    /// Conversation and id of each response.
    places: Vec<String>,
}

impl EncodedPairs {
    /// Pairs in token ids, made on all processors. `name` stands before their ids in messages.
    ///
    /// ```
    /// use data_pipeline::dialog::{
    ///     BpeSize, BpeTrainer, DialogPart, EncodedPairs, PackPairs, Pair, PairLengths,
    /// };
    /// use data_pipeline::loader::{Loader, Stream};
    /// let mut trainer = BpeTrainer::default();
    /// trainer.count("hello there you");
    /// let tokenizer = trainer.tokenizer(BpeSize::default())?;
    /// let pair = Pair {
    ///     part: DialogPart::Train,
    ///     conversation: "a".into(),
    ///     id: "1".into(),
    ///     context: vec!["hello".into()],
    ///     response: "hello you".into(),
    /// };
    /// let set = EncodedPairs::new("toy", &[&pair], &tokenizer, &PairLengths::default())?;
    /// let stream = Stream::shuffled(std::sync::Arc::new(set), PackPairs, 1, 1);
    /// let step = Loader::builder(vec![stream]).steps(0..1).start().next().unwrap()?;
    /// let batch = &step.batches[0].data;
    /// assert_eq!(batch.context_ids.last(), Some(&i64::from(tokenizer.turn())));
    /// assert_eq!(batch.response_ids.last(), Some(&i64::from(tokenizer.end())));
    /// assert_eq!(batch.pairs(), 1);
    /// # Ok::<(), data_pipeline::error::DataError>(())
    /// ```
    ///
    /// # Errors
    /// When the lengths have [faults](PairLengths::check), or the tokenizer fails.
    pub fn new(
        name: impl Into<String>,
        pairs: &[&Pair],
        tokenizer: &DialogTokenizer,
        lengths: &PairLengths,
    ) -> Result<Self, DataError> {
        lengths.check()?;
        let mut set = Self {
            name: name.into(),
            ids: vec![],
            starts: vec![0],
            firsts: vec![],
            places: vec![],
        };
        let chunks: Vec<&[&Pair]> = pairs.chunks(256).collect();
        let made = crate::parallel::map(chunks.len(), |i| {
            let subwords = Subwords::new(tokenizer);
            let encode = |pair: &&Pair| lengths.encode_known(&subwords, pair);
            chunks[i].iter().map(encode).collect::<Result<Vec<_>, _>>()
        });
        let mut pairs = pairs.iter();
        for chunk in made {
            for (sequence, pair) in chunk?.into_iter().zip(&mut pairs) {
                set.ids.extend(sequence.ids);
                set.starts.push(set.ids.len());
                set.firsts.push(sequence.first);
                set.places.push(format!("{}/{}", pair.conversation, pair.id));
            }
        }
        Ok(set)
    }

    /// Pairs that are in token ids already: what is read, and what is written with the token at its
    /// end. A pair is called by its number, counted from 0.
    ///
    /// # Errors
    /// When a side of a pair is empty, or an id is below 0 or above 2³² − 1.
    pub fn of_ids(
        name: impl Into<String>,
        pairs: impl IntoIterator<Item = [Vec<i64>; 2]>,
    ) -> Result<Self, DataError> {
        let (name, mut ids, mut starts) = (name.into(), Vec::new(), vec![0]);
        let (mut firsts, mut places) = (Vec::new(), Vec::new());
        for (number, [read, written]) in pairs.into_iter().enumerate() {
            let fault = |fault: &str| DataError::Request(format!("{name}/{number}: {fault}"));
            if read.is_empty() || written.is_empty() {
                return Err(fault("a pair with an empty side"));
            }
            firsts.push(read.len() as u32);
            for id in read.into_iter().chain(written) {
                ids.push(u32::try_from(id).map_err(|_| fault("a token id that cannot be"))?);
            }
            starts.push(ids.len());
            places.push(number.to_string());
        }
        Ok(Self { name, ids, starts, firsts, places })
    }

    /// The number of tokens of all responses, with those at their ends: what perplexity is over.
    pub fn response_tokens(&self) -> u64 {
        self.ids.len() as u64 - self.firsts.iter().map(|&n| u64::from(n)).sum::<u64>()
    }
}

impl Samples for EncodedPairs {
    type Item = Sequence;

    fn len(&self) -> usize {
        self.firsts.len()
    }

    fn item(&self, index: usize) -> Result<Sequence, DataError> {
        let ids = self.ids[self.starts[index]..self.starts[index + 1]].to_vec();
        Ok(Sequence { ids, first: self.firsts[index] })
    }

    fn label(&self, _index: usize) -> Option<u32> {
        None
    }

    fn id(&self, index: usize) -> String {
        format!("{}/{}", self.name, self.places[index])
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn size(&self, index: usize) -> u32 {
        (self.starts[index + 1] - self.starts[index]) as u32
    }
}

/// Contexts one behind the other and responses one behind the other, without padding: `b` pairs.
/// Ids are signed, as tensors take them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedPairs {
    /// Ids of the contexts, each turn followed by the token behind turns.
    pub context_ids: Vec<i64>,
    /// Tokens of each context, length `b`.
    pub context_lengths: Vec<usize>,
    /// Ids of the responses, with the token at the end.
    pub response_ids: Vec<i64>,
    /// Tokens of each response, length `b`.
    pub response_lengths: Vec<usize>,
    /// What the random numbers of each pair are drawn from (view 0), length `b`; empty when the
    /// batch was not made by a loader.
    pub keys: Vec<Key>,
}

impl PackedPairs {
    /// The batch in so many equal parts, one behind the other. Panics if they cannot be equal.
    ///
    /// ```
    /// use data_pipeline::dialog::PackedPairs;
    /// let batch = PackedPairs {
    ///     context_ids: vec![5, 6, 7],
    ///     context_lengths: vec![1, 2],
    ///     response_ids: vec![8, 1, 1],
    ///     response_lengths: vec![2, 1],
    ///     keys: Vec::new(),
    /// };
    /// let parts = batch.parts(2);
    /// assert_eq!((&*parts[1].context_ids, &*parts[1].response_ids), (&[6, 7][..], &[1][..]));
    /// ```
    pub fn parts(&self, parts: usize) -> Vec<Self> {
        let pairs = self.context_lengths.len();
        assert!(parts > 0 && pairs.is_multiple_of(parts), "{pairs} pairs in {parts} equal parts");
        let each = (pairs / parts).max(1);
        let cut = |mut ids: &[i64], lengths: &[usize]| -> Vec<(Vec<i64>, Vec<usize>)> {
            let cut = lengths.chunks(each).map(|lengths| {
                let (own, rest) = ids.split_at(lengths.iter().sum());
                ids = rest;
                (own.to_vec(), lengths.to_vec())
            });
            cut.collect()
        };
        let contexts = cut(&self.context_ids, &self.context_lengths);
        let responses = cut(&self.response_ids, &self.response_lengths);
        let both = contexts.into_iter().zip(responses).enumerate();
        let part = |(i, (context, response)): (usize, ((_, _), (_, _)))| Self {
            context_ids: context.0,
            context_lengths: context.1,
            response_ids: response.0,
            response_lengths: response.1,
            keys: self.keys.iter().skip(i * each).take(each).copied().collect(),
        };
        both.map(part).collect()
    }

    /// Adds a pair.
    pub fn push(&mut self, pair: &Sequence) {
        let (context, response) = pair.ids.split_at(pair.first as usize);
        self.context_ids.extend(context.iter().map(|&id| i64::from(id)));
        self.context_lengths.push(context.len());
        self.response_ids.extend(response.iter().map(|&id| i64::from(id)));
        self.response_lengths.push(response.len());
    }

    /// The number of pairs.
    pub fn pairs(&self) -> usize {
        self.context_lengths.len()
    }

    /// Ids of each context and of each response.
    pub fn rows(&self) -> impl Iterator<Item = (&[i64], &[i64])> {
        let (mut contexts, mut responses) = (&self.context_ids[..], &self.response_ids[..]);
        self.context_lengths.iter().zip(&self.response_lengths).map(move |(&n, &m)| {
            let (context, rest) = contexts.split_at(n);
            let (response, others) = responses.split_at(m);
            (contexts, responses) = (rest, others);
            (context, response)
        })
    }
}

/// Packs the pairs of a batch in the order drawn. With
/// [`Order::Bucketed`](crate::sampler::Order::Bucketed) they are of like length.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackPairs;

impl Collate for PackPairs {
    type Item = Sequence;
    type Batch = PackedPairs;
    type Scratch = ();

    fn collate(&self, items: Items<'_, Sequence>, _: &mut ()) -> Result<PackedPairs, DataError> {
        let mut packed = PackedPairs::default();
        for drawn in items {
            let drawn = drawn?;
            let (all, context) = (drawn.item.len(), drawn.item.first as usize);
            if context == 0 || context >= all {
                return Err(DataError::Request(format!(
                    "{} has no context or no response: it is no pair",
                    drawn.id()
                )));
            }
            packed.push(&drawn.item);
            packed.keys.push(drawn.key(0));
        }
        Ok(packed)
    }
}
