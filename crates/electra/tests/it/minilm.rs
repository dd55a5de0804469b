//! A published BERT on real reviews, where it is there.

use std::path::PathBuf;

use electra::heads::Pooler;
use electra::hub::{Checkpoint, Heads};
use electra::{Encoder, PackedSequences};
use torch::{Device, Mode, Params, no_grad, store};
use weights::find::Places;

/// `xtask/peers/minilm.py` says how the folder is made: a network of six layers and what
/// transformers makes of fifty reviews.
#[test]
#[ignore = "needs the folder of xtask/peers/minilm.py in $ELECTRA_MINILM"]
fn vectors_of_reviews_are_transformers() {
    let folder = PathBuf::from(std::env::var_os("ELECTRA_MINILM").expect("ELECTRA_MINILM"));
    let checkpoint = Checkpoint::open(&folder.display().to_string(), &Places::default()).unwrap();
    let config = &checkpoint.config.encoder;
    let ((net, pooler), params) = Params::build(Device::Cpu, |scope| {
        (Encoder::new(&mut scope.sub("bert"), config), Pooler::new(scope, config))
    });
    let loaded = checkpoint.load(&params, Heads::Keep).unwrap();
    assert!(loaded.fresh.is_empty() && loaded.unexpected.is_empty());
    let expected = store::load(&folder.join("expected.safetensors")).unwrap().tensors;
    let list = |name: &str| Vec::<i64>::try_from(&expected[name]).unwrap();
    let lengths: Vec<usize> = list("lengths").iter().map(|&n| n as usize).collect();
    let ids = list("ids");
    let batch = PackedSequences::from_parts(&ids, &vec![0; ids.len()], &lengths, Device::Cpu);
    let hidden = no_grad(|| net.forward(&batch, Mode::Eval));
    let distance = |a: &torch::Tensor, b: &str| (a - &expected[b]).abs().max().double_value(&[]);
    let pooled = no_grad(|| pooler.forward(&hidden, &batch));
    let mean = no_grad(|| batch.mean(&hidden));
    let errors = [(hidden, "hidden"), (pooled, "pooled"), (mean, "mean")]
        .map(|(ours, name)| distance(&ours, name));
    assert!(errors.iter().all(|e| *e < 1e-4), "{} tokens: {errors:?}", ids.len());
}
