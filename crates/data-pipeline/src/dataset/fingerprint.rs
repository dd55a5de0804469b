//! Which images are the same: within a set, between the parts of an experiment, and between two
//! moments of one part.

use super::Samples;
use crate::digest::Digest;
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// What a part of an experiment consists of: ids, labels and contents.
///
/// ```
/// use data_pipeline::dataset::{VecSet, fingerprint::Fingerprint};
/// let set = |n| VecSet::new("toy", vec![0; n], None, vec![]);
/// let (before, now) = (Fingerprint::of(&set(3)?)?, Fingerprint::of(&set(4)?)?);
/// let change = now.change_since(&before).unwrap();
/// assert_eq!(change.to_string(), "1 sample added (toy/3)");
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The samples in order.
    samples: Vec<Sample>,
}

/// Id, class and content of a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sample(String, Option<String>, Option<Digest>);

impl Fingerprint {
    /// The fingerprint of a set; contents count where the set knows their digests.
    pub fn of<S: Samples + ?Sized>(set: &S) -> Result<Self, DataError> {
        let digests = set.digests()?;
        let sample = |i| {
            let class = set.label(i).map(|label| set.classes()[label as usize].clone());
            Sample(set.id(i), class, digests.as_ref().map(|digests| digests[i]))
        };
        Ok(Self { samples: (0..set.len()).map(sample).collect() })
    }

    /// The contents that the samples have, where they are known.
    pub fn contents(&self) -> impl Iterator<Item = &Digest> {
        self.samples.iter().filter_map(|sample| sample.2.as_ref())
    }

    /// What is different from what it was before, or nothing.
    pub fn change_since(&self, before: &Self) -> Option<Change> {
        if self == before {
            return None;
        }
        let index = |part: &Self| -> HashMap<String, Sample> {
            part.samples.iter().map(|sample| (sample.0.clone(), sample.clone())).collect()
        };
        let (old, new) = (index(before), index(self));
        let differing = |differs: fn(&Sample, &Sample) -> bool| {
            let differs = |sample: &&Sample| old.get(&sample.0).is_some_and(|o| differs(o, sample));
            names(self.samples.iter().filter(differs))
        };
        Some(Change {
            added: names(self.samples.iter().filter(|sample| !old.contains_key(&sample.0))),
            removed: names(before.samples.iter().filter(|sample| !new.contains_key(&sample.0))),
            relabeled: differing(|old, new| old.1 != new.1),
            changed: differing(|old, new| old.2 != new.2),
        })
    }
}

fn names<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<String> {
    samples.map(|sample| sample.0.clone()).collect()
}

/// What happened to a part, by ids. All lists are empty if only the order is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Samples that were not there.
    pub added: Vec<String>,
    /// Samples that are gone.
    pub removed: Vec<String>,
    /// Samples with another label.
    pub relabeled: Vec<String>,
    /// Samples with another content.
    pub changed: Vec<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |ids: &[String], what: &str| {
            let first = ids.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
            let s = if ids.len() == 1 { "" } else { "s" };
            let rest = if ids.len() > 3 { ", ..." } else { "" };
            (!ids.is_empty()).then(|| format!("{} sample{s} {what} ({first}{rest})", ids.len()))
        };
        let parts = [
            part(&self.added, "added"),
            part(&self.removed, "removed"),
            part(&self.relabeled, "with another label"),
            part(&self.changed, "with another content"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "samples in another order" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// Samples that are the same in two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The names of the two parts.
    pub parts: (String, String),
    /// How many samples of the second part are in the first one too.
    pub count: usize,
    /// Ids of some of them, in the first part and in the second, at most five.
    pub examples: Vec<(String, String)>,
}

/// Samples that are the same as an earlier one of their part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The name of the part.
    pub part: String,
    /// How many samples have been there before.
    pub count: usize,
    /// How many of these have another label than before.
    pub conflicting: usize,
    /// Ids of some of them, those with another label first, at most five.
    pub examples: Vec<(String, String)>,
}

/// What is there more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// Between two parts, for each pair that shares something.
    pub between: Vec<Shared>,
    /// Within a part, for each that has some.
    pub within: Vec<Repeated>,
}

/// Some samples of a part: the name of the part, and of each sample its id, label and content.
pub type Contents = Vec<(String, Option<u32>, Digest)>;

