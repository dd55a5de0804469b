//! Batches prepared on worker threads, the same bytes for any number of workers.
//!
//! What a step holds is a pure function of the streams and the step's number: the
//! [`Sampler`](crate::sampler::Sampler) says which entries come, and each view of a sample is drawn
//! with a [`Key`](augment::rng::Key) {seed, epoch, index: slot, view}. Worker `w` of `W` prepares
//! steps `w`, `w + W`, ... and the consumer takes from the workers in turn, so timing does not
//! affect the result.
//!
//! How far the workers are ahead is bounded by two steps each and by memory: what is prepared and
//! waits takes at most 2 GiB, or is a single step.
//!
//! Samples may be of any type. A [`Collate`] makes the data of a batch from them; [`Views`] is the
//! one for images.

mod ahead;
mod as_is;
mod collate;
mod stream;
mod views;
mod workers;

pub use as_is::AsIs;
pub use collate::{Collate, Drawn, Items, key};
pub use stream::{HostBatch, NO_LABEL, Step, Stream};
pub use views::{View, ViewScratch, Views, plain};
pub use workers::{Loader, LoaderBuilder, Share};
