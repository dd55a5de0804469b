//! People rate the answers of chatbots in the browser: one database file, one program, no other
//! service.
//!
//! A [`Project`] is a study in an SQLite file. It has items (responses of systems in their
//! context), a guideline, and raters, who are let in by secret links. Each item gets a fixed number
//! of votes, each rater an order of their own, and nobody sees the names of systems or the answers
//! of others. [`serve`] answers the browsers; [`Project::summary`] says what came out.
//!
//! ```
//! use eval_ssa::{Item, Turn};
//! use rating_server::{NewRater, Project, Settings};
//!
//! let folder = tempfile::tempdir()?;
//! let settings = Settings { name: "Swimming".into(), votes: 3, ..Settings::default() };
//! let project = Project::create(&folder.path().join("study.db"), &settings, None)?;
//! let added = project.add_items(&[Item {
//!     id: "swim-1".into(),
//!     system: "mine".into(),
//!     conversation: "swim".into(),
//!     turn: 1,
//!     context: vec![Turn::new("A", "What's your favorite stroke?")],
//!     response: "Butterfly stroke".into(),
//!     ..Item::default()
//! }])?;
//! assert_eq!(added.added, 1);
//! let invitation = project.add_rater(&NewRater::new("first volunteer"))?;
//! assert_eq!(invitation.token.len(), 26);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod adjudicate;
mod answers;
mod ask;
mod audit;
mod backup;
mod chat;
#[cfg(test)]
mod concurrency_tests;
mod control;
mod decisions;
mod error;
mod export;
mod guideline;
mod import;
mod imported;
mod items;
mod judge;
mod numbered;
mod password;
mod progress;
mod project;
mod raters;
mod records;
mod repeated;
mod report;
mod seats;
mod secret;
mod settings;
mod store;
mod stored;
mod talks;
mod texts;
mod view;
mod web;

pub use ask::{Asked, Asking};
pub use audit::Entry;
pub use chat::{Chat, Endpoint, Reply};
pub use decisions::{Undecided, Which};
pub use error::{Error, Result};
pub use export::Export;
pub use import::{Records, Tool, read_records, read_tool, read_transcripts};
pub use items::Imported;
pub use judge::Judged;
pub use progress::Status;
pub use project::{Project, new_password, new_seed};
pub use raters::{Deletion, Invitation, MOST_CHATS, NewRater, RaterInfo};
pub use records::Names;
pub use settings::{LONGEST_LEASE, MOST_VOTES, Settings};
pub use web::{Limits, ServeOptions, Server, base_url, serve};
