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
    Orientation::from_exif_chunk(block.strip_prefix(b"Exif\0\0").unwrap_or(block))
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
