//! Pre-training as a discriminator (Clark et al., arXiv 2003.10555), and what it is compared with.
//!
//! A small masked language model, the generator, fills in masked tokens; the discriminator says of
//! every token whether it was replaced. Both are trained together, on shared embeddings. Nothing
//! flows back from the discriminator's loss into the generator but through these.
//!
//! ```
//! use electra::EncoderConfig;
//! use electra::pretrain::{MaskedBatch, PretrainConfig, Pretrainer, Slot};
//! use electra::PackedSequences;
//! use torch::{Device, Mode};
//!
//! let encoder = EncoderConfig { vocabulary: 200, layers: 1, ..EncoderConfig::tiny() };
//! let config = PretrainConfig { encoder, ..PretrainConfig::default() };
//! let net = Pretrainer::new(&config, Device::Cpu);
//! let ids = [101, 7, 8, 9, 102];
//! let batch = PackedSequences::new(&[&ids], &[&[0; 5]], Device::Cpu);
//! let slots = [vec![Slot { position: 2, masked: true, kept: true }]];
//! let step = net.step(&MaskedBatch::new(batch, &slots), Mode::Train);
//! step.loss.total().backward();
//! assert_eq!(step.labels.expect("of the discriminator").size(), [5]);
//! ```

mod batch;
mod config;
mod pretrainer;
mod saved;
mod step;
mod totals;
mod two_stage;

pub use batch::{MaskedBatch, Replaced, Slot, SlotCounts};
pub use config::{GeneratorConfig, PretrainConfig, Sharing, Task};
pub use pretrainer::Pretrainer;
pub use saved::Tower;
pub use step::Step;
pub use totals::Totals;
