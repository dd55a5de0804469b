//! Training in less memory: of each block only its input is kept, and the block is run again when
//! its gradients are due (Chen et al. 2016, arXiv 1604.06174), with the same random numbers.

use std::collections::HashMap;

use torch::grad::grad;
use torch::{Kind, Params, Tensor, no_grad, rng};

/// A function of what the stage before gives, and of what the encoder gives.
type Run<'a> = dyn Fn(&Tensor, &Tensor) -> Tensor + 'a;

/// A part of a network.
pub(crate) struct Stage<'a> {
    /// What the names of its tensors begin with.
    pub(crate) prefixes: Vec<String>,
    /// Whether it reads what the stage before gives.
    pub(crate) follows: bool,
    /// Whether it reads what the encoder gives.
    pub(crate) reads: bool,
    /// What it makes of both.
    pub(crate) run: Box<Run<'a>>,
}

/// Stages one after another, and what was kept of running them.
pub(crate) struct Chain<'a> {
    stages: Vec<Stage<'a>>,
    /// For each stage its input, and the state of the generator before it.
    kept: Vec<[Tensor; 2]>,
    read: Tensor,
}

fn generator(x: &Tensor) -> Tensor {
    rng::state(x.device()).expect("the state of the generator of a network's device")
}

fn rewind(x: &Tensor, state: &Tensor) {
    rng::set_state(x.device(), state).expect("a state that the generator gave");
}

impl<'a> Chain<'a> {
    /// Runs stages, of which the first one that does not follow another is given `read` in its
    /// place; gives the last result too.
    pub(crate) fn run(stages: Vec<Stage<'a>>, read: &Tensor) -> (Self, Tensor) {
        let (mut x, mut kept) = (read.detach(), Vec::new());
        no_grad(|| {
            for stage in &stages {
                let _alone = rng::exclusive();
                kept.push([x.shallow_clone(), generator(&x)]);
                x = (stage.run)(&x, read);
            }
        });
        (Self { stages, kept, read: read.detach() }, x)
    }

    /// Adds the gradients of all tensors to `slopes`, of the sum of the last result times `slope`;
    /// gives the gradient of what was read, if a stage reads it.
    pub(crate) fn back(&self, mut slope: Tensor, slopes: &mut Slopes<'_>) -> Option<Tensor> {
        let mut of_read: Option<Tensor> = None;
        for (stage, [x, state]) in self.stages.iter().zip(&self.kept).rev() {
            let leaf = |x: &Tensor| x.detach().set_requires_grad(true);
            let (leaf, read) = (leaf(x), leaf(&self.read));
            let alone = rng::exclusive();
            rewind(x, state);
            let (x, y) = (&leaf, (stage.run)(&leaf, &read));
            drop(alone);
            let sum = (y.to_kind(Kind::Float) * &slope).sum(Kind::Float);
            let inputs = [(stage.follows, x), (stage.reads, &read)];
            let inputs: Vec<&Tensor> =
                inputs.iter().filter(|(wanted, _)| *wanted).map(|(_, x)| *x).collect();
            let mut found = slopes.take(&sum, &inputs, &stage.prefixes).into_iter();
            if stage.follows {
                slope = found.next().expect("the gradient of its input");
            }
            if let Some(own) = found.next() {
                of_read = Some(of_read.map_or(own.shallow_clone(), |sum| sum + own));
            }
        }
        of_read
    }
}

/// Runs `body`, and leaves the generator of the device of `x` as it is.
pub(crate) fn drawing_nothing<T>(x: &Tensor, body: impl FnOnce() -> T) -> T {
    let _alone = rng::exclusive();
    let state = generator(x);
    let result = body();
    rewind(x, &state);
    result
}

/// Gradients of a network's tensors, added up from its parts.
pub(crate) struct Slopes<'a> {
    params: &'a Params,
    sums: HashMap<String, Tensor>,
}

impl<'a> Slopes<'a> {
    pub(crate) fn new(params: &'a Params) -> Self {
        Self { params, sums: HashMap::new() }
    }

    /// The gradients of the scalar `y` by `inputs`; those by the tensors whose names begin with
    /// `prefixes` are added.
    pub(crate) fn take(
        &mut self,
        y: &Tensor,
        inputs: &[&Tensor],
        prefixes: &[String],
    ) -> Vec<Tensor> {
        let own = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let own: Vec<_> = self.params.trainable().filter(|p| own(&p.name)).collect();
        let all: Vec<&Tensor> =
            inputs.iter().copied().chain(own.iter().map(|p| &p.tensor)).collect();
        let mut found = grad(y, &all);
        for (p, slope) in own.iter().zip(found.split_off(inputs.len())) {
            let sum = match self.sums.remove(&p.name) {
                Some(sum) => sum + slope,
                None => slope,
            };
            self.sums.insert(p.name.clone(), sum);
        }
        found
    }

    /// A scalar of value 0 whose gradients are those that were added up.
    pub(crate) fn carrier(&self) -> Tensor {
        let product = |(name, slope): (&String, &Tensor)| {
            let tensor = self.params.get(name).expect("its tensor");
            (tensor.to_kind(Kind::Float) * slope).sum(Kind::Float)
        };
        let total = self.sums.iter().map(product).reduce(|a, b| a + b).expect("a tensor");
        &total - total.detach()
    }
}
