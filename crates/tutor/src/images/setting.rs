//! What all trainings of one seed on images share.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use augment::policy::Policy;
use data_pipeline::split::Split;
use torch::precision::Precision;
use torch::{Device, Inference, Model};
use train::Cadence;
use vision_models::NetConfig;

use super::evaluator::Evaluator;
use super::feed::Feed;
use super::source::Data;
use super::subset::Subset;
use super::targets::Targets;
use crate::recipe::evaluate::{EvaluateConfig, Part};
use crate::run::files;
use crate::run::result::listed;
use crate::run::seeds::{self, SeedRun};

/// The settings of a recipe about images that do not differ between its trainings.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub(crate) evaluate: &'a EvaluateConfig,
    pub(crate) cadence: &'a Cadence,
    pub(crate) precision: Precision,
    /// Threads that load and augment.
    pub(crate) workers: usize,
}

/// What all trainings of one seed on images share.
pub(crate) struct Setting<'a> {
    pub(crate) data: &'a Data,
    pub(crate) shared: Shared<'a>,
    pub(crate) device: Device,
    pub(crate) recipe_text: &'a str,
    pub(crate) seed: u64,
}

impl<'a> Setting<'a> {
    /// For the data of one seed of a run; `dir` gets the split and what the networks take.
    pub(crate) fn begin(
        data: &'a Data,
        shared: Shared<'a>,
        run: &SeedRun<'a, '_>,
        dir: &Path,
    ) -> Result<Self> {
        data.can_be_measured(shared.evaluate.on)?;
        for what in rare_classes(data, shared.evaluate.on) {
            run.say_once(&format!("warning: {what}"));
        }
        Self::unmeasured(data, shared, run, dir)
    }

    /// The same, for a training whose network need not be measured.
    pub(crate) fn unmeasured(
        data: &'a Data,
        shared: Shared<'a>,
        run: &SeedRun<'a, '_>,
        dir: &Path,
    ) -> Result<Self> {
        files::make_folder(dir)?;
        keep_split(&data.split, &dir.join("split.json"))?;
        keep_ids(data, &dir.join("ids.json"))?;
        data.input.save(dir)?;
        Ok(Self { data, shared, device: run.device, recipe_text: run.recipe_text, seed: run.seed })
    }

    /// How many classes there are.
    pub(crate) fn classes(&self) -> usize {
        self.data.input.classes.len()
    }

    /// Makes a network with its initial weights.
    pub(crate) fn build(&self, net: &NetConfig) -> Model {
        net.build(self.device, self.data.input.channels as i64, self.classes() as i64)
    }

    /// Makes a new network ready for training: one that wants to see images first is shown some of
    /// those that are trained on, through a policy that is not random.
    pub(super) fn begin_training(
        &self,
        net: &NetConfig,
        model: &Model,
        policy: &Policy,
    ) -> Result<()> {
        let wanted = net.images_at_start();
        if wanted > 0 {
            let images = self.evaluator(policy).images(&self.trained_on().spread(wanted))?;
            net.start_from(&model.params, &images);
        }
        Ok(())
    }

    /// The unlabelled images, or the labelled ones where there are no others.
    fn trained_on(&self) -> &Subset {
        match self.data.unlabeled.len() {
            0 => &self.data.labeled,
            _ => &self.data.unlabeled,
        }
    }

    /// A number for the random choices of something named `name` in this run.
    pub(crate) fn key(&self, name: &str) -> u64 {
        seeds::key(self.seed, name)
    }

    /// Host arrays to tensors of this data.
    pub(super) fn feed(&self, targets: Option<Arc<Targets>>) -> Feed {
        Feed {
            device: self.device,
            normalization: self.data.input.normalization.clone(),
            classes: self.classes(),
            targets,
        }
    }

    /// Shows images to networks without noise, through a policy that is not random.
    pub(crate) fn evaluator(&self, policy: &Policy) -> Evaluator {
        let EvaluateConfig { batch, mirror, .. } = *self.shared.evaluate;
        Evaluator::new(self.feed(None), policy, batch, self.shared.workers)
            .mirrored(mirror)
            .computing_in(shown_in(self.shared.precision, self.device))
    }

    /// A trained network made for evaluation alone: batch norm is folded into its convolutions.
    pub(crate) fn fast(&self, net: &NetConfig, model: &Model) -> Inference {
        let (channels, classes) = (self.data.input.channels as i64, self.classes() as i64);
        let precision = shown_in(self.shared.precision, self.device);
        net.for_inference(&model.params, channels, classes, precision)
    }

