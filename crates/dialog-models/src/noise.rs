//! Dropout on rows of tokens, of which a process may have a part.

use std::ops::Range;

use torch::nn::keyed_dropout_at;
use torch::{Mode, Tensor};

/// The noise of a pass over tokens: a token gets what its place in the whole batch says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise<'a> {
    places: &'a [Range<usize>],
    mode: Mode,
}

impl<'a> Noise<'a> {
    /// That of tokens at these places, in this mode.
    pub(crate) fn new(places: &'a [Range<usize>], mode: Mode) -> Self {
        Self { places, mode }
    }

    /// Dropout at `rate` on `x` `[tokens, width]`.
    pub(crate) fn drop(self, x: &Tensor, rate: f64) -> Tensor {
        keyed_dropout_at(self.places, x, rate, self.mode)
    }
}

impl Noise<'static> {
    /// None: rows that are no tokens of a batch, as while a response is written.
    pub(crate) const NONE: Self = Self { places: &[], mode: Mode::Eval };
}
