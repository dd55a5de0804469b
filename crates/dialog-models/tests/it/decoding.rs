//! Decoding: cached as uncached, each candidate as alone, and the rules by which one is chosen.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dialog_models::decode::{
    Beam, Candidate, Drawing, Dropped, Prompt, Ranking, Repetition, SampleConfig, Sampling,
    Special, beam, rank, sample, sample_each,
};
use dialog_models::{Autoregressive, Gpt2, Gpt2Config, Pairs, Seq2Seq, Seq2SeqConfig};
use torch::{ConfigError, Device, Kind, Mode, Params, Scope, Tensor, device, no_grad};

const END: i64 = 1;

fn networks() -> Vec<Seq2Seq> {
    let _alone = torch::rng::exclusive();
    torch::rng::seed(4);
    let shapes =
        [Seq2SeqConfig::evolved(30, 16, 2, [1, 2]), Seq2SeqConfig::plain(30, 16, 2, [2, 2])];
    let build = |config| Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, config)).0;
    shapes.iter().map(build).collect()
}

fn sequence(start: i64, length: i64) -> Vec<i64> {
    (0..length).map(|i| (start + 7 * i * i) % 28 + 2).collect()
}

/// ln p `[tokens, vocabulary]` at every place of a response, all at once.
fn whole(net: &Seq2Seq, context: &[i64], response: &[i64]) -> Tensor {
    let pairs = Pairs::new(&[context], &[response], Device::Cpu);
    no_grad(|| net.logits(&pairs, Mode::Eval).log_softmax(-1, Kind::Float))
}

#[track_caller]
pub(crate) fn close(what: &str, a: &Tensor, b: &Tensor) {
    assert_eq!(a.size(), b.size(), "{what}");
    let difference = (a - b).abs().max().double_value(&[]);
    assert!(difference < 1e-5, "{what}: {difference}");
}

#[test]
fn cached_steps_are_those_of_the_whole_sequence() {
    for net in networks() {
        // Longer than any convolution reaches, and than the first room of a cache.
        let (context, one, other) = (sequence(3, 9), sequence(5, 70), sequence(11, 70));
        let (mut decoding, logits) = net.start(&[&context]);
        let ln = |logits: &Tensor| logits.log_softmax(-1, Kind::Float);
        let all = [whole(&net, &context, &one), whole(&net, &context, &other)];
        close("first", &ln(&logits), &all[0].narrow(0, 0, 1));
        decoding.select(&[0, 0]);
        for place in 0..69 {
            let tokens = [one[place], other[place]];
            let logits = ln(&decoding.step(&Tensor::from_slice(&tokens)));
            for (row, all) in all.iter().enumerate() {
                let what = format!("row {row} after {} tokens", place + 1);
                let (ours, theirs) = (logits.narrow(0, row as i64, 1), all.get(place as i64 + 1));
                close(&what, &ours, &theirs.unsqueeze(0));
            }
        }
        // Rows change places and leave.
        let (mut decoding, _) = net.start(&[&context]);
        decoding.select(&[0, 0, 0]);
        let _ = decoding.step(&Tensor::from_slice(&[other[0], 9, one[0]]));
        decoding.select(&[2, 0]);
        let logits = ln(&decoding.step(&Tensor::from_slice(&[one[1], other[1]])));
        for (row, all) in all.iter().enumerate() {
            close("after moving", &logits.get(row as i64), &all.get(2));
        }
    }
}

/// ln p of what follows two contexts of other lengths, at the first places of two responses each.
fn followed(net: &dyn Autoregressive) -> Tensor {
    let (mut decoding, logits) = net.start(&[&sequence(3, 9), &sequence(4, 5)]);
    decoding.select(&[0, 0, 1, 1]);
    let mut all = vec![logits];
    for place in 0..40 {
        let tokens = [5, 11, 7, 13].map(|start| sequence(start, 40)[place]);
        all.push(decoding.step(&Tensor::from_slice(&tokens)));
    }
    Tensor::cat(&all, 0).log_softmax(-1, None::<Kind>)
}

