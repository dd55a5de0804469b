//! PNG files, with the faults that Pillow overlooks.

use super::notice::Notice;
use super::orientation;
use super::png_chunks::Chunks;
use super::raw::{Colour, Extra, Header, Raw, Values, allow, say};
use png::{BitDepth, ColorType, DecodeOptions, Decoder, Limits, Transformations};
use std::io::{Cursor, Read, Seek};

/// Decodes.
pub(super) fn read(bytes: &[u8], max_pixels: u64) -> Result<Raw, String> {
    let chunks = Chunks::read(&mut Cursor::new(bytes), true)?;
    let (width, height) = chunks.size();
    allow(width, height, max_pixels)?;
    let (file, whole) = chunks.file()?;
    let mut options = DecodeOptions::default();
    options.set_ignore_crc(true);
    options.set_ignore_adler32(!whole);
    let mut decoder = Decoder::new_with_options(Cursor::new(&file[..]), options);
    // At most 4 channels of 16 bits, and as much again for the decoder itself.
    let pixels = (width as usize).saturating_mul(height as usize);
    let bytes = file.len().saturating_add(pixels.saturating_mul(16)).saturating_add(1 << 24);
    decoder.set_limits(Limits { bytes });
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(say)?;
    let size = reader.output_buffer_size().ok_or("too large for this machine")?;
    let mut values = vec![0; size];
    reader.next_frame(&mut values).map_err(say)?;
    let (colour, bits) = reader.output_color_type();
    let values = match bits {
        BitDepth::Sixteen => {
            let word = |&pair: &[u8; 2]| u16::from_be_bytes(pair);
            Values::Words(values.as_chunks().0.iter().map(word).collect())
        }
        _ => Values::Bytes(values),
    };
    let (colour, extra) = match colour {
        ColorType::Grayscale => (Colour::Grey, Extra::None),
        ColorType::GrayscaleAlpha => (Colour::Grey, Extra::Alpha),
        ColorType::Rgba => (Colour::Rgb, Extra::Alpha),
        _ => (Colour::Rgb, Extra::None),
    };
    let mut raw = Raw { extra, ..Raw::new(width, height, colour, values) };
    raw.orientation = orientation::find(chunks.exif.as_deref(), chunks.xmp.as_deref());
    if chunks.frames > 1 {
        raw.noticed.push(Notice::FirstOfSeveral);
    }
    Ok(raw)
}

/// Reads up to the pixels; EXIF after them is not seen.
pub(super) fn header(file: &mut (impl Read + Seek)) -> Result<Header, String> {
    let chunks = Chunks::read(file, false)?;
    let (width, height) = chunks.size();
    let channels = match chunks.colour() {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    let orientation = orientation::find(chunks.exif.as_deref(), chunks.xmp.as_deref());
    let (bits, several) = (chunks.bits(), chunks.frames > 1);
    Ok(Header { width, height, channels, bits, orientation, several, real: false })
}
