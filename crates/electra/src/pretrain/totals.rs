//! How well a pre-training's networks do on held-out text, over many batches.

use torch::{Kind, Tensor};

use super::{MaskedBatch, Step};

/// Sums over batches, for the metrics of ELECTRA's released code.
///
/// Means are over slots, tokens or sequences of all batches, whatever their sizes. The area under
/// the curve is exact, with ties halved (Mann & Whitney's U).
#[derive(Clone, Debug, Default)]
pub struct Totals {
    slots: f64,
    nll: f64,
    best: f64,
    sampled: f64,
    sequences: f64,
    discriminator: f64,
    /// Logit and label of each token.
    tokens: Vec<(f32, bool)>,
    with_discriminator: bool,
}

impl Totals {
    /// Adds what a step on a batch gave.
    pub fn add(&mut self, batch: &MaskedBatch, step: &Step) {
        let truth = batch.truth();
        let sum = |t: &Tensor| t.to_kind(Kind::Double).sum(Kind::Double).double_value(&[]);
        self.slots += truth.numel() as f64;
        self.nll += sum(&step.nll);
        self.best += sum(&step.best.eq_tensor(&truth));
        if let Some(sampled) = &step.sampled {
            self.sampled += sum(&sampled.eq_tensor(&truth));
        }
        let (Some(logits), Some(labels)) = (&step.logits, &step.labels) else { return };
        self.with_discriminator = true;
        let each = torch::loss::binary_cross_entropy(logits, labels);
        for part in batch.packed().split(&each) {
            self.discriminator += part.mean(Kind::Double).double_value(&[]);
            self.sequences += 1.0;
        }
        let list = |t: &Tensor| Vec::<f32>::try_from(t.to_kind(Kind::Float)).expect("a vector");
        let both = list(logits).into_iter().zip(list(labels));
        self.tokens.extend(both.map(|(logit, label)| (logit, label > 0.5)));
    }

    /// Every metric that the batches have, by its name in the released code. One that is not
    /// defined, as precision where nothing was said to be replaced, is left out.
    pub fn metrics(&self) -> Vec<(&'static str, f64)> {
        let mut all = Vec::new();
        let mut add = |name, sum: f64, count: f64| {
            if count > 0.0 {
                all.push((name, sum / count));
            }
        };
        add("masked_lm_loss", self.nll, self.slots);
        add("masked_lm_accuracy", self.best, self.slots);
        if !self.with_discriminator {
            return all;
        }
        add("sampled_masked_lm_accuracy", self.sampled, self.slots);
        add("disc_loss", self.discriminator, self.sequences);
        let count = |said: bool, label: bool| {
            self.tokens.iter().filter(|t| ((t.0 > 0.0), t.1) == (said, label)).count() as f64
        };
        let (hit, missed, false_alarm) =
            (count(true, true), count(false, true), count(true, false));
        let right = hit + count(false, false);
        add("disc_accuracy", right, self.tokens.len() as f64);
        add("disc_precision", hit, hit + false_alarm);
        add("disc_recall", hit, hit + missed);
        if let Some(area) = area_under_curve(&self.tokens) {
            all.push(("disc_auc", area));
        }
        all
    }
}

/// The chance that a replaced token has a higher logit than an original one, ties halved.
fn area_under_curve(tokens: &[(f32, bool)]) -> Option<f64> {
    let mut sorted = tokens.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let replaced = sorted.iter().filter(|t| t.1).count() as f64;
    let originals = sorted.len() as f64 - replaced;
    let (mut below, mut wins) = (0.0, 0.0);
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let here = ties.iter().filter(|t| t.1).count() as f64;
        let others = ties.len() as f64 - here;
        wins += here * (below + others / 2.0);
        below += others;
    }
    (replaced * originals > 0.0).then(|| wins / (replaced * originals))
}

#[cfg(test)]
mod tests {
    use super::area_under_curve;

    #[test]
    fn the_area_counts_pairs_in_order() {
        let area = |list: &[(f32, bool)]| area_under_curve(list);
        assert_eq!(area(&[(0.1, false), (0.4, false), (0.35, true), (0.8, true)]), Some(0.75));
        assert_eq!(area(&[(1.0, false), (1.0, true)]), Some(0.5));
        assert_eq!(area(&[(2.0, true), (1.0, true)]), None);
    }
}
