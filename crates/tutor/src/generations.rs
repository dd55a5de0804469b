//! Noisy Student's loop (Xie et al. 2020, algorithm 1): a teacher from labels; it labels, a noised student learns from both,
//! the student becomes the teacher.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use augment::policy::Policy;
use augment::rng::Rng;
use data_pipeline::balance::{Scored, Selection, filter_and_balance};
use data_pipeline::loader::{Stream, View};
use data_pipeline::pseudo_labels::{self, PseudoLabel};
use data_pipeline::sampler::Order;
use ssl_core::Method;
use ssl_core::methods::{Labeling, NoisyStudent, Supervised};
use torch::{Mode, Model};
use train::Watch;

use crate::assemble::{Pool, view};
use crate::evaluate::Look;
use crate::feed::Targets;
use crate::phase::{Phase, PhaseCost, Setting};
use crate::recipe::{Generation, Recipe, Source};
use crate::report::visuals::{ClassCount, PseudoLabels};

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
    let labels = labels(setting, recipe, &shared, dir, teacher)?;
    let mut streams = vec![stream(
        setting,
        &setting.data.labeled,
        vec![view(&config.augment)],
        config.batch,
        &shared,
    )];
    if let Some(labels) = &labels {
        let noised = view(config.unlabeled_augment.as_ref().unwrap_or(&config.augment));
        let views = if in_loop { vec![view(&teacher.eval_augment), noised] } else { vec![noised] };
        let unlabeled = stream(
            setting,
            &labels.chosen,
            views,
            config.batch * ratio,
            &format!("{shared}/unlabeled"),
        );
        streams.push(unlabeled);
    }
    let targets = labels.as_ref().filter(|_| !in_loop).map(|labels| labels.targets.clone());
    let method: Box<dyn Method> = match &labels {
        None => {
            Box::new(Supervised { label_smoothing: config.method.label_smoothing, noise: true })
        }
        Some(_) if in_loop => {
            let own = setting.build(&teacher.net);
            own.params.copy_from(&teacher.model.params);
            Box::new(NoisyStudent::in_loop(config.method.clone(), own))
        }
        Some(_) => Box::new(NoisyStudent::offline(config.method.clone())),
    };
    let phase = Phase {
        dir: dir.to_owned(),
        name: &shared,
        net: &generation.net,
        steps: generation.steps.unwrap_or(config.steps),
        lr: &config.lr,
        optim: &config.optim,
        ema: config.ema,
        eval_augment: &recipe.eval_augment,
        streams,
        targets,
        start: config.warm_start.then_some(&teacher.model.params),
        frozen: &[],
    };
    let (model, cost) = setting.train(phase, method, watch)?;
    let student = Trained {
        name: name.to_owned(),
        model,
        eval_augment: recipe.eval_augment.clone(),
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
    };
    let method = Supervised { label_smoothing: recipe.student.method.label_smoothing, noise: true };
    let (model, mut cost) = setting.train(phase, Box::new(method), watch)?;
    cost += student.cost;
    Ok(Trained { model, eval_augment: fix.eval_augment.clone(), dir, cost, ..student })
}

fn stream(
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

/// The teacher's labels: all of them, and those that were chosen.
struct Labels {
    all: Vec<PseudoLabel>,
    picked: Vec<u32>,
    chosen: Pool,
    targets: Targets,
    source: Pool,
}

/// Labels the student's images by the teacher, or reads the file an earlier process wrote, and chooses among them.
fn labels(
    setting: &Setting<'_>,
    recipe: &Recipe,
    name: &str,
    dir: &Path,
    teacher: &Trained,
) -> Result<Option<Labels>> {
    let source = match recipe.labeling.source {
        Source::Unlabeled => setting.data.unlabeled.clone(),
        Source::Labeled => setting.data.labeled.clone(),
        Source::None => return Ok(None),
    };
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join("pseudo-labels.csv");
    let all = match path.exists() {
        true => pseudo_labels::load(&path)?,
        false => {
            let rows = ask(setting, recipe, name, teacher, &source)?;
            pseudo_labels::save(&path, &rows)?;
            rows
        }
    };
    let per_class =
        recipe.labeling.select.per_class.unwrap_or(all.len().div_ceil(setting.data.classes.len()));
    let selection = Selection {
        per_class: recipe.labeling.balance.then_some(per_class),
        ..recipe.labeling.select
    };
    let scored: Vec<Scored> = all.iter().map(Scored::from).collect();
    let mut rng = Rng::new(setting.key(&format!("balance/{name}")));
    let picked = filter_and_balance(&scored, &selection, &mut rng);
    ensure!(
        !picked.is_empty(),
        "no pseudo-label has a confidence of {} or more: train the teacher longer or lower labeling.select.min_confidence",
        recipe.labeling.select.min_confidence
    );
    let chosen = Pool {
        set: source.set.clone(),
        indices: picked.iter().map(|&row| all[row as usize].index).collect(),
    };
    let rows =
        picked.iter().flat_map(|&row| all[row as usize].probabilities.iter().copied()).collect();
    let targets = Targets { classes: setting.data.classes.len(), rows };
    Ok(Some(Labels { all, picked, chosen, targets, source }))
}

/// What the teacher says of each image: clean images and no noise, or (the ablation) noised ones.
fn ask(
    setting: &Setting<'_>,
    recipe: &Recipe,
    name: &str,
    teacher: &Trained,
    source: &Pool,
) -> Result<Vec<PseudoLabel>> {
    let feed = setting.feed(None);
    let clean =
        Look::clean(&feed, &teacher.eval_augment, setting.eval_batch, setting.cadence.workers);
    let look = if recipe.labeling.noised_teacher {
        let policy = recipe.student.unlabeled_augment.as_ref().unwrap_or(&recipe.student.augment);
        let seed = setting.key(&format!("ask/{name}"));
        torch::rng::seed(seed);
        Look { view: view(policy), mode: Mode::EvalWithNoise, seed, ..clean }
    } else {
        clean
    };
    let predictions = look.at(&teacher.model, source)?;
    let tops: Vec<_> = predictions.top().collect();
    let rows = source.indices.iter().zip(&tops).zip(predictions.rows());
    Ok(rows
        .map(|((&index, &(label, confidence)), probabilities)| PseudoLabel {
            id: source.set.id(index as usize),
            index,
            label,
            confidence,
            probabilities: probabilities.to_vec(),
        })
        .collect())
}

impl Labels {
    /// What was kept, for the report. The truth is used for nothing else.
    fn summary(
        &self,
        teacher: &str,
        student: &str,
        setting: &Setting<'_>,
        recipe: &Recipe,
    ) -> PseudoLabels {
        let mut times = vec![0u64; self.all.len()];
        self.picked.iter().for_each(|&row| times[row as usize] += 1);
        let mut per_class = vec![ClassCount::default(); setting.data.classes.len()];
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
