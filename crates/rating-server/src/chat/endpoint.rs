//! The systems that raters talk to.

use super::http::{Answered, agent, post, shortened};
use super::{Chat, Endpoint, Reply};
use crate::error::{Error, Result};
use eval_ssa::export::is_invisible;
use eval_ssa::{Chatbot, Turn};
use serde::Deserialize;
use serde_json::{Value, json};

/// Makes a partner of how it is reached.
///
/// # Errors
/// When the key's environment variable is not set.
pub(crate) fn connect(endpoint: &Endpoint) -> Result<Box<dyn Chat>> {
    match endpoint {
        Endpoint::GenericBot => Ok(Box::new(GenericBot)),
        Endpoint::Http { url } => Ok(Box::new(Plain { agent: agent(), url: url.clone() })),
        Endpoint::OpenAi { url, model, key_variable } => {
            let key = key_variable.as_ref().map(|name| {
                std::env::var(name).map_err(|_| {
                    Error::Chat(format!("the environment variable {name} holds no key"))
                })
            });
            Ok(Box::new(OpenAi {
                agent: agent(),
                url: completions(url),
                model: model.clone(),
                key: key.transpose()?,
            }))
        }
    }
}

/// Where completions are asked for, of a server's address with or without that path; what stands
/// behind `?` stays behind it.
fn completions(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let (path, query) = match url.find('?') {
        Some(at) => url.split_at(at),
        None => (url, ""),
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix("/chat/completions").unwrap_or(path).trim_end_matches('/');
    format!("{path}/chat/completions{query}")
}

/// Whether a response is what the control gives to these turns.
pub(crate) fn is_generic(context: &[Turn], response: &str) -> bool {
    let turns: Vec<String> = context.iter().map(|turn| turn.text.clone()).collect();
    GenericBot.reply(&turns).is_ok_and(|reply| reply.text.trim() == response)
}

/// The control of `eval-ssa`.
struct GenericBot;

impl Chat for GenericBot {
    fn reply(&self, turns: &[String]) -> Result<Reply> {
        let last: Vec<Turn> = turns.last().map(|text| Turn::new("A", text)).into_iter().collect();
        let text = eval_ssa::GenericBot.reply(&last, 0);
        let text = text.map_err(|error| Error::Chat(error.to_string()))?;
        Ok(Reply { text, ..Reply::default() })
    }
}

struct OpenAi {
    agent: ureq::Agent,
    url: String,
    model: String,
    key: Option<String>,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    /// A text, a list of parts, or null where a model says nothing.
    #[serde(default)]
    content: Value,
}

impl Chat for OpenAi {
    fn reply(&self, turns: &[String]) -> Result<Reply> {
        // The last turn is somebody else's; before it, sides alternate.
        let role = |index: usize| {
            if (turns.len() - 1 - index).is_multiple_of(2) { "user" } else { "assistant" }
        };
        let messages: Vec<_> = turns
            .iter()
            .enumerate()
            .map(|(index, text)| json!({ "role": role(index), "content": text }))
            .collect();
        let body = json!({ "model": self.model, "messages": messages, "stream": false });
        let mut request = self.agent.post(&self.url);
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let text = post(request, &body)?.text;
        // Where there is no reply, the server's own words say why.
        let or_told = |error: Error| match told(&text) {
            Some(words) => {
                Error::Chat(format!("its answer is no chat completion, but an error: {words}"))
            }
            None => error,
        };
        let completion: Completion = serde_json::from_str(&text).map_err(|error| {
            or_told(Error::Chat(format!("its answer is no chat completion: {error}")))
        })?;
        let first = completion.choices.iter().find(|choice| choice.index == Some(0));
        let Some(choice) = first.or(completion.choices.first()) else {
            return Err(or_told(Error::ChatEmpty));
        };
        let reply = content(&choice.message.content).and_then(|text| shown(&text));
        let reply = reply.map_err(or_told)?;
        let finish = choice.finish_reason.as_deref();
        Ok(Reply {
            is_cut: finish == Some("length"),
            is_filtered: finish == Some("content_filter"),
            ..reply
        })
    }
}

/// What a server says in place of a reply: the words of `{"error": {"message": "..."}}`, or of
/// `{"error": "..."}`; `None` where these are empty.
fn told(text: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let words = match answer.get("error")? {
        Value::Null | Value::Bool(false) => return None,
        Value::Object(fields) if fields.is_empty() => return None,
        Value::String(words) => words.clone(),
        error => match error["message"].as_str() {
            Some(words) => words.to_owned(),
            None => error.to_string(),
        },
    };
    Some(shortened(&words)).filter(|words| !words.is_empty())
}

/// The text of a message: as it is, or of its parts that are texts.
fn content(content: &Value) -> Result<String> {
    let part = |part: &Value| match part["type"].as_str() {
        None | Some("text") => part["text"].as_str().map(str::to_owned),
        Some(_) => None,
    };
    match content {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => Ok(parts.iter().filter_map(part).collect()),
        _ => Err(Error::Chat(
            "its answer is no chat completion: `content` is neither a text nor a list of parts"
                .to_owned(),
        )),
    }
}

/// A chatbot of one's own.
struct Plain {
    agent: ureq::Agent,
    url: String,
}

#[derive(Deserialize)]
struct Replied {
    reply: String,
}

impl Chat for Plain {
    fn reply(&self, turns: &[String]) -> Result<Reply> {
        let Answered { text, is_json } =
            post(self.agent.post(&self.url), &json!({ "turns": turns }))?;
        if !is_json && !text.trim_start().starts_with('{') {
            return shown(&text);
        }
        let replied: Replied = serde_json::from_str(&text).map_err(|error| {
            let why = told(&text).unwrap_or_else(|| error.to_string());
            Error::Chat(format!("its answer has no text `reply`: {why}"))
        })?;
        shown(&replied.reply)
    }
}

/// What people are shown of an answer: without the thoughts that some models write before it,
/// between `<think>` and `</think>`, of which servers whose prompt has the first send the last
/// alone. One that ends within its thoughts says nothing.
///
/// # Errors
/// [`Error::ChatEmpty`] when nobody would see anything.
fn shown(answer: &str) -> Result<Reply> {
    let begins = answer.trim_start().starts_with("<think>");
    let (text, had_thoughts) = match answer.rsplit_once("</think>") {
        Some((_, text)) => (text.trim_start(), true),
        None if begins => ("", true),
        None => (answer, false),
    };
    if text.chars().all(is_invisible) {
        return Err(Error::ChatEmpty);
    }
    Ok(Reply { text: text.to_owned(), had_thoughts, ..Reply::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generic_bot_tells_questions_from_statements() {
        let bot = connect(&Endpoint::GenericBot).expect("it needs nothing");
        for (said, answer) in
            [("Do you swim? ", "I don't know"), ("I swim.", "ok"), ("你会游泳吗？", "I don't know")]
        {
            assert_eq!(bot.reply(&[said.to_owned()]).expect("an answer").text, answer);
        }
    }

    #[test]
    fn thoughts_and_what_nobody_sees_are_no_reply() {
        let of = |text: &str| shown(text).map(|reply| (reply.text, reply.had_thoughts));
        assert_eq!(of("\n<think>\nHm.</think>\n\nYes.").expect("a reply"), ("Yes.".into(), true));
        // Of a server whose prompt has the first mark.
        assert_eq!(of("Hm. She asks.\n</think>\n\nYes.").expect("a reply"), ("Yes.".into(), true));
        let twice = "<think>a</think>b</think>\nYes.";
        assert_eq!(of(twice).expect("a reply"), ("Yes.".into(), true));
        let said = "I <think> so";
        assert_eq!(of(said).expect("a reply"), (said.into(), false));
        for nothing in ["", " \n", "\u{200b}\u{feff}", "<think>Hm", "<think></think> \u{2060}"] {
            assert!(matches!(of(nothing), Err(Error::ChatEmpty)), "{nothing:?}");
        }
    }

    #[test]
    fn completions_have_one_address_however_the_servers_is_written() {
        let whole = "http://h/v1/chat/completions";
        for url in ["http://h/v1", "http://h/v1/", whole, "http://h/v1/chat/completions/#x"] {
            assert_eq!(completions(url), whole);
        }
        for url in ["http://h/v1?version=2", "http://h/v1/chat/completions?version=2"] {
            assert_eq!(completions(url), format!("{whole}?version=2"));
        }
    }

    #[test]
    fn errors_that_come_as_answers_are_told() {
        let of = |error: Value| told(&json!({ "error": error }).to_string());
        assert_eq!(of(json!({ "message": "no\n credit" })).as_deref(), Some("no credit"));
        assert_eq!(of(json!("gone")).as_deref(), Some("gone"));
        for nothing in [Value::Null, json!(""), json!({}), json!(false)] {
            assert_eq!(of(nothing), None);
        }
        assert_eq!(told("{}"), None);
    }

    #[test]
    fn the_content_of_a_message_is_a_text_or_its_parts() {
        let parts = json!([
            { "type": "thinking", "thinking": [] }, { "type": "text", "text": "a " },
            { "text": "b" },
        ]);
        for (value, text) in [(json!("a b"), "a b"), (parts, "a b"), (Value::Null, "")] {
            assert_eq!(content(&value).expect("a text"), text);
        }
        assert!(content(&json!(1)).expect_err("a number").to_string().contains("`content`"));
    }
}
