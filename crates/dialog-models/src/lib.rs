//! Networks that reply or translate, on token ids: the Evolved Transformer of Meena, the plain
//! Transformer beside it, GPT-2 as in DialoGPT, and Marian as in opus-mt; how they are trained, and
//! how responses are decoded.
//!
//! [`Seq2Seq`] and [`Marian`] read a context and write a response, [`Gpt2`] goes on with a text.
//! All are [`LanguageModel`]s, which [`Training`] trains and [`evaluate`] gives the perplexity of,
//! and all are [`Autoregressive`]: [`decode`] draws responses from them, to many contexts at once.
//! Batches ([`Pairs`], [`Texts`]) have no padding. [`hub`] reads published GPT-2, DialoGPT and
//! opus-mt, and [`mmi`] ranks responses by a network that reads backwards. The crate knows no
//! tokeniser and no data set.
//!
//! ```
//! use dialog_models::decode::{Ranking, SampleConfig, Sampling, Special, rank, sample};
//! use dialog_models::{LanguageModel, Pairs, Seq2Seq, Seq2SeqConfig};
//! use torch::optim::{AdamW, OptimConfig};
//! use torch::{Device, Mode, Params};
//!
//! torch::rng::seed(1);
//! let config = Seq2SeqConfig::evolved(20, 32, 2, [1, 1]);
//! let (net, params) = Params::build(Device::Cpu, |scope| Seq2Seq::new(scope, &config));
//!
//! // Two contexts and their responses, of other lengths; a response ends with token 1.
//! let batch = Pairs::new(&[&[5, 6, 7], &[9]], &[&[7, 6, 5, 1], &[8, 1]], Device::Cpu);
//! let mut optimizer = OptimConfig::Adamw(AdamW::default()).build(&params);
//! for _ in 0..30 {
//!     optimizer.zero_grad();
//!     net.token_loss(&batch, 0.0, Mode::TrainWithoutNoise).loss.backward();
//!     optimizer.step(3e-3);
//! }
//!
//! // Twenty responses in one batch, of which the best is given.
//! let sampling = Sampling { temperature: 0.5, ..Sampling::default() };
//! let config = SampleConfig { max_tokens: 10, sampling, ..SampleConfig::default() };
//! let candidates = sample(&net, &[5, 6, 7], &Special::end(1), &config, 7);
//! let best = rank(&candidates, &Ranking::default())[0];
//! assert_eq!(candidates[best.candidate].tokens, [7, 6, 5]);
//! ```
#![forbid(unsafe_code)]

mod autoregressive;
mod batch;
mod block;
mod cache;
mod config;
mod contexts;
pub mod decode;
mod evolved;
mod flops;
mod gpt2;
pub mod hub;
mod layers;
mod marian;
pub mod mmi;
mod noise;
mod perceptron;
mod recompute;
mod seq2seq;
mod spread;
mod texts;
mod totals;
mod training;
mod transformer;
mod vocabulary;

pub use autoregressive::{Autoregressive, Continuation};
pub use batch::{PackedSequences, Pairs};
pub use config::{Architecture, Seq2SeqConfig};
pub use gpt2::{Gpt2, Gpt2Config};
pub use marian::{Marian, MarianActivation, MarianConfig};
pub use seq2seq::Seq2Seq;
pub use texts::{Texts, joined};
pub use totals::Totals;
pub use training::{LanguageModel, Training, evaluate};
pub use vocabulary::TokenLoss;
