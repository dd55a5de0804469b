//! EXIF orientation: where it is written, and how a picture is turned by it.

use augment::Image;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};

/// The orientation in an EXIF block, or else in an XMP packet, as Pillow finds it.
pub(super) fn find(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Option<Orientation> {
    exif.and_then(in_exif).or_else(|| xmp.and_then(in_xmp))
}

/// The orientation in an EXIF block, with or without the name that JPEG puts before it.
pub(super) fn in_exif(block: &[u8]) -> Option<Orientation> {
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    Orientation::from_exif_chunk(block).or_else(|| as_long(block))
}

/// The orientation in 32 bits, as some programs write it where EXIF has 16.
fn as_long(block: &[u8]) -> Option<Orientation> {
    const TAG: u64 = 0x112;
    const LONG: u64 = 4;
    let is_big_endian = match block.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = block.get(at..at.checked_add(length)?)?;
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(match is_big_endian {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        })
    };
    let start = usize::try_from(number(4, 4)?).ok()?;
    let count = usize::try_from(number(start, 2)?).ok()?;
    let mut entries = (0..count).map(|i| start + 2 + 12 * i);
    let entry = entries.find(|&at| {
        [number(at, 2), number(at + 2, 2), number(at + 4, 4)] == [Some(TAG), Some(LONG), Some(1)]
    })?;
    Orientation::from_exif(u8::try_from(number(entry + 8, 4)?).ok()?)
}

/// The orientation in an XMP packet: `tiff:Orientation="6"` or `<tiff:Orientation>6`.
fn in_xmp(packet: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    packet.windows(NAME.len() + 3).find_map(|part| {
        let rest = part.strip_prefix(NAME)?;
        let digit = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?[0];
        digit.is_ascii_digit().then(|| Orientation::from_exif(digit - b'0'))?
    })
}

/// Whether it exchanges width and height.
pub(super) fn swaps(orientation: Orientation) -> bool {
    orientation.to_exif() > 4
}

/// Turns a picture upright.
pub(super) fn turn(picture: Image, orientation: Orientation) -> Image {
    let (width, height, channels) = (picture.width(), picture.height(), picture.channels());
    let (wide, tall) = (width as u32, height as u32);
    let pixels = picture.into_pixels();
    let mut turned = match channels {
        1 => DynamicImage::ImageLuma8(GrayImage::from_raw(wide, tall, pixels).expect("all pixels")),
        _ => DynamicImage::ImageRgb8(RgbImage::from_raw(wide, tall, pixels).expect("all pixels")),
    };
    turned.apply_orientation(orientation);
    let (width, height) = (turned.width() as usize, turned.height() as usize);
    Image::new(width, height, channels, turned.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_orientation_of_32_bits_is_read_as_one_of_16() {
        let block = |big: bool, kind: u16, value: &[u8; 4]| {
            let short = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
            let long = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
            let mut block = if big { b"MM\0*" } else { b"II*\0" }.to_vec();
            block.extend(long(8));
            block.extend(short(1));
            block.extend(short(0x112));
            block.extend(short(kind));
            block.extend(long(1));
            block.extend(value);
            block
        };
        let of = |block: &[u8]| in_exif(block).map(Orientation::to_exif);
        assert_eq!(of(&block(true, 3, &[0, 6, 0, 0])), Some(6));
        assert_eq!(of(&block(true, 4, &[0, 0, 0, 6])), Some(6));
        assert_eq!(of(&block(false, 4, &[8, 0, 0, 0])), Some(8));
        assert_eq!(of(&block(false, 4, &[9, 0, 0, 0])), None);
        assert_eq!(of(&block(false, 4, &[8, 1, 0, 0])), None);
        assert_eq!(of(&block(false, 2, &[8, 0, 0, 0])), None);
        let whole = block(true, 4, &[0, 0, 0, 6]);
        (0..whole.len()).for_each(|end| assert_eq!(of(&whole[..end]), None, "{end}"));
    }
}
