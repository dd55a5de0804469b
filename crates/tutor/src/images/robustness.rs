//! Robustness: accuracy under corruptions (as ImageNet-C) and how often the predicted class flips
//! along sequences of small changes (as ImageNet-P), of several networks on the same changed
//! images.

use anyhow::Result;
use augment::Image;
use augment::corrupt::{Corruption, Severity, corrupt};
use augment::resize::{Filter, resize};
use augment::rng::{Key, Rng};
use augment::robustness::{Compare, flip_probability};
use augment::scratch::Scratch;
use augment::sequence::{FRAMES, Perturbation, frames};
use data_pipeline::parallel;
use torch::Net;

use super::evaluator::Evaluator;
use super::subset::Subset;
use super::view::Transform;

/// A network that is measured.
pub(crate) struct Measured<'a> {
    pub(crate) net: &'a dyn Net,
    /// Shows it images that are ready but for their normalisation.
    pub(crate) evaluator: &'a Evaluator,
    /// What is done to a stored image before it is changed. Networks with the same transform are
    /// shown the same changed images.
    pub(crate) transform: &'a Transform,
    /// Width and height to which changed images are brought, where they are not those of the
    /// transform.
    pub(crate) size: Option<(usize, usize)>,
}

/// Percentages.
pub(crate) struct Robustness {
    /// Under each corruption, for each network, the accuracy at each severity.
    pub(crate) corruptions: Vec<(Corruption, Vec<Vec<f64>>)>,
    /// Along each kind of sequence, for each network, the flip probability.
    pub(crate) perturbations: Vec<(Perturbation, Vec<f64>)>,
}

