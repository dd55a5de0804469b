//! What a decoder noticed in a picture that its owner should know, so that a command can count it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Something about a picture that is not seen in its pixels any more. As text it continues "37
/// pictures were ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Notice {
    /// Turned or mirrored as its orientation says.
    Turned,
    /// Its EXIF orientation says that it is turned or mirrored; it was read as it is stored.
    NotTurned,
    /// More than 8 bits a sample, brought to 8.
    Deep {
        /// Bits of a sample as stored: 16, or 32 for floating-point numbers.
        stored: u8,
        /// Bits that the picture's largest value needs; as `stored` for floating-point numbers.
        used: u8,
    },
    /// Some pixels were transparent; their colours were kept as they are stored.
    AlphaDropped,
    /// An animation, or several pages; the first was read.
    FirstOfSeveral,
    /// Converted from CMYK without a colour profile.
    Cmyk,
    /// A JPEG image that was decoded at this fraction of its size: 1/2, 1/4 or 1/8.
    Shrunk(u8),
    /// Its largest value needs more than this many bits, which [`Depth::Bits`](super::Depth::Bits)
    /// asks for: what is above became white.
    TooBright(u8),
}

impl fmt::Display for Notice {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turned => to.write_str("turned by their EXIF orientation"),
            Self::NotTurned => to.write_str("read as stored, against their EXIF orientation"),
            Self::Deep { stored, used } if used < stored => {
                write!(to, "of {stored} bits, {used} of them in use")
            }
            Self::Deep { stored, .. } => write!(to, "brought from {stored} bits to 8"),
            Self::AlphaDropped => to.write_str("partly transparent, which is ignored"),
            Self::FirstOfSeveral => {
                to.write_str("animated or of several pages: the first was read")
            }
            Self::Cmyk => to.write_str("converted from CMYK"),
            Self::Shrunk(by) => write!(to, "decoded at 1/{by} of their size"),
            Self::TooBright(bits) => {
                write!(to, "brighter than the {bits} bits of `depth`: what is above is white")?;
                to.write_str(" (set data.depth in the recipe)")
            }
        }
    }
}

/// How many pictures each notice was about.
///
/// ```
/// use data_pipeline::picture::{Notice, Notices};
/// let mut all = Notices::default();
/// all.add(&[Notice::Turned, Notice::Cmyk]);
/// all.add(&[Notice::Turned]);
/// let lines: Vec<String> = all.lines().collect();
/// assert_eq!(lines[0], "2 pictures were turned by their EXIF orientation");
/// assert_eq!(lines[1], "1 picture was converted from CMYK");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices(BTreeMap<Notice, u64>);

impl Notices {
    /// Counts what was noticed in one picture.
    pub fn add(&mut self, noticed: &[Notice]) {
        noticed.iter().for_each(|&notice| *self.0.entry(notice).or_default() += 1);
    }

    /// Adds the counts of others.
    pub fn join(&mut self, others: &Self) {
        others.0.iter().for_each(|(&notice, count)| *self.0.entry(notice).or_default() += count);
    }

    /// The notices with their numbers of pictures.
    pub fn counts(&self) -> impl Iterator<Item = (Notice, u64)> {
        self.0.iter().map(|(&notice, &count)| (notice, count))
    }

    /// A sentence for each notice, without a full stop.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.counts().map(|(notice, count)| match count {
            1 => format!("1 picture was {notice}").replace(" their ", " its "),
            _ => format!("{count} pictures were {notice}"),
        })
    }
}
