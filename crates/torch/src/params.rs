//! Named parameters and buffers, and the scopes under which a network makes them.

use std::collections::{BTreeMap, HashMap};

use tch::{Device, Kind, Tensor};

use crate::grad::no_grad;
use crate::store::{self, LoadError};
use crate::{ffi, rng};

/// What a tensor of a network is for: decides what is trained and what weight decay touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The kernel of a convolution or linear layer.
    Weight,
    /// The bias of a convolution or linear layer; a token or a position of a transformer.
    Bias,
    /// The scale or shift of a normalisation layer, the scale of a branch.
    Norm,
    /// Not trained: running statistics, filters that stay as they are.
    Buffer,
}

/// One named tensor of a network.
#[derive(Debug)]
pub struct Param {
    /// The name in a checkpoint, as `blocks.0.1.conv_dw.weight`.
    pub name: String,
    /// The tensor; shared with the layer that uses it.
    pub tensor: Tensor,
    /// What it is for.
    pub role: Role,
}

/// How a new tensor is filled. Random numbers come from the CPU generator whatever the device is,
/// so that a seed gives the same network everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// One value.
    Const(f64),
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Normal with mean 0, drawn again where it is more than two deviations away, as TensorFlow's
    /// `truncated_normal`; what is left deviates by 0.88 `std`.
    TruncatedNormal {
        /// Standard deviation of the normal distribution that is cut.
        std: f64,
    },
    /// Uniform in `[-bound, bound)`.
    Uniform {
        /// Half the width of the range.
        bound: f64,
    },
}

impl Init {
    /// A new float32 tensor of this shape on the CPU, filled so.
    fn fill(self, shape: &[i64]) -> Tensor {
        let options = (Kind::Float, Device::Cpu);
        let uniform = |bound: f64| {
            let _alone = rng::exclusive();
            Tensor::empty(shape, options).uniform_(-bound, bound)
        };
        match self {
            Init::Const(value) => Tensor::full(shape, value, options),
            Init::Normal { std } => {
                let _alone = rng::exclusive();
                Tensor::randn(shape, options) * std
            }
            Init::TruncatedNormal { std } => {
                // Between two deviations lies erf(√2) of the distribution.
                let inner = 0.954_499_736_103_641_6;
                uniform(inner).erfinv() * (std * std::f64::consts::SQRT_2)
            }
            Init::Uniform { bound } => uniform(bound),
        }
    }
}

/// The named tensors of a network, in the order in which it made them.
#[derive(Debug, Default)]
pub struct Params {
    entries: Vec<Param>,
    index: HashMap<String, usize>,
    /// The number of tensors that there were at the end of each stage.
    stage_ends: Vec<usize>,
    /// How many of the first tensors training leaves as they are.
    frozen: usize,
}

