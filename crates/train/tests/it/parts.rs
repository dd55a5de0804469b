//! A batch in parts trains as one in a piece, and its record is the same.

use torch::optim::{OptimConfig, Sgd};
use torch::{Device, Init, Kind, Params, Role, Tensor};
use train::record::{self, Entry};
use train::{Loss, Objective, Progress, Schedule, StageDir, fit};

use crate::lab::Setup;

/// The mean of (w − x)² over the numbers of a batch, in parts of up to `most` numbers.
struct Mean {
    params: Params,
    most: usize,
}

impl Objective for Mean {
    type Batch = Vec<f32>;

    fn params(&self) -> &Params {
        &self.params
    }

    fn parts(&self, batch: Vec<f32>) -> Vec<(f64, Vec<f32>)> {
        let all = batch.len() as f64;
        batch.chunks(self.most).map(|part| (part.len() as f64 / all, part.to_vec())).collect()
    }

    fn loss(&mut self, batch: Vec<f32>, _at: Progress) -> Loss {
        assert!(batch.len() <= self.most);
        let x = Tensor::from_slice(&batch);
        let square = (self.params.get("w").unwrap() - &x).square().mean(Kind::Float);
        Loss::new().term("square", 0.5, square).note("mean", x.mean(Kind::Float))
    }
}

/// The weight after some steps, and the record without its times.
fn trained(most: usize) -> (f64, Vec<(f64, f64)>) {
    let _alone = torch::rng::exclusive();
    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup::new(6, Schedule::constant(0.1));
    setup.cadence.log = 1;
    let make = |s: &mut torch::Scope<'_>| s.tensor("w", &[1], Role::Weight, Init::Const(4.0));
    let (w, params) = Params::build(Device::Cpu, make);
    let mut mean = Mean { params, most };
    let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(&mean.params);
    let stage = StageDir::open(folder.path()).unwrap();
    let numbers = |step: u64| (0..7).map(|i| (step * 7 + i) as f32 / 10.0).collect();
    let batches = |from| (from..).map(move |step| Ok::<_, std::io::Error>(numbers(step)));
    let evaluate = |_: &mut Mean, _| Ok(vec![]);
    fit(&mut mean, &mut optimizer, &setup.options(), &stage, batches, evaluate, &mut ()).unwrap();
    let entries = record::read(&folder.path().join(record::FILE)).unwrap();
    // The last one is of an evaluation.
    let entries = &entries[..6];
    let value = |entry: &Entry, name: &str| entry.values[name].unwrap();
    let record = entries.iter().map(|e| (value(e, "loss"), value(e, "note/mean"))).collect();
    (w.double_value(&[0]), record)
}

#[test]
fn parts_are_one_batch() {
    let (whole, record) = trained(7);
    assert!((whole - 4.0).abs() > 0.1);
    for most in [1, 2, 6] {
        let (parts, other) = trained(most);
        assert!((whole - parts).abs() < 1e-5, "{most}: {parts}, not {whole}");
        for (a, b) in record.iter().zip(&other) {
            assert!((a.0 - b.0).abs() < 1e-5 && (a.1 - b.1).abs() < 1e-5, "{most}: {a:?} {b:?}");
        }
    }
}
