//! A method with its views: from the words of a recipe to a task that can be trained.

use anyhow::{Context, Result, ensure};
use augment::policy::Policy;
use ssl_core::{Method, MethodConfig, MethodSettings, TaskInfo, ViewKind, Views};
use train::TrainConfig;
use vision_models::NetConfig;

use super::feedback::Feedback;
use super::setting::Setting;
use super::stored_views::StoredViews;
use super::subset::Subset;
use super::task::ImageTask;
use super::view::view;

/// A network that learns by a method from labelled and, if the method wants them, unlabelled
/// images.
pub(crate) struct Learner<'a> {
    pub(crate) net: &'a NetConfig,
    pub(crate) method: &'a MethodConfig,
    pub(crate) train: &'a TrainConfig,
    /// Unlabelled images of a step for each labelled one.
    pub(crate) unlabeled_ratio: usize,
    pub(crate) weak: &'a Policy,
    pub(crate) strong: &'a Policy,
    /// Views that are stored, to read instead of making them. Their stages have to be frozen
    /// ([`ImageTask::freeze`]).
    pub(crate) stored: Option<&'a StoredParts>,
}

/// Stored views of the images that are learned from, by their kind.
pub(crate) struct StoredParts {
    pub(crate) labeled: Vec<(ViewKind, StoredViews)>,
    pub(crate) unlabeled: Vec<(ViewKind, StoredViews)>,
}

