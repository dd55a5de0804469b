//! One training on images: a network, a method and streams of augmented images.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use augment::policy::Policy;
use data_pipeline::dataset::Samples;
use data_pipeline::loader::{Collate, Loader, Stream, View, Views};
use data_pipeline::sampler::Order;
use metrics::Metric;
use ssl_core::{Method, Ssl};
use torch::{Model, Params};
use train::{Callback, Progress, Throughput, TrainConfig};
use vision_models::NetConfig;

use super::feedback::{Feedback, PROBE};
use super::objective::{ImageBatch, ImageObjective, Learning, Probes};
use super::setting::Setting;
use super::stored_views::{Reader, StoredViews, Unread};
use super::subset::Subset;
use super::targets::Targets;
use crate::recipe::select::Select;
use crate::run::cost::StageCost;
use crate::run::processes;
use crate::run::stage::{Batches, Stage, Task};

/// One training on images.
pub(crate) struct ImageTask<'a> {
    setting: &'a Setting<'a>,
    net: &'a NetConfig,
    config: &'a TrainConfig,
    /// What evaluation sees.
    eval_augment: &'a Policy,
    method: Option<Box<dyn Method>>,
    streams: Vec<Stream<Views>>,
    /// Instead of them: views on which the frozen stages have been run.
    stored: Vec<Stream<Reader>>,
    targets: Option<Arc<Targets>>,
    start: Option<&'a Params>,
    frozen: &'a [String],
    freeze: usize,
    feedback: Option<Learning>,
    select_metric: Option<&'a str>,
    seconds: Option<f64>,
}

/// The accuracy on the validation part, in percent: the metric of the learning curves.
pub(crate) const VALIDATION: &str = "validation_accuracy";

/// The mean over classes, in percent, where weights are chosen by it.
const BALANCED: &str = "validation_balanced_accuracy";

/// The accuracy on the test part along the training, where a recipe asks for it; it decides
/// nothing.
pub(crate) const TEST: &str = "test_accuracy";

/// The name of a metric that a recipe selects by, in a training's record.
pub(crate) fn metric_name(asked: Option<&str>) -> Result<&'static str> {
    match asked {
        None | Some("accuracy") => Ok(VALIDATION),
        Some("balanced-accuracy") => Ok(BALANCED),
        Some(other) => bail!(
            "select.metric: images have no metric {other}; they have accuracy and balanced-accuracy"
        ),
    }
}

impl<'a> ImageTask<'a> {
    /// A network that learns by a method; its streams are added.
    pub(crate) fn new(
        setting: &'a Setting<'a>,
        net: &'a NetConfig,
        config: &'a TrainConfig,
        method: Box<dyn Method>,
        eval_augment: &'a Policy,
    ) -> Self {
        Self {
            setting,
            net,
            config,
            eval_augment,
            method: Some(method),
            streams: Vec::new(),
            stored: Vec::new(),
            targets: None,
            start: None,
            frozen: &[],
            freeze: 0,
            feedback: None,
            select_metric: None,
            seconds: None,
        }
    }

    /// Adds a stream: the labelled images first, then perhaps unlabelled ones, `batch` a step.
    /// `name` keys its order and augmentation.
    pub(crate) fn stream(
        mut self,
        subset: &Subset,
        views: Vec<View>,
        batch: usize,
        name: &str,
    ) -> Self {
        let stream = self.stream_of(subset.set.clone(), subset, Views(views), batch, name);
        self.streams.push(stream);
        self
    }

    /// The same of views that are stored. All streams are, or none is; the stages that stored views
    /// went through have to be [frozen](Self::freeze).
    pub(crate) fn stored_stream(
        mut self,
        subset: &Subset,
        views: Vec<StoredViews>,
        batch: usize,
        name: &str,
    ) -> Self {
        let set = Arc::new(Unread(subset.set.clone()));
        let stream = self.stream_of(set, subset, Reader::new(views), batch, name);
        self.stored.push(stream);
        self
    }

