//! A checkpoint without a run: published weights, or a file that `tutor export` wrote.

use std::fs::{self, DirEntry};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad};
use data_pipeline::picture::{Decode, Depth};
use serde::{Deserialize, Serialize};
use torch::{Device, Model};
use vision_models::published::{self, Head};
use vision_models::{EfficientNetConfig, NetConfig};
use weights::find::{Places, find};
use weights::{Interpolation, Preprocess, StateDict, meta};

use super::input::{Input, Normalization};
use super::trained_model::{Parts, TrainedModel};
use super::view::Transform;
use crate::run::note::note;
use crate::run::result::listed;

/// What our own exports have beside what all readers know: a net that no other code base has, and
/// what is done to images in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Own {
    pub(crate) net: NetConfig,
    pub(crate) input: Input,
    pub(crate) transform: Transform,
}

/// The key of [`Own`] in the header of a file of weights, as JSON.
pub(crate) const OWN: &str = "tutor";

/// Opens weights: a file, or a name that `tutor weights` knows. `net` is the net's name in timm,
/// where the file does not say it. The classes are `names`, where they are given, else those that
/// the file or the configuration beside it names, else the folders of `samples` in their order,
/// which then must be as many as the net tells apart, else numbers. Folders that are called by
/// WordNet's numbers, as those of ImageNet, are taken in their order also where its 1,000 classes
/// are called otherwise.
pub(crate) fn open(
    net: Option<&str>,
    asked: &str,
    names: Option<&[String]>,
    samples: Option<&Path>,
    device: Device,
) -> Result<TrainedModel> {
    let given = find(asked, &Places::of_user())?.open()?;
    given.applied.iter().for_each(|said| note(&format!("{asked}: {said}")));
    let own: Option<Own> = match given.meta.get(OWN) {
        Some(text) if net.is_none() => Some(serde_json::from_str(text).with_context(|| {
            format!("{}: its `{OWN}` is of another version", given.source.display())
        })?),
        _ => None,
    };
    if let Some(Own { net, input, transform }) = own {
        ensure!(
            names.is_none_or(|names| names == input.classes),
            "{asked} names its classes itself, and others than --classes: leave --classes out"
        );
        let model = net.build(device, input.channels as i64, input.classes.len() as i64);
        published::load(&model.params, &given, Head::Keep)?;
        let (name, file) = (asked.to_owned(), given.source);
        return Ok(TrainedModel::new(
            Parts { name, net, model, input, transform, file },
            device,
            BATCH,
        ));
    }
    let net = named(net, &given)?;
    let told_apart = head(&net, &given)?;
    let model = net.build(device, CHANNELS, told_apart as i64);
    let loaded = published::load(&model.params, &given, Head::Keep)?;
    // What the reading of the file did is told already.
    let rest = loaded.applied.iter().skip(given.applied.len());
    rest.for_each(|said| note(&format!("{asked}: {said}")));
    let classes = match names.map(<[String]>::to_vec).or(loaded.classes) {
        Some(classes) if names.is_some() => {
            ensure!(
                classes.len() == told_apart,
                "--classes names {} classes, and {asked} tells {told_apart} apart: a line for each, \
                 in the order of the outputs",
                classes.len()
            );
            classes
        }
        Some(classes) => {
            ensure!(
                classes.len() == told_apart,
                "{} (or config.json beside it) names {} classes, and its net tells {told_apart} \
                 apart: mend the names",
                given.source.display(),
                classes.len()
            );
            match samples.and_then(|samples| numbered_by_wordnet(samples, &classes)) {
                Some(folders) => {
                    note_order(&folders);
                    folders
                }
                None => classes,
            }
        }
        None => match samples {
            Some(samples) => folders(samples, told_apart, &given)?,
            None => (0..told_apart).map(|class| class.to_string()).collect(),
        },
    };
    let preprocess = loaded.preprocess.unwrap_or_else(|| {
        let usual = usual(&net);
        let Preprocess { size, crop, .. } = &usual;
        note(&format!(
            "{} does not say what its net is shown: squares of {size} pixels, {crop} of the shorter \
             side, normalised as ImageNet",
            given.source.display()
        ));
        usual
    });
    ensure!(
        preprocess.mean.len() == CHANNELS as usize,
        "{}: its net takes {} channels, and images have 3",
        given.source.display(),
        preprocess.mean.len()
    );
    let input = Input {
        classes,
        channels: CHANNELS as usize,
        size: None,
        normalization: Normalization { mean: preprocess.mean.clone(), std: preprocess.std.clone() },
        orient: true,
        depth: Depth::default(),
        max_pixels: Decode::default().max_pixels,
    };
    let (name, transform, file) =
        (asked.to_owned(), Transform::Published(preprocess), given.source);
    Ok(TrainedModel::new(Parts { name, net, model, input, transform, file }, device, BATCH))
}

const CHANNELS: i64 = 3;

/// Images at once.
const BATCH: usize = 64;

