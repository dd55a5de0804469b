//! What no run can do, found before it starts: every fault of a recipe at once.

use anyhow::{Result, bail};
use augment::policy::Policy;
use ssl_core::Config;
use ssl_core::methods::Labeling;
use train::{Ema, Schedule};

use super::{Cadence, DataConfig, Part, Recipe};

/// Faults by key.
#[derive(Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    pub(super) fn add(&mut self, key: &str, fault: impl std::fmt::Display) {
        self.0.push(format!("{key}: {fault}"));
    }

    pub(super) fn of<E: std::fmt::Display>(&mut self, key: &str, result: Result<(), E>) {
        if let Err(error) = result {
            self.add(key, error);
        }
    }

    pub(super) fn positive(&mut self, key: &str, value: u64) {
        if value == 0 {
            self.add(key, "must be at least 1");
        }
    }

    pub(super) fn policy(&mut self, key: &str, policy: &Policy) {
        self.of(key, policy.check());
    }

    /// Names all of them, if there are any.
    pub(super) fn done(self, recipe: &str) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        bail!("the recipe {recipe} cannot run:\n  {}", self.0.join("\n  "))
    }

    fn course(&mut self, key: &str, lr: &Schedule, ema: Option<&Ema>) {
        self.of(&format!("{key}.lr"), lr.check());
        if let Some(ema) = ema {
            self.of(&format!("{key}.ema"), ema.check());
        }
    }
}

/// Names everything about a recipe that cannot work.
pub(super) fn check(recipe: &Recipe) -> Result<()> {
    let mut faults = Faults::default();
    name(&recipe.name, &mut faults);
    faults.positive("eval_batch", recipe.eval_batch as u64);
    faults.policy("eval_augment", &recipe.eval_augment);
    cadence(&recipe.cadence, &mut faults);
    data(&recipe.data, recipe.evaluate_on, &mut faults);
    teacher(recipe, &mut faults);
    student(recipe, &mut faults);
    if let Some(robustness) = &recipe.robustness {
        faults.positive("robustness.images", robustness.images as u64);
        faults.positive("robustness.sequences", robustness.sequences as u64);
    }
    for (name, row) in &recipe.rows {
        let taken = name == "teacher" || name.starts_with("student");
        if taken || !is_plain(name) {
            faults.add(
                &format!("rows.{name}"),
                "needs a name of letters, digits, - and _, not teacher or student",
            );
        }
        // The row shares its teacher and its data with the others: changing them there would change nothing.
        let own = |key: &&String| {
            !["labeling.", "student.", "generations.0."].iter().any(|own| key.starts_with(own))
        };
        for key in row.set.keys().filter(own) {
            faults.add(
                &format!("rows.{name}.set"),
                format!("{key}: a row may change labeling, student and generations.0"),
            );
        }
        faults.of(
            &format!("rows.{name}"),
            recipe.row(name).map(|_| ()).map_err(|e| format!("{e:#}")),
        );
    }
    faults.done(&recipe.name)
}

/// Whether a name can be that of a folder of its own.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    !name.is_empty() && name.chars().all(plain) && name != ".."
}

/// Rows of a table, each by its name and the row that it is compared with.
pub(super) fn rows<'a>(
    rows: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    faults: &mut Faults,
) {
    let rows: Vec<_> = rows.collect();
    for (i, (name, against)) in rows.iter().enumerate() {
        let key = format!("rows.{name}");
        if !is_plain(name) || rows[..i].iter().any(|(earlier, _)| earlier == name) {
            faults.add(&key, "needs a name of its own, of letters, digits, - and _");
        }
        if let Some(other) = against
            && rows.iter().all(|(known, _)| known != other)
        {
            faults.add(&key, format!("against: there is no row {other}"));
        }
    }
}

pub(super) fn name(name: &str, faults: &mut Faults) {
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() != 2 || !parts.iter().all(|part| is_plain(part)) || parts[1..] == ["latest"] {
        faults.add("name", "must be paper/row, of letters, digits, - and _");
    }
}

