//! What `tutor fit` chooses: a recipe from a look at the data and the machine, with its reasons.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, OnBad, Summary};
use data_pipeline::picture::Depth;
use metrics::words::counted;
use torch::Device;
use torch::precision::Precision;
use vision_models::NetConfig;
use vision_models::published::{self, Head};
use weights::StateDict;
use weights::find::{Places, find};
use weights::meta;

use super::look::{alone_line, data_line, unlisted_line};
use crate::images::checkpoint::by_name;
use crate::images::folder::{refuse_inside, refuse_same_path};
use crate::recipe::class_names::{absent, doubtful, refuse_missing};
use crate::recipe::own_name::own_name;
use crate::recipe::paths::{from_anywhere, utf8};

/// What a user gives.
pub(crate) struct Given {
    pub(crate) labeled: PathBuf,
    pub(crate) labels: Option<PathBuf>,
    /// Labels that stand for none.
    pub(crate) no_label: Vec<String>,
    /// Labels that are classes although they read as if they stood for none.
    pub(crate) class: Vec<String>,
    pub(crate) unlabeled: Option<PathBuf>,
    pub(crate) validation: Option<PathBuf>,
    pub(crate) test: Option<PathBuf>,
    /// Published weights; the catalog's where none are named and these are there.
    pub(crate) weights: Option<String>,
    /// The net of the weights, where these do not say it.
    pub(crate) net: Option<String>,
    /// Side of the pictures as the net sees them.
    pub(crate) size: Option<u32>,
    pub(crate) minutes: f64,
    /// MiB of decoded pictures that are kept.
    pub(crate) memory: u64,
    pub(crate) allow_duplicates: bool,
    pub(crate) device: Device,
    /// Whether nothing is run afterwards: what the run would find is told here.
    pub(crate) looks_only: bool,
}

/// A recipe and why it is so.
pub(crate) struct Proposal {
    /// The recipe, with comments.
    pub(crate) recipe: String,
    /// What will be done, and why.
    pub(crate) lines: Vec<String>,
    /// Weights that would help and are not there.
    pub(crate) offer: Option<String>,
}

/// The weights that are used where none are named.
const DEFAULT_WEIGHTS: &str = "efficientnet-lite0";

/// Where a net starts.
struct Start {
    weights: Option<String>,
    net: NetConfig,
    words: String,
}