fn named(net: Option<&str>, given: &StateDict) -> Result<NetConfig> {
    let said = given.meta.get(meta::ARCHITECTURE).map(String::as_str);
    let Some(name) = net.or(said) else {
        bail!(
            "{} does not say which net it is of: name that by --net, as in timm \
             (tf_efficientnet_lite0, resnet50)",
            given.source.display()
        );
    };
    let by_name = by_name(name)?;
    let net = by_name.clone().in_form_of(given);
    if let NetConfig::EfficientNet(EfficientNetConfig { symmetric_padding, bn_eps, .. }) = &net
        && net != by_name
    {
        note(&format!(
            "{}: its net, unlike {name}, has symmetric_padding = {symmetric_padding} and bn_eps = \
             {bn_eps:?}",
            given.source.display()
        ));
    }
    Ok(net)
}

/// The net that timm or torchvision call so.
pub(crate) fn by_name(name: &str) -> Result<NetConfig> {
    NetConfig::by_name(name).with_context(|| {
        format!("there is no net {name} here; by name there are {}", NetConfig::NAMES)
    })
}

/// How many classes the head of a file tells apart.
fn head(net: &NetConfig, given: &StateDict) -> Result<usize> {
    let probe: Model = net.build(Device::Cpu, CHANNELS, 1);
    let Some(replaced) = published::load(&probe.params, given, Head::Replace)?.replaced_head else {
        return Ok(1);
    };
    match replaced.found.as_deref() {
        Some([classes, _]) => Ok(*classes as usize),
        _ => bail!(
            "{} has no head that tells classes apart: `tutor fit --weights` trains one",
            given.source.display()
        ),
    }
}

/// The class folders (or the classes of a table), as many as there must be.
fn folders(samples: &Path, told_apart: usize, given: &StateDict) -> Result<Vec<String>> {
    let options = FolderOptions { on_bad: OnBad::Skip, ..FolderOptions::default() };
    let classes = FolderSet::open(samples, &options)?.classes().to_vec();
    ensure!(
        classes.len() == told_apart,
        "{} tells {told_apart} classes apart and does not name them; {} has {} classes with images. \
         Without names they must be the same ones in the same order: name the classes by --classes \
         FILE (a line for each, in the order of the outputs), or give a folder with images for \
         each class",
        given.source.display(),
        samples.display(),
        classes.len()
    );
    note_order(&classes);
    Ok(classes)
}

fn note_order(folders: &[String]) {
    let names: Vec<&str> = folders.iter().map(String::as_str).collect();
    note(&format!("classes taken from the folders in this order: {}", listed(&names)));
}

/// How many classes ImageNet has.
const IMAGENET: usize = 1000;

/// The sub-folders of a folder, sorted, if both they and the classes are ImageNet's by their
/// number, the folders are called as there, `n01440764`, by which its classes are sorted, and no
/// class is called as a folder.
fn numbered_by_wordnet(samples: &Path, classes: &[String]) -> Option<Vec<String>> {
    if classes.len() != IMAGENET {
        return None;
    }
    let entries = fs::read_dir(samples).ok()?.filter_map(Result::ok);
    let is_hidden = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    let folders = entries.filter(|entry| entry.path().is_dir() && !is_hidden(entry));
    let mut names: Vec<String> =
        folders.map(|folder| folder.file_name().into_string().ok()).collect::<Option<_>>()?;
    names.sort();
    let is_number = |name: &String| {
        let digits = name.strip_prefix('n');
        digits.is_some_and(|n| n.len() == 8 && n.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let are_folders = names.len() == IMAGENET && names.iter().all(is_number);
    let is_shared = classes.iter().any(|class| names.binary_search(class).is_ok());
    (are_folders && !is_shared).then_some(names)
}

/// What nets for ImageNet are shown where nothing else is known: timm's defaults.
fn usual(net: &NetConfig) -> Preprocess {
    let size = match net {
        NetConfig::EfficientNet(config) => config.variant.resolution() as u32,
        _ => 224,
    };
    Preprocess {
        size,
        crop: 0.875,
        squash: false,
        interpolation: Interpolation::Bicubic,
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_wordnet_stand_for_the_thousand_classes_of_imagenet_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let folders: Vec<String> =
            (0..IMAGENET).map(|i| format!("n{:08}", 1_440_764 + i)).collect();
        for folder in &folders {
            fs::create_dir(dir.path().join(folder)).expect("made");
        }
        let words: Vec<String> = (0..IMAGENET).map(|i| format!("word {i}")).collect();
        assert_eq!(numbered_by_wordnet(dir.path(), &words), Some(folders.clone()));
        // The file has these names itself, in another order.
        let turned: Vec<String> = folders.iter().rev().cloned().collect();
        assert_eq!(numbered_by_wordnet(dir.path(), &turned), None);
        // Fewer classes are not ImageNet's, whatever the folders are called.
        assert_eq!(numbered_by_wordnet(dir.path(), &words[..10]), None);
        for folder in &folders[10..] {
            fs::remove_dir(dir.path().join(folder)).expect("removed");
        }
        assert_eq!(numbered_by_wordnet(dir.path(), &words[..10]), None);
        assert_eq!(numbered_by_wordnet(dir.path(), &words), None);
    }
}
