//! What a sequence becomes does not depend on the batch that it is in.

use electra::heads::{Classifier, ClassifierConfig, HeadForm};
use electra::{Encoder, EncoderConfig, PackedSequences};
use proptest::prelude::*;
use torch::precision::{Precision, autocast};
use torch::{Device, Kind, Mode, Net, Params, Tensor, no_grad, rng};

fn config() -> EncoderConfig {
    let sized = EncoderConfig::sized(2, 128, 32);
    EncoderConfig { vocabulary: 50, positions: 40, ..sized }
}

fn encoder() -> (Encoder, Params) {
    encoder_of(&config())
}

fn encoder_of(config: &EncoderConfig) -> (Encoder, Params) {
    let _alone = rng::exclusive();
    rng::seed(7);
    let (net, params) = Params::build(Device::Cpu, |s| Encoder::new(&mut s.sub("electra"), config));
    // Further from 0 than training starts, so that tokens differ.
    no_grad(|| params.iter().for_each(|p| drop(p.tensor.shallow_clone().g_mul_scalar_(3.0))));
    (net, params)
}

fn tokens(length: usize, seed: usize) -> Vec<i64> {
    (0..length).map(|i| ((i * 7 + seed * 13 + i * i) % 50) as i64).collect()
}

fn pack(sequences: &[Vec<i64>]) -> PackedSequences {
    let segments: Vec<Vec<i64>> = sequences
        .iter()
        .map(|s| (0..s.len()).map(|i| i64::from(i > s.len() / 2)).collect())
        .collect();
    let slices = |all: &[Vec<i64>]| all.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(slices(sequences), slices(&segments));
    let ids: Vec<&[i64]> = sequences.iter().map(Vec::as_slice).collect();
    let segments: Vec<&[i64]> = segments.iter().map(Vec::as_slice).collect();
    PackedSequences::new(&ids, &segments, Device::Cpu)
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Beside others, short and long, each sequence gets what it gets alone.
    #[test]
    fn any_batch_gives_the_same_vectors(lengths in prop::collection::vec(1_usize..=40, 1..12)) {
        let (net, _params) = encoder();
        let sequences: Vec<_> = lengths.iter().enumerate().map(|(i, &n)| tokens(n, i)).collect();
        let together = no_grad(|| net.forward(&pack(&sequences), Mode::Eval));
        for (part, sequence) in pack(&sequences).split(&together).iter().zip(&sequences) {
            let alone = no_grad(|| net.forward(&pack(std::slice::from_ref(sequence)), Mode::Eval));
            let error = distance(part, &alone);
            prop_assert!(error < 1e-5, "{} tokens differ by {error:e}", sequence.len());
        }
    }

    /// The last layer may leave out what nobody looks at.
    #[test]
    fn first_tokens_alone_get_the_same_vectors(lengths in prop::collection::vec(1_usize..=40, 1..12)) {
        let (net, _params) = encoder();
        let batch = pack(&lengths.iter().enumerate().map(|(i, &n)| tokens(n, i)).collect::<Vec<_>>());
        for precision in [Precision::Float32, Precision::Bfloat16] {
            let run = |of: &dyn Fn() -> Tensor| no_grad(|| autocast(precision, Device::Cpu, of));
            let all = run(&|| net.forward(&batch, Mode::Eval)).index_select(0, batch.starts());
            let first = run(&|| net.forward_first(&batch, Mode::Eval));
            let [all, first] = [all, first].map(|x| x.to_kind(Kind::Float));
            let allowed = if precision == Precision::Float32 { 1e-6 } else { 0.03 };
            let error = distance(&all, &first) / all.abs().max().double_value(&[]);
            prop_assert!(error < allowed, "{precision:?}: {error:e}");
        }
    }

    /// Gradients are those of the sequences one by one, added up.
    #[test]
    fn gradients_add_up(lengths in prop::collection::vec(1_usize..=40, 1..6)) {
        let (net, params) = encoder();
        let sequences: Vec<_> = lengths.iter().enumerate().map(|(i, &n)| tokens(n, i)).collect();
        let run = |batch: &PackedSequences| {
            net.forward(batch, Mode::TrainWithoutNoise).square().sum(Kind::Float)
        };
        run(&pack(&sequences)).backward();
        let together: Vec<Tensor> = params.trainable().map(|p| p.tensor.grad().copy()).collect();
        params.zero_grad();
        sequences.iter().for_each(|s| run(&pack(std::slice::from_ref(s))).backward());
        for (p, together) in params.trainable().zip(&together) {
            let alone = p.tensor.grad();
            let error = distance(&alone, together) / alone.abs().max().double_value(&[]).max(1.0);
            prop_assert!(error < 1e-3, "{}: {error:e}", p.name);
        }
    }
}

