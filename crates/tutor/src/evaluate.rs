//! What a network says of images: probabilities, accuracy, confusion.

use anyhow::{Result, bail};
use augment::Image;
use augment::policy::Policy;
use data_pipeline::loader::{Loader, Stream, View};
use data_pipeline::sampler::Order;
use torch::{Kind, Mode, Model, Tensor, no_grad};

use crate::assemble::{Pool, view};
use crate::feed::Feed;
use crate::phase::Interrupted;

/// Class probabilities of some images, row by row; of no image too.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Predictions {
    pub(crate) classes: usize,
    pub(crate) probabilities: Vec<f32>,
}

impl Predictions {
    /// One row of probabilities an image.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes)
    }

    /// The most probable class of each image (the first of equals) and its probability.
    pub(crate) fn top(&self) -> impl Iterator<Item = (u32, f32)> {
        self.rows().map(top)
    }

    /// Percentage of images whose most probable class is the true one, among those whose class is known.
    pub(crate) fn accuracy(&self, truth: &[Option<u32>]) -> Option<f64> {
        let known: Vec<bool> = self
            .top()
            .zip(truth)
            .filter_map(|((class, _), truth)| truth.map(|truth| truth == class))
            .collect();
        let right = known.iter().filter(|&&right| right).count();
        (!known.is_empty()).then(|| 100.0 * right as f64 / known.len() as f64)
    }

    /// The mean over the classes that occur of the percentage that is recognised.
    pub(crate) fn balanced_accuracy(&self, truth: &[Option<u32>]) -> Option<f64> {
        balanced(&self.confusion(truth))
    }

    /// `counts[truth][prediction]` over the images whose class is known.
    pub(crate) fn confusion(&self, truth: &[Option<u32>]) -> Vec<Vec<u64>> {
        let mut counts = vec![vec![0; self.classes]; self.classes];
        for ((class, _), truth) in self.top().zip(truth) {
            if let Some(truth) = truth {
                counts[*truth as usize][class as usize] += 1;
            }
        }
        counts
    }
}

/// How images are shown to a network.
pub(crate) struct Look<'a> {
    pub(crate) feed: &'a Feed,
    pub(crate) view: View,
    pub(crate) mode: Mode,
    pub(crate) batch: usize,
    pub(crate) workers: usize,
    /// Keys the view, when it is random.
    pub(crate) seed: u64,
    /// Whether Ctrl-C ends it.
    pub(crate) interruptible: bool,
}

impl<'a> Look<'a> {
    /// Without noise, through a policy that is not random.
    pub(crate) fn clean(feed: &'a Feed, policy: &Policy, batch: usize, workers: usize) -> Self {
        Self {
            feed,
            view: view(policy),
            mode: Mode::Eval,
            batch,
            workers,
            seed: 0,
            interruptible: false,
        }
    }

    /// The same, but Ctrl-C ends it: for work outside a training, which has no checkpoint to write first.
    pub(crate) fn interruptible(self) -> Self {
        Self { interruptible: true, ..self }
    }

    /// Runs the network over a pool, in order.
    pub(crate) fn at(&self, model: &Model, pool: &Pool) -> Result<Predictions> {
        let mut probabilities = Vec::with_capacity(pool.len() * self.feed.classes);
        self.each(model, pool, |row| probabilities.extend_from_slice(row))?;
        Ok(Predictions { classes: self.feed.classes, probabilities })
    }

    /// Runs the network over a pool and keeps of each image only the most probable class and its probability.
    pub(crate) fn tops(&self, model: &Model, pool: &Pool) -> Result<Vec<(u32, f32)>> {
        let mut tops = Vec::with_capacity(pool.len());
        self.each(model, pool, |row| tops.push(top(row)))?;
        Ok(tops)
    }

