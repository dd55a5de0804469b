//! What is no layer: losses, optimisers, averages of weights, random numbers, files, copies.

use std::collections::BTreeMap;

use ssl_core::parts;
use torch::device::{copy_async, tensor_on};
use torch::layout::image_batch;
use torch::optim::{Adafactor, AdamW, OptimConfig, RmsProp, Sgd};
use torch::rows::Rows;
use torch::{Device, Init, Kind, Params, Role, Tensor, finite, foreach, loss, no_grad, rng, store};

use super::case::{Allowed, Case, EXACT, PLAIN, Pieces, wave};

/// A loss a sample, with the gradient of the logits.
fn of_loss(name: &str, of: impl Fn(&Tensor, Device) -> Tensor + 'static) -> Case {
    Case::new(name, PLAIN, move |device| {
        let logits = (wave(&[6, 5], device) * 4.0).set_requires_grad(true);
        let losses = of(&logits, device);
        losses.sum(Kind::Float).backward();
        vec![("loss".to_owned(), losses.detach()), ("gradient".to_owned(), logits.grad())]
    })
}

/// Three steps with a clipped gradient; weights and the optimiser's state.
fn of_optimizer(config: OptimConfig) -> Case {
    let name = format!("optimiser {}", config.kind());
    Case::new(&name, PLAIN, move |device| {
        let (_, params) = Params::build(device, |scope| {
            let init = Init::Const(0.3);
            [("weight", [12, 10], Role::Weight), ("bias", [12, 1], Role::Bias)]
                .map(|(name, shape, role)| scope.tensor(name, &shape, role, init))
        });
        let mut optimizer = config.build(&params);
        let mut norms = Vec::new();
        for step in 1..=3 {
            optimizer.zero_grad();
            for param in params.trainable() {
                let target = wave(&param.tensor.size(), device) * f64::from(step);
                ((&param.tensor - target).square() * 3.0).sum(Kind::Float).backward();
            }
            norms.push(optimizer.clip_grad_norm(1.0));
            optimizer.step(0.01);
        }
        let weights = params.iter().map(|p| (p.name.clone(), p.tensor.detach().copy()));
        let state = optimizer.state().into_iter().filter(|(_, t)| t.kind() == Kind::Float);
        let state = state.filter(|(_, t)| t.numel() > 0 && t.norm().double_value(&[]) > 0.0);
        let norms = ("norms of gradients".to_owned(), Tensor::from_slice(&norms));
        weights.chain(state).chain([norms]).collect()
    })
}

/// The EMA model's step, on tensors of several sizes.
fn averaged(device: Device) -> Pieces {
    let shapes: [&[i64]; 3] = [&[3, 4], &[5], &[2, 2, 2]];
    let to: Vec<_> = shapes.iter().map(|shape| wave(shape, device)).collect();
    let from: Vec<_> = shapes.iter().map(|shape| wave(shape, device) * 0.5 + 1.0).collect();
    no_grad(|| foreach::lerp(&to, &from, 0.3));
    to.into_iter().map(|t| (format!("{:?}", t.size()), t)).collect()
}

/// Numbers drawn again after the generator's state was restored, less those drawn first.
fn drawn(device: Device) -> Pieces {
    rng::seed(5);
    let state = rng::state(device).expect("a generator");
    let first = Tensor::randn([99], (Kind::Float, device));
    rng::set_state(device, &state).expect("its own state");
    let again = Tensor::randn([99], (Kind::Float, device));
    rng::seed(5);
    let seeded = Tensor::randn([99], (Kind::Float, device));
    // Each device draws numbers of its own.
    let same = |other: &Tensor| 1.0 + (&first - other).abs().sum(Kind::Double).double_value(&[]);
    vec![
        ("after the state".to_owned(), Tensor::from(same(&again))),
        ("after the seed".to_owned(), Tensor::from(same(&seeded))),
    ]
}