pub(super) fn cadence(cadence: &Cadence, faults: &mut Faults) {
    faults.positive("cadence.log", cadence.log);
    faults.positive("cadence.evaluate", cadence.evaluate);
    faults.positive("cadence.checkpoint", cadence.checkpoint);
    faults.positive("cadence.keep", cadence.keep as u64);
}

pub(super) fn data(data: &DataConfig, evaluate_on: Part, faults: &mut Faults) {
    match data {
        DataConfig::Digits { labels_per_class } => {
            faults.positive("data.labels_per_class", *labels_per_class as u64)
        }
        DataConfig::Synthetic(spec) => faults.of("data", spec.check()),
        DataConfig::Cifar10 { labels, .. } => faults.positive("data.labels", *labels as u64),
        DataConfig::Svhn { labels, .. } => {
            faults.positive("data.labels", labels.unwrap_or(1) as u64)
        }
        DataConfig::Folder { validation_share, test, size, .. } => {
            if !(0.0..1.0).contains(validation_share) {
                faults.add(
                    "data.validation_share",
                    format!("is {validation_share}; it must be in [0, 1)"),
                );
            }
            if *validation_share == 0.0 && (test.is_none() || evaluate_on == Part::Validation) {
                faults.add(
                    "data.validation_share",
                    "is 0, and there is no other part to measure on: name data.test",
                );
            }
            if size.is_some_and(|sides| sides.contains(&0)) {
                faults.add("data.size", "must be at least 1 in both directions");
            }
        }
    }
}

fn teacher(recipe: &Recipe, faults: &mut Faults) {
    let teacher = &recipe.teacher;
    faults.of("teacher.net", teacher.net.check());
    faults.positive("teacher.batch", teacher.batch as u64);
    faults.course("teacher", &teacher.lr, teacher.ema.as_ref());
    faults.policy("teacher.augment", &teacher.augment);
    faults.of("teacher", teacher.method().check());
    if teacher.steps == 0 && teacher.weights.is_none() {
        faults.add("teacher.steps", "is 0, and there are no teacher.weights to take instead");
    }
}

fn student(recipe: &Recipe, faults: &mut Faults) {
    let student = &recipe.student;
    faults.positive("student.batch", student.batch as u64);
    faults.positive("student.steps", student.steps);
    faults.positive("student.unlabeled_ratio", student.unlabeled_ratio as u64);
    faults.course("student", &student.lr, student.ema.as_ref());
    faults.policy("student.augment", &student.augment);
    if let Some(policy) = &student.eval_augment {
        faults.policy("student.eval_augment", policy);
    }
    if let Some(policy) = &student.unlabeled_augment {
        faults.policy("student.unlabeled_augment", policy);
    }
    faults.of("student.method", student.method.check());
    if recipe.labeling.noised_teacher && student.method.labeling == Labeling::InLoop {
        faults.add("labeling.noised_teacher", "needs student.method.labeling = \"offline\"");
    }
    if let Some(fix) = &student.fix_resolution {
        faults.positive("student.fix_resolution.steps", fix.steps);
        faults.course("student.fix_resolution", &fix.lr, None);
        faults.policy("student.fix_resolution.augment", &fix.augment);
        faults.policy("student.fix_resolution.eval_augment", &fix.eval_augment);
    }
    let select = &recipe.labeling.select;
    if !(0.0..=1.0).contains(&select.min_confidence) {
        faults.add(
            "labeling.select.min_confidence",
            format!("is {}; it must be in [0, 1]", select.min_confidence),
        );
    }
    faults.positive("labeling.select.per_class", select.per_class.unwrap_or(1) as u64);
    faults.positive("generations", recipe.generations.len() as u64);
    for (i, generation) in recipe.generations.iter().enumerate() {
        faults.of(&format!("generations.{i}.net"), generation.net.check());
        faults.positive(&format!("generations.{i}.steps"), generation.steps.unwrap_or(1));
        faults.positive(
            &format!("generations.{i}.unlabeled_ratio"),
            generation.unlabeled_ratio.unwrap_or(1) as u64,
        );
        if student.warm_start && generation.net != recipe.teacher.net {
            faults.add(
                "student.warm_start",
                format!("needs students with the teacher's net; generations.{i} has another"),
            );
        }
    }
}
