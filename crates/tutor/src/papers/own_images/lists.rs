//! Lists of unlabelled pictures: what the chosen network says of each, and which it would like to
//! have labelled next.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::images::subset::Subset;
use crate::run::predictions::{Predictions, top};

/// What a network says of an image without a label.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sure {
    pub(super) id: String,
    pub(super) class: u32,
    pub(super) probability: f32,
    /// The second most probable class.
    pub(super) second: u32,
    /// By how much the first is more probable than the second.
    pub(super) margin: f32,
}

/// The file of the pictures to label next, in a seed's folder.
pub(super) const TO_LABEL: &str = "label-next.csv";

/// How many are listed at most.
const LISTED: usize = 200;

/// What a network says of each image of a subset.
pub(super) fn of(subset: &Subset, predictions: &Predictions) -> Vec<Sure> {
    let said = |(id, row): (String, &[f32])| {
        let (class, probability) = top(row);
        let mut others = row.to_vec();
        others[class as usize] = f32::NEG_INFINITY;
        let (second, next) = top(&others);
        Sure { id, class, probability, second, margin: probability - next }
    };
    subset.ids().into_iter().zip(predictions.rows()).map(said).collect()
}

/// The images whose label would tell most: the smallest margins first (Scheffer et al. 2001), the
/// pairs of classes that are mixed up taking turns, so that the list is not all of one kind.
pub(super) fn to_label(said: &[Sure]) -> Vec<&Sure> {
    let mut order: Vec<&Sure> = said.iter().collect();
    order.sort_by(|a, b| a.margin.total_cmp(&b.margin).then_with(|| a.id.cmp(&b.id)));
    let pair = |sure: &Sure| (sure.class.min(sure.second), sure.class.max(sure.second));
    let mut turns = std::collections::HashMap::new();
    let mut in_turns: Vec<(usize, &Sure)> = order
        .into_iter()
        .map(|sure| {
            let turn = turns.entry(pair(sure)).or_insert(0_usize);
            *turn += 1;
            (*turn, sure)
        })
        .collect();
    // Stable: within a turn the smallest margin is first.
    in_turns.sort_by_key(|(turn, _)| *turn);
    in_turns.into_iter().map(|(_, sure)| sure).take(LISTED).collect()
}

/// Writes the list of pictures to label next: file, the two most probable classes, the probability
/// of the first and the margin.
pub(super) fn write_to_label(dir: &Path, classes: &[String], said: &[Sure]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["file", "guess", "or", "probability", "margin"])?;
    for sure in to_label(said) {
        writer.write_record([
            sure.id.as_str(),
            &classes[sure.class as usize],
            &classes[sure.second as usize],
            &sure.probability.to_string(),
            &sure.margin.to_string(),
        ])?;
    }
    Ok(atomic_file::write(&dir.join(TO_LABEL), &writer.into_inner()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_classes_take_turns_by_margin() {
        let sure = |id: &str, class, second, margin| Sure {
            id: id.to_owned(),
            class,
            second,
            probability: 0.5,
            margin,
        };
        let said = [
            sure("a", 0, 1, 0.1),
            sure("b", 1, 0, 0.2),
            sure("c", 2, 1, 0.9),
            sure("d", 0, 1, 0.0),
        ];
        let order: Vec<&str> = to_label(&said).iter().map(|sure| sure.id.as_str()).collect();
        assert_eq!(order, ["d", "c", "a", "b"]);
    }
}
