//! Images that were left out, and why.

use super::content::LOOP;
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
    /// Whether it is a link that leads back up: nothing is lost without it.
    pub(super) fn is_loop(&self) -> bool {
        self.reason == LOOP
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
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.examples.iter().map(|path| path.display().to_string()).collect();
        let rest = if self.count > names.len() { ", ..." } else { "" };
        let files = if self.count == 1 { "file" } else { "files" };
        write!(f, "{} {files} left out, {}: {}{rest}", self.count, self.reason, names.join(", "))
    }
}
