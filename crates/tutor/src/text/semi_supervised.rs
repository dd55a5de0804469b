//! One training of a classifier by a method on labelled and unlabelled texts.
//!
//! A view of a batch is a tensor `[texts, 2, tokens]` of token ids and segments, which
//! [`PAD`] fills up: so a method sees samples as it sees images, and joins and splits them. The
//! network takes the real tokens out again, and works on these alone.

use std::sync::Arc;

use anyhow::Result;
use data_pipeline::loader::{HostBatch, Loader, Step, Stream};
use data_pipeline::text::{Packed, TextSet, TextView, TextViews};
use electra::LayerRates;
use electra::heads::ClassifierConfig;
use metrics::Metric;
use ssl_core::{Batch, Method, MethodConfig, MethodSettings, Ssl, TaskInfo, ViewKind};
use torch::device::{copy_async, tensor_on};
use torch::optim::Optimizer;
use torch::{Device, Net, Params, Tensor};
use train::{Progress, Throughput, TrainConfig};

use super::classifier::TextClassifier;
use crate::run::processes;
use crate::run::stage::{Batches, Task, Trained};

/// What fills up sequences; no token has this id, not even one that a view has put in.
pub(crate) const PAD: i64 = -1;

/// One training of a classifier by a method.
pub(crate) struct SemiSupervised<'a> {
    /// The net, whose `pad` is [`PAD`].
    pub(crate) net: &'a ClassifierConfig,
    pub(crate) classes: usize,
    /// A network whose encoder it starts from; without one it starts at random.
    pub(crate) start: Option<&'a Params>,
    pub(crate) config: &'a TrainConfig,
    pub(crate) rates: LayerRates,
    pub(crate) method: &'a MethodConfig,
    /// Unlabelled texts of a step for each labelled one.
    pub(crate) ratio: usize,
    pub(crate) labeled: Arc<TextSet>,
    pub(crate) unlabeled: Arc<TextSet>,
    /// The tokenizer and layout; its views are put in here.
    pub(crate) tokens: TextViews,
    pub(crate) weak: TextView,
    pub(crate) strong: TextView,
    /// Seeds of the order of labelled and of unlabelled texts, and of what is changed in them.
    pub(crate) seeds: [u64; 2],
    /// Threads that prepare batches.
    pub(crate) workers: usize,
    pub(crate) device: Device,
}

impl SemiSupervised<'_> {
    fn make_method(&self) -> Box<dyn Method> {
        let unlabeled = self.unlabeled.examples().len() as i64;
        let task = TaskInfo { classes: self.classes as i64, unlabeled, device: self.device };
        self.method.build(&task)
    }

    /// Texts that the network sees in a step, a text as often as it has views.
    fn texts_of_a_step(&self) -> usize {
        let views = self.make_method().views().unlabeled.len();
        self.config.batch * (1 + self.ratio * views)
    }

    fn stream(&self, part: usize, kinds: &[ViewKind]) -> Stream<TextViews> {
        let view = |kind: &ViewKind| match kind {
            ViewKind::Plain => TextView::Plain,
            ViewKind::Weak => self.weak.clone(),
            ViewKind::Strong => self.strong.clone(),
        };
        let collate = TextViews { views: kinds.iter().map(view).collect(), ..self.tokens.clone() };
        let (set, times) =
            if part == 0 { (&self.labeled, 1) } else { (&self.unlabeled, self.ratio) };
        Stream::shuffled(set.clone(), collate, self.config.batch * times, self.seeds[part])
    }

    fn batch(&self, step: &Step<Vec<Packed>>) -> Batch {
        let all = step.batches.iter().flat_map(|batch| &batch.data);
        let width = all.map(|packed| packed.longest() as usize).max().unwrap_or(0);
        let on = |packed: &Packed| copy_async(&padded(packed, width), self.device);
        let longs = |all: &[u32]| {
            let all: Vec<i64> = all.iter().map(|&n| i64::from(n)).collect();
            tensor_on(&all, self.device)
        };
        let labeled: &HostBatch<Vec<Packed>> = &step.batches[0];
        let batch = Batch::labeled(on(&labeled.data[0]), longs(&labeled.labels));
        match step.batches.get(1) {
            Some(unlabeled) => Batch {
                u: unlabeled.data.iter().map(on).collect(),
                unlabeled_indices: Some(longs(&unlabeled.slots)),
                ..batch
            },
            None => batch,
        }
    }
}

/// Ids and segments of sequences as int64 `[sequences, 2, width]`, filled up with [`PAD`].
fn padded(packed: &Packed, width: usize) -> Tensor {
    let mut flat = vec![PAD; packed.sequences() * 2 * width];
    let starts = packed.starts();
    for (row, both) in flat.chunks_exact_mut(2 * width).enumerate() {
        let range = starts[row] as usize..starts[row + 1] as usize;
        let (ids, segments) = both.split_at_mut(width);
        for (to, at) in range.enumerate() {
            ids[to] = i64::from(packed.ids[at]);
            segments[to] = i64::from(packed.segments[at]);
        }
    }
    Tensor::from_slice(&flat).view([packed.sequences() as i64, 2, width as i64])
}

