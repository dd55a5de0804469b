//! Draws splits, with one short function per rule.

use super::candidates::{Candidates, name};
use super::rule::{SplitRequest, SplitRule};
use crate::error::{DataError, label_beyond};
use crate::numpy_random::RandomState;
use augment::rng::Key;

/// The seed of the parts of `balanced` that do not depend on the request's seed.
const PINNED: u64 = 0x7475_746f_7231;

/// Indices of the samples in each part, in the order drawn.
pub(super) struct Parts {
    pub(super) labeled: Vec<u32>,
    pub(super) unlabeled: Vec<u32>,
    pub(super) validation: Vec<u32>,
    pub(super) test: Vec<u32>,
}

impl Parts {
    /// Parts without a test part.
    fn new(labeled: Vec<u32>, unlabeled: Vec<u32>, validation: Vec<u32>) -> Self {
        Self { labeled, unlabeled, validation, test: vec![] }
    }
}

/// Draws by the request's rule.
pub(super) fn draw(
    request: &SplitRequest,
    labels: &[u32],
    classes: usize,
) -> Result<Parts, DataError> {
    let fault = |what: String| {
        Err(DataError::Request(format!("split rule `{}`: {what}", name(request.rule))))
    };
    let train = request.train.unwrap_or(labels.len());
    if train > labels.len() || labels.len() > u32::MAX as usize {
        return fault(format!("a training part of {train} samples in a set of {}", labels.len()));
    }
    if let Some(i) = labels[..train].iter().position(|&label| label as usize >= classes) {
        return fault(format!("sample {i} has {}", label_beyond(labels[i], classes)));
    }
    let candidates =
        Candidates { request, labels: &labels[..train], classes, all: labels.len() as u32 };
    use SplitRule::*;
    let may_validate = matches!(request.rule, Fixmatch | NoisyStudentSvhn | Realistic | Balanced);
    if request.validation > 0 && !may_validate {
        return fault(format!("it has no validation part (validation = {})", request.validation));
    }
    if request.test > 0 && request.rule != Balanced {
        return fault(format!("it has no test part (test = {})", request.test));
    }
    if train < labels.len() && matches!(request.rule, Fixmatch | Kekmodel | Usb) {
        return fault(format!("it draws from all samples (train = {train})"));
    }
    match request.rule {
        Uda | UdaSvhn | UdaBalanced => candidates.uda(),
        Fixmatch => candidates.fixmatch(),
        Kekmodel => candidates.kekmodel(),
        Usb => candidates.usb(),
        NoisyStudentSvhn => candidates.noisy_student_svhn(),
        Realistic => candidates.realistic(),
        Balanced => candidates.balanced(),
    }
}

type Drawn = Result<Parts, DataError>;

