//! Image files of the formats that people have, to bytes in memory, and PNG back.
//!
//! What a file is, its content says, not its name ([`kind`]). JPEG, PNG, WebP, BMP, TIFF, GIF, PNM
//! and QOI are read, of animations and several pages the first. They decode as Pillow 12's
//! `Image.open(file).convert("RGB")` (or `"L"`) does, byte for byte:
//!
//! - Colour profiles are ignored, transparency is dropped, CMYK is converted without a profile.
//! - EXIF orientation is ignored unless [`Decode::orient`] is set; then files decode as after
//!   Pillow's `ImageOps.exif_transpose`. The orientation of TIFF is always obeyed, as in Pillow.
//! - Colours of 16 bits keep their upper 8 bits, unless [`Decode::depth`] says otherwise.
//! - A PNG file without an end, or with a wrong checksum over its pixels, is read. A truncated file
//!   is refused.
//!
//! Some files decode otherwise than in Pillow:
//!
//! - Grey of 16 bits, in which Pillow makes all values above 255 white, follows [`Decode::depth`].
//! - Floating-point and signed samples, which Pillow clips to 0 to 255, need [`Depth::Range`].
//! - BMP of 16 bits a pixel, PNM with a maximum other than 255, and YCbCr in TIFF without JPEG may
//!   differ by 1 of 255, for they are rounded otherwise.
//! - Not read are TIFF files with fax compression of group 3, subsampled colours outside of JPEG,
//!   Lab colours or samples of 12 packed bits; BMP and QOI files
//!   that lack their last bytes, even if all pixels are there; the previews in cameras' raw files.

mod decode;
mod depth;
mod gif_file;
mod jpeg_file;
mod kind;
mod notice;
mod orientation;
mod other_files;
mod png_chunks;
mod png_file;
mod probe;
mod raw;
mod tiff_file;
mod tiff_jpeg;

pub(crate) use decode::is_sound;
pub use decode::{Decode, Decoded};
pub use depth::Depth;
pub use kind::{Kind, kind};
pub use notice::{Notice, Notices};
pub use probe::{Probe, probe, probe_file};
pub(crate) use raw::{OVER, too_many};

use crate::error::DataError;
use augment::Image;
use image::ImageEncoder;
use std::fs::File;
use std::io;
use std::path::Path;

/// Opens a file. A named pipe would block for ever, and a device may have no end.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    match std::fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("no regular file: write it to one")),
    }
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
    Ok(atomic_file::write(path, &png(image))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_opens_a_pipe_as_an_image_does_not_wait() {
        let dir = tempfile::tempdir().expect("a folder");
        let pipe = dir.path().join("a.png");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        let faults = [
            Decode::default().file(&pipe).map(drop).expect_err("a pipe"),
            probe_file(&pipe).map(drop).expect_err("a pipe"),
        ];
        for fault in faults.map(|fault| fault.to_string()) {
            assert!(fault.contains("a.png") && fault.contains("no regular file"), "{fault}");
        }
    }
}