    fn stream_of<C: Collate>(
        &self,
        set: Arc<dyn Samples<Item = C::Item>>,
        subset: &Subset,
        collate: C,
        batch: usize,
        name: &str,
    ) -> Stream<C> {
        Stream {
            set,
            entries: subset.indices.clone(),
            collate,
            batch: batch / self.config.accumulate.max(1),
            seed: self.setting.key(&format!("stream/{name}")),
            order: Order::Shuffled,
        }
    }

    /// Steps from `from` on of these streams.
    fn load<C>(&self, streams: &[Stream<C>], from: u64) -> Loader<C>
    where
        C: Collate<Item: Clone> + Clone + 'static,
    {
        let end = self.config.steps * self.config.accumulate as u64;
        let workers = self.setting.shared.workers;
        Loader::builder(streams.to_vec())
            .steps(from..end)
            .workers(workers)
            .share(processes::share())
            .start()
    }

    /// The whole network with the tensors of one that was trained, without the heads that a method
    /// added.
    fn whole(&self, trained: &Model) -> Result<Model> {
        let model = self.build()?;
        let own = |name: &str| model.params.get(name).is_some();
        let tensors = trained.params.tensors().into_iter().filter(|(name, _)| own(name));
        model.params.load(&tensors.collect())?;
        Ok(model)
    }

    /// Stored targets of the unlabelled stream.
    pub(crate) fn targets(self, targets: Option<Targets>) -> Self {
        Self { targets: targets.map(Arc::new), ..self }
    }

    /// Weights to start from.
    pub(crate) fn start(self, start: Option<&'a Params>) -> Self {
        Self { start, ..self }
    }

    /// Parameters whose names begin so are not trained.
    pub(crate) fn frozen(self, frozen: &'a [String]) -> Self {
        Self { frozen, ..self }
    }

    /// The first so many stages of the network stay as they are, running statistics included.
    pub(crate) fn freeze(self, stages: usize) -> Self {
        Self { freeze: stages, ..self }
    }

    /// The feedback of the strong views; the first stream then has a probe as its second view.
    pub(crate) fn feedback(self, feedback: Option<Arc<Feedback>>) -> Self {
        Self { feedback: feedback.map(Learning::new), ..self }
    }

    /// Ends the training after so many seconds, whatever step it is at.
    pub(crate) fn seconds(self, seconds: Option<f64>) -> Self {
        Self { seconds, ..self }
    }

    /// Trains in `dir`. `name` keys its random numbers: stages of one name start alike.
    pub(crate) fn train(
        mut self,
        dir: &Path,
        name: &str,
        select: &'a Select,
        callback: &mut dyn Callback,
    ) -> Result<(Model, StageCost)> {
        let setting = self.setting;
        self.select_metric = select.metric.as_deref();
        let stage = Stage {
            dir,
            key: setting.key(name),
            config: self.config,
            cadence: setting.shared.cadence,
            select,
            precision: setting.shared.precision,
            device: setting.device,
            seconds: self.seconds,
            recipe_text: setting.recipe_text,
        };
        stage.train(self, callback)
    }

    fn stop_gradients(&self, model: &Model) -> Result<()> {
        for prefix in self.frozen {
            ensure!(
                model.params.trainable().any(|p| p.name.starts_with(prefix)),
                "frozen: no parameter's name begins with {prefix}; the first is {}",
                model.params.names().next().unwrap_or_default()
            );
        }
        let is_frozen = |name: &str| self.frozen.iter().any(|prefix| name.starts_with(prefix));
        for param in model.params.trainable().filter(|p| is_frozen(&p.name)) {
            let _ = param.tensor.set_requires_grad(false);
        }
        Ok(())
    }
}

