//! What decoding needs of a network.

use torch::{Device, Tensor};

/// A network that writes a response to a context, one token after another.
pub trait Autoregressive {
    /// Reads a context, and gives what goes on from it with one response begun, and the logits
    /// float32 `[1, vocabulary]` of the response's first token. Panics if the context is empty or
    /// longer than [`longest`](Self::longest), or if a token is not in the vocabulary.
    fn start<'a>(&'a self, context: &[i64]) -> (Box<dyn Continuation + 'a>, Tensor);

    /// Number of token ids.
    fn vocabulary(&self) -> i64;

    /// Where its tensors are.
    fn device(&self) -> Device;

    /// How many tokens context and response may have together; none where there is no limit.
    fn longest(&self) -> Option<usize> {
        None
    }
}

/// Several responses to one context that have equally many tokens. What was read is kept once for
/// all of them.
pub trait Continuation {
    /// Adds a token to each response, int64 `[rows]`, and gives the logits of those that follow,
    /// float32 `[rows, vocabulary]`.
    fn step(&mut self, tokens: &Tensor) -> Tensor;

    /// Goes on with the responses of these rows, int64, in this order: leaves some out, or takes
    /// some several times.
    fn select(&mut self, rows: &Tensor);
}
