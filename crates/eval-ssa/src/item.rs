//! What is rated: one response of a system in its context.

use serde::{Deserialize, Serialize};

/// How the responses of a study came about.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One response of each system to each context of a fixed set.
    #[default]
    Static,
    /// Turns of free conversations between a person and a system.
    Interactive,
}

impl Mode {
    /// Its name, as files and reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Interactive => "interactive",
        }
    }
}

/// One utterance of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Who says it, as raters see it: `A`, `B`; never the name of a system (see [`lettered`]).
    pub speaker: String,
    /// What is said.
    pub text: String,
}

impl Turn {
    /// A turn from its speaker and text.
    pub fn new(speaker: impl Into<String>, text: impl Into<String>) -> Self {
        Self { speaker: speaker.into(), text: text.into() }
    }
}

/// What tools call the side of a conversation that is a program.
const PROGRAMS: [&str; 5] = ["assistant", "bot", "chatbot", "model", "system"];

/// The turns with a letter for each speaker, so that no name tells raters whose response they
/// judge. Letters stay. Of other names, those of `systems` and of their role in a chat are `B`,
/// who gives the response; the others are `A`, `C` and so on, from the last turn to the first.
///
/// ```
/// use eval_ssa::{Turn, lettered};
/// let turns = ["user", "GPT-9", "user"].map(|speaker| Turn::new(speaker, "Hi!"));
/// let shown = lettered(&turns, &["gpt-9"]);
/// assert_eq!(shown.iter().map(|turn| &*turn.speaker).collect::<String>(), "ABA");
/// ```
pub fn lettered(turns: &[Turn], systems: &[&str]) -> Vec<Turn> {
    let is_letter = |name: &str| name.len() == 1 && name.as_bytes()[0].is_ascii_uppercase();
    if turns.iter().all(|turn| is_letter(&turn.speaker)) {
        return turns.to_vec();
    }
    let plain = |name: &str| name.trim().to_lowercase();
    let own = |name: &str| {
        let name = plain(name);
        PROGRAMS.contains(&&*name) || systems.iter().any(|system| plain(system) == name)
    };
    let mut others: Vec<&str> = Vec::new();
    for turn in turns.iter().rev().filter(|turn| !own(&turn.speaker)) {
        if !others.contains(&&*turn.speaker) {
            others.push(&turn.speaker);
        }
    }
    // B is free where the one who gives the response has not spoken before.
    let skipped = turns.iter().any(|turn| own(&turn.speaker));
    let letter = |name: &str| {
        let place = others.iter().position(|other| *other == name);
        let index = match place {
            None => 1,
            Some(place) if skipped && place > 0 => place + 1,
            Some(place) => place,
        };
        match u8::try_from(index) {
            Ok(index @ 0..26) => char::from(b'A' + index).to_string(),
            _ => format!("Z{index}"),
        }
    };
    turns.iter().map(|turn| Turn::new(letter(&turn.speaker), turn.text.clone())).collect()
}

/// How well a language model predicts some text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Likelihood {
    /// Sum of the tokens' negative log-likelihoods, in nats.
    pub nll: f64,
    /// How many tokens the sum goes over, the end of the response included.
    pub tokens: u64,
}

/// What a response is, in the order from bad to good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// Makes no sense in its context, and is therefore not specific either: (0, 0).
    NotSensible,
    /// Makes sense, but would do so in many other contexts: (1, 0).
    Sensible,
    /// Makes sense and belongs to this context: (1, 1).
    Specific,
}

impl Label {
    /// Whether it makes sense.
    pub fn is_sensible(self) -> bool {
        self != Self::NotSensible
    }

    /// Whether it is specific, which only a sensible response is.
    pub fn is_specific(self) -> bool {
        self == Self::Specific
    }

    /// Mean of the two: 0, 1/2 or 1. Its mean over responses is the SSA.
    pub fn ssa(self) -> f64 {
        (f64::from(self.is_sensible()) + f64::from(self.is_specific())) / 2.0
    }
}

/// Why an item has an answer that is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    /// An ordinary item on which experts agree: how well raters understood the guideline.
    Gold,
    /// An item whose answer nobody misses who reads it.
    Attention,
    /// Shown before the study begins, with its answer afterwards.
    Practice,
}

