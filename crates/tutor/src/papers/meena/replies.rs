//! What a network replies: to the recipe's prompts, to contexts of the test part, and to itself.

use std::ops::ControlFlow;

use anyhow::Result;
use eval_ssa::proxies::{self, Proxies};
use eval_ssa::{Item, Likelihood, Turn};
use serde::{Deserialize, Serialize};

use super::recipe::Replies;
use crate::dialog::pairs::Prepared;
use crate::dialog::responder::{Choice, Drawn, Reply, Responder};
use crate::run::{interrupt, seeds};

/// What a network replied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Replied {
    /// To each prompt.
    pub(super) prompts: Vec<Reply>,
    /// Measures of the replies to contexts of the test part: one drawn alone, the best of several,
    /// and then each of the recipe's variants. None without contexts.
    pub(super) measures: Vec<Measured>,
    /// The best of several to these contexts, as items to be rated, without their system.
    #[serde(default)]
    pub(super) items: Vec<Item>,
    /// What it said to itself.
    #[serde(default)]
    pub(super) talks: Vec<Talk>,
}

/// Measures of the replies that were chosen in one way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Measured {
    /// How they were chosen, in words.
    pub(super) how: String,
    pub(super) proxies: Proxies,
    /// The mean over replies of the mean ln p of their tokens; none without a reply.
    pub(super) mean_ln_p: Option<f64>,
}

/// A conversation of a network with itself, after an opening that was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Talk {
    pub(super) turns: Vec<String>,
    /// Turns of the opening, whose last one is replied to.
    pub(super) given: usize,
}

/// Asks a network; what is drawn follows from the seed and the number of the prompt, context or
/// conversation. Without `variants` those of the recipe are left out.
pub(super) fn ask(
    responder: &Responder,
    asked: &Replies,
    data: &Prepared,
    seed: u64,
    variants: bool,
) -> Result<Replied> {
    let reply = |turns: &[String], choice: &Choice, key: &str| -> Result<Reply> {
        interrupt::check()?;
        let each = &mut |_| match train::signals::interrupted() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let context = responder.read(turns)?;
        responder.reply(&context, choice, seeds::key(seed, key), each)
    };
    let choice = &asked.choice;
    let prompts = asked.prompts.iter().enumerate();
    let prompts = prompts.map(|(i, turns)| reply(turns, choice, &format!("prompt/{i}")));
    let prompts = prompts.collect::<Result<Vec<_>>>()?;

    let test = &data.test;
    let contexts = test.spread(asked.contexts);
    let texts = contexts.iter().map(|&pair| test.turns(pair, &data.tokenizer));
    let texts: Vec<Vec<String>> = texts.collect::<Result<_>>()?;
    let all = |choice: &Choice| -> Result<Vec<Reply>> {
        let each = texts.iter().enumerate();
        each.map(|(i, turns)| reply(turns, choice, &format!("context/{i}"))).collect()
    };
    let (mut measures, mut items) = (Vec::new(), Vec::new());
    if !texts.is_empty() {
        let found = all(choice)?;
        let single: Vec<Option<&Drawn>> = found.iter().map(|reply| Some(&reply.single)).collect();
        measures.push(measured("one".to_owned(), &texts, &single));
        let how = choice.given_in_words();
        let best: Vec<Option<&Drawn>> = found.iter().map(Reply::best).collect();
        measures.push(measured(how, &texts, &best));
        for ((&pair, turns), best) in contexts.iter().zip(&texts).zip(&best) {
            items.push(Item {
                id: test.place(pair),
                conversation: test.conversation(pair).into_owned(),
                decoding: Some(choice.in_words()),
                seed: Some(seed),
                ..item(turns, *best)
            });
        }
        for variant in asked.variants.iter().filter(|_| variants) {
            let found = all(&variant.of(choice))?;
            let best: Vec<Option<&Drawn>> = found.iter().map(Reply::best).collect();
            measures.push(measured(variant.name.clone(), &texts, &best));
        }
    }
    let talks = (0..asked.talks).map(|talk| {
        let opening = &asked.prompts[talk % asked.prompts.len()];
        let mut turns = opening.clone();
        while turns.len() < opening.len() + asked.turns {
            let key = format!("talk/{talk}/{}", turns.len());
            match reply(&turns, choice, &key)?.given() {
                Some(text) => turns.push(one_line(text)),
                None => break,
            }
        }
        Ok(Talk { turns, given: opening.len() })
    });
    let talks = talks.collect::<Result<Vec<_>>>()?;
    interrupt::check()?;
    Ok(Replied { prompts, measures, items, talks })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A reply in its context; the last turn before it is `A`'s.
fn item(turns: &[String], reply: Option<&Drawn>) -> Item {
    let speaker = |i: usize| if (turns.len() - i) % 2 == 1 { "A" } else { "B" };
    let context = turns.iter().enumerate().map(|(i, turn)| Turn::new(speaker(i), turn));
    let likelihood = |drawn: &Drawn| {
        let tokens = drawn.tokens as u64;
        Some(Likelihood { nll: -drawn.score? * tokens as f64, tokens })
    };
    Item {
        turn: turns.len() as u32,
        context: context.collect(),
        response: reply.map(|drawn| one_line(&drawn.text)).unwrap_or_default(),
        likelihood: reply.and_then(likelihood),
        ..Item::default()
    }
}

fn measured(how: String, contexts: &[Vec<String>], replies: &[Option<&Drawn>]) -> Measured {
    let both = contexts.iter().zip(replies);
    let items: Vec<Item> = both.map(|(turns, reply)| item(turns, *reply)).collect();
    let scores: Vec<f64> = replies.iter().filter_map(|reply| (*reply)?.score).collect();
    let sum: f64 = scores.iter().sum();
    let mean_ln_p = (!scores.is_empty()).then(|| sum / scores.len() as f64);
    Measured { how, proxies: proxies::measure(&items), mean_ln_p }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_b_s_and_the_turn_before_it_a_s() {
        let drawn = Drawn {
            text: " Yes,\n I  do.".into(),
            score: Some(-0.5),
            reverse: None,
            dropped: None,
            tokens: 4,
            finished: true,
            refused: false,
            truncated: false,
        };
        let turns = ["Do you swim?", "Who asks?", "I do. Do you?"].map(str::to_owned);
        let found = item(&turns, Some(&drawn));
        let speakers: Vec<&str> = found.context.iter().map(|turn| turn.speaker.as_str()).collect();
        assert_eq!(speakers, ["A", "B", "A"]);
        assert_eq!((found.turn, found.response.as_str()), (3, "Yes, I do."));
        assert_eq!(found.likelihood, Some(Likelihood { nll: 2.0, tokens: 4 }));
        let contexts = [turns.to_vec(), turns.to_vec()];
        let found = measured("one".into(), &contexts, &[Some(&drawn), None]);
        assert_eq!((found.proxies.empty, found.mean_ln_p), (Some(0.5), Some(-0.5)));
    }
}
