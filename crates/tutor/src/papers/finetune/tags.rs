//! Words with tags: names, chunks, parts of speech.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Result, ensure};
use data_pipeline::text::{Encoder, TaggedColumns, TaggedSequence, TaggedSet};
use electra::heads::Tagger;
use electra::{EncoderConfig, PackedSequences};
use metrics::{Score, SpanScores};
use torch::device::tensor_on;
use torch::{Device, Kind, Mode, Scope, Tensor, group, loss, no_grad};
use train::Loss;

use super::recipe::TagsConfig;
use super::squad::told;
use super::start::Start;
use super::summary::Measure;
use super::training::{BATCH, Benchmark, Examples, Head};
use crate::run::interrupt;
use crate::text::tokens::in_batches;

/// What is known of a sentence: places in the sequence with the tags of their words.
pub(super) type Truth = Vec<(u32, u32)>;

/// Sentences with tags.
pub(super) struct TagTask {
    examples: Examples<Truth>,
    test: TaggedSet,
    sequences: Vec<TaggedSequence>,
    /// The tags of the training part.
    tags: Vec<String>,
    about: String,
    notes: Vec<String>,
}

impl TagTask {
    pub(super) fn open(config: &TagsConfig, start: &Start) -> Result<Self> {
        let mut notes = Vec::new();
        let mut read = |path: &Path, tags: Option<Vec<String>>| -> Result<TaggedSet> {
            let (word, tag) = (config.word, config.tag);
            let columns = TaggedColumns { word, tag, untagged: false, tags };
            let set = TaggedSet::read(path, &columns, config.on_bad)?;
            ensure!(!set.sentences.is_empty(), "{} has no sentence", path.display());
            notes.extend(told(path, &set.tally));
            Ok(set)
        };
        let train = read(&config.train, None)?;
        let test = read(&config.test, Some(train.tags.clone()))?;
        let mut encoder = Encoder::new(&start.tokenizer);
        let mut encode = |set: &TaggedSet| -> Result<Vec<TaggedSequence>> {
            let each = set.sentences.iter();
            Ok(each.map(|s| s.sequence(config.longest, &mut encoder)).collect::<Result<_, _>>()?)
        };
        let (of_train, sequences) = (encode(&train)?, encode(&test)?);
        let truth =
            |(sentence, sequence): (&data_pipeline::text::TaggedSentence, &TaggedSequence)| {
                let tags = sentence.tags.iter().flatten().copied();
                sequence.places.iter().copied().zip(tags).collect()
            };
        let targets = train.sentences.iter().zip(&of_train).map(truth).collect();
        let about = format!(
            "{} sentences to learn and {} to measure, words with {} tags",
            of_train.len(),
            sequences.len(),
            train.tags.len()
        );
        let behind: usize = test
            .sentences
            .iter()
            .zip(&sequences)
            .map(|(s, q)| s.words.len() - q.places.len())
            .sum();
        if behind > 0 {
            let name = config.test.file_name().unwrap_or_default().to_string_lossy();
            notes.push(format!("{name}: {behind} words have no room and count as O"));
        }
        let of_train = of_train.into_iter().map(|sequence| sequence.sequence).collect();
        let examples = Examples::new("sentences", of_train, targets);
        Ok(Self { examples, test, sequences, tags: train.tags, about, notes })
    }

    pub(super) fn about(&self) -> String {
        self.about.clone()
    }

    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The tag that words without room have: `O`, or the first one.
    fn outside(&self) -> usize {
        self.tags.iter().position(|tag| tag == "O").unwrap_or(0)
    }

    /// The tags of each word of each sentence.
    fn predict(&self, head: &Tagger, device: Device) -> Result<Vec<Vec<usize>>> {
        let mut found: Vec<Vec<usize>> = self
            .test
            .sentences
            .iter()
            .map(|sentence| vec![self.outside(); sentence.words.len()])
            .collect();
        let all: Vec<_> = self.sequences.iter().map(|one| one.sequence.clone()).collect();
        for (places, packed) in in_batches(&all, BATCH, device) {
            interrupt::check()?;
            let tags = no_grad(|| head.forward(&packed, Mode::Eval)).argmax(1, false);
            let tags = Vec::<i64>::try_from(tags.to_device(Device::Cpu))?;
            let mut first = 0;
            for (sentence, length) in places.into_iter().zip(packed.lengths()) {
                for (word, &place) in self.sequences[sentence].places.iter().enumerate() {
                    found[sentence][word] = tags[first + place as usize] as usize;
                }
                first += length;
            }
        }
        Ok(found)
    }
}

/// Whether tags mark spans: `O`, and others that begin with `B-`, `I-`, `E-` or `S-`, or with `L-`
/// and `U-` for the last two.
fn mark_spans(tags: &[String]) -> bool {
    let starts = ["B-", "I-", "E-", "S-", "L-", "U-"];
    let marks = |tag: &String| starts.iter().any(|start| tag.starts_with(start));
    tags.iter().any(marks) && tags.iter().all(|tag| tag == "O" || marks(tag))
}

