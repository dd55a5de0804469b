//! How an image file is decoded.

use super::depth::{Depth, NO_WHITE};
use super::kind::{Kind, kind};
use super::notice::Notice;
use super::probe::Probe;
use super::raw::Raw;
use super::{gif_file, jpeg_file, open_regular, orientation, other_files, png_file, tiff_file};
use crate::error::DataError;
use augment::Image;
use augment::resize::{self, Filter};
use augment::scratch::Scratch;
use image::metadata::Orientation;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// How a file is decoded.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `grey` | false | one channel (ITU-R 601 weights, as Pillow's "L") rather than RGB |
/// | `size` | as stored | width and height to resize to, bilinear and antialiased as in Pillow |
/// | `orient` | false | turn pictures upright by their EXIF orientation, as photographs need it |
/// | `depth` | upper byte | how samples of more than 8 bits become bytes |
/// | `at_least` | all of it | decode JPEG at 1/2, 1/4 or 1/8 of its size, no smaller than this |
/// | `max_pixels` | 100,000,000 | larger images are refused |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decode {
    /// Whether the image is turned to grey.
    pub grey: bool,
    /// Its size, after it was turned upright.
    pub size: Option<(u32, u32)>,
    /// Whether EXIF orientation is applied.
    pub orient: bool,
    /// How samples of more than 8 bits become bytes.
    pub depth: Depth,
    /// A width and height that suffice, as in Pillow's `draft`: a JPEG image at least twice as
    /// large in both directions is decoded at a fraction of its size, which is faster. The pixels
    /// are not those of decoding all and resizing.
    pub at_least: Option<(u32, u32)>,
    /// The most pixels: a small file may claim to hold a huge image.
    pub max_pixels: u64,
}

impl Default for Decode {
    fn default() -> Self {
        Self {
            grey: false,
            size: None,
            orient: false,
            depth: Depth::default(),
            at_least: None,
            max_pixels: 100_000_000,
        }
    }
}

/// What all faults hold that are about sound files of a kind that is not read.
const CONVERT: &str = ": convert it to ";

/// Whether a fault that a decoder told is about a sound file of a kind that is not read.
pub(crate) fn is_sound(fault: &str) -> bool {
    fault.contains(CONVERT)
}

/// A decoded file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The image.
    pub image: Image,
    /// What the file is.
    pub kind: Kind,
    /// What its owner should know, each notice at most once.
    pub noticed: Vec<Notice>,
}

impl Decode {
    /// Decodes a file; the error names it.
    pub fn file(&self, path: &Path) -> Result<Image, DataError> {
        Ok(self.describe_file(path)?.image)
    }

    /// Decodes the content of a file; the error says what is wrong with it.
    ///
    /// ```
    /// use data_pipeline::picture::Decode;
    /// let fault = Decode::default().bytes(b"<html><body>Not found</body></html>").unwrap_err();
    /// assert_eq!(fault, "this is an HTML page, not an image");
    /// ```
    pub fn bytes(&self, bytes: &[u8]) -> Result<Image, String> {
        Ok(self.describe(bytes)?.image)
    }

    /// As [`file`](Self::file), and says what was noticed.
    pub fn describe_file(&self, path: &Path) -> Result<Decoded, DataError> {
        let mut bytes = Vec::new();
        let read = open_regular(path).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(|error| error.to_string())
            .and_then(|_| self.describe(&bytes))
            .map_err(|fault| DataError::Image { path: path.to_path_buf(), fault })
    }

    /// As [`bytes`](Self::bytes), and says what was noticed.
    pub fn describe(&self, bytes: &[u8]) -> Result<Decoded, String> {
        let kind = kind(bytes);
        if let Some(refusal) = kind.refusal() {
            return Err(refusal);
        }
        // Decoders promise not to panic on bad input, but one that does must not end a run.
        let attempt = catch_unwind(AssertUnwindSafe(|| self.unguarded(bytes, kind)));
        attempt
            .unwrap_or_else(|_| Err("the decoder panicked".into()))
            .map_err(|fault| format!("{} image: {fault}", kind.name()))
    }

    fn unguarded(&self, bytes: &[u8], kind: Kind) -> Result<Decoded, String> {
        let raw = self.raw(bytes, kind)?;
        let turn = raw.orientation.filter(|&turn| turn != Orientation::NoTransforms);
        let must_turn = raw.must_turn;
        let (mut image, mut noticed) = raw.develop(self.grey, self.depth)?;
        if let Some(turn) = turn {
            if self.orient || must_turn {
                image = orientation::turn(image, turn);
                noticed.push(Notice::Turned);
            } else {
                noticed.push(Notice::NotTurned);
            }
        }
        Ok(Decoded { image: self.sized(image), kind, noticed })
    }

    /// An image that was decoded without [`size`](Self::size), as it is with it; in no more memory
    /// than it needs, since it may be kept.
    pub(crate) fn sized(&self, mut image: Image) -> Image {
        if let Some((width, height)) = self.size {
            let (width, height) = (width as usize, height as usize);
            resize::resize(&mut image, width, height, Filter::Bilinear, &mut Scratch::new());
        }
        image.shrink_to_fit();
        image
    }

    /// The image in the size that is asked for, unless that is larger: what has all of it in the
    /// least memory.
    pub(crate) fn smaller(&self, mut image: Image) -> Image {
        let pixels = (image.width() * image.height()) as u64;
        match self.size {
            Some((width, height)) if u64::from(width) * u64::from(height) < pixels => {
                self.sized(image)
            }
            _ => {
                image.shrink_to_fit();
                image
            }
        }
    }

    /// Why samples of what was probed are not decoded, where its header tells.
    pub(crate) fn refusal(&self, probed: &Probe) -> Option<String> {
        let refused = probed.real && self.depth != Depth::Range;
        refused.then(|| format!("{} image: {NO_WHITE}", probed.kind.name()))
    }

    fn raw(&self, bytes: &[u8], kind: Kind) -> Result<Raw, String> {
        let most = self.max_pixels;
        match kind {
            Kind::Jpeg => jpeg_file::read(bytes, most, self.at_least, self.orient),
            Kind::Png => png_file::read(bytes, most),
            Kind::Tiff => tiff_file::read(bytes, most),
            Kind::Gif => gif_file::read(bytes, most),
            kind => other_files::read(bytes, kind, most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_takes_no_more_memory_than_its_bytes() {
        let mut png = std::io::Cursor::new(Vec::new());
        let file = image::RgbImage::new(400, 300);
        file.write_to(&mut png, image::ImageFormat::Png).expect("encoded");
        let small = Decode { size: Some((4, 3)), ..Decode::default() };
        let whole = Decode::default().bytes(png.get_ref()).expect("an image");
        assert_eq!(whole.clone().into_pixels().capacity(), 3 * 400 * 300);
        let room = |image: Image| image.into_pixels().capacity();
        assert!(room(small.bytes(png.get_ref()).expect("an image")) < 100);
        assert!(room(small.smaller(whole)) < 100);
    }
}