/// Looks at the data and chooses.
pub(crate) fn plan(given: &Given) -> Result<Proposal> {
    ensure!(
        given.minutes.is_finite() && given.minutes > 0.0,
        "--minutes {}: must be above 0",
        given.minutes
    );
    refuse_same_path([
        ("--labeled", given.labels.as_ref().or(Some(&given.labeled))),
        ("--unlabeled", given.unlabeled.as_ref()),
        ("--validation", given.validation.as_ref()),
        ("--test", given.test.as_ref()),
    ])?;
    let options = FolderOptions {
        on_bad: OnBad::Skip,
        labels: given.labels.clone(),
        unlisted: given.unlabeled.is_none(),
        exclude: given.validation.iter().chain(&given.test).cloned().collect(),
        no_label: given.no_label.clone(),
        ..FolderOptions::default()
    };
    let set = FolderSet::open(&given.labeled, &options)?;
    refuse_inside(
        ("--labeled", &given.labeled, &set),
        [
            ("--unlabeled", given.unlabeled.as_ref()),
            ("--validation", given.validation.as_ref()),
            ("--test", given.test.as_ref()),
        ],
    )?;
    let labeled = Summary::of(&set);
    let counts = labeled.classes.iter().map(|(name, count)| (name.as_str(), *count as u64));
    let counts: Vec<(&str, u64)> = counts.collect();
    refuse_missing(&counts, &given.class)
        .with_context(|| given.labels.as_ref().unwrap_or(&given.labeled).display().to_string())?;
    let part = |path: &Option<PathBuf>, classes: Option<Vec<String>>| {
        let root = given.labels.is_some().then(|| given.labeled.clone());
        let (labeled, on_bad) = (classes.is_some(), OnBad::Skip);
        let no_label = given.no_label.clone();
        let options =
            FolderOptions { labeled, classes, root, on_bad, no_label, ..Default::default() };
        let look = |path: &PathBuf| anyhow::Ok(Summary::of(&FolderSet::open(path, &options)?));
        path.as_ref().map(look).transpose()
    };
    let unlabeled = part(&given.unlabeled, None)?;
    let classes: Vec<String> = labeled.classes.iter().map(|(name, _)| name.clone()).collect();
    let measured = |path| part(path, Some(classes.clone()));
    let (validation, test) = (measured(&given.validation)?, measured(&given.test)?);
    let labels = labeled.count - labeled.unlabeled;
    let unlabeled_count = labeled.unlabeled + unlabeled.as_ref().map_or(0, |look| look.count);

    let start = start(given)?;
    if let (Some(weights), true) = (&start.weights, given.looks_only) {
        let net = start.net.build(Device::Cpu, 3, classes.len().max(2) as i64);
        published::load(&net.params, &find(weights, &Places::of_user())?.open()?, Head::Replace)?;
    }
    let largest = labeled.width.median.min(labeled.height.median);
    let size = given.size.unwrap_or_else(|| size(largest, start.weights.is_some(), given.device));
    let freeze = freeze(largest, &start);
    let kept = match freeze {
        0 => String::new(),
        stages => {
            format!(
                "; its first {stages} stages stay as published, since the pictures are small, and \
                 are run once on some views of each"
            )
        }
    };
    let precision = Precision::fastest(given.device);
    // All of 16 bits are what is taken without a word.
    let parts = [Some(&labeled), unlabeled.as_ref(), validation.as_ref(), test.as_ref()];
    let used = parts.into_iter().flatten().filter_map(|look| look.used_bits).max();
    let bits = if let Depth::Bits(bits) = Depth::of_used(used) { Some(bits) } else { None };
    let method = match unlabeled_count {
        0 => None,
        _ => Some("fixmatch"),
    };
    let mut lines = vec![
        data_line(
            &labeled,
            labels,
            unlabeled_count,
            &[("validation", &validation), ("test", &test)],
        ),
        format!("start: {}, pictures shown at {size}x{size}{kept}", start.words),
        match method {
            Some(method) => format!(
                "methods: the labels alone and {method}, which learns from the unlabelled pictures \
                 too, from the same net and for the same time (at most {STEPS} steps); tried on \
                 held-out labels first where the time allows it"
            ),
            None => "methods: the labels alone, since there are no unlabelled pictures".to_owned(),
        },
        match (&test, &validation) {
            (Some(test), _) => {
                format!("measured on the {} test pictures, once, at the end", test.count)
            }
            (None, Some(_)) => {
                "measured on the validation pictures; name --test for a measure that no \
                                choice was made on"
                    .to_owned()
            }
            (None, None) if labeled.classes.iter().all(|class| class.1 < 2) => {
                "measured on nothing: there is no --test, and no class has a second labelled picture \
                             to hold out"
                    .to_owned()
            }
            (None, None) => {
                "measured on labelled pictures that are held out in turn, since there is \
                             no --test"
                    .to_owned()
            }
        },
        format!(
            "time: {} on {}, {}",
            counted(given.minutes, "minute"),
            torch::device::describe(given.device),
            match precision {
                Precision::Float32 => "in float32",
                Precision::Bfloat16 if given.device == Device::Cpu => "in bfloat16, which is faster there",
                Precision::Bfloat16 => "in bfloat16",
            }
        ),
    ];
    let looks = [
        ("labelled", Some(&labeled)),
        ("unlabelled", unlabeled.as_ref()),
        ("validation", validation.as_ref()),
        ("test", test.as_ref()),
    ];
    if let Some(bits) = bits {
        lines.push(format!(
            "depth: pictures of more than 8 bits use {bits} of them, and the upper 8 of these are \
             taken (depth in the recipe)"
        ));
    }
    if given.unlabeled.is_none() {
        lines.extend(unlisted_line((&given.labeled, given.labels.as_deref()), &labeled));
    }
    lines.extend(alone_line(&labeled));
    if given.looks_only {
        lines.extend(doubtful(&counts, &given.class));
        lines.extend(absent(&counts, &given.class));
    }
    for (name, look) in looks.into_iter().filter_map(|(name, look)| Some((name, look?))) {
        if !given.looks_only {
            break;
        }
        lines.extend(look.left_out.iter().map(|left_out| format!("{name} pictures: {left_out}")));
        lines.extend(look.notes.iter().map(|note| format!("{name} pictures: {note}")));
    }
    let offer = (start.weights.is_none() && given.weights.is_none()).then(|| {
        format!(
            "published weights would help: `tutor weights fetch {DEFAULT_WEIGHTS}` gets them once"
        )
    });
    let recipe = recipe(
        given,
        &start,
        (size, freeze, precision, bits),
        labels,
        labeled.classes.len(),
        method,
        test.is_some(),
    )?;
    Ok(Proposal { recipe, lines, offer })
}

