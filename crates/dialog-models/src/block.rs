//! What a block of an encoder or a decoder can do.

use torch::{Mode, Tensor};

use crate::batch::{Reading, Writing};
use crate::cache::Growing;
use crate::contexts::{Contexts, Kept, Shared};

/// A block of an encoder.
pub(crate) trait EncoderBlock: std::fmt::Debug + Send {
    /// `[tokens, hidden]` to the same shape.
    fn forward(&self, x: &Tensor, reading: &Reading, mode: Mode) -> Tensor;
}

/// A block of a decoder.
pub(crate) trait DecoderBlock: std::fmt::Debug + Send {
    /// `[tokens, hidden]` to the same shape; `memory` is what the encoder made of the contexts.
    fn forward(&self, x: &Tensor, memory: &Tensor, writing: &Writing, mode: Mode) -> Tensor;

    /// What is remembered before the first tokens, of contexts `[tokens, hidden]`.
    fn start(&self, memory: &Tensor, contexts: &Contexts) -> Memories;

    /// The next token of each of several sequences, `[rows, hidden]` to the same shape.
    fn step(&self, x: &Tensor, memories: &mut Memories, contexts: &Contexts) -> Tensor;
}

/// What one block of a decoder remembers.
#[derive(Debug)]
pub(crate) struct Memories {
    /// Keys and values of the contexts, for each attention on them.
    pub(crate) read: Vec<Shared>,
    /// Keys and values of the sequences, for each self-attention.
    pub(crate) own: Vec<Growing>,
    /// The last frames of each convolution, `[rows, frames, width]`.
    pub(crate) frames: Vec<Tensor>,
}

impl Memories {
    /// Goes on with what is left.
    pub(crate) fn keep(&mut self, kept: &Kept) {
        self.read.iter_mut().for_each(|read| read.keep(kept));
        self.own.iter_mut().for_each(|own| own.keep(kept));
        if let Some(rows) = &kept.rows {
            self.frames.iter_mut().for_each(|frames| *frames = frames.index_select(0, rows));
        }
    }
}
