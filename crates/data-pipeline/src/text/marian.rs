//! The tokenizer of a Marian as opus-mt publishes it: two models of SentencePiece and the numbers
//! of their pieces.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::sentencepiece::{SPACE, SentencePiece};
use crate::error::DataError;

/// Texts of two languages to token ids, and translations back to text.
///
/// A folder has `source.spm`, `target.spm` and `vocab.json` (`target_vocab.json` where the
/// languages have numbers of their own). A text may begin with the language that it is to be
/// translated into, as `>>fra<<`, if the vocabulary has pieces of that form; one that it lacks is
/// `<unk>`, as in transformers. Any other text is text: `</s>` in it is no end, and `>> a <<` no
/// language.
#[derive(Debug)]
pub struct MarianTokenizer {
    source: SentencePiece,
    target: SentencePiece,
    ids: HashMap<String, i64>,
    /// Those of the target language where it has its own.
    target_ids: Option<HashMap<String, i64>>,
    /// By id.
    pieces: Vec<String>,
    specials: MarianSpecials,
}

/// The ids of the tokens that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarianSpecials {
    /// `</s>`, behind each text.
    pub end: i64,
    /// `<unk>`, in place of a piece without a number.
    pub unknown: i64,
    /// `<pad>`, from which a translation starts.
    pub pad: i64,
}

impl MarianTokenizer {
    /// Reads the tokenizer of a folder.
    ///
    /// # Errors
    /// When a file is missing or is not what it should be; the text names it.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let (ids, path) = numbers(folder, "vocab.json")?;
        let of_target = match folder.join("target_vocab.json").is_file() {
            true => Some(numbers(folder, "target_vocab.json")?),
            false => None,
        };
        let (written, written_path) =
            of_target.as_ref().map_or((&ids, &path), |own| (&own.0, &own.1));
        let special = |name: &str| {
            ids.get(name).copied().ok_or_else(|| format_fault(&path, format!("no piece {name}")))
        };
        let specials = MarianSpecials {
            end: special("</s>")?,
            unknown: special("<unk>")?,
            pad: special("<pad>")?,
        };
        let size = written.values().copied().max().unwrap_or(0) as usize + 1;
        let mut pieces = vec![String::new(); size];
        for (piece, &id) in written {
            pieces[id as usize].clone_from(piece);
        }
        let source = SentencePiece::open(&folder.join("source.spm"))?;
        let target = SentencePiece::open(&folder.join("target.spm"))?;
        let sides =
            [("source.spm", &source, &ids, &path), ("target.spm", &target, written, written_path)];
        for (name, model, ids, path) in sides {
            // Published ones lack a few; of another network's most are missing, and every text
            // would be `<unk>`.
            let (all, known) = model.known(|piece| ids.contains_key(piece));
            if 2 * known < all {
                let fault = format!(
                    "it has numbers for {known} of the {all} pieces of {name}: the \
                                     files do not belong together"
                );
                return Err(format_fault(path, fault));
            }
        }
        let target_ids = of_target.map(|own| own.0);
        Ok(Self { source, target, ids, target_ids, pieces, specials })
    }

    /// The ids of a text that is to be translated, with the end behind them.
    ///
    /// # Errors
    /// When the model fails on the text.
    pub fn source_ids(&self, text: &str) -> Result<Vec<i64>, DataError> {
        self.encode(&self.source, &self.ids, text)
    }

    /// The ids of a translation, with the end behind them.
    ///
    /// # Errors
    /// When the model fails on the text.
    pub fn target_ids(&self, text: &str) -> Result<Vec<i64>, DataError> {
        self.encode(&self.target, self.target_ids.as_ref().unwrap_or(&self.ids), text)
    }

    fn encode(
        &self,
        model: &SentencePiece,
        ids: &HashMap<String, i64>,
        text: &str,
    ) -> Result<Vec<i64>, DataError> {
        let (language, text) = match language(text).filter(|(name, _)| is_language(name, ids)) {
            Some((name, rest)) => (Some(name), rest),
            None => (None, text),
        };
        let pieces = model.pieces(text)?;
        let id = |piece: &str| ids.get(piece).copied().unwrap_or(self.specials.unknown);
        let all = language.into_iter().chain(pieces.iter().map(String::as_str)).map(id);
        Ok(all.chain([self.specials.end]).collect())
    }

    /// The text of a translation, without tokens that are no text.
    pub fn text(&self, ids: &[i64]) -> String {
        let MarianSpecials { end, unknown, pad } = self.specials;
        let text: String = ids
            .iter()
            .filter(|&&id| ![end, unknown, pad].contains(&id))
            .filter_map(|&id| self.pieces.get(usize::try_from(id).ok()?))
            .map(String::as_str)
            .collect();
        text.replace(SPACE, " ").trim().to_owned()
    }

    /// The tokens that are no text.
    pub fn specials(&self) -> MarianSpecials {
        self.specials
    }

    /// The largest ids of what is read and of what is written, and 1 more.
    pub fn sizes(&self) -> [i64; 2] {
        let read = self.ids.values().copied().max().unwrap_or(0) + 1;
        [read, self.pieces.len() as i64]
    }
}

/// What may be the language that a text begins with, as `>>fra<<`, and the text without it.
fn language(text: &str) -> Option<(&str, &str)> {
    let end = text.strip_prefix(">>")?.find("<<")?;
    Some(text.split_at(end + 4))
}

/// Whether a vocabulary has a language of this name, or others, of which this one is unknown.
fn is_language(name: &str, ids: &HashMap<String, i64>) -> bool {
    let has_form = |piece: &str| language(piece).is_some_and(|(_, rest)| rest.is_empty());
    let is_code = name.len() > 4 && !name.contains(char::is_whitespace);
    ids.contains_key(name) || (is_code && ids.keys().any(|piece| has_form(piece)))
}

fn format_fault(path: &Path, fault: String) -> DataError {
    let way_out = "take it from the network's own folder";
    DataError::Format { path: path.to_owned(), offset: 0, fault, way_out }
}

/// Ids of at most this are read: a damaged file must not fill the memory.
const LARGEST: i64 = 1 << 24;

/// A file of pieces and their numbers.
fn numbers(folder: &Path, name: &str) -> Result<(HashMap<String, i64>, PathBuf), DataError> {
    let path = folder.join(name);
    let way_out = "take it from the network's own folder";
    let bytes = std::fs::read(&path).map_err(DataError::io(&path, way_out))?;
    let ids: HashMap<String, i64> = serde_json::from_slice(&bytes)
        .map_err(|error| format_fault(&path, format!("no pieces with their numbers: {error}")))?;
    if let Some((piece, id)) = ids.iter().find(|(_, id)| !(0..LARGEST).contains(*id)) {
        return Err(format_fault(&path, format!("{piece:?} has the number {id}")));
    }
    let mut all: Vec<i64> = ids.values().copied().collect();
    all.sort_unstable();
    match all.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format_fault(&path, format!("two pieces have the number {}", pair[0]))),
        None => Ok((ids, path)),
    }
}
