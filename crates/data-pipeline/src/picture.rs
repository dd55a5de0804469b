//! Image files: JPEG and PNG to bytes in memory, and PNG back.
//!
//! Both decode as Pillow 12's `Image.open(file).convert("RGB")` (or `"L"`) does, byte for byte:
//! EXIF orientation and colour profiles are ignored, transparency is dropped, 16-bit values keep
//! their upper 8 bits, CMYK is converted. One thing differs: grey PNG files of 16 bits, in which
//! Pillow makes values above 255 white, keep their upper 8 bits here too. A truncated JPEG file is
//! refused.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use augment::resize::{self, Filter};
use augment::scratch::Scratch;
use augment::{Image, fill};
use image::{ImageDecoder, ImageEncoder, ImageFormat, ImageReader};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, PixelFormat};

use crate::error::DataError;

/// How a file is decoded.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `grey` | false | one channel (ITU-R 601 weights, as Pillow's "L") rather than RGB |
/// | `size` | as stored | width and height to resize to, bilinear and antialiased as in Pillow |
/// | `max_pixels` | 100,000,000 | larger images are refused |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decode {
    /// Whether the image is turned to grey.
    pub grey: bool,
    /// Its size.
    pub size: Option<(u32, u32)>,
    /// The most pixels: a small file may claim to hold a huge image.
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

    /// Decodes the content of a file; the error says what is wrong with it.
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
        let mut image = if bytes.starts_with(&JPEG) { self.jpeg(bytes)? } else { self.png(bytes)? };
        if let Some((width, height)) = self.size {
            let (width, height) = (width as usize, height as usize);
            resize::resize(&mut image, width, height, Filter::Bilinear, &mut Scratch::new());
        }
        Ok(image)
    }

    fn jpeg(&self, bytes: &[u8]) -> Result<Image, String> {
        // The size is checked below; valid files have far fewer scans.
        let limits = DecodeLimits { max_pixels: u64::MAX, max_scans: 1000, ..Default::default() };
        let decoder = Decoder::new_with_limits(bytes, limits).map_err(|e| e.to_string())?;
        let header = decoder.header();
        let (width, height) = (usize::from(header.width), usize::from(header.height));
        self.allow(width as u64, height as u64)?;
        let grey = header.components.len() == 1;
        let format = if grey { PixelFormat::Grayscale } else { PixelFormat::Rgb };
        let decoded = decoder.with_output_format(format).decode_image();
        let pixels = decoded.map_err(|e| e.to_string())?.data;
        self.image(width, height, if grey { 1 } else { 3 }, pixels)
    }

    fn png(&self, bytes: &[u8]) -> Result<Image, String> {
        let reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
        let mut decoder = reader.into_decoder().map_err(|e| e.to_string())?;
        let (width, height) = decoder.dimensions();
        self.allow(width.into(), height.into())?;
        // At most 4 channels of 16 bits, and as much again for the decoder itself.
        let mut limits = image::Limits::no_limits();
        let pixels = u64::from(width) * u64::from(height);
        limits.max_alloc = Some(pixels.saturating_mul(16).saturating_add(1 << 24));
        decoder.set_limits(limits).map_err(|e| e.to_string())?;
        let color = decoder.color_type();
        let mut values = vec![0; decoder.total_bytes() as usize];
        decoder.read_image(&mut values).map_err(|e| e.to_string())?;
        // Samples of 16 bits come in the machine's own order.
        let channels = usize::from(color.channel_count());
        if usize::from(color.bytes_per_pixel()) == 2 * channels {
            let upper = |&[a, b]: &[u8; 2]| (u16::from_ne_bytes([a, b]) >> 8) as u8;
            values = values.as_chunks().0.iter().map(upper).collect();
        }
        let opaque = channels - usize::from(color.has_alpha());
        if color.has_alpha() {
            let pixels = values.chunks_exact(channels).flat_map(|pixel| &pixel[..opaque]);
            values = pixels.copied().collect();
        }
        self.image(width as usize, height as usize, opaque, values)
    }

    fn allow(&self, width: u64, height: u64) -> Result<(), String> {
        let pixels = width * height;
        if pixels == 0 || pixels > self.max_pixels {
            return Err(format!("{width}x{height} pixels, allowed are 1 to {}", self.max_pixels));
        }
        Ok(())
    }

    /// The image of decoded values, in the requested colours.
    fn image(
        &self,
        width: usize,
        height: usize,
        channels: usize,
        values: Vec<u8>,
    ) -> Result<Image, String> {
        if values.len() != width * height * channels {
            return Err(format!("{} values for {width}x{height}x{channels}", values.len()));
        }
        let (channels, pixels) = match (channels, self.grey) {
            (1, false) => (3, values.into_iter().flat_map(|value| [value; 3]).collect()),
            (3, true) => {
                let luma = |&[r, g, b]: &[u8; 3]| fill::luma(r, g, b);
                (1, values.as_chunks().0.iter().map(luma).collect())
            }
            _ => (channels, values),
        };
        Ok(Image::new(width, height, channels, pixels))
    }
}

/// What every JPEG file begins with.
const JPEG: [u8; 2] = [0xff, 0xd8];

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
    Ok(atomic_file::write(path, &png(image))?)
}
