//! bfloat16 autocast on the CPU against PyTorch's, and that a region leaves nothing behind.

use torch::nn::{BatchNorm, Conv2d, ConvConfig, Linear};
use torch::precision::{Precision, autocast};
use torch::{Device, Kind, Mode, Net, Params, Tensor, loss, no_grad};

use crate::{distance, golden};

struct Small {
    conv: Conv2d,
    norm: BatchNorm,
    fc: Linear,
}

impl Net for Small {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let x = self.norm.forward(&self.conv.forward(x), mode).silu();
        self.fc.forward(&x.mean_dim([2i64, 3].as_slice(), false, None::<Kind>))
    }
}

fn small() -> (Small, Params) {
    Params::build(Device::Cpu, |scope| Small {
        conv: Conv2d::new(&mut scope.sub("conv"), ConvConfig::new(3, 8, 3)),
        norm: BatchNorm::new(&mut scope.sub("bn"), 8, 0.1, 1e-3),
        fc: Linear::new(&mut scope.sub("fc"), 8, 5),
    })
}

const GRADS: [&str; 3] = ["conv.weight", "fc.weight", "fc.bias"];

#[test]
fn a_step_is_that_of_pytorch() {
    let _alone = torch::rng::exclusive();
    let (arrays, _) = golden("autocast");
    let (net, params) = small();
    let mut start: std::collections::BTreeMap<_, _> = params.tensors().into_iter().collect();
    for key in GRADS {
        start.insert(key.to_owned(), arrays[key].shallow_clone());
    }
    params.load(&start).unwrap();
    let logits =
        autocast(Precision::Bfloat16, Device::Cpu, || net.forward(&arrays["x"], Mode::Train));
    assert_eq!(logits.kind(), Kind::BFloat16);
    assert!(distance(&logits, &arrays["logits"]) < 2e-2);
    let loss = loss::cross_entropy(&logits, &arrays["labels"]).mean(Kind::Float);
    assert!(distance(&loss, &arrays["loss"]) < 2e-2);
    loss.backward();
    for key in GRADS {
        let grad = params.get(key).unwrap().grad();
        assert_eq!(grad.kind(), Kind::Float);
        assert!(distance(&grad, &arrays[&format!("grad/{key}")]) < 2e-2, "{key}");
    }
}

#[test]
fn a_region_ends_also_by_panic_and_nests() {
    let _alone = torch::rng::exclusive();
    let (net, _) = small();
    let x = Tensor::ones([2, 3, 8, 8], (Kind::Float, Device::Cpu));
    let kind = || net.forward(&x, Mode::Eval).kind();
    let inside = autocast(Precision::Bfloat16, Device::Cpu, || {
        let nested = autocast(Precision::Bfloat16, Device::Cpu, kind);
        (nested, autocast(Precision::Float32, Device::Cpu, kind), kind())
    });
    // Float32 means "as it is": it does not end a region around it.
    assert_eq!(inside, (Kind::BFloat16, Kind::BFloat16, Kind::BFloat16));
    assert_eq!(kind(), Kind::Float);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        autocast(Precision::Bfloat16, Device::Cpu, || panic!("on purpose"))
    }));
    assert!(caught.is_err());
    assert_eq!(kind(), Kind::Float);
}

#[test]
fn looking_without_a_gradient_first_does_not_lose_it() {
    let _alone = torch::rng::exclusive();
    let (net, params) = small();
    let x = Tensor::ones([2, 3, 8, 8], (Kind::Float, Device::Cpu));
    let logits = autocast(Precision::Bfloat16, Device::Cpu, || {
        let _ = no_grad(|| net.forward(&x, Mode::Eval));
        net.forward(&x, Mode::Train)
    });
    logits.to_kind(Kind::Float).square().sum(Kind::Float).backward();
    assert!(params.trainable().all(|p| p.tensor.grad().defined()));
}
