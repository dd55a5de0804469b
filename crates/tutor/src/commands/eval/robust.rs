//! `tutor eval --robustness`: what networks make of changed images.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use augment::corrupt::{Corruption, Severity};
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
        let mut left_out = String::new();
        for (name, of, why) in [
            ("mCE", mce as Ratio, "makes no error"),
            ("relative mCE", relative_mce as Ratio, "makes no more errors than on clean images"),
        ] {
            let without = without_ratio(first, of);
            if without.len() < first.corrupted.len() {
                let ratio = |errors| of(&only_with_ratio(errors, &without), first);
                let ratios: Vec<f64> = others.iter().map(ratio).collect::<Result<_, _>>()?;
                let all: Vec<f64> = std::iter::once(100.0).chain(ratios).collect();
                line(&mut text, name, &all)?;
            }
            if !without.is_empty() {
                let (count, all) = (without.len(), first.corrupted.len());
                let first = names[0];
                let without = without.join(", ");
                write!(left_out, "\n{name} without {count} of {all} corruptions, under which ")?;
                write!(left_out, "{first} {why}: {without}")?;
            }
        }
        text += &left_out;
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

/// The corruptions under which there is no ratio to this network's errors.
fn without_ratio(reference: &Errors, of: Ratio) -> Vec<String> {
    let one = |(name, errors): (&String, &Vec<f64>)| {
        let corrupted = [(name.clone(), errors.clone())].into();
        let alone = Errors { clean: reference.clean, corrupted };
        let is_none = matches!(of(&alone, reference), Err(RobustnessError::ZeroReference(_)));
        is_none.then(|| name.clone())
    };
    reference.corrupted.iter().filter_map(one).collect()
}

/// The same errors but for some corruptions.
fn only_with_ratio(errors: &Errors, without: &[String]) -> Errors {
    let mut errors = errors.clone();
    errors.corrupted.retain(|name, _| !without.contains(name));
    errors
}

/// The errors of each network, as fractions; of the corruptions that mCE leaves out, none.
fn errors(found: &Robustness, clean: &[f64]) -> Vec<Errors> {
    let of = |(i, clean): (usize, &f64)| {
        let error = |share: &f64| 1.0 - share / 100.0;
        let of_corruption = |(corruption, shares): &(Corruption, Vec<Vec<f64>>)| {
            (corruption.name().to_owned(), shares[i].iter().map(error).collect())
        };
        let measured = found.corruptions.iter();
        let measured = measured.filter(|(corruption, _)| !Corruption::EXTRA.contains(corruption));
        let corrupted = measured.map(of_corruption).collect();
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

    /// Accuracies of two networks at each severity of three corruptions. The first is right about
    /// 90 % of the clean images, always under fog, and about 90 % under snow.
    #[test]
    fn corruptions_without_a_ratio_are_left_out_and_named() {
        let corruption = |corruption, first: f64, second: f64| {
            (corruption, vec![vec![first; 5], vec![second; 5]])
        };
        let mut found = Robustness {
            corruptions: vec![
                corruption(Corruption::Fog, 100.0, 80.0),
                corruption(Corruption::Snow, 90.0, 85.0),
                corruption(Corruption::Contrast, 70.0, 85.0),
            ],
            perturbations: vec![],
        };
        let names = ["a.safetensors", "b.safetensors"];
        let said = table(&found, &names, &[90.0, 95.0]).expect("a table");
        // Snow 15 / 10, contrast 15 / 30; relative: contrast (15 - 5) / (30 - 10).
        let line = |name: &str, value: &str| format!("\n  {name:20} 100.00 {value}");
        assert!(said.contains(&line("mCE", "100.00")), "{said}");
        assert!(said.contains(&line("relative mCE", " 50.00")), "{said}");
        for told in [
            "\nmCE without 1 of 3 corruptions, under which a.safetensors makes no error: fog",
            "\nrelative mCE without 2 of 3 corruptions, under which a.safetensors makes no more \
             errors than on clean images: fog, snow",
        ] {
            assert!(said.contains(told), "{told}: {said}");
        }
        // Those of small images: the extra ones among them are no matter of the ratios.
        let small = Corruption::SMALL.map(|one| corruption(one, 80.0, 85.0)).to_vec();
        let small = Robustness { corruptions: small, perturbations: vec![] };
        let said = table(&small, &names, &[90.0, 95.0]).expect("a table");
        assert!(said.contains(&line("mCE", " 75.00")), "{said}");
        assert!(said.contains("speckle_noise") && !said.contains("mCE without"), "{said}");
        // Nothing is left to be compared: that is said, and there is no number.
        found.corruptions.truncate(1);
        let said = table(&found, &names, &[90.0, 95.0]).expect("a table");
        assert!(said.contains("\nmCE without 1 of 1 corruptions"), "{said}");
        assert!(!said.contains("\n  mCE") && !said.contains("\n  relative mCE"), "{said}");
    }
}
