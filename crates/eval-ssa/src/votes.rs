//! Votes of several raters on several items, as the two tables that measures of agreement take.

use std::collections::BTreeMap;

/// A category: 0 or 1 for no and yes, or any other small number.
pub type Category = u32;

/// One row for each item, one column for each rater; `None` where a rater gave no vote.
///
/// A missing vote is no category of its own, and an item with fewer than two votes says nothing
/// about agreement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Votes {
    raters: usize,
    items: Vec<Vec<Option<Category>>>,
}

/// One row for each item, one column for each category: how many votes it got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    categories: usize,
    items: Vec<Vec<u32>>,
}

/// A table whose rows have different lengths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {row} of the table has {found} columns and the first one has {expected}")]
pub struct Ragged {
    /// The row, counted from 0.
    pub row: usize,
    /// How many columns it has.
    pub found: usize,
    /// How many the first row has.
    pub expected: usize,
}

fn check<T>(rows: &[Vec<T>]) -> Result<usize, Ragged> {
    let expected = rows.first().map_or(0, Vec::len);
    match rows.iter().position(|row| row.len() != expected) {
        Some(row) => Err(Ragged { row, found: rows[row].len(), expected }),
        None => Ok(expected),
    }
}

impl Votes {
    /// From a row for each item.
    ///
    /// # Errors
    /// When rows have different lengths.
    pub fn from_items(items: Vec<Vec<Option<Category>>>) -> Result<Self, Ragged> {
        Ok(Self { raters: check(&items)?, items })
    }

    /// From a row for each rater, which is how tables of raters are often printed.
    ///
    /// # Errors
    /// When rows have different lengths.
    pub fn from_raters(raters: &[Vec<Option<Category>>]) -> Result<Self, Ragged> {
        let items = check(raters)?;
        let item = |index: usize| raters.iter().map(|votes| votes[index]).collect();
        Ok(Self { raters: raters.len(), items: (0..items).map(item).collect() })
    }

    /// From votes as (item, rater, category) in any order. A later vote of a rater on the same item
    /// replaces the earlier one.
    pub fn collect<'a>(votes: impl IntoIterator<Item = (&'a str, &'a str, Category)>) -> Self {
        let mut by_item: BTreeMap<&str, BTreeMap<&str, Category>> = BTreeMap::new();
        let mut columns: BTreeMap<&str, usize> = BTreeMap::new();
        for (item, rater, category) in votes {
            by_item.entry(item).or_default().insert(rater, category);
            columns.insert(rater, 0);
        }
        for (index, column) in columns.values_mut().enumerate() {
            *column = index;
        }
        let row = |votes: &BTreeMap<&str, Category>| {
            let mut row = vec![None; columns.len()];
            for (rater, category) in votes {
                row[columns[rater]] = Some(*category);
            }
            row
        };
        Self { raters: columns.len(), items: by_item.values().map(row).collect() }
    }

    /// The rows.
    pub fn items(&self) -> &[Vec<Option<Category>>] {
        &self.items
    }

    /// How many columns there are.
    pub fn raters(&self) -> usize {
        self.raters
    }

    /// How many votes each category got on each item.
    pub fn counts(&self) -> Counts {
        let top = self.items.iter().flatten().flatten().max();
        let categories = top.map_or(0, |top| *top as usize + 1);
        let row = |votes: &Vec<Option<Category>>| {
            let mut row = vec![0; categories];
            for vote in votes.iter().flatten() {
                row[*vote as usize] += 1;
            }
            row
        };
        Counts { categories, items: self.items.iter().map(row).collect() }
    }
}

impl Counts {
    /// From a row for each item.
    ///
    /// # Errors
    /// When rows have different lengths.
    pub fn from_items(items: Vec<Vec<u32>>) -> Result<Self, Ragged> {
        Ok(Self { categories: check(&items)?, items })
    }

    /// The rows.
    pub fn items(&self) -> &[Vec<u32>] {
        &self.items
    }

    /// How many columns there are.
    pub fn categories(&self) -> usize {
        self.categories
    }

    /// The votes on each item with at least two, as a total and its categories' counts.
    pub(crate) fn pairable(&self) -> impl Iterator<Item = (u64, &[u32])> {
        let totals =
            self.items.iter().map(|row| (row.iter().map(|n| u64::from(*n)).sum(), &row[..]));
        totals.filter(|(votes, _): &(u64, _)| *votes >= 2)
    }

    /// The votes of each category over all items.
    pub fn totals(&self) -> Vec<u64> {
        let column = |index: usize| self.items.iter().map(|row| u64::from(row[index])).sum();
        (0..self.categories).map(column).collect()
    }

    /// The share of the most frequent category among all votes; `None` without votes.
    pub fn largest_share(&self) -> Option<f64> {
        let totals = self.totals();
        let all: u64 = totals.iter().sum();
        (all > 0).then(|| totals.iter().copied().max().unwrap_or(0) as f64 / all as f64)
    }
}
