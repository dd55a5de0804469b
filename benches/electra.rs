//! ELECTRA's steps, its files of tokens and its predictions, for `cargo xtask bench electra
//! --peers`: `xtask/peers/bench_electra.py` does the same in PyTorch, with transformers and in
//! plain Python.
//!
//! ```text
//! electra make DIR                      writes what all sides work on
//! electra WHAT DIR THREADS PRECISION    answers questions
//! ```
//!
//! WHAT is the name of a preset, `finetune`, `predict` or `build`.
//!
//! Each line of the input is a question: `steps N` is answered with the median seconds of the next
//! N steps, `predict` with the seconds from texts to classes, `build` with those from a text file
//! to files of tokens, `sequences` with how many sequences these hold, `yes` with the mean
//! probability of the second class, and `peak` with the most memory so far in MiB.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use augment::rng::{Key, Rng};
use benches::{Error, SEED, arguments, median, precision, serve};
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::addresses::{self, Address};
use data_pipeline::text::corpus::{Corpus, ReadOptions};
use data_pipeline::text::pretrain::{BuildOptions, TokenShards, build};
use data_pipeline::text::{
    self, Casing, Encoder, Layout, Masking, Sequence, Texts, Tokenizer, VocabularySize,
    VocabularyTrainer,
};
use electra::heads::{Classifier, ClassifierConfig};
use electra::hub::{self, HubConfig};
use electra::pretrain::{MaskedBatch, Pretrainer, Slot};
use electra::{EncoderConfig, FineTuning, PackedSequences, Preset, presets};
use serde::{Deserialize, Serialize};
use torch::optim::{AdamW, OptimConfig};
use torch::precision::{Precision, autocast};
use torch::{Device, Kind, Mode, Params, Tensor, loss, no_grad};

/// Steps whose batches are made; they come again and again.
const BATCHES: usize = 16;

/// The same of fine-tuning, more than are timed: batches of texts have ever new shapes.
const FINETUNE_BATCHES: usize = 8 * BATCHES;

/// Texts of a step of fine-tuning.
const TEXTS: usize = 32;

/// Texts to be predicted, and the tokens of each at most.
const REVIEWS: usize = 256;
const LONGEST: usize = 512;

/// Texts and tokens that go through a network together at most, as in `tutor predict`.
const AT_ONCE: usize = 64;
const TOKENS: usize = 4096;

/// A sequence, and what is masked in it.
#[derive(Serialize, Deserialize)]
struct Line {
    ids: Vec<u32>,
    /// Tokens of the first segment.
    first: u32,
    /// Places that are filled in, and whether `[MASK]` stands there.
    slots: Vec<(usize, bool)>,
}

fn main() -> Result<(), Error> {
    let arguments = arguments()?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make", folder] => make(Path::new(folder)),
        [what, folder, threads, numbers] => {
            torch::device::set_threads(threads.parse()?);
            let folder = Path::new(folder);
            let precision = precision(numbers);
            match what {
                "finetune" => finetune(folder, precision),
                "predict" => predict(folder, precision),
                "build" => build_tokens(folder),
                name => {
                    let preset = presets().into_iter().find(|preset| preset.name == name);
                    pretrain(folder, precision, &preset.ok_or("no such preset")?)
                }
            }
        }
        _ => Err("electra make DIR | WHAT DIR THREADS PRECISION".into()),
    }
}

/// A text file with its vocabulary, sequences of it for both kinds of steps, and a classifier's
/// folder with texts for it.
fn make(folder: &Path) -> Result<(), Error> {
    let addresses = addresses::load();
    let mut text = String::new();
    let mut trainer = VocabularyTrainer::new(Casing::default());
    for address in &addresses {
        for sentence in &address.sentences {
            text += sentence;
            text.push('\n');
            trainer.count(sentence);
        }
        text.push('\n');
    }
    fs::write(folder.join("text.txt"), text)?;
    let model = folder.join("model");
    let tokenizer = trainer.tokenizer(VocabularySize::default())?;
    tokenizer.save(&model)?;
    tokens(folder, &folder.join("tokens"), &tokenizer)?;
    let mut rng = Key { seed: SEED, epoch: 0, index: 0, view: 0 }.rng();
    write_lines(&folder.join("pretrain.jsonl"), &masked(&folder.join("tokens"), &tokenizer)?)?;
    let sentences = short(&addresses, &tokenizer, &mut rng)?;
    write_lines(&folder.join("finetune.jsonl"), &sentences)?;
    write_lines(&folder.join("texts.jsonl"), &reviews(&addresses, &mut rng))?;
    let config = classifier();
    let (_, params) = Params::build(Device::Cpu, |scope| Classifier::new(scope, &config, 2));
    let labels = Some(vec!["no".to_owned(), "yes".to_owned()]);
    let kind = "ElectraForSequenceClassification";
    let config = HubConfig { labels: Ok(labels), ..HubConfig::new(config.encoder, kind) };
    Ok(hub::save(&model, &config, &params.tensors(), &BTreeMap::new())?)
}

