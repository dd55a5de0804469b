//! Readers of conversations.
//!
//! | format | file | conversations |
//! |---|---|---|
//! | `json-lines` | an object a line: `id`, `parent`, `conversation`, `author`, `text`, `part` | as it says |
//! | `daily-dialog` | DailyDialog's `dialogues_text.txt`, or a table whose first column is like it | a line |
//! | `topical-chat` | Topical-Chat's `test_freq.json` and the like | an entry |
//! | `irc` | `NAME.annotation.txt`, with `NAME.raw.txt` beside it | what is linked |
//! | `transcripts` | the conversations published with Meena | below a heading |
//! | `convokit` | ConvoKit's `utterances.jsonl` | as it says, behind the file's name |
//! | `reddit` | comments of a Reddit dump, an object a line | a submission |
//! | `blocks` | a turn a line, a blank line between conversations | a block |
//! | `csv` | a table with a header, by the rules of tables of one's own texts: `text`, and `id`, `parent`, `conversation`, `author`, `part` | as it says, behind the file's name where there is no `id` |
//!
//! Files may be packed by gzip or zstd, which is told by their content; a path may be a folder or a
//! pattern too. All but `topical-chat` and `irc` are read as a stream.

mod irc;
mod objects;
mod reading;
mod tables;
mod turns;

use self::reading::Reading;
use super::message::Message;
use super::part::DialogPart;
use crate::error::DataError;
use crate::text::read::{Tally, files};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

pub use reading::{DialogReadOptions, parent_of};

/// What a file of conversations looks like; see docs/dialog-data.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialogFormat {
    /// Messages as objects, a line each.
    JsonLines,
    /// DailyDialog.
    DailyDialog,
    /// Topical-Chat.
    TopicalChat,
    /// IRC logs with links between messages.
    Irc,
    /// Conversations as published with Meena's paper.
    Transcripts,
    /// A corpus of ConvoKit.
    Convokit,
    /// Comments of Reddit.
    Reddit,
    /// Blocks of lines.
    Blocks,
    /// A table of messages.
    Csv,
}

impl DialogFormat {
    /// As it stands in recipes, and before the names of conversations.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "json-lines",
            Self::DailyDialog => "daily-dialog",
            Self::TopicalChat => "topical-chat",
            Self::Irc => "irc",
            Self::Transcripts => "transcripts",
            Self::Convokit => "convokit",
            Self::Reddit => "reddit",
            Self::Blocks => "blocks",
            Self::Csv => "csv",
        }
    }

    /// What a file is called in the names of its conversations.
    fn stem(self, path: &Path) -> String {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = match self {
            Self::Irc => name.strip_suffix(".annotation.txt"),
            _ => name.split('.').next(),
        };
        stem.unwrap_or(&name).to_owned()
    }

    /// Whether a file of a folder is one of this format, by its name.
    fn takes(self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match self {
            Self::Irc => name.ends_with(".annotation.txt"),
            Self::Convokit => name.starts_with("utterances."),
            Self::TopicalChat => name.ends_with(".json"),
            _ => true,
        }
    }
}

/// Files of conversations of one format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DialogSource {
    /// A file, a folder or a pattern.
    pub path: PathBuf,
    /// What the files look like.
    pub format: DialogFormat,
    /// What their conversations are for; by [`DialogSplit`](super::DialogSplit) where it is unset.
    #[serde(default)]
    pub part: Option<DialogPart>,
}

impl DialogSource {
    /// The files, in the order in which they are read.
    ///
    /// # Errors
    /// When there is none.
    pub fn files(&self) -> Result<Vec<PathBuf>, DataError> {
        let named_itself = self.path.is_file();
        let mut found = files(std::slice::from_ref(&self.path))?;
        if !named_itself {
            found.retain(|path| self.format.takes(path));
        }
        if found.is_empty() {
            return Err(DataError::Missing {
                path: self.path.clone(),
                fault: format!("no file of the format {} is there", self.format.name()),
                way_out: "name the file itself, or another format",
            });
        }
        Ok(found)
    }

    /// Hands out the messages of one file, in its order. Conversations that have no names of their
    /// own, or whose names are those of a corpus, get that of the file up to its first dot; files
    /// that are read together are told apart by [`read_all`].
    ///
    /// # Errors
    /// Those of `each`, and when the file cannot be read or is of another format. With
    /// [`OnBadInput::Skip`](crate::text::read::OnBadInput::Skip) bad lines are counted instead.
    pub fn read(
        &self,
        file: &Path,
        options: &DialogReadOptions,
        each: &mut dyn FnMut(Message) -> Result<(), DataError>,
    ) -> Result<Tally, DataError> {
        self.read_as(&self.format.stem(file), file, options, each)
    }

