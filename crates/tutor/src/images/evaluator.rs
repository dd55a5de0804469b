//! Shows images to a network: probabilities, the most probable classes, running statistics.

use anyhow::{Context, Result};
use augment::Image;
use augment::policy::Policy;
use data_pipeline::loader::{Loader, Stream, View, Views};
use data_pipeline::sampler::Order;
use ndarray::Array4;
use torch::precision::{Precision, autocast};
use torch::{Kind, Mode, Model, Net, Tensor, no_grad};
use train::parallel::balanced_shard;

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
    /// In which numbers features are computed.
    precision: Precision,
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
    /// Without noise, in float32, through a policy that is not random.
    pub(super) fn new(feed: Feed, policy: &Policy, batch: usize, workers: usize) -> Self {
        let (view, mode, precision) = (view(policy), Mode::Eval, Precision::Float32);
        let (mirror, seed, interruptible) = (false, 0, false);
        Self { feed, view, mode, precision, mirror, batch, workers, seed, interruptible }
    }

    /// The same with features computed in `precision`. The head, and with it logits and
    /// probabilities, stays in float32, or logits would have eight bits.
    pub(super) fn computing_in(self, precision: Precision) -> Self {
        Self { precision, ..self }
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
            let made = || parts.forward_features(&images, self.mode).to_kind(Kind::Float);
            Ok(no_grad(|| autocast(self.precision, self.feed.device, made)))
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
        let own = balanced_shard(subset.len(), group.rank(), group.size());
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
        let said = |images: &Tensor| self.logits(net, images).softmax(-1, Kind::Float);
        let probabilities = no_grad(|| match self.mirror {
            true => (said(images) + said(&images.flip([3]))) / 2.0,
            false => said(images),
        });
        let probabilities = Vec::<f32>::try_from(probabilities.reshape([-1]))?;
        all_numbers(&probabilities)?;
        Ok(probabilities)
    }

    /// The logits `[n, classes]` of images `[n, c, h, w]`.
    fn logits(&self, net: &dyn Net, images: &Tensor) -> Tensor {
        let (Precision::Bfloat16, Some(parts)) = (self.precision, net.features()) else {
            return net.forward(images, self.mode);
        };
        let made = || parts.forward_features(images, self.mode);
        let features = autocast(self.precision, self.feed.device, made);
        parts.forward_head(&features.to_kind(Kind::Float), self.mode)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use data_pipeline::dataset::ArraySet;
    use torch::Device;
    use torch::nn::BatchNorm;
    use vision_models::{NetConfig, SmallNetConfig};

    use super::*;
    use crate::images::input::Normalization;

    fn feed(classes: usize, channels: usize) -> Feed {
        let [mean, std] = [0.0, 1.0].map(|value| vec![value; channels]);
        let normalization = Normalization { mean, std };
        Feed { device: Device::Cpu, normalization, classes, targets: None }
    }

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
        let said = |mirror, pixels: [u8; 3]| {
            let evaluator = Evaluator::new(feed(2, 1), &Policy::none(), 8, 0).mirrored(mirror);
            let image = Array4::from_shape_vec((1, 1, 3, 1), pixels.to_vec()).expect("an image");
            evaluator.answers(&Left, &image).expect("numbers")[0]
        };
        let (one, other) = (said(false, [255, 0, 51]), said(false, [51, 0, 255]));
        assert!(one > other + 0.05, "{one} {other}");
        for pixels in [[255, 0, 51], [51, 0, 255]] {
            assert!((said(true, pixels) - (one + other) / 2.0).abs() < 1e-6);
        }
    }

    struct Normed(BatchNorm);

    impl Net for Normed {
        fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
            self.0.forward(x, mode)
        }
    }

    /// The running mean, in greys, after it was taken anew over images of these in batches of two.
    fn running_mean(greys: &[u8]) -> f64 {
        let images = Array4::from_shape_fn((greys.len(), 2, 2, 1), |(i, ..)| greys[i]);
        let set = ArraySet::new("greys", images, None, Vec::new()).expect("a set");
        let model = Model::build(Device::Cpu, |scope| Normed(BatchNorm::new(scope, 1, 0.1, 1e-5)));
        let evaluator = Evaluator::new(feed(2, 1), &Policy::none(), 2, 0);
        evaluator.calibrate(&model, &Subset::all(Arc::new(set))).expect("images");
        let mean = model.params.get("running_mean").expect("a running mean");
        255.0 * mean.double_value(&[0])
    }

    #[test]
    fn running_statistics_are_the_mean_over_whole_batches() {
        for (greys, expected) in [
            (&[0, 0, 10, 10, 40][..], 5.0),
            (&[0, 0, 10, 10, 50, 50], 20.0),
            // A short batch counts where there is no other.
            (&[40], 40.0),
        ] {
            let found = running_mean(greys);
            assert!((found - expected).abs() < 1e-4, "{greys:?}: {found}");
        }
    }

    /// Of a network and of one that only runs: features lose bits, and the head does not.
    #[test]
    fn features_are_computed_in_bfloat16_and_logits_in_float32() {
        let _alone = torch::rng::exclusive();
        torch::rng::seed(1);
        let config = NetConfig::SmallNet(SmallNetConfig::default());
        let model = config.build(Device::Cpu, 3, 5);
        let fast = config.for_inference(&model.params, 3, 5, Precision::Bfloat16);
        let pixels = (0..8 * 8 * 8 * 3).map(|i| (i * i * 37 % 251) as u8).collect();
        let images = Array4::from_shape_vec((8, 8, 8, 3), pixels).expect("images");
        let evaluator =
            |precision| Evaluator::new(feed(5, 3), &Policy::none(), 8, 0).computing_in(precision);
        let said = |net: &dyn Net, precision| {
            let said = evaluator(precision).answers(net, &images).expect("numbers");
            Tensor::from_slice(&said).view([8, 5])
        };
        let whole = said(&model, Precision::Float32);
        let alone = no_grad(|| model.forward(&feed(5, 3).images(&images), Mode::Eval));
        assert_eq!(whole, alone.softmax(-1, Kind::Float), "float32 is the network itself");
        for net in [&model as &dyn Net, &fast] {
            let half = said(net, Precision::Bfloat16);
            let off = (&half - &whole).abs().max().double_value(&[]);
            assert!(off > 0.0 && off < 0.02, "{off}");
            // Of logits in bfloat16 all differences would be multiples of a step.
            let logits = evaluator(Precision::Bfloat16).logits(net, &feed(5, 3).images(&images));
            assert_eq!(logits.kind(), Kind::Float);
            let rounded = logits.to_kind(Kind::BFloat16).to_kind(Kind::Float);
            let same = logits.eq_tensor(&rounded).to_kind(Kind::Float).mean(Kind::Float);
            assert!(same.double_value(&[]) < 0.2, "{same}");
        }
    }
}
