//! Pre-training against a computation from the paper's equations, and what must hold of it.

use electra::heads::{Sampling, VocabularyHead};
use electra::pretrain::{
    GeneratorConfig, MaskedBatch, PretrainConfig, Pretrainer, Sharing, Slot, Task, Totals,
};
use electra::{EncoderConfig, PackedSequences};
use torch::{Device, Kind, Mode, Params, Tensor, loss, no_grad, rng};
use train::{Objective, Progress, Schedule, WarmUp};

use crate::golden::{batch, close, read, weights};

/// Positions and coins, as in the script.
fn slots() -> Vec<Vec<Slot>> {
    let row = |list: &[(usize, bool)]| {
        let slot = |&(position, masked): &(usize, bool)| Slot { position, masked, kept: true };
        list.iter().map(slot).collect()
    };
    vec![
        row(&[(2, true), (5, true), (2, false)]),
        row(&[(1, false)]),
        row(&[(8, true), (3, true)]),
        row(&[(0, true)]),
        row(&[(4, true), (4, true), (6, true)]),
    ]
}

/// The script's shape: the main network has two heads, its generator of half the width one.
fn encoder() -> EncoderConfig {
    EncoderConfig {
        vocabulary: 60,
        embedding: 12,
        heads: 2,
        feed_forward: 32,
        positions: 11,
        ..EncoderConfig::sized(2, 16, 12)
    }
}

fn config(task: Task) -> PretrainConfig {
    let generator = GeneratorConfig { fraction: 0.5, ..GeneratorConfig::default() };
    PretrainConfig { task, encoder: encoder(), generator, mask: 3, ..PretrainConfig::default() }
}

