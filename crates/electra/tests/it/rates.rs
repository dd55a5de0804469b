//! The optimiser, the schedule and the rates of layers, with values worked out by hand.

use electra::{FineTuning, LayerRates, presets};
use torch::optim::{AdamW, OptimConfig};
use torch::{Device, Init, Kind, Params, Role, Tensor};
use train::{Progress, Schedule, WarmUp};

/// Adam of BERT and ELECTRA: no bias correction, decay beside the gradient.
#[test]
fn adam_does_not_correct_its_means() {
    let steps = |config: AdamW| {
        let make =
            |scope: &mut torch::Scope<'_>| scope.tensor("p", &[1], Role::Weight, Init::Const(1.0));
        let (p, params) = Params::build(Device::Cpu, make);
        let mut optimizer = OptimConfig::Adamw(config).build(&params);
        [0.1, -0.2, 0.3].map(|slope| {
            optimizer.zero_grad();
            (&p * slope).sum(Kind::Float).backward();
            optimizer.step(1e-3);
            p.double_value(&[0])
        })
    };
    let near = |found: [f64; 3], expected: [f64; 3]| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 2e-7, "{found}, not {expected}");
        }
    };
    let bert = AdamW::bert();
    assert_eq!((bert.beta1, bert.beta2, bert.eps, bert.weight_decay), (0.9, 0.999, 1e-6, 0.01));
    near(steps(bert), [0.9968287220, 0.9983743242, 0.9966653600]);
    let corrected = AdamW { bias_correction: true, ..bert };
    near(steps(corrected), [0.9989900100, 0.9993461213, 0.9989928884]);
}

#[test]
fn the_warm_up_multiplies_the_decay() {
    let rate = |rule, step| {
        let schedule = Schedule::DecayFromStart { from: 5e-4, warmup: 10_000, rule };
        schedule.at(Progress { step, steps: 1_000_000 })
    };
    for (rule, step, expected) in [
        (WarmUp::Times, 0, 0.0),
        (WarmUp::Times, 5_000, 2.4875e-4),
        (WarmUp::Times, 10_000, 4.95e-4),
        (WarmUp::Instead, 0, 0.0),
        (WarmUp::Instead, 5_000, 2.5e-4),
        (WarmUp::Instead, 10_000, 4.95e-4),
    ] {
        let found = rate(rule, step);
        assert!((found - expected).abs() < 1e-12, "{rule:?} at {step}: {found}");
    }
}

#[test]
fn rates_fall_from_layer_to_layer() {
    let check = |corrected, expected: [f64; 5]| {
        let rates = LayerRates { decay: 0.8, corrected };
        let names = [
            "classifier.dense.weight",
            "electra.encoder.layer.11.attention.self.query.weight",
            "electra.encoder.layer.0.output.LayerNorm.bias",
            "electra.embeddings_project.bias",
            "electra.embeddings.word_embeddings.weight",
        ];
        for (name, expected) in names.iter().zip(expected) {
            let found = rates.of(name, 12);
            assert!((found - expected).abs() < 5e-8, "{name}: {found}, not {expected}");
        }
    };
    check(false, [1.0, 0.64, 0.0549756, 0.0439805, 0.0439805]);
    check(true, [1.0, 0.8, 0.0687195, 0.0549756, 0.0549756]);
}

/// The rates reach the tensors of a network.
#[test]
fn a_step_moves_each_layer_by_its_rate() {
    let config =
        electra::EncoderConfig { vocabulary: 10, ..electra::EncoderConfig::sized(2, 64, 64) };
    let make =
        |scope: &mut torch::Scope<'_>| electra::Encoder::new(&mut scope.sub("electra"), &config);
    let (_net, params) = Params::build(Device::Cpu, make);
    let before: Vec<Tensor> = params.iter().map(|p| p.tensor.detach().copy()).collect();
    let rates = LayerRates { decay: 0.5, corrected: false };
    let adam = AdamW { weight_decay: 0.0, ..AdamW::bert() };
    let mut optimizer =
        OptimConfig::Adamw(adam).build_with_rates(&params, |name| rates.of(name, 2));
    params.iter().for_each(|p| p.tensor.sum(Kind::Float).backward());
    optimizer.step(1e-3);
    for (p, before) in params.iter().zip(&before) {
        let moved = (before - &p.tensor).mean(Kind::Double).double_value(&[]);
        // The first step is of 0.1 / (√0.001 + 1e-6).
        let expected = 1e-3 * rates.of(&p.name, 2) * 0.1 / (0.001_f64.sqrt() + 1e-6);
        assert!((moved / expected - 1.0).abs() < 1e-2, "{}: {moved}, not {expected}", p.name);
    }
}

#[test]
fn settings_become_those_of_the_loop() {
    for preset in presets() {
        let train = preset.train_config();
        assert!(train.faults().is_empty(), "{}", preset.name);
        assert_eq!(train.clip_norm, Some(1.0));
    }
    let small = presets().into_iter().find(|p| p.name == "small").expect("it");
    let at = |step| small.train_config().lr.at(Progress { step, steps: 1_000_000 });
    assert!((at(5_000) - 2.4875e-4).abs() < 1e-12, "{}", at(5_000));
    assert_eq!(format!("{:.2e}", small.flops()), "1.29e18");

    let paper = FineTuning::small_of_paper();
    assert_eq!((paper.lr, paper.weight_decay), (3e-4, 0.0));
    // RTE: 2,490 texts are 78 batches.
    let steps = paper.steps(2_490, 10.0);
    let train = paper.train_config(steps);
    assert!(train.faults().is_empty());
    assert_eq!(train.lr.at(Progress { step: 78, steps }), 3e-4 * 0.9);
    assert_eq!(train.lr.at(Progress { step: steps, steps }), 0.0);
    assert_eq!(
        FineTuning::large().rates().of("electra.encoder.layer.23.output.dense.bias", 24),
        0.9_f64.powi(2)
    );
}
