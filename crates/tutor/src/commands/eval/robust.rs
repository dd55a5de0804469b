//! `tutor eval --robustness`: what networks make of changed images.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use augment::corrupt::Severity;
use augment::rng::Rng;
use augment::robustness::{Errors, RobustnessError, mce, relative_mce};
use augment::scratch::Scratch;
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::FolderSet;
use metrics::stats;
use metrics::words::counted;

use crate::images::robustness::{self, Measured, Robustness};
use crate::images::subset::Subset;
use crate::images::trained_model::TrainedModel;
use crate::run::experiment::Predictor;

/// Images at once; sequences have 31 frames each.
const BATCH: usize = 64;

/// What a network made of the samples as they are.
pub(super) struct Scored {
    /// The numbers of the samples that it could read, rising.
    pub(super) readable: Vec<u32>,
    /// Whether each of them was given its class; not so where that is not known.
    pub(super) right: Vec<bool>,
}

/// Measures networks on the same changed images, made of those samples whose class is known and
/// which the first network could read, and says it as a table. `scored`: what each network made of
/// the samples as they are. Images are changed as the first network sees them; one that takes
/// another size gets them brought to that.
pub(super) fn measure(
    networks: &[(&dyn Predictor, &str)],
    scored: &[Scored],
    samples: &Path,
    [images, sequences]: [usize; 2],
) -> Result<String> {
    let readable = &scored[0].readable;
    let models: Vec<(&TrainedModel, &str)> = networks
        .iter()
        .map(|(network, about)| {
            let model = network.as_any().downcast_ref::<TrainedModel>();
            Ok((model.context("--robustness is measured on images")?, *about))
        })
        .collect::<Result<_>>()?;
    let (first, name) = models[0];
    for (other, other_name) in &models[1..] {
        ensure!(
            other.classes() == first.classes() && other.input().channels == first.input().channels,
            "{name} and {other_name} tell different classes apart, or take other channels: measure \
             their robustness one by one"
        );
    }
    let (set, size) = open(first, samples, readable)?;
    let labels = set.labels();
    let indices = set.indices.iter().zip(labels).filter(|(_, label)| label.is_some());
    let known = Subset { indices: indices.map(|(&i, _)| i).collect(), set: set.set };
    let (images, sequences) = (known.spread(images), known.spread(sequences));
    let mut measured = Vec::new();
    for (model, _) in &models {
        let (_, own) = open(model, samples, readable)?;
        let (net, evaluator) = model.runner();
        let size = (own != size).then_some(own);
        measured.push(Measured { net, evaluator, transform: first.transform(), size });
    }
    let found = robustness::measure(&images, &sequences, &measured, BATCH)?;
    let names: Vec<&str> = models.iter().map(|(_, name)| *name).collect();
    let made = format!(
        "robustness of {} and {} at {}x{} pixels",
        counted(images.len(), "image"),
        counted(sequences.len(), "sequence"),
        size.0,
        size.1
    );
    let clean: Vec<f64> = scored.iter().map(|scored| accuracy(scored, &images.indices)).collect();
    Ok(format!("{made}\n{}", table(&found, &names, &clean)?))
}

/// Accuracy on some of the samples as they are, in percent: the clean error of the relative mCE is
/// that of the images that are corrupted (Hendrycks and Dietterich 2019, arXiv 1903.12261).
fn accuracy(scored: &Scored, images: &[u32]) -> f64 {
    let is_right =
        |image: &&u32| scored.readable.binary_search(image).is_ok_and(|place| scored.right[place]);
    100.0 * images.iter().filter(is_right).count() as f64 / images.len().max(1) as f64
}

/// The samples as a network has them decoded, and width and height of what it sees.
fn open(
    model: &TrainedModel,
    samples: &Path,
    readable: &[u32],
) -> Result<(Subset, (usize, usize))> {
    let set = FolderSet::open(samples, &model.folder_options(true))?;
    let first = *readable.first().context("no image can be read")?;
    let mut image = set.item(first as usize)?;
    model.transform().view()(&mut image, &mut Rng::new(0), &mut Scratch::new(), 0);
    let size = (image.width(), image.height());
    Ok((Subset { set: Arc::new(set), indices: readable.to_vec() }, size))
}

