//! A network that replies, with all that is needed to talk to it.

use std::any::Any;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use data_pipeline::dialog::{DialogTokenizer, PairLengths, SafetyWords, StreamDecoder};
use dialog_models::decode::{
    Candidate, Dropped, Ranking, Repetition, SampleConfig, Special, Written, rank, sample_each,
};
use dialog_models::hub::Checkpoint;
use dialog_models::{Autoregressive, Gpt2};
use serde::{Deserialize, Serialize};
use torch::{Device, Params};
use weights::find::Places;

use crate::run::experiment::{Predictor, Shown};

/// A network that replies, its vocabulary, and what it may read.
pub(crate) struct Responder {
    name: String,
    net: Box<dyn Autoregressive>,
    tokenizer: DialogTokenizer,
    special: Special,
    lengths: PairLengths,
    /// Turns of a context at most.
    turns: Option<usize>,
    safety: SafetyWords,
}

/// How replies are chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Choice {
    /// How responses are drawn: the best of them by score is given.
    pub(crate) sample: SampleConfig,
    /// The rule against turns that repeat an earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repetition: Option<Repetition>,
}

/// A response that was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drawn {
    pub(crate) text: String,
    /// Mean ln p of its tokens; none if nothing was written.
    pub(crate) score: Option<f64>,
    /// Why it may not be given.
    pub(crate) dropped: Option<String>,
    /// Tokens that were written, the end included.
    #[serde(skip)]
    pub(crate) tokens: usize,
    /// Whether it came to an end by itself.
    #[serde(skip)]
    pub(crate) finished: bool,
    /// Whether it may not be given for its words.
    #[serde(skip)]
    pub(crate) refused: bool,
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
    /// What is said: the best one that may be given.
    pub(crate) fn given(&self) -> Option<&str> {
        self.ranked.first().filter(|best| best.dropped.is_none()).map(|best| best.text.as_str())
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
        net: Box<dyn Autoregressive>,
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
        let safety = SafetyWords::shipped();
        Self { name, net, tokenizer, special, lengths, turns, safety }
    }

    /// A published GPT-2 or DialoGPT by the path of its folder or its name in the hub's cache; its
    /// vocabulary is in `vocabulary`. `room` is what is kept free for responses, in tokens.
    pub(crate) fn published(
        asked: &str,
        vocabulary: &Path,
        room: usize,
        device: Device,
    ) -> Result<Self> {
        let tokenizer = DialogTokenizer::open(vocabulary)?;
        let checkpoint = Checkpoint::open(asked, &Places::of_user())?;
        let config = &checkpoint.config;
        let (table, known) = (config.network.vocabulary, tokenizer.size() as i64);
        ensure!(
            known <= table && i64::from(tokenizer.end()) == config.end,
            "the vocabulary in {} has {known} tokens, of which {} ends a turn; {asked} knows {table} \
             and ends turns by {}: name its own by --vocabulary",
            vocabulary.display(),
            tokenizer.end(),
            config.end
        );
        let (net, params) = Params::build(device, |scope| Gpt2::new(scope, &config.network));
        checkpoint.load(&params)?;
        let positions = config.network.positions as usize;
        ensure!(
            room < positions,
            "responses of {room} tokens leave no room for what is said before: {asked} reads \
             {positions} tokens in all"
        );
        let lengths = PairLengths { context: positions - room, response: room };
        let name = asked.trim_end_matches('/').rsplit('/').next().unwrap_or(asked).to_owned();
        Ok(Self::new(name, Box::new(net), tokenizer, lengths, None))
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
    /// breaks.
    pub(crate) fn reply(
        &self,
        context: &Context,
        choice: &Choice,
        seed: u64,
        each: &mut dyn FnMut(Written) -> ControlFlow<()>,
    ) -> Reply {
        let net = self.net.as_ref();
        let all = sample_each(net, &context.ids, &self.special, &choice.sample, seed, each);
        // White space alone says as little as no token.
        let says_nothing = |candidate: &Candidate| self.text(&candidate.tokens).is_empty();
        let judged: Vec<Candidate> = all
            .iter()
            .map(|candidate| match says_nothing(candidate) {
                true => Candidate { tokens: Vec::new(), ..*candidate },
                false => candidate.clone(),
            })
            .collect();
        let earlier: Vec<&[i64]> = context.earlier.iter().map(Vec::as_slice).collect();
        let refuses = |tokens: &[i64]| self.refuses(&self.text(tokens));
        let ranking =
            Ranking { repetition: choice.repetition, earlier: &earlier, refuses: Some(&refuses) };
        let ranked = rank(&judged, &ranking);
        let drawn = |ranked: &dialog_models::decode::Ranked| Drawn {
            text: self.text(&all[ranked.candidate].tokens),
            score: all[ranked.candidate].score(),
            dropped: ranked.dropped.map(|dropped| why(dropped, context.left_out)),
            tokens: all[ranked.candidate].generated(),
            finished: all[ranked.candidate].finished,
            refused: ranked.dropped == Some(Dropped::Refused),
        };
        let single = ranked.iter().find(|r| r.candidate == 0).expect("at least one candidate");
        Reply { single: drawn(single), ranked: ranked.iter().map(drawn).collect() }
    }

    /// Whether a text must not be given.
    pub(crate) fn refuses(&self, text: &str) -> bool {
        self.safety.is_unsafe(text)
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

/// Why a response is not given, in words, to a context of which so many turns are not read.
fn why(dropped: Dropped, left_out: usize) -> String {
    match dropped {
        Dropped::Empty => "says nothing".to_owned(),
        Dropped::Repeats(turn) => format!("repeats turn {} of the context", left_out + turn + 1),
        Dropped::Refused => "holds an offensive word".to_owned(),
        Dropped::Truncated => "did not come to an end".to_owned(),
    }
}

impl Predictor for Responder {
    fn about(&self) -> String {
        self.name.clone()
    }

    fn classes(&self) -> &[String] {
        &[]
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
}
