//! Lists of unlabelled samples: what the chosen network says of each, and which it would like to
//! have labelled next.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::predictions::{Predictions, top};

/// What a network says of a sample without a label.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Unlabeled {
    pub(crate) id: String,
    pub(crate) class: u32,
    pub(crate) probability: f32,
    /// The second most probable class.
    pub(crate) second: u32,
    /// By how much the first is more probable than the second.
    pub(crate) margin: f32,
}

/// The file of the samples to label next, in a seed's folder.
pub(crate) const TO_LABEL: &str = "label-next.csv";

/// How many are listed at most.
const LISTED: usize = 200;

/// A network wavers between two classes where the first is more probable by less than this.
const WAVERS: f32 = 0.5;

/// What a network says of each of some samples, by their ids.
pub(crate) fn of(
    ids: impl IntoIterator<Item = String>,
    predictions: &Predictions,
) -> Vec<Unlabeled> {
    let said = |(id, row): (String, &[f32])| {
        let (class, probability) = top(row);
        let mut others = row.to_vec();
        others[class as usize] = f32::NEG_INFINITY;
        let (second, next) = top(&others);
        Unlabeled { id, class, probability, second, margin: probability - next }
    };
    ids.into_iter().zip(predictions.rows()).map(said).collect()
}

/// Whether a network wavers between two classes of a sample.
fn wavers(found: &Unlabeled) -> bool {
    found.margin < WAVERS
}

/// The samples of the list to label next that a report shows: those between whose classes the
/// network wavers, or the whole list where it does so for none.
pub(crate) fn shown(said: &[Unlabeled]) -> Vec<&Unlabeled> {
    let mut list = to_label(said);
    let count = list.iter().take_while(|found| wavers(found)).count();
    if count > 0 {
        list.truncate(count);
    }
    list
}

/// What the list of samples to label next holds, in words. `row` said it; `unit`: `images`.
pub(crate) fn about(said: &[Unlabeled], row: &str, unit: &str) -> String {
    let points = 100.0 * WAVERS;
    let (all, listed) = (said.len(), said.len().min(LISTED));
    let list = format!("{TO_LABEL} of the seed's folder lists {listed} of them");
    let told = match said.iter().filter(|found| wavers(found)).count() {
        0 => format!(
            "{row} is sure of all {all} unlabelled {unit} that it was shown: the probabilities of \
             the two most probable classes are {points:.0} points apart or more. Those that are \
             nearest to each other come first. {list}."
        ),
        count => {
            let others = match count < listed {
                true => ", those first and then others by how far apart the two are",
                false => "",
            };
            format!(
                "A label of these unlabelled {unit} would tell most: {row} wavers between two \
                 classes, whose probabilities are less than {points:.0} points apart, and all \
                 pairs of classes take turns. It does so for {count} of the {all} {unit} that it \
                 was shown. {list}{others}."
            )
        }
    };
    format!("{told} Its columns `predicted` and `or` are the two classes, not labels.")
}

/// The samples whose label would tell most: first those between whose classes the network wavers,
/// the smallest margins first (Scheffer et al. 2001), the pairs of classes that are mixed up taking
/// turns, so that the list is not all of one kind; then the others by their margins alone.
pub(crate) fn to_label(said: &[Unlabeled]) -> Vec<&Unlabeled> {
    let mut order: Vec<&Unlabeled> = said.iter().collect();
    order.sort_by(|a, b| a.margin.total_cmp(&b.margin).then_with(|| a.id.cmp(&b.id)));
    let others = order.split_off(order.partition_point(|found| wavers(found)));
    let pair = |found: &Unlabeled| (found.class.min(found.second), found.class.max(found.second));
    let mut turns = std::collections::HashMap::new();
    let mut in_turns: Vec<(usize, &Unlabeled)> = order
        .into_iter()
        .map(|found| {
            let turn = turns.entry(pair(found)).or_insert(0_usize);
            *turn += 1;
            (*turn, found)
        })
        .collect();
    // Stable: within a turn the smallest margin is first.
    in_turns.sort_by_key(|(turn, _)| *turn);
    in_turns.into_iter().map(|(_, found)| found).chain(others).take(LISTED).collect()
}

/// Writes the list of samples to label next: which, the two most probable classes (under names that
/// are not taken for a column of labels), the probability of the first and the margin. `what` is
/// the name of the first column; `more` those of further ones, and what stands in each for an id.
pub(crate) fn write_to_label(
    dir: &Path,
    what: &str,
    classes: &[String],
    said: &[Unlabeled],
    more: &[(&str, &BTreeMap<String, String>)],
) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = [what, "predicted", "or", "probability", "margin"];
    writer.write_record(columns.into_iter().chain(more.iter().map(|(name, _)| *name)))?;
    for found in to_label(said) {
        let numbers = [found.probability, found.margin].map(|number| number.to_string());
        let row = [
            found.id.as_str(),
            &classes[found.class as usize],
            &classes[found.second as usize],
            &numbers[0],
            &numbers[1],
        ];
        let cell = |of: &BTreeMap<String, String>| of.get(&found.id).cloned().unwrap_or_default();
        let last: Vec<String> = more.iter().map(|(_, of)| cell(of)).collect();
        writer.write_record(row.into_iter().chain(last.iter().map(String::as_str)))?;
    }
    Ok(atomic_file::write(&dir.join(TO_LABEL), &writer.into_inner()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_classes_take_turns_by_margin() {
        let found = |id: &str, class, second, margin| Unlabeled {
            id: id.to_owned(),
            class,
            second,
            probability: 0.5,
            margin,
        };
        let said = [
            found("a", 0, 1, 0.1),
            found("b", 1, 0, 0.2),
            found("c", 2, 1, 0.4),
            found("d", 0, 1, 0.0),
            found("e", 2, 0, 1.0),
            found("f", 0, 1, 0.5),
        ];
        let order: Vec<&str> = to_label(&said).iter().map(|found| found.id.as_str()).collect();
        assert_eq!(order, ["d", "c", "a", "b", "f", "e"]);
        // Nothing of which the network is sure is said to be in doubt.
        let ids = |said| shown(said).iter().map(|found| found.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&said), ["d", "c", "a", "b"]);
        assert_eq!(ids(&said[4..]), ["f", "e"], "it is sure of all");
        let told = about(&said, "words", "texts");
        assert!(told.contains("words wavers") && told.contains("4 of the 6 texts"), "{told}");
        assert!(told.contains("lists 6 of them, those first and then others"), "{told}");
        let told = about(&vec![said[0].clone(); LISTED + 1], "words", "texts");
        assert!(told.contains("for 201 of the 201 texts"), "{told}");
        assert!(told.contains("lists 200 of them. Its"), "there are no others: {told}");
        let told = about(&said[4..], "words", "texts");
        assert!(told.starts_with("words is sure of all 2 unlabelled texts"), "{told}");
    }
}
