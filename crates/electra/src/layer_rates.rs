//! Learning rates that fall from the top of a network to its bottom, for fine-tuning.

/// How learning rates fall from layer to layer.
///
/// ELECTRA's released code gives a tensor at depth k (0 for embeddings, i + 1 for layer i, n + 2
/// for the head, with n layers) the factor decay^(n + 2 − k): the head stands two steps above the
/// top layer, which is regarded as a slip. Published numbers were made with it, so it is the
/// default; `corrected` puts the head at n + 1.
///
/// ```
/// use electra::LayerRates;
///
/// let rates = LayerRates { decay: 0.8, corrected: false };
/// let of = |name| rates.of(name, 12);
/// assert_eq!(of("classifier.out_proj.weight"), 1.0);
/// assert!((of("electra.encoder.layer.11.output.dense.weight") - 0.64).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerRates {
    /// The factor from a layer to the one below it: 0.8 for ELECTRA-Small and -Base, 0.9 for
    /// -Large.
    pub decay: f64,
    /// Whether the head is one step above the top layer, not two.
    pub corrected: bool,
}

impl LayerRates {
    /// The factor of the learning rate of the tensor of this name in a network of so many layers.
    pub fn of(self, name: &str, layers: i64) -> f64 {
        let top = layers + if self.corrected { 1 } else { 2 };
        let layer = name
            .split_once("encoder.layer.")
            .and_then(|(_, rest)| rest.split('.').next()?.parse::<i64>().ok());
        let depth = match layer {
            Some(layer) => layer + 1,
            None if name.contains("embeddings") => 0,
            None => top,
        };
        self.decay.powi((top - depth) as i32)
    }
}
