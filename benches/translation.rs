//! Translating by a Marian of opus-mt's size, for `cargo xtask bench translation --peers`:
//! `xtask/peers/bench_translation.py` does the same with transformers, and makes the network and
//! the sentences.
//!
//! ```text
//! translation DIR THREADS
//! ```
//!
//! DIR has a Marian's folder and `sentences.json`, lists of token ids. Each line of the input is a
//! question: `greedy` is answered with the seconds that the likeliest tokens of all sentences take,
//! `sampled` with those of five translations of each, drawn at temperature 0.9, `tokens` with the
//! number of tokens that were written last, and `peak` with the most memory so far in MiB.
#![allow(clippy::print_stdout, reason = "it answers on its output")]

use std::io::{BufRead, stdin};
use std::path::Path;
use std::time::Instant;

use benches::Error;
use dialog_models::decode::{
    BatchSize, Beam, Candidate, Patience, Prompt, SampleConfig, Sampling, beam_all, decode_batched,
    sample_all,
};
use dialog_models::hub::MarianCheckpoint;
use dialog_models::{Autoregressive, Marian};
use torch::Device;
use weights::find::Places;

/// Tokens of a translation at most, as in the other program.
const MOST: usize = 48;

fn main() -> Result<(), Error> {
    // Without it threads spin while they wait.
    let _ = torch::device::reexec_with_passive_spin();
    torch::device::retain_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, threads] = arguments.as_slice() else {
        return Err("translation DIR THREADS".into());
    };
    let text = std::fs::read(Path::new(folder).join("sentences.json"))?;
    let sentences: Vec<Vec<i64>> = serde_json::from_slice(&text)?;
    let checkpoint = MarianCheckpoint::open(folder, &Places::default())?;
    let (_, params) = checkpoint.build(Device::Cpu)?;
    let mut nets: Vec<Box<dyn Autoregressive + Send>> = Vec::new();
    for _ in 0..threads.parse()? {
        let make = |scope: &mut torch::Scope<'_>| Marian::new(scope, &checkpoint.config.network);
        nets.push(Box::new(params.sharing(make)));
    }
    let special = &checkpoint.config.special;
    let prompts: Vec<Prompt<'_>> = sentences
        .iter()
        .zip(0..)
        .map(|(context, seed)| Prompt { context, seed, max_tokens: MOST })
        .collect();
    let beam = Beam {
        width: 1,
        max_tokens: MOST,
        patience: Patience::First,
        empty: true,
        ..Beam::default()
    };
    let greedy =
        |net: &dyn Autoregressive, prompts: &[Prompt<'_>]| beam_all(net, prompts, special, &beam);
    let sampling = Sampling { temperature: 0.9, top_k: None, nucleus: None };
    let config = SampleConfig { candidates: 5, max_tokens: MOST, sampling };
    let sampled = |net: &dyn Autoregressive, prompts: &[Prompt<'_>]| {
        sample_all(net, prompts, special, &config)
    };
    let mut written = 0;
    for question in stdin().lock().lines() {
        let begin = Instant::now();
        let found: Vec<Vec<Candidate>> = match question?.trim() {
            "greedy" => decode_batched(&mut nets, &prompts, 1, BatchSize::default(), &greedy),
            "sampled" => decode_batched(&mut nets, &prompts, 5, BatchSize::default(), &sampled),
            "tokens" => {
                println!("{written}");
                continue;
            }
            "peak" => {
                println!("{}", benches::peak());
                continue;
            }
            other => return Err(format!("no question {other}").into()),
        };
        println!("{}", begin.elapsed().as_secs_f64());
        written = found.iter().flatten().map(Candidate::generated).sum();
    }
    Ok(())
}
