//! What papers about text share: texts, vocabularies, tokens on the device, classifiers.

mod addresses;
pub(crate) mod augmentation;
pub(crate) mod classification;
pub(crate) mod classifier;
pub(crate) mod classify;
pub(crate) mod guard;
mod hub_note;
pub(crate) mod linear;
pub(crate) mod linear_predictor;
pub(crate) mod open_texts;
mod pair_features;
pub(crate) mod parallel;
pub(crate) mod paraphrase_quality;
pub(crate) mod paraphrased;
mod phrases;
pub(crate) mod predictor;
pub(crate) mod pretraining;
pub(crate) mod pretraining_sections;
pub(crate) mod published;
pub(crate) mod replaced;
pub(crate) mod semi_supervised;
pub(crate) mod source;
pub(crate) mod texts;
pub(crate) mod tokens;
mod topics;
pub(crate) mod translation;
