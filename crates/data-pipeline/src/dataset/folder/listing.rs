//! Which files lie below a folder.

use crate::error::DataError;
use crate::text::number_value;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use unicode_normalization::UnicodeNormalization;

/// A file and its path relative to the folder that is read, with `/` between the parts.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) path: PathBuf,
    pub(crate) id: String,
}

/// The files and the folders directly inside `dir`, each sorted by name; what file managers and
/// archives leave behind does not count.
pub(super) fn children(dir: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DataError> {
    let way_out = "name a folder that may be read";
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(dir).map_err(DataError::io(dir, way_out))? {
        let path = entry.map_err(DataError::io(dir, way_out))?.path();
        if path.file_name().is_some_and(is_litter) {
            continue;
        }
        if path.is_dir() { folders.push(path) } else { files.push(path) }
    }
    files.sort();
    folders.sort();
    Ok((files, folders))
}

/// Adds all files below `dir`, a folder's own files before those of its sub-folders. A link that
/// leads back to a folder that it lies in is added as if it were a file.
pub(crate) fn below(dir: &Path, root: &Path, into: &mut Vec<Listed>) -> Result<(), DataError> {
    let mut way = match root == dir {
        true => vec![],
        false => vec![real(root)],
    };
    collect(dir, root, &mut way, into)
}

/// `way` has the folders that lead to `dir`, without links.
fn collect(
    dir: &Path,
    root: &Path,
    way: &mut Vec<PathBuf>,
    into: &mut Vec<Listed>,
) -> Result<(), DataError> {
    let place = real(dir);
    if way.iter().any(|above| above.starts_with(&place)) {
        into.push(Listed { path: dir.to_path_buf(), id: id(dir, root) });
        return Ok(());
    }
    if way.len() > 32 {
        return Err(DataError::Missing {
            path: dir.to_path_buf(),
            fault: "folders are nested more than 32 deep".into(),
            way_out: "name a folder further down",
        });
    }
    let (files, folders) = children(dir)?;
    into.extend(files.into_iter().map(|path| Listed { id: id(&path, root), path }));
    way.push(place);
    folders.iter().try_for_each(|folder| collect(folder, root, way, into))?;
    way.pop();
    Ok(())
}

/// A path without links, where it can be told.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The path of a file relative to a folder.
pub(super) fn id(path: &Path, root: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).components();
    let parts = parts.filter(|part| !matches!(part, Component::CurDir));
    parts.map(|part| text(part.as_os_str())).collect::<Vec<_>>().join("/")
}

/// A name as text; bytes that are no UTF-8 become `\xNN`, so that two names never become one.
pub(super) fn text(name: &OsStr) -> String {
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        let wrong: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("{}{wrong}", chunk.valid())
    };
    name.as_bytes().utf8_chunks().map(chunk).collect()
}

/// Hidden files and folders, thumbnails and settings of file managers, resource forks in archives.
fn is_litter(name: &OsStr) -> bool {
    const NAMES: [&str; 5] = ["Thumbs.db", "desktop.ini", "__MACOSX", "@eaDir", "$RECYCLE.BIN"];
    name.as_bytes().starts_with(b".") || NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether a folder or file is called as parts of data sets are: `train`, `val`, `test`.
pub(super) fn is_part(name: &str) -> bool {
    const NAMES: [&str; 15] = [
        "train",
        "training",
        "trainset",
        "val",
        "valid",
        "validation",
        "dev",
        "test",
        "testing",
        "testset",
        "eval",
        "labeled",
        "labelled",
        "unlabeled",
        "unlabelled",
    ];
    NAMES.contains(&&*name.to_lowercase())
}

/// Whether a word in the name of a folder is a part's, or what people make of it for short.
pub(super) fn is_like_part(name: &str) -> bool {
    const SHORT: [&str; 7] = ["lab", "lbl", "unl", "unlab", "trn", "tst", "holdout"];
    let mut words = name.split(|c: char| !c.is_ascii_alphabetic());
    words.any(|word| is_part(word) || SHORT.contains(&&*word.to_lowercase()))
}

/// A note for each name that people take for one before it: that differs from it in spaces around
/// it, in upper case, in how Unicode writes its letters, or is the same number.
pub(super) fn alike(classes: &[String]) -> Vec<String> {
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    let mut notes = Vec::new();
    for name in classes {
        match first.entry(form(name)) {
            Entry::Vacant(entry) => _ = entry.insert(name),
            Entry::Occupied(entry) => notes.push(format!(
                "the class `{name}` differs from `{}` in {} alone: they are two classes",
                entry.get(),
                difference(name, entry.get())
            )),
        }
    }
    notes
}

/// A note on names that look like several labels of one image: between `|` or `;` they have parts,
/// each of which is in another name too.
pub(super) fn joined(classes: &[String]) -> Option<String> {
    let parts = |name: &String| -> BTreeSet<String> {
        let parts = name.split(['|', ';']).map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    classes.iter().flat_map(parts).for_each(|part| *counts.entry(part).or_default() += 1);
    let is_joined = |name: &&String| {
        let parts = parts(name);
        parts.len() > 1 && parts.iter().all(|part| counts[part] > 1)
    };
    let joined: Vec<&String> = classes.iter().filter(is_joined).collect();
    let first = joined.first()?;
    let count = joined.len();
    Some(format!(
        "{} as several labels in one cell, for each part is in other labels too: `{first}`; an \
         image has one label, so that each of these is a class of its own",
        match count {
            1 => "1 label reads".to_owned(),
            _ => format!("{count} labels read"),
        }
    ))
}

/// What is added to a message about a name that is not known, where one of those that are is taken
/// for it by people: a clause that names it and says in what it differs.
pub(super) fn near(name: &str, known: &[String]) -> String {
    let near = known.iter().find(|other| form(other) == form(name));
    near.map_or_else(String::new, |other| told_near(name, other))
}

/// The same of a known name that is alike.
pub(super) fn told_near(name: &str, other: &str) -> String {
    format!("; `{other}` differs from it in {} alone", difference(name, other))
}

/// In what two names differ that are alike.
fn difference(a: &str, b: &str) -> String {
    if plain(a) != plain(b) {
        return "how the same number is written".to_owned();
    }
    let differ = |fold: fn(&str) -> String| fold(a) != fold(b);
    let parts = [
        (differ(|name| composed(&name.to_lowercase())), "spaces at an end"),
        (differ(|name| composed(name.trim())), "upper case"),
        (differ(|name| name.trim().to_lowercase()), "the Unicode form of letters (NFC, NFD)"),
    ];
    let parts: Vec<&str> = parts.into_iter().filter_map(|(is, part)| is.then_some(part)).collect();
    parts.join(" and ")
}

/// What is equal of two names that people take for one: the value of a number, else a name without
/// what they do not see in it.
pub(super) fn form(name: &str) -> String {
    number_value(name).unwrap_or_else(|| plain(name))
}

/// A name without what people do not see in it.
pub(super) fn plain(name: &str) -> String {
    composed(&name.trim().to_lowercase())
}

/// A name in Unicode's composed form, NFC.
fn composed(name: &str) -> String {
    name.nfc().collect()
}
