//! The server as pages and clients see it.

mod browser;
mod client;
mod keeping;
mod leaving;
mod limits;
#[path = "../../../web-server/browser/needed.rs"]
mod needed;
mod openai;
mod openai_client;
mod own;
mod stub;
mod together;