fn check(name: &str) {
    let (golden, case) = read(name);
    let given: Task = serde_json::from_value(case["task"].clone()).unwrap();
    let mut config = config(given);
    config.generator.sharing = serde_json::from_value(case["sharing"].clone()).unwrap();
    config.generator.temperature = case["temperature"].as_f64().unwrap_or(1.0);
    config.generator.weight = case["weight"].as_f64().unwrap_or(1.0);
    config.generator.disallow_correct = case["disallow_correct"].as_bool().unwrap_or(false);
    assert_eq!(config.faults(), []);
    let net = Pretrainer::new(&config, Device::Cpu);
    net.params().load(&weights(&golden)).unwrap();
    let masked = MaskedBatch::new(batch(&golden), &slots());
    let step = net.step_with(&masked, Mode::TrainWithoutNoise, Some(&golden["uniform"]));
    // Evaluation computes the same without a graph, where dropout is none.
    let again = no_grad(|| net.step_with(&masked, Mode::Eval, Some(&golden["uniform"])));
    let total = step.loss.total();
    let scalar = |t: &Tensor| t.reshape([1]);
    close("loss", &scalar(&total), &scalar(&golden["total"]));
    close("loss of evaluation", &scalar(&again.loss.total()), &scalar(&golden["total"]));
    close("-ln p", &step.nll, &golden["nll"]);
    for (what, ours) in [("sampled", &step.sampled), ("labels", &step.labels)] {
        assert_eq!(ours.is_some(), golden.contains_key(what), "{what}");
        if let Some(ours) = ours {
            assert_eq!(ours, &golden[what], "{what}");
        }
    }
    if let Some(corrupted) = &step.corrupted {
        assert_eq!(corrupted.ids(), &golden["corrupted"]);
    }
    if let Some(logits) = &step.logits {
        close("logits", logits, &golden["logits"]);
    }
    total.backward();
    let mut compared = 0;
    for p in net.params().iter() {
        let grad = p.tensor.grad();
        let norm = golden[&format!("norm.{}", p.name)].double_value(&[]);
        let ours = if grad.defined() { grad.norm().double_value(&[]) } else { -1.0 };
        let near = (ours - norm).abs() < 1e-4 * norm.abs().max(1.0);
        assert!(near, "{name}: gradient of {} has norm {ours}, not {norm}", p.name);
        if let Some(theirs) = golden.get(&format!("grad.{}", p.name)) {
            close(&format!("{name}: gradient of {}", p.name), &grad, theirs);
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared} gradients");
}

#[test]
fn replaced_token_detection_is_the_papers() {
    check("pretrain_electra");
}

#[test]
fn the_discriminator_may_learn_at_masked_positions_alone() {
    check("pretrain_electra15");
}

#[test]
fn generator_and_discriminator_may_share_nothing_or_everything() {
    check("pretrain_untied");
    check("pretrain_one_tower");
}

#[test]
fn samples_may_be_sharper_and_never_right() {
    check("pretrain_temperature");
}

#[test]
fn masked_language_models_of_all_kinds() {
    check("pretrain_mlm");
    check("pretrain_replace_mlm");
    check("pretrain_all_tokens_mlm");
}

/// One sentence, with a position drawn twice and a draw that does not count.
fn sentence() -> MaskedBatch {
    let ids = [101, 2023, 2003, 1037, 2204, 2154, 102];
    let packed = PackedSequences::new(&[&ids], &[&[0; 7]], Device::Cpu);
    let slot = |position, kept| Slot { position, masked: true, kept };
    MaskedBatch::new(packed, &[[slot(1, true), slot(4, true), slot(4, true), slot(0, false)]])
}

#[test]
fn a_sample_that_is_the_original_token_is_no_replaced_one() {
    let batch = sentence();
    let replaced = batch.replaced(&Tensor::from_slice(&[2023i64, 2919, 2919]));
    let ids = |list: [i64; 7]| Tensor::from_slice(&list);
    assert_eq!(replaced.packed.ids(), &ids([101, 2023, 2003, 1037, 2919, 2154, 102]));
    assert_eq!(replaced.labels, Tensor::from_slice(&[0f32, 0., 0., 0., 1., 0., 0.]));
    // The masked language model's loss counts position 4 twice.
    assert_eq!(batch.truth(), Tensor::from_slice(&[2023i64, 2204, 2204]));
    assert_eq!(batch.places(), &Tensor::from_slice(&[1i64, 4]));
    assert_eq!(batch.masked(103).ids(), &ids([101, 103, 2003, 1037, 103, 2154, 102]));
    // Of two draws at one place one counts, for both.
    let other = batch.replaced(&Tensor::from_slice(&[5i64, 6, 7]));
    assert_eq!(other.packed.ids(), &ids([101, 5, 2003, 1037, 6, 2154, 102]));
    assert_eq!(other.tokens, Tensor::from_slice(&[5i64, 6, 6]));
}

#[test]
#[should_panic(expected = "in a sequence of 7")]
fn a_slot_outside_of_its_sequence_is_refused() {
    let packed = PackedSequences::new(&[&[1; 7], &[1; 9]], &[&[0; 7], &[0; 9]], Device::Cpu);
    let slot = |position| vec![Slot { position, masked: true, kept: true }];
    let _ = MaskedBatch::new(packed, &[slot(7), slot(8)]);
}

/// The discriminator's loss, whatever its weight, moves nothing that is the generator's alone, and
/// does move the embeddings that both have.
#[test]
fn nothing_flows_back_into_the_generator() {
    let (golden, _) = read("pretrain_electra");
    let gradients = |weight: f64| {
        let config = PretrainConfig { discriminator_weight: weight, ..config(Task::Electra) };
        let net = Pretrainer::new(&config, Device::Cpu);
        net.params().load(&weights(&golden)).unwrap();
        let batch = MaskedBatch::new(batch(&golden), &slots());
        net.step_with(&batch, Mode::Eval, Some(&golden["uniform"])).loss.total().backward();
        let all = net.params().iter().map(|p| (p.name.clone(), p.tensor.grad().copy()));
        all.collect::<Vec<_>>()
    };
    let mut generators = 0;
    for ((name, one), (_, two)) in gradients(50.0).into_iter().zip(gradients(100.0)) {
        let own = name.starts_with("generator");
        assert_eq!(one == two, own, "{name}");
        generators += usize::from(own);
    }
    assert_eq!(generators, 32 + 2 + 5);
}

#[test]
fn a_generator_that_stays_is_only_run() {
    let mut config = config(Task::Electra);
    config.generator.train = false;
    config.generator.sharing = Sharing::Nothing;
    assert_eq!(config.faults(), []);
    let net = Pretrainer::new(&config, Device::Cpu);
    let (golden, _) = read("pretrain_untied");
    let batch = MaskedBatch::new(batch(&golden), &slots());
    net.step(&batch, Mode::Train).loss.total().backward();
    for p in net.params().iter() {
        assert_eq!(p.tensor.grad().defined(), !p.name.starts_with("generator"), "{}", p.name);
    }
}

/// The second stage: generator and discriminator are the masked language model of the first, and
/// what the generator says of masked tokens is what the model said.
#[test]
fn both_networks_begin_with_a_masked_language_model() {
    let hidden = encoder().hidden;
    let same_width =
        EncoderConfig { embedding: hidden, heads: 1, feed_forward: 4 * hidden, ..encoder() };
    let stage = |task| PretrainConfig { encoder: same_width.clone(), ..config(task) };
    let model = Pretrainer::new(&stage(Task::Mlm), Device::Cpu);
    let mut second = stage(Task::Electra);
    let GeneratorConfig { fraction, sharing, train, .. } = &mut second.generator;
    (*fraction, *sharing, *train) = (1.0, Sharing::Nothing, false);
    assert_eq!(second.faults(), []);
    let net = Pretrainer::new(&second, Device::Cpu);
    let (golden, _) = read("pretrain_mlm");
    let batch = MaskedBatch::new(batch(&golden), &slots());
    let loss = |net: &Pretrainer| {
        let step = no_grad(|| net.step(&batch, Mode::Eval));
        let mut totals = Totals::default();
        totals.add(&batch, &step);
        let metrics = totals.metrics();
        let found = metrics.iter().find(|(name, _)| *name == "masked_lm_loss");
        found.expect("a loss").1
    };
    assert!((loss(&net) - loss(&model)).abs() > 1e-6, "both start at random, each for itself");
    net.begin_with(&model).expect("of one size");
    assert!((loss(&net) - loss(&model)).abs() < 1e-6);
    let same = |own: &str, other: &str| {
        let get = |net: &Pretrainer, name: &str| net.params().get(name).expect("it").copy();
        get(&net, own) == get(&model, other)
    };
    let query = "encoder.layer.1.attention.self.query.weight";
    assert!(same(&format!("electra.{query}"), &format!("electra.{query}")));
    assert!(same(&format!("generator.{query}"), &format!("electra.{query}")));
    // A generator of another width cannot begin with it.
    second.generator.fraction = 0.5;
    let narrow = Pretrainer::new(&second, Device::Cpu);
    let error = narrow.begin_with(&model).expect_err("another width").to_string();
    assert!(error.contains("generator.encoder.layer.0"), "{error}");
}

/// Both ways of drawing a token draw it as often as the softmax says.
#[test]
fn samples_follow_the_generators_distribution() {
    let _alone = rng::exclusive();
    rng::seed(11);
    let rounds = 400;
    for (sampling, temperature, disallow) in [
        (Sampling::Gumbel, 1.0, false),
        (Sampling::Inverse, 1.0, false),
        (Sampling::Inverse, 0.6, true),
        (Sampling::Gumbel, 0.6, true),
    ] {
        let encoder = EncoderConfig { vocabulary: 6, ..encoder() };
        let mut config = PretrainConfig { encoder, ..config(Task::Electra) };
        config.generator.sampling = sampling;
        config.generator.temperature = temperature;
        config.generator.disallow_correct = disallow;
        let net = Pretrainer::new(&config, Device::Cpu);
        // The bias alone decides what the generator says.
        no_grad(|| {
            let norm = net.params().get("generator_predictions.LayerNorm.weight").expect("it");
            let _ = norm.shallow_clone().zero_();
            let bias = net.params().get("generator_lm_head.bias").expect("it");
            bias.shallow_clone().copy_(&Tensor::from_slice(&[0f32, 1.0, 2.0, 0.5, -1.0, 1.5]));
        });
        let packed = PackedSequences::new(&[&[2; 10]], &[&[0; 10]], Device::Cpu);
        let slots: Vec<Slot> =
            (0..10).map(|position| Slot { position, masked: true, kept: true }).collect();
        let batch = MaskedBatch::new(packed, &[slots]);
        let mut counts = [0.0_f64; 6];
        for _ in 0..rounds {
            let step = no_grad(|| net.step(&batch, Mode::Eval));
            for id in Vec::<i64>::try_from(step.sampled.expect("samples")).unwrap() {
                counts[id as usize] += 1.0;
            }
        }
        let mut p = [0.0_f64, 1.0, 2.0, 0.5, -1.0, 1.5].map(|x| (x / temperature).exp());
        if disallow {
            p[2] = 0.0;
        }
        let (sum, n) = (p.iter().sum::<f64>(), f64::from(rounds) * 10.0);
        for (count, p) in counts.iter().zip(p.map(|p| p / sum)) {
            let deviation = (p * (1.0 - p) / n).sqrt();
            let found = count / n;
            assert!((found - p).abs() <= 4.0 * deviation, "{sampling:?}: {found}, not {p}");
        }
    }
}

#[test]
fn a_uniform_generator_draws_any_token_and_learns_nothing() {
    let _alone = rng::exclusive();
    rng::seed(2);
    let mut config = config(Task::Electra);
    config.generator.uniform = true;
    config.generator.disallow_correct = true;
    let net = Pretrainer::new(&config, Device::Cpu);
    assert!(net.params().names().all(|name| !name.starts_with("generator")));
    let (golden, _) = read("pretrain_electra");
    let batch = MaskedBatch::new(batch(&golden), &slots());
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let step = no_grad(|| net.step(&batch, Mode::Eval));
        assert!((step.nll.double_value(&[0]) - 60_f64.ln()).abs() < 1e-5);
        let sampled = step.sampled.expect("samples");
        assert_eq!(sampled.eq_tensor(&batch.truth()).any().int64_value(&[]), 0);
        seen.extend(Vec::<i64>::try_from(sampled).unwrap());
    }
    assert_eq!(seen.len(), 60);
}

