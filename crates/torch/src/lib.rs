//! Networks, optimisers and process groups on libtorch: the only crate that depends on `tch`.
//!
//! It has networks that are run in an explicit [`Mode`] ([`Net`], [`Model`]), parameters under the
//! names of published checkpoints ([`Params`]), layers ([`nn`]), per-sample losses ([`loss`]),
//! optimisers with serialisable state ([`optim`]), generators whose state can be restored
//! ([`rng`]), data-parallel process groups on CPUs ([`group`]), inference and export graphs
//! ([`Inference`], [`graph`]), files of tensors ([`store`]), and reading of Hugging Face folders
//! ([`hub`]). What is wrong with a configuration is told in one form ([`ConfigError`]). One binary
//! runs with and without a GPU ([`device`]).
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
mod config_error;
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
pub use config_error::{ConfigError, Faults, InvalidConfig};
pub use grad::no_grad;
pub use inference::Inference;
pub use mode::{Mode, NoisyRows};
pub use net::{Features, Model, Net};
pub use params::{Init, Param, Params, Role, Scope};
pub use tch::{Device, IndexOp, Kind, Tensor};
