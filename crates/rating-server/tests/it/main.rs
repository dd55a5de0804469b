//! The server as browsers see it.

mod asking;
mod browser;
mod client;
mod decisions;
mod durability;
#[path = "../../../web-server/browser/needed.rs"]
mod needed;
mod rating;
mod roles;
mod talking;
