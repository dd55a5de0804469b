//! Texts of which some tokens are predicted: dialogues for GPT-2.

use torch::device::tensor_on;
use torch::{Device, Tensor};

use crate::PackedSequences;
use crate::batch::{check, largest};

/// Texts one after another, and which of their tokens are predicted from those before.
///
/// ```
/// use dialog_models::Texts;
/// use torch::Device;
///
/// // Two turns: of the second one both tokens and the end are predicted.
/// let batch = Texts::dialogues(&[vec![vec![5, 6], vec![7, 8]]], 0, 1, Device::Cpu);
/// assert_eq!(batch.tokens().ids(), &torch::Tensor::from_slice(&[5i64, 6, 0, 7, 8]));
/// assert_eq!(batch.truth(), &torch::Tensor::from_slice(&[7i64, 8, 0]));
/// ```
#[derive(Debug)]
pub struct Texts {
    tokens: PackedSequences,
    from: Tensor,
    truth: Tensor,
    /// The largest id that is predicted.
    largest: i64,
}

impl Texts {
    /// Texts all of whose tokens are predicted but the first. Panics if none has two.
    pub fn whole(texts: &[&[i64]], device: Device) -> Self {
        let texts: Vec<(&[i64], usize)> = texts.iter().map(|&text| (text, 1)).collect();
        Self::new(&texts, device)
    }

    /// Dialogues as DialoGPT is trained on them: turns, each followed by `end`. The tokens of the
    /// turns from number `first` on are predicted, with the end of each; with 1 all but the first
    /// turn, with the number of the last turn the last response alone. Panics if there is no turn
    /// of that number, or a turn before it is empty and there is nothing to predict from.
    pub fn dialogues(turns: &[Vec<Vec<i64>>], end: i64, first: usize, device: Device) -> Self {
        let texts: Vec<(Vec<i64>, usize)> = turns
            .iter()
            .map(|turns| {
                assert!(first < turns.len(), "no turn {first} of {}", turns.len());
                (joined(turns, end), joined(&turns[..first], end).len())
            })
            .collect();
        let texts: Vec<(&[i64], usize)> = texts.iter().map(|(t, n)| (t.as_slice(), *n)).collect();
        Self::new(&texts, device)
    }

    /// Texts, each with the number of its first token that is predicted; the last token of a text
    /// is predicted and never read. Panics if none is predicted, or the first token of a text is.
    pub fn new(texts: &[(&[i64], usize)], device: Device) -> Self {
        let (mut read, mut lengths) = (Vec::new(), Vec::new());
        let (mut from, mut truth) = (Vec::new(), Vec::new());
        for &(text, first) in texts.iter().filter(|(text, first)| *first < text.len()) {
            assert!(first > 0, "the first token of a text follows nothing");
            let start = read.len();
            read.extend_from_slice(&text[..text.len() - 1]);
            lengths.push(text.len() - 1);
            from.extend((first - 1..text.len() - 1).map(|place| (start + place) as i64));
            truth.extend_from_slice(&text[first..]);
        }
        assert!(!truth.is_empty(), "no token is predicted");
        let on = |list: &[i64]| tensor_on(list, device);
        let tokens = PackedSequences::from_parts(&read, lengths, device);
        let largest = largest(&truth);
        Self { tokens, from: on(&from), truth: on(&truth), largest }
    }

    /// Panics if an id that is predicted is not in a vocabulary of so many.
    pub(crate) fn check(&self, vocabulary: i64) {
        check(self.largest, vocabulary);
    }

    /// What is read.
    pub fn tokens(&self) -> &PackedSequences {
        &self.tokens
    }

    /// The rows after which tokens are predicted, int64 `[predicted]`.
    pub fn from(&self) -> &Tensor {
        &self.from
    }

    /// The tokens that are predicted, int64 `[predicted]`.
    pub fn truth(&self) -> &Tensor {
        &self.truth
    }

    /// How many tokens are predicted.
    pub fn predicted(&self) -> usize {
        self.truth.numel()
    }
}

/// Turns, each followed by `end`: what a network goes on from with a response.
///
/// ```
/// assert_eq!(dialog_models::joined(&[vec![5, 6], vec![7]], 0), [5, 6, 0, 7, 0]);
/// ```
pub fn joined(turns: &[Vec<i64>], end: i64) -> Vec<i64> {
    turns.iter().flat_map(|turn| turn.iter().copied().chain([end])).collect()
}
