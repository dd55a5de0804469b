//! A picture as its file stores it, and what is known of it before it is decoded.

use super::depth::Depth;
use super::notice::Notice;
use augment::{Image, fill};
use image::metadata::Orientation;

/// What the header of a picture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Samples of a pixel: grey or colour, and transparency; 1 for a palette.
    pub(super) channels: u8,
    /// Bits of a sample, as stored.
    pub(super) bits: u8,
    pub(super) orientation: Option<Orientation>,
    /// Whether there are more frames or pages, where the header tells.
    pub(super) several: bool,
    /// Whether samples are floating-point or signed numbers.
    pub(super) real: bool,
}

/// What the samples of a pixel mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Grey,
    Rgb,
    /// Ink: 255 is all of it.
    Cmyk,
    /// Brightness and two differences, all of 0 to 255.
    YCbCr,
}

impl Colour {
    pub(super) fn samples(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Cmyk => 4,
        }
    }
}

/// Samples, pixel after pixel.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
    Reals(Vec<f64>),
}

/// What stands after the colour of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    None,
    /// One sample, 0 where the pixel is transparent.
    Alpha,
    /// One sample, 0 where the pixel is transparent, by which the colours were multiplied.
    Premultiplied,
    /// So many samples of another meaning.
    Other(usize),
}

impl Extra {
    pub(super) fn samples(self) -> usize {
        match self {
            Self::None => 0,
            Self::Alpha | Self::Premultiplied => 1,
            Self::Other(samples) => samples,
        }
    }
}

/// A decoded picture.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) colour: Colour,
    pub(super) extra: Extra,
    pub(super) values: Values,
    /// How it is to be turned.
    pub(super) orientation: Option<Orientation>,
    /// Whether it is turned even by those who ignore EXIF: the format itself has it so.
    pub(super) must_turn: bool,
    pub(super) noticed: Vec<Notice>,
}

impl Raw {
    /// A picture without transparency and orientation.
    pub(super) fn new(width: u32, height: u32, colour: Colour, values: Values) -> Self {
        let (extra, orientation, noticed) = (Extra::None, None, Vec::new());
        Self { width, height, colour, extra, values, orientation, must_turn: false, noticed }
    }

    /// Its image of 8 bits, grey or RGB as asked, not turned, and what was noticed.
    pub(super) fn develop(self, grey: bool, depth: Depth) -> Result<(Image, Vec<Notice>), String> {
        let Self { width, height, colour, extra, values, mut noticed, .. } = self;
        let mut bytes = match values {
            Values::Bytes(bytes) => bytes,
            Values::Words(words) => depth.bytes_of_words(&words, &mut noticed),
            Values::Reals(reals) => depth.bytes_of_reals(&reals, &mut noticed)?,
        };
        let (width, height) = (width as usize, height as usize);
        let (samples, more) = (colour.samples(), extra.samples());
        if bytes.len() != width * height * (samples + more) {
            let found = bytes.len();
            return Err(format!("{found} samples for {width}x{height}x{}", samples + more));
        }
        if more > 0 {
            bytes = without_extra(&bytes, samples, extra, &mut noticed);
        }
        if colour == Colour::Cmyk {
            noticed.push(Notice::Cmyk);
        }
        let bytes = match colour {
            Colour::Grey | Colour::Rgb => bytes,
            Colour::Cmyk => bytes.as_chunks().0.iter().flat_map(rgb_of_cmyk).collect(),
            Colour::YCbCr => bytes.as_chunks().0.iter().flat_map(rgb_of_ycbcr).collect(),
        };
        let (channels, pixels) = match (colour == Colour::Grey, grey) {
            (true, false) => (3, bytes.into_iter().flat_map(|value| [value; 3]).collect()),
            (false, true) => {
                let luma = |&[r, g, b]: &[u8; 3]| fill::luma(r, g, b);
                (1, bytes.as_chunks().0.iter().map(luma).collect())
            }
            (_, grey) => (if grey { 1 } else { 3 }, bytes),
        };
        Ok((Image::new(width, height, channels, pixels), noticed))
    }
}

/// The colours alone.
fn without_extra(bytes: &[u8], samples: usize, extra: Extra, noticed: &mut Vec<Notice>) -> Vec<u8> {
    let pixels = bytes.chunks_exact(samples + extra.samples());
    let transparent = matches!(extra, Extra::Alpha | Extra::Premultiplied);
    if transparent && pixels.clone().any(|pixel| pixel[samples] < 255) {
        noticed.push(Notice::AlphaDropped);
    }
    let colours = pixels.flat_map(|pixel| {
        let alpha = if extra == Extra::Premultiplied { u32::from(pixel[samples]) } else { 255 };
        pixel[..samples].iter().map(move |&value| match alpha {
            0 | 255 => value,
            _ => (u32::from(value) * 255 / alpha).min(255) as u8,
        })
    });
    colours.collect()
}

/// As Pillow converts, without a profile: black takes from what each ink leaves.
fn rgb_of_cmyk(&[c, m, y, k]: &[u8; 4]) -> [u8; 3] {
    let left = 255 - i32::from(k);
    [c, m, y].map(|ink| {
        let product = i32::from(ink) * left + 128;
        (left - (((product >> 8) + product) >> 8)).clamp(0, 255) as u8
    })
}

/// As Pillow converts: ITU-R 601 with all of 0 to 255, in 64ths.
fn rgb_of_ycbcr(&[y, cb, cr]: &[u8; 3]) -> [u8; 3] {
    let part = |factor: f64, value: u8| (factor * 64.0 * (f64::from(value) - 128.0) + 0.5) as i32;
    let differences = [
        part(1.402, cr) >> 6,
        (part(-0.34414, cb) + part(-0.71414, cr)) >> 6,
        part(1.772, cb) >> 6,
    ];
    differences.map(|difference| (i32::from(y) + difference).clamp(0, 255) as u8)
}

/// Refuses a picture of no pixels or of too many.
pub(super) fn allow(width: u32, height: u32, max_pixels: u64) -> Result<(), String> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(format!("an image of {width}x{height} has no pixels"));
    }
    if pixels > max_pixels {
        return Err(too_many(width, height, max_pixels));
    }
    Ok(())
}

/// What stands before the limit in a fault about too many pixels.
pub(crate) const OVER: &str = ", more than the limit of ";

/// That a picture has more pixels than are allowed, and what to do about it.
pub(crate) fn too_many(width: u32, height: u32, max_pixels: u64) -> String {
    let pixels = grouped(u64::from(width) * u64::from(height));
    format!(
        "it has {width}x{height} = {pixels} pixels{OVER}{}: shrink the picture or remove it, or \
         raise `data.max_pixels` in a recipe",
        grouped(max_pixels)
    )
}

/// A number with a comma before each three digits: 1,600.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An error of a decoder as text.
pub(super) fn say(error: impl std::fmt::Display) -> String {
    error.to_string()
}
