//! Checkpoints of google-research's code: the same tensors as transformers makes of them, whole or
//! not at all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use electra::heads::{ReplacedHead, VocabularyHead};
use electra::hub::{Checkpoint, Heads, HubConfig, Network};
use electra::{Encoder, Family};
use torch::{Device, Params};
use weights::find::Places;
use weights::{StateDict, TensorData};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(name: &str) -> StateDict {
    weights::open(&golden(name)).expect("a golden file")
}

/// The tensors under our names, of which transformers' tied ones are left away.
fn same(checkpoint: &Checkpoint, expected: &str) {
    let expected = read(expected).tensors;
    let names: Vec<&String> = checkpoint.weights.tensors.keys().collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>());
    for (name, tensor) in &expected {
        assert!(checkpoint.weights.tensors[name] == *tensor, "{name}");
    }
}

#[test]
fn both_networks_of_a_training_are_those_of_transformers() {
    let folder = copied(["electra_tf.index", "electra_tf.data-00000-of-00001"]);
    let whole = weights::open(folder.path()).expect("a checkpoint");
    let (main, left_out) = Checkpoint::from_tensorflow(&whole, Network::Main).expect("ELECTRA");
    same(&main, "electra_tf_discriminator.safetensors");
    let e = &main.config.encoder;
    assert_eq!((e.vocabulary, e.embedding, e.hidden, e.layers), (20, 16, 32, 2));
    assert_eq!((e.feed_forward, e.heads, e.positions, e.segments), (128, 1, 12, 2));
    assert_eq!(main.config.architecture.as_deref(), Some("ElectraForPreTraining"));
    for name in ["global_step", "electra/embeddings_project/kernel/adam_m"] {
        assert!(left_out.iter().any(|left| left == name), "{name}");
    }
    let (other, _) = Checkpoint::from_tensorflow(&whole, Network::Generator).expect("a generator");
    same(&other, "electra_tf_generator.safetensors");
    assert_eq!((other.config.encoder.hidden, other.config.encoder.embedding), (8, 16));
    // Both are whole: networks with their heads take them as they are.
    let (_, params) = Params::build(Device::Cpu, |scope| {
        let encoder = Encoder::new(&mut scope.sub("electra"), e);
        (encoder, ReplacedHead::new(scope, e))
    });
    main.load(&params, Heads::Keep).expect("a discriminator");
    let e = &other.config.encoder;
    let (_, params) = Params::build(Device::Cpu, |scope| {
        let encoder = Encoder::new(&mut scope.sub("electra"), e);
        (encoder, VocabularyHead::new(scope, e))
    });
    other.load(&params, Heads::Keep).expect("a generator");
}

#[test]
fn bert_is_that_of_transformers() {
    let (bert, left_out) =
        Checkpoint::from_tensorflow(&read("bert_tf.index"), Network::Main).expect("BERT");
    same(&bert, "bert_tf.safetensors");
    assert_eq!((bert.config.encoder.family, left_out.len()), (Family::Bert, 0));
    let error = Checkpoint::from_tensorflow(&read("bert_tf.index"), Network::Generator);
    assert!(error.expect_err("BERT").to_string().contains("no generator"));
}

/// The head of google-research's fine-tuning is none of transformers', and says so by its name.
#[test]
fn architectures_are_those_of_the_heads_that_are_there() {
    let mut tuned = read("bert_tf.index");
    let architecture = |read: &StateDict| {
        let (found, left_out) = Checkpoint::from_tensorflow(read, Network::Main).expect("BERT");
        (found.config.architecture.expect("one"), left_out)
    };
    let pretrained = architecture(&tuned).0;
    assert!(["BertForPreTraining", "BertForMaskedLM"].contains(&pretrained.as_str()));
    tuned.tensors.retain(|name, _| !name.starts_with("cls/"));
    for name in ["output_bias", "output_weights"] {
        tuned.tensors.insert(name.to_owned(), TensorData::from_f32(vec![1], &[0.0]));
    }
    let (encoder, left_out) = architecture(&tuned);
    assert_eq!(
        (encoder.as_str(), left_out),
        ("BertModel", vec!["output_bias".to_owned(), "output_weights".to_owned()])
    );
}

