//! Where a class's threshold lies, from counts alone: for tables that no memory holds.

use super::{Rule, Selection, rank};
use std::collections::BTreeMap;

/// Bits of a rank within a bucket of [`Rule::Paper`]: 512 buckets from 0.5 to 1.
const WITHIN: u32 = 14;

/// The bucket of a confidence that a selection keeps; a larger confidence is in no smaller bucket.
/// None for what it does not keep.
///
/// By the released code a bucket is what lies between two of its thresholds, so that a class's
/// threshold is the lower end of one; by the paper's rule buckets are fine enough that few rows
/// share the last one.
pub fn bucket(selection: &Selection, confidence: f32) -> Option<u32> {
    let rank = rank(confidence).filter(|_| selection.keeps(confidence))?;
    Some(match selection.rule {
        Rule::Paper => rank >> WITHIN,
        Rule::ReleasedCode => {
            let reached = |percent: &u32| confidence >= *percent as f32 / 100.0;
            let near = (confidence.clamp(0.0, 1.0) * 100.0) as u32;
            // Rounding may have passed a threshold, or missed it.
            (near.saturating_sub(1)..=(near + 1).min(100)).rev().find(reached).unwrap_or(0)
        }
    })
}

/// How many rows of a class lie in each [`bucket`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(BTreeMap<u32, u64>);

impl Histogram {
    /// Counts so many more rows.
    pub fn add(&mut self, bucket: u32, rows: u64) {
        *self.0.entry(bucket).or_default() += rows;
    }

    /// The rows in all.
    pub fn rows(&self) -> u64 {
        self.0.values().sum()
    }

    /// The rows of the fullest bucket.
    pub fn fullest(&self) -> u64 {
        self.0.values().copied().max().unwrap_or(0)
    }

    /// The highest bucket down to which there are `wanted` rows, and how many there are; all of
    /// them, from bucket 0 on, if there are fewer.
    ///
    /// ```
    /// use data_pipeline::balance::Histogram;
    /// let mut found = Histogram::default();
    /// [(97, 2), (80, 1), (40, 5)].map(|(bucket, rows)| found.add(bucket, rows));
    /// assert_eq!([1, 3, 9].map(|wanted| found.down_to(wanted)), [(97, 2), (80, 3), (0, 8)]);
    /// ```
    pub fn down_to(&self, wanted: u64) -> (u32, u64) {
        let mut rows = 0;
        for (&bucket, &more) in self.0.iter().rev() {
            rows += more;
            if rows >= wanted {
                return (bucket, rows);
            }
        }
        (0, rows)
    }
}
