//! The statistics behind every number of a report: mean, median, sample deviation, Student-t
//! intervals over seeds, and Wilson's interval for an accuracy counted on so many examples.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Arithmetic mean; `None` of no values.
///
/// ```
/// use metrics::stats::mean;
/// assert_eq!((mean(&[1.0, 2.0, 6.0]), mean(&[])), (Some(3.0), None));
/// ```
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The middle value, of an even number the mean of the two in the middle; `None` of no values.
///
/// ```
/// use metrics::stats::median;
/// assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
/// assert_eq!(median(&[9.0, 1.0, 4.0, 2.0]), Some(3.0));
/// assert_eq!(median(&[]), None);
/// ```
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    mean(&[*sorted.get(n.checked_sub(1)? / 2)?, *sorted.get(n / 2)?])
}

/// Sample standard deviation (divisor n - 1), or `None` below two values.
pub fn sample_sd(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let m = mean(values)?;
    let squares: f64 = values.iter().map(|v| (v - m).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Two-sided 95 % Student-t interval of the mean, `[lo, hi]` in the unit of the values.
///
/// `None` below two values: one seed says nothing about the spread between seeds. The interval
/// covers the randomness that differs between seeds (initialisation, order, noise, label split),
/// not the sampling of a test part that all seeds share.
pub fn t_interval(values: &[f64]) -> Option<[f64; 2]> {
    let sd = sample_sd(values)?;
    let n = values.len() as f64;
    let t = t_quantile(n - 1.0, 0.975)?;
    let half = t * sd / n.sqrt();
    let m = mean(values)?;
    Some([m - half, m + half])
}

/// Wilson's 95 % score interval for a proportion, `[lo, hi]` within 0..=1: what the number of
/// examples alone leaves open about the accuracy of one trained net.
///
/// `proportion` is the observed share (0..=1) and `examples` the number of examples it was counted
/// on. `None` without examples or outside 0..=1.
pub fn wilson(proportion: f64, examples: u64) -> Option<[f64; 2]> {
    if examples == 0 || !(0.0..=1.0).contains(&proportion) {
        return None;
    }
    Some(score_interval(proportion, examples as f64, Normal::standard().inverse_cdf(0.975)))
}

/// The score interval for a proportion: all values that `observations` independent observations
/// with this `proportion` do not reject when `quantile` standard errors are allowed (Wilson 1927;
/// his quantile is the normal distribution's). It lies within 0..=1, as the proportion has to.
///
/// `observations` need not be whole: fewer than were made stand for clustered ones. Panics if the
/// proportion is not within 0..=1 or the observations are not above 0.
///
/// ```
/// use metrics::stats::score_interval;
/// let [low, high] = score_interval(0.5, 100.0, 1.96);
/// assert!((low - 0.4038).abs() < 1e-4 && (high - 0.5962).abs() < 1e-4);
/// ```
pub fn score_interval(proportion: f64, observations: f64, quantile: f64) -> [f64; 2] {
    assert!((0.0..=1.0).contains(&proportion), "a proportion of {proportion}: it is from 0 to 1");
    assert!(observations > 0.0, "{observations} observations: they have to be more than 0");
    let (n, z2) = (observations, quantile * quantile);
    let centre = (proportion + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let spread = proportion * (1.0 - proportion) / n + z2 / (4.0 * n * n);
    let half = quantile * spread.sqrt() / (1.0 + z2 / n);
    // Rounding must not leave out the proportion itself where it is 0 or 1.
    [(centre - half).clamp(0.0, proportion), (centre + half).clamp(proportion, 1.0)]
}

/// The quantile of Student's t distribution at `probability`, with `freedom` degrees of freedom;
/// `None` unless they are positive. Panics if the probability is not within 0..=1.
pub fn t_quantile(freedom: f64, probability: f64) -> Option<f64> {
    let within = (0.0..=1.0).contains(&probability);
    assert!(within, "a quantile at the probability {probability}: it is from 0 to 1");
    Some(StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(probability))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: [f64; 2], want: [f64; 2]) {
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() < 1e-8, "got {got:?}, want {want:?}");
        }
    }

    /// Golden values: scipy 1.17.1, `stats.t.interval(.95, n-1, mean, stats.sem(v))`.
    #[test]
    fn t_intervals_equal_scipys() {
        close(t_interval(&[92.0, 93.5]).unwrap(), [83.22034644786898, 102.27965355213102]);
        close(t_interval(&[91.0, 92.5, 90.75]).unwrap(), [89.06546826943732, 93.76786506389602]);
        close(
            t_interval(&[4.1, 3.2, 5.6, 4.4, 4.7]).unwrap(),
            [3.313987543536885, 5.486012456463114],
        );
        close(
            t_interval(&[-0.5, 0.25, 0.0, 1.0, -0.75, 0.5, 0.125, -0.25, 0.3, 0.9]).unwrap(),
            [-0.24541119014620888, 0.560411190146209],
        );
    }

    /// Golden values: scipy 1.17.1, `stats.binomtest(k, n).proportion_ci(.95, method="wilson")`.
    #[test]
    fn wilson_intervals_equal_scipys() {
        close(wilson(0.0 / 20.0, 20).unwrap(), [0.0, 0.16112515805281935]);
        close(wilson(20.0 / 20.0, 20).unwrap(), [0.8388748419471808, 1.0]);
        close(wilson(331.0 / 360.0, 360).unwrap(), [0.8867032329434205, 0.9433286193332867]);
        close(wilson(347.0 / 360.0, 360).unwrap(), [0.9392051833082474, 0.978777063911687]);
        close(wilson(9000.0 / 10000.0, 10000).unwrap(), [0.8939656314740893, 0.9057271698293695]);
        assert_eq!(wilson(0.5, 0), None);
        assert_eq!(wilson(1.2, 10), None);
    }

    #[test]
    #[should_panic(expected = "a proportion of NaN")]
    fn what_is_no_proportion_has_no_interval() {
        let _ = score_interval(f64::NAN, 10.0, 1.96);
    }

    #[test]
    #[should_panic(expected = "the probability 1.95")]
    fn what_is_no_probability_has_no_quantile() {
        let _ = t_quantile(3.0, 1.95);
    }

    #[test]
    fn one_seed_has_a_mean_but_no_interval() {
        assert_eq!(mean(&[3.5]), Some(3.5));
        assert_eq!(sample_sd(&[3.5]), None);
        assert_eq!(t_interval(&[3.5]), None);
    }

    #[test]
    fn equal_seeds_give_an_interval_without_width() {
        assert_eq!(t_interval(&[2.0, 2.0, 2.0]), Some([2.0, 2.0]));
    }
}
