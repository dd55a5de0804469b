//! Training: batches of a step are one batch, and networks learn.

use dialog_models::decode::{SampleConfig, Special, sample};
use dialog_models::{LanguageModel, Pairs, Seq2Seq, Seq2SeqConfig, Training, evaluate};
use torch::optim::{AdamW, OptimConfig};
use torch::precision::{Precision, autocast};
use torch::{Device, Kind, Mode, Params, Tensor, rng};
use train::{Objective, Progress};

const AT: Progress = Progress { step: 0, steps: 1 };

fn training(config: &Seq2SeqConfig) -> Training<Seq2Seq> {
    Training::build(Device::Cpu, 0.1, |scope| Seq2Seq::new(scope, config))
}

/// Responses that are their contexts backwards, in lengths from 1 to 6.
fn pairs(numbers: std::ops::Range<i64>) -> Pairs {
    let context = |n: i64| (0..1 + n % 6).map(|i| 2 + (n * n + 5 * i + n * i) % 10).collect();
    let contexts: Vec<Vec<i64>> = numbers.map(context).collect();
    let response = |c: &Vec<i64>| c.iter().rev().copied().chain([1]).collect();
    let responses: Vec<Vec<i64>> = contexts.iter().map(response).collect();
    let [c, r] = [&contexts, &responses].map(|s| s.iter().map(Vec::as_slice).collect::<Vec<_>>());
    Pairs::new(&c, &r, Device::Cpu)
}

#[test]
fn batches_of_a_step_have_the_gradients_of_one_large_batch() {
    let _alone = rng::exclusive();
    rng::seed(2);
    let config = Seq2SeqConfig::evolved(12, 16, 2, [1, 1]);
    let config = Seq2SeqConfig { dropout: 0.0, attention_dropout: 0.0, ..config };
    let mut training = training(&config);
    let gradients = |training: &mut Training<Seq2Seq>, batches: Vec<Pairs>| {
        training.params.zero_grad();
        let mut total = 0.0;
        for (factor, part) in training.parts(batches) {
            let loss = training.loss(part, AT).total() * factor;
            total += loss.double_value(&[]);
            loss.backward();
        }
        let all: Vec<Tensor> = training.params.iter().map(|p| p.tensor.grad().copy()).collect();
        (total, all)
    };
    let (one, whole) = gradients(&mut training, vec![pairs(0..9)]);
    let (sum, parts) = gradients(&mut training, vec![pairs(0..2), pairs(2..3), pairs(3..9)]);
    assert!((one - sum).abs() < 1e-5);
    for (whole, part) in whole.iter().zip(&parts) {
        assert!(whole.allclose(part, 1e-4, 1e-6, false));
    }
}

#[test]
fn blocks_that_are_run_again_give_the_same_gradients() {
    let _alone = rng::exclusive();
    for config in
        [Seq2SeqConfig::evolved(12, 16, 2, [2, 2]), Seq2SeqConfig::plain(12, 16, 2, [1, 2])]
    {
        rng::seed(5);
        let mut plain = training(&config);
        let mut recomputing = training(&config).recomputing();
        recomputing.params.copy_from(&plain.params);
        // With dropout, drawn the same way.
        let run = |training: &mut Training<Seq2Seq>| {
            rng::seed(6);
            let total = training.loss(vec![pairs(0..9)], AT).total();
            total.backward();
            (total.double_value(&[]), rng::state(Device::Cpu).unwrap())
        };
        let (one, other) = (run(&mut plain), run(&mut recomputing));
        assert!((one.0 - other.0).abs() < 1e-6);
        assert_eq!(one.1, other.1, "as many random numbers were drawn");
        for (a, b) in plain.params.iter().zip(recomputing.params.iter()) {
            let (a, b) = (a.tensor.grad(), b.tensor.grad());
            assert!(a.allclose(&b, 1e-4, 1e-6, false), "{:?}", config.architecture);
        }
    }
}

#[test]
fn both_networks_learn_to_say_it_backwards() {
    let _alone = rng::exclusive();
    for config in
        [Seq2SeqConfig::evolved(12, 32, 2, [1, 1]), Seq2SeqConfig::plain(12, 32, 2, [1, 1])]
    {
        rng::seed(3);
        let mut training = training(&config);
        let mut optimizer = OptimConfig::Adamw(AdamW::default()).build(&training.params);
        let held_out = [pairs(1000..1040)];
        let before = evaluate(&training.net, &held_out).perplexity().unwrap();
        for step in 0..120 {
            optimizer.zero_grad();
            training.loss(vec![pairs(step * 20..step * 20 + 20)], AT).total().backward();
            optimizer.step(3e-3);
        }
        let after = evaluate(&training.net, &held_out).perplexity().unwrap();
        assert!(before > 8.0 && after < 3.0, "{:?}: {before} {after}", config.architecture);
    }
}

