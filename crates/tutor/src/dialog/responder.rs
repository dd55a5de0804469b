//! A network that replies, with all that is needed to talk to it.

use std::any::Any;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use data_pipeline::dialog::{DialogTokenizer, PairLengths, Safety, SafetyWords, StreamDecoder};
use dialog_models::decode::{
    Beam, Candidate, Drawing, Dropped, Prompt, Ranking, Repetition, SampleConfig, Special, Written,
    beam, rank,
};
use dialog_models::hub::Gpt2Checkpoint;
use dialog_models::{Autoregressive, Gpt2, mmi};
use serde::{Deserialize, Serialize};
use torch::{ConfigError, Device, Faults, Kind, Params, Scope};
use weights::find::Places;

use crate::run::experiment::{Predictor, Shown};

/// A network that replies, its vocabulary, and what it may read.
pub(crate) struct Responder {
    name: String,
    net: Box<dyn Autoregressive>,
    /// Makes it anew in another number format, once.
    again: Option<Again>,
    tokenizer: DialogTokenizer,
    special: Special,
    lengths: PairLengths,
    /// Turns of a context at most.
    turns: Option<usize>,
    /// Words that must not be said.
    words: SafetyWords,
    /// What judges whole responses, these words with them.
    judge: Option<Box<dyn Safety>>,
    /// What ranks responses by how well the context can be told from them, if they are ranked so.
    reverse: Option<Reverse>,
}

/// A network that was trained on dialogues in reverse.
struct Reverse {
    net: Gpt2,
    positions: usize,
}

/// Makes a network of the tensors of another, in this kind; these are not kept.
pub(crate) type Again = Box<dyn FnOnce(Kind) -> Box<dyn Autoregressive>>;

/// Makes the network of `params` anew.
pub(crate) fn again<N: Autoregressive + 'static>(
    params: Params,
    make: impl FnOnce(&mut Scope<'_>) -> N + 'static,
) -> Again {
    Box::new(move |kind| Box::new(params.in_kind(kind, make)))
}

/// How replies are chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Choice {
    /// How responses are drawn: the best of them by score is given.
    pub(crate) sample: SampleConfig,
    /// The width of a beam search, for comparison: it finds the likeliest responses, in place of
    /// drawing some; of `sample` the most tokens alone count then. No key of a recipe's choice:
    /// what is drawn alone stands beside what is given there.
    #[serde(skip)]
    pub(crate) beam: Option<usize>,
    /// The rule against turns that repeat an earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repetition: Option<Repetition>,
}

impl Choice {
    /// Whether a single response is drawn, whose words can be shown as they come.
    pub(crate) fn draws_one(&self) -> bool {
        self.beam.is_none() && self.sample.candidates == 1
    }

    /// Every value that makes no sense.
    pub(crate) fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .within("sample", self.sample.faults())
            .within("repetition", self.repetition.iter().flat_map(Repetition::faults))
            .at_least_one("beam", self.beam.unwrap_or(1))
            .done()
    }

    /// What is given, in words: `best of 20`.
    pub(crate) fn given_in_words(&self) -> String {
        match self.beam {
            Some(width) => format!("beam search of width {width}"),
            None => format!("best of {}", self.sample.candidates),
        }
    }

    /// It in words: `best of 20, temperature 0.88`.
    pub(crate) fn in_words(&self) -> String {
        let sampling = &self.sample.sampling;
        let mut words = self.given_in_words();
        if self.beam.is_some() {
            return words;
        }
        words += &format!(", temperature {}", sampling.temperature);
        if let Some(k) = sampling.top_k {
            words += &format!(", top-k {k}");
        }
        if let Some(p) = sampling.nucleus {
            words += &format!(", nucleus {p}");
        }
        words
    }
}

/// A response that was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drawn {
    pub(crate) text: String,
    /// Mean ln p of its tokens; none if nothing was written.
    pub(crate) score: Option<f64>,
    /// ln of the probability of the context after it, by a network that reads backwards; then
    /// responses are ranked by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reverse: Option<f64>,
    /// Why it may not be given.
    pub(crate) dropped: Option<String>,
    /// Tokens that were written, the end included.
    #[serde(skip)]
    pub(crate) tokens: usize,
    /// Whether it came to an end by itself.
    #[serde(skip)]
    pub(crate) finished: bool,
    /// Whether it may not be given for what it says, whatever else it is dropped for.
    #[serde(skip)]
    pub(crate) refused: bool,
    /// Whether it is dropped for nothing but that it was cut off while others came to an end.
    #[serde(skip)]
    pub(crate) truncated: bool,
}

