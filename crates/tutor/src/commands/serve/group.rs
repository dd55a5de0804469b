//! Replies that are written together: those that were asked for at the same moment.

use std::ops::ControlFlow;

use chat_server::{Candidate, Dropped, Piece, Read, Reply, RequestQueue};
use data_pipeline::dialog::StreamDecoder;
use dialog_models::decode::{Drawing, Written};

use crate::dialog::held_back::{HeldBack, Refused};
use crate::dialog::responder::{Choice, Context, Drawn, Responder};

/// What is asked for, read and understood.
pub(super) struct Asked {
    /// Its number in the line.
    pub(super) number: u64,
    pub(super) context: Context,
    pub(super) choice: Choice,
    pub(super) seed: u64,
}

/// Several replies under way, each that which is written alone.
pub(super) struct Group<'a> {
    responder: &'a Responder,
    drawing: Drawing<'a>,
    replies: Vec<UnderWay<'a>>,
}

struct UnderWay<'a> {
    asked: Asked,
    told: Told<'a>,
    is_done: bool,
}

/// What was told of a reply.
enum Told<'a> {
    /// A single candidate's text, word by word, where its words are all that is judged.
    Text { stream: StreamDecoder<'a>, held: HeldBack, broken: bool },
    /// How many tokens the longest candidate has so far; texts are shown when all are written.
    Places(usize),
}

impl<'a> Group<'a> {
    pub(super) fn new(responder: &'a Responder, asked: Vec<Asked>) -> Self {
        let wanted: Vec<_> =
            asked.iter().map(|asked| (&asked.context, &asked.choice, asked.seed)).collect();
        let drawing = responder.begin(&wanted);
        let under_way = |asked: Asked| {
            let is_streamed = asked.choice.draws_one() && !responder.judges_whole();
            let (stream, held) = (responder.stream(), HeldBack::default());
            let told = match is_streamed {
                true => Told::Text { stream, held, broken: false },
                false => Told::Places(0),
            };
            UnderWay { asked, told, is_done: false }
        };
        Self { responder, drawing, replies: asked.into_iter().map(under_way).collect() }
    }

    pub(super) fn is_done(&self) -> bool {
        self.replies.iter().all(|reply| reply.is_done)
    }

    /// Writes a token of each candidate that goes on, and tells what is new and what has ended.
    pub(super) fn step(&mut self, line: &mut dyn RequestQueue) {
        let Self { responder, drawing, replies } = self;
        drawing.step(&mut |context, written| replies[context].tell(responder, written, line));
        for (i, reply) in replies.iter_mut().enumerate() {
            if !reply.is_done && !drawing.goes_on(i) {
                reply.is_done = true;
                let Asked { number, context, choice, .. } = &reply.asked;
                let found = match responder.ranked(context, choice, drawing.candidates(i)) {
                    Ok(found) => found,
                    Err(error) => {
                        line.done(*number, Err(format!("{error:#}")));
                        continue;
                    }
                };
                reply.told.rest(&found.single, &mut |piece| line.piece(*number, piece));
                let read = Read {
                    tokens: context.tokens(),
                    turns_left_out: context.left_out,
                    last_turn_cut: context.last_cut,
                };
                let candidates = found.ranked.into_iter().map(candidate).collect();
                line.done(*number, Ok(Reply { candidates, read }));
            }
        }
    }
}

impl UnderWay<'_> {
    fn tell(
        &mut self,
        responder: &Responder,
        written: Written,
        line: &mut dyn RequestQueue,
    ) -> ControlFlow<()> {
        let number = self.asked.number;
        match &mut self.told {
            Told::Text { stream, held, broken } => {
                let more = stream.push(Responder::id(written.token));
                let told = match held.push(&more, |text| responder.holds_word(text)) {
                    Ok(text) => {
                        line.piece(number, Piece { tokens: written.place + 1, text: &text })
                    }
                    Err(Refused) => ControlFlow::Break(()),
                };
                *broken = told.is_break();
                told
            }
            Told::Places(places) if written.place < *places => ControlFlow::Continue(()),
            Told::Places(places) => {
                *places = written.place + 1;
                line.piece(number, Piece { tokens: *places, text: "" })
            }
        }
    }
}

impl Told<'_> {
    /// Tells what was held back of a single candidate.
    fn rest(&self, single: &Drawn, each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>) {
        if let Self::Text { held, broken: false, .. } = self
            && single.dropped.is_none()
        {
            // Whether anybody still listens no longer matters.
            let _ = each(Piece { tokens: single.tokens, text: held.rest(&single.text) });
        }
    }
}

fn candidate(drawn: Drawn) -> Candidate {
    let Drawn { text, score, dropped, tokens, finished, refused, truncated, .. } = drawn;
    let dropped = dropped.map(|why| Dropped { why, unsafe_text: refused, truncated });
    Candidate { text, score, tokens, finished, dropped }
}
