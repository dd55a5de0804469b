//! How many floating-point operations a network takes, counted without running it.

use crate::{Architecture, Seq2SeqConfig};

impl Seq2SeqConfig {
    /// Floating-point operations of a forward pass that reads a context of so many tokens and
    /// predicts a response of so many: those of linear layers, convolutions, attention and the
    /// softmax's products, a multiplication with its addition counting as two. Norms, activations
    /// and sums are not counted. A causal mask saves nothing.
    ///
    /// Training takes three times as many: gradients of weights and of what layers were given cost
    /// as much as the layers themselves.
    ///
    /// ```
    /// use dialog_models::Seq2SeqConfig;
    ///
    /// // Long responses to short contexts: twice the parameters that a token goes through.
    /// let config = Seq2SeqConfig::plain(8192, 256, 4, [1, 6]);
    /// let each = config.flops(1, 1000) as f64 / 1000.0;
    /// assert!((1.0..1.3).contains(&(each / (2.0 * config.parameters() as f64))));
    /// ```
    pub fn flops(&self, context: usize, response: usize) -> u64 {
        let [h, v] = [self.hidden, self.vocabulary].map(i64::unsigned_abs);
        let [read, written] = [context as u64, response as u64];
        let blocks = [self.encoder_blocks, self.decoder_blocks].map(i64::unsigned_abs);
        // Multiplications of each layer for one token.
        let attention = |seen: u64| 4 * h * h + 2 * seen * h;
        let memory = 2 * h * h + 2 * read * h;
        let feed_forward = 8 * h * h;
        let separable = |taps: u64, from: u64, to: u64| taps * from + from * to;
        let mut encoder = attention(read) + feed_forward;
        let mut decoder = attention(written) + memory + feed_forward;
        // Keys and values of the context, for each of its tokens.
        let mut remembered = 2 * h * h;
        if self.architecture == Architecture::EvolvedTransformer {
            let convolutions = 4 * h * h + 3 * h * (h / 2) + separable(9, 4 * h, h / 2);
            encoder += 2 * h * h + convolutions;
            let left_and_right = separable(11, h, 2 * h) + separable(7, h, h / 2);
            decoder += attention(written) + memory + left_and_right + separable(7, 2 * h, h);
            remembered *= 2;
        }
        let of_context = blocks[0] * encoder + blocks[1] * remembered;
        2 * (read * of_context + written * (blocks[1] * decoder + v * h))
    }
}
