//! Questions about paragraphs, with ELECTRA's joint head.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use data_pipeline::digest::Digest;
use data_pipeline::text::read::{OnBadInput, Tally};
use data_pipeline::text::{Sequence, Squad, SquadUse, SquadWindows, Tokenizer, Window, Windows};
use electra::heads::{Answer, AnswerHead, Span};
use electra::{EncoderConfig, PackedSequences};
use metrics::{Answered, Score, Squad2Scores, SquadScore, squad1, squad2};
use serde::{Deserialize, Serialize};
use serde_json::json;
use torch::{Device, Mode, Scope, Tensor};
use train::Loss;

use super::kept;
use super::recipe::SquadConfig;
use super::start::Start;
use super::summary::Measure;
use super::training::{Benchmark, Examples, Head};
use crate::run::began::Began;
use crate::run::files;
use crate::run::interrupt;
use crate::text::tokens::in_batches;

/// Windows of a batch of an evaluation: they are long.
const BATCH: usize = 16;

/// Answers of a window that are looked at.
const BEST: usize = 20;

/// What is known of a window: where the answer stands, (0, 0) where it does not, and whether the
/// question has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truth {
    span: Span,
    impossible: bool,
}

/// Questions with their paragraphs, as a network is shown them.
pub(super) struct Questions {
    pub(super) squad: Squad,
    windows: SquadWindows,
}

/// What a run keeps of a task.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptThreshold {
    /// The logit of there being no answer above which none is given, where it was measured so.
    pub(super) threshold: Option<f64>,
}

/// Questions to learn from, and others to measure on.
pub(super) struct SquadTask {
    config: SquadConfig,
    examples: Examples<Truth>,
    test: Questions,
    about: String,
    notes: Vec<String>,
}

impl SquadTask {
    pub(super) fn open(config: &SquadConfig, start: &Start) -> Result<Self> {
        let mut notes = Vec::new();
        let mut read = |path: &Path, to: SquadUse| -> Result<Questions> {
            let read =
                Questions::read(path, (to, config.on_bad), config.windows, &start.tokenizer)?;
            notes.extend(told(path, &read.squad.tally));
            Ok(read)
        };
        let Questions { squad: train, windows: of_train } = read(&config.train, SquadUse::Learn)?;
        let test = read(&config.test, SquadUse::Measure)?;
        ensure!(
            test.squad.questions.iter().any(|q| q.is_impossible || !q.answers.is_empty()),
            "{}: no question has an answer, so that nothing can be measured: name a file with answers",
            config.test.display()
        );
        let truth = |window: &Window| {
            let impossible = train.questions[window.question as usize].is_impossible;
            let (first, last) = window.answer.unwrap_or((0, 0));
            Truth { span: Span { start: first as usize, end: last as usize }, impossible }
        };
        let targets = of_train.windows.iter().map(truth).collect();
        let sequences: Vec<Sequence> =
            of_train.windows.into_iter().map(|window| window.sequence).collect();
        let many = |squad: &Squad, windows: usize| {
            let without = squad.questions.iter().filter(|q| q.answers.is_empty()).count();
            let without = match without {
                0 => String::new(),
                without => format!(" ({without} without an answer)"),
            };
            format!("{} questions{without} in {windows} windows", squad.questions.len())
        };
        let about = format!(
            "{} to learn, {} to measure",
            many(&train, sequences.len()),
            many(&test.squad, test.windows.windows.len())
        );
        let examples = Examples::new("questions", sequences, targets);
        Ok(Self { config: config.clone(), examples, test, about, notes })
    }

    pub(super) fn about(&self) -> String {
        self.about.clone()
    }

    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The threshold that is measured with, where a question that is measured has no answer.
    fn threshold(&self) -> Option<f64> {
        let has_impossible = self.test.squad.questions.iter().any(|q| q.answers.is_empty());
        has_impossible.then_some(self.config.threshold)
    }

    /// Keeps in a run's folder what its networks need beside their tensors.
    pub(super) fn keep(&self, start: &Start, run: &Path) -> Result<()> {
        kept::keep(start, KeptThreshold { threshold: self.threshold() }, run)
    }
}

impl Questions {
    /// Those of a file.
    pub(super) fn read(
        path: &Path,
        (to, on_bad): (SquadUse, OnBadInput),
        windows: Windows,
        tokenizer: &Tokenizer,
    ) -> Result<Self> {
        let squad = Squad::read(path, to, on_bad)?;
        ensure!(
            !squad.questions.is_empty(),
            "{} has no question: name a file of SQuAD 1.1 or 2.0, with some below `qas`",
            path.display()
        );
        let windows = squad.windows(tokenizer, windows)?;
        Ok(Self { squad, windows })
    }

