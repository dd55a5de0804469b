//! What a pair gives does not depend on what is beside it, nor on how it was padded.

use dialog_models::{LanguageModel, PackedSequences, Pairs, Seq2Seq, Seq2SeqConfig, Totals};
use proptest::prelude::*;
use torch::{Device, Kind, Mode, Params, Tensor, no_grad};

fn net(config: &Seq2SeqConfig) -> Seq2Seq {
    let _alone = torch::rng::exclusive();
    torch::rng::seed(1);
    Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, config)).0
}

fn sequence(start: i64, length: usize) -> Vec<i64> {
    (0..length as i64).map(|i| (start + 7 * i * i) % 50).collect()
}

/// Log-probabilities of the tokens that are written, pair by pair.
fn alone(net: &Seq2Seq, contexts: &[Vec<i64>], responses: &[Vec<i64>]) -> Vec<Tensor> {
    let one = |(c, r): (&Vec<i64>, &Vec<i64>)| {
        let pairs = Pairs::new(&[c], &[r], Device::Cpu);
        no_grad(|| net.logits(&pairs, Mode::Eval).log_softmax(-1, Kind::Float))
    };
    contexts.iter().zip(responses).map(one).collect()
}

/// int64 `[sequences, room]`, filled up with `pad`.
fn padded(sequences: &[Vec<i64>], more: usize, pad: i64) -> PackedSequences {
    let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
    let room = lengths.iter().max().unwrap() + more;
    let flat: Vec<i64> = sequences
        .iter()
        .flat_map(|s| s.iter().copied().chain(std::iter::repeat_n(pad, room - s.len())))
        .collect();
    let ids = Tensor::from_slice(&flat).view([sequences.len() as i64, room as i64]);
    PackedSequences::from_padded(&ids, lengths)
}

#[test]
fn a_batch_gives_what_single_pairs_give() {
    for config in
        [Seq2SeqConfig::evolved(50, 16, 2, [2, 2]), Seq2SeqConfig::plain(50, 16, 2, [2, 2])]
    {
        let net = net(&config);
        let contexts = [3, 9, 20].map(|n| sequence(n as i64, n)).to_vec();
        let responses = [12, 1, 30].map(|n| sequence(2 + n as i64, n)).to_vec();
        let single = Tensor::cat(&alone(&net, &contexts, &responses), 0);
        for (more, pad) in [(0, 0), (5, 0), (40, 0), (5, 49), (40, 49)] {
            let [context, response] = [&contexts, &responses].map(|s| padded(s, more, pad));
            let pairs = Pairs::from_packed(context, response);
            let batch = no_grad(|| net.logits(&pairs, Mode::Eval).log_softmax(-1, Kind::Float));
            let difference = (&batch - &single).abs().max().double_value(&[]);
            assert!(difference < 1e-5, "{:?} {difference}", config.architecture);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..Default::default() })]
    #[test]
    fn any_lengths_go_together(lengths in prop::collection::vec((1usize..40, 1usize..40), 1..9)) {
        let net = net(&Seq2SeqConfig::evolved(50, 8, 2, [1, 1]));
        let contexts: Vec<_> = lengths.iter().map(|&(n, _)| sequence(n as i64, n)).collect();
        let responses: Vec<_> = lengths.iter().map(|&(_, n)| sequence(3 + n as i64, n)).collect();
        let pairs = Pairs::from_packed(padded(&contexts, 0, 0), padded(&responses, 0, 0));
        let batch = no_grad(|| net.logits(&pairs, Mode::Eval).log_softmax(-1, Kind::Float));
        let single = Tensor::cat(&alone(&net, &contexts, &responses), 0);
        prop_assert!((batch - single).abs().max().double_value(&[]) < 1e-5);
    }
}

#[test]
fn perplexity_does_not_depend_on_batches() {
    let net = net(&Seq2SeqConfig::evolved(50, 16, 2, [1, 1]));
    let contexts = [3, 9, 20, 5].map(|n| sequence(n as i64, n)).to_vec();
    let responses = [2, 8, 1, 8].map(|n| sequence(2 + n as i64, n)).to_vec();
    let over = |size: usize| {
        let mut totals = Totals::default();
        for (c, r) in contexts.chunks(size).zip(responses.chunks(size)) {
            let pairs = Pairs::from_packed(padded(c, 0, 0), padded(r, 3, 0));
            totals.add(&no_grad(|| net.token_loss(&pairs, 0.1, Mode::Eval)).nll);
        }
        assert_eq!(totals.tokens, 19);
        totals.perplexity().unwrap()
    };
    assert!((over(1) / over(2) - 1.0).abs() < 1e-5);
    assert!((over(1) / over(4) - 1.0).abs() < 1e-5);
    // Two documents: 2 tokens of −ln p 1 each, 8 of 3 each.
    let mut totals = Totals::default();
    totals.add(&Tensor::from_slice(&[1f32; 2]));
    totals.add(&Tensor::from_slice(&[3f32; 8]));
    assert!((totals.perplexity().unwrap() - 13.463_738_0).abs() < 1e-6);
    assert!((totals.perplexity_per(13).unwrap() - 2f64.exp()).abs() < 1e-12);
    assert_eq!(Totals::default().perplexity(), None);
}

#[test]
#[should_panic(expected = "1 context and 0 responses: there has to be one for each")]
fn each_context_has_a_response() {
    let _ = Pairs::new(&[&[1]], &[], Device::Cpu);
}

#[test]
#[should_panic(expected = "token -1: ids are 0 and above")]
fn ids_are_not_negative() {
    let _ = PackedSequences::new(&[&[3, -1]], Device::Cpu);
}
