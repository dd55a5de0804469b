//! How robust a model is, as ratios to a reference model: mCE, relative mCE and mFR (Hendrycks and
//! Dietterich, arXiv 1903.12261, section 4).
//!
//! Tables are matched by name. For ImageNet the reference is AlexNet ([`alexnet`]); on other data
//! take a model of your own.

use std::collections::BTreeMap;

use crate::corrupt::Corruption;

/// Top-1 errors of one model, as fractions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Errors {
    /// On clean images.
    pub clean: f64,
    /// By corruption: one error a severity (or their mean alone).
    pub corrupted: BTreeMap<String, Vec<f64>>,
}

/// Why a ratio could not be formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RobustnessError {
    /// The model was measured on something that the reference lacks.
    #[error("the reference has no entry for {0}; measure it there too, or leave it out")]
    Missing(String),
    /// The reference makes no error, or no more of them than on clean images, so that no ratio to
    /// it exists.
    #[error(
        "the reference makes no error on {0} that could be compared with, so there is no ratio to \
         it: leave {0} out, or report plain errors instead"
    )]
    ZeroReference(String),
    /// Nothing was measured.
    #[error("no errors to average")]
    Empty,
}

/// AlexNet's mean error over the five severities of each corruption of ImageNet-C; the last four
/// are the extra ones, which mCE leaves out.
///
/// The extra four and the clean error are quoted from memory of the authors' code.
pub const ALEXNET_ERRORS: [(&str, f64); 19] = [
    ("gaussian_noise", 0.886428),
    ("shot_noise", 0.894468),
    ("impulse_noise", 0.922640),
    ("defocus_blur", 0.819880),
    ("glass_blur", 0.826268),
    ("motion_blur", 0.785948),
    ("zoom_blur", 0.798360),
    ("snow", 0.866816),
    ("frost", 0.826572),
    ("fog", 0.819324),
    ("brightness", 0.564592),
    ("contrast", 0.853204),
    ("elastic_transform", 0.646056),
    ("pixelate", 0.717840),
    ("jpeg_compression", 0.606500),
    ("speckle_noise", 0.845388),
    ("gaussian_blur", 0.787108),
    ("spatter", 0.717512),
    ("saturate", 0.658248),
];

/// AlexNet's top-1 error on clean ImageNet.
pub const ALEXNET_CLEAN_ERROR: f64 = 0.43478;

/// AlexNet as a reference.
pub fn alexnet() -> Errors {
    let corrupted =
        ALEXNET_ERRORS.iter().map(|&(name, error)| (name.to_owned(), vec![error])).collect();
    Errors { clean: ALEXNET_CLEAN_ERROR, corrupted }
}

/// The mean of a list; `None` for an empty one.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Differences of errors up to here are those of rounding.
const ROUNDING: f64 = 1e-9;

fn ratio(name: &str, value: f64, reference: f64) -> Result<f64, RobustnessError> {
    if reference <= ROUNDING {
        Err(RobustnessError::ZeroReference(name.to_owned()))
    } else {
        Ok(value / reference)
    }
}

/// The ratio of each entry's mean (less `less`) to the reference's (less `reference_less`), by
/// name.
fn ratios(
    model: &BTreeMap<String, Vec<f64>>,
    less: f64,
    reference: &BTreeMap<String, Vec<f64>>,
    reference_less: f64,
) -> Result<BTreeMap<String, f64>, RobustnessError> {
    let one = |(name, errors): (&String, &Vec<f64>)| {
        let against = reference.get(name).ok_or_else(|| RobustnessError::Missing(name.clone()))?;
        let value = mean(errors).ok_or(RobustnessError::Empty)? - less;
        let against = mean(against).ok_or(RobustnessError::Empty)? - reference_less;
        Ok((name.clone(), ratio(name, value, against)?))
    };
    model.iter().map(one).collect()
}

