//! One pre-training, and what it found.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::loader::{Loader, Stream};
use data_pipeline::text::{MaskPlan, Masking, Pack, Packed};
use electra::pretrain::{MaskedBatch, PretrainConfig, Pretrainer, Slot, SlotCounts, Totals, Tower};
use electra::{flops, hub};
use metrics::Metric;
use report::Curve;
use serde::{Deserialize, Serialize};
use toml::Table;
use torch::precision::Precision;
use torch::{Device, Mode, Params};
use train::{Cadence, Callback, Progress, Throughput, TrainConfig};

use super::published;
use super::tokens::{MASK, Tokens, on_device, share_on_device};
use crate::recipe::faults::Faults;
use crate::recipe::select::Select;
use crate::run::cost::StageCost;
use crate::run::curve;
use crate::run::files;
use crate::run::pace::{self, Span};
use crate::run::seeds::{self, SeedRun, Seeded};
use crate::run::stage::{Batches, Stage, Task, Trained};
use crate::run::{interrupt, processes};

/// What a pre-training found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pretraining {
    pub(crate) steps: u64,
    /// The steps that its time was to suffice for.
    #[serde(default)]
    pub(crate) planned: u64,
    /// Operations, as ELECTRA's code counts them.
    pub(crate) flops: f64,
    /// Trainable numbers of all networks, and of the encoder that is kept.
    pub(crate) parameters: [u64; 2],
    /// The last evaluation: metrics of ELECTRA's code by their names.
    pub(crate) metrics: Vec<(String, f64)>,
    /// Loss at the masked tokens, and where there is a discriminator its area under the curve.
    pub(crate) curves: Vec<Curve>,
    pub(crate) cost: StageCost,
}

const FILE: &str = "pretraining.json";

/// Names of metrics of ELECTRA's code.
pub(crate) const MASKED_LOSS: &str = "masked_lm_loss";
pub(crate) const AREA: &str = "disc_auc";

/// What is pre-trained, and how.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// The networks; their vocabulary and `mask` are those of the tokens.
    pub(crate) nets: &'a PretrainConfig,
    pub(crate) masking: &'a Masking,
    /// Tokens of a sequence at most.
    pub(crate) longest: usize,
    pub(crate) train: &'a TrainConfig,
    pub(crate) cadence: &'a Cadence,
    pub(crate) precision: Precision,
    /// Threads that prepare batches.
    pub(crate) workers: usize,
    /// Seconds after which it ends whatever step it is at.
    pub(crate) seconds: Option<f64>,
    /// A masked language model that both networks begin with; without one they start at random.
    pub(crate) begin: Option<&'a Pretrainer>,
}

impl Setting<'_> {
    /// Operations of a step, as ELECTRA's code counts them, at the mean length of the sequences.
    pub(crate) fn flops(&self, tokens: &Tokens) -> Result<f64> {
        Ok(flops::sequence(self.nets, mean_length(tokens)?) * self.train.batch as f64)
    }

    /// Pre-trains in `dir`, or loads what an earlier process pre-trained there.
    pub(crate) fn train(
        &self,
        dir: &Path,
        tokens: &Tokens,
        seeded: Seeded<'_>,
        callback: &mut dyn Callback,
    ) -> Result<(Pretrainer, StageCost)> {
        let task = PretrainTask { setting: self, tokens, seeded };
        let stage = Stage {
            dir,
            // All rows start alike, as far as their tensors are alike.
            key: seeds::key(seeded.seed, "pretrain"),
            config: self.train,
            cadence: self.cadence,
            select: &Select::default(),
            precision: self.precision,
            device: seeded.device,
            seconds: self.seconds,
            recipe_text: seeded.recipe_text,
        };
        stage.train(task, callback)
    }
}