/// Logits that come in several pieces give the loss and the gradients of all at once.
#[test]
fn pieces_of_the_vocabularys_softmax_are_the_whole() {
    let _alone = rng::exclusive();
    rng::seed(4);
    // Four places to a piece.
    let shape = EncoderConfig { vocabulary: 1 << 20, embedding: 3, hidden: 4, ..encoder() };
    let (head, params) = Params::build(Device::Cpu, |s| VocabularyHead::new(s, &shape));
    let options = (Kind::Float, Device::Cpu);
    let words = Tensor::randn([1 << 20, 3], options).set_requires_grad(true);
    let x = Tensor::randn([9, 4], options).set_requires_grad(true);
    let truth = Tensor::arange(9, (Kind::Int64, Device::Cpu)) * 1000;
    let all = || {
        let of = params.iter().map(|p| p.tensor.shallow_clone());
        of.chain([words.shallow_clone(), x.shallow_clone()]).collect::<Vec<_>>()
    };
    let clear = || {
        for mut t in all() {
            t.zero_grad();
        }
    };
    let whole = loss::cross_entropy(&head.logits(&x, &words), &truth).sum(Kind::Float);
    (&whole / (9.0 + 1e-6)).backward();
    let expected: Vec<Tensor> = all().iter().map(|t| t.grad().copy()).collect();
    clear();
    let predicted = head.predict(&x, &words, &truth);
    predicted.loss.backward();
    let error = (predicted.loss.double_value(&[]) - whole.double_value(&[]) / 9.0).abs();
    assert!(error < 1e-4, "{error}");
    for (t, expected) in all().iter().zip(&expected) {
        let scale = expected.abs().max().double_value(&[]);
        let error = (t.grad() - expected).abs().max().double_value(&[]) / scale;
        assert!(error < 1e-3, "{:?}: {error:e}", t.size());
    }
}

