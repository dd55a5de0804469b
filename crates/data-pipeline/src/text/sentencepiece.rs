//! SentencePiece's models (Kudo & Richardson 2018): a text cleaned as the model says, and cut into
//! its likeliest pieces by the crate `tokenizers`.

use std::path::Path;

use prost::Message;
use tokenizers::models::unigram::Unigram;

use super::charsmap::Charsmap;
use crate::error::DataError;

/// What stands for a space.
pub(super) const SPACE: char = '▁';

/// The file, as far as it is needed. Numbers are those of `sentencepiece_model.proto`.
#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trained: Option<Trained>,
    #[prost(message, optional, tag = "3")]
    cleaning: Option<Cleaning>,
}

#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

/// Kinds of pieces.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER: i32 = 4;

#[derive(Clone, PartialEq, Message)]
struct Trained {
    #[prost(int32, optional, tag = "3")]
    model: Option<i32>,
    #[prost(bool, optional, tag = "24")]
    space_behind: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    bytes: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
struct Cleaning {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(bytes = "vec", optional, tag = "2")]
    charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3")]
    space_before: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    spaces_joined: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    spaces_marked: Option<bool>,
}

/// The file of a model of the unigram kind with these pieces and ln of their probabilities, which
/// joins spaces and takes texts as they are beside.
pub(super) fn whole_file(pieces: &[(String, f64)]) -> Vec<u8> {
    let piece = |text: &str, score: f64, kind| Piece {
        text: Some(text.to_owned()),
        score: Some(score as f32),
        kind: Some(kind),
    };
    let specials = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)];
    let specials = specials.into_iter().map(|(text, kind)| piece(text, 0.0, kind));
    let cleaning = Cleaning {
        name: Some("identity".to_owned()),
        charsmap: None,
        space_before: Some(true),
        spaces_joined: Some(true),
        spaces_marked: Some(true),
    };
    let normal = pieces.iter().map(|(text, score)| piece(text, *score, NORMAL));
    let file = File {
        pieces: specials.chain(normal).collect(),
        trained: Some(Trained { model: Some(1), space_behind: Some(false), bytes: Some(false) }),
        cleaning: Some(cleaning),
    };
    file.encode_to_vec()
}

/// A model of the unigram kind.
#[derive(Debug)]
pub(super) struct SentencePiece {
    model: Unigram,
    charsmap: Option<Charsmap>,
    space_before: bool,
    spaces_joined: bool,
}

