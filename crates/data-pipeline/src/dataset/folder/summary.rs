//! What there is to know of images before anything is learned from them.

use super::left_out::{LeftOut, Skipped};
use super::set::FolderSet;
use crate::dataset::Samples;
use crate::picture::Notice;
use std::collections::BTreeMap;
use std::fmt;

/// The smallest, the middle and the largest of a side of all images, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// The smallest.
    pub smallest: u32,
    /// As many are smaller as are larger; of two in the middle, the larger.
    pub median: u32,
    /// The largest.
    pub largest: u32,
}

impl Side {
    fn of(mut sides: Vec<u32>) -> Self {
        sides.sort_unstable();
        let [smallest, .., largest] = sides[..] else {
            let only = sides.first().copied().unwrap_or_default();
            return Self { smallest: only, median: only, largest: only };
        };
        Self { smallest, median: sides[sides.len() / 2], largest }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { smallest, median, largest } = self;
        if smallest == largest {
            write!(f, "{median}")
        } else {
            write!(f, "{smallest} to {largest} (median {median})")
        }
    }
}

/// A look at a set of one's own images, from the headers of the files. Nothing is decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many images there are.
    pub count: usize,
    /// How many of them have no label.
    pub unlabeled: usize,
    /// How many images no row of the table names that names the others; none without a table, or
    /// where such images are passed over.
    pub unlisted: usize,
    /// The classes in their order, each with its number of images.
    pub classes: Vec<(String, usize)>,
    /// Columns, upright.
    pub width: Side,
    /// Rows, upright.
    pub height: Side,
    /// The share of images that are stored as grey, 0 to 1.
    pub grey: f64,
    /// The most bits that images of more than 8 bits a sample use, of 32 of them that lie apart;
    /// none where there are no such images.
    pub used_bits: Option<u8>,
    /// How many images of each format.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Images that cannot be used by their header: rows of Parquet files, which are first looked at
    /// here. They are among `count`, and among `left_out` with their reasons.
    pub unusable: usize,
    /// What was left out, by reason.
    pub left_out: Vec<LeftOut>,
    /// What else should be known, a sentence each.
    pub notes: Vec<String>,
}

impl Summary {
    /// Looks at a set. Of Parquet files, this reads the images once.
    pub fn of(set: &FolderSet) -> Self {
        let mut classes: Vec<(String, usize)> =
            set.classes().iter().map(|name| (name.clone(), 0)).collect();
        let labels = (0..set.len()).filter_map(|i| set.label(i));
        labels.for_each(|label| classes[label as usize].1 += 1);
        let labeled: usize = classes.iter().map(|(_, count)| count).sum();
        let (mut headers, mut bad): (Vec<_>, Vec<Skipped>) = (vec![], vec![]);
        let mut deep = Vec::new();
        for (i, header) in set.headers().into_iter().enumerate() {
            match header {
                Ok(header) => {
                    headers.push(header);
                    deep.extend((header.bits > 8).then_some(i));
                }
                Err(skipped) => bad.push(skipped),
            }
        }
        let mut kinds = BTreeMap::new();
        headers.iter().for_each(|header| *kinds.entry(header.kind.name()).or_default() += 1);
        let grey = headers.iter().filter(|header| header.grey).count();
        Self {
            count: set.len(),
            unlabeled: set.len() - labeled,
            unlisted: set.unlisted,
            classes,
            width: Side::of(headers.iter().map(|header| header.width).collect()),
            height: Side::of(headers.iter().map(|header| header.height).collect()),
            grey: grey as f64 / headers.len().max(1) as f64,
            used_bits: used_bits(set, &deep),
            kinds,
            unusable: set.len() - headers.len(),
            left_out: LeftOut::by_reason(set.skipped().iter().chain(&bad)),
            notes: set.notes().to_vec(),
        }
    }
}

/// Images that are decoded to see how many of their bits are used.
const DECODED: usize = 32;

/// The most bits that some of the images at `numbers` use.
fn used_bits(set: &FolderSet, numbers: &[usize]) -> Option<u8> {
    let step = numbers.len().div_ceil(DECODED).max(1);
    let noticed = numbers.iter().step_by(step).filter_map(|&i| Some(set.decode(i).ok()?.noticed));
    let used = noticed.flatten().filter_map(|notice| match notice {
        Notice::Deep { used, .. } => Some(used),
        _ => None,
    });
    used.max()
}
