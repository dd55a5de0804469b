//! One training of a classifier on labelled texts.

use std::sync::Arc;

use anyhow::Result;
use data_pipeline::loader::{Loader, Stream};
use data_pipeline::text::{EncodedSet, Pack};
use electra::LayerRates;
use electra::heads::ClassifierConfig;
use metrics::Metric;
use torch::device::tensor_on;
use torch::optim::Optimizer;
use torch::{Device, Params};
use train::{Progress, Throughput, TrainConfig};

use super::classifier::{LabeledBatch, TextClassifier};
use super::tokens::share_on_device;
use crate::run::processes;
use crate::run::stage::{Batches, Task};

/// One training of a classifier on labelled texts.
pub(crate) struct Classification<'a> {
    pub(crate) net: &'a ClassifierConfig,
    pub(crate) classes: usize,
    /// A network whose encoder it starts from; without one it starts at random.
    pub(crate) start: Option<&'a Params>,
    pub(crate) config: &'a TrainConfig,
    pub(crate) rates: LayerRates,
    /// Whose labels it learns from.
    pub(crate) labeled: Arc<EncodedSet>,
    /// The seed of the order of the texts.
    pub(crate) seed: u64,
    /// Threads that prepare batches.
    pub(crate) workers: usize,
    pub(crate) device: Device,
}

impl Task for Classification<'_> {
    type Net = TextClassifier;
    type Objective = TextClassifier;

    fn throughput(&self) -> Throughput {
        Throughput { unit: "texts", per_step: self.config.batch as u64 }
    }

    fn build(&self) -> Result<TextClassifier> {
        Ok(TextClassifier::new(self.net, self.classes, self.device))
    }

    fn objective(&mut self, net: TextClassifier) -> Result<TextClassifier> {
        if let Some(start) = self.start {
            net.start_from(start)?;
        }
        Ok(net)
    }

    fn optimizer(&self, config: &TrainConfig, params: &Params) -> Optimizer {
        let (rates, layers) = (self.rates, self.net.encoder.layers);
        config.optim.build_with_rates(params, |name| rates.of(name, layers))
    }

    fn batches(&self, from: u64) -> Batches<'_, TextClassifier> {
        let stream = Stream::shuffled(self.labeled.clone(), Pack, self.config.batch, self.seed);
        let (end, share) = (self.config.steps, processes::share());
        let steps = Loader::builder(vec![stream])
            .steps(from..end)
            .workers(self.workers)
            .share(share)
            .start();
        Box::new(steps.map(|step| {
            let step = step?;
            let batch = &step.batches[0];
            let labels: Vec<i64> = batch.labels.iter().map(|&label| i64::from(label)).collect();
            Ok(LabeledBatch {
                packed: share_on_device(&batch.data, self.device)?,
                labels: tensor_on(&labels, self.device),
            })
        }))
    }

    fn evaluate(&self, _: &mut TextClassifier, _: Progress) -> Result<Vec<Metric>> {
        Ok(Vec::new())
    }

    fn finish(&self, objective: TextClassifier) -> Result<TextClassifier> {
        Ok(objective)
    }
}
