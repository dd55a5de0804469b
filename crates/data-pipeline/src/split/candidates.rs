//! What the rules of [`draw`](super::draw) share: the samples by class, numbers that are checked,
//! stratified drawing.

use super::rule::{SplitRequest, SplitRule};
use crate::error::DataError;
use augment::rng::{Key, Rng};

/// The samples that a split is drawn from.
pub(super) struct Candidates<'a> {
    pub(super) request: &'a SplitRequest,
    /// The labels of the training part.
    pub(super) labels: &'a [u32],
    pub(super) classes: usize,
    /// How many samples there are, including those after the training part.
    pub(super) all: u32,
}

impl Candidates<'_> {
    /// As many of each class of `pool` by the request's seed; and the others. Both in
    /// ascending order.
    pub(super) fn choose_labeled(&self, pool: Vec<u32>) -> Result<(Vec<u32>, Vec<u32>), DataError> {
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
    pub(super) fn stratified(
        &self,
        pool: Vec<u32>,
        count: usize,
        rng: &mut Rng,
    ) -> (Vec<u32>, Vec<u32>) {
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

    pub(super) fn all_labels(&self) -> Vec<u32> {
        (0..self.labels.len() as u32).collect()
    }

    pub(super) fn by_class(&self) -> Vec<Vec<u32>> {
        let mut pools = vec![Vec::new(); self.classes];
        for (i, &label) in self.labels.iter().enumerate() {
            pools[label as usize].push(i as u32);
        }
        pools
    }

    /// The classes' samples, each class having at least `each`.
    pub(super) fn pools_of(&self, each: usize) -> Result<Vec<Vec<u32>>, DataError> {
        let pools = self.by_class();
        match pools.iter().position(|pool| pool.len() < each) {
            Some(c) => {
                self.refuse(format!("class {c} has {} samples, {each} are needed", pools[c].len()))
            }
            None => Ok(pools),
        }
    }

    pub(super) fn total(&self) -> Result<usize, DataError> {
        let n = self.request.labels.unwrap_or(self.labels.len());
        if n > self.labels.len() {
            return self
                .refuse(format!("{n} labels asked for, {} samples there", self.labels.len()));
        }
        Ok(n)
    }

    pub(super) fn per_class(&self, n: usize) -> Result<usize, DataError> {
        if self.classes == 0 || !n.is_multiple_of(self.classes) {
            return self.refuse(format!(
                "{n} labels cannot be shared equally among {} classes",
                self.classes
            ));
        }
        Ok(n / self.classes)
    }

    pub(super) fn enough(&self, labeled: Vec<u32>, n: usize) -> Result<Vec<u32>, DataError> {
        if labeled.len() < n {
            return self.refuse(format!("a class has too few samples for {n} balanced labels"));
        }
        Ok(labeled)
    }

    pub(super) fn numpy_seed(&self) -> Result<u32, DataError> {
        let seed = self.request.seed;
        u32::try_from(seed)
            .or_else(|_| self.refuse(format!("seed {seed} is not a numpy seed (below 2^32)")))
    }

    pub(super) fn refuse<T>(&self, what: String) -> Result<T, DataError> {
        Err(DataError::Request(format!("split rule `{}`: {what}", name(self.request.rule))))
    }
}

/// The rule as a recipe names it.
pub(super) fn name(rule: SplitRule) -> String {
    serde_json::to_value(rule).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
