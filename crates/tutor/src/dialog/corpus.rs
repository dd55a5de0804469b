//! Conversations to learn from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use data_pipeline::dataset::dialogues;
use data_pipeline::dialog::{
    DialogFormat, DialogPart, DialogReadOptions, DialogSource, DialogSplit, Dialogs, MadeDialogs,
    Message, read_all,
};
use data_pipeline::digest::Digest;
use data_pipeline::text::read::files;
use serde::{Deserialize, Serialize};

use super::pairs::vocabulary;
use crate::run::began::{self, Began};
use crate::run::processes;

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
    /// Digests of what a run on them begins with: of the texts of each part, or of the pairs.
    pub(crate) fn began(&self) -> Began {
        let mut began = Began::default();
        match &self.content {
            Content::Messages(dialogs) => {
                for part in DialogPart::ALL {
                    let words = format!("messages of the {} part", part.name());
                    let key = format!("{} messages", part.name());
                    began.add(key, words, Digest::of_lines(dialogs.texts(part)));
                }
            }
            Content::Made(made) => began.add("pairs", "pairs", made.digest()),
        }
        began
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

    /// Refuses to go on with a run that an earlier version began on a corpus of ConvoKit: it named
    /// the conversations otherwise, by which they are put into parts. Such a run has a vocabulary
    /// and has not kept what it began with.
    pub(crate) fn refuse_renamed(&self, run: &Path) -> Result<()> {
        let CorpusConfig::Files { sources, .. } = self else { return Ok(()) };
        if !sources.iter().any(|source| source.format == DialogFormat::Convokit) {
            return Ok(());
        }
        let is_renamed = processes::from_first(|| {
            let is_begun = vocabulary(run).join("tokenizer.json").is_file();
            Ok(is_begun && !run.join(began::FILE).is_file())
        })?;
        ensure!(
            !is_renamed,
            "{} was begun by an earlier version, which named the conversations of ConvoKit \
             otherwise: they would be in other parts now; begin anew with --fresh",
            run.display()
        );
        Ok(())
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

    fn of_format(path: &Path, format: DialogFormat) -> CorpusConfig {
        let sources = vec![DialogSource { path: path.into(), format, part: None }];
        CorpusConfig::Files { sources, read: DialogReadOptions::default() }
    }

    #[test]
    fn a_run_goes_on_with_the_messages_that_it_began_with() {
        let dir = tempfile::tempdir().expect("a folder");
        let (file, run) = (dir.path().join("talk.txt"), dir.path().join("run"));
        std::fs::create_dir(&run).expect("made");
        let config = of_format(&file, DialogFormat::Blocks);
        let keep = |text: &str| {
            std::fs::write(&file, text).expect("written");
            let corpus = config.open(None, &DialogSplit::default()).expect("messages");
            corpus.began().keep(&run, began::FILE)
        };
        keep("hello there\nhi you\n").expect("a beginning");
        keep("hello there\nhi you\n").expect("the same");
        // As many messages, of which the same becomes, in other words.
        let error = keep("hello there\nhi all\n").expect_err("others").to_string();
        assert!(error.contains("messages of the ") && error.contains("--fresh"), "{error}");
    }

    #[test]
    fn a_run_that_an_earlier_version_began_on_convokit_is_refused() {
        let run = tempfile::tempdir().expect("a folder");
        let run = run.path();
        let convokit = of_format(Path::new("c.jsonl"), DialogFormat::Convokit);
        let blocks = of_format(Path::new("c.txt"), DialogFormat::Blocks);
        convokit.refuse_renamed(run).expect("nothing was begun");
        std::fs::create_dir(vocabulary(run)).expect("made");
        std::fs::write(vocabulary(run).join("tokenizer.json"), "{}").expect("written");
        blocks.refuse_renamed(run).expect("no names have changed");
        let error = convokit.refuse_renamed(run).expect_err("other names").to_string();
        assert!(error.contains("--fresh"), "{error}");
        std::fs::write(run.join(began::FILE), "{}").expect("written");
        convokit.refuse_renamed(run).expect("this version began it");
    }
}
