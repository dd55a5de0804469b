//! The tasks of GLUE.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{EncodedSet, Glue, GluePart, Layout, Target, TextSet, Tokenizer};
use electra::heads::{Classifier, ClassifierConfig};
use electra::{EncoderConfig, PackedSequences};
use metrics::{Confusion, Score, pearson, spearman};
use torch::device::tensor_on;
use torch::{Device, Kind, Mode, Scope, loss, no_grad};
use train::Loss;

use super::kept;
use super::recipe::GlueConfig;
use super::start::Start;
use super::summary::Measure;
use super::training::{BATCH, Benchmark, Examples, Head};
use crate::run::began::Began;
use crate::run::interrupt;
use crate::text::predictor::Kept;
use crate::text::tokens::in_batches;

/// The columns of a task's two texts in tables of new ones; none where it judges one.
pub(super) fn pair_columns(task: Glue) -> Option<[&'static str; 2]> {
    task.has_pairs().then_some(match task {
        Glue::Qqp => ["question1", "question2"],
        Glue::Qnli => ["question", "sentence"],
        _ => ["sentence1", "sentence2"],
    })
}

/// Scores go from 0 to this.
const HIGHEST: f64 = 5.0;

/// A task of GLUE with its data.
pub(super) struct GlueTask {
    config: GlueConfig,
    pad: i64,
    examples: Examples<Target>,
    /// The labelled parts to measure on.
    dev: Vec<(GluePart, EncodedSet)>,
    /// Parts without labels, to predict.
    test: Vec<(Glue, GluePart, EncodedSet)>,
    about: String,
    notes: Vec<String>,
}

impl GlueTask {
    /// Reads all parts of the task that there are; the training and the dev part must be there.
    pub(super) fn open(config: &GlueConfig, start: &Start) -> Result<Self> {
        let folder = &config.data;
        let task = config.task;
        let mut notes = Vec::new();
        let mut read = |task: Glue, part| -> Result<Arc<TextSet>> {
            let set = task.read(folder, part, config.on_bad)?;
            notes.extend(set.notes().iter().map(|note| format!("{}: {note}", set.name())));
            ensure!(!set.is_empty(), "{} in {} has no row", set.name(), folder.display());
            Ok(Arc::new(set))
        };
        let encode = |set: &Arc<TextSet>, tokenizer: &Tokenizer, layout: Layout| {
            set.encode(tokenizer, layout).with_context(|| set.name().to_owned())
        };
        let (tokenizer, layout) = (&start.tokenizer, config.layout);
        let train = read(task, GluePart::Train)?;
        let labelled = train.len();
        let train = match (config.turned_pairs, task) {
            (true, Glue::Mrpc | Glue::StsB) => Arc::new(TextSet::clone(&train).with_turned_pairs()),
            _ => train,
        };
        let targets = train.examples().iter().map(|example| example.target).collect();
        let sequences = encode(&train, tokenizer, layout)?.sequences().to_vec();
        let examples = Examples::new(train.name(), sequences, targets);
        let mut dev = Vec::new();
        for part in [GluePart::Dev, GluePart::DevMismatched] {
            if part == GluePart::Dev || task.has_part(folder, part) {
                dev.push((part, encode(&read(task, part)?, tokenizer, layout)?));
            }
        }
        let mut test = Vec::new();
        let parts =
            [(task, GluePart::Test), (task, GluePart::TestMismatched), (Glue::Ax, GluePart::Test)];
        for (of, part) in parts {
            let belongs = of == task || task == Glue::Mnli;
            if config.predict_test && belongs && of.has_part(folder, part) {
                test.push((of, part, encode(&read(of, part)?, tokenizer, layout)?));
            }
        }
        let counts = |sets: Vec<usize>| -> String {
            sets.iter().map(usize::to_string).collect::<Vec<_>>().join(" and ")
        };
        let mut about = format!(
            "{} of GLUE: {labelled} training examples{}, {} dev",
            task.name(),
            if examples.len() > labelled { " in both orders" } else { "" },
            counts(dev.iter().map(|(_, set)| set.len()).collect())
        );
        if !test.is_empty() {
            let test = counts(test.iter().map(|(_, _, set)| set.len()).collect());
            about += &format!(", {test} without labels to predict");
        }
        let pad = start.pad();
        Ok(Self { config: config.clone(), pad, examples, dev, test, about, notes })
    }

    pub(super) fn about(&self) -> String {
        self.about.clone()
    }

    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Keeps in a run's folder what its classifier needs beside its tensors.
    pub(super) fn keep(&self, start: &Start, run: &Path) -> Result<()> {
        let folder = kept::folder(run);
        start.tokenizer.save(&Kept::vocabulary(&folder))?;
        let classes = self.classes().iter().map(|&class| class.to_owned()).collect();
        let (net, layout) = (self.net(start.encoder()), self.config.layout);
        Kept { net, classes, layout }.keep(&folder)
    }