impl Task for SemiSupervised<'_> {
    type Net = TextClassifier;
    type Objective = Ssl<Box<dyn Method>>;

    fn throughput(&self) -> Throughput {
        Throughput { unit: "texts", per_step: self.texts_of_a_step() as u64 }
    }

    fn build(&self) -> Result<TextClassifier> {
        self.method.fits_classes(self.classes).map_err(|e| e.within("method"))?;
        Ok(TextClassifier::new(self.net, self.classes, self.device))
    }

    fn objective(&mut self, net: TextClassifier) -> Result<Self::Objective> {
        if let Some(start) = self.start {
            net.start_from(start)?;
        }
        let ema = match self.config.ema {
            Some(ema) => Some((self.build()?.into_model(), ema)),
            None => None,
        };
        let (method, model) = (self.make_method(), net.into_model());
        if let Some(parts) = model.features() {
            method.fits(parts.classifier().inputs()).map_err(|e| e.within("method"))?;
        }
        let mut ssl = Ssl::new(method, model, ema);
        if let Some(swa) = self.config.swa {
            ssl = ssl.with_swa(self.build()?.into_model(), swa);
        }
        Ok(ssl)
    }

    fn optimizer(&self, config: &TrainConfig, params: &Params) -> Optimizer {
        let (rates, layers) = (self.rates, self.net.encoder.layers);
        config.optim.build_with_rates(params, |name| rates.of(name, layers))
    }

    fn batches(&self, from: u64) -> Batches<'_, Self::Objective> {
        let views = self.make_method().views();
        let mut streams = vec![self.stream(0, &[views.labeled])];
        if !views.unlabeled.is_empty() {
            streams.push(self.stream(1, &views.unlabeled));
        }
        let (end, share) = (self.config.steps, processes::share());
        let steps =
            Loader::builder(streams).steps(from..end).workers(self.workers).share(share).start();
        Box::new(steps.map(|step| Ok(self.batch(&step?))))
    }

    fn evaluate(&self, _: &mut Self::Objective, _: Progress) -> Result<Vec<Metric>> {
        Ok(Vec::new())
    }

    fn finish(&self, objective: Self::Objective) -> Result<TextClassifier> {
        let trained = objective.into_evaluated();
        // Heads that a method added are no part of the result.
        let net = self.build()?;
        let own = |name: &str| net.params().get(name).is_some();
        let tensors = trained.params.tensors().into_iter().filter(|(name, _)| own(name));
        net.params().load(&tensors.collect())?;
        Ok(net)
    }
}

#[cfg(test)]
mod tests {
    use data_pipeline::text::{Casing, Example, Keep, Layout, Sequence, Target, Texts, Tokenizer};
    use train::Schedule;

    use super::*;

    const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nplain\nweak\nstrong\n";

    /// Four texts that say `plain`.
    fn texts() -> Arc<TextSet> {
        let example = |i: u32| {
            let texts = Texts { a: "plain".into(), b: None };
            Example { id: i.to_string(), texts, target: Target::Class(i % 2) }
        };
        let classes = vec!["a".into(), "b".into()];
        Arc::new(TextSet::new("toy", (0..4).map(example).collect(), classes).expect("texts"))
    }

    /// Makes any text this word alone.
    fn says(word: &'static str) -> TextView {
        TextView::Words(Arc::new(move |texts, _| texts.a = word.into()))
    }

    #[test]
    fn a_method_sees_the_views_that_it_asks_for() {
        let tokenizer = Tokenizer::from_vocabulary(VOCABULARY, Casing::default());
        let tokenizer = Arc::new(tokenizer.expect("a vocabulary"));
        let layout = Layout { longest: 8, keep: Keep::End };
        for (method, labeled, unlabeled) in [
            ("kind = 'supervised'", "strong", vec![]),
            ("kind = 'fixmatch'", "weak", vec!["weak", "strong"]),
            ("kind = 'uda'\nlabeled = 'plain'", "plain", vec!["weak", "strong"]),
            ("kind = 'pi-model'", "weak", vec!["weak", "weak"]),
        ] {
            let tokenizer = tokenizer.clone();
            let task = SemiSupervised {
                net: &ClassifierConfig::default(),
                classes: 2,
                start: None,
                config: &TrainConfig::new(1, 2, Schedule::constant(0.1), Default::default()),
                rates: LayerRates { decay: 1.0, corrected: true },
                method: &toml::from_str(method).expect("a method"),
                ratio: 3,
                labeled: texts(),
                unlabeled: texts(),
                tokens: TextViews { tokenizer, layout, views: Vec::new() },
                weak: says("weak"),
                strong: says("strong"),
                seeds: [1, 2],
                workers: 1,
                device: Device::Cpu,
            };
            let batch = task.batches(0).next().expect("a step").expect("a batch");
            assert_eq!(batch.u.len(), unlabeled.len(), "{method}");
            let views = [&batch.x].into_iter().chain(&batch.u);
            let kinds = [labeled].into_iter().chain(unlabeled);
            for (number, (view, kind)) in views.zip(kinds).enumerate() {
                let word = VOCABULARY.lines().position(|word| word == kind).expect("a word");
                let count = if number == 0 { 2 } else { 6 };
                let ids = Vec::<i64>::try_from(view.select(1, 0).reshape([-1])).expect("ids");
                assert_eq!(ids, [2, word as i64, 3].repeat(count), "{method}: view {number}");
            }
        }
    }

    /// A view may put any token in, that of `[PAD]` too: no sequence ends there.
    #[test]
    fn padding_is_no_token() {
        let sequence = |ids: &[u32], first| Sequence { ids: ids.to_vec(), first };
        let packed = Packed::of(&[sequence(&[2, 0, 7, 3], 2), sequence(&[2, 3], 2)]);
        let x = padded(&packed, 5);
        assert_eq!(x.size(), [2, 2, 5]);
        let again = electra::PackedSequences::from_padded(&x, PAD);
        assert_eq!(again.lengths(), [4, 2]);
        assert_eq!(again.ids(), &Tensor::from_slice(&[2i64, 0, 7, 3, 2, 3]));
        assert_eq!(again.segments(), &Tensor::from_slice(&[0i64, 0, 1, 1, 0, 0]));
    }
}
