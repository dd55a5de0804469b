//! From host arrays to tensors: where the two wings of the house meet.

use anyhow::{Result, bail, ensure};
use data_pipeline::loader::{HostBatch, NO_LABEL, Step};
use ndarray::Array4;
use ssl_core::Batch;
use torch::layout::image_batch;
use torch::{Device, Tensor};

use crate::input::Normalization;

/// Turns what the loader brings into what a method takes.
pub(crate) struct Feed {
    pub(crate) device: Device,
    pub(crate) normalization: Normalization,
    /// How many classes the network tells apart.
    pub(crate) classes: usize,
    /// Stored targets of the unlabelled stream: a row of probabilities for each of its entries.
    pub(crate) targets: Option<Targets>,
}

/// Rows of probabilities, by position in a stream's entries.
pub(crate) struct Targets {
    pub(crate) classes: usize,
    pub(crate) rows: Vec<f32>,
}

impl Feed {
    /// Images `[n, h, w, c]` in bytes to a normalised float32 tensor `[n, c, h, w]`.
    pub(crate) fn images(&self, view: &Array4<u8>) -> Tensor {
        let (n, h, w, c) = view.dim();
        let pixels = view.as_slice().expect("the loader's arrays are contiguous");
        let Normalization { mean, std } = &self.normalization;
        image_batch(pixels, [n, h, w, c], mean, std, self.device)
    }

    /// A step's labelled stream and, if there is one, unlabelled stream.
    pub(crate) fn batch(&self, step: &Step) -> Result<Batch> {
        let labeled = &step.batches[0];
        let mut batch = Batch::labeled(self.images(&labeled.views[0]), self.labels(labeled)?);
        if let Some(unlabeled) = step.batches.get(1) {
            same_size(&labeled.views[0], &unlabeled.views)?;
            batch.u = unlabeled.views.iter().map(|view| self.images(view)).collect();
            let slots: Vec<i64> = unlabeled.slots.iter().map(|&slot| i64::from(slot)).collect();
            batch.slots = Some(Tensor::from_slice(&slots).to_device(self.device));
            batch.targets =
                self.targets.as_ref().map(|targets| targets.of(&unlabeled.slots, self.device));
        }
        Ok(batch)
    }

    fn labels(&self, batch: &HostBatch) -> Result<Tensor> {
        ensure!(
            batch.labels.iter().all(|&l| l != NO_LABEL),
            "a labelled stream brought an image without a label"
        );
        let labels: Vec<i64> = batch.labels.iter().map(|&l| i64::from(l)).collect();
        Ok(Tensor::from_slice(&labels).to_device(self.device))
    }
}

/// Labelled images and the student's view of unlabelled ones, the last, go through the network together.
fn same_size(labeled: &Array4<u8>, unlabeled: &[Array4<u8>]) -> Result<()> {
    let size = |view: &Array4<u8>| (view.dim().1, view.dim().2, view.dim().3);
    let of = size(labeled);
    if let Some(other) = unlabeled.last().map(size).filter(|other| *other != of) {
        let words = |(h, w, c): (usize, usize, usize)| format!("{w}x{h} with {c} channels");
        bail!(
            "when the network sees them, labelled images are {}, unlabelled ones {}: give both one size, by data.size or a crop",
            words(of),
            words(other)
        );
    }
    Ok(())
}

impl Targets {
    fn of(&self, slots: &[u32], device: Device) -> Tensor {
        let row = |&slot: &u32| &self.rows[slot as usize * self.classes..][..self.classes];
        let rows: Vec<f32> = slots.iter().flat_map(row).copied().collect();
        Tensor::from_slice(&rows)
            .reshape([slots.len() as i64, self.classes as i64])
            .to_device(device)
    }
}