/// A tag that marks spans as spans are counted: `L-` ends one as `E-` does, `U-` is one as `S-` is.
fn of_span(tag: &str) -> Cow<'_, str> {
    match tag.split_once('-') {
        Some(("L", kind)) => format!("E-{kind}").into(),
        Some(("U", kind)) => format!("S-{kind}").into(),
        _ => tag.into(),
    }
}

impl Head for Tagger {
    type Target = Truth;

    /// The mean cross entropy over words: of each the first piece.
    fn loss(&self, packed: &PackedSequences, targets: &[Truth]) -> Loss {
        let (mut rows, mut tags, mut first) = (Vec::new(), Vec::new(), 0);
        for (truth, &length) in targets.iter().zip(packed.lengths()) {
            for &(place, tag) in truth {
                rows.push(first + i64::from(place));
                tags.push(i64::from(tag));
            }
            first += length as i64;
        }
        let on = |list: &[i64]| tensor_on(list, packed.device());
        let logits = self.forward(packed, Mode::Train).index_select(0, &on(&rows));
        let tags = on(&tags);
        let right = logits.argmax(1, false).eq_tensor(&tags).to_kind(Kind::Float);
        // Processes that train together do not have equally many words.
        let words = group::mean(&Tensor::from(tags.numel() as f32)).to_device(packed.device());
        Loss::new()
            .term("sup", 1.0, loss::cross_entropy(&logits, &tags).sum(Kind::Float) / &words)
            .note("sup_accuracy", right.sum(Kind::Float) / &words)
    }
}

impl Benchmark for TagTask {
    type Head = Tagger;

    fn head(&self, scope: &mut Scope<'_>, encoder: &EncoderConfig) -> Tagger {
        Tagger::new(scope, encoder, self.tags.len() as i64)
    }

    fn examples(&self) -> &Examples<Truth> {
        &self.examples
    }

    /// `predictions.txt` has a word a line with its tag and the predicted one, as `conlleval`
    /// reads it.
    fn measure(&self, head: &Tagger, folder: &Path, device: Device) -> Result<Vec<Measure>> {
        let found = self.predict(head, device)?;
        let (mut spans, mut right, mut words) = (SpanScores::default(), 0_u64, 0_u64);
        let mut text = String::new();
        for (sentence, said) in self.test.sentences.iter().zip(&found) {
            let name = |tag: usize| self.tags[tag].as_str();
            let truth = sentence.tags.iter().flatten().map(|&tag| name(tag as usize));
            let (truth, said): (Vec<&str>, Vec<&str>) =
                truth.zip(said.iter().map(|&tag| name(tag))).unzip();
            for (word, (truth, said)) in sentence.words.iter().zip(truth.iter().zip(&said)) {
                // A space ends a word there.
                let word = word.split_whitespace().collect::<Vec<_>>().join("_");
                text += &format!("{word} {truth} {said}\n");
                right += u64::from(truth == said);
                words += 1;
            }
            text.push('\n');
            let [truth, said] =
                [truth, said].map(|tags| tags.into_iter().map(of_span).collect::<Vec<_>>());
            spans.add(&truth, &said);
        }
        atomic_file::write(&folder.join("predictions.txt"), text.as_bytes())?;
        let accuracy = Score::of(100.0 * right as f64 / words as f64);
        let accuracy = Measure::new("test accuracy of words", "%", accuracy).of(words);
        if !mark_spans(&self.tags) {
            let note = "no spans are scored: tags mark them by O, B-, I-, E-, S-, L- and U-";
            return Ok(vec![Measure { note: Some(note.into()), ..accuracy }]);
        }
        let mut measures = vec![
            Measure::new("test F1 of spans", "%", spans.all.f1()),
            Measure::new("test precision of spans", "%", spans.all.precision()),
            Measure::new("test recall of spans", "%", spans.all.recall()),
            accuracy,
        ];
        for (kind, counts) in spans.types.iter().filter(|(_, counts)| counts.labelled > 0) {
            measures.push(Measure::new(format!("test F1 of {kind}"), "%", counts.f1()));
        }
        Ok(measures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_from_other_tags() {
        let tags =
            |all: &[&str]| mark_spans(&all.iter().map(|&t| t.to_owned()).collect::<Vec<_>>());
        assert!(tags(&["O", "B-PER", "I-PER"]) && tags(&["O", "B-PER", "L-PER", "U-LOC"]));
        let spans = |tags: [&str; 5]| metrics::spans(&tags.map(of_span));
        let bilou = spans(["B-PER", "I-PER", "L-PER", "U-PER", "U-LOC"]);
        assert_eq!(bilou, spans(["B-PER", "I-PER", "E-PER", "S-PER", "S-LOC"]));
        assert_eq!(bilou.len(), 3);
        assert!(!tags(&["NN", "IN", "DT"]) && !tags(&["O"]) && !tags(&["O", "B-PER", "X"]));
    }
}
