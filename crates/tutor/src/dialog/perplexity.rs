//! Perplexity by conversation, and what is certain of the difference of two.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, ensure};
use augment::rng::Key;
use data_pipeline::dialog::DialogTokenizer;
use dialog_models::{LanguageModel, Totals};
use serde::{Deserialize, Serialize};
use torch::{Device, Kind, Mode, Tensor};
use train::parallel::balanced_shard;

use super::pairs::on_device;
use super::part::Part;
use crate::run::{interrupt, processes};

/// Sums over the responses of one conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Conversation {
    pub(crate) name: String,
    /// Σ −ln p of the tokens, in nats.
    pub(crate) nll: f64,
    /// Tokens, the ends of responses included.
    pub(crate) tokens: u64,
    /// Words: what stands between white space.
    pub(crate) words: u64,
}

/// How well a network predicts the responses of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Perplexity {
    /// By conversation, in the order of their names.
    pub(crate) conversations: Vec<Conversation>,
}

/// Pairs of a batch of an evaluation.
const BATCH: usize = 64;

/// Measures a network on some pairs of a part. Several processes that run together measure a part
/// each, every pair once.
pub(crate) fn measure<N: LanguageModel<Batch = dialog_models::Pairs>>(
    net: &N,
    part: &Part,
    indices: Vec<usize>,
    tokenizer: &DialogTokenizer,
    device: Device,
) -> Result<Perplexity> {
    let rows = match processes::group() {
        None => of_pairs(net, part, &indices, tokenizer, device)?,
        Some(group) => {
            let own = balanced_shard(indices.len(), group.rank(), group.size());
            let rows = processes::each(|| of_pairs(net, part, &indices[own], tokenizer, device))?;
            let rows = Tensor::from_slice(rows.as_flattened()).view([-1, 3]);
            let all = Vec::<f64>::try_from(group.all_gather_rows(&rows)?.reshape([-1]))?;
            all.chunks_exact(3).map(|row| [row[0], row[1], row[2]]).collect()
        }
    };
    let mut found: BTreeMap<Cow<'_, str>, [f64; 3]> = BTreeMap::new();
    for (i, row) in indices.into_iter().zip(rows) {
        let sums = found.entry(part.conversation(i)).or_default();
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let named = |(name, [nll, tokens, words]): (Cow<'_, str>, [f64; 3])| Conversation {
        name: name.into_owned(),
        nll,
        tokens: tokens as u64,
        words: words as u64,
    };
    Ok(Perplexity { conversations: found.into_iter().map(named).collect() })
}

/// Σ −ln p, tokens and words of the response of each of these pairs.
fn of_pairs<N: LanguageModel<Batch = dialog_models::Pairs>>(
    net: &N,
    part: &Part,
    indices: &[usize],
    tokenizer: &DialogTokenizer,
    device: Device,
) -> Result<Vec<[f64; 3]>> {
    let places: HashMap<usize, usize> = indices.iter().copied().zip(0..).collect();
    let mut rows = vec![[0.0; 3]; indices.len()];
    for batch in part.batches(indices.to_vec(), BATCH) {
        interrupt::check()?;
        let (chunk, packed) = batch?;
        let pairs = on_device(&packed, device);
        let nll = torch::no_grad(|| net.token_loss(&pairs, 0.0, Mode::Eval).nll);
        let lengths: Vec<i64> = packed.response_lengths.iter().map(|&n| n as i64).collect();
        let of_pairs = nll.to_kind(Kind::Double).split_with_sizes(lengths, 0);
        let responses = packed.rows().map(|(_, response)| response.to_vec());
        for ((i, nll), ids) in chunk.into_iter().zip(of_pairs).zip(responses) {
            let tokens = ids.len() as f64;
            let ids: Vec<u32> = ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
            let words = tokenizer.decode(&ids).split_whitespace().count() as f64;
            rows[places[&i]] = [nll.sum(Kind::Double).double_value(&[]), tokens, words];
        }
    }
    Ok(rows)
}

/// How often conversations are drawn again for an interval.
const DRAWS: u64 = 2000;

impl Perplexity {
    /// The sums over all conversations.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.conversations.iter().for_each(|c| totals.add_sum(c.nll, c.tokens));
        totals
    }

    /// The words of all conversations.
    pub(crate) fn words(&self) -> u64 {
        self.conversations.iter().map(|c| c.words).sum()
    }

    /// The 95 % interval of how much higher the perplexity of a token is than by `other`, over
    /// conversations, which are drawn again, for both networks the same (paired bootstrap,
    /// percentiles). `None` of a single conversation, which says nothing of others.
    ///
    /// # Errors
    /// When the two were measured on other conversations, or on none.
    pub(crate) fn above(&self, other: &Self) -> Result<Option<[f64; 2]>> {
        let (ours, others) = (&self.conversations, &other.conversations);
        let same = ours.len() == others.len()
            && ours.iter().zip(others).all(|(a, b)| (&a.name, a.tokens) == (&b.name, b.tokens));
        ensure!(same && !ours.is_empty(), "two networks were measured on other conversations");
        if ours.len() == 1 {
            return Ok(None);
        }
        let mut differences: Vec<f64> = (0..DRAWS)
            .map(|draw| {
                let mut rng = Key { seed: 1, epoch: 0, index: draw, view: 0 }.rng();
                let (mut nll, mut tokens) = ([0.0; 2], 0);
                for _ in 0..ours.len() {
                    let i = rng.below(ours.len());
                    nll[0] += ours[i].nll;
                    nll[1] += others[i].nll;
                    tokens += ours[i].tokens;
                }
                let [a, b] = nll.map(|nll| (nll / tokens as f64).exp());
                a - b
            })
            .collect();
        differences.sort_by(f64::total_cmp);
        let at = |share: f64| differences[(share * (DRAWS - 1) as f64).round() as usize];
        Ok(Some([at(0.025), at(0.975)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(nll: &[f64]) -> Perplexity {
        let conversation = |(i, &nll): (usize, &f64)| Conversation {
            name: format!("{i:03}"),
            nll,
            tokens: 2 + 6 * (i as u64 % 2),
            words: 1,
        };
        Perplexity { conversations: nll.iter().enumerate().map(conversation).collect() }
    }

    #[test]
    fn the_mean_is_over_tokens_whatever_conversations_they_are_of() {
        // Two tokens of 1 nat each and eight of 3 (not the mean of the means, 7.39).
        let found = of(&[2.0, 24.0]).totals().perplexity().expect("tokens");
        assert!((found - 13.463_738).abs() < 1e-5, "{found}");
    }

    #[test]
    fn the_interval_is_of_the_same_conversations() {
        let noisy: Vec<f64> = (0..60).map(|i| 4.0 + 20.0 * f64::from(i % 3)).collect();
        let better = of(&noisy);
        let worse = of(&noisy.iter().map(|nll| 1.02 * nll).collect::<Vec<_>>());
        let interval = worse.above(&better).expect("the same conversations");
        let [low, high] = interval.expect("several conversations");
        let difference = worse.totals().perplexity().expect("tokens")
            - better.totals().perplexity().expect("tokens");
        assert!(0.0 < low && low < difference && difference < high, "{low} {difference} {high}");
        assert_eq!(better.above(&better).expect("the same"), Some([0.0, 0.0]));
        assert!(better.above(&of(&noisy[1..])).is_err());
        assert_eq!(of(&[4.0]).above(&of(&[2.0])).expect("the same"), None);
    }
}
