//! Processes that compute together: libtorch's own process groups (c10d), with Gloo between
//! processors of one machine or several.
//!
//! All processes of a [`Group`] call the same operations in the same order. An operation that fails
//! is an [`Error`] that names the rank, the operation and, where it can be found out, the rank that
//! is gone; after it no other is begun. Nothing in C++ is left uncaught, so that a process ends
//! with its own message and exit status.
//!
//! Within a group ([`Group::within`]) what computes over a batch may ask for numbers of all
//! processes' batches: [`mean`], [`min_per_process`], [`sum`]. Without a group they give what they
//! are given, so that one process computes as ever.
//!
//! NCCL is not part of this: groups are of processes that train on CPUs.

mod ambient;
mod heartbeat;
mod launch;
mod processes;
mod reducer;
mod rendezvous;
mod rows;

pub(crate) use ambient::sync_batch_norm;
pub use ambient::{current, mean, min_per_process, sum};
pub use launch::{Ended, Launch, end_with_launcher};
pub use processes::{Error, Group, Reduce, Work};
pub use reducer::Reducer;
pub use rendezvous::{Launcher, Rendezvous, RendezvousError};
pub use rows::{draw_for_batch, joint, joint_unequal};
pub(crate) use rows::{gathered, own_rows};