/// What was drawn to a context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// The best one first; those that may not be given are last.
    pub(crate) ranked: Vec<Drawn>,
    /// The one that would have been given had it been drawn alone.
    pub(crate) single: Drawn,
}

impl Reply {
    /// The best one that may be given.
    pub(crate) fn best(&self) -> Option<&Drawn> {
        self.ranked.first().filter(|best| best.dropped.is_none())
    }

    /// What is said: the text of the best one that may be given.
    pub(crate) fn given(&self) -> Option<&str> {
        self.best().map(|best| best.text.as_str())
    }
}

/// What of a conversation a network reads.
pub(crate) struct Context {
    ids: Vec<i64>,
    /// The turns that are read, as the rule against repetition takes them.
    earlier: Vec<Vec<i64>>,
    /// Whether the last turn itself was cut.
    pub(crate) last_cut: bool,
    /// How many turns at the beginning are not read, the last one not counted.
    pub(crate) left_out: usize,
}

impl Context {
    /// How many tokens are read.
    pub(crate) fn tokens(&self) -> usize {
        self.ids.len()
    }
}

impl Responder {
    /// One of a run.
    pub(crate) fn new(
        name: String,
        (net, again): (Box<dyn Autoregressive>, Again),
        tokenizer: DialogTokenizer,
        lengths: PairLengths,
        turns: Option<usize>,
    ) -> Self {
        let end = i64::from(tokenizer.end());
        let others = [tokenizer.pad(), Some(tokenizer.turn())].into_iter().flatten();
        // A table may have more rows than there are tokens.
        let known = tokenizer.size() as i64;
        let never = others.map(i64::from).filter(|&id| id != end).chain(known..net.vocabulary());
        let special = Special { never: never.collect(), ..Special::end(end) };
        let (words, again) = (SafetyWords::shipped(), Some(again));
        let (judge, reverse) = (None, None);
        Self { name, net, again, tokenizer, special, lengths, turns, words, judge, reverse }
    }

    /// Refuses these words in place of those that come along, and what `judge` finds unsafe, whose
    /// words they are.
    pub(crate) fn refuse(&mut self, words: SafetyWords, judge: Option<Box<dyn Safety>>) {
        (self.words, self.judge) = (words, judge);
    }

    /// Whether a response is judged as a whole, so that nothing of it may be shown before: by more
    /// than words, or by words that may stand in writing without spaces.
    pub(crate) fn judges_whole(&self) -> bool {
        self.judge.is_some() || !self.words.is_ascii()
    }

    /// A published GPT-2 or DialoGPT by the path of its folder or its name in the hub's cache; its
    /// vocabulary is in `vocabulary`. `room` is what is kept free for responses, in tokens.
    /// `reverse` names a network of the same vocabulary that ranks them by mutual information.
    pub(crate) fn published(
        asked: &str,
        vocabulary: &Path,
        room: usize,
        reverse: Option<&str>,
        device: Device,
    ) -> Result<Self> {
        let tokenizer = DialogTokenizer::open(vocabulary)?;
        let checkpoint = Gpt2Checkpoint::open(asked, &Places::of_user())?;
        let config = &checkpoint.config;
        let (table, known) = (config.network.vocabulary, tokenizer.size() as i64);
        let own_end = tokenizer.end();
        let ended = u32::try_from(config.end).ok().and_then(|end| tokenizer.ended_by(end));
        let Some(tokenizer) = ended.filter(|_| known <= table) else {
            bail!(
                "the vocabulary in {} has {known} tokens, of which {own_end} ends a turn; {asked} \
                 knows {table} and ends turns by {}: name its own by --vocab",
                vocabulary.display(),
                config.end
            );
        };
        let (net, params) = Params::build(device, |scope| Gpt2::new(scope, &config.network));
        checkpoint.load(&params)?;
        let positions = config.network.positions as usize;
        ensure!(
            room < positions,
            "responses of {room} tokens leave no room for what is said before: {asked} reads \
             {positions} tokens in all; ask for fewer by --max-tokens"
        );
        let lengths = PairLengths { context: positions - room, response: room };
        let name = asked.trim_end_matches('/').rsplit('/').next().unwrap_or(asked).to_owned();
        let network = config.network.clone();
        let again = again(params, move |scope| Gpt2::new(scope, &network));
        let mut responder = Self::new(name, (Box::new(net), again), tokenizer, lengths, None);
        responder.reverse = reverse.map(|asked| Reverse::open(asked, table, device)).transpose()?;
        Ok(responder)
    }

