//! Texts that are in two parts of a run, of which one is measured on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::digest::Digest;
use data_pipeline::text::TextSet;

use super::recipe::DataConfig;

/// Fails if a part that is measured on is the file of another part that is learned from or chosen
/// by.
pub(super) fn refuse_same_file(config: &DataConfig) -> Result<()> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let is = |path: &Option<PathBuf>, other: &Path| {
        path.as_ref().is_some_and(|path| real(path) == real(other))
    };
    for (name, path) in [("validation", &config.validation), ("test", &config.test)] {
        ensure!(
            !is(path, &config.text),
            "the {name} part is the table of labelled texts itself ({}): name another one",
            config.text.display()
        );
        if let Some(unlabeled) = &config.unlabeled {
            ensure!(
                !is(path, unlabeled),
                "the {name} part is the file of unlabelled texts itself ({}), and what is measured \
                 on must not be learned from: name another one, or leave one of the two out",
                unlabeled.display()
            );
        }
    }
    if let Some(validation) = &config.validation {
        ensure!(
            !is(&config.test, validation),
            "the test part is the validation part itself ({}), on which the row is chosen: name \
             another one, or leave one of the two out",
            validation.display()
        );
    }
    Ok(())
}

/// How many texts or pairs of a set are among those of another part too, in words; none if none is.
pub(super) fn among((part, name): (&TextSet, &str), set: &TextSet, unit: &str) -> Option<String> {
    let shared = shared(part, set);
    let &(ours, other) = shared.first()?;
    Some(format!(
        "{} of the {} {unit} of {} are {name} {unit} too, such as {} and {}",
        shared.len(),
        set.len(),
        set.name(),
        set.id(ours),
        part.id(other)
    ))
}

/// An error about texts that are in two parts, if there are any.
pub(super) fn refuse_shared(told: Option<String>) -> Result<()> {
    match told {
        None => Ok(()),
        Some(told) => bail!(
            "{told}: take them out of one of the two, or go on with --allow-duplicates \
             (allow_duplicates = true)"
        ),
    }
}

/// The texts or pairs of a set that are in another part too but for white space, and which they are
/// there, by position.
pub(super) fn shared(part: &TextSet, set: &TextSet) -> Vec<(usize, usize)> {
    let known: HashMap<Digest, usize> =
        part.word_digests().into_iter().enumerate().map(|(i, digest)| (digest, i)).collect();
    let found = set.word_digests().into_iter().enumerate();
    found.filter_map(|(i, digest)| Some((i, *known.get(&digest)?))).collect()
}
