//! A toy paper: a bigram model of the letters of words, measured by its perplexity.

use std::sync::Arc;

use anyhow::Result;
use data_pipeline::dataset::VecSet;
use data_pipeline::loader::{AsIs, Loader, Stream};
use metrics::{Better, Metric};
use report::{Block, Curves, Row, RunResult, Section};
use serde::{Deserialize, Serialize};
use ssl_core::{Batch, Method, MethodSettings, Ssl, TaskInfo, methods::SupervisedConfig};
use torch::{Device, Kind, Mode, Model, Tensor, loss::cross_entropy, nn::Linear};
use train::{Cadence, Progress, Throughput, TrainConfig};

use crate::recipe::{edit, head::Head};
use crate::run::experiment::{Experiment, Findings, Paper};
use crate::run::{cost::StageCost, result::frame, seeds::Run, stage::Batches, stage::Task};

pub(super) const PAPER: Paper =
    Paper { kind: "toy-bigram", read: |head, own| Ok(Box::new(Bigram(head, edit::read(own)?))) };

struct Bigram(Head, Recipe);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    words: Vec<String>,
    held_out: Vec<String>,
    cadence: Cadence,
    train: TrainConfig,
}

/// Each letter of some words, one-hot, and the one behind it; 0 stands before and behind a word.
fn bigrams(words: &[String]) -> Batch {
    let letter = |byte: u8| i64::from(byte - b'a') + 1;
    let text = words.iter().flat_map(|word| [0].into_iter().chain(word.bytes().map(letter)));
    let text = Tensor::from_slice(&text.chain([0]).collect::<Vec<_>>());
    let pairs = text.size()[0] - 1;
    let before = text.narrow(0, 0, pairs).one_hot(27).to_kind(Kind::Float);
    Batch::labeled(before, text.narrow(0, 1, pairs))
}

/// What a seed trains; its number keys the order of the words.
struct NextLetter<'a>(&'a Recipe, u64);

impl Task for NextLetter<'_> {
    type Net = Model;
    type Objective = Ssl<Box<dyn Method>>;

    fn throughput(&self) -> Throughput {
        Throughput { unit: "words", per_step: self.0.train.batch as u64 }
    }

    fn build(&self) -> Result<Model> {
        Ok(Model::build(Device::Cpu, |scope| Linear::new(scope, 27, 27)))
    }

    fn objective(&mut self, model: Model) -> Result<Self::Objective> {
        let info = TaskInfo { classes: 27, unlabeled: 0, device: Device::Cpu };
        Ok(Ssl::new(SupervisedConfig::default().build(&info), model, None))
    }

    fn batches(&self, from: u64) -> Batches<'_, Self::Objective> {
        let words = VecSet::new("words", self.0.words.clone(), None, vec![]).expect("no labels");
        let stream = Stream::shuffled(Arc::new(words), AsIs::default(), self.0.train.batch, self.1);
        let steps = Loader::builder(vec![stream]).steps(from..).workers(1).start();
        Box::new(steps.map(|step| Ok(bigrams(&step?.batches[0].data))))
    }

    fn evaluate(&self, objective: &mut Self::Objective, _: Progress) -> Result<Vec<Metric>> {
        let Batch { x, y, .. } = bigrams(&self.0.held_out);
        let logits = objective.evaluated().forward(&x, Mode::Eval);
        let nats = cross_entropy(&logits, &y).mean(Kind::Float).double_value(&[]);
        Ok(vec![Metric::lower("perplexity", "", nats.exp())])
    }

    fn metric(&self, _: Option<&str>) -> Result<Option<String>> {
        Ok(Some("perplexity".to_owned()))
    }

    fn finish(&self, objective: Self::Objective) -> Result<Model> {
        Ok(objective.into_evaluated())
    }
}

impl Experiment for Bigram {
    fn head(&self) -> &Head {
        &self.0
    }

    fn to_toml(&self) -> Result<String> {
        self.0.to_toml(&self.1)
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let how = (&self.1.train, &self.1.cadence);
        let found = run.each_seed(
            |seed| seed.train("bigram", how, NextLetter(&self.1, seed.seed), "perplexity"),
            |found| format!("{} evaluations", found.2.points.len()),
        )?;
        let last = found.iter().filter_map(|f| f.2.points.last()?.value).collect();
        let row = Row::new("bigram", "perplexity", last)?.unit("").better(Better::Lower);
        let cost = StageCost::sum(found.iter().map(|f| f.1));
        let curves = Curves::new("Perplexity", "", found.into_iter().map(|f| f.2).collect());
        let curves = Block::Curves(Curves { better: Better::Lower, ..curves });
        Ok(Findings {
            result: RunResult { rows: vec![row], ..frame(&self.0, run, "words", cost, "words") },
            sections: vec![Section::new("curves", "Learning curves").with(curves)],
        })
    }
}
