//! What a block of an encoder or a decoder can do.

use torch::{Mode, Tensor};

use crate::batch::{Reading, Writing};
use crate::cache::Growing;

/// A block of an encoder.
pub(crate) trait EncoderBlock: std::fmt::Debug {
    /// `[tokens, hidden]` to the same shape.
    fn forward(&self, x: &Tensor, reading: &Reading, mode: Mode) -> Tensor;
}

/// A block of a decoder.
pub(crate) trait DecoderBlock: std::fmt::Debug {
    /// `[tokens, hidden]` to the same shape; `memory` is what the encoder made of the contexts.
    fn forward(&self, x: &Tensor, memory: &Tensor, writing: &Writing, mode: Mode) -> Tensor;

    /// What is remembered before the first token, of one context `[tokens, hidden]`.
    fn start(&self, memory: &Tensor) -> Memories;

    /// The next token of each of several sequences, `[rows, hidden]` to the same shape.
    fn step(&self, x: &Tensor, memories: &mut Memories) -> Tensor;
}

/// What one block of a decoder remembers.
#[derive(Debug)]
pub(crate) struct Memories {
    /// Keys and values of the context, for each attention on it.
    pub(crate) read: Vec<[Tensor; 2]>,
    /// Keys and values of the sequences, for each self-attention.
    pub(crate) own: Vec<Growing>,
    /// The last frames of each convolution, `[rows, frames, width]`.
    pub(crate) frames: Vec<Tensor>,
}

impl Memories {
    /// Goes on with these rows, int64.
    pub(crate) fn select(&mut self, rows: &Tensor) {
        self.own.iter_mut().for_each(|own| own.select(rows));
        self.frames.iter_mut().for_each(|frames| *frames = frames.index_select(0, rows));
    }
}
