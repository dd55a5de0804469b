//! Every method's loss, terms, notes, gradients and state over two steps, against float64 numpy
//! (`xtask/peers/golden_methods.py`).

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use torch::{Device, Features, Kind, Mode, Model, Scope, Tensor, nn::Linear, store};
use train::{Loss, Progress};

use crate::methods::{
    AdaMatch, AdaMatchConfig, AdaMatchDraws, FixMatchConfig, FlexMatchConfig, FreeMatchConfig, Ict,
    IctConfig, IctDraws, Lga, LgaConfig, LgaDraws, MeanTeacherConfig, MixMatch, MixMatchConfig,
    MixMatchDraws, MixMixUp, MixMixUpConfig, MixMixUpDraws, PiModelConfig, PseudoLabelConfig,
    ReMixMatch, ReMixMatchConfig, ReMixMatchDraws, S4lConfig, SntgConfig, SoftMatchConfig,
    TemporalEnsemblingConfig, UdaConfig, Vadd, VaddConfig, VaddDraws, Vat, VatConfig, VatDraws,
};
use crate::{Batch, Method, MethodSettings, Nets, TaskInfo};

const TASK: TaskInfo = TaskInfo { classes: 3, unlabeled: 7, device: Device::Cpu };

/// logits = B tanh(A x + a) + b; where it normalises, A x + a is normalised over the batch.
struct Net {
    hidden: Linear,
    head: Linear,
    normalises: bool,
}

impl Net {
    fn new(scope: &mut Scope<'_>, normalises: bool) -> Self {
        let hidden = Linear::new(&mut scope.sub("hidden"), 4, 5);
        Self { hidden, head: Linear::new(&mut scope.sub("head"), 5, 3), normalises }
    }
}

impl Features for Net {
    fn forward_features(&self, x: &Tensor, _mode: Mode) -> Tensor {
        let z = self.hidden.forward(&x.reshape([x.size()[0], -1]));
        if !self.normalises {
            return z.tanh();
        }
        let off = &z - z.mean_dim([0].as_slice(), true, Kind::Float);
        let variance = off.square().mean_dim([0].as_slice(), true, Kind::Float);
        (off / (variance + 1e-5).sqrt()).tanh()
    }

    fn classifier(&self) -> &Linear {
        &self.head
    }
}

/// The names of the tensors here and in the script.
const NAMES: [(&str, &str); 6] = [
    ("hidden.weight", "A"),
    ("hidden.bias", "a"),
    ("head.weight", "B"),
    ("head.bias", "b"),
    ("rotation.weight", "R"),
    ("rotation.bias", "r"),
];

/// The arrays of the file, and where in the two steps the test is.
struct Golden {
    arrays: BTreeMap<String, Tensor>,
    cases: BTreeMap<String, Value>,
}

