//! Labelled texts: single ones and pairs, with a class or a score.

use super::layout::Layout;
use super::sequence::Sequence;
use super::texts::Texts;
use super::tokenizer::{Encoder, Tokenizer};
use crate::dataset::Samples;
use crate::digest::Digest;
use crate::error::DataError;
use crate::parallel;
use std::sync::Arc;

/// What is to be predicted of an example.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Target {
    /// Nothing is known.
    #[default]
    None,
    /// A position among the classes.
    Class(u32),
    /// A number, such as how alike two texts are.
    Score(f32),
}

/// A text with what is known of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Example {
    /// A name that does not depend on the run: the set's own, or file and row.
    pub id: String,
    /// The text or pair.
    pub texts: Texts,
    /// What is to be predicted.
    pub target: Target,
}

/// Examples of one task.
///
/// ```
/// use data_pipeline::dataset::Samples;
/// use data_pipeline::text::{Example, Target, TextSet, Texts};
/// let example = |text: &str, class| Example {
///     id: text.into(),
///     texts: Texts { a: text.into(), b: None },
///     target: Target::Class(class),
/// };
/// let examples = vec![example("good", 1), example("bad", 0)];
/// let set = TextSet::new("reviews", examples, vec!["neg".into(), "pos".into()])?;
/// assert_eq!((set.item(1)?.a, set.label(0), set.id(1)), ("bad".into(), Some(1), "bad".into()));
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextSet {
    name: String,
    examples: Vec<Example>,
    classes: Vec<String>,
    notes: Vec<String>,
}

impl TextSet {
    /// A set of examples.
    ///
    /// # Errors
    /// When a class is out of range or a score is no number, with the example's id.
    pub fn new(
        name: impl Into<String>,
        examples: Vec<Example>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let name = name.into();
        for example in &examples {
            let fault = match example.target {
                Target::Class(class) if class as usize >= classes.len() => {
                    format!("class {class} of {}", classes.len())
                }
                Target::Score(score) if !score.is_finite() => format!("the score {score}"),
                _ => continue,
            };
            return Err(DataError::Request(format!("set `{name}`: {} has {fault}", example.id)));
        }
        Ok(Self { name, examples, classes, notes: vec![] })
    }

