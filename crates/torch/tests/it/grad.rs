//! Inner gradients leave the parameters' own alone.

use torch::grad::grad;
use torch::{Device, Init, Kind, Params, Role, Tensor};

#[test]
fn an_inner_gradient_touches_no_parameter() {
    let (w, params) =
        Params::build(Device::Cpu, |scope| scope.tensor("w", &[3], Role::Weight, Init::Const(2.0)));
    let r = Tensor::from_slice(&[1f32, -1.0, 0.5]).set_requires_grad(true);
    let y = (&w * r.square()).sum(Kind::Float);
    assert_eq!(grad(&y, &[&r])[0], Tensor::from_slice(&[4f32, -4.0, 2.0]));
    assert!(!params.get("w").unwrap().grad().defined());
    let y = (&w * &r).sum(Kind::Float);
    let both = grad(&y, &[&r, &w]);
    assert_eq!((&both[0], &both[1]), (&w, &r));
}
