//! Texts that are changed and tokenized while batches are made.

use super::layout::Layout;
use super::memory::Memory;
use super::sequence::{Packed, Sequence};
use super::texts::Texts;
use super::tokenizer::{Encoder, Tokenizer};
use crate::error::DataError;
use crate::loader::{Collate, Items};
use augment::rng::Rng;
use std::sync::Arc;

/// A change of a text or of its tokens. It draws from the generator alone, so that the same key
/// gives the same text.
pub type Change<T> = Arc<dyn Fn(&mut T, &mut Rng) + Send + Sync>;

/// What becomes of a text before a network sees it.
#[derive(Clone)]
pub enum TextView {
    /// Nothing.
    Plain,
    /// Its words are changed, before it is cut to its length: word replacement, a paraphrase.
    Words(Change<Texts>),
    /// Its tokens are changed, after it was cut.
    Tokens(Change<Sequence>),
}

/// Makes one packed batch of each view of the texts drawn, on the loader's threads. The texts of a
/// batch stand in the same order in all views; keys are those of each view.
///
/// ```
/// use data_pipeline::loader::{Loader, Stream};
/// use data_pipeline::text::{Casing, Keep, Layout, TextSet, TextViews, Texts, Tokenizer};
/// use data_pipeline::text::{Example, Target, TextView};
/// use std::sync::Arc;
/// let tokens = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ngood\nbad\n";
/// let tokenizer = Arc::new(Tokenizer::from_vocabulary(tokens, Casing::default())?);
/// let texts = Texts { a: "good".into(), b: None };
/// let example = Example { id: "1".into(), texts, target: Target::None };
/// let set = Arc::new(TextSet::new("toy", vec![example], vec![])?);
/// let views = TextViews {
///     tokenizer,
///     layout: Layout { longest: 8, keep: Keep::End },
///     views: vec![
///         TextView::Plain,
///         TextView::Words(Arc::new(|texts, _| texts.a.push_str(" bad"))),
///     ],
/// };
/// let stream = Stream::shuffled(set, views, 1, 1);
/// let step = Loader::builder(vec![stream]).steps(0..1).start().next().unwrap()?;
/// let data = &step.batches[0].data;
/// assert_eq!((&data[0].ids[..], &data[1].ids[..]), (&[2, 5, 3][..], &[2, 5, 6, 3][..]));
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
#[derive(Clone)]
pub struct TextViews {
    /// The tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// How texts become sequences.
    pub layout: Layout,
    /// The views.
    pub views: Vec<TextView>,
}

impl Collate for TextViews {
    type Item = Texts;
    type Batch = Vec<Packed>;
    type Scratch = Memory;

    fn collate(
        &self,
        items: Items<'_, Texts>,
        memory: &mut Memory,
    ) -> Result<Vec<Packed>, DataError> {
        let mut encoder = Encoder::with(&self.tokenizer, std::mem::take(memory));
        let mut batches = vec![Packed::default(); self.views.len()];
        for drawn in items {
            let drawn = drawn?;
            for (number, (view, packed)) in self.views.iter().zip(&mut batches).enumerate() {
                let key = drawn.key(number);
                let sequence = match view {
                    TextView::Plain => self.layout.sequence(&drawn.item, &mut encoder)?,
                    TextView::Words(change) => {
                        let mut texts = drawn.item.clone();
                        change(&mut texts, &mut key.rng());
                        self.layout.sequence(&texts, &mut encoder)?
                    }
                    TextView::Tokens(change) => {
                        let mut sequence = self.layout.sequence(&drawn.item, &mut encoder)?;
                        change(&mut sequence, &mut key.rng());
                        sequence
                    }
                };
                packed.push(&sequence);
                packed.keys.push(key);
            }
        }
        *memory = encoder.into_memory();
        Ok(batches)
    }
}
