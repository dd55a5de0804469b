//! Beam search, with the rules of transformers' `generate`.

use serde::{Deserialize, Serialize};
use torch::device::tensor_on;
use torch::{ConfigError, Faults, InvalidConfig};

use super::likeliest::{Way, likeliest};
use super::logits::room;
use super::{Candidate, Prompt, Special};
use crate::Autoregressive;

/// When a search ends, once `width` responses have come to an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Patience {
    /// At once (`early_stopping = True` in transformers).
    First,
    /// When none that goes on is better than the worst of them, were it to end where it is
    /// (`False`, transformers' default).
    Present,
    /// When none that goes on could get better than the worst of them (`"never"`).
    #[default]
    Any,
}

/// Beam search.
///
/// | key | default | meaning | range |
/// |---|---|---|---|
/// | `width` | 4 | responses that are followed, and given at the end | ≥ 1 |
/// | `max_tokens` | 128 | tokens of a response, its end included, after which it is cut off | ≥ 1 |
/// | `length_power` | 1 | responses are compared by ln p / tokens ^ this; 0 favours short ones | ≥ 0 |
/// | `patience` | any | when a search ends | first, present, any |
/// | `empty` | false | whether a response without a token is one | |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Beam {
    /// Responses that are followed, and given at the end.
    pub width: usize,
    /// Tokens of a response, its end included, after which it is cut off.
    pub max_tokens: usize,
    /// The power of the length by which ln p is divided.
    pub length_power: f64,
    /// When a search ends.
    pub patience: Patience,
    /// Whether a response without a token is one.
    pub empty: bool,
}

impl Default for Beam {
    fn default() -> Self {
        let patience = Patience::default();
        Self { width: 4, max_tokens: 128, length_power: 1.0, patience, empty: false }
    }
}

impl Beam {
    /// Every value that makes no sense.
    pub fn faults(&self) -> Vec<ConfigError> {
        Faults::default()
            .at_least_one("width", self.width)
            .at_least_one("max_tokens", self.max_tokens)
            .not_negative("length_power", self.length_power)
            .done()
    }

    fn value(&self, log_probability: f64, tokens: usize) -> f64 {
        log_probability / (tokens.max(1) as f64).powf(self.length_power)
    }

    fn of(&self, candidate: &Candidate) -> f64 {
        self.value(candidate.log_probability, candidate.generated())
    }
}

/// The likeliest responses that beam search finds, the best first: at most `beam.width`, those that
/// came to an end before those that were cut off. Panics as [`Autoregressive::start`] does, if the
/// configuration has faults, and if the network's vocabulary cannot keep to `special`.
///
/// ```
/// use dialog_models::decode::{Beam, Special, beam};
/// use dialog_models::{Seq2Seq, Seq2SeqConfig};
/// use torch::{Device, Params};
///
/// let config = Seq2SeqConfig::evolved(20, 16, 2, [1, 1]);
/// let (net, _) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
/// // Token 1 ends a response, and 0 is padding, which none has.
/// let special = Special { never: vec![0], ..Special::end(1) };
/// let search = Beam { width: 3, max_tokens: 5, ..Beam::default() };
/// let found = beam(&net, &[5, 6, 7], &special, &search);
/// assert_eq!(found.len(), 3);
/// assert!(found.iter().all(|response| response.generated() <= 5));
/// ```
pub fn beam(
    net: &dyn Autoregressive,
    context: &[i64],
    special: &Special,
    beam: &Beam,
) -> Vec<Candidate> {
    let prompt = Prompt { context, seed: 0, max_tokens: beam.max_tokens };
    beam_all(net, &[prompt], special, beam).remove(0)
}

