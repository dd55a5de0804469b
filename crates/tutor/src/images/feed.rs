//! From the loader's arrays of images to tensors.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use data_pipeline::loader::{HostBatch, NO_LABEL, Step};
use ndarray::Array4;
use ssl_core::Batch;
use torch::device::tensor_on;
use torch::layout::image_batch;
use torch::{Device, Tensor};

use super::input::Normalization;
use super::targets::Targets;

/// Images of one step: an array `[n, h, w, c]` a view.
pub(super) type Images = Vec<Array4<u8>>;

/// Turns what the loader brings into what a method takes.
pub(super) struct Feed {
    pub(super) device: Device,
    pub(super) normalization: Normalization,
    /// How many classes the network tells apart.
    pub(super) classes: usize,
    /// Stored targets of the unlabelled stream: a row of probabilities for each of its entries.
    pub(super) targets: Option<Arc<Targets>>,
}

impl Feed {
    /// Images `[n, h, w, c]` in bytes to a normalised float32 tensor `[n, c, h, w]`.
    pub(super) fn images(&self, view: &Array4<u8>) -> Tensor {
        let (n, h, w, c) = view.dim();
        let pixels = view.as_slice().expect("the loader's arrays are contiguous");
        let Normalization { mean, std } = &self.normalization;
        image_batch(pixels, [n, h, w, c], mean, std, self.device)
    }

    /// A step's labelled stream and, if there is one, unlabelled stream.
    pub(super) fn batch(&self, step: &Step<Images>) -> Result<Batch> {
        if let [labeled, unlabeled] = &step.batches[..] {
            same_size(&labeled.data[0], &unlabeled.data)?;
        }
        // What follows the view of labelled images is a probe.
        let count = |stream| if stream == 0 { 1 } else { usize::MAX };
        self.batch_of(step, |stream, views| {
            views.iter().take(count(stream)).map(|view| self.images(view)).collect()
        })
    }

    /// The same of whatever a loader brings: `tensors` makes the views of the data of a stream,
    /// given its number.
    pub(super) fn batch_of<B>(
        &self,
        step: &Step<B>,
        tensors: impl Fn(usize, &B) -> Vec<Tensor>,
    ) -> Result<Batch> {
        let labeled = &step.batches[0];
        let x = tensors(0, &labeled.data).swap_remove(0);
        let mut batch = Batch::labeled(x, self.labels(labeled)?);
        if let Some(unlabeled) = step.batches.get(1) {
            batch.u = tensors(1, &unlabeled.data);
            let slots: Vec<i64> = unlabeled.slots.iter().map(|&slot| i64::from(slot)).collect();
            batch.unlabeled_indices = Some(tensor_on(&slots, self.device));
            batch.targets =
                self.targets.as_ref().map(|targets| targets.of(&unlabeled.slots, self.device));
        }
        Ok(batch)
    }

    fn labels<B>(&self, batch: &HostBatch<B>) -> Result<Tensor> {
        ensure!(
            batch.labels.iter().all(|&l| l != NO_LABEL),
            "a labelled stream brought an image without a label"
        );
        let labels: Vec<i64> = batch.labels.iter().map(|&l| i64::from(l)).collect();
        Ok(tensor_on(&labels, self.device))
    }
}

/// Labelled images and the last view of unlabelled ones go through the network together.
fn same_size(labeled: &Array4<u8>, unlabeled: &[Array4<u8>]) -> Result<()> {
    let size = |view: &Array4<u8>| (view.dim().1, view.dim().2, view.dim().3);
    let of = size(labeled);
    if let Some(other) = unlabeled.last().map(size).filter(|other| *other != of) {
        let words = |(h, w, c): (usize, usize, usize)| format!("{w}x{h} with {c} channels");
        bail!(
            "when the network sees them, labelled images are {}, unlabelled ones {}: give both one size, \
             by data.size or a crop",
            words(of),
            words(other)
        );
    }
    Ok(())
}
