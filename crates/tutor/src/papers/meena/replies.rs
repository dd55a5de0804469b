//! What a network replies: to the recipe's prompts, and to contexts of the test part.

use std::ops::ControlFlow;

use anyhow::Result;
use eval_ssa::proxies::{self, Proxies};
use eval_ssa::{Item, Turn};
use serde::{Deserialize, Serialize};

use super::recipe::Replies;
use crate::dialog::pairs::Part;
use crate::dialog::responder::{Reply, Responder};
use crate::run::{interrupt, seeds};

/// What a network replied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Replied {
    /// To each prompt.
    pub(super) prompts: Vec<Reply>,
    /// Measures of the replies to contexts of the test part: one drawn alone, and the best of
    /// several. None without contexts.
    pub(super) measures: Option<[Proxies; 2]>,
}

/// Asks a network; what is drawn follows from the seed and the number of the prompt or context.
pub(super) fn ask(
    responder: &Responder,
    asked: &Replies,
    test: &Part,
    seed: u64,
) -> Result<Replied> {
    let reply = |turns: &[String], key: &str| -> Result<Reply> {
        interrupt::check()?;
        let each = &mut |_| match train::signals::interrupted() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let context = responder.read(turns)?;
        Ok(responder.reply(&context, &asked.choice, seeds::key(seed, key), each))
    };
    let prompts = asked.prompts.iter().enumerate();
    let prompts = prompts.map(|(i, turns)| reply(turns, &format!("prompt/{i}")));
    let prompts = prompts.collect::<Result<Vec<_>>>()?;
    let mut items: [Vec<Item>; 2] = Default::default();
    for (i, pair) in test.spread(asked.contexts).into_iter().map(|i| &test.pairs[i]).enumerate() {
        let turns: Vec<String> = pair.context.iter().map(|turn| turn.to_string()).collect();
        let found = reply(&turns, &format!("context/{i}"))?;
        let said = [found.single.text.clone(), found.given().unwrap_or_default().to_owned()];
        for (items, response) in items.iter_mut().zip(said) {
            let context = turns.iter().map(|turn| Turn::new("A", turn)).collect();
            items.push(Item { context, response, ..Item::default() });
        }
    }
    interrupt::check()?;
    let measured = !items[0].is_empty();
    let measures = measured.then(|| items.each_ref().map(proxies::measure));
    Ok(Replied { prompts, measures })
}
