//! The layers of `torch::nn`.

use torch::device::tensor_on;
use torch::nn::{
    Activation, BatchNorm, Conv2d, ConvConfig, ConvNorm, ConvNormConfig, Embedding, LayerNorm,
    Linear, Padding, attention, global_average_pool, keyed_dropout,
};
use torch::{Device, Init, Kind, Mode, Tensor};

use super::case::{Allowed, Case, LAYER, Pieces, wave};

const MODE: Mode = Mode::TrainWithoutNoise;

/// Images `[6, 16, side, side]`.
fn images(side: i64, device: Device) -> Tensor {
    wave(&[6, 16, side, side], device)
}

fn conv(name: &str, config: ConvConfig) -> Case {
    Case::net(
        name,
        LAYER,
        move |scope| Conv2d::new(scope, config),
        |conv, device| conv.forward(&images(9, device)),
    )
}

fn conv_norm(activation: Activation) -> Case {
    let conv = ConvConfig::new(16, 16, 3);
    let config = ConvNormConfig { conv, momentum: 0.1, eps: 1e-3, activation };
    let name = format!("convolution, norm, {activation:?}");
    Case::net(
        &name,
        LAYER,
        move |scope| ConvNorm::new(scope, ["a", "b"], config),
        |both, device| {
            let x = images(8, device);
            let keep = wave(&[6], device).abs();
            both.forward_residual(&both.forward(&x, MODE), &x, Some(&keep), MODE)
        },
    )
}

/// Attention of so many given tokens, with its gradient. With `seen`, tokens do not look ahead, and
/// this is added to the scores of what they see.
fn attended(tokens: i64, seen: Option<f64>, device: Device) -> Pieces {
    let parts: Vec<Tensor> = [1.0, 0.7, 0.4]
        .iter()
        .map(|scale| (wave(&[2, 4, tokens, 8], device) * *scale).set_requires_grad(true))
        .collect();
    let mask = seen.map(|seen| {
        let future = Tensor::ones([tokens; 2], (Kind::Bool, device)).triu(1);
        Tensor::full([tokens; 2], seen, (Kind::Float, device))
            .masked_fill(&future, f64::NEG_INFINITY)
    });
    let y = attention([&parts[0], &parts[1], &parts[2]], mask.as_ref(), 0.0, MODE);
    (y.to_kind(Kind::Float) * wave(&y.size(), device)).sum(Kind::Float).backward();
    let grads = ["query", "key", "value"].into_iter().zip(&parts);
    let grads = grads.map(|(name, part)| (format!("gradient of {name}"), part.grad()));
    grads.chain([("output".to_owned(), y.detach())]).collect()
}

pub(super) fn cases() -> Vec<Case> {
    let full = ConvConfig::new(16, 32, 3);
    let mut cases = vec![
        conv("convolution", full.with_bias()),
        conv("convolution, stride 2, TensorFlow's padding", full.stride(2)),
        conv("convolution, 2 zeros around", ConvConfig { padding: Padding::Symmetric(2), ..full }),
        conv("convolution, groups", ConvConfig { groups: 4, ..full }),
        conv("convolution, 1x1", ConvConfig::new(16, 32, 1)),
        conv("depthwise convolution", ConvConfig::depthwise(16, 5)),
        Case::net(
            "batch norm",
            LAYER,
            |scope| BatchNorm::new(scope, 16, 0.1, 1e-3),
            |norm, device| norm.forward_relu(&images(7, device), 0.1, MODE),
        ),
        Case::net(
            "batch norm, running statistics",
            LAYER,
            |scope| BatchNorm::new(scope, 16, 0.1, 1e-3),
            |norm, device| norm.forward(&images(7, device), Mode::Eval),
        ),
        Case::net(
            "layer norm",
            LAYER,
            |scope| LayerNorm::new(scope, 24, 1e-6),
            |norm, device| norm.forward(&wave(&[10, 24], device)),
        ),
        Case::net(
            "linear layer and mean over places",
            LAYER,
            |scope| Linear::new(scope, 16, 10),
            |linear, device| linear.forward(&global_average_pool(&images(7, device))),
        ),
        Case::net(
            "embedding",
            LAYER,
            |scope| Embedding::new(scope, 20, 24, Init::Normal { std: 0.5 }),
            |words, device| words.forward(&tensor_on(&[3i64, 19, 3, 0, 7], device)),
        ),
        Case::new("attention", LAYER, |device| attended(12, None, device)),
        Case::new("attention, no look ahead", LAYER, |device| attended(12, Some(0.0), device)),
        // What is added to all scores changes nothing; e to the power of them is 0 in float32. 64
        // and 192 tokens end half-way in a kernel's block of 128.
        Case::new("attention, 64 tokens, low scores", LAYER, |device| {
            attended(64, Some(-120.0), device)
        }),
        Case::new("attention, 192 tokens, low scores", LAYER, |device| {
            attended(192, Some(-120.0), device)
        }),
        // Which are dropped is another draw on each device; how many, and their sum, is not.
        Case::new("dropout", Allowed { float32: 0.02, bfloat16: Some(0.02) }, |device| {
            torch::rng::seed(3);
            let y =
                keyed_dropout(&Tensor::ones([1 << 16], (Kind::Float, device)), 0.25, Mode::Train);
            let kept = y.gt(0.0).sum(Kind::Double);
            vec![("kept".to_owned(), kept), ("sum".to_owned(), y.sum(Kind::Double))]
        }),
    ];
    let activations = [
        Activation::None,
        Activation::LeakyRelu(0.0),
        Activation::LeakyRelu(0.1),
        Activation::Relu6,
        Activation::Swish,
    ];
    cases.extend(activations.map(conv_norm));
    cases
}
