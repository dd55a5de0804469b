//! Folders of networks as the Hugging Face hub has them: `config.json` beside weights.
//!
//! [`Checkpoint::open`] reads one, by path or by its name in the hub's cache: ELECTRA's
//! discriminators and generators, and BERT; weights in safetensors, in shards, or in PyTorch's
//! files, which are read as data and never run. [`save`] writes what transformers reads.
//! [`Checkpoint::from_tensorflow`] takes networks out of google-research's own checkpoints.
//!
//! A checkpoint is loaded [completely or not at all](Checkpoint::load). Names may lack the prefix
//! `bert.` or `electra.` (a bare model's), and all may begin with `module.` (`DataParallel`'s);
//! norms may be spelt `gamma` and `beta`; buffers of positions are passed over, and so are output
//! tables that are the table of tokens.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use electra::heads::{Classifier, ClassifierConfig};
//! use electra::hub::{Checkpoint, Heads, HubConfig, save};
//! use electra::{EncoderConfig, PackedSequences};
//! use torch::{Device, Mode, Params};
//! use weights::find::Places;
//!
//! let build = |encoder: &EncoderConfig| {
//!     let config = ClassifierConfig { encoder: encoder.clone(), ..ClassifierConfig::default() };
//!     Params::build(Device::Cpu, |scope| Classifier::new(scope, &config, 2))
//! };
//! let encoder = EncoderConfig { vocabulary: 40, layers: 1, ..EncoderConfig::tiny() };
//! let (net, params) = build(&encoder);
//! let folder = tempfile::tempdir()?;
//! let config = HubConfig::new(encoder, "ElectraForSequenceClassification");
//! save(folder.path(), &config, &params.tensors(), &BTreeMap::new())?;
//!
//! // The path of a folder, or a name in the hub's cache: "google/electra-small-discriminator".
//! let found = Checkpoint::open(&folder.path().to_string_lossy(), &Places::of_user())?;
//! let (again, params) = build(&found.config.encoder);
//! // `Heads::Replace` where the head is to be trained anew.
//! found.load(&params, Heads::Keep)?;
//! let batch = PackedSequences::new(&[&[1, 7, 9, 2]], &[&[0; 4]], Device::Cpu);
//! assert_eq!(again.classify(&batch, Mode::Eval), net.classify(&batch, Mode::Eval));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod load;
mod open;
mod save;
mod tensorflow;

pub use config::{HubConfig, ProblemType};
pub use load::{Checkpoint, Heads, Loaded};
pub use save::save;
pub use tensorflow::Network;
