//! Paragraphs that are longer than a sequence, in windows that overlap (BERT's `run_squad.py`,
//! ELECTRA's `qa_tasks.py`).

use super::sequence::Sequence;
use super::squad::{Question, Squad};
use super::tokenizer::{Piece, Tokenizer};
use crate::error::DataError;
use crate::parallel;
use serde::{Deserialize, Serialize};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// How questions and paragraphs become sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Windows {
    /// Tokens of a sequence at most.
    pub longest: usize,
    /// Tokens from the start of one window to that of the next, but never more than a window has.
    pub stride: usize,
    /// Tokens of a question at most.
    pub question: usize,
}

impl Default for Windows {
    /// 512 tokens, a window every 128, questions of 64.
    fn default() -> Self {
        Self { longest: 512, stride: 128, question: 64 }
    }
}

/// The windows over a paragraph of `tokens` with room for `room` each: first token and length.
///
/// The next one begins `stride` tokens later, or where this one ends if that is sooner, so that no
/// token is left out.
///
/// ```
/// use data_pipeline::text::spans;
/// assert_eq!(spans(157, 114, 128), [(0, 114), (114, 43)]);
/// assert_eq!(spans(318, 317, 128), [(0, 317), (128, 190)]);
/// ```
pub fn spans(tokens: usize, room: usize, stride: usize) -> Vec<(usize, usize)> {
    let (mut spans, mut start) = (Vec::new(), 0);
    if room == 0 {
        return spans;
    }
    loop {
        let length = room.min(tokens - start);
        spans.push((start, length));
        if start + length >= tokens {
            return spans;
        }
        start += length.min(stride.max(1));
    }
}

/// The part of a paragraph that one sequence shows, with its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The question, a position in [`Squad::questions`].
    pub question: u32,
    /// `[CLS] question [SEP] part [SEP]`.
    pub sequence: Sequence,
    /// The first token of the paragraph that it shows.
    pub start: u32,
    /// How many it shows.
    pub length: u32,
    /// The place of the first one in the sequence.
    pub offset: u32,
    /// Places of the first and the last token of the answer in the sequence: those of the first
    /// answer given, if all of it is shown; none otherwise (train on place 0 then).
    pub answer: Option<(u32, u32)>,
    /// For each token that it shows, whether no other window shows it with more around it. Answers
    /// that begin elsewhere are left to other windows.
    pub best: Vec<bool>,
}

impl Window {
    /// The token of the paragraph at a place of the sequence.
    pub fn token(&self, place: u32) -> Option<u32> {
        let at = place.checked_sub(self.offset)?;
        (at < self.length).then_some(self.start + at)
    }
}

/// Questions and paragraphs in token ids.
#[derive(Clone, Debug)]
pub struct SquadWindows {
    /// All windows; those of a question stand together.
    pub windows: Vec<Window>,
    /// The tokens of each paragraph with their characters.
    pub paragraphs: Vec<Vec<Piece>>,
}

impl Squad {
    /// The windows of all questions, worked out on all processors.
    ///
    /// # Errors
    /// Those of the tokenizer, and when a sequence has no room for a paragraph beside its question.
    pub fn windows(
        &self,
        tokenizer: &Tokenizer,
        windows: Windows,
    ) -> Result<SquadWindows, DataError> {
        if windows.longest < windows.question + 4 || windows.stride == 0 {
            return Err(DataError::Request(format!(
                "sequences of {} tokens with questions of {} and a stride of {}: there must be \
                 room for a paragraph, and the stride must not be 0",
                windows.longest, windows.question, windows.stride
            )));
        }
        let pieces =
            parallel::map(self.paragraphs.len(), |i| tokenizer.pieces(&self.paragraphs[i]));
        let paragraphs: Vec<Vec<Piece>> = pieces.into_iter().collect::<Result<_, _>>()?;
        let made = parallel::map(self.questions.len(), |i| {
            let question = &self.questions[i];
            let tokens = &paragraphs[question.paragraph as usize];
            of_question(i as u32, question, tokens, tokenizer, windows)
        });
        let made: Vec<Vec<Window>> = made.into_iter().collect::<Result<_, _>>()?;
        Ok(SquadWindows { windows: made.into_iter().flatten().collect(), paragraphs })
    }