/// Copies that are not waited for, of numbers that are dropped at once: as many, one after another,
/// as would show memory that is given away too early.
fn sent(device: Device) -> Pieces {
    let numbers = |i: i64| Tensor::arange_start(i, i + 100_000, (Kind::Int64, Device::Cpu));
    let there: Vec<Tensor> = (0..32).map(|i| copy_async(&numbers(i), device)).collect();
    (0..).zip(there).map(|(i, t)| (format!("copy {i}"), t)).collect()
}

/// Mean and spread of what methods draw: each device draws numbers of its own.
fn drawn_by_methods(device: Device) -> Pieces {
    rng::seed(6);
    let many = 1 << 16;
    let mut pieces = Vec::new();
    let mut spread = |name: &str, numbers: &Tensor| {
        pieces.push((format!("mean of {name}"), numbers.mean(Kind::Double)));
        pieces.push((format!("deviation of {name}"), numbers.std(true)));
    };
    spread("Beta(0.75, 0.75)", &parts::betas(0.75, many, device));
    spread("Beta(3, 3)", &parts::betas(3.0, many, device));
    let order = parts::permutation(many, device);
    spread("the first half of an order", &order.narrow(0, 0, many / 2).to_kind(Kind::Float));
    pieces.push(("the order, sorted".to_owned(), order.sort(0, false).0));
    pieces
}

/// Tensors that were written and read.
fn kept(device: Device) -> Pieces {
    let tensors = vec![
        ("numbers".to_owned(), wave(&[7, 3], device)),
        ("half".to_owned(), wave(&[9], device).to_kind(Kind::BFloat16)),
        ("whole".to_owned(), tensor_on(&[1i64, -5], device)),
    ];
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("tensors");
    store::save(&path, &tensors, &BTreeMap::new()).expect("written");
    store::load(&path).expect("read").tensors.into_iter().collect()
}

pub(super) fn cases() -> Vec<Case> {
    let labels = |device| tensor_on(&[0i64, 4, 2, 2, 1, 3], device);
    let optimisers = [
        OptimConfig::Sgd(Sgd::default()),
        OptimConfig::Rmsprop(RmsProp::default()),
        OptimConfig::Adamw(AdamW::default()),
        OptimConfig::Adafactor(Adafactor::default()),
    ];
    let mut cases = vec![
        of_loss("cross-entropy", move |z, device| loss::cross_entropy(z, &labels(device))),
        of_loss("cross-entropy, smooth labels", move |z, device| {
            loss::soft_cross_entropy(z, &loss::smoothed_targets(&labels(device), 5, 0.1))
        }),
        of_loss("divergence of distributions", |z, device| {
            loss::kl_divergence(&wave(&[6, 5], device).softmax(-1, Kind::Float), z)
        }),
        of_loss("binary cross-entropy", |z, device| {
            loss::binary_cross_entropy(z, &wave(&[6, 5], device).gt(0.0).to_kind(Kind::Float))
        }),
        Case::new("average of weights", PLAIN, averaged),
        Case::new("images from bytes", PLAIN, |device| {
            let bytes: Vec<u8> = (0..96).map(|i| (i * 37 % 256) as u8).collect();
            let (mean, std) = ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]);
            vec![("images".to_owned(), image_batch(&bytes, [2, 4, 4, 3], &mean, &std, device))]
        }),
        Case::new("rows in another order", EXACT, |device| {
            let rows = Rows::new(&[Some(2), None, Some(0), Some(3)], 5, device);
            let there = rows.forward(&wave(&[5, 6], device));
            vec![("back".to_owned(), rows.back(&there)), ("there".to_owned(), there)]
        }),
        Case::new("what is not a number is found", EXACT, |device| {
            let bad = wave(&[4], device) * f64::INFINITY + 1.0;
            let found = finite::first_bad(&[&wave(&[3], device), &bad]);
            vec![("at".to_owned(), Tensor::from(found.map_or(-1, |(at, _)| at as i64)))]
        }),
        Case::new("random numbers come again", EXACT, drawn),
        Case::new("tensors in files", EXACT, kept),
        Case::new("copies that are not waited for", EXACT, sent),
        Case::new("draws of methods", Allowed { float32: 0.02, bfloat16: None }, drawn_by_methods),
    ];
    cases.extend(optimisers.map(of_optimizer));
    cases
}
