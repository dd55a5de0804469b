//! What stands on an encoder: heads of pre-training and of fine-tuning.
//!
//! | head | gives | tensors |
//! |---|---|---|
//! | [`ReplacedHead`] | whether each token was replaced | `discriminator_predictions.…` |
//! | [`VocabularyHead`] | which token stands somewhere | `generator_predictions.…`, `generator_lm_head.bias`; BERT: `cls.predictions.…` |
//! | [`Pooler`] | a vector of a text, as BERT's | `bert.pooler.dense` |
//! | [`Classifier`] | a text's class | `classifier.…` |
//! | [`Tagger`] | each token's class | `classifier` |
//! | [`SpanHead`] | where an answer stands in a text | `qa_outputs` |
//! | [`AnswerHead`] | the same as in ELECTRA's code: the end given the start, and whether there is an answer | `answer.…` |
//!
//! Heads of fine-tuning are started as in ELECTRA's released code, uniformly in ±√(6 / (inputs +
//! outputs)).
//!
//! ```
//! use electra::heads::{SpanHead, Tagger};
//! use electra::{EncoderConfig, PackedSequences};
//! use torch::{Device, Mode, Params};
//!
//! let config = EncoderConfig { vocabulary: 40, layers: 1, ..EncoderConfig::tiny() };
//! let ids: [&[i64]; 2] = [&[1, 7, 9, 2], &[1, 5, 2]];
//! let batch = PackedSequences::new(&ids, &[&[0; 4], &[0; 3]], Device::Cpu);
//! let (tagger, _) = Params::build(Device::Cpu, |scope| Tagger::new(scope, &config, 5));
//! assert_eq!(tagger.forward(&batch, Mode::Eval).size(), [7, 5]);
//! let (spans, _) = Params::build(Device::Cpu, |scope| SpanHead::new(scope, &config));
//! let [first, last] = spans.forward(&batch, Mode::Eval);
//! assert_eq!((first.size(), last.size()), (vec![7], vec![7]));
//! ```

mod answer;
mod classifier;
mod pooler;
mod replaced;
mod span;
mod tagger;
mod vocabulary;

pub use answer::{Answer, AnswerHead, AnswerLoss, Span};
pub use classifier::{Classifier, ClassifierConfig, HeadForm};
pub use pooler::Pooler;
pub use replaced::ReplacedHead;
pub use span::SpanHead;
pub use tagger::Tagger;
pub use vocabulary::{Predicted, Sampling, VocabularyHead};

pub(crate) use vocabulary::Sampler;
