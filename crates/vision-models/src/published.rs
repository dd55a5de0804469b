//! Published weights for the nets of this crate: of other code bases, with other names, in training
//! checkpoints, and with another head than is wanted.
//!
//! | net | names that are known |
//! |---|---|
//! | EfficientNet | timm, lukemelas/EfficientNet-PyTorch (lite too), torchvision, transformers |
//! | ResNet, ResNeXt | timm and torchvision, transformers, their children in a `Sequential` |
//! | ViT | timm, facebookresearch/dinov2, transformers (ViT, DINOv2, with registers too) |
//! | others | their own, which those code bases have whose form they take |
//!
//! The head may have one of the usual names (`fc`, `classifier`, `head`, …) in all of them.
//!
//! ```
//! use torch::Device;
//! use vision_models::published::{Head, load};
//! use vision_models::{NetConfig, ResNetConfig};
//! use weights::{StateDict, TensorData};
//!
//! let small = NetConfig::ResNet(ResNetConfig { layers: [1; 4], stem: 8, ..Default::default() });
//! // A checkpoint of 10 classes, as `DataParallel` writes it, for a net of 3 classes.
//! let published = small.outline(3, 10);
//! let tensors = published.iter().map(|p| {
//!     let shape: Vec<usize> = p.tensor.size().iter().map(|&n| n as usize).collect();
//!     let values = vec![0.5; shape.iter().product()];
//!     (format!("module.{}", p.name), TensorData::from_f32(shape, &values))
//! });
//! let given = StateDict { tensors: tensors.collect(), ..StateDict::default() };
//! let model = small.build(Device::Cpu, 3, 3);
//! let loaded = load(&model.params, &given, Head::Replace)?;
//! assert_eq!(loaded.applied[0], "prefix module. removed");
//! assert_eq!(loaded.replaced_head.expect("of another size").found, Some(vec![10, 256]));
//! assert_eq!(model.params.get("bn1.weight").expect("it").double_value(&[0]), 0.5);
//! # Ok::<(), vision_models::published::PublishedError>(())
//! ```

mod efficientnet;
mod resnet;
mod vit;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use torch::store::{self, LoadError, ShapeError};
use torch::{Params, Tensor};
use weights::matching::{self, Matched, Scheme, Target};
use weights::meta::{self, Meta};
use weights::{Preprocess, StateDict, TensorData};

use crate::NetConfig;
use efficientnet::{Blocks, Form};

/// What becomes of the head, the last linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The file must have it, in its size: the net is used as it is. Whatever the file has besides
    /// is an error.
    Keep,
    /// Where the file has none, or one of another size, it stays as it was started: the net is
    /// trained further. Layers that the file has besides the net, as projections of self-supervised
    /// training, are left out.
    Replace,
}

/// A head that stayed as it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedHead {
    /// Its name, as `classifier`.
    pub name: String,
    /// The shape of its kernel in the file, `[classes, features]`; `None` where there is none.
    pub found: Option<Vec<i64>>,
    /// The shape that the net has.
    pub wanted: Vec<i64>,
}

/// What was loaded, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Whose names the tensors had.
    pub scheme: String,
    /// The head that stayed as it was, if it did.
    pub replaced_head: Option<ReplacedHead>,
    /// Names in the file and not in the network, which were passed over.
    pub unexpected: Vec<String>,
    /// All that was done, in words, the file's own reading included.
    pub applied: Vec<String>,
    /// What an image needs, where it is known.
    pub preprocess: Option<Preprocess>,
    /// The names of the classes, where they are known.
    pub classes: Option<Vec<String>>,
}

/// Why published weights were not loaded; nothing is changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishedError {
    /// Tensors that are missing, unexpected or of another shape: all of them.
    #[error("{}: {error}{hint}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Every difference: missing and mismatched tensors under our names, unexpected ones under
        /// those of the file.
        error: LoadError,
        /// What the file says it is, and how its names were read.
        hint: String,
    },
    /// A tensor whose numbers no net can have.
    #[error("{}: {fault}", path.display())]
    Values {
        /// The file.
        path: PathBuf,
        /// Which, and what is wrong.
        fault: String,
    },
}

/// The names that heads have.
const HEADS: [&str; 3] = ["classifier", "fc", "head"];

/// What code bases keep in a state dictionary beside a net's tensors.
fn ignored(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    // A counter of batch norm; thop's counts; SWA's count; DINOv2's token for masked training.
    matches!(
        last,
        "num_batches_tracked" | "total_ops" | "total_params" | "n_averaged" | "mask_token"
    )
}

