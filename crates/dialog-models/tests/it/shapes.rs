//! Numbers of parameters, and configurations that no network can have.

use dialog_models::{Gpt2, Marian, Pairs, Seq2Seq, Seq2SeqConfig, Training};
use torch::{Device, Params};
use train::{Objective, Progress};

#[test]
fn published_networks_have_their_numbers_of_parameters() {
    // Millions, by the formulas of the paper's blocks with 32,768 tokens.
    for (hidden, evolved, plain) in [
        (128, 7.18, 6.96),
        (432, 47.66, 45.56),
        (512, 63.80, 60.88),
        (768, 130.79, 124.35),
        (1024, 221.18, 209.84),
    ] {
        for (config, millions) in [
            (Seq2SeqConfig::evolved_paper(hidden), evolved),
            (Seq2SeqConfig::plain_paper(hidden), plain),
        ] {
            let found = config.parameters() as f64 / 1e6;
            assert!((found - millions).abs() <= 0.005 + 1e-9, "{config:?}: {found}");
            assert!(config.faults().is_empty(), "{config:?}");
        }
    }
    let deep = Seq2SeqConfig::evolved_deep().parameters() as f64 / 1e6;
    assert!((deep - 217.74).abs() <= 0.005, "{deep}");
    let meena = Seq2SeqConfig::meena();
    let millions = meena.parameters() as f64 / 1e6;
    assert!((millions - 2592.0).abs() < 0.5, "{millions}");
    assert_eq!((meena.wide_heads(), meena.hidden / meena.heads), (32, 80));
    let vanilla = Seq2SeqConfig::plain(8192, 2560, 32, [1, 32]);
    assert_eq!((vanilla.parameters() as f64 / 1e7).round(), 346.0);
}

/// tensor2tensor's `uniform_unit_scaling`: ±√(6 / (inputs + outputs)), both times the taps of a
/// kernel `[taps, inputs, outputs]`, whose sides TensorFlow takes for them, depthwise or not.
#[test]
fn weights_start_as_in_tensor2tensor() {
    let _alone = torch::rng::exclusive();
    torch::rng::seed(3);
    for config in
        [Seq2SeqConfig::evolved(40, 64, 4, [1, 1]), Seq2SeqConfig::plain(40, 64, 4, [1, 1])]
    {
        let (_, params) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
        let mut kernels = 0;
        for (name, tensor) in params.tensors() {
            let (inputs, outputs) = match tensor.size()[..] {
                [outputs, inputs] if !name.starts_with("embedding") => (inputs, outputs),
                [taps, inputs, outputs] => (taps * inputs, taps * outputs),
                _ => continue,
            };
            kernels += 1;
            let bound = (6.0 / (inputs + outputs) as f64).sqrt();
            let share = tensor.abs().max().double_value(&[]) / bound;
            assert!((0.97..=1.0 + 1e-6).contains(&share), "{name} {:?}: {share}", tensor.size());
        }
        assert!(kernels > 10, "{kernels}");
    }
}

#[test]
fn counted_operations_are_those_that_pytorch_counts() {
    let text = std::fs::read_to_string("tests/golden/operations.json").expect("golden numbers");
    let golden: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let rows = golden["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 8);
    for row in rows {
        let mut config = golden["config"].clone();
        config["architecture"] = row["architecture"].clone();
        let config: Seq2SeqConfig = serde_json::from_value(config).expect("a configuration");
        let number = |key: &str| row[key].as_u64().expect("a number");
        let found = config.flops(number("context") as usize, number("response") as usize);
        assert_eq!(found, number("operations"), "{row}");
    }
}

#[test]
fn a_training_counts_forwards_and_twice_as_much_backwards() {
    let config = Seq2SeqConfig::evolved(20, 16, 2, [1, 1]);
    let mut training = Training::build(Device::Cpu, 0.0, |scope| Seq2Seq::new(scope, &config));
    let pairs = || Pairs::new(&[&[5, 6, 9], &[4]], &[&[7, 1], &[8, 3, 1]], Device::Cpu);
    let at = Progress { step: 0, steps: 1 };
    training.loss(vec![pairs()], at);
    let once = 3 * (config.flops(3, 2) + config.flops(1, 3));
    assert_eq!(training.flops(), once);
    training.loss(vec![pairs()], at);
    assert_eq!(training.flops(), 2 * once);
}

#[test]
fn counted_parameters_are_those_of_the_network() {
    let shapes = [Seq2SeqConfig::tiny(), Seq2SeqConfig::mini(), Seq2SeqConfig::evolved_paper(432)];
    for evolved in shapes {
        for config in [evolved.plain_of_equal_size(), evolved] {
            let outline = Params::outline(|scope| Seq2Seq::new(scope, &config));
            assert_eq!(outline.count() as u64, config.parameters(), "{config:?}");
        }
    }
    let small = Seq2SeqConfig::evolved(30, 8, 2, [2, 3]);
    let (_, params) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &small));
    assert_eq!(params.count() as u64, small.parameters());
}

#[test]
fn a_plain_network_of_equal_size_is_one() {
    for evolved in [Seq2SeqConfig::tiny(), Seq2SeqConfig::mini(), Seq2SeqConfig::meena()] {
        let plain = evolved.plain_of_equal_size();
        let ratio = plain.parameters() as f64 / evolved.parameters() as f64;
        assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
        assert_eq!(plain.encoder_blocks, evolved.encoder_blocks);
    }
}

#[test]
fn faults_are_named() {
    let keys =
        |config: Seq2SeqConfig| config.faults().into_iter().map(|f| f.key).collect::<Vec<_>>();
    assert!(keys(Seq2SeqConfig::default()).is_empty());
    let odd = Seq2SeqConfig { hidden: 27, heads: 3, ..Seq2SeqConfig::tiny() };
    assert_eq!(keys(odd), ["hidden", "hidden"]);
    // Its first attention would have 16 heads.
    let wide = Seq2SeqConfig { hidden: 36, heads: 9, ..Seq2SeqConfig::tiny() };
    assert_eq!(keys(wide.clone()), ["hidden"]);
    assert!(keys(wide.plain_of_equal_size()).is_empty());
    let none = Seq2SeqConfig { heads: 0, vocabulary: 1, dropout: 1.0, ..Seq2SeqConfig::tiny() };
    assert_eq!(keys(none), ["vocabulary", "heads", "dropout"]);
    let text = r#"{"architecture": "transformer", "hiden": 3}"#;
    let error = serde_json::from_str::<Seq2SeqConfig>(text).unwrap_err().to_string();
    assert!(error.contains("hiden") && error.contains("hidden"), "{error}");
}

/// As a server needs it, which keeps a network on a thread of its own.
#[test]
fn networks_can_move_to_another_thread() {
    fn moves<T: Send>() {}
    moves::<Seq2Seq>();
    moves::<Gpt2>();
    moves::<Marian>();
    moves::<Params>();
}
