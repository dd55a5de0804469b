//! The server as browsers see it.

mod browser;
mod client;
mod decisions;
mod durability;
mod rating;
mod roles;
mod talking;
