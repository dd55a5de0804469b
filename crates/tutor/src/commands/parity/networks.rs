//! Whole networks, small ones of every kind.

use dialog_models::{
    Gpt2, Gpt2Config, LanguageModel, Marian, MarianConfig, Pairs, Seq2Seq, Seq2SeqConfig, Texts,
};
use electra::heads::{Classifier, ClassifierConfig};
use electra::{EncoderConfig, PackedSequences};
use torch::layout::channels_last;
use torch::{Device, Kind, Mode, Param, Params, Role, Tensor, no_grad};
use vision_models::{
    ConvLargeConfig, EfficientNetConfig, FastNetConfig, NetConfig, PyramidNetConfig, ResNetConfig,
    ShakeShakeConfig, SmallNetConfig, VitConfig, WideResNetConfig,
};

use super::case::{Allowed, Case, NETWORK, Pieces, joined, noise};

/// A network of images; without noise its logits are the same on every device.
fn images(name: &str, config: NetConfig, side: i64, mode: Mode) -> Case {
    Case::net(
        name,
        NETWORK,
        move |scope| config.make(scope, 3, 10),
        move |net, device| net.forward(&channels_last(&noise(&[8, 3, side, side], device)), mode),
    )
}

/// A training pass of a network of images, without noise: its logits and gradients, and the mean
/// and variance that each batch norm takes of the batch. Running statistics are set to 0 before, so
/// that what becomes of them is the batch's own times the momentum. The mean stands beside the
/// variance, since behind another batch norm it is 0 but for rounding. `off` is by which share all
/// pixels are changed.
fn trained(config: &NetConfig, side: i64, off: f64, device: Device) -> [Pieces; 2] {
    torch::rng::seed(1);
    let (net, params) = Params::build(device, |scope| config.make(scope, 3, 10));
    let statistics: Vec<_> = params.iter().filter(|param| param.role == Role::Buffer).collect();
    no_grad(|| statistics.iter().for_each(|param| drop(param.tensor.shallow_clone().zero_())));
    let images = noise(&[8, 3, side, side], Device::Cpu);
    let images = channels_last(&(&images + images.sin() * off)).to_device(device);
    let logits = net.forward(&images, Mode::TrainWithoutNoise);
    let target = noise(&logits.size(), device);
    (logits.to_kind(Kind::Float) * target).sum(Kind::Float).backward();
    let mut pieces = vec![("output".to_owned(), logits.detach())];
    pieces.extend(joined("gradients", params.trainable().map(|p| p.tensor.grad())));
    let of_layer = |both: &[&Param]| {
        assert!(both[1].name.ends_with("running_var"), "{} behind a mean", both[1].name);
        let name = both[0].name.trim_end_matches(".running_mean");
        joined(name, both.iter().map(|param| param.tensor.shallow_clone())).expect("two tensors")
    };
    [pieces, statistics.chunks(2).map(of_layer).collect()]
}

/// Its two parts as cases. In bfloat16 gradients lose more on their way back through many batch
/// norms of few images.
fn in_training(name: &str, config: NetConfig, side: i64) -> [Case; 2] {
    let names = [format!("{name} in training"), format!("{name}, statistics of a batch")];
    let mut parts = names.into_iter().zip(0..).map(|(name, part): (String, usize)| {
        let (config, bfloat16) = (config.clone(), if part == 0 { 0.4 } else { 0.15 });
        let allowed = Allowed { bfloat16: Some(bfloat16), ..NETWORK };
        Case::new(&name, allowed, move |device| {
            let [first, second] = trained(&config, side, 0.0, device);
            if part == 0 { first } else { second }
        })
    });
    std::array::from_fn(|_| parts.next().expect("two parts"))
}

/// Texts of several lengths.
const WORDS: [&[i64]; 3] = [&[1, 5, 9, 2, 11, 7, 3], &[8, 4], &[6, 6, 10, 1]];

fn losses<N: LanguageModel>(net: &N, batch: &N::Batch) -> Tensor {
    net.token_loss(batch, 0.1, Mode::TrainWithoutNoise).loss
}

fn replies(device: Device) -> Pairs {
    Pairs::new(&WORDS, &[&[3, 4, 1], &[9, 1], &[2, 2, 7, 8, 1]], device)
}