    /// The name of the network.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Tokens of a response that it was made for.
    pub(crate) fn longest_response(&self) -> usize {
        self.lengths.response
    }

    /// Text as tokens come.
    pub(crate) fn stream(&self) -> StreamDecoder<'_> {
        self.tokenizer.stream()
    }

    /// What it reads of the turns so far, of which there is at least one.
    pub(crate) fn read(&self, turns: &[String]) -> Result<Context> {
        ensure!(!turns.is_empty(), "there is nothing to reply to");
        let first = self.turns.map_or(0, |most| turns.len().saturating_sub(most));
        let read = &turns[first..];
        let wide = |ids: Vec<u32>| ids.into_iter().map(i64::from).collect::<Vec<i64>>();
        let ids = wide(self.lengths.encode_context(&self.tokenizer, read)?);
        // The turns that fill the context, each with the token behind it, found from the end: what
        // stands before them may be long, and is not even cut into tokens.
        let (mut earlier, mut room) = (Vec::new(), ids.len());
        let mut last_cut = false;
        for turn in read.iter().rev() {
            if room == 0 {
                break;
            }
            let own = wide(self.tokenizer.ids(turn)?);
            last_cut |= own.len() + 1 > room;
            room = room.saturating_sub(own.len() + 1);
            earlier.push(own);
        }
        earlier.reverse();
        Ok(Context { last_cut, left_out: turns.len() - earlier.len(), ids, earlier })
    }

    /// Draws responses and ranks them. Every token is told to `each`, which ends the drawing if it
    /// breaks; a beam search tells nothing and ends by itself.
    ///
    /// Fails where they cannot be judged.
    pub(crate) fn reply(
        &self,
        context: &Context,
        choice: &Choice,
        seed: u64,
        each: &mut dyn FnMut(Written) -> ControlFlow<()>,
    ) -> Result<Reply> {
        if let Some(width) = choice.beam {
            let max_tokens = choice.sample.max_tokens;
            let search = Beam { width, max_tokens, ..Beam::default() };
            let found = beam(self.net.as_ref(), &context.ids, &self.special, &search);
            return self.ranked(context, choice, &found);
        }
        let mut drawing = self.begin(&[(context, choice, seed)]);
        while drawing.step(&mut |_, written| each(written)) {}
        self.ranked(context, choice, drawing.candidates(0))
    }

    /// Begins responses to several contexts, each drawn in its way by its own seed, that are
    /// written together. A beam search is not among the ways: [`Responder::reply`] has it.
    pub(crate) fn begin(&self, asked: &[(&Context, &Choice, u64)]) -> Drawing<'_> {
        let prompt = |context, seed| Prompt { context, seed, max_tokens: usize::MAX };
        let wanted: Vec<_> = asked
            .iter()
            .map(|&(context, choice, seed)| (prompt(context.ids.as_slice(), seed), &choice.sample))
            .collect();
        Drawing::new(self.net.as_ref(), &wanted, &self.special)
    }

    /// What was drawn to a context, ranked. Fails where it cannot be judged.
    pub(crate) fn ranked(
        &self,
        context: &Context,
        choice: &Choice,
        all: &[Candidate],
    ) -> Result<Reply> {
        let texts: Vec<String> = all.iter().map(|of| self.text(&of.tokens)).collect();
        // White space alone says as little as no token.
        let both = all.iter().zip(&texts);
        let judged: Vec<Candidate> = both
            .map(|(candidate, text)| match text.is_empty() {
                true => Candidate { tokens: Vec::new(), ..*candidate },
                false => candidate.clone(),
            })
            .collect();
        let earlier: Vec<&[i64]> = context.earlier.iter().map(Vec::as_slice).collect();
        let asked: Vec<&str> = texts.iter().map(String::as_str).collect();
        let judge = self.judge.as_deref().unwrap_or(&self.words);
        let refused = judge.are_unsafe(&asked)?;
        let scores = self.reverse.as_ref().filter(|_| all.len() > 1);
        let scores = scores.map(|reverse| reverse.scores(&context.earlier, all, self.special.end));
        let ranking = Ranking {
            repetition: choice.repetition,
            earlier: &earlier,
            refused: Some(&refused),
            scores: scores.as_deref(),
        };
        let ranked = rank(&judged, &ranking);
        let drawn = |ranked: &dialog_models::decode::Ranked| Drawn {
            text: texts[ranked.candidate].clone(),
            score: all[ranked.candidate].score(),
            reverse: scores.as_ref().map(|scores| scores[ranked.candidate]),
            dropped: ranked
                .dropped
                .map(|dropped| self.why(dropped, &texts[ranked.candidate], context.left_out)),
            tokens: all[ranked.candidate].generated(),
            finished: all[ranked.candidate].finished,
            refused: refused[ranked.candidate],
            truncated: ranked.dropped == Some(Dropped::Truncated),
        };
        let single = ranked.iter().find(|r| r.candidate == 0).expect("at least one candidate");
        Ok(Reply { single: drawn(single), ranked: ranked.iter().map(drawn).collect() })
    }

    /// Whether a text holds a word that must not be said.
    pub(crate) fn holds_word(&self, text: &str) -> bool {
        self.words.is_unsafe(text)
    }

    /// Why a response is not given, in words, to a context of which so many turns are not read.
    fn why(&self, dropped: Dropped, text: &str, left_out: usize) -> String {
        match dropped {
            Dropped::Empty => "says nothing".to_owned(),
            Dropped::Repeats(turn) => {
                format!("repeats turn {} of the context", left_out + turn + 1)
            }
            Dropped::Refused if self.holds_word(text) => "holds an offensive word".to_owned(),
            Dropped::Refused => "refused by the classifier".to_owned(),
            Dropped::Truncated => "did not come to an end".to_owned(),
        }
    }

    /// The text of tokens; a response begins with the space that stands before words, or not.
    fn text(&self, tokens: &[i64]) -> String {
        let ids: Vec<u32> = tokens.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
        self.tokenizer.decode(&ids).trim().to_owned()
    }

    /// The text of a token's id, where it is one.
    pub(crate) fn id(token: i64) -> u32 {
        u32::try_from(token).unwrap_or(u32::MAX)
    }
}

