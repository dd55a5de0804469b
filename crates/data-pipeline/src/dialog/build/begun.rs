//! What a folder was begun with, so that a later call goes on with nothing else.

use super::options::DialogBuildOptions;
use crate::dialog::part::DialogPart;
use crate::dialog::read::NamedFile;
use crate::dialog::tokenizer::DialogTokenizer;
use crate::digest::{Digest, of_file};
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The folder of what is needed until the pairs are there.
pub(super) const WORK: &str = "work";

/// The note in it of the sources that were read to their end.
pub(super) const READ: &str = "partition.json";

/// Another number stands for notes of another shape, or for other rules by which messages are read
/// and pairs chosen.
const FORMAT: u32 = 5;

/// `build.json`.
#[derive(Serialize, Deserialize)]
struct Note {
    format: u32,
    files: Vec<Known>,
    /// The digest of a vocabulary that was given.
    vocabulary: Option<String>,
    options: Value,
}

/// A file of a source.
#[derive(Serialize, Deserialize)]
struct Known {
    path: PathBuf,
    /// The path from the root on, without links; nothing in notes of earlier versions.
    #[serde(default)]
    whole: PathBuf,
    /// What it is called in the names of its conversations.
    name: String,
    bytes: u64,
    /// When it was changed last, in nanoseconds since 1970.
    changed: u64,
    /// SHA-256 of its bytes.
    content: String,
    format: Value,
    part: Value,
}

impl Known {
    /// What is known of a file now. `before` is what was known of the file at this place: where
    /// length and time of change are as they were, so is its content, which is not read again.
    fn of(file: &NamedFile<'_>, before: Option<&Self>) -> Result<Self, DataError> {
        let NamedFile { source, path, name } = file;
        let path = path.as_path();
        let data = path.metadata().map_err(DataError::io(path, "check the file"))?;
        let changed = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let changed = changed.map_or(0, |since| since.as_nanos() as u64);
        let whole = path.canonicalize().map_err(DataError::io(path, "check the file"))?;
        let same = |before: &&Self| {
            let at_place = before.path == path || before.whole == whole;
            at_place && (before.bytes, before.changed) == (data.len(), changed)
        };
        let content = match before.filter(same) {
            Some(before) => before.content.clone(),
            None => of_file::<Sha256>(path)?,
        };
        let (format, part) = (json!(source.format), json!(source.part));
        let (path, name) = (path.to_owned(), name.clone());
        Ok(Self { path, whole, name, bytes: data.len(), changed, content, format, part })
    }

    /// What tells it from what was known, in words.
    fn difference(&self, before: &Self) -> Option<String> {
        let (path, old) = (self.path.display(), before.path.display());
        if self.path != before.path && self.whole != before.whole {
            return Some(format!("{old} where {path} is now"));
        }
        if self.content != before.content {
            return Some(format!("another content of {path}"));
        }
        let told = |known: &Self| match &known.part {
            Value::Null => known.format.to_string(),
            part => format!("{},{part}", known.format).replace('"', ""),
        };
        let (new, old) = (told(self), told(before));
        (new != old).then(|| format!("{path} as {old}, not {new}"))
    }
}

/// Notes what is built, or compares it with the note of the call that began; one that came to
/// nothing is forgotten. Gives the digest of the options. `progress` is told how many files are
/// known.
pub(super) fn begin(
    folder: &Path,
    files: &[NamedFile<'_>],
    tokenizer: Option<&DialogTokenizer>,
    options: Value,
    progress: &mut dyn FnMut(u64),
) -> Result<Digest, DataError> {
    let path = folder.join("build.json");
    let other = |fault: String| DataError::Missing {
        path: folder.to_path_buf(),
        fault,
        way_out: "name another folder, or remove this one to build anew",
    };
    let before: Option<Note> = if path.is_file() {
        let bytes = std::fs::read(&path).map_err(DataError::io(&path, "check the file"))?;
        let note: Value = serde_json::from_slice(&bytes)
            .map_err(|error| DataError::format(&path, 0, error.to_string()))?;
        if note["format"] != FORMAT {
            return Err(other("begun by another version of this program".into()));
        }
        let note = serde_json::from_value(note);
        Some(note.map_err(|error| DataError::format(&path, 0, error.to_string()))?)
    } else {
        None
    };
    let mut known = Vec::with_capacity(files.len());
    for (at, file) in files.iter().enumerate() {
        let before = before.as_ref().and_then(|before| before.files.get(at));
        known.push(Known::of(file, before)?);
        progress(at as u64 + 1);
    }
    let note = Note {
        format: FORMAT,
        files: known,
        vocabulary: tokenizer.map(|tokenizer| tokenizer.digest().to_string()),
        options,
    };
    let digest = Digest::of(note.options.to_string().as_bytes());
    if let Some(before) = before {
        let differences = differences(&note, &before);
        if differences.is_empty() {
            return Ok(digest);
        }
        if !keeps_anything(folder) {
            discard(folder)?;
        } else if !skips_now(&note, &before, &differences) || has_parts(folder) {
            return Err(other(format!("begun with {}", differences.join(", "))));
        }
    }
    let text = serde_json::to_string_pretty(&note).unwrap_or_default();
    atomic_file::write(&path, (text + "\n").as_bytes())?;
    Ok(digest)
}

/// How the pairs of a folder are made, by its note.
pub(in crate::dialog) fn options_of(folder: &Path) -> Result<DialogBuildOptions, DataError> {
    let path = folder.join("build.json");
    let missing = |fault: &str, way_out| DataError::Missing {
        path: folder.to_path_buf(),
        fault: fault.into(),
        way_out,
    };
    if !path.is_file() {
        let fault = "no build.json in it: no pairs were made there";
        return Err(missing(fault, "name a folder in which pairs were made"));
    }
    let bytes = std::fs::read(&path).map_err(DataError::io(&path, "check the file"))?;
    let wrong = |error: serde_json::Error| DataError::format(&path, 0, error.to_string());
    let note: Value = serde_json::from_slice(&bytes).map_err(wrong)?;
    if note["format"] != FORMAT {
        let fault = "made by another version of this program";
        return Err(missing(fault, "remove this folder and make it anew"));
    }
    let note: Note = serde_json::from_value(note).map_err(wrong)?;
    serde_json::from_value(note.options).map_err(wrong)
}

/// Whether something is there that another call would make anew: what was read of a whole file of
/// the sources, or the pairs.
fn keeps_anything(folder: &Path) -> bool {
    folder.join("built.json").exists() || folder.join(WORK).join(READ).exists()
}

fn has_parts(folder: &Path) -> bool {
    DialogPart::ALL.iter().any(|part| folder.join(part.name()).exists())
}

/// Whether a call differs from that which began in leaving out bad input alone: of what was read
/// until now nothing was bad.
fn skips_now(note: &Note, before: &Note, differences: &[String]) -> bool {
    let [now, then] = [note, before].map(|note| &note.options["read"]["on-bad"]);
    differences.len() == 1 && now == "skip" && then == "error"
}

/// Takes away what a call made that came to nothing.
pub(super) fn discard(folder: &Path) -> Result<(), DataError> {
    remove_folder(&folder.join(WORK))?;
    let note = folder.join("build.json");
    std::fs::remove_file(&note).map_err(DataError::io(&note, "remove it"))
}

/// Removes a folder, if it is there.
pub(super) fn remove_folder(folder: &Path) -> Result<(), DataError> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(DataError::io(folder, "remove it")),
    }
}

