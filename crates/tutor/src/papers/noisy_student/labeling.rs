//! Pseudo-labels: what the teacher says of each image, asked once and kept in a file, then filtered
//! and balanced.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use augment::rng::Rng;
use data_pipeline::balance::{Scored, Selection, filter_and_balance};
use data_pipeline::pseudo_labels::{self, PseudoLabel};
use ssl_core::methods::Labeling;

use super::recipe::{LabelSource, Recipe};
use super::section::{ClassCount, PseudoLabels};
use super::trained::Trained;
use crate::images::setting::Setting;
use crate::images::subset::Subset;
use crate::images::targets::Targets;
use crate::run::{files, processes};

/// The teacher's labels: all of them, and those that were chosen.
pub(super) struct Labels {
    all: Vec<PseudoLabel>,
    picked: Vec<u32>,
    /// The images that the student sees, duplicates counted.
    pub(super) chosen: Subset,
    source: Subset,
}

/// Labels the student's images by the teacher, or reads the file an earlier process wrote, and
/// chooses among them. The second part is what the student learns from each chosen image, unless
/// the teacher answers in the loop.
pub(super) fn labels(
    setting: &Setting<'_>,
    recipe: &Recipe,
    name: &str,
    dir: &Path,
    teacher: &Trained,
) -> Result<Option<(Labels, Option<Targets>)>> {
    let source = match recipe.labeling.source {
        LabelSource::Unlabeled => setting.data.unlabeled.clone(),
        LabelSource::Labeled => setting.data.labeled.clone(),
        LabelSource::None => return Ok(None),
    };
    files::make_folder(dir)?;
    let path = dir.join("pseudo-labels.csv");
    processes::share_file(&path)?;
    let mut all = match read(&path, &source)? {
        Some(rows) => rows,
        None => {
            let rows = ask(setting, recipe, name, teacher, &source)?;
            pseudo_labels::save(&path, &rows)?;
            rows
        }
    };
    let classes = setting.classes();
    let per_class = recipe.labeling.select.per_class.unwrap_or(all.len().div_ceil(classes));
    let selection = Selection {
        per_class: recipe.labeling.balance.then_some(per_class),
        ..recipe.labeling.select
    };
    let scored: Vec<Scored> = all.iter().map(Scored::from).collect();
    let mut rng = Rng::new(setting.key(&format!("balance/{name}")));
    let picked = filter_and_balance(&scored, &selection, &mut rng);
    if picked.is_empty() {
        bail!(why_none(&scored, &selection));
    }
    let indices = picked.iter().map(|&row| all[row as usize].index).collect();
    let chosen = Subset { set: source.set.clone(), indices };
    let targets = (recipe.student.method.labeling == Labeling::Offline).then(|| {
        let rows = picked.iter().flat_map(|&row| all[row as usize].probabilities.iter().copied());
        Targets { classes, rows: rows.collect() }
    });
    all.iter_mut().for_each(|row| row.probabilities = Vec::new());
    Ok(Some((Labels { all, picked, chosen, source }, targets)))
}

/// Why no pseudo-label was chosen, and what helps.
fn why_none(scored: &[Scored], selection: &Selection) -> String {
    let min = selection.min_confidence;
    match scored.iter().filter(|row| selection.keeps(row.confidence)).count() {
        0 => format!(
            "no pseudo-label has a confidence of {min} or more: train the teacher longer or lower \
             labeling.select.min_confidence"
        ),
        kept => format!(
            "{kept} of {} pseudo-labels have a confidence of {min} or more, and balancing the \
             classes took none of them: raise labeling.select.per_class (now {}), or set \
             labeling.select.rule = \"paper\", which takes none by chance",
            scored.len(),
            selection.per_class.unwrap_or_default()
        ),
    }
}

/// The file of an earlier process, if there is one. A damaged one is written anew; one of other
/// images is an error, for then the data are not those that the run began with.
fn read(path: &Path, source: &Subset) -> Result<Option<Vec<PseudoLabel>>> {
    if !path.exists() {
        return Ok(None);
    }
    let rows = match pseudo_labels::load(path) {
        Ok(rows) => rows,
        Err(error) => {
            tracing::warn!("{error}; the teacher is asked again");
            return Ok(None);
        }
    };
    let same = |(row, &index): (&PseudoLabel, &u32)| {
        row.index == index && row.id == source.set.id(index as usize)
    };
    ensure!(
        rows.len() == source.len() && rows.iter().zip(&source.indices).all(same),
        "{} is of other images than there are now: put the data back as they were, or begin anew \
         with --fresh",
        path.display()
    );
    Ok(Some(rows))
}