impl Golden {
    fn load() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/methods.safetensors");
        let stored = store::load(&file).unwrap();
        let cases = serde_json::from_str(&stored.meta["cases"]).unwrap();
        Self { arrays: stored.tensors, cases }
    }

    fn network(&self, which: &str, normalises: bool) -> Model {
        let mut model = Model::build(Device::Cpu, |scope| Net::new(scope, normalises));
        model.add_head("rotation", 4);
        let named = |(ours, theirs): (&str, &str)| {
            (ours.to_owned(), self.arrays[&format!("{which}.{theirs}")].shallow_clone())
        };
        model.params.load(&NAMES.into_iter().map(named).collect()).unwrap();
        model
    }

    /// Runs all cases whose names begin so. `step` gives the loss of one step.
    fn check<C: DeserializeOwned, M: Method>(
        &self,
        prefix: &str,
        make: impl Fn(C) -> M,
        step: impl Fn(&mut M, &Nets, &Batch, &Drawn<'_>, Progress) -> Loss,
    ) {
        let of = |name: &&String| {
            name.strip_prefix(prefix).is_some_and(|r| r.is_empty() || r.starts_with('-'))
        };
        let mut found = 0;
        for name in self.cases.keys().filter(of) {
            found += 1;
            let config = serde_json::from_value(self.cases[name].clone());
            let mut method = make(config.unwrap_or_else(|e| panic!("{name}: {e}")));
            for (state, mut tensor) in method.state() {
                if let Some(start) = self.arrays.get(&format!("{name}/start.{state}")) {
                    tensor.copy_(start);
                }
            }
            let normalises = prefix.starts_with("adamatch");
            for number in 0..2 {
                let [student, ema] = ["net", "ema"].map(|which| self.network(which, normalises));
                let nets = Nets { student, ema: Some(ema) };
                let draws = Drawn { golden: self, number };
                let views = (0..3).map(|k| draws.get(&format!("u{k}"))).collect();
                let batch = Batch {
                    u: views,
                    unlabeled_indices: Some(draws.get("slots")),
                    ..Batch::labeled(draws.get("x"), draws.get("y"))
                };
                let at = Progress { step: 20 + number, steps: 100 };
                let loss = step(&mut method, &nets, &batch, &draws, at);
                loss.total().backward();
                let values = loss.values();
                let ours: Vec<f64> =
                    std::iter::once(values.total).chain(values.terms.iter().map(|t| t.1)).collect();
                let key = format!("{name}/{number}");
                close(&key, &Tensor::from_slice(&ours), &self.arrays[&format!("{key}/losses")]);
                self.check_notes(&key, &values.notes);
                for (state, tensor) in method.state() {
                    let key = format!("{key}/state.{state}");
                    close(&key, &tensor, &self.arrays[&key]);
                }
                for (ours, theirs) in NAMES {
                    let grad = nets.student.params.get(ours).unwrap().grad();
                    let theirs = &self.arrays[&format!("{key}/{theirs}.grad")];
                    let grad = if grad.defined() { grad } else { theirs.zeros_like() };
                    close(&format!("{key}/{ours}"), &grad, theirs);
                }
            }
        }
        assert!(found > 0, "cases of {prefix}");
    }

    /// Compares the notes that the file has of a step.
    fn check_notes(&self, key: &str, notes: &[(String, f64)]) {
        let start = format!("{key}/note.");
        for (name, theirs) in self.arrays.range(start.clone()..) {
            let Some(note) = name.strip_prefix(&start) else { break };
            let ours = notes.iter().find(|(own, _)| own == note);
            let (_, ours) = ours.unwrap_or_else(|| panic!("{name}: no such note"));
            close(name, &Tensor::from_slice(&[*ours]), theirs);
        }
    }

    /// Runs the cases of a method that draws nothing.
    fn check_config<C: DeserializeOwned + MethodSettings>(&self, prefix: &str) {
        let make = |config: C| {
            assert_eq!(config.faults(), []);
            config.build(&TASK)
        };
        self.check(prefix, make, |method, nets, batch, _, at| {
            method.loss(nets, &first(batch, method.views().unlabeled.len()), at)
        });
    }
}

/// What was drawn at a step.
struct Drawn<'a> {
    golden: &'a Golden,
    number: u64,
}

impl Drawn<'_> {
    fn get(&self, name: &str) -> Tensor {
        self.golden.arrays[&format!("{}.{name}", self.number)].shallow_clone()
    }

    /// λ of each sample of a batch.
    fn lambdas(&self, batch: &Batch) -> Tensor {
        self.get("lambdas").narrow(0, 0, batch.forward_samples() as i64)
    }

    /// The permutation of the first `rows` samples.
    fn order(&self, rows: i64) -> Tensor {
        let order = self.get("order");
        order.masked_select(&order.lt(rows))
    }
}

#[track_caller]
fn close(name: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.size(), theirs.size(), "{name}");
    let ours = ours.to_kind(Kind::Double);
    let off: Tensor = (ours - theirs).abs() / (theirs.abs() + 1.0);
    let off = off.max().double_value(&[]);
    assert!(off < 4e-6, "{name} is off by {off}");
}

/// The same batch with its first `views` views only.
fn first(batch: &Batch, views: usize) -> Batch {
    let mut batch = batch.shallow_clone();
    batch.u.truncate(views);
    batch
}

