//! Batches that several processes share: what the parts give together is what the whole batch
//! gives, with its dropout.

use std::ops::Range;

use dialog_models::{
    LanguageModel, Marian, MarianConfig, PackedSequences, Pairs, Seq2Seq, Seq2SeqConfig,
};
use torch::{BatchPart, Device, Kind, Mode, Params, Tensor, rng};

/// Tokens of contexts and of responses: short and long ones, which attention computes apart.
const LENGTHS: [[usize; 6]; 2] = [[3, 150, 5, 148, 40, 2], [4, 7, 130, 1, 33, 135]];

/// Contexts (0) or responses of a part.
fn packed(which: usize, own: &[Range<usize>]) -> PackedSequences {
    let text = |i: usize| {
        let length = LENGTHS[which][i] as i64;
        (0..length).map(move |at| 2 + (7 * i as i64 + 3 * at * at + which as i64) % 40)
    };
    let ids: Vec<i64> = own.iter().cloned().flatten().flat_map(text).collect();
    PackedSequences::of_part(&ids, BatchPart::new(&LENGTHS[which], own.to_vec()), Device::Cpu)
}

/// The loss over a part's tokens with the share that they have of all, and its gradient by all
/// parameters in one row.
fn pass<N: LanguageModel<Batch = Pairs>>(
    (net, params): &(N, Params),
    own: &[Range<usize>],
    recompute: bool,
) -> (f64, Tensor) {
    let pairs = Pairs::from_packed(packed(0, own), packed(1, own));
    let share = pairs.response().tokens() as f64 / LENGTHS[1].iter().sum::<usize>() as f64;
    params.zero_grad();
    rng::seed(4);
    let made = match recompute {
        true => net.token_loss_recomputed(params, &pairs, 0.1, Mode::Train),
        false => net.token_loss(&pairs, 0.1, Mode::Train),
    };
    let loss = made.loss * share;
    loss.backward();
    let slopes = params.trainable().map(|p| p.tensor.grad().copy().reshape([-1]));
    (loss.double_value(&[]), Tensor::cat(&slopes.collect::<Vec<_>>(), 0))
}

fn parts_are_the_batch<N: LanguageModel<Batch = Pairs>>(net: &(N, Params), recompute: bool) {
    let name = std::any::type_name::<N>();
    let (wanted, slope) = pass(net, &[0..3, 3..6], recompute);
    let none = pass(net, &[0..3, 3..6], recompute).0;
    assert_eq!(wanted, none, "{name}: the seed decides");
    let equal = |processes: usize| -> Vec<Vec<Range<usize>>> {
        let own = 6 / processes;
        (0..processes).map(|rank| Vec::from([rank * own..rank * own + own, 6..6])).collect()
    };
    let together = vec![vec![0..1, 3..5], vec![1..3, 5..6]];
    for parts in [equal(2), equal(3), equal(6), together] {
        let (mut loss, mut mean) = (0.0, slope.zeros_like());
        for own in &parts {
            let (part, by) = pass(net, own, recompute);
            loss += part;
            mean += by;
        }
        assert!((loss - wanted).abs() < 1e-5 * wanted, "{name}, {parts:?}: {loss}, not {wanted}");
        let off = (mean - &slope).norm().double_value(&[]);
        assert!(off < 1e-4 * slope.norm().double_value(&[]), "{name}, {parts:?}: {off}");
    }
}

#[test]
fn losses_and_gradients_of_parts_are_those_of_the_batch() {
    let _alone = rng::exclusive();
    for config in
        [Seq2SeqConfig::evolved(50, 16, 2, [2, 2]), Seq2SeqConfig::plain(50, 16, 2, [1, 2])]
    {
        let config = Seq2SeqConfig { dropout: 0.2, attention_dropout: 0.3, ..config };
        rng::seed(2);
        let net = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
        parts_are_the_batch(&net, false);
        parts_are_the_batch(&net, true);
    }
    let config = MarianConfig {
        vocabularies: [50; 2],
        start: 49,
        positions: 256,
        hidden: 16,
        layers: [2, 1],
        heads: [2; 2],
        inner: [32; 2],
        dropout: 0.2,
        attention_dropout: 0.3,
        inner_dropout: 0.1,
        ..MarianConfig::default()
    };
    rng::seed(3);
    parts_are_the_batch(&Params::build(Device::Cpu, |scope| Marian::new(scope, &config)), false);
}

/// A part that is taken for a whole batch gets other dropout.
#[test]
fn the_place_of_a_pair_decides_what_is_dropped() {
    let _alone = rng::exclusive();
    rng::seed(2);
    let config = Seq2SeqConfig { dropout: 0.2, ..Seq2SeqConfig::plain(50, 16, 2, [1, 1]) };
    let (net, _) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
    let nll = |pairs: &Pairs| {
        rng::seed(4);
        net.token_loss(pairs, 0.0, Mode::Train).nll.sum(Kind::Double).double_value(&[])
    };
    let part = Pairs::from_packed(packed(0, &[2..4, 4..6]), packed(1, &[2..4, 4..6]));
    let alone = |packed: &PackedSequences| {
        let ids = Vec::<i64>::try_from(packed.ids()).expect("int64");
        PackedSequences::from_parts(&ids, packed.lengths().to_vec(), Device::Cpu)
    };
    let whole = Pairs::from_packed(alone(part.context()), alone(part.response()));
    assert!((nll(&part) - nll(&whole)).abs() > 1e-2);
}

#[test]
#[should_panic(expected = "sequences [0..1, 2..3] of")]
fn contexts_and_responses_are_of_the_same_pairs() {
    let _ = Pairs::from_packed(packed(0, &[0..1, 1..2]), packed(1, &[0..1, 2..3]));
}