#[test]
fn metrics_are_counted_over_slots_and_tokens() {
    let (golden, _) = read("pretrain_electra");
    let net = Pretrainer::new(&config(Task::Electra), Device::Cpu);
    net.params().load(&weights(&golden)).unwrap();
    let batch = MaskedBatch::new(batch(&golden), &slots());
    let mut step = no_grad(|| net.step_with(&batch, Mode::Eval, Some(&golden["uniform"])));
    // Such that some tokens are said to be replaced.
    let logits = &golden["logits"] - golden["logits"].mean(Kind::Float);
    step.logits = Some(logits.shallow_clone());
    // Such that so many of the ten slots are right.
    let truth = batch.truth();
    let right = |slots: i64| {
        let place = Tensor::arange(10, (Kind::Int64, Device::Cpu));
        &truth + place.ge(slots).to_kind(Kind::Int64)
    };
    step.best = right(7);
    step.sampled = Some(right(4));
    let mut totals = Totals::default();
    totals.add(&batch, &step);
    totals.add(&batch, &step);
    let metrics: std::collections::BTreeMap<_, _> = totals.metrics().into_iter().collect();
    let mean = |t: &Tensor| t.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
    let near = |name: &str, expected: f64| {
        assert!((metrics[name] - expected).abs() < 1e-6, "{name}: {}", metrics[name]);
    };
    near("masked_lm_loss", mean(&golden["nll"]));
    near("masked_lm_accuracy", 0.7);
    near("sampled_masked_lm_accuracy", 0.4);
    let said = logits.gt(0.0);
    let labels = golden["labels"].gt(0.5);
    let right = said.eq_tensor(&labels);
    near("disc_accuracy", mean(&right));
    near("disc_precision", mean(&labels.masked_select(&said)));
    near("disc_recall", mean(&said.masked_select(&labels)));
    assert!((0.0..=1.0).contains(&metrics["disc_auc"]));
    // ln(1 + e^z) − zy of each token z with the label y, its mean over each sequence, and the mean
    // of these.
    let list = |t: &Tensor| Vec::<f64>::try_from(t.to_kind(Kind::Double)).unwrap();
    let tokens = list(&logits).into_iter().zip(list(&golden["labels"]));
    let mut losses = tokens.map(|(z, y)| z.max(0.0) - z * y + (-z.abs()).exp().ln_1p());
    let lengths = list(&golden["lengths"]);
    let means = lengths.iter().map(|n| losses.by_ref().take(*n as usize).sum::<f64>() / n);
    near("disc_loss", means.sum::<f64>() / lengths.len() as f64);
}

