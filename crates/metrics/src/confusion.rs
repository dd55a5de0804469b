//! Confusion counts, and the accuracies that follow from them.

use serde::{Deserialize, Serialize};

/// How often each class was taken for which: `counts[truth][prediction]`, square.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confusion {
    counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Counts of nothing yet, over so many classes.
    pub fn new(classes: usize) -> Self {
        Self { counts: vec![vec![0; classes]; classes] }
    }

    /// Counts one example. Panics if either class is out of range.
    pub fn add(&mut self, truth: usize, prediction: usize) {
        self.counts[truth][prediction] += 1;
    }

    /// Counts all that `other` counted. Panics if it is of another number of classes.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.counts.len(), other.counts.len(), "classes of two confusion matrices");
        for (row, more) in self.counts.iter_mut().zip(&other.counts) {
            row.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        }
    }

    /// `[truth][prediction]`.
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// How many examples were counted.
    pub fn examples(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Percentage of examples whose prediction is the truth; `None` without an example.
    pub fn accuracy(&self) -> Option<f64> {
        let right: u64 = self.counts.iter().enumerate().map(|(class, row)| row[class]).sum();
        let all = self.examples();
        (all > 0).then(|| 100.0 * right as f64 / all as f64)
    }

    /// For each class that occurs: the class, its recall in percent, and its number of examples.
    pub fn recalls(&self) -> impl Iterator<Item = (usize, f64, u64)> {
        self.counts.iter().enumerate().filter_map(|(class, row)| {
            let all: u64 = row.iter().sum();
            (all > 0).then(|| (class, 100.0 * row[class] as f64 / all as f64, all))
        })
    }

    /// The classes of which no example was counted: no accuracy says anything of them.
    pub fn unmeasured(&self) -> impl Iterator<Item = usize> {
        let classes = self.counts.iter().enumerate();
        classes.filter(|(_, row)| row.iter().all(|&count| count == 0)).map(|(class, _)| class)
    }

    /// The mean recall in percent over the classes that occur; `None` without an example.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let recalls: Vec<f64> = self.recalls().map(|(_, recall, _)| recall).collect();
        (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
    }

    /// The most frequent mistakes `(truth, prediction, count)`, largest first, ties by class.
    pub fn mistakes(&self, at_most: usize) -> Vec<(usize, usize, u64)> {
        let cells = self.counts.iter().enumerate().flat_map(|(truth, row)| {
            row.iter().enumerate().map(move |(prediction, &count)| (truth, prediction, count))
        });
        let mut wrong: Vec<_> = cells.filter(|&(t, p, n)| t != p && n > 0).collect();
        wrong.sort_by_key(|&(t, p, n)| (std::cmp::Reverse(n), t, p));
        wrong.truncate(at_most);
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[&[u64]]) -> Confusion {
        Confusion { counts: counts.iter().map(|row| row.to_vec()).collect() }
    }

    #[test]
    fn balanced_accuracy_is_the_mean_over_classes_that_occur() {
        let confusion = of(&[&[90, 10, 0], &[5, 5, 0], &[0, 0, 0]]);
        assert_eq!(confusion.balanced_accuracy(), Some(70.0));
        assert_eq!(confusion.unmeasured().collect::<Vec<_>>(), [2]);
        assert_eq!(confusion.accuracy(), Some(100.0 * 95.0 / 110.0));
        assert_eq!((of(&[]).accuracy(), of(&[]).balanced_accuracy()), (None, None));
        assert_eq!(Confusion::new(3).balanced_accuracy(), None);
    }

    #[test]
    fn mistakes_come_largest_first_without_the_diagonal() {
        let confusion = of(&[&[9, 1, 0], &[3, 7, 1], &[0, 0, 8]]);
        assert_eq!(confusion.mistakes(9), [(1, 0, 3), (0, 1, 1), (1, 2, 1)]);
        assert_eq!(confusion.mistakes(1), [(1, 0, 3)]);
    }

    #[test]
    fn merging_adds_and_serde_keeps_the_bare_matrix() {
        let mut confusion = of(&[&[1, 2], &[3, 4]]);
        confusion.merge(&of(&[&[10, 20], &[30, 40]]));
        let text = serde_json::to_string(&confusion).expect("JSON");
        assert_eq!(text, "[[11,22],[33,44]]");
        assert_eq!(serde_json::from_str::<Confusion>(&text).expect("a matrix"), confusion);
        assert_eq!(confusion.examples(), 110);
    }
}
