//! Files of tokenizers: `vocab.txt`, `tokenizer.json`, and the folder of a published model.

use super::added_tokens::{self, Added};
use super::tokenizer::Tokenizer;
use super::vocabulary_checks as checks;
use crate::error::DataError;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, ModelWrapper, NormalizerWrapper, TruncationDirection};

/// How text is cleaned before it is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Casing {
    /// Whether text becomes lower case (`do_lower_case`).
    pub lower_case: bool,
    /// Whether accents are removed; unset means as `lower_case` says.
    pub strip_accents: Option<bool>,
    /// Whether each CJK character is a word of its own (`tokenize_chinese_chars`).
    pub split_cjk: bool,
}

impl Default for Casing {
    /// That of the uncased vocabularies.
    fn default() -> Self {
        Self { lower_case: true, strip_accents: None, split_cjk: true }
    }
}

impl Casing {
    pub(super) fn normalizer(self) -> BertNormalizer {
        BertNormalizer::new(true, self.split_cjk, self.strip_accents, self.lower_case)
    }
}

/// The keys of `tokenizer_config.json` and the names that they have unless it says otherwise, in
/// the order of [`super::Specials`].
const SPECIALS: [(&str, &str); 5] = [
    ("pad_token", "[PAD]"),
    ("unk_token", "[UNK]"),
    ("cls_token", "[CLS]"),
    ("sep_token", "[SEP]"),
    ("mask_token", "[MASK]"),
];

/// What `tokenizer_config.json` says.
#[derive(Debug, Default)]
struct Config(Value);

impl Config {
    /// The configuration beside `path`, empty where there is none.
    fn beside(path: &Path) -> Result<Self, DataError> {
        added_tokens::json_beside(path, added_tokens::CONFIG).map(Self)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.0[key].as_bool()
    }

    fn names(&self) -> [String; 5] {
        SPECIALS.map(|(key, usual)| self.name(key).unwrap_or(usual).to_owned())
    }

    /// The special token that this key names.
    fn name(&self, key: &str) -> Option<&str> {
        self.0[key].as_str().or(self.0[key]["content"].as_str())
    }

    /// Whether a special token of the files is found in texts: those that have a role are not.
    fn is_found_in_texts(&self, content: &str) -> bool {
        let roles = ["bos_token", "eos_token"].map(|key| self.name(key));
        !roles.contains(&Some(content)) && !self.names().iter().any(|name| name == content)
    }

    /// What transformers takes for the most tokens; numbers such as 1e30 stand for none. Older
    /// files call it `max_len`.
    fn longest(&self) -> Option<usize> {
        let said = ["model_max_length", "max_len"].into_iter().find_map(|key| self.0[key].as_f64());
        said.filter(|most| (1.0..1e9).contains(most)).map(|most| most as usize)
    }

    /// Whether texts that are too long lose their beginning; none where the file does not say it.
    fn cuts_start(&self) -> Option<bool> {
        self.0["truncation_side"].as_str().map(|side| side.eq_ignore_ascii_case("left"))
    }

    /// How text is cleaned; `cased` is whether it keeps its case where the file does not say it.
    fn casing(&self, cased: bool) -> Casing {
        let usual = Casing::default();
        Casing {
            lower_case: self.flag("do_lower_case").unwrap_or(!cased && usual.lower_case),
            strip_accents: self.flag("strip_accents"),
            split_cjk: self.flag("tokenize_chinese_chars").unwrap_or(usual.split_cjk),
        }
    }
}

fn borrowed(names: &[String; 5]) -> [&str; 5] {
    names.each_ref().map(String::as_str)
}

fn read(path: &Path) -> Result<String, DataError> {
    let way_out = "name a vocab.txt, a tokenizer.json or a folder with one of them";
    let bytes = std::fs::read(path).map_err(DataError::io(path, way_out))?;
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to() as u64;
        DataError::format(path, offset, "no UTF-8 text")
    })
}

