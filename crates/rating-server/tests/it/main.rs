//! The server as browsers see it.

mod asking;
mod browser;
#[path = "../../../web-server/browser/chromium.rs"]
mod chromium;
mod client;
mod decisions;
mod durability;
#[path = "../../../web-server/browser/needed.rs"]
mod needed;
mod pairs;
mod rating;
mod roles;
mod served;
mod stored;
mod talking;
