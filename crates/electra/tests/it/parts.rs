//! Batches that several processes share: the mean over the parts is what the whole batch gives.

use std::ops::Range;

use electra::heads::{Classifier, ClassifierConfig, HeadForm, Sampling};
use electra::pretrain::{MaskedBatch, PretrainConfig, Pretrainer, Slot, SlotCounts, Task};
use electra::{EncoderConfig, PackedSequences};
use proptest::prelude::*;
use torch::{BatchPart, Device, Kind, Mode, Params, Tensor, rng};

/// Sequences with what is filled in of each.
type Sequences = Vec<(Vec<i64>, Vec<Slot>)>;

fn encoder() -> EncoderConfig {
    EncoderConfig {
        vocabulary: 60,
        layers: 2,
        positions: 256,
        dropout: 0.2,
        attention_dropout: 0.3,
        ..EncoderConfig::tiny()
    }
}

/// Six sequences, which two, three and six processes can share.
fn sequences() -> impl Strategy<Value = Sequences> {
    // Short and long ones, which attention computes apart.
    let length = prop_oneof![3..20usize, 150..200usize];
    let ids = length.prop_flat_map(|length| prop::collection::vec(5..60i64, length));
    let sequence = ids.prop_flat_map(|ids| {
        let slot = (0..ids.len(), any::<bool>(), any::<bool>());
        let slot = slot.prop_map(|(position, masked, kept)| Slot { position, masked, kept });
        let first = Slot { position: 1, masked: true, kept: true };
        let slots =
            prop::collection::vec(slot, 0..8).prop_map(move |slots| [vec![first], slots].concat());
        (Just(ids), slots)
    });
    prop::collection::vec(sequence, 6)
}

/// The sequences of `own`, as a part of all.
fn packed(all: &Sequences, own: Range<usize>) -> PackedSequences {
    packed_of(all, &[own])
}

/// The same of several ranges.
fn packed_of(all: &Sequences, own: &[Range<usize>]) -> PackedSequences {
    let lengths: Vec<usize> = all.iter().map(|(ids, _)| ids.len()).collect();
    let sequences = own.iter().flat_map(|own| &all[own.clone()]);
    let ids: Vec<i64> = sequences.flat_map(|(ids, _)| ids.clone()).collect();
    let part = BatchPart::new(&lengths, own.to_vec());
    PackedSequences::of_part(&ids, &vec![0; ids.len()], part, Device::Cpu)
}

/// The part of each process.
fn parts(processes: usize) -> impl Iterator<Item = Range<usize>> {
    let own = 6 / processes;
    (0..processes).map(move |rank| rank * own..(rank + 1) * own)
}

/// The loss with the mean of each note, and its gradient by all parameters in one row.
fn pass(net: &Pretrainer, batch: &MaskedBatch) -> (Vec<f64>, Tensor) {
    rng::seed(4);
    let loss = net.step(batch, Mode::Train).loss;
    loss.total().backward();
    let values = loss.values();
    let notes = values.notes.iter().map(|(_, value)| *value);
    let numbers = [loss.total().double_value(&[])].into_iter().chain(notes).collect();
    let slopes = net.tensors().trainable().map(|p| {
        let mut tensor = p.tensor.shallow_clone();
        let slope = match tensor.grad().defined() {
            true => tensor.grad().copy(),
            false => tensor.zeros_like(),
        };
        tensor.zero_grad();
        slope.reshape([-1])
    });
    (numbers, Tensor::cat(&slopes.collect::<Vec<_>>(), 0))
}

fn config(task: Task, uniform: bool, sampling: Sampling) -> PretrainConfig {
    let mut config =
        PretrainConfig { task, encoder: encoder(), mask: 4, ..PretrainConfig::default() };
    config.generator.uniform = uniform;
    config.generator.sampling = sampling;
    config.generator.disallow_correct = uniform;
    config
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn losses_and_gradients_of_parts_are_those_of_the_batch(all in sequences()) {
        let _alone = rng::exclusive();
        let (gumbel, inverse) = (Sampling::Gumbel, Sampling::Inverse);
        for (task, uniform, sampling) in [
            (Task::Electra, false, gumbel),
            (Task::Electra, false, inverse),
            (Task::Electra, true, gumbel),
            (Task::Electra15, false, inverse),
            (Task::Mlm, false, gumbel),
            (Task::ReplaceMlm, false, inverse),
            (Task::AllTokensMlm, false, gumbel),
        ] {
            rng::seed(2);
            let net = Pretrainer::new(&config(task, uniform, sampling), Device::Cpu);
            let slots: Vec<_> = all.iter().map(|(_, slots)| slots.clone()).collect();
            let counts: Vec<_> = slots.iter().map(|slots| SlotCounts::of(slots)).collect();
            let (wanted, slope) = pass(&net, &MaskedBatch::new(packed(&all, 0..6), &slots));
            for processes in [2, 3, 6] {
                let mut found = vec![0.0; wanted.len()];
                let mut mean = slope.zeros_like();
                for own in parts(processes) {
                    let batch = MaskedBatch::new(packed(&all, own.clone()), &slots[own]);
                    let (numbers, part) = pass(&net, &batch.shared(&counts, processes));
                    let each = found.iter_mut().zip(numbers);
                    each.for_each(|(sum, number)| *sum += number / processes as f64);
                    mean += part / processes as f64;
                }
                for (found, wanted) in found.iter().zip(&wanted) {
                    prop_assert!((found - wanted).abs() < 1e-4 * wanted.abs().max(0.1),
                        "{task:?} {sampling:?}: {found}, not {wanted}");
                }
                let off = (mean - &slope).norm().double_value(&[]);
                prop_assert!(off < 1e-4 * slope.norm().double_value(&[]), "{task:?}: {off}");
            }
        }
    }

    #[test]
    fn texts_are_classified_with_the_dropout_of_the_batch(all in sequences()) {
        let _alone = rng::exclusive();
        for form in [HeadForm::Mean, HeadForm::Pooler, HeadForm::Electra] {
            let config =
                ClassifierConfig { encoder: encoder(), form, dropout: Some(0.4), pad: -1 };
            rng::seed(3);
            let (net, _) = Params::build(Device::Cpu, |scope| Classifier::new(scope, &config, 3));
            let logits_of = |own: &[Range<usize>]| {
                rng::seed(4);
                net.classify(&packed_of(&all, own), Mode::Train)
            };
            let logits = |own| logits_of(&[own]);
            let whole = logits(0..6);
            // Batches of two and of four texts that were put together, shared by two processes.
            for own in [[0..1, 2..4], [1..2, 4..6]] {
                let [first, second] = &own;
                let wanted = [first, second]
                    .map(|own| whole.narrow(0, own.start as i64, own.len() as i64));
                let off = (logits_of(&own) - Tensor::cat(&wanted, 0)).abs().max().double_value(&[]);
                prop_assert!(off < 1e-5, "{form:?}, {own:?}: {off}");
            }
            for processes in [2, 3, 6] {
                let parts = parts(processes).map(logits).collect::<Vec<_>>();
                let off = (Tensor::cat(&parts, 0) - &whole).abs().max().double_value(&[]);
                prop_assert!(off < 1e-5, "{form:?}: {off}");
            }
            prop_assert!(whole.to_kind(Kind::Double).abs().max().double_value(&[]) > 1e-3);
        }
    }
}
