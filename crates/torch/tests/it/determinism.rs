//! Training on the CPU gives the same bits each time, for a given number of threads.

use torch::nn::{BatchNorm, Conv2d, ConvConfig, Linear, dropout, stochastic_depth};
use torch::optim::{OptimConfig, RmsProp};
use torch::precision::{Precision, autocast};
use torch::{Device, Kind, Mode, Net, Params, Tensor, device, loss, rng};

use crate::channels_last;

struct Residual {
    stem: Conv2d,
    depthwise: Conv2d,
    norm: BatchNorm,
    fc: Linear,
}

impl Net for Residual {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let x = self.stem.forward(x);
        let branch = self.norm.forward(&self.depthwise.forward(&x), mode).silu();
        let x = &x + stochastic_depth(&branch, 0.3, mode);
        let x = x.mean_dim([2i64, 3].as_slice(), false, None::<Kind>);
        self.fc.forward(&dropout(&x, 0.2, mode))
    }
}

/// All parameters and statistics after a few noisy steps.
fn train(precision: Precision, last: bool) -> Vec<Tensor> {
    rng::seed(3);
    let (net, params) = Params::build(Device::Cpu, |scope| Residual {
        stem: Conv2d::new(&mut scope.sub("stem"), ConvConfig::new(3, 24, 3).stride(2)),
        depthwise: Conv2d::new(&mut scope.sub("dw"), ConvConfig::depthwise(24, 5)),
        norm: BatchNorm::new(&mut scope.sub("bn"), 24, 0.1, 1e-3),
        fc: Linear::new(&mut scope.sub("fc"), 24, 10),
    });
    let start: Vec<_> = params.iter().map(|p| p.tensor.copy()).collect();
    let mut optimizer = OptimConfig::Rmsprop(RmsProp::default()).build(&params);
    let x = Tensor::randn([32, 3, 16, 16], (Kind::Float, Device::Cpu));
    let x = if last { channels_last(&x) } else { x };
    let labels = Tensor::randint(10, [32], (Kind::Int64, Device::Cpu));
    for _ in 0..4 {
        optimizer.zero_grad();
        let logits = autocast(precision, Device::Cpu, || net.forward(&x, Mode::Train));
        loss::cross_entropy(&logits, &labels).mean(Kind::Float).backward();
        optimizer.step(0.01);
    }
    let end: Vec<_> = params.iter().map(|p| p.tensor.detach().copy()).collect();
    assert!(start.iter().zip(&end).all(|(a, b)| a != b), "every tensor has moved");
    assert!(end.iter().all(|t| t.isfinite().all().int64_value(&[]) == 1));
    end
}

#[test]
fn the_same_seed_trains_to_the_same_bits() {
    let _alone = torch::rng::exclusive();
    device::set_threads(2);
    assert_eq!(device::threads(), 2);
    for (precision, last) in
        [(Precision::Float32, false), (Precision::Float32, true), (Precision::Bfloat16, true)]
    {
        let first = train(precision, last);
        for _ in 0..3 {
            assert_eq!(train(precision, last), first, "{precision:?} {last}");
        }
    }
}
