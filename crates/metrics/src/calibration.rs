//! Whether probabilities can be believed: expected calibration error and Brier score.

/// Bins of the expected calibration error.
const BINS: usize = 15;

/// Expected calibration error in percent: samples in 15 bins of equal width by the probability of
/// the class that a model says, and over the bins the mean distance of that from the share that is
/// right (Guo et al., arXiv 1706.04599, equation 3). Takes each sample's probability, and whether
/// the class is right; `None` without a sample.
///
/// ```
/// use metrics::calibration_error;
/// // Each sample has a bin of its own: (|0.9 - 1| + |0.8 - 1| + |0.7 - 0| + |0.6 - 1|) / 4.
/// let error = calibration_error([(0.9, true), (0.8, true), (0.7, false), (0.6, true)]);
/// assert!((error.unwrap() - 35.0).abs() < 1e-4);
/// // Three of four are right where the model says 75 %.
/// let error = calibration_error([(0.75, true), (0.75, false), (0.75, true), (0.75, true)]);
/// assert_eq!(error, Some(0.0));
/// assert_eq!(calibration_error([]), None);
/// ```
pub fn calibration_error(samples: impl IntoIterator<Item = (f32, bool)>) -> Option<f64> {
    let mut bins = [(0.0, 0u64); BINS];
    let mut count = 0u64;
    for (p, right) in samples {
        // Bins are open below and closed above.
        let bin = ((f64::from(p) * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        bins[bin].0 += f64::from(p);
        bins[bin].1 += u64::from(right);
        count += 1;
    }
    let gap = |&(sum, right): &(f64, u64)| (sum - right as f64).abs();
    (count > 0).then(|| 100.0 * bins.iter().map(gap).sum::<f64>() / count as f64)
}

/// The Brier score: the mean over samples of the squared distance Σ (p − y)² of the probabilities
/// of all classes from 1 for the true class and 0 for the others, from 0 to 2 (Brier 1950). Takes
/// each sample's probabilities and its class; `None` without a sample. Panics if a sample has no
/// probability of its class.
///
/// For two classes it is twice what scikit-learn's `brier_score_loss` gives of the second one.
///
/// ```
/// use metrics::brier_score;
/// let rows = [[0.7, 0.2, 0.1], [0.3, 0.4, 0.3]];
/// // 0.09 + 0.04 + 0.01 for class 0, 0.09 + 0.16 + 0.49 for class 2, and of both the mean.
/// let score = brier_score(rows.iter().map(|row| row.as_slice()).zip([0, 2]));
/// assert!((score.unwrap() - 0.44).abs() < 1e-6);
/// assert_eq!(brier_score([]), None);
/// ```
pub fn brier_score<'a>(samples: impl IntoIterator<Item = (&'a [f32], usize)>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u64);
    for (probabilities, truth) in samples {
        let classes = probabilities.len();
        assert!(truth < classes, "class {truth} of {classes} probabilities");
        let each = probabilities.iter().enumerate().map(|(class, &p)| {
            let y = f64::from(u8::from(class == truth));
            (f64::from(p) - y).powi(2)
        });
        sum += each.sum::<f64>();
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}