    /// Adds what a reader wants to be known, such as how much was left out.
    #[must_use]
    pub fn noted(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// What the set is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All examples.
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// What its reader wants to be known, such as how much was left out and why.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether its examples are pairs.
    pub fn has_pairs(&self) -> bool {
        self.examples.iter().any(|example| example.texts.b.is_some())
    }

    /// The scores of all examples. Fails if one has none.
    pub fn scores(&self) -> Result<Vec<f32>, DataError> {
        let score = |example: &Example| match example.target {
            Target::Score(score) => Ok(score),
            _ => Err(DataError::Request(format!("{} has no score", example.id))),
        };
        self.examples.iter().map(score).collect()
    }

    /// A digest of the words of each example: texts that differ in white space alone have the same.
    /// [`Samples::digests`] are of the exact texts.
    pub fn word_digests(&self) -> Vec<Digest> {
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let digest = |example: &Example| {
            let Texts { a, b } = &example.texts;
            of_pair(&plain(a), &b.as_deref().map(plain).unwrap_or_default())
        };
        self.examples.iter().map(digest).collect()
    }

    /// These examples, in this order. Panics if an index is out of range.
    pub fn select(&self, indices: &[u32]) -> Self {
        let example = |&index: &u32| self.examples[index as usize].clone();
        let examples = indices.iter().map(example).collect();
        let (name, classes, notes) = (self.name.clone(), self.classes.clone(), self.notes.clone());
        Self { name, examples, classes, notes }
    }

    /// Every pair twice, the second time the other way round, as ELECTRA trains on MRPC and STS-B.
    /// The turned ones come after all others, with `/turned` behind their ids.
    #[must_use]
    pub fn with_turned_pairs(mut self) -> Self {
        let turned = |example: &Example| {
            let b = example.texts.b.clone()?;
            Some(Example {
                id: format!("{}/turned", example.id),
                texts: Texts { a: b, b: Some(example.texts.a.clone()) },
                target: example.target,
            })
        };
        let turned: Vec<Example> = self.examples.iter().filter_map(turned).collect();
        self.examples.extend(turned);
        self
    }

    /// These examples without their targets.
    #[must_use]
    pub fn without_targets(mut self) -> Self {
        self.examples.iter_mut().for_each(|example| example.target = Target::None);
        self.classes.clear();
        self
    }

    /// The first `n` examples by classes in turn: `n / classes` of each class in the order of the
    /// set, the first of each, then the second of each (UDA's `get_data_by_size_lim`). Gives their
    /// indices.
    ///
    /// # Errors
    /// When `n` is no multiple of the number of classes, or a class has too few examples.
    pub fn first_by_class(&self, n: usize) -> Result<Vec<u32>, DataError> {
        let fault = |fault: String| DataError::Request(format!("set `{}`: {fault}", self.name));
        let classes = self.classes.len();
        if classes == 0 || !n.is_multiple_of(classes) {
            let way_out = match classes {
                0 => "the set has no classes".to_owned(),
                _ => format!("take {}, for example", n.div_ceil(classes) * classes),
            };
            return Err(fault(format!("{n} is no multiple of its {classes} classes; {way_out}")));
        }
        let mut of_class = vec![Vec::new(); classes];
        for (index, example) in self.examples.iter().enumerate() {
            if let Target::Class(class) = example.target {
                of_class[class as usize].push(index as u32);
            }
        }
        let mut chosen = Vec::with_capacity(n);
        for turn in 0..n / classes {
            for (class, indices) in of_class.iter().enumerate() {
                chosen.push(*indices.get(turn).ok_or_else(|| {
                    let (name, has) = (&self.classes[class], indices.len());
                    fault(format!("class `{name}` has {has} examples, {} are needed", n / classes))
                })?);
            }
        }
        Ok(chosen)
    }

    /// The token ids of all examples, worked out on all processors.
    ///
    /// # Errors
    /// Those of the tokenizer.
    pub fn encode(
        self: &Arc<Self>,
        tokenizer: &Tokenizer,
        layout: Layout,
    ) -> Result<EncodedSet, DataError> {
        self.encoded(tokenizer, |texts, encoder| layout.sequence(texts, encoder))
    }

    /// The token ids of all examples by [`Layout::whole_sequence`], as transformers makes them,
    /// worked out on all processors.
    ///
    /// # Errors
    /// Those of the tokenizer.
    pub fn encode_whole(
        self: &Arc<Self>,
        tokenizer: &Tokenizer,
        layout: Layout,
    ) -> Result<EncodedSet, DataError> {
        self.encoded(tokenizer, |texts, encoder| layout.whole_sequence(texts, encoder))
    }

    fn encoded(
        self: &Arc<Self>,
        tokenizer: &Tokenizer,
        sequence: impl Fn(&Texts, &mut Encoder<'_>) -> Result<Sequence, DataError> + Sync,
    ) -> Result<EncodedSet, DataError> {
        const AT_ONCE: usize = 128;
        let parts = parallel::map(self.examples.len().div_ceil(AT_ONCE), |part| {
            let end = self.examples.len().min((part + 1) * AT_ONCE);
            let mut encoder = Encoder::new(tokenizer);
            let examples = self.examples[part * AT_ONCE..end].iter();
            let made = examples.map(|example| sequence(&example.texts, &mut encoder));
            made.collect::<Result<Vec<_>, _>>()
        });
        let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(EncodedSet { set: self.clone(), sequences: parts.into_iter().flatten().collect() })
    }
}

fn of_pair(a: &str, b: &str) -> Digest {
    // No text holds this byte, so that two pairs never become one.
    Digest::of(&[a.as_bytes(), b.as_bytes()].join(&0xff))
}

impl Samples for TextSet {
    type Item = Texts;

    fn len(&self) -> usize {
        self.examples.len()
    }

    fn item(&self, index: usize) -> Result<Texts, DataError> {
        Ok(self.examples[index].texts.clone())
    }

    fn label(&self, index: usize) -> Option<u32> {
        match self.examples[index].target {
            Target::Class(class) => Some(class),
            _ => None,
        }
    }

    fn id(&self, index: usize) -> String {
        self.examples[index].id.clone()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn digests(&self) -> Result<Option<Vec<Digest>>, DataError> {
        let digest = |example: &Example| {
            let Texts { a, b } = &example.texts;
            of_pair(a, b.as_deref().unwrap_or_default())
        };
        Ok(Some(self.examples.iter().map(digest).collect()))
    }

    fn size(&self, index: usize) -> u32 {
        let Texts { a, b } = &self.examples[index].texts;
        (a.len() + b.as_ref().map_or(0, String::len)) as u32
    }
}

/// A [`TextSet`] in token ids.
#[derive(Clone, Debug)]
pub struct EncodedSet {
    set: Arc<TextSet>,
    sequences: Vec<Sequence>,
}

impl EncodedSet {
    /// The texts.
    pub fn texts(&self) -> &Arc<TextSet> {
        &self.set
    }

    /// All sequences, in the order of the set.
    pub fn sequences(&self) -> &[Sequence] {
        &self.sequences
    }
}

impl Samples for EncodedSet {
    type Item = Sequence;

    fn len(&self) -> usize {
        self.sequences.len()
    }

    fn item(&self, index: usize) -> Result<Sequence, DataError> {
        Ok(self.sequences[index].clone())
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.set.label(index)
    }

    fn id(&self, index: usize) -> String {
        self.set.id(index)
    }

    fn classes(&self) -> &[String] {
        self.set.classes()
    }

    fn digests(&self) -> Result<Option<Vec<Digest>>, DataError> {
        self.set.digests()
    }

    fn size(&self, index: usize) -> u32 {
        self.sequences[index].len() as u32
    }
}
