//! Folders of networks: those of transformers are read, ours come back, and what does not fit is
//! named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use electra::heads::{AnswerHead, Classifier, ClassifierConfig, HeadForm, ReplacedHead};
use electra::heads::{Pooler, VocabularyHead};
use electra::hub::{self, Checkpoint, Heads, HubConfig, ProblemType};
use electra::pretrain::{PretrainConfig, Pretrainer, Task, Tower};
use electra::{Encoder, EncoderConfig, Family, PackedSequences};
use proptest::prelude::*;
use serde_json::json;
use torch::hub::HubError;
use torch::{Device, Kind, Mode, Params, Scope, Tensor, no_grad, store};
use weights::find::Places;

fn small(family: Family) -> EncoderConfig {
    EncoderConfig {
        family,
        vocabulary: 20,
        embedding: if family == Family::Bert { 16 } else { 12 },
        heads: 2,
        feed_forward: 24,
        positions: 11,
        ..EncoderConfig::sized(2, 16, 16)
    }
}

fn golden(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder)
}

fn open(folder: &Path) -> Checkpoint {
    Checkpoint::open(&folder.display().to_string(), &Places::default()).unwrap()
}

fn build<N>(make: impl FnOnce(&mut Scope<'_>) -> N) -> (N, Params) {
    Params::build(Device::Cpu, make)
}

fn discriminator(scope: &mut Scope<'_>, config: &EncoderConfig) -> (Encoder, ReplacedHead) {
    (Encoder::new(&mut scope.sub("electra"), config), ReplacedHead::new(scope, config))
}

fn bert(scope: &mut Scope<'_>, config: &EncoderConfig) -> (Encoder, Pooler, VocabularyHead) {
    let encoder = Encoder::new(&mut scope.sub("bert"), config);
    (encoder, Pooler::new(scope, config), VocabularyHead::new(scope, config))
}

fn batch() -> PackedSequences {
    PackedSequences::new(&[&[1, 5, 7, 2], &[1, 9, 2]], &[&[0, 0, 1, 1], &[0; 3]], Device::Cpu)
}

/// One network as PyTorch's file, in shards, and in the hub's cache.
#[test]
fn folders_of_transformers_are_read() {
    let files = ["config.json", "pytorch_model.bin"];
    assert!(files.iter().all(|file| golden("bin").join(file).exists()));
    let files = [
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    assert!(files.iter().all(|file| golden("shards").join(file).exists()));

    let cache = tempfile::tempdir().unwrap();
    let snapshot = cache.path().join("models--google--electra-small-discriminator/snapshots/abc");
    fs::create_dir_all(&snapshot).unwrap();
    for file in ["config.json", "pytorch_model.bin"] {
        fs::copy(golden("bin").join(file), snapshot.join(file)).unwrap();
    }
    let places = Places { hub: Some(cache.path().to_owned()), ..Places::default() };
    let cached = Checkpoint::open("google/electra-small-discriminator", &places).unwrap();

    let mut logits = Vec::new();
    for checkpoint in [open(&golden("bin")), open(&golden("shards")), cached] {
        assert_eq!(checkpoint.config.architecture.as_deref(), Some("ElectraForPreTraining"));
        let encoder = &checkpoint.config.encoder;
        assert_eq!((encoder.vocabulary, encoder.embedding, encoder.layers), (20, 12, 1));
        let ((net, head), params) = build(|scope| discriminator(scope, encoder));
        let loaded = checkpoint.load(&params, Heads::Keep).unwrap();
        assert_eq!((loaded.fresh.len(), loaded.unexpected.len()), (0, 0));
        logits.push(no_grad(|| head.forward(&net.forward(&batch(), Mode::Eval))));
    }
    assert_eq!(logits[0], logits[1]);
    assert_eq!(logits[0], logits[2]);
    assert!(logits[0].std(true).double_value(&[]) > 1e-3);
    let missing = Checkpoint::open("google/electra-base", &places).unwrap_err().to_string();
    assert!(missing.contains("google/electra-base"), "{missing}");
}

/// Writes a network's tensors under other names, and what loading them says.
fn load_renamed(
    config: &EncoderConfig,
    given: &Params,
    rename: impl Fn(&str) -> Option<String>,
    more: &[(&str, Tensor)],
    into: &Params,
    heads: Heads,
) -> Result<hub::Loaded, HubError> {
    let folder = tempfile::tempdir().unwrap();
    let renamed = given.tensors().into_iter().filter_map(|(name, t)| Some((rename(&name)?, t)));
    let more = more.iter().map(|(name, t)| ((*name).to_owned(), t.shallow_clone()));
    let tensors: Vec<_> = renamed.chain(more).collect();
    let hub = HubConfig::new(config.clone(), "Any");
    hub::save(folder.path(), &hub, &tensors, &BTreeMap::new()).unwrap();
    let checkpoint = open(folder.path());
    let loaded = checkpoint.load(into, heads);
    // What is found out before a network is made: here all faults are the encoder's.
    if heads == Heads::Replace {
        let fits = checkpoint.fits();
        assert_eq!(fits.is_ok(), loaded.is_ok(), "{:?} {:?}", fits.err(), loaded.err());
    }
    loaded
}

fn gamma(name: &str) -> String {
    name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
}

#[test]
fn names_of_older_files_and_of_bare_models_are_known() {
    let config = small(Family::Bert);
    let (_, given) = build(|scope| bert(scope, &config));
    let ((net, ..), params) = build(|scope| bert(scope, &config));
    let places = Tensor::arange(11, (Kind::Int64, Device::Cpu)).unsqueeze(0);
    let table = given.get("bert.embeddings.word_embeddings.weight").unwrap();
    let bias = given.get("cls.predictions.bias").unwrap();
    let next = Tensor::zeros([2, 16], (Kind::Float, Device::Cpu));
    let more = [
        ("bert.embeddings.position_ids", places.shallow_clone()),
        ("cls.predictions.decoder.weight", table.shallow_clone()),
        ("cls.predictions.decoder.bias", bias.shallow_clone()),
        ("cls.seq_relationship.weight", next),
    ];
    let as_published = |name: &str| Some(gamma(name));
    let loaded = load_renamed(&config, &given, as_published, &more, &params, Heads::Keep).unwrap();
    assert_eq!((loaded.fresh.len(), loaded.unexpected), (0, vec![more[3].0.to_owned()]));
    let of = |net: &Encoder| no_grad(|| net.forward(&batch(), Mode::Eval));
    let once = of(&net);
    assert!(given.iter().zip(params.iter()).all(|(a, b)| a.tensor == b.tensor));

    // Before a checkpoint was saved, the network may have been wrapped.
    for before in ["module.", "model.", "_orig_mod.", "model.discriminator."] {
        let wrapped = |name: &str| Some(format!("{before}{name}"));
        let ((net, ..), fresh) = build(|scope| bert(scope, &config));
        load_renamed(&config, &given, wrapped, &[], &fresh, Heads::Keep).unwrap();
        assert_eq!(of(&net), once, "{before}");
        let bare = |name: &str| Some(format!("{before}{}", name.strip_prefix("bert.")?));
        let ((net, ..), fresh) = build(|scope| bert(scope, &config));
        let beside = [("loss.scale", bias.shallow_clone())];
        load_renamed(&config, &given, bare, &beside, &fresh, Heads::Replace).unwrap();
        assert_eq!(of(&net), once, "{before}");
    }
    // Another encoder is named as the file names it.
    for before in ["other_", "electra."] {
        let named = |name: &str| Some(format!("{before}{}", name.strip_prefix("bert.")?));
        let (_, fresh) = build(|scope| bert(scope, &config));
        let fault = load_renamed(&config, &given, named, &[], &fresh, Heads::Replace);
        let (fault, own) = (fault.unwrap_err().to_string(), format!("{before}embeddings."));
        assert!(fault.contains("no tensor of the encoder") && fault.contains(&own), "{fault}");
    }

    // A bare model has neither the prefix nor the head.
    let bare = |name: &str| Some(name.strip_prefix("bert.")?.to_owned());
    let more = [("embeddings.position_ids", places)];
    let ((net, ..), fresh) = build(|scope| bert(scope, &config));
    let loaded = load_renamed(&config, &given, bare, &more, &fresh, Heads::Replace).unwrap();
    assert_eq!(loaded.fresh.len(), 5, "{loaded:?}");
    assert!(loaded.unexpected.is_empty());
    assert_eq!(of(&net), once);
    let error = load_renamed(&config, &given, bare, &more, &fresh, Heads::Keep).unwrap_err();
    assert!(error.to_string().contains("5 missing: cls.predictions.transform.dense"), "{error}");
}

#[test]
fn a_checkpoint_loads_completely_or_not_at_all() {
    let config = small(Family::Electra);
    let (_, given) = build(|scope| discriminator(scope, &config));
    let (_, params) = build(|scope| discriminator(scope, &config));
    let before: Vec<Tensor> = params.iter().map(|p| p.tensor.copy()).collect();
    let name = "electra.encoder.layer.1.intermediate.dense.weight";
    let without = |n: &str| (n != name).then(|| n.to_owned());
    let fault = |more: &[(&str, Tensor)], heads| {
        load_renamed(&config, &given, without, more, &params, heads).unwrap_err().to_string()
    };
    let kernel = given.get(name).unwrap();
    for heads in [Heads::Keep, Heads::Replace] {
        let missing = fault(&[], heads);
        assert!(missing.contains(&format!("1 missing: {name}")), "{missing}");
        let transposed = fault(&[(name, kernel.tr().contiguous())], heads);
        assert!(transposed.contains(&format!("{name} is [16, 24], not [24, 16]")), "{transposed}");
        // A deeper encoder's layer is never left out.
        let deeper = "electra.encoder.layer.2.output.dense.bias";
        let more = [(name, kernel.shallow_clone()), (deeper, kernel.get(0))];
        let unexpected = fault(&more, heads);
        assert!(unexpected.contains(&format!("1 unexpected: {deeper}")), "{unexpected}");
        let broken = fault(&[(name, kernel * f64::NAN)], heads);
        assert!(broken.contains(name) && broken.contains("NaN"), "{broken}");
        let whole = fault(&[(name, kernel.to_kind(Kind::Int))], heads);
        assert!(whole.contains(name) && whole.contains("integers"), "{whole}");
    }
    let own = "generator_lm_head.bias";
    let unexpected = fault(&[(name, kernel.shallow_clone()), (own, kernel.get(0))], Heads::Keep);
    assert!(unexpected.contains(own), "{unexpected}");
    assert!(params.iter().zip(&before).all(|(p, before)| &p.tensor == before));
    // An output table that is not the table of tokens is no tied one.
    let table = given.get("electra.embeddings.word_embeddings.weight").unwrap();
    let keep = |n: &str| Some(n.to_owned());
    let tied = [("generator_lm_head.weight", table.shallow_clone())];
    load_renamed(&config, &given, keep, &tied, &params, Heads::Keep).unwrap();
    let untied = [("generator_lm_head.weight", table * 2.0)];
    let error = load_renamed(&config, &given, keep, &untied, &params, Heads::Keep).unwrap_err();
    assert!(error.to_string().contains("1 unexpected: generator_lm_head.weight"), "{error}");
}

#[test]
fn heads_that_do_not_fit_stay_as_they_were_started() {
    let config = small(Family::Electra);
    let (_, given) = build(|scope| discriminator(scope, &config));
    let classes = |n| {
        let config = ClassifierConfig { encoder: config.clone(), ..Default::default() };
        build(|scope| Classifier::new(scope, &config, n))
    };
    let (_, params) = classes(3);
    let keep = |n: &str| Some(n.to_owned());
    let loaded = load_renamed(&config, &given, keep, &[], &params, Heads::Replace).unwrap();
    assert_eq!(loaded.fresh.len(), 4, "{loaded:?}");
    assert_eq!(loaded.unexpected.len(), 4, "{loaded:?}");
    let (_, two) = classes(2);
    let loaded = load_renamed(&config, &params, keep, &[], &two, Heads::Replace).unwrap();
    assert_eq!(loaded.fresh, ["classifier.out_proj.weight", "classifier.out_proj.bias"]);
    assert_eq!(two.get("classifier.dense.weight"), params.get("classifier.dense.weight"));
}

/// Both towers of a pre-training as folders, read into single networks and into a training.
#[test]
fn pretrained_towers_become_folders() {
    let encoder = EncoderConfig { vocabulary: 30, ..small(Family::Electra) };
    for task in [Task::Electra, Task::ReplaceMlm] {
        let mut config =
            PretrainConfig { task, encoder: encoder.clone(), mask: 3, ..Default::default() };
        config.generator.fraction = 0.5;
        let net = Pretrainer::new(&config, Device::Cpu);
        let other = Pretrainer::new(&config, Device::Cpu);
        let folder = tempfile::tempdir().unwrap();
        for (tower, architecture, count) in [
            (Tower::Main, if task == Task::Electra { "Pre" } else { "Mas" }, 5 + 2 + 32),
            (Tower::Generator, "Mas", 5 + 2 + 32),
        ] {
            let (hub, tensors) = net.tower(tower).expect("it");
            let head = if architecture == "Pre" { 4 } else { 5 };
            assert_eq!(tensors.len(), count + head, "{task:?} {tower:?}");
            let name = hub.architecture.clone().expect("a name");
            assert!(name.starts_with(&format!("ElectraFor{architecture}")), "{name}");
            hub::save(folder.path(), &hub, &tensors, &BTreeMap::new()).unwrap();
            let read = open(folder.path());
            assert_eq!(read.config, hub);
            let (_, wanted) = other.tower(tower).expect("it");
            read.load_tensors(&wanted, Heads::Keep).unwrap();
        }
        let same = net.tensors().iter().zip(other.tensors().iter());
        assert!(same.into_iter().all(|(a, b)| a.tensor == b.tensor));
    }
}

#[test]
fn configurations_go_round_and_say_what_they_cannot() {
    let labels = ["contradiction", "entailment", "neutral"].map(str::to_owned).to_vec();
    let mut hub = HubConfig::new(EncoderConfig::small(), "ElectraForSequenceClassification");
    hub.labels = Ok(Some(labels));
    hub.problem = Some(ProblemType::MultiLabel);
    let json = hub.to_json();
    assert_eq!(json["id2label"]["2"], "neutral");
    assert_eq!(json["label2id"]["entailment"], 1);
    assert_eq!(json["problem_type"], "multi_label_classification");
    assert_eq!(HubConfig::from_json(&json).unwrap(), hub);
    let bare = HubConfig::from_json(&json!({"model_type": "electra"})).unwrap();
    assert_eq!(bare.encoder, EncoderConfig::small());
    let bare = HubConfig::from_json(&json!({"model_type": "bert"})).unwrap();
    assert_eq!(bare.encoder, EncoderConfig::base().bert());

    let with = |key: &str, value: serde_json::Value| {
        let mut json = json.clone();
        json[key] = value;
        HubConfig::from_json(&json)
    };
    let numbered = with("id2label", json!({"0": "LABEL_0", "1": "LABEL_1"})).unwrap();
    assert_eq!(numbered.labels, Ok(None));
    // Only who needs the names of classes minds that there are none.
    for (value, said) in [
        (json!({"0": "a", "2": "b"}), "names no class 1: it begins with \"0\": \"a\", \"2\""),
        (json!({"0": 0, "1": 1}), "names no class 0: \"0\": 0 is no text"),
    ] {
        let fault = with("id2label", value).unwrap().labels.unwrap_err();
        assert!(fault.contains(said), "{fault}");
    }
    for (key, value, said) in [
        ("model_type", json!("roberta"), "roberta"),
        ("model_type", json!(null), "write \"model_type\": \"bert\""),
        ("hidden_act", json!("relu"), "`hidden_act` is \"relu\""),
        ("position_embedding_type", json!("relative_key"), "relative_key"),
        ("is_decoder", json!(true), "is_decoder"),
        ("problem_type", json!("ranking"), "`problem_type` is \"ranking\""),
        ("hidden_size", json!(-1), "hidden: -1 is not in 1 to"),
        ("hidden_size", json!("wide"), "`hidden_size` is \"wide\""),
        ("num_attention_heads", json!(7), "256 is no multiple of 7 heads"),
    ] {
        let fault = with(key, value).unwrap_err();
        assert!(fault.contains(said), "{fault}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), "{\"model_type\": ").unwrap();
    let error = HubConfig::read(&folder.path().join("config.json")).unwrap_err().to_string();
    assert!(error.contains("config.json") && error.contains("no JSON"), "{error}");
    let name = folder.path().display().to_string();
    let error = Checkpoint::open(&name, &Places::default()).unwrap_err().to_string();
    assert!(error.contains("config.json"), "{error}");
}

fn values() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!([])),
        Just(json!({"0": "a", "1": "b"})),
        any::<bool>().prop_map(|x| json!(x)),
        any::<i64>().prop_map(|x| json!(x)),
        (-3_i64..600).prop_map(|x| json!(x)),
        any::<f64>().prop_map(|x| json!(x)),
        "[a-z_]{0,12}".prop_map(|x| json!(x)),
    ]
}

proptest! {
    /// Whatever a `config.json` says, an encoder can be outlined of it or it is refused.
    #[test]
    fn no_configuration_panics(
        family in prop_oneof!["electra", "bert"],
        given in prop::collection::vec((0_usize..14, values()), 0..6),
    ) {
        let keys = [
            "vocab_size", "embedding_size", "hidden_size", "num_hidden_layers", "hidden_act",
            "num_attention_heads", "intermediate_size", "max_position_embeddings", "id2label",
            "type_vocab_size", "layer_norm_eps", "hidden_dropout_prob", "architectures",
            "pad_token_id",
        ];
        let mut json = json!({"model_type": family, "num_hidden_layers": 1});
        for (key, value) in given {
            json[keys[key]] = value;
        }
        if let Ok(config) = HubConfig::from_json(&json) {
            let shape = &config.encoder;
            let params = Params::outline(|scope| drop(Encoder::new(scope, shape)));
            prop_assert!(params.count() > 0);
            prop_assert_eq!(HubConfig::from_json(&config.to_json()).unwrap(), config);
        }
    }
}

/// Folders for `xtask/peers/electra_folders.py`, which reads them with transformers: each with what
/// our network makes of it, in `expected.safetensors`.
#[test]
#[ignore = "writes folders for xtask/peers/electra_folders.py into $ELECTRA_FOLDERS"]
fn folders_for_transformers() {
    let root = PathBuf::from(std::env::var_os("ELECTRA_FOLDERS").expect("ELECTRA_FOLDERS"));
    let write = |name: &str, hub: &HubConfig, params: &Params, output: Tensor| {
        let folder = root.join(name);
        hub::save(&folder, hub, &params.tensors(), &BTreeMap::new()).unwrap();
        let batch = batch();
        let lengths: Vec<i64> = batch.lengths().iter().map(|&n| n as i64).collect();
        let expected = [
            ("ids".to_owned(), batch.ids().shallow_clone()),
            ("segments".to_owned(), batch.segments().shallow_clone()),
            ("lengths".to_owned(), Tensor::from_slice(&lengths)),
            ("output".to_owned(), output.detach()),
        ];
        store::save(&folder.join("expected.safetensors"), &expected, &BTreeMap::new()).unwrap();
    };
    let electra = small(Family::Electra);
    let ((net, head), params) = build(|scope| discriminator(scope, &electra));
    let logits = head.forward(&net.forward(&batch(), Mode::Eval));
    write(
        "pretraining",
        &HubConfig::new(electra.clone(), "ElectraForPreTraining"),
        &params,
        logits,
    );
    let config = ClassifierConfig { encoder: electra.clone(), ..Default::default() };
    let (net, params) = build(|scope| Classifier::new(scope, &config, 3));
    let mut hub = HubConfig::new(electra.clone(), "ElectraForSequenceClassification");
    hub.labels = Ok(Some(["a", "b", "c"].map(str::to_owned).to_vec()));
    write("classification", &hub, &params, net.classify(&batch(), Mode::Eval));
    let config = PretrainConfig { encoder: electra, mask: 3, ..Default::default() };
    let net = Pretrainer::new(&config, Device::Cpu);
    let (hub, tensors) = net.tower(Tower::Generator).expect("one");
    let ((encoder, head), params) = build(|scope| {
        let encoder = Encoder::new(&mut scope.sub("electra"), &hub.encoder);
        (encoder, VocabularyHead::new(scope, &hub.encoder))
    });
    params.load(&tensors.into_iter().collect()).unwrap();
    let x = encoder.forward(&batch(), Mode::Eval);
    write("masked_lm", &hub, &params, head.logits(&x, encoder.embeddings().words()));
    let shape = small(Family::Bert);
    let ((net, head), params) = build(|scope| {
        let encoder = Encoder::new(&mut scope.sub("bert"), &shape);
        (encoder, VocabularyHead::new(scope, &shape))
    });
    let x = net.forward(&batch(), Mode::Eval);
    let logits = head.logits(&x, net.embeddings().words());
    write("bert_masked_lm", &HubConfig::new(shape.clone(), "BertForMaskedLM"), &params, logits);
    let config =
        ClassifierConfig { encoder: shape.clone(), form: HeadForm::Pooler, ..Default::default() };
    let (net, params) = build(|scope| Classifier::new(scope, &config, 2));
    let mut hub = HubConfig::new(shape, "BertForSequenceClassification");
    hub.labels = Ok(Some(["no", "yes"].map(str::to_owned).to_vec()));
    write("bert_classification", &hub, &params, net.classify(&batch(), Mode::Eval));
}

/// ELECTRA's own head for questions has no counterpart in transformers; it goes round by itself.
#[test]
fn the_head_for_answers_is_kept() {
    let config = small(Family::Electra);
    let (_, params) = build(|scope| AnswerHead::new(scope, &config));
    assert_eq!(params.get("answer.end.dense.weight").expect("it").size(), [512, 32]);
    let (_, again) = build(|scope| AnswerHead::new(scope, &config));
    let keep = |n: &str| Some(n.to_owned());
    load_renamed(&config, &params, keep, &[], &again, Heads::Keep).unwrap();
    assert!(params.iter().zip(again.iter()).all(|(a, b)| a.tensor == b.tensor));
}

/// `config.json` may ask for a network of any size: what the file has is looked at before memory is
/// taken for it. This one would need 600 GB.
#[test]
fn a_configuration_that_the_weights_do_not_have_is_refused_without_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["pytorch_model.bin", "config.json"] {
        fs::copy(golden("bin").join(file), folder.path().join(file)).expect("copied");
    }
    let path = folder.path().join("config.json");
    let mut config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).expect("it")).expect("JSON");
    config["hidden_size"] = json!(16_384);
    config["intermediate_size"] = json!(65_536);
    config["num_hidden_layers"] = json!(200);
    fs::write(&path, config.to_string()).expect("written");
    let error = open(folder.path()).fits().expect_err("another net").to_string();
    assert!(error.contains("pytorch_model.bin") && error.contains("16384"), "{error}");
    assert!(open(&golden("bin")).fits().is_ok());
}