    /// Of each question the best answer, and the least logit of there being none. `shown` is told
    /// how many windows of how many were shown.
    pub(super) fn predict(
        &self,
        head: &AnswerHead,
        config: &SquadConfig,
        device: Device,
        shown: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<(String, f64)>> {
        let windows = &self.windows.windows;
        let sequences: Vec<Sequence> = windows.iter().map(|w| w.sequence.clone()).collect();
        let SquadConfig { beam, longest_answer, .. } = *config;
        let mut answers: Vec<Option<Answer>> = vec![None; windows.len()];
        let mut done = 0;
        for (places, packed) in in_batches(&sequences, BATCH, device) {
            interrupt::check()?;
            let found = head.answers(&packed, &visible(&packed), beam, longest_answer, BEST);
            done += places.len();
            shown(done, windows.len());
            places.into_iter().zip(found).for_each(|(place, one)| answers[place] = Some(one));
        }
        let mut best = vec![(String::new(), f64::NEG_INFINITY); self.squad.questions.len()];
        let mut none = vec![f64::INFINITY; self.squad.questions.len()];
        for (window, answer) in windows.iter().zip(answers.into_iter().flatten()) {
            let question = window.question as usize;
            none[question] = none[question].min(answer.impossible);
            for (span, score) in answer.spans {
                let Some((first, last)) = tokens(window, span) else { continue };
                if score > best[question].1 {
                    let text = self.squad.text(&self.windows, window.question, first, last);
                    if !text.trim().is_empty() {
                        best[question] = (text.to_owned(), score);
                    }
                }
            }
        }
        Ok(best.into_iter().map(|(text, _)| text).zip(none).collect())
    }
}

/// What was left out of a file, in words.
pub(super) fn told(path: &Path, tally: &Tally) -> Vec<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    tally.left_out().map(|reason| format!("{name}: left out: {reason}")).collect()
}

/// First and last token of the paragraph, if an answer may be taken from this window: no other
/// shows its first token with more around it.
fn tokens(window: &Window, span: Span) -> Option<(u32, u32)> {
    let (first, last) = (window.token(span.start as u32)?, window.token(span.end as u32)?);
    window.best[(first - window.start) as usize].then_some((first, last))
}

/// The tokens of the second segment and the first of each sequence, as in ELECTRA's code.
fn visible(packed: &PackedSequences) -> Tensor {
    packed.segments().eq(1).logical_or(&packed.positions().eq(0))
}

/// ELECTRA's head with the weight of its second loss.
pub(super) struct SquadHead {
    net: AnswerHead,
    answerable_weight: f64,
}

impl Head for SquadHead {
    type Target = Truth;

    fn loss(&self, packed: &PackedSequences, targets: &[Truth]) -> Loss {
        let spans: Vec<Span> = targets.iter().map(|truth| truth.span).collect();
        let impossible: Vec<bool> = targets.iter().map(|truth| truth.impossible).collect();
        let found = self.net.loss(packed, &visible(packed), &spans, &impossible, Mode::Train);
        Loss::new().term("span", 1.0, found.span).term(
            "answerable",
            self.answerable_weight,
            found.answerable,
        )
    }
}

impl Benchmark for SquadTask {
    type Head = SquadHead;

    fn head(&self, scope: &mut Scope<'_>, encoder: &EncoderConfig) -> SquadHead {
        let answerable_weight = self.config.answerable_weight;
        SquadHead { net: AnswerHead::new(scope, encoder), answerable_weight }
    }

    fn add_to(&self, began: &mut Began) {
        let Squad { paragraphs, questions, .. } = &self.test.squad;
        let paragraphs = paragraphs.iter().map(|paragraph| format!("{paragraph:?}"));
        let questions = questions.iter().map(|question| format!("{question:?}"));
        let digest = Digest::of_lines(paragraphs.chain(questions));
        began.add("test", "questions to measure on", digest);
    }

    fn examples(&self) -> &Examples<Truth> {
        &self.examples
    }

