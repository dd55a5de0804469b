//! ELECTRA and BERT: an encoder of text that works on real tokens only, its pre-training as a
//! discriminator, heads for fine-tuning, and the folders in which such networks are published.
//!
//! A [`PackedSequences`] batch is token sequences one after another, without padding. [`Encoder`]
//! turns it into a vector for each token; [`heads`] make classes, tags and answers of these,
//! [`pretrain`] has ELECTRA's objective and those that it is compared with. [`hub`] reads and
//! writes networks with `config.json`, as transformers does. [`flops`] counts what a pre-training
//! costs, [`presets`] has the published ones. The crate speaks token ids; it knows no tokeniser and
//! no data set.
//!
//! ```
//! use electra::heads::{Classifier, ClassifierConfig};
//! use electra::{EncoderConfig, LayerRates, PackedSequences};
//! use torch::optim::{AdamW, OptimConfig};
//! use torch::{Device, Kind, Mode, Params, Tensor, loss, no_grad};
//!
//! torch::rng::seed(1);
//! let encoder = EncoderConfig { vocabulary: 20, ..EncoderConfig::sized(1, 64, 64) };
//! let config = ClassifierConfig { encoder, ..ClassifierConfig::default() };
//! let (net, params) = Params::build(Device::Cpu, |scope| Classifier::new(scope, &config, 2));
//!
//! // Two texts, of other lengths: which of them has token 7?
//! let texts = [[1, 5, 2].as_slice(), &[1, 7, 9, 11, 2]];
//! let batch = PackedSequences::new(&texts, &[&[0; 3], &[0; 5]], Device::Cpu);
//! let labels = Tensor::from_slice(&[0i64, 1]);
//!
//! let rates = LayerRates { decay: 0.8, corrected: false };
//! let adam = OptimConfig::Adamw(AdamW::bert());
//! let mut optimizer = adam.build_with_rates(&params, |name| rates.of(name, 1));
//! for _ in 0..30 {
//!     optimizer.zero_grad();
//!     let logits = net.classify(&batch, Mode::Train);
//!     loss::cross_entropy(&logits, &labels).mean(Kind::Float).backward();
//!     optimizer.step(1e-3);
//! }
//! let logits = no_grad(|| net.classify(&batch, Mode::Eval));
//! assert_eq!(logits.argmax(1, false), labels);
//! ```
#![forbid(unsafe_code)]

mod config;
mod encoder;
mod finetune;
pub mod flops;
pub mod heads;
pub mod hub;
mod layer_rates;
mod packed;
mod presets;
pub mod pretrain;

pub use config::{EncoderConfig, Family};
pub use encoder::{Embeddings, Encoder};
pub use finetune::FineTuning;
pub use layer_rates::LayerRates;
pub use packed::PackedSequences;
pub use presets::{Preset, presets};