/// Pre-trains in `dir`, or loads what an earlier process pre-trained there; `name` is what reports
/// call it.
pub(crate) fn run(
    setting: &Setting<'_>,
    (name, dir): (&str, &Path),
    tokens: &Tokens,
    run: &mut SeedRun<'_, '_>,
) -> Result<(Pretrainer, Pretraining)> {
    files::make_folder(dir)?;
    let a_step = setting.flops(tokens)?;
    let title = format!("{name}, pre-training");
    let beside = move |at: Progress| {
        let done = a_step * at.step as f64;
        let [small, gpt] = [flops::ELECTRA_SMALL, flops::GPT].map(|of| share(done, of));
        format!("{small} % of ELECTRA-Small's budget, {gpt} % of GPT's")
    };
    let seeded = run.seeded();
    let (net, cost) = setting.train(dir, tokens, seeded, run.stage_beside(&title, beside))?;
    let found = files::once(&dir.join(FILE), || {
        let read = |metric| curve::read(dir, name, run.seed, metric);
        let how = (AT_THE_END, interrupt::check as fn() -> Result<()>);
        let held_out = processes::each(|| held_out(&net, setting, tokens, run.device, how))?;
        let params = net.tensors();
        let encoder = params.iter().filter(|p| p.name.starts_with("electra."));
        let kept = encoder.map(|p| p.tensor.numel() as u64).sum();
        let steps = cost.samples / setting.train.batch as u64;
        Ok(Pretraining {
            steps,
            planned: setting.train.steps,
            flops: a_step * steps as f64,
            parameters: [params.count() as u64, kept],
            metrics: held_out.metrics().into_iter().map(|(n, v)| (n.to_owned(), v)).collect(),
            curves: vec![read(MASKED_LOSS)?, read(AREA)?],
            cost,
        })
    })?;
    Ok((net, found))
}

/// The same for so many minutes, with as many steps as fit and at most a tenth of them to warm up;
/// without minutes for all steps.
pub(crate) fn run_for(
    setting: &Setting<'_>,
    (minutes, pace): (Option<f64>, &Path),
    named: (&str, &Path),
    tokens: &Tokens,
    run: &mut SeedRun<'_, '_>,
) -> Result<(Pretrainer, Pretraining)> {
    match minutes {
        None => self::run(setting, named, tokens, run),
        Some(minutes) => within(setting, (60.0 * minutes, pace), named, tokens, run, shortened),
    }
}

/// The share of the time of a pre-training in which its pace is measured, about, and the most steps
/// that are taken for it.
const PACE_SHARE: f64 = 0.05;
const MOST_PACE_STEPS: u64 = 128;

/// The same for about `seconds` from its first step on, with as many steps as fit, those of
/// `setting` at most. The pace is measured in the folder `pace`, once; `shorten` makes the training
/// of fewer steps.
pub(crate) fn within(
    setting: &Setting<'_>,
    (seconds, pace): (f64, &Path),
    (name, dir): (&str, &Path),
    tokens: &Tokens,
    run: &mut SeedRun<'_, '_>,
    shorten: impl Fn(&TrainConfig, u64) -> TrainConfig,
) -> Result<(Pretrainer, Pretraining)> {
    let measured = |steps, dir: &Path| {
        let train = TrainConfig { steps, ..setting.train.clone() };
        let setting = Setting { train: &train, ..*setting };
        let own = pace::measure(dir, run.device, |stopwatch| {
            setting.train(dir, tokens, run.seeded(), stopwatch).map(drop)
        })?;
        processes::from_first(|| Ok(own))
    };
    let rough = measured(pace::PACE_STEPS, pace)?;
    // The first steps make code for new shapes (docs/results/electra.md), and are slower than
    // those that follow.
    let more = ((PACE_SHARE * seconds / rough) as u64).min(MOST_PACE_STEPS);
    let a_step = match more > pace::PACE_STEPS {
        true => measured(more, &pace.join("more"))?,
        false => rough,
    };
    let span = Span::exactly(seconds);
    let (steps, seconds) = pace::plan(dir, (span, a_step), setting.train.steps)?;
    let train = match steps < setting.train.steps {
        true => shorten(setting.train, steps),
        false => setting.train.clone(),
    };
    let setting = Setting { train: &train, seconds: Some(seconds), ..*setting };
    let found = self::run(&setting, (name, dir), tokens, run)?;
    pace::remove(&dir.join("checkpoints"))?;
    Ok(found)
}

/// The training with so many steps, of which at most a tenth warms up.
pub(crate) fn shortened(train: &TrainConfig, steps: u64) -> TrainConfig {
    TrainConfig { steps, lr: train.lr.clone().warmed_up_within(steps / 10), ..train.clone() }
}

/// Keeps the network of a training in `dir` with its tokenizer, as published ones are, unless it is
/// there. `longest` is how many tokens the sequences had at most: positions behind them have not
/// learned.
pub(crate) fn keep_for_others(
    net: &Pretrainer,
    (tokens, longest): (&Tokens, usize),
    dir: &Path,
) -> Result<()> {
    keep(net, Tower::Main, (tokens, longest), &dir.join(published::HUB))
}