impl Candidates<'_> {
    fn uda(&self) -> Drawn {
        let (n, all) = (self.total()?, self.all_labels());
        let labeled = match self.request.rule {
            SplitRule::UdaBalanced => {
                let each = self.per_class(n)?;
                // File order, not class by class.
                let mut taken = vec![0; self.classes];
                let mut labeled = Vec::new();
                for (i, &label) in all.iter().zip(self.labels) {
                    let count = &mut taken[label as usize];
                    if *count < each {
                        *count += 1;
                        labeled.push(*i);
                    }
                }
                self.enough(labeled, n)?
            }
            SplitRule::UdaSvhn => RandomState::new(0).permutation(all.len() as u32)[..n].to_vec(),
            _ => all[..n].to_vec(),
        };
        Ok(Parts::new(labeled, all, vec![]))
    }

    fn fixmatch(&self) -> Drawn {
        let n = self.total()?;
        let mut pools = self.by_class();
        let seed = self.numpy_seed()?;
        if seed != 0 {
            let mut numpy = RandomState::new(seed);
            pools.iter_mut().for_each(|pool| numpy.shuffle(pool));
        }
        let most = pools.iter().map(Vec::len).max().unwrap_or(0).max(1) as f64;
        let share: Vec<f64> = pools.iter().map(|pool| pool.len() as f64 / most).collect();
        let (mut taken, mut labeled) = (vec![0usize; self.classes], Vec::new());
        for _ in 0..n {
            let most = (*taken.iter().max().unwrap_or(&0)).max(1) as f64;
            let need = |c: usize| share[c] - taken[c] as f64 / most;
            // The first class among equals, as numpy's argmax has it.
            let class =
                (1..self.classes).fold(0, |best, c| if need(c) > need(best) { c } else { best });
            let Some(&index) = pools[class].get(taken[class]) else {
                return self.refuse(format!(
                    "class {class} has only {} samples, more are needed",
                    taken[class]
                ));
            };
            taken[class] += 1;
            labeled.push(index);
        }
        labeled.sort_unstable();
        let mut validation = self.all_labels();
        if self.request.validation > validation.len() {
            return self.refuse(format!(
                "validation = {} of {} samples",
                self.request.validation,
                validation.len()
            ));
        }
        let unlabeled = validation.split_off(self.request.validation);
        Ok(Parts::new(labeled, unlabeled, validation))
    }

    fn kekmodel(&self) -> Drawn {
        let each = self.per_class(self.total()?)?;
        let mut numpy = RandomState::new(self.numpy_seed()?);
        let mut labeled = Vec::new();
        for pool in self.pools_of(each)? {
            labeled.extend(numpy.choice(&pool, each));
        }
        Ok(Parts::new(labeled, self.all_labels(), vec![]))
    }

    fn usb(&self) -> Drawn {
        let each = self.per_class(self.total()?)?;
        let mut numpy = RandomState::new(self.numpy_seed()?);
        let (mut labeled, mut rest) = (Vec::new(), Vec::new());
        for mut pool in self.pools_of(each)? {
            numpy.shuffle(&mut pool);
            rest.extend(pool.split_off(each));
            labeled.extend(pool);
        }
        let unlabeled = labeled.iter().copied().chain(rest).collect();
        Ok(Parts::new(labeled, unlabeled, vec![]))
    }

    fn noisy_student_svhn(&self) -> Drawn {
        let (train, held) = (self.labels.len(), self.request.validation);
        let held = if held == 0 { 4000 } else { held };
        if held > train {
            return self.refuse(format!("{held} of {train} training samples for validation"));
        }
        if self.request.labels.is_some_and(|n| n != train - held) {
            return self.refuse(format!(
                "it labels all {} that are left; leave `labels` out",
                train - held
            ));
        }
        let mut numpy = RandomState::new(0);
        let mut validation = numpy.permutation(train as u32);
        let labeled = validation.split_off(held);
        let mut extra: Vec<u32> = (train as u32..self.all).collect();
        numpy.shuffle(&mut extra);
        Ok(Parts::new(labeled, extra, validation))
    }

    fn realistic(&self) -> Drawn {
        let held = self.request.validation;
        if held > self.labels.len() {
            return self.refuse(format!("validation = {held} of {} samples", self.labels.len()));
        }
        let mut validation = RandomState::new(0).permutation(self.labels.len() as u32);
        let rest = validation.split_off(held);
        let (labeled, mut unlabeled) = self.choose_labeled(rest)?;
        unlabeled.extend(self.labels.len() as u32..self.all);
        Ok(Parts::new(labeled, unlabeled, validation))
    }

    fn balanced(&self) -> Drawn {
        let (validation, test) = (self.request.validation, self.request.test);
        if validation.saturating_add(test) > self.labels.len() {
            let count = self.labels.len();
            return self
                .refuse(format!("validation = {validation} and test = {test} of {count} samples"));
        }
        let mut rng = Key { seed: PINNED, epoch: 0, index: 0, view: 1001 }.rng();
        let all = (0..self.labels.len() as u32).collect();
        let (test, rest) = self.stratified(all, test, &mut rng);
        let (validation, rest) = self.stratified(rest, validation, &mut rng);
        let (labeled, mut unlabeled) = self.choose_labeled(rest)?;
        unlabeled.extend(self.labels.len() as u32..self.all);
        Ok(Parts { labeled, unlabeled, validation, test })
    }
}
