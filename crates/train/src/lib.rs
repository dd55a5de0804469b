//! One training loop for all papers.
//!
//! [`fit()`] trains an [`Objective`] as a [`TrainConfig`] and a [`Cadence`] say and leaves a
//! [`StageDir`]: a record of the run, checkpoints to resume from, final weights. A run that is
//! killed at any moment and started again ends with the same bits as one that never was. What
//! changes over the run is a [`Schedule`]; averages of the weights are an [`Ema`] and a [`Swa`]; a
//! [`Callback`] follows a run and can stop it.
//!
//! ```
//! use metrics::Metric;
//! use torch::optim::OptimConfig;
//! use torch::{Device, Kind, Params, Tensor, nn::Linear};
//! use train::{
//!     Cadence, FitOptions, Loss, Objective, Outcome, Progress, Schedule, StageDir, TrainConfig,
//!     fit,
//! };
//!
//! /// Learns y = 2 x.
//! struct Line {
//!     net: Linear,
//!     params: Params,
//! }
//!
//! impl Objective for Line {
//!     type Batch = Tensor;
//!     fn params(&self) -> &Params {
//!         &self.params
//!     }
//!     fn loss(&mut self, x: Tensor, _at: Progress) -> Loss {
//!         let error = self.net.forward(&x) - &x * 2.0;
//!         Loss::new().term("square", 1.0, error.square().mean(Kind::Float))
//!     }
//! }
//!
//! torch::rng::seed(0);
//! let (net, params) = Params::build(Device::Cpu, |scope| Linear::new(scope, 1, 1));
//! let mut line = Line { net, params };
//! let config = TrainConfig::new(100, 3, Schedule::constant(0.5), OptimConfig::default());
//! let mut optimizer = config.optim.build(&line.params);
//! let folder = tempfile::tempdir()?;
//! let stage = StageDir::open(folder.path())?;
//! let x = [-1.0_f32, 0.5, 1.0];
//! let batch = |_step| Ok::<_, std::io::Error>(Tensor::from_slice(&x).view([3, 1]));
//! let outcome = fit(
//!     &mut line,
//!     &mut optimizer,
//!     &FitOptions::new(&config, &Cadence::default()),
//!     &stage,
//!     |from| (from..).map(batch),
//!     |line, _at| {
//!         let slope = line.params.get("weight").expect("the weight").double_value(&[0, 0]);
//!         Ok(vec![Metric::lower("error", "", (slope - 2.0).abs())])
//!     },
//!     &mut (),
//! )?;
//! let Outcome::Finished(summary) = outcome else { panic!("a signal came") };
//! assert!(summary.evaluation[0].value < 1e-3);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod callback;
pub mod checkpoint;
mod config;
pub mod ema;
mod evaluation;
mod events;
mod finite;
mod fit;
mod fit_options;
mod logistic;
mod objective;
mod outcome;
mod pace;
pub mod parallel;
pub mod record;
mod resume;
mod schedule;
mod shards;
pub mod signals;
mod sparse;
mod stage;
mod svd;
mod swa;

pub use callback::{Callback, StepLog};
pub use checkpoint::{Checkpoint, Checkpoints};
pub use config::{Cadence, TrainConfig};
pub use ema::Ema;
pub use finite::NonFinite;
pub use fit::fit;
pub use fit_options::{FitOptions, Throughput};
pub use logistic::{Logistic, LogisticConfig};
pub use objective::{Loss, Objective, Progress, Values};
pub use outcome::{FitError, Outcome, Summary};
pub use parallel::{BatchStatistics, OptimizerState, Parallel};
pub use schedule::{Rise, Schedule, WarmUp};
pub use sparse::SparseRows;
pub use stage::{Done, StageDir, StageError};
pub use svd::TruncatedSvd;
pub use swa::Swa;