/// The weights that are asked for, or those of the catalog if they are there.
fn start(given: &Given) -> Result<Start> {
    let places = Places::of_user();
    let asked = match &given.weights {
        Some(asked) => Some(asked.clone()),
        None => {
            let there =
                find(DEFAULT_WEIGHTS, &places).ok().map(|found| found.open()).transpose()?;
            // A net that they are not of starts at random.
            let fits = |opened: &StateDict| match &given.net {
                Some(net) => anyhow::Ok(is_of(opened, net)? != Some(false)),
                None => Ok(true),
            };
            let fits = there.as_ref().map(fits).transpose()?.unwrap_or(false);
            fits.then(|| DEFAULT_WEIGHTS.to_owned())
        }
    };
    let Some(asked) = asked else {
        let net = match &given.net {
            Some(name) => {
                let mut net = named(name)?;
                if let NetConfig::EfficientNet(config) = &mut net {
                    // No weights ask for another form than TensorFlow's.
                    (config.symmetric_padding, config.bn_eps) = (false, 1e-3);
                }
                net
            }
            None => toml::from_str("kind = 'wide-resnet'\ndepth = 16\nwidth = 2")?,
        };
        return Ok(Start { weights: None, net, words: "a net that starts at random".to_owned() });
    };
    let opened = find(&asked, &places)?.open()?;
    let said = opened.meta.get(meta::ARCHITECTURE);
    if let (Some(net), Some(said)) = (&given.net, said)
        && is_of(&opened, net)? == Some(false)
    {
        bail!("{asked} is of {said}, and --net says {net}: leave --net out, or name other weights");
    }
    let name = match (&given.net, said) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) => name.clone(),
        (None, None) => {
            let stem = Path::new(&asked).file_stem().and_then(|stem| stem.to_str());
            stem.unwrap_or(&asked).to_owned()
        }
    };
    let net = match (&given.net, said) {
        (None, None) if NetConfig::by_name(&name).is_none() => {
            bail!(
                "{asked} does not say which net it is of: name it by --net, one of {}",
                NetConfig::NAMES
            )
        }
        _ => named(&name)?.in_form_of(&opened),
    };
    let dataset = opened.meta.get(meta::DATASET).map_or(String::new(), |set| format!(" of {set}"));
    let weights = from_anywhere(&asked)?;
    let words = format!("{name} with the published weights {asked}{dataset}");
    Ok(Start { weights: Some(weights), net, words })
}

/// Whether weights are of the net of this name, where they say whose they are.
fn is_of(opened: &StateDict, net: &str) -> Result<Option<bool>> {
    let said = opened.meta.get(meta::ARCHITECTURE).and_then(|said| NetConfig::by_name(said));
    let net = by_name(net)?.in_form_of(opened);
    Ok(said.map(|said| said.in_form_of(opened) == net))
}