/// Loads published weights into a net, before further heads are added to it. Names are translated,
/// prefixes of wrappers removed, and kinds of numbers converted.
///
/// # Errors
/// When a tensor is missing, unexpected or of another shape (the head aside, as `head` says), or
/// holds integers, NaN or infinities. Nothing is changed then.
pub fn load(params: &Params, given: &StateDict, head: Head) -> Result<Loaded, PublishedError> {
    let wanted: BTreeMap<&str, &Tensor> =
        params.iter().map(|p| (p.name.as_str(), &p.tensor)).collect();
    let own_head = HEADS.into_iter().find(|name| {
        wanted.get(format!("{name}.weight").as_str()).is_some_and(|kernel| kernel.dim() == 2)
    });
    let names: BTreeSet<&str> = wanted.keys().copied().collect();
    let schemes = schemes(&names, own_head);
    let mut matched = matching::best(given, &names, &schemes, ignored);
    let mut applied = given.applied.clone();
    applied.append(&mut matched.applied);
    vit::fit_positions(&mut matched.tensors, &wanted, &mut applied);

    let mut tensors = converted(given, &matched)?;
    let replaced_head = match (own_head, head) {
        (Some(name), Head::Replace) => replace_head(name, &wanted, &mut tensors),
        _ => None,
    };
    let unexpected = take_tolerated(&mut matched, own_head, head);
    let error = differences(params, &tensors, matched.unexpected.clone());
    if error != LoadError::default() {
        let hint = hint(given, &matched);
        return Err(PublishedError::Mismatch { path: given.source.clone(), error, hint });
    }
    params.load(&tensors).expect("every difference was found before");

    applied.extend(replaced_head.as_ref().map(|head| match &head.found {
        Some(found) => format!(
            "head {} of {} outputs replaced by a new one of {}",
            head.name, found[0], head.wanted[0]
        ),
        None => format!("no head in the file: a new one of {} outputs", head.wanted[0]),
    }));
    if !unexpected.is_empty() {
        applied.push(format!("{} tensors left out: {}", unexpected.len(), listed(&unexpected)));
    }
    let faulty = |fault| PublishedError::Values { path: given.source.clone(), fault };
    Ok(Loaded {
        scheme: matched.scheme,
        replaced_head,
        unexpected,
        applied,
        preprocess: meta::preprocess(&given.meta).map_err(faulty)?,
        classes: meta::classes(&given.meta).map_err(faulty)?,
    })
}

impl NetConfig {
    /// Writes into a header which network this is, as [`in_form_of`](Self::in_form_of) reads it:
    /// its [name in timm](Self::timm_name), if it has one, and an EfficientNet's padding and batch
    /// norm's eps where they are not those of that name.
    pub fn set_meta(&self, meta: &mut Meta) {
        let Some(name) = self.timm_name() else { return };
        if let Self::EfficientNet(config) = self {
            Form::set_meta(config, &name, meta);
        }
        meta.insert(meta::ARCHITECTURE.to_owned(), name);
    }

    /// The same in the form that these weights were trained in, where names of tensors or the
    /// header tell it: an EfficientNet with its padding and batch norm's eps (timm's
    /// `efficientnet_*` and torchvision's are padded on every side, the others as in TensorFlow), a
    /// vision transformer with positions for pictures of the size that the weights are for.
    pub fn in_form_of(mut self, given: &StateDict) -> Self {
        if let Self::EfficientNet(config) = &mut self
            && let Some(form) = Form::of_weights(given, config.variant)
        {
            form.put_on(config);
        }
        self.with_positions_of(given)
    }

    /// What must be known where this network is loaded with weights that were trained in another
    /// [form](Self::in_form_of), a sentence without a stop.
    pub fn caveat(&self, given: &StateDict) -> Option<String> {
        match self {
            Self::EfficientNet(config) => Form::of_weights(given, config.variant)?.caveat(config),
            _ => None,
        }
    }
}

/// Brings an EfficientNet's weights, of any names that are known, to timm's, for a net of this many
/// blocks in each stage.
///
/// # Errors
/// When a tensor has a name that is not known: all such are named.
pub fn to_timm(given: &StateDict, blocks: &[usize]) -> Result<StateDict, PublishedError> {
    let layout = Blocks::of_published(given.tensors.keys().map(String::as_str), blocks);
    let names = layout.names();
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let schemes = schemes(&names, Some("classifier"));
    let matched = matching::best(given, &names, &schemes, ignored);
    let missing = |name: &&str| !matched.tensors.contains_key(*name);
    let error = LoadError {
        missing: names.iter().copied().filter(missing).map(str::to_owned).collect(),
        unexpected: [matched.unexpected.clone(), matched.outside.clone()].concat(),
        mismatched: Vec::new(),
    };
    if error != LoadError::default() {
        let hint = hint(given, &matched);
        return Err(PublishedError::Mismatch { path: given.source.clone(), error, hint });
    }
    let mut applied = given.applied.clone();
    applied.extend(matched.applied);
    Ok(StateDict { tensors: matched.tensors, applied, ..given.clone() })
}

