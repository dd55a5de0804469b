//! Networks against their equations in PyTorch: logits, losses and gradients.
//! `tests/golden/README.md` says what the arrays are and where they come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dialog_models::{LanguageModel, Pairs, Seq2Seq, Seq2SeqConfig};
use torch::store::{self, Stored};
use torch::{Device, Kind, Mode, Params, Tensor};

/// Largest difference allowed, relative to the largest value.
pub(crate) const TOLERANCE: f64 = 1e-5;

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub(crate) fn list(t: &Tensor) -> Vec<i64> {
    Vec::try_from(t).unwrap()
}

#[track_caller]
pub(crate) fn close(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let largest = |t: &Tensor| t.abs().max().double_value(&[]);
    let difference = largest(&(ours.detach() - theirs));
    assert!(difference < TOLERANCE * largest(theirs).max(1.0), "{what} differs by {difference}");
}

/// The weights in a file of bytes: multiples of 1/64, norms around 1.
fn weights(golden: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let named = golden.iter().filter_map(|(k, v)| Some((k.strip_prefix("weight.")?, v)));
    let value = |name: &str, t: &Tensor| {
        let shift = if name.ends_with("norm.weight") { 1.0 } else { 0.0 };
        (t.to_kind(Kind::Float) - 128.0) / 64.0 + shift
    };
    named.map(|(name, t)| (name.to_owned(), value(name, t))).collect()
}

/// A file's network, its sequences, its other arrays, and the smoothing of its loss.
pub(crate) struct Case {
    pub(crate) net: Seq2Seq,
    pub(crate) params: Params,
    pub(crate) contexts: Vec<Vec<i64>>,
    pub(crate) responses: Vec<Vec<i64>>,
    pub(crate) golden: BTreeMap<String, Tensor>,
    smoothing: f64,
}

impl Case {
    pub(crate) fn read(file: &str) -> Self {
        let Stored { tensors: golden, meta } = store::load(&folder().join(file)).unwrap();
        let case: serde_json::Value = serde_json::from_str(&meta["case"]).unwrap();
        let config: Seq2SeqConfig = serde_json::from_value(case["config"].clone()).unwrap();
        let (net, params) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
        params.load(&weights(&golden)).unwrap();
        let lengths: Vec<[usize; 2]> = serde_json::from_value(case["lengths"].clone()).unwrap();
        let cut = |name: &str, k: usize| {
            let mut all = list(&golden[name]).into_iter();
            lengths.iter().map(|n| all.by_ref().take(n[k]).collect()).collect()
        };
        let (contexts, responses) = (cut("contexts", 0), cut("responses", 1));
        let smoothing = case["smoothing"].as_f64().unwrap();
        Self { net, params, contexts, responses, golden, smoothing }
    }

    pub(crate) fn pairs(&self) -> Pairs {
        let slices = |all: &[Vec<i64>]| all.iter().map(|s| s.to_vec()).collect::<Vec<_>>();
        let (contexts, responses) = (slices(&self.contexts), slices(&self.responses));
        let contexts: Vec<&[i64]> = contexts.iter().map(Vec::as_slice).collect();
        let responses: Vec<&[i64]> = responses.iter().map(Vec::as_slice).collect();
        Pairs::new(&contexts, &responses, Device::Cpu)
    }
}

fn check(file: &str) {
    let case = Case::read(file);
    let pairs = case.pairs();
    close("logits", &case.net.logits(&pairs, Mode::Train), &case.golden["logits"]);
    let loss = case.net.token_loss(&pairs, case.smoothing, Mode::Train);
    close("nll", &loss.nll, &case.golden["nll"]);
    close("loss", &loss.loss, &case.golden["loss"]);
    loss.loss.backward();
    for p in case.params.iter() {
        close(&p.name, &p.tensor.grad(), &case.golden[&format!("grad.{}", p.name)]);
    }
    // Without smoothing the loss is the mean of the same numbers.
    let plain = case.net.token_loss(&pairs, 0.0, Mode::Eval);
    close("plain loss", &plain.loss, &case.golden["nll"].mean(Kind::Float));
}

#[test]
fn the_evolved_transformer_is_its_equations() {
    check("evolved_transformer.safetensors");
}

#[test]
fn the_transformer_is_its_equations() {
    check("transformer.safetensors");
}