/// A language in which all tokens of a text are the same: both networks learn it.
#[test]
fn a_simple_language_is_learned() {
    let _alone = rng::exclusive();
    rng::seed(1);
    let shape = EncoderConfig {
        vocabulary: 40,
        dropout: 0.0,
        attention_dropout: 0.0,
        ..EncoderConfig::sized(2, 64, 32)
    };
    let mut config = PretrainConfig { encoder: shape, mask: 3, ..PretrainConfig::default() };
    config.generator.fraction = 1.0;
    let mut net = Pretrainer::new(&config, Device::Cpu);
    let adam = torch::optim::OptimConfig::Adamw(torch::optim::AdamW::bert());
    let mut optimizer = adam.build(net.params());
    let batch = |step: i64| {
        let sequences: Vec<Vec<i64>> =
            (0..16).map(|i| vec![4 + (step * 5 + i * 7) % 36; (12 + i % 3) as usize]).collect();
        let ids: Vec<&[i64]> = sequences.iter().map(Vec::as_slice).collect();
        let segments = [0; 14];
        let segments: Vec<&[i64]> = ids.iter().map(|s| &segments[..s.len()]).collect();
        let slot = |i: i64, step: i64| Slot {
            position: ((i * 3 + step * 5) % 12) as usize,
            masked: (i + step) % 7 > 0,
            kept: true,
        };
        let slots: Vec<_> = (0..16).map(|i| vec![slot(i, step), slot(i + 1, step + 2)]).collect();
        MaskedBatch::new(PackedSequences::new(&ids, &segments, Device::Cpu), &slots)
    };
    let schedule = Schedule::DecayFromStart { from: 1e-3, warmup: 40, rule: WarmUp::Times };
    for step in 0..600 {
        optimizer.zero_grad();
        let at = Progress { step: step as u64, steps: 600 };
        net.loss(batch(step), at).total().backward();
        let _ = optimizer.clip_grad_norm(1.0);
        optimizer.step(schedule.at(at));
    }
    let mut totals = Totals::default();
    for step in 1000..1004 {
        let batch = batch(step);
        totals.add(&batch, &no_grad(|| net.step(&batch, Mode::Eval)));
    }
    let metrics: std::collections::BTreeMap<_, _> = totals.metrics().into_iter().collect();
    // Chance is right once in 36 times; the part of original tokens is 0.85 or so.
    assert!(metrics["masked_lm_accuracy"] > 0.25, "{metrics:?}");
    assert!(metrics["disc_accuracy"] > 0.93, "{metrics:?}");
    assert!(metrics["disc_auc"] > 0.9, "{metrics:?}");
}