impl Params {
    /// Makes a network and collects its parameters on `device`.
    pub fn build<N>(device: Device, make: impl FnOnce(&mut Scope<'_>) -> N) -> (N, Params) {
        let mut params = Params::default();
        let net = params.extend(device, make);
        (net, params)
    }

    /// Makes further layers on `device`, whose tensors come after those that are there. Panics if
    /// a name is taken.
    pub fn extend<N>(&mut self, device: Device, make: impl FnOnce(&mut Scope<'_>) -> N) -> N {
        make(&mut Scope { params: self, path: String::new(), device, values: Values::New })
    }

    /// The names, shapes and roles of a network of any size, without memory for its values: every
    /// tensor is a single zero, expanded to its shape. For counting parameters and for comparing
    /// with a checkpoint, not for running.
    pub fn outline<N>(make: impl FnOnce(&mut Scope<'_>) -> N) -> Params {
        let (mut params, path, device) = (Params::default(), String::new(), Device::Cpu);
        make(&mut Scope { params: &mut params, path, device, values: Values::Outline });
        params
    }

    /// Makes the network anew on these very tensors, without a copy: for another thread, which must
    /// not train. Panics if it has a tensor that is not among these.
    pub fn sharing<N>(&self, make: impl FnOnce(&mut Scope<'_>) -> N) -> N {
        let (mut params, path) = (Params::default(), String::new());
        let device = self.device();
        make(&mut Scope { params: &mut params, path, device, values: Values::Shared(self) })
    }

    /// Makes the network anew of copies of these tensors in `kind`, to run it without gradients: in
    /// bfloat16 it takes half of the memory, and where it is memory that a step waits for, half of
    /// the time. Panics if it has a tensor that is not among these.
    pub fn in_kind<N>(&self, kind: Kind, make: impl FnOnce(&mut Scope<'_>) -> N) -> N {
        let (mut params, path) = (Params::default(), String::new());
        let device = self.device();
        make(&mut Scope { params: &mut params, path, device, values: Values::InKind(self, kind) })
    }

    /// Makes the network of copies of these tensors, to compute in `kind`.
    pub(crate) fn for_inference<N>(&self, kind: Kind, make: impl FnOnce(&mut Scope<'_>) -> N) -> N {
        let (mut params, path) = (Params::default(), String::new());
        let device = self.device();
        make(&mut Scope {
            params: &mut params,
            path,
            device,
            values: Values::ForInference(self, kind),
        })
    }

    /// The device of its tensors; the CPU where there is none.
    pub fn device(&self) -> Device {
        self.iter().next().map_or(Device::Cpu, |p| p.tensor.device())
    }

    /// All tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.entries.iter()
    }

    /// The tensors that training changes, in order: no buffers, and nothing of a frozen stage.
    pub fn trainable(&self) -> impl Iterator<Item = &Param> {
        self.entries[self.frozen..].iter().filter(|p| p.role != Role::Buffer)
    }

    /// How many stages the network said it has ([`Scope::end_stage`]).
    pub fn stages(&self) -> usize {
        self.stage_ends.len()
    }

    /// The tensors of the first `stages` stages with their names, in order, shared with the net.
    /// Panics if there are fewer.
    pub fn of_stages(&self, stages: usize) -> Vec<(String, Tensor)> {
        let first = &self.entries[..self.end_of(stages)];
        first.iter().map(|p| (p.name.clone(), p.tensor.shallow_clone())).collect()
    }

    /// How many tensors the first `stages` stages have.
    fn end_of(&self, stages: usize) -> usize {
        assert!(stages <= self.stages(), "{stages} stages of a network that has {}", self.stages());
        if stages == 0 { 0 } else { self.stage_ends[stages - 1] }
    }

    /// Takes the tensors of the first `stages` stages, and of no others, out of training. Panics if
    /// there are fewer.
    pub(crate) fn freeze(&mut self, stages: usize) {
        self.frozen = self.end_of(stages);
        for (i, p) in self.entries.iter().enumerate().filter(|(_, p)| p.role != Role::Buffer) {
            let _ = p.tensor.set_requires_grad(i >= self.frozen);
        }
    }

    /// All names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|p| p.name.as_str())
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.index.get(name).map(|&i| &self.entries[i].tensor)
    }

    /// Number of scalars that training changes.
    pub fn count(&self) -> usize {
        self.trainable().map(|p| p.tensor.numel()).sum()
    }

    /// Copies every value from a network of the same shape. Panics if a name or shape differs.
    pub fn copy_from(&self, other: &Params) {
        assert_eq!(self.entries.len(), other.entries.len(), "number of tensors of two networks");
        no_grad(|| {
            for (to, from) in self.entries.iter().zip(&other.entries) {
                assert_eq!(
                    (&to.name, to.tensor.size()),
                    (&from.name, from.tensor.size()),
                    "tensors of two networks"
                );
                to.tensor.shallow_clone().copy_(&from.tensor);
            }
        });
    }

    /// All tensors with their names, in order, shared with the network: what a checkpoint holds.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        self.iter().map(|p| (p.name.clone(), p.tensor.shallow_clone())).collect()
    }

    /// Copies every value from tensors of the same names, of any kind and on any device. PyTorch's
    /// counters, whose names end in `num_batches_tracked`, are passed over. If a tensor is missing,
    /// unexpected or of another shape, the error names all such and nothing is changed.
    pub fn load(&self, tensors: &BTreeMap<String, Tensor>) -> Result<(), LoadError> {
        let wanted = self.iter().map(|p| (p.name.as_str(), &p.tensor));
        store::check(wanted, tensors, |name| name.ends_with("num_batches_tracked"))?;
        no_grad(|| {
            for p in self.iter() {
                p.tensor.shallow_clone().copy_(&tensors[&p.name]);
            }
        });
        Ok(())
    }

    /// Clears all gradients: they are undefined, not 0, until the next backward pass.
    pub fn zero_grad(&self) {
        let tensors: Vec<_> = self.trainable().map(|p| p.tensor.shallow_clone()).collect();
        ffi::optim::zero_grad(&tensors);
    }

    fn push(&mut self, name: String, tensor: Tensor, role: Role) {
        let earlier = self.index.insert(name.clone(), self.entries.len());
        assert!(earlier.is_none(), "two tensors are named {name}");
        self.entries.push(Param { name, tensor, role });
    }
}

/// A place in the tree of names at which layers make their tensors.
pub struct Scope<'a> {
    params: &'a mut Params,
    path: String,
    device: Device,
    values: Values<'a>,
}

/// Where the values of a scope's tensors come from.
#[derive(Clone, Copy)]
enum Values<'a> {
    /// They are drawn.
    New,
    /// There are none.
    Outline,
    /// Copies of those of a network that is made anew for inference in this kind.
    ForInference(&'a Params, Kind),
    /// They are those of a network that is there.
    Shared(&'a Params),
    /// They are those of a network that is there, in another kind.
    InKind(&'a Params, Kind),
}

impl Scope<'_> {
    /// The scope one name deeper: names below are `path.name.…`.
    pub fn sub(&mut self, name: impl std::fmt::Display) -> Scope<'_> {
        let path = self.full(&name.to_string());
        Scope { path, params: self.params, device: self.device, values: self.values }
    }

    /// Says that the tensors made so far, since the stage before, are one stage of the network: the
    /// unit in which a network is frozen ([`Model::freeze`](crate::Model::freeze)).
    pub fn end_stage(&mut self) {
        self.params.stage_ends.push(self.params.entries.len());
    }

    /// The device on which tensors are made.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The kind in which the network is to compute, if it is made for
    /// [inference](crate::Inference).
    pub fn inference(&self) -> Option<Kind> {
        match self.values {
            Values::ForInference(_, kind) => Some(kind),
            Values::New | Values::Outline | Values::Shared(_) | Values::InKind(..) => None,
        }
    }

    /// Makes a float32 tensor of this scope. Everything but a [`Role::Buffer`] requires a gradient.
    pub fn tensor(&mut self, name: &str, shape: &[i64], role: Role, init: Init) -> Tensor {
        let name = self.full(name);
        let known = |params: &Params| match params.get(&name) {
            Some(t) if t.size() == shape => t.detach(),
            found => panic!("{name} of shape {shape:?}, not {:?}", found.map(Tensor::size)),
        };
        let value = match self.values {
            Values::ForInference(params, _) => return known(params).copy(),
            Values::Shared(params) => return known(params),
            Values::InKind(params, kind) => return known(params).to_kind(kind),
            Values::Outline => Tensor::zeros([1], (Kind::Float, Device::Cpu)).expand(shape, false),
            Values::New => init.fill(shape),
        };
        let tensor = value.to_device(self.device).set_requires_grad(role != Role::Buffer);
        self.params.push(name, tensor.shallow_clone(), role);
        tensor
    }

    fn full(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}
