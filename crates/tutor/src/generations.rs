//! Noisy Student's loop (Xie et al. 2020, algorithm 1): a teacher from labels; it labels, a noised student learns from both,
//! the student becomes the teacher.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use augment::policy::Policy;
use data_pipeline::loader::{Stream, View};
use data_pipeline::sampler::Order;
use ssl_core::methods::{Labeling, NoisyStudent, Supervised};
use ssl_core::{Method, View as Kind};
use torch::Model;
use train::Watch;

use crate::assemble::{Pool, view};
use crate::labeling;
use crate::phase::{Phase, PhaseCost, Setting};
use crate::recipe::methods::Select;
use crate::recipe::{Generation, Recipe};
use crate::report::visuals::PseudoLabels;

/// A network at the end of its training.
pub(crate) struct Trained {
    /// The name of its row.
    pub(crate) name: String,
    pub(crate) model: Model,
    /// What it sees when it is evaluated.
    pub(crate) eval_augment: Policy,
    /// Where its training lies; the folder of the resolution fix is beside it.
    pub(crate) dir: PathBuf,
    pub(crate) net: vision_models::NetConfig,
    pub(crate) cost: PhaseCost,
}

/// A student and what it learned from.
pub(crate) struct Taught {
    pub(crate) student: Trained,
    pub(crate) labels: Option<PseudoLabels>,
}

/// Trains the first network on labelled images.
pub(crate) fn teacher(
    setting: &Setting<'_>,
    recipe: &Recipe,
    dir: &Path,
    watch: &mut dyn Watch,
) -> Result<Trained> {
    let config = &recipe.teacher;
    let stored = config.weights.as_ref().map(|path| {
        let model = setting.build(&config.net);
        let stored = torch::store::load(path)?;
        model.params.load(&stored.tensors).with_context(|| path.display().to_string())?;
        anyhow::Ok(model)
    });
    let start = stored.transpose()?;
    let phase = Phase {
        dir: dir.join("teacher"),
        name: "teacher",
        net: &config.net,
        steps: config.steps,
        lr: &config.lr,
        optim: &config.optim,
        ema: config.ema,
        swa: None,
        feedback: None,
        eval_augment: &recipe.eval_augment,
        streams: vec![stream(
            setting,
            &setting.data.labeled,
            vec![view(&config.augment)],
            config.batch,
            "labeled",
        )],
        targets: None,
        start: start.as_ref().map(|m| &m.params),
        frozen: &[],
        watched: None,
        select: Select::default(),
    };
    let method = config.method();
    let dir = phase.dir.clone();
    let (model, cost) = setting.train(phase, Box::new(method), watch)?;
    let eval_augment = recipe.eval_augment.clone();
    Ok(Trained {
        name: "teacher".to_owned(),
        model,
        eval_augment,
        dir,
        net: config.net.clone(),
        cost,
    })
}

