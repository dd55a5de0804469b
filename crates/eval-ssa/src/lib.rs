//! Sensibleness and Specificity Average (SSA): how people rate a chatbot's responses, and what the
//! ratings of a study say.
//!
//! Raters see a response in its context and answer whether it makes sense, and, if so, whether it is
//! specific to that context (Adiwardana et al. 2020, arXiv 2001.09977). The records are [`Item`]s and
//! [`Rating`]s, lines of JSON in files.
//!
//! ```
//! use eval_ssa::{Answer, Item, Mode, Rating, Turn};
//! let item = Item {
//!     id: "swim-1".into(),
//!     mode: Mode::Static,
//!     system: "mine".into(),
//!     conversation: "swim".into(),
//!     turn: 1,
//!     context: vec![Turn::new("A", "What's your favorite stroke?")],
//!     response: "Butterfly stroke".into(),
//!     ..Item::default()
//! };
//! let rating = Rating::new(&item.id, "rater 1", Answer::Sensible { specific: Some(true) });
//! assert_eq!(serde_json::to_string(&rating)?,
//!     r#"{"item":"swim-1","rater":"rater 1","sensible":true,"specific":true}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod agreement;
mod blind;
pub mod bootstrap;
mod chatbot;
mod contexts;
pub mod export;
pub mod files;
mod guideline;
pub mod import;
mod item;
pub mod judge;
mod judgment;
mod preference;
pub mod preferences;
mod protocol;
pub mod proxies;
pub mod published;
pub mod quality;
mod rating;
pub mod regression;
pub mod score;
pub mod simulate;
mod study;
pub mod transcripts;
mod votes;

pub use chatbot::{Chatbot, GenericBot, respond};
pub use contexts::{Context, ContextError};
pub use files::FileError;
pub use guideline::{Guideline, Practice, Questions, Section};
pub use item::{Check, CheckKind, Item, Label, Likelihood, Mode, System, Turn};
pub use judgment::Judgment;
pub use preference::{Choice, Pair, Preference};
pub use protocol::{Ballot, Required, Tally};
pub use rating::{Answer, Rating};
pub use study::{Mismatch, Outcome, Study};
pub use votes::{Category, Counts, Ragged, Votes};
