//! Formats of JSON: our lines of messages, ConvoKit, Reddit, Topical-Chat.

use super::reading::{Reading, parent_of};
use crate::dialog::message::{Message, without_point};
use crate::dialog::part::DialogPart;
use crate::error::DataError;
use crate::text::read::{Lines, json_fault, open};
use html_escape::decode_html_entities;
use memchr::memchr;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// A name, written as a string or as a number, whole ones without a point; empty for null.
fn name_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => {
            let text = number.to_string();
            Some(without_point(&text).map(str::to_owned).unwrap_or(text))
        }
        Value::Null => Some(String::new()),
        _ => None,
    }
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A message of each line that holds an object.
fn each_object<T: for<'de> Deserialize<'de>>(
    file: &Path,
    reading: &mut Reading<'_>,
    to_message: impl Fn(T) -> Result<Option<Message>, String>,
) -> Result<(), DataError> {
    let mut lines = Lines::open(file, reading.options.on_bad, reading.options.longest)?;
    while let Some(line) = lines.next(reading.tally)? {
        if line.trim().is_empty() {
            continue;
        }
        let parsed = match line.trim_start().starts_with('{') {
            true => serde_json::from_str::<T>(&paired(line)).map_err(|error| json_fault(&error)),
            // An array would be read by the order of its values.
            false => Err("no object: a line is one, between { and }".to_owned()),
        };
        match parsed.and_then(&to_message) {
            Ok(Some(message)) => reading.message(message)?,
            Ok(None) => reading.tally.skip("a record that is no message"),
            Err(fault) => {
                let way_out = "mend it, name another format, or let bad input be skipped";
                let error = lines.fault(fault, way_out);
                reading.bad("a record that is not as it should be", error)?;
            }
        }
    }
    Ok(())
}

/// A message as our own format has it. Further keys are passed over.
#[derive(Deserialize)]
struct Line {
    id: Value,
    #[serde(default)]
    parent: Value,
    #[serde(default)]
    conversation: Value,
    #[serde(default)]
    author: Value,
    text: String,
    #[serde(default)]
    part: Option<DialogPart>,
}

pub(super) fn json_lines(file: &Path, reading: &mut Reading<'_>) -> Result<(), DataError> {
    each_object(file, reading, |line: Line| {
        let name = |value, key| {
            name_of(value).ok_or_else(|| format!("`{key}` is neither a string nor a number"))
        };
        Ok(Some(Message {
            id: filled(name(line.id, "id")?).ok_or("`id` is empty")?,
            parent: parent_of(name(line.parent, "parent")?),
            conversation: name(line.conversation, "conversation")?,
            author: name(line.author, "author")?,
            text: line.text,
            part: line.part,
        }))
    })
}

/// An utterance of ConvoKit; older corpora say `user`, `root` and `reply_to`, some both.
#[derive(Deserialize)]
struct Utterance {
    id: Value,
    conversation_id: Option<Value>,
    root: Option<Value>,
    speaker: Option<Value>,
    user: Option<Value>,
    #[serde(rename = "reply-to")]
    reply_to: Option<Value>,
    #[serde(rename = "reply_to")]
    reply_to_before: Option<Value>,
    text: Option<String>,
}

/// Conversations are named behind the file: corpora number them alike.
pub(super) fn convokit(file: &Path, reading: &mut Reading<'_>) -> Result<(), DataError> {
    let prefix = reading.prefix.clone();
    each_object(file, reading, |utterance: Utterance| {
        let either = |new: Option<Value>, old: Option<Value>| new.or(old).unwrap_or_default();
        let author = match either(utterance.speaker, utterance.user) {
            // Some corpora have an object here.
            Value::Object(speaker) => speaker.get("id").cloned().unwrap_or_default(),
            speaker => speaker,
        };
        let name = |value, key| {
            name_of(value).ok_or_else(|| format!("`{key}` is neither a string nor a number"))
        };
        let conversation = either(utterance.conversation_id, utterance.root);
        let conversation = name(conversation, "conversation_id")?;
        let parent = either(utterance.reply_to, utterance.reply_to_before);
        Ok(Some(Message {
            id: filled(name(utterance.id, "id")?).ok_or("`id` is empty")?,
            parent: parent_of(name(parent, "reply-to")?),
            conversation: filled(conversation)
                .map(|conversation| format!("{prefix}/{conversation}"))
                .unwrap_or_default(),
            author: name(author, "speaker")?,
            text: utterance.text.unwrap_or_default(),
            part: None,
        }))
    })
}