/// The known answer of an item. Such items say something about raters, never about a system.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What it is for.
    pub kind: CheckKind,
    /// The right answer.
    pub expected: Label,
    /// Why, as told to the rater after a practice item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

/// One response in its context. A line of `items.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Unique in the study, and stable: ratings refer to it.
    pub id: String,
    /// How the response came about.
    pub mode: Mode,
    /// Which system gave it. Raters never see it.
    pub system: String,
    /// The conversation (interactive) or the context of the set (static) that it belongs to: what
    /// is drawn anew by the bootstrap, and what pairs two systems that answered the same contexts.
    pub conversation: String,
    /// Number of turns before the response. 1 is the answer to a single turn; in interactive mode
    /// it is the place in the conversation.
    pub turn: u32,
    /// The turns before it, oldest first.
    pub context: Vec<Turn>,
    /// The response to be rated.
    pub response: String,
    /// How well the system itself predicts the response, where it can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likelihood: Option<Likelihood>,
    /// How the response was decoded, such as `sample-and-rank, N = 20, T = 0.88`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoding: Option<String>,
    /// The seed it was drawn with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The known answer, for gold, attention and practice items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
}

impl Item {
    /// Whether it counts for its system: checks do not.
    pub fn is_rated(&self) -> bool {
        self.check.is_none()
    }

    /// The response and then the turns before it, the newest first, a line each: one text for a
    /// classifier. What is too long for it loses the oldest turns.
    ///
    /// ```
    /// use eval_ssa::{Item, Turn};
    /// let context = vec![Turn::new("B", "Do you swim?"), Turn::new("A", "Yes.\nOften.")];
    /// let item = Item { context, response: "Where?".into(), ..Item::default() };
    /// assert_eq!(item.as_text(), "Where?\nYes. Often.\nDo you swim?");
    /// ```
    pub fn as_text(&self) -> String {
        let turns = self.context.iter().rev().map(|turn| &turn.text);
        let line = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        [&self.response].into_iter().chain(turns).map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A system that takes part, as the study's owner sees it. A line of `systems.jsonl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// The name that items refer to.
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Perplexity on a held-out set that all systems share, by
    /// [`perplexity`](crate::proxies::perplexity): the x of the correlation plot. A number of 1 or
    /// more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
}

impl System {
    /// Says what of it cannot be.
    ///
    /// # Errors
    /// A perplexity that is no finite number of 1 or more.
    pub fn check(&self) -> Result<(), String> {
        // It is exp of a mean negative log-likelihood, which is at least 0.
        match self.perplexity.filter(|value| !(value.is_finite() && *value >= 1.0)) {
            Some(value) => Err(format!(
                "system {:?}: a perplexity is a finite number of 1 or more, and {value} is none",
                self.name
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speakers_are_letters_and_no_names() {
        let check = |names: &[&str], systems: &[&str], letters: &str| {
            let turns: Vec<Turn> = names.iter().map(|name| Turn::new(*name, *name)).collect();
            let shown = lettered(&turns, systems);
            let found: Vec<&str> = shown.iter().map(|turn| turn.speaker.as_str()).collect();
            assert_eq!(found.concat(), letters, "{names:?}");
            assert!(shown.iter().zip(&turns).all(|(a, b)| a.text == b.text));
        };
        check(&[], &["x"], "");
        check(&["A", "B", "B"], &["x"], "ABB");
        check(&["Human", "Meena", "Human"], &["Meena"], "ABA");
        check(&["Human", "meena ", "Human", "Meena"], &["MEENA"], "ABAB");
        check(&["user", "assistant", "user"], &["secret"], "ABA");
        // The one who responds has said nothing yet: the last is A, whoever came before is B.
        check(&["Ada", "Ben", "Ada"], &["secret"], "ABA");
        check(&["Ada", "Ben", "Cem", "bot", "Ada"], &["secret"], "ADCBA");
        check(&["A", "secret", "A"], &["secret"], "ABA");
        check(&["", "x"], &["secret"], "BA");
        let crowd: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
        let turns: Vec<Turn> = crowd.iter().map(|name| Turn::new(name, "")).collect();
        let shown: std::collections::BTreeSet<String> =
            lettered(&turns, &[]).into_iter().map(|turn| turn.speaker).collect();
        assert_eq!(shown.len(), 40);
    }
}