impl Task for ImageTask<'_> {
    type Net = Model;
    type Objective = ImageObjective;

    fn throughput(&self) -> Throughput {
        let of_images = self.streams.iter().map(|stream| stream.batch);
        let part = of_images.chain(self.stored.iter().map(|stream| stream.batch)).sum::<usize>();
        Throughput { unit: "images", per_step: (part * self.config.accumulate) as u64 }
    }

    fn build(&self) -> Result<Model> {
        Ok(self.setting.build(self.net))
    }

    fn objective(&mut self, model: Model) -> Result<ImageObjective> {
        match self.start {
            Some(start) => model.params.copy_from(start),
            None => self.setting.begin_training(self.net, &model, self.eval_augment)?,
        }
        ensure!(
            self.feedback.is_none() || processes::group().is_none(),
            "augmentation that learns from training (CTAugment) does so in one process"
        );
        self.stop_gradients(&model)?;
        let stages = self.freeze;
        let partly = |model: Model| match stages {
            0 => model,
            _ if self.stored.is_empty() => model.freeze(stages),
            _ => model.skip_stages(stages),
        };
        let model = partly(model);
        let method = self.method.take().expect("a task is trained once");
        method.fits(model.classifier().inputs()).map_err(|e| e.within("method"))?;
        let ema = self.config.ema.map(|ema| (partly(self.setting.build(self.net)), ema));
        let mut ssl = Ssl::new(method, model, ema);
        if let Some(swa) = self.config.swa {
            ssl = ssl.with_swa(partly(self.setting.build(self.net)), swa);
        }
        Ok(ImageObjective::new(ssl, self.feedback.as_ref().map(Learning::share)))
    }

    /// What CTAugment learns is counted in steps.
    fn accumulates(&self) -> bool {
        self.feedback.is_none()
    }

    fn batches(&self, from: u64) -> Batches<'_, ImageObjective> {
        let learning = self.feedback.as_ref();
        if let Some(learning) = learning {
            learning.resume(from);
        }
        let feed = self.setting.feed(self.targets.clone());
        if !self.stored.is_empty() {
            let device = self.setting.device;
            let readers: Vec<Reader> = self.stored.iter().map(|s| s.collate.clone()).collect();
            return Box::new(self.load(&self.stored, from).map(move |step| {
                let step = step?;
                let tensors = |i: usize, read: &Vec<Vec<u8>>| readers[i].tensors(read, device);
                Ok(ImageBatch { batch: feed.batch_of(&step, tensors)?, probes: None })
            }));
        }
        let labeled = self.streams[0].seed;
        let mut steps = self.load(&self.streams, from);
        if let Some(learning) = learning {
            let feedback = learning.feedback.clone();
            steps = steps.when_stopped(move || feedback.end());
        }
        Box::new(steps.map(move |step| {
            let step = step?;
            let probes = learning.map(|learning| Probes {
                images: feed.images(&step.batches[0].data[PROBE]),
                choices: learning.feedback.choices(labeled, &step.batches[0]),
            });
            Ok(ImageBatch { batch: feed.batch(&step)?, probes })
        }))
    }

    fn evaluate(&self, objective: &mut ImageObjective, _at: Progress) -> Result<Vec<Metric>> {
        let data = self.setting.data;
        if let Some(swa) = objective.ssl.swa() {
            self.setting.calibrate(swa, self.eval_augment)?;
        }
        let evaluated = objective.ssl.evaluated();
        // One that runs behind its frozen stages takes no images.
        let whole = (!self.stored.is_empty()).then(|| self.whole(evaluated)).transpose()?;
        let model = whole.as_ref().unwrap_or(evaluated);
        let confusion = |subset: &Subset| {
            let predictions = self.setting.evaluator(self.eval_augment).predict(model, subset)?;
            anyhow::Ok(predictions.confusion(&subset.labels()))
        };
        let mut found = Vec::new();
        let mut add = |name: &str, value: Option<f64>| {
            found.extend(value.map(|value| Metric::higher(name, "%", value)));
        };
        let validation = confusion(&data.validation)?;
        add(VALIDATION, validation.accuracy());
        if metric_name(self.select_metric)? == BALANCED {
            add(BALANCED, validation.balanced_accuracy());
        }
        if let Some(test) = &data.test
            && self.setting.shared.evaluate.test_along_training
        {
            add(TEST, confusion(test)?.accuracy());
        }
        Ok(found)
    }

    fn metric(&self, asked: Option<&str>) -> Result<Option<String>> {
        let name = metric_name(asked)?;
        Ok((self.setting.data.validation.len() > 0).then(|| name.to_owned()))
    }

    fn finish(&self, objective: ImageObjective) -> Result<Model> {
        self.whole(&objective.ssl.into_evaluated())
    }
}
