//! Words with tags: names, chunks, parts of speech.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Result, ensure};
use data_pipeline::digest::Digest;
use data_pipeline::text::{
    Encoder, TaggedColumns, TaggedSentence, TaggedSequence, TaggedSet, Tokenizer,
};
use electra::heads::Tagger;
use electra::{EncoderConfig, PackedSequences};
use metrics::words::counted;
use metrics::{Score, SpanScores};
use serde::{Deserialize, Serialize};
use torch::device::tensor_on;
use torch::{Device, Kind, Mode, Scope, Tensor, group, loss, no_grad};
use train::Loss;

use super::kept;
use super::recipe::TagsConfig;
use super::squad::told;
use super::start::Start;
use super::summary::Measure;
use super::training::{BATCH, Benchmark, Examples, Head};
use crate::run::began::Began;
use crate::run::interrupt;
use crate::text::tokens::in_batches;

/// What is known of a sentence: places in the sequence with the tags of their words.
pub(super) type Truth = Vec<(u32, u32)>;

/// Sentences as a tagger is shown them.
pub(super) struct Sentences {
    pub(super) set: TaggedSet,
    sequences: Vec<TaggedSequence>,
}

/// What a run keeps of a task.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptTags {
    /// The tags of the training part.
    pub(super) tags: Vec<String>,
}

/// Sentences with tags.
pub(super) struct TagTask {
    examples: Examples<Truth>,
    test: Sentences,
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
        refuse_numbers(config, &train)?;
        let test = read(&config.test, Some(train.tags.clone()))?;
        notes.push(columns_taken(config, &train));
        notes.extend(own_tags(config, &train.tags, &test)?);
        let encode = |set| Sentences::encode(set, config.longest, &start.tokenizer);
        let (train, test) = (encode(train)?, encode(test)?);
        let truth = |(sentence, sequence): (&TaggedSentence, &TaggedSequence)| {
            let tags = sentence.tags.iter().flatten().copied();
            sequence.places.iter().copied().zip(tags).collect()
        };
        let targets = train.set.sentences.iter().zip(&train.sequences).map(truth).collect();
        let about = format!(
            "{} sentences to learn and {} to measure, words with {} tags",
            train.sequences.len(),
            test.sequences.len(),
            train.set.tags.len()
        );
        notes.extend(test.without_room(&config.test, &train.set.tags));
        let sequences = train.sequences.into_iter().map(|sequence| sequence.sequence).collect();
        let examples = Examples::new("sentences", sequences, targets);
        Ok(Self { examples, test, tags: train.set.tags, about, notes })
    }

    pub(super) fn about(&self) -> String {
        self.about.clone()
    }

    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Keeps in a run's folder what its taggers need beside their tensors.
    pub(super) fn keep(&self, start: &Start, run: &Path) -> Result<()> {
        kept::keep(start, KeptTags { tags: self.tags.clone() }, run)
    }
}

/// A file in a message.
fn file_name(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// Fails if what stands in the column of the words are the numbers of words, as CoNLL-U has them in
/// its first column.
fn refuse_numbers(config: &TagsConfig, train: &TaggedSet) -> Result<()> {
    let is_number = |word: &String| word.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b));
    let mut words = train.sentences.iter().flat_map(|sentence| &sentence.words);
    ensure!(
        !words.all(is_number),
        "{}: column {} holds numbers alone and no words: name the columns of words and tags by \
         --word-column and --tag-column (of CoNLL-U --word-column 2 --tag-column 4), or by \
         task.word and task.tag in a recipe, which count from 0",
        config.train.display(),
        config.word + 1
    );
    Ok(())
}

/// Which columns are read, with a word of the training part and its tag.
fn columns_taken(config: &TagsConfig, train: &TaggedSet) -> String {
    let first = &train.sentences[0];
    let tag = first.tags.iter().flatten().next().map_or(0, |&tag| tag as usize);
    let from = config.tag.map_or("the last column".to_owned(), |tag| format!("column {}", tag + 1));
    let (name, word) = (file_name(&config.train), config.word + 1);
    format!(
        "{name}: words are from column {word} and tags from {from}, such as {} with {}",
        first.words[0], train.tags[tag]
    )
}

/// What is said of tags that only the sentences to measure have. Fails if they have no others.
fn own_tags(config: &TagsConfig, known: &[String], test: &TaggedSet) -> Result<Option<String>> {
    let own = test.tags[known.len()..].join(", ");
    let tags = || test.sentences.iter().flat_map(|sentence| sentence.tags.iter().flatten());
    let of_own = tags().filter(|&&tag| tag as usize >= known.len()).count();
    ensure!(
        of_own < tags().count(),
        "{}: it has tags of its own alone, {own}, and those that are learned are {}: name a file \
         with the same tags",
        config.test.display(),
        known.join(", ")
    );
    let name = file_name(&config.test);
    Ok((of_own > 0).then(|| {
        let words = counted(of_own, "word");
        format!("{name}: tags that are not learned and never predicted, of {words}: {own}")
    }))
}

/// The tag that words without room have: `O`, or the first one.
fn outside(tags: &[String]) -> usize {
    tags.iter().position(|tag| tag == "O").unwrap_or(0)
}