/// Measures networks under corruptions of `images` and along sequences made of `sequences`. Images
/// are changed as evaluation sees them (cut and scaled), at most `batch` at a time, and keyed by
/// image alone, so that every network and seed sees the same; which corruptions and sequences there
/// are depends on their size ([`Corruption::for_side`]).
pub(crate) fn measure(
    images: &Subset,
    sequences: &Subset,
    networks: &[Measured<'_>],
    batch: usize,
) -> Result<Robustness> {
    let mut found = Robustness { corruptions: Vec::new(), perturbations: Vec::new() };
    let Some(&first) = images.indices.first().or(sequences.indices.first()) else {
        return Ok(found);
    };
    let side = {
        let seen = seen(images, first, networks[0].transform)?;
        seen.width().min(seen.height())
    };
    for &corruption in Corruption::for_side(side) {
        let mut shares = vec![Vec::new(); networks.len()];
        for severity in Severity::ALL {
            let view = 2000 + 10 * corruption as u64 + severity.index() as u64;
            let change =
                |image: &Image, rng: &mut Rng| vec![corrupt(image, corruption, severity, rng)];
            let mut right = vec![0u64; networks.len()];
            visit(images, networks, (batch, view), change, |truth, answers| {
                for (count, classes) in right.iter_mut().zip(answers) {
                    *count += u64::from(truth == Some(classes[0]));
                }
            })?;
            for (shares, right) in shares.iter_mut().zip(right) {
                shares.push(100.0 * right as f64 / images.len().max(1) as f64);
            }
        }
        found.corruptions.push((corruption, shares));
    }
    for &perturbation in Perturbation::for_side(side) {
        let compare =
            if perturbation.is_noise() { Compare::First } else { Compare::Previous { step: 1 } };
        let mut runs = vec![Vec::new(); networks.len()];
        let change = |image: &Image, rng: &mut Rng| frames(image, perturbation, rng);
        let batch = (batch / FRAMES).max(1);
        visit(sequences, networks, (batch, 3000 + perturbation as u64), change, |_, answers| {
            for (runs, classes) in runs.iter_mut().zip(answers) {
                runs.push(classes.iter().map(|&class| class as usize).collect());
            }
        })?;
        let flips = |runs: Vec<Vec<usize>>| 100.0 * flip_probability(&runs, compare);
        found.perturbations.push((perturbation, runs.into_iter().map(flips).collect()));
    }
    Ok(found)
}

/// An image as evaluation sees it.
fn seen(subset: &Subset, index: u32, transform: &Transform) -> Result<Image> {
    let mut image = subset.set.item(index as usize)?;
    // What evaluation sees is not random: any generator does.
    transform.view()(&mut image, &mut Rng::new(0), &mut Scratch::new(), 0);
    Ok(image)
}

/// Hands to `take`, for each image of a subset, its true class and what each network says of what
/// it was changed into.
fn visit(
    subset: &Subset,
    networks: &[Measured<'_>],
    (batch, view): (usize, u64),
    change: impl Fn(&Image, &mut Rng) -> Vec<Image> + Sync,
    mut take: impl FnMut(Option<u32>, &[&[u32]]),
) -> Result<()> {
    for indices in subset.indices.chunks(batch) {
        let mut answers: Vec<Vec<u32>> = Vec::new();
        let mut made: Option<(&Transform, Vec<Image>)> = None;
        for network in networks {
            let images = match made.take() {
                Some((transform, images)) if transform == network.transform => images,
                _ => changed(subset, indices, network.transform, view, &change)?,
            };
            answers.push(match network.size {
                None => network.evaluator.classes_of(network.net, &images)?,
                Some(size) => network.evaluator.classes_of(network.net, &at(&images, size))?,
            });
            made = Some((network.transform, images));
        }
        let each = answers[0].len() / indices.len();
        let truths = indices.iter().map(|&index| subset.set.label(index as usize));
        for (i, truth) in truths.enumerate() {
            let of_one: Vec<&[u32]> = answers.iter().map(|all| &all[i * each..][..each]).collect();
            take(truth, &of_one);
        }
    }
    Ok(())
}

/// What images are changed into, made on all processors.
fn changed(
    subset: &Subset,
    indices: &[u32],
    transform: &Transform,
    view: u64,
    change: &(impl Fn(&Image, &mut Rng) -> Vec<Image> + Sync),
) -> Result<Vec<Image>> {
    let of_one = |i: usize| {
        let mut rng = Key { seed: 0, epoch: 0, index: u64::from(indices[i]), view }.rng();
        anyhow::Ok(change(&seen(subset, indices[i], transform)?, &mut rng))
    };
    let all: Vec<Vec<Image>> =
        parallel::map(indices.len(), of_one).into_iter().collect::<Result<_>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// Images brought to a size.
fn at(images: &[Image], (width, height): (usize, usize)) -> Vec<Image> {
    let brought = |i: usize| {
        let mut image = images[i].clone();
        resize(&mut image, width, height, Filter::Bicubic, &mut Scratch::new());
        image
    };
    parallel::map(images.len(), brought)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use augment::policy::Policy;
    use data_pipeline::dataset::ArraySet;
    use ndarray::Array4;
    use torch::{Device, Mode, Tensor};

    use super::*;
    use crate::images::feed::Feed;
    use crate::images::input::Normalization;

    /// Logits of black and of not black: half a grey, and the mean of the image.
    struct IsBlack;

    impl Net for IsBlack {
        fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
            let mean = x.mean_dim([1, 2, 3].as_slice(), false, None).unsqueeze(1);
            Tensor::cat(&[mean.full_like(0.5 / 255.0), mean], 1)
        }
    }

    /// Black images: noise makes all frames but the first brighter, and brightness the 15 frames
    /// behind the middle; black that is moved stays black. Noise is compared with the first frame,
    /// the rest with the frame before.
    #[test]
    fn flips_are_those_from_the_first_frame_for_noise_and_from_the_one_before_for_the_rest() {
        let normalization = Normalization { mean: vec![0.0], std: vec![1.0] };
        let feed = Feed { device: Device::Cpu, normalization, classes: 2, targets: None };
        let evaluator = Evaluator::new(feed, &Policy::none(), 64, 0);
        let black = ArraySet::new("black", Array4::zeros((2, 8, 8, 1)), None, Vec::new());
        let black = Subset::all(Arc::new(black.expect("a set")));
        let none = Subset { indices: Vec::new(), ..black.clone() };
        let transform = Transform::Policy(Policy::none());
        let (net, evaluator, transform) = (&IsBlack, &evaluator, &transform);
        let network = Measured { net, evaluator, transform, size: None };
        let found = measure(&none, &black, &[network], 64).expect("measured");
        let expected = [
            (Perturbation::GaussianNoise, 100.0),
            (Perturbation::Brightness, 100.0 / 30.0),
            (Perturbation::Translate, 0.0),
            (Perturbation::Rotate, 0.0),
            (Perturbation::Scale, 0.0),
        ];
        assert_eq!(found.perturbations.len(), expected.len());
        for ((kind, flips), expected) in found.perturbations.iter().zip(expected) {
            assert_eq!((*kind, flips.len()), (expected.0, 1));
            assert!((flips[0] - expected.1).abs() < 1e-9, "{kind}: {flips:?}");
        }
    }
}
