//! How the weak view, whose prediction teaches the strong one, is predicted, and which strong views
//! are run at all.

use serde::{Deserialize, Serialize};
use torch::{ConfigError, Faults, Kind, Mode, Tensor, loss::cross_entropy, no_grad};
use train::Loss;

use crate::parts::{hard_labels, mask_by_class, masked_mean};
use crate::{Batch, Needs, Nets};

/// How the weak view is predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeakPass {
    /// Together with all other samples, by the statistics of the batch, as the authors do.
    #[default]
    Joint,
    /// Apart, as in evaluation: by the running statistics, without dropout, and without a graph,
    /// which saves a quarter of a step. For networks that start from published weights, whose
    /// running statistics are good from the first step on.
    Apart,
    /// Apart, as in training, but without a graph. Of a network whose samples do not depend on one
    /// another (no batch norm) the loss is that of `joint`, for less work.
    ApartNoised,
    /// By the EMA model, as in evaluation. With averaged running statistics it is EMAN (Cai et al.
    /// 2021, arXiv 2101.08482).
    Ema,
}

/// What a method makes of the unlabelled samples' weak views.
pub(crate) struct Judged {
    /// What their strong views are taught: a row a sample.
    pub(crate) target: Tensor,
    /// How much each counts: float32 `[unlabeled]`.
    pub(crate) mask: Tensor,
}

/// What the networks say of a batch.
pub(crate) struct Passes {
    /// Logits of the labelled samples.
    pub(crate) x: Tensor,
    /// Logits of the weak views, with a graph if they were run [jointly](WeakPass::Joint).
    pub(crate) weak: Tensor,
    pub(crate) judged: Judged,
    /// Logits of the strong views, of all or of those in `rows`.
    strong: Tensor,
    rows: Option<Tensor>,
}

impl WeakPass {
    /// What it needs.
    pub(crate) fn needs(self) -> Needs {
        Needs { ema: self == WeakPass::Ema, ..Needs::default() }
    }

    /// Runs the networks on a batch whose first two views are weak and strong; `judge` is given the
    /// weak views' logits without their graph. With `skip`, strong views that count 0 are not run,
    /// which leaves the loss as it is, but for batch norm, which does not see them.
    pub(crate) fn run(
        self,
        nets: &Nets,
        batch: &Batch,
        skip: bool,
        judge: impl FnOnce(&Tensor) -> Judged,
    ) -> Passes {
        let (labeled, weak, strong) = (&batch.x, &batch.u[0], &batch.u[1]);
        let (net, mode) = match self {
            WeakPass::Joint => {
                let [x, weak, strong] = nets.forward_joint([labeled, weak, strong], Mode::Train);
                let judged = judge(&weak.detach());
                return Passes { x, weak, judged, strong, rows: None };
            }
            WeakPass::Apart => (&nets.student, Mode::Eval),
            WeakPass::ApartNoised => (&nets.student, Mode::TrainUntracked),
            WeakPass::Ema => (nets.ema_model(), Mode::Eval),
        };
        let weak = no_grad(|| net.forward(weak, mode));
        let judged = judge(&weak);
        let rows = skip.then(|| judged.mask.nonzero().squeeze_dim(1));
        let [x, strong] = match &rows {
            Some(rows) => {
                let strong = strong.index_select(0, rows);
                nets.forward_joint_unequal([labeled, &strong], Mode::Train)
            }
            None => nets.forward_joint([labeled, strong], Mode::Train),
        };
        Passes { x, weak, judged, strong, rows }
    }

    /// The loss of FixMatch and its kind: cross-entropy of the labelled samples, and with `weight`
    /// that of the strong views against the most probable class of their target, each as much as
    /// it counts. With `skip` and a weight of 0, only the labelled samples are run, and nothing was
    /// [judged](Self::run).
    pub(crate) fn hard_label_loss(
        self,
        nets: &Nets,
        batch: &Batch,
        skip: bool,
        weight: f64,
        judge: impl FnOnce(&Tensor) -> Judged,
    ) -> (Loss, Option<Passes>) {
        let supervised = |x: &Tensor| cross_entropy(x, &batch.y).mean(Kind::Float);
        if skip && weight == 0.0 {
            let x = labeled_alone(nets, batch);
            return (Loss::new().term("sup", 1.0, supervised(&x)), None);
        }
        let passes = self.run(nets, batch, skip, judge);
        let toward = |target: &Tensor, strong: &Tensor| cross_entropy(strong, &hard_labels(target));
        let Judged { target, mask } = &passes.judged;
        let loss = Loss::new()
            .term("sup", 1.0, supervised(&passes.x))
            .term("unsup", weight, passes.masked_mean(toward))
            .note("mask", mask.mean(Kind::Float))
            .note_each("mask", mask_by_class(target, mask));
        (loss, Some(passes))
    }
}

