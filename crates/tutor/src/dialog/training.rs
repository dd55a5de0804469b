//! The training of a network that replies.

use std::sync::Arc;

use anyhow::Result;
use data_pipeline::dialog::PackPairs;
use data_pipeline::loader::{Loader, Share, Stream};
use data_pipeline::sampler::Order;
use dialog_models::{Autoregressive, Seq2Seq, Seq2SeqConfig, Training};
use metrics::Metric;
use torch::{Device, Kind, Params};
use train::{Progress, Throughput, TrainConfig};

use super::pairs::{Prepared, share_on_device};
use super::perplexity;
use super::responder::{Again, again};
use crate::run::processes;
use crate::run::stage::{Batches, Task, Trained};

/// The metric of the evaluations along the way.
pub(crate) const PERPLEXITY: &str = "perplexity";

/// A network with its parameters.
pub(crate) struct Network {
    pub(crate) net: Seq2Seq,
    params: Params,
}

impl Network {
    /// With random weights.
    pub(crate) fn new(config: &Seq2SeqConfig, device: Device) -> Self {
        let (net, params) = Params::build(device, |scope| Seq2Seq::new(scope, config));
        Self { net, params }
    }

    /// The same network with weights of another kind.
    pub(crate) fn in_kind(&self, kind: Kind) -> Seq2Seq {
        self.params.in_kind(kind, |scope| Seq2Seq::new(scope, self.net.config()))
    }

    /// The network to write replies with, and what makes it anew in another number format.
    pub(crate) fn for_replies(self) -> (Box<dyn Autoregressive>, Again) {
        let (params, config) = (self.params, self.net.config().clone());
        (Box::new(self.net), again(params, move |scope| Seq2Seq::new(scope, &config)))
    }
}

impl Trained for Network {
    fn params(&self) -> &Params {
        &self.params
    }
}

/// What is trained on which pairs.
pub(crate) struct DialogTraining<'a> {
    pub(crate) net: &'a Seq2SeqConfig,
    pub(crate) smoothing: f64,
    /// Parts of a batch that are computed one after another, in a fraction of the memory.
    pub(crate) parts: usize,
    /// Whether blocks are run again in place of what they keep for their gradients.
    pub(crate) recompute: bool,
    pub(crate) data: &'a Prepared,
    pub(crate) train: &'a TrainConfig,
    /// Validation pairs on which it is measured along its way.
    pub(crate) along: usize,
    /// Keys the order of the pairs.
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    pub(crate) device: Device,
}

impl Task for DialogTraining<'_> {
    type Net = Network;
    type Objective = Training<Seq2Seq>;

    fn throughput(&self) -> Throughput {
        Throughput { unit: "pairs", per_step: self.train.batch as u64 }
    }

    fn build(&self) -> Result<Network> {
        Ok(Network::new(self.net, self.device))
    }

    fn objective(&mut self, net: Network) -> Result<Training<Seq2Seq>> {
        let training = Training::new(net.net, net.params, self.smoothing);
        Ok(if self.recompute { training.recomputing() } else { training })
    }

    fn batches(&self, from: u64) -> Batches<'_, Training<Seq2Seq>> {
        let set = Arc::clone(&self.data.train.encoded);
        let stream = Stream::shuffled(set, PackPairs, self.train.batch, self.seed);
        let stream = Stream { order: Order::Bucketed, ..stream };
        let share = Share { parts: self.parts, ..processes::share() };
        let end = self.train.steps;
        let steps = Loader::builder(vec![stream])
            .steps(from..end)
            .workers(self.workers)
            .share(share)
            .start();
        Box::new(steps.map(|step| {
            let packed = &step?.batches[0].data;
            let parts = packed.parts(self.parts);
            parts.iter().map(|part| share_on_device(part, self.device)).collect()
        }))
    }

    fn evaluate(&self, training: &mut Training<Seq2Seq>, _: Progress) -> Result<Vec<Metric>> {
        let Prepared { validation, tokenizer, .. } = self.data;
        let some = validation.spread(self.along);
        let found = perplexity::measure(&training.net, validation, some, tokenizer, self.device)?;
        let found = found.totals().perplexity();
        Ok(found.map(|value| Metric::lower(PERPLEXITY, "", value)).into_iter().collect())
    }

    fn metric(&self, _: Option<&str>) -> Result<Option<String>> {
        Ok(Some(PERPLEXITY.to_owned()))
    }

    fn finish(&self, training: Training<Seq2Seq>) -> Result<Network> {
        Ok(Network { net: training.net, params: training.params })
    }
}
