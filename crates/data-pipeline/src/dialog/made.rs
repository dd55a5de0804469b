//! A folder of pairs that [`build_dialogs`](super::build_dialogs) made, opened to train on.

use super::build::{DialogBuildOptions, DialogBuilt, conversations_of, options_of};
use super::part::DialogPart;
use super::tokenizer::DialogTokenizer;
use crate::dataset::Samples;
use crate::digest::Digest;
use crate::error::DataError;
use crate::text::pretrain::TokenShards;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Pairs in files, with their tokenizer and what is known of how they were made. Memory holds none
/// of the pairs, and of each pair to validate or test on the number of its conversation (4 bytes).
#[derive(Debug)]
pub struct MadeDialogs {
    folder: PathBuf,
    built: DialogBuilt,
    options: DialogBuildOptions,
    tokenizer: DialogTokenizer,
    /// In the order of [`DialogPart::ALL`].
    pairs: [Arc<TokenShards>; 3],
    conversations: [Vec<u32>; 3],
}

impl MadeDialogs {
    /// Opens a folder whose three parts all have pairs. Headers and lengths of all files are
    /// checked, and that they belong together; [`TokenShards::verify`] checks the content too.
    ///
    /// ```
    /// use data_pipeline::dataset::Samples;
    /// use data_pipeline::dialog::*;
    /// let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("talk.jsonl");
    /// let line = |part: &str, id: u8, parent: &str, text: &str| {
    ///     format!(
    ///         "{{\"conversation\": \"{part}\", \"part\": \"{part}\", \"id\": {id}, \
    ///          \"parent\": {parent}, \"text\": \"{text} {part}?\"}}\n"
    ///     )
    /// };
    /// let talk = |part| line(part, 1, "null", "Is it to") + &line(part, 2, "1", "Yes, why not");
    /// std::fs::write(&path, ["train", "validation", "test"].map(talk).concat()).unwrap();
    /// let sources = [DialogSource { path, format: DialogFormat::JsonLines, part: None }];
    /// let (words, options) = (SafetyWords::shipped(), DialogBuildOptions::default());
    /// let into = folder.path().join("pairs");
    /// build_dialogs(&sources, None, &words, &into, &options, &mut |_| {})?;
    ///
    /// let made = MadeDialogs::open(&into)?;
    /// let pair = made.pairs(DialogPart::Test).item(0)?;
    /// let response = made.tokenizer().decode(&pair.ids[pair.first as usize..]);
    /// assert_eq!(response, "Yes, why not test?");
    /// # Ok::<(), data_pipeline::error::DataError>(())
    /// ```
    ///
    /// # Errors
    /// When it is another folder, was made by another version, has not been finished, has a part
    /// without a pair, or when a file is missing, damaged or of another call.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let missing = |fault: String, way_out| DataError::Missing {
            path: folder.to_path_buf(),
            fault,
            way_out,
        };
        let options = options_of(folder)?;
        let note = folder.join("built.json");
        if !note.is_file() {
            let fault = "it is half made: built.json is not there".to_owned();
            return Err(missing(fault, "call again what makes it: it goes on where it was"));
        }
        let bytes = std::fs::read(&note).map_err(DataError::io(&note, "check the file"))?;
        let built: DialogBuilt = serde_json::from_slice(&bytes)
            .map_err(|error| DataError::format(&note, 0, error.to_string()))?;
        let tokenizer = DialogTokenizer::open(&folder.join("tokenizer"))?;
        let way_out = "remove the folder and make it anew";
        let open = |part: DialogPart| -> Result<_, DataError> {
            let count = built.pairs.get(part.name()).copied().unwrap_or(0);
            if count == 0 {
                let way_out = "make it with a larger share of this part, or name sources of it";
                return Err(missing(format!("no pair in its {} part", part.name()), way_out));
            }
            let pairs = TokenShards::open(&folder.join(part.name()))?;
            if pairs.len() as u64 != count || pairs.vocabulary() != tokenizer.digest() {
                let fault = format!(
                    "the files of its {} part are not those of built.json and tokenizer",
                    part.name()
                );
                return Err(missing(fault, way_out));
            }
            let conversations = match part {
                DialogPart::Train => Vec::new(),
                _ => conversations_of(&folder.join(part.name()), pairs.len())?,
            };
            Ok((Arc::new(pairs), conversations))
        };
        let [test, validation, train] = DialogPart::ALL.map(open);
        let [test, validation, train] = [test?, validation?, train?];
        Ok(Self {
            folder: folder.to_path_buf(),
            built,
            options,
            tokenizer,
            pairs: [test.0, validation.0, train.0],
            conversations: [test.1, validation.1, train.1],
        })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was read, and what became of the messages.
    pub fn built(&self) -> &DialogBuilt {
        &self.built
    }

    /// How it was made.
    pub fn options(&self) -> &DialogBuildOptions {
        &self.options
    }

    /// The tokenizer of the pairs.
    pub fn tokenizer(&self) -> &DialogTokenizer {
        &self.tokenizer
    }

    /// The pairs of a part. A sample is a [`Sequence`](crate::text::Sequence) whose segment 0 is
    /// the context.
    pub fn pairs(&self, part: DialogPart) -> &Arc<TokenShards> {
        &self.pairs[part as usize]
    }

    /// For each pair of a part the number of its conversation, which no pair of another one has;
    /// nothing of the training part.
    pub fn conversations(&self, part: DialogPart) -> &[u32] {
        &self.conversations[part as usize]
    }

    /// What tells tokenizer and pairs from others, by the digests in the files' headers.
    pub fn digest(&self) -> Digest {
        let parts = self.pairs.iter().map(|pairs| pairs.digest().to_bytes());
        let all: Vec<u8> =
            std::iter::once(self.tokenizer.digest().to_bytes()).chain(parts).flatten().collect();
        Digest::of(&all)
    }
}