fn named(name: &str) -> Result<NetConfig> {
    let mut net = by_name(name)?;
    if let NetConfig::EfficientNet(config) = &mut net {
        // A short training has no use for it.
        config.stochastic_depth = 0.0;
    }
    Ok(net)
}

/// The most steps of a training. Few enough that small folders on a fast GPU do not train for
/// nothing, and more than the minutes allow on a CPU, where all trainings then take the same time.
const STEPS: usize = 10_000;

/// Pictures of at most so many pixels are enlarged for published weights, and the net's first
/// stages stay as they are, so that steps are cheap (docs/results/own-images.md).
const SMALL: u32 = 48;

/// The share of the stages that then stay.
const FROZEN_SHARE: f64 = 0.56;

/// How many views are stored behind them.
const STORED_VIEWS: &str = "# How many views of each picture are made, at most, and run through these stages; trainings read
# them in turn.
stored_views = { labeled = 8, weak = 2, strong = 4 }
";

/// With fewer labels a class, those that spread to pictures near the labelled ones make a better
/// start (docs/results/own-images.md).
const FEW: usize = 3;
const SPREAD_LABELS: &str = "# Where that is better, fixmatch starts from a linear classifier that learns labels of unlabelled
# pictures too: those that spread to them from the nearest labelled ones.
spread_labels = { neighbours = 10, alpha = 0.9 }
";

/// How many stages of the net keep the published weights.
fn freeze(median: u32, start: &Start) -> usize {
    match start.weights {
        Some(_) if median <= SMALL => {
            (FROZEN_SHARE * start.net.outline(3, 2).stages() as f64) as usize
        }
        _ => 0,
    }
}

/// The side of the square that the net sees: on a CPU what the pictures have, between 96 and 128
/// pixels for published weights, between 32 and 64 for a net from nothing, whose every step must be
/// cheap.
fn size(median: u32, published: bool, device: Device) -> u32 {
    let rounded = ((median + 16) / 32 * 32).max(32);
    match (published, device) {
        (true, Device::Cpu) if median <= SMALL => 160,
        (true, Device::Cpu) => rounded.clamp(96, 128),
        (true, _) => rounded.clamp(128, 224),
        (false, Device::Cpu) => rounded.clamp(32, 64),
        (false, _) => rounded.clamp(32, 128),
    }
}

