//! The systems that raters talk to.

use super::{Chat, Endpoint};
use crate::error::{Error, Result};
use eval_ssa::{Chatbot, Turn};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// How long a partner may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest answer that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Makes a partner of how it is reached.
///
/// # Errors
/// When the key's environment variable is not set.
pub(crate) fn connect(endpoint: &Endpoint) -> Result<Box<dyn Chat>> {
    match endpoint {
        Endpoint::GenericBot => Ok(Box::new(GenericBot)),
        Endpoint::OpenAi { url, model, key_variable } => {
            let key = key_variable.as_ref().map(|name| {
                std::env::var(name).map_err(|_| {
                    Error::Chat(format!("the environment variable {name} holds no key"))
                })
            });
            let agent = ureq::Agent::config_builder()
                .timeout_global(Some(PATIENCE))
                .max_redirects(0)
                .build()
                .into();
            Ok(Box::new(OpenAi {
                agent,
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
    content: String,
}

impl Chat for OpenAi {
    fn reply(&self, turns: &[String]) -> Result<String> {
        let role = |index: usize| if index.is_multiple_of(2) { "user" } else { "assistant" };
        let messages: Vec<_> = turns
            .iter()
            .enumerate()
            .map(|(index, text)| json!({ "role": role(index), "content": text }))
            .collect();
        let body = json!({ "model": self.model, "messages": messages, "stream": false });
        let failed = |error: ureq::Error| Error::Chat(error.to_string());
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let mut response = request.send(body.to_string()).map_err(failed)?;
        let text =
            response.body_mut().with_config().limit(LARGEST).read_to_string().map_err(failed)?;
        let completion: Completion = serde_json::from_str(&text)
            .map_err(|error| Error::Chat(format!("its answer is no chat completion: {error}")))?;
        let first = completion.choices.into_iter().next();
        let content = first.map(|choice| choice.message.content).unwrap_or_default();
        if content.trim().is_empty() {
            return Err(Error::Chat("its answer is empty".to_owned()));
        }
        Ok(content)
    }
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