    fn net(&self, encoder: &EncoderConfig) -> ClassifierConfig {
        let (encoder, form, pad) = (encoder.clone(), self.config.form, self.pad);
        ClassifierConfig { encoder, form, pad, ..ClassifierConfig::default() }
    }

    fn classes(&self) -> &'static [&'static str] {
        self.config.task.classes()
    }

    /// What is said of each text of a set: a class, or a score.
    fn predict(&self, head: &GlueHead, set: &EncodedSet, device: Device) -> Result<Vec<Target>> {
        let mut found = vec![Target::None; set.len()];
        for (places, packed) in in_batches(set.sequences(), BATCH, device) {
            interrupt::check()?;
            let logits = no_grad(|| head.net.classify(&packed, Mode::Eval)).to_kind(Kind::Float);
            let said: Vec<Target> = match head.scores {
                true => {
                    let scores = Vec::<f32>::try_from(logits.squeeze_dim(1))?;
                    scores.into_iter().map(|score| Target::Score(score * HIGHEST as f32)).collect()
                }
                false => {
                    let classes = Vec::<i64>::try_from(logits.argmax(1, false))?;
                    classes.into_iter().map(|class| Target::Class(class as u32)).collect()
                }
            };
            places.into_iter().zip(said).for_each(|(place, said)| found[place] = said);
        }
        Ok(found)
    }
}

/// A classifier, or a net that gives a score.
pub(super) struct GlueHead {
    net: Classifier,
    scores: bool,
}

impl Head for GlueHead {
    type Target = Target;

    /// Cross entropy of classes; of scores the squared error, as parts of the highest one.
    fn loss(&self, packed: &PackedSequences, targets: &[Target]) -> Loss {
        let logits = self.net.classify(packed, Mode::Train);
        if self.scores {
            let wanted: Vec<f32> = targets
                .iter()
                .map(|target| match target {
                    Target::Score(score) => score / HIGHEST as f32,
                    _ => unreachable!("a training part of scores has them"),
                })
                .collect();
            let wanted = tensor_on(&wanted, packed.device());
            let error = logits.squeeze_dim(1).to_kind(Kind::Float) - wanted;
            return Loss::new().term("sup", 1.0, error.square().mean(Kind::Float));
        }
        let wanted: Vec<i64> = targets
            .iter()
            .map(|target| match target {
                Target::Class(class) => i64::from(*class),
                _ => unreachable!("a training part of classes has them"),
            })
            .collect();
        let wanted = tensor_on(&wanted, packed.device());
        let right = logits.argmax(1, false).eq_tensor(&wanted).to_kind(Kind::Float);
        Loss::new()
            .term("sup", 1.0, loss::cross_entropy(&logits, &wanted).mean(Kind::Float))
            .note("sup_accuracy", right.mean(Kind::Float))
    }
}

impl Benchmark for GlueTask {
    type Head = GlueHead;

    fn head(&self, scope: &mut Scope<'_>, encoder: &EncoderConfig) -> GlueHead {
        let classes = self.classes().len().max(1) as i64;
        let scores = self.classes().is_empty();
        GlueHead { net: Classifier::new(scope, &self.net(encoder), classes), scores }
    }

    fn add_to(&self, began: &mut Began) {
        let dev = self.dev.iter().map(|(_, set)| set);
        for set in dev.chain(self.test.iter().map(|(_, _, set)| set)) {
            let name = set.texts().name();
            began.add_each(name, format!("examples of {name}"), set.texts().examples());
        }
    }

    fn examples(&self) -> &Examples<Target> {
        &self.examples
    }

    /// The scores of the benchmark's table, and files of predictions as gluebenchmark.com takes
    /// them.
    fn measure(&self, head: &GlueHead, folder: &Path, device: Device) -> Result<Vec<Measure>> {
        let mut measures = Vec::new();
        for (part, set) in &self.dev {
            let said = self.predict(head, set, device)?;
            let truth: Vec<Target> = set.texts().examples().iter().map(|e| e.target).collect();
            let name = match (self.config.task, part) {
                (_, GluePart::DevMismatched) => "mismatched dev",
                (Glue::Mnli, _) => "matched dev",
                _ => "dev",
            };
            measures.extend(scores(self.config.task, name, &truth, &said));
            write(self.config.task, &folder.join("dev"), (*part, set), &said)?;
        }
        for (task, part, set) in &self.test {
            let said = self.predict(head, set, device)?;
            write(*task, &folder.join("test"), (*part, set), &said)?;
        }
        Ok(measures)
    }
}