/// Beam search for several contexts at once: what [`beam`] finds for each alone, to rounding.
/// Panics as [`beam`] does.
pub fn beam_all(
    net: &dyn Autoregressive,
    prompts: &[Prompt<'_>],
    special: &Special,
    beam: &Beam,
) -> Vec<Vec<Candidate>> {
    InvalidConfig::assert_none(beam.faults(), "no beam search can have this");
    special.check(net.vocabulary());
    if prompts.is_empty() {
        return Vec::new();
    }
    let contexts: Vec<&[i64]> = prompts.iter().map(|prompt| prompt.context).collect();
    let mut searches: Vec<Search> =
        prompts.iter().map(|prompt| Search::new(room(net, prompt, beam.max_tokens))).collect();
    let (mut decoding, mut logits) = net.start(&contexts);
    // Rows belong to the searches that are not over, in order.
    for place in 0.. {
        let ways = likeliest(&logits, special, 2 * beam.width);
        let (mut first, mut rows, mut given) = (0, Vec::new(), Vec::new());
        for search in searches.iter_mut().filter(|search| !search.over) {
            let own = &ways[first..first + search.open.len()];
            let from = search.go_on(own, place, special, beam);
            rows.extend(from.into_iter().map(|row| first + row));
            if !search.over {
                given.extend(search.open.iter().map(|candidate| candidate.tokens[place]));
            }
            first += own.len();
        }
        if given.is_empty() {
            break;
        }
        decoding.select(&rows);
        logits = decoding.step(&tensor_on(&given, net.device()));
    }
    searches.into_iter().map(|search| search.found(beam)).collect()
}

/// The search for responses to one context.
struct Search {
    /// Tokens of a response at most.
    most: usize,
    /// Those that go on, the best first.
    open: Vec<Candidate>,
    /// Those that came to an end, the best first.
    finished: Vec<Candidate>,
    over: bool,
}

impl Search {
    fn new(most: usize) -> Self {
        let nothing = Candidate { tokens: Vec::new(), log_probability: 0.0, finished: false };
        Self { most, open: vec![nothing], finished: Vec::new(), over: false }
    }

    /// Takes the next token of each response; gives the rows from which those that go on come, none
    /// if the search is over. `ways` are the likeliest ways on for each row.
    fn go_on(
        &mut self,
        ways: &[Vec<Way>],
        place: usize,
        special: &Special,
        beam: &Beam,
    ) -> Vec<usize> {
        let (mut next, mut rank) = (Vec::new(), 0);
        for (row, token, log_probability) in self.best(ways, place, special, 2 * beam.width) {
            let tokens = &self.open[row].tokens;
            if token != special.end {
                if next.len() < beam.width {
                    let tokens = [tokens.as_slice(), &[token]].concat();
                    next.push((row, Candidate { tokens, log_probability, finished: false }));
                }
            } else if rank < beam.width && (beam.empty || !tokens.is_empty()) {
                let tokens = tokens.clone();
                self.finished.push(Candidate { tokens, log_probability, finished: true });
            }
            rank += 1;
        }
        self.finished.sort_by(|a, b| beam.of(b).total_cmp(&beam.of(a)));
        self.finished.truncate(beam.width);
        let rows = next.iter().map(|(row, _)| *row).collect();
        self.open = next.into_iter().map(|(_, candidate)| candidate).collect();
        self.over = self.open.is_empty() || place + 1 >= self.most || self.settled(beam);
        if self.over { Vec::new() } else { rows }
    }

    /// Whether enough responses have come to an end.
    fn settled(&self, beam: &Beam) -> bool {
        if self.finished.len() < beam.width {
            return false;
        }
        // A search of width 1 takes the likeliest token each time, the end included.
        let patience = if beam.width == 1 { Patience::First } else { beam.patience };
        let value = |c: &Candidate| match patience {
            Patience::First => f64::NEG_INFINITY,
            Patience::Present => beam.of(c),
            // None gets likelier by growing: at best its sum stays, over the most tokens.
            Patience::Any => beam.value(c.log_probability, self.most),
        };
        let hope = self.open.iter().map(value).fold(f64::NEG_INFINITY, f64::max);
        self.finished.last().map(|worst| beam.of(worst)) >= Some(hope)
    }

    /// The `count` likeliest ways on: row, token, ln of the probability up to it. Of equally likely
    /// ones the first row, then the lower id comes first.
    fn best(
        &self,
        ways: &[Vec<Way>],
        place: usize,
        special: &Special,
        count: usize,
    ) -> Vec<(usize, i64, f64)> {
        let forced = special.forced && place + 1 >= self.most;
        let mut all = Vec::new();
        for (row, candidate) in self.open.iter().enumerate() {
            let sum = candidate.log_probability;
            match forced {
                true => all.push((row, special.end, sum)),
                false => all.extend(ways[row].iter().map(|&(token, p)| (row, token, sum + p))),
            }
        }
        all.retain(|way| way.2.is_finite());
        all.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)).then(a.1.cmp(&b.1)));
        all.truncate(count);
        all
    }

    fn found(mut self, beam: &Beam) -> Vec<Candidate> {
        self.open.retain(|candidate| !candidate.is_empty());
        self.open.sort_by(|a, b| beam.of(b).total_cmp(&beam.of(a)));
        self.finished.extend(self.open);
        self.finished.truncate(beam.width);
        self.finished
    }
}
