//! Published conversations in the format of the Meena paper's repository, and what they are like.

use crate::item::{Item, Mode, Turn};
use crate::proxies::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A conversation as published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The first word of its heading: `Meena`, `Human`.
    pub name: String,
    /// The number in its heading.
    pub number: u32,
    /// The turns, with the speakers as published.
    pub turns: Vec<Turn>,
}

/// A line that is no heading and no turn.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the transcripts: {fault} (a conversation is a line `NAME Conversation NUMBER`, \
     then lines `SPEAKER: TEXT`)"
)]
pub struct TranscriptError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: String,
}

/// Reads conversations. A turn's text may itself hold a colon; a speaker may have several turns in
/// a row; space around a text is left out.
///
/// ```
/// let text = "\nMeena Conversation 7\nHuman: Hi!\nMeena: Hello: how are you?\n\n";
/// let found = eval_ssa::transcripts::parse(text)?;
/// assert_eq!((found[0].name.as_str(), found[0].number), ("Meena", 7));
/// assert_eq!(found[0].turns[1].text, "Hello: how are you?");
/// # Ok::<(), eval_ssa::transcripts::TranscriptError>(())
/// ```
///
/// # Errors
/// The first line that does not belong there, and a heading without turns.
pub fn parse(text: &str) -> Result<Vec<Conversation>, TranscriptError> {
    let mut found: Vec<(usize, Conversation)> = Vec::new();
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        if let Some((name, number)) = heading(text) {
            let conversation = Conversation { name: name.to_owned(), number, turns: Vec::new() };
            found.push((line, conversation));
            continue;
        }
        let fault = |fault: &str| TranscriptError { line, fault: fault.to_owned() };
        let (speaker, said) = text.split_once(':').ok_or(fault("there is no speaker"))?;
        let (_, conversation) = found.last_mut().ok_or(fault("a turn before any heading"))?;
        conversation.turns.push(Turn::new(speaker.trim_end(), said.trim_start()));
    }
    match found.iter().find(|(_, conversation)| conversation.turns.is_empty()) {
        Some((line, _)) => Err(TranscriptError { line: *line, fault: "no turns follow".into() }),
        None => Ok(found.into_iter().map(|(_, conversation)| conversation).collect()),
    }
}

fn heading(line: &str) -> Option<(&str, u32)> {
    let (name, number) = line.split_once(" Conversation ")?;
    Some((name, number.parse().ok()?)).filter(|(name, _)| !name.contains(':'))
}

impl Conversation {
    /// The turns of `speaker` as items to be rated, with at most `shown` turns before each. Raters
    /// see `B` for that speaker and `A` for everybody else. `speaker`'s first turn is left out
    /// when nothing comes before it.
    ///
    /// `system` is the name that the items get; their ids are `SYSTEM/NUMBER/TURN`.
    pub fn items(&self, system: &str, speaker: &str, shown: usize) -> Vec<Item> {
        let blind = |turn: &Turn| {
            Turn::new(if turn.speaker == speaker { "B" } else { "A" }, turn.text.clone())
        };
        let item = |(index, turn): (usize, &Turn)| {
            let from = index.saturating_sub(shown);
            Item {
                id: format!("{system}/{}/{index}", self.number),
                mode: Mode::Interactive,
                system: system.to_owned(),
                conversation: format!("{system}/{}", self.number),
                turn: index as u32,
                context: self.turns[from..index].iter().map(blind).collect(),
                response: turn.text.clone(),
                ..Item::default()
            }
        };
        let turns = self.turns.iter().enumerate().skip(1);
        turns.filter(|(_, turn)| turn.speaker == speaker).map(item).collect()
    }
}

/// What a set of conversations is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// How many conversations.
    pub conversations: usize,
    /// How many turns in all.
    pub turns: usize,
    /// The smallest, median and largest number of turns of a conversation.
    pub length: [f64; 3],
    /// Conversations with the 14 to 28 turns that the protocol asks for.
    pub within_protocol: usize,
    /// Conversations that open with a greeting.
    pub greeted: usize,
    /// Turns whose speaker also had the turn before.
    pub in_a_row: usize,
    /// Turns with a placeholder such as `<REDACTED_NAME>`.
    pub redacted: usize,
    /// Turns with a note in brackets, such as `[image is shown]`.
    pub notes: usize,
    /// Each speaker's turns, and their mean number of words.
    pub speakers: BTreeMap<String, (usize, f64)>,
}

/// First words that greet.
const GREETINGS: [&str; 11] =
    ["hi", "hello", "hey", "heya", "hiya", "hola", "howdy", "greetings", "yo", "你", "您"];

/// Describes conversations; `None` if there are none.
pub fn describe(conversations: &[Conversation]) -> Option<Description> {
    if conversations.is_empty() {
        return None;
    }
    let mut lengths: Vec<f64> = conversations.iter().map(|c| c.turns.len() as f64).collect();
    lengths.sort_unstable_by(f64::total_cmp);
    let length = [0.0, 0.5, 1.0].map(|at| crate::bootstrap::percentile(&lengths, at));
    let greets = |turn: &Turn| {
        words(&turn.text).first().is_some_and(|word| GREETINGS.contains(&word.as_str()))
    };
    let turns = || conversations.iter().flat_map(|conversation| &conversation.turns);
    let mut speakers: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    for turn in turns() {
        let (count, sum) = speakers.entry(turn.speaker.clone()).or_default();
        *count += 1;
        *sum += words(&turn.text).len() as f64;
    }
    for (count, sum) in speakers.values_mut() {
        *sum /= *count as f64;
    }
    let between = |text: &str, open, close| {
        text.split_once(open).is_some_and(|(_, rest): (&str, &str)| rest.contains(close))
    };
    Some(Description {
        conversations: conversations.len(),
        turns: turns().count(),
        length,
        within_protocol: lengths.iter().filter(|n| (14.0..=28.0).contains(*n)).count(),
        greeted: conversations.iter().filter(|c| c.turns.first().is_some_and(greets)).count(),
        in_a_row: conversations
            .iter()
            .flat_map(|c| c.turns.windows(2))
            .filter(|pair| pair[0].speaker == pair[1].speaker)
            .count(),
        redacted: turns().filter(|turn| turn.text.contains("<REDACTED_")).count(),
        notes: turns().filter(|turn| between(&turn.text, '[', ']')).count(),
        speakers,
    })
}
