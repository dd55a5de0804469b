//! From texts to a sequence that fits: `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]`.

use super::sequence::Sequence;
use super::texts::Texts;
use super::tokenizer::Encoder;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// What is kept of a text that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Its beginning (BERT, ELECTRA).
    #[default]
    Start,
    /// Its end (UDA: `trunc_keep_right`): the verdict of a review comes last.
    End,
    /// Both: so many tokens of the beginning, and of the end what there is room for (Sun et al.
    /// 2019: 128 and 382).
    Ends {
        /// Tokens of the beginning.
        start: usize,
    },
}

/// How texts become a sequence.
///
/// Of a pair, tokens are taken from the longer text one by one until both fit, of two equally long
/// ones from the second (as BERT, ELECTRA and UDA do).
///
/// ```
/// use data_pipeline::text::{Casing, Encoder, Keep, Layout, Texts, Tokenizer};
/// let tokens = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n1\n2\n3\n4\n5\n";
/// let tokenizer = Tokenizer::from_vocabulary(tokens, Casing::default())?;
/// let mut encoder = Encoder::new(&tokenizer);
/// let texts = Texts { a: "1 2 3 4 5".into(), b: None };
/// let last = Layout { longest: 5, keep: Keep::End }.sequence(&texts, &mut encoder)?;
/// assert_eq!(last.ids, [2, 7, 8, 9, 3]);
/// let pair = Texts { b: Some("4 5".into()), ..texts };
/// let first = Layout { longest: 7, keep: Keep::Start }.sequence(&pair, &mut encoder)?;
/// assert_eq!((first.ids, first.first), (vec![2, 5, 6, 3, 8, 9, 3], 4));
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layout {
    /// Tokens of a sequence at most, the special ones included; at least 5.
    pub longest: usize,
    /// What is kept of a text that is too long.
    #[serde(default)]
    pub keep: Keep,
}

impl Layout {
    /// The sequence of a text or pair. A second text without tokens counts as none, as in the code
    /// of BERT and ELECTRA.
    ///
    /// # Errors
    /// Those of the tokenizer, and when the longest sequence is shorter than 5 tokens.
    pub fn sequence(
        &self,
        texts: &Texts,
        encoder: &mut Encoder<'_>,
    ) -> Result<Sequence, DataError> {
        self.made(texts, encoder, Rule::Bert)
    }

    /// A text or pair in token ids, cut to fit, as the fast tokenizers of transformers make it: a
    /// pair always has both `[SEP]`, even if its second text has no tokens, and where each text is
    /// longer than half of an odd room, the longer one keeps a token more, of equally long ones the
    /// second (`longest_first` in `truncate_encodings` of the library tokenizers).
    ///
    /// # Errors
    /// As [`Layout::sequence`].
    pub fn whole_sequence(
        &self,
        texts: &Texts,
        encoder: &mut Encoder<'_>,
    ) -> Result<Sequence, DataError> {
        self.made(texts, encoder, Rule::Transformers)
    }

    fn made(
        &self,
        texts: &Texts,
        encoder: &mut Encoder<'_>,
        rule: Rule,
    ) -> Result<Sequence, DataError> {
        if self.longest < 5 {
            let fault = format!("sequences of {} tokens hold no text: at least 5", self.longest);
            return Err(DataError::Request(fault));
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        encoder.push(&texts.a, &mut a)?;
        if let Some(text) = &texts.b {
            encoder.push(text, &mut b)?;
        }
        let is_pair = !b.is_empty() || (rule == Rule::Transformers && texts.b.is_some());
        self.cut(&mut a, &mut b, is_pair, rule);
        let sequence = if is_pair { Sequence::pair } else { Sequence::new };
        Ok(sequence(&a, &b, encoder.tokenizer().specials()))
    }

    /// Cuts the tokens of one text, or of two if `b` has any, so that they fit with their special
    /// tokens.
    pub fn fit(&self, a: &mut Vec<u32>, b: &mut Vec<u32>) {
        let is_pair = !b.is_empty();
        self.cut(a, b, is_pair, Rule::Bert);
    }

    fn cut(&self, a: &mut Vec<u32>, b: &mut Vec<u32>, is_pair: bool, rule: Rule) {
        let room = self.longest.saturating_sub(if is_pair { 3 } else { 2 });
        let (mut of_a, mut of_b) = (a.len(), b.len());
        if rule == Rule::Transformers && of_a + of_b > room {
            let shorter = of_a.min(of_b).min(room / 2);
            let longer = room - shorter;
            (of_a, of_b) = if of_a > of_b { (longer, shorter) } else { (shorter, longer) };
        }
        while of_a + of_b > room {
            if of_a > of_b { of_a -= 1 } else { of_b -= 1 }
        }
        self.keep.cut(a, of_a);
        self.keep.cut(b, of_b);
    }
}

/// How a pair is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// As by the code of BERT and ELECTRA.
    Bert,
    /// As by the fast tokenizers of transformers.
    Transformers,
}

impl Keep {
    /// Cuts tokens to `length`.
    fn cut(self, tokens: &mut Vec<u32>, length: usize) {
        let over = tokens.len() - length;
        match self {
            Self::Start => tokens.truncate(length),
            Self::End => drop(tokens.drain(..over)),
            Self::Ends { start } => {
                let start = start.min(length);
                tokens.drain(start..start + over);
            }
        }
    }
}