/// A model's errors without those of the [extra](Corruption::EXTRA) corruptions.
fn of_fifteen(model: &Errors) -> BTreeMap<String, Vec<f64>> {
    let extra = Corruption::EXTRA.map(Corruption::name);
    let errors = model.corrupted.iter().filter(|(name, _)| !extra.contains(&name.as_str()));
    errors.map(|(name, errors)| (name.clone(), errors.clone())).collect()
}

fn hundredfold_mean(ratios: BTreeMap<String, f64>) -> Result<f64, RobustnessError> {
    mean(&ratios.into_values().collect::<Vec<_>>())
        .map(|mean| 100.0 * mean)
        .ok_or(RobustnessError::Empty)
}

/// The corruption error CE of each corruption the model was measured on: its summed error over the
/// reference's.
pub fn corruption_errors(
    model: &Errors,
    reference: &Errors,
) -> Result<BTreeMap<String, f64>, RobustnessError> {
    ratios(&model.corrupted, 0.0, &reference.corrupted, 0.0)
}

/// mCE in percent: 100 times the mean corruption error over those of the fifteen corruptions that
/// the model was measured on (the paper's is over all of them), the
/// [extra](Corruption::EXTRA) ones left out;
/// the reference itself has 100.
///
/// ```
/// use augment::robustness::{mce, Errors};
/// let table = |errors: [f64; 2]| {
///     let corrupted = [("fog".to_string(), errors.to_vec())].into();
///     Errors { clean: 0.1, corrupted }
/// };
/// let mce = mce(&table([0.1, 0.2]), &table([0.25, 0.35])).unwrap();
/// assert!((mce - 50.0).abs() < 1e-9);
/// ```
pub fn mce(model: &Errors, reference: &Errors) -> Result<f64, RobustnessError> {
    hundredfold_mean(ratios(&of_fifteen(model), 0.0, &reference.corrupted, 0.0)?)
}

/// Relative mCE in percent: as [`mce`], of the errors that corruption adds to each model's clean
/// error. A corruption that adds none to the reference's is a
/// [`ZeroReference`](RobustnessError::ZeroReference).
pub fn relative_mce(model: &Errors, reference: &Errors) -> Result<f64, RobustnessError> {
    let errors = of_fifteen(model);
    hundredfold_mean(ratios(&errors, model.clean, &reference.corrupted, reference.clean)?)
}

/// What each frame's prediction is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The frame `step` before it (1 in the standard setting).
    Previous {
        /// Frames back, at least 1.
        step: usize,
    },
    /// The first frame, for sequences of independent noise.
    First,
}

/// The flip probability: how often the predicted class differs from that of the frame it is
/// compared with; the mean over each sequence, then over sequences. `sequences`: one list of
/// predicted classes a sequence. 0 where nothing can be compared.
pub fn flip_probability(sequences: &[Vec<usize>], compare: Compare) -> f64 {
    let of_one = |classes: &Vec<usize>| {
        let step = if let Compare::Previous { step } = compare { step.max(1) } else { 1 };
        let flips = (step..classes.len()).map(|j| {
            let against = if compare == Compare::First { 0 } else { j - step };
            f64::from(u8::from(classes[j] != classes[against]))
        });
        mean(&flips.collect::<Vec<_>>()).unwrap_or(0.0)
    };
    mean(&sequences.iter().map(of_one).collect::<Vec<_>>()).unwrap_or(0.0)
}

/// How far the five best classes of a frame are from those of the frame it is compared with: the
/// sum over the reference's five of how many ranks each has moved, where every rank from the sixth
/// on counts as the sixth (section 4.2). `ranks[i]`: classes, the best first.
///
/// ```
/// use augment::robustness::top5_distance;
/// assert_eq!(top5_distance(&[0, 1, 2, 3, 4, 5], &[0, 1, 2, 3, 4, 5]), 0.0);
/// assert_eq!(top5_distance(&[0, 1, 2, 3, 4, 5], &[1, 0, 2, 3, 4, 5]), 2.0);
/// assert_eq!(top5_distance(&[0, 1, 2, 3, 4, 5], &[5, 0, 1, 2, 3, 4]), 5.0);
/// ```
pub fn top5_distance(reference: &[usize], ranks: &[usize]) -> f64 {
    let moved = |(i, class): (usize, &usize)| {
        let now = ranks.iter().position(|other| other == class).unwrap_or(ranks.len()).min(5);
        i.abs_diff(now) as f64
    };
    reference.iter().take(5).enumerate().map(moved).sum()
}

