//! UDA's training step on texts and TF-IDF replacement, for `cargo xtask bench uda-text --peers`:
//! `xtask/peers/bench_uda_text.py` does the same in PyTorch and plain Python.
//!
//! ```text
//! uda_text_step make DIR                          writes what all sides work on
//! uda_text_step serve DIR CASE THREADS PRECISION  trains while it is asked
//! ```
//!
//! Each line of its input is a question: `steps N` is answered with the median seconds of the next
//! N steps, `peak` with the most memory so far in MiB, `tf-idf S` with the texts that one core
//! changes in a second, measured for S seconds.

use std::fs;
use std::path::Path;
use std::time::Instant;

use augment::rng::{Key, Rng};
use augment::text::tfidf::TfIdf;
use augment::text::words::words;
use benches::{Error, SEED, arguments, median, precision};
use data_pipeline::dataset::addresses;
use electra::heads::{Classifier, ClassifierConfig, HeadForm};
use electra::{EncoderConfig, Family};
use ssl_core::methods::{Uda, UdaConfig};
use ssl_core::parts::{Tsa, WeakPass};
use ssl_core::{Batch, Method, Ssl, TaskInfo};
use torch::optim::{AdamW, OptimConfig};
use torch::precision::{Precision, autocast};
use torch::{Device, Model, Tensor};
use train::{Objective, Progress};

/// Labelled texts of a step, and unlabelled ones for each of them.
const LABELED: usize = 8;
const RATIO: usize = 3;

/// Tokens of a sequence at most, and of the vocabulary.
const LONGEST: usize = 128;
const VOCABULARY: usize = 30_522;

/// Steps whose batches are made; they come again and again.
const BATCHES: usize = 16;

/// What fills up sequences.
const PAD: i64 = -1;

/// The lengths of a case: film reviews, of which most are cut, or texts of any length.
fn length(case: &str, rng: &mut Rng) -> usize {
    let drawn = match case {
        "reviews" => (230.0 * (1.2 * (rng.unit() + rng.unit() + rng.unit() - 1.5)).exp()) as usize,
        "sentences" => 8 + rng.below(LONGEST - 8),
        other => panic!("there is no case {other}"),
    };
    drawn.clamp(8, LONGEST)
}

/// A line of token ids a text: for each batch its labelled texts, then the unlabelled ones, then
/// what became of these.
fn batches(case: &str) -> String {
    let mut rng = Key { seed: SEED, epoch: 0, index: 0, view: 0 }.rng();
    let mut lines = String::new();
    for _ in 0..BATCHES * LABELED * (1 + 2 * RATIO) {
        let ids = (0..length(case, &mut rng)).map(|_| (1 + rng.below(VOCABULARY - 1)).to_string());
        lines += &ids.collect::<Vec<_>>().join(" ");
        lines.push('\n');
    }
    lines
}

/// Texts of about 230 words, one a line.
fn texts() -> String {
    let mut lines = String::new();
    for address in addresses::load() {
        let mut text = String::new();
        for sentence in &address.sentences {
            text += sentence;
            text.push(' ');
            if text.split(' ').count() > 230 {
                lines += text.trim();
                lines.push('\n');
                text.clear();
            }
        }
    }
    lines
}

fn padded(rows: &[Vec<i64>]) -> Tensor {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut flat = vec![PAD; rows.len() * 2 * width];
    for (both, row) in flat.chunks_exact_mut(2 * width).zip(rows) {
        both[..row.len()].copy_from_slice(row);
        both[width..width + row.len()].fill(0);
    }
    Tensor::from_slice(&flat).view([rows.len() as i64, 2, width as i64])
}

