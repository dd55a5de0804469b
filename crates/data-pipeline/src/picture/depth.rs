//! Pictures of more than 8 bits a sample, brought to 8.

use super::notice::Notice;
use serde::{Deserialize, Deserializer, Serialize};

/// How samples of more than 8 bits become bytes. Pictures of 8 bits or fewer are not touched.
///
/// | value | 16 bits | floating point |
/// |---|---|---|
/// | `"upper-byte"` (default) | the upper 8 bits, as papers' recipes and Pillow's colours have it | refused |
/// | `{ bits = 12 }` | 12 bits were used: the upper 8 of those; larger values are white | refused |
/// | `"used-bits"` | the upper 8 of the bits that the picture's largest value needs | refused |
/// | `"range"` | the picture's smallest value is black, its largest white | the same |
///
/// X-rays and depth maps often use 12 of 16 bits: by the upper byte they are nearly black.
/// `{ bits = 12 }` keeps pictures comparable with each other; the last two judge each by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// The upper 8 of 16 bits.
    #[default]
    UpperByte,
    /// The upper 8 of this many bits, 8 to 16; larger values become 255.
    Bits(#[serde(deserialize_with = "bits")] u8),
    /// The upper 8 of the bits that the picture's largest value needs, at least 8.
    UsedBits,
    /// The picture's smallest value becomes 0, its largest 255, rounded down.
    Range,
}

impl Depth {
    /// What shows pictures that use so many of more than 8 bits at most: the upper 8 of those.
    ///
    /// ```
    /// use data_pipeline::picture::Depth;
    /// assert_eq!(Depth::of_used(Some(12)), Depth::Bits(12));
    /// // Nothing is to be said of pictures of 8 bits, and of those that use all of theirs.
    /// assert_eq!([None, Some(16)].map(Depth::of_used), [Depth::UpperByte; 2]);
    /// ```
    pub fn of_used(bits: Option<u8>) -> Self {
        match bits {
            Some(bits) if bits < 16 => Self::Bits(bits.max(8)),
            _ => Self::UpperByte,
        }
    }

    /// Bytes from samples of 16 bits.
    pub(super) fn bytes_of_words(self, words: &[u16], noticed: &mut Vec<Notice>) -> Vec<u8> {
        let (least, most) = words.iter().fold((u16::MAX, 0), |(a, b), &v| (a.min(v), b.max(v)));
        let used = (16 - most.leading_zeros()) as u8;
        noticed.push(Notice::Deep { stored: 16, used });
        if let Self::Bits(bits) = self
            && used > bits.clamp(8, 16)
        {
            noticed.push(Notice::TooBright(bits));
        }
        let shifted = |bits: u8| -> Vec<u8> {
            let shift = u32::from(bits.clamp(8, 16) - 8);
            words.iter().map(|&word| (word >> shift).min(255) as u8).collect()
        };
        match self {
            Self::UpperByte => shifted(16),
            Self::Bits(bits) => shifted(bits),
            Self::UsedBits => shifted(used),
            Self::Range => {
                let span = u32::from(most.saturating_sub(least)).max(1);
                let scaled = |&word: &u16| (u32::from(word - least) * 255 / span) as u8;
                words.iter().map(scaled).collect()
            }
        }
    }

    /// Bytes from floating-point numbers; those that are not finite count as the smallest.
    pub(super) fn bytes_of_reals(
        self,
        reals: &[f64],
        noticed: &mut Vec<Notice>,
    ) -> Result<Vec<u8>, String> {
        if self != Self::Range {
            return Err(NO_WHITE.into());
        }
        noticed.push(Notice::Deep { stored: 32, used: 32 });
        let finite = reals.iter().filter(|value| value.is_finite());
        let (least, most) =
            finite.fold((f64::MAX, f64::MIN), |(a, b), &value| (a.min(value), b.max(value)));
        let span = if most > least { most - least } else { 1.0 };
        // A cast brings what is out of range to the nearest byte, and what is no number to 0.
        Ok(reals.iter().map(|&value| ((value - least) / span * 255.0) as u8).collect())
    }
}

/// Why floating-point and signed samples are refused where they are not scaled.
pub(super) const NO_WHITE: &str = "its samples are floating-point or signed numbers, for which no \
    white is known: convert it to 8 or 16 bits, or set depth = \"range\" in a recipe to scale each \
    picture by its own values";

fn bits<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    let bits = u8::deserialize(from)?;
    match (8..=16).contains(&bits) {
        true => Ok(bits),
        false => Err(serde::de::Error::custom(format!("bits = {bits}: allowed are 8 to 16"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_brighter_than_the_bits_that_count_is_told_of() {
        let made = |depth: Depth, words: &[u16]| {
            let mut noticed = Vec::new();
            let bytes = depth.bytes_of_words(words, &mut noticed);
            (bytes, noticed.contains(&Notice::TooBright(10)))
        };
        // 1023 is the largest of 10 bits; 1024 >> 2 is 256, which no byte is.
        assert_eq!(made(Depth::Bits(10), &[0, 4, 1023]), (vec![0, 1, 255], false));
        assert_eq!(made(Depth::Bits(10), &[0, 4, 1024]), (vec![0, 1, 255], true));
        assert_eq!(made(Depth::UsedBits, &[0, 8, 1024]), (vec![0, 1, 128], false));
        let said = Notice::TooBright(10).to_string();
        assert!(said.contains("10 bits") && said.contains("data.depth"), "{said}");
    }
}
