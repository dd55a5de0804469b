//! Conversations to learn from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use data_pipeline::dataset::dialogues;
use data_pipeline::dialog::{
    DialogFormat, DialogPart, DialogReadOptions, DialogSource, DialogSplit, Dialogs, MadeDialogs,
    Message, read_all,
};
use data_pipeline::digest::Digest;
use data_pipeline::text::read::files;
use serde::{Deserialize, Serialize};

/// Where the conversations come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum CorpusConfig {
    /// Those that the program carries.
    Embedded {},
    /// Files below `--data`, or anywhere by a path from the root.
    Files {
        /// Each with its format.
        sources: Vec<DialogSource>,
        /// What becomes of what cannot be read.
        #[serde(default)]
        read: DialogReadOptions,
    },
    /// Pairs that `tutor data dialog` made of them, which memory need not hold.
    Made {
        /// Their folder: a path from the root, or below `--data`.
        path: PathBuf,
    },
}

/// Conversations and what they are in words.
pub(crate) struct Corpus {
    pub(crate) about: String,
    pub(crate) content: Content,
}

/// What is there of conversations.
pub(crate) enum Content {
    /// Messages in memory, each conversation in a part.
    Messages(Dialogs),
    /// Pairs in token ids, in files.
    Made(Box<MadeDialogs>),
}

impl Corpus {
    /// Digests by what they are of, in the plural: of the texts of each part, or of the pairs.
    pub(crate) fn digests(&self) -> BTreeMap<String, String> {
        let of_part = |dialogs: &Dialogs, part: DialogPart| {
            let digest = Digest::of_lines(dialogs.texts(part));
            (format!("messages of the {} part", part.name()), digest.to_string())
        };
        match &self.content {
            Content::Messages(dialogs) => {
                DialogPart::ALL.into_iter().map(|part| of_part(dialogs, part)).collect()
            }
            Content::Made(made) => [("pairs".to_owned(), made.digest().to_string())].into(),
        }
    }
}

impl CorpusConfig {
    /// Reads them; `dir` is `--data`, for conversations that are not embedded.
    pub(crate) fn open(&self, dir: Option<&Path>, split: &DialogSplit) -> Result<Corpus> {
        let (messages, skipped) = match self {
            CorpusConfig::Embedded {} => (embedded()?, 0),
            CorpusConfig::Files { sources, read } => {
                let found = sources.iter().map(|source| {
                    Ok(DialogSource { path: below(&source.path, dir)?, ..source.clone() })
                });
                let (messages, tally) = read_all(&found.collect::<Result<Vec<_>>>()?, read)?;
                (messages, tally.skipped.values().sum::<u64>())
            }
            CorpusConfig::Made { path } => {
                let made = MadeDialogs::open(&below(path, dir)?).context("data.path")?;
                let built = made.built();
                let about = format!("pairs made of {} messages", built.funnel.messages);
                let about = with_skipped(about, built.tally.skipped.values().sum());
                return Ok(Corpus { about, content: Content::Made(Box::new(made)) });
            }
        };
        let about = with_skipped(about(&messages), skipped);
        Ok(Corpus { about, content: Content::Messages(Dialogs::new(messages, split)?) })
    }

    /// Which files of messages are not there, a sentence each; none is read. `dir` is as for
    /// [`open`](Self::open).
    pub(crate) fn missing(&self, dir: Option<&Path>) -> Vec<String> {
        let CorpusConfig::Files { sources, .. } = self else { return Vec::new() };
        let found: Result<Vec<PathBuf>> =
            sources.iter().map(|source| below(&source.path, dir)).collect();
        match found {
            // Without a folder of data, one of them stands for all.
            Err(error) => vec![error.to_string()],
            Ok(paths) => paths
                .into_iter()
                .filter(|path| !path.exists() && files(std::slice::from_ref(path)).is_err())
                .map(|path| format!("data.sources: {} is not there", path.display()))
                .collect(),
        }
    }
}

fn with_skipped(about: String, skipped: u64) -> String {
    match skipped {
        0 => about,
        _ => format!("{about}; {skipped} records could not be read"),
    }
}

fn embedded() -> Result<Vec<Message>> {
    let folder = tempfile::tempdir().context("no place for temporary files")?;
    let path = folder.path().join("dialogues.jsonl.gz");
    std::fs::write(&path, dialogues::FILE).context("no place for temporary files")?;
    let source = DialogSource { path, format: DialogFormat::JsonLines, part: None };
    Ok(read_all(&[source], &DialogReadOptions::default())?.0)
}

/// Where a path of a recipe is.
pub(crate) fn below(path: &Path, dir: Option<&Path>) -> Result<PathBuf> {
    match (path.is_absolute(), dir) {
        (true, _) => Ok(path.to_owned()),
        (false, Some(dir)) => Ok(dir.join(path)),
        (false, None) => anyhow::bail!(
            "{} is not embedded: name the folder that holds it with --data DIR or $TUTOR_DATA",
            path.display()
        ),
    }
}

/// How many messages and conversations there are of each kind; the kind is what stands before the
/// first `/` of a conversation's name.
fn about(messages: &[Message]) -> String {
    let mut kinds: BTreeMap<&str, (u64, BTreeSet<&str>)> = BTreeMap::new();
    for message in messages {
        let name = message.conversation.as_str();
        let kind = name.split_once('/').map_or("others", |(kind, _)| kind);
        let (count, names) = kinds.entry(kind).or_default();
        *count += 1;
        names.insert(name);
    }
    let kind = |(kind, (count, names)): (&str, (u64, BTreeSet<&str>))| {
        format!("{kind} ({count} messages of {} conversations)", names.len())
    };
    kinds.into_iter().map(kind).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_looked_for_below_the_data() {
        let source = |path: &str| DialogSource {
            path: path.into(),
            format: DialogFormat::Blocks,
            part: None,
        };
        let split = DialogSplit::default();
        let open = |path: &str, dir: Option<&Path>| {
            let sources = vec![source(path)];
            CorpusConfig::Files { sources, read: DialogReadOptions::default() }.open(dir, &split)
        };
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("talk.txt");
        std::fs::write(&file, "hello there\nhi you\n\nwho is it?\nit is me\n").expect("written");
        let about = open("talk.txt", Some(dir.path())).expect("it").about;
        assert_eq!(about, "blocks (4 messages of 2 conversations)");
        assert!(open(&file.display().to_string(), None).is_ok());
        let error = open("talk.txt", None).err().expect("no folder").to_string();
        assert!(error.contains("--data"), "{error}");
    }
}