/// Logits of the labelled samples alone, for a step in which the unlabelled term has no weight.
pub(crate) fn labeled_alone(nets: &Nets, batch: &Batch) -> Tensor {
    nets.student.forward(&batch.x, Mode::Train)
}

impl Passes {
    /// The mean over all unlabelled samples of mask · `loss`(target, strong logits).
    pub(crate) fn masked_mean(&self, loss: impl FnOnce(&Tensor, &Tensor) -> Tensor) -> Tensor {
        let Judged { target, mask } = &self.judged;
        match &self.rows {
            None => masked_mean(&loss(target, &self.strong), mask),
            Some(rows) => {
                let values = loss(&target.index_select(0, rows), &self.strong);
                (values * mask.index_select(0, rows)).sum(Kind::Float) / mask.numel() as f64
            }
        }
    }

    /// Logits of the strong views that were run, and how much each counts.
    pub(crate) fn strong_and_mask(&self) -> (&Tensor, Tensor) {
        let mask = &self.judged.mask;
        let of_those = |rows: &Tensor| mask.index_select(0, rows);
        (&self.strong, self.rows.as_ref().map_or_else(|| mask.shallow_clone(), of_those))
    }
}

/// What is wrong with these settings together.
pub(crate) fn skip_faults(pass: WeakPass, skip: bool) -> Vec<ConfigError> {
    let fault = "which strong views count is known after the weak pass alone: weak_pass must not \
                 be joint";
    Faults::default().unless(!skip || pass != WeakPass::Joint, "skip_masked", fault).done()
}

#[cfg(test)]
mod tests {
    use torch::{Device, Model, nn::Linear};
    use train::{Progress, Schedule};

    use super::*;
    use crate::methods::{
        FixMatchConfig, FlexMatchConfig, FreeMatchConfig, SoftMatchConfig, UdaConfig,
    };
    use crate::{MethodSettings, TaskInfo};

    /// Total, gradient and notes of a method's loss on a batch of which some samples count, in the
    /// second step: in the first one, all of them count for FlexMatch.
    fn found(config: &dyn MethodSettings) -> (f64, Vec<f64>, Vec<(String, f64)>) {
        let wave = |n: i64, step: f64| (Tensor::arange(n, (Kind::Float, Device::Cpu)) * step).sin();
        let make = |step: f64| {
            let model = Model::build(Device::Cpu, |scope| Linear::new(scope, 4, 3));
            let weight = model.params.get("weight").expect("a layer's");
            no_grad(|| weight.shallow_clone().copy_(&wave(12, step).view([3, 4])));
            model
        };
        let nets = Nets { student: make(1.3), ema: Some(make(2.9)) };
        let batch = Batch {
            u: vec![wave(160, 1.7).view([40, 4]) * 2.0, wave(160, 0.7).view([40, 4])],
            unlabeled_indices: Some(Tensor::arange(40, (Kind::Int64, Device::Cpu))),
            ..Batch::labeled(wave(20, 0.9).view([5, 4]), Tensor::from_slice(&[0i64, 1, 2, 0, 1]))
        };
        let task = TaskInfo { classes: 3, unlabeled: 40, device: Device::Cpu };
        let mut method = config.build(&task);
        let mut step = |step| method.loss(&nets, &batch, Progress { step, steps: 10 });
        step(0);
        let loss = step(1);
        loss.total().backward();
        let values = loss.values();
        let grad = nets.student.params.get("weight").expect("a layer's").grad().reshape([-1]);
        let grad = Vec::try_from(grad.to_kind(Kind::Double)).expect("numbers");
        (values.total, grad, values.notes)
    }

    fn fixmatch(weak_pass: WeakPass, skip_masked: bool) -> FixMatchConfig {
        FixMatchConfig { threshold: 0.7, weak_pass, skip_masked, ..Default::default() }
    }

