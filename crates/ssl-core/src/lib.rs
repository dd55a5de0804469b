//! Methods of learning from labelled and unlabelled samples, one short file each, all on the same
//! training loop.
//!
//! A [`Method`] says which [`Views`] of a sample it wants and turns a [`Batch`] into a loss;
//! [`Ssl`] is the one adapter from a method to the training loop of the crate `train`. No method
//! knows a data set, a file format or a particular network: a batch is tensors, a network is any
//! [`torch::Net`]. [`spreading`] needs no training: labels spread to samples with like features.
//!
//! ```
//! use ssl_core::methods::{Supervised, SupervisedConfig};
//! use ssl_core::{Batch, Ssl};
//! use torch::optim::{OptimConfig, Sgd};
//! use torch::{Device, Kind, Mode, Model, Net, Tensor, nn::Linear};
//! use train::{Objective, Progress};
//!
//! struct Line(Linear);
//! impl Net for Line {
//!     fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
//!         self.0.forward(x)
//!     }
//! }
//!
//! let model = Model::build(Device::Cpu, |scope| Line(Linear::new(&mut scope.sub("fc"), 2, 2)));
//! let method = Supervised::new(SupervisedConfig::default());
//! let mut objective = Ssl::new(method, model, None);
//! let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(objective.params());
//! let mut losses = Vec::new();
//! for step in 0..30 {
//!     let at = Progress { step, steps: 30 };
//!     let points = Tensor::eye(2, (Kind::Float, Device::Cpu));
//!     let batch = Batch::labeled(points, Tensor::from_slice(&[0i64, 1]));
//!     let loss = objective.loss(batch, at).total();
//!     optimizer.zero_grad();
//!     loss.backward();
//!     optimizer.step(0.5);
//!     // The EMA model, if there is one, follows.
//!     objective.after_step(at);
//!     losses.push(loss.double_value(&[]));
//! }
//! assert!(losses[29] < 0.5 * losses[0]);
//! ```
//!
//! A method of unlabelled samples takes [`Batch::u`] too, a tensor for each of its
//! [`Views::unlabeled`]. `train::fit` is the same loop with checkpoints, and goes on after a kill
//! with the same bits. A method of one's own is anything that implements [`Method`].
#![forbid(unsafe_code)]

mod check;
mod config;
#[cfg(test)]
mod draw_tests;
#[cfg(test)]
mod golden_tests;
mod method;
pub mod methods;
pub mod parts;
pub mod spreading;
mod ssl;

pub use config::MethodConfig;
pub use method::{Batch, Config, Head, Method, Needs, Nets, TaskInfo, ViewKind, Views};
pub use parts::{AlignTo, Alignment};
pub use ssl::Ssl;
