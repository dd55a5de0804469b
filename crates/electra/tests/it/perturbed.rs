//! Embeddings that are moved, as virtual adversarial training moves them.

use electra::heads::{Classifier, ClassifierConfig, HeadForm};
use electra::hub::HubConfig;
use torch::grad::grad;
use torch::{Device, Kind, Mode, Net, Params, Tensor};

use crate::golden::{batch, close, read, weights};

fn check(name: &str, form: HeadForm) {
    let (golden, case) = read(name);
    let encoder = HubConfig::from_json(&case["config"]).unwrap().encoder;
    let config = ClassifierConfig { encoder, form, ..Default::default() };
    let (net, params) = Params::build(Device::Cpu, |s| Classifier::new(s, &config, 3));
    params.load(&weights(&golden)).unwrap();
    let packed = batch(&golden);
    let x = packed.padded(&Tensor::stack(&[packed.ids(), packed.segments()], 1)).transpose(1, 2);
    let change = golden["perturbation"].copy().set_requires_grad(true);
    let logits = Net::forward_perturbed(&net, &x, &change, Mode::Eval);
    close(name, &logits, &golden["perturbed"]);
    let toward = Tensor::arange(logits.numel() as i64, (Kind::Int64, Device::Cpu));
    let total = (&logits * (toward.remainder(7).view_as(&logits) - 3.0)).sum(Kind::Float);
    let slope = grad(&total, &[&change]).swap_remove(0);
    close(name, &packed.unpadded(&slope), &golden["slope"]);
    // What padding is moved by has no influence, and no random perturbation moves it.
    let count = |t: &Tensor| t.ne(0.0).sum(Kind::Int64).int64_value(&[]);
    assert_eq!(count(&slope), count(&packed.unpadded(&slope)));
    let random = Net::random_perturbation(&net, &x);
    assert_eq!(random.size(), change.size());
    let real = packed.padded(&packed.unpadded(&random));
    assert_eq!(random, real);
    assert!(packed.unpadded(&random).std(true).double_value(&[]) > 0.5);
    let none = Net::forward_perturbed(&net, &x, &random.zeros_like(), Mode::Eval);
    assert_eq!(none, Net::forward(&net, &x, Mode::Eval));
}

#[test]
fn embeddings_are_moved_behind_their_norm() {
    check("classification", HeadForm::Electra);
    check("bert_classification", HeadForm::Pooler);
}
