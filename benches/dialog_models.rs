//! Training steps and replies of `dialog-models`, for `cargo xtask bench dialog --peers`:
//! `xtask/peers/bench_dialog_models.py` does the same in PyTorch and with transformers.
//!
//! ```text
//! dialog_models make DIR                     writes what all sides work on
//! dialog_models step DIR THREADS PRECISION   trains while it is asked
//! dialog_models reply DIR THREADS PRECISION  replies while it is asked
//! ```
//!
//! Each line of the input is a question: `steps N` is answered with the median seconds of the next
//! N steps, `reply` with the seconds that 20 replies of 32 tokens and their ranking take, `first`
//! with those until each has its first token, `tokens` with the tokens that were written last, and
//! `peak` with the most memory so far in MiB.

use std::fs;
use std::path::Path;
use std::time::Instant;

use augment::rng::{Key, Rng};
use benches::{Error, SEED, arguments, median, precision, serve};
use dialog_models::decode::{Candidate, Ranking, SampleConfig, Special, rank, sample};
use dialog_models::{Gpt2, Gpt2Config, LanguageModel, Pairs, Seq2Seq, Seq2SeqConfig};
use torch::optim::{AdamW, OptimConfig};
use torch::precision::{Precision, autocast};
use torch::{Device, Mode, Params};

/// Pairs of a step, and steps whose batches are made; they come again and again.
const PAIRS: usize = 32;
const BATCHES: usize = 16;

/// Tokens of the prompt and of a reply.
const PROMPT: usize = 64;
const NEW: usize = 32;

fn main() -> Result<(), Error> {
    let arguments = arguments()?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make", folder] => make(Path::new(folder)),
        [what, folder, threads, numbers] => {
            torch::device::set_threads(threads.parse()?);
            let precision = precision(numbers);
            match what {
                "step" => train(Path::new(folder), precision),
                "reply" => reply(Path::new(folder), precision),
                other => Err(format!("there is no case {other}").into()),
            }
        }
        _ => Err("dialog_models make DIR | step|reply DIR THREADS PRECISION".into()),
    }
}

/// Token ids, a line a text.
fn make(folder: &Path) -> Result<(), Error> {
    let mut rng = Key { seed: SEED, epoch: 0, index: 0, view: 0 }.rng();
    let text = |length: usize, vocabulary: i64, rng: &mut Rng| {
        let ids = (0..length).map(|_| (2 + rng.below(vocabulary as usize - 2)).to_string());
        ids.collect::<Vec<_>>().join(" ") + "\n"
    };
    // Contexts of some turns, and short responses.
    let around = |middle: f64, most: usize, rng: &mut Rng| {
        let spread = 1.2 * (rng.unit() + rng.unit() + rng.unit() - 1.5);
        ((middle * spread.exp()) as usize).clamp(2, most)
    };
    let mut pairs = String::new();
    for _ in 0..BATCHES * PAIRS {
        for (middle, most) in [(45.0, 128), (14.0, 64)] {
            let length = around(middle, most, &mut rng);
            pairs += &text(length, Seq2SeqConfig::mini().vocabulary, &mut rng);
        }
    }
    fs::write(folder.join("pairs.txt"), pairs)?;
    let prompt = text(PROMPT, Gpt2Config::small().vocabulary, &mut rng);
    Ok(fs::write(folder.join("prompt.txt"), prompt)?)
}

fn read(path: &Path) -> Result<Vec<Vec<i64>>, Error> {
    let ids = |line: &str| line.split(' ').map(str::parse).collect::<Result<Vec<i64>, _>>();
    Ok(fs::read_to_string(path)?.lines().map(ids).collect::<Result<_, _>>()?)
}

fn train(folder: &Path, precision: Precision) -> Result<(), Error> {
    let texts = read(&folder.join("pairs.txt"))?;
    let batches: Vec<Pairs> = texts
        .chunks_exact(2 * PAIRS)
        .map(|texts| {
            let of = |first: usize| {
                texts.iter().skip(first).step_by(2).map(Vec::as_slice).collect::<Vec<_>>()
            };
            Pairs::new(&of(0), &of(1), Device::Cpu)
        })
        .collect();
    let config = Seq2SeqConfig::mini();
    let (net, params) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
    let mut optimizer = OptimConfig::Adamw(AdamW::default()).build(&params);
    let mut done = 0;
    let mut step = || {
        let began = Instant::now();
        let batch = &batches[done % batches.len()];
        done += 1;
        optimizer.zero_grad();
        let loss = || net.token_loss(batch, 0.0, Mode::Train).loss;
        autocast(precision, Device::Cpu, loss).backward();
        optimizer.clip_grad_norm(1.0);
        optimizer.step(1e-3);
        began.elapsed().as_secs_f64()
    };
    serve(|question| {
        let number = question.strip_prefix("steps ").ok_or("steps N")?;
        Ok(median((0..number.parse::<usize>()?).map(|_| step()).collect()))
    })
}

fn reply(folder: &Path, precision: Precision) -> Result<(), Error> {
    let prompt = read(&folder.join("prompt.txt"))?.remove(0);
    let config = Gpt2Config::small();
    let make = |scope: &mut torch::Scope<'_>| Gpt2::new(scope, &config);
    let (net, params) = Params::build(Device::Cpu, make);
    let net = match precision {
        Precision::Float32 => net,
        Precision::Bfloat16 => params.in_kind(torch::Kind::BFloat16, make),
    };
    drop(params);
    let special = Special::end(config.vocabulary - 1);
    let (mut seed, mut written) = (0, 0);
    serve(|question| {
        let most = match question {
            "reply" => NEW,
            "first" => 1,
            "tokens" => return Ok(written as f64),
            other => return Err(format!("no question {other}").into()),
        };
        let config = SampleConfig { max_tokens: most, ..SampleConfig::default() };
        seed += 1;
        let began = Instant::now();
        let candidates = sample(&net, &prompt, &special, &config, seed);
        let best = rank(&candidates, &Ranking::default());
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(best.len(), config.candidates);
        written = candidates.iter().map(Candidate::generated).sum();
        Ok(seconds)
    })
}
