//! What decoding needs of a network.

use torch::{Device, Tensor};

/// A network that writes a response to a context, one token after another.
pub trait Autoregressive {
    /// Reads contexts, and gives what goes on from them with one response to each begun, and the
    /// logits float32 `[contexts, vocabulary]` of the responses' first tokens. Panics if there is
    /// no context, one is empty or longer than [`longest`](Self::longest), or a token is not in the
    /// vocabulary.
    fn start<'a>(&'a self, contexts: &[&[i64]]) -> (Box<dyn Continuation + 'a>, Tensor);

    /// Number of token ids.
    fn vocabulary(&self) -> i64;

    /// Where its tensors are.
    fn device(&self) -> Device;

    /// How many tokens context and response may have together; none where there is no limit.
    fn longest(&self) -> Option<usize> {
        None
    }

    /// How many tokens a response may have; none where there is no limit but that of
    /// [`longest`](Self::longest).
    fn longest_response(&self) -> Option<usize> {
        None
    }
}

/// Several responses to one or more contexts that have equally many tokens. What was read is kept
/// once for all responses to a context.
pub trait Continuation {
    /// Adds a token to each response, int64 `[rows]`, and gives the logits of those that follow,
    /// float32 `[rows, vocabulary]`.
    fn step(&mut self, tokens: &Tensor) -> Tensor;

    /// Goes on with the responses of these rows, in this order: leaves some out, or takes some
    /// several times. Contexts to which no response is left are forgotten.
    fn select(&mut self, rows: &[usize]);
}
