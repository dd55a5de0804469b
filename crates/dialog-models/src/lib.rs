//! Networks that reply.

mod autoregressive;
mod batch;
mod block;
mod cache;
mod config;
pub mod decode;
mod evolved;
mod layers;
mod layout;
mod perceptron;
mod seq2seq;
mod totals;
mod transformer;
mod vocabulary;

pub use autoregressive::{Autoregressive, Continuation};
pub use batch::{Packed, Pairs};
pub use config::{Architecture, Seq2SeqConfig};
pub use seq2seq::Seq2Seq;
pub use totals::Totals;
pub use vocabulary::TokenLoss;