/// Matrix products in bfloat16: nearly the same loss and gradients, and responses.
#[test]
fn networks_run_in_bfloat16() {
    let _alone = rng::exclusive();
    for config in
        [Seq2SeqConfig::evolved(12, 32, 2, [1, 1]), Seq2SeqConfig::plain(12, 32, 2, [1, 1])]
    {
        rng::seed(7);
        let config = Seq2SeqConfig { dropout: 0.0, attention_dropout: 0.0, ..config };
        let mut training = training(&config);
        let mut run = |precision, recompute: bool| {
            training.params.zero_grad();
            let loss = autocast(precision, Device::Cpu, || match recompute {
                true => {
                    let batch = pairs(0..9);
                    training
                        .net
                        .token_loss_recomputed(&training.params, &batch, 0.1, Mode::Train)
                        .loss
                }
                false => training.loss(vec![pairs(0..9)], AT).total(),
            });
            loss.backward();
            let all = training.params.iter().map(|p| p.tensor.grad().reshape([-1]));
            (loss.double_value(&[]), Tensor::cat(&all.collect::<Vec<_>>(), 0))
        };
        let (one, slopes) = run(Precision::Float32, false);
        for recompute in [false, true] {
            let (half, others) = run(Precision::Bfloat16, recompute);
            assert!(half != one && (half / one - 1.0).abs() < 0.02, "{half} {one}");
            let cosine = Tensor::cosine_similarity(&slopes, &others, 0, 1e-8).double_value(&[]);
            assert!(cosine > 0.99, "{cosine}");
        }
        let special = Special::end(1);
        let config = SampleConfig { max_tokens: 20, ..SampleConfig::default() };
        let net = &training.net;
        let all = autocast(Precision::Bfloat16, Device::Cpu, || {
            sample(net, &[3, 4, 5], &special, &config, 1)
        });
        assert!(all.iter().all(|c| c.log_probability < 0.0 && c.log_probability.is_finite()));
    }
}

#[test]
fn dropout_is_noise_in_training_alone() {
    let _alone = rng::exclusive();
    rng::seed(4);
    let config = Seq2SeqConfig::evolved(12, 16, 2, [1, 1]);
    let training = training(&config);
    let batch = pairs(0..5);
    let nll = |mode| training.net.token_loss(&batch, 0.0, mode).nll;
    assert_ne!(nll(Mode::Train), nll(Mode::Train));
    assert_eq!(nll(Mode::Eval), nll(Mode::TrainWithoutNoise));
    let mean = (0..200).map(|_| nll(Mode::Train).mean(Kind::Double).double_value(&[]));
    let (mean, clean) = (mean.sum::<f64>() / 200.0, nll(Mode::Eval).mean(Kind::Double));
    assert!((mean / clean.double_value(&[]) - 1.0).abs() < 0.2, "{mean} {clean}");
}

#[test]
fn an_average_follows_the_weights_and_is_what_counts() {
    let _alone = rng::exclusive();
    rng::seed(3);
    let config = Seq2SeqConfig::plain(12, 16, 2, [1, 1]);
    let plain = training(&config);
    assert!(plain.state().is_empty());
    let (net, params) = torch::Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
    let mut averaged = plain.averaging(net, params, train::Ema::new(0.75));
    let before = averaged.params.tensors().remove(0).1.copy();
    let of = |training: &Training<Seq2Seq>| training.state().remove(0).1.copy();
    assert_eq!(of(&averaged), before, "it begins with the weights");
    torch::no_grad(|| {
        averaged.params.iter().for_each(|p| drop(p.tensor.shallow_clone().fill_(1.0)))
    });
    averaged.after_step(AT);
    let wanted = &before * 0.75 + 0.25;
    assert!((of(&averaged) - wanted).abs().max().double_value(&[]) < 1e-6);
    let kept = of(&averaged);
    let (_, params) = averaged.into_evaluated();
    assert_eq!(params.tensors().remove(0).1, kept);
}

#[test]
#[should_panic(expected = "label smoothing 2 is not in [0, 1)")]
fn labels_are_smoothed_by_less_than_1() {
    let config = Seq2SeqConfig::evolved(20, 16, 2, [1, 1]);
    let (net, _) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
    let pairs = Pairs::new(&[&[5, 6]], &[&[7, 1]], Device::Cpu);
    let _ = net.token_loss(&pairs, 2.0, Mode::Eval);
}
