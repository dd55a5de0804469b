//! A batch in parts trains as one in a piece, and its record is the same: whether an objective
//! takes it apart or it comes in parts.

use std::path::Path;

use torch::optim::{OptimConfig, Sgd};
use torch::{Device, Init, Kind, Params, Role, Tensor};
use train::record::{self, Entry};
use train::{Callback, Loss, Objective, Progress, Schedule, StageDir, TrainConfig, fit};

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
fn trained(most: usize, accumulate: usize) -> (f64, Vec<(f64, f64)>) {
    trained_in(tempfile::tempdir().unwrap().path(), most, accumulate, 6)
}

/// The same in a folder, up to a step.
fn trained_in(folder: &Path, most: usize, accumulate: usize, stop: u64) -> (f64, Vec<(f64, f64)>) {
    let _alone = torch::rng::exclusive();
    let mut setup = Setup::new(6, Schedule::constant(0.1));
    setup.cadence.log = 1;
    setup.cadence.checkpoint = 1;
    (setup.config.batch, setup.config.accumulate) = (8, accumulate);
    let make = |s: &mut torch::Scope<'_>| s.tensor("w", &[1], Role::Weight, Init::Const(4.0));
    let (w, params) = Params::build(Device::Cpu, make);
    let mut mean = Mean { params, most };
    let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(&mean.params);
    let stage = StageDir::open(folder).unwrap();
    let size = 8 / accumulate as u64;
    let numbers = move |part: u64| (part * size..(part + 1) * size).map(|i| i as f32 / 10.0);
    let batches = |from| (from..).map(move |part| Ok::<_, std::io::Error>(numbers(part).collect()));
    let evaluate = |_: &mut Mean, _| Ok(vec![]);
    let options = setup.options();
    fit(&mut mean, &mut optimizer, &options, &stage, batches, evaluate, &mut StopAt(stop)).unwrap();
    let entries = record::read(&folder.join(record::FILE)).unwrap();
    // The last one is of an evaluation.
    let entries = &entries[..entries.len().min(6)];
    let value = |entry: &Entry, name: &str| entry.values[name].unwrap();
    let record = entries.iter().map(|e| (value(e, "loss"), value(e, "note/mean"))).collect();
    (w.double_value(&[0]), record)
}

#[test]
fn parts_are_one_batch() {
    let (whole, record) = trained(8, 1);
    assert!((whole - 4.0).abs() > 0.1);
    for (most, accumulate) in [(1, 1), (2, 1), (6, 1), (8, 2), (8, 8), (3, 2)] {
        let (parts, other) = trained(most, accumulate);
        assert!((whole - parts).abs() < 1e-5, "{most}, {accumulate}: {parts}, not {whole}");
        for (a, b) in record.iter().zip(&other) {
            assert!((a.0 - b.0).abs() < 1e-5 && (a.1 - b.1).abs() < 1e-5, "{most}: {a:?} {b:?}");
        }
    }
}

/// Stops a run before this step.
struct StopAt(u64);

impl Callback for StopAt {
    fn stop(&mut self, at: Progress) -> bool {
        at.step == self.0
    }
}

#[test]
fn a_run_in_parts_goes_on_with_the_right_part() {
    let folder = tempfile::tempdir().unwrap();
    trained_in(folder.path(), 8, 4, 3);
    let (resumed, _) = trained_in(folder.path(), 8, 4, 6);
    assert_eq!(resumed, trained(8, 4).0);
}

#[test]
fn parts_divide_a_batch() {
    let mut config = TrainConfig::new(1, 12, Schedule::constant(0.1), OptimConfig::default());
    for (accumulate, faults) in [(1, 0), (4, 0), (12, 0), (0, 1), (5, 1), (24, 1)] {
        config.accumulate = accumulate;
        assert_eq!(config.faults().len(), faults, "{accumulate} parts of 12 samples");
    }
    config.accumulate = 5;
    assert_eq!(config.faults()[0].to_string(), "accumulate: 5 parts of a batch of 12 samples");
    // What is not said is not written, so that recipes stay as they are.
    config.accumulate = 1;
    assert!(!serde_json::to_string(&config).unwrap().contains("accumulate"));
}