    #[test]
    fn what_counts_nothing_need_not_be_run() {
        use WeakPass::{Apart, Ema, Joint};
        let uda = |weak_pass, skip_masked| UdaConfig {
            threshold: 0.7,
            weak_pass,
            skip_masked,
            ..Default::default()
        };
        let flex = |weak_pass, skip_masked| FlexMatchConfig {
            threshold: 0.7,
            weak_pass,
            skip_masked,
            ..Default::default()
        };
        // The fairness term, too, is of the samples that count.
        let free = |weak_pass, skip_masked| FreeMatchConfig {
            fairness: 0.5,
            weak_pass,
            skip_masked,
            decay: 0.5,
            ..Default::default()
        };
        let pairs: [[Box<dyn MethodSettings>; 2]; 6] = [
            [Box::new(fixmatch(Joint, false)), Box::new(fixmatch(Apart, true))],
            [Box::new(fixmatch(Ema, false)), Box::new(fixmatch(Ema, true))],
            [Box::new(uda(Joint, false)), Box::new(uda(Apart, true))],
            [Box::new(flex(Joint, false)), Box::new(flex(Apart, true))],
            [Box::new(free(Joint, false)), Box::new(free(Apart, true))],
            [Box::new(free(Ema, false)), Box::new(free(Ema, true))],
        ];
        for [all, some] in pairs {
            let ((total, grad, notes), (skipped, less, same)) = (found(&*all), found(&*some));
            assert!((total - skipped).abs() < 1e-5, "{total} {skipped}");
            assert!(grad.iter().zip(&less).all(|(a, b)| (a - b).abs() < 1e-5), "{grad:?} {less:?}");
            assert_eq!(notes, same);
            // Neither none nor all of them count.
            let mask = notes.iter().find(|note| note.0 == "mask").expect("what counts").1;
            assert!((0.01..0.99).contains(&mask), "{notes:?}");
        }
        // The EMA model, which is another network here, judges otherwise.
        let soft = |weak_pass| SoftMatchConfig { weak_pass, ..Default::default() };
        let differ = |a: &dyn MethodSettings, b: &dyn MethodSettings| {
            assert!((found(a).0 - found(b).0).abs() > 1e-3);
        };
        differ(&fixmatch(Ema, false), &fixmatch(Apart, false));
        differ(&free(Ema, true), &free(Apart, true));
        differ(&soft(Ema), &soft(Apart));
        // Without batch norm and dropout the passes are the same.
        assert!((found(&soft(Joint)).0 - found(&soft(Apart)).0).abs() < 1e-5);
    }

    #[test]
    fn without_a_sample_that_counts_the_labelled_ones_are_left() {
        let nothing = FixMatchConfig { threshold: 1.0, ..fixmatch(WeakPass::Apart, true) };
        let (total, grad, _) = found(&nothing);
        assert!(total.is_finite() && grad.iter().any(|g| *g != 0.0), "{total} {grad:?}");
    }

    #[test]
    fn without_weight_no_unlabelled_view_is_run() {
        let weight = Schedule::Delayed { value: 1.0, until: 0.5 };
        let late: [Box<dyn MethodSettings>; 4] = [
            Box::new(FreeMatchConfig {
                weight: weight.clone(),
                weak_pass: WeakPass::Apart,
                skip_masked: true,
                ..Default::default()
            }),
            Box::new(FixMatchConfig { weight: weight.clone(), ..fixmatch(WeakPass::Ema, true) }),
            Box::new(FlexMatchConfig {
                weight: weight.clone(),
                weak_pass: WeakPass::Apart,
                skip_masked: true,
                ..Default::default()
            }),
            Box::new(UdaConfig {
                weight,
                weak_pass: WeakPass::Apart,
                skip_masked: true,
                ..Default::default()
            }),
        ];
        let nothing = FixMatchConfig { threshold: 1.0, ..fixmatch(WeakPass::Apart, false) };
        let (labeled, gradient, _) = found(&nothing);
        for settings in late {
            let (total, grad, notes) = found(&*settings);
            assert!((total - labeled).abs() < 1e-6, "{total}, not {labeled}");
            assert!(grad.iter().zip(&gradient).all(|(a, b)| (a - b).abs() < 1e-6));
            assert!(notes.is_empty(), "{notes:?}");
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let faults = fixmatch(WeakPass::Joint, true).faults();
        assert!(faults.len() == 1 && faults[0].key == "skip_masked", "{faults:?}");
        assert_eq!(fixmatch(WeakPass::Ema, true).faults(), []);
        assert!(fixmatch(WeakPass::Ema, true).needs().ema);
        assert!(!fixmatch(WeakPass::Apart, true).needs().ema);
    }
}
