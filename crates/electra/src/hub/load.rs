//! Published tensors into a network.

use std::collections::BTreeSet;

use torch::hub::{self, HubError, Named, shape};
use torch::store::{LoadError, ShapeError};
use torch::{Params, Tensor};
use weights::StateDict;

use super::HubConfig;
use crate::{Encoder, Family};

/// What becomes of the tensors that stand on the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// The file must have those of the network and no others: it is used as it is.
    Keep,
    /// Those that the file lacks, or has in another shape, stay as they were started, and those
    /// that the network lacks are left out: it is trained further.
    Replace,
}

/// What was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Tensors that stayed as they were started, under our names.
    pub fresh: Vec<String>,
    /// Names in the file and not in the network, which were passed over: transformers' names.
    pub unexpected: Vec<String>,
}

/// A network that was read, not yet loaded.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// What it is.
    pub config: HubConfig,
    /// Its tensors under the names of the file, less what a program that had wrapped the network
    /// put before them.
    pub weights: StateDict,
}

/// Tensors that are copied, by the names of those that they are copied to.
type Copies<'t> = Vec<(&'t String, &'t Tensor)>;

impl Checkpoint {
    /// Loads all tensors into `params`, whose names are this crate's.
    ///
    /// # Errors
    /// When a tensor of the encoder is missing, unexpected or of another shape, or one holds
    /// integers, NaN or infinities; so too for the heads with [`Heads::Keep`]. The error names all
    /// tensors with both shapes, or the first of the file where it has none of the encoder. Nothing
    /// is changed then.
    pub fn load(&self, params: &Params, heads: Heads) -> Result<Loaded, HubError> {
        self.load_tensors(&params.tensors(), heads)
    }

    /// A checkpoint of tensors under transformers' names, such as those of
    /// [`Pretrainer::tower`](crate::pretrain::Pretrainer::tower).
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn load_tensors(
        &self,
        wanted: &[(String, Tensor)],
        heads: Heads,
    ) -> Result<Loaded, HubError> {
        let given = self.renamed()?;
        let (copies, loaded) = self.compared(&given, wanted, heads)?;
        hub::copy(&self.weights.source, &given, copies)?;
        Ok(loaded)
    }

    /// Checks that the file has the encoder that `config` describes, before any memory is taken for
    /// one.
    ///
    /// # Errors
    /// When a tensor of the encoder is missing, unexpected or of another shape: all of them; when
    /// one holds integers, NaN or infinities.
    pub fn fits(&self) -> Result<(), HubError> {
        let config = &self.config.encoder;
        let outline = Params::outline(|scope| {
            drop(Encoder::new(&mut scope.sub(config.family.prefix()), config));
        });
        let (given, wanted) = (self.renamed()?, outline.tensors());
        let (copies, _) = self.compared(&given, &wanted, Heads::Replace)?;
        hub::check_values(&self.weights.source, &given, copies.iter().map(|(name, _)| *name))
    }