#[test]
fn padded_input_is_the_same_as_packed() {
    let _alone = rng::exclusive();
    rng::seed(3);
    for form in [HeadForm::Electra, HeadForm::Linear, HeadForm::Pooler, HeadForm::Mean] {
        let config = ClassifierConfig { encoder: config(), form, ..Default::default() };
        let make = |scope: &mut torch::Scope<'_>| Classifier::new(scope, &config, 3);
        let (net, _) = Params::build(Device::Cpu, make);
        let sequences: Vec<Vec<i64>> =
            [5, 12, 1, 12].map(|n| tokens(n, n).iter().map(|id| 1 + id % 49).collect()).to_vec();
        let batch = pack(&sequences);
        let both = Tensor::stack(&[batch.ids(), batch.segments()], 1);
        let padded = batch.padded(&both).transpose(1, 2);
        assert_eq!(padded.size(), [4, 2, 12]);
        let packed = no_grad(|| net.classify(&batch, Mode::Eval));
        let theirs = no_grad(|| Net::forward(&net, &padded, Mode::Eval));
        assert!(distance(&packed, &theirs) < 1e-6, "{form:?}");
        let first = pack(&sequences[1..2]);
        let alone = no_grad(|| net.classify(&first, Mode::Eval));
        assert!(distance(&packed.narrow(0, 1, 1), &alone) < 1e-5, "{form:?}");
    }
}

#[test]
fn noise_is_for_the_sequences_that_the_mode_names() {
    // Of vectors alone, of attention alone.
    for (dropout, attention_dropout) in [(0.1, 0.0), (0.0, 0.1)] {
        let (net, _params) = encoder_of(&EncoderConfig { dropout, attention_dropout, ..config() });
        let _alone = rng::exclusive();
        rng::seed(5);
        let lengths = [9, 30, 7, 30].iter().enumerate();
        let sequences: Vec<_> = lengths.map(|(i, &n)| tokens(n, i)).collect();
        let batch = pack(&sequences);
        let run = |mode| batch.split(&no_grad(|| net.forward(&batch, mode)));
        let (clean, some, all) =
            (run(Mode::Eval), run(Mode::TrainNoisyRows(2)), run(Mode::EvalWithNoise));
        for i in 0..4 {
            // Without noise for all it is computed another way, step by step.
            let (near, far) = (distance(&clean[i], &some[i]), distance(&clean[i], &all[i]));
            assert_eq!(near > 1e-3, i < 2, "sequence {i}: {near}");
            assert_eq!(near < 1e-4, i >= 2, "sequence {i}: {near}");
            assert!(far > 1e-3, "sequence {i}: {far}");
        }
        assert_eq!(run(Mode::TrainWithoutNoise), clean);
    }
}

#[test]
fn bfloat16_computes_nearly_the_same() {
    let (net, params) = encoder();
    let batch = pack(&[tokens(33, 1), tokens(12, 2), tokens(30, 3)]);
    let exact = net.forward(&batch, Mode::Eval);
    let rough =
        autocast(Precision::Bfloat16, Device::Cpu, || net.forward(&batch, Mode::TrainWithoutNoise));
    let error = distance(&exact, &rough) / exact.abs().max().double_value(&[]);
    assert!(error > 0.0 && error < 0.03, "{error}");
    rough.square().sum(Kind::Float).backward();
    assert!(params.trainable().all(|p| p.tensor.grad().isfinite().all().int64_value(&[]) == 1));
}

#[test]
#[should_panic(expected = "the encoder has 40 positions")]
fn longer_sequences_than_positions_are_refused() {
    let _ = encoder().0.forward(&pack(&[tokens(41, 0)]), Mode::Eval);
}

#[test]
#[should_panic(expected = "token 50 is not in a vocabulary of 50")]
fn tokens_that_no_vocabulary_has_are_refused() {
    let _ = encoder().0.forward(&pack(&[vec![3, 50]]), Mode::Eval);
}

#[test]
#[should_panic(expected = "segment 2 of an encoder of 2")]
fn segments_that_an_encoder_does_not_have_are_refused() {
    let batch = PackedSequences::new(&[&[3, 4]], &[&[0, 2]], Device::Cpu);
    let _ = encoder().0.forward(&batch, Mode::Eval);
}

#[test]
#[should_panic(expected = "token -1")]
fn ids_are_not_negative() {
    let _ = PackedSequences::new(&[&[3, -1]], &[&[0, 0]], Device::Cpu);
}
