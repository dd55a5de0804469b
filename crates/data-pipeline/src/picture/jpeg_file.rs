//! JPEG files, by libjpeg-turbo's arithmetic.

use super::notice::Notice;
use super::orientation;
use super::raw::{Colour, Header, Raw, Values, allow, say};
use libjpeg_turbo_rs::{ComponentInfo, DecodeLimits, Decoder, PixelFormat, ScalingFactor};
use std::io::{Cursor, Read, Seek, SeekFrom};

/// Decodes; `at_least` lets it come out at 1/2, 1/4 or 1/8 of its size, yet no smaller than that.
pub(super) fn read(
    bytes: &[u8],
    max_pixels: u64,
    at_least: Option<(u32, u32)>,
    orient: bool,
) -> Result<Raw, String> {
    // The size is checked below; valid files have far fewer scans.
    let limits = DecodeLimits { max_pixels: u64::MAX, max_scans: 1000, ..Default::default() };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(say)?;
    let (width, height) = (decoder.header().width.into(), decoder.header().height.into());
    allow(width, height, max_pixels)?;
    let components = decoder.header().components.len();
    let (colour, format) = match components {
        1 => (Colour::Grey, PixelFormat::Grayscale),
        _ => (Colour::Rgb, PixelFormat::Rgb),
    };
    let turn = orientation::find(decoder.exif_data(), decoder.xmp_data());
    let by = at_least.map_or(1, |(wide, tall)| {
        let swap = orient && turn.is_some_and(orientation::swaps);
        let (wide, tall) = if swap { (tall, wide) } else { (wide, tall) };
        let most = (width / wide.max(1)).min(height / tall.max(1));
        [8, 4, 2].into_iter().find(|&by| by <= most).unwrap_or(1)
    });
    check_inks(&decoder.header().components)?;
    if !has_end(bytes) {
        return Err("the end of the file is missing".into());
    }
    if by > 1 {
        decoder.set_scale(ScalingFactor::try_new(1, by).map_err(say)?);
    }
    decoder.set_output_format(format);
    let image = decoder.decode_image().map_err(say)?;
    let (width, height) = (width.div_ceil(by), height.div_ceil(by));
    let mut raw = Raw::new(width, height, colour, Values::Bytes(image.data));
    raw.orientation = turn;
    if components == 4 {
        raw.noticed.push(Notice::Cmyk);
    }
    if by > 1 {
        raw.noticed.push(Notice::Shrunk(by as u8));
    }
    Ok(raw)
}

/// Reads up to the first scan.
pub(super) fn header(file: &mut (impl Read + Seek)) -> Result<Header, String> {
    let mut two = [0; 2];
    let mut byte = |file: &mut dyn Read| -> Result<u8, String> {
        file.read_exact(&mut two[..1]).map_err(|_| ENDS.to_owned())?;
        Ok(two[0])
    };
    file.seek(SeekFrom::Start(2)).map_err(say)?;
    let mut turn = None;
    let mut frame: Option<Header> = None;
    loop {
        // Bytes outside of segments are skipped, as decoders do.
        while byte(file)? != 0xff {}
        let mut marker = byte(file)?;
        while marker == 0xff {
            marker = byte(file)?;
        }
        match marker {
            0 | 1 | 0xd0..=0xd8 => continue,
            0xd9 | 0xda => break,
            _ => {}
        }
        let length = u16::from_be_bytes([byte(file)?, byte(file)?]);
        let length = u64::from(length).checked_sub(2).ok_or("a segment of no length")?;
        let mut segment = Vec::new();
        let size = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if size || marker == 0xe1 {
            file.take(length).read_to_end(&mut segment).map_err(say)?;
        } else {
            file.seek_relative(length as i64).map_err(say)?;
        }
        if marker == 0xe1 && turn.is_none() {
            const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
            let exif = segment.starts_with(b"Exif\0\0").then_some(&segment[..]);
            turn = orientation::find(exif, segment.strip_prefix(XMP));
        }
        if size {
            let &[bits, h1, h2, w1, w2, channels, ..] = &segment[..] else {
                return Err(ENDS.to_owned());
            };
            let (width, height) = (u16::from_be_bytes([w1, w2]), u16::from_be_bytes([h1, h2]));
            let (width, height) = (width.into(), height.into());
            let (orientation, several) = (None, false);
            frame =
                Some(Header { width, height, channels, bits, orientation, several, real: false });
        }
    }
    let frame = frame.ok_or("no frame before the first scan")?;
    Ok(Header { orientation: turn, ..frame })
}

/// Refuses four samples a pixel that are stored at resolutions which the decoder does not expect:
/// the first and the last have the full one, the other two share one that divides it.
pub(super) fn check_inks(components: &[ComponentInfo]) -> Result<(), String> {
    let &[first, second, third, last] = components else { return Ok(()) };
    let resolution = |ink: ComponentInfo| (ink.horizontal_sampling, ink.vertical_sampling);
    let (full, part) = (resolution(first), resolution(second));
    let divides = part.0 > 0 && part.1 > 0 && full.0 % part.0 == 0 && full.1 % part.1 == 0;
    if full == resolution(last) && part == resolution(third) && divides {
        return Ok(());
    }
    Err("inks of odd resolutions are not read: convert it to RGB".into())
}

/// Whether the end of the image is marked, without which Pillow takes the file for truncated.
fn has_end(bytes: &[u8]) -> bool {
    const END: &[u8] = b"\xff\xd9";
    if bytes.ends_with(END) {
        return true;
    }
    // A thumbnail within the header has an end of its own.
    let mut file = Cursor::new(bytes);
    let rest = header(&mut file).map(|_| &bytes[file.position() as usize..]);
    rest.is_ok_and(|rest| rest.windows(2).any(|pair| pair == END))
}

const ENDS: &str = "the file ends in its header";