fn copied(files: [&str; 2]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in files {
        fs::copy(golden(file), folder.path().join(file)).expect("copied");
    }
    folder
}

/// A folder as google-research's zip files have them is opened as it is.
#[test]
fn a_folder_without_config_json_is_opened() {
    let folder = copied(["bert_tf.index", "bert_tf.data-00000-of-00001"]);
    let asked = folder.path().display().to_string();
    let opened = Checkpoint::open(&asked, &Places::default()).expect("BERT");
    assert_eq!(opened.config.encoder.heads, 1);
    // What BERT's zip files have beside it.
    let config = |heads: i64, hidden: i64| {
        let text = format!(
            r#"{{"hidden_size": {hidden}, "num_attention_heads": {heads}, "vocab_size": 20,
                "intermediate_size": 64, "num_hidden_layers": 2, "max_position_embeddings": 12}}"#
        );
        fs::write(folder.path().join("bert_config.json"), text).expect("written");
    };
    config(4, 16);
    let opened = Checkpoint::open(&asked, &Places::default()).expect("BERT");
    assert_eq!(opened.config.encoder.heads, 4);
    config(4, 32);
    let error = Checkpoint::open(&asked, &Places::default()).expect_err("another").to_string();
    assert!(error.contains("bert_config.json") && error.contains("another"), "{error}");
}

#[test]
fn what_is_written_is_read_again() {
    let (main, _) =
        Checkpoint::from_tensorflow(&read("electra_tf.index"), Network::Main).expect("ELECTRA");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("hub");
    main.save(&out).expect("written");
    assert_eq!(HubConfig::read(&out.join("config.json")).expect("it"), main.config);
    let again = Checkpoint::open(&out.display().to_string(), &Places::default()).expect("read");
    assert_eq!(again.weights.tensors, main.weights.tensors);
}

#[test]
fn an_encoder_is_there_as_a_whole_or_not_at_all() {
    let changed = |change: &dyn Fn(&mut BTreeMap<String, TensorData>)| -> String {
        let mut whole = read("electra_tf.index");
        change(&mut whole.tensors);
        Checkpoint::from_tensorflow(&whole, Network::Main).expect_err("a fault").to_string()
    };
    let query = "electra/encoder/layer_1/attention/self/query/kernel";
    let error = changed(&|tensors| drop(tensors.remove(query)));
    assert!(error.contains("electra.encoder.layer.1.attention.self.query.weight"), "{error}");
    let error = changed(&|tensors| {
        let odd = TensorData::from_f32(vec![16, 64], &[0.0; 1024]);
        tensors.insert(query.to_owned(), odd);
    });
    assert!(error.contains("[64, 16]") && error.contains("[32, 32]"), "{error}");
    let error = changed(&|tensors| {
        let odd = TensorData::from_f32(vec![1024], &[0.0; 1024]);
        tensors.insert(query.to_owned(), odd);
    });
    assert!(error.contains(query) && error.contains("[1024]"), "{error}");
    // A table of as many rows as no memory has, and of no numbers.
    let error = changed(&|tensors| {
        let empty = TensorData::from_f32(vec![1 << 40, 0], &[]);
        tensors.insert("electra/embeddings/position_embeddings".to_owned(), empty);
    });
    assert!(error.contains("position_embeddings") && error.contains("no matrix"), "{error}");
    // One row as wide as no network is.
    let error = changed(&|tensors| {
        let wide = TensorData::from_f32(vec![1 << 20, 1], &[0.0; 1 << 20]);
        tensors.insert("electra/encoder/layer_0/intermediate/dense/kernel".to_owned(), wide);
    });
    assert!(error.contains("query") || error.contains("hidden"), "{error}");
    let error = changed(&|tensors| {
        tensors.remove("electra/embeddings/word_embeddings");
    });
    assert!(error.contains("neither ELECTRA's nor BERT's"), "{error}");
}
