//! GPT-2, DialoGPT and Marian as the Hugging Face hub has them: a folder with `config.json` and
//! weights.
//!
//! [`Gpt2Checkpoint::open`] reads one, by path or by its name in the hub's cache, as
//! `microsoft/DialoGPT-small`; weights in safetensors, in shards, or in PyTorch's files (half
//! precision and the old format included), which are read as data and never run. Names may lack
//! the prefix `transformer.`; the causal masks that older files keep are passed over, and so is an
//! output table that is the table of tokens. [`MarianCheckpoint`] is the same for opus-mt, and
//! [`MarianHubConfig::save`] writes such a folder.
//!
//! ```no_run
//! use dialog_models::{Gpt2, hub::Gpt2Checkpoint};
//! use torch::{Device, Params};
//! use weights::find::Places;
//!
//! let checkpoint = Gpt2Checkpoint::open("microsoft/DialoGPT-small", &Places::of_user())?;
//! let make = |scope: &mut torch::Scope<'_>| Gpt2::new(scope, &checkpoint.config.network);
//! let (net, params) = Params::build(Device::Cpu, make);
//! checkpoint.load(&params)?;
//! # Ok::<(), torch::hub::HubError>(())
//! ```

mod config;
mod load;
mod marian;
mod marian_save;

pub use config::Gpt2HubConfig;
pub use load::Gpt2Checkpoint;
pub use marian::{MarianCheckpoint, MarianHubConfig};