fn read(path: &Path) -> Result<Vec<Batch>, Error> {
    let text = fs::read_to_string(path)?;
    let ids = |line: &str| line.split(' ').map(str::parse).collect::<Result<Vec<i64>, _>>();
    let rows = text.lines().map(ids).collect::<Result<Vec<_>, _>>()?;
    let batch = |rows: &[Vec<i64>]| {
        let labels: Vec<i64> = (0..LABELED as i64).map(|i| i % 2).collect();
        let (labeled, unlabeled) = rows.split_at(LABELED);
        let (plain, changed) = unlabeled.split_at(LABELED * RATIO);
        // Views are joined: all of a step have one width.
        let all = padded(rows);
        let part = |from: usize, rows: &[Vec<i64>]| all.narrow(0, from as i64, rows.len() as i64);
        let x = Batch::labeled(part(0, labeled), Tensor::from_slice(&labels));
        let u = vec![part(LABELED, plain), part(LABELED * (1 + RATIO), changed)];
        Batch { u, ..x }
    };
    Ok(rows.chunks_exact(LABELED * (1 + 2 * RATIO)).map(batch).collect())
}

fn net() -> ClassifierConfig {
    let encoder = EncoderConfig {
        family: Family::Bert,
        vocabulary: VOCABULARY as i64,
        embedding: 384,
        hidden: 384,
        layers: 6,
        heads: 12,
        feed_forward: 1536,
        ..EncoderConfig::small()
    };
    ClassifierConfig { encoder, form: HeadForm::Pooler, pad: PAD, ..ClassifierConfig::default() }
}

fn serve(folder: &Path, case: &str, precision: Precision) -> Result<(), Error> {
    let batches = read(&folder.join(format!("{case}.txt")))?;
    let (tsa, weak_pass) = (Tsa::Linear, WeakPass::ApartNoised);
    let config =
        UdaConfig { temperature: 0.85, threshold: 0.0, tsa, weak_pass, ..UdaConfig::default() };
    let task = TaskInfo { classes: 2, unlabeled: 24, device: Device::Cpu };
    let method: Box<dyn Method> = Box::new(Uda::new(config, &task));
    let model = Model::build(Device::Cpu, |scope| Classifier::new(scope, &net(), 2));
    let mut ssl = Ssl::new(method, model, None);
    let mut optimizer = OptimConfig::Adamw(AdamW::bert()).build(ssl.params());
    let mut step = 0;
    let mut one = |step: u64| {
        let began = Instant::now();
        optimizer.zero_grad();
        let batch = batches[step as usize % batches.len()].shallow_clone();
        let at = Progress { step, steps: 10_000 };
        autocast(precision, Device::Cpu, || ssl.loss(batch, at).total()).backward();
        optimizer.clip_grad_norm(1.0);
        optimizer.step(2e-5);
        began.elapsed().as_secs_f64()
    };
    let corpus: Vec<Vec<String>> =
        fs::read_to_string(folder.join("texts.txt"))?.lines().map(words).collect();
    benches::serve(|question| match question.split_once(' ') {
        Some(("steps", n)) => {
            let times = (0..n.parse::<usize>()?).map(|_| {
                step += 1;
                one(step)
            });
            Ok(median(times.collect()))
        }
        Some(("tf-idf", seconds)) => Ok(tf_idf(&corpus, seconds.parse()?)),
        _ => Err(format!("no question {question}").into()),
    })
}

/// Texts a second, from words that were looked up once, as in a training, to words.
fn tf_idf(corpus: &[Vec<String>], seconds: f64) -> f64 {
    let statistics = TfIdf::of(corpus);
    let corpus: Vec<_> = corpus.iter().map(|text| statistics.document(text)).collect();
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed().as_secs_f64() < seconds {
        for (index, text) in corpus.iter().enumerate() {
            let key = Key { seed: SEED, epoch: done, index: index as u64, view: 0 };
            std::hint::black_box(statistics.replaced(text, 0.7, &mut key.rng()));
        }
        done += 1;
    }
    (done as usize * corpus.len()) as f64 / began.elapsed().as_secs_f64()
}

fn main() -> Result<(), Error> {
    let arguments = arguments()?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make", folder] => {
            let folder = Path::new(folder);
            for case in ["reviews", "sentences"] {
                fs::write(folder.join(format!("{case}.txt")), batches(case))?;
            }
            Ok(fs::write(folder.join("texts.txt"), texts())?)
        }
        ["serve", folder, case, threads, numbers] => {
            torch::device::set_threads(threads.parse()?);
            let precision = precision(numbers);
            serve(Path::new(folder), case, precision)
        }
        _ => Err("uda_text_step make DIR | serve DIR CASE THREADS PRECISION".into()),
    }
}
