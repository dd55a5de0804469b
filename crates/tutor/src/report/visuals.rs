//! What a report shows besides `result.json`: curves, confusion matrices, images on which teacher
//! and student differ, and the bookkeeping of pseudo-labels. Every part may be missing.

use serde::{Deserialize, Serialize};

/// The pictures of a report; the default has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visuals {
    /// Names of the classes, by index; classes beyond the list are shown by number.
    pub(crate) classes: Vec<String>,
    /// Learning curves, in the order of the generations, seeds within.
    pub(crate) curves: Vec<Curve>,
    /// Confusion matrices to be shown side by side, the teacher's first.
    pub(crate) confusions: Vec<Confusion>,
    /// Unlabelled images on which teacher and student differ.
    pub(crate) disagreements: Option<Disagreements>,
    /// Pseudo-labels that each student was trained on.
    pub(crate) pseudo_labels: Vec<PseudoLabels>,
    /// Accuracy as the number of labels grows, points of a line in rising order.
    #[serde(default)]
    pub(crate) growth: Vec<Growth>,
    /// How boundaries spread through points.
    #[serde(default)]
    pub(crate) strips: Vec<Strip>,
}

/// Some methods on the same points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Strip {
    /// What the points are.
    pub(crate) title: String,
    /// The columns of the sheet: after how many steps.
    pub(crate) steps: Vec<u64>,
    /// A PNG: a row a method, a column a moment.
    pub(crate) sheet: Vec<u8>,
    /// Each method from its first step to its last, in the order of the sheet's rows.
    pub(crate) films: Vec<Film>,
}

/// A method while it learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Film {
    pub(crate) name: String,
    pub(crate) about: String,
    /// An animated PNG.
    pub(crate) png: Vec<u8>,
}

/// What one number of labels gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Growth {
    /// The line that the point belongs to, such as a method.
    pub(crate) line: String,
    /// Labels in all.
    pub(crate) labels: u64,
    /// Accuracy of each seed, percent.
    pub(crate) accuracies: Vec<f64>,
}

/// The course of one training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curve {
    /// Name of the row that the training belongs to, such as `student 1`.
    pub(crate) model: String,
    /// Its seed.
    pub(crate) seed: u64,
    /// Points by rising step.
    pub(crate) points: Vec<CurvePoint>,
}

/// One moment of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CurvePoint {
    /// Optimiser steps done.
    pub(crate) step: u64,
    /// Training loss, when measured here.
    pub(crate) train_loss: Option<f64>,
    /// Validation accuracy in percent, when measured here.
    pub(crate) validation: Option<f64>,
}

/// How often each class was taken for which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Confusion {
    /// Name of the row of the model.
    pub(crate) model: String,
    /// Which examples, such as `test part, seed 1` or `test part, all 5 seeds`.
    pub(crate) part: String,
    /// `counts[truth][prediction]`, square.
    pub(crate) counts: Vec<Vec<u64>>,
}

/// Unlabelled images on which teacher and student differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Disagreements {
    /// Name of the row of the teacher.
    pub(crate) teacher: String,
    /// Name of the row of the student.
    pub(crate) student: String,
    /// Seed of both.
    pub(crate) seed: u64,
    /// How many images both labelled.
    pub(crate) compared: u64,
    /// On how many of them they differ; the tiles may be a part of those.
    pub(crate) differing: u64,
    /// Among the differing with known truth: how often the student is right.
    pub(crate) student_right: Option<u64>,
    /// Among the differing with known truth: how often the teacher is right.
    pub(crate) teacher_right: Option<u64>,
    /// The images to show, in the order of showing.
    pub(crate) tiles: Vec<Tile>,
}

/// One image with two opinions about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tile {
    /// `height * width * channels` bytes, row by row, channels last.
    pub(crate) pixels: Vec<u8>,
    /// Rows of pixels.
    pub(crate) height: usize,
    /// Pixels in a row.
    pub(crate) width: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub(crate) channels: usize,
    /// The teacher's opinion.
    pub(crate) teacher: Guess,
    /// The student's opinion.
    pub(crate) student: Guess,
    /// The true class, if known; it was not used in training.
    pub(crate) truth: Option<usize>,
}

/// A predicted class and how sure the model was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Guess {
    /// Index of the class.
    pub(crate) class: usize,
    /// Its probability, 0..=1.
    pub(crate) confidence: f32,
}

/// The pseudo-labels that one student was trained on, after filtering and balancing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PseudoLabels {
    /// Name of the row of the model that gave the labels.
    pub(crate) teacher: String,
    /// Name of the row of the model that was trained on them.
    pub(crate) student: String,
    /// Seed of both.
    pub(crate) seed: u64,
    /// Unlabelled images before the filter.
    pub(crate) candidates: u64,
    /// Confidence below which an image is left out, if there is a filter.
    pub(crate) threshold: Option<f64>,
    /// Different images kept.
    pub(crate) kept: u64,
    /// Entries in the student's training set, duplicates counted.
    pub(crate) used: u64,
    /// Share of the kept images whose most probable class is the true one, percent, where the truth
    /// is known (it is not used in training).
    pub(crate) accuracy: Option<f64>,
    /// Counts for each class, by index.
    pub(crate) per_class: Vec<ClassCount>,
}

/// Pseudo-labels of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClassCount {
    /// Different images kept.
    pub(crate) kept: u64,
    /// Entries with duplicates.
    pub(crate) used: u64,
}

impl Visuals {
    /// The name of a class, or its number where the list is too short.
    pub(crate) fn class(&self, index: usize) -> String {
        self.classes.get(index).cloned().unwrap_or_else(|| index.to_string())
    }
}

impl Confusion {
    /// The most frequent mistakes `(truth, prediction, count)`, largest first, ties by index.
    pub(crate) fn mistakes(&self, at_most: usize) -> Vec<(usize, usize, u64)> {
        let cells = self.counts.iter().enumerate().flat_map(|(truth, row)| {
            row.iter().enumerate().map(move |(guess, &count)| (truth, guess, count))
        });
        let mut wrong: Vec<_> = cells.filter(|&(t, g, n)| t != g && n > 0).collect();
        wrong.sort_by_key(|&(t, g, n)| (std::cmp::Reverse(n), t, g));
        wrong.truncate(at_most);
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_come_largest_first_without_the_diagonal() {
        let counts = vec![vec![9, 1, 0], vec![3, 7, 1], vec![0, 0, 8]];
        let confusion = Confusion { model: "m".into(), part: "test".into(), counts };
        assert_eq!(confusion.mistakes(9), [(1, 0, 3), (0, 1, 1), (1, 2, 1)]);
        assert_eq!(confusion.mistakes(1), [(1, 0, 3)]);
    }

    #[test]
    fn classes_without_a_name_go_by_number() {
        let visuals = Visuals { classes: vec!["cat".into()], ..Visuals::default() };
        assert_eq!((visuals.class(0).as_str(), visuals.class(7).as_str()), ("cat", "7"));
    }
}
