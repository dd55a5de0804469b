//! A thin binding layer over libtorch.
//!
//! It gives the crates above what training needs and no more: a [`Net`] trait with an explicit
//! [`Mode`], parameters under the names of published checkpoints ([`Params`]), layers with
//! TensorFlow's padding where a paper needs it ([`nn`]), per-sample losses ([`loss`]), optimisers
//! whose state can be saved, a generator whose state can be restored, what reading published
//! networks has in common ([`hub`]), and one binary that runs with
//! and without a GPU.
//!
//! ```
//! use torch::{Device, Kind, Mode, Net, Params, Tensor, nn::Linear};
//!
//! struct Classifier(Linear);
//! impl Net for Classifier {
//!     fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
//!         self.0.forward(x)
//!     }
//! }
//!
//! let (net, params) = Params::build(Device::Cpu, |scope| {
//!     Classifier(Linear::new(&mut scope.sub("fc"), 4, 3))
//! });
//! let logits = net.forward(&Tensor::zeros([2, 4], (Kind::Float, Device::Cpu)), Mode::Eval);
//! assert_eq!(logits.size(), [2, 3]);
//! assert_eq!(params.names().collect::<Vec<_>>(), ["fc.weight", "fc.bias"]);
//! ```

mod batch_part;
pub mod device;
mod ffi;
pub mod finite;
pub mod flops;
pub mod foreach;
pub mod grad;
pub mod graph;
pub mod group;
pub mod hub;
mod inference;
pub mod layout;
pub mod loss;
mod mode;
mod net;
pub mod nn;
pub mod optim;
mod params;
mod parts;
pub mod precision;
pub mod rng;
pub mod rows;
pub mod sequences;
pub mod store;

pub use batch_part::BatchPart;
pub use grad::no_grad;
pub use inference::Inference;
pub use mode::{Mode, NoisyRows};
pub use net::{Features, Model, Net};
pub use params::{Init, Param, Params, Role, Scope};
pub use tch::{Device, IndexOp, Kind, Tensor};