    /// The text from one token of a question's paragraph to another, as it is written there, with
    /// the marks behind it that no token covers: vocabularies without accents leave them out. A
    /// format character, as a zero-width space, belongs to it between such marks alone. Nothing if
    /// there are no such tokens or the last comes before the first.
    pub fn text(&self, windows: &SquadWindows, question: u32, first: u32, last: u32) -> &str {
        let paragraph = self.questions[question as usize].paragraph as usize;
        let tokens = &windows.paragraphs[paragraph];
        let next = tokens.get(last as usize + 1);
        let (Some(first), Some(last)) = (tokens.get(first as usize), tokens.get(last as usize))
        else {
            return "";
        };
        let text = &self.paragraphs[paragraph];
        let byte = |character: u32| {
            text.char_indices().nth(character as usize).map_or(text.len(), |(at, _)| at)
        };
        let end = byte(last.end);
        let free = &text[end..next.map_or(text.len(), |next| byte(next.start).max(end))];
        text.get(byte(first.start)..end + marks(free)).unwrap_or_default()
    }
}

/// How many bytes of a text are the marks that it begins with (category M), with the format
/// characters (Cf) between them.
fn marks(text: &str) -> usize {
    let mut end = 0;
    for (at, c) in text.char_indices() {
        if c.general_category_group() == GeneralCategoryGroup::Mark {
            end = at + c.len_utf8();
        } else if end == 0 || c.general_category() != GeneralCategory::Format {
            break;
        }
    }
    end
}

fn of_question(
    number: u32,
    question: &Question,
    tokens: &[Piece],
    tokenizer: &Tokenizer,
    windows: Windows,
) -> Result<Vec<Window>, DataError> {
    let mut asked = tokenizer.ids(&question.text)?;
    asked.truncate(windows.question);
    let room = windows.longest - asked.len() - 3;
    let answer = question.answers.first().and_then(|answer| {
        let end = answer.start.saturating_add(answer.text.chars().count() as u32);
        // The tokens that hold its first and its last character.
        let first = tokens.iter().position(|token| token.end > answer.start)?;
        let last = tokens.iter().rposition(|token| token.start < end)?;
        (first <= last).then_some((first as u32, last as u32))
    });
    let spans = spans(tokens.len(), room, windows.stride);
    let specials = tokenizer.specials();
    let window = |(place, &(start, length)): (usize, &(usize, usize))| {
        let shown: Vec<u32> = tokens[start..start + length].iter().map(|token| token.id).collect();
        let sequence = Sequence::new(&asked, &shown, specials);
        let offset = asked.len() as u32 + 2;
        let (start, length) = (start as u32, length as u32);
        let answer = answer
            .filter(|&(first, last)| start <= first && last < start + length)
            .map(|(first, last)| (first - start + offset, last - start + offset));
        let best = (start..start + length).map(|token| best(&spans, token as usize) == place);
        let best = best.collect();
        Window { question: number, sequence, start, length, offset, answer, best }
    };
    Ok(spans.iter().enumerate().map(window).collect())
}

/// The window that shows a token with the most around it: the smaller of the numbers of tokens on
/// its left and its right, and a hundredth of the window's length.
fn best(spans: &[(usize, usize)], token: usize) -> usize {
    let (mut best, mut most) = (0, f64::NEG_INFINITY);
    for (place, &(start, length)) in spans.iter().enumerate() {
        if (start..start + length).contains(&token) {
            let around = (token - start).min(start + length - 1 - token) as f64;
            let score = around + 0.01 * length as f64;
            if score > most {
                (best, most) = (place, score);
            }
        }
    }
    best
}
