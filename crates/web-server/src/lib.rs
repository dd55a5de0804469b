//! What a server of a few pages needs whatever it serves: a socket with limits and an orderly end,
//! a guard against pages of other sites, limits on how often a client may ask, secrets.
//!
//! `rating-server` and `chat-server` are built on it.
//!
//! ```
//! use axum::{Router, routing::get};
//! use std::net::SocketAddr;
//! use web_server::listen::Socket;
//!
//! let socket = Socket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), "example")?;
//! let pages = Router::new().route("/", get(|| async { "Hello" }));
//! let serving = socket.serve(pages, 16);
//! assert!(serving.address().port() > 0);
//! serving.stop();
//! # Ok::<(), std::io::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod answer;
pub mod buckets;
pub mod client;
pub mod guard;
pub mod listen;
pub mod secret;