impl Tokenizer {
    /// The tokenizer of a folder of a published model, of a `tokenizer.json` or of a `vocab.txt`.
    /// In a folder, `tokenizer.json` comes before `vocab.txt`. A `tokenizer_config.json` beside
    /// either says how text is cleaned and how the special tokens are called; of what it does not
    /// say of cleaning, `tokenizer.json` does. Tokens that it adds, or `added_tokens.json` beside
    /// `vocab.txt`, are found in texts as wholes, of several the longest.
    ///
    /// # Errors
    /// When there is no such file, when it is damaged, or when a special token is missing; for a
    /// `vocab.txt` also when `tokenizer_class` (there, else in a network's `config.json`) cuts
    /// texts otherwise, when it has many tokens and none that continues a word, and when it looks
    /// cased and no file says whether it is.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        Self::opened(path, false)
    }

    /// As [`open`](Self::open), for a vocabulary that is cased even if no file says so.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and when the files say that text is lower-cased.
    pub fn open_cased(path: &Path) -> Result<Self, DataError> {
        let found = Self::opened(path, true)?;
        match found.inner().get_normalizer() {
            Some(NormalizerWrapper::BertNormalizer(normalizer)) if normalizer.lowercase => {
                Err(checks::lower_cased(path))
            }
            _ => Ok(found),
        }
    }

    fn opened(path: &Path, cased: bool) -> Result<Self, DataError> {
        if path.is_dir() {
            let files = ["tokenizer.json", "vocab.txt"].map(|name| path.join(name));
            return match files.iter().find(|file| file.is_file()) {
                Some(file) => Self::opened(file, cased),
                None => Err(DataError::Missing {
                    path: path.to_path_buf(),
                    fault: "neither tokenizer.json nor vocab.txt".into(),
                    way_out: "name the folder of a model, with its tokenizer's files",
                }),
            };
        }
        let text = read(path)?;
        let config = Config::beside(path)?;
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
            let added = added_tokens::named(path, &config.0)?;
            let inner = parse(&text).and_then(|inner| with_added(inner, &text, &added, &config));
            let inner = inner.map_err(|fault| DataError::format(path, 0, fault))?;
            let own = inner.get_truncation().map(|cut| cut.direction);
            let own = own.is_some_and(|side| matches!(side, TruncationDirection::Left));
            let inner = recased(inner, &config);
            let mut found = Self::new(inner, borrowed(&config.names()), &shown(path))?;
            found.longest = config.longest();
            found.cuts_start = config.cuts_start().unwrap_or(own);
            return Ok(found);
        }
        checks::check_class(path, &config.0)?;
        let added = added_tokens::beside(path, &config.0)?;
        let from = shown(path);
        let mut found = of_vocabulary(&text, config.casing(cased), (&config, &added), &from)?;
        checks::check_pieces(path, lines(&text))?;
        let is_said = cased || config.flag("do_lower_case").is_some();
        if !is_said && checks::is_cased(lines(&text)) {
            return Err(checks::casing_unsaid(path));
        }
        found.longest = config.longest();
        found.cuts_start = config.cuts_start().unwrap_or(false);
        Ok(found)
    }

    /// Reads the text of a `vocab.txt`: a token a line, the first has id 0. Only LF ends a line. Of
    /// two lines with one token the later counts, as in transformers.
    ///
    /// # Errors
    /// When a special token is missing.
    pub fn from_vocabulary(text: &str, casing: Casing) -> Result<Self, DataError> {
        of_vocabulary(text, casing, (&Config::default(), &[]), "the vocabulary")
    }

    /// The files of a folder that [`save`](Self::save) writes; `vocab.txt` is of WordPiece alone.
    pub const FILES: [&str; 3] = ["tokenizer.json", "vocab.txt", "tokenizer_config.json"];

    /// Writes `tokenizer.json`, `vocab.txt` (if the model is WordPiece) and
    /// `tokenizer_config.json` into a folder, as transformers reads them.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn save(&self, folder: &Path) -> Result<(), DataError> {
        self.save_for(folder, 512)
    }

    /// Writes the files of [`save`](Self::save) for a network of `longest` tokens at most, to which
    /// transformers then cuts texts.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn save_for(&self, folder: &Path, longest: usize) -> Result<(), DataError> {
        let way_out = "name a folder that may be written to";
        std::fs::create_dir_all(folder).map_err(DataError::io(folder, way_out))?;
        let mut inner = self.inner().clone();
        inner.set_encode_special_tokens(false);
        let whole = inner.to_string(true).map_err(|error| {
            DataError::Request(format!("the tokenizer cannot be written: {error}"))
        })?;
        let [whole_name, words_name, config_name] = Self::FILES;
        let specials = self.specials();
        let ids = [specials.pad, specials.unk, specials.cls, specials.sep, specials.mask];
        let mut config = json!({ "tokenizer_class": "BertTokenizer", "model_max_length": longest });
        for ((key, _), id) in SPECIALS.iter().zip(ids) {
            config[*key] = self.token(id).into();
        }
        if let Some(NormalizerWrapper::BertNormalizer(normalizer)) = inner.get_normalizer() {
            config["do_lower_case"] = normalizer.lowercase.into();
            config["strip_accents"] = normalizer.strip_accents.into();
            config["tokenize_chinese_chars"] = normalizer.handle_chinese_chars.into();
        }
        if let ModelWrapper::WordPiece(_) = inner.get_model() {
            let mut lines = String::new();
            for id in 0..self.size() as u32 {
                // An id without a token keeps its line, so that later ids stay as they are.
                lines.push_str(&self.token(id).unwrap_or_else(|| format!("[unused-{id}]")));
                lines.push('\n');
            }
            atomic_file::write(&folder.join(words_name), lines.as_bytes())?;
        }
        let config = format!("{config:#}\n");
        atomic_file::write(&folder.join(config_name), config.as_bytes())?;
        atomic_file::write(&folder.join(whole_name), whole.as_bytes())?;
        Ok(())
    }
}

