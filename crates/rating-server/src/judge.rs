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

/// What came of asking a judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// How many responses got a label.
    pub judged: usize,
    /// How many answers have no label in them; the responses stay open.
    pub unread: usize,
    /// The first of these answers.
    pub example: Option<String>,
}

impl Project {
    /// The responses of which a judge has said nothing yet, or nothing that could be read.
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
            .filter(|judgment| judgment.judge == judge && judgment.label.is_some())
            .map(|judgment| judgment.item.as_str())
            .collect();
        let open = study.rated().filter(|item| !judged.contains(&*item.id));
        Ok(open.cloned().collect())
    }

    /// Asks a model about every response that it has not judged yet, under the name `judge`, and
    /// keeps each answer as it comes: the same call goes on where one was stopped, and asks again
    /// where an answer could not be read. A model that is busy is waited for as by
    /// [`Project::ask`]. `said` is told of each answer and of each wait.
    ///
    /// # Errors
    /// [`Error::Chat`] when the model does not answer; those of the database.
    pub fn judge(
        &self,
        judge: &str,
        endpoint: &Endpoint,
        said: &mut dyn FnMut(Asking<'_>),
    ) -> Result<Judged> {
        if *endpoint == Endpoint::GenericBot {
            return Err(Error::invalid("a judge is a model: name its server and the model"));
        }
        // Before answers are asked for that could not be kept.
        self.store().check_writable()?;
        let mut model = Patient::new(connect(endpoint)?);
        let open = self.unjudged(judge)?;
        let guideline = self.store().read(guideline::current)?;
        let (_, guideline) = guideline.ok_or(Error::Unknown("guideline"))?;
        let mut all = Judged::default();
        for (done, item) in (1..).zip(&open) {
            let asked = [prompt(&guideline, item)];
            let output = match model.reply(&asked, &mut |why, wait| pause(said, why, wait)) {
                // It was asked and says nothing: an answer that cannot be read.
                Err(Error::ChatEmpty) => String::new(),
                output => output?.text,
            };
            let label = label(&output);
            match label {
                Some(_) => all.judged += 1,
                None => {
                    all.unread += 1;
                    all.example.get_or_insert_with(|| output.clone());
                }
            }
            self.add_judgments(&[Judgment {
                item: item.id.clone(),
                judge: judge.to_owned(),
                label,
                output: Some(output),
            }])?;
            said(Asking::Done { done, of: open.len() });
        }
        Ok(all)
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

/// Words before a colon that a label follows: `Final answer: not sensible`.
const LEADS: [&str; 15] = [
    "answer",
    "assessment",
    "category",
    "classification",
    "conclusion",
    "decision",
    "evaluation",
    "judgement",
    "judgment",
    "label",
    "rating",
    "result",
    "short",
    "summary",
    "verdict",
];

/// Words with which what stands before the colon says the contrary.
const DENIALS: [&str; 9] =
    ["cannot", "incorrect", "neither", "never", "no", "nor", "not", "without", "wrong"];

/// The most words before the colon.
const LONGEST_LEAD: usize = 4;

/// Whether what stands before a colon says that a label follows.
fn is_lead(text: &str) -> bool {
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let words: Vec<String> =
        text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect();
    let denies = |word: &String| {
        DENIALS.contains(&word.as_str()) || word.ends_with("n't") || word.ends_with("n’t")
    };
    let says = words.last().is_some_and(|last| LEADS.contains(&last.as_str()));
    says && words.len() <= LONGEST_LEAD && !words.iter().any(denies)
}

/// What the last line that is not empty says, as a whole or behind its last colon, before which a
/// few words announce it; `None` if it is none of the three.
fn label(output: &str) -> Option<Label> {
    let last = output.lines().rev().find(|line| !line.trim().is_empty())?;
    let said = |text: &str| {
        let plain = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        WORDS.into_iter().find(|(words, _)| plain == *words).map(|(_, label)| label)
    };
    said(last).or_else(|| {
        let (lead, label) = last.rsplit_once([':', '：'])?;
        if is_lead(lead) { said(label) } else { None }
    })
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
        assert_eq!(of("It is vague.\n**Final answer: Sensible, but not specific**"), None);
        assert_eq!(of("Hm.\n**Final answer: not sensible.**"), Some(Label::NotSensible));
        for line in
            ["Verdict: not sensible", "- **Label:** not sensible", "My own judgment： not sensible"]
        {
            assert_eq!(of(line), Some(Label::NotSensible), "{line}");
        }
        // What only mentions a label is not one.
        for line in [
            "I would not call it: sensible and specific",
            "Not my answer: sensible and specific",
            "It isn't the label: sensible and specific",
            "After some thought, this is my answer: sensible and specific",
            "I wonder: sensible and specific",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
        assert_eq!(of("It is not sensible to say."), None);
        assert_eq!(of("sensible"), None);
        assert_eq!(of(""), None);
    }
}