    /// Which tensors are copied, and what is said of the others.
    fn compared<'t>(
        &self,
        given: &Named<'_>,
        wanted: &'t [(String, Tensor)],
        heads: Heads,
    ) -> Result<(Copies<'t>, Loaded), HubError> {
        let prefix = format!("{}.", self.config.encoder.family.prefix());
        // The pooler stands on the encoder, as heads do.
        let is_head = |name: &str| {
            let below = name.strip_prefix(&prefix);
            below.is_none_or(|below| below.starts_with("pooler."))
        };
        let mut loaded = Loaded::default();
        let mut error = LoadError::default();
        let mut copies = Vec::new();
        for (name, tensor) in wanted {
            let free = heads == Heads::Replace && is_head(name);
            match given.get(name) {
                Some((_, found)) if shape(found) == tensor.size() => copies.push((name, tensor)),
                _ if free => loaded.fresh.push(name.clone()),
                None => error.missing.push(name.clone()),
                Some((_, found)) => error.mismatched.push(ShapeError {
                    name: name.clone(),
                    wanted: tensor.size(),
                    found: shape(found),
                }),
            }
        }
        self.has_encoder(given, wanted.iter().map(|(name, _)| name).filter(|name| !is_head(name)))?;
        let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
        for (name, (own, _)) in given.iter().filter(|(name, _)| !names.contains(name.as_str())) {
            // What BERT was pre-trained with beside its masked language model is never wanted.
            let next = name.starts_with("cls.seq_relationship.");
            if is_head(name) && (heads == Heads::Replace || next) {
                loaded.unexpected.push((*own).to_owned());
            } else {
                error.unexpected.push((*own).to_owned());
            }
        }
        if error != LoadError::default() {
            return Err(HubError::Mismatch { path: self.weights.source.clone(), error });
        }
        Ok((copies, loaded))
    }

    /// Fails if none of the encoder's tensors is there: what the file has instead says more than
    /// what it lacks.
    fn has_encoder<'n>(
        &self,
        given: &Named<'_>,
        mut encoder: impl Iterator<Item = &'n String> + Clone,
    ) -> Result<(), HubError> {
        let is_there = encoder.clone().any(|name| given.contains_key(name));
        let Some(lacks) = encoder.next().filter(|_| !is_there) else { return Ok(()) };
        let own: Vec<&str> = self.weights.tensors.keys().take(3).map(String::as_str).collect();
        let fault = format!(
            "it has no tensor of the encoder, such as {lacks}, but {}: give them the names of \
             transformers, or name another file",
            match (own.len(), self.weights.tensors.len()) {
                (0, _) => "none at all".to_owned(),
                (named, all) if named < all =>
                    format!("{} and {} more", own.join(", "), all - named),
                _ => own.join(", "),
            }
        );
        Err(HubError::Config { path: self.weights.source.clone(), fault })
    }

    /// The tensors under this crate's names, with those of the file; buffers and output tables
    /// that repeat the table of tokens are left away.
    fn renamed(&self) -> Result<Named<'_>, HubError> {
        let family = self.config.encoder.family;
        let prefix = format!("{}.", family.prefix());
        let bare = !self.weights.tensors.keys().any(|name| name.starts_with(&prefix));
        let ours = |name: &str| {
            (!is_buffer(name)).then(|| our_name(name, bare.then_some(prefix.as_str())))
        };
        let mut all = hub::renamed(&self.weights, ours)?;
        let table = all.get(&format!("{prefix}embeddings.word_embeddings.weight"));
        let table = table.map(|(_, tensor)| (*tensor).clone());
        for (tied, of) in tied(family) {
            let Some((_, found)) = all.get(*tied) else { continue };
            let other = match of {
                Some(other) => all.get(*other).map(|(_, tensor)| *tensor),
                None => table.as_ref(),
            };
            if other.is_some_and(|other| other == *found) {
                all.remove(*tied);
            }
        }
        Ok(all)
    }
}

/// Tensors of a file that repeat another one: the table of tokens, or the one that is named.
fn tied(family: Family) -> &'static [(&'static str, Option<&'static str>)] {
    match family {
        Family::Electra => &[("generator_lm_head.weight", None)],
        Family::Bert => &[
            ("cls.predictions.decoder.weight", None),
            ("cls.predictions.decoder.bias", Some("cls.predictions.bias")),
        ],
    }
}

/// What older files keep beside a network's parameters.
fn is_buffer(name: &str) -> bool {
    ["embeddings.position_ids", "embeddings.token_type_ids"]
        .iter()
        .any(|buffer| name == *buffer || name.ends_with(&format!(".{buffer}")))
}

/// The name with `prefix` if it belongs to a bare encoder, and norms in PyTorch's spelling.
fn our_name(name: &str, prefix: Option<&str>) -> String {
    let spelt = match name.rsplit_once("LayerNorm.") {
        Some((before, "gamma")) => format!("{before}LayerNorm.weight"),
        Some((before, "beta")) => format!("{before}LayerNorm.bias"),
        _ => name.to_owned(),
    };
    let first = spelt.split('.').next().unwrap_or_default();
    match prefix {
        Some(prefix)
            if ["embeddings", "embeddings_project", "encoder", "pooler"].contains(&first) =>
        {
            format!("{prefix}{spelt}")
        }
        _ => spelt,
    }
}
