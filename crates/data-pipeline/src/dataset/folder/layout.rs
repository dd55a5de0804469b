//! What class folders hold, and whether folders are classes at all.

use super::content::Content;
use super::listing::{self, Listed};
use crate::error::DataError;
use std::collections::BTreeMap;
use std::path::Path;

/// The first part of an id: the class folder.
pub(super) fn first_part(id: &str) -> &str {
    id.split_once('/').map_or(id, |(first, _)| first)
}

/// The first five of some names, each in backticks.
pub(super) fn ticked<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let first: Vec<String> = names.by_ref().take(5).map(|name| format!("`{name}`")).collect();
    let rest = if names.next().is_some() { ", ..." } else { "" };
    format!("{}{rest}", first.join(", "))
}

/// Whether a name is one of a day, a month or a year: digits, and signs between them.
fn is_date(name: &str) -> bool {
    let digits = name.chars().filter(char::is_ascii_digit).count();
    digits >= 4 && name.chars().all(|c| c.is_ascii_digit() || "-_. ".contains(c))
}

/// Where the images of class folders lie.
pub(super) struct Layout {
    /// For each folder that has images, how many lie directly in it, and how many in each of its
    /// sub-folders.
    pub(super) classes: BTreeMap<String, (usize, BTreeMap<String, usize>)>,
}

impl Layout {
    pub(super) fn of(found: &[(Listed, Content)]) -> Self {
        let mut classes: BTreeMap<String, (usize, BTreeMap<String, usize>)> = BTreeMap::new();
        for (file, content) in found {
            let (Content::Image(_), Some((class, rest))) = (content, file.id.split_once('/'))
            else {
                continue;
            };
            let (direct, deeper) = classes.entry(class.to_owned()).or_default();
            match rest.split_once('/') {
                Some((folder, _)) => *deeper.entry(folder.to_owned()).or_default() += 1,
                None => *direct += 1,
            }
        }
        Self { classes }
    }

    /// Fails if the folders are parts of a data set rather than classes.
    pub(super) fn refuse_parts(
        &self,
        dir: &Path,
        fixed: Option<&[String]>,
    ) -> Result<(), DataError> {
        let is_class = |name: &str| fixed.is_some_and(|classes| classes.iter().any(|c| c == name));
        let mut names = self.classes.keys();
        let all = names.len() > 0 && names.all(|name| listing::is_part(name) && !is_class(name));
        let same = if fixed.is_some() { vec![] } else { self.same_folders() };
        // A class may be called so, as trains are among vehicles: most of them have to be.
        let like = self.classes.keys().filter(|name| listing::is_like_part(name)).count();
        if !all && (same.is_empty() || 2 * like <= self.classes.len()) {
            return Ok(());
        }
        let in_each = match same.is_empty() {
            true => String::new(),
            false => format!(" (the classes are probably {})", ticked(same)),
        };
        let first = self
            .classes
            .keys()
            .find(|name| ["tr", "lab"].iter().any(|start| name.to_lowercase().starts_with(start)))
            .or(self.classes.keys().next())
            .map_or_else(|| dir.to_path_buf(), |name| dir.join(name));
        let fault = format!(
            "its folders {} are parts of a data set rather than classes{in_each}: name {}",
            ticked(self.classes.keys().map(String::as_str)),
            first.display()
        );
        let way_out = "a folder of labelled images has a sub-folder for each class";
        Err(DataError::Missing { path: dir.to_path_buf(), fault, way_out })
    }

    /// The folders that several of the folders have in them, where these hold nothing else and
    /// what they hold is not named by dates; none if they are not two.
    fn same_folders(&self) -> Vec<&str> {
        if self.classes.len() < 2 || self.classes.values().any(|(direct, _)| *direct > 0) {
            return vec![];
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let deeper = self.classes.values().flat_map(|(_, deeper)| deeper.keys());
        deeper.for_each(|name| *counts.entry(name).or_default() += 1);
        counts.retain(|_, count| *count > 1);
        let dates = counts.keys().all(|name| is_date(name));
        if counts.len() < 2 || dates { vec![] } else { counts.into_keys().collect() }
    }

    /// What was probably meant by a folder with one class.
    pub(super) fn meant(&self, dir: &Path) -> Option<String> {
        let (class, (0, deeper)) = self.classes.first_key_value()? else { return None };
        if self.classes.len() > 1 || deeper.len() < 2 {
            return None;
        }
        let (names, meant) = (ticked(deeper.keys().map(String::as_str)), dir.join(class));
        Some(format!("if {names} in it are the classes, name {}", meant.display()))
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let same = self.same_folders();
        if !same.is_empty() {
            notes.push(format!(
                "the class folders hold the same folders, {}: if those are the classes, name one \
                 of the folders above them",
                ticked(same)
            ));
        }
        let deeper: usize = self.classes.values().flat_map(|(_, deeper)| deeper.values()).sum();
        if deeper > 0 {
            let lie = if deeper == 1 { "image lies" } else { "images lie" };
            notes.push(format!(
                "{deeper} {lie} deeper than the class folder; the folder at the first level is the \
                 class"
            ));
        }
        let names: Vec<String> = self.classes.keys().cloned().collect();
        notes.extend(listing::alike(&names));
        notes
    }
}