/// A line for each corruption, with the accuracies of one network at all severities, of several
/// their means; a line for each kind of sequence; the means over all.
fn table(found: &Robustness, names: &[&str], clean: &[f64]) -> Result<String> {
    let mut text = String::from("accuracy in % under corruptions");
    match names {
        [_] => text += ", at severities 1 to 5 and the mean",
        names => write!(text, ", mean over severities 1 to 5, of {}", names.join(", "))?,
    }
    let mut means = vec![Vec::new(); names.len()];
    for (corruption, shares) in &found.corruptions {
        write!(text, "\n  {:20}", corruption.name())?;
        for (means, shares) in means.iter_mut().zip(shares) {
            if names.len() == 1 {
                shares.iter().try_for_each(|share| write!(text, " {share:6.2}"))?;
            }
            let mean = mean_or_nan(shares);
            means.push(mean);
            write!(text, " {mean:6.2}")?;
        }
    }
    let line = |text: &mut String, name: &str, values: &[f64]| {
        let blank = if names.len() == 1 { 7 * Severity::ALL.len() } else { 0 };
        write!(text, "\n  {name:20}{:blank$}", "")?;
        values.iter().try_for_each(|value| write!(text, " {value:6.2}"))
    };
    let over_all: Vec<f64> = means.iter().map(|means| mean_or_nan(means)).collect();
    line(&mut text, "mean", &over_all)?;
    if let [first, others @ ..] = &errors(found, clean)[..]
        && !others.is_empty()
    {
        // A network without any error is none to compare with.
        let ratio = |of: Ratio| -> Option<Vec<f64>> {
            others.iter().map(|errors| of(errors, first).ok()).collect()
        };
        for (name, ratios) in [("mCE", ratio(mce)), ("relative mCE", ratio(relative_mce))] {
            if let Some(ratios) = ratios {
                let all: Vec<f64> = std::iter::once(100.0).chain(ratios).collect();
                line(&mut text, name, &all)?;
            }
        }
    }
    text += "\nhow often the answer flips along sequences, in %";
    let mut all = vec![Vec::new(); names.len()];
    for (perturbation, flips) in &found.perturbations {
        write!(text, "\n  {:20}", perturbation.name())?;
        for (all, flip) in all.iter_mut().zip(flips) {
            all.push(*flip);
            write!(text, " {flip:6.2}")?;
        }
    }
    write!(text, "\n  {:20}", "mean")?;
    all.iter().try_for_each(|all| write!(text, " {:6.2}", mean_or_nan(all)))?;
    Ok(text)
}

/// The mean, shown as `NaN` where there is nothing to take it of.
fn mean_or_nan(values: &[f64]) -> f64 {
    stats::mean(values).unwrap_or(f64::NAN)
}

/// A model's errors as a ratio to those of another.
type Ratio = fn(&Errors, &Errors) -> Result<f64, RobustnessError>;

/// The errors of each network, as fractions.
fn errors(found: &Robustness, clean: &[f64]) -> Vec<Errors> {
    let of = |(i, clean): (usize, &f64)| {
        let error = |share: &f64| 1.0 - share / 100.0;
        let of_corruption =
            |(corruption, shares): &(augment::corrupt::Corruption, Vec<Vec<f64>>)| {
                (corruption.name().to_owned(), shares[i].iter().map(error).collect())
            };
        let corrupted = found.corruptions.iter().map(of_corruption).collect();
        Errors { clean: error(clean), corrupted }
    };
    clean.iter().enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clean_error_is_that_of_the_images_that_are_corrupted() {
        let right = vec![true, false, true, true];
        let scored = Scored { readable: vec![0, 2, 3, 7], right };
        assert_eq!(accuracy(&scored, &[2, 7]), 50.0);
        assert_eq!(accuracy(&scored, &[0, 2, 3, 7]), 75.0);
        // One that this network could not read.
        assert_eq!(accuracy(&scored, &[0, 5]), 50.0);
    }
}
