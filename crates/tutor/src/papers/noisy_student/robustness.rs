//! Robustness: accuracy under corruptions and flip rates along sequences of small changes, of
//! teacher and student.

use anyhow::Result;
use augment::policy::Policy;
use metrics::stats;
use serde::{Deserialize, Serialize};

use super::recipe::RobustnessConfig;
use super::robustness_tables as reported;
use super::trained::Trained;
use crate::images::robustness;
use crate::images::setting::Setting;
use crate::images::subset::Subset;
use crate::images::view::Transform;

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

/// Measures both networks on the same changed images.
pub(super) fn measure(
    setting: &Setting<'_>,
    config: &RobustnessConfig,
    subset: &Subset,
    teacher: &Trained,
    student: &Trained,
) -> Result<Measured> {
    let (images, sequences) = (subset.spread(config.images), subset.spread(config.sequences));
    let both = [teacher, student].map(|network| {
        let transform = Transform::Policy(network.eval_augment.clone());
        (setting.fast(&network.net, &network.model), transform)
    });
    let evaluator = setting.evaluator(&Policy::none()).interruptible();
    let networks = both.each_ref().map(|(net, transform)| robustness::Measured {
        net,
        evaluator: &evaluator,
        transform,
        size: None,
    });
    let batch = setting.shared.evaluate.batch;
    let found = robustness::measure(&images, &sequences, &networks, batch)?;
    let corruptions = found.corruptions.into_iter().map(|(corruption, shares)| {
        let [teacher, student] = shares.try_into().expect("two networks");
        reported::Corruption { name: corruption.name().to_owned(), teacher, student }
    });
    let perturbations = found.perturbations.into_iter().map(|(perturbation, flips)| {
        let (name, teacher, student) = (perturbation.name().to_owned(), flips[0], flips[1]);
        reported::Perturbation { name, teacher, student }
    });
    Ok(Measured {
        teacher: teacher.name.clone(),
        student: student.name.clone(),
        images: images.len(),
        sequences: sequences.len(),
        corruptions: corruptions.collect(),
        perturbations: perturbations.collect(),
    })
}

/// The mean over seeds, for the report.
pub(super) fn mean(measured: &[&Measured], part: &str) -> Result<Option<reported::Robustness>> {
    let Some(first) = measured.first() else { return Ok(None) };
    let over_seeds = |value: &dyn Fn(&Measured) -> f64| {
        let values: Vec<f64> = measured.iter().map(|m| value(m)).collect();
        stats::mean(&values).expect("a seed")
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
