//! Numbers of parameters and names, without memory for the values.

use electra::heads::{Classifier, ClassifierConfig, Pooler, ReplacedHead};
use electra::pretrain::{GeneratorConfig, PretrainConfig, Pretrainer, Sharing, Task};
use electra::{Encoder, EncoderConfig, PackedSequences, presets};
use torch::{Device, Mode, Params, Role, no_grad};

fn count(config: &EncoderConfig, head: bool) -> usize {
    let prefix = config.family.prefix();
    let params = Params::outline(|scope| {
        let _ = Encoder::new(&mut scope.sub(prefix), config);
        match prefix {
            "bert" if head => drop(Pooler::new(scope, config)),
            _ if head => drop(ReplacedHead::new(scope, config)),
            _ => {}
        }
    });
    params.count()
}

#[test]
fn published_sizes_have_their_numbers_of_parameters() {
    for (config, encoder, head) in [
        (EncoderConfig::small(), 13_483_008, 66_049),
        (EncoderConfig::base(), 108_891_648, 591_361),
        (EncoderConfig::large(), 334_092_288, 1_050_625),
    ] {
        assert_eq!(count(&config, false), encoder);
        assert_eq!(count(&config, true), encoder + head);
    }
    assert_eq!(count(&EncoderConfig::base().bert(), true), 109_482_240);
    assert_eq!(count(&EncoderConfig::large().bert(), true), 335_141_888);
}

#[test]
fn generators_have_as_many_layers_and_their_own_projection() {
    let outline = |config: &PretrainConfig| Pretrainer::outline(config);
    let small = PretrainConfig::default();
    let params = outline(&small);
    let shape = |name: &str| params.get(name).unwrap_or_else(|| panic!("{name}")).size();
    assert_eq!(shape("generator.embeddings_project.weight"), [64, 128]);
    assert_eq!(shape("generator.encoder.layer.11.intermediate.dense.weight"), [256, 64]);
    assert_eq!(shape("generator_predictions.dense.weight"), [128, 64]);
    assert!(params.get("generator.embeddings.word_embeddings.weight").is_none());
    assert_eq!(small.generator_encoder().expect("one").heads, 1);
    let base = EncoderConfig::base().generator(1.0 / 3.0);
    assert_eq!((base.hidden, base.heads, base.feed_forward, base.layers), (256, 4, 1024, 12));

    let with = |sharing| PretrainConfig {
        generator: GeneratorConfig { sharing, ..GeneratorConfig::default() },
        ..PretrainConfig::default()
    };
    let own = outline(&with(Sharing::Nothing));
    let table = own.get("generator.embeddings.word_embeddings.weight").expect("its own");
    assert_eq!(table.size(), [30_522, 64]);
    let one = outline(&with(Sharing::Everything));
    assert!(one.names().all(|name| !name.starts_with("generator.")));
    let mlm = outline(&PretrainConfig { task: Task::Mlm, ..PretrainConfig::default() });
    assert!(mlm.names().all(|name| !name.starts_with("generator")));
    assert_eq!(mlm.get("predictions.bias").expect("it").size(), [30_522]);
}

/// The rule of ELECTRA's released code by names is the rule of weight decay by roles.
#[test]
fn what_decays_is_what_names_say() {
    for task in [Task::Electra, Task::AllTokensMlm] {
        let params = Pretrainer::outline(&PretrainConfig { task, ..PretrainConfig::default() });
        for p in params.iter() {
            let excluded = ["LayerNorm", "layer_norm", "bias"].iter().any(|w| p.name.contains(w));
            assert_eq!(p.role == Role::Weight, !excluded, "{}", p.name);
        }
    }
}

#[test]
fn presets_are_sound_and_have_names_of_their_own() {
    let all = presets();
    for preset in &all {
        assert_eq!(preset.config.faults(), [], "{}", preset.name);
        assert!(preset.length as i64 <= preset.config.encoder.positions);
        assert_eq!(all.iter().filter(|other| other.name == preset.name).count(), 1);
        let text = toml::to_string(preset).unwrap();
        assert_eq!(&toml::from_str::<electra::Preset>(&text).unwrap(), preset);
    }
    let base = all.iter().find(|p| p.name == "base").expect("base");
    assert_eq!((base.batch, base.length, base.lr, base.steps), (256, 512, 2e-4, 766_000));
}

#[test]
fn values_that_no_network_can_have_are_named() {
    let encoder = EncoderConfig {
        heads: 3,
        dropout: 1.0,
        layers: 0,
        norm_eps: f64::NAN,
        ..EncoderConfig::small()
    };
    let keys: Vec<_> = encoder.faults().into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["layers", "hidden", "dropout", "norm_eps"]);
    let generator = GeneratorConfig { fraction: 0.0, train: false, ..GeneratorConfig::default() };
    let config = PretrainConfig { mask: 30_522, generator, ..PretrainConfig::default() };
    let keys: Vec<_> = config.faults().into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["generator.fraction", "generator.train", "mask"]);
    let unknown = toml::from_str::<PretrainConfig>("task = 'electra'\nmaks = 3");
    assert!(unknown.unwrap_err().to_string().contains("maks"));
}

#[test]
#[should_panic(expected = "256 is no multiple of 3 heads")]
fn an_encoder_with_a_fault_is_not_made() {
    let _ = count(&EncoderConfig { heads: 3, ..EncoderConfig::small() }, false);
}

#[test]
#[should_panic(expected = "0 classes: at least 1 is needed")]
fn a_classifier_tells_at_least_one_class() {
    let config = ClassifierConfig::default();
    let _ = Params::outline(|scope| drop(Classifier::new(scope, &config, 0)));
}

#[test]
#[should_panic(expected = "103 is not in a vocabulary of 50")]
fn a_pre_training_with_a_fault_is_not_made() {
    let encoder = EncoderConfig { vocabulary: 50, ..EncoderConfig::small() };
    let _ = Pretrainer::outline(&PretrainConfig { encoder, ..PretrainConfig::default() });
}

/// As a server needs it, which keeps a network on a thread of its own.
#[test]
fn a_network_moves_to_another_thread() {
    let config = EncoderConfig { vocabulary: 50, ..EncoderConfig::tiny() };
    let (net, params) =
        Params::build(Device::Cpu, |scope| Encoder::new(&mut scope.sub("electra"), &config));
    let said = |net: &Encoder| {
        let ids: [&[i64]; 1] = [&[1, 7, 2]];
        let batch = PackedSequences::new(&ids, &[&[0; 3]], Device::Cpu);
        no_grad(|| net.forward(&batch, Mode::Eval))
    };
    let here = said(&net);
    let there = std::thread::spawn(move || (said(&net), params)).join().expect("a result");
    assert_eq!(there.0, here);
}
