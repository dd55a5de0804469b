//! What makes a score of images too good or too bad: images that the run has seen, and images that
//! have two labels.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;
use data_pipeline::dataset::fingerprint::{Contents, Fingerprint, duplicates};
use data_pipeline::digest::Digest;

use crate::images::folder;
use crate::run::experiment::Shown;
use crate::run::note::note;

/// Tells how many of the images a run has seen, where it is one that is scored, and how many have
/// the content of another one with another label. Images are equal here if their files are.
pub(super) fn tell(run: Option<&Path>, shown: &dyn Shown) -> Result<()> {
    // Their files are read for it.
    let Some(run) = run else { return Ok(()) };
    let Some(digests) = shown.digests() else { return Ok(()) };
    let (unit, count) = (shown.unit(), shown.len());
    let kept = folder::kept(run)?;
    for (part, words) in [
        ("labelled", "which it learned from or chose by"),
        ("unlabelled", "which it learned from without their labels"),
        ("validation", "by which it chose"),
    ] {
        let known: HashSet<&Digest> =
            kept.get(part).into_iter().flat_map(Fingerprint::contents).collect();
        let seen = digests.iter().filter(|digest| known.contains(digest)).count();
        if seen > 0 {
            let are = if seen == 1 { "is" } else { "are" };
            note(&format!(
                "{seen} of the {count} {unit} {are} among the {part} ones of this run, {words}: the \
                 score says little of new {unit}; name some that it has not seen"
            ));
        }
    }
    let contents = (0..count).zip(digests).filter_map(|(i, digest)| {
        let label = shown.truth(i)?;
        Some((shown.id(i), Some(label), digest))
    });
    let parts: [(&str, Contents); 1] = [("", contents.collect())];
    for same in duplicates(&parts).within.iter().filter(|same| same.conflicting > 0) {
        let have = if same.conflicting == 1 { "has" } else { "have" };
        let example =
            same.examples.first().map_or(String::new(), |(a, b)| format!(" ({b} is {a})"));
        note(&format!(
            "{} of the {count} {unit} {have} the content of another with another label{example}: one \
             of the two counts as wrong whatever is said; mend the labels, or remove them",
            same.conflicting
        ));
    }
    Ok(())
}