/// How much the ranks of all classes moved, with Zipf's weights: the sum of
/// `|1/i - 1/rank(i)| / i` over ranks `i` from 1 on.
pub fn zipf_distance(reference: &[usize], ranks: &[usize]) -> f64 {
    let mut place = vec![0; ranks.len()];
    for (rank, &class) in ranks.iter().enumerate() {
        if let Some(place) = place.get_mut(class) {
            *place = rank + 1;
        }
    }
    let moved = |(i, &class): (usize, &usize)| {
        let (i, now) = ((i + 1) as f64, place.get(class).copied().unwrap_or(0));
        let now = if now == 0 { 0.0 } else { 1.0 / now as f64 };
        (1.0 / i - now).abs() / i
    };
    reference.iter().enumerate().map(moved).sum()
}

/// A distance of rankings averaged over each sequence, then over sequences, as [`flip_probability`]
/// does it. `sequences`: for each frame the classes, the best first.
pub fn mean_distance(
    sequences: &[Vec<Vec<usize>>],
    compare: Compare,
    distance: fn(&[usize], &[usize]) -> f64,
) -> f64 {
    let of_one = |frames: &Vec<Vec<usize>>| {
        let step = if let Compare::Previous { step } = compare { step.max(1) } else { 1 };
        let distances = (step..frames.len()).map(|j| {
            let against = if compare == Compare::First { 0 } else { j - step };
            distance(&frames[against], &frames[j])
        });
        mean(&distances.collect::<Vec<_>>()).unwrap_or(0.0)
    };
    mean(&sequences.iter().map(of_one).collect::<Vec<_>>()).unwrap_or(0.0)
}

/// AlexNet's flip probabilities on the ten sequences of ImageNet-P at the first difficulty. Quoted
/// from memory of the authors' code: check them before publishing numbers that depend on them.
pub const ALEXNET_FLIPS: [(&str, f64); 10] = [
    ("gaussian_noise", 0.2365),
    ("shot_noise", 0.3006),
    ("motion_blur", 0.0930),
    ("zoom_blur", 0.0594),
    ("snow", 0.1193),
    ("brightness", 0.0489),
    ("translate", 0.1101),
    ("rotate", 0.1310),
    ("tilt", 0.0705),
    ("scale", 0.2353),
];

/// AlexNet as a reference for [`mfr`].
pub fn alexnet_flips() -> BTreeMap<String, f64> {
    ALEXNET_FLIPS.iter().map(|&(name, flips)| (name.to_owned(), flips)).collect()
}

/// mT5D in percent: 100 times the mean ratio of top-5 distances ([`mean_distance`] of
/// [`top5_distance`]) to the reference's, by name.
pub fn mt5d(
    model: &BTreeMap<String, f64>,
    reference: &BTreeMap<String, f64>,
) -> Result<f64, RobustnessError> {
    mfr(model, reference)
}

/// mFR in percent: 100 times the mean ratio of flip probabilities to the reference's, by name.
pub fn mfr(
    model: &BTreeMap<String, f64>,
    reference: &BTreeMap<String, f64>,
) -> Result<f64, RobustnessError> {
    let lists = |table: &BTreeMap<String, f64>| {
        table.iter().map(|(name, &p)| (name.clone(), vec![p])).collect()
    };
    hundredfold_mean(ratios(&lists(model), 0.0, &lists(reference), 0.0)?)
}
