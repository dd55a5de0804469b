//! From logits to responses: sampling and ranking (Meena, arXiv 2001.09977, section 3.2), beam
//! search, and the rule against repetition across turns.
//!
//! All candidates of one or more contexts are one batch: a context is read once, and a candidate
//! that has ended leaves the batch. A candidate depends on its own number and the seed alone, not
//! on how many others there are, which of them have ended, or what else is in the batch.

mod batched;
mod beam;
mod candidate;
mod draw;
mod drawing;
mod likeliest;
mod logits;
mod rank;
mod repetition;
mod sample;
mod sample_config;
mod sampling;

pub use batched::{BatchSize, Decode, decode_batched};
pub use beam::{Beam, Patience, beam, beam_all};
pub use candidate::{Candidate, Prompt, Special};
pub use drawing::{Drawing, Written};
pub use rank::{Dropped, Ranked, Ranking, rank};
pub use repetition::Repetition;
pub use sample::{sample, sample_all, sample_each};
pub use sample_config::SampleConfig;
pub use sampling::Sampling;