/// A comment of Reddit. A record without `body` is no comment.
#[derive(Deserialize)]
struct Comment {
    id: String,
    #[serde(default)]
    parent_id: Value,
    #[serde(default)]
    link_id: Value,
    #[serde(default)]
    author: Option<String>,
    body: Option<String>,
}

/// Comments: below a submission (`t3_…`) each is a tree of its own. Removed ones stay, without a
/// text, so that what replies to them is dropped with them.
pub(super) fn reddit(file: &Path, reading: &mut Reading<'_>) -> Result<(), DataError> {
    each_object(file, reading, |comment: Comment| {
        let Some(body) = comment.body else { return Ok(None) };
        let parent = match comment.parent_id {
            Value::String(parent) => match parent.strip_prefix("t1_") {
                Some(parent) => Some(parent.to_owned()),
                None if parent.starts_with("t3_") || parent.is_empty() => None,
                None => Some(parent),
            },
            // Some years have numbers: the id in base 36.
            Value::Number(number) => Some(base_36(number.as_u64().unwrap_or(0))),
            _ => None,
        };
        let link = name_of(comment.link_id).unwrap_or_default();
        let conversation = match link.strip_prefix("t3_").unwrap_or(&link) {
            "" => String::new(),
            link => format!("reddit/{link}"),
        };
        Ok(Some(Message {
            id: comment.id.strip_prefix("t1_").unwrap_or(&comment.id).to_owned(),
            parent,
            conversation,
            author: comment.author.unwrap_or_default(),
            text: if is_removed(&body) { String::new() } else { unescaped(&body) },
            part: None,
        }))
    })
}

fn base_36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 || digits.is_empty() {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize]);
        number /= 36;
    }
    digits.reverse();
    String::from_utf8(digits).unwrap_or_default()
}

/// Whether a text stands for one that is not there any more.
fn is_removed(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    matches!(&*text, "[deleted]" | "[removed]" | "[deleted by user]")
        || text.starts_with("[ removed by reddit") && text.ends_with(']')
}

/// A comment as its readers see it: `&`, `<` and `>` are entities in dumps, and then those that the
/// comment itself has.
fn unescaped(text: &str) -> String {
    decode_html_entities(&decode_html_entities(text)).into_owned()
}

/// A line of JSON in which halves of surrogate pairs that stand alone, which some programs write
/// and no text can hold, are the replacement character.
fn paired(line: &str) -> Cow<'_, str> {
    // Of `\ud83d`, `d8` to `db` begin a pair and `dc` to `df` end it.
    let half = |at: usize| {
        let code = line.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(code, 16).ok().filter(|code| (0xd800..0xe000).contains(code))
    };
    let (mut whole, mut from, mut at) = (String::new(), 0, 0);
    while let Some(found) = memchr(b'\\', &line.as_bytes()[at..]) {
        at += found;
        at += match (half(at), half(at + 6)) {
            (Some(..0xdc00), Some(0xdc00..)) => 12,
            (Some(_), _) => {
                whole += &line[from..at];
                whole += "\\ufffd";
                from = at + 6;
                6
            }
            // What is escaped may be a backslash; it is one byte, or the first of a character.
            (None, _) => 2,
        };
        at = at.min(line.len());
    }
    if from == 0 {
        return line.into();
    }
    whole += &line[from..];
    whole.into()
}

/// A conversation of Topical-Chat.
#[derive(Deserialize)]
struct Conversation {
    content: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    message: String,
    agent: String,
}

pub(super) fn topical_chat(file: &Path, reading: &mut Reading<'_>) -> Result<(), DataError> {
    let parsed: Result<BTreeMap<String, Conversation>, _> = serde_json::from_reader(open(file)?);
    let all = parsed.map_err(|error| DataError::Line {
        path: file.to_path_buf(),
        line: error.line() as u64,
        fault: json_fault(&error),
        way_out: "name a file of Topical-Chat's conversations, or another format",
    })?;
    for (name, conversation) in all {
        let turns = conversation.content.into_iter().map(|turn| (turn.agent, turn.message));
        reading.chain(&name, turns)?;
    }
    Ok(())
}
