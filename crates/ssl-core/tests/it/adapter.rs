//! The adapter: the EMA model follows, the state is complete, and a boxed method is the method.

use ssl_core::methods::{Supervised, SupervisedConfig};
use ssl_core::{Batch, Method, Nets, Ssl, ViewKind, Views};
use torch::optim::{OptimConfig, Sgd};
use torch::{Device, Kind, Params, Tensor};
use train::{Ema, Loss, Objective, Progress, Swa};

use crate::lab::{self, bits, student};

fn supervised() -> Supervised {
    Supervised::new(SupervisedConfig::default())
}

/// Supervised learning that counts the samples.
struct Counting {
    method: Supervised,
    seen: Tensor,
}

impl Counting {
    fn new() -> Self {
        Self { method: supervised(), seen: Tensor::zeros([1], (Kind::Float, Device::Cpu)) }
    }
}

impl Method for Counting {
    fn views(&self) -> Views {
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Plain] }
    }

    fn loss(&mut self, nets: &Nets, batch: &Batch, at: Progress) -> Loss {
        let _ = self.seen.g_add_scalar_(batch.forward_samples() as i64);
        self.method.loss(nets, batch, at)
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        vec![("seen".to_owned(), self.seen.shallow_clone())]
    }
}

fn all_bits(params: &Params) -> Vec<Vec<u64>> {
    params.iter().map(|p| bits(&p.tensor)).collect()
}

/// Takes some steps as the loop does; gives what was done after each.
fn learn<M: Method>(
    ssl: &mut Ssl<M>,
    views: &Views,
    steps: u64,
    mut after: impl FnMut(&Ssl<M>, Progress),
) {
    let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(ssl.params());
    for step in 0..steps {
        let at = Progress { step, steps };
        ssl.loss(lab::batch(views, &lab::Rule(4.0), step), at).total().backward();
        optimizer.step(0.1);
        optimizer.zero_grad();
        ssl.after_step(at);
        after(ssl, at);
    }
}

#[test]
fn the_ema_model_follows_the_student() {
    let _alone = torch::rng::exclusive();
    for ema in [Ema::new(0.8), Ema::with_warmup(0.999)] {
        torch::rng::seed(1);
        let mut ssl = Ssl::new(supervised(), student(), Some((student(), ema)));
        let model = |ssl: &Ssl<Supervised>| all_bits(&ssl.nets().ema.as_ref().unwrap().params);
        assert_eq!(model(&ssl), all_bits(ssl.params()), "it starts as a copy");
        let mut expected: Vec<Tensor> =
            ssl.params().iter().map(|p| p.tensor.detach().to_kind(Kind::Double)).collect();
        learn(&mut ssl, &supervised().views(), 6, |ssl, at| {
            // The running statistics of batch norm are averaged like the weights.
            let d = ema.decay_at(at.step);
            for (average, param) in expected.iter_mut().zip(ssl.params().iter()) {
                *average = &*average * d + param.tensor.detach().to_kind(Kind::Double) * (1.0 - d);
            }
        });
        for (average, param) in expected.iter().zip(ssl.evaluated().params.iter()) {
            let found = param.tensor.detach().to_kind(Kind::Double);
            assert!(found.allclose(average, 1e-5, 1e-6, false), "{}", param.name);
        }
        assert_ne!(model(&ssl), all_bits(ssl.params()), "it lags behind");
    }
}

#[test]
fn the_ema_model_is_evaluated_if_there_is_one() {
    let _alone = torch::rng::exclusive();
    let single = Ssl::new(supervised(), student(), None);
    assert!(std::ptr::eq(single.evaluated(), &single.nets().student));
    assert!(single.state().is_empty());
    let both = Ssl::new(supervised(), student(), Some((student(), Ema::new(0.9))));
    assert!(std::ptr::eq(both.evaluated(), both.nets().ema.as_ref().unwrap()));
    assert!(std::ptr::eq(both.params(), &both.nets().student.params), "the student is trained");
}

#[test]
fn state_is_the_methods_and_the_ema_models() {
    let _alone = torch::rng::exclusive();
    let mut ssl = Ssl::new(Counting::new(), student(), Some((student(), Ema::new(0.9))));
    let views = ssl.method().views();
    learn(&mut ssl, &views, 2, |_, _| ());
    let names: Vec<String> = ssl.state().into_iter().map(|(name, _)| name).collect();
    let ema = ssl.params().names().map(|name| format!("ema.{name}"));
    let wanted: Vec<String> = ["seen".to_owned()].into_iter().chain(ema).collect();
    assert_eq!(names, wanted);
    assert_eq!(ssl.state()[0].1.double_value(&[0]), 2.0 * (lab::LABELED + lab::UNLABELED) as f64);

    // A checkpoint is restored by copying into these tensors.
    for (_, mut tensor) in ssl.state() {
        let _ = torch::no_grad(|| tensor.fill_(7.0));
    }
    assert_eq!(ssl.method().seen.double_value(&[0]), 7.0);
    assert!(ssl.evaluated().params.iter().all(|p| p.tensor.eq(7.0).all().int64_value(&[]) == 1));
    assert!(!ssl.into_evaluated().params.iter().any(|p| p.name == "seen"));
}

