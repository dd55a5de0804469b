//! Labelling in the loop gives what labelling beforehand gives, and does not change the teacher.

use ssl_core::methods::{Average, NoiseOn, NoisyStudent, NoisyStudentConfig, Targets};
use ssl_core::{Batch, Method, ViewKind};
use torch::{Kind, Mode, Model, Role, Tensor, no_grad};

use crate::lab::{self, START, bits, nets, student};

/// Settings in all of which the two have to agree.
fn configs() -> Vec<NoisyStudentConfig> {
    let base = NoisyStudentConfig::default();
    vec![
        base.clone(),
        NoisyStudentConfig { temperature: 0.3, average: Average::All, ..base.clone() },
        NoisyStudentConfig { targets: Targets::Hard, noise_on: NoiseOn::Labeled, ..base.clone() },
        NoisyStudentConfig { noise_on: NoiseOn::None, ..base },
    ]
}

/// A perceptron with weights of `seed`, running statistics that have moved, and dropout.
fn teacher(seed: u64) -> Model {
    torch::rng::seed(seed);
    let teacher = student();
    let _ = no_grad(|| teacher.forward(&lab::moons(64, 3).0, Mode::Train));
    teacher
}

#[test]
fn offline_and_in_loop_give_the_same_bits() {
    let _alone = torch::rng::exclusive();
    for config in configs() {
        let knowing = teacher(5);
        let mut in_loop = NoisyStudent::in_loop(config.clone(), teacher(5));
        let mut offline = NoisyStudent::offline(config.clone());
        assert_eq!(offline.views().unlabeled, [ViewKind::Strong]);
        assert_eq!(in_loop.views().unlabeled, [ViewKind::Plain, ViewKind::Strong]);

        let online = lab::batch(&in_loop.views(), &*knowing.net, 4);
        let stored = Batch { u: vec![online.u[1].shallow_clone()], ..online.shallow_clone() };
        // The targets of the batch must be ignored when there is a teacher.
        let online = Batch { targets: Some(online.targets.unwrap().flip([0])), ..online };

        let learn = |method: &mut NoisyStudent, batch: &Batch| {
            torch::rng::seed(6);
            let nets = nets(student());
            let loss = method.loss(&nets, batch, START);
            loss.total().backward();
            let gradients = nets.student.params.trainable().map(|p| bits(&p.tensor.grad()));
            (loss.values(), gradients.collect::<Vec<_>>())
        };
        let (found, expected) = (learn(&mut in_loop, &online), learn(&mut offline, &stored));
        assert_eq!(found, expected, "{config:?}");
        assert!(expected.1.concat().iter().any(|&bit| f64::from_bits(bit) != 0.0));
    }
}

#[test]
fn nothing_flows_into_the_teacher() {
    let _alone = torch::rng::exclusive();
    for config in configs() {
        let knowing = teacher(8);
        // The method owns its teacher; these are the same tensors.
        let seen: Vec<_> = knowing.params.tensors().into_iter().map(|(_, t)| t).collect();
        let before: Vec<_> = seen.iter().map(bits).collect();
        let roles: Vec<_> = knowing.params.iter().map(|p| p.role).collect();
        let mut method = NoisyStudent::in_loop(config, knowing);
        let batch = lab::batch(&method.views(), &lab::Rule(4.0), 0);
        let nets = nets(student());
        method.loss(&nets, &batch, START).total().backward();
        for (tensor, role) in seen.iter().zip(roles) {
            assert_eq!(tensor.requires_grad(), role != Role::Buffer, "as a network is made");
            assert!(!tensor.grad().defined());
        }
        assert_eq!(seen.iter().map(bits).collect::<Vec<_>>(), before, "running statistics too");
        assert!(nets.student.params.trainable().all(|p| p.tensor.grad().defined()));
    }
}

#[test]
fn agreement_is_counted() {
    // Samples are logits: the student says 0, 1, 1, 0, the teacher 0, 1, 0, 0.
    let logits = |classes: [i64; 4]| Tensor::from_slice(&classes).one_hot(2).to_kind(Kind::Float);
    let mut batch = Batch::labeled(logits([0; 4]), Tensor::from_slice(&[0i64; 4]));
    batch.u = vec![logits([0, 1, 1, 0])];
    batch.targets = Some(logits([0, 1, 0, 0]));
    assert_eq!(batch.forward_samples(), 8);
    let mut method = NoisyStudent::offline(NoisyStudentConfig::default());
    let echo = nets(lab::bare(lab::Echo { dropout: 0.0 }));
    let notes = method.loss(&echo, &batch, START).values().notes;
    assert_eq!(notes, [("agree".to_owned(), 0.75)]);
}
