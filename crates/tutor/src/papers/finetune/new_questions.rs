//! Answers of new questions about paragraphs, by a network of a run.

use std::path::{Path, PathBuf};

use anyhow::Result;
use data_pipeline::text::SquadUse;
use electra::heads::AnswerHead;
use torch::precision::autocast;

use super::kept::Reopened;
use super::recipe::SquadConfig;
use super::squad::{KeptThreshold, Questions, told};
use crate::run::annotator::{Annotated, Annotation, Annotator};

/// A network of a run that answers questions.
pub(super) struct NewQuestions {
    config: SquadConfig,
    network: Reopened<KeptThreshold>,
}

impl NewQuestions {
    /// That of a seed, by its folder.
    pub(super) fn of_seed(config: &SquadConfig, seed: &Path) -> Result<Self> {
        Ok(Self { config: config.clone(), network: Reopened::of_seed(seed)? })
    }
}

impl Annotator for NewQuestions {
    fn unit(&self) -> &'static str {
        "questions"
    }

    fn default_out(&self) -> &'static str {
        "answers.json"
    }

    /// How little each question seems to have an answer, where there may be none.
    fn beside(&self, out: &Path) -> Option<PathBuf> {
        self.network.task.threshold.map(|_| out.with_extension("null_odds.json"))
    }

    fn annotate(
        &self,
        &Annotation { file, out, on_bad, device, precision }: &Annotation<'_>,
        shown: &mut dyn FnMut(usize, usize),
    ) -> Result<Annotated> {
        let Self { config, network } = self;
        let how = (SquadUse::Measure, on_bad);
        let questions = Questions::read(file, how, config.windows, &network.tokenizer)?;
        let mut notes = told(file, &questions.squad.tally);
        let head = network.load(device, AnswerHead::new)?;
        let predict = || questions.predict(&head, config, device, shown);
        let found = autocast(precision, device, predict)?;
        let (mut answers, odds): (Vec<String>, Vec<f64>) = found.into_iter().unzip();
        if let Some(threshold) = network.task.threshold {
            let without = without_answer(&mut answers, &odds, threshold);
            let all = answers.len();
            notes.push(format!("{without} of {all} questions have no answer, by their null odds"));
        }
        questions.squad.write_answers(out, &answers)?;
        if let Some(beside) = self.beside(out) {
            questions.squad.write_no_answer_scores(&beside, &odds)?;
        }
        Ok(Annotated { count: answers.len(), notes })
    }
}

/// Empties the answers whose odds of there being none are above a threshold, and says how many, as
/// SQuAD 2.0's script counts them.
fn without_answer(answers: &mut [String], odds: &[f64], threshold: f64) -> usize {
    let mut emptied = 0;
    for (answer, _) in answers.iter_mut().zip(odds).filter(|(_, odds)| **odds > threshold) {
        answer.clear();
        emptied += 1;
    }
    emptied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_up_to_the_threshold() {
        let mut answers = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(without_answer(&mut answers, &[-3.0, -2.75, -2.5], -2.75), 1);
        assert_eq!(answers, ["a", "b", ""]);
    }
}
