//! Images that were left out, and why.

use super::content::{Fault, HOLDER, LOOP, UNREAD};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// An image that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// The kind of fault, the same words for all of its kind.
    pub reason: String,
    /// What is wrong with this file.
    pub fault: String,
}

impl Skipped {
    pub(super) fn new(path: PathBuf, Fault { reason, fault }: Fault) -> Self {
        Self { path, reason, fault }
    }

    /// Whether it would be read in another format.
    pub(super) fn is_convertible(&self) -> bool {
        self.reason.ends_with(UNREAD)
    }

    /// Whether it is no image, but may hold pictures.
    pub(super) fn is_holder(&self) -> bool {
        self.reason.ends_with(HOLDER)
    }

    /// Whether it is no image: a link that leads back up, or what may hold pictures.
    pub(super) fn is_no_image(&self) -> bool {
        self.reason == LOOP || self.is_holder()
    }
}

/// The images that were left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: usize,
    /// The first of them, at most five.
    pub examples: Vec<PathBuf>,
}

impl LeftOut {
    /// Images that were left out, by reason, the most frequent first.
    pub fn by_reason<'a>(skipped: impl IntoIterator<Item = &'a Skipped>) -> Vec<Self> {
        let mut reasons: Vec<Self> = Vec::new();
        for Skipped { path, reason, .. } in skipped {
            let place = reasons.iter().position(|known| known.reason == *reason);
            let place = place.unwrap_or_else(|| {
                let examples = vec![];
                reasons.push(Self { reason: reason.clone(), count: 0, examples });
                reasons.len() - 1
            });
            reasons[place].count += 1;
            if reasons[place].examples.len() < 5 {
                reasons[place].examples.push(path.clone());
            }
        }
        reasons.sort_by_key(|left_out| std::cmp::Reverse(left_out.count));
        reasons
    }

    /// "4 files, a TGA image, which is not read; 1 file, damaged"; none where nothing was left out.
    pub(super) fn counted<'a>(skipped: impl IntoIterator<Item = &'a Skipped>) -> Option<String> {
        let reasons = Self::by_reason(skipped).into_iter().map(|Self { reason, count, .. }| {
            let files = if count == 1 { "file" } else { "files" };
            format!("{count} {files}, {reason}")
        });
        let reasons: Vec<String> = reasons.collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

impl LeftOut {
    /// In words, with three examples at most, each without its folder.
    pub fn brief(&self) -> String {
        let name = |path: &PathBuf| match path.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => path.display().to_string(),
        };
        self.told(self.examples.iter().take(3).map(name).collect())
    }

    fn told(&self, examples: Vec<String>) -> String {
        let rest = if self.count > examples.len() { ", ..." } else { "" };
        let files = if self.count == 1 { "file" } else { "files" };
        let Self { count, reason, .. } = self;
        format!("{count} {files} left out, {reason}: {}{rest}", examples.join(", "))
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.examples.iter().map(|path| path.display().to_string());
        f.write_str(&self.told(names.collect()))
    }
}
