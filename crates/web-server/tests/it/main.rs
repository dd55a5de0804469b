//! What servers are built on, from outside.

mod contrast;
mod listen;
