//! Robustness: accuracy under corruptions and flip rates along sequences of small changes, of
//! teacher and student.

use anyhow::Result;
use augment::Image;
use augment::corrupt::{Corruption, Severity, corrupt};
use augment::rng::{Key, Rng};
use augment::robustness::{Compare, flip_probability};
use augment::sequence::{Perturbation, frames};
use report::stats;
use serde::{Deserialize, Serialize};

use super::recipe::RobustnessConfig;
use super::robustness_tables as reported;
use super::trained::Trained;
use crate::images::setting::Setting;
use crate::images::subset::Subset;

/// Percentages of one seed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) teacher: String,
    pub(super) student: String,
    pub(super) images: usize,
    pub(super) sequences: usize,
    corruptions: Vec<reported::Corruption>,
    perturbations: Vec<reported::Perturbation>,
}

/// Measures both networks on the same changed images. Images are changed as evaluation sees them
/// (cut and scaled), a batch at a time, and keyed by image alone, so that every network and seed
/// sees the same.
pub(super) fn measure(
    setting: &Setting<'_>,
    config: &RobustnessConfig,
    subset: &Subset,
    teacher: &Trained,
    student: &Trained,
) -> Result<Measured> {
    let (images, sequences) = (subset.spread(config.images), subset.spread(config.sequences));
    let both = [teacher, student];
    let shares = |counts: Vec<[u64; 2]>, of: usize| -> [Vec<f64>; 2] {
        [0, 1].map(|who| counts.iter().map(|c| 100.0 * c[who] as f64 / of.max(1) as f64).collect())
    };
    let mut corruptions = Vec::new();
    let side = match images.indices.first() {
        Some(&index) => {
            let image = subset.set.item(index as usize)?;
            image.width().min(image.height())
        }
        None => 0,
    };
    for &corruption in Corruption::for_side(side) {
        let mut right = vec![[0; 2]; Severity::ALL.len()];
        for (counts, severity) in right.iter_mut().zip(Severity::ALL) {
            let view = 2000 + 10 * corruption as u64 + severity.index() as u64;
            let change =
                |image: &Image, rng: &mut Rng| vec![corrupt(image, corruption, severity, rng)];
            visit(setting, &images, both, view, change, |truth, answers| {
                for (count, classes) in counts.iter_mut().zip(answers) {
                    *count += u64::from(truth == Some(classes[0]));
                }
            })?;
        }
        let [teacher, student] = shares(right, images.len());
        corruptions.push(reported::Corruption {
            name: corruption.name().to_owned(),
            teacher,
            student,
        });
    }
    let mut perturbations = Vec::new();
    for &perturbation in Perturbation::for_side(side) {
        let compare =
            if perturbation.is_noise() { Compare::First } else { Compare::Previous { step: 1 } };
        let mut runs = [Vec::new(), Vec::new()];
        let change = |image: &Image, rng: &mut Rng| frames(image, perturbation, rng);
        visit(setting, &sequences, both, 3000 + perturbation as u64, change, |_, answers| {
            for (runs, classes) in runs.iter_mut().zip(answers) {
                runs.push(classes.iter().map(|&class| class as usize).collect());
            }
        })?;
        let [teacher, student] =
            runs.map(|runs: Vec<Vec<usize>>| 100.0 * flip_probability(&runs, compare));
        perturbations.push(reported::Perturbation {
            name: perturbation.name().to_owned(),
            teacher,
            student,
        });
    }
    let (images, sequences) = (images.len(), sequences.len());
    let (teacher, student) = (teacher.name.clone(), student.name.clone());
    Ok(Measured { teacher, student, images, sequences, corruptions, perturbations })
}

/// Hands to `take`, for each image of a subset, its true class and what both networks say of what
/// it was changed into.
fn visit(
    setting: &Setting<'_>,
    subset: &Subset,
    networks: [&Trained; 2],
    view: u64,
    change: impl Fn(&Image, &mut Rng) -> Vec<Image>,
    mut take: impl FnMut(Option<u32>, [&[u32]; 2]),
) -> Result<()> {
    for indices in subset.indices.chunks(setting.shared.evaluate.batch) {
        let mut answers = Vec::new();
        for network in networks {
            let policy = &network.eval_augment;
            let mut images = Vec::with_capacity(indices.len());
            for &index in indices {
                let mut rng = Key { seed: 0, epoch: 0, index: u64::from(index), view }.rng();
                // What evaluation sees is not random: any generator does.
                let seen = policy.apply(subset.set.item(index as usize)?, &mut Rng::new(0));
                images.extend(change(&seen, &mut rng));
            }
            let evaluator = setting.evaluator(policy).interruptible();
            answers.push(evaluator.classes_of(&network.model, &images)?);
        }
        let each = answers[0].len() / indices.len();
        let truths = indices.iter().map(|&index| subset.set.label(index as usize));
        for (i, truth) in truths.enumerate() {
            take(truth, [0, 1].map(|who: usize| &answers[who][i * each..][..each]));
        }
    }
    Ok(())
}

/// The mean over seeds, for the report.
pub(super) fn mean(measured: &[&Measured], part: &str) -> Result<Option<reported::Robustness>> {
    let Some(first) = measured.first() else { return Ok(None) };
    let over_seeds = |value: &dyn Fn(&Measured) -> f64| {
        stats::mean(&measured.iter().map(|m| value(m)).collect::<Vec<f64>>())
    };
    let corruptions = (0..first.corruptions.len())
        .map(|i| {
            let severities = 0..first.corruptions[i].teacher.len();
            let teacher =
                severities.clone().map(|s| over_seeds(&|m| m.corruptions[i].teacher[s])).collect();
            let student =
                severities.map(|s| over_seeds(&|m| m.corruptions[i].student[s])).collect();
            reported::Corruption { name: first.corruptions[i].name.clone(), teacher, student }
        })
        .collect();
    let perturbations = (0..first.perturbations.len())
        .map(|i| reported::Perturbation {
            name: first.perturbations[i].name.clone(),
            teacher: over_seeds(&|m| m.perturbations[i].teacher),
            student: over_seeds(&|m| m.perturbations[i].student),
        })
        .collect();
    let setting = format!(
        "{} images of the {part} part for the corruptions and {} for the sequences, mean over {} \
         seed{}",
        first.images,
        first.sequences,
        measured.len(),
        if measured.len() == 1 { "" } else { "s" }
    );
    let robustness =
        reported::Robustness::new(&*first.teacher, &*first.student, corruptions, perturbations)?;
    Ok(Some(robustness.setting(setting)))
}
