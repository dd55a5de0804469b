//! Whole networks, small ones of every kind.

use dialog_models::{
    Gpt2, Gpt2Config, LanguageModel, Marian, MarianConfig, Pairs, Seq2Seq, Seq2SeqConfig, Texts,
};
use electra::heads::{Classifier, ClassifierConfig};
use electra::{EncoderConfig, Packed};
use torch::layout::channels_last;
use torch::{Device, Mode, Tensor};
use vision_models::{
    ConvLargeConfig, EfficientNetConfig, FastNetConfig, NetConfig, PyramidNetConfig, ResNetConfig,
    ShakeShakeConfig, SmallNetConfig, VitConfig, WideResNetConfig,
};

use super::case::{Case, NETWORK, noise};

/// A network of images; without noise its logits are the same on every device.
fn images(name: &str, config: NetConfig, side: i64, mode: Mode) -> Case {
    Case::net(
        name,
        NETWORK,
        move |scope| config.make(scope, 3, 10),
        move |net, device| net.forward(&channels_last(&noise(&[8, 3, side, side], device)), mode),
    )
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
    vec![
        images("WRN-10-1", NetConfig::WideResNet(WideResNetConfig::wrn10_1()), 32, train),
        images("WRN-28-2", NetConfig::WideResNet(WideResNetConfig::wrn28_2()), 32, Mode::Eval),
        images("fast net", NetConfig::FastNet(FastNetConfig::default()), 32, train),
        images("small net", NetConfig::SmallNet(SmallNetConfig::default()), 32, train),
        images("Conv-Large", NetConfig::ConvLarge(ConvLargeConfig::default()), 32, Mode::Eval),
        images("Shake-Shake", NetConfig::ShakeShake(ShakeShakeConfig::default()), 32, Mode::Eval),
        images("PyramidNet", NetConfig::PyramidNet(small_pyramid()), 32, Mode::Eval),
        images("ResNet-50", NetConfig::ResNet(ResNetConfig::resnet50()), 64, train),
        images(
            "EfficientNet-B0",
            NetConfig::EfficientNet(EfficientNetConfig::default()),
            64,
            Mode::Eval,
        ),
        images("vision transformer", NetConfig::Vit(vit), 56, train),
        Case::net(
            "ELECTRA's encoder with a classifier",
            NETWORK,
            move |scope| Classifier::new(scope, &text, 3),
            |net, device| {
                let segments: Vec<Vec<i64>> = WORDS.iter().map(|w| vec![0; w.len()]).collect();
                let segments: Vec<&[i64]> = segments.iter().map(Vec::as_slice).collect();
                net.classify(&Packed::new(&WORDS, &segments, device), Mode::TrainWithoutNoise)
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
    ]
}

fn small_pyramid() -> PyramidNetConfig {
    PyramidNetConfig { depth: 29, alpha: 32.0, ..PyramidNetConfig::default() }
}