    /// Reads a file that is called `name` in the names of its conversations.
    pub(super) fn read_as(
        &self,
        name: &str,
        file: &Path,
        options: &DialogReadOptions,
        each: &mut dyn FnMut(Message) -> Result<(), DataError>,
    ) -> Result<Tally, DataError> {
        let mut tally = Tally { files: 1, ..Tally::default() };
        let prefix = format!("{}/{name}", self.format.name());
        let tally_of = &mut tally;
        let mut reading = Reading { options, tally: tally_of, each, prefix, part: self.part };
        match self.format {
            DialogFormat::JsonLines => objects::json_lines(file, &mut reading),
            DialogFormat::Convokit => objects::convokit(file, &mut reading),
            DialogFormat::Reddit => objects::reddit(file, &mut reading),
            DialogFormat::DailyDialog => turns::daily_dialog(file, &mut reading),
            DialogFormat::Transcripts => turns::transcripts(file, &mut reading),
            DialogFormat::Blocks => turns::blocks(file, &mut reading),
            DialogFormat::TopicalChat => objects::topical_chat(file, &mut reading),
            DialogFormat::Irc => irc::read(file, &mut reading),
            DialogFormat::Csv => tables::read(file, &mut reading),
        }?;
        Ok(tally)
    }
}

/// A file of a source, and what it is called in the names of its conversations.
pub(super) struct NamedFile<'a> {
    pub(super) source: &'a DialogSource,
    pub(super) path: PathBuf,
    pub(super) name: String,
}

/// The files of some sources, in the order in which they are read. Where two of a format would be
/// called alike, both are called by their whole names, with as many of the folders above as tell
/// them apart: `train/talk.txt` and `test/talk.txt`. A file that is named twice, in whatever way,
/// is the same twice.
pub(super) fn files_of(sources: &[DialogSource]) -> Result<Vec<NamedFile<'_>>, DataError> {
    let mut files = Vec::new();
    for source in sources {
        let name = |path: PathBuf| NamedFile { source, name: source.format.stem(&path), path };
        files.extend(source.files()?.into_iter().map(name));
    }
    // However a path is spelled.
    let whole = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    let paths: Vec<PathBuf> = files.iter().map(|file| whole(&file.path)).collect();
    let most = paths.iter().map(|path| path.iter().count()).max().unwrap_or(0);
    for above in 0..most {
        let mut known: HashMap<(DialogFormat, &str), &Path> = HashMap::new();
        let mut alike = HashSet::new();
        for (file, path) in files.iter().zip(&paths) {
            let key = (file.source.format, file.name.as_str());
            if *known.entry(key).or_insert(path) != path {
                alike.insert((key.0, key.1.to_owned()));
            }
        }
        if alike.is_empty() {
            break;
        }
        for (file, path) in files.iter_mut().zip(&paths) {
            if alike.contains(&(file.source.format, file.name.clone())) {
                let parts: Vec<_> = path.iter().collect();
                let last: PathBuf = parts[parts.len().saturating_sub(above + 1)..].iter().collect();
                file.name = last.to_string_lossy().into_owned();
            }
        }
    }
    Ok(files)
}

/// All messages of some sources in memory, and what was read.
///
/// # Errors
/// Those of [`DialogSource::read`].
pub fn read_all(
    sources: &[DialogSource],
    options: &DialogReadOptions,
) -> Result<(Vec<Message>, Tally), DataError> {
    let (mut messages, mut tally) = (Vec::new(), Tally::default());
    for NamedFile { source, path, name } in files_of(sources)? {
        let mut each = |message| {
            messages.push(message);
            Ok(())
        };
        add(&mut tally, &source.read_as(&name, &path, options, &mut each)?);
    }
    if messages.is_empty() {
        let names: Vec<String> =
            sources.iter().map(|source| source.path.display().to_string()).collect();
        return Err(DataError::Request(format!(
            "no message in {} (name files of conversations, and their format)",
            names.join(", ")
        )));
    }
    Ok((messages, tally))
}

/// Adds what was read of another file.
pub(super) fn add(tally: &mut Tally, other: &Tally) {
    tally.files += other.files;
    tally.documents += other.documents;
    tally.lines += other.lines;
    tally.bytes += other.bytes;
    for (reason, count) in &other.skipped {
        *tally.skipped.entry(reason.clone()).or_default() += count;
    }
}
