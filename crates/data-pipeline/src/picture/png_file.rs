//! PNG files, with the faults that Pillow overlooks.

use super::notice::Notice;
use super::orientation;
use super::raw::{Colour, Extra, Header, Raw, Values, allow, say};
use image::metadata::Orientation;
use png::{BitDepth, ColorType, DecodeOptions, Decoder, Info, Limits, Transformations};
use std::io::{BufRead, Cursor, Seek};

/// Decodes. Like Pillow it does not look at the data's checksums and needs no end.
pub(super) fn read(bytes: &[u8], max_pixels: u64) -> Result<Raw, String> {
    check_header(bytes)?;
    // All that stands before the pixels is held in memory, none of it longer than the file.
    let mut decoder = open(Cursor::new(bytes), bytes.len());
    let info = decoder.read_header_info().map_err(say)?;
    let (width, height) = info.size();
    allow(width, height, max_pixels)?;
    // At most 4 channels of 16 bits, and as much again for the decoder itself.
    let pixels = (width as usize).saturating_mul(height as usize);
    let bytes = bytes.len().saturating_add(pixels.saturating_mul(16)).saturating_add(1 << 24);
    decoder.set_limits(Limits { bytes });
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(say)?;
    let size = reader.output_buffer_size().ok_or("too large for this machine")?;
    let mut values = vec![0; size];
    reader.next_frame(&mut values).map_err(say)?;
    // EXIF may stand after the pixels; whatever is wrong there does not matter.
    let _ = reader.finish();
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
    raw.orientation = turn(reader.info());
    if reader.info().animation_control().is_some_and(|control| control.num_frames > 1) {
        raw.noticed.push(Notice::FirstOfSeveral);
    }
    Ok(raw)
}

/// Reads up to the pixels; EXIF after them is not seen.
pub(super) fn header(file: impl BufRead + Seek) -> Result<Header, String> {
    let reader = open(file, 1 << 26).read_info().map_err(say)?;
    let info = reader.info();
    Ok(Header {
        width: info.width,
        height: info.height,
        channels: info.color_type.samples() as u8,
        bits: info.bit_depth as u8,
        orientation: turn(info),
        several: info.animation_control().is_some_and(|control| control.num_frames > 1),
    })
}

fn open<R: BufRead + Seek>(file: R, bytes: usize) -> Decoder<R> {
    let mut options = DecodeOptions::default();
    options.set_ignore_checksums(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(file, options);
    decoder.set_limits(Limits { bytes: bytes.saturating_add(1 << 16) });
    decoder
}

/// Refuses a header or a palette whose checksum is wrong, as Pillow does.
fn check_header(bytes: &[u8]) -> Result<(), String> {
    let mut rest = &bytes[8..];
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((chunk, after)) = length.checked_add(4).and_then(|n| after.split_at_checked(n))
        else {
            break;
        };
        let Some((sum, after)) = after.split_first_chunk::<4>() else { break };
        let name = &chunk[..4];
        if name == b"IDAT" {
            break;
        }
        let mut hasher = flate2::Crc::new();
        hasher.update(chunk);
        if matches!(name, b"IHDR" | b"PLTE") && hasher.sum() != u32::from_be_bytes(*sum) {
            return Err(format!("the checksum of {} is wrong", String::from_utf8_lossy(name)));
        }
        rest = after;
    }
    Ok(())
}

fn turn(info: &Info<'_>) -> Option<Orientation> {
    let packet = info.utf8_text.iter().find(|chunk| chunk.keyword == "XML:com.adobe.xmp");
    let packet = packet.and_then(|chunk| chunk.get_text().ok());
    orientation::find(info.exif_metadata.as_deref(), packet.as_deref().map(str::as_bytes))
}
