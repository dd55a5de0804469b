//! Adafactor against its equations in float64, and state that continues bit by bit.

use std::collections::BTreeMap;

use torch::optim::{Adafactor, OptimConfig, Optimizer};
use torch::store;
use torch::{Device, Init, Kind, Params, Role, Tensor};

use crate::{distance, golden};

/// The golden start as parameters.
fn params(arrays: &BTreeMap<String, Tensor>) -> Params {
    let names = arrays.keys().filter_map(|name| name.strip_prefix("start/"));
    let start = names.map(|n| (n.to_owned(), arrays[&format!("start/{n}")].shallow_clone()));
    let start: BTreeMap<String, Tensor> = start.collect();
    let (_, params) = Params::build(Device::Cpu, |scope| {
        for (name, value) in &start {
            let _ = scope.tensor(name, &value.size(), Role::Weight, Init::Const(0.0));
        }
    });
    params.load(&start).unwrap();
    params
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
        for p in params.trainable() {
            let gradient = arrays[&format!("grad/{}", p.name)].get(i as i64);
            (&p.tensor * gradient).sum(Kind::Float).backward();
        }
        optimizer.step(lr[i]);
    }
}

#[test]
fn ten_steps_are_those_of_its_equations_and_state_continues_them() {
    let (arrays, cases) = golden("adafactor");
    let configs: BTreeMap<String, OptimConfig> =
        serde_json::from_value(cases["configs"].clone()).unwrap();
    let lr: Vec<f64> = serde_json::from_value(cases["lr"].clone()).unwrap();
    assert_eq!((configs.len(), lr.len()), (3, 10));
    for (case, config) in configs {
        let params = params(&arrays);
        let mut optimizer = config.build(&params);
        steps(&mut optimizer, &params, &arrays, &lr, 0..5);
        let file = store::to_bytes(&optimizer.state(), &BTreeMap::new());
        let weights = store::to_bytes(&params.tensors(), &BTreeMap::new());
        steps(&mut optimizer, &params, &arrays, &lr, 5..10);
        for p in params.iter() {
            let theirs = &arrays[&format!("{case}/{}", p.name)];
            let error = distance(&p.tensor, theirs) / theirs.abs().max().double_value(&[]);
            assert!(error < 3e-6, "{case}/{}: {error:e}", p.name);
        }

        let again = self::params(&arrays);
        again.load(&store::from_bytes(&weights, "weights").unwrap().tensors).unwrap();
        let mut optimizer = config.build(&again);
        optimizer.load_state(&store::from_bytes(&file, "state").unwrap().tensors).unwrap();
        assert_eq!(optimizer.steps(), 5, "{case}");
        steps(&mut optimizer, &again, &arrays, &lr, 5..10);
        assert!(params.iter().zip(again.iter()).all(|(a, b)| a.tensor == b.tensor), "{case}");
    }
}

/// By hand: u of a first step, for equal gradients and for a small matrix of others.
#[test]
fn a_first_step_has_no_history() {
    let moved = |gradient: [f32; 4]| {
        let (w, params) = Params::build(Device::Cpu, |scope| {
            scope.tensor("w", &[2, 2], Role::Weight, Init::Const(1.0))
        });
        let mut optimizer = OptimConfig::Adafactor(Adafactor::default()).build(&params);
        (&w * Tensor::from_slice(&gradient).view([2, 2])).sum(Kind::Float).backward();
        optimizer.step(0.01);
        let state: BTreeMap<_, _> = optimizer.state().into_iter().collect();
        let list = |t: &Tensor| Vec::<f32>::try_from(t.reshape([-1])).unwrap();
        let u = list(&((1.0 - w) / 0.01));
        (u, list(&state["adafactor.rows.w"]), list(&state["adafactor.columns.w"]))
    };
    #[track_caller]
    fn near(found: &[f32], expected: &[f32]) {
        let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(found.len() == expected.len() && close, "{found:?}, not {expected:?}");
    }
    near(&moved([0.1; 4]).0, &[1.0; 4]);
    let (u, rows, columns) = moved([0.1, 0.2, 0.3, 0.4]);
    near(&u, &[0.7746, 1.0954, 1.0392, 0.9798]);
    near(&rows, &[0.025, 0.125]);
    near(&columns, &[0.05, 0.1]);
}

#[test]
fn a_parameter_without_a_gradient_stays_and_rates_are_its_own() {
    let (_, params) = Params::build(Device::Cpu, |scope| {
        ["a", "b", "c"].map(|n| scope.tensor(n, &[3, 2], Role::Weight, Init::Const(1.0)))
    });
    let rate = |name: &str| if name == "a" { 0.5 } else { 1.0 };
    let config = OptimConfig::Adafactor(Adafactor::default());
    let mut optimizer = config.build_with_rates(&params, rate);
    for name in ["a", "b"] {
        params.get(name).unwrap().sum(Kind::Float).backward();
    }
    optimizer.step(0.1);
    let at = |name| params.get(name).unwrap().double_value(&[0, 0]);
    for (found, expected) in [(at("a"), 0.95), (at("b"), 0.9), (at("c"), 1.0)] {
        assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    }
    let state: BTreeMap<_, _> = optimizer.state().into_iter().collect();
    assert_eq!(state["adafactor.rows.c"], state["adafactor.rows.c"].zeros_like());
    // Rows and columns, a count, and nothing else.
    assert_eq!(state.len(), 1 + 2 * 3);
}

#[test]
fn its_constants_are_checked() {
    let keys = |config: Adafactor| {
        OptimConfig::Adafactor(config).faults().into_iter().map(|f| f.key).collect::<Vec<_>>()
    };
    assert!(keys(Adafactor::default()).is_empty());
    let odd =
        Adafactor { decay: 0.0, eps: 0.0, least_scale: -1.0, clip: 0.0, ..Adafactor::default() };
    assert_eq!(keys(odd), ["decay", "eps", "least_scale", "clip"]);
    assert_eq!(keys(Adafactor { beta1: 1.0, ..Adafactor::default() }), ["beta1"]);
    let text = r#"{"kind": "adafactor", "weight_decay": 0.1}"#;
    assert!(
        serde_json::from_str::<OptimConfig>(text).unwrap_err().to_string().contains("weight_decay")
    );
}