impl<'a> Learner<'a> {
    /// Its training on the data of a setting. Learners share their random numbers, so that they
    /// differ in what they are told alone.
    pub(crate) fn task(&self, setting: &'a Setting<'a>) -> Result<ImageTask<'a>> {
        let data = setting.data;
        self.method.fits_classes(setting.classes()).map_err(|e| e.within("method"))?;
        let method = self.method.build(&TaskInfo {
            classes: setting.classes() as i64,
            unlabeled: data.unlabeled.len() as i64,
            device: setting.device,
        });
        let views = method.views();
        let eval = &setting.shared.evaluate.augment;
        if let Some(stored) = self.stored {
            return self.stored_task(setting, method, views, stored);
        }
        let strong =
            views.labeled == ViewKind::Strong || views.unlabeled.contains(&ViewKind::Strong);
        let feedback = strong.then(|| Feedback::of(self.strong)).flatten();
        let seen = |kind| match (kind, &feedback) {
            (ViewKind::Plain, _) => view(eval),
            (ViewKind::Weak, _) => view(self.weak),
            (ViewKind::Strong, None) => view(self.strong),
            (ViewKind::Strong, Some(feedback)) => feedback.strong(),
        };
        let probe = feedback.as_ref().map(Feedback::probe);
        let labeled = [seen(views.labeled)].into_iter().chain(probe).collect();
        let mut task = ImageTask::new(setting, self.net, self.train, method, eval)
            .stream(&data.labeled, labeled, self.train.batch, "labeled")
            .feedback(feedback.clone());
        if !views.unlabeled.is_empty() {
            let views = views.unlabeled.into_iter().map(seen).collect();
            let (subset, batch) = self.unlabeled(setting)?;
            task = task.stream(subset, views, batch, "unlabeled");
        }
        Ok(task)
    }

    /// The same on stored views.
    fn stored_task(
        &self,
        setting: &'a Setting<'a>,
        method: Box<dyn Method>,
        views: Views,
        stored: &StoredParts,
    ) -> Result<ImageTask<'a>> {
        let of = |part: &[(ViewKind, StoredViews)], kind: ViewKind| {
            let found = part.iter().find(|(known, _)| *known == kind);
            found
                .map(|(_, views)| views.clone())
                .with_context(|| format!("no {kind:?} view is stored"))
        };
        let labeled = vec![of(&stored.labeled, views.labeled)?];
        let eval = &setting.shared.evaluate.augment;
        let mut task = ImageTask::new(setting, self.net, self.train, method, eval).stored_stream(
            &setting.data.labeled,
            labeled,
            self.train.batch,
            "labeled",
        );
        if !views.unlabeled.is_empty() {
            let views = views.unlabeled.iter().map(|kind| of(&stored.unlabeled, *kind));
            let views = views.collect::<Result<_>>()?;
            let (subset, batch) = self.unlabeled(setting)?;
            task = task.stored_stream(subset, views, batch, "unlabeled");
        }
        Ok(task)
    }

    /// The unlabelled images, and how many there are in a step.
    fn unlabeled(&self, setting: &'a Setting<'a>) -> Result<(&'a Subset, usize)> {
        let subset = &setting.data.unlabeled;
        ensure!(subset.len() > 0, "there are no unlabelled images: see [data]");
        Ok((subset, self.train.batch * self.unlabeled_ratio))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use augment::Image;
    use augment::ctaugment::{CtAugment, CtOp};
    use augment::erase::Cutout;
    use augment::fill::Fill;
    use augment::length::Length;
    use augment::policy::Step;
    use augment::rng::Rng;
    use augment::scratch::Scratch;
    use augment::weak::FlipCrop;
    use data_pipeline::dataset::ArraySet;
    use ndarray::Array4;
    use torch::precision::Precision;
    use torch::{Device, Tensor};
    use train::{Cadence, Schedule};

    use super::*;
    use crate::images::objective::ImageBatch;
    use crate::images::setting::Shared;
    use crate::images::source::{Data, ImageSource};
    use crate::recipe::data::DataConfig;
    use crate::recipe::evaluate::EvaluateConfig;
    use crate::run::stage::Task;

    fn digits() -> Data {
        let digits = DataConfig::Digits { labels_per_class: 2 };
        ImageSource::open(&digits, None).and_then(|source| source.draw(1)).expect("digits")
    }

    /// Makes any small image one of this grey alone: its square covers it, wherever it is put.
    fn grey(level: u8) -> Step {
        let (size, fill) = (Length::Pixels(64.0), Fill::grey(level));
        Step::Cutout(Cutout { size, fill, ..Cutout::default() })
    }

    /// The first batch of `labeled` labelled images that a method sees, by these policies for
    /// plain, weak and strong views; and what makes tensors of images.
    fn first_batch(
        data: &Data,
        labeled: usize,
        method: &str,
        [plain, weak, strong]: [Policy; 3],
    ) -> (ImageBatch, impl Fn(&Image) -> Tensor) {
        let evaluate = EvaluateConfig { augment: plain, ..EvaluateConfig::default() };
        let cadence = Cadence::default();
        let precision = Precision::Float32;
        let shared = Shared { evaluate: &evaluate, cadence: &cadence, precision, workers: 1 };
        let setting = Setting { data, shared, device: Device::Cpu, recipe_text: "", seed: 1 };
        let learner = Learner {
            net: &NetConfig::SmallNet(Default::default()),
            method: &toml::from_str(method).expect("a method"),
            train: &TrainConfig::new(1, labeled, Schedule::constant(0.1), Default::default()),
            unlabeled_ratio: 2,
            weak: &weak,
            strong: &strong,
            stored: None,
        };
        let task = learner.task(&setting).expect("a task");
        let batch = task.batches(0).next().expect("a step").expect("a batch");
        let feed = setting.feed(None);
        let tensor = move |image: &Image| {
            let shape = (1, image.height(), image.width(), image.channels());
            let pixels = image.pixels().to_vec();
            feed.images(&Array4::from_shape_vec(shape, pixels).expect("an image"))
        };
        (batch, tensor)
    }

    #[test]
    fn a_method_sees_the_views_that_it_asks_for() {
        use ViewKind::{Plain, Strong, Weak};
        let data = digits();
        let policies = |strong: &[Step]| [vec![grey(50)], vec![grey(100)], strong.to_vec()];
        let ctaugment = Step::CtAugment(CtAugment::default());
        for strong in [vec![grey(150)], vec![ctaugment, grey(150)]] {
            for (method, labeled, unlabeled) in [
                ("kind = 'supervised'", Strong, vec![]),
                ("kind = 'fixmatch'", Weak, vec![Weak, Strong]),
                ("kind = 'fixmatch'\nlabeled = 'plain'", Plain, vec![Weak, Strong]),
                ("kind = 'remixmatch'\nstrong_views = 2", Strong, vec![Weak, Strong, Strong]),
                ("kind = 'pi-model'", Weak, vec![Weak, Weak]),
            ] {
                let (seen, tensor) = first_batch(&data, 4, method, policies(&strong).map(Policy));
                let views = [&seen.batch.x].into_iter().chain(&seen.batch.u);
                assert_eq!(seen.batch.u.len(), unlabeled.len(), "{method}");
                for (number, (view, kind)) in
                    views.zip([labeled].into_iter().chain(unlabeled)).enumerate()
                {
                    let level = match kind {
                        Plain => 50,
                        Weak => 100,
                        Strong => 150,
                    };
                    let images = if number == 0 { 4 } else { 8 };
                    assert_eq!(view.size(), [images, 1, 8, 8], "{method}");
                    let expected = tensor(&Image::filled(8, 8, 1, level));
                    let off = (view - expected).abs().max().double_value(&[]);
                    assert!(off < 1e-6, "{method}: view {number} is not {kind:?}");
                }
            }
        }
    }

    /// Mirroring, which draws numbers between a probe's choices and their use, leaves this image as
    /// it is.
    #[test]
    fn probes_are_labelled_images_changed_by_the_choices_that_are_told() {
        let pixel = |(_, y, x, _): (usize, usize, usize, usize)| (25 * y + 10 * x.min(7 - x)) as u8;
        let images = Array4::from_shape_fn((8, 8, 8, 1), pixel);
        let whole = Image::new(8, 8, 1, (0..64).map(|i| pixel((0, i / 8, i % 8, 0))).collect());
        let mut data = digits();
        let labels = Some((0..8).collect());
        let classes = data.input.classes.clone();
        let set = ArraySet::new("symmetric", images, labels, classes).expect("a set");
        data.labeled = Subset::all(Arc::new(set));

        let mirror = Step::FlipCrop(FlipCrop { pad: 0, flip: true });
        let ctaugment = CtAugment::default();
        let strong = Policy(vec![mirror, Step::CtAugment(ctaugment), grey(150)]);
        // Forty labelled images are these eight, five times.
        let (seen, tensor) =
            first_batch(&data, 40, "kind = 'fixmatch'", [Policy::none(), Policy::none(), strong]);
        let probes = seen.probes.expect("CTAugment wants probes");
        assert_eq!((probes.images.size()[0], probes.choices.len()), (40, 40));
        let plain = tensor(&whole);
        assert_eq!(seen.batch.x, plain.repeat([40, 1, 1, 1]), "no probe is learned from");
        let mut changed = 0;
        for (row, choices) in probes.choices.iter().enumerate() {
            // Where a square is put is drawn, and not told.
            if choices.iter().any(|choice| choice.op == CtOp::Cutout) {
                continue;
            }
            let mut image = whole.clone();
            ctaugment.apply_choices(choices, &mut image, &mut Rng::new(0), &mut Scratch::new());
            let expected = tensor(&image);
            changed += usize::from(expected != plain);
            assert_eq!(probes.images.narrow(0, row as i64, 1), expected, "{choices:?}");
        }
        assert!(changed >= 20, "{changed} of 40 probes");
    }
}