#[test]
fn in_bfloat16_probabilities_are_nearly_the_same() {
    let _alone = torch::rng::exclusive();
    torch::rng::seed(5);
    let gpt2 = Gpt2Config { vocabulary: 30, positions: 64, ..Gpt2Config::sized(2, 16, 2) };
    let [evolved, plain] = [Seq2SeqConfig::evolved, Seq2SeqConfig::plain];
    let (evolved, plain) = (evolved(30, 16, 2, [1, 2]), plain(30, 16, 2, [2, 2]));
    type Make<'a> = Box<dyn Fn(&mut Scope<'_>) -> Box<dyn Autoregressive> + 'a>;
    let nets: [(&str, Make<'_>); 3] = [
        ("GPT-2", Box::new(|scope| Box::new(Gpt2::new(scope, &gpt2)))),
        ("evolved", Box::new(|scope| Box::new(Seq2Seq::new(scope, &evolved)))),
        ("plain", Box::new(|scope| Box::new(Seq2Seq::new(scope, &plain)))),
    ];
    for (name, make) in nets {
        let (net, params) = Params::build(Device::Cpu, &make);
        if name == "GPT-2" {
            // As it is drawn, every token is about as likely as every other one.
            no_grad(|| {
                params.trainable().for_each(|p| drop(p.tensor.shallow_clone().g_mul_scalar_(4.0)))
            });
        }
        let ours = followed(&*params.in_kind(Kind::BFloat16, &make));
        assert_eq!(ours.kind(), Kind::Float, "{name}");
        let exact = followed(&*net);
        let off = (&ours - &exact).abs().max().double_value(&[]);
        let spread = exact.std(false).double_value(&[]);
        assert!(
            spread > 0.1 && off > 1e-4 && off < 0.15 * spread.max(1.0),
            "{name}: {off}, {spread}"
        );
    }
}

fn config(candidates: usize) -> SampleConfig {
    SampleConfig { candidates, max_tokens: 25, sampling: Sampling::default() }
}

/// Matrices of a size that several threads share.
#[test]
fn a_network_of_some_width_draws_the_same_on_any_number_of_threads() {
    let (before, config) = (device::threads(), Seq2SeqConfig::mini());
    let _alone = torch::rng::exclusive();
    torch::rng::seed(5);
    let (net, _) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
    let context: Vec<i64> = (0..40).map(|i| 300 + 17 * i).collect();
    let how = SampleConfig { candidates: 20, max_tokens: 8, sampling: Sampling::default() };
    let draw = |threads| {
        device::set_threads(threads);
        sample(&net, &context, &Special::end(END), &how, 7)
    };
    let all = [1, 2, 3].map(draw);
    device::set_threads(before);
    for other in &all[1..] {
        for (a, b) in other.iter().zip(&all[0]) {
            assert_eq!(a.tokens, b.tokens);
        }
    }
}

#[test]
fn a_candidate_is_what_it_is_alone_and_on_any_number_of_threads() {
    let before = device::threads();
    for net in networks() {
        let context = sequence(3, 9);
        let draw = |n, seed| sample(&net, &context, &Special::end(END), &config(n), seed);
        let many = draw(9, 7);
        assert!(many.iter().any(|c| c.finished) && many.iter().any(|c| c.tokens.len() > 8));
        for n in [1, 3] {
            for (ours, theirs) in draw(n, 7).iter().zip(&many) {
                assert_eq!(ours.tokens, theirs.tokens);
                assert!((ours.log_probability - theirs.log_probability).abs() < 1e-4);
            }
        }
        assert_ne!(draw(9, 8), many);
        for threads in [1, 3] {
            device::set_threads(threads);
            let again = draw(9, 7);
            assert!(again.iter().zip(&many).all(|(a, b)| a.tokens == b.tokens), "{threads}");
        }
        device::set_threads(before);
        // The log-probability is that of the whole response, its end included.
        for candidate in &many {
            let mut tokens = candidate.tokens.clone();
            tokens.extend(candidate.finished.then_some(END));
            assert_eq!(
                (tokens.len(), candidate.tokens.contains(&END)),
                (candidate.generated(), false)
            );
            let ids = Tensor::from_slice(&tokens).unsqueeze(1);
            let own = whole(&net, &context, &tokens).gather(1, &ids, false).sum(Kind::Double);
            assert!((own.double_value(&[]) - candidate.log_probability).abs() < 1e-4);
        }
    }
}