/// Writes what is said of the texts of a part.
fn write(
    task: Glue,
    folder: &Path,
    (part, set): (GluePart, &EncodedSet),
    said: &[Target],
) -> Result<()> {
    let ids = set.texts().examples().iter().map(|example| example.id.as_str());
    let said: Vec<_> = ids.zip(said.iter().copied()).collect();
    task.write_predictions(folder, part, &said)?;
    Ok(())
}

/// What GLUE measures a task by, the main score first.
fn scores(task: Glue, part: &str, truth: &[Target], said: &[Target]) -> Vec<Measure> {
    let n = truth.len() as u64;
    if task == Glue::StsB {
        let numbers = |targets: &[Target]| -> Vec<f64> {
            let score = |target: &Target| match target {
                Target::Score(score) => f64::from(*score),
                _ => f64::NAN,
            };
            targets.iter().map(score).collect()
        };
        let (truth, said) = (numbers(truth), numbers(said));
        let mut spearman =
            Measure::new(format!("{part} Spearman correlation"), "", spearman(&truth, &said));
        let outside = said.iter().filter(|score| !(0.0..=HIGHEST).contains(*score)).count();
        if outside > 0 && spearman.note.is_none() {
            spearman.note = Some(format!(
                "{outside} of {n} scores lie outside of 0 to {HIGHEST}, between which they are \
                 written; the correlations are of what the network says"
            ));
        }
        let pearson =
            Measure::new(format!("{part} Pearson correlation"), "", pearson(&truth, &said));
        return vec![spearman, pearson];
    }
    let mut confusion = Confusion::new(task.classes().len());
    for pair in truth.iter().zip(said) {
        if let (Target::Class(truth), Target::Class(said)) = pair {
            confusion.add(*truth as usize, *said as usize);
        }
    }
    let accuracy = confusion.accuracy().map(Score::of);
    let accuracy = accuracy.unwrap_or_else(|| Score::undefined("no example has a label"));
    let accuracy = Measure::new(format!("{part} accuracy"), "%", accuracy).of(n);
    match task {
        Glue::Cola => {
            let matthews = format!("{part} Matthews correlation");
            vec![Measure::new(matthews, "", confusion.matthews()), accuracy]
        }
        Glue::Mrpc | Glue::Qqp => {
            vec![accuracy, Measure::new(format!("{part} F1"), "%", confusion.f1(1))]
        }
        _ => vec![accuracy],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(text: &str) -> Vec<Target> {
        text.bytes().map(|byte| Target::Class(u32::from(byte - b'0'))).collect()
    }

    /// Values of sklearn and scipy, from the cases of bug reports that they were asked for.
    #[test]
    fn each_task_has_the_scores_of_the_benchmark() {
        let found = scores(Glue::Cola, "dev", &classes("11100101"), &classes("10101101"));
        assert_eq!(found[0].metric, "dev Matthews correlation");
        assert!((found[0].value.expect("defined") - 0.466_666_7).abs() < 1e-7);
        let constant = scores(Glue::Cola, "dev", &classes("1011"), &classes("1111"));
        assert_eq!(constant[0].note.as_deref(), Some("all predictions are class 1"));
        let undefined = scores(Glue::Cola, "dev", &classes("1111"), &classes("1111"));
        assert_eq!((undefined[0].value, undefined[0].shown), (None, 0.0));
        for task in [Glue::Mrpc, Glue::Qqp] {
            let found = scores(task, "dev", &classes("111100"), &classes("111010"));
            let value = |i: usize| found[i].value.expect("defined");
            assert!((value(0) - 66.6667).abs() < 1e-3 && (value(1) - 75.0).abs() < 1e-9);
        }
        let numbers = |all: [f32; 5]| all.map(Target::Score).to_vec();
        let gold = numbers([0.0, 1.0, 1.0, 2.0, 5.0]);
        let found = scores(Glue::StsB, "dev", &gold, &numbers([0.1, 0.4, 0.35, 0.8, 0.9]));
        assert!((found[0].value.expect("defined") - 0.974_679_4).abs() < 1e-6);
        assert_eq!(found[0].note, None);
        let beyond = scores(Glue::StsB, "dev", &gold, &numbers([-0.1, 0.4, 0.35, 0.8, 5.9]));
        assert!(beyond[0].note.as_deref().is_some_and(|note| note.starts_with("2 of 5 scores")));
        assert!((found[1].value.expect("defined") - 0.883_621_9).abs() < 1e-6);
        let found = scores(Glue::Mnli, "matched dev", &classes("0120"), &classes("0121"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].value, found[0].examples), (Some(75.0), Some(4)));
    }
}
