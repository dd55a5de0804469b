//! One training loop for all papers.
//!
//! [`fit()`] trains an [`Objective`] by a [`Plan`] and leaves a [`StageDir`]: a record of the run, checkpoints that hold
//! everything that decides how training goes on, final weights. A run that is killed at any moment and started again ends
//! with the same bits as one that never was. What changes in time is a [`Schedule`]; averaged weights are an [`Ema`].
//!
//! ```
//! use torch::optim::{OptimConfig, Sgd};
//! use torch::{Device, Kind, Mode, Net, Params, Tensor, nn::Linear};
//! use train::{Loss, Objective, Outcome, Plan, Progress, Schedule, StageDir, fit};
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
//! let mut optimizer = OptimConfig::Sgd(Sgd::default()).build(&line.params);
//! let folder = tempfile::tempdir()?;
//! let stage = StageDir::open(folder.path())?;
//! let batch = |_step| Ok::<_, std::io::Error>(Tensor::from_slice(&[-1.0_f32, 0.5, 1.0]).view([3, 1]));
//! let outcome = fit(
//!     &mut line,
//!     &mut optimizer,
//!     &Plan::new(100, Schedule::constant(0.5)),
//!     &stage,
//!     |from| (from..).map(batch),
//!     |line, _at| Ok(vec![("slope".to_owned(), line.params.get("weight").unwrap().double_value(&[0, 0]))]),
//!     &mut (),
//! )?;
//! let Outcome::Finished(summary) = outcome else { panic!("nobody interrupts") };
//! assert!((summary.evaluation[0].1 - 2.0).abs() < 1e-3);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod atomic;
pub mod checkpoint;
pub mod ema;
mod events;
mod finite;
mod fit;
pub mod metrics;
mod objective;
mod outcome;
mod plan;
mod schedule;
pub mod signals;
mod stage;
mod swa;
mod watch;

pub use checkpoint::{Checkpoint, Checkpoints};
pub use ema::Ema;
pub use finite::NonFinite;
pub use fit::fit;
pub use objective::{Loss, Objective, Progress, Values};
pub use outcome::{FitError, Outcome, Summary};
pub use plan::{Plan, PlanError};
pub use schedule::{Schedule, ScheduleError};
pub use stage::{Done, StageDir, StageError};
pub use swa::Swa;
pub use watch::{Report, Watch};