    /// `predictions.json` and `null_odds.json` as the official scripts read them, and
    /// `eval.json` with what these print.
    fn measure(&self, head: &SquadHead, folder: &Path, device: Device) -> Result<Vec<Measure>> {
        let squad = &self.test.squad;
        let found = self.test.predict(&head.net, &self.config, device, &mut |_, _| ())?;
        let (texts, odds): (Vec<String>, Vec<f64>) = found.into_iter().unzip();
        squad.write_answers(&folder.join("predictions.json"), &texts)?;
        squad.write_no_answer_scores(&folder.join("null_odds.json"), &odds)?;
        let answered: Vec<Answered<'_>> = squad
            .questions
            .iter()
            .zip(texts.iter().zip(&odds))
            .map(|(question, (text, &no_answer))| Answered {
                golds: question.answers.iter().map(|answer| answer.text.as_str()).collect(),
                prediction: Some(text),
                no_answer,
            })
            .collect();
        let (measures, told) = match self.threshold() {
            Some(threshold) => of_v2(&squad2(&answered, threshold).unwrap_or_default()),
            None => of_v1(&squad1(&answered).unwrap_or_default()),
        };
        files::keep(&folder.join("eval.json"), &told)?;
        Ok(measures)
    }
}

/// What the script of SQuAD 1.1 prints.
fn of_v1(found: &SquadScore) -> (Vec<Measure>, serde_json::Value) {
    let exact = Measure::new("test exact match", "%", Score::of(found.exact));
    let measures =
        vec![exact.of(found.questions as u64), Measure::new("test F1", "%", Score::of(found.f1))];
    (measures, json!({ "exact_match": found.exact, "f1": found.f1 }))
}

/// What the script of SQuAD 2.0 prints; the best scores at any threshold first, as they are
/// published for the dev part.
fn of_v2(found: &Squad2Scores) -> (Vec<Measure>, serde_json::Value) {
    let n = found.all.questions as u64;
    let noted = |mut score: Score| {
        let notes = found.warnings.join("; ");
        score.note = (!notes.is_empty()).then_some(notes);
        score
    };
    let (exact, f1) = (noted(Score::of(found.best_exact.0)), noted(Score::of(found.best_f1.0)));
    let mut measures = vec![
        Measure::new("test exact match at the best threshold", "%", exact).of(n),
        Measure::new("test F1 at the best threshold", "%", f1),
        Measure::new("test exact match", "%", Score::of(found.all.exact)).of(n),
        Measure::new("test F1", "%", Score::of(found.all.f1)),
    ];
    let mut told: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    let mut part = |prefix: &str, score: &SquadScore| {
        told.insert(format!("{prefix}exact"), score.exact.into());
        told.insert(format!("{prefix}f1"), score.f1.into());
        told.insert(format!("{prefix}total"), score.questions.into());
    };
    part("", &found.all);
    let parts = [
        ("HasAns_", "questions with an answer", found.has_answer),
        ("NoAns_", "questions without an answer", found.no_answer),
    ];
    for (prefix, words, score) in parts {
        let Some(score) = score else { continue };
        part(prefix, &score);
        let measure = Measure::new(format!("test F1, {words}"), "%", Score::of(score.f1));
        measures.push(measure);
    }
    for (name, (value, at)) in [("exact", found.best_exact), ("f1", found.best_f1)] {
        told.insert(format!("best_{name}"), value.into());
        told.insert(format!("best_{name}_thresh"), at.into());
    }
    (measures, json!(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_from_the_window_that_shows_most_around_it() {
        let window = Window {
            question: 0,
            sequence: Sequence::default(),
            start: 10,
            length: 3,
            offset: 5,
            answer: None,
            best: vec![false, true, true],
        };
        let span = |start, end| Span { start, end };
        assert_eq!(tokens(&window, span(6, 7)), Some((11, 12)));
        assert_eq!(tokens(&window, span(5, 7)), None, "another window shows it better");
        assert_eq!(tokens(&window, span(0, 0)), None, "the first token is no answer");
        assert_eq!(tokens(&window, span(7, 8)), None, "the last [SEP] is none either");
    }

    /// The case of published model cards whose thresholds were made with zeros.
    #[test]
    fn equal_no_answer_scores_are_warned_of() {
        let one = |gold, prediction| Answered {
            golds: vec![gold],
            prediction: Some(prediction),
            no_answer: 0.0,
        };
        let found = squad2(&[one("Paris", "Paris"), one("a", "b")], 0.0).expect("questions");
        let (measures, told) = of_v2(&found);
        assert!(measures[0].note.as_ref().expect("a warning").contains("no-answer scores"));
        assert_eq!(told["total"], 2);
        assert!(told.get("NoAns_f1").is_none() && told.get("best_f1_thresh").is_some());
    }
}
