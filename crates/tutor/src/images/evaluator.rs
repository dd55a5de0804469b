//! Shows images to a network: probabilities, the most probable classes, running statistics.

use anyhow::{Context, Result};
use augment::Image;
use augment::policy::Policy;
use data_pipeline::loader::{Loader, Stream, View, Views};
use data_pipeline::sampler::Order;
use ndarray::Array4;
use torch::{Kind, Mode, Model, Net, Tensor, no_grad};
use train::parallel::part;

use super::feed::Feed;
use super::subset::Subset;
use super::view::view;
use crate::run::predictions::{Predictions, all_numbers, top};
use crate::run::{interrupt, processes};

/// How images are shown to a network.
pub(crate) struct Evaluator {
    feed: Feed,
    view: View,
    mode: Mode,
    /// Whether each image is shown mirrored too.
    mirror: bool,
    batch: usize,
    workers: usize,
    /// Keys the view, when it is random.
    seed: u64,
    /// Whether Ctrl-C ends it.
    interruptible: bool,
}

impl Evaluator {
    /// Without noise, through a policy that is not random.
    pub(super) fn new(feed: Feed, policy: &Policy, batch: usize, workers: usize) -> Self {
        let (view, mode) = (view(policy), Mode::Eval);
        let (mirror, seed, interruptible) = (false, 0, false);
        Self { feed, view, mode, mirror, batch, workers, seed, interruptible }
    }

    /// The same; with `mirror`, what is said of an image is the mean of what the network says of it
    /// and of its mirror image.
    pub(super) fn mirrored(self, mirror: bool) -> Self {
        Self { mirror, ..self }
    }

    /// Whether each image is shown mirrored too.
    pub(super) fn is_mirrored(&self) -> bool {
        self.mirror
    }

    /// The same, but Ctrl-C ends it: for work outside a training, which has no checkpoint to write
    /// first.
    pub(crate) fn interruptible(self) -> Self {
        Self { interruptible: true, ..self }
    }

