//! Convolutions with TensorFlow's padding and batch norm against timm and PyTorch.

use torch::nn::{BatchNorm, Conv2d, ConvConfig};
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
