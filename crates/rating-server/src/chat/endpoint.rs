//! The systems that raters talk to.

use super::http::{Answered, agent, post};
use super::{Chat, Endpoint};
use crate::error::{Error, Result};
use eval_ssa::{Chatbot, Turn};
use serde::Deserialize;
use serde_json::json;

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
                url: format!("{}/chat/completions", url.trim_end_matches('/')),
                model: model.clone(),
                key: key.transpose()?,
            }))
        }
    }
}

/// The control of `eval-ssa`.
struct GenericBot;

impl Chat for GenericBot {
    fn reply(&self, turns: &[String]) -> Result<String> {
        let last: Vec<Turn> = turns.last().map(|text| Turn::new("A", text)).into_iter().collect();
        eval_ssa::GenericBot.reply(&last, 0).map_err(|error| Error::Chat(error.to_string()))
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
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    /// Null where a model says nothing.
    content: Option<String>,
}

impl Chat for OpenAi {
    fn reply(&self, turns: &[String]) -> Result<String> {
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
        let completion: Completion = serde_json::from_str(&text)
            .map_err(|error| Error::Chat(format!("its answer is no chat completion: {error}")))?;
        let first = completion.choices.into_iter().next();
        not_empty(first.and_then(|choice| choice.message.content).unwrap_or_default())
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
    fn reply(&self, turns: &[String]) -> Result<String> {
        let Answered { text, is_json } =
            post(self.agent.post(&self.url), &json!({ "turns": turns }))?;
        if !is_json && !text.trim_start().starts_with('{') {
            return not_empty(text);
        }
        let replied: Replied = serde_json::from_str(&text)
            .map_err(|error| Error::Chat(format!("its answer has no text `reply`: {error}")))?;
        not_empty(replied.reply)
    }
}

fn not_empty(text: String) -> Result<String> {
    if text.trim().is_empty() {
        return Err(Error::ChatEmpty);
    }
    Ok(text)
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
            assert_eq!(bot.reply(&[said.to_owned()]).expect("an answer"), answer);
        }
    }
}