impl SentencePiece {
    /// Reads a `.spm` or `.model` file.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let way_out = "take it from the network's own folder, whole";
        let bytes = std::fs::read(path).map_err(DataError::io(path, way_out))?;
        let fault = |fault: String| DataError::Format {
            path: path.to_owned(),
            offset: 0,
            fault,
            way_out: "take the model from the network's own folder, of the unigram kind",
        };
        let file = File::decode(bytes.as_slice())
            .map_err(|error| fault(format!("not a model of SentencePiece: {error}")))?;
        Self::of(file).map_err(fault)
    }

    fn of(file: File) -> Result<Self, String> {
        let trained = file.trained.unwrap_or_default();
        if let Some(other) = trained.model.filter(|&kind| kind != 1) {
            let name = match other {
                2 => "BPE",
                3 => "words",
                4 => "characters",
                _ => "another kind",
            };
            return Err(format!("a model of {name}; unigram models are read"));
        }
        if trained.space_behind == Some(true) {
            return Err("a model with spaces behind words, which is not read".to_owned());
        }
        if trained.bytes == Some(true) {
            return Err("a model that falls back on bytes, which is not read".to_owned());
        }
        let mut pieces = Vec::new();
        let mut unknown = None;
        for piece in file.pieces {
            let (text, score) = (piece.text.unwrap_or_default(), piece.score.unwrap_or(0.0));
            match piece.kind.unwrap_or(NORMAL) {
                // Found where nothing else fits. Its own text is text.
                UNKNOWN => {
                    unknown = Some(pieces.len());
                    pieces.push((String::new(), 0.0));
                }
                NORMAL => pieces.push((text, f64::from(score))),
                USER => return Err(format!("{text:?} is a symbol of the user's: not read")),
                // Control symbols and unused pieces are never found in a text.
                _ => {}
            }
        }
        let unknown = unknown.ok_or("it has no piece for what is unknown")?;
        if pieces.len() < 2 {
            return Err("it has no pieces".to_owned());
        }
        let model = Unigram::from(pieces, Some(unknown), false).map_err(|e| e.to_string())?;
        let cleaning = file.cleaning.unwrap_or_default();
        if cleaning.spaces_marked == Some(false) {
            return Err("a model with bare spaces in its pieces, which is not read".to_owned());
        }
        let charsmap = cleaning.charsmap.filter(|map| !map.is_empty());
        Ok(Self {
            model,
            charsmap: charsmap.map(|map| Charsmap::read(&map)).transpose()?,
            space_before: cleaning.space_before.unwrap_or(true),
            spaces_joined: cleaning.spaces_joined.unwrap_or(true),
        })
    }

    /// The pieces of a text. What has no piece is one of its own, as it stands in the text.
    pub(super) fn pieces(&self, text: &str) -> Result<Vec<String>, DataError> {
        let fault = |e| DataError::Request(format!("SentencePiece failed: {e} (check its model)"));
        self.model.encode(&self.cleaned(text)).map_err(fault)
    }

    /// How many pieces it has, and how many of them are among these.
    pub(super) fn known(&self, is_known: impl Fn(&str) -> bool) -> (usize, usize) {
        let pieces = || self.model.iter().map(|(piece, _)| piece.as_str());
        (pieces().count(), pieces().filter(|piece| is_known(piece)).count())
    }

    /// What the text starts with, replaced, and its length.
    fn first<'a>(&'a self, text: &'a str) -> (&'a str, usize) {
        if let Some(found) = self.charsmap.as_ref().and_then(|map| map.longest(text)) {
            return found;
        }
        let length = text.chars().next().map_or(0, char::len_utf8);
        (&text[..length], length)
    }

    /// The text as the model cleans it, its spaces marked.
    fn cleaned(&self, mut text: &str) -> String {
        let mut clean = String::with_capacity(text.len() + 4);
        while self.spaces_joined && !text.is_empty() {
            match self.first(text) {
                (" ", length) => text = &text[length..],
                _ => break,
            }
        }
        if text.is_empty() {
            return clean;
        }
        if self.space_before {
            clean.push(SPACE);
        }
        let mut after_space = self.spaces_joined;
        while !text.is_empty() {
            let (mut new, length) = self.first(text);
            if after_space {
                new = new.trim_start_matches(' ');
            }
            if !new.is_empty() {
                clean.extend(new.chars().map(|c| if c == ' ' { SPACE } else { c }));
                after_space = self.spaces_joined && new.ends_with(' ');
            }
            text = &text[length..];
        }
        if self.spaces_joined {
            clean.truncate(clean.trim_end_matches(SPACE).len());
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, kind: i32) -> Piece {
        Piece { text: Some(text.into()), score: Some(-1.0), kind: Some(kind) }
    }

    #[test]
    fn models_of_other_kinds_are_refused_with_the_reason() {
        let pieces = vec![piece("<unk>", UNKNOWN), piece("a", NORMAL)];
        let good = File { pieces, ..File::default() };
        assert!(SentencePiece::of(good.clone()).is_ok());
        let trained = |trained| File { trained: Some(trained), ..good.clone() };
        let cleaning = Cleaning { spaces_marked: Some(false), ..Cleaning::default() };
        let without = File { pieces: vec![piece("a", NORMAL)], ..File::default() };
        let user = File { pieces: vec![piece("<x>", USER)], ..File::default() };
        for (file, reason) in [
            (trained(Trained { model: Some(2), ..Trained::default() }), "BPE"),
            (trained(Trained { space_behind: Some(true), ..Trained::default() }), "behind words"),
            (trained(Trained { bytes: Some(true), ..Trained::default() }), "bytes"),
            (File { cleaning: Some(cleaning), ..good.clone() }, "bare spaces"),
            (without, "unknown"),
            (user, "<x>"),
            (File::default(), "unknown"),
        ] {
            let error = SentencePiece::of(file).expect_err(reason);
            assert!(error.contains(reason), "{error}");
        }
    }
}