/// The same for its generator, if it has one; the folder.
pub(crate) fn keep_generator(
    net: &Pretrainer,
    (tokens, longest): (&Tokens, usize),
    dir: &Path,
) -> Result<()> {
    keep(net, Tower::Generator, (tokens, longest), &dir.join(GENERATOR))
}

/// The folder of the generator in that of its training.
const GENERATOR: &str = "hub-generator";

fn keep(
    net: &Pretrainer,
    tower: Tower,
    (tokens, longest): (&Tokens, usize),
    folder: &Path,
) -> Result<()> {
    // The description is written last.
    if folder.join("config.json").is_file() {
        return Ok(());
    }
    let Some((config, tensors)) = net.tower(tower) else { return Ok(()) };
    tokens.tokenizer.save_for(folder, longest.min(config.encoder.positions as usize))?;
    Ok(hub::save(folder, &config, &tensors, &BTreeMap::new())?)
}

/// Sets what of the networks follows from a vocabulary of so many tokens that is made of the texts;
/// refuses other values of it in a recipe's own keys.
pub(crate) fn of_made_vocabulary(
    own: &Table,
    nets: &mut PretrainConfig,
    tokens: usize,
) -> Result<()> {
    let given = |path: &[&str]| {
        let (last, above) = path.split_last()?;
        above.iter().try_fold(own, |table, key| table.get(*key)?.as_table())?.get(*last)
    };
    let size = tokens as i64;
    for (path, value) in
        [(&["pretrain", "encoder", "vocabulary"][..], size), (&["pretrain", "mask"], MASK)]
    {
        ensure!(
            given(path).is_none_or(|given| given.as_integer() == Some(value)),
            "{}: follows from the vocabulary of the texts and is {value}: leave it out",
            path.join(".")
        );
    }
    nets.encoder.vocabulary = size;
    nets.mask = MASK;
    Ok(())
}

/// Names what cannot work.
pub(crate) fn check(nets: &PretrainConfig, masking: &Masking, faults: &mut Faults) {
    faults.within("pretrain", nets.faults());
    faults.values().inner_fraction("masking.share", masking.share);
}

/// Refuses minutes that are not a number above 0.
pub(crate) fn check_minutes(minutes: Option<f64>, faults: &mut Faults) {
    faults.values().positive("minutes", minutes.unwrap_or(1.0));
}

/// A part in percent, in two digits.
pub(crate) fn share(part: f64, of: f64) -> String {
    let percent = 100.0 * part / of;
    if percent >= 0.01 { format!("{percent:.2}") } else { format!("{percent:.1e}") }
}

/// The mean length of the sequences, in whole tokens.
fn mean_length(tokens: &Tokens) -> Result<usize> {
    let set = &tokens.running;
    ensure!(!set.is_empty(), "the running text gives no sequence: it is too short");
    Ok((set.tokens() as f64 / set.len() as f64).round() as usize)
}

/// The batch as the networks take it, and for each sequence the counts of what is filled in. `on`
/// is the same batch on the networks' device.
fn masked(
    packed: &Packed,
    plan: &MaskPlan,
    mask: u32,
    on: electra::PackedSequences,
) -> (MaskedBatch, Vec<SlotCounts>) {
    let mut slots: Vec<Vec<Slot>> = Vec::with_capacity(plan.counts.len());
    let mut next = plan.positions.iter().map(|&at| at as usize);
    for &count in &plan.counts {
        let of_row = next.by_ref().take(count as usize).map(|at| Slot {
            position: packed.positions[at] as usize,
            masked: plan.inputs[at] == mask,
            kept: true,
        });
        slots.push(of_row.collect());
    }
    let counts = slots.iter().map(|slots| SlotCounts::of(slots)).collect();
    (MaskedBatch::new(on, &slots), counts)
}

/// The same by the masking of a pre-training.
fn batch(
    setting: &Setting<'_>,
    tokens: &Tokens,
    packed: &Packed,
    on: electra::PackedSequences,
) -> (MaskedBatch, Vec<SlotCounts>) {
    let specials = tokens.tokenizer.specials();
    let size = tokens.tokenizer.size();
    let plan = setting.masking.plan(packed, specials, size, setting.longest);
    masked(packed, &plan, specials.mask, on)
}

