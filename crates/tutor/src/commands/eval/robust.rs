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
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad};
use metrics::stats;
use metrics::words::counted;

use crate::images::robustness::{self, Measured, Robustness};
use crate::images::subset::Subset;
use crate::images::trained_model::TrainedModel;
use crate::run::experiment::Predictor;

/// Images at once; sequences have 31 frames each.
const BATCH: usize = 64;

/// Measures networks on the same changed images, made of those of the `readable` samples whose
/// class is known, and says it as a table. `clean`: the accuracy of each on all images, in percent.
/// Images are changed as the first network sees them; one that takes another size gets them brought
/// to that.
pub(super) fn measure(
    networks: &[(&dyn Predictor, &str)],
    clean: &[f64],
    samples: &Path,
    readable: &[u32],
    [images, sequences]: [usize; 2],
) -> Result<String> {
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
    Ok(format!("{made}\n{}", table(&found, &names, clean)?))
}

/// The samples as a network has them decoded, and width and height of what it sees.
fn open(
    model: &TrainedModel,
    samples: &Path,
    readable: &[u32],
) -> Result<(Subset, (usize, usize))> {
    let options = FolderOptions {
        classes: Some(model.classes().to_vec()),
        on_bad: OnBad::Skip,
        decode: model.decode(),
        ..FolderOptions::default()
    };
    let set = FolderSet::open(samples, &options)?;
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
            means.push(stats::mean(shares));
            write!(text, " {:6.2}", stats::mean(shares))?;
        }
    }
    let line = |text: &mut String, name: &str, values: &[f64]| {
        let blank = if names.len() == 1 { 7 * Severity::ALL.len() } else { 0 };
        write!(text, "\n  {name:20}{:blank$}", "")?;
        values.iter().try_for_each(|value| write!(text, " {value:6.2}"))
    };
    let over_all: Vec<f64> = means.iter().map(|means| stats::mean(means)).collect();
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
    all.iter().try_for_each(|all| write!(text, " {:6.2}", stats::mean(all)))?;
    Ok(text)
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