pub(super) fn cases() -> Vec<Case> {
    let train = Mode::TrainWithoutNoise;
    let vit = VitConfig { width: Some(48), depth: Some(3), heads: Some(3), ..VitConfig::default() };
    let encoder = EncoderConfig { vocabulary: 20, ..EncoderConfig::sized(3, 64, 32) };
    let text = ClassifierConfig { encoder, ..ClassifierConfig::default() };
    let gpt2 = Gpt2Config { vocabulary: 20, ..Gpt2Config::sized(3, 64, 4) };
    let marian = MarianConfig {
        vocabularies: [20; 2],
        hidden: 64,
        layers: [2; 2],
        heads: [4; 2],
        inner: [96; 2],
        positions: 32,
        start: 0,
        ..MarianConfig::default()
    };
    let reply = |name: &str, config: Seq2SeqConfig| {
        Case::net(
            name,
            NETWORK,
            move |scope| Seq2Seq::new(scope, &config),
            |net, device| losses(net, &replies(device)),
        )
    };
    let efficientnet = NetConfig::EfficientNet(EfficientNetConfig::default());
    let mut cases = vec![
        images("WRN-10-1", NetConfig::WideResNet(WideResNetConfig::wrn10_1()), 32, train),
        images("WRN-28-2", NetConfig::WideResNet(WideResNetConfig::wrn28_2()), 32, Mode::Eval),
        images("fast net", NetConfig::FastNet(FastNetConfig::default()), 32, train),
        images("small net", NetConfig::SmallNet(SmallNetConfig::default()), 32, train),
        images("Conv-Large", NetConfig::ConvLarge(ConvLargeConfig::default()), 32, Mode::Eval),
        images("Shake-Shake", NetConfig::ShakeShake(ShakeShakeConfig::default()), 32, Mode::Eval),
        images("PyramidNet", NetConfig::PyramidNet(small_pyramid()), 32, Mode::Eval),
        images("ResNet-50", NetConfig::ResNet(ResNetConfig::resnet50()), 64, train),
        images("EfficientNet-B0", efficientnet.clone(), 64, Mode::Eval),
        images("vision transformer", NetConfig::Vit(vit), 56, train),
        Case::net(
            "ELECTRA's encoder with a classifier",
            NETWORK,
            move |scope| Classifier::new(scope, &text, 3),
            |net, device| {
                let segments: Vec<Vec<i64>> = WORDS.iter().map(|w| vec![0; w.len()]).collect();
                let segments: Vec<&[i64]> = segments.iter().map(Vec::as_slice).collect();
                net.classify(
                    &PackedSequences::new(&WORDS, &segments, device),
                    Mode::TrainWithoutNoise,
                )
            },
        ),
        reply("Evolved Transformer", Seq2SeqConfig::evolved(20, 64, 4, [1, 2])),
        reply("Transformer", Seq2SeqConfig::plain(20, 64, 4, [1, 2])),
        Case::net(
            "GPT-2",
            NETWORK,
            move |scope| Gpt2::new(scope, &gpt2),
            |net, device| losses(net, &Texts::whole(&WORDS, device)),
        ),
        Case::net(
            "Marian",
            NETWORK,
            move |scope| Marian::new(scope, &marian),
            |net, device| losses(net, &replies(device)),
        ),
    ];
    cases.extend(in_training("EfficientNet-B0", efficientnet, 64));
    cases
}

fn small_pyramid() -> PyramidNetConfig {
    PyramidNetConfig { depth: 29, alpha: 32.0, ..PyramidNetConfig::default() }
}

#[cfg(test)]
mod tests {
    use super::super::case::difference;
    use super::*;

    /// What a change of pixels by a millionth does, which is of the size of a device's rounding, is
    /// far below what is allowed; and a change that matters is not.
    #[test]
    fn statistics_of_a_batch_do_not_hang_on_rounding() {
        let _alone = torch::rng::exclusive();
        let config = NetConfig::EfficientNet(EfficientNetConfig::default());
        let run = |off| trained(&config, 64, off, Device::Cpu).into_iter().flatten();
        let most = |off| {
            let pairs = run(0.0).zip(run(off));
            let off = pairs.map(|((name, exact), (_, other))| (difference(&exact, &other), name));
            off.max_by(|a, b| a.0.total_cmp(&b.0)).expect("pieces")
        };
        let (rounded, changed) = (most(1e-6), most(0.1));
        assert!(rounded.0 < NETWORK.float32 / 5.0, "{rounded:?}");
        assert!(changed.0 > NETWORK.float32, "{changed:?}");
    }
}
