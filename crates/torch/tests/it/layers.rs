//! Convolutions with TensorFlow's padding and batch norm against timm and PyTorch.

use torch::nn::{Activation, BatchNorm, Conv2d, ConvConfig, ConvNorm, ConvNormConfig};
use torch::{Device, Kind, Mode, Params, Tensor};

use crate::{channels_last, distance, golden};

#[test]
fn convolutions_pad_as_tensorflow_does() {
    let _alone = torch::rng::exclusive();
    let (arrays, cases) = golden("layers");
    let cases = cases.as_object().unwrap();
    assert_eq!(cases.len(), 7);
    for (name, case) in cases {
        let number = |key: &str| case[key].as_i64().unwrap();
        let get = |key: &str| &arrays[&format!("{name}/{key}")];
        let bias = case["bias"].as_bool().unwrap();
        let config = ConvConfig {
            groups: number("groups"),
            bias,
            ..ConvConfig::new(4, number("outputs"), number("kernel")).stride(number("stride"))
        };
        for layout in [Tensor::shallow_clone, channels_last] {
            let (conv, params) = Params::build(Device::Cpu, |scope| Conv2d::new(scope, config));
            let keys: &[&str] = if bias { &["weight", "bias"] } else { &["weight"] };
            let wanted = keys.iter().map(|k| ((*k).to_owned(), get(k).shallow_clone()));
            params.load(&wanted.collect()).unwrap();
            let x = layout(&get("x").copy()).set_requires_grad(true);
            let y = conv.forward(&x);
            assert!(distance(&y, get("y")) < 1e-5, "{name}");
            (y * get("toward")).sum(Kind::Float).backward();
            assert!(distance(&x.grad(), get("x.grad")) < 1e-5, "{name}");
            for key in keys {
                let grad = params.get(key).unwrap().grad();
                assert!(distance(&grad, get(&format!("{key}.grad"))) < 2e-5, "{name} {key}");
            }
        }
    }
}

#[test]
fn batch_norm_is_that_of_pytorch() {
    let (arrays, _) = golden("layers");
    let get = |key: &str| &arrays[&format!("bn/{key}")];
    let (norm, params) = Params::build(Device::Cpu, |scope| BatchNorm::new(scope, 4, 0.01, 1e-3));
    let mut start = params.tensors().into_iter().collect::<std::collections::BTreeMap<_, _>>();
    for key in ["weight", "bias"] {
        start.insert(key.to_owned(), get(key).shallow_clone());
    }
    start.insert("num_batches_tracked".to_owned(), Tensor::from(0i64));
    params.load(&start).unwrap();
    let mut x = Tensor::new();
    for (step, mode) in [Mode::Train, Mode::TrainWithoutNoise].into_iter().enumerate() {
        params.zero_grad();
        x = get(&format!("x{step}")).copy().set_requires_grad(true);
        let y = norm.forward(&x, mode);
        assert!(distance(&y, get(&format!("y{step}"))) < 1e-5);
        (y * get(&format!("toward{step}"))).sum(Kind::Float).backward();
    }
    assert!(distance(&x.grad(), get("x.grad")) < 1e-5);
    for key in ["weight", "bias"] {
        assert!(distance(&params.get(key).unwrap().grad(), get(&format!("{key}.grad"))) < 2e-5);
    }
    let eval = norm.forward(&x, Mode::Eval);
    assert!(distance(&eval, get("eval")) < 1e-5);
    for key in ["running_mean", "running_var"] {
        assert!(distance(params.get(key).unwrap(), get(key)) < 1e-6, "{key}");
    }
}

/// On a GPU, and where the channels are not last, a block is made of libtorch's single operations.
#[test]
fn a_block_of_single_operations_is_that_of_the_loops() {
    let wave = |shape: &[i64]| -> Tensor {
        let count: i64 = shape.iter().product();
        (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 1.3).sin().view(shape)
    };
    for activation in [
        Activation::None,
        Activation::LeakyRelu(0.0),
        Activation::LeakyRelu(0.1),
        Activation::Relu6,
        Activation::Swish,
    ] {
        let found = |layout: fn(&Tensor) -> Tensor| {
            let conv = ConvConfig::new(6, 6, 3);
            let config = ConvNormConfig { conv, momentum: 0.1, eps: 1e-3, activation };
            let (blocks, params) = Params::build(Device::Cpu, |scope| {
                [["a", "b"], ["c", "d"]].map(|names| ConvNorm::new(scope, names, config))
            });
            for param in params.trainable() {
                let start = wave(&param.tensor.size()) * 4.0;
                torch::no_grad(|| param.tensor.shallow_clone().copy_(&start));
            }
            let x = layout(&wave(&[4, 6, 5, 5])).set_requires_grad(true);
            let keep = Tensor::from_slice(&[0f32, 2.0, 0.0, 2.0]);
            let inner = blocks[0].forward(&x, Mode::Train);
            let y = blocks[1].forward_residual(&inner, &x, Some(&keep), Mode::Train);
            (&y * wave(&y.size())).sum(Kind::Float).backward();
            let grads = params.trainable().map(|param| param.tensor.grad());
            [y.detach(), x.grad()].into_iter().chain(grads).collect::<Vec<_>>()
        };
        let (loops, single) = (found(channels_last), found(Tensor::shallow_clone));
        for (loops, single) in loops.iter().zip(&single) {
            assert!(single.norm().double_value(&[]) > 0.0);
            assert!(distance(loops, single) < 1e-4, "{activation:?}");
        }
    }
}
