//! Sensibleness and Specificity Average (SSA): how people rate a chatbot's responses, and what the
//! ratings of a study say.
//!
//! Raters see a response in its context and answer whether it makes sense, and, if so, whether it
//! is specific to that context (Adiwardana et al. 2020, arXiv 2001.09977). The records are
//! [`Item`]s and [`Rating`]s, lines of JSON in a folder ([`files`]); they also come from other
//! tools ([`import`]). A [`Summary`] holds all numbers of a [`Study`]: SSA with intervals,
//! differences between systems, the raters' agreement and quality, automatic measures under their
//! own names. Any chatbot in any language can be rated; nothing here knows a model.
//!
//! ```
//! use eval_ssa::bootstrap::Bootstrap;
//! use eval_ssa::{Context, GenericBot, Guideline, Label, Rating, Study, Summary, respond};
//!
//! // A system answers the contexts of this crate ...
//! let items = respond(&mut GenericBot, &Context::own()[..20], 1)?;
//! // ... five people read the guideline and rate its responses (here: all the same way) ...
//! let guideline = Guideline::english();
//! let mut ratings = Vec::new();
//! for rater in ["r1", "r2", "r3", "r4", "r5"] {
//!     for item in &items {
//!         let mut rating = Rating::new(&item.id, rater, Label::Sensible.into());
//!         rating.guideline.clone_from(&guideline.version);
//!         ratings.push(rating);
//!     }
//! }
//! let study = Study { items, ratings, ..Study::default() };
//! study.check()?;
//!
//! // ... and the study in numbers.
//! let summary = Summary::of(&study, &Bootstrap { resamples: 1000, ..Bootstrap::default() });
//! let ssa = summary.scores[0].ssa.as_ref().unwrap();
//! assert_eq!((ssa.value, ssa.units), (0.5, 20));
//! // Agreement on votes that are all the same is undefined, and a percentile interval of responses
//! // that are all alike has no width: both are said.
//! assert_eq!(summary.agreement[0].agreement.alpha.value, None);
//! assert!(ssa.degenerate);
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! `docs/papers/ssa.md` says which rule is in which function, and why where tools disagree.
#![forbid(unsafe_code)]

mod adjudication;
pub mod agreement;
mod blind;
pub mod bootstrap;
mod chatbot;
mod contexts;
pub mod decisions;
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
pub mod summary;
mod table;
pub mod transcripts;
mod votes;

pub use adjudication::Adjudication;
pub use chatbot::{Chatbot, GenericBot, respond};
pub use contexts::{Context, ContextError};
pub use files::FileError;
pub use guideline::{Guideline, Practice, Questions, Section};
pub use item::{Check, CheckKind, Item, Label, Likelihood, Mode, System, Turn, lettered};
pub use judgment::Judgment;
pub use preference::{Choice, Pair, Preference, pairs};
pub use protocol::{Ballot, Required, Tally};
pub use rating::{Answer, Rating};
pub use study::{Mismatch, Outcome, Study};
pub use summary::Summary;
pub use votes::{Category, Counts, Ragged, Votes};
