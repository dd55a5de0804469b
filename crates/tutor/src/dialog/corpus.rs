//! Conversations to learn from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use data_pipeline::dataset::dialogues;
use data_pipeline::dialog::{
    DialogFormat, DialogReadOptions, DialogSource, DialogSplit, Dialogs, Message, read_all,
};
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
}

/// Conversations, each in a part, and what they are in words.
pub(crate) struct Corpus {
    pub(crate) about: String,
    pub(crate) dialogs: Dialogs,
}

impl CorpusConfig {
    /// Reads them; `dir` is `--data`, for conversations that are not embedded.
    pub(crate) fn open(&self, dir: Option<&Path>, split: &DialogSplit) -> Result<Corpus> {
        let (messages, skipped) = match self {
            CorpusConfig::Embedded {} => (embedded()?, 0),
            CorpusConfig::Files { sources, read } => {
                let found = sources.iter().map(|source| below(source, dir));
                let (messages, tally) = read_all(&found.collect::<Result<Vec<_>>>()?, read)?;
                (messages, tally.skipped.values().sum::<u64>())
            }
        };
        let mut about = about(&messages);
        if skipped > 0 {
            about = format!("{about}; {skipped} records could not be read");
        }
        Ok(Corpus { about, dialogs: Dialogs::new(messages, split)? })
    }
}

fn embedded() -> Result<Vec<Message>> {
    let folder = tempfile::tempdir().context("no place for temporary files")?;
    let path = folder.path().join("dialogues.jsonl.gz");
    std::fs::write(&path, dialogues::FILE).context("no place for temporary files")?;
    let source = DialogSource { path, format: DialogFormat::JsonLines, part: None };
    Ok(read_all(&[source], &DialogReadOptions::default())?.0)
}

/// A source where it lies.
fn below(source: &DialogSource, dir: Option<&Path>) -> Result<DialogSource> {
    let path = match (source.path.is_absolute(), dir) {
        (true, _) => source.path.clone(),
        (false, Some(dir)) => dir.join(&source.path),
        (false, None) => anyhow::bail!(
            "{} is not embedded: name the folder that holds it with --data DIR or $TUTOR_DATA",
            source.path.display()
        ),
    };
    Ok(DialogSource { path, ..source.clone() })
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
