//! Noisy Student's loop (Xie et al. 2020, algorithm 1): a teacher from labels; it labels, a noised
//! student learns from both, the student becomes the teacher.

use std::path::Path;

use anyhow::Result;
use augment::policy::Policy;
use ssl_core::methods::{Labeling, NoisyStudent, SupervisedConfig};
use ssl_core::{Method, MethodSettings, TaskInfo, ViewKind};
use torch::Model;
use train::Callback;
use vision_models::published::{self, Head};
use weights::find::{Places, find};

use super::labeling;
use super::recipe::{Recipe, Teacher};
use super::section::PseudoLabels;
use super::trained::Trained;
use crate::images::setting::Setting;
use crate::images::task::ImageTask;
use crate::images::view::view;
use crate::recipe::select::Select;
use crate::run::cost::StageCost;
use crate::run::note::note;

/// A student and what it learned from.
pub(super) struct Taught {
    pub(super) student: Trained,
    pub(super) labels: Option<PseudoLabels>,
}

/// Which student is trained: the name of its row, its folder, and its generation, counted from 0.
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    pub(super) dir: &'a Path,
    pub(super) generation: usize,
}

/// Trains the first network on labelled images.
pub(super) fn teacher(
    setting: &Setting<'_>,
    recipe: &Recipe,
    dir: &Path,
    callback: &mut dyn Callback,
) -> Result<Trained> {
    let config = &recipe.teacher;
    let start = config.weights.as_ref().map(|asked| published_start(setting, config, asked));
    let (start, said) = start.transpose()?.unzip();
    let eval = &recipe.evaluate.augment;
    let method = supervised(setting, &config.method());
    let task = ImageTask::new(setting, &config.net, &config.train, method, eval)
        .stream(&setting.data.labeled, vec![view(&config.augment)], config.train.batch, "labeled")
        .start(start.as_ref().map(|model| &model.params));
    let dir = dir.join("teacher");
    let (model, cost) = task.train(&dir, "teacher", &Select::default(), callback)?;
    Ok(Trained {
        name: "teacher".to_owned(),
        model,
        eval_augment: eval.clone(),
        dir,
        net: config.net.clone(),
        cost,
        start: said,
    })
}

/// The teacher's net with weights that were asked for, and what was done to load them. A net that
/// is not trained needs them all; otherwise a head of another size stays as it is started.
fn published_start(
    setting: &Setting<'_>,
    config: &Teacher,
    asked: &str,
) -> Result<(Model, String)> {
    let given = find(asked, &Places::of_user())?.open()?;
    let head = if config.train.steps == 0 { Head::Keep } else { Head::Replace };
    let model = setting.build(&config.net);
    let mut loaded = published::load(&model.params, &given, head)?;
    loaded.applied.extend(config.net.caveat(&given));
    let done = match loaded.applied.as_slice() {
        [] => String::new(),
        done => format!(" ({})", done.join("; ")),
    };
    let said = format!("The teacher started from {}{done}.", given.source.display());
    note(&said);
    Ok((model, said))
}

/// Trains one student of a teacher.
pub(super) fn student(
    setting: &Setting<'_>,
    recipe: &Recipe,
    place: &Place<'_>,
    teacher: &Trained,
    callback: &mut dyn Callback,
) -> Result<Taught> {
    let config = &recipe.student;
    let generation = &recipe.generations[place.generation];
    let train = recipe.student_train(generation);
    // Rows of one generation share their random numbers, so that they differ in what the recipe
    // changes alone.
    let shared = format!("student-{}", place.generation + 1);
    let in_loop = config.method.labeling == Labeling::InLoop;
    let labels = labeling::labels(setting, recipe, &shared, place.dir, teacher)?;
    let (labels, targets) = labels.map_or((None, None), |(labels, t)| (Some(labels), t));
    let label_smoothing = config.method.label_smoothing;
    let method: Box<dyn Method> = match &labels {
        None => supervised(
            setting,
            &SupervisedConfig { label_smoothing, ..SupervisedConfig::default() },
        ),
        Some(_) if in_loop => {
            let own = setting.build(&teacher.net);
            own.params.copy_from(&teacher.model.params);
            Box::new(NoisyStudent::in_loop(config.method.clone(), own))
        }
        Some(_) => Box::new(NoisyStudent::offline(config.method.clone())),
    };
    let views = method.views();
    let noise = |kind, strong: &Policy| match kind {
        // Only the teacher looks at a view without noise, as it does when it labels into the file.
        ViewKind::Plain | ViewKind::Weak => view(&teacher.eval_augment),
        ViewKind::Strong => view(strong),
    };
    let eval = recipe.student_eval();
    let labeled = vec![noise(views.labeled, &config.augment)];
    let mut task = ImageTask::new(setting, &generation.net, &train, method, eval)
        .stream(&setting.data.labeled, labeled, train.batch, &shared)
        .targets(targets)
        .start(config.warm_start.then_some(&teacher.model.params));
    if let Some(labels) = &labels {
        let strong = recipe.unlabeled_noise();
        let views = views.unlabeled.into_iter().map(|kind| noise(kind, strong)).collect();
        let ratio = generation.unlabeled_ratio.unwrap_or(config.unlabeled_ratio);
        let name = format!("{shared}/unlabeled");
        task = task.stream(&labels.chosen, views, train.batch * ratio, &name);
    }
    let (model, cost) = task.train(place.dir, &shared, &Select::default(), callback)?;
    let student = Trained {
        name: place.name.to_owned(),
        model,
        eval_augment: eval.clone(),
        dir: place.dir.to_owned(),
        net: generation.net.clone(),
        cost,
        start: None,
    };
    let student = fix_resolution(setting, recipe, student, callback)?;
    let summary = labels.map(|labels| labels.summary(&teacher.name, place.name, setting, recipe));
    Ok(Taught { student, labels: summary })
}

/// The resolution fix, if the recipe has one (section 3 of the paper; Touvron et al. 2019).
fn fix_resolution(
    setting: &Setting<'_>,
    recipe: &Recipe,
    student: Trained,
    callback: &mut dyn Callback,
) -> Result<Trained> {
    let Some(fix) = &recipe.student.fix_resolution else { return Ok(student) };
    let label_smoothing = recipe.student.method.label_smoothing;
    let config = SupervisedConfig { label_smoothing, ..SupervisedConfig::default() };
    let (name, method) = ("fix-resolution", supervised(setting, &config));
    let task = ImageTask::new(setting, &student.net, &fix.train, method, &fix.eval_augment)
        .stream(&setting.data.labeled, vec![view(&fix.augment)], fix.train.batch, name)
        .start(Some(&student.model.params))
        .frozen(&fix.frozen);
    let dir = student.dir.join(name);
    let (model, cost) = task.train(&dir, name, &Select::default(), callback)?;
    let cost = StageCost::sum([student.cost, cost]);
    let (eval_augment, name, net) = (fix.eval_augment.clone(), student.name, student.net);
    Ok(Trained { name, model, eval_augment, dir, net, cost, start: None })
}

fn supervised(setting: &Setting<'_>, config: &SupervisedConfig) -> Box<dyn Method> {
    config.build(&TaskInfo {
        classes: setting.classes() as i64,
        unlabeled: setting.data.unlabeled.len() as i64,
        device: setting.device,
    })
}
