//! A network that replies, as a model of the server.

use std::ops::ControlFlow;

use anyhow::Result;
use chat_server::{About, Ask, Model, Piece, Reply, RequestQueue, Sampling};
use dialog_models::decode::{SampleConfig, Sampling as Draws};

use super::group::{Asked, Group};
use crate::commands::reply_network::{ReplyNetwork, repetition};
use crate::dialog::responder::{Choice, Responder};
use crate::run::seeds;

/// A network that replies, with its name, and how it does if nobody says otherwise.
pub(super) struct Served {
    responder: Responder,
    choice: Choice,
    name: Option<String>,
    /// Chats that it replies to at once.
    together: usize,
}

impl Served {
    pub(super) fn open(
        network: &ReplyNetwork,
        name: Option<String>,
        together: usize,
    ) -> Result<Self> {
        let responder = network.open()?;
        let choice = network.choice(&responder);
        Ok(Self { responder, choice, name, together })
    }

    fn read(&self, number: u64, ask: &Ask) -> Result<Asked> {
        let texts: Vec<String> = ask.turns.iter().map(|turn| turn.text.clone()).collect();
        let context = self.responder.read(&texts)?;
        // As `tutor chat --sampling-seed` does it.
        let seed = seeds::key(ask.seed, &format!("turn/{}", ask.turns.len()));
        Ok(Asked { number, context, choice: chosen(&ask.sampling), seed })
    }
}

fn chosen(sampling: &Sampling) -> Choice {
    let Sampling { candidates, temperature, top_k, top_p, max_tokens } = *sampling;
    let sampling = Draws { temperature, top_k, nucleus: top_p };
    let sample = SampleConfig { candidates, max_tokens, sampling };
    Choice { sample, beam: None, repetition: repetition(candidates) }
}

impl Model for Served {
    fn about(&self) -> About {
        let SampleConfig { candidates, max_tokens, sampling } = self.choice.sample;
        let Draws { temperature, top_k, nucleus } = sampling;
        About {
            name: self.name.clone().unwrap_or_else(|| self.responder.name().to_owned()),
            sampling: Sampling { candidates, temperature, top_k, top_p: nucleus, max_tokens },
            // `--max-tokens`, or what the network was made for.
            max_tokens,
            max_concurrent: self.together,
        }
    }

    fn reply(
        &self,
        ask: &Ask,
        each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<Reply, String> {
        let mut only = Only { ask: Some(ask.clone()), each, reply: None };
        self.reply_to_all(&mut only);
        only.reply.unwrap_or_else(|| Err("nothing was replied".to_owned()))
    }

    /// Those who ask at the same moment are one batch; those who come later are another one, whose
    /// tokens are written in turn with its.
    fn reply_to_all(&self, line: &mut dyn RequestQueue) {
        let mut groups: Vec<Group<'_>> = Vec::new();
        loop {
            let mut asked = Vec::new();
            for (number, ask) in line.more() {
                match self.read(number, &ask) {
                    Ok(read) => asked.push(read),
                    Err(error) => line.done(number, Err(format!("{error:#}"))),
                }
            }
            if !asked.is_empty() {
                groups.push(Group::new(&self.responder, asked));
            }
            if groups.is_empty() {
                return;
            }
            groups.iter_mut().for_each(|group| group.step(line));
            groups.retain(|group| !group.is_done());
        }
    }
}

/// A line of one ask.
struct Only<'a> {
    ask: Option<Ask>,
    each: &'a mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    reply: Option<Result<Reply, String>>,
}

impl RequestQueue for Only<'_> {
    fn more(&mut self) -> Vec<(u64, Ask)> {
        self.ask.take().map(|ask| (0, ask)).into_iter().collect()
    }

    fn piece(&mut self, _: u64, piece: Piece<'_>) -> ControlFlow<()> {
        (self.each)(piece)
    }

    fn done(&mut self, _: u64, reply: Result<Reply, String>) {
        self.reply = Some(reply);
    }
}