    /// The same with the random numbers of a policy drawn by `seed`.
    pub(super) fn drawn_by(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same with dropout and stochastic depth on, through a random policy keyed by `seed`.
    pub(crate) fn noised(self, policy: &Policy, seed: u64) -> Self {
        Self { view: view(policy), mode: Mode::EvalWithNoise, seed, ..self }
    }

    /// Runs the network over a subset, in order.
    pub(crate) fn predict(&self, net: &dyn Net, subset: &Subset) -> Result<Predictions> {
        let mut probabilities = Vec::with_capacity(subset.len() * self.feed.classes);
        self.each(net, subset, |row| probabilities.extend_from_slice(row))?;
        Predictions::new(self.feed.classes, probabilities)
    }

    /// The features `[n, width]` of a subset's images, in order: what the last linear layer takes.
    pub(crate) fn features(&self, net: &dyn Net, subset: &Subset) -> Result<Tensor> {
        let parts = net.features().expect("a network with features and a head (torch::Features)");
        let features = |images: Result<Tensor>| {
            let images = images?;
            Ok(no_grad(|| parts.forward_features(&images, self.mode)))
        };
        Ok(Tensor::cat(&self.batches(subset).map(features).collect::<Result<Vec<_>>>()?, 0))
    }

    /// Runs the network over a subset and keeps of each image only the most probable class and its
    /// probability.
    pub(crate) fn tops(&self, net: &dyn Net, subset: &Subset) -> Result<Vec<(u32, f32)>> {
        let mut tops = Vec::with_capacity(subset.len());
        self.each(net, subset, |row| tops.push(top(row)))?;
        Ok(tops)
    }

    /// A subset's images `[n, c, h, w]` as a network is shown them, in order.
    pub(super) fn images(&self, subset: &Subset) -> Result<Tensor> {
        Ok(Tensor::cat(&self.batches(subset).collect::<Result<Vec<_>>>()?, 0))
    }

    /// A subset's images batch by batch, in order.
    pub(super) fn batches(&self, subset: &Subset) -> impl Iterator<Item = Result<Tensor>> {
        self.pass(subset).map(|step| {
            if self.interruptible {
                interrupt::check()?;
            }
            Ok(self.feed.images(&step?.batches[0].data[0]))
        })
    }

    /// Takes a network's running statistics anew: the mean over the batches of a subset, but for a
    /// last one that is short.
    pub(super) fn calibrate(&self, model: &Model, subset: &Subset) -> Result<()> {
        for (number, images) in (0..).zip(self.batches(subset)) {
            let images = images?;
            if number == 0 || images.size()[0] == self.batch as i64 {
                let _ = no_grad(|| model.forward(&images, Mode::Calibrate(number)));
            }
        }
        Ok(())
    }

    fn pass(&self, subset: &Subset) -> Loader<Views> {
        let stream = Stream {
            set: subset.set.clone(),
            entries: subset.indices.clone(),
            collate: Views(vec![self.view.clone()]),
            batch: self.batch,
            seed: self.seed,
            order: Order::Sequential,
        };
        Loader::pass(stream, self.workers)
    }

    /// Hands the probabilities of each image of a subset, in order, to `take`. Several processes
    /// that run together show a part each, every image once.
    fn each(&self, net: &dyn Net, subset: &Subset, mut take: impl FnMut(&[f32])) -> Result<()> {
        let Some(group) = processes::group().filter(|_| self.mode == Mode::Eval) else {
            return self.each_here(net, subset, take);
        };
        let own = part(subset.len(), [group.rank(), group.size()]);
        let indices = subset.indices[own].to_vec();
        let mut rows = Vec::with_capacity(indices.len() * self.feed.classes);
        let own = Subset { set: subset.set.clone(), indices };
        processes::each(|| self.each_here(net, &own, |row| rows.extend_from_slice(row)))?;
        let rows = Tensor::from_slice(&rows).view([-1, self.feed.classes as i64]);
        let all = Vec::<f32>::try_from(group.all_gather_rows(&rows)?.reshape([-1]))?;
        all.chunks_exact(self.feed.classes).for_each(&mut take);
        Ok(())
    }

    fn each_here(
        &self,
        net: &dyn Net,
        subset: &Subset,
        mut take: impl FnMut(&[f32]),
    ) -> Result<()> {
        for step in self.pass(subset) {
            let step = step?;
            let batch = &step.batches[0];
            let rows = self.run(net, &self.feed.images(&batch.data[0])).with_context(|| {
                let first = batch.slots.first().map(|&slot| subset.indices[slot as usize]);
                first.map_or(String::new(), |i| {
                    format!("images from {} on", subset.set.id(i as usize))
                })
            })?;
            rows.chunks_exact(self.feed.classes).for_each(&mut take);
        }
        Ok(())
    }

    /// The most probable class of each of some images of one size.
    pub(crate) fn classes_of(&self, net: &dyn Net, images: &[Image]) -> Result<Vec<u32>> {
        let mut classes = Vec::with_capacity(images.len());
        for images in images.chunks(self.batch) {
            let (w, h, c) = (images[0].width(), images[0].height(), images[0].channels());
            let pixels: Vec<u8> = images.iter().flat_map(|image| image.pixels()).copied().collect();
            let batch = Array4::from_shape_vec((images.len(), h, w, c), pixels)?;
            let rows = self.answers(net, &batch)?;
            classes.extend(rows.chunks_exact(self.feed.classes).map(|row| top(row).0));
        }
        Ok(classes)
    }

    /// The probabilities of images `[n, h, w, c]` as the network sees them, row by row.
    pub(super) fn answers(&self, net: &dyn Net, images: &Array4<u8>) -> Result<Vec<f32>> {
        self.run(net, &self.feed.images(images))
    }

    fn run(&self, net: &dyn Net, images: &Tensor) -> Result<Vec<f32>> {
        if self.interruptible {
            interrupt::check()?;
        }
        let said = |images: &Tensor| net.forward(images, self.mode).softmax(-1, Kind::Float);
        let probabilities = no_grad(|| match self.mirror {
            true => (said(images) + said(&images.flip([3]))) / 2.0,
            false => said(images),
        });
        let probabilities = Vec::<f32>::try_from(probabilities.reshape([-1]))?;
        all_numbers(&probabilities)?;
        Ok(probabilities)
    }
}

#[cfg(test)]
mod tests {
    use torch::Device;

    use super::*;
    use crate::images::input::Normalization;

    /// Logits of two classes: the leftmost pixel, and nothing.
    struct Left;

    impl Net for Left {
        fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
            let left = x.select(3, 0).reshape([-1, 1]);
            Tensor::cat(&[&left, &left.zeros_like()], 1)
        }
    }

    #[test]
    fn what_is_said_of_an_image_and_of_its_mirror_image_is_averaged() {
        let feed = || Feed {
            device: Device::Cpu,
            normalization: Normalization { mean: vec![0.0], std: vec![1.0] },
            classes: 2,
            targets: None,
        };
        let said = |mirror, pixels: [u8; 3]| {
            let evaluator = Evaluator::new(feed(), &Policy::none(), 8, 0).mirrored(mirror);
            let image = Array4::from_shape_vec((1, 1, 3, 1), pixels.to_vec()).expect("an image");
            evaluator.answers(&Left, &image).expect("numbers")[0]
        };
        let (one, other) = (said(false, [255, 0, 51]), said(false, [51, 0, 255]));
        assert!(one > other + 0.05, "{one} {other}");
        for pixels in [[255, 0, 51], [51, 0, 255]] {
            assert!((said(true, pixels) - (one + other) / 2.0).abs() < 1e-6);
        }
    }
}
