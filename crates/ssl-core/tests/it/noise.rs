//! Which samples get the student's noise, and which share batch statistics.

use ssl_core::methods::{NoiseOn, NoisyStudent, NoisyStudentConfig, Supervised, SupervisedConfig};
use ssl_core::{Batch, Method};
use torch::{Device, Kind, Mode, Model, Net, Tensor, nn};

use crate::lab::{Echo, START, bare, nets, term};

const CLASSES: i64 = 32;

/// Logits as samples, in which dropout shows.
fn batch() -> Batch {
    let ramp = |rows: i64| {
        Tensor::arange(rows * CLASSES, (Kind::Float, Device::Cpu)).sin().view([rows, CLASSES])
    };
    let mut batch = Batch::labeled(ramp(8), Tensor::arange(8, (Kind::Int64, Device::Cpu)));
    batch.u = vec![ramp(24) + 0.5];
    batch.targets = Some((ramp(24) * 2.0).softmax(-1, Kind::Float));
    batch
}

/// The terms of two steps in a row.
fn twice(method: &mut dyn Method, names: &[&str]) -> Vec<[f64; 2]> {
    let nets = nets(bare(Echo { dropout: 0.5 }));
    let mut losses = || method.loss(&nets, &batch(), START);
    let losses = [losses(), losses()];
    names.iter().map(|name| [term(&losses[0], name), term(&losses[1], name)]).collect()
}

#[test]
fn noise_is_on_whom_the_recipe_says() {
    let _alone = torch::rng::exclusive();
    let terms = |noise_on| {
        let config = NoisyStudentConfig { noise_on, ..NoisyStudentConfig::default() };
        let terms = twice(&mut NoisyStudent::offline(config), &["sup", "unsup"]);
        [terms[0], terms[1]]
    };
    let [sup, unsup] = terms(NoiseOn::None);
    assert_eq!((sup[0], unsup[0]), (sup[1], unsup[1]), "without noise");
    let (calm_sup, calm_unsup) = (sup[0], unsup[0]);

    let [sup, unsup] = terms(NoiseOn::Labeled);
    assert_ne!(sup[0], sup[1], "labelled samples are noised");
    assert_eq!(unsup, [calm_unsup; 2], "unlabelled samples are not");

    let [sup, unsup] = terms(NoiseOn::All);
    assert_ne!(sup[0], sup[1]);
    assert_ne!(unsup[0], unsup[1]);
    assert!(sup[0] != calm_sup && unsup[0] != calm_unsup);
}

#[test]
fn supervised_noise_can_be_switched_off() {
    let _alone = torch::rng::exclusive();
    let calm = SupervisedConfig { noise: false, ..SupervisedConfig::default() };
    let [first, second] = twice(&mut Supervised::new(calm), &["sup"])[0];
    assert_eq!(first, second);
    let [first, second] = twice(&mut Supervised::new(SupervisedConfig::default()), &["sup"])[0];
    assert_ne!(first, second);
}

/// Batch norm alone: its running statistics show its input.
struct Norm(nn::BatchNorm);

impl Net for Norm {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.0.forward(x, mode)
    }
}

#[test]
fn labelled_and_unlabelled_samples_share_batch_statistics() {
    for noise_on in [NoiseOn::All, NoiseOn::Labeled, NoiseOn::None] {
        // With a momentum of one the running mean is that of the last batch.
        let norm =
            |scope: &mut torch::Scope<'_>| Norm(nn::BatchNorm::new(scope, CLASSES, 1.0, 1e-5));
        let nets = nets(Model::build(Device::Cpu, norm));
        let batch = batch();
        let config = NoisyStudentConfig { noise_on, ..NoisyStudentConfig::default() };
        let _ = NoisyStudent::offline(config).loss(&nets, &batch, START);
        let all = Tensor::cat(&[&batch.x, &batch.u[0]], 0);
        let mean = all.mean_dim([0i64].as_slice(), false, Kind::Float);
        let seen = nets.student.params.get("running_mean").unwrap();
        assert!(seen.allclose(&mean, 1e-5, 1e-6, false), "{noise_on:?}");
    }
}