/// All schemes by which names may become those of `wanted`, our own first.
fn schemes<'a>(wanted: &BTreeSet<&'a str>, head: Option<&'static str>) -> Vec<Scheme<'a>> {
    let own = Scheme {
        name: "timm",
        translate: Box::new(move |name| Some(Target::whole(own_name(name, head)))),
    };
    let mut all = vec![own];
    all.extend(efficientnet::schemes(Blocks::of_ours(wanted)));
    all.extend(resnet::schemes());
    all.extend(vit::schemes());
    all
}

/// A name that only differs in that of the head.
fn own_name(name: &str, head: Option<&str>) -> String {
    if let (Some(head), Some((layer, last))) = (head, name.rsplit_once('.'))
        && matches!(layer, "classifier" | "fc" | "head" | "linear" | "last_linear" | "head.fc")
    {
        return format!("{head}.{last}");
    }
    name.to_owned()
}

/// The tensors as libtorch's, each of finite floating-point numbers.
fn converted(
    given: &StateDict,
    matched: &Matched,
) -> Result<BTreeMap<String, Tensor>, PublishedError> {
    let convert = |(name, data): (&String, &TensorData)| {
        let fault = |what: &str| PublishedError::Values {
            path: given.source.clone(),
            fault: format!("tensor {name} {what}"),
        };
        if !data.dtype().is_float() {
            return Err(fault("holds integers: quantised weights are not read here"));
        }
        let tensor = store::tensor(data).expect("floating-point numbers");
        if tensor.numel() > 0 && tensor.isfinite().all().int64_value(&[]) == 0 {
            return Err(fault("holds NaN or infinities: the training that wrote it had failed"));
        }
        if name.ends_with("running_var") && tensor.lt(0.0).any().int64_value(&[]) != 0 {
            return Err(fault(
                "holds variances below 0: the file is damaged or was averaged badly",
            ));
        }
        Ok((name.clone(), tensor))
    };
    matched.tensors.iter().map(convert).collect()
}

/// Puts the net's own head in place of one that does not fit.
fn replace_head(
    name: &str,
    wanted: &BTreeMap<&str, &Tensor>,
    tensors: &mut BTreeMap<String, Tensor>,
) -> Option<ReplacedHead> {
    let parts = ["weight", "bias"].map(|part| format!("{name}.{part}"));
    let parts: Vec<_> =
        parts.into_iter().filter(|part| wanted.contains_key(part.as_str())).collect();
    let fits = |part: &String| {
        tensors.get(part).is_some_and(|found| found.size() == wanted[part.as_str()].size())
    };
    if parts.iter().all(fits) {
        return None;
    }
    let kernel = &parts[0];
    let (found, size) = (tensors.get(kernel).map(Tensor::size), wanted[kernel.as_str()].size());
    for part in parts {
        let own = wanted[part.as_str()].detach().copy();
        tensors.insert(part, own);
    }
    Some(ReplacedHead { name: name.to_owned(), found, wanted: size })
}

/// Takes the unexpected names out of `matched` that may be passed over: what stands beside the
/// prefix, and, where the head may be replaced, layers that have nothing in common with the net.
fn take_tolerated(matched: &mut Matched, own_head: Option<&str>, head: Head) -> Vec<String> {
    let mut out = std::mem::take(&mut matched.outside);
    if head == Head::Replace {
        let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        // `layer3.22.…` belongs to a deeper net of the same kind; `projector.0.…` to none.
        let known: BTreeSet<String> = matched.used.iter().map(|name| first(name)).collect();
        let is_head = |name: &str| own_head.is_some() && HEADS.contains(&first(name).as_str());
        let (foreign, own): (Vec<_>, Vec<_>) = std::mem::take(&mut matched.unexpected)
            .into_iter()
            .partition(|name| !known.contains(&first(name)) || is_head(name));
        matched.unexpected = own;
        out.extend(foreign);
    }
    out
}

/// Every difference to what the net wants.
fn differences(
    params: &Params,
    tensors: &BTreeMap<String, Tensor>,
    unexpected: Vec<String>,
) -> LoadError {
    let mut error = LoadError { unexpected, ..LoadError::default() };
    for p in params.iter() {
        match tensors.get(&p.name) {
            None => error.missing.push(p.name.clone()),
            Some(found) if found.size() != p.tensor.size() => error.mismatched.push(ShapeError {
                name: p.name.clone(),
                wanted: p.tensor.size(),
                found: found.size(),
            }),
            Some(_) => {}
        }
    }
    error
}

/// What helps to see why names do not fit.
fn hint(given: &StateDict, matched: &Matched) -> String {
    let mut parts = Vec::new();
    if let Some(architecture) = given.meta.get(meta::ARCHITECTURE) {
        parts.push(format!("the file says that it is {architecture}"));
    }
    if matched.scheme != "timm" {
        parts.push(format!("its names were read as those of {}", matched.scheme));
    }
    if !matched.prefix.is_empty() {
        parts.push(format!("behind the prefix {}", matched.prefix));
    }
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

/// The first few names.
fn listed(names: &[String]) -> String {
    let first = names.iter().take(6).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 6 { format!("{first}, …") } else { first }
}
