//! One training of a network that translates.

use std::sync::Arc;

use anyhow::{Context, Result};
use data_pipeline::dataset::Samples;
use data_pipeline::dialog::{EncodedPairs, PackPairs, PackedPairs};
use data_pipeline::loader::{Loader, Stream};
use data_pipeline::sampler::Order;
use dialog_models::{Marian, MarianConfig, Totals, Training, evaluate};
use metrics::Metric;
use torch::group::Reduce;
use torch::{Device, Params, Tensor};
use train::parallel::balanced_shard;
use train::{Progress, Throughput};

use super::recipe::Recipe;
use crate::dialog::pairs::{on_device, share_on_device};
use crate::run::stage::{Batches, Task, Trained};
use crate::run::{interrupt, processes};

/// The metric of the evaluations along the way.
pub(super) const PERPLEXITY: &str = "perplexity";

/// A network with its parameters.
pub(super) struct Network {
    net: Marian,
    params: Params,
}

impl Network {
    fn new(config: &MarianConfig, device: Device) -> Self {
        let (net, params) = Params::build(device, |scope| Marian::new(scope, config));
        Self { net, params }
    }

    pub(super) fn net(&self) -> &Marian {
        &self.net
    }
}

impl Trained for Network {
    fn params(&self) -> &Params {
        &self.params
    }
}

/// What is trained on which pairs.
pub(super) struct Translating<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) net: &'a MarianConfig,
    pub(super) train: Arc<EncodedPairs>,
    pub(super) validation: &'a EncodedPairs,
    /// Keys the order of the pairs.
    pub(super) seed: u64,
    pub(super) device: Device,
}

impl Task for Translating<'_> {
    type Net = Network;
    type Objective = Training<Marian>;

    fn throughput(&self) -> Throughput {
        Throughput { unit: "pairs", per_step: self.recipe.train.batch as u64 }
    }

    fn build(&self) -> Result<Network> {
        Ok(Network::new(self.net, self.device))
    }

    fn objective(&mut self, Network { net, params }: Network) -> Result<Training<Marian>> {
        let training = Training::new(net, params, self.recipe.smoothing);
        Ok(match self.recipe.train.ema {
            Some(ema) => {
                let Network { net, params } = Network::new(self.net, self.device);
                training.averaging(net, params, ema)
            }
            None => training,
        })
    }

    fn batches(&self, from: u64) -> Batches<'_, Training<Marian>> {
        let train = &self.recipe.train;
        let set = Arc::clone(&self.train);
        let stream = Stream::shuffled(set, PackPairs, train.batch, self.seed);
        let stream = Stream { order: Order::Bucketed, ..stream };
        let (end, share) = (train.steps, processes::share());
        let steps = Loader::builder(vec![stream])
            .steps(from..end)
            .workers(self.recipe.workers)
            .share(share)
            .start();
        Box::new(steps.map(|step| Ok(vec![share_on_device(&step?.batches[0].data, self.device)?])))
    }

    fn evaluate(&self, training: &mut Training<Marian>, _: Progress) -> Result<Vec<Metric>> {
        let most = self.recipe.along;
        let found = measure(training.evaluated(), self.validation, most, self.device)?;
        let found = found.perplexity();
        Ok(found.map(|value| Metric::lower(PERPLEXITY, "", value)).into_iter().collect())
    }

    fn metric(&self, _: Option<&str>) -> Result<Option<String>> {
        Ok(Some(PERPLEXITY.to_owned()))
    }

    fn finish(&self, training: Training<Marian>) -> Result<Network> {
        let (net, params) = training.into_evaluated();
        Ok(Network { net, params })
    }
}

/// Pairs of a batch of an evaluation.
const BATCH: usize = 64;

/// −ln p of the first `most` translations by the true tokens before. Several processes that run
/// together measure a part each, every translation once.
pub(super) fn measure(
    net: &Marian,
    set: &EncodedPairs,
    most: usize,
    device: Device,
) -> Result<Totals> {
    let mut numbers: Vec<usize> = (0..set.len().min(most)).collect();
    numbers.sort_by_key(|&i| (set.size(i), i));
    let Some(group) = processes::group() else { return of_pairs(net, set, &numbers, device) };
    let own = balanced_shard(numbers.len(), group.rank(), group.size());
    let own = processes::each(|| of_pairs(net, set, &numbers[own], device))?;
    // Numbers of tokens up to 2⁵³ are whole in it.
    let sums = Tensor::from_slice(&[own.nll, own.tokens as f64]);
    group.all_reduce(&sums, Reduce::Sum)?;
    let mut totals = Totals::default();
    totals.add_sum(sums.double_value(&[0]), sums.double_value(&[1]) as u64);
    Ok(totals)
}

/// −ln p of these translations, which are sorted by their length.
fn of_pairs(net: &Marian, set: &EncodedPairs, numbers: &[usize], device: Device) -> Result<Totals> {
    let mut totals = Totals::default();
    for chunk in numbers.chunks(BATCH) {
        interrupt::check()?;
        let mut packed = PackedPairs::default();
        for &i in chunk {
            packed.push(&set.item(i).context("pairs in memory")?);
        }
        let found = evaluate(net, &[on_device(&packed, device)]);
        totals.add_sum(found.nll, found.tokens);
    }
    Ok(totals)
}
