//! What replies: the trait that a model implements, what it is asked, and what it gives.

use serde::Serialize;
use std::ops::ControlFlow;

/// Something that replies, piece by piece.
pub trait Model {
    /// What it is, and how it replies if nobody says otherwise.
    fn about(&self) -> About;

    /// Draws candidates and ranks them. `each` is told after every token, of several candidates
    /// after every place; where it breaks, the reply ends with what there is. The same ask has the
    /// same reply.
    ///
    /// # Errors
    /// Why there is no reply, in a sentence for whoever asked.
    fn reply(
        &self,
        ask: &Ask,
        each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<Reply, String>;

    /// Replies to all requests that `queue` gives, until it gives no more and all are replied to.
    /// One after another, if a model does nothing else: then [`About::max_concurrent`] is 1. A
    /// model that writes several replies together asks for more between two tokens. The same ask
    /// has the same reply in any company.
    fn reply_to_all(&self, queue: &mut dyn RequestQueue) {
        for (number, ask) in queue.more() {
            let reply = self.reply(&ask, &mut |piece| queue.piece(number, piece));
            queue.done(number, reply);
        }
    }
}

/// Requests as they come, and where their replies go.
pub trait RequestQueue {
    /// Requests that have come and can be begun, each with a number: never more than
    /// [`About::max_concurrent`] are under way. None if nobody waits.
    fn more(&mut self) -> Vec<(u64, Ask)>;

    /// Tells what is new of a reply, as [`Model::reply`] does; where it breaks, the reply ends with
    /// what there is.
    fn piece(&mut self, number: u64, piece: Piece<'_>) -> ControlFlow<()>;

    /// Tells a reply that has ended, or why there is none.
    fn done(&mut self, number: u64, reply: Result<Reply, String>);
}

/// Makes a model in the thread that it will work in.
pub type ModelFactory = Box<dyn FnOnce() -> Result<Box<dyn Model>, String> + Send>;

/// What a model is.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// The name that clients ask for.
    pub name: String,
    /// How it replies if nobody says otherwise.
    pub sampling: Sampling,
    /// Tokens of the longest reply that can be asked for.
    pub max_tokens: usize,
    /// How many requests it replies to at once.
    pub max_concurrent: usize,
}

impl Default for About {
    fn default() -> Self {
        Self {
            name: "model".to_owned(),
            sampling: Sampling::default(),
            max_tokens: 256,
            max_concurrent: 1,
        }
    }
}

/// How candidates are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// How many are drawn. Of a single one, the text is told as it is written.
    pub candidates: usize,
    /// What logits are divided by; 0 takes the likeliest token.
    pub temperature: f64,
    /// How many of the likeliest tokens are kept; all without it.
    pub top_k: Option<usize>,
    /// The probability that the kept tokens have together; 1 without it.
    pub top_p: Option<f64>,
    /// Tokens of a reply, its end included.
    pub max_tokens: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { candidates: 1, temperature: 1.0, top_k: None, top_p: None, max_tokens: 128 }
    }
}

/// What is asked of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// What was said so far, oldest first; the last turn is somebody else's, and replied to. There
    /// is at least one. Mostly the two sides alternate, but one may say several turns in a row.
    pub turns: Vec<Turn>,
    /// How to reply.
    pub sampling: Sampling,
    /// What the draws follow from.
    pub seed: u64,
}

/// What one side said at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its text.
    pub text: String,
    /// Who said it.
    pub role: Role,
}

/// A side of a conversation, by its name in OpenAI's chat completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Whoever talks to the model.
    User,
    /// The model.
    Assistant,
}

/// What was written since the last piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Tokens of a candidate so far.
    pub tokens: usize,
    /// The new text of a single candidate: whole characters, which together are the start of the
    /// candidate's text. Empty where several candidates are drawn, and where nothing is certain.
    pub text: &'a str,
}

/// What was drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The best one first, those that may not be given last. The first one is said, unless it is
    /// dropped.
    pub candidates: Vec<Candidate>,
    /// What was read.
    pub read: Read,
}

/// A reply that was drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Candidate {
    /// Its text.
    pub text: String,
    /// Its score, where it has one: the mean ln p of its tokens.
    pub score: Option<f64>,
    /// Tokens that were written, its end included.
    pub tokens: usize,
    /// Whether it came to an end by itself, or was cut off.
    pub finished: bool,
    /// Why it may not be given, if so.
    pub dropped: Option<Dropped>,
}

/// Why a candidate may not be given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// In words.
    pub why: String,
    /// Whether a filter for safety refused it.
    pub unsafe_text: bool,
    /// Whether it was cut off while others came to an end, and nothing else is against it: whoever
    /// asks for several replies still gets it.
    pub truncated: bool,
}

/// What of a conversation was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Read {
    /// Tokens that were read.
    pub tokens: usize,
    /// Turns at the beginning that were too much and were not read.
    pub turns_left_out: usize,
    /// Whether the last turn itself was too long, and its beginning was not read.
    pub last_turn_cut: bool,
}