    /// Takes a network's running statistics anew: the mean over the batches of a pool, but for a last one that is short.
    pub(crate) fn calibrate(&self, model: &Model, pool: &Pool) -> Result<()> {
        for (number, step) in (0..).zip(self.pass(pool)) {
            let images = self.feed.images(&step?.batches[0].views[0]);
            if number == 0 || images.size()[0] == self.batch as i64 {
                let _ = no_grad(|| model.forward(&images, Mode::Calibrate(number)));
            }
        }
        Ok(())
    }

    fn pass(&self, pool: &Pool) -> Loader {
        let stream = Stream {
            set: pool.set.clone(),
            entries: pool.indices.clone(),
            views: vec![self.view.clone()],
            batch: self.batch,
            seed: self.seed,
            order: Order::Sequential,
        };
        Loader::pass(stream, self.workers)
    }

    /// Hands the probabilities of each image of a pool, in order, to `take`.
    fn each(&self, model: &Model, pool: &Pool, mut take: impl FnMut(&[f32])) -> Result<()> {
        for step in self.pass(pool) {
            let row = self.run(model, &self.feed.images(&step?.batches[0].views[0]))?;
            row.chunks_exact(self.feed.classes).for_each(&mut take);
        }
        Ok(())
    }

    /// The most probable class of each of some images of one size.
    pub(crate) fn classes_of(&self, model: &Model, images: &[Image]) -> Result<Vec<u32>> {
        let mut classes = Vec::with_capacity(images.len());
        for images in images.chunks(self.batch) {
            let (w, h, c) = (images[0].width(), images[0].height(), images[0].channels());
            let pixels: Vec<u8> = images.iter().flat_map(|image| image.pixels()).copied().collect();
            let batch = ndarray::Array4::from_shape_vec((images.len(), h, w, c), pixels)?;
            let rows = self.run(model, &self.feed.images(&batch))?;
            classes.extend(rows.chunks_exact(self.feed.classes).map(|row| top(row).0));
        }
        Ok(classes)
    }

    fn run(&self, model: &Model, images: &Tensor) -> Result<Vec<f32>> {
        if self.interruptible && train::signals::interrupted() {
            bail!(Interrupted);
        }
        let probabilities = no_grad(|| model.forward(images, self.mode).softmax(-1, Kind::Float));
        Ok(Vec::<f32>::try_from(probabilities.reshape([-1]))?)
    }
}

/// The mean over classes that occur of the percentage that is recognised.
pub(crate) fn balanced(confusion: &[Vec<u64>]) -> Option<f64> {
    let shares = confusion.iter().enumerate().filter_map(|(class, row)| {
        let all: u64 = row.iter().sum();
        (all > 0).then(|| 100.0 * row[class] as f64 / all as f64)
    });
    let shares: Vec<f64> = shares.collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

/// The most probable class (the first of equals) and its probability.
fn top(row: &[f32]) -> (u32, f32) {
    let first = (0, f32::NEG_INFINITY);
    row.iter().zip(0..).fold(first, |best, (&p, class)| if p > best.1 { (class, p) } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_counts_known_classes_only() {
        let p = Predictions { classes: 2, probabilities: vec![0.9, 0.1, 0.5, 0.5, 0.2, 0.8] };
        assert_eq!(p.top().collect::<Vec<_>>(), [(0, 0.9), (0, 0.5), (1, 0.8)]);
        assert_eq!(p.accuracy(&[Some(0), Some(1), None]), Some(50.0));
        assert_eq!(p.accuracy(&[None, None, None]), None);
        assert_eq!(Predictions { classes: 2, probabilities: vec![] }.accuracy(&[]), None);
        assert_eq!(p.balanced_accuracy(&[Some(0), Some(1), Some(0)]), Some(25.0));
        assert_eq!(balanced(&[vec![90, 10, 0], vec![5, 5, 0], vec![0, 0, 0]]), Some(70.0));
        assert_eq!(balanced(&[]), None);
        assert_eq!(p.confusion(&[Some(0), Some(1), None]), [[1, 0], [1, 0]]);
    }
}
