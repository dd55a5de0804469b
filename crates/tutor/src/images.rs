//! Training on images: data sets, augmentation, batches, evaluation. What all papers about images
//! share.

pub(crate) mod checkpoint;
pub(crate) mod evaluator;
mod export;
mod feed;
pub(crate) mod feedback;
pub(crate) mod folder;
pub(crate) mod input;
pub(crate) mod learner;
mod objective;
mod onnx;
pub(crate) mod open_images;
pub(crate) mod robustness;
pub(crate) mod setting;
pub(crate) mod source;
pub(crate) mod stored_views;
pub(crate) mod subset;
mod synthetic;
pub(crate) mod targets;
pub(crate) mod task;
pub(crate) mod trained_model;
pub(crate) mod view;