#[test]
fn methods_that_draw_nothing() {
    let golden = Golden::load();
    golden.check_config::<UdaConfig>("uda");
    golden.check_config::<FixMatchConfig>("fixmatch");
    golden.check_config::<PseudoLabelConfig>("pseudo-label");
    golden.check_config::<PiModelConfig>("pi-model");
    golden.check_config::<MeanTeacherConfig>("mean-teacher");
    golden.check_config::<TemporalEnsemblingConfig>("temporal-ensembling");
    golden.check_config::<SntgConfig>("sntg");
    golden.check_config::<S4lConfig>("s4l");
    golden.check_config::<FlexMatchConfig>("flexmatch");
    golden.check_config::<FreeMatchConfig>("freematch");
    golden.check_config::<SoftMatchConfig>("softmatch");
}

#[test]
fn vat_from_a_given_start() {
    Golden::load().check(
        "vat",
        |c: VatConfig| Vat::new(c),
        |method, nets, batch, draws, at| {
            method.loss_with(nets, batch, &VatDraws { start: draws.get("start") }, at)
        },
    );
}

#[test]
fn lga_from_a_given_start() {
    Golden::load().check(
        "lga-vat",
        |c: LgaConfig| Lga::new(c, &TASK),
        |method, nets, batch, draws, at| {
            method.loss_with(nets, batch, &LgaDraws { start: draws.get("start") }, at)
        },
    );
}

#[test]
fn vadd_under_given_masks() {
    Golden::load().check(
        "vadd",
        |c: VaddConfig| Vadd::new(c),
        |method, nets, batch, draws, at| {
            let masks = |_: &Tensor| VaddDraws { masks: ["mask0", "mask1"].map(|m| draws.get(m)) };
            method.loss_with(nets, batch, &masks, at)
        },
    );
}

#[test]
fn mixtures_with_given_lambdas() {
    let golden = Golden::load();
    golden.check(
        "ict",
        |c: IctConfig| Ict::new(c),
        |method, nets, batch, draws, at| {
            let lambdas = ["lambda0", "lambda"].map(|name| draws.get(name));
            let [labeled, unlabeled] = ["labeled", "unlabeled"].map(|name| draws.get(name));
            method.loss_with(nets, batch, &IctDraws { lambdas, labeled, unlabeled }, at)
        },
    );
    golden.check(
        "mixmatch",
        |c: MixMatchConfig| MixMatch::new(c),
        |method, nets, batch, draws, at| {
            let batch = first(batch, method.views().unlabeled.len());
            let permutation = draws.order(batch.forward_samples() as i64);
            let draws = MixMatchDraws { lambda: draws.lambdas(&batch), permutation };
            method.loss_with(nets, &batch, &draws, at)
        },
    );
    golden.check(
        "mixmixup",
        |c: MixMixUpConfig| MixMixUp::new(c),
        |method, nets, batch, draws, at| {
            let lambdas = ["lambda0", "lambda1", "lambda2"].map(|name| draws.get(name));
            let orders = ["order0", "order1", "order2"].map(|name| draws.get(name));
            method.loss_with(nets, batch, &MixMixUpDraws { lambdas, orders }, at)
        },
    );
    let make = |c: ReMixMatchConfig| ReMixMatch::new(c, &TASK);
    golden.check("remixmatch", make, |method, nets, batch, draws, at| {
        let batch = first(batch, method.views().unlabeled.len());
        let permutation = draws.order(batch.forward_samples() as i64);
        let draws = ReMixMatchDraws { lambda: draws.lambdas(&batch), permutation };
        method.loss_with(nets, &batch, &draws, at)
    });
}

#[test]
fn adamatch_with_given_lambdas() {
    let golden = Golden::load();
    for (case, interpolates) in [("adamatch-joint", false), ("adamatch-interpolated", true)] {
        let make = |c: AdaMatchConfig| AdaMatch::new(c, &TASK);
        golden.check(case, make, |method, nets, batch, draws, at| {
            let lambda = interpolates.then(|| draws.get("mixing"));
            method.loss_with(nets, batch, &AdaMatchDraws { lambda }, at)
        });
    }
}
