//! Methods of learning from labelled and unlabelled samples, one short file each, all on the same
//! training loop.
//!
//! A [`Method`] says which [`Views`] of a sample it wants and turns a [`Batch`] into a loss;
//! [`Ssl`] is the one adapter from a method to the training loop of the crate `train`. No method
//! knows a data set, a file format or a particular network: a batch is tensors, a network is any
//! [`torch::Net`]. [`spreading`] needs no training: labels spread to samples with like features.
//!
//! FixMatch on points: two that have a label, three that have none and are seen in two views.
//!
//! ```
//! use ssl_core::methods::{FixMatch, FixMatchConfig};
//! use ssl_core::{Batch, Ssl, TaskInfo};
//! use torch::optim::{OptimConfig, Sgd};
//! use torch::{Device, Mode, Model, Net, Tensor, nn::Linear};
//! use train::{Objective, Progress};
//!
//! struct Line(Linear);
//! impl Net for Line {
//!     fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
//!         self.0.forward(x)
//!     }
//! }
//!
//! let device = Device::Cpu;
//! let model = Model::build(device, |scope| Line(Linear::new(&mut scope.sub("fc"), 2, 2)));
//! let config = FixMatchConfig { threshold: 0.6, ..FixMatchConfig::default() };
//! let method = FixMatch::new(config, &TaskInfo { classes: 2, unlabeled: 3, device });
//! let mut objective = Ssl::new(method, model, None);
//! let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(objective.params());
//!
//! let points = |values: &[f32]| Tensor::from_slice(values).reshape([-1, 2]);
//! let weak = points(&[0.9, 0.1, 0.2, 0.8, 0.7, 0.1]);
//! let strong = points(&[0.6, 0.3, 0.3, 0.6, 0.5, 0.3]);
//! let mut sup = Vec::new();
//! for step in 0..30 {
//!     let at = Progress { step, steps: 30 };
//!     let batch = Batch {
//!         x: points(&[1.0, 0.0, 0.0, 1.0]),
//!         y: Tensor::from_slice(&[0i64, 1]),
//!         u: vec![weak.shallow_clone(), strong.shallow_clone()],
//!         targets: None,
//!         unlabeled_indices: None,
//!     };
//!     let loss = objective.loss(batch, at);
//!     optimizer.zero_grad();
//!     loss.total().backward();
//!     optimizer.step(0.5);
//!     // The EMA model, if there is one, follows.
//!     objective.after_step(at);
//!
//!     let values = loss.values();
//!     let names: Vec<&str> = values.terms.iter().map(|(name, _)| name.as_str()).collect();
//!     assert_eq!(names, ["sup", "unsup"]);
//!     sup.push(values.terms[0].1);
//! }
//! assert!(sup[29] < 0.5 * sup[0]);
//! ```
//!
//! [`Batch::u`] has a tensor for each of the method's [`Views::unlabeled`]. `train::fit` is the
//! same loop with checkpoints, and goes on after a kill with the same bits. A method of one's own
//! is anything that implements [`Method`].
#![forbid(unsafe_code)]

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
pub use method::{Batch, Head, Method, MethodSettings, Needs, Nets, TaskInfo, ViewKind, Views};
pub use parts::{AlignTo, Alignment};
pub use ssl::Ssl;
