//! How a reply is to be drawn, of what was asked and what may be asked.

use crate::model::{About, Role, Sampling, Turn};
use crate::options::Limits;

/// What somebody asks for; nothing where they do not care.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) candidates: Option<u64>,
    pub(crate) temperature: Option<f64>,
    /// `Some(None)` asks for all tokens, whatever the server was started with.
    pub(crate) top_k: Option<Option<u64>>,
    pub(crate) top_p: Option<f64>,
    /// With the name under which it was sent.
    pub(crate) max_tokens: Option<(&'static str, u64)>,
}

/// A parameter and what is wrong with it.
pub(crate) type Fault = (&'static str, String);

/// How a reply is drawn.
pub(crate) fn chosen(asked: &Asked, about: &About, limits: &Limits) -> Result<Sampling, Fault> {
    let own = about.sampling;
    let count = |name, value: Option<u64>, own: usize, most: u64| match value {
        None => Ok(own),
        Some(value) if (1..=most).contains(&value) => Ok(value as usize),
        Some(value) if most == u64::MAX => Err((name, format!("{value} is not at least 1"))),
        Some(value) => Err((name, format!("{value}: it must be 1 to {most}"))),
    };
    let temperature = asked.temperature.unwrap_or(own.temperature);
    if !(0.0..=2.0).contains(&temperature) && asked.temperature.is_some() {
        return Err(("temperature", format!("{temperature} is not from 0 to 2")));
    }
    if let Some(p) = asked.top_p.filter(|p| !(0.0..=1.0).contains(p)) {
        return Err(("top_p", format!("{p} is not from 0 to 1")));
    }
    let top_k = match asked.top_k {
        Some(None) => None,
        Some(k) => Some(count("top_k", k, 0, 1 << 20)?),
        None => own.top_k,
    };
    // Who asks for more tokens than there is room for gets as many as there are: the number is a
    // bound, and clients send a large one as a matter of course.
    let max_tokens = match asked.max_tokens {
        Some((name, bound)) => count(name, Some(bound), 0, u64::MAX)?,
        None => own.max_tokens,
    };
    let most = limits.max_candidates as u64;
    Ok(Sampling {
        candidates: count("candidates", asked.candidates, own.candidates, most)?,
        temperature,
        top_k,
        top_p: asked.top_p.or(own.top_p),
        max_tokens: max_tokens.min(about.max_tokens),
    })
}

/// Characters that a token may have.
const TOKEN: usize = 128;

/// What is wrong with these turns, if anything. Those of the model may be as long as its replies,
/// or a conversation with a long one could not go on.
pub(crate) fn turns_fault(turns: &[Turn], about: &About, limits: &Limits) -> Option<String> {
    let Some(last) = turns.last() else {
        return Some("there is nothing to reply to".to_owned());
    };
    if last.text.trim().is_empty() {
        return Some("the last message says nothing".to_owned());
    }
    if turns.len() > limits.max_turns {
        return Some(format!(
            "a conversation has at most {} messages, this one {}: leave out the oldest",
            limits.max_turns,
            turns.len()
        ));
    }
    let most = |turn: &Turn| match turn.role {
        Role::Assistant => limits.max_message_chars.max(about.max_tokens.saturating_mul(TOKEN)),
        Role::User => limits.max_message_chars,
    };
    let long = turns.iter().enumerate().find(|(_, turn)| turn.text.chars().count() > most(turn));
    long.map(|(index, turn)| {
        format!("message {} is longer than {} characters", index + 1, most(turn))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sampling;

    #[test]
    fn all_tokens_can_be_asked_for_beside_a_number_of_the_server_s() {
        let own = Sampling { top_k: Some(40), top_p: Some(0.9), ..Sampling::default() };
        let about = About { sampling: own, ..About::default() };
        let chosen = |top_k| {
            let asked = Asked { top_k, top_p: Some(1.0), ..Asked::default() };
            chosen(&asked, &about, &Limits::default()).map(|found| (found.top_k, found.top_p))
        };
        let whole = Some(1.0);
        assert_eq!(chosen(None), Ok((Some(40), whole)));
        assert_eq!(chosen(Some(None)), Ok((None, whole)));
        assert_eq!(chosen(Some(Some(7))), Ok((Some(7), whole)));
        assert!(chosen(Some(Some(0))).is_err());
    }
}