#[test]
fn a_reply_does_not_depend_on_what_else_is_written() {
    let special = Special { never: vec![0], ..Special::end(END) };
    for net in networks() {
        let contexts = [sequence(3, 9), sequence(5, 2), sequence(11, 30), sequence(2, 5)];
        let greedy = Sampling::greedy();
        let few = Sampling { temperature: 1.3, top_k: Some(4), nucleus: None };
        let configs = [
            config(3),
            SampleConfig { candidates: 1, max_tokens: 40, sampling: few },
            SampleConfig { candidates: 2, max_tokens: 5, sampling: greedy },
            config(4),
        ];
        let prompt = |i: usize| Prompt {
            context: contexts[i].as_slice(),
            seed: 100 + i as u64,
            max_tokens: usize::MAX,
        };
        let wanted: Vec<_> = (0..4).map(|i| (prompt(i), &configs[i])).collect();
        let alone: Vec<Vec<Candidate>> = (0..4)
            .map(|i| sample(&net, &contexts[i], &special, &configs[i], 100 + i as u64))
            .collect();
        // Three together, of which one is broken off, while a fourth comes between their steps.
        let mut drawing = Drawing::new(&net, &wanted[..3], &special);
        let mut late = None;
        let mut goes_on = true;
        for step in 0.. {
            goes_on &=
                drawing.step(&mut |context, written| match context == 0 && written.place == 1 {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                });
            if step == 2 {
                late = Some(Drawing::new(&net, &wanted[3..], &special));
                assert!(!drawing.goes_on(0), "two tokens, and no more");
            }
            let more = late.as_mut().map(|late| late.step(&mut |_, _| ControlFlow::Continue(())));
            if !goes_on && more == Some(false) {
                break;
            }
        }
        let found = drawing.into_candidates();
        let cut =
            |candidate: &Candidate| candidate.tokens[..candidate.tokens.len().min(2)].to_vec();
        for (found, alone) in found[0].iter().zip(&alone[0]) {
            assert_eq!(found.tokens, cut(alone));
        }
        let late = late.expect("it").into_candidates().remove(0);
        for (found, alone) in [(&found[1], &alone[1]), (&found[2], &alone[2]), (&late, &alone[3])] {
            for (found, alone) in found.iter().zip(alone) {
                assert_eq!(found.tokens, alone.tokens);
                assert_eq!(found.finished, alone.finished);
                assert!((found.log_probability - alone.log_probability).abs() < 1e-4);
            }
        }
    }
}