/// Trains one student of a teacher. `name` is the row's, `dir` its own folder; `number` is which generation it is.
pub(crate) fn student(
    setting: &Setting<'_>,
    recipe: &Recipe,
    number: usize,
    name: &str,
    dir: &Path,
    teacher: &Trained,
    watch: &mut dyn Watch,
) -> Result<Taught> {
    let config = &recipe.student;
    let generation: &Generation = &recipe.generations[number];
    let ratio = generation.unlabeled_ratio.unwrap_or(config.unlabeled_ratio);
    // Rows of one generation share their random numbers, so that they differ in what the recipe changes alone.
    let shared = format!("student-{}", number + 1);
    let in_loop = config.method.labeling == Labeling::InLoop;
    let (labels, targets) = match labeling::labels(setting, recipe, &shared, dir, teacher)? {
        Some((labels, targets)) => (Some(labels), targets),
        None => (None, None),
    };
    let method: Box<dyn Method> = match &labels {
        None => {
            let label_smoothing = config.method.label_smoothing;
            Box::new(Supervised { label_smoothing, ..Supervised::default() })
        }
        Some(_) if in_loop => {
            let own = setting.build(&teacher.net);
            own.params.copy_from(&teacher.model.params);
            Box::new(NoisyStudent::in_loop(config.method.clone(), own))
        }
        Some(_) => Box::new(NoisyStudent::offline(config.method.clone())),
    };
    let views = method.views();
    let noise = |kind, strong| match kind {
        // Only the teacher looks at a view without noise, as it does when it labels into the file.
        Kind::Plain | Kind::Weak => view(&teacher.eval_augment),
        Kind::Strong => view(strong),
    };
    let labeled = vec![noise(views.labeled, &config.augment)];
    let mut streams = vec![stream(setting, &setting.data.labeled, labeled, config.batch, &shared)];
    if let Some(labels) = &labels {
        let strong = recipe.unlabeled_noise();
        let views = views.unlabeled.into_iter().map(|kind| noise(kind, strong)).collect();
        let name = format!("{shared}/unlabeled");
        streams.push(stream(setting, &labels.chosen, views, config.batch * ratio, &name));
    }
    let phase = Phase {
        dir: dir.to_owned(),
        name: &shared,
        net: &generation.net,
        steps: generation.steps.unwrap_or(config.steps),
        lr: &config.lr,
        optim: &config.optim,
        ema: config.ema,
        swa: None,
        feedback: None,
        eval_augment: recipe.student_eval(),
        streams,
        targets,
        start: config.warm_start.then_some(&teacher.model.params),
        frozen: &[],
        watched: None,
        select: Select::default(),
    };
    let (model, cost) = setting.train(phase, method, watch)?;
    let student = Trained {
        name: name.to_owned(),
        model,
        eval_augment: recipe.student_eval().clone(),
        dir: dir.to_owned(),
        net: generation.net.clone(),
        cost,
    };
    let student = fix_resolution(setting, recipe, student, watch)?;
    let summary = labels.map(|labels| labels.summary(&teacher.name, name, setting, recipe));
    Ok(Taught { student, labels: summary })
}

/// The resolution fix, if the recipe has one (section 3 of the paper; Touvron et al. 2019).
fn fix_resolution(
    setting: &Setting<'_>,
    recipe: &Recipe,
    student: Trained,
    watch: &mut dyn Watch,
) -> Result<Trained> {
    let Some(fix) = &recipe.student.fix_resolution else { return Ok(student) };
    let dir = student.dir.join("fix-resolution");
    let labeled = &setting.data.labeled;
    let phase = Phase {
        dir: dir.clone(),
        name: "fix-resolution",
        net: &student.net,
        steps: fix.steps,
        lr: &fix.lr,
        optim: &recipe.student.optim,
        ema: recipe.student.ema,
        swa: None,
        feedback: None,
        eval_augment: &fix.eval_augment,
        streams: vec![stream(
            setting,
            labeled,
            vec![view(&fix.augment)],
            recipe.student.batch,
            "fix-resolution",
        )],
        targets: None,
        start: Some(&student.model.params),
        frozen: &fix.frozen,
        watched: None,
        select: Select::default(),
    };
    let label_smoothing = recipe.student.method.label_smoothing;
    let method = Supervised { label_smoothing, ..Supervised::default() };
    let (model, mut cost) = setting.train(phase, Box::new(method), watch)?;
    cost += student.cost;
    Ok(Trained { model, eval_augment: fix.eval_augment.clone(), dir, cost, ..student })
}

pub(crate) fn stream(
    setting: &Setting<'_>,
    pool: &Pool,
    views: Vec<View>,
    batch: usize,
    name: &str,
) -> Stream {
    let seed = setting.key(&format!("stream/{name}"));
    Stream {
        set: pool.set.clone(),
        entries: pool.indices.clone(),
        views,
        batch,
        seed,
        order: Order::Shuffled,
    }
}
