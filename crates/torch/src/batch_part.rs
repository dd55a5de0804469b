//! Which sequences of a batch a process has, where several processes share it.

use std::ops::Range;

use crate::group;

/// Some of the sequences of a batch, or all of them. What is drawn for a sequence by its place in
/// the whole batch does not depend on which process has it.
///
/// ```
/// use torch::BatchPart;
///
/// // The second and the last of four sequences.
/// let part = BatchPart::new(&[3, 2, 5, 4], [1..2, 3..4]);
/// assert_eq!((part.lengths(), part.tokens()), (&[2, 4][..], 6));
/// assert_eq!(part.token_ranges(), [3..5, 10..14]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchPart {
    all: Vec<usize>,
    ranges: Vec<Range<usize>>,
    lengths: Vec<usize>,
    token_ranges: Vec<Range<usize>>,
}

impl BatchPart {
    /// All sequences of a batch with these lengths in tokens.
    pub fn whole(lengths: &[usize]) -> Self {
        Self::new(lengths, std::iter::once(0..lengths.len()))
    }

    /// The sequences in `own`, ranges of their numbers, of a batch with these lengths in tokens.
    /// Panics if the ranges are not in rising order, or name sequences that are not there.
    pub fn new(lengths: &[usize], own: impl IntoIterator<Item = Range<usize>>) -> Self {
        let ranges: Vec<Range<usize>> = own.into_iter().collect();
        let rising = ranges.windows(2).all(|two| two[0].end <= two[1].start);
        let there = ranges.iter().all(|own| own.start <= own.end && own.end <= lengths.len());
        assert!(rising && there, "sequences {ranges:?} of {}", lengths.len());
        let mut starts = vec![0];
        starts.extend(lengths.iter().scan(0, |end, &length| {
            *end += length;
            Some(*end)
        }));
        let tokens = |own: &Range<usize>| starts[own.start]..starts[own.end];
        Self {
            all: lengths.to_vec(),
            lengths: ranges.iter().flat_map(|own| lengths[own.clone()].iter().copied()).collect(),
            token_ranges: ranges.iter().map(tokens).collect(),
            ranges,
        }
    }

    /// The sequences of this process, of these lengths, among those of all processes of the
    /// [group](crate::group::current), each of which has as many, or as many as
    /// [they said](crate::group::joint_unequal): the others are asked for their lengths, so that
    /// all have to call this together. Batches that were [put together](crate::group::joint) are
    /// shared each by itself. Without a group they are the whole batch.
    pub fn of_group(lengths: &[usize]) -> Self {
        let own: Vec<i64> = lengths.iter().map(|&n| n as i64).collect();
        let (all, ranges) = group::gathered(&own);
        let all: Vec<usize> = all.into_iter().map(|n| n as usize).collect();
        Self::new(&all, ranges)
    }

    /// The length in tokens of each sequence of the part.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The length in tokens of each sequence of the whole batch.
    pub fn all(&self) -> &[usize] {
        &self.all
    }

    /// How many sequences the part has.
    pub fn sequences(&self) -> usize {
        self.lengths.len()
    }

    /// How many tokens the part has.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Which of the whole batch's sequences the part has, in rising order.
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// Which rows the tokens of the part have in the whole batch: a range for each of
    /// [`ranges`](Self::ranges).
    pub fn token_ranges(&self) -> &[Range<usize>] {
        &self.token_ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_group_it_is_the_whole_batch() {
        let part = BatchPart::of_group(&[2, 7, 1]);
        assert_eq!(part, BatchPart::whole(&[2, 7, 1]));
        assert_eq!((part.sequences(), part.tokens()), (3, 10));
        assert!(part.token_ranges().iter().eq([&(0..10)]) && part.all() == [2, 7, 1]);
    }

    #[test]
    #[should_panic(expected = "sequences [2..3, 0..1] of 3")]
    fn ranges_rise() {
        let _ = BatchPart::new(&[1, 1, 1], [2..3, 0..1]);
    }
}
