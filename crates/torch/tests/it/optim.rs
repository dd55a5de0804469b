//! Optimisers: ten steps against the reference implementations, and state that continues bit by
//! bit.

use std::collections::BTreeMap;

use torch::optim::{AdamW, DecayOn, OptimConfig, Optimizer, RmsProp, Sgd};
use torch::store::{self, StoreError};
use torch::{Device, Init, Kind, Params, Role, Tensor, no_grad};

use crate::{distance, golden};

const NAMES: [&str; 3] = ["conv.weight", "conv.bias", "norm.weight"];

/// The golden start as parameters.
fn params(arrays: &BTreeMap<String, Tensor>) -> Params {
    let (_, params) = Params::build(Device::Cpu, |scope| {
        for (name, role) in NAMES.iter().zip([Role::Weight, Role::Bias, Role::Norm]) {
            let _ = scope.tensor(
                name,
                &arrays[&format!("start/{name}")].size(),
                role,
                Init::Const(0.0),
            );
        }
    });
    let start = NAMES.map(|n| (n.to_owned(), arrays[&format!("start/{n}")].shallow_clone()));
    params.load(&BTreeMap::from(start)).unwrap();
    params
}

/// Makes step `i`'s golden gradients the parameters' own.
fn set_grads(params: &Params, arrays: &BTreeMap<String, Tensor>, i: i64) {
    for p in params.trainable() {
        (&p.tensor * arrays[&format!("grad/{}", p.name)].get(i)).sum(Kind::Float).backward();
    }
}

/// The golden file: arrays, the recipe of each case, and the learning rate of each step.
struct Cases {
    arrays: BTreeMap<String, Tensor>,
    configs: BTreeMap<String, OptimConfig>,
    lr: Vec<f64>,
}

fn cases() -> Cases {
    let (arrays, cases) = golden("optim");
    let configs: BTreeMap<String, OptimConfig> =
        serde_json::from_value(cases["configs"].clone()).unwrap();
    let lr: Vec<f64> = serde_json::from_value(cases["lr"].clone()).unwrap();
    assert_eq!((configs.len(), lr.len()), (7, 10));
    Cases { arrays, configs, lr }
}

fn steps(
    optimizer: &mut Optimizer,
    params: &Params,
    arrays: &BTreeMap<String, Tensor>,
    lr: &[f64],
    range: std::ops::Range<usize>,
) {
    for i in range {
        optimizer.zero_grad();
        set_grads(params, arrays, i as i64);
        optimizer.step(lr[i]);
    }
}