impl Sentences {
    /// In at most `longest` tokens each.
    pub(super) fn encode(set: TaggedSet, longest: usize, tokenizer: &Tokenizer) -> Result<Self> {
        let mut encoder = Encoder::new(tokenizer);
        let sequences = set.sentences.iter().map(|s| s.sequence(longest, &mut encoder));
        let sequences = sequences.collect::<Result<_, _>>()?;
        Ok(Self { set, sequences })
    }

    /// How many words of the file have no room, and which of `tags` they get, if there are such.
    pub(super) fn without_room(&self, file: &Path, tags: &[String]) -> Option<String> {
        let pairs = self.set.sentences.iter().zip(&self.sequences);
        let behind: usize = pairs.map(|(s, q)| s.words.len() - q.places.len()).sum();
        let name = file_name(file);
        let tag = &tags[outside(tags)];
        (behind > 0).then(|| format!("{name}: {behind} words have no room and count as {tag}"))
    }

    /// Of each word of each sentence the predicted tag, a position in `tags`. `shown` is told how
    /// many sentences of how many were shown.
    pub(super) fn predict(
        &self,
        tagger: &Tagger,
        tags: &[String],
        device: Device,
        shown: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Vec<usize>>> {
        let outside = outside(tags);
        let each = self.set.sentences.iter();
        let mut found: Vec<Vec<usize>> = each.map(|s| vec![outside; s.words.len()]).collect();
        let all: Vec<_> = self.sequences.iter().map(|one| one.sequence.clone()).collect();
        let mut done = 0;
        for (places, packed) in in_batches(&all, BATCH, device) {
            interrupt::check()?;
            let said = no_grad(|| tagger.forward(&packed, Mode::Eval)).argmax(1, false);
            let said = Vec::<i64>::try_from(said.to_device(Device::Cpu))?;
            done += places.len();
            let mut first = 0;
            for (sentence, length) in places.into_iter().zip(packed.lengths()) {
                for (word, &place) in self.sequences[sentence].places.iter().enumerate() {
                    found[sentence][word] = said[first + place as usize] as usize;
                }
                first += length;
            }
            shown(done, all.len());
        }
        Ok(found)
    }
}

/// Why no spans are scored; none if tags mark them: `O`, and others that begin with `B-`, `I-`,
/// `E-` or `S-`, or with `L-` and `U-` for the last two.
fn no_spans(tags: &[String]) -> Option<String> {
    let starts = ["B-", "I-", "E-", "S-", "L-", "U-"];
    let marks = |tag: &str| starts.iter().any(|start| tag.starts_with(start));
    let (marking, others): (Vec<&str>, Vec<&str>) =
        tags.iter().map(String::as_str).filter(|&tag| tag != "O").partition(|tag| marks(tag));
    if !marking.is_empty() && others.is_empty() {
        return None;
    }
    let why = "no spans are scored: tags mark them by O, B-, I-, E-, S-, L- and U-";
    Some(match (marking.len(), others.len()) {
        (0, _) => why.to_owned(),
        (_, 1) => format!("{why}; one marks none: {}", others[0]),
        (_, n) => format!("{why}; {n} mark none, such as {} and {}", others[0], others[1]),
    })
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

    fn add_to(&self, began: &mut Began) {
        let TaggedSet { sentences, tags, .. } = &self.test.set;
        let sentences = sentences.iter().map(|sentence| format!("{sentence:?}"));
        let digest = Digest::of_lines(sentences.chain([format!("{tags:?}")]));
        began.add("test", "sentences to measure on", digest);
    }

    fn examples(&self) -> &Examples<Truth> {
        &self.examples
    }

    /// `predictions.txt` has a word a line with its tag and the predicted one, as `conlleval`
    /// reads it.
    fn measure(&self, head: &Tagger, folder: &Path, device: Device) -> Result<Vec<Measure>> {
        let found = self.test.predict(head, &self.tags, device, &mut |_, _| ())?;
        let (mut spans, mut right, mut words) = (SpanScores::default(), 0_u64, 0_u64);
        let mut text = String::new();
        for (sentence, said) in self.test.set.sentences.iter().zip(&found) {
            // Those of the training part, and behind them its own.
            let name = |tag: usize| self.test.set.tags[tag].as_str();
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
        let note = no_spans(&self.test.set.tags);
        if note.is_some() {
            return Ok(vec![Measure { note, ..accuracy }]);
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
        let why = |all: &[&str]| no_spans(&all.iter().map(|&t| t.to_owned()).collect::<Vec<_>>());
        let tags = |all: &[&str]| why(all).is_none();
        assert!(tags(&["O", "B-PER", "I-PER"]) && tags(&["O", "B-PER", "L-PER", "U-LOC"]));
        let spans = |tags: [&str; 5]| metrics::spans(&tags.map(of_span));
        let bilou = spans(["B-PER", "I-PER", "L-PER", "U-PER", "U-LOC"]);
        assert_eq!(bilou, spans(["B-PER", "I-PER", "E-PER", "S-PER", "S-LOC"]));
        assert_eq!(bilou.len(), 3);
        assert!(!tags(&["NN", "IN", "DT"]) && !tags(&["O"]) && !tags(&["O", "B-PER", "X"]));
        // A line of names whose tag is `tag`.
        let said = why(&["O", "B-PER", "tag"]).expect("no spans");
        assert!(said.ends_with("; one marks none: tag"), "{said}");
        assert!(why(&["X", "B-PER", "Y"]).is_some_and(|said| said.ends_with("such as X and Y")));
        assert!(why(&["NN", "IN"]).is_some_and(|said| said.ends_with("U-")));
    }
}