/// The same of this process's part of a batch that several processes share: all of them call it
/// together.
fn share_of_batch(
    setting: &Setting<'_>,
    tokens: &Tokens,
    packed: &Packed,
    device: Device,
) -> Result<MaskedBatch> {
    let (batch, own) = batch(setting, tokens, packed, share_on_device(packed, device)?);
    let size = processes::share().size;
    if size == 1 {
        return Ok(batch);
    }
    let own = own.iter().flat_map(|count| [count.slots as i64, count.places as i64]).collect();
    let all = processes::gather(own)?;
    let counts = all.chunks_exact(2);
    let counts = counts.map(|n| SlotCounts { slots: n[0] as usize, places: n[1] as usize });
    Ok(batch.shared(&counts.collect::<Vec<_>>(), size))
}

/// Sequences of a batch of an evaluation.
const BATCH: usize = 64;

/// Measures networks on the first `most` held-out sequences; what is masked is always the same.
/// Calls `each` before each batch.
fn held_out(
    net: &Pretrainer,
    setting: &Setting<'_>,
    tokens: &Tokens,
    device: Device,
    (most, each): (usize, fn() -> Result<()>),
) -> Result<Totals> {
    let set = &tokens.held_out;
    let mut totals = Totals::default();
    for start in (0..set.len().min(most)).step_by(BATCH) {
        each()?;
        let end = (start + BATCH).min(set.len()).min(most);
        let sequences = (start..end).map(|i| set.item(i)).collect::<Result<Vec<_>, _>>()?;
        let mut packed = Packed::of(&sequences);
        let key = |i| augment::rng::Key { seed: 0, epoch: 0, index: i as u64, view: 0 };
        packed.keys = (start..end).map(key).collect();
        let (batch, _) = batch(setting, tokens, &packed, on_device(&packed, device));
        totals.add(&batch, &torch::no_grad(|| net.step(&batch, Mode::Eval)));
    }
    Ok(totals)
}

/// Held-out sequences on which a training is measured along its way, and after its last step.
const ALONG: usize = 256;
const AT_THE_END: usize = 20_000;

/// Networks that learn from running text.
struct PretrainTask<'a> {
    setting: &'a Setting<'a>,
    tokens: &'a Tokens,
    seeded: Seeded<'a>,
}

impl Trained for Pretrainer {
    fn params(&self) -> &Params {
        self.tensors()
    }
}

impl Task for PretrainTask<'_> {
    type Net = Pretrainer;
    type Objective = Pretrainer;

    fn throughput(&self) -> Throughput {
        Throughput { unit: "sequences", per_step: self.setting.train.batch as u64 }
    }

    fn build(&self) -> Result<Pretrainer> {
        Ok(Pretrainer::new(self.setting.nets, self.seeded.device))
    }

    fn objective(&mut self, net: Pretrainer) -> Result<Pretrainer> {
        if let Some(model) = self.setting.begin {
            net.begin_with(model)?;
        }
        Ok(net)
    }

    fn batches(&self, from: u64) -> Batches<'_, Pretrainer> {
        let seed = seeds::key(self.seeded.seed, "stream/pretrain");
        let Setting { train, workers, .. } = *self.setting;
        let stream = Stream::shuffled(self.tokens.running.clone(), Pack, train.batch, seed);
        let (end, share) = (train.steps, processes::share());
        let steps =
            Loader::builder(vec![stream]).steps(from..end).workers(workers).share(share).start();
        Box::new(steps.map(|step| {
            let packed = &step?.batches[0].data;
            share_of_batch(self.setting, self.tokens, packed, self.seeded.device)
        }))
    }

    fn evaluate(&self, net: &mut Pretrainer, _: Progress) -> Result<Vec<Metric>> {
        // Short: the training itself looks whether it was told to stop, and writes a checkpoint.
        let how = (ALONG, (|| Ok(())) as fn() -> Result<()>);
        let totals = held_out(net, self.setting, self.tokens, self.seeded.device, how)?;
        let metric = |(name, value): (&str, f64)| match name {
            MASKED_LOSS | "disc_loss" => Metric::lower(name, "", value),
            _ => Metric::higher(name, "", value),
        };
        Ok(totals.metrics().into_iter().map(metric).collect())
    }

    fn finish(&self, objective: Pretrainer) -> Result<Pretrainer> {
        Ok(objective)
    }
}

impl Pretraining {
    /// The value of a metric of the last evaluation.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}
