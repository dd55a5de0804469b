//! `tutor measure replies`: seconds of a training step and of a reply.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;
use dialog_models::decode::{Ranking, SampleConfig, Sampling, Special, rank, sample};
use dialog_models::{Pairs, Seq2Seq, Seq2SeqConfig, Training};
use metrics::stats::median;
use serde::Serialize;
use torch::optim::{Adafactor, OptimConfig};
use torch::precision::{Precision, autocast};
use torch::{Device, Kind, Params};
use train::{Objective, Progress};

use super::super::device::DeviceArg;
use super::super::ranges;
use super::super::stdout::say;
use super::cost::{peak_bytes, wait};
use crate::run::files;

/// Which network, and what it is measured on.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Size of the Evolved Transformer: `meena` has 2.6 billion parameters, which take some 10 GB
    /// in float32, and their gradients as much again.
    #[arg(long, value_enum, default_value_t = Preset::Tiny)]
    preset: Preset,
    #[command(flatten)]
    device: DeviceArg,
    /// Pairs of context and response per training step.
    #[arg(long, default_value_t = 16, value_parser = ranges::count::<u16>)]
    pairs: u16,
    /// Steps to time, after two untimed ones.
    #[arg(long, default_value_t = 8, value_parser = ranges::count::<u16>)]
    steps: u16,
    /// Recompute the blocks in the backward pass instead of keeping their activations.
    #[arg(long)]
    recompute: bool,
    /// Peak of the device in TFLOP/s (989 for an H200 in bfloat16), to show the share that is used.
    #[arg(long, value_name = "TFLOPS", value_parser = ranges::above_0)]
    peak: Option<f64>,
    /// Also write the results to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A named size of the Evolved Transformer.
#[derive(Clone, Copy, ValueEnum)]
enum Preset {
    /// 1 + 2 blocks, 128 wide.
    Tiny,
    /// 1 + 2 blocks, 256 wide.
    Mini,
    /// Meena: 1 + 13 blocks, 2,560 wide.
    Meena,
}

/// Tokens of each context and response of a step: those of the paper.
const TOKENS: [usize; 2] = [128, 128];

/// Tokens of the prompt that is replied to, and of each reply.
const PROMPT: usize = 64;
const REPLY: usize = 32;

/// Replies that are timed, behind one that is not.
const REPLIES: usize = 5;

/// What was measured.
#[derive(Serialize)]
struct Found {
    parameters: u64,
    device: String,
    pairs: u16,
    context: usize,
    response: usize,
    /// Of a training step in bfloat16, the median.
    step_seconds: f64,
    /// Operations of a step: products of layers, convolutions and attention, forwards and
    /// backwards.
    step_operations: u64,
    teraflops: f64,
    share_of_peak: Option<f64>,
    /// Of the best of 20 replies of 32 tokens to a prompt of 64, weights in bfloat16, the median.
    reply_seconds: f64,
    first_tokens_seconds: f64,
    /// Of tensors on a GPU, or of the process.
    peak_bytes: u64,
}

