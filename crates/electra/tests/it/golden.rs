//! Encoders and heads against transformers: logits and gradients.
//! `tests/golden/README.md` says what the arrays are and where they come from.

use std::collections::BTreeMap;
use std::path::Path;

use electra::heads::{
    Classifier, ClassifierConfig, HeadForm, Pooler, ReplacedHead, SpanHead, Tagger, VocabularyHead,
};
use electra::hub::HubConfig;
use electra::{Encoder, EncoderConfig, PackedSequences};
use torch::store::{self, Stored};
use torch::{Device, Kind, Mode, Params, Scope, Tensor};

/// Largest difference allowed, relative to the largest value.
pub(crate) const TOLERANCE: f64 = 1e-4;

pub(crate) fn read(name: &str) -> (BTreeMap<String, Tensor>, serde_json::Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let Stored { tensors, meta } =
        store::load(&folder.join(format!("{name}.safetensors"))).unwrap();
    (tensors, serde_json::from_str(&meta["case"]).unwrap())
}

/// The weights in a file of bytes: multiples of 1/64, norms around 1.
pub(crate) fn weights(golden: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let named = golden.iter().filter_map(|(k, v)| Some((k.strip_prefix("weight.")?, v)));
    let value = |name: &str, t: &Tensor| {
        let shift = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
        (t.to_kind(Kind::Float) - 128.0) / 64.0 + shift
    };
    named.map(|(name, t)| (name.to_owned(), value(name, t))).collect()
}

/// The real tokens of a file.
pub(crate) fn batch(golden: &BTreeMap<String, Tensor>) -> PackedSequences {
    let list = |name: &str| Vec::<i64>::try_from(&golden[name]).unwrap();
    let lengths: Vec<usize> = list("lengths").iter().map(|&n| n as usize).collect();
    PackedSequences::from_parts(&list("ids"), &list("segments"), &lengths, Device::Cpu)
}

#[track_caller]
pub(crate) fn close(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let largest = |t: &Tensor| t.abs().max().double_value(&[]);
    let difference = largest(&(ours.detach() - theirs));
    assert!(difference < TOLERANCE * largest(theirs).max(1.0), "{what} differs by {difference}");
}

/// Makes a network, loads a file's weights, and compares what `run` gives, by name, and the
/// gradients of a weighted sum of all of it.
fn check<N>(
    name: &str,
    make: impl FnOnce(&mut Scope<'_>, &EncoderConfig) -> N,
    run: impl Fn(&N, &PackedSequences) -> Vec<(&'static str, Tensor)>,
) {
    let (golden, case) = read(name);
    let config = HubConfig::from_json(&case["config"]).unwrap().encoder;
    let (net, params) = Params::build(Device::Cpu, |scope| make(scope, &config));
    let prefix = format!("{}.", config.family.prefix());
    let bare = name == "bert";
    let given = weights(&golden).into_iter();
    let given = given.map(|(k, v)| (if bare { format!("{prefix}{k}") } else { k }, v)).collect();
    params.load(&given).unwrap();
    let outputs = run(&net, &batch(&golden));
    let mut total = Tensor::from(0f32);
    for (what, ours) in outputs {
        close(&format!("{name} {what}"), &ours, &golden[what]);
        let places = Tensor::arange(ours.numel() as i64, (Kind::Int64, Device::Cpu));
        let weights = places.remainder(7).view_as(&ours) - 3.0;
        total += (ours * weights).sum(Kind::Float);
    }
    total.backward();
    let mut compared = 0;
    for (key, theirs) in golden.iter().filter_map(|(k, v)| Some((k.strip_prefix("grad.")?, v))) {
        let key = if bare { format!("{prefix}{key}") } else { key.to_owned() };
        let ours = params.get(&key).unwrap_or_else(|| panic!("{key}")).grad();
        close(&format!("{name}: gradient of {key}"), &ours, theirs);
        compared += 1;
    }
    assert!(compared > 30, "{compared} gradients of {name}");
}

fn encoder(scope: &mut Scope<'_>, config: &EncoderConfig) -> Encoder {
    Encoder::new(&mut scope.sub(config.family.prefix()), config)
}

#[test]
fn discriminator_is_transformers() {
    check(
        "pretraining",
        |scope, config| (encoder(scope, config), ReplacedHead::new(scope, config)),
        |(net, head), batch| vec![("logits", head.forward(&net.forward(batch, Mode::Eval)))],
    );
}

fn masked_lm(name: &str) {
    check(
        name,
        |scope, config| (encoder(scope, config), VocabularyHead::new(scope, config)),
        |(net, head), batch| {
            let x = net.forward(batch, Mode::Eval);
            vec![("logits", head.logits(&x, net.embeddings().words()))]
        },
    );
}

#[test]
fn masked_language_models_are_transformers() {
    masked_lm("masked_lm");
    masked_lm("bert_masked_lm");
}

#[test]
fn bert_with_its_pooler_is_transformers() {
    check(
        "bert",
        |scope, config| (encoder(scope, config), Pooler::new(scope, config)),
        |(net, pooler), batch| {
            let x = net.forward(batch, Mode::Eval);
            let pooled = pooler.forward(&x, batch);
            vec![("hidden", x), ("pooled", pooled)]
        },
    );
}

fn classifier(name: &str, form: HeadForm) {
    check(
        name,
        |scope, encoder| {
            let encoder = encoder.clone();
            Classifier::new(scope, &ClassifierConfig { encoder, form, ..Default::default() }, 3)
        },
        |net, batch| vec![("logits", net.classify(batch, Mode::Eval))],
    );
}

#[test]
fn classifiers_are_transformers() {
    classifier("classification", HeadForm::Electra);
    classifier("bert_classification", HeadForm::Pooler);
}

#[test]
fn token_classification_is_transformers() {
    check(
        "tokens",
        |scope, config| Tagger::new(scope, config, 4),
        |net, batch| vec![("logits", net.forward(batch, Mode::Eval))],
    );
}

#[test]
fn question_answering_is_transformers() {
    check("answers", SpanHead::new, |net, batch| {
        let [start, end] = net.forward(batch, Mode::Eval);
        vec![("start", start), ("end", end)]
    });
}
