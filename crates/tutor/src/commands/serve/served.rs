//! A network that replies, as a model of the server.

use std::ops::ControlFlow;

use anyhow::Result;
use chat_server::{About, Ask, Candidate, Dropped, Model, Piece, Read, Reply, Sampling};
use dialog_models::decode::{SampleConfig, Sampling as Draws};

use super::held_back::{HeldBack, Refused};
use crate::commands::whom::{Opened, Whom};
use crate::dialog::responder::{Choice, Context, Drawn, Responder};
use crate::run::seeds;

/// A network that replies, with its name, and how it does if nobody says otherwise.
pub(super) struct Served {
    opened: Opened,
    choice: Choice,
    name: Option<String>,
}

impl Served {
    pub(super) fn open(whom: &Whom, name: Option<String>) -> Result<Self> {
        let opened = whom.open()?;
        let choice = whom.choice(opened.responder());
        Ok(Self { opened, choice, name })
    }

    fn chosen(&self, sampling: &Sampling) -> Choice {
        let Sampling { candidates, temperature, top_k, top_p, max_tokens } = *sampling;
        let sampling = Draws { temperature, top_k, nucleus: top_p };
        Choice {
            sample: SampleConfig { candidates, max_tokens, sampling },
            // Of a single one, as in the terminal: there is nothing to give in its place.
            repetition: self.choice.repetition.filter(|_| candidates > 1),
        }
    }
}

impl Model for Served {
    fn about(&self) -> About {
        let responder = self.opened.responder();
        let SampleConfig { candidates, max_tokens, sampling } = self.choice.sample;
        let Draws { temperature, top_k, nucleus } = sampling;
        About {
            name: self.name.clone().unwrap_or_else(|| responder.name().to_owned()),
            sampling: Sampling { candidates, temperature, top_k, top_p: nucleus, max_tokens },
            // `--max-tokens`, or what the network was made for.
            longest: max_tokens,
        }
    }

    fn reply(
        &self,
        ask: &Ask,
        each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<Reply, String> {
        let responder = self.opened.responder();
        let context = responder.read(&ask.turns).map_err(|error| format!("{error:#}"))?;
        let choice = self.chosen(&ask.sampling);
        // As `tutor chat --draws` has it.
        let seed = seeds::key(ask.seed, &format!("turn/{}", ask.turns.len()));
        let reply = match choice.sample.candidates {
            1 => single(responder, &context, &choice, seed, each),
            _ => {
                let mut places = 0;
                let mut count = |place: usize| {
                    if place < places {
                        return ControlFlow::Continue(());
                    }
                    places = place + 1;
                    each(Piece { tokens: places, text: "" })
                };
                responder.reply(&context, &choice, seed, &mut |written| count(written.place))
            }
        };
        let read = Read {
            tokens: context.tokens(),
            turns_left_out: context.left_out,
            last_turn_cut: context.last_cut,
        };
        Ok(Reply { candidates: reply.ranked.into_iter().map(candidate).collect(), read })
    }
}

/// A single reply, told word by word.
fn single(
    responder: &Responder,
    context: &Context,
    choice: &Choice,
    seed: u64,
    each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
) -> crate::dialog::responder::Reply {
    let (mut stream, mut held) = (responder.stream(), HeldBack::default());
    let mut broken = false;
    let reply = responder.reply(context, choice, seed, &mut |written| {
        let more = stream.push(Responder::id(written.token));
        let told = match held.push(&more, |text| responder.refuses(text)) {
            Ok(text) => each(Piece { tokens: written.place + 1, text: &text }),
            Err(Refused) => ControlFlow::Break(()),
        };
        broken = told.is_break();
        told
    });
    let single = &reply.single;
    if !broken && single.dropped.is_none() {
        // Whether anybody still listens no longer matters.
        let _ = each(Piece { tokens: single.tokens, text: held.rest(&single.text) });
    }
    reply
}

fn candidate(drawn: Drawn) -> Candidate {
    let Drawn { text, score, dropped, tokens, finished, refused } = drawn;
    let dropped = dropped.map(|why| Dropped { why, unsafe_text: refused });
    Candidate { text, score, tokens, finished, dropped }
}