    /// Takes batch norm's running statistics of a network anew, over training images without
    /// augmentation.
    pub(super) fn calibrate(&self, model: &Model, policy: &Policy) -> Result<()> {
        let batch = self.shared.evaluate.batch;
        let subset = self.trained_on().spread(CALIBRATION.next_multiple_of(batch));
        self.evaluator(policy).calibrate(model, &subset)
    }
}

/// In which numbers a network that is trained in `precision` is shown images, to be evaluated or to
/// label them: on a GPU those of its training, on a CPU float32 whatever the training has.
fn shown_in(precision: Precision, device: Device) -> Precision {
    match device {
        Device::Cuda(_) => precision,
        _ => Precision::Float32,
    }
}

/// What has to be said of classes with hardly an image, before anything is trained.
fn rare_classes(data: &Data, on: Part) -> Vec<String> {
    let classes = &data.input.classes;
    let counts = |subset: &Subset| {
        let mut counts = vec![0usize; classes.len()];
        subset.labels().into_iter().flatten().for_each(|class| counts[class as usize] += 1);
        counts
    };
    let named = |counts: &[usize], count: usize| {
        let those = classes.iter().zip(counts).filter(|(_, n)| **n == count);
        those.map(|(class, _)| class.as_str()).collect::<Vec<_>>()
    };
    let (part, measured) = data.part(on);
    let labeled = counts(&data.labeled);
    let mut said = Vec::new();
    let mut say = |names: Vec<&str>, what: &str| {
        if !names.is_empty() {
            said.push(format!("{what}: {}", listed(&names)));
        }
    };
    say(named(&labeled, 0), "no labelled image to learn from in the classes");
    if labeled.iter().any(|&n| n > 1) {
        say(named(&labeled, 1), "a single labelled image to learn from in the classes");
    }
    let what =
        format!("no image in the {} part, so nothing is measured of the classes", part.name());
    say(named(&counts(measured), 0), &what);
    if part == Part::Test && data.validation.len() > 0 {
        let what = "no image in the validation part, so no choice regards the classes";
        say(named(&counts(&data.validation), 0), what);
    }
    said
}

/// From how many images running statistics are taken anew, at least.
const CALIBRATION: usize = 1024;

/// Writes a digest of the names of the unlabelled and test images, or makes sure that they are
/// those that an earlier process of this run had.
fn keep_ids(data: &Data, path: &Path) -> Result<()> {
    let digest = |subset: &Subset| {
        let mut hasher = DefaultHasher::new();
        subset.ids().hash(&mut hasher);
        format!("{} images, {:016x}", subset.len(), hasher.finish())
    };
    let now = [Some(&data.unlabeled), data.test.as_ref()].map(|subset| subset.map(digest));
    let earlier = files::once(path, || Ok(now.clone()))?;
    ensure!(
        earlier == now,
        "the unlabelled or test images are others than this run began with ({}): put the data back \
         as they were, or begin anew with --fresh",
        path.display()
    );
    Ok(())
}

/// Writes the split, or makes sure that it is the one that an earlier process of this run drew.
fn keep_split(split: &Split, path: &Path) -> Result<()> {
    match Split::load(path) {
        Ok(earlier) => {
            ensure!(
                earlier == *split,
                "{} differs from what is drawn now: put the data back as they were, or begin anew \
                 with --fresh",
                path.display()
            );
            Ok(())
        }
        Err(error) => {
            if path.exists() {
                tracing::warn!("{error}; it is written anew");
            }
            Ok(split.save(path)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::source::ImageSource;
    use crate::recipe::data::DataConfig;

    #[test]
    fn images_are_shown_in_bfloat16_on_a_gpu_alone_where_it_is_trained_in_it() {
        use Precision::{Bfloat16, Float32};
        assert_eq!([Float32, Bfloat16].map(|p| shown_in(p, Device::Cpu)), [Float32; 2]);
        let gpu = [Float32, Bfloat16].map(|p| shown_in(p, Device::Cuda(1)));
        assert_eq!(gpu, [Float32, Bfloat16]);
    }

    #[test]
    fn a_run_keeps_to_the_images_that_it_began_with() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("ids.json");
        let digits = DataConfig::Digits { labels_per_class: 2 };
        let source = ImageSource::open(&digits, None).expect("embedded images");
        let mut data = source.draw(1).expect("parts");
        for _ in 0..2 {
            keep_ids(&data, &path).expect("the same images");
        }
        data.unlabeled.indices.pop();
        let error = keep_ids(&data, &path).expect_err("an image less").to_string();
        assert!(error.contains("--fresh"), "{error}");
    }
}
