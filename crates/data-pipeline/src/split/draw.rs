//! Draws splits, with one short function per rule.

use super::rule::{SplitRequest, SplitRule};
use crate::error::DataError;
use crate::numpy_random::RandomState;
use augment::rng::{Key, Rng};

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
        return fault(format!("sample {i} has label {} of {classes} classes", labels[i]));
    }
    let plan = Plan { request, labels: &labels[..train], classes, all: labels.len() as u32 };
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
        Uda | UdaSvhn | UdaBalanced => plan.uda(),
        Fixmatch => plan.fixmatch(),
        Kekmodel => plan.kekmodel(),
        Usb => plan.usb(),
        NoisyStudentSvhn => plan.noisy_student_svhn(),
        Realistic => plan.realistic(),
        Balanced => plan.balanced(),
    }
}

fn name(rule: SplitRule) -> String {
    serde_json::to_value(rule).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

struct Plan<'a> {
    request: &'a SplitRequest,
    /// The labels of the training part.
    labels: &'a [u32],
    classes: usize,
    /// How many samples there are, including those after the training part.
    all: u32,
}

type Drawn = Result<Parts, DataError>;

impl Plan<'_> {
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

    /// Of `pool`, the same number of each class by the request's seed; and the others. Both in
    /// ascending order.
    fn choose_labeled(&self, pool: Vec<u32>) -> Result<(Vec<u32>, Vec<u32>), DataError> {
        let n = self.request.labels.unwrap_or(pool.len());
        if n == pool.len() {
            let mut pool = pool;
            pool.sort_unstable();
            return Ok((pool, vec![]));
        }
        let each = self.per_class(n)?;
        let mut rng = Key { seed: self.request.seed, epoch: 0, index: 0, view: 1001 }.rng();
        let mut classes = vec![Vec::new(); self.classes];
        for index in pool {
            classes[self.labels[index as usize] as usize].push(index);
        }
        let (mut labeled, mut rest) = (Vec::new(), Vec::new());
        for (class, mut pool) in classes.into_iter().enumerate() {
            if pool.len() < each {
                return self.refuse(format!(
                    "class {class} has {} samples left, {each} are needed",
                    pool.len()
                ));
            }
            pool.sort_unstable();
            rng.shuffle(&mut pool);
            rest.extend(pool.split_off(each));
            labeled.extend(pool);
        }
        labeled.sort_unstable();
        rest.sort_unstable();
        Ok((labeled, rest))
    }

    /// `count` of `pool` with the class frequencies of `pool`, as near as whole numbers allow
    /// (largest remainders, the lower class first among equals); and the others. Both in ascending
    /// order. `count` must not exceed the pool.
    fn stratified(&self, pool: Vec<u32>, count: usize, rng: &mut Rng) -> (Vec<u32>, Vec<u32>) {
        let total = pool.len().max(1) as u128;
        let mut classes = vec![Vec::new(); self.classes];
        for index in pool {
            classes[self.labels[index as usize] as usize].push(index);
        }
        let exact: Vec<u128> =
            classes.iter().map(|pool| pool.len() as u128 * count as u128).collect();
        let mut quota: Vec<usize> = exact.iter().map(|e| (e / total) as usize).collect();
        let mut order: Vec<usize> = (0..self.classes).collect();
        order.sort_by_key(|&c| std::cmp::Reverse(exact[c] % total));
        let missing = count - quota.iter().sum::<usize>();
        for &class in &order[..missing] {
            quota[class] += 1;
        }
        let (mut chosen, mut rest) = (Vec::new(), Vec::new());
        for (mut pool, quota) in classes.into_iter().zip(quota) {
            rng.shuffle(&mut pool);
            rest.extend(pool.split_off(quota));
            chosen.extend(pool);
        }
        chosen.sort_unstable();
        rest.sort_unstable();
        (chosen, rest)
    }

    fn all_labels(&self) -> Vec<u32> {
        (0..self.labels.len() as u32).collect()
    }

    fn by_class(&self) -> Vec<Vec<u32>> {
        let mut pools = vec![Vec::new(); self.classes];
        for (i, &label) in self.labels.iter().enumerate() {
            pools[label as usize].push(i as u32);
        }
        pools
    }

    /// The classes' samples, each class having at least `each`.
    fn pools_of(&self, each: usize) -> Result<Vec<Vec<u32>>, DataError> {
        let pools = self.by_class();
        match pools.iter().position(|pool| pool.len() < each) {
            Some(c) => {
                self.refuse(format!("class {c} has {} samples, {each} are needed", pools[c].len()))
            }
            None => Ok(pools),
        }
    }

    fn total(&self) -> Result<usize, DataError> {
        let n = self.request.labels.unwrap_or(self.labels.len());
        if n > self.labels.len() {
            return self
                .refuse(format!("{n} labels asked for, {} samples there", self.labels.len()));
        }
        Ok(n)
    }

    fn per_class(&self, n: usize) -> Result<usize, DataError> {
        if self.classes == 0 || !n.is_multiple_of(self.classes) {
            return self.refuse(format!(
                "{n} labels cannot be shared equally among {} classes",
                self.classes
            ));
        }
        Ok(n / self.classes)
    }

    fn enough(&self, labeled: Vec<u32>, n: usize) -> Result<Vec<u32>, DataError> {
        if labeled.len() < n {
            return self.refuse(format!("a class has too few samples for {n} balanced labels"));
        }
        Ok(labeled)
    }

    fn numpy_seed(&self) -> Result<u32, DataError> {
        let seed = self.request.seed;
        u32::try_from(seed)
            .or_else(|_| self.refuse(format!("seed {seed} is not a numpy seed (below 2^32)")))
    }

    fn refuse<T>(&self, what: String) -> Result<T, DataError> {
        Err(DataError::Request(format!("split rule `{}`: {what}", name(self.request.rule))))
    }
}
