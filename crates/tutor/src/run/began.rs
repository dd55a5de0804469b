//! What a run began with: data and weights of which others would make its later seeds another
//! experiment than its earlier ones.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use anyhow::{Result, ensure};
use data_pipeline::digest::Digest;
use weights::StateDict;

use super::{agreement, files, processes};

/// The file in a run's folder, unless a kind of runs has one of another name.
pub(crate) const FILE: &str = "began.json";

/// That of runs on folders of images.
pub(crate) const IMAGES: &str = "images.json";

/// That of runs on files of texts, and of the weights they start from.
pub(crate) const TEXTS: &str = "texts.json";

/// That which says what paraphrases a run draws from.
pub(crate) const PARAPHRASES: &str = "paraphrases.json";

/// Digests of what a run depends on.
#[derive(Default)]
pub(crate) struct Began(BTreeMap<String, (String, Digest)>);

impl Began {
    /// Adds something under a key of its own; `words` are what it is called, in the plural:
    /// `training examples`.
    pub(crate) fn add(&mut self, key: impl Into<String>, words: impl Into<String>, digest: Digest) {
        self.0.insert(key.into(), (words.into(), digest));
    }

    /// Adds samples, sentences or the like, one by one; as [`add`](Self::add).
    pub(crate) fn add_each<T: Debug>(
        &mut self,
        key: impl Into<String>,
        words: impl Into<String>,
        all: impl IntoIterator<Item = T>,
    ) {
        let lines = all.into_iter().map(|one| format!("{one:?}"));
        self.add(key, words, Digest::of_lines(lines));
    }

    /// Fails in all of several processes that run together unless all have the same. What is kept
    /// is looked at so anyway; this is for before something is trained that comes first.
    pub(crate) fn agree(&self) -> Result<()> {
        let mut found = BTreeMap::<String, String>::new();
        for (words, digest) in self.0.values() {
            // Two may be called the same.
            let digests = found.entry(words.clone()).or_default();
            *digests = format!("{digests} {digest}").trim_start().to_owned();
        }
        agreement::on_data(&found)
    }

    /// Adds the tensors of a network under the key `weights`, and a line each of what else says
    /// which one it is; `words` as in [`add`](Self::add).
    pub(crate) fn add_weights(
        &mut self,
        words: &str,
        weights: &StateDict,
        beside: impl IntoIterator<Item = String>,
    ) {
        let tensors = weights.tensors.iter().map(|(name, tensor)| {
            format!("{name} {:?} {}", tensor.shape(), Digest::of(tensor.bytes()))
        });
        self.add("weights", words, Digest::of_lines(tensors.chain(beside)));
    }

    /// Keeps the digests in a file of a run's folder. What the file has already must be the same;
    /// what it lacks is added, so that a run that an earlier version began without it goes on with
    /// what is there now.
    ///
    /// Fails if something is no longer what it was, and in all of several processes if they have
    /// not all the same.
    pub(crate) fn keep(&self, dir: &Path, file: &str) -> Result<()> {
        self.agree()?;
        let file = dir.join(file);
        let before: Option<BTreeMap<String, String>> =
            processes::from_first(|| files::found_before(&file))?;
        let mut known = before.unwrap_or_default();
        for (key, (words, digest)) in &self.0 {
            let now = digest.to_string();
            let old = known.insert(key.clone(), now.clone());
            ensure!(
                old.is_none_or(|old| old == now),
                "the {words} are no longer those with which {} began, or were read by an earlier \
                 version: bring the old ones back, or begin anew with --fresh",
                dir.display()
            );
        }
        match known.is_empty() {
            true => Ok(()),
            false => files::keep(&file, &known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_with_what_it_began_with_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let keep = |all: &[(&str, &str)]| {
            let mut began = Began::default();
            for (key, content) in all {
                began.add(*key, format!("{key} texts"), Digest::of(content.as_bytes()));
            }
            began.keep(dir.path(), FILE)
        };
        keep(&[]).expect("nothing");
        assert!(!dir.path().join(FILE).exists());
        keep(&[("test", "a")]).expect("a beginning");
        // As a version that knows of less has kept it.
        keep(&[("test", "a"), ("weights", "b")]).expect("the same, and more");
        let error = keep(&[("test", "a"), ("weights", "c")]).expect_err("others").to_string();
        assert!(error.contains("the weights texts are no longer those"), "{error}");
        assert!(error.contains("--fresh"), "{error}");
        keep(&[("weights", "b")]).expect("the first ones");
        assert!(keep(&[("test", "b")]).is_err());
    }
}
