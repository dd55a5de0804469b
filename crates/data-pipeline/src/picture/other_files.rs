//! WebP, BMP, PNM and QOI files, by crate `image`.

use super::kind::Kind;
use super::notice::Notice;
use super::orientation;
use super::raw::{Colour, Extra, Header, Raw, Values, allow, say};
use image::codecs::{bmp, pnm, qoi, webp};
use image::{ColorType, ImageDecoder};
use std::io::{BufRead, Cursor, Seek};

/// Decodes.
pub(super) fn read(bytes: &[u8], kind: Kind, max_pixels: u64) -> Result<Raw, String> {
    if kind == Kind::WebP {
        let claimed = bytes.get(4..).and_then(|rest| rest.first_chunk()).copied();
        let claimed = u64::from(u32::from_le_bytes(claimed.unwrap_or_default()));
        if (bytes.len() as u64) < claimed + 8 {
            return Err(format!("{} of {} bytes are there", bytes.len(), claimed + 8));
        }
    }
    let (mut decoder, several) = open(Cursor::new(bytes), kind)?;
    let (width, height) = decoder.dimensions();
    allow(width, height, max_pixels)?;
    if kind == Kind::WebP {
        frames_fit(bytes, width, height)?;
    }
    let exif = decoder.exif_metadata().ok().flatten();
    let packet = decoder.xmp_metadata().ok().flatten();
    // At most 4 channels of 16 bits, and as much again for the decoder itself.
    let mut limits = image::Limits::no_limits();
    let pixels = u64::from(width) * u64::from(height);
    limits.max_alloc = Some(pixels.saturating_mul(16).saturating_add(1 << 24));
    decoder.set_limits(limits).map_err(say)?;
    let colours = decoder.color_type();
    let mut values = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut values).map_err(say)?;
    let (colour, extra) = match colours {
        ColorType::L8 | ColorType::L16 => (Colour::Grey, Extra::None),
        ColorType::La8 | ColorType::La16 => (Colour::Grey, Extra::Alpha),
        ColorType::Rgb8 | ColorType::Rgb16 => (Colour::Rgb, Extra::None),
        ColorType::Rgba8 | ColorType::Rgba16 => (Colour::Rgb, Extra::Alpha),
        _ => return Err(format!("pixels of {colours:?} are not read: convert it to RGB")),
    };
    let values = match colours.bytes_per_pixel() == 2 * colours.channel_count() {
        true => {
            // Samples of 16 bits come in the machine's own order.
            let word = |&pair: &[u8; 2]| u16::from_ne_bytes(pair);
            Values::Words(values.as_chunks().0.iter().map(word).collect())
        }
        false => Values::Bytes(values),
    };
    let mut raw = Raw { extra, ..Raw::new(width, height, colour, values) };
    raw.orientation = orientation::find(exif.as_deref(), packet.as_deref());
    if several {
        raw.noticed.push(Notice::FirstOfSeveral);
    }
    Ok(raw)
}

/// Refuses lossy frames larger than the image: the decoder would make room for them first.
fn frames_fit(bytes: &[u8], width: u32, height: u32) -> Result<(), String> {
    // The chunk's name and length, three bytes, a start code, and two sizes of 14 bits.
    for chunk in bytes.windows(18).filter(|chunk| chunk.starts_with(b"VP8 ")) {
        if chunk[11..14] == *b"\x9d\x01\x2a" {
            let size = |at| u32::from(u16::from_le_bytes([chunk[at], chunk[at + 1]]) & 0x3fff);
            let (wide, tall) = (size(14), size(16));
            if wide > width || tall > height {
                return Err(format!("a frame of {wide}x{tall} in an image of {width}x{height}"));
            }
        }
    }
    Ok(())
}

/// Reads what stands before the pixels.
pub(super) fn header<'a>(file: impl BufRead + Seek + 'a, kind: Kind) -> Result<Header, String> {
    let (mut decoder, several) = open(file, kind)?;
    let (width, height) = decoder.dimensions();
    let colours = decoder.original_color_type();
    let exif = decoder.exif_metadata().ok().flatten();
    let packet = decoder.xmp_metadata().ok().flatten();
    let channels = colours.channel_count().max(1);
    let bits = (colours.bits_per_pixel() / u16::from(channels)) as u8;
    let orientation = orientation::find(exif.as_deref(), packet.as_deref());
    Ok(Header { width, height, channels, bits, orientation, several, real: false })
}

/// The decoder, and whether there are several frames.
fn open<'a, R: BufRead + Seek + 'a>(
    file: R,
    kind: Kind,
) -> Result<(Box<dyn ImageDecoder + 'a>, bool), String> {
    Ok(match kind {
        Kind::WebP => {
            let decoder = webp::WebPDecoder::new(file).map_err(say)?;
            let several = decoder.has_animation();
            (Box::new(decoder), several)
        }
        Kind::Bmp => (Box::new(bmp::BmpDecoder::new(file).map_err(say)?), false),
        Kind::Pnm => (Box::new(pnm::PnmDecoder::new(file).map_err(say)?), false),
        _ => (Box::new(qoi::QoiDecoder::new(file).map_err(say)?), false),
    })
}
