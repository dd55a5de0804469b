//! Robustness for free: accuracy under corruptions and flip rates along sequences of small changes, of teacher and student.

use anyhow::Result;
use augment::Image;
use augment::corrupt::{Corruption, Severity, corrupt};
use augment::rng::{Key, Rng};
use augment::robustness::{Compare, flip_probability};
use augment::sequence::{Perturbation, frames};
use serde::{Deserialize, Serialize};

use crate::assemble::Pool;
use crate::evaluate::{Look, Predictions};
use crate::generations::Trained;
use crate::phase::Setting;
use crate::recipe::RobustnessConfig;
use crate::report::{robustness as reported, stats};

/// Percentages of one seed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) teacher: String,
    pub(crate) student: String,
    pub(crate) images: usize,
    pub(crate) sequences: usize,
    corruptions: Vec<reported::Corruption>,
    perturbations: Vec<reported::Perturbation>,
}

/// Measures both networks on the same corrupted images.
pub(crate) fn measure(
    setting: &Setting<'_>,
    config: &RobustnessConfig,
    pool: &Pool,
    teacher: &Trained,
    student: &Trained,
) -> Result<Measured> {
    let pool = pool.spread(config.images);
    let truth = pool.labels();
    let mut corruptions = Vec::new();
    for corruption in Corruption::ALL {
        let mut both = [Vec::new(), Vec::new()];
        for severity in Severity::ALL {
            let view = 2000 + 10 * corruption as u64 + severity.index() as u64;
            let images =
                changed(&pool, view, |image, rng| vec![corrupt(image, corruption, severity, rng)])?;
            for (accuracies, trained) in both.iter_mut().zip([teacher, student]) {
                accuracies.extend(predict(setting, trained, &images)?.accuracy(&truth));
            }
        }
        let [teacher, student] = both;
        corruptions.push(reported::Corruption {
            name: corruption.name().to_owned(),
            teacher,
            student,
        });
    }
    let few = pool.spread(config.sequences);
    let mut perturbations = Vec::new();
    for perturbation in Perturbation::ALL {
        let images = changed(&few, 3000 + perturbation as u64, |image, rng| {
            frames(image, perturbation, rng)
        })?;
        let compare =
            if perturbation.is_noise() { Compare::First } else { Compare::Previous { step: 1 } };
        let rate = |trained: &Trained| -> Result<f64> {
            let classes: Vec<usize> = predict(setting, trained, &images)?
                .top()
                .map(|(class, _)| class as usize)
                .collect();
            let length = images.len() / few.len().max(1);
            let sequences: Vec<Vec<usize>> =
                classes.chunks(length.max(1)).map(<[usize]>::to_vec).collect();
            Ok(100.0 * flip_probability(&sequences, compare))
        };
        let (teacher, student) = (rate(teacher)?, rate(student)?);
        perturbations.push(reported::Perturbation {
            name: perturbation.name().to_owned(),
            teacher,
            student,
        });
    }
    let (images, sequences) = (pool.len(), few.len());
    let (teacher, student) = (teacher.name.clone(), student.name.clone());
    Ok(Measured { teacher, student, images, sequences, corruptions, perturbations })
}

/// The mean over seeds, for the report.
pub(crate) fn mean(measured: &[&Measured], part: &str) -> Result<Option<reported::Robustness>> {
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
        "{} images of the {part} part for the corruptions and {} for the sequences, mean over {} seed{}",
        first.images,
        first.sequences,
        measured.len(),
        if measured.len() == 1 { "" } else { "s" }
    );
    let robustness =
        reported::Robustness::new(&*first.teacher, &*first.student, corruptions, perturbations)?;
    Ok(Some(robustness.setting(setting)))
}

/// The images of a pool, each changed into one or more. Keyed by image alone, so that every network and seed sees the same.
fn changed(
    pool: &Pool,
    view: u64,
    change: impl Fn(&Image, &mut Rng) -> Vec<Image>,
) -> Result<Vec<Image>> {
    let mut images = Vec::with_capacity(pool.len());
    for &index in &pool.indices {
        let mut rng = Key { seed: 0, epoch: 0, index: u64::from(index), view }.rng();
        images.extend(change(&pool.set.image(index as usize)?, &mut rng));
    }
    Ok(images)
}

fn predict(setting: &Setting<'_>, trained: &Trained, images: &[Image]) -> Result<Predictions> {
    let feed = setting.feed(None);
    let policy = &trained.eval_augment;
    let seen: Vec<Image> = images
        .iter()
        // What evaluation sees is not random: any generator does.
        .map(|image| policy.apply(image.clone(), &mut Rng::new(0)))
        .collect();
    Look::clean(&feed, policy, setting.eval_batch, 0).at_images(&trained.model, &seen)
}