/// Counts what is there more than once, by content. The order of the parts is that of the pairs.
///
/// ```
/// use data_pipeline::dataset::fingerprint::duplicates;
/// use data_pipeline::digest::Digest;
/// let part = |ids: &[&str]| {
///     ids.iter().map(|id| (id.to_string(), None, Digest::of(id.as_bytes()))).collect()
/// };
/// let parts = [("training", part(&["a", "b"])), ("test", part(&["c", "b"]))];
/// let found = duplicates(&parts);
/// assert_eq!(found.between[0].count, 1);
/// assert_eq!(found.between[0].examples, [("b".into(), "b".into())]);
/// ```
pub fn duplicates(parts: &[(&str, Contents)]) -> Duplicates {
    let mut found = Duplicates::default();
    let mut firsts: Vec<HashMap<Digest, usize>> = Vec::new();
    for (name, contents) in parts {
        for (earlier, known) in firsts.iter().enumerate() {
            let (other, others) = &parts[earlier];
            let same: Vec<(String, String)> = contents
                .iter()
                .filter_map(|(id, _, digest)| {
                    known.get(digest).map(|&i| (others[i].0.clone(), id.clone()))
                })
                .collect();
            if !same.is_empty() {
                let (count, examples) = (same.len(), same.into_iter().take(5).collect());
                let parts = ((*other).to_owned(), (*name).to_owned());
                found.between.push(Shared { parts, count, examples });
            }
        }
        let mut first = HashMap::with_capacity(contents.len());
        // By whether the label is another one.
        let mut again: BTreeMap<bool, Vec<(String, String)>> = BTreeMap::new();
        for (i, (id, label, digest)) in contents.iter().enumerate() {
            match first.get(digest) {
                None => {
                    first.insert(*digest, i);
                }
                Some(&before) => {
                    let (other, label_before, _): &(String, Option<u32>, Digest) =
                        &contents[before];
                    let pair = (other.clone(), id.clone());
                    again.entry(label_before != label).or_default().push(pair);
                }
            }
        }
        let conflicting = again.get(&true).map_or(0, Vec::len);
        let count = conflicting + again.get(&false).map_or(0, Vec::len);
        if count > 0 {
            let examples = again.into_values().rev().flatten().take(5).collect();
            let part = (*name).to_owned();
            found.within.push(Repeated { part, count, conflicting, examples });
        }
        firsts.push(first);
    }
    found
}

/// Labelled samples that have the content of others, and are left out so that each content counts
/// once. Samples go by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// All that are left out, in ascending order.
    pub left_out: Vec<usize>,
    /// How many of them have the content and the label of an earlier sample, which stays.
    pub same_label: usize,
    /// How many of them have a content of several labels, and not the one that most of its samples
    /// have; where no label has most of them, none of these samples stays.
    pub several_labels: usize,
    /// The first pair with the same label: the one that stays, and a copy of it.
    pub example: Option<(usize, usize)>,
    /// The first pair with two labels.
    pub contradiction: Option<(usize, usize)>,
}

/// Finds the labelled samples that have the content of others, from the label and the content of
/// each. Drawing and measuring without them never has one content on both sides of a split.
///
/// ```
/// use data_pipeline::dataset::fingerprint::copies;
/// use data_pipeline::digest::Digest;
/// let samples = [(0, "a"), (1, "b"), (0, "a"), (1, "c"), (0, "c"), (0, "b"), (1, "b")]
///     .map(|(label, content)| (Some(label), Digest::of(content.as_bytes())));
/// let found = copies(&samples);
/// // Of a and of b one stays; c may be either.
/// assert_eq!(found.left_out, [2, 3, 4, 5, 6]);
/// assert_eq!((found.same_label, found.several_labels), (2, 3));
/// ```
pub fn copies(samples: &[(Option<u32>, Digest)]) -> Copies {
    let mut of_content: HashMap<Digest, Vec<usize>> = HashMap::with_capacity(samples.len());
    for (i, (_, content)) in samples.iter().enumerate() {
        of_content.entry(*content).or_default().push(i);
    }
    let mut found = Copies::default();
    let mut several: Vec<Vec<usize>> = of_content.into_values().filter(|s| s.len() > 1).collect();
    several.sort_unstable();
    for same in several {
        let label = |i: usize| samples[i].0;
        let count = |of: Option<u32>| same.iter().filter(|&&i| label(i) == of).count();
        // At most one label has more than half.
        let most = same.iter().map(|&i| label(i)).find(|&of| 2 * count(of) > same.len());
        if let Some(&other) = same.iter().find(|&&i| label(i) != label(same[0])) {
            found.contradiction.get_or_insert((same[0], other));
        }
        let mut stays = None;
        for &i in &same {
            match (most == Some(label(i)), stays) {
                (true, None) => {
                    stays = Some(i);
                    continue;
                }
                (true, Some(first)) => {
                    found.same_label += 1;
                    found.example.get_or_insert((first, i));
                }
                (false, _) => found.several_labels += 1,
            }
            found.left_out.push(i);
        }
    }
    found.left_out.sort_unstable();
    found
}
