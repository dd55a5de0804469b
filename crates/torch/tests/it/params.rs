//! Parameters from a checkpoint: all that differs is reported by name, and nothing is half loaded.

use std::collections::BTreeMap;

use torch::nn::{BatchNorm, Linear};
use torch::store::ShapeError;
use torch::{Device, Kind, Params, Tensor};

fn params() -> Params {
    let make = |scope: &mut torch::Scope<'_>| {
        (
            Linear::new(&mut scope.sub("fc"), 4, 3),
            BatchNorm::new(&mut scope.sub("bn1"), 3, 0.1, 1e-3),
        )
    };
    Params::build(Device::Cpu, make).1
}

#[test]
fn every_difference_is_reported_and_nothing_changes() {
    let _alone = torch::rng::exclusive();
    let params = params();
    let options = (Kind::Float, Device::Cpu);
    let mut given: BTreeMap<String, Tensor> =
        params.tensors().into_iter().map(|(n, t)| (n, t.full_like(9.0))).collect();
    given.remove("fc.weight");
    given.remove("bn1.running_var");
    given.insert("fc.bias".to_owned(), Tensor::zeros([3, 1], options));
    given.insert("head.weight".to_owned(), Tensor::zeros([1], options));
    given.insert("bn1.num_batches_tracked".to_owned(), Tensor::from(5i64));
    let before: Vec<_> = params.tensors().into_iter().map(|(_, t)| t.copy()).collect();
    let error = params.load(&given).unwrap_err();
    assert_eq!(error.missing, ["fc.weight", "bn1.running_var"]);
    assert_eq!(error.unexpected, ["head.weight"]);
    let shape = ShapeError { name: "fc.bias".to_owned(), wanted: vec![3], found: vec![3, 1] };
    assert_eq!(error.mismatched, [shape]);
    assert!(params.iter().zip(&before).all(|(p, b)| p.tensor == *b));
}

#[test]
fn loading_keeps_the_tensors_of_the_layers() {
    let _alone = torch::rng::exclusive();
    let (layer, params) = Params::build(Device::Cpu, |scope| Linear::new(scope, 2, 1));
    let given = [("weight", vec![2f64, 3.0]), ("bias", vec![10.0])];
    let given = given.map(|(name, v)| {
        let shape: &[i64] = if name == "weight" { &[1, 2] } else { &[1] };
        (name.to_owned(), Tensor::from_slice(&v).view(shape))
    });
    params.load(&given.into()).unwrap();
    assert_eq!(
        layer.forward(&Tensor::from_slice(&[1f32, 1.0]).view([1, 2])).double_value(&[0, 0]),
        15.0
    );
    assert!(params.get("weight").unwrap().requires_grad());
}