#[test]
fn the_swa_model_is_the_mean_of_the_late_weights() {
    let _alone = torch::rng::exclusive();
    torch::rng::seed(2);
    let ema = Some((student(), Ema::new(0.9)));
    let swa = Swa { from: 0.5, every: 1 };
    let mut ssl = Ssl::new(supervised(), student(), ema).with_swa(student(), swa);
    assert_eq!(all_bits(&ssl.swa().unwrap().params), all_bits(ssl.params()), "it starts as a copy");
    assert!(std::ptr::eq(ssl.evaluated(), ssl.swa().unwrap()));
    let mut late = Vec::new();
    learn(&mut ssl, &supervised().views(), 6, |ssl, at| {
        if at.step >= 3 {
            let weight = ssl.params().get("head.weight").unwrap();
            late.push(weight.detach().to_kind(Kind::Double).copy());
        }
    });
    let mean = Tensor::stack(&late, 0).mean_dim([0].as_slice(), false, Kind::Double);
    let found = ssl.swa().unwrap().params.get("head.weight").unwrap().to_kind(Kind::Double);
    assert!(late.len() == 3 && found.allclose(&mean, 1e-5, 1e-6, false), "{found} {mean}");

    let names: Vec<String> = ssl.state().into_iter().map(|(name, _)| name).collect();
    let prefixed = |prefix: &str| names.iter().filter(|n| n.starts_with(prefix)).count();
    let all = ssl.params().iter().count();
    assert_eq!((prefixed("ema."), prefixed("swa."), names.len()), (all, all, 2 * all));
    let expected = all_bits(&ssl.swa().unwrap().params);
    assert_eq!(all_bits(&ssl.into_evaluated().params), expected);
}

#[test]
fn a_boxed_method_is_the_method() {
    let _alone = torch::rng::exclusive();
    let mut boxed: Box<dyn Method> = Box::new(Counting::new());
    assert_eq!(boxed.views(), Counting::new().views());
    let nets = lab::nets(student());
    let batch = lab::batch(&boxed.views(), &lab::Rule(4.0), 0);
    let loss = |method: &mut dyn Method| {
        torch::rng::seed(3);
        method.loss(&nets, &batch, lab::START).values()
    };
    assert_eq!(loss(&mut boxed), loss(&mut Counting::new()));
    assert_eq!(boxed.state()[0].1.double_value(&[0]), (lab::LABELED + lab::UNLABELED) as f64);
}

/// Sizes that do not fit are told, not broadcast.
#[test]
fn batches_that_do_not_fit_the_views() {
    let zeros = |n: i64| Tensor::zeros([n, 2], (Kind::Float, Device::Cpu));
    let numbers = |n: i64| Tensor::zeros([n], (Kind::Int64, Device::Cpu));
    let views =
        Views { labeled: ViewKind::Weak, unlabeled: vec![ViewKind::Weak, ViewKind::Strong] };
    let batch = |x, y, u: &[i64], indices: Option<i64>| Batch {
        u: u.iter().map(|&n| zeros(n)).collect(),
        unlabeled_indices: indices.map(numbers),
        ..Batch::labeled(zeros(x), numbers(y))
    };
    assert_eq!(batch(4, 4, &[6, 6], Some(6)).check(&views), Ok(()));
    for (batch, fault) in [
        (batch(0, 0, &[6, 6], None), "no labelled sample"),
        (batch(4, 2, &[6, 6], None), "y is [2], and x holds 4"),
        (batch(4, 4, &[], None), "0 views of the unlabelled samples, not 2"),
        (batch(4, 4, &[6, 6, 6], None), "3 views"),
        (batch(4, 4, &[0, 0], None), "no unlabelled sample"),
        (batch(4, 4, &[3, 6], None), "of 3 and of 6"),
        (batch(4, 4, &[6, 6], Some(5)), "of 6 and of 5"),
    ] {
        let found = batch.check(&views).unwrap_err();
        assert!(found.contains(fault), "{found}");
    }
}
