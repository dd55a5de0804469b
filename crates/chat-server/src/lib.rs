//! A page and a JSON API to talk to a model that replies: pieces as they are written, candidates
//! with their scores, and the shape of OpenAI's chat completions, so that existing clients can talk
//! to it.
//!
//! Whatever replies is a [`Model`]; [`serve`] puts it behind HTTP with limits on everything that a
//! client can ask for. The work stops when its reader leaves. Nothing of a chat is kept, unless
//! [`ServeOptions::keep`] names a file.
//!
//! ```
//! use chat_server::{About, Ask, Candidate, Model, Piece, Read, Reply, ServeOptions, serve};
//! use std::ops::ControlFlow;
//!
//! /// Says again what was said.
//! struct Parrot;
//!
//! impl Model for Parrot {
//!     fn about(&self) -> About {
//!         About { name: "parrot".into(), ..About::default() }
//!     }
//!
//!     fn reply(
//!         &self,
//!         ask: &Ask,
//!         each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
//!     ) -> Result<Reply, String> {
//!         let text = ask.turns[ask.turns.len() - 1].text.clone();
//!         let (mut tokens, mut finished) = (0, true);
//!         for piece in text.split_inclusive(' ') {
//!             tokens += 1;
//!             if each(Piece { tokens, text: piece }).is_break() {
//!                 finished = false;
//!                 break;
//!             }
//!         }
//!         let candidate = Candidate { text, tokens, finished, ..Candidate::default() };
//!         Ok(Reply { candidates: vec![candidate], read: Read::default() })
//!     }
//! }
//!
//! let mut options = ServeOptions::default();
//! options.address.set_port(0);
//! let server = serve(vec![Box::new(|| Ok(Box::new(Parrot)))], &options)?;
//! let body = r#"{"turns": ["Polly wants a cracker"]}"#;
//! let answer = ureq::post(format!("{}/api/chat", server.url())).send(body)?
//!     .body_mut().read_to_string()?;
//! assert!(answer.contains(r#""reply":"Polly wants a cracker""#), "{answer}");
//! server.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod kept;
mod model;
mod options;
mod sampling;
mod slots;
mod stops;
mod web;
mod worker;

pub use error::{Error, Result};
pub use model::{
    About, Ask, Candidate, Dropped, Model, ModelFactory, Piece, Read, Reply, RequestQueue, Role,
    Sampling, Turn,
};
pub use options::{Limits, ServeOptions, new_key};
pub use slots::Status;
pub use web::{Server, serve};
