//! Automatic judges: a model is asked the raters' questions. What it says is kept under its own
//! name and never counted among votes.

use crate::ask::{Asking, pause};
use crate::chat::Endpoint;
use crate::chat::endpoint::connect;
use crate::chat::patience::Patient;
use crate::error::{Error, Result};
use crate::guideline;
use crate::project::Project;
use crate::records::Names;
use eval_ssa::{Guideline, Item, Judgment, Label};
use std::collections::BTreeSet;

/// What a model is told to end with, by label.
const WORDS: [(&str, Label); 3] = [
    ("not sensible", Label::NotSensible),
    ("sensible but not specific", Label::Sensible),
    ("sensible and specific", Label::Specific),
];

impl Project {
    /// The responses that a judge has said nothing of yet.
    ///
    /// # Errors
    /// Those of the database; [`Error::Invalid`] when the name is empty.
    pub fn unjudged(&self, judge: &str) -> Result<Vec<Item>> {
        if judge.trim().is_empty() {
            return Err(Error::invalid("the judge needs a name: say model and version"));
        }
        let study = self.study(Names::Own)?;
        let judged: BTreeSet<&str> = study
            .judgments
            .iter()
            .filter(|judgment| judgment.judge == judge)
            .map(|judgment| judgment.item.as_str())
            .collect();
        let open = study.rated().filter(|item| !judged.contains(&*item.id));
        Ok(open.cloned().collect())
    }

    /// Asks a model about every response that it has not judged yet, under the name `judge`, and
    /// keeps each answer as it comes: the same call goes on where one was stopped. A model that is
    /// busy is waited for as by [`Project::ask`]. `said` is told of each answer and of each wait.
    ///
    /// # Errors
    /// [`Error::Chat`] when the model does not answer; those of the database.
    pub fn judge(
        &self,
        judge: &str,
        endpoint: &Endpoint,
        said: &mut dyn FnMut(Asking<'_>),
    ) -> Result<usize> {
        if *endpoint == Endpoint::GenericBot {
            return Err(Error::invalid("a judge is a model: name its server and the model"));
        }
        let mut model = Patient::new(connect(endpoint)?);
        let open = self.unjudged(judge)?;
        let guideline = self.store().read(guideline::current)?;
        let (_, guideline) = guideline.ok_or(Error::Unknown("guideline"))?;
        for (done, item) in (1..).zip(&open) {
            let asked = [prompt(&guideline, item)];
            let output = match model.reply(&asked, &mut |why, wait| pause(said, why, wait)) {
                // It was asked and says nothing: an answer that cannot be read.
                Err(Error::ChatEmpty) => String::new(),
                output => output?.text,
            };
            self.add_judgments(&[Judgment {
                item: item.id.clone(),
                judge: judge.to_owned(),
                label: label(&output),
                output: Some(output),
            }])?;
            said(Asking::Done { done, of: open.len() });
        }
        Ok(open.len())
    }
}

/// The guideline, the turns, and the questions.
fn prompt(guideline: &Guideline, item: &Item) -> String {
    let sections = guideline.sections.iter().map(|s| format!("{}\n{}\n\n", s.heading, s.text));
    let turns = item.context.iter().map(|turn| format!("{}: {}\n", turn.speaker, turn.text));
    let (sensible, specific) = (&guideline.questions.sensible, &guideline.questions.specific);
    let words = WORDS.map(|(words, _)| format!("\"{words}\"")).join(", ");
    format!(
        "{}Conversation:\n{}\nResponse to be judged:\n{}\n\n1. {sensible}\n2. Only if so: {specific}\n\n\
         End your answer with one line that is exactly one of: {words}.",
        sections.collect::<String>(),
        turns.collect::<String>(),
        item.response,
    )
}

/// What the last line that is not empty says; `None` if it is none of the three.
fn label(output: &str) -> Option<Label> {
    let last = output.lines().rev().find(|line| !line.trim().is_empty())?;
    let plain = last.trim().trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    WORDS.into_iter().find(|(words, _)| plain == *words).map(|(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_what_a_judge_says() {
        let of = |text| label(text);
        assert_eq!(of("It fits.\n\n**Sensible and specific.**\n"), Some(Label::Specific));
        assert_eq!(of("sensible but not specific"), Some(Label::Sensible));
        assert_eq!(of("\"Not sensible\""), Some(Label::NotSensible));
        // What only mentions a label is not one.
        assert_eq!(of("It is not sensible to say."), None);
        assert_eq!(of("sensible"), None);
        assert_eq!(of(""), None);
    }
}
