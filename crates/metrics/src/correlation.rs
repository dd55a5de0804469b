//! Correlation of two lists of numbers, as STS-B is measured by.

use crate::score::Score;

/// Pearson's correlation, -1 to 1. Undefined for fewer than two pairs, for numbers that are not
/// finite, and if all numbers of a list are the same. Panics if the lists differ in length.
///
/// ```
/// let score = metrics::pearson(&[0.0, 1.0, 1.0, 2.0, 5.0], &[0.1, 0.4, 0.35, 0.8, 0.9]);
/// assert!((score.value.unwrap() - 0.8836219).abs() < 1e-7);
/// assert_eq!(metrics::pearson(&[0.0, 1.0], &[3.0, 3.0]).value, None);
/// ```
pub fn pearson(truth: &[f64], prediction: &[f64]) -> Score {
    if let Some(why) = fault(truth, prediction) {
        return Score::undefined(why);
    }
    let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
    let (mean_t, mean_p) = (mean(truth), mean(prediction));
    let (mut both, mut of_t, mut of_p) = (0.0, 0.0, 0.0);
    for (t, p) in truth.iter().zip(prediction) {
        let (t, p) = (t - mean_t, p - mean_p);
        both += t * p;
        of_t += t * t;
        of_p += p * p;
    }
    let value = both / (of_t.sqrt() * of_p.sqrt());
    match value.is_finite() {
        true => Score::of(value.clamp(-1.0, 1.0)),
        false => Score::undefined("the numbers are too large or too alike"),
    }
}

/// Spearman's correlation, -1 to 1: Pearson's of the ranks, equal numbers sharing the mean of
/// theirs. Undefined as [`pearson`].
///
/// ```
/// let score = metrics::spearman(&[0.0, 1.0, 1.0, 2.0, 5.0], &[0.1, 0.4, 0.35, 0.8, 0.9]);
/// assert!((score.value.unwrap() - 0.9746794).abs() < 1e-7);
/// ```
pub fn spearman(truth: &[f64], prediction: &[f64]) -> Score {
    match fault(truth, prediction) {
        Some(why) => Score::undefined(why),
        None => pearson(&ranks(truth), &ranks(prediction)),
    }
}

fn fault(truth: &[f64], prediction: &[f64]) -> Option<&'static str> {
    assert_eq!(truth.len(), prediction.len(), "numbers of labels and predictions");
    let same = |numbers: &[f64]| numbers.iter().all(|number| *number == numbers[0]);
    let odd = |numbers: &[f64]| numbers.iter().any(|number| !number.is_finite());
    if truth.len() < 2 {
        Some("fewer than two pairs")
    } else if odd(truth) || odd(prediction) {
        Some("a label or prediction is no finite number")
    } else if same(truth) {
        Some("all labels are the same")
    } else if same(prediction) {
        Some("all predictions are the same")
    } else {
        None
    }
}

/// Ranks from 1; equal numbers have the mean of theirs.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let mut ranks = vec![0.0; numbers.len()];
    for equal in order.chunk_by(|&a, &b| numbers[a] == numbers[b]) {
        let first = order.partition_point(|&i| numbers[i] < numbers[equal[0]]);
        let rank = first as f64 + (equal.len() as f64 + 1.0) / 2.0;
        equal.iter().for_each(|&i| ranks[i] = rank);
    }
    ranks
}
