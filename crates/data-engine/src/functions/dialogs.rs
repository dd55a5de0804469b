//! From the messages of a conversation to pairs of a context and a response.

use super::function::{Function, failed, rows, rows_type, settings, settings_of};
use crate::error::EngineError;
use data_pipeline::dialog::{
    Checks, DialogPart, DialogSplit, DialogTokenizer, Dialogs, Filters, Message, SafetyWords,
    Selected, one_line, parent_of, words_as_subwords,
};
use data_pipeline::digest::Digest;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Int64Array, ListBuilder, StringArray, StringBuilder,
    UInt8Builder,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int64Type};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::prelude::{Expr, col, lit};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

pub(super) const ALL: [Function; 1] = [PAIRS];

const PAIRS: Function = Function {
    name: "dialog_pairs",
    takes: || vec![None, None],
    gives: || rows_type(fields()),
    work: |columns| {
        let mut found = Rows::default();
        let ready = settings_of::<Rules>(&columns[1])?.ready()?;
        for messages in columns[0].as_list::<i32>().iter() {
            match messages {
                Some(messages) => {
                    let messages = Messages::of(&messages)?;
                    found.add(messages.conversation(), &ready.select(&messages)?)?;
                }
                None => found.lengths.push(0),
            }
        }
        found.finish()
    },
};

/// What of messages becomes pairs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rules {
    pub(crate) filters: Filters,
    split: DialogSplit,
    /// Subwords are words without one. The digest tells it from another at the same place.
    tokenizer: Option<(PathBuf, Digest)>,
}

impl Rules {
    /// With the tokenizer at this path, if there is one.
    pub(crate) fn new(
        filters: Filters,
        split: DialogSplit,
        tokenizer: Option<&Path>,
    ) -> std::result::Result<Self, EngineError> {
        let opened = |path: &Path| {
            let path = path.canonicalize().map_err(EngineError::io(path))?;
            let opened = DialogTokenizer::open(&path);
            let opened = opened.map_err(|error| EngineError::Asked(error.to_string()))?;
            Ok::<_, EngineError>((path, opened.digest()))
        };
        let tokenizer = tokenizer.map(opened).transpose()?;
        Ok(Self { filters, split, tokenizer })
    }
}

/// The columns of a message, all of them text but `often`, in the order of [`message`].
const MESSAGE: [&str; 7] = ["conversation", "id", "parent", "author", "text", "part", "often"];

/// A message as one value, from columns of these names.
pub(crate) fn message() -> Expr {
    named_struct(MESSAGE.iter().flat_map(|&name| [lit(name), col(name)]).collect())
}

/// The pairs of the messages of a conversation, as a list; behind them what became of the messages.
pub(crate) fn pairs(messages: Expr, rules: &Rules) -> Expr {
    PAIRS.call(vec![messages, settings(rules)])
}

/// The fields of what [`pairs`] gives.
pub(crate) fn fields() -> Fields {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let turns = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    let binary = |name: &str| Field::new(name, DataType::Binary, true);
    Fields::from(vec![
        text("conversation"),
        text("id"),
        Field::new("part", DataType::UInt8, true),
        Field::new("context", turns, true),
        text("response"),
        binary("fingerprint"),
        binary("place"),
        text("funnel"),
    ])
}

/// Tokenizers that were opened.
type Tokenizers = HashMap<Digest, Arc<DialogTokenizer>>;

fn tokenizer(path: &Path, digest: Digest) -> Result<Arc<DialogTokenizer>> {
    static KNOWN: LazyLock<Mutex<Tokenizers>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(tokenizer) = known.get(&digest) {
        return Ok(tokenizer.clone());
    }
    let opened = Arc::new(DialogTokenizer::open(path).map_err(failed)?);
    if opened.digest() != digest {
        return Err(failed(format!("{} is another tokenizer here", path.display())));
    }
    known.insert(digest, opened.clone());
    Ok(opened)
}

/// Rules, and what they need.
struct Ready {
    rules: Rules,
    tokenizer: Option<Arc<DialogTokenizer>>,
}

impl Rules {
    fn ready(self) -> Result<Ready> {
        let tokenizer = self.tokenizer.as_ref().map(|(path, digest)| tokenizer(path, *digest));
        let tokenizer = tokenizer.transpose()?;
        Ok(Ready { rules: self, tokenizer })
    }
}

const NO_ID: &str = "a message has no id: give every message one of its own";

/// The messages of one conversation.
struct Messages<'a> {
    texts: Vec<&'a StringArray>,
    often: &'a Int64Array,
}

impl<'a> Messages<'a> {
    fn of(rows: &'a ArrayRef) -> Result<Self> {
        let rows = rows.as_struct();
        let column = |name: &&str| {
            let column = rows.column_by_name(name);
            column.ok_or_else(|| failed(format!("messages without a column {name}")))
        };
        let columns = MESSAGE.iter().map(column).collect::<Result<Vec<&ArrayRef>>>()?;
        let texts = columns[..6].iter().map(|column| column.as_string::<i32>()).collect();
        Ok(Self { texts, often: columns[6].as_primitive::<Int64Type>() })
    }

