//! Tables that no memory holds: which pseudo-labelled samples a student sees ([`select`]), pairs of
//! a dialogue from trees of messages ([`dialogs`]), texts that say the same ([`deduplicate`]), and
//! what a table holds ([`describe`]); over Parquet, by DataFusion in this process or on a
//! [`cluster`] of Ballista.
//!
//! The rules are those of `data-pipeline`, which other programs apply to rows in memory: here they
//! are functions of the engine, so that all choose the same rows, whatever the number of
//! partitions and processes. Memory is kept within a limit; what does not fit goes to temporary
//! files. The program `data-engine` has the same as commands.
//!
//! A workspace of its own, since nothing else of the project needs an engine of queries:
//! `cargo xtask engine` builds and tests it.
//!
//! ```
//! use data_engine::{Columns, Engine, Options, select};
//! use data_pipeline::balance::Selection;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (labels, chosen) = (folder.path().join("labels.parquet"), folder.path().join("chosen"));
//! # data_engine::parts::write(&labels, &[("a.png", "cat", 0.9), ("b.png", "cat", 0.2)])?;
//! // The labels that a teacher gave, as `tutor predict --out labels.parquet` writes them.
//! let engine = Engine::new(&Options { memory: 1 << 30, ..Options::default() })?;
//! let selection = Selection { per_class: Some(2), ..Selection::default() };
//! let found = select(&engine, &[labels], &Columns::default(), &selection, 1, &chosen)?;
//! assert_eq!((found.rows, found.classes[0].taken, found.classes[0].copies), (2, 1, 2));
//! # Ok(())
//! # }
//! ```

pub mod cluster;
mod columns;
mod describe;
mod dialogs;
mod duplicates;
mod engine;
mod error;
mod functions;
mod gather;
mod memory;
mod names;
pub mod parts;
mod schemas;
mod select;
mod session;
mod stores;
mod ties;

pub use columns::Columns;
pub use describe::{Described, Description, describe};
pub use dialogs::{DialogOptions, dialogs};
pub use duplicates::{Deduplicated, deduplicate};
pub use engine::{Engine, Options};
pub use error::EngineError;
pub use select::{Class, Selected, select};