/// The recipe as text.
fn recipe(
    given: &Given,
    start: &Start,
    (size, freeze, precision, bits): (u32, usize, Precision, Option<u8>),
    labels: usize,
    classes: usize,
    method: Option<&str>,
    has_test: bool,
) -> Result<String> {
    let quoted = |text: String| toml::Value::String(text).to_string();
    let path = |path: &Path| {
        let path = std::path::absolute(path)?;
        anyhow::Ok(quoted(utf8(&path)?.to_owned()))
    };
    let mut parts = format!("labeled = {}\n", path(&given.labeled)?);
    for (key, value) in [
        ("labels", &given.labels),
        ("unlabeled", &given.unlabeled),
        ("validation", &given.validation),
        ("test", &given.test),
    ] {
        if let Some(value) = value {
            parts += &format!("{key} = {}\n", path(value)?);
        }
    }
    for (key, labels) in [("no_label", &given.no_label), ("class", &given.class)] {
        if !labels.is_empty() {
            parts += &format!("{key} = {}\n", toml::Value::try_from(labels)?);
        }
    }
    if let Some(bits) = bits {
        parts += &format!("depth = {{ bits = {bits} }}\n");
    }
    if given.allow_duplicates {
        parts += "allow_duplicates = true\n";
    }
    let weights = start
        .weights
        .clone()
        .map_or(String::new(), |weights| format!("weights = {}\n", quoted(weights)));
    let name = own_name(&given.labeled, "images");
    let minutes = given.minutes;
    let memory = given.memory;
    let net = toml::Value::try_from(&start.net)?;
    let precision = toml::Value::try_from(precision)?;
    let published = start.weights.is_some();
    // Fine-tuning takes small steps, and smaller ones where the first stages stay: the others must
    // go on fitting them. A net from nothing takes large ones (docs/results/own-images.md).
    let (lr, batch, ratio) = match (published, freeze) {
        (true, 0) => (0.001, 16, 2),
        (true, _) => (0.0003, 16, 2),
        (false, _) => (0.002, 32, 3),
    };
    let folds = if labels >= 40 * classes { 1 } else { 2 };
    // Steps behind stored views are short, so that a trial has enough of them in less time.
    let share = match (has_test, freeze) {
        (false, _) => 0.5,
        (true, 0) => 0.2,
        (true, _) => 0.1,
    };
    let stored = if freeze > 0 { STORED_VIEWS } else { "" };
    let spread = match labels < FEW * classes && published && method.is_some() {
        true => SPREAD_LABELS,
        false => "",
    };
    // FixMatch's own applies each operation to every other picture. Where the first stages stay,
    // all of them give half a point more (docs/results/own-images.md).
    let always = if freeze > 0 { ", probability = 1.0" } else { "" };
    let pad = size / 8;
    let cut = size / 2;
    let about = "A classifier of one's own pictures, by tutor fit";
    let candidates = match method {
        None => String::new(),
        Some(method) => format!(
            "\n[[candidates]]\nname = {}\n# Pseudo-labels from the weak view, by the running statistics; \
             aligned with the labels' shares of the classes.\nmethod = {{ kind = \"fixmatch\", threshold = 0.8, \
             weak_pass = \"{}\", alignment = {{ to = \"labels\", decay = 0.95 }} }}\n",
            quoted(method.to_owned()),
            if published { "apart" } else { "joint" },
        ),
    };
    Ok(format!(
        "# Written by tutor fit. Change what you like and run it again: tutor run THIS-FILE
kind = \"own-images\"
name = \"own-images/{name}\"
about = {about:?}
# Wall clock; trainings take as many steps as fit.
minutes = {minutes:?}
# What networks compute in while they are trained; \"float32\" is finer and slower.
precision = {precision}
{weights}net = {net}
# So many of its first stages stay as they are.
freeze = {freeze}
{stored}{spread}unlabeled_ratio = {ratio}
weak = [{{ kind = \"flip-crop\", pad = {pad} }}]
strong = [{{ kind = \"flip-crop\", pad = {pad} }}, {{ kind = \"randaugment\", variant = \"fixmatch\"{always} }}, {{ kind = \"cutout\", size = {cut} }}]
trial = {{ share = {share}, folds = {folds} }}
evaluate = {{ batch = 64 }}

[data]
kind = \"folder\"
{parts}# Width and height at which pictures are shown to the net.
size = [{size}, {size}]
# A validation part would take labels away from training; the trial holds some out instead.
validation_share = 0.0
on_bad = \"skip\"
# MiB of decoded pictures that are kept.
memory = {memory}

[train]
# At most; fewer where the minutes are short.
steps = {STEPS}
batch = {batch}
lr = {{ kind = \"half-cosine\", from = {lr}, to = 0.0, warmup = 10 }}
optim = {{ kind = \"adamw\", weight_decay = 0.01 }}
ema = {{ decay = 0.99, warmup = true }}
{candidates}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_shown_near_their_own_size() {
        assert_eq!(size(32, true, Device::Cpu), 160);
        assert_eq!(size(100, true, Device::Cpu), 96);
        assert_eq!(size(300, true, Device::Cpu), 128);
        assert_eq!(size(28, false, Device::Cpu), 32);
        assert_eq!(size(300, false, Device::Cpu), 64);
        assert_eq!(size(300, true, Device::Cuda(0)), 224);
    }
}