    fn text(&self, column: usize, row: usize) -> Option<&str> {
        let column = self.texts[column];
        column.is_valid(row).then(|| column.value(row))
    }

    fn conversation(&self) -> &str {
        if self.often.is_empty() { "" } else { self.text(0, 0).unwrap_or_default() }
    }
}

impl Ready {
    fn select(&self, messages: &Messages<'_>) -> Result<Selected> {
        static SAFETY: LazyLock<SafetyWords> = LazyLock::new(SafetyWords::shipped);
        let mut frequent: HashMap<String, u32> = HashMap::new();
        let mut all = Vec::with_capacity(messages.often.len());
        for row in 0..messages.often.len() {
            let text = |column: usize| messages.text(column, row);
            let owned = |column: usize| text(column).unwrap_or_default().to_owned();
            if messages.often.is_valid(row) {
                let count = u32::try_from(messages.often.value(row)).unwrap_or(u32::MAX);
                frequent.insert(one_line(&owned(4)).into_owned(), count);
            }
            let id = text(1).map(str::to_owned).ok_or_else(|| failed(NO_ID))?;
            let part = part(text(5).unwrap_or_default()).map_err(|fault| {
                let of = match text(0).unwrap_or_default() {
                    "" => String::new(),
                    conversation => format!(" of conversation {conversation:?}"),
                };
                failed(format!("column part, message {id:?}{of}: {fault}"))
            })?;
            all.push(Message {
                conversation: owned(0),
                id,
                parent: text(2).map(str::to_owned).and_then(parent_of),
                author: owned(3),
                text: owned(4),
                part,
            });
        }
        let dialogs = Dialogs::new(all, &self.rules.split).map_err(failed)?;
        let fault = Mutex::new(None);
        let ids = |text: &str| match &self.tokenizer {
            Some(tokenizer) => tokenizer.ids(text).unwrap_or_else(|error| {
                *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Vec::new()
            }),
            None => words_as_subwords(text),
        };
        let checks = Checks { subwords: &ids, safety: &*SAFETY };
        let often = |line: &str| frequent.get(line).copied().unwrap_or(1);
        let selected = dialogs.select_of_many(&self.rules.filters, &checks, often, 1);
        match fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(failed(error)),
            None => selected.map_err(failed),
        }
    }
}

/// The part of this name; none where there is nothing but spaces, as the readers of files take it.
fn part(name: &str) -> std::result::Result<Option<DialogPart>, String> {
    let found = DialogPart::ALL.into_iter().find(|part| part.name() == name.trim());
    match found {
        None if !name.trim().is_empty() => {
            let known = "train, validation and test are (write one of them, or nothing)";
            Err(format!("{name:?} is no part: {known}"))
        }
        found => Ok(found),
    }
}

/// Pairs of conversations, one after another.
#[derive(Default)]
struct Rows {
    conversation: StringBuilder,
    id: StringBuilder,
    part: UInt8Builder,
    context: ListBuilder<StringBuilder>,
    response: StringBuilder,
    fingerprint: BinaryBuilder,
    place: BinaryBuilder,
    funnel: StringBuilder,
    lengths: Vec<usize>,
}

impl Rows {
    /// Adds those of a conversation, and what became of its messages.
    fn add(&mut self, conversation: &str, selected: &Selected) -> Result<()> {
        for pair in &selected.pairs {
            self.conversation.append_value(&pair.conversation);
            self.id.append_value(&pair.id);
            self.part.append_value(pair.part as u8);
            pair.context.iter().for_each(|turn| self.context.values().append_value(turn));
            self.context.append(true);
            self.response.append_value(&pair.response);
            self.fingerprint.append_value(pair.fingerprint().to_bytes());
            self.place.append_value(pair.place().to_bytes());
            self.funnel.append_null();
        }
        let note = serde_json::to_string(&selected.funnel).map_err(failed)?;
        self.conversation.append_value(conversation);
        self.id.append_null();
        self.part.append_null();
        self.context.append(false);
        self.response.append_null();
        self.fingerprint.append_null();
        self.place.append_null();
        self.funnel.append_value(note);
        self.lengths.push(selected.pairs.len() + 1);
        Ok(())
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.conversation.finish()),
            Arc::new(self.id.finish()),
            Arc::new(self.part.finish()),
            Arc::new(self.context.finish()),
            Arc::new(self.response.finish()),
            Arc::new(self.fingerprint.finish()),
            Arc::new(self.place.finish()),
            Arc::new(self.funnel.finish()),
        ];
        rows(fields(), columns, self.lengths)
    }
}
