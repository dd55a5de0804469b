//! Published tensors into a network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use torch::store::{self, LoadError, ShapeError};
use torch::{Params, Tensor, no_grad};
use weights::find::{Places, find};
use weights::{StateDict, TensorData};

use super::{HubConfig, HubError};

/// What our names begin with.
const PREFIX: &str = "transformer.";

/// A network that was read, not yet loaded.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// What it is.
    pub config: HubConfig,
    /// Its tensors under the names of the file.
    pub weights: StateDict,
}

impl Checkpoint {
    /// Reads a folder, a file of weights with `config.json` beside it, or what a name like
    /// `microsoft/DialoGPT-small` or `ORG/NAME@REVISION` stands for in the hub's cache. Nothing is
    /// downloaded.
    ///
    /// # Errors
    /// When there is nothing of the name, `config.json` is none of GPT-2, or the weights cannot be
    /// read.
    pub fn open(asked: &str, places: &Places) -> Result<Self, HubError> {
        let found = find(asked, places)?;
        Self::read(&found.path, found.part.as_deref())
    }

    fn read(path: &Path, part: Option<&str>) -> Result<Self, HubError> {
        let config = match path.is_dir() {
            true => path.join("config.json"),
            false => path.with_file_name("config.json"),
        };
        let config = HubConfig::read(&config)?;
        Ok(Self { config, weights: weights::open_part(path, part)? })
    }

    /// Loads all tensors into `params`, those of a [`Gpt2`](crate::Gpt2).
    ///
    /// # Errors
    /// When a tensor is missing, surplus or of another shape, the output table is not the table of
    /// tokens, or a tensor holds integers, NaN or infinities. The error names all tensors with both
    /// shapes. Nothing is changed then.
    pub fn load(&self, params: &Params) -> Result<(), HubError> {
        let given = self.renamed()?;
        let mut error = LoadError::default();
        let mut copies = Vec::new();
        for p in params.iter() {
            match given.get(&p.name) {
                None => error.missing.push(p.name.clone()),
                Some((_, found)) if shape(found) == p.tensor.size() => copies.push((p, *found)),
                Some((_, found)) => error.shapes.push(ShapeError {
                    name: p.name.clone(),
                    wanted: p.tensor.size(),
                    found: shape(found),
                }),
            }
        }
        let names: BTreeSet<&str> = params.names().collect();
        let surplus = given.iter().filter(|(name, _)| !names.contains(name.as_str()));
        error.surplus.extend(surplus.map(|(_, (own, _))| (*own).to_owned()));
        if error != LoadError::default() {
            return Err(HubError::Mismatch { path: self.weights.source.clone(), error });
        }
        let mut values = Vec::new();
        for (p, found) in copies {
            values.push((&p.tensor, self.value(&p.name, found)?));
        }
        no_grad(|| {
            for (to, value) in values {
                to.shallow_clone().copy_(&value);
            }
        });
        Ok(())
    }

    /// A tensor's numbers.
    fn value(&self, name: &str, data: &TensorData) -> Result<Tensor, HubError> {
        let path = self.weights.source.clone();
        let fault = |fault| HubError::Values { path, name: name.to_owned(), fault };
        if !data.dtype().is_float() {
            return Err(fault("holds integers: quantised weights are not read here"));
        }
        let tensor = store::tensor(data).expect("floating-point numbers");
        if tensor.numel() > 0 && tensor.isfinite().all().int64_value(&[]) == 0 {
            return Err(fault("holds NaN or infinities: the training that wrote it had failed"));
        }
        Ok(tensor)
    }

    /// The tensors under this crate's names, with those of the file; causal masks and an output
    /// table that repeats the table of tokens are left away.
    fn renamed(&self) -> Result<BTreeMap<String, (&str, &TensorData)>, HubError> {
        let bare = !self.weights.tensors.keys().any(|name| name.starts_with(PREFIX));
        let mut all: BTreeMap<String, (&str, &TensorData)> = BTreeMap::new();
        for (name, tensor) in &self.weights.tensors {
            if name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") {
                continue;
            }
            let ours = match name.as_str() {
                // As the code that DialoGPT was trained by names it.
                "lm_head.decoder.weight" => "lm_head.weight".to_owned(),
                head if head.starts_with("lm_head.") => head.to_owned(),
                name if bare => format!("{PREFIX}{name}"),
                name => name.to_owned(),
            };
            if let Some((other, _)) = all.insert(ours, (name, tensor)) {
                let surplus = vec![format!("{name} beside {other}")];
                let error = LoadError { surplus, ..LoadError::default() };
                return Err(HubError::Mismatch { path: self.weights.source.clone(), error });
            }
        }
        let table = all.get("transformer.wte.weight").map(|(_, table)| *table);
        if let (Some(table), Some((_, head))) = (table, all.get("lm_head.weight"))
            && table == *head
        {
            all.remove("lm_head.weight");
        }
        Ok(all)
    }
}

fn shape(data: &TensorData) -> Vec<i64> {
    data.shape().iter().map(|&n| n as i64).collect()
}