/// Measures and prints.
pub(super) fn run(args: &Args) -> Result<()> {
    let device = args.device.chosen()?;
    let config = match args.preset {
        Preset::Tiny => Seq2SeqConfig::tiny(),
        Preset::Mini => Seq2SeqConfig::mini(),
        Preset::Meena => Seq2SeqConfig::meena(),
    };
    torch::rng::seed(1);
    let (net, params) = Params::build(device, |scope| Seq2Seq::new(scope, &config));
    let training = Training::new(net, params, 0.0);
    let mut training = if args.recompute { training.recomputing() } else { training };
    let step_seconds = step(&mut training, args, device);
    let net = training.params.in_kind(Kind::BFloat16, |scope| Seq2Seq::new(scope, &config));
    drop(training);
    let [first_tokens_seconds, reply_seconds] = [1, REPLY].map(|tokens| reply(&net, tokens));
    let step_operations = 3 * u64::from(args.pairs) * config.flops(TOKENS[0], TOKENS[1]);
    let teraflops = step_operations as f64 / step_seconds / 1e12;
    let found = Found {
        parameters: config.parameters(),
        device: torch::device::describe(device),
        pairs: args.pairs,
        context: TOKENS[0],
        response: TOKENS[1],
        step_seconds,
        step_operations,
        teraflops,
        share_of_peak: args.peak.map(|peak| teraflops / peak),
        reply_seconds,
        first_tokens_seconds,
        peak_bytes: peak_bytes(device),
    };
    if let Some(path) = &args.json {
        files::keep(path, &found)?;
    }
    let share = found.share_of_peak.map(|share| format!(", {:.0} % of its peak", 100.0 * share));
    say(&format!(
        "{} parameters, random, on {}\ntraining step in bfloat16, {} pairs of {} + {} tokens: {:.0} \
         ms, {teraflops:.2} TFLOP/s{}\nbest of 20 replies of {REPLY} tokens to {PROMPT}: {:.0} ms, \
         the first tokens {:.0} ms\nat most {:.0} MiB",
        found.parameters,
        found.device,
        args.pairs,
        TOKENS[0],
        TOKENS[1],
        1e3 * step_seconds,
        share.unwrap_or_default(),
        1e3 * reply_seconds,
        1e3 * first_tokens_seconds,
        found.peak_bytes as f64 / f64::from(1 << 20),
    ))
}

/// Any tokens but the first few, which are special ones.
fn tokens(count: usize, of: usize, vocabulary: i64) -> Vec<i64> {
    (0..count).map(|i| 300 + (7919 * of + 31 * i) as i64 % (vocabulary - 300)).collect()
}

fn slices(texts: &[Vec<i64>]) -> Vec<&[i64]> {
    texts.iter().map(Vec::as_slice).collect()
}

/// The median seconds of a step.
fn step(training: &mut Training<Seq2Seq>, args: &Args, device: Device) -> f64 {
    let vocabulary = training.net.config().vocabulary;
    let texts = |count: usize| -> Vec<Vec<i64>> {
        (0..usize::from(args.pairs)).map(|i| tokens(count, i, vocabulary)).collect()
    };
    let [contexts, responses] = TOKENS.map(texts);
    let mut optimizer = OptimConfig::Adafactor(Adafactor::default()).build(&training.params);
    let mut times = Vec::new();
    for number in 0..2 + u64::from(args.steps) {
        let began = Instant::now();
        let [context, response] = [&contexts, &responses].map(|all| slices(all));
        let batch = Pairs::new(&context, &response, device);
        let at = Progress { step: number, steps: 1000 };
        let loss = autocast(Precision::Bfloat16, device, || training.loss(vec![batch], at).total());
        loss.backward();
        optimizer.step(1e-3);
        optimizer.zero_grad();
        wait(&training.params);
        if number >= 2 {
            times.push(began.elapsed().as_secs_f64());
        }
    }
    median(&times).expect("a time")
}

/// The median seconds of the best of 20 replies of so many tokens.
fn reply(net: &Seq2Seq, tokens_each: usize) -> f64 {
    let vocabulary = net.config().vocabulary;
    let (prompt, sampling) = (tokens(PROMPT, 0, vocabulary), Sampling::default());
    let config = SampleConfig { candidates: 20, max_tokens: tokens_each, sampling };
    let mut times = Vec::new();
    for seed in 0..=REPLIES as u64 {
        let began = Instant::now();
        // The last token of the vocabulary ends a text: at random, hardly ever.
        let candidates = sample(net, &prompt, &Special::end(vocabulary - 1), &config, seed);
        rank(&candidates, &Ranking::default());
        if seed > 0 {
            times.push(began.elapsed().as_secs_f64());
        }
    }
    median(&times).expect("a time")
}
