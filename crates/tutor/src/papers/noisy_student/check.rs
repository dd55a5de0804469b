//! What no run of a Noisy Student recipe can do, found before it starts.

use anyhow::Result;
use ssl_core::MethodSettings;
use ssl_core::methods::Labeling;

use super::recipe::Recipe;
use crate::recipe::faults::{Faults, is_plain};
use crate::recipe::head::RowChoice;

/// Names everything about a recipe that cannot work; `name` is the recipe's. Of its rows, those
/// that are run count.
pub(super) fn check(recipe: &Recipe, name: &str, run_rows: &RowChoice) -> Result<()> {
    let mut faults = Faults::default();
    recipe.evaluate.check(&mut faults);
    faults.cadence(&recipe.cadence);
    recipe.data.check(recipe.evaluate.on, &mut faults);
    for (i, &count) in recipe.labels.iter().enumerate() {
        if recipe.labels[..i].contains(&count) {
            faults.add("labels", format!("names {count} twice"));
        }
        faults.of("labels", recipe.data.with_labels(count).map(|_| ()));
    }
    teacher(recipe, &mut faults);
    student(recipe, &mut faults);
    labeling(recipe, &mut faults);
    if let Some(robustness) = &recipe.robustness {
        faults.positive("robustness.images", robustness.images as u64);
        faults.positive("robustness.sequences", robustness.sequences as u64);
    }
    for row in recipe.rows.keys() {
        let key = format!("rows.{row}");
        if row == "teacher" || row.starts_with("student") || !is_plain(row) {
            let fault = "needs a name of letters, digits, - and _, not teacher or student";
            faults.add(&key, fault);
        }
        match recipe.row(row) {
            Ok(_) if !run_rows.takes(row) => {}
            Ok(changed) => {
                let mut of_row = Faults::default();
                student(&changed, &mut of_row);
                labeling(&changed, &mut of_row);
                faults.of(&key, of_row.done(name));
            }
            Err(error) => faults.add(&key, format!("{error:#}")),
        }
    }
    faults.done(name)
}

fn teacher(recipe: &Recipe, faults: &mut Faults) {
    let teacher = &recipe.teacher;
    faults.within("teacher.net", teacher.net.faults());
    faults.train("teacher.train", &teacher.train, teacher.weights.is_some());
    faults.policy("teacher.augment", &teacher.augment);
    faults.within("teacher", teacher.method().faults());
    if teacher.train.steps == 0 && teacher.weights.is_none() {
        faults.add("teacher.train.steps", "and there are no teacher.weights to take instead");
    }
}

fn student(recipe: &Recipe, faults: &mut Faults) {
    let student = &recipe.student;
    faults.train("student.train", &student.train, false);
    faults.positive("student.unlabeled_ratio", student.unlabeled_ratio as u64);
    faults.policy("student.augment", &student.augment);
    if let Some(policy) = &student.eval_augment {
        faults.policy("student.eval_augment", policy);
    }
    if let Some(policy) = &student.unlabeled_augment {
        faults.policy("student.unlabeled_augment", policy);
    }
    faults.within("student.method", student.method.faults());
    if let Some(fix) = &student.fix_resolution {
        faults.train("student.fix_resolution.train", &fix.train, false);
        faults.policy("student.fix_resolution.augment", &fix.augment);
        faults.policy("student.fix_resolution.eval_augment", &fix.eval_augment);
    }
    faults.filled("generations", &recipe.generations);
    for (i, generation) in recipe.generations.iter().enumerate() {
        let key = |name: &str| format!("generations.{i}.{name}");
        faults.within(&key("net"), generation.net.faults());
        faults.positive(&key("steps"), generation.steps.unwrap_or(1));
        let ratio = generation.unlabeled_ratio.unwrap_or(1) as u64;
        faults.positive(&key("unlabeled_ratio"), ratio);
        if student.warm_start && generation.net != recipe.teacher.net {
            let fault =
                format!("needs students with the teacher's net; generations.{i} has another");
            faults.add("student.warm_start", fault);
        }
    }
}

fn labeling(recipe: &Recipe, faults: &mut Faults) {
    let labeling = &recipe.labeling;
    if labeling.noised_teacher && recipe.student.method.labeling == Labeling::InLoop {
        faults.add("labeling.noised_teacher", "needs student.method.labeling = \"offline\"");
    }
    if recipe.evaluate.mirror && recipe.student.method.labeling == Labeling::InLoop {
        faults.add("evaluate.mirror", "needs student.method.labeling = \"offline\"");
    }
    let least = labeling.select.min_confidence;
    let ok = (0.0..=1.0).contains(&least);
    faults.values().must_be(ok, "labeling.select.min_confidence", least, "in [0, 1]");
    faults.positive("labeling.select.per_class", labeling.select.per_class.unwrap_or(1) as u64);
}
