//! A model that is none: it says again what was said, or counts.

use chat_server::{
    About, Ask, Candidate, Dropped, Model, ModelFactory, Piece, Read, Reply, Sampling,
};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What the model is asked for, by the last turn: `count` counts to 200, `fail` gives an error,
/// `panic` panics, a turn with `awful` is refused, `read long` takes five seconds before the first
/// token, of `one ends` all candidates but the first are cut off; all else is said again.
#[derive(Clone, Default)]
pub(crate) struct Stub {
    /// How long a token takes.
    pub(crate) pace: Duration,
    /// Tokens that were written, of all replies.
    pub(crate) written: Arc<AtomicUsize>,
}

pub(crate) const NAME: &str = "stub \"><script>1</script>";

/// Turns that it reads.
const READ: usize = 4;

impl Stub {
    pub(crate) fn maker(&self) -> ModelFactory {
        let stub = self.clone();
        Box::new(move || Ok(Box::new(stub)))
    }
}

impl Model for Stub {
    fn about(&self) -> About {
        let sampling = Sampling { max_tokens: 200, ..Sampling::default() };
        About { name: NAME.to_owned(), sampling, max_tokens: 200, max_concurrent: 1 }
    }

    fn reply(
        &self,
        ask: &Ask,
        each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<Reply, String> {
        let last = ask.turns[ask.turns.len() - 1].text.as_str();
        let text = match last {
            "count" => (1..=200).map(|n| format!("{n} ")).collect(),
            "seed" => ask.seed.to_string(),
            "fail" => return Err("I do not like this".to_owned()),
            "panic" => panic!("asked to"),
            "read long" => {
                std::thread::sleep(Duration::from_secs(5));
                last.to_owned()
            }
            said => said.to_owned(),
        };
        let count = ask.sampling.candidates;
        let pieces: Vec<&str> = text.split_inclusive(' ').collect();
        let room = ask.sampling.max_tokens;
        let mut tokens = 0;
        for piece in pieces.iter().take(room) {
            std::thread::sleep(self.pace);
            tokens += 1;
            self.written.fetch_add(1, Ordering::SeqCst);
            let text = if count == 1 { piece } else { "" };
            if each(Piece { tokens, text }).is_break() {
                break;
            }
        }
        let finished = tokens == pieces.len();
        let text = pieces[..tokens].concat();
        let dropped = last.contains("awful").then(|| Dropped {
            why: "holds an offensive word".to_owned(),
            unsafe_text: true,
            ..Dropped::default()
        });
        let cut = Dropped { why: "did not come to an end".to_owned(), ..Dropped::default() };
        let cut = Dropped { truncated: true, ..cut };
        let candidate = |number: usize| {
            let ends = number == 0 || last != "one ends";
            Candidate {
                text: if number == 0 { text.clone() } else { format!("{text} ({number})") },
                score: Some(-0.5 - number as f64 / 8.0),
                tokens,
                finished: finished && ends,
                dropped: dropped.clone().or_else(|| (!ends).then(|| cut.clone())),
            }
        };
        let read = Read {
            tokens: ask.turns.iter().map(|turn| turn.text.split_inclusive(' ').count()).sum(),
            turns_left_out: ask.turns.len().saturating_sub(READ),
            last_turn_cut: false,
        };
        Ok(Reply { candidates: (0..count).map(candidate).collect(), read })
    }
}
