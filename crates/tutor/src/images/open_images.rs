//! Images that are open for a trained network: decoded by loader threads while the network
//! computes. One that does not decode is left out, with the reason.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result};
use augment::Image;
use augment::rng::Rng;
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::{FolderSet, Skipped};
use data_pipeline::digest::Digest;
use data_pipeline::error::DataError;
use data_pipeline::loader::{Collate, Items, Loader, Stream, View, ViewScratch};
use data_pipeline::picture::Notice;
use data_pipeline::sampler::Order;
use ndarray::{Array4, ArrayView3, Axis};

use super::evaluator::Evaluator;
use crate::run::experiment::{Answer, Shown};
use torch::Net;

/// A decoded picture and what was noticed in it, or why it is left out.
type Picture = Result<(Image, Vec<Notice>), Skipped>;

/// Pictures of a folder, a table or Parquet files, decoded when they are asked for.
pub(crate) struct Pictures(pub(crate) FolderSet);

impl Samples for Pictures {
    type Item = Picture;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn item(&self, index: usize) -> Result<Picture, DataError> {
        Ok(self.0.decode(index).map(|decoded| (decoded.image, decoded.noticed)))
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.0.label(index)
    }

    fn id(&self, index: usize) -> String {
        self.0.id(index)
    }

    fn classes(&self) -> &[String] {
        self.0.classes()
    }
}

/// Pictures as a network sees them, one on another.
struct Seen {
    view: View,
    /// What to do where they are of different sizes, in words.
    way_out: String,
}

/// What became of the pictures of a batch, and the images `[n, h, w, c]` of those that decode.
struct Stack {
    images: Option<Array4<u8>>,
    fates: Vec<Result<Vec<Notice>, Skipped>>,
}

impl Collate for Seen {
    type Item = Picture;
    type Batch = Stack;
    type Scratch = ViewScratch;

    fn collate(
        &self,
        items: Items<'_, Picture>,
        room: &mut ViewScratch,
    ) -> Result<Stack, DataError> {
        let mut fates = Vec::with_capacity(items.len());
        let mut images: Option<Array4<u8>> = None;
        for drawn in items {
            let drawn = drawn?;
            let id = drawn.id();
            let (mut image, noticed) = match drawn.item {
                Ok(decoded) => decoded,
                Err(left_out) => {
                    fates.push(Err(left_out));
                    continue;
                }
            };
            // What evaluation sees is not random: any generator does.
            (self.view)(&mut image, &mut Rng::new(0), room.scratch(), 0);
            let shape = (image.height(), image.width(), image.channels());
            let seen = ArrayView3::from_shape(shape, image.pixels()).expect("whole images");
            let all = images.get_or_insert_with(|| Array4::zeros((0, shape.0, shape.1, shape.2)));
            all.push(Axis(0), seen).map_err(|_| {
                let (width, height) = (shape.1, shape.0);
                let (_, h, w, _) = all.dim();
                DataError::Request(format!(
                    "{id} is of {width}x{height} pixels where others are of {w}x{h}{}",
                    self.way_out
                ))
            })?;
            fates.push(Ok(noticed));
        }
        Ok(Stack { images, fates })
    }
}

/// Pictures that are open for a network.
pub(super) struct OpenImages<'a> {
    pub(super) pictures: Arc<Pictures>,
    pub(super) net: &'a dyn Net,
    pub(super) evaluator: &'a Evaluator,
    pub(super) view: View,
    pub(super) classes: usize,
    pub(super) batch: usize,
    pub(super) way_out: String,
}

/// As many threads as decode while the network computes: one processor is the network's.
pub(crate) fn decoders() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get()).saturating_sub(1).max(1)
}

impl Shown for OpenImages<'_> {
    fn unit(&self) -> &'static str {
        "images"
    }

    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn id(&self, index: usize) -> String {
        self.pictures.id(index)
    }

    fn stamp(&self, index: usize) -> String {
        let meta = self.pictures.0.path(index).metadata();
        // A file that is gone is told of when it is read.
        let modified = |meta: &std::fs::Metadata| {
            let since = meta.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(since.as_nanos())
        };
        meta.map_or(String::new(), |meta| format!("{} {:?}", meta.len(), modified(&meta)))
    }

    fn digests(&self) -> Option<Vec<Digest>> {
        // An image that cannot be read is told of when it is shown.
        self.pictures.0.digests().ok().flatten()
    }

    fn truth(&self, index: usize) -> Option<u32> {
        self.pictures.label(index)
    }

    fn notes(&self) -> &[String] {
        self.pictures.0.notes()
    }

    fn left_out(&self) -> &[Skipped] {
        self.pictures.0.skipped()
    }

    fn show(
        &self,
        range: Range<usize>,
        take: &mut dyn FnMut(Vec<Answer>) -> Result<()>,
    ) -> Result<()> {
        let stream = Stream {
            set: self.pictures.clone(),
            entries: (range.start as u32..range.end as u32).collect(),
            collate: Seen { view: self.view.clone(), way_out: self.way_out.clone() },
            batch: self.batch,
            seed: 0,
            order: Order::Sequential,
        };
        for step in Loader::pass(stream, decoders()) {
            let batch = step?.batches.pop().expect("one stream");
            let Stack { images, fates } = batch.data;
            let said = match &images {
                Some(images) => self.evaluator.answers(self.net, images).with_context(|| {
                    let first = batch.indices.first().map(|&i| self.id(i as usize));
                    format!("images from {} on", first.unwrap_or_default())
                })?,
                None => Vec::new(),
            };
            let mut rows = said.chunks_exact(self.classes);
            let answer = |fate| match fate {
                Ok(noticed) => {
                    let probabilities = rows.next().expect("a row an image").to_vec();
                    Answer::Said { probabilities, noticed }
                }
                Err(left_out) => Answer::LeftOut(left_out),
            };
            take(fates.into_iter().map(answer).collect())?;
        }
        Ok(())
    }
}
