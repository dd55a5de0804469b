//! Responses to several contexts under way, a token of each at a time.

use std::ops::ControlFlow;

use torch::device::tensor_on;
use torch::{InvalidConfig, Tensor, no_grad};

use super::draw::uniform;
use super::logits::{draw, room};
use super::{Candidate, Prompt, SampleConfig, Special};
use crate::{Autoregressive, Continuation};

/// A token that was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Written {
    /// The number of the response.
    pub candidate: usize,
    /// The token's place in it.
    pub place: usize,
    /// The token; the one that ends a response is told too.
    pub token: i64,
}

/// Responses to several contexts that are written together, each as its context wants it, and each
/// that which is drawn alone, to rounding. Between two tokens the caller may do something else,
/// such as write those of another drawing of the same network.
///
/// ```
/// use dialog_models::decode::{Drawing, Prompt, SampleConfig, Sampling, Special, sample};
/// use dialog_models::{Seq2Seq, Seq2SeqConfig};
/// use std::ops::ControlFlow;
/// use torch::{Device, Params};
///
/// let config = Seq2SeqConfig::evolved(20, 16, 2, [1, 1]);
/// let (net, _) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
/// let special = Special::end(1);
/// let many = SampleConfig { candidates: 3, max_tokens: 9, ..SampleConfig::default() };
/// let greedy = SampleConfig { candidates: 1, max_tokens: 4, sampling: Sampling::greedy() };
/// let prompt = |context, seed| Prompt { context, seed, max_tokens: usize::MAX };
/// let wanted = [(prompt(&[5, 6, 7], 1), &many), (prompt(&[8], 2), &greedy)];
/// let mut drawing = Drawing::new(&net, &wanted, &special);
/// while drawing.step(&mut |_, _| ControlFlow::Continue(())) {}
/// assert_eq!(drawing.candidates(1)[0].tokens, sample(&net, &[8], &special, &greedy, 2)[0].tokens);
/// ```
pub struct Drawing<'a> {
    net: &'a dyn Autoregressive,
    special: Special,
    asked: Vec<Asked>,
    /// What is written, of each context.
    all: Vec<Vec<Candidate>>,
    under_way: Option<UnderWay<'a>>,
    place: usize,
}

/// How the responses to a context are drawn.
struct Asked {
    seed: u64,
    config: SampleConfig,
    /// Tokens of a response, its end included.
    most: usize,
}

struct UnderWay<'a> {
    decoding: Box<dyn Continuation + 'a>,
    /// Logits of the tokens that come next.
    logits: Tensor,
    /// The responses that go on, in the order of rows: context and number of each.
    open: Vec<(usize, usize)>,
}

impl<'a> Drawing<'a> {
    /// Reads the contexts. Panics as [`Autoregressive::start`] does, if a configuration has faults,
    /// and if the network's vocabulary cannot keep to `special`.
    pub fn new(
        net: &'a dyn Autoregressive,
        wanted: &[(Prompt<'_>, &SampleConfig)],
        special: &Special,
    ) -> Self {
        special.check(net.vocabulary());
        let asked = |(prompt, config): &(Prompt<'_>, &SampleConfig)| {
            InvalidConfig::assert_none(config.faults(), "nothing can be drawn so");
            let most = room(net, prompt, config.max_tokens);
            Asked { seed: prompt.seed, config: (*config).clone(), most }
        };
        let asked: Vec<Asked> = wanted.iter().map(asked).collect();
        let new = Candidate { tokens: Vec::new(), log_probability: 0.0, finished: false };
        let all = asked.iter().map(|asked| vec![new.clone(); asked.config.candidates]).collect();
        let of = |(context, asked): (usize, &Asked)| {
            (0..asked.config.candidates).map(move |candidate| (context, candidate))
        };
        let writing = asked.iter().enumerate().filter(|(_, asked)| asked.most > 0);
        let open: Vec<(usize, usize)> = writing.flat_map(of).collect();
        let under_way = (!open.is_empty()).then(|| {
            let contexts: Vec<&[i64]> = wanted.iter().map(|(prompt, _)| prompt.context).collect();
            let (mut decoding, logits) = net.start(&contexts);
            let rows: Vec<usize> = open.iter().map(|row| row.0).collect();
            let numbers: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
            let numbers = tensor_on(&numbers, net.device());
            let logits = no_grad(|| logits.index_select(0, &numbers));
            decoding.select(&rows);
            UnderWay { decoding, logits, open }
        });
        Self { net, special: special.clone(), asked, all, under_way, place: 0 }
    }

    /// Draws the next token of each response that goes on, and tells it to `each` with the number
    /// of its context; the one that ends a response is told too. Where `each` breaks, the responses
    /// to that context are cut off behind this place. Says whether any goes on.
    pub fn step(&mut self, each: &mut dyn FnMut(usize, Written) -> ControlFlow<()>) -> bool {
        let Some(UnderWay { mut decoding, logits, open }) = self.under_way.take() else {
            return false;
        };
        let place = self.place;
        let samplings: Vec<_> =
            open.iter().map(|&(context, _)| self.asked[context].config.sampling).collect();
        let number = |&(context, candidate): &(usize, usize)| {
            uniform(self.asked[context].seed, candidate, place)
        };
        let numbers: Vec<f64> = open.iter().map(number).collect();
        let special = &self.special;
        let (mut tokens, mut log_probabilities) = draw(&logits, special, &samplings, &numbers);
        let (mut stopped, mut left) = (vec![false; self.asked.len()], Vec::new());
        for (row, &(context, candidate)) in open.iter().enumerate() {
            let last = place + 1 == self.asked[context].most;
            if last && special.forced {
                (tokens[row], log_probabilities[row]) = (special.end, 0.0);
            }
            let (token, own) = (tokens[row], &mut self.all[context][candidate]);
            own.log_probability += log_probabilities[row];
            if token == special.end {
                own.finished = true;
            } else {
                own.tokens.push(token);
                if !last {
                    left.push(row);
                }
            }
            stopped[context] |= each(context, Written { candidate, place, token }).is_break();
        }
        left.retain(|&row| !stopped[open[row].0]);
        self.place += 1;
        if left.is_empty() {
            return false;
        }
        if left.len() < open.len() {
            decoding.select(&left);
        }
        let given: Vec<i64> = left.iter().map(|&row| tokens[row]).collect();
        let logits = decoding.step(&tensor_on(&given, self.net.device()));
        let open = left.iter().map(|&row| open[row]).collect();
        self.under_way = Some(UnderWay { decoding, logits, open });
        true
    }

    /// Whether a response to this context goes on.
    pub fn goes_on(&self, context: usize) -> bool {
        let open = self.under_way.iter().flat_map(|under_way| &under_way.open);
        open.into_iter().any(|row| row.0 == context)
    }

    /// What is written to this context so far.
    pub fn candidates(&self, context: usize) -> &[Candidate] {
        &self.all[context]
    }

    /// What is written to each context.
    pub fn into_candidates(self) -> Vec<Vec<Candidate>> {
        self.all
    }
}