/// Refuses sources that are among what is made, and would be replaced or removed.
pub(super) fn refuse_own(folder: &Path, files: &[NamedFile<'_>]) -> Result<(), DataError> {
    let Ok(whole) = folder.canonicalize() else { return Ok(()) };
    let parts = DialogPart::ALL.map(DialogPart::name);
    let made = ["build.json", "built.json", "tokenizer", WORK].into_iter().chain(parts);
    let made: Vec<PathBuf> = made.map(|name| whole.join(name)).collect();
    for file in files {
        let Ok(path) = file.path.canonicalize() else { continue };
        if made.iter().any(|made| path.starts_with(made)) {
            return Err(DataError::Missing {
                path: file.path.clone(),
                fault: format!("it is read, and would be lost in {}", folder.display()),
                way_out: "name another folder for the pairs",
            });
        }
    }
    Ok(())
}

/// In what a call is not that which began, in words.
fn differences(note: &Note, before: &Note) -> Vec<String> {
    let mut found = Vec::new();
    let (new, old) = (&note.files, &before.files);
    if new.len() != old.len() {
        found.push(format!("{} files, not {}", old.len(), new.len()));
    } else {
        found.extend(new.iter().zip(old).find_map(|(new, old)| new.difference(old)));
    }
    if note.vocabulary != before.vocabulary {
        found.push("another vocabulary".into());
    }
    other_values("", &note.options, &before.options, &mut found);
    found
}

/// Names the options whose values differ.
fn other_values(name: &str, new: &Value, old: &Value, found: &mut Vec<String>) {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            for (key, new) in new {
                other_values(key, new, old.get(key).unwrap_or(&Value::Null), found);
            }
        }
        _ if new == old => {}
        _ if name == "unsafe-words" => {
            found.push("other offensive words, or another classifier".into())
        }
        _ => found.push(format!("{} {old}, not {new}", option_named(name))),
    }
}

/// What the option of a key is called where the key's own name says little; as `tutor data dialog`
/// has it.
fn option_named(key: &str) -> &str {
    match key {
        "tokens" => "vocab-size",
        "most-characters" => "characters",
        "least-count" => "min-count",
        "seed" => "split-seed",
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_called_as_its_option() {
        let options = json!(DialogBuildOptions::default());
        let mut other = options.clone();
        for (table, key) in [
            ("vocabulary", "tokens"),
            ("vocabulary", "most-characters"),
            ("vocabulary", "least-count"),
            ("split", "seed"),
        ] {
            let number = options[table][key].as_u64().expect("a number");
            other[table][key] = json!(number + 1);
        }
        let mut found = Vec::new();
        other_values("", &options, &other, &mut found);
        let names = found.iter().filter_map(|told| told.split(' ').next());
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        assert_eq!(names, ["characters", "min-count", "split-seed", "vocab-size"], "{found:?}");
    }

    #[test]
    fn what_another_version_began_is_not_gone_on_with() {
        let dir = tempfile::tempdir().expect("a folder");
        let begin = || begin(dir.path(), &[], None, json!({}), &mut |_| ());
        begin().expect("begun");
        begin().expect("gone on with");
        let path = dir.path().join("build.json");
        let mut note: Value =
            serde_json::from_slice(&std::fs::read(&path).expect("it")).expect("JSON");
        note["format"] = json!(FORMAT - 1);
        std::fs::write(&path, note.to_string()).expect("written");
        let error = begin().expect_err("other rules").to_string();
        assert!(error.contains("another version") && error.contains("build anew"), "{error}");
    }
}
