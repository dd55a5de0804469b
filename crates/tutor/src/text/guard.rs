//! Which texts must not be learned from, or replied: by a list of words, and by a classifier of
//! texts.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, ensure};
use data_pipeline::dialog::{Safety, SafetyWords};
use data_pipeline::error::DataError;

use super::classify::classify_texts;
use crate::run::experiment::{Answer, Predictor};

/// A list of words, and perhaps a classifier that is asked about what passes the list.
pub(crate) struct Guard {
    words: SafetyWords,
    classifier: Option<Asked>,
}

/// A classifier, which lives on a thread of its own: networks do not go from one to another.
struct Asked {
    /// None once nobody asks any more.
    questions: Mutex<Option<Sender<Question>>>,
    thread: Option<JoinHandle<()>>,
    identity: String,
}

impl Drop for Asked {
    /// Waits for the end of what is asked, which has texts in a file for this time.
    fn drop(&mut self) {
        drop(self.questions.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        // One that has failed has said so to who asked it.
        self.thread.take().map(JoinHandle::join);
    }
}

/// Texts, and where it is told which of them are refused.
struct Question {
    texts: Vec<String>,
    answer: Sender<Result<Vec<bool>>>,
}

/// What a classifier says of texts that are refused.
pub(crate) struct Refused {
    /// The classes.
    pub(crate) classes: Vec<String>,
    /// Their probability together from which on a text is refused; where classes do not exclude
    /// each other, that of one of them.
    pub(crate) from: f64,
}

impl Guard {
    /// By a list of words alone.
    pub(crate) fn new(words: SafetyWords) -> Self {
        Self { words, classifier: None }
    }

    /// By a classifier too, which `open` opens. Fails where it knows no such class, or is not shown
    /// texts.
    pub(crate) fn with_classifier(
        self,
        open: impl FnOnce() -> Result<Box<dyn Predictor>> + Send + 'static,
        refused: Refused,
    ) -> Result<Self> {
        let (questions, asked) = channel();
        let (ready, opened) = channel();
        let thread = thread::spawn(move || {
            let found = open().and_then(|network| {
                let classes = refused.of(&*network)?;
                Ok((network.identity()?, network, classes))
            });
            // Nobody waits any more where these cannot be sent.
            match found {
                Err(error) => drop(ready.send(Err(error))),
                Ok((identity, network, classes)) => {
                    drop(ready.send(Ok(identity)));
                    answer(&asked, &*network, &classes, refused.from);
                }
            }
        });
        let identity = opened.recv().context("the classifier of texts has failed")??;
        let (questions, thread) = (Mutex::new(Some(questions)), Some(thread));
        Ok(Self { classifier: Some(Asked { questions, thread, identity }), ..self })
    }

    /// What tells the classifier from any other; none without one.
    pub(crate) fn identity(&self) -> Option<&str> {
        self.classifier.as_ref().map(|asked| asked.identity.as_str())
    }
}

impl Refused {
    /// The classes by index.
    fn of(&self, network: &dyn Predictor) -> Result<Vec<usize>> {
        let (known, about) = (network.classes(), network.about());
        let mut indices = Vec::new();
        for class in &self.classes {
            let found = known.iter().position(|name| name == class);
            ensure!(
                found.is_some(),
                "{about} knows no class {class:?} that could be refused, but {}",
                known.join(", ")
            );
            indices.extend(found);
        }
        indices.sort_unstable();
        indices.dedup();
        let words = known.join(", ");
        ensure!(!indices.is_empty(), "name classes of {about} that are refused: {words}");
        ensure!(
            indices.len() < known.len() || !network.is_exclusive(),
            "all classes of {about} are refused: {words}"
        );
        // What is no classifier of single texts fails here, and not after hours of reading.
        classify_texts(network, "messages", &["a text"], &mut |_| Ok(()))?;
        Ok(indices)
    }
}

/// Answers questions until nobody is left to ask.
fn answer(asked: &Receiver<Question>, network: &dyn Predictor, classes: &[usize], from: f64) {
    let exclusive = network.is_exclusive();
    while let Ok(Question { texts, answer }) = asked.recv() {
        let mut refused = Vec::with_capacity(texts.len());
        let said = classify_texts(network, "messages", &texts, &mut |answers| {
            let is_refused = |answer| is_refused(answer, (classes, exclusive), from);
            refused.extend(answers.iter().map(is_refused));
            Ok(())
        });
        let all = said.and_then(|()| {
            ensure!(refused.len() == texts.len(), "{} of {}", refused.len(), texts.len());
            Ok(refused)
        });
        drop(answer.send(all));
    }
}

/// Whether the classes have this probability together, or one of them where they do not exclude
/// each other. What a network could not say is refused: no text passes unjudged.
fn is_refused(answer: &Answer, (classes, exclusive): (&[usize], bool), from: f64) -> bool {
    let Answer::Said { probabilities, .. } = answer else { return true };
    let mut said = classes.iter().map(|&class| f64::from(probabilities[class]));
    let reaches = |share: f64| share >= from || share.is_nan();
    if exclusive { reaches(said.sum()) } else { said.any(reaches) }
}

impl Asked {
    fn ask(&self, texts: Vec<String>) -> Result<Vec<bool>> {
        let (answer, answered) = channel();
        let questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ended = || anyhow!("its thread has ended");
        questions.ok_or_else(ended)?.send(Question { texts, answer }).map_err(|_| ended())?;
        answered.recv().map_err(|_| ended())?
    }
}

impl Safety for Guard {
    fn are_unsafe(&self, texts: &[&str]) -> Result<Vec<bool>, DataError> {
        let mut found = self.words.are_unsafe(texts)?;
        if let Some(classifier) = &self.classifier {
            // Nothing can be said of an empty message, which other filters may let pass.
            let is_left = |&i: &usize| !found[i] && !texts[i].trim().is_empty();
            let left: Vec<usize> = (0..texts.len()).filter(is_left).collect();
            let asked = left.iter().map(|&i| texts[i].to_owned()).collect();
            let failed =
                |error| DataError::Request(format!("the classifier of texts failed: {error:#}"));
            for (i, refused) in left.into_iter().zip(classifier.ask(asked).map_err(failed)?) {
                found[i] = refused;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_refused_by_their_probability_together() {
        let said = |probabilities: &[f32]| Answer::Said {
            probabilities: probabilities.to_vec(),
            noticed: Vec::new(),
        };
        let three = said(&[0.25, 0.5, 0.25]);
        assert!(is_refused(&three, (&[0, 2], true), 0.5));
        assert!(!is_refused(&three, (&[0], true), 0.5));
        assert!(!is_refused(&three, (&[0, 2], false), 0.5), "each for itself");
        assert!(is_refused(&three, (&[0, 1, 2], false), 0.5));
        for exclusive in [true, false] {
            assert!(is_refused(&said(&[f32::NAN, 0.0]), (&[0], exclusive), 0.5), "NaN is refused");
        }
    }
}