fn write_lines(path: &Path, lines: &[impl Serialize]) -> Result<(), Error> {
    let lines = lines.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(fs::write(path, lines.join("\n") + "\n")?)
}

fn read_lines<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>, Error> {
    let text = fs::read_to_string(path)?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// Files of tokens of the text, in a folder that is new, by one thread.
fn tokens(folder: &Path, into: &Path, tokenizer: &Tokenizer) -> Result<u64, Error> {
    let corpus = Corpus::open(&[folder.join("text.txt")], ReadOptions::default())?;
    let options = BuildOptions { workers: 1, ..BuildOptions::default() };
    Ok(build(&corpus, tokenizer, into, &options, |_| {})?.sequences)
}

/// Sequences of running text, and what ELECTRA masks in them.
fn masked(tokens: &Path, tokenizer: &Tokenizer) -> Result<Vec<Line>, Error> {
    let shards = TokenShards::open(tokens)?;
    let stride = shards.len() / (BATCHES * 64);
    let line = |number: usize| {
        let sequence = shards.item(number * stride)?;
        let mut packed = text::Packed::of([&sequence]);
        packed.keys = vec![Key { seed: SEED, epoch: 0, index: number as u64, view: 0 }];
        let specials = tokenizer.specials();
        let plan = Masking::default().plan(&packed, specials, tokenizer.size(), 128);
        let slot = |&at: &u32| (at as usize, plan.inputs[at as usize] == specials.mask);
        let slots = plan.positions.iter().map(slot).collect();
        Ok(Line { ids: sequence.ids, first: sequence.first, slots })
    };
    (0..BATCHES * 64).map(line).collect()
}

/// Sentences, of any length, as classifiers are fine-tuned on them.
fn short(addresses: &[Address], tokenizer: &Tokenizer, rng: &mut Rng) -> Result<Vec<Line>, Error> {
    let mut encoder = Encoder::new(tokenizer);
    let layout = Layout { longest: 128, keep: text::Keep::Start };
    let line = |_| {
        let sentences = &addresses[rng.below(addresses.len())].sentences;
        let a = sentences[rng.below(sentences.len())].clone();
        let Sequence { ids, first, .. } = layout.sequence(&Texts { a, b: None }, &mut encoder)?;
        Ok(Line { ids, first, slots: Vec::new() })
    };
    (0..FINETUNE_BATCHES * TEXTS).map(line).collect()
}

/// Passages of which half have between 150 and 350 words, as film reviews do.
fn reviews(addresses: &[Address], rng: &mut Rng) -> Vec<String> {
    let passage = |_| {
        let sentences = &addresses[rng.below(addresses.len())].sentences;
        let spread = 1.2 * (rng.unit() + rng.unit() + rng.unit() - 1.5);
        let (most, mut words) = (230.0 * spread.exp(), 0);
        let mut at = rng.below(sentences.len());
        let mut passage = String::new();
        while (words as f64) < most {
            let sentence = &sentences[at % sentences.len()];
            words += sentence.split(' ').count();
            passage = passage + sentence + " ";
            at += 1;
        }
        passage.trim_end().to_owned()
    };
    (0..REVIEWS).map(passage).collect()
}

fn classifier() -> ClassifierConfig {
    ClassifierConfig { encoder: EncoderConfig::small(), ..ClassifierConfig::default() }
}

fn of_lines(lines: &[Line]) -> PackedSequences {
    packed(lines.iter().map(|line| (&line.ids[..], line.first)))
}

/// Of token ids, and how many of them are the first segment.
fn packed<'a>(sequences: impl Iterator<Item = (&'a [u32], u32)>) -> PackedSequences {
    let (mut ids, mut segments, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for (own, first) in sequences {
        ids.extend(own.iter().map(|&id| i64::from(id)));
        segments.extend((0..own.len()).map(|at| i64::from(at >= first as usize)));
        lengths.push(own.len());
    }
    PackedSequences::from_parts(&ids, &segments, &lengths, Device::Cpu)
}

/// Answers `steps N`.
fn serve_steps(mut step: impl FnMut(usize)) -> Result<(), Error> {
    let mut done = 0;
    let mut timed = |_| {
        let began = Instant::now();
        step(done);
        done += 1;
        began.elapsed().as_secs_f64()
    };
    serve(|question| {
        let number = question.strip_prefix("steps ").ok_or("steps N")?;
        Ok(median((0..number.parse::<usize>()?).map(&mut timed).collect()))
    })
}

fn pretrain(folder: &Path, precision: Precision, preset: &Preset) -> Result<(), Error> {
    let lines: Vec<Line> = read_lines(&folder.join("pretrain.jsonl"))?;
    let sequences = if preset.name == "small" { 16 } else { 64 };
    let batches: Vec<&[Line]> = lines.chunks_exact(sequences).take(BATCHES).collect();
    let mut config = preset.config.clone();
    config.mask = Tokenizer::open(&folder.join("model"))?.specials().mask.into();
    let net = Pretrainer::new(&config, Device::Cpu);
    let mut optimizer = OptimConfig::Adamw(AdamW::bert()).build(net.tensors());
    serve_steps(|number| {
        let lines = batches[number % BATCHES];
        let slot = |&(position, masked)| Slot { position, masked, kept: true };
        let slots: Vec<Vec<Slot>> =
            lines.iter().map(|line| line.slots.iter().map(slot).collect()).collect();
        let batch = MaskedBatch::new(of_lines(lines), &slots);
        optimizer.zero_grad();
        let loss = || net.step(&batch, Mode::Train).loss.total();
        autocast(precision, Device::Cpu, loss).backward();
        optimizer.clip_grad_norm(1.0);
        optimizer.step(5e-4);
    })
}

fn finetune(folder: &Path, precision: Precision) -> Result<(), Error> {
    let lines: Vec<Line> = read_lines(&folder.join("finetune.jsonl"))?;
    let batches: Vec<&[Line]> = lines.chunks_exact(TEXTS).collect();
    let labels = Tensor::arange(TEXTS as i64, (Kind::Int64, Device::Cpu)).remainder(2);
    let (config, settings) = (classifier(), FineTuning::default());
    let (net, params) = Params::build(Device::Cpu, |scope| Classifier::new(scope, &config, 2));
    let rate = |name: &str| settings.rates().of(name, config.encoder.layers);
    let mut optimizer = OptimConfig::Adamw(AdamW::bert()).build_with_rates(&params, rate);
    serve_steps(|number| {
        let batch = of_lines(batches[number % batches.len()]);
        optimizer.zero_grad();
        let loss = || {
            let logits = net.classify(&batch, Mode::Train);
            loss::cross_entropy(&logits, &labels).mean(Kind::Float)
        };
        autocast(precision, Device::Cpu, loss).backward();
        optimizer.clip_grad_norm(1.0);
        optimizer.step(settings.lr);
    })
}

fn predict(folder: &Path, precision: Precision) -> Result<(), Error> {
    let texts: Vec<String> = read_lines(&folder.join("texts.jsonl"))?;
    let tokenizer = Tokenizer::open(&folder.join("model"))?;
    let config = classifier();
    let (net, params) = Params::build(Device::Cpu, |scope| Classifier::new(scope, &config, 2));
    params.load(&torch::store::load(&folder.join("model/model.safetensors"))?.tensors)?;
    let layout = Layout { longest: LONGEST, keep: text::Keep::Start };
    let mut yes = 0.0;
    serve(|question| {
        match question {
            "predict" => {}
            "yes" => return Ok(yes),
            other => return Err(format!("no question {other}").into()),
        }
        let began = Instant::now();
        let mut encoder = Encoder::new(&tokenizer);
        let sequence =
            |text: &String| layout.sequence(&Texts { a: text.clone(), b: None }, &mut encoder);
        let sequences = texts.iter().map(sequence).collect::<Result<Vec<_>, _>>()?;
        let lengths: Vec<usize> = sequences.iter().map(Sequence::len).collect();
        let mut found = vec![0.0; texts.len()];
        for places in text::batches_by_length(&lengths, AT_ONCE, TOKENS) {
            let batch = packed(places.iter().map(|&i| (&sequences[i].ids[..], sequences[i].first)));
            let say = || net.classify(&batch, Mode::Eval);
            let logits = no_grad(|| autocast(precision, Device::Cpu, say));
            let said = Vec::<f32>::try_from(logits.softmax(-1, Kind::Float).select(1, 1))?;
            places.iter().zip(said).for_each(|(&i, p)| found[i] = f64::from(p));
        }
        assert!(found.iter().all(|&p| p > 0.0));
        yes = found.iter().sum::<f64>() / found.len() as f64;
        Ok(began.elapsed().as_secs_f64())
    })
}

fn build_tokens(folder: &Path) -> Result<(), Error> {
    let tokenizer = Tokenizer::open(&folder.join("model"))?;
    let mut sequences = 0;
    serve(|question| match question {
        "build" => {
            let into = tempfile::tempdir_in(folder)?;
            let began = Instant::now();
            sequences = tokens(folder, &into.path().join("tokens"), &tokenizer)?;
            Ok(began.elapsed().as_secs_f64())
        }
        "sequences" => Ok(sequences as f64),
        other => Err(format!("no question {other}").into()),
    })
}
