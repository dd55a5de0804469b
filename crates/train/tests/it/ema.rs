//! Averages against arithmetic by hand.

use torch::{Device, Init, Params, Role};
use train::ema::{Buffers, Ema};
use train::{Progress, Swa};

/// A network of one weight and one running statistic.
fn network(weight: f64, statistic: f64) -> Params {
    let make = |scope: &mut torch::Scope<'_>| {
        let w = scope.tensor("w", &[2], Role::Weight, Init::Const(weight));
        (w, scope.tensor("running", &[1], Role::Buffer, Init::Const(statistic)))
    };
    Params::build(Device::Cpu, make).1
}

fn values(params: &Params) -> (f64, f64) {
    let value = |name| params.get(name).unwrap().double_value(&[0]);
    (value("w"), value("running"))
}

#[test]
fn weights_and_statistics_are_averaged() {
    let (average, net) = (network(1.0, 0.0), network(3.0, 8.0));
    let at = Progress { step: 0, steps: 10 };
    Ema::new(0.75).update(&average, &net, at);
    assert_eq!(values(&average), (1.5, 2.0));
    Ema::new(0.75).update(&average, &net, at);
    assert_eq!(values(&average), (1.875, 3.5));
    assert_eq!(values(&net), (3.0, 8.0));
}

#[test]
fn statistics_can_stay_raw() {
    let (average, net) = (network(1.0, 0.0), network(3.0, 8.0));
    let ema = Ema { buffers: Buffers::Raw, ..Ema::new(0.75) };
    ema.update(&average, &net, Progress { step: 5, steps: 10 });
    assert_eq!(values(&average), (1.5, 8.0));
}

#[test]
fn warm_up_forgets_faster_at_first() {
    let ema = Ema::with_warmup(0.9999);
    assert_eq!(ema.decay_at(0), 0.1);
    assert_eq!(ema.decay_at(80), 0.9);
    // (1 + t) / (10 + t) reaches 0.9999 at t = 89,990.
    assert!(ema.decay_at(89_000) < 0.9999);
    assert_eq!(ema.decay_at(90_000), 0.9999);
    assert_eq!(Ema::new(0.9999).decay_at(0), 0.9999);
}

#[test]
fn a_recipe_names_it() {
    let ema: Ema = toml::from_str("decay = 0.999\nbuffers = 'raw'").unwrap();
    assert_eq!(ema, Ema { decay: 0.999, warmup: false, buffers: Buffers::Raw });
    assert!(ema.faults().is_empty());
    assert!(toml::from_str::<Ema>("decay = 0.9\nwarm = true").is_err());
    assert_eq!(Ema::new(1.0).faults()[0].to_string(), "decay: 1 is not in [0, 1)");
}

#[test]
#[should_panic(expected = "tensors of an average")]
fn networks_must_be_alike() {
    let other =
        Params::build(Device::Cpu, |s| s.tensor("w", &[2], Role::Weight, Init::Const(0.0))).1;
    Ema::new(0.9).update(&network(1.0, 1.0), &other, Progress { step: 0, steps: 1 });
}

#[test]
fn a_mean_of_late_weights_is_their_mean() {
    let swa = Swa { from: 0.5, every: 2 };
    let average = network(0.0, 5.0);
    let mut seen = Vec::new();
    for step in 0..10 {
        let net = network((step * step) as f64, 9.0);
        swa.update(&average, &net, Progress { step, steps: 10 });
        seen.push(values(&average).0);
    }
    // Until step 5 the weights themselves, then the mean of those of steps 5, 7 and 9.
    let mean = (25.0 + 49.0 + 81.0) / 3.0;
    let wanted = [0.0, 1.0, 4.0, 9.0, 16.0, 25.0, 25.0, 37.0, 37.0, mean];
    assert!(seen.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5), "{seen:?}");
    assert_eq!(values(&average).1, 5.0, "running statistics are no weights");
    // Half of five steps are over after the third.
    let joined = |step| Swa { from: 0.5, every: 1 }.joined(Progress { step, steps: 5 });
    assert_eq!((joined(2), joined(3), joined(4)), (None, Some(0), Some(1)));
}