/// The tokens of a `vocab.txt`, a line each.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_start_matches('\u{feff}');
    text.strip_suffix('\n').unwrap_or(text).split('\n').map(str::trim_end)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Reads a `tokenizer.json`; a damaged one may make the library panic.
fn parse(text: &str) -> Result<tokenizers::Tokenizer, String> {
    match catch_unwind(AssertUnwindSafe(|| text.parse::<tokenizers::Tokenizer>())) {
        Ok(parsed) => parsed.map_err(|error| error.to_string()),
        Err(_) => Err("no tokenizer that can be used".into()),
    }
}

/// Adds the tokens that the configuration alone names. Special tokens without a role lose their
/// mark: by it the library leaves them out when it looks for added tokens in texts.
fn with_added(
    inner: tokenizers::Tokenizer,
    text: &str,
    added: &[Added],
    config: &Config,
) -> Result<tokenizers::Tokenizer, String> {
    let known = inner.get_added_tokens_decoder();
    let is_known = |content: &str| known.values().any(|token| token.content == content);
    let new: Vec<&Added> = added.iter().filter(|added| !is_known(&added.token.content)).collect();
    let is_marked = |token: &AddedToken| token.special && config.is_found_in_texts(&token.content);
    if new.is_empty() && !known.values().any(is_marked) {
        return Ok(inner);
    }
    let mut whole: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut entries = whole["added_tokens"].as_array().cloned().unwrap_or_default();
    entries.extend(new.iter().map(|added| added.entry()));
    for entry in &mut entries {
        if entry["content"].as_str().is_some_and(|content| config.is_found_in_texts(content)) {
            entry["special"] = false.into();
        }
    }
    entries.sort_by_key(|entry| entry["id"].as_u64());
    whole["added_tokens"] = entries.into();
    let inner = parse(&whole.to_string())?;
    for Added { id, token } in new {
        let found = inner.token_to_id(&token.content);
        if found != Some(*id) {
            return Err(format!(
                "tokenizer_config.json adds `{}` with the id {id}, which has no place in this \
                 vocabulary: take all files of the tokenizer from one folder",
                token.content
            ));
        }
    }
    Ok(inner)
}

/// What the configuration says of cleaning counts more than the pipeline. Where it says nothing,
/// the pipeline counts; transformers takes the defaults of its `BertTokenizer` then.
fn recased(mut inner: tokenizers::Tokenizer, config: &Config) -> tokenizers::Tokenizer {
    if let Some(NormalizerWrapper::BertNormalizer(normalizer)) = inner.get_normalizer() {
        let mut changed = *normalizer;
        changed.lowercase = config.flag("do_lower_case").unwrap_or(changed.lowercase);
        changed.strip_accents = config.flag("strip_accents").or(changed.strip_accents);
        changed.handle_chinese_chars =
            config.flag("tokenize_chinese_chars").unwrap_or(changed.handle_chinese_chars);
        inner.with_normalizer(Some(changed));
    }
    inner
}

fn of_vocabulary(
    text: &str,
    casing: Casing,
    (config, others): (&Config, &[Added]),
    from: &str,
) -> Result<Tokenizer, DataError> {
    let names = &config.names();
    let fault = |error: &dyn std::fmt::Display| DataError::Request(format!("{from}: {error}"));
    // An empty map of the library's own kind.
    let mut vocabulary = WordPiece::read_bytes(&[]).map_err(|error| fault(&error))?;
    vocabulary.extend(lines(text).zip(0..).map(|(line, id)| (line.to_owned(), id)));
    vocabulary.remove("");
    let known = vocabulary.iter().map(|(token, &id)| (token.as_str(), u64::from(id)));
    added_tokens::check(others, known).map_err(|error| fault(&error))?;
    vocabulary.extend(others.iter().map(|other| (other.token.content.clone(), other.id)));
    let [_, unk, cls, sep, _] = borrowed(names);
    let present = |name: &&String| vocabulary.contains_key(name.as_str());
    let added: Vec<AddedToken> =
        names.iter().filter(present).map(|name| AddedToken::from(name.as_str(), true)).collect();
    let ids = [cls, sep].map(|name| vocabulary.get(name).copied());
    let model = WordPiece::builder().vocab(vocabulary).unk_token(unk.to_owned()).build();
    let mut inner = tokenizers::Tokenizer::new(model.map_err(|error| fault(&error))?);
    inner.with_normalizer(Some(casing.normalizer()));
    inner.with_pre_tokenizer(Some(BertPreTokenizer));
    inner.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
    if let [Some(first), Some(last)] = ids {
        let ends = BertProcessing::new((sep.to_owned(), last), (cls.to_owned(), first));
        inner.with_post_processor(Some(ends));
    }
    inner.add_special_tokens(&added);
    let others = others.iter().map(|other| &other.token);
    let others = others.filter(|token| config.is_found_in_texts(&token.content));
    inner.add_tokens(&others.map(|token| token.clone().special(false)).collect::<Vec<_>>());
    Tokenizer::new(inner, borrowed(names), from)
}