#[test]
fn ten_steps_are_those_of_pytorch_timm_and_tensorflow() {
    let Cases { arrays, configs, lr } = cases();
    let mut compared = 0;
    for (case, config) in &configs {
        let params = params(&arrays);
        let mut optimizer = config.build(&params);
        steps(&mut optimizer, &params, &arrays, &lr, 0..10);
        assert_eq!(optimizer.steps(), 10);
        for name in NAMES {
            let ours = params.get(name).unwrap();
            for key in [format!("{case}/{name}"), format!("{case}-tensorflow/{name}")] {
                let Some(theirs) = arrays.get(&key) else { continue };
                let error = distance(ours, theirs) / theirs.abs().max().double_value(&[]);
                assert!(error < 1e-6, "{key}: {error:e}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, (7 + 2) * 3);
}

#[test]
fn saved_state_continues_bit_by_bit() {
    let Cases { arrays, configs, lr } = cases();
    for (case, config) in configs {
        let whole = params(&arrays);
        let mut optimizer = config.build(&whole);
        steps(&mut optimizer, &whole, &arrays, &lr, 0..5);
        let file = store::to_bytes(&optimizer.state(), &BTreeMap::new());
        let weights = store::to_bytes(&whole.tensors(), &BTreeMap::new());
        steps(&mut optimizer, &whole, &arrays, &lr, 5..10);

        let again = params(&arrays);
        again.load(&store::from_bytes(&weights, "weights").unwrap().tensors).unwrap();
        let mut optimizer = config.build(&again);
        optimizer.load_state(&store::from_bytes(&file, "state").unwrap().tensors).unwrap();
        assert_eq!(optimizer.steps(), 5, "{case}");
        steps(&mut optimizer, &again, &arrays, &lr, 5..10);
        for name in NAMES {
            assert_eq!(whole.get(name).unwrap(), again.get(name).unwrap(), "{case} {name}");
        }
    }
}

#[test]
fn state_that_does_not_fit_is_named_and_changes_nothing() {
    let Cases { arrays, .. } = cases();
    let params = params(&arrays);
    let mut optimizer = OptimConfig::Rmsprop(RmsProp::default()).build(&params);
    let mut state: BTreeMap<String, Tensor> = optimizer.state().into_iter().collect();
    assert_eq!(state["rmsprop.mean_square.conv.bias"], arrays["start/conv.bias"].ones_like());
    state.remove("rmsprop.momentum.conv.bias");
    state.insert("rmsprop.step".to_owned(), Tensor::from(77i64));
    state.insert(
        "rmsprop.momentum.norm.weight".to_owned(),
        Tensor::zeros([2], (Kind::Float, Device::Cpu)),
    );
    state.insert("sgd.momentum.x".to_owned(), Tensor::from(1f32));
    let Err(StoreError::Mismatch(error)) = optimizer.load_state(&state) else { panic!() };
    assert_eq!(error.missing, ["rmsprop.momentum.conv.bias"]);
    assert_eq!(error.unexpected, ["sgd.momentum.x"]);
    assert_eq!(error.mismatched[0].name, "rmsprop.momentum.norm.weight");
    assert_eq!(
        error.to_string(),
        "tensors do not fit: 1 missing: rmsprop.momentum.conv.bias; 1 unexpected: sgd.momentum.x; \
         1 of another shape: rmsprop.momentum.norm.weight is [2], not [13]"
    );
    assert_eq!(optimizer.steps(), 0);
}

#[test]
fn a_parameter_without_a_gradient_stays() {
    let Cases { arrays, configs, lr } = cases();
    for (case, config) in configs {
        let params = params(&arrays);
        let mut optimizer = config.build(&params);
        let before: Vec<_> = optimizer.state().iter().map(|(_, t)| t.copy()).collect();
        let weight = params.get("conv.weight").unwrap();
        (weight * arrays["grad/conv.weight"].get(0)).sum(Kind::Float).backward();
        optimizer.step(lr[0]);
        for (name, unchanged) in
            [("conv.weight", false), ("conv.bias", true), ("norm.weight", true)]
        {
            let start = &arrays[&format!("start/{name}")];
            assert_eq!(params.get(name).unwrap() == start, unchanged, "{case} {name}");
        }
        for ((name, now), before) in optimizer.state().iter().zip(&before) {
            let touched = name.ends_with("conv.weight") || name.ends_with(".step");
            assert_eq!(now != before, touched, "{case} {name}");
        }
    }
}

#[test]
fn gradients_are_clipped_by_their_joint_norm() {
    let Cases { arrays, .. } = cases();
    let params = params(&arrays);
    let mut optimizer = OptimConfig::default().build(&params);
    let norm = || {
        let sum: f64 = params
            .trainable()
            .map(|p| {
                p.tensor.grad().to_kind(Kind::Double).square().sum(Kind::Double).double_value(&[])
            })
            .sum();
        sum.sqrt()
    };
    assert_eq!(optimizer.clip_grad_norm(1.0), 0.0);
    set_grads(&params, &arrays, 0);
    let before = norm();
    assert!((optimizer.clip_grad_norm(1e9) - before).abs() < 1e-4 * before);
    assert_eq!(norm(), before);
    assert!((optimizer.clip_grad_norm(0.5) - before).abs() < 1e-4 * before);
    assert!((norm() - 0.5).abs() < 1e-5);
    optimizer.zero_grad();
    assert!(params.trainable().all(|p| !p.tensor.grad().defined()));
    set_grads(&params, &arrays, 0);
    let _ = no_grad(|| params.get("conv.bias").unwrap().grad().fill_(f64::NAN));
    assert!(optimizer.clip_grad_norm_later(0.5).double_value(&[]).is_nan());
    assert!(optimizer.clip_grad_norm(0.5).is_nan());
    // Without waiting for a device.
    optimizer.zero_grad();
    assert_eq!(optimizer.clip_grad_norm_later(1.0).double_value(&[]), 0.0);
    for (max, after) in [(1e9, before), (0.5, 0.5)] {
        optimizer.zero_grad();
        set_grads(&params, &arrays, 0);
        let found = optimizer.clip_grad_norm_later(max).double_value(&[]);
        assert!((found - before).abs() < 1e-4 * before);
        assert!((norm() - after).abs() < 1e-5 * after, "{}", norm());
    }
}

#[test]
fn recipes_name_optimisers_and_unknown_keys_are_errors() {
    let read = |text: &str| serde_json::from_str::<OptimConfig>(text).map_err(|e| e.to_string());
    let sgd = read(r#"{"kind": "sgd", "momentum": 0.5, "decay_on": "all-but-norm"}"#).unwrap();
    let OptimConfig::Sgd(config) = sgd else { panic!("{sgd:?}") };
    assert_eq!(
        (config.momentum, config.nesterov, config.decay_on),
        (0.5, true, DecayOn::AllButNorm)
    );
    for text in [r#"{"kind":"rmsprop"}"#, r#"{"kind":"adamw"}"#] {
        let config = read(text).unwrap();
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(read(&written).unwrap(), config);
    }
    assert!(read(r#"{"kind": "sgd", "momentun": 0.5}"#).unwrap_err().contains("momentum"));
    assert!(read(r#"{"kind": "adam"}"#).unwrap_err().contains("adamw"));
}

#[test]
fn constants_out_of_range_are_named() {
    let keys = |config: OptimConfig| -> Vec<String> {
        config.faults().into_iter().map(|fault| fault.key).collect()
    };
    for kind in ["sgd", "rmsprop", "adamw"] {
        let config = serde_json::from_str(&format!(r#"{{"kind":"{kind}"}}"#)).unwrap();
        assert!(keys(config).is_empty(), "{kind}");
    }
    let sgd = Sgd { momentum: 1.0, weight_decay: -0.1, ..Sgd::default() };
    assert_eq!(keys(OptimConfig::Sgd(sgd)), ["momentum", "weight_decay"]);
    assert_eq!(OptimConfig::Sgd(sgd).faults()[0].to_string(), "momentum: 1 is not in [0, 1)");
    let rmsprop = RmsProp { decay: f64::NAN, momentum: -0.1, eps: 0.0, ..RmsProp::default() };
    assert_eq!(keys(OptimConfig::Rmsprop(rmsprop)), ["decay", "momentum", "eps"]);
    let adamw = AdamW { beta1: 1.0, beta2: 2.0, eps: f64::INFINITY, ..AdamW::default() };
    assert_eq!(keys(OptimConfig::Adamw(adamw)), ["beta1", "beta2", "eps"]);
}
