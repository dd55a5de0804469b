//! PNG files, with the faults that Pillow overlooks.

use super::notice::Notice;
use super::orientation;
use super::raw::{Colour, Extra, Header, Raw, Values, allow, say};
use image::metadata::Orientation;
use png::{BitDepth, ColorType, DecodeOptions, Decoder, Info, Limits, Transformations};
use std::io::{BufRead, Cursor, Seek};

/// Decodes. Like Pillow it does not look at the data's checksums and needs no end.
pub(super) fn read(bytes: &[u8], max_pixels: u64) -> Result<Raw, String> {
    let mended = check(bytes)?;
    let (bytes, whole) = (mended.as_deref().unwrap_or(bytes), mended.is_none());
    // All that stands before the pixels is held in memory, none of it longer than the file.
    let mut decoder = open(Cursor::new(bytes), bytes.len(), whole);
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
    let reader = open(file, 1 << 26, true).read_info().map_err(say)?;
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

fn open<R: BufRead + Seek>(file: R, bytes: usize, whole: bool) -> Decoder<R> {
    let mut options = DecodeOptions::default();
    options.set_ignore_crc(true);
    options.set_ignore_adler32(!whole);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(file, options);
    decoder.set_limits(Limits { bytes: bytes.saturating_add(1 << 16) });
    decoder
}

/// Refuses a header or a palette whose checksum is wrong, as Pillow does. A file that lacks its end,
/// although all pixels are there, is returned with an end.
fn check(bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let (mut at, mut pixels, mut last) = (8, Vec::new(), None);
    while let Some((head, rest)) = bytes.get(at..).and_then(|rest| rest.split_first_chunk::<8>()) {
        let (length, name) = head.split_at(4);
        let length = u32::from_be_bytes(length.try_into().expect("4 bytes")) as usize;
        let data = &rest[..length.min(rest.len())];
        match name {
            b"IDAT" => {
                pixels.push(data);
                last = Some(at);
            }
            // Whatever follows the pixels does not matter.
            _ if last.is_some() => break,
            b"IHDR" | b"PLTE" => {
                let mut sum = flate2::Crc::new();
                sum.update(name);
                sum.update(data);
                let found = rest.get(length..).and_then(|rest| rest.first_chunk());
                if found.is_none_or(|&found| u32::from_be_bytes(found) != sum.sum()) {
                    return Err(format!("the checksum of {} is wrong", name.escape_ascii()));
                }
            }
            _ => {}
        }
        at = at.saturating_add(length).saturating_add(12);
    }
    let (Some(last), true) = (last, bytes.len() < at.saturating_add(8)) else { return Ok(None) };
    if !is_whole(&pixels) {
        return Ok(None);
    }
    let data = pixels.last().expect("the last one");
    let mut mended = bytes[..last].to_vec();
    // Zeros for checksums that are missing.
    mended.extend((data.len() as u32 + 4).to_be_bytes());
    mended.extend(b"IDAT");
    mended.extend(*data);
    mended.extend([0; 8]);
    mended.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
    Ok(Some(mended))
}

/// Whether a compressed stream in several parts comes to its end; its checksum may be missing.
fn is_whole(parts: &[&[u8]]) -> bool {
    let mut inflate = flate2::Decompress::new(false);
    let mut out = vec![0; 1 << 15];
    let mut skip = 2;
    for part in parts {
        let skipped = skip.min(part.len());
        skip -= skipped;
        let mut rest = &part[skipped..];
        loop {
            let before = (inflate.total_in(), inflate.total_out());
            match inflate.decompress(rest, &mut out, flate2::FlushDecompress::None) {
                Ok(flate2::Status::StreamEnd) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
            rest = &rest[(inflate.total_in() - before.0) as usize..];
            if before == (inflate.total_in(), inflate.total_out()) {
                break;
            }
        }
    }
    false
}

fn turn(info: &Info<'_>) -> Option<Orientation> {
    let packet = info.utf8_text.iter().find(|chunk| chunk.keyword == "XML:com.adobe.xmp");
    let packet = packet.and_then(|chunk| {
        let mut chunk = chunk.clone();
        chunk.decompress_text_with_limit(1 << 20).ok()?;
        chunk.get_text().ok()
    });
    orientation::find(info.exif_metadata.as_deref(), packet.as_deref().map(str::as_bytes))
}
