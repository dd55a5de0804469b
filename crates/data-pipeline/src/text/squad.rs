//! Questions about paragraphs, in the JSON of SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018).

use super::read::{OnBadInput, Tally, json_fault, open};
use crate::error::DataError;
use serde::Deserialize;
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// An answer as a part of its paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its text.
    pub text: String,
    /// Its first character in the paragraph, counted in characters; [`Answer::NOWHERE`] where it
    /// does not stand there, or is empty.
    pub start: u32,
}

impl Answer {
    /// The start of an answer that does not stand in its paragraph.
    pub const NOWHERE: u32 = u32::MAX;
}

/// What questions are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SquadUse {
    /// To learn from: each question needs an answer that stands where it is said to, or has to be
    /// marked as impossible.
    Learn,
    /// To be answered and scored: answers are compared by their texts, as the official scripts do,
    /// wherever they are said to stand; a question without answers has none.
    Measure,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its id, by which predictions name it.
    pub id: String,
    /// The question.
    pub text: String,
    /// The paragraph, a position in [`Squad::paragraphs`].
    pub paragraph: u32,
    /// Right answers: one in training files, several in others; none if the paragraph has none.
    pub answers: Vec<Answer>,
    /// SQuAD 2.0: whether the paragraph has no answer.
    pub is_impossible: bool,
}

/// Questions and the paragraphs that they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Squad {
    /// The texts.
    pub paragraphs: Vec<String>,
    /// The questions in the order of the file.
    pub questions: Vec<Question>,
    /// What was left out, by reason.
    pub tally: Tally,
}

#[derive(Deserialize)]
struct File {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    id: serde_json::Value,
    question: String,
    #[serde(default)]
    answers: Vec<Given>,
    #[serde(default)]
    is_impossible: bool,
}

#[derive(Deserialize)]
struct Given {
    text: String,
    answer_start: i64,
}

impl Squad {
    /// Reads a file, packed by gzip or zstd or not.
    ///
    /// # Errors
    /// When the file is no such JSON, and, as asked, for a question whose id another one has; of
    /// questions to learn from, for one of which an answer is empty or does not stand where it
    /// should, or that has no answer although it is not marked as impossible.
    pub fn read(path: &Path, to: SquadUse, on_bad: OnBadInput) -> Result<Self, DataError> {
        let mut text = Vec::new();
        open(path)?.read_to_end(&mut text).map_err(DataError::io(path, "fetch it again"))?;
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        let file: File = serde_json::from_slice(text).map_err(|error| DataError::Line {
            path: path.to_path_buf(),
            line: error.line() as u64,
            fault: json_fault(&error),
            way_out: "name a file of SQuAD 1.1 or 2.0",
        })?;
        let mut squad = Self::default();
        squad.tally.files = 1;
        let mut ids = HashSet::new();
        for paragraph in file.data.into_iter().flat_map(|article| article.paragraphs) {
            let place = squad.paragraphs.len() as u32;
            for asked in paragraph.qas {
                let question = question(asked, place, &paragraph.context);
                // Predictions name questions by their ids.
                let taken = || {
                    let fault = "another question has this id".to_owned();
                    (!ids.insert(question.id.clone()))
                        .then_some((fault, "a question whose id is taken"))
                };
                let misplaced =
                    |fault| (fault, "a question whose answer is not where it should be");
                let fault = match to {
                    SquadUse::Learn => fault(&question),
                    SquadUse::Measure => None,
                };
                match fault.map(misplaced).or_else(taken) {
                    None => squad.questions.push(question),
                    Some((_, why)) if on_bad == OnBadInput::Skip => squad.tally.skip(why),
                    Some((fault, _)) => {
                        return Err(DataError::Missing {
                            path: path.to_path_buf(),
                            fault: format!("question {}: {fault}", question.id),
                            way_out: "mend it, or let bad input be skipped",
                        });
                    }
                }
            }
            squad.paragraphs.push(paragraph.context);
        }
        squad.tally.documents = squad.paragraphs.len() as u64;
        Ok(squad)
    }

    /// Writes answers as the official scripts read them: an object of ids and texts. Gives the
    /// path. The same form takes no-answer scores ([`Squad::write_no_answer_scores`]).
    ///
    /// # Errors
    /// When there are not as many answers as questions, or the file cannot be written.
    pub fn write_answers(&self, path: &Path, answers: &[String]) -> Result<PathBuf, DataError> {
        self.write(path, answers.iter().map(|answer| answer.as_str().into()).collect())
    }

    /// Writes how little each question seems to have an answer: what the script of SQuAD 2.0 takes
    /// as `--na-prob-file`.
    ///
    /// # Errors
    /// As [`Squad::write_answers`].
    pub fn write_no_answer_scores(
        &self,
        path: &Path,
        scores: &[f64],
    ) -> Result<PathBuf, DataError> {
        self.write(path, scores.iter().map(|&score| score.into()).collect())
    }

    fn write(&self, path: &Path, values: Vec<serde_json::Value>) -> Result<PathBuf, DataError> {
        if values.len() != self.questions.len() {
            let (have, need) = (values.len(), self.questions.len());
            return Err(DataError::Request(format!("{have} answers for {need} questions")));
        }
        let ids = self.questions.iter().map(|question| question.id.clone());
        let object: serde_json::Map<_, _> = ids.zip(values).collect();
        atomic_file::write(path, serde_json::Value::Object(object).to_string().as_bytes())?;
        Ok(path.to_path_buf())
    }
}

/// A question about the paragraph at a place, which reads `context`.
fn question(asked: Asked, paragraph: u32, context: &str) -> Question {
    let id = match asked.id {
        serde_json::Value::String(id) => id,
        other => other.to_string(),
    };
    let given = if asked.is_impossible { vec![] } else { asked.answers };
    let answer = |Given { text, answer_start }: Given| {
        let start = u32::try_from(answer_start).unwrap_or(Answer::NOWHERE);
        let rest = context.char_indices().nth(start as usize).map(|(at, _)| &context[at..]);
        let is_empty = text.trim().is_empty();
        let stands = !is_empty && rest.is_some_and(|rest| rest.starts_with(&text));
        Answer { text, start: if stands { start } else { Answer::NOWHERE } }
    };
    Question {
        id,
        text: asked.question,
        paragraph,
        answers: given.into_iter().map(answer).collect(),
        is_impossible: asked.is_impossible,
    }
}

/// Why nothing can be learnt from a question.
fn fault(question: &Question) -> Option<String> {
    if question.answers.is_empty() && !question.is_impossible {
        return Some("no answer".into());
    }
    let nowhere = question.answers.iter().find(|answer| answer.start == Answer::NOWHERE)?;
    if nowhere.text.trim().is_empty() {
        let mark = "a question without an answer has `\"is_impossible\": true`";
        return Some(format!("an answer is empty; {mark}"));
    }
    Some(format!("the answer `{}` does not stand where it is said to", nowhere.text))
}