/// What the teacher says of each image: clean images and no noise, or (the ablation) noised ones. A
/// teacher that answers in the loop is asked here for the filter only, and its probabilities, which
/// may be a thousand an image, are not kept.
fn ask(
    setting: &Setting<'_>,
    recipe: &Recipe,
    name: &str,
    teacher: &Trained,
    source: &Subset,
) -> Result<Vec<PseudoLabel>> {
    let mut evaluator = setting.evaluator(&teacher.eval_augment).interruptible();
    if recipe.labeling.noised_teacher {
        let seed = setting.key(&format!("ask/{name}"));
        torch::rng::seed(seed);
        evaluator = evaluator.noised(recipe.unlabeled_noise(), seed);
    }
    let answer = |index: u32, (label, confidence): (u32, f32), probabilities: Vec<f32>| {
        let id = source.set.id(index as usize);
        PseudoLabel { id, index, label, confidence, probabilities }
    };
    if recipe.student.method.labeling == Labeling::InLoop {
        let tops = evaluator.tops(&teacher.model, source)?;
        return Ok(source
            .indices
            .iter()
            .zip(tops)
            .map(|(&i, top)| answer(i, top, Vec::new()))
            .collect());
    }
    let predictions = evaluator.predict(&teacher.model, source)?;
    let rows = predictions.top().zip(predictions.rows());
    Ok(source
        .indices
        .iter()
        .zip(rows)
        .map(|(&i, (top, row))| answer(i, top, row.to_vec()))
        .collect())
}

impl Labels {
    /// What was kept, for the report. The truth is used for nothing else.
    pub(super) fn summary(
        &self,
        teacher: &str,
        student: &str,
        setting: &Setting<'_>,
        recipe: &Recipe,
    ) -> PseudoLabels {
        let mut times = vec![0u64; self.all.len()];
        self.picked.iter().for_each(|&row| times[row as usize] += 1);
        let mut per_class = vec![ClassCount::default(); setting.classes()];
        let (mut right, mut known) = (0u64, 0u64);
        for (row, &times) in self.all.iter().zip(&times).filter(|(_, times)| **times > 0) {
            let class = &mut per_class[row.label as usize];
            class.kept += 1;
            class.used += times;
            if let Some(truth) = self.source.set.label(row.index as usize) {
                known += 1;
                right += u64::from(truth == row.label);
            }
        }
        PseudoLabels {
            teacher: teacher.to_owned(),
            student: student.to_owned(),
            seed: setting.seed,
            candidates: self.all.len() as u64,
            threshold: Some(decimal(recipe.labeling.select.min_confidence)),
            kept: per_class.iter().map(|c| c.kept).sum(),
            used: self.picked.len() as u64,
            accuracy: (known > 0).then(|| 100.0 * right as f64 / known as f64),
            per_class,
        }
    }
}

/// A 32-bit number as it was written, in decimals.
fn decimal(value: f32) -> f64 {
    (f64::from(value) * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use data_pipeline::balance::Rule;

    use super::*;

    /// By the released code a class with 50 images that wants 1 takes each with a chance of 1 in
    /// 50: none of them with 0.98^50, 36 %.
    #[test]
    fn what_balancing_drops_by_chance_is_told_apart_from_what_the_teacher_is_not_sure_of() {
        let scored = vec![Scored { label: 0, confidence: 0.995 }; 50];
        let few = Selection { per_class: Some(1), ..Selection::default() };
        let none = |selection: &Selection| {
            (0..50)
                .any(|seed| filter_and_balance(&scored, selection, &mut Rng::new(seed)).is_empty())
        };
        assert!(none(&few) && !none(&Selection { rule: Rule::Paper, ..few }));
        let said = why_none(&scored, &few);
        assert!(
            said.contains("50 of 50 pseudo-labels") && said.contains("per_class (now 1)"),
            "{said}"
        );
        let strict = Selection { min_confidence: 0.999, ..few };
        let said = why_none(&scored, &strict);
        assert!(said.starts_with("no pseudo-label has a confidence of 0.999"), "{said}");
    }
}