impl Reverse {
    /// One by the path of its folder or its name in the hub's cache, for `known` token ids.
    fn open(asked: &str, known: i64, device: Device) -> Result<Self> {
        let checkpoint = Gpt2Checkpoint::open(asked, &Places::of_user())?;
        let config = &checkpoint.config.network;
        ensure!(
            config.vocabulary == known,
            "--mmi: {asked} knows {} tokens, and the network that replies {known}: they must have \
             the same vocabulary",
            config.vocabulary
        );
        let (net, params) = Params::build(device, |scope| Gpt2::new(scope, config));
        checkpoint.load(&params)?;
        Ok(Self { net, positions: config.positions as usize })
    }

    /// ln P(context | response) for each response, of the last turns of the context that it can
    /// read behind the longest of them.
    fn scores(&self, turns: &[Vec<i64>], responses: &[Candidate], end: i64) -> Vec<f64> {
        let tokens: Vec<Vec<i64>> = responses.iter().map(|of| of.tokens.clone()).collect();
        let longest = tokens.iter().map(Vec::len).max().unwrap_or(0) + 1;
        let turns = last_turns(turns, self.positions.saturating_sub(longest));
        if turns.is_empty() {
            return vec![0.0; tokens.len()];
        }
        mmi::scores(&self.net, &turns, &tokens, end)
    }
}

/// The last turns that have room in so many tokens, each with the one that ends it; of the first of
/// them its end.
fn last_turns(turns: &[Vec<i64>], room: usize) -> Vec<Vec<i64>> {
    let (mut last, mut left) = (Vec::new(), room);
    for turn in turns.iter().rev() {
        if left < 2 {
            break;
        }
        let from = turn.len().saturating_sub(left - 1);
        last.push(turn[from..].to_vec());
        left -= turn.len() - from + 1;
    }
    last.reverse();
    last
}

impl Predictor for Responder {
    fn about(&self) -> String {
        self.name.clone()
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn use_bfloat16(&mut self) -> Result<()> {
        if let Some(again) = self.again.take() {
            self.net = again(Kind::BFloat16);
        }
        Ok(())
    }

    fn identity(&self) -> Result<String> {
        Ok(format!("{}, vocabulary {}", self.name, self.tokenizer.digest()))
    }

    fn open(&self, _: &Path, _: bool) -> Result<Box<dyn Shown + '_>> {
        bail!(
            "{} replies to what is said to it, and tells no classes apart: use tutor chat",
            self.name
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_turns_fill_the_room() {
        let turns = vec![vec![1, 2, 3], vec![4, 5], vec![6]];
        assert_eq!(last_turns(&turns, 9), turns);
        assert_eq!(last_turns(&turns, 8), [vec![2, 3], vec![4, 5], vec![6]]);
        assert_eq!(last_turns(&turns, 6), turns[1..]);
        assert_eq!(last_turns(&turns, 4), [vec![5], vec![6]]);
        assert!(last_turns(&turns, 1).is_empty());
    }
}
