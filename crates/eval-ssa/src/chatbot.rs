//! What a system has to do to be rated, and a control that any system has to beat.

use crate::contexts::Context;
use crate::item::{Item, Mode, Turn};
use std::error::Error;

/// A system that answers.
pub trait Chatbot {
    /// The name under which its responses are kept.
    fn name(&self) -> &str;

    /// The response to a conversation, whose last turn is somebody else's. `seed` decides what is
    /// drawn, if anything is.
    ///
    /// # Errors
    /// When there is no response: a server cannot be reached, a context is too long.
    fn reply(
        &mut self,
        context: &[Turn],
        seed: u64,
    ) -> Result<String, Box<dyn Error + Send + Sync>>;
}

/// Answers "I don't know" to questions and "ok" to everything else: often sensible, never specific.
///
/// ```
/// use eval_ssa::{Chatbot, GenericBot, Turn};
/// let mut bot = GenericBot;
/// assert_eq!(bot.reply(&[Turn::new("A", "Do you ski?")], 1).unwrap(), "I don't know");
/// assert_eq!(bot.reply(&[Turn::new("A", "I ski.")], 1).unwrap(), "ok");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GenericBot;

impl Chatbot for GenericBot {
    fn name(&self) -> &str {
        "GenericBot"
    }

    fn reply(&mut self, context: &[Turn], _: u64) -> Result<String, Box<dyn Error + Send + Sync>> {
        let last = context.last().map_or("", |turn| &turn.text);
        Ok(if is_question(last) { "I don't know" } else { "ok" }.into())
    }
}

/// Whether a turn ends with a question mark, of any script, closing quotes and the like left out.
fn is_question(text: &str) -> bool {
    let end = text.trim_end_matches(|c: char| !c.is_alphanumeric() && !"?？؟՞".contains(c));
    end.ends_with(['?', '？', '؟', '՞'])
}

/// One response of `bot` to each context, as items to be rated. The seed of context `i` is `seed`
/// plus `i`.
///
/// # Errors
/// The first error of the bot, with the context's id.
pub fn respond(
    bot: &mut dyn Chatbot,
    contexts: &[Context],
    seed: u64,
) -> Result<Vec<Item>, Box<dyn Error + Send + Sync>> {
    let respond = |(index, context): (u64, &Context)| {
        let (turns, seed) = (context.as_turns(), seed.wrapping_add(index));
        let response = bot.reply(&turns, seed).map_err(|error| {
            format!("{} has no response to {}: {error}", bot.name(), context.id)
        })?;
        Ok(Item {
            id: format!("{}/{}", bot.name(), context.id),
            mode: Mode::Static,
            system: bot.name().to_owned(),
            conversation: context.id.clone(),
            turn: turns.len() as u32,
            context: turns,
            response,
            seed: Some(seed),
            ..Item::default()
        })
    };
    (0..).zip(contexts).map(respond).collect()
}

#[cfg(test)]
mod tests {
    use super::is_question;

    #[test]
    fn questions_end_with_a_question_mark() {
        for question in
            ["Why?", "Really?!", "Why? ", "Did he say \"why?\"", "你好吗？", "hm?..", "What? :)"]
        {
            assert!(is_question(question), "{question}");
        }
        for statement in ["", "Why not.", "Who? Me.", "I wonder why", "ok!"] {
            assert!(!is_question(statement), "{statement}");
        }
    }
}
