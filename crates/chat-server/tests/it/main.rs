//! The server as pages and clients see it.

mod browser;
#[path = "../../../web-server/browser/chromium.rs"]
mod chromium;
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
