//! Image files: JPEG and PNG to bytes in memory, and PNG back.
//!
//! JPEG (baseline and progressive, grey and colour) and PNG files of 8 bits decode as in Pillow, byte for byte (`tests/it/pictures.rs`);
//! JPEG files of other kinds, and damaged ones, are left to the crate `image`, which may round differently. EXIF orientation and
//! colour profiles are ignored and transparency is dropped, as Pillow's `Image.open(...).convert("RGB")` does; of 16 bits the upper 8
//! count.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use augment::Image;
use augment::resize::{self, Filter};
use augment::scratch::Scratch;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageReader};

use crate::atomic;
use crate::error::DataError;

mod huffman;
mod jpeg;
mod scan;

/// How a file is decoded.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `grey` | false | one channel (ITU-R 601 weights, as Pillow's "L") rather than RGB |
/// | `size` | as stored | width and height that it is resized to, bilinear and antialiased as in Pillow |
/// | `max_pixels` | 100,000,000 | larger ones are refused: a small file may claim to hold a huge image |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decode {
    /// Whether the image is turned to grey.
    pub grey: bool,
    /// Its size.
    pub size: Option<(u32, u32)>,
    /// The most pixels.
    pub max_pixels: u64,
}

impl Default for Decode {
    fn default() -> Self {
        Self { grey: false, size: None, max_pixels: 100_000_000 }
    }
}

impl Decode {
    /// Decodes a file; the error names it.
    pub fn file(&self, path: &Path) -> Result<Image, DataError> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string());
        bytes
            .and_then(|bytes| self.bytes(&bytes))
            .map_err(|fault| DataError::Image { path: path.to_path_buf(), fault })
    }

    /// Decodes what a file holds; the error is what is wrong with it.
    ///
    /// ```
    /// use data_pipeline::picture::Decode;
    /// assert!(Decode::default().bytes(b"neither JPEG nor PNG").is_err());
    /// ```
    pub fn bytes(&self, bytes: &[u8]) -> Result<Image, String> {
        // Decoders promise not to panic on bad input, but one that does must not end a run.
        let attempt = catch_unwind(AssertUnwindSafe(|| self.unguarded(bytes)));
        attempt.unwrap_or_else(|_| Err("the decoder panicked".into()))
    }

    fn unguarded(&self, bytes: &[u8]) -> Result<Image, String> {
        let own = jpeg::is_jpeg(bytes).then(|| jpeg::decode(bytes, self.max_pixels));
        if let Some(Ok(image)) = own {
            return Ok(self.sized(self.in_channels(image)));
        }
        let reader = ImageReader::new(Cursor::new(bytes));
        let reader = reader.with_guessed_format().map_err(|e| e.to_string())?;
        let mut decoder = reader.into_decoder().map_err(|e| e.to_string())?;
        let (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels > self.max_pixels {
            return Err(format!("{width}x{height} pixels, allowed are 1 to {}", self.max_pixels));
        }
        // At most 4 channels of 16 bits, and as much again for the decoder's own work.
        let mut limits = image::Limits::no_limits();
        limits.max_alloc = Some(pixels.saturating_mul(16).saturating_add(1 << 24));
        decoder.set_limits(limits).map_err(|e| e.to_string())?;
        let decoded = DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?;
        let channels = if self.grey { 1 } else { 3 };
        let pixels = if self.grey { grey(decoded) } else { decoded.into_rgb8().into_raw() };
        Ok(self.sized(Image::new(width as usize, height as usize, channels, pixels)))
    }

    /// A grey image as colour, or the other way round.
    fn in_channels(&self, image: Image) -> Image {
        let (width, height) = (image.width(), image.height());
        let pixels = match (image.channels(), self.grey) {
            (1, false) => image.pixels().iter().flat_map(|&v| [v; 3]).collect(),
            (3, true) => greys(image.pixels()),
            _ => return image,
        };
        Image::new(width, height, if self.grey { 1 } else { 3 }, pixels)
    }

    fn sized(&self, mut image: Image) -> Image {
        if let Some((width, height)) = self.size {
            let (width, height) = (width as usize, height as usize);
            resize::resize(&mut image, width, height, Filter::Bilinear, &mut Scratch::new());
        }
        image
    }
}

fn grey(image: DynamicImage) -> Vec<u8> {
    match image {
        DynamicImage::ImageLuma8(_)
        | DynamicImage::ImageLumaA8(_)
        | DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA16(_) => image.into_luma8().into_raw(),
        // The image crate's own conversion has ITU-R 709 weights.
        image => greys(image.into_rgb8().as_raw()),
    }
}

fn greys(rgb: &[u8]) -> Vec<u8> {
    rgb.as_chunks::<3>().0.iter().map(|&[r, g, b]| augment::fill::luma(r, g, b)).collect()
}

/// The image as a PNG file's bytes.
pub fn png(image: &Image) -> Vec<u8> {
    let colour = match image.channels() {
        1 => image::ExtendedColorType::L8,
        _ => image::ExtendedColorType::Rgb8,
    };
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    encoder
        .write_image(image.pixels(), image.width() as u32, image.height() as u32, colour)
        .expect("memory takes any bytes");
    bytes
}

/// Writes a PNG file; it is whole or not there.
pub fn write_png(path: &Path, image: &Image) -> Result<(), DataError> {
    atomic::write(path, &png(image))
}