#[test]
fn tokens_are_told_as_they_come_and_drawing_can_be_stopped() {
    let net = networks().remove(0);
    let (context, special) =
        (sequence(3, 5), Special { never: vec![0, 4, 9], ..Special::end(END) });
    let mut told = vec![Vec::new(); 4];
    let all = sample_each(&net, &context, &special, &config(4), 3, &mut |written| {
        assert_eq!(told[written.candidate].len(), written.place);
        told[written.candidate].push(written.token);
        ControlFlow::Continue(())
    });
    for (told, candidate) in told.iter().zip(&all) {
        assert_eq!(told.len(), candidate.generated());
        assert_eq!(told[..candidate.tokens.len()], candidate.tokens);
        assert!(candidate.tokens.iter().all(|t| !special.never.contains(t)));
    }
    let mut count = 0;
    let cut = sample_each(&net, &context, &special, &config(4), 3, &mut |_| {
        count += 1;
        if count == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(count <= 8, "no further token after that place");
    assert!(
        cut.iter().zip(&all).all(|(a, b)| a.tokens.len() <= 2 && b.tokens.starts_with(&a.tokens))
    );
}

/// Draws from the logits of the first token alone.
#[test]
fn draws_follow_the_probabilities() {
    let net = networks().remove(0);
    let context = sequence(3, 5);
    let of = |sampling| {
        let config = SampleConfig { candidates: 4000, max_tokens: 1, sampling };
        let all = sample(&net, &context, &Special::end(END), &config, 5);
        let mut counts = vec![0.0; 30];
        for c in all {
            counts[c.tokens.first().map_or(END, |t| *t) as usize] += 1.0 / 4000.0;
        }
        counts
    };
    let logits = net.start(&[&context]).1;
    let p = Vec::<f64>::try_from((logits / 0.88).softmax(-1, Kind::Double).get(0)).unwrap();
    for (found, p) in of(Sampling::default()).iter().zip(&p) {
        let deviation = (p * (1.0 - p) / 4000.0).sqrt();
        assert!((found - p).abs() < 5.0 * deviation, "{found}, not {p}");
    }
    let mut order: Vec<usize> = (0..30).collect();
    order.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
    let top: f64 = order[..5].iter().map(|&i| p[i]).sum();
    let found = of(Sampling { top_k: Some(5), ..Sampling::default() });
    assert_eq!(found.iter().filter(|f| **f > 0.0).count(), 5);
    for &i in &order[..5] {
        assert!((found[i] - p[i] / top).abs() < 0.04, "{} {}", found[i], p[i] / top);
    }
    let greedy = of(Sampling::greedy());
    assert!((greedy[order[0]] - 1.0).abs() < 1e-9);
}

#[track_caller]
fn nucleus(probabilities: &[f32], p: f64, expected: &[(usize, f64)]) {
    let sampling = Sampling { temperature: 1.0, top_k: None, nucleus: Some(p) };
    let kept = sampling.kept(probabilities);
    assert_eq!(
        kept.iter().map(|k| k.0).collect::<Vec<_>>(),
        expected.iter().map(|k| k.0).collect::<Vec<_>>()
    );
    for (found, expected) in kept.iter().zip(expected) {
        assert!((found.1 - expected.1).abs() < 1e-6, "{found:?}, not {expected:?}");
    }
}

#[test]
fn the_nucleus_keeps_the_token_that_reaches_its_probability() {
    let four = [0.4, 0.3, 0.2, 0.1];
    nucleus(&four, 0.8, &[(0, 4.0 / 9.0), (1, 3.0 / 9.0), (2, 2.0 / 9.0)]);
    nucleus(&[0.5, 0.25, 0.25], 0.75, &[(0, 2.0 / 3.0), (1, 1.0 / 3.0)]);
    nucleus(&[0.5, 0.41, 0.09], 0.9, &[(0, 0.5 / 0.91), (1, 0.41 / 0.91)]);
    nucleus(&four, 1.0, &[(0, 0.4), (1, 0.3), (2, 0.2), (3, 0.1)]);
    nucleus(&four, 0.01, &[(0, 1.0)]);
    nucleus(&four, 0.0, &[(0, 1.0)]);
    nucleus(&[0.25; 4], 0.5, &[(0, 0.5), (1, 0.5)]);
    nucleus(&[0.1, 0.2, 0.3, 0.4], 0.5, &[(3, 4.0 / 7.0), (2, 3.0 / 7.0)]);
    // More tokens than are looked at first.
    let even = vec![1.0 / 1000.0; 1000];
    let kept = Sampling { temperature: 1.0, top_k: None, nucleus: Some(0.7) }.kept(&even);
    assert_eq!((kept.len(), kept[699].0), (700, 699));
    // Of what the most likely ones have left: (.4, .3) of .7.
    let both = Sampling { temperature: 1.0, top_k: Some(2), nucleus: Some(0.5) };
    assert_eq!(both.kept(&four).len(), 1);
    // The temperature comes before: (.4, .3, .2, .1) at 0.88.
    let logits = Tensor::from_slice(&four).log() / 0.88;
    let warm = Vec::<f64>::try_from(logits.softmax(-1, Kind::Double)).unwrap();
    for (found, expected) in
        warm.iter().zip([0.419_640_76, 0.302_622_92, 0.190_896_57, 0.086_839_75])
    {
        assert!((found - expected).abs() < 1e-6, "{found}");
    }
}

fn candidate(log_probabilities: &[f64], finished: bool) -> Candidate {
    let words = log_probabilities.len() - usize::from(finished);
    let log_probability = log_probabilities.iter().sum();
    Candidate { tokens: (10..10 + words as i64).collect(), log_probability, finished }
}

#[test]
fn the_best_response_has_the_best_mean_and_is_not_empty() {
    let candidates = [
        candidate(&[-0.9, -0.7, -0.4, -0.3, -0.1], true),
        candidate(&[-0.6, -0.5, -0.4], true),
        candidate(&[-0.05], true),
        candidate(&[-0.3, -0.2, -0.1, -0.2, -0.3, -0.2, -0.2], true),
        candidate(&[-0.1; 4], false),
    ];
    let ranked = rank(&candidates, &Ranking::default());
    let order: Vec<_> = ranked.iter().map(|r| (r.candidate, r.dropped)).collect();
    let (empty, cut) = (Some(Dropped::Empty), Some(Dropped::Truncated));
    assert_eq!(order, [(3, None), (0, None), (1, None), (2, empty), (4, cut)]);
    for (r, expected) in ranked.iter().zip([-1.5 / 7.0, -0.48, -0.5, -0.05, -0.1]) {
        assert!((r.score - expected).abs() < 1e-12, "{r:?}");
    }
    // Where all were cut off, the best of them is given; an empty one never is.
    let ranked = rank(&[candidates[2].clone(), candidates[4].clone()], &Ranking::default());
    assert_eq!((ranked[0].candidate, ranked[0].dropped), (1, None));
    assert_eq!(ranked[1].dropped, empty);
    let nothing = Candidate { tokens: vec![], log_probability: 0.0, finished: false };
    let ranked = rank(&[nothing], &Ranking::default());
    assert_eq!((ranked[0].score, ranked[0].dropped), (f64::NEG_INFINITY, empty));
}

#[test]
fn repetitions_and_refused_responses_are_passed_over() {
    let of = |tokens: &[i64], log_probability| Candidate {
        tokens: tokens.to_vec(),
        log_probability,
        finished: true,
    };
    let candidates = [
        of(&[1, 2, 3, 4, 5, 6], -0.7),
        of(&[7, 8, 66], -0.8),
        of(&[7, 8, 9], -2.0),
        of(&[7, 8, 10], -2.0),
    ];
    let earlier: [&[i64]; 2] = [&[20, 21], &[1, 2, 9, 3, 4, 5]];
    let refused = candidates.each_ref().map(|candidate| candidate.tokens.contains(&66));
    let repetition = Some(Repetition::default());
    let ranking = Ranking { repetition, earlier: &earlier, refused: Some(&refused), scores: None };
    let ranked = rank(&candidates, &ranking);
    let order: Vec<_> = ranked.iter().map(|r| (r.candidate, r.dropped)).collect();
    let (repeats, refused) = (Some(Dropped::Repeats(1)), Some(Dropped::Refused));
    assert_eq!(order, [(2, None), (3, None), (0, repeats), (1, refused)]);

    // Other scores change the order, and nothing else.
    let ranking = Ranking { scores: Some(&[-9.0, -3.0, -8.0, -7.0]), ..ranking };
    let ranked = rank(&candidates, &ranking);
    let order: Vec<_> = ranked.iter().map(|r| (r.candidate, r.dropped)).collect();
    assert_eq!(order, [(3, None), (2, None), (1, refused), (0, repeats)]);
    assert_eq!(ranked[0].score, -7.0);
}

/// All responses of up to three tokens, by their probabilities.
#[test]
fn a_wide_beam_finds_the_likeliest_responses() {
    let _alone = torch::rng::exclusive();
    torch::rng::seed(9);
    let config = Seq2SeqConfig::evolved(5, 8, 2, [1, 1]);
    let (net, _) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
    let (context, special) = (vec![2, 3, 4], Special { never: vec![0], ..Special::end(END) });
    let mut all: Vec<(f64, Vec<i64>)> = Vec::new();
    for a in [2, 3, 4] {
        let mut words = vec![vec![a]];
        words.extend([2, 3, 4].map(|b| vec![a, b]));
        for tokens in words {
            let whole_tokens = [tokens.as_slice(), &[END]].concat();
            let ids = Tensor::from_slice(&whole_tokens).unsqueeze(1);
            let own = whole(&net, &context, &whole_tokens).gather(1, &ids, false);
            all.push((own.sum(Kind::Double).double_value(&[]) / whole_tokens.len() as f64, tokens));
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Wide enough to follow every response.
    let search = Beam { width: 40, max_tokens: 3, ..Beam::default() };
    let found = beam(&net, &context, &special, &search);
    assert!(found.len() > all.len());
    for (i, (found, expected)) in found.iter().zip(&all).enumerate() {
        assert!(found.finished, "{i}");
        assert_eq!(found.tokens, expected.1);
        assert!((found.score().unwrap() - expected.0).abs() < 1e-5);
    }
    // A narrow one gives no more than it follows, and one of width 1 is greedy but for empty ones.
    let narrow =
        beam(&net, &context, &special, &Beam { width: 2, max_tokens: 20, ..Beam::default() });
    assert!(narrow.len() == 2 && narrow.iter().all(|c| !c.is_empty() && !c.tokens.contains(&0)));
    let again =
        beam(&net, &context, &special, &Beam { width: 2, max_tokens: 20, ..Beam::default() });
    assert_eq!(narrow, again);
}

#[test]
fn values_that_make_no_sense_are_named() {
    let keys = |faults: Vec<ConfigError>| faults.into_iter().map(|f| f.key).collect::<Vec<_>>();
    assert!(keys(SampleConfig::default().faults()).is_empty());
    let sampling = Sampling { temperature: -1.0, top_k: Some(0), nucleus: Some(1.1) };
    let config = SampleConfig { candidates: 0, max_tokens: 0, sampling };
    let all = ["temperature", "top_k", "nucleus"].map(|key| format!("sampling.{key}"));
    assert_eq!(keys(config.faults())[..2], ["candidates", "max_tokens"]);
    assert_eq!(keys(config.faults())[2..], all);
    assert_eq!(keys(Repetition { share: 0.0, least: 0 }.faults()), ["share", "least"]);
    let beam = Beam { width: 0, max_tokens: 1, length_power: f64::NAN, ..Beam::default() };
    assert_eq!(keys(beam.faults()), ["width", "length_power"]);
}

#[test]
fn tokens_that_no_vocabulary_has_are_refused() {
    let fault = |call: &dyn Fn()| {
        let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref().cloned()).unwrap_or_default()
    };
    let (nets, how) = (networks(), SampleConfig { candidates: 1, ..SampleConfig::default() });
    for (special, context, said) in [
        (Special::end(99), 5, "token 99, which ends responses, is not in a vocabulary of 30"),
        (Special { never: vec![0, 77], ..Special::end(END) }, 5, "token 77, which no response has"),
        (Special { never: (0..30).collect(), ..Special::end(END) }, 5, "any of the 30 tokens"),
        (Special::end(END), 30, "token 30 is not in a vocabulary of 30"),
    ] {
        let drawn = fault(&|| _ = sample(&nets[0], &[context], &special, &how, 1));
        let found = fault(&|| _ = beam(&nets[0], &[context], &special, &Beam::default()));
        assert!(drawn.contains(said) && found.contains(said), "{drawn} {found}");
    }
    for probabilities in [[].as_slice(), &[0.0, 0.0], &[f32::NAN, 1.0]] {
        let said = fault(&|| _ = Sampling::default().kept(probabilities));
        assert!(said.contains("token"), "{said}");
    }
}
